#!/usr/bin/python3
"""Checks the built-in model and draws it.

    check_model.py [--model facet_head.npz] [--renders FOLDER] [--ict ICT.npz] [--samples COEFFS.json]
                   [--scan SCAN.obj --scan-landmarks L.json --scan-tool scan_error.py]

Without --ict only the structure is checked (symmetry, orientation, holes, UV overlaps) and the pictures are drawn.
"""
import argparse
import importlib.util
import json
import os
import sys
import tempfile

import numpy as np
from scipy.optimize import lsq_linear
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

import soft_render

DENSE_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../data/landmarks/ict_dense.json")


class Model:
    def __init__(self, path):
        z = np.load(path)
        self.meta = json.loads(bytes(z["meta"]))
        for key in z.files:
            if key != "meta":
                value = z[key]
                setattr(self, key, value.astype(np.float64) if value.dtype.kind == "f" else value)
        self.parts = dict(zip(self.meta["part_names"], self.meta["part_ranges"]))
        self.names = self.meta["expression_names"]

    def shape(self, identity=(), expression=None):
        p = self.mean + np.tensordot(np.asarray(identity), self.identity[:len(identity)], 1) if len(identity) else \
            self.mean.copy()
        for name, weight in (expression or {}).items():
            p = p + weight * self.expression[self.names.index(name)]
        return p

    def colour(self, coefficients=()):
        c = self.albedo_mean.copy()
        if len(coefficients):
            c = c + np.tensordot(np.asarray(coefficients), self.albedo[:len(coefficients)], 1)
        return np.clip(c, 0.002, 1)

    def at(self, kind, points):
        t = self.triangles[getattr(self, f"{kind}_triangle")]
        return (points[t] * getattr(self, f"{kind}_barycentric")[..., None]).sum(1)


def check_structure(m):
    t, v = m.triangles, m.mean
    report = {"vertices": len(v), "triangles": len(t), "uv": len(m.uv)}
    report["mean_asymmetry_mm"] = float(np.abs(v[m.symmetry] * [-1, 1, 1] - v).max())
    mirrored = {tuple(np.roll(x, -np.argmin(x))) for x in m.symmetry[t][:, [0, 2, 1]]}
    own = {tuple(np.roll(x, -np.argmin(x))) for x in t}
    report["triangles_without_mirror"] = len(own - mirrored)
    e = np.vstack([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]])
    keys = e[:, 0].astype(np.int64) * len(v) + e[:, 1]
    report["inconsistent_edges"] = int(len(keys) - len(np.unique(keys)))
    back = e[:, 1].astype(np.int64) * len(v) + e[:, 0]
    border = e[~np.isin(back, keys)]
    report["border_edges"] = len(border)
    report["border_lowest_highest_y"] = [float(v[border[:, 0], 1].min()), float(v[border[:, 0], 1].max())] if len(border) else []
    report["unused_vertices"] = int(len(v) - len(np.unique(t)))
    a, b, c = (v[t[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    report["smallest_area_mm2"] = float(area.min())
    longest = np.max([np.linalg.norm(b - a, axis=1), np.linalg.norm(c - b, axis=1), np.linalg.norm(a - c, axis=1)], 0)
    quality = 4 / np.sqrt(3) * area / longest ** 2 * 1.0
    report["triangle_quality_1pct_median"] = [float(x) for x in np.percentile(quality, [1, 50])]
    normals = np.cross(b - a, c - a) / (2 * area[:, None] + 1e-12)
    vn = soft_render.vertex_normals(v, t)
    report["triangles_against_their_neighbours"] = int((np.einsum("ij,ikj->ik", normals, vn[t]).max(1) < 0).sum())
    # The dense set must be the one in ict_dense.json: its points are mirrored as that file says.
    with open(DENSE_FILE) as file:
        pairs = np.array(json.load(file)["mirror"])
    q = m.at("dense", v)
    report["dense_mirror_error_mm"] = float(np.abs(q[pairs] * [-1, 1, 1] - q).max()) if len(q) == len(pairs) else None
    # UVs
    u = m.uv[m.uv_triangles]
    signed = 0.5 * np.cross(u[:, 1] - u[:, 0], u[:, 2] - u[:, 0])
    report["uv_flipped"] = int((signed <= 0).sum())
    report["uv_range"] = [float(m.uv.min()), float(m.uv.max())]
    size = 1024
    px = np.column_stack([m.uv * size, np.zeros(len(m.uv))])
    covered = np.zeros((size, size), int)
    index, _, _ = soft_render.visible(np.column_stack([px[:, 0], size - px[:, 1], px[:, 2]]), m.uv_triangles, (size, size))
    report["uv_used"] = float((index >= 0).mean())
    report["uv_area_sum_minus_covered"] = float(np.abs(signed).sum() - (index >= 0).mean())
    face = np.isin(m.region, [m.meta["region_names"].index(x) for x in m.meta["region_names"]
                              if x.startswith(("forehead", "brow", "eye_lid", "nose", "cheek", "lip", "chin"))])
    report["uv_share_of_face"] = float(np.abs(signed)[face[t].all(1)].sum() / np.abs(signed).sum())
    del covered
    return report


def lids_closed(m):
    """Blink: the largest gap between the margins, and how deep the eyeball pokes through the lids."""
    p = m.shape(expression={"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0})
    ball = p[slice(*m.parts["eyeball_left"])]
    centre = ball[1:-1].mean(0)
    image, bary, _ = soft_render.visible(np.column_stack([p[:, 0] * 8, -p[:, 1] * 8, p[:, 2] * 8]) + [0, 700, 0], m.triangles,
                                         (700, 700))
    eye = m.triangle_material[np.maximum(image, 0)] == m.meta["material_names"].index("eye")
    lower, upper = m.at("landmarks68", p)[[46, 47]].mean(0), m.at("landmarks68", p)[[43, 44]].mean(0)
    del centre
    return {"blink_margin_distance_mm": float(np.linalg.norm(upper - lower)),
            "blink_visible_eye_mm2": float((eye & (image >= 0)).sum() / 64)}


def load_scan_tool(path):
    spec = importlib.util.spec_from_file_location("scan_error", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def closest_points(tool, points, vertices, triangles, near=10):
    tree = cKDTree(vertices[triangles].mean(1))
    candidates = tree.query(points, near)[1]
    best, where, bary_t = np.full(len(points), np.inf), np.zeros_like(points), np.zeros(len(points), int)
    for k in range(near):
        q = tool.closest_on_triangles(points, vertices[triangles[candidates[:, k]]])
        q = q[0] if isinstance(q, tuple) else q
        d = np.linalg.norm(q - points, axis=1)
        take = d < best
        best[take], where[take], bary_t[take] = d[take], q[take], candidates[take, k]
    return best, where, bary_t


def barycentric(points, corners):
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    v0, v1, v2 = b - a, c - a, points - a
    d00, d01, d11 = (v0 * v0).sum(1), (v0 * v1).sum(1), (v1 * v1).sum(1)
    d20, d21 = (v2 * v0).sum(1), (v2 * v1).sum(1)
    den = np.maximum(d00 * d11 - d01 * d01, 1e-12)
    u, w = (d11 * d20 - d01 * d21) / den, (d00 * d21 - d01 * d20) / den
    return np.stack([1 - u - w, u, w], 1)


def fit_identity(m, tool, target, landmark_target, landmark_points, iterations=14, triangles=None, prior=0.02, limit=3.0):
    """Similarity + identity coefficients (ridge prior, kept within ±limit) by iterated closest points.

    landmark_points(vertices) gives our points that correspond to landmark_target for the start.
    """
    triangles = m.triangles[m.triangle_material == 0] if triangles is None else triangles
    k = len(m.identity)
    a = np.zeros(k)
    s, r, t = tool.similarity(landmark_points(m.mean), landmark_target)
    for it in range(iterations):
        p = m.shape(a)
        q = (target - t) @ r / s                                   # target in model space
        d, where, tri = closest_points(tool, q, p, triangles)
        corners = triangles[tri]
        w = barycentric(where, p[corners])
        n = np.cross(p[corners[:, 1]] - p[corners[:, 0]], p[corners[:, 2]] - p[corners[:, 0]])
        n /= np.linalg.norm(n, axis=1)[:, None] + 1e-12
        # point-to-plane with a little point-to-point; Huber weights
        weight = 1 / np.maximum(1, d / 3.0)
        basis = np.einsum("kncx,nc->nkx", m.identity[:, corners], w)
        e = q - where
        jn = np.einsum("nkx,nx->nk", basis, n)
        # 7 further unknowns: small similarity of the target in model space
        rigid = np.concatenate([np.cross(where, n), n, (where * n).sum(1)[:, None]], 1)
        full = np.hstack([jn, rigid])
        rhs = (e * n).sum(1)
        h = full.T @ (weight[:, None] * full)
        g = full.T @ (weight * rhs)
        for x in range(3):                                         # slight tangential pull
            jx = np.hstack([basis[:, :, x], np.zeros((len(q), 7))])
            h += 0.02 * jx.T @ jx
            g += 0.02 * jx.T @ e[:, x]
        damping = np.r_[np.full(k, prior * len(q)), np.full(7, 1e-6 * len(q))]
        h[np.diag_indices_from(h)] += damping
        g[:k] -= prior * len(q) * a
        factor = np.linalg.cholesky(h)                              # bounded least squares keeps ±limit exactly
        low, high = np.full(k + 7, -np.inf), np.full(k + 7, np.inf)
        low[:k], high[:k] = -limit - a - 1e-9, limit - a + 1e-9
        x = lsq_linear(factor.T, np.linalg.solve(factor, g), (low, high)).x
        a = np.clip(a + x[:k], -limit, limit)
        omega, shift, grow = x[k:k + 3], x[k + 3:k + 6], x[k + 6]
        small = Rotation.from_rotvec(omega).as_matrix()
        # model point p moves to (1 + grow) small p + shift  ->  compose
        t = t + s * r @ shift
        r = r @ small
        s = s * (1 + grow)
    p = m.shape(a)
    return a, s * p @ r.T + t, (s, r, t)


def ict_checks(m, options):
    from control_points import IctHead
    tool = load_scan_tool(options.scan_tool)
    head = IctHead(options.ict)
    mean = head.mean
    inside = set()
    openings = head.openings()
    for ring in head.rings(openings["mouth"], 8)[:9]:
        inside |= set(ring)
    for side in ("eye_left", "eye_right"):
        for ring in head.rings(openings[side], 2)[:3]:
            inside |= set(ring)
    front = np.array([v for v in head.skin if v < head.narrow_face_end and v not in inside and mean[v, 1] > -85 and
                      head.normals[v, 2] > 0.0])
    skin = m.triangles[m.triangle_material == 0]
    s, r, t = tool.similarity(m.at("landmarks68", m.mean), mean[head.landmarks68])
    ours = s * m.mean @ r.T + t
    for _ in range(6):
        d, where, _ = closest_points(tool, mean[front], ours, skin)
        s, r, t = tool.similarity(where, mean[front])
        ours = s * ours @ r.T + t
    d = closest_points(tool, mean[front], ours, skin)[0]
    report = {"mean_vs_ict_mm": {"mean": float(d.mean()), "median": float(np.median(d)), "99%": float(np.percentile(d, 99))},
              "front_points": len(front)}
    with open(DENSE_FILE) as file:
        dense = json.load(file)["dense"]
    off = np.linalg.norm(m.at("dense", m.mean) - mean[dense], axis=1)
    report["dense_vs_ict_mm"] = {"mean": float(off.mean()), "largest": float(off.max())}
    identity = head.data["identity"].astype(float) * 10
    modes = len(identity)
    tests = {}
    if options.samples:
        with open(options.samples) as file:
            coefficients = json.load(file)
        flat = np.array(coefficients if isinstance(coefficients, list) else list(coefficients.values())[0], float).ravel()
        flat = np.pad(flat, (0, max(0, modes - len(flat))))
        tests["sample_identity_coeffs"] = flat[:modes]
    random = np.random.default_rng(987654321)                # not the seed of the measurement
    for i in range(6):
        tests[f"random_{i}"] = random.standard_normal(modes)
    errors, base = {}, {}
    for name, c in tests.items():
        shape = mean + np.tensordot(c, identity, 1)
        a, fitted, _ = fit_identity(m, tool, shape[front], shape[head.landmarks68],
                                    lambda p: m.at("landmarks68", p), prior=0.002)
        d = closest_points(tool, shape[front], fitted, skin)[0]
        errors[name] = {"mean": round(float(d.mean()), 3), "99%": round(float(np.percentile(d, 99)), 2),
                        "largest_sigma": round(float(np.abs(a).max()), 2)}
    report["held_out_identities_mm"] = errors
    report["held_out_mean_mm"] = float(np.mean([e["mean"] for e in errors.values()]))
    return report


def scan_check(m, options):
    tool = load_scan_tool(options.scan_tool)
    scan_v, scan_t = tool.read_obj(options.scan)
    scan_l = tool.read_landmarks(options.scan_landmarks)
    ids = [36, 39, 42, 45, 33, 48, 54]
    seven = lambda p: m.at("landmarks68", p)[ids]
    points = np.asarray(tool.scan_points(scan_v, scan_t, scan_l, True, 60000)[0])
    if len(points) > 9000:
        points = points[np.random.default_rng(5).permutation(len(points))[:9000]]
    coefficients, fitted, _ = fit_identity(m, tool, points, scan_l, seven, iterations=40, prior=0.0001)
    folder = options.renders or tempfile.mkdtemp(prefix="facet-check-")
    skin = m.triangles[m.triangle_material == 0]
    mesh = os.path.join(folder, "lps_fit.obj")
    with open(mesh, "w") as file:
        file.writelines("v %.5f %.5f %.5f\n" % tuple(p) for p in fitted)
        file.writelines("f %d %d %d\n" % tuple(t + 1) for t in skin)
    names = tool.LANDMARKS
    with open(os.path.join(folder, "lps_fit.json"), "w") as file:
        json.dump({n: list(map(float, p)) for n, p in zip(names, seven(fitted))}, file)
    import subprocess
    out = subprocess.run([sys.executable, options.scan_tool, "--mesh", mesh, "--mesh-landmarks",
                          os.path.join(folder, "lps_fit.json"), "--scan", options.scan, "--scan-landmarks",
                          options.scan_landmarks, "--outer", "--samples", "60000"], capture_output=True, text=True)
    print(out.stdout[-800:], out.stderr[-400:])
    return {"lps_identity_fit": out.stdout.strip().splitlines()[-1:] if out.stdout else out.stderr[-300:],
            "largest_sigma": float(np.abs(coefficients).max())}


def draw(m, folder):
    import cv2
    t = m.triangles
    view = lambda p, c=None, **k: soft_render.render(p, t, m.colour() if c is None else c, **k)
    save = lambda name, image: cv2.imwrite(os.path.join(folder, name), image)
    save("mean_views.png", np.vstack([
        np.hstack([view(m.mean, yaw=a, size=(480, 600)) for a in (0, -35, -90)]),
        np.hstack([view(m.mean, yaw=a, pitch=b, size=(480, 600)) for a, b in ((180, 0), (0, 80), (0, -30))])]))
    save("mean_close.png", np.hstack([view(m.mean, centre=(32, 36, 90), scale=11, size=(560, 480)),
                                      view(m.mean, centre=(0, -30, 90), scale=8, size=(560, 480)),
                                      view(m.mean, yaw=-90, centre=(80, 10, 0), scale=7, size=(480, 480))]))
    random = np.random.default_rng(4)
    rows = []
    for yaw in (0, -35):
        random = np.random.default_rng(4)
        row = []
        for _ in range(6):
            a = np.clip(random.standard_normal(len(m.identity)), -1.5, 1.5)
            c = np.clip(random.standard_normal(len(m.albedo)), -1.8, 1.8)
            row.append(view(m.shape(a), m.colour(c), yaw=yaw, size=(320, 420), scale=1.42))
        rows.append(np.hstack(row))
    save("identities.png", np.vstack(rows))
    sets = [{"jawOpen": 1}, {"mouthSmileLeft": 1, "mouthSmileRight": 1}, {"eyeBlinkLeft": 1, "eyeBlinkRight": 1},
            {"mouthPucker": 1}, {"browInnerUp": 1}, {"cheekPuff": 1}, {"jawOpen": 1, "mouthClose": 1}, {"mouthFunnel": 1},
            {"eyeLookUpLeft": 1, "eyeLookUpRight": 1}, {"eyeSquintLeft": 1, "eyeSquintRight": 1},
            {"noseSneerLeft": 1, "noseSneerRight": 1}, {"mouthRollUpper": 1, "mouthRollLower": 1}]
    images = [view(m.shape(expression=e), size=(400, 420), scale=2.3, centre=(0, 5, 60), yaw=-12) for e in sets]
    save("expressions.png", np.vstack([np.hstack(images[i:i + 4]) for i in range(0, 12, 4)]))
    close = [view(m.shape(expression=e), size=(420, 360), scale=9, centre=(32, 36, 90)) for e in
             ({}, {"eyeBlinkLeft": 0.5}, {"eyeBlinkLeft": 1}, {"eyeLookDownLeft": 1})]
    mouth = [view(m.shape(expression=e), size=(420, 360), scale=6, centre=(0, -38, 90)) for e in
             ({"jawOpen": 1}, {"mouthSmileLeft": 1, "mouthSmileRight": 1}, {"mouthUpperUpLeft": 1, "mouthUpperUpRight": 1,
              "mouthLowerDownLeft": 1, "mouthLowerDownRight": 1}, {"jawOpen": 1, "mouthClose": 1})]
    save("expressions_close.png", np.vstack([np.hstack(close), np.hstack(mouth)]))
    image = np.full((1024, 1024, 3), 30, np.uint8)
    colours = np.random.default_rng(2).integers(90, 255, (len(m.meta["region_names"]), 3))
    for corner, face in zip(m.uv_triangles, t):
        p = np.round(np.column_stack([m.uv[corner, 0], 1 - m.uv[corner, 1]]) * 1024 * 16).astype(int)
        cv2.fillPoly(image, [p], colours[np.bincount(m.region[face]).argmax()].tolist(), shift=4)
        cv2.polylines(image, [p], True, (20, 20, 20), 1, cv2.LINE_AA, 4)
    save("uv.png", image)
    p = m.mean
    wire = soft_render.render(p, t, m.colour(), size=(900, 1100), scale=4.4, centre=(0, 0, 60), wire=True)
    dense, ibug = m.at("dense", p), m.at("landmarks68", p)
    for q, colour in ((dense, (0, 200, 0)), (ibug, (0, 0, 255))):
        for x in q:
            cv2.circle(wire, (int(450 + x[0] * 4.4), int(550 - x[1] * 4.4)), 3, colour, -1)
    for i, x in enumerate(ibug):
        cv2.putText(wire, str(i), (int(452 + x[0] * 4.4), int(548 - x[1] * 4.4)), 0, 0.4, (255, 255, 0), 1)
    save("landmarks.png", wire)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=os.path.join(here, "..", "..", "data", "models", "facet_head.npz"))
    parser.add_argument("--renders")
    parser.add_argument("--ict")
    parser.add_argument("--samples")
    parser.add_argument("--scan")
    parser.add_argument("--scan-landmarks")
    parser.add_argument("--scan-tool")
    options = parser.parse_args()
    m = Model(options.model)
    report = check_structure(m)
    report.update(lids_closed(m))
    print(json.dumps(report, indent=1))
    if options.renders:
        os.makedirs(options.renders, exist_ok=True)
        draw(m, options.renders)
    if options.ict:
        print(json.dumps(ict_checks(m, options), indent=1))
    if options.scan:
        print(json.dumps(scan_check(m, options), indent=1))


if __name__ == "__main__":
    main()
