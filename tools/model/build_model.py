#!/usr/bin/python3
"""Builds the built-in head model from head_statistics.npz; reads nothing else and gives the same file every time.

    build_model.py [--statistics head_statistics.npz] [--out ../../data/models/facet_head.npz]

Skin topology is drawn in the measured chart (topology.py). The mean and every displacement field (identity, expression)
are interpolated from the control points to the vertices by a polyharmonic spline in the chart. Eyeballs, teeth, mouth
bag and eye sockets are parametric. Frame: +X the subject's left, +Y up, +Z out of the face, millimetres.
"""
import argparse
import json
import os

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

import albedo
import parts
import topology
import uv_layout

IDENTITY_MODES = 100
BENDING = 0.02            # weight of the fairness energy, mm² per squared millimetre of constraint error
CONTOUR_WEIGHT = 2.0      # how firmly rim vertices follow the chart interpolation (control points: 1)
COLLAR_ROWS = 4           # rows of vertices above the neck's border that are spread evenly
OUTSIDE = -0.02           # a neck border point with a smaller barycentric coordinate lies below the mesh
EAR_WEIGHT = 0.8          # the same for the auricle
LID_CLEARANCE_MM = 0.35   # the lid margin's least distance from the eyeball
LIP_OVERLAP_MM = 0.25     # closed lips overlap by this, so that no light falls through
POSITION_STEP_MM = 1.0 / 1024     # displacements are rounded to this: far below anything visible, and it compresses


class Statistics:
    def __init__(self, path):
        s = np.load(path)
        self.meta = json.loads(bytes(s["meta"]))
        self.names = np.array(self.meta["point_names"])
        self.count = len(self.names)
        self.chart = s["chart"].astype(float)
        self.on_cut = s["on_cut"]
        self.mean = s["mean"].astype(float)
        self.identity = s["identity"].astype(float)
        self.parity = s["parity"]
        self.expression = s["expression"].astype(float)
        self.mirror = s["mirror"]
        self.eye_rotation = s["eye_rotation"].astype(float)
        self.ict_vertex = s["ict_vertex"]

    def group(self, name, left=True):
        keep = np.array([n == name for n in self.names])
        return np.flatnonzero(keep & ((self.chart[:, 0] >= -1e-6) | (not left)))


class ChartInterpolant:
    """Polyharmonic spline (kernel r³, linear part) from control points to chart points; both halves, cut on both sides."""

    SCALE = 100.0

    def __init__(self, statistics, order=3):
        s = statistics
        position, owner = [s.chart], [np.arange(s.count)]
        position.append(s.chart[s.on_cut] * [-1, 1])
        owner.append(np.flatnonzero(s.on_cut))
        self.nodes = np.vstack(position) / self.SCALE
        self.owner = np.concatenate(owner)
        self.order = order
        n = len(self.nodes)
        system = np.zeros((n + 3, n + 3))
        system[:n, :n] = self.kernel(self.nodes)
        system[:n, n:] = np.column_stack([np.ones(n), self.nodes])
        system[n:, :n] = system[:n, n:].T
        self.inverse = np.linalg.inv(system)[:, :n]

    def kernel(self, x):
        r = np.linalg.norm(x[:, None] - self.nodes[None], axis=2)
        return r ** self.order

    def matrix(self, uv):
        """(len(uv) × control points): weights of the control points' values."""
        x = uv / self.SCALE
        full = np.hstack([self.kernel(x), np.ones((len(x), 1)), x]) @ self.inverse
        out = np.zeros((len(uv), self.owner.max() + 1))
        np.add.at(out.T, self.owner, full.T)
        return out


def chart_curves(s, interpolant):
    """Eye and mouth rings from the measured contour points, the outline, all in the chart's left half."""
    ibug = lambda *ids: np.array([np.flatnonzero(s.names == f"ibug{i}")[0] for i in ids])
    eye_corners = (lambda d: int(np.argmin(d[:, 0])), lambda d: int(np.argmax(d[:, 0])))
    # Counter-clockwise from the inner corner: the lower lid first.
    inside = topology.closed_curve(s.chart[s.group("lid_inside")], eye_corners, topology.EYE_ARC)
    margin = topology.closed_curve(s.chart[np.r_[s.group("lid_margin"), ibug(43, 44, 45, 46, 47)]], eye_corners,
                                   topology.EYE_ARC)
    eye = [inside, 0.5 * (inside + margin), margin]

    def mouth_curve(index):
        p = s.chart[index]
        p = np.vstack([p, p[p[:, 0] > 1e-6] * [-1, 1]])
        bottom = lambda d: int(np.argmin(d[:, 1] + 1e3 * (np.abs(d[:, 0]) > 0.2)))
        corner = lambda d: int(np.argmax(d[:, 0]))
        top = lambda d: int(np.argmax(d[:, 1] - 1e3 * (np.abs(d[:, 0]) > 0.2)))
        lower = topology.closed_curve(p, (bottom, corner), topology.MOUTH_ARC)[:topology.MOUTH_ARC]
        upper = topology.closed_curve(p, (corner, top), topology.MOUTH_ARC)[:topology.MOUTH_ARC + 1]
        ring = np.vstack([lower, upper])
        ring[[0, -1], 0] = 0
        return ring

    inner = s.group("lip_inside")
    contact = np.r_[s.group("lip_contact"), ibug(62, 63, 64)]
    ridge = s.group("lip_ridge")
    border = np.r_[s.group("lip_border"), ibug(55, 56, 57)]
    r0, r8, r10, r12 = (mouth_curve(i) for i in (inner, contact, ridge, border))
    mouth = [r0, (2 * r0 + r8) / 3, (r0 + 2 * r8) / 3, r8, 0.5 * (r8 + r10), r10, 0.5 * (r10 + r12), r12]

    rim = s.group("neck_border")
    cut = np.r_[s.group("crown"), s.group("back_midline"), rim[s.on_cut[rim]]]
    cut = cut[np.argsort(-s.mean[cut, 1] + 1e-3 * (s.names[cut] != "crown"))]
    cut = cut[np.argsort([0 if s.names[i] == "crown" else 1 for i in cut], kind="stable")]
    rim = rim[np.argsort(-s.chart[rim, 0])]

    def through(points):
        t = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
        return CubicSpline(t, points)(np.linspace(0, t[-1], 800))

    border = through(s.chart[rim])
    # The neck ends in a plane through the border's two ends: slide the border along the chart until it lies there.
    ends = s.mean[rim[[0, -1]]]
    slope = (ends[1, 1] - ends[0, 1]) / (ends[1, 2] - ends[0, 2])
    for _ in range(8):
        height = lambda uv: (lambda p: p[:, 1] - ends[0, 1] - slope * (p[:, 2] - ends[0, 2]))(
            interpolant.matrix(uv) @ s.mean[:s.count])
        tangent = np.gradient(border, axis=0)
        normal = np.column_stack([-tangent[:, 1], tangent[:, 0]]) / np.linalg.norm(tangent, axis=1)[:, None]
        h0 = height(border)
        grow = (height(border + 0.5 * normal) - h0) / 0.5
        move = np.clip(-h0 / np.where(np.abs(grow) < 0.3, 0.3 * np.sign(grow + 1e-9), grow), -3, 3)
        border = border + (move * np.minimum(1, 8 * np.minimum(np.linspace(0, 1, 800), np.linspace(1, 0, 800))))[:, None] * normal
    border[-1, 0] = 0
    return {"eye": eye, "mouth": mouth, "nostril": (13.2, 13.2)}, (through(s.chart[cut]), border)


def spacing_field(s, interpolant):
    """Wanted edge length in the chart: millimetres on the head, divided by the local stretch."""
    lo, hi = s.chart.min(0) * [0, 1] - 6, s.chart.max(0) + 6
    step = 1.5
    nx, ny = (int(np.ceil((hi[k] - lo[k]) / step)) + 1 for k in range(2))
    gx, gy = np.meshgrid(lo[0] + step * np.arange(nx), lo[1] + step * np.arange(ny))
    grid = np.column_stack([gx.ravel(), gy.ravel()])
    p = (interpolant.matrix(grid) @ s.mean[:s.count]).reshape(ny, nx, 3)
    du, dv = np.gradient(p, step, axis=1), np.gradient(p, step, axis=0)
    area = np.linalg.norm(np.cross(du, dv), axis=2)
    stretch = np.sqrt(np.clip(area, 0.35 ** 2, 2.5 ** 2))
    y, z, x = p[..., 1], p[..., 2], np.abs(p[..., 0])
    ramp = lambda v, a, b: np.clip((v - a) / (b - a), 0, 1)
    h = 3.1 + 6.5 * np.maximum(ramp(z, 72, 0), ramp(y, 70, 120))     # face front fine, skull coarse
    h = np.maximum(h, 3.1 + 5.0 * ramp(y, -70, -105))                # neck
    h = np.minimum(h, 2.2 + 0.06 * np.maximum(np.hypot(x, y - 8) - 16, 0) + 10 * ramp(z, 95, 80))       # nose
    ear = np.min(np.linalg.norm(grid[:, None] - s.chart[s.group("ear")][None], axis=2), 1).reshape(ny, nx)
    h = np.minimum(h, 2.7 + 0.16 * np.maximum(ear - 6, 0))
    wanted = h / stretch
    for centre in ((36.0, 56.5), (0.0, -20.0), (13.2, 13.2)):        # meet the rings' own spacing
        r = np.hypot(grid[:, 0] - centre[0], grid[:, 1] - centre[1]).reshape(ny, nx)
        limit, radius = {36.0: (3.0, 22.0), 0.0: (3.0, 30.0), 13.2: (2.6, 10.4)}[centre[0]]
        wanted = np.minimum(wanted, limit + 0.16 * np.maximum(r - radius, 0))
    log = np.log(wanted)
    for _ in range(6):                                               # a smooth field gives smooth grading
        pad = np.pad(log, 1, mode="edge")
        log = (pad[:-2, 1:-1] + pad[2:, 1:-1] + pad[1:-1, :-2] + pad[1:-1, 2:] + 4 * log) / 8
    wanted = np.exp(log)
    from scipy.interpolate import RegularGridInterpolator
    lookup = RegularGridInterpolator((lo[1] + step * np.arange(ny), lo[0] + step * np.arange(nx)), wanted,
                                     bounds_error=False, fill_value=None)
    return lambda q: lookup(np.column_stack([q[:, 1], np.abs(q[:, 0])]))


def improve_by_flips(points, uv, triangles, locked, rounds=20):
    """Edge flips towards 3D Delaunay (opposite angles sum below pi) between triangles that are not locked."""
    triangles = [list(map(int, t)) for t in triangles]

    def angle(a, b, c):
        u, v = points[b] - points[a], points[c] - points[a]
        return np.arccos(np.clip(u @ v / (np.linalg.norm(u) * np.linalg.norm(v) + 1e-12), -1, 1))

    def normal(t):
        return np.cross(points[t[1]] - points[t[0]], points[t[2]] - points[t[0]])

    flips = 0
    for _ in range(rounds):
        edge = {}
        for i, t in enumerate(triangles):
            for k in range(3):
                edge[(t[k], t[(k + 1) % 3])] = i
        changed, existing = set(), {tuple(sorted(e)) for e in edge}
        for (a, b), i in list(edge.items()):
            j = edge.get((b, a))
            if j is None or a > b or i in changed or j in changed or locked[i] or locked[j]:
                continue
            c = next(v for v in triangles[i] if v not in (a, b))
            d = next(v for v in triangles[j] if v not in (a, b))
            if tuple(sorted((c, d))) in existing:
                continue
            if angle(c, a, b) + angle(d, a, b) <= np.pi + 0.02:
                continue
            new = [c, a, d], [c, d, b]
            n0 = normal(triangles[i]) + normal(triangles[j])
            if min(normal(new[0]) @ n0, normal(new[1]) @ n0) <= 0:
                continue
            if min(np.cross(uv[n[1]] - uv[n[0]], uv[n[2]] - uv[n[0]]) for n in new) < 0.02:
                continue                                             # must stay a flip in the chart too
            triangles[i], triangles[j] = new
            changed |= {i, j}
            existing.add(tuple(sorted((c, d))))
        flips += len(changed) // 2
        if not changed:
            break
    return np.array(triangles), flips


def cotan_laplacian(points, triangles):
    """(L, mass): positive semi-definite cotangent Laplacian with clamped weights, lumped areas."""
    n = len(points)
    rows, cols, vals = [], [], []
    mass = np.zeros(n)
    for k in range(3):
        a, b, c = triangles[:, k], triangles[:, (k + 1) % 3], triangles[:, (k + 2) % 3]
        u, v = points[b] - points[a], points[c] - points[a]
        double_area = np.linalg.norm(np.cross(u, v), axis=1)
        cot = np.clip((u * v).sum(1) / np.maximum(double_area, 1e-9), 0.05, 10)
        rows += [b, c]
        cols += [c, b]
        vals += [0.5 * cot, 0.5 * cot]
        np.add.at(mass, a, double_area / 6)
    w = coo_matrix((np.concatenate(vals), (np.concatenate(rows), np.concatenate(cols))), (n, n)).tocsr()
    return diags(np.asarray(w.sum(1)).ravel()) - w, mass


class Skin:
    """The welded skin: chart half, both halves' vertices, triangles, and the interpolation weights of every vertex."""

    def __init__(self, s):
        self.s = s
        self.interpolant = ChartInterpolant(s)
        curves, outline = chart_curves(s, self.interpolant)
        uv, half, groups = topology.half_mesh(curves, outline, spacing_field(s, self.interpolant))
        n = len(uv)
        self.uv_half, self.groups = uv, groups
        weights = self.interpolant.matrix(uv)
        mean_half = weights @ s.mean[:s.count]
        # Ring triangles keep their loops; the rest may flip.
        ring_vertices = {v for kind in ("eye", "mouth", "nostril") for ring in groups[kind] for v in ring}
        locked = np.array([all(v in ring_vertices for v in t) for t in half])
        half, flips = improve_by_flips(mean_half, uv, half, locked)
        self.half = half
        middle = np.zeros(n, bool)
        middle[groups["middle"]] = True
        self.middle_half = middle
        other = np.full(n, -1)
        other[middle] = np.flatnonzero(middle)
        other[~middle] = n + np.arange((~middle).sum())
        self.other = other                                       # half vertex -> its mirror image's index
        self.count = n + int((~middle).sum())
        self.mirror = np.empty(self.count, int)
        self.mirror[np.arange(n)] = other
        self.mirror[other] = np.arange(n)
        self.triangles = np.vstack([half, other[half][:, [0, 2, 1]]])
        self.left_of = np.concatenate([np.arange(n), np.flatnonzero(~middle)])     # vertex -> half vertex
        right = np.zeros((self.count - n, weights.shape[1]))
        right[:, s.mirror[:s.count]] = weights[~middle]
        self.weights = np.vstack([weights, right])
        print(f"skin: {self.count} vertices, {len(self.triangles)} triangles, {flips} flips")
        self.embed_control_points()
        self.prepare_collar()
        self.mean = self.weights @ s.mean[:s.count]
        for _ in range(3):                                       # the fairness metric is that of its own result
            self.prepare_solver()
            self.mean = self.field(s.mean[:s.count][None])[0]

    def embed_control_points(self):
        """Where each control point lies: (triangle, barycentric), and the matrix that evaluates vertex fields there."""
        s, uv, half = self.s, self.uv_half, self.half
        tree = cKDTree(uv[half].mean(1))
        triangle, bary, firm = np.zeros(s.count, int), np.zeros((s.count, 3)), np.ones(s.count)
        for i in np.flatnonzero(s.chart[:, 0] >= -1e-6):
            near = tree.query(s.chart[i], 60)[1]
            a, b, c = (uv[half[near]][:, k] for k in range(3))
            d = np.cross(b - a, c - a)
            b1 = np.cross(s.chart[i] - a, c - a) / d
            b2 = np.cross(b - a, s.chart[i] - a) / d
            w = np.stack([1 - b1 - b2, b1, b2], 1)
            best = np.argmax(w.min(1))
            outside = s.names[i] == "neck_border" and w[best].min() < OUTSIDE
            w = np.clip(w[best], 0, None)
            firm[i] = firm[s.mirror[i]] = 0.0 if outside else 1.0
            triangle[i], bary[i] = near[best], w / w.sum()
            j = s.mirror[i]
            if j != i:
                triangle[j], bary[j] = near[best] + len(half), bary[i][[0, 2, 1]]
        self.control_triangle, self.control_barycentric = triangle, bary
        rows = np.repeat(np.arange(s.count), 3)
        self.evaluate = csr_matrix((bary.ravel(), (rows, self.triangles[triangle].ravel())), (s.count, self.count))
        self.pull = diags(firm) @ self.evaluate                  # points below the neck's border pull at nothing
        print(f"control points: {int((firm == 0).sum())} of {s.count} lie outside the mesh")

    def prepare_collar(self):
        """The neck's border is smoothed along itself, and the rows above it are spread evenly up to the neck."""
        ring = np.array(self.groups["neck"])                     # left half, from the back midline to the front one
        loop = np.r_[ring, self.other[ring[-2:0:-1]]]
        t = self.triangles
        e = np.unique(np.sort(np.vstack([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]]), 1), axis=0)
        adjacency = coo_matrix((np.ones(2 * len(e)), (e.ravel("F"), e[:, ::-1].ravel("F"))), (self.count, self.count)).tocsr()
        reached = np.zeros(self.count)
        reached[loop] = 1
        for _ in range(COLLAR_ROWS):
            reached = np.maximum(reached, (adjacency @ reached > 0).astype(float))
        reached[loop] = 0
        band, outer = np.flatnonzero(reached > 0), np.flatnonzero(reached == 0)
        laplacian = (diags(np.asarray(adjacency.sum(1)).ravel()) - adjacency).tocsr()
        self.collar = (loop, band, splu(laplacian[band][:, band].tocsc()), outer, laplacian[band][:, outer])

    def prepare_solver(self):
        """Least-bending fields: min BENDING |Δf|² + |E f - control values|² + CONTOUR_WEIGHT |f - spline|² on the rims."""
        laplacian, mass = cotan_laplacian(self.mean, self.triangles)
        rim = np.zeros(self.count)
        g = self.groups
        for v in sum(g["eye"][:4], []) + sum(g["mouth"][:6], []) + g["neck"]:
            rim[v] = rim[self.other[v]] = CONTOUR_WEIGHT
        # The auricle too: its folds are sharper than least bending wants.
        ear = self.s.chart[self.s.group("ear")]
        near = cKDTree(ear).query(self.uv_half)[0]
        inside = np.flatnonzero(near < 7)
        rim[inside] = rim[self.other[inside]] = EAR_WEIGHT
        bending = laplacian @ diags(1 / np.maximum(mass, 1e-3)) @ laplacian
        self.rim = rim
        self.solver = splu((BENDING * bending + self.pull.T @ self.pull + diags(rim)).tocsc())

    def field(self, values):
        """Control-point fields (k×n×3) -> vertex fields (k×V×3)."""
        k = len(values)
        flat = values.transpose(1, 0, 2).reshape(self.s.count, -1)
        on_rim = self.rim > 0
        right = self.pull.T @ flat
        right[on_rim] += self.rim[on_rim, None] * (self.weights[on_rim] @ flat)
        out = self.solver.solve(right)
        for ring, closed in self.smoothed_rings():           # the contours were sampled more sparsely than they are drawn
            for side in (ring, self.other[ring]):
                values = out[side]
                padded = np.vstack([values[-1:], values, values[:1]]) if closed else np.vstack([values[:1], values, values[-1:]])
                mixed = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
                keep = self.ring_corner_weight(len(ring), closed)[:, None]
                out[side] = keep * mixed + (1 - keep) * values
        loop, band, solver, outer, coupling = self.collar
        for _ in range(6):
            out[loop] = 0.25 * out[np.roll(loop, 1)] + 0.5 * out[loop] + 0.25 * out[np.roll(loop, -1)]
        out[band] = solver.solve(-(coupling @ out[outer]))
        return np.ascontiguousarray(out.reshape(self.count, k, 3).transpose(1, 0, 2))

    def smoothed_rings(self):
        g = self.groups
        return [(np.array(r), True) for r in g["eye"][:4]] * 2 + [(np.array(r), False) for r in g["mouth"][:7]] * 3

    @staticmethod
    def ring_corner_weight(count, closed):
        """1 along the lids or lips, 0 at their corners (and on the midline), which must stay sharp."""
        i = np.arange(count)
        corners = (0, count // 2, count) if closed else (count // 2,)
        near = np.min([np.abs(i - c) for c in corners], axis=0)
        weight = np.clip((near - 1) / 2, 0, 1)
        if not closed:
            weight[[0, -1]] = 0
        return weight

    def loop(self, kind):
        """Indices of the innermost ring: left eye, right eye (same order mirrored) or the whole mouth loop."""
        ring = self.groups[kind][0]
        if kind == "mouth":
            return ring + [int(self.other[v]) for v in ring[-2:0:-1]]
        return ring


def symmetrise(points, mirror):
    return 0.5 * (points + points[mirror] * [-1, 1, 1])


class Builder:
    def __init__(self, s):
        self.s, self.skin = s, Skin(s)
        self.points, self.fields = [], []
        self.triangles, self.material, self.region_of = [], [], []
        self.uv, self.uv_triangles, self.mirror = [], [], []

    def build(self):
        s, skin = self.s, self.skin
        n = s.count
        modes, shapes = s.identity, s.expression
        stacked = np.concatenate([modes, shapes])
        k = len(modes)
        skin_fields = skin.field(stacked[:, :n])
        skin_mean = symmetrise(skin.mean, skin.mirror)
        centre = {side: s.mean[n + i] for i, side in enumerate(("left", "right"))}
        radius = s.mean[n + 2, 2] - s.mean[n, 2]
        skin_mean = self.close_lips(skin_mean)
        skin_mean, skin_fields = self.clear_eyeballs(skin_mean, skin_fields, centre["left"], radius, k)

        pieces, offset = [("skin", skin_mean, skin_fields, skin.triangles, skin.mirror, "skin")], skin.count
        self.parts = {}

        def add(name, mean, fields, triangles, material):
            nonlocal offset
            self.parts[name] = (offset, offset + len(mean))
            pieces.append((name, mean, fields, triangles, None, material))
            offset += len(mean)

        self.balls = {}
        for i, side in enumerate(("left", "right")):
            ball = parts.eyeball(centre[side], radius, side == "left")
            rotation = np.vstack([np.zeros((k, 3)), s.eye_rotation[:, i]])
            fields = parts.eyeball_fields(ball, radius, stacked[:, n + i], stacked[:, n + 2 + i], rotation)
            self.balls[side] = ball
            add(f"eyeball_{side}", ball["mean"], fields, ball["triangles"] + offset, "eye")
        for i, side in enumerate(("left", "right")):
            loop = np.array(skin.loop("eye"))
            if side == "right":
                loop = skin.other[loop]
            points, share = parts.socket(skin_mean[loop], centre[side], radius)
            m = len(loop)
            own = skin_fields[:, np.r_[np.tile(loop, 3), loop[0]]]
            fields = share[:, None] * own + (1 - share)[:, None] * stacked[:, n + i][:, None]
            tri = parts.cup_triangles(loop, offset, 3, m, reverse=side == "right")
            add(f"socket_{side}", points, fields, tri, "mouth")

        loop = np.array(skin.loop("mouth"))
        m = len(skin.groups["mouth"][0])
        half_angle = np.r_[np.linspace(-np.pi / 2, 0, topology.MOUTH_ARC + 1)[:-1],
                           np.linspace(0, np.pi / 2, topology.MOUTH_ARC + 1)]
        angle = np.r_[half_angle, half_angle[-2:0:-1]]
        side = np.r_[np.ones(m), -np.ones(m - 2)]
        points, share = parts.mouth_bag((angle, side))
        upper, lower = s.mean[n + 4:n + 11], s.mean[n + 11:n + 18]
        c, b, w = parts.small_motion(lower, stacked[:, n + 11:n + 18])
        jaw = b[:, None] + np.cross(w[:, None], (points - c)[None])
        skull = stacked[:, n + 4:n + 11].mean(1)[:, None] + 0 * jaw
        height = np.r_[np.tile(np.sin(angle), len(parts.BAG_RINGS)), 0]
        low = albedo.ramp(height, 0.45, -0.45)[:, None]
        body = low * jaw + (1 - low) * skull
        fields = share[:, None] * skin_fields[:, np.r_[np.tile(loop, len(parts.BAG_RINGS)), loop[0]]] \
            + (1 - share)[:, None] * body
        tri = parts.cup_triangles(loop, offset, len(parts.BAG_RINGS), len(loop), mirrored=True)
        add("mouth_bag", points, fields, tri, "mouth")
        self.arches = {}
        for name, first, widths, up in (("teeth_upper", n + 4, parts.UPPER_WIDTHS, True),
                                        ("teeth_lower", n + 11, parts.LOWER_WIDTHS, False)):
            arch = parts.arch(s.mean[first:first + 7], widths, up)
            self.arches[name] = arch
            add(name, arch["mean"], parts.arch_fields(arch, stacked[:, first:first + 7]), arch["triangles"] + offset, "teeth")

        mean = np.vstack([p[1] for p in pieces])
        fields = np.concatenate([p[2] for p in pieces], 1)
        triangles = np.vstack([p[3] for p in pieces])
        material_names = ["skin", "eye", "mouth", "teeth"]
        material = np.concatenate([np.full(len(p[3]), material_names.index(p[5])) for p in pieces]).astype(np.uint8)
        mirror = self.mirror_map(mean, offset)
        mean = symmetrise(mean, mirror)
        self.mean, self.all_triangles, self.all_mirror = mean, triangles, mirror
        identity = self.principal_modes(fields[:k], mirror)
        expression = self.symmetric_expressions(fields[k:], mirror)
        regions, region_names = self.regions(mean)
        colour, names, colour_modes = self.colours(mean, regions, region_names)
        uv, uv_triangles = self.uv_map(mean)
        nd = s.meta["dense"]
        ibug = np.array([int(np.flatnonzero(s.names == f"ibug{i}")[0]) for i in range(68)])
        meta = {"format": "facet-model", "version": 1, "id": "facet-head", "name": "facet head",
                "licence": "same licence as facet; shape statistics measured on ICT-FaceKit (MIT, (c) 2020 USC Institute for"
                           " Creative Technologies)",
                "source": "tools/model/build_model.py; see data/PROVENANCE.md", "unit": "mm",
                "expression_names": s.meta["expression_names"], "albedo_names": names, "region_names": region_names,
                "material_names": material_names, "part_names": ["skin"] + list(self.parts),
                "part_ranges": [[0, skin.count]] + [list(map(int, r)) for r in self.parts.values()],
                "ict_offset_mm": [0.0, 0.0, 0.0]}
        quantise = lambda x: (np.round(x / POSITION_STEP_MM) * POSITION_STEP_MM).astype(np.float16)
        return dict(
            meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), mean=mean.astype(np.float32),
            triangles=triangles.astype(np.int32), uv=uv.astype(np.float32), uv_triangles=uv_triangles.astype(np.int32),
            identity=quantise(identity), expression=quantise(expression),
            albedo_mean=colour.astype(np.float32), albedo=(np.round(colour_modes * 4096) / 4096).astype(np.float16),
            landmarks68_triangle=skin.control_triangle[ibug].astype(np.int32),
            landmarks68_barycentric=skin.control_barycentric[ibug].astype(np.float32),
            dense_triangle=skin.control_triangle[:nd].astype(np.int32),
            dense_barycentric=skin.control_barycentric[:nd].astype(np.float32),
            symmetry=mirror.astype(np.int32), region=regions.astype(np.uint8), triangle_material=material)

    def close_lips(self, mean):
        """Brings the lips of the mean together where they stand apart, column by column; the rest follows smoothly."""
        rings = self.skin.groups["mouth"]
        count = len(rings[0])
        mean, widest = mean.copy(), 0.0
        follow = (1, 1, 1, 1, 1, 0.95, 0.75, 0.5, 0.28, 0.12, 0.04)
        shift = np.zeros(count)
        for i in range(count // 2):
            upper = min(mean[rings[r][count - 1 - i], 1] for r in range(2, 6))
            lower = max(mean[rings[r][i], 1] for r in range(2, 6))
            shift[i] = max(upper - lower + LIP_OVERLAP_MM, 0) / 2
        shift = np.convolve(np.r_[shift[3:0:-1], shift], np.array([1, 2, 3, 4, 3, 2, 1]) / 16, "same")[3:]
        for r, f in enumerate(follow):
            for i in range(count // 2):
                for v, sign in ((rings[r][i], 1), (rings[r][count - 1 - i], -1)):
                    mean[v, 1] += sign * f * shift[i]
                    if self.skin.other[v] != v:
                        mean[self.skin.other[v], 1] += sign * f * shift[i]
        widest = 2 * shift.max()
        print(f"lips: closed a gap of at most {widest:.2f} mm")
        return mean

    def clear_eyeballs(self, mean, fields, centre, radius, k):
        """Keeps the lids off the eyeball in the mean and at each eye shape's full weight, and shuts them in a blink."""
        skin = self.skin
        rings = skin.groups["eye"]
        n = len(rings[0])
        ids = np.array(sum(rings[:7], []))
        need = np.repeat([-0.1, 0.1, LID_CLEARANCE_MM, 0.6, 0.8, 0.9, 0.9], n)
        # A straight path between open and shut cuts the globe's curve; shut lids stand off more, as real ones do.
        need_shut = np.repeat([0.1, 0.4, 0.7, 1.0, 1.2, 1.2, 1.1], n)

        def push(points, need):
            d = points - centre
            r = np.linalg.norm(d, axis=1)
            surface = radius + parts.bulge(np.arccos(np.clip(d[:, 2] / r, -1, 1)), radius)
            lift = np.maximum(surface + need - r, 0) * (d[:, 2] > 0)
            return lift[:, None] * d / r[:, None]

        mean, fields = mean.copy(), fields.copy()
        lift = push(mean[ids], need)
        print(f"lids: {np.sum(lift.any(1))} vertices lifted off the eyeball, at most {np.linalg.norm(lift, axis=1).max():.2f} mm")
        mean[ids] += lift
        mean[skin.other[ids]] += lift * [-1, 1, 1]
        names = self.s.meta["expression_names"]
        follow = (1, 1, 1, 0.85, 0.6, 0.35, 0.15)
        for i, name in enumerate(names):
            if not name.endswith("Left") or not name.startswith("eye"):
                continue
            change = np.zeros_like(mean)
            shape = mean + fields[k + i]
            if name == "eyeBlinkLeft":
                low_line, up_line = shape[rings[2][:n // 2 + 1]], shape[np.r_[rings[2][:1], rings[2][:n // 2 - 1:-1]]]
                at = lambda line, x: np.array([np.interp(x, line[:, 0], line[:, k]) for k in range(3)])
                for c in range(1, n):
                    upper = c > n // 2
                    own = shape[rings[2][c]]
                    other = at(low_line if upper else up_line, own[0])
                    # The margins meet near the lower lid, at the place straight across; the upper one laps over a little.
                    target = 0.8 * other + 0.2 * own + [0, -0.35, 0.25] if upper else 0.8 * own + 0.2 * other
                    for r, f in enumerate(follow):
                        change[rings[r][c]] += f * (target - own) * min(1, 0.4 * min(c % (n // 2), n // 2 - c % (n // 2)))
            blink = name == "eyeBlinkLeft"
            change[ids] += push(shape[ids] + change[ids], need_shut if blink else need)
            j = k + names.index(name.replace("Left", "Right"))
            fields[k + i, ids] += change[ids]
            fields[j, skin.other[ids]] += change[ids] * [-1, 1, 1]
        return mean, fields

    def mirror_map(self, mean, count):
        mirror = np.arange(count)
        mirror[:self.skin.count] = self.skin.mirror
        swap = lambda a, b: (slice(*self.parts[a]), np.arange(*self.parts[b]))
        for kind in ("eyeball", "socket"):
            for a, b in (("left", "right"), ("right", "left")):
                where, other = swap(f"{kind}_{a}", f"{kind}_{b}")
                mirror[where] = other
        for name in ("teeth_upper", "teeth_lower"):
            mirror[slice(*self.parts[name])] = self.parts[name][0] + self.arches[name]["mirror"]
        first = self.parts["mouth_bag"][0]
        n = len(self.skin.loop("mouth"))
        ring = (-np.arange(n)) % n                     # counted from the lower midline: order 0..m-1 left, then right back
        m = len(self.skin.groups["mouth"][0])
        ring = np.array([0] + [n - i for i in range(1, n)])
        assert ring[m - 1] == m - 1
        for r in range(len(parts.BAG_RINGS)):
            mirror[first + r * n + np.arange(n)] = first + r * n + ring
        return mirror

    def principal_modes(self, fields, mirror):
        """Orthogonal modes by variance, within the symmetric and the antisymmetric fields; scaled to one deviation."""
        k, v = fields.shape[:2]
        modes = []
        mirrored = fields[:, mirror] * [-1, 1, 1]
        for sign in (1, -1):
            part = 0.5 * (fields + sign * mirrored)[self.s.parity == sign].reshape(-1, 3 * v)
            u, size, vt = np.linalg.svd(part, full_matrices=False)
            modes += [(size[i], sign, size[i] * vt[i]) for i in range(len(size))]
        modes.sort(key=lambda m: -m[0])
        total = sum(m[0] ** 2 for m in modes)
        kept = modes[:IDENTITY_MODES]
        print(f"identity: {len(kept)} modes, {100 * sum(m[0] ** 2 for m in kept) / total:.2f} % of the variance,"
              f" {sum(m[1] < 0 for m in kept)} antisymmetric")
        out = np.array([m[2] for m in kept]).reshape(-1, v, 3)
        # A sign that is the same on every machine: the largest entry of each mode is positive.
        largest = out.reshape(len(out), -1)[np.arange(len(out)), np.abs(out.reshape(len(out), -1)).argmax(1)]
        return out * np.sign(largest)[:, None, None]

    def symmetric_expressions(self, fields, mirror):
        names = self.s.meta["expression_names"]
        swap = lambda x: x.replace("Left", "*").replace("Right", "Left").replace("*", "Right")
        partner = [names.index(swap(x)) for x in names]
        out = 0.5 * (fields + fields[partner][:, mirror] * [-1, 1, 1])
        out[np.abs(out) < 0.004] = 0
        return out

    def regions(self, mean):
        """A named region per vertex."""
        s, skin = self.s, self.skin
        names = ["scalp", "forehead", "brow_left", "brow_right", "eye_lid_left", "eye_lid_right", "nose", "philtrum", "glabella", "cheek_left",
                 "cheek_right", "lip_upper", "lip_lower", "chin", "jaw", "ear_left", "ear_right", "neck", "eyeball_left",
                 "eyeball_right", "eye_socket_left", "eye_socket_right", "mouth_inside", "teeth"]
        number = {x: i for i, x in enumerate(names)}
        region = np.zeros(len(mean), int)
        p = mean[:skin.count]
        lm = (skin.evaluate @ p)[[int(np.flatnonzero(s.names == f"ibug{i}")[0]) for i in range(68)]]
        self.landmarks = lm
        x, y, z = np.abs(p[:, 0]), p[:, 1], p[:, 2]
        q = np.column_stack([x, y, z])
        left = p[:, 0] > -1e-6
        uv = skin.uv_half[skin.left_of]
        ear_chart = s.chart[s.group("ear")]
        from scipy.spatial import ConvexHull
        from matplotlib.path import Path
        hull = ear_chart[ConvexHull(ear_chart).vertices]
        ear = Path(hull.mean(0) + 0.97 * (hull - hull.mean(0))).contains_points(uv)
        hairline = y - np.interp(z, [-60, -25, 10, 40, 62, 85, 110], [-48, -30, 28, 52, 78, 92, 94])
        jawline = np.interp(z, [-40, 10, 36, 55, 73, 90, 104], [-20, -30, -40, -60, -76, -82, -86])
        r = np.full(skin.count, number["cheek_left"])
        r[~left] = number["cheek_right"]
        r[y > lm[24, 1] - 2] = number["forehead"]
        r[(y < lm[57, 1] - 4) & (x < 30)] = number["chin"]
        r[(y < np.interp(z, [0, 60, 100], [-5, -38, -62])) & (r != number["chin"])] = number["jaw"]
        r[(y < np.interp(x, [0, 20, 30], [-60, -58, -50])) & (y < -58)] = number["jaw"]
        r[(x < 27) & (y < -46) & (y > -76) & (z > 90)] = number["chin"]
        r[y < jawline] = number["neck"]
        r[hairline > 0] = number["scalp"]
        r[(z < 0) & (y < -30)] = number["neck"]
        r[(x < 13) & (y > lm[27, 1]) & (y <= lm[24, 1] + 2) & (z > 85)] = number["glabella"]
        r[(x < 0.62 * lm[54, 0]) & (y < lm[33, 1]) & (y > lm[62, 1]) & (z > 90)] = number["philtrum"]
        alar = lm[35, 0] + 6
        nose = (y < lm[27, 1]) & (y > lm[33, 1] - 3) & (x < np.interp(y, [lm[33, 1], lm[30, 1], lm[27, 1]], [alar, alar, 9])) & (z > 85)
        r[nose] = number["nose"]
        brow = albedo.polyline_distance(q, lm[22:27]) < 5.0
        r[brow & left], r[brow & ~left] = number["brow_left"], number["brow_right"]
        for ring in skin.groups["eye"][:8]:
            r[ring], r[skin.other[ring]] = number["eye_lid_left"], number["eye_lid_right"]
        for ring in skin.groups["mouth"][:8]:
            for i, v in enumerate(ring):
                r[v] = r[skin.other[v]] = number["lip_lower" if i <= topology.MOUTH_ARC - 1 else "lip_upper"]
        r[ear & left], r[ear & ~left] = number["ear_left"], number["ear_right"]
        region[:skin.count] = r
        for name, (a, b) in self.parts.items():
            target = {"mouth_bag": "mouth_inside", "teeth_upper": "teeth", "teeth_lower": "teeth", "socket_left": "eye_socket_left",
                      "socket_right": "eye_socket_right"}.get(name, name)
            region[a:b] = number[target]
        return region, names

    def colours(self, mean, region, region_names):
        skin, v = self.skin, len(mean)
        masks = {"symmetry": self.all_mirror}
        flag = lambda: np.zeros(v, bool)
        masks["skin"] = np.arange(v) < skin.count
        lip = np.zeros(v)
        # Full colour from the inside to the ridge, fading over the vermilion border.
        for ring, amount in zip(skin.groups["mouth"][:10], (1, 1, 1, 1, 1, 1, 1, 0.9, 0.25, 0.0)):
            lip[ring] = lip[skin.other[ring]] = amount
        masks["lip"] = lip
        ear = np.isin(region, [region_names.index("ear_left"), region_names.index("ear_right")])
        masks["ear"] = ear.astype(float)
        nostril = np.zeros(v)
        for ring, amount in zip(skin.groups["nostril"], (1.0, 1.0, 0.95, 0.6, 0.2, 0.03)):
            nostril[ring] = nostril[skin.other[ring]] = amount
        masks["nostril"] = nostril
        for key, part_names in (("mouth", ("mouth_bag",)), ("socket", ("socket_left", "socket_right"))):
            masks[key] = flag()
            for name in part_names:
                masks[key][slice(*self.parts[name])] = True
        masks["tooth"], masks["gum"] = flag(), flag()
        for name, arch in self.arches.items():
            where = slice(*self.parts[name])
            masks["tooth"][where], masks["gum"][where] = arch["enamel"], ~arch["enamel"]
        masks["eye_kind"], masks["eye_angle"] = np.full(v, -1), np.zeros(v)
        for side, ball in self.balls.items():
            where = slice(*self.parts[f"eyeball_{side}"])
            masks["eye_kind"][where] = ball["kind"]
            radius = np.linalg.norm(ball["mean"][-1] - ball["mean"][-2])
            del radius
            angle = np.arccos(np.clip(ball["unit"][:, 2] / np.linalg.norm(ball["unit"], axis=1), -1, 1))
            masks["eye_angle"][where] = angle / angle[ball["kind"] == 1].max()
        return albedo.build(mean, self.landmarks, masks)

    def uv_map(self, mean):
        """Skin above, a strip of small islands below."""
        skin = self.skin
        p = mean[:skin.count][np.arange(len(skin.uv_half))]
        ramp = albedo.ramp
        front = ramp(p[:, 2], 0, 55) * ramp(p[:, 1], 125, 85) * ramp(p[:, 1], -110, -80)
        share = 0.36 + 0.64 * front
        half = uv_layout.skin_islands(skin.uv_half, p, skin.half, share, skin.groups["eye"][0], skin.groups["mouth"][0])
        n = len(half)
        front_middle = np.abs(skin.uv_half[:, 0]) < 1e-9
        right = np.full(n, -1)
        right[front_middle] = np.flatnonzero(front_middle)
        right[~front_middle] = n + np.arange((~front_middle).sum())
        island = np.vstack([half, half[~front_middle] * [-1, 1]])
        m, h = uv_layout.MARGIN, uv_layout.STRIP_HEIGHT
        skin_uv = uv_layout.stretch(island, m, h + m, 1 - m, 1 - m)
        uvs, tris, count = [skin_uv], [np.vstack([skin.half, right[skin.half][:, [0, 2, 1]]])], len(skin_uv)
        boxes = uv_layout.strip_boxes()
        for side in ("left", "right"):
            ball = self.balls[side]
            uvs.append(uv_layout.place(ball["uv"], *boxes[f"eyeball_{side}"]))
            tris.append(ball["uv_triangles"] + count)
            count += len(ball["uv"])
        for name, loop, rings in (("socket_left", skin.loop("eye"), 3), ("socket_right", skin.loop("eye"), 3),
                                  ("mouth_bag", skin.loop("mouth"), len(parts.BAG_RINGS))):
            sectors = len(loop)
            angle = np.arange(sectors) * 2 * np.pi / sectors
            flat = np.vstack([r * np.column_stack([np.cos(angle), np.sin(angle)])
                              for r in np.linspace(1, 0, rings + 2)[:-1]] + [[[0, 0]]])
            tri = parts.cup_triangles(np.arange(sectors), sectors, rings, sectors, reverse=name == "socket_right",
                                      mirrored=name == "mouth_bag")
            a, b, c = (flat[tri[0, k]] for k in range(3))
            if np.cross(b - a, c - a) < 0:
                flat = flat * [-1, 1]
            uvs.append(uv_layout.place(flat, *boxes[name]))
            tris.append(tri + count)
            count += len(flat)
        for name in ("teeth_upper", "teeth_lower"):
            arch = self.arches[name]
            uvs.append(uv_layout.stretch(arch["uv"], *boxes[name]))
            tris.append(arch["uv_triangles"] + count)
            count += len(arch["uv"])
        uv, triangles = np.vstack(uvs), np.vstack(tris)
        return uv, triangles


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--statistics", default=os.path.join(here, "head_statistics.npz"))
    parser.add_argument("--out", default=os.path.join(here, "..", "..", "data", "models", "facet_head.npz"))
    options = parser.parse_args()
    model = Builder(Statistics(options.statistics)).build()
    np.savez_compressed(options.out, **model)
    print(f"{len(model['mean'])} vertices, {len(model['triangles'])} triangles, {os.path.getsize(options.out) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
