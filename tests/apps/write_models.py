"""Writes the built-in head as if other people's tools had published it: one file in each format, by the libraries that
those tools use (pickle, scipy, h5py), cut to the parts that such models have.

usage: write_models.py facet_head.npz FOLDER
"""
import json
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import scipy.io
import scipy.sparse


class Head:
    """Part of the built-in head, in millimetres, with orthonormal modes as the Basel models store them."""

    def __init__(self, arrays, keep):
        meta = json.loads(bytes(arrays["meta"]))
        new_index = np.full(len(keep), -1)
        new_index[keep] = np.arange(keep.sum())
        triangles = arrays["triangles"]
        inside = keep[triangles].all(axis=1)
        self.triangles = new_index[triangles[inside]].astype(np.int64)
        self.mean = arrays["mean"][keep].astype(np.float64)
        identity = arrays["identity"][:, keep].astype(np.float64)
        expression = arrays["expression"][:, keep].astype(np.float64)
        self.names = meta["expression_names"]
        self.shapes = expression
        self.region = np.array(meta["region_names"])[arrays["region"][keep]]
        # Identity modes that are orthonormal, and their standard deviations.
        flat = identity.reshape(len(identity), -1).T
        self.identity, self.identity_sigma = self.principal(flat)
        self.expression, self.expression_sigma = self.principal(0.25 * expression.reshape(len(expression), -1).T)
        self.colours = np.clip(arrays["albedo_mean"][keep], 0, 1)
        self.albedo, self.albedo_sigma = self.principal(arrays["albedo"][:, keep].reshape(len(arrays["albedo"]), -1).T)
        points = np.einsum("ij,ijk->ik", arrays["landmarks68_barycentric"],
                           arrays["mean"][triangles[arrays["landmarks68_triangle"]]])
        self.landmarks = np.array([np.argmin(np.linalg.norm(self.mean - point, axis=1)) for point in points])

    @staticmethod
    def principal(modes):
        basis, sigma, _ = np.linalg.svd(modes.astype(np.float64), full_matrices=False)
        return basis, sigma

    def inward(self):
        return self.triangles[:, ::-1]

    def srgb(self):
        linear = self.colours
        return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def flame(head, folder):
    """Metres; a jaw that turns in place of jawOpen; eyeballs that follow joints."""
    folder.mkdir()
    jaw_open = np.linalg.norm(head.shapes[head.names.index("jawOpen")], axis=1)
    jaw = np.clip(jaw_open / np.percentile(jaw_open, 98), 0, 1)
    left, right = head.region == "eyeball_left", head.region == "eyeball_right"
    weights = np.zeros((len(head.mean), 5))
    weights[:, 2] = np.where(left | right, 0, jaw)
    weights[:, 3], weights[:, 4] = left, right
    weights[:, 1] = 1 - weights.sum(axis=1)
    places = np.zeros((5, len(head.mean)))
    near = lambda point: np.argsort(np.linalg.norm(head.mean - point, axis=1))[:20]
    ears = [head.mean[head.region == f"ear_{side}"].mean(axis=0) for side in ("left", "right")]
    for joint, rows in enumerate([near(head.mean.min(axis=0)), np.where(head.region == "neck")[0],
                                  np.concatenate([near(ear) for ear in ears]), np.where(left)[0],
                                  np.where(right)[0]]):
        places[joint, rows] = 1 / len(rows)
    still = [i for i, name in enumerate(head.names) if name not in ("jawOpen", "mouthClose")]
    expression, sigma = Head.principal(0.25 * head.shapes[still].reshape(len(still), -1).T)
    modes = np.zeros((3 * len(head.mean), 150))
    modes[:, :100] = head.identity * head.identity_sigma
    modes[:, 100:100 + len(sigma)] = (expression * sigma)[:, :50]
    model = {
        "v_template": head.mean / 1000,
        "f": head.triangles.astype(np.uint32),
        "shapedirs": (modes / 1000).reshape(-1, 3, 150),
        "posedirs": np.zeros((len(head.mean), 3, 36)),
        "J_regressor": scipy.sparse.csc_matrix(places),
        "weights": weights,
        "kintree_table": np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], dtype=np.int64),
    }
    with open(folder / "generic_model.pkl", "wb") as file:
        pickle.dump(model, file, protocol=2)
    faces, corners = [], []
    for vertex in head.landmarks:
        face, corner = np.argwhere(head.triangles == vertex)[0]
        faces.append(face)
        corners.append(np.eye(3)[corner])
    with open(folder / "flame_static_embedding_68.pkl", "wb") as file:
        pickle.dump({"lmk_face_idx": np.array(faces, dtype=np.int64), "lmk_b_coords": np.array(corners)}, file, 2)


def bfm2009(head, folder):
    """Micrometres, standard deviations, triangles from 1 and wound inwards; no landmarks in the file."""
    folder.mkdir()
    column = lambda values: values.reshape(-1, 1).astype(np.float32)
    scipy.io.savemat(
        folder / "01_MorphableModel.mat",
        {"shapeMU": column(1000 * head.mean), "shapePC": head.identity.astype(np.float32),
         "shapeEV": column(1000 * head.identity_sigma), "texMU": column(255 * head.srgb()),
         "texPC": head.albedo.astype(np.float32), "texEV": column(255 * head.albedo_sigma),
         "tl": (head.inward() + 1).astype(np.int32)}, do_compression=True)


def deep3d(head, folder):
    """Decimetres, modes scaled already, keypoints from 1."""
    folder.mkdir()
    scipy.io.savemat(
        folder / "BFM_model_front.mat",
        {"meanshape": head.mean.reshape(1, -1) / 100, "idBase": head.identity * head.identity_sigma / 100,
         "exBase": head.expression * head.expression_sigma / 100, "meantex": 255 * head.srgb().reshape(1, -1),
         "texBase": 255 * head.albedo * head.albedo_sigma, "tri": head.triangles + 1,
         "keypoints": head.landmarks.reshape(1, -1) + 1})


def bfm2019(head, folder):
    """Millimetres, variances; the mean face is the sum of two means."""
    import h5py
    folder.mkdir()
    with h5py.File(folder / "model2019_bfm.h5", "w") as file:
        def group(name, mean, basis, sigma):
            file[f"{name}/model/mean"] = mean.ravel().astype(np.float32)
            file.create_dataset(f"{name}/model/pcaBasis", data=basis.astype(np.float32), chunks=True, compression="gzip")
            file[f"{name}/model/pcaVariance"] = (sigma ** 2).astype(np.float32)
            file[f"{name}/model/noiseVariance"] = np.float32(0)
            file[f"{name}/representer/points"] = head.mean.T.astype(np.float32)
            file[f"{name}/representer/cells"] = head.triangles.T.astype(np.int32)
        delta = np.full_like(head.mean, 0.25)
        group("shape", head.mean - delta, head.identity, head.identity_sigma)
        group("expression", delta, head.expression, head.expression_sigma)
        group("color", head.srgb(), head.albedo, head.albedo_sigma)


def eos(head, folder):
    """Version 4 with blendshapes, cereal's binary layout; variances."""
    folder.mkdir()

    def matrix(values):
        values = np.atleast_2d(values)
        return struct.pack("<ii", *values.shape) + values.astype("<f4").tobytes(order="F")

    def pca(mean, basis, sigma):
        return (matrix(mean.reshape(-1, 1)) + matrix(basis) + matrix((sigma ** 2).reshape(-1, 1)) +
                struct.pack("<Q", len(head.triangles)) + head.triangles.astype("<i4").tobytes())

    with open(folder / "model.bin", "wb") as file:
        file.write(struct.pack("<I", 4))
        file.write(pca(head.mean, head.identity, head.identity_sigma))
        file.write(pca(head.srgb(), head.albedo, head.albedo_sigma))
        file.write(struct.pack("<Bi", 0, 1))  # not none; the second kind: blendshapes
        file.write(struct.pack("<Q", len(head.names)))
        for name, shape in zip(head.names, head.shapes):
            file.write(struct.pack("<Q", len(name)) + name.encode() + matrix(shape.reshape(-1, 1)))
        file.write(struct.pack("<BQ", 0, 68))  # not none: landmarks by name
        for i, vertex in enumerate(head.landmarks):
            name = str(i + 1).encode()
            file.write(struct.pack("<Q", len(name)) + name + struct.pack("<i", vertex))
        file.write(struct.pack("<QQ", 0, 0))  # neither texture coordinates nor their triangles


def faceverse(head, folder):
    folder.mkdir()
    point_buf = np.zeros((len(head.mean), 8), dtype=np.int64)
    model = {"meanshape": 10 * head.mean.reshape(1, -1) / 100, "meantex": 255 * head.srgb().reshape(1, -1),
             "idBase": head.identity * head.identity_sigma / 10, "exBase": head.expression * head.expression_sigma / 10,
             "texBase": 255 * head.albedo * head.albedo_sigma, "tri": head.triangles, "point_buf": point_buf,
             "keypoints": head.landmarks, "skinmask": np.ones(len(head.mean))}
    np.save(folder / "faceverse_simple_v2.npy", model, allow_pickle=True)


def tddfa(head, folder):
    """3DDFA_V2: micrometres, flat keypoint indices, triangles in a file of their own."""
    folder.mkdir()
    with open(folder / "bfm_noneck_v3.pkl", "wb") as file:
        pickle.dump({"u": (1000 * head.mean).reshape(-1, 1).astype(np.float32),
                     "w_shp": (1000 * head.identity * head.identity_sigma).astype(np.float32),
                     "w_exp": (1000 * head.expression * head.expression_sigma).astype(np.float32),
                     "keypoints": (3 * head.landmarks[:, None] + np.arange(3)).ravel()}, file, 4)
    with open(folder / "tri.pkl", "wb") as file:
        pickle.dump(head.inward().T.astype(np.int64), file, 4)


def main():
    arrays = np.load(sys.argv[1])
    folder = Path(sys.argv[2])
    meta = json.loads(bytes(arrays["meta"]))
    region = np.array(meta["region_names"])[arrays["region"]]
    is_inside = np.isin(region, ["mouth_inside", "teeth", "eye_socket_left", "eye_socket_right"])
    is_eye = np.isin(region, ["eyeball_left", "eyeball_right"])
    is_back = np.isin(region, ["scalp", "neck", "ear_left", "ear_right"])
    skin, mask = Head(arrays, ~is_inside & ~is_eye), Head(arrays, ~is_inside & ~is_eye & ~is_back)
    flame(Head(arrays, ~is_inside), folder / "flame")
    bfm2009(skin, folder / "bfm2009")
    deep3d(mask, folder / "deep3d")
    bfm2019(skin, folder / "bfm2019")
    eos(skin, folder / "eos")
    faceverse(mask, folder / "faceverse")
    tddfa(skin, folder / "tddfa")


main()
