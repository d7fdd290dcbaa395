"""The topology of the built-in head: our own, drawn in the plane of the measured chart.

One half (the subject's left) is meshed: rings around the eye, the mouth and the nostril, and between them triangles of a
graded size, relaxed as a truss (Persson and Strang, "A Simple Mesh Generator in MATLAB", SIAM Review 2004). Mirroring makes
the other half; the front midline u = 0 and the cut at the back of the head are welded.
"""
import numpy as np
from matplotlib.path import Path
from scipy.interpolate import CubicSpline
from scipy.spatial import Delaunay, cKDTree

EYE_ARC = 18              # segments of the upper, and of the lower, half of an eye ring
MOUTH_ARC = 15            # segments of the upper, and of the lower, quarter of a mouth ring
NOSTRIL_RING = 20
EYE_OFFSETS = (0.9, 2.0, 3.4, 5.0, 6.9, 9.1, 11.6)       # rings outside the lid margin, chart mm
MOUTH_OFFSETS = (1.4, 3.0, 5.0, 7.3, 9.9)                # rings outside the vermilion border, chart mm
NOSTRIL_RADII = (1.6, 3.4, 5.2, 7.0, 8.7, 10.4)                     # chart mm
RELAXATIONS = 160


def closed_curve(points, corners, segments):
    """Points of a closed curve through `points`, from corner to corner: 2×segments, evenly spaced on either side.

    `corners` picks two of the curve's parameters: functions of the dense curve that give an index.
    """
    centre = points.mean(0)
    order = np.argsort(np.arctan2(points[:, 1] - centre[1], points[:, 0] - centre[0]))
    p = points[order]
    p = np.vstack([p, p[:1]])
    s = np.r_[0, np.cumsum(np.sqrt(np.linalg.norm(np.diff(p, axis=0), axis=1)))]     # centripetal: no overshoot at corners
    dense = CubicSpline(s, p, bc_type="periodic")(np.linspace(0, s[-1], 2001)[:-1])
    first, second = corners[0](dense), corners[1](dense)
    dense = np.roll(dense, -first, 0)
    second = (second - first) % len(dense)
    out = []
    for arc in (dense[:second + 1], np.vstack([dense[second:], dense[:1]])):
        length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(arc, axis=0), axis=1))]
        at = np.linspace(0, length[-1], segments + 1)[:-1]
        out.append(np.column_stack([np.interp(at, length, arc[:, k]) for k in range(2)]))
    return np.vstack(out)


def offset_ring(ring, distance, closed, smooth=2):
    """The counter-clockwise ring moved outwards along its smoothed normals; an open ring stays on u = 0 at its ends."""
    if closed:
        tangent = np.roll(ring, -1, 0) - np.roll(ring, 1, 0)
    else:
        mirrored = np.vstack([ring[1] * [-1, 1], ring, ring[-2] * [-1, 1]])
        tangent = mirrored[2:] - mirrored[:-2]
    tangent /= np.linalg.norm(tangent, axis=1)[:, None]
    normal = np.column_stack([tangent[:, 1], -tangent[:, 0]])
    for _ in range(smooth):
        if closed:
            normal = 0.25 * np.roll(normal, 1, 0) + 0.5 * normal + 0.25 * np.roll(normal, -1, 0)
        else:
            m = np.vstack([normal[1] * [-1, 1], normal, normal[-2] * [-1, 1]])
            normal = 0.25 * m[:-2] + 0.5 * m[1:-1] + 0.25 * m[2:]
        normal /= np.linalg.norm(normal, axis=1)[:, None]
    moved = ring + distance * normal
    # Even out the spacing a little, so that outer rings do not bunch up where the normals turn slowly.
    return relax_ring(moved, closed)


def relax_ring(ring, closed, rounds=3):
    for _ in range(rounds):
        if closed:
            ring = 0.15 * np.roll(ring, 1, 0) + 0.7 * ring + 0.15 * np.roll(ring, -1, 0)
        else:
            m = np.vstack([ring[1] * [-1, 1], ring, ring[-2] * [-1, 1]])
            ring = 0.15 * m[:-2] + 0.7 * m[1:-1] + 0.15 * m[2:]
    return ring


def strip(a, b, closed):
    """Triangles between ring index lists a (inner) and b (outer), both counter-clockwise; diagonals all the same way, so that every
    inner vertex has six neighbours and shades evenly."""
    out = []
    n = len(a)
    for i in range(n if closed else n - 1):
        j = (i + 1) % n
        out += [(a[i], b[i], b[j]), (a[i], b[j], a[j])]
    return out


def divide(polyline, spacing, keep_ends=True):
    """Points along a polyline whose distances follow spacing(point)."""
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(polyline, axis=0), axis=1))]
    s = np.linspace(0, length[-1], 4000)
    p = np.column_stack([np.interp(s, length, polyline[:, k]) for k in range(2)])
    density = 1.0 / spacing(p)
    cumulative = np.r_[0, np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(s))]
    count = max(1, int(round(cumulative[-1])))
    at = np.interp(np.linspace(0, cumulative[-1], count + 1), cumulative, s)
    return np.column_stack([np.interp(at, s, p[:, k]) for k in range(2)])


def half_mesh(curves, outline, spacing, seed=7):
    """Meshes the left half.

    curves: eye rings' chart curves from the inside outwards ({'eye': [...], 'mouth': [...], 'nostril': centre}),
    outline: crown -> back midline -> neck border, a polyline from u = 0 to u = 0, spacing: chart points -> edge length.
    Returns uv, triangles, and index lists {'eye': rings, 'mouth': rings, 'nostril': rings, 'cut': …, 'neck': …}.
    """
    points, triangles, groups = [], [], {}

    def add(p):
        start = len(points)
        points.extend(map(tuple, p))
        return list(range(start, len(points)))

    eye = list(curves["eye"])
    margin = eye[-1]
    previous = 0.0
    for d in EYE_OFFSETS:
        eye.append(offset_ring(eye[-1], d - previous, True))
        previous = d
    mouth = list(curves["mouth"])
    previous = 0.0
    for d in MOUTH_OFFSETS:
        ring = offset_ring(mouth[-1], d - previous, False)
        ring[[0, -1], 0] = 0
        mouth.append(ring)
        previous = d
    angle = np.arange(NOSTRIL_RING) * 2 * np.pi / NOSTRIL_RING
    nostril = [np.array(curves["nostril"]) + r * np.column_stack([np.cos(angle), np.sin(angle)]) for r in NOSTRIL_RADII]
    groups["eye"] = [add(r) for r in eye]
    groups["mouth"] = [add(r) for r in mouth]
    groups["nostril"] = [add(r) for r in nostril]
    for a, b in zip(groups["eye"], groups["eye"][1:]):
        triangles += strip(a, b, True)
    for a, b in zip(groups["mouth"], groups["mouth"][1:]):
        triangles += strip(a, b, False)
    for a, b in zip(groups["nostril"], groups["nostril"][1:]):
        triangles += strip(a, b, True)
    tip = add([curves["nostril"]])[0]
    inner = groups["nostril"][0]
    triangles += [(inner[i], inner[(i + 1) % NOSTRIL_RING], tip) for i in range(NOSTRIL_RING)]

    # The outline and the front midline, divided by the wanted spacing.
    cut, neck = outline
    cut_points = divide(cut, spacing)
    neck_points = divide(neck, spacing)
    groups["cut"] = add(cut_points)
    groups["neck"] = [groups["cut"][-1]] + add(neck_points[1:])
    low, high = mouth[-1][0], mouth[-1][-1]
    assert low[1] < high[1]
    upper = divide(np.array([high, cut_points[0]]), spacing)[1:-1]
    lower = divide(np.array([neck_points[-1], low]), spacing)[1:-1]
    middle_up, middle_down = add(upper * [0, 1]), add(lower * [0, 1])
    outer_eye, outer_mouth, outer_nostril = groups["eye"][-1], groups["mouth"][-1], groups["nostril"][-1]
    fixed = sorted(set(groups["cut"] + groups["neck"] + outer_eye + outer_mouth + outer_nostril + middle_up + middle_down))
    p = np.array(points)
    border = np.vstack([p[outer_mouth], p[middle_up], p[groups["cut"]], p[groups["neck"][1:]], p[middle_down]])
    domain = Path(border)
    holes = [Path(p[outer_eye]), Path(p[outer_nostril])]

    # Free points: a grid of candidates thinned to the wanted density, then the truss.
    random = np.random.default_rng(seed)
    low_corner, high_corner = border.min(0), border.max(0)
    fine = 0.8
    gx, gy = np.meshgrid(np.arange(low_corner[0], high_corner[0], fine),
                         np.arange(low_corner[1], high_corner[1], fine * np.sqrt(3) / 2))
    gx[1::2] += fine / 2
    grid = np.column_stack([gx.ravel(), gy.ravel()])

    def inside(q):
        ok = domain.contains_points(q)
        for hole in holes:
            ok &= ~hole.contains_points(q)
        return ok

    grid = grid[inside(grid)]
    h = spacing(grid)
    grid = grid[random.random(len(grid)) < 1.10 * (fine / h) ** 2]
    fixed_points = p[fixed]
    tree = cKDTree(fixed_points)
    keep = tree.query(grid)[0] > 0.6 * spacing(grid)
    free = grid[keep]
    nf = len(fixed_points)
    for it in range(RELAXATIONS):
        q = np.vstack([fixed_points, free])
        tri = Delaunay(q).simplices
        tri = tri[inside(q[tri].mean(1))]
        bars = np.unique(np.sort(np.vstack([tri[:, [0, 1]], tri[:, [1, 2]], tri[:, [2, 0]]]), 1), axis=0)
        d = q[bars[:, 0]] - q[bars[:, 1]]
        length = np.linalg.norm(d, axis=1)
        wanted = spacing(0.5 * (q[bars[:, 0]] + q[bars[:, 1]]))
        wanted *= 1.15 * np.sqrt((length ** 2).sum() / (wanted ** 2).sum())
        force = np.maximum(wanted - length, 0)
        pull = (force / np.maximum(length, 1e-9))[:, None] * d
        total = np.zeros_like(q)
        np.add.at(total, bars[:, 0], pull)
        np.add.at(total, bars[:, 1], -pull)
        step = 0.2 * total[nf:]
        free = free + step
        good = inside(free)
        free = free[good]
        near = tree.query(free)[0] > 0.55 * spacing(free)
        free = free[near]
        if it in (30, 60, 90):                      # drop points that are crowded
            q = np.vstack([fixed_points, free])
            close = np.zeros(len(q), bool)
            for i, j in sorted(cKDTree(q).query_pairs(3.0)):
                if np.linalg.norm(q[i] - q[j]) < 0.55 * spacing(q[[j]])[0] and not close[i]:
                    close[max(i, j)] = True
            free = free[~close[nf:]]
    # A last few Laplacian steps even out the angles.
    for _ in range(12):
        q = np.vstack([fixed_points, free])
        tri = Delaunay(q).simplices
        tri = tri[inside(q[tri].mean(1))]
        total, weight = np.zeros_like(q), np.zeros(len(q))
        area = 0.5 * np.abs(np.cross(q[tri[:, 1]] - q[tri[:, 0]], q[tri[:, 2]] - q[tri[:, 0]]))
        c = q[tri].mean(1)
        area = area / spacing(c) ** 4
        for k in range(3):
            np.add.at(total, tri[:, k], area[:, None] * c)
            np.add.at(weight, tri[:, k], area)
        free = 0.5 * free + 0.5 * (total / np.maximum(weight, 1e-12)[:, None])[nf:]
    q = np.vstack([fixed_points, free])
    tri = Delaunay(q).simplices
    tri = tri[inside(q[tri].mean(1))]
    a, b, c = (q[tri[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)
    tri[area < 0] = tri[area < 0][:, [0, 2, 1]]
    tri = tri[np.abs(area) > 1e-6]
    new = add(free)
    local = np.array(list(fixed) + new)
    triangles += [tuple(t) for t in local[tri]]
    triangles = np.array(triangles)
    uv = np.array(points)
    # Every triangle counter-clockwise in the chart.
    a, b, c = (uv[triangles[:, k]] for k in range(3))
    flip = np.cross(b - a, c - a) < 0
    triangles[flip] = triangles[flip][:, [0, 2, 1]]
    groups["middle"] = sorted({i for i in range(len(uv)) if abs(uv[i, 0]) < 1e-9} | set(groups["cut"]))
    del margin
    return uv, triangles, groups
