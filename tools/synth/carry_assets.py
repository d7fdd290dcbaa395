#!/usr/bin/python3
"""Carry what prepare_assets.py made for ICT-FaceKit over to facet's built-in head, whose mean lies on ICT's.

    carry_assets.py --ict ict_facekit_light.npz --assets synth_assets.npz --head data/models/facet_head.npz --out FILE.npz

Skins, brows, lips and masks of each texel come from the nearest point of ICT's face that faces the same way, hairline and
beard of each vertex from the nearest ICT vertices. Arrays as in prepare_assets.py; beside ibug_vertices also
  ibug_triangle 68, ibug_weights 68×3   where iBUG's annotators click, as points of triangles
"""
import argparse
import json
import os
import sys

import numpy as np
from scipy.spatial import cKDTree

from prepare_assets import CM_TO_MM, MATERIALS, SIZE, eyeball_arrays, fill_holes, rasterize_uv, sample

NORMAL_MM = 6.0        # how many mm a unit of difference between normals counts
FADE_MM = (5.0, 11.0)  # skin farther than this from ICT's face is of one tone


def vertex_normals(vertices, triangles):
    normals = np.zeros_like(vertices)
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    for k in range(3):
        np.add.at(normals, triangles[:, k], face)
    return normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9)


def point_on_triangles(point, corners, allowed, axes):
    """Nearest triangle (of those allowed) over or under a point along the axis left out of `axes`; weights."""
    a, b, c = (corners[:, k][:, axes] for k in range(3))
    det = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] + 1e-12
    d = point[axes] - a
    w1 = (d[:, 0] * (c - a)[:, 1] - d[:, 1] * (c - a)[:, 0]) / det
    w2 = ((b - a)[:, 0] * d[:, 1] - (b - a)[:, 1] * d[:, 0]) / det
    weights = np.stack([1 - w1 - w2, w1, w2], 1)
    hit = np.nonzero(allowed & (weights.min(1) > -1e-3))[0]
    if not len(hit):
        return None
    place = (corners[hit] * weights[hit][..., None]).sum(1)
    best = np.linalg.norm(place - point, axis=1).argmin()
    return hit[best], weights[hit[best]], place[best]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--ict", "--assets", "--head", "--out"):
        parser.add_argument(name, required=True)
    args = parser.parse_args()
    ict, assets, head = np.load(args.ict), np.load(args.assets), np.load(args.head)
    meta = json.loads(bytes(head["meta"]))
    out = {name: assets[name] for name in assets.files if name.startswith("background_")}
    for name in ("skin_tones", "environments", "animal_indices"):
        out[name] = assets[name]

    mean, triangles = head["mean"].astype(np.float64), head["triangles"]
    ict_mean = ict["mean"].astype(np.float64) * CM_TO_MM
    corner_uv = head["uv"][head["uv_triangles"]].astype(np.float32)
    parts = {name: tuple(r) for name, r in zip(meta["part_names"], meta["part_ranges"])}
    code = np.zeros(len(triangles), np.uint8)
    for name, material in (("eyeball", "eye"), ("socket", "socket"), ("mouth_bag", "mouth"), ("teeth", "teeth")):
        for part, (lo, hi) in parts.items():
            if part.startswith(name):
                code[(triangles[:, 0] >= lo) & (triangles[:, 0] < hi)] = MATERIALS.index(material)
    num_skin = parts["skin"][1]
    out.update(triangles=triangles.astype(np.int32), corner_uv=corner_uv, material=code,
               num_skin_vertices=np.array([num_skin], np.int32))

    out.update(eyeball_arrays(mean, [parts["eyeball_left"], parts["eyeball_right"]]))

    # Samples of ICT's painted face with their places in its texture.
    face = assets["material"] == 0
    ict_triangles, ict_uv = assets["triangles"][face], assets["corner_uv"][face]
    ict_normals = vertex_normals(ict_mean, assets["triangles"])
    steps = np.array([(i, j, 5 - i - j) for i in range(6) for j in range(6 - i)]) / 5

    def spread(corners):
        return np.einsum("sk,fkc->fsc", steps, corners).reshape(-1, corners.shape[2])

    tree_points, tree_normals = spread(ict_mean[ict_triangles]), spread(ict_normals[ict_triangles])
    tree_uv = spread(ict_uv)
    tree = cKDTree(np.concatenate([tree_points, NORMAL_MM * tree_normals], 1))

    skin = np.nonzero(code == 0)[0]
    texel_triangle, weights = rasterize_uv(corner_uv[skin], SIZE)
    covered = texel_triangle >= 0
    w = weights[covered][..., None]
    corners = triangles[skin][texel_triangle[covered]]
    normals = vertex_normals(mean, triangles)
    position, normal = (mean[corners] * w).sum(1), (normals[corners] * w).sum(1)
    _, nearest = tree.query(np.concatenate([position, NORMAL_MM * normal], 1))
    distance = np.linalg.norm(tree_points[nearest] - position, axis=1)
    print("texels", covered.sum(), "median distance to ICT %.2f mm" % np.median(distance))
    beyond = np.clip((distance - FADE_MM[0]) / (FADE_MM[1] - FADE_MM[0]), 0, 1)[:, None]
    uv = tree_uv[nearest]

    def carried(picture):
        size = picture.shape[0]
        return sample(picture.astype(np.float32), uv[:, 0] * size - 0.5, (1 - uv[:, 1]) * size - 0.5, 1)

    def tile(values):
        image = np.zeros((SIZE, SIZE) + values.shape[1:], np.float32)
        image[covered] = values
        return np.clip(fill_holes(image, covered), 0, 255).astype(np.uint8)

    skins = []
    for picture, tone in zip(assets["skins"], assets["skin_tones"]):
        plain = 255 * tone ** (1 / 2.2)
        skins.append(tile(carried(picture) * (1 - beyond) + plain * beyond))
    out["skins"] = np.stack(skins)
    out["features"] = tile(carried(assets["features"]) * (1 - beyond))
    out["brows"] = np.stack([tile(carried(picture) * (1 - beyond[:, 0])) for picture in assets["brows"]])

    painted = np.nonzero(out["brows"].max(0)[covered] > 60)[0]
    rows = np.nonzero(covered)[0][painted]
    middle = np.abs(np.abs(position[painted, 0]) - 33) < 4
    out["brow_mm_per_texel"] = np.array([-np.polyfit(rows[middle], position[painted, 1][middle], 1)[0]], np.float32)
    print("brow: %.2f mm per texel" % out["brow_mm_per_texel"][0])

    # Hair: nearest ICT vertices of the skin, nearer ones count more.
    ict_skin = int(assets["num_skin_vertices"][0])
    distance, neighbour = cKDTree(ict_mean[:ict_skin]).query(mean, k=4)
    share = 1 / (distance + 0.1) ** 2
    share /= share.sum(1, keepdims=True)
    is_skin = np.arange(len(mean)) < num_skin
    for name, outside in (("hairline_mm", -99), ("beard", 0), ("moustache", 0)):
        values = (assets[name][neighbour] * share).sum(1)
        out[name] = np.where(is_skin, values, outside).astype(np.float32)

    # iBUG's points; synth puts those of the brows onto the painted hair.
    solid = mean[triangles]
    frontal = (code == 0) & (np.cross(solid[:, 1] - solid[:, 0], solid[:, 2] - solid[:, 0])[:, 2] > 0)
    own = head["landmarks68_triangle"], head["landmarks68_barycentric"]
    ibug_triangle, ibug_weights = own[0].astype(np.int32), own[1].astype(np.float32).copy()
    for i in (31, 32, 34, 35):
        found = point_on_triangles(ict_mean[assets["ibug_vertices"][i]], solid, frontal, [0, 1])
        if found is None:
            sys.exit("%s: no triangle of its skin lies under ICT's iBUG point %d; give a head whose mean lies on ICT's" % (args.head, i))
        ibug_triangle[i], ibug_weights[i] = found[:2]
    places = (solid[ibug_triangle] * ibug_weights[..., None]).sum(1)
    out.update(ibug_triangle=ibug_triangle, ibug_weights=ibug_weights,
               ibug_vertices=cKDTree(mean[:num_skin]).query(places)[1].astype(np.int32))

    temporary = args.out + ".tmp.npz"
    np.savez(temporary, **out)
    os.replace(temporary, args.out)


if __name__ == "__main__":
    main()
