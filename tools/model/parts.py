"""Eyeballs, eye sockets, mouth bag and teeth: parametric, ours. Each part is points, triangles and its own island of UVs.

A part is a dict: mean (n×3), triangles, uv (m×2), uv_triangles, fields(F) -> k×n×3 displacements.
"""
import numpy as np

# Eyeball: corneal limbus and pupil as angles from the optical axis; the iris of an adult is 11.7 mm across (Hall 1971)
# and a light-adapted pupil about 3.5 mm; ICT's globe is larger than anatomy, so the angles are taken on a 6.1 mm iris.
IRIS_RADIUS_MM, PUPIL_RADIUS_MM = 6.1, 2.0
CORNEA_BULGE_MM = 0.5
EYE_SECTORS = 32
# Crown widths in mm from the midline (Wheeler, Dental Anatomy): central incisor ... second molar.
UPPER_WIDTHS = (8.5, 6.5, 7.5, 7.0, 7.0, 10.0, 9.0)
LOWER_WIDTHS = (5.0, 5.5, 7.0, 7.0, 7.0, 11.0, 10.5)
# Cross-section of an arch: (outwards, from the incisal edge towards the gum), mm; first the tongue side.
SECTION = ((-5.5, 15.0), (-4.2, 8.0), (-3.2, 3.0), (-1.6, 0.2), (-0.5, 0.0), (0.0, 1.2), (0.35, 4.5), (0.0, 8.2),
           (0.5, 9.2), (0.6, 15.0))
SECTION_TOOTH = (False, False, True, True, True, True, True, True, False, False)
# Mouth bag rings behind the lips: half width, half height, z in the middle, z at the sides (mm), share of the lips' motion.
BAG_RINGS = ((27.0, 13.0, 101.0, 89.0, 0.70), (32.0, 20.0, 95.0, 74.0, 0.35), (35.0, 25.0, 80.0, 60.0, 0.12),
             (34.0, 25.0, 58.0, 46.0, 0.0), (27.0, 20.0, 38.0, 36.0, 0.0), (13.0, 10.0, 28.0, 28.0, 0.0))
BAG_CENTRE_Y = -33.0
# Our crowns are thicker than the measured incisal line: the arches sit a little inside it, clear of the lips.
ARCH_SHRINK, ARCH_BACK_MM = 0.93, 2.5


def rotation_matrix(w):
    angle = np.linalg.norm(w)
    if angle < 1e-9:
        return np.eye(3)
    k = w / angle
    x = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    return np.eye(3) + np.sin(angle) * x + (1 - np.cos(angle)) * x @ x


def bulge(angle, radius):
    """Height of the cornea over the globe (mm) at an angle from the optical axis."""
    return CORNEA_BULGE_MM * np.maximum(0.0, 1 - (angle / (1.12 * IRIS_RADIUS_MM / radius)) ** 2) ** 1.2


def disc_uv(rings, sectors, radii):
    angle = np.arange(sectors) * 2 * np.pi / sectors
    return np.vstack([r * np.column_stack([np.cos(angle), np.sin(angle)]) for r in radii[:rings]])


def eyeball(centre, radius, left):
    """Rings around the optical axis, close together at the edges of pupil and limbus, front pole first."""
    iris, pupil = IRIS_RADIUS_MM / radius, PUPIL_RADIUS_MM / radius
    angles = [0.5 * pupil, 0.94 * pupil, 1.06 * pupil, 0.5 * (pupil + iris), 0.8 * iris, 0.965 * iris, 1.045 * iris,
              1.3 * iris, 0.66, 0.85, 1.05, 1.3, 1.6, 1.95, 2.35, 2.75]
    turn = np.arange(EYE_SECTORS) * 2 * np.pi / EYE_SECTORS
    direction = 1.0 if left else -1.0                     # mirrored vertex by vertex
    points, kind = [[0, 0, 1.0 + CORNEA_BULGE_MM / radius]], [0]
    for a in angles:
        r = 1 + bulge(a, radius) / radius
        points += [[direction * r * np.sin(a) * np.cos(t), r * np.sin(a) * np.sin(t), r * np.cos(a)] for t in turn]
        kind += [0 if a < pupil else 1 if a < iris else 2] * EYE_SECTORS
    points += [[0, 0, -1.0]]
    kind += [2]
    n, s = len(angles), EYE_SECTORS
    ring = lambda i: 1 + i * s
    tri = [(0, ring(0) + k, ring(0) + (k + 1) % s) for k in range(s)]
    for i in range(n - 1):
        for k in range(s):
            a, b, c, d = ring(i) + k, ring(i) + (k + 1) % s, ring(i + 1) + k, ring(i + 1) + (k + 1) % s
            tri += [(a, c, b), (b, c, d)]
    last = len(points) - 1
    tri += [(ring(n - 1) + (k + 1) % s, ring(n - 1) + k, last) for k in range(s)]
    tri = np.array(tri)
    uv_radius = np.array(angles) / np.pi
    uv = np.vstack([[[0, 0]], disc_uv(n, s, uv_radius)])
    back = np.column_stack([np.cos(turn + np.pi / s), np.sin(turn + np.pi / s)])    # one back pole per sector
    uv_tri = tri.copy()
    uv_tri[-s:, 2] = len(uv) + np.arange(s)
    uv = np.vstack([uv, back])
    if not left:
        tri, uv_tri = tri[:, [0, 2, 1]], uv_tri[:, [0, 2, 1]]
        uv = uv * [-1, 1]
    unit = np.array(points)
    return {"unit": unit, "mean": centre + radius * unit, "triangles": tri, "uv": uv, "uv_triangles": uv_tri,
            "kind": np.array(kind)}


def eyeball_fields(part, radius, shift, pole_shift, rotations=None):
    """shift, pole_shift: k×3 displacements of the centre and the front pole."""
    growth = (pole_shift - shift)[:, 2]
    out = shift[:, None] + growth[:, None, None] * part["unit"][None]
    if rotations is not None:
        out += radius * np.stack([part["unit"] @ rotation_matrix(w).T - part["unit"] for w in rotations])
    return out


def socket(loop, centre, radius):
    """A cup behind the eyeball, from the inner lid rim's loop (n×3) to its back; `loop` itself is not repeated."""
    n = len(loop)
    direction = (loop - centre) / np.linalg.norm(loop - centre, axis=1)[:, None]
    back = np.array([0, 0, -1.0])
    points, share = [], []
    for f, s in ((0.22, 0.75), (0.5, 0.35), (0.78, 0.0)):
        d = direction * (1 - f) + back * f * 1.0
        side = direction * [1, 1, 0]
        d = d + 0.6 * np.sin(np.pi * f) * side / np.linalg.norm(side, axis=1)[:, None]
        d /= np.linalg.norm(d, axis=1)[:, None]
        points.append(centre + (radius + 1.2) * d)
        share += [s] * n
    points = np.vstack(points + [[centre + (radius + 1.2) * back]])
    return points, np.array(share + [0.0])


def cup_triangles(loop_indices, first, rings, n, reverse=False, mirrored=False):
    """Rings `first + r n`, closed by one last vertex, joined to the loop of n existing vertices."""
    tri = []
    previous = list(loop_indices)
    for r in range(rings):
        ring = [first + r * n + k for k in range(n)]
        for k in range(n):
            j = (k + 1) % n
            if mirrored and k >= n // 2:                     # the loop runs down the other side
                tri += [(previous[k], previous[j], ring[j]), (previous[k], ring[j], ring[k])]
            else:
                tri += [(previous[k], previous[j], ring[k]), (previous[j], ring[j], ring[k])]
        previous = ring
    tip = first + rings * n
    tri += [(previous[k], previous[(k + 1) % n], tip) for k in range(n)]
    tri = np.array(tri)
    return tri[:, [0, 2, 1]] if reverse else tri


def mouth_bag(arc):
    """arc: per loop vertex the angle (-90° lower midline, 0 corner, +90° upper midline) and side (+1 left, -1 right)."""
    angle, side = arc
    points, share = [], []
    for w, h, z_mid, z_side, s in BAG_RINGS:
        c, y = np.abs(np.cos(angle)), np.sin(angle)
        # squarer than an ellipse, so that the dental arches fit inside
        p = np.column_stack([side * w * c ** 0.8, BAG_CENTRE_Y + h * np.sign(y) * np.abs(y) ** 0.8,
                             z_mid + (z_side - z_mid) * c ** 2])
        points.append(p)
        share += [s] * len(angle)
    last = BAG_RINGS[-1]
    points = np.vstack(points + [[[0, BAG_CENTRE_Y, last[2] - 4]]])
    return points, np.array(share + [0.0])


def arch(points, widths, upward):
    """A dental arch along `points` (7 incisal points, right to left); returns part, and which vertices are enamel."""
    sign = 1.0 if upward else -1.0
    from scipy.interpolate import CubicSpline
    points = points * [ARCH_SHRINK, 1, 1] - [0, 0, ARCH_BACK_MM]
    t = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    spline = CubicSpline(t, points)
    dense_t = np.linspace(0, t[-1], 2001)
    dense = spline(dense_t)
    dense[:, 1] = np.interp(dense_t, t, points[:, 1])
    arc = np.r_[0, np.cumsum(np.linalg.norm(np.diff(dense, axis=0), axis=1))]
    half = np.cumsum(widths)
    half = half * (arc[-1] / 2 / half[-1])               # the widths' proportions, on the measured arch
    edges = np.r_[-half[::-1], 0, half] + arc[-1] / 2
    at, groove = [], []
    for a, b in zip(edges, edges[1:]):
        for f, g in ((0.0, 1.0), (0.14, 0.25), (0.5, 0.0), (0.86, 0.25)):
            at.append(a + f * (b - a))
            groove.append(g)
    at.append(edges[-1])
    groove.append(1.0)
    at, groove = np.array(at), np.array(groove)
    s = np.interp(at, arc, dense_t)
    base = np.column_stack([np.interp(s, dense_t, dense[:, k]) for k in range(3)])
    base[:, 0] = 0.5 * (base[:, 0] - base[::-1, 0])      # exact symmetry
    base[:, 1:] = 0.5 * (base[:, 1:] + base[::-1, 1:])
    tangent = np.gradient(base, axis=0) * [1, 0, 1]
    for _ in range(2):
        tangent = np.vstack([tangent[:1], 0.25 * tangent[:-2] + 0.5 * tangent[1:-1] + 0.25 * tangent[2:], tangent[-1:]])
    tangent /= np.linalg.norm(tangent, axis=1)[:, None]
    out = np.cross(tangent, [0, 1, 0])                   # right to left, up: outwards is +z in the middle
    out *= np.sign(out[len(out) // 2, 2])
    n, m = len(base), len(SECTION)
    vertices, enamel = [], []
    for i in range(n):
        for (o, v), tooth in zip(SECTION, SECTION_TOOTH):
            o2 = o - (0.75 * groove[i] if tooth and o > -1.5 else 0.0)
            v2 = v + (0.7 * groove[i] if tooth and v < 1.5 else 0.0)
            vertices.append(base[i] + o2 * out[i] + [0, sign * v2, 0])
            enamel.append(tooth)
    tri, uv, uv_tri = [], [], []
    for i in range(n):
        for k in range(m + 1):
            uv.append((at[i] / arc[-1], k / m))
    for i in range(n - 1):
        for k in range(m):
            a, b = i * m + k, i * m + (k + 1) % m
            c, d = a + m, b + m if (k + 1) < m else (i + 1) * m
            ua, ub, uc, ud = i * (m + 1) + k, i * (m + 1) + k + 1, (i + 1) * (m + 1) + k, (i + 1) * (m + 1) + k + 1
            if (i < (n - 1) // 2):                       # mirrored diagonals
                tri += [(a, c, b), (b, c, d)]
                uv_tri += [(ua, uc, ub), (ub, uc, ud)]
            else:
                tri += [(a, c, d), (a, d, b)]
                uv_tri += [(ua, uc, ud), (ua, ud, ub)]
    for end, i in ((0, 0), (1, n - 1)):                  # caps
        centre = len(vertices)
        vertices.append(np.mean([vertices[i * m + k] for k in range(m)], 0))
        enamel.append(True)
        u0 = len(uv)
        x = -0.02 if end == 0 else 1.02
        uv.append((x - 0.02 if end == 0 else x + 0.02, 0.5))
        uv += [(x if k in (0, m) else x, k / m) for k in range(m + 1)]
        for k in range(m):
            a, b = i * m + k, i * m + (k + 1) % m
            t3, u3 = (a, b, centre), (u0 + 1 + k, u0 + 2 + k, u0)
            if end:
                t3, u3 = (b, a, centre), (u0 + 2 + k, u0 + 1 + k, u0)
            tri.append(t3)
            uv_tri.append(u3)
    vertices, tri = np.array(vertices), np.array(tri)
    uv, uv_tri = np.array(uv), np.array(uv_tri)
    # outward orientation by signed volume
    a, b, c = (vertices[tri[:, k]] for k in range(3))
    if np.einsum("ij,ij->i", a, np.cross(b, c)).sum() < 0:
        tri, uv_tri = tri[:, [0, 2, 1]], uv_tri[:, [0, 2, 1]]
    a, b, c = (uv[uv_tri[:, k]] for k in range(3))
    if np.cross(b - a, c - a).sum() < 0:
        uv = uv * [-1, 1]
    mirror = np.array([(n - 1 - i) * m + k for i in range(n) for k in range(m)] + [n * m + 1, n * m])
    station = np.r_[np.repeat(s, m), s[0], s[-1]] / t[-1] * (len(points) - 1)
    # station: position along the 7 measured points, for interpolating their displacements
    station = np.interp(np.r_[np.repeat(s, m), s[0], s[-1]], t, np.arange(len(points)))
    return {"mean": vertices, "triangles": tri, "uv": uv, "uv_triangles": uv_tri, "enamel": np.array(enamel),
            "mirror": mirror, "station": station, "points": points}


def small_motion(points, displacements):
    """Least-squares b + w × (p - c) of each field (k×m×3): (c, b k×3, w k×3)."""
    c = points.mean(0)
    q = points - c
    a = np.zeros((len(q), 3, 6))
    a[:, :, :3] = np.eye(3)
    for i, (x, y, z) in enumerate(q):                    # w × q = -[q]× w
        a[i, :, 3:] = [[0, z, -y], [-z, 0, x], [y, -x, 0]]
    x = np.linalg.lstsq(a.reshape(-1, 6), displacements.reshape(len(displacements), -1).T, rcond=None)[0].T
    return c, x[:, :3], x[:, 3:]


def arch_fields(part, displacements):
    """Displacements (k×7×3) of the measured arch points carried to the arch: interpolated, plus the turn of its body."""
    i = np.clip(part["station"].astype(int), 0, len(part["points"]) - 2)
    f = (part["station"] - i)[None, :, None]
    base = (1 - f) * displacements[:, i] + f * displacements[:, i + 1]
    at = (1 - f[0]) * part["points"][i] + f[0] * part["points"][i + 1]
    _, _, w = small_motion(part["points"], displacements)
    return base + np.cross(w[:, None], (part["mean"] - at)[None])
