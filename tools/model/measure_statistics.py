#!/usr/bin/python3
"""Measures the statistics that the built-in head is made from, on ICT-FaceKit light (MIT, USC ICT).

    measure_statistics.py ICT_FACEKIT_LIGHT.npz [--out head_statistics.npz]

What is written are statistics of at most 600 landmark points: their mean positions, the covariance of their positions over
seeded random heads (as a low-rank factor), their displacement per expression, and one measured chart coordinate each
(where the point lies in a flattening of the head's surface), with the same for the eyeballs' centres. No mesh,
basis or texture of ICT-FaceKit is written; the head's topology is made from scratch by build_model.py.
"""
import argparse
import json
import os

import numpy as np

import flatten
from control_points import IctHead, choose, farthest_points, is_ear, CONTROL_LIMIT

NECK = (-106.0, -0.10)   # the head ends where y = -106 - 0.1 z (mm): above the shoulders, lower in front
FLATTEN_Y = -130.0       # the flattening reaches a little below, so that the border's points lie inside it
MOUTH_HOLE_MM = (23.0, 6.0)   # semi-axes of the mouth's opening in the chart
RANDOM_HEADS = 4000
SEED = 20200401
IDENTITY_COLUMNS = 100
TEETH_POINTS = 7         # per arch
NOSE_BASE_CHART = (9.0, 8.0)
SKULL_PAIRS = 13
NOSTRIL_CHART, NOSTRIL_RADIUS, NOSTRIL_POINTS = (13.2, 13.2), 9.3, 10
MEAN_WEIGHT = 5.0        # in the greedy choice: a millimetre in the mean counts like five in one mode


def arkit_names(ict_names):
    """ARKit name -> ICT shape names that sum to it (browInnerUp and cheekPuff are split in ICT)."""
    merged = {}
    for name in ict_names:
        stem, _, side = name.partition("_")
        if stem in ("browInnerUp", "cheekPuff") or not side:
            merged.setdefault(stem, []).append(name)
        else:
            merged.setdefault(stem + {"L": "Left", "R": "Right"}[side], []).append(name)
    return merged


def boundary_loops(triangles):
    directed = set(map(tuple, np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])))
    following = {a: b for a, b in directed if (b, a) not in directed}
    loops = []
    while following:
        start = min(following)
        loop, nxt = [start], following.pop(start)
        while nxt != start:
            loop.append(nxt)
            nxt = following.pop(nxt)
        loops.append(loop)
    return sorted(loops, key=len)


def chart_of_left_half(head):
    """(vertex ids, uv, triangles): the left half of the skin flattened; front midline on u = 0, back midline free.

    The eye and mouth holes are closed by fans with a rest shape of their own, so that they stay open in the chart.
    """
    mean = head.mean
    t = head.triangles
    t = t[(mean[t][:, :, 0].min(1) > -0.01) & (mean[t][:, :, 1].min(1) > FLATTEN_Y)]
    ids = np.unique(t)
    local = np.full(len(mean), -1)
    local[ids] = np.arange(len(ids))
    eye, outer = boundary_loops(t)
    p, n = mean[ids], len(ids)
    frames = flatten.rest_frames(mean[t])
    fan_frames = lambda a, b, c: np.stack([b - a, c - a], 2)

    eye_local = local[eye]
    rest = (p[eye_local] - p[eye_local].mean(0))[:, :2]
    eye_fan = np.array([[local[eye[(i + 1) % len(eye)]], local[eye[i]], n] for i in range(len(eye))])
    eye_frames = fan_frames(np.roll(rest, -1, 0), rest, np.zeros_like(rest))

    mouth_set = set(head.openings()["mouth"])
    start = next(i for i in range(len(outer)) if outer[i] in mouth_set and outer[i - 1] not in mouth_set)
    lip = [v for v in outer[start:] + outer[:start] if v in mouth_set]
    pl = mean[lip]
    s = np.r_[0, np.cumsum(np.linalg.norm(np.diff(pl, axis=0), axis=1))]
    downward = pl[0, 1] > pl[-1, 1]
    angle = np.linspace(np.pi / 2, -np.pi / 2, 2001) * (1 if downward else -1)
    ellipse = np.stack([MOUTH_HOLE_MM[0] * np.cos(angle), MOUTH_HOLE_MM[1] * np.sin(angle)], 1)
    arc = np.r_[0, np.cumsum(np.linalg.norm(np.diff(ellipse, axis=0), axis=1))]
    at = np.interp(s / s[-1] * arc[-1], arc, angle)
    rest = np.stack([MOUTH_HOLE_MM[0] * np.cos(at), MOUTH_HOLE_MM[1] * np.sin(at)], 1)
    mouth_fan = np.array([[local[lip[i + 1]], local[lip[i]], n + 1] for i in range(len(lip) - 1)])
    mouth_frames = fan_frames(rest[1:], rest[:-1], np.zeros_like(rest[1:]))

    all_triangles = np.concatenate([local[t], eye_fan, mouth_fan])
    all_frames = np.concatenate([frames, eye_frames, mouth_frames])
    points = np.vstack([p, p[eye_local].mean(0), [0, *pl[:, 1:].mean(0)]])
    boundary = boundary_loops(all_triangles)[0]
    middle = np.abs(points[:, 0]) < 0.01
    crown = int(np.argmax(np.where(middle, points[:, 1], -np.inf)))
    i = boundary.index(crown)
    boundary = boundary[i:] + boundary[:i]
    run = lambda b: b[:next(k for k in range(len(b)) if not middle[b[k]])]
    backward = [boundary[0]] + boundary[:0:-1]
    if points[run(backward), 2].max() > points[run(boundary), 2].max():
        boundary = backward
    front = run(boundary)
    loop = points[boundary + boundary[:1]]
    s = np.r_[0, np.cumsum(np.linalg.norm(np.diff(loop, axis=0), axis=1))]
    k, length = len(front), s[len(front) - 1]
    angle = -np.pi / 2 + np.pi * (s[k:-1] - length) / (s[-1] - length)
    uv_boundary = np.zeros((len(boundary), 2))
    uv_boundary[:k, 1] = length / 2 - s[:k]
    uv_boundary[k:] = np.stack([0.6 * length * np.cos(angle), 0.5 * length * np.sin(angle)], 1)
    uv = flatten.tutte(len(points), all_triangles, np.array(boundary), uv_boundary)
    fixed = np.zeros((len(points), 2), bool)
    fixed[front, 0] = True
    fixed[crown, 1] = True
    uv, energy, steps = flatten.slim(uv, all_triangles, all_frames, np.ones(len(all_triangles)), fixed, 200)
    print(f"chart: {len(points)} points, mean symmetric Dirichlet energy {energy:.2f} (4 = isometric), {steps} steps")
    back = [v for v in range(n) if middle[v] and v not in set(front)]
    return ids, uv[:n], local[t], {int(ids[v]) for v in back}


def polyharmonic(a, b):
    """r³ kernel in the chart plus a linear part: the interpolant used to judge where points are missing."""
    r = np.linalg.norm(a[:, None] - b[None], axis=2)
    return r ** 3


def interpolation_matrix(nodes, targets):
    n = len(nodes)
    scale = 100.0
    nodes, targets = nodes / scale, targets / scale
    poly = lambda x: np.column_stack([np.ones(len(x)), x])
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = polyharmonic(nodes, nodes)
    system[:n, n:] = poly(nodes)
    system[n:, :n] = poly(nodes).T
    return np.hstack([polyharmonic(targets, nodes), poly(targets)]) @ np.linalg.inv(system)[:, :n]


def nodes_of(points, chart, back, mirror):
    """Chart positions of all points; those on the cut (back midline) appear on both sides. -> positions, point indices."""
    position, owner = [], []
    for i, v in enumerate(points):
        if v in chart:
            position.append(chart[v])
            owner.append(i)
        if v not in chart or v in back:
            w = v if v in back else mirror[v]
            position.append(chart[w] * [-1, 1])
            owner.append(i)
    return np.array(position), np.array(owner)


def add_supports(head, dense, support, names, chart, back, limit):
    """Neck border, back midline, skull; then, greedily, wherever the interpolated head is still worst."""
    mean = head.mean
    above_neck = mean[:, 1] - NECK[0] - NECK[1] * mean[:, 2]
    on_left = [v for v in chart if above_neck[v] > -5]

    def add(vertices, name):
        for v in vertices:
            for w in (v, int(head.mirror[v])):
                if w not in names:
                    names[w] = name
                    support.append(w)

    rim = [v for v in on_left if above_neck[v] < 8 and mean[v, 1] < -80]
    angle = {v: np.arctan2(mean[v, 0], mean[v, 2] + 20) for v in rim}
    for a in np.linspace(0, np.pi, 8):           # front to back around the neck
        best = min(rim, key=lambda v: 30 * abs(angle[v] - a) + abs(above_neck[v]))
        if a in (0, np.pi):
            best = min((v for v in rim if abs(mean[v, 0]) < 0.01 and abs(angle[v] - a) < 0.1),
                       key=lambda v: abs(above_neck[v]))
        add([best], "neck_border")
    spine = sorted(back, key=lambda v: -mean[v, 1])
    spine = [v for v in spine if above_neck[v] > 14]
    crown = max((v for v in on_left if abs(mean[v, 0]) < 0.01), key=lambda v: mean[v, 1])
    add([crown], "crown")
    add(farthest_points(head, dense + support, spine, np.ones(len(mean)), 6), "back_midline")
    skull = [v for v in on_left if v not in set(dense) and not is_ear(head, v) and above_neck[v] > 6]
    skull = [v for v in skull if mean[v, 2] < 70 or mean[v, 1] > 70]
    for _ in range(SKULL_PAIRS):
        add(farthest_points(head, dense + support, skull, np.ones(len(mean)), 1), "skull")

    nostril = [v for v in on_left if np.linalg.norm(chart[v] - NOSTRIL_CHART) < 1.5 * NOSTRIL_RADIUS]
    for a in np.arange(NOSTRIL_POINTS) * 2 * np.pi / NOSTRIL_POINTS:      # the rim of the nostril
        place = NOSTRIL_CHART + NOSTRIL_RADIUS * np.array([np.cos(a), np.sin(a)])
        add([min(nostril, key=lambda v: np.linalg.norm(chart[v] - place))], "nostril")
    # Fields whose interpolation counts: the mean, each identity mode, each expression.
    targets = np.array([v for v in on_left if above_neck[v] > 0])
    uv = np.array([chart[v] for v in targets])
    data = head.data
    fields = np.concatenate([MEAN_WEIGHT * mean[None], data["identity"].astype(float) * 10,
                             0.5 * data["expression"].astype(float) * 10])
    weight = np.array([0.9 if is_ear(head, v) else 1.0 if v < head.narrow_face_end else 0.3 for v in targets])
    nose_base = np.linalg.norm(uv - NOSE_BASE_CHART, axis=1) < 13
    weight[nose_base] *= 1.8                     # many small folds; an error of a millimetre shows there
    wanted = fields[:, targets].transpose(1, 0, 2).reshape(len(targets), -1)
    while True:
        points = dense + support
        position, owner = nodes_of(points, chart, back, head.mirror)
        known = fields[:, points].transpose(1, 0, 2).reshape(len(points), -1)[owner]
        error = np.linalg.norm(interpolation_matrix(position, uv) @ known - wanted, axis=1)
        if len(points) >= limit - 1:
            break
        score = error * weight
        taken = []
        for k in np.argsort(-score):              # a few per round, apart from each other
            if len(taken) == 3:
                break
            if all(np.linalg.norm(uv[k] - uv[j]) > 5 for j in taken):
                taken.append(k)
        for k in taken:
            if len(dense + support) + (1 if head.mirror[targets[k]] == targets[k] else 2) <= limit:
                add([int(targets[k])], "greedy")
    mean_error = np.linalg.norm((interpolation_matrix(position, uv) @ mean[points][owner]) - mean[targets], axis=1)
    face = np.array([v < head.narrow_face_end for v in targets])
    print(f"control points: {len(points)}; interpolated mean off by {mean_error[face].mean():.2f} mm on the face"
          f" (99 %: {np.percentile(mean_error[face], 99):.2f}), {mean_error[~face].mean():.2f} elsewhere")
    return support


def symmetric_covariance_factor(head, points, extra, columns):
    """Factor (columns×n×3) of the covariance over seeded random heads and their mirror images, and column parities.

    `extra` = (names, mean, modes, mirror) of further points that move with identity (eyeballs, teeth).
    """
    modes = np.concatenate([head.data["identity"][:, points].astype(float) * 10, extra["modes"]], 1)
    index = {v: i for i, v in enumerate(points)}
    mirror = np.array([index[head.mirror[v]] for v in points] + [len(points) + i for i in extra["mirror"]])
    flip = np.array([-1.0, 1.0, 1.0])
    random = np.random.default_rng(SEED)
    heads = np.tensordot(random.standard_normal((RANDOM_HEADS, len(modes))), modes, 1)
    mirrored = heads[:, mirror] * flip
    columns_of = []
    for parity, part in ((1, 0.5 * (heads + mirrored)), (-1, 0.5 * (heads - mirrored))):
        _, s, vt = np.linalg.svd(part.reshape(len(part), -1) / np.sqrt(len(part)), full_matrices=False)
        columns_of += [(s[i], parity, vt[i]) for i in range(len(modes))]
    columns_of.sort(key=lambda c: -c[0])
    total = sum(c[0] ** 2 for c in columns_of)
    kept = columns_of[:columns]
    print(f"identity: {sum(c[1] > 0 for c in kept)} symmetric + {sum(c[1] < 0 for c in kept)} antisymmetric columns hold"
          f" {100 * sum(c[0] ** 2 for c in kept) / total:.2f} % of the variance")
    factor = np.array([c[0] * c[2] for c in kept]).reshape(len(kept), -1, 3)
    return factor, np.array([c[1] for c in kept]), mirror


def fit_sphere(points):
    a = np.column_stack([2 * points, np.ones(len(points))])
    x = np.linalg.lstsq(a, (points ** 2).sum(1), rcond=None)[0]
    return x[:3], np.sqrt(x[3] + x[:3] @ x[:3])


def eyeball_statistics(head, expression):
    """Centre and radius of both eyeballs, how identity moves and scales them, how expressions turn and move them."""
    data = head.data
    result = {"centre": [], "radius": [], "modes": [], "radius_modes": [], "rotation": [], "shift": []}
    for side in ("left", "right"):
        v0, v1 = head.part[f"sclera_{side}"][:2]
        p = data["mean"][v0:v1].astype(float) * 10
        centre, radius = fit_sphere(p)
        modes = [fit_sphere(p + data["identity"][k, v0:v1].astype(float) * 10) for k in range(len(data["identity"]))]
        result["centre"].append(centre)
        result["radius"].append(radius)
        result["modes"].append([m[0] - centre for m in modes])
        result["radius_modes"].append([m[1] - radius for m in modes])
        rotations, shifts = [], []
        for delta in expression:
            q = p + delta[v0:v1] - (p + delta[v0:v1]).mean(0)
            u, _, vt = np.linalg.svd(q.T @ (p - p.mean(0)))
            r = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
            w = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
            angle = np.arctan2(np.linalg.norm(w) / 2, (np.trace(r) - 1) / 2)
            rotations.append(angle * w / max(np.linalg.norm(w), 1e-12))
            shifts.append((p + delta[v0:v1]).mean(0) - (centre + r @ (p.mean(0) - centre)))
        result["rotation"].append(rotations)
        result["shift"].append(shifts)
    return {k: np.array(v) for k, v in result.items()}


def teeth_points(head):
    """Vertices of the incisal edge of both dental arches, spread evenly: upper then lower, subject's right to left."""
    chosen = []
    for part, lowest in (("teeth_upper", True), ("teeth_lower", False)):
        v0, v1 = head.part[part][:2]
        p = head.mean[v0:v1]
        back = p[:, 2].min()
        angle = np.arctan2(p[:, 0], p[:, 2] - back - 5)
        edge = []
        for a in np.linspace(-1.2, 1.2, TEETH_POINTS):
            near = np.flatnonzero(np.abs(angle - a) < 0.12)
            edge.append(v0 + near[np.argmin(p[near, 1] if lowest else -p[near, 1])])
        chosen += edge
    return chosen


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ict", help="ict_facekit_light.npz")
    parser.add_argument("--out", default=os.path.join(here, "head_statistics.npz"))
    options = parser.parse_args()
    head = IctHead(options.ict)
    dense, support, names = choose(head)
    ids, uv, _, back = chart_of_left_half(head)
    chart = {int(v): uv[i] for i, v in enumerate(ids)}
    teeth = teeth_points(head)
    dense, support = [int(v) for v in dense], [int(v) for v in support]
    support = add_supports(head, dense, support, names, chart, back, CONTROL_LIMIT - len(teeth) - 4)
    points = dense + support

    ict_names = [str(n) for n in head.data["expression_names"]]
    merged = arkit_names(ict_names)
    expression_names = list(merged)
    raw = {n: head.data["expression"][i].astype(float) * 10 for i, n in enumerate(ict_names)}
    expression = np.array([sum(raw[n] for n in merged[name]) for name in expression_names])

    eyes = eyeball_statistics(head, expression)
    # Points that are no skin: eyeball centres (left, right)
    # and their front poles (centre + radius along z), so that the radius has statistics too; then the dental arches.
    forward = np.array([0.0, 0.0, 1.0])
    poles = eyes["centre"] + eyes["radius"][:, None] * forward
    pole_modes = eyes["modes"] + eyes["radius_modes"][..., None] * forward
    extra_modes = np.concatenate([eyes["modes"].transpose(1, 0, 2), pole_modes.transpose(1, 0, 2),
                                  head.data["identity"][:, teeth].astype(float) * 10], 1)
    reverse = list(range(TEETH_POINTS - 1, -1, -1))
    extra_mirror = [1, 0, 3, 2] + [4 + i for i in reverse] + [4 + TEETH_POINTS + i for i in reverse]
    factor, parity, mirror = symmetric_covariance_factor(
        head, points, {"modes": extra_modes, "mirror": extra_mirror}, IDENTITY_COLUMNS)
    n = len(points)
    flip = np.array([-1.0, 1.0, 1.0])
    all_mean = np.concatenate([head.mean[points], eyes["centre"], poles, head.mean[teeth]])
    all_mean = 0.5 * (all_mean + all_mean[mirror] * flip)
    mirrored_name = lambda s: s.replace("Left", "\0").replace("Right", "Left").replace("\0", "Right")
    partner = [expression_names.index(mirrored_name(s)) for s in expression_names]
    all_expression = np.concatenate([expression[:, points], eyes["shift"].transpose(1, 0, 2),
                                     eyes["shift"].transpose(1, 0, 2), expression[:, teeth]], 1)
    all_expression = 0.5 * (all_expression + all_expression[partner][:, mirror] * flip)
    rotation = eyes["rotation"].transpose(1, 0, 2)                    # L×2×3, rotation vectors
    rotation = 0.5 * (rotation + rotation[partner][:, ::-1] * [1, -1, -1])
    middle = mirror[:n] == np.arange(n)
    chart_uv = np.array([chart[v] if v in chart else chart[int(head.mirror[v])] * [-1, 1] for v in points])
    right_of_pair = np.arange(n) > mirror[:n]
    chart_uv[right_of_pair] = chart_uv[mirror[:n][right_of_pair]] * [-1, 1]
    chart_uv[middle & np.array([v not in back for v in points]), 0] = 0
    meta = {"source": "ICT-FaceKit light (MIT, (c) 2020 USC Institute for Creative Technologies)", "unit": "mm",
            "expression_names": expression_names, "point_names": [names[v] for v in points],
            "dense": len(dense), "seed": SEED, "random_heads": RANDOM_HEADS}
    np.savez_compressed(
        options.out, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8),
        ict_vertex=np.array(points, np.int32), mean=all_mean.astype(np.float32),
        identity=factor.astype(np.float16), parity=parity.astype(np.int8), expression=all_expression.astype(np.float16),
        mirror=mirror.astype(np.int32), chart=chart_uv.astype(np.float32),
        on_cut=np.array([v in back for v in points]), eye_rotation=rotation.astype(np.float32))
    print(f"eyeball: centre {all_mean[n].round(1)}, radius {eyes['radius'].mean():.2f} mm")
    print(f"{options.out}: {os.path.getsize(options.out) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
