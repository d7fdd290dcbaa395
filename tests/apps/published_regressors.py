"""What a published network would answer for a portrait, and where its own published equations then put the face.

usage: published_regressors.py deep3d|3ddfa_v2|deca|smirk MODELS LANDMARKS.json FOLDER

MODELS is the folder that write_models.py wrote; from it a model of the full published size goes to FOLDER (number of
modes, whitening, eyelids). LANDMARKS.json has 68 points, the centre of the first pixel at (0, 0), and the photo's height.
Prints JSON: the model's file, the network's outputs by name, the vertices in millimetres without the head's own rotation,
and the pixels that the vertices fall on. Everything here is plain numpy in the files' own units and the tools' own axes:
nothing is shared with facet.
"""
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import scipy.io

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "core"))
import flame_parity

LEFT, RIGHT = np.arange(36, 42), np.arange(42, 48)


def five(points):
    """Eyes (mean of their corners), nose, corners of the mouth."""
    return np.array([(points[36] + points[39]) / 2, (points[42] + points[45]) / 2, points[30], points[48], points[54]])


def euler(x, y, z):
    return flame_parity.rotation(np.array([0, 0, z])) @ flame_parity.rotation(np.array([0, y, 0])) @ \
        flame_parity.rotation(np.array([x, 0, 0]))


def widened(basis, count, random):
    """More modes than the head has, each a twentieth as strong as its first."""
    missing = count - basis.shape[1]
    extra = random.standard_normal((basis.shape[0], max(missing, 0)))
    extra *= 0.05 * np.linalg.norm(basis[:, 0]) / np.linalg.norm(extra, axis=0, keepdims=True)
    return np.hstack([basis[:, :count], extra])


def deep3d(models, landmarks, height, folder, random):
    """Deng et al., CVPRW 2019: decimetres, camera 10 units before the face, focal length 1015, y up."""
    model = scipy.io.loadmat(models / "deep3d/BFM_model_front.mat")
    for name, count in (("idBase", 80), ("exBase", 64), ("texBase", 80)):
        model[name] = widened(model[name], count, random)
    file = folder / "BFM_model_front.mat"
    scipy.io.savemat(file, {k: v for k, v in model.items() if not k.startswith("__")})

    identity, expression = 0.5 * random.standard_normal(80), 0.3 * random.standard_normal(64)
    albedo = 0.2 * random.standard_normal(80)
    mean = model["meanshape"].reshape(-1, 3)
    mean = mean - mean.mean(axis=0)
    shape = mean + (model["idBase"] @ identity + model["exBase"] @ expression).reshape(-1, 3)

    # The alignment: an affine camera from the standard face, in pixels with y up.
    seen = np.column_stack([landmarks[:, 0], height - 1 - landmarks[:, 1]])
    standard = np.array([[-0.31148657, 0.29036078, 0.13377953], [0.30979887, 0.28972036, 0.13179526],
                         [0.0032535, -0.04617932, 0.55244243], [-0.25216928, -0.38133916, 0.22405732],
                         [0.2484662, -0.38128236, 0.22235769]])
    camera = np.linalg.lstsq(np.column_stack([standard, np.ones(5)]), five(seen), rcond=None)[0]
    scale = 102 / np.mean([np.linalg.norm(camera[:3, 0]), np.linalg.norm(camera[:3, 1])])
    in_crop = (seen - camera[3]) * scale + 112

    # The translation that puts the shape's landmarks there: linear once multiplied by the depth.
    angles = np.array([0.05, -0.08, 0.03])
    turned = shape @ euler(*angles).T
    points = turned[model["keypoints"].ravel() - 1]
    offset = in_crop - 112
    rows, right = [], []
    for k in range(2):
        row = np.zeros((68, 3))
        row[:, k], row[:, 2] = 1015, offset[:, k]
        rows.append(row)
        right.append(offset[:, k] * (10 - points[:, 2]) - 1015 * points[:, k])
    translation = np.linalg.lstsq(np.vstack(rows), np.concatenate(right), rcond=None)[0]

    placed = turned + translation
    projected = 1015 * placed[:, :2] / (10 - placed[:, 2:]) + 112
    pixels = (projected - 112) / scale + camera[3]
    pixels[:, 1] = height - 1 - pixels[:, 1]
    light = 0.1 * random.standard_normal(27)
    values = np.concatenate([identity, expression, albedo, angles, light, translation])
    return file, {"257": values}, 100 * shape, pixels


def tddfa(models, landmarks, height, folder, random):
    """Guo et al., ECCV 2020: micrometres, modes of unit length, a 3x4 camera in pixels of the crop, all whitened."""
    with open(models / "tddfa/bfm_noneck_v3.pkl", "rb") as opened:
        model = pickle.load(opened)
    identity_modes, expression_modes = model["w_shp"][:, :40].astype(np.float64), model["w_exp"][:, :10].astype(np.float64)
    sigma = np.concatenate([np.linalg.norm(identity_modes, axis=0), np.linalg.norm(expression_modes, axis=0)])
    model["w_shp"], model["w_exp"] = identity_modes / sigma[:40], expression_modes / sigma[40:]
    file = folder / "bfm_noneck_v3.pkl"
    with open(file, "wb") as opened:
        pickle.dump(model, opened, 4)
    (folder / "tri.pkl").write_bytes((models / "tddfa/tri.pkl").read_bytes())

    mean = np.concatenate([[1e-4, 0, 0, 60, 0, 1e-4, 0, 60, 0, 0, 1e-4, -60], 0.1 * sigma])
    deviation = np.concatenate([[2e-4, 1e-4, 1e-4, 20] * 3, sigma])
    with open(folder / "param_mean_std_62d_120x120.pkl", "wb") as opened:
        pickle.dump({"mean": mean.astype(np.float32), "std": deviation.astype(np.float32)}, opened, 4)

    alpha = np.concatenate([0.5 * random.standard_normal(40), 0.3 * random.standard_normal(10)]) * sigma
    shape = (model["u"].ravel() + np.hstack([model["w_shp"], model["w_exp"]]) @ alpha).reshape(-1, 3)

    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    side = np.sqrt(2) * (high - low).max()
    corner = (low + high) / 2 - side / 2
    step = side / 120
    in_crop = (landmarks - corner) / step
    target = np.column_stack([in_crop[:, 0] + 1, 120 - in_crop[:, 1]])
    turn = euler(-0.05, 0.1, 0.04)
    points = (shape @ turn.T)[model["keypoints"][::3] // 3]
    centred, wanted = points[:, :2] - points[:, :2].mean(axis=0), target - target.mean(axis=0)
    scale = (centred * wanted).sum() / (centred ** 2).sum()
    offset = target.mean(axis=0) - scale * points[:, :2].mean(axis=0)
    matrix = np.hstack([scale * turn, [[offset[0]], [offset[1]], [-60]]])
    values = (np.concatenate([matrix.ravel(), alpha]) - mean) / deviation

    projected = shape @ matrix[:, :3].T + matrix[:, 3]
    pixels = np.column_stack([projected[:, 0] - 1, 120 - projected[:, 1]]) * step + corner
    return file, {"62": values}, shape / 1000, pixels


def flame(models, landmarks, height, folder, random, is_smirk):
    """Feng et al., SIGGRAPH 2021, and Retsinas et al., CVPR 2024: metres, weak perspective, -1 to 1 over the crop."""
    with open(models / "flame/generic_model.pkl", "rb") as opened:
        stored = pickle.load(opened, encoding="latin1")
    modes = np.asarray(stored["shapedirs"])
    num_vertices = len(modes)
    all_modes = np.zeros((num_vertices, 3, 400))
    all_modes[:, :, :300] = widened(modes[:, :, :100].reshape(-1, 100), 300, random).reshape(num_vertices, 3, 300)
    all_modes[:, :, 300:350] = modes[:, :, 100:]
    stored["shapedirs"] = all_modes
    stored["posedirs"] = 2e-3 * random.standard_normal((num_vertices, 3, 36)) * np.asarray(stored["weights"])[:, None, 2:3]
    file = folder / "generic_model.pkl"
    with open(file, "wb") as opened:
        pickle.dump(stored, opened, 2)
    embedding = models / "flame/flame_static_embedding_68.pkl"
    (folder / embedding.name).write_bytes(embedding.read_bytes())
    with open(embedding, "rb") as opened:
        places = pickle.load(opened)
    model = flame_parity.load(file)

    identity, expression = np.zeros(300), 0.3 * random.standard_normal(50)
    identity[:300 if is_smirk else 100] = 0.4 * random.standard_normal(300 if is_smirk else 100)
    jaw = np.array([0.12, 0.02, -0.01])
    eyelids = np.zeros(2)
    lids = [np.zeros((num_vertices, 3)), np.zeros((num_vertices, 3))]
    if is_smirk:
        eyelids = np.array([0.3, 0.7])
        corners = model["v_template"][np.asarray(stored["f"])[places["lmk_face_idx"]]]
        points = (np.asarray(places["lmk_b_coords"])[:, :, None] * corners).sum(axis=1)
        for lid, around, name in ((0, RIGHT, "l_eyelid.npy"), (1, LEFT, "r_eyelid.npy")):
            distance = np.linalg.norm(model["v_template"] - points[around].mean(axis=0), axis=1)
            lids[lid][:, 1] = -0.006 * np.exp(-(distance / 0.012) ** 2) * (distance < 0.03)
            np.save(folder / name, lids[lid])
            lids[lid] = np.load(folder / name)

    def posed(root, with_jaw=True):
        pose = np.zeros((5, 3))
        pose[0] = root
        pose[2] = jaw if with_jaw else 0
        lifted = dict(model)
        # As expressions, before the head turns; SMIRK itself adds them afterwards.
        lifted["v_template"] = model["v_template"] + eyelids[0] * lids[0] + eyelids[1] * lids[1]
        return flame_parity.flame(lifted, identity, expression, pose)

    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    if is_smirk:
        low[1] -= 0.21 * (high - low)[1]
    side = (high - low).mean() * (1.4 if is_smirk else 1.1 * 1.25)
    corner = (low + high) / 2 - side / 2
    step = side / 223
    normalized = (landmarks - corner) / step / 112 - 1
    target = normalized * [1, -1]
    root = np.array([0.1, -0.15, 0.05])
    vertices = posed(root)
    corners = vertices[np.asarray(stored["f"])[places["lmk_face_idx"]]]
    points = (np.asarray(places["lmk_b_coords"])[:, :, None] * corners).sum(axis=1)[:, :2]
    centred, wanted = points - points.mean(axis=0), target - target.mean(axis=0)
    scale = (centred * wanted).sum() / (centred ** 2).sum()
    camera = np.concatenate([[scale], target.mean(axis=0) / scale - points.mean(axis=0)])
    projected = scale * (vertices[:, :2] + camera[1:]) * [1, -1]
    pixels = 112 * (projected + 1) * step + corner
    mesh = 1000 * posed(np.zeros(3))
    if is_smirk:
        values = {"jaw_params": jaw, "eyelid_params": eyelids, "expression_params": expression, "shape_params": identity,
                  "cam": camera, "pose_params": root}
    else:
        light = 0.2 * random.standard_normal(27)
        values = {"236": np.concatenate([identity[:100], np.zeros(50), expression, root, jaw, camera, light])}
    return file, values, mesh, pixels


def main():
    preset, models, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[4])
    given = json.loads(Path(sys.argv[3]).read_text())
    landmarks, height = np.array(given["points"]), given["height"]
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    if preset == "deep3d":
        result = deep3d(models, landmarks, height, folder, random)
    elif preset == "3ddfa_v2":
        result = tddfa(models, landmarks, height, folder, random)
    else:
        result = flame(models, landmarks, height, folder, random, preset == "smirk")
    file, values, vertices, pixels = result
    print(json.dumps({"model": str(file), "outputs": [[name, list(map(float, row))] for name, row in values.items()],
                      "vertices_mm": np.round(vertices, 5).tolist(), "pixels": np.round(pixels, 5).tolist()}))


main()
