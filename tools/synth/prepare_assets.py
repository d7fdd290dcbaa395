#!/usr/bin/python3
"""Prepare what `facet synth` needs from freely licensed data, in one .npz outside the project.

    prepare_assets.py --data DATA_DIR --out OUT_DIR        writes OUT_DIR/synth_assets.npz (and pictures to look at)

DATA_DIR holds ict_facekit/ (MIT), makehuman/ (CC0), env_hdr/ (CC0) and backgrounds/. The arrays:
  triangles F×3, corner_uv F×3×2, material F (MATERIALS)     the part of ICT-FaceKit's surface that is drawn
  num_skin_vertices  the first so many vertices are face, head and neck
  eye_xy V×2         offset of an eyeball's vertices from its optical axis, in eyeball radii; eye_centres 2×3 (mm; left,
                     right): ICT's eyeballs do not follow its eyeLook shapes, so they are turned around these
  hairline_mm V      distance of each vertex inside (+) or outside (-) the hairline of an average scalp
  beard V, moustache V   [0, 1], where a beard or a moustache grows
  skins S×512×512×3  MakeHuman skins carried to ICT's face UV tile, scalp hair painted out
  features 512×512×4 masks in that tile: lips, upper lash line, brow region, area around the eye openings
  brows B×512×512    opacity of eyebrow hair in that tile
  brow_mm_per_texel  size of a texel at the brows
  ibug_vertices 68   where iBUG's annotators click, as ICT vertices; synth puts the brows' points onto the painted hair
  environments E×128×256×3, backgrounds: light probes (linear) and photographs (sRGB)
"""
import argparse
import glob
import os

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

SIZE = 512
CM_TO_MM = 10.0
DM_TO_MM = 100.0

# ICT landmark (iBUG index, or a point on the mid line by height in mm) and the same place on the MakeHuman head in
# its own units × 100, picked on an orthographic drawing. None for z: the frontmost surface point there.
PAIRS_IBUG = {
    42: (20.4, 727.3, 134.6), 43: (28.7, 732.1, 136.7), 44: (38.3, 732.1, 135.2), 45: (43.5, 727.9, 130.8),
    46: (38.1, 725.2, 134.6), 47: (28.2, 724.9, 135.8), 27: (0, 732.3, 150.6), 28: (0, 719.6, 153.6),
    29: (0, 706.0, 161.5), 30: (0, 692.0, 168.2), 33: (0, 677.5, 155.9), 35: (12.0, 681.0, None),
    54: (26.0, 661.2, None), 51: (0, 669.3, 160.2), 52: (5.7, 671.3, None), 53: (17.0, 667.1, None),
    57: (0, 649.3, 155.8), 56: (10.0, 650.4, None), 55: (18.0, 654.3, None), 62: (0, 661.0, 154.5),
    63: (10.0, 661.3, None), 8: (0, 622.7, 145.5),
}
PAIRS_FREE = [  # ICT point mm, MakeHuman point
    ((0, -54.0, 109.3), (0, 645.8, 150.3)), ((0, -64.7, 110.4), (0, 635.0, 149.9)), ((0, -82.0, 86.0), (0, 615.9, 129.5)),
    ((0, 57.3, 107.7), (0, 756.0, 153.3)), ((0, 101.7, 92.7), (0, 802.0, 139.0)), ((0, 144.0, 0), (0, 849.0, 69.6)),
    ((76, -18, 15), (74, 683, 58)), ((87, 36, 0), (82, 734.6, 52)), ((91, 15, -17), (87, 715, 34)),
    ((74, 10, 20), (73, 715, 64)),
]


BROW_HAIR_BELOW_MM = 6.5
MATERIALS = ("face", "back", "mouth", "gums", "teeth", "eye", "socket")


def mirrored(points):
    return points * np.array([-1.0, 1.0, 1.0])


class MakeHumanHead:
    """Dense samples of the MakeHuman head's skin, each with its place in the skin texture."""

    def __init__(self, folder):
        base = np.load(os.path.join(folder, "mh_base.npz"))
        part_names = list(base["part_names"])
        keep = base["quad_part"] == part_names.index("head_skin")
        quads, quads_uv = base["quads"][keep], base["quads_uv"][keep]
        steps = (np.arange(12) + 0.5) / 12
        a, b = (w.ravel()[None, :, None] for w in np.meshgrid(steps, steps))

        def sample(values):
            p = values[:, :, None, :]
            return ((1 - a) * (1 - b) * p[:, 0] + a * (1 - b) * p[:, 1] + a * b * p[:, 2] + (1 - a) * b * p[:, 3])

        corners = base["vertices"][quads].astype(np.float64) * DM_TO_MM
        normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        self.position = sample(corners).reshape(-1, 3)
        self.normal = np.repeat(normal, a.size, axis=0)
        strip_u0 = float(base["strip_u0"])
        uv = sample(base["uv"][quads_uv].astype(np.float64)).reshape(-1, 2)
        self.uv = np.stack([(uv[:, 0] - strip_u0) / (1 - strip_u0), 1 - uv[:, 1]], 1)

    def front(self, x, y):
        near = np.hypot(self.position[:, 0] - x, self.position[:, 1] - y) < 0.8
        return self.position[near][:, 2].max()


def rasterize_uv(uv, size):
    """Triangle index and barycentrics of each texel of a UV tile (row 0 = top = high v)."""
    triangle = np.full((size, size), -1, np.int32)
    weights = np.zeros((size, size, 3), np.float32)
    corners = np.stack([uv[..., 0] * size - 0.5, (1 - uv[..., 1]) * size - 0.5], -1)
    for i, c in enumerate(corners):
        lo = np.maximum(np.floor(c.min(0)).astype(int), 0)
        hi = np.minimum(np.ceil(c.max(0)).astype(int), size - 1)
        if (hi < lo).any():
            continue
        m = np.array([c[1] - c[0], c[2] - c[0]]).T
        det = np.linalg.det(m)
        if abs(det) < 1e-9:
            continue
        x, y = np.meshgrid(np.arange(lo[0], hi[0] + 1), np.arange(lo[1], hi[1] + 1))
        d = np.stack([x, y], -1) - c[0]
        b1 = (m[1, 1] * d[..., 0] - m[0, 1] * d[..., 1]) / det
        b2 = (-m[1, 0] * d[..., 0] + m[0, 0] * d[..., 1]) / det
        inside = (b1 >= -1e-4) & (b2 >= -1e-4) & (b1 + b2 <= 1 + 1e-4)
        triangle[y[inside], x[inside]] = i
        weights[y[inside], x[inside]] = np.stack([1 - b1 - b2, b1, b2], -1)[inside]
    return triangle, weights


def fill_holes(image, covered):
    """Nearest covered texel for the others, so that filtering never meets an empty one."""
    rows, cols = np.nonzero(covered)
    tree = cKDTree(np.stack([rows, cols], 1))
    r, c = np.nonzero(~covered)
    _, nearest = tree.query(np.stack([r, c], 1))
    image[r, c] = image[rows[nearest], cols[nearest]]
    return image


def sample(image, column, row, border):
    """Bilinear samples at pixel positions; cv2.remap wants a picture, no side longer than 32767."""
    count = len(column)
    grid = [np.resize(v.astype(np.float32), (-(-count // 512), 512)) for v in (column, row)]
    values = cv2.remap(image, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=border)
    return values.reshape(-1, *image.shape[2:])[:count]


def hairline_height(azimuth_deg):
    """Height (mm) of an average hairline at an angle around the head: 0 = front, 90 = ear, 180 = back."""
    return np.interp(azimuth_deg, [0, 18, 32, 42, 52, 60, 68, 72, 77, 82, 90, 105, 113, 122, 140, 180],
                     [103, 104, 102, 93, 70, 50, 32, 8, 5, 38, 44, 40, 15, -25, -50, -58])


def polyline_coordinates(points, line):
    """Arc length along a polyline (extended at its ends) and signed distance above it, of 2D points, mm."""
    dense = np.stack([np.interp(np.linspace(0, len(line) - 1, 60), np.arange(len(line)), line[:, k]) for k in (0, 1)], 1)
    tail = dense[-1] + np.outer(np.arange(1, 13), dense[-1] - dense[-6]) / 5
    head = dense[0] - np.outer(np.arange(12, 0, -1), dense[5] - dense[0]) / 5
    dense = np.concatenate([head, dense, tail])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(dense, axis=0), axis=1))])
    start, end = length[12], length[71]
    _, nearest = cKDTree(dense).query(points)
    tangent = np.gradient(dense, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    offset = points - dense[nearest]
    along = (length[nearest] + (offset * tangent[nearest]).sum(1) - start) / (end - start)
    above = offset[:, 1] * tangent[nearest, 0] - offset[:, 0] * tangent[nearest, 1]
    return along, above


def eyeball_arrays(mean, balls):
    """eye_xy V x 2 and eye_centres 2 x 3 (see above) of the vertex ranges `balls`, left then right: spheres fitted to their backs."""
    eye_xy, centres = np.zeros((len(mean), 2)), []
    for lo, hi in balls:
        ball = mean[lo:hi]
        back = ball[ball[:, 2] < ball[:, 2].min() + 20]  # without the cornea
        system = np.concatenate([2 * back, np.ones((len(back), 1))], 1)
        solution = np.linalg.lstsq(system, (back ** 2).sum(1), rcond=None)[0]
        centre, radius = solution[:3], np.sqrt(solution[3] + solution[:3] @ solution[:3])
        print("eyeball", centre.round(1), "radius %.1f mm" % radius)
        eye_xy[lo:hi] = np.where((ball[:, 2] > centre[2])[:, None], (ball - centre)[:, :2] / radius, 9)
        centres.append(centre)
    return {"eye_xy": eye_xy.astype(np.float32), "eye_centres": np.array(centres, np.float32)}


def brow_opacity(card_path, along, above):
    """Opacity of a brow card at (along in [0, 1] from the nose outwards, mm above the brow line)."""
    alpha = cv2.imread(card_path, cv2.IMREAD_UNCHANGED)[..., 3].astype(np.float32) / 255
    rows = np.nonzero(alpha.sum(1) > 0.5)[0]
    split = rows[np.argmax(np.diff(rows))] if np.diff(rows).max() > 8 else int(rows.mean())
    brow = alpha[rows[0]:split + 1]  # upper of the two brows; its inner end is on the left
    cols = np.nonzero(brow.sum(0) > 0.5)[0]
    brow = brow[:, cols[0]:cols[-1] + 1]
    height, width = brow.shape
    centre = (brow * np.arange(height)[:, None]).sum(0) / (brow.sum(0) + 1e-3)
    smooth = np.polyval(np.polyfit(np.arange(width), centre, 4, w=brow.sum(0) + 0.1), np.arange(width))
    own_arch = smooth - np.polyval(np.polyfit(np.arange(width), smooth, 2), np.arange(width))
    mm_per_px = 50.0 / width
    column = along * (width - 1)
    row = np.interp(column, np.arange(width), smooth - 0.6 * own_arch) - above / mm_per_px
    return sample(cv2.GaussianBlur(brow, (0, 0), 1.2), column, row, cv2.BORDER_CONSTANT)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    out = {}

    ict = np.load(os.path.join(args.data, "ict_facekit", "ict_facekit_light.npz"))
    mean = ict["mean"].astype(np.float64) * CM_TO_MM
    triangles, landmarks68 = ict["triangles"], ict["landmarks68"]
    material = ict["face_material"][ict["triangle_source_face"]]
    names = list(ict["material_names"])
    corner_uv = ict["uv"][ict["triangles_uv"]]
    ranges = {name: r[:2] for name, r in zip(ict["part_names"], ict["part_ranges"])}

    def is_part(*part_names):
        return np.any([(triangles[:, 0] >= ranges[n][0]) & (triangles[:, 0] < ranges[n][1]) for n in part_names], 0)

    # Left out: lashes, tear film, blending shells, and the iris that lies behind the outer shell of the eyeball.
    code = np.full(len(triangles), -1)
    for i, parts in enumerate((("face",), ("head_neck",), ("mouth_socket",), ("gums_tongue",), ("teeth",),
                               ("sclera_left", "sclera_right"), ("eye_socket_left", "eye_socket_right"))):
        code[is_part(*parts) & (code < 0)] = i
    drawn = code >= 0
    code[(code == 0) & (material != names.index("M_Face"))] = 1
    code[material == names.index("M_Face")] = 0
    out.update(triangles=triangles[drawn].astype(np.int32), corner_uv=corner_uv[drawn].astype(np.float32),
               material=code[drawn].astype(np.uint8))
    out.update(eyeball_arrays(mean, [ranges["sclera_left"], ranges["sclera_right"]]))

    # Register: similarity-free thin-plate warp through the pairs, then the nearest skin sample that faces the same way.
    head = MakeHumanHead(os.path.join(args.data, "makehuman"))
    source, target = [], []
    for index, point in PAIRS_IBUG.items():
        x, y, z = point
        source.append(mean[landmarks68[index]])
        target.append((x, y, head.front(x, y) if z is None else z))
    for a, b in PAIRS_FREE:
        source.append(a)
        target.append(b)
    source, target = np.array(source, float), np.array(target, float)
    side = source[:, 0] > 0.5
    source = np.concatenate([source, mirrored(source[side])])
    target = np.concatenate([target, mirrored(target[side])])
    warp = RBFInterpolator(source, target, kernel="linear", smoothing=0.1, degree=1)
    normals = np.zeros_like(mean)
    cross = np.cross(mean[triangles[:, 1]] - mean[triangles[:, 0]], mean[triangles[:, 2]] - mean[triangles[:, 0]])
    for k in range(3):
        np.add.at(normals, triangles[:, k], cross)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9

    face = np.nonzero(material == names.index("M_Face"))[0]
    texel_triangle, weights = rasterize_uv(corner_uv[face], SIZE)
    covered = texel_triangle >= 0
    corners = triangles[face][texel_triangle[covered]]
    w = weights[covered][..., None]
    position = (mean[corners] * w).sum(1)
    normal = (normals[corners] * w).sum(1)
    warped = warp(position)
    _, nearest = cKDTree(np.concatenate([head.position, 6 * head.normal], 1)).query(
        np.concatenate([warped, 6 * normal], 1))
    uv = head.uv[nearest]
    beyond = np.clip((np.linalg.norm(head.position[nearest] - warped, axis=1) - 5) / 4, 0, 1)[:, None]
    print("texels", covered.sum(), "median distance after the warp %.2f mm" %
          np.median(np.linalg.norm(head.position[nearest] - warped, axis=1)))

    x, y, z = position.T
    azimuth = np.degrees(np.arctan2(np.abs(x), z - 10))
    hair_mm = y - hairline_height(azimuth)
    forehead = (np.abs(x) < 40) & (y > 68) & (y < 90)
    cheeks = (np.abs(x) > 25) & (np.abs(x) < 50) & (y > -30) & (y < 15) & (z > 60)
    skins = []
    paths = sorted(glob.glob(os.path.join(args.data, "makehuman", "skins", "*.jpg")))
    for path in paths:
        texture = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
        height, width = texture.shape[:2]
        colour = sample(texture, uv[:, 0] * width - 0.5, uv[:, 1] * height - 0.5, cv2.BORDER_REPLICATE)
        colour = colour.astype(np.float32)
        tone = np.median(colour[forehead], 0)
        # MakeHuman's head part ends under the jaw, and its texture is white beyond.
        neck = np.maximum(np.clip((-62 - y - 0.25 * np.clip(z - 40, 0, 70)) / 8, 0, 1)[:, None], beyond * (y < -20)[:, None])
        colour = colour * (1 - neck) + np.median(colour[cheeks], 0) * neck
        bald = np.clip((hair_mm + 14) / 16, 0, 1)[:, None] * (y > 55)[:, None]  # paint the shaved hair out
        bald = np.maximum(bald, np.clip((hair_mm + 6) / 12, 0, 1)[:, None])
        colour = colour * (1 - bald) + (tone + 0.15 * (colour - colour.mean(0))) * bald
        image = np.zeros((SIZE, SIZE, 3), np.float32)
        image[covered] = colour
        image = fill_holes(image, covered)
        skins.append(np.clip(image, 0, 255).astype(np.uint8))
    out["skins"] = np.stack(skins)
    # Tone of each skin, so that tone and detail can be chosen apart.
    tones = []
    for skin in skins:
        linear = (skin[covered][cheeks | forehead].astype(np.float64) / 255) ** 2.2
        tones.append(np.median(linear, 0))
    out["skin_tones"] = np.array(tones, np.float32)

    uv_of_vertex = np.zeros((len(mean), 2))
    uv_of_vertex[triangles[face].ravel()] = corner_uv[face].reshape(-1, 2)

    def polygon_mask(indices, blur):
        points = uv_of_vertex[landmarks68[indices]]
        points = np.stack([points[:, 0] * SIZE, (1 - points[:, 1]) * SIZE], 1)
        mask = np.zeros((SIZE * 4, SIZE * 4), np.uint8)
        cv2.fillPoly(mask, [np.round(points * 4).astype(np.int32)], 255)
        return cv2.resize(cv2.GaussianBlur(mask, (0, 0), blur * 4), (SIZE, SIZE), interpolation=cv2.INTER_AREA)

    def band_mask(line_indices, radius_mm):
        result = np.zeros((SIZE, SIZE), np.float32)
        for indices in line_indices:
            line = mean[landmarks68[indices]]
            dense = np.stack([np.interp(np.linspace(0, len(line) - 1, 50), np.arange(len(line)), line[:, k])
                              for k in range(3)], 1)
            distance, _ = cKDTree(dense).query(position)
            result[covered] = np.maximum(result[covered], np.clip(1.5 - distance / radius_mm, 0, 1))
        return (fill_holes(result, covered) * 255).astype(np.uint8)

    lips = polygon_mask(list(range(48, 60)), 1.0)
    lash = band_mask([[36, 37, 38, 39], [42, 43, 44, 45]], 1.6)
    brow_region = band_mask([[17, 18, 19, 20, 21], [22, 23, 24, 25, 26]], 6.0)
    eye_region = band_mask([[36, 37, 38, 39, 40, 41, 36], [42, 43, 44, 45, 46, 47, 42]], 9.0)
    out["features"] = np.stack([lips, lash, brow_region, eye_region], -1)

    # ICT's brow points lie on the bony ridge; hair grows lower.
    brow_line = mean[landmarks68[[22, 23, 24, 25, 26]]][:, :2] - [0, BROW_HAIR_BELOW_MM]
    # Seen from a little to the side the strip around the brow is nearly flat: unroll x by arc length over z.
    along, above = polyline_coordinates(np.stack([np.abs(x), y], 1), brow_line)
    near = (np.abs(above) < 16) & (along > -0.2) & (along < 1.2) & (z > 55)
    brows = []
    for path in sorted(glob.glob(os.path.join(args.data, "makehuman", "eyebrows", "*.png"))):
        opacity = np.zeros(len(x), np.float32)
        opacity[near] = brow_opacity(path, along[near], above[near])
        image = np.zeros((SIZE, SIZE), np.float32)
        image[covered] = opacity
        brows.append((image * 255).astype(np.uint8))
    out["brows"] = np.stack(brows)

    middle = (np.abs(along - 0.5) < 0.2) & (np.abs(above) < 8) & near
    rows = np.nonzero(covered)[0][middle]
    out["brow_mm_per_texel"] = np.array([-np.polyfit(rows, y[middle], 1)[0]], np.float32)
    print("brow: %.2f mm per texel" % out["brow_mm_per_texel"][0])

    # iBUG's 31 and 35 lie at the lower outer ends of the nostril wings, 32 and 34 half-way to the middle.
    ibug = landmarks68.astype(np.int32).copy()
    front = np.nonzero(mean[:ranges["face"][1], 2] > 90)[0]
    for right, left, point in ((31, 35, (17.0, -7.9, 105.3)), (32, 34, (8.5, -11.4, 112.4))):
        ibug[left] = front[np.linalg.norm(mean[front] - point, axis=1).argmin()]
        ibug[right] = front[np.linalg.norm(mean[front] - mirrored(np.array(point)), axis=1).argmin()]
    out["ibug_vertices"] = ibug

    # Where hair grows, per vertex.
    x, y, z = mean.T
    azimuth = np.degrees(np.arctan2(np.abs(x), z - 10))
    skin_vertex = np.zeros(len(mean), bool)
    skin_vertex[:ranges["head_neck"][1]] = True
    out["num_skin_vertices"] = np.array([ranges["head_neck"][1]], np.int32)
    out["hairline_mm"] = np.where(skin_vertex, y - hairline_height(azimuth), -99).astype(np.float32)
    mouth = mean[landmarks68[48:60]]
    lip_distance = cKDTree(mouth).query(mean)[0]
    inside_lips = (((x / 26) ** 2 + ((y + 34.5) / 9.5) ** 2) < 1) & (z > 95)
    cheek_line = np.interp(np.abs(x), [0, 20, 35, 55, 66, 72, 80], [-38, -36, -34, -22, -5, 12, 12])
    beard = np.clip((cheek_line - y) / 10, 0, 1) * np.clip((y + 105) / 15, 0, 1) * np.clip((z - 18) / 10, 0, 1)
    moustache = np.clip((31 - np.abs(x)) / 6, 0, 1) * np.clip((-12.5 - y) / 4, 0, 1) * np.clip((y + 40) / 6, 0, 1) * (z > 90)
    clear = ~inside_lips & (lip_distance > 1.0) & skin_vertex
    out["beard"] = (beard * clear).astype(np.float32)
    out["moustache"] = (moustache * clear).astype(np.float32)

    environments = []
    for path in sorted(glob.glob(os.path.join(args.data, "env_hdr", "*.hdr"))):
        probe = cv2.cvtColor(cv2.imread(path, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGR2RGB)
        probe = cv2.resize(probe, (256, 128), interpolation=cv2.INTER_AREA)
        environments.append(probe / probe.mean())
    out["environments"] = np.stack(environments).astype(np.float32)
    for i, path in enumerate(sorted(glob.glob(os.path.join(args.data, "backgrounds", "*.jpg")))):
        image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
        scale = 384 / min(image.shape[:2])
        out["background_%02d" % i] = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if any(word in path for word in ("chelsea", "Ox", "Pileated", "puppy")):
            out.setdefault("animal_indices", []).append(i)
    out["animal_indices"] = np.array(out["animal_indices"], np.int32)

    temporary = os.path.join(args.out, "synth_assets.tmp.npz")
    np.savez(temporary, **out)
    os.replace(temporary, os.path.join(args.out, "synth_assets.npz"))
    for name, image in (("skin0", skins[0]), ("brow0", out["brows"][0]), ("features", out["features"][..., :3])):
        cv2.imwrite(os.path.join(args.out, name + ".png"), image[..., ::-1] if image.ndim == 3 else image)


if __name__ == "__main__":
    main()
