"""Mean albedo and albedo modes of the built-in head, per vertex, linear RGB, from published facts of skin colour.

Skin: melanin absorbs as λ^-3.33 (Jacques, "Origins of tissue optical properties in the UVA, visible, and NIR regions",
1996); at about 610, 550 and 465 nm that is 1 : 1.41 : 2.47. Blood absorbs most in green, less in blue, little in red
(Prahl, tabulated molar extinction of haemoglobin). The five regions of redness (lips, cheeks, nose, ears, lids) and the colour
zones of a male face (golden forehead, red middle, grey jaw) are what portrait painters teach. All modes are one standard
deviation, linear, about the mean.
"""
import numpy as np

SKIN_SRGB = (203, 156, 131)          # a light to medium skin (Fitzpatrick III), the middle of the modes' range
LIPS_SRGB = (176, 98, 92)
BROW_SRGB = (84, 62, 50)
SCALP_SRGB = (176, 137, 116)
IRIS_SRGB = (96, 74, 52)
SCLERA_SRGB = (226, 218, 212)
PUPIL_SRGB = (12, 10, 10)
MOUTH_SRGB = (116, 52, 50)
GUM_SRGB = (186, 104, 102)
TOOTH_SRGB = (226, 216, 196)
MELANIN = np.array([1.0, 1.41, 2.47]) / 2.47
BLOOD = np.array([0.10, 1.0, 0.72])


def linear(srgb):
    c = np.array(srgb, float) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def bump(distance, width):
    return np.exp(-0.5 * (distance / width) ** 2)


def polyline_distance(p, line):
    best = np.full(len(p), np.inf)
    for a, b in zip(line, line[1:]):
        t = np.clip(((p - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)
        best = np.minimum(best, np.linalg.norm(p - a - t[:, None] * (b - a), axis=1))
    return best


def ramp(x, a, b):
    t = np.clip((x - a) / (b - a), 0, 1)
    return t * t * (3 - 2 * t)


def noise(points, wavelength, seed):
    """Smooth symmetric-free noise with unit deviation: a sum of random plane waves."""
    random = np.random.default_rng(seed)
    k = random.standard_normal((48, 3)) * 2 * np.pi / wavelength / np.sqrt(3)
    phase = random.uniform(0, 2 * np.pi, 48)
    return np.sqrt(2 / 48) * np.cos(points @ k.T + phase).sum(1)


def build(points, landmarks, masks):
    """points V×3 (mean, mm), landmarks 68×3, masks: dict of V weights/flags. Returns mean (V×3), names, modes (A×V×3)."""
    v = len(points)
    skin = masks["skin"].astype(float)
    lip = masks["lip"]
    p, x = points, np.abs(points[:, 0])
    mirrored = np.column_stack([x, p[:, 1], p[:, 2]])
    left = lambda i: landmarks[i] * [np.sign(landmarks[i][0]) or 1, 1, 1]
    brow_line = np.array([landmarks[i] for i in range(22, 27)])
    d_brow = polyline_distance(mirrored - [0, -0.5, 0], brow_line)
    along = np.clip((x - brow_line[0, 0]) / (brow_line[-1, 0] - brow_line[0, 0]), 0, 1)
    brow_width = 4.3 * (1 - 0.55 * along)
    brow = skin * ramp(d_brow, brow_width + 1.8, brow_width - 2.2)
    brow_wide = skin * ramp(d_brow, brow_width + 4.5, brow_width - 0.5) - brow
    eye = landmarks[42:48].mean(0)
    cheek = np.array([46.0, eye[1] - 36, 82.0])
    nose_tip, chin = landmarks[30], landmarks[8]
    mouth = landmarks[[48, 54]].mean(0)
    z_front = ramp(p[:, 2], 20, 60)
    cheeks = skin * bump(np.linalg.norm((mirrored - cheek) / [1, 0.9, 1.6], axis=1), 17)
    nose = skin * bump(np.linalg.norm((mirrored - nose_tip - [0, -2, -3]) / [1.0, 1.0, 1.2], axis=1), 12)
    ears = skin * masks["ear"]
    forehead = skin * ramp(p[:, 1], eye[1] + 18, eye[1] + 38) * z_front * ramp(p[:, 1], 118, 92)
    jaw_beard = ramp(polyline_distance(mirrored, np.array([left(i) for i in (8, 9, 10, 11, 12, 13, 14)])), 26, 8)
    moustache = bump(np.linalg.norm((mirrored - np.array([9.0, (nose_tip[1] + mouth[1]) / 2 - 5, 110])) / [1.8, 0.75, 2], axis=1), 9)
    beard = skin * np.clip(jaw_beard + moustache * 1.1 + bump(np.linalg.norm((mirrored - chin - [0, 14, 0]) / [1.3, 1, 1], axis=1), 13),
                           0, 1) * (1 - lip) * ramp(p[:, 2], 10, 40) * ramp(p[:, 1], -100, -84)
    lower_lid = np.array([landmarks[i] for i in (42, 47, 46, 45)]) + [0, -6.5, 0]
    under_eye = skin * bump(polyline_distance(mirrored, lower_lid), 5.0)
    lid_ring = polyline_distance(mirrored, np.array([landmarks[i] for i in (42, 43, 44, 45, 46, 47, 42)]))
    lids = skin * bump(lid_ring, 5.0)
    lash = skin * bump(lid_ring, 0.9) * z_front
    upper_lid = skin * bump(polyline_distance(mirrored, np.array([landmarks[i] for i in (42, 43, 44, 45)]) + [0, 5, 0]), 4.5)
    fold_line = np.array([[landmarks[35][0] + 4, landmarks[35][1] + 6, landmarks[35][2] - 3],
                          [landmarks[54][0] + 9, landmarks[54][1] + 3, landmarks[54][2] - 3]])
    fold = skin * bump(polyline_distance(mirrored, fold_line), 4.0)
    # Where hair grows: above and behind a hairline over the temples.
    hairline = p[:, 1] - np.interp(p[:, 2], [-60, -25, 10, 40, 62, 85, 110], [-48, -30, 28, 52, 78, 92, 94])
    scalp = skin * ramp(hairline, -9, 14) * (1 - ears)
    neck = skin * ramp(p[:, 1], -78, -95)
    t_zone = skin * np.clip(forehead * bump(x, 24) + bump(np.linalg.norm((mirrored - landmarks[28]) / [1, 2.2, 2], axis=1), 10), 0, 1)

    base = linear(SKIN_SRGB)
    mean = np.tile(base, (v, 1))
    blood = lambda strength: np.exp(-strength[:, None] * BLOOD)
    pigment = lambda strength: np.exp(-strength[:, None] * MELANIN)
    mean *= blood(0.15 * cheeks + 0.16 * nose + 0.20 * ears + 0.12 * lids)
    mean *= pigment(0.10 * under_eye + 0.16 * lids + 0.10 * fold - 0.05 * t_zone + 0.10 * neck + 0.03 * skin * noise(p, 22, 3))
    mean *= blood(0.05 * skin * noise(p, 30, 5))
    mix = lambda a, colour, w: a * (1 - w[:, None]) + linear(colour) * w[:, None]
    mean = mix(mean, SCALP_SRGB, 0.40 * scalp)
    mean = mix(mean, LIPS_SRGB, 0.92 * lip)
    mean = mix(mean, BROW_SRGB, 0.78 * brow)
    mean = mix(mean, BROW_SRGB, 0.55 * lash)
    mean *= np.exp(-2.2 * (masks["nostril"] * skin))[:, None]
    symmetric = masks["symmetry"]
    mean[masks["mouth"]] = linear(MOUTH_SRGB)
    mean[masks["socket"]] = linear((150, 84, 78))
    mean[masks["gum"]] = linear(GUM_SRGB)
    mean[masks["tooth"]] = linear(TOOTH_SRGB)
    eye_kind, axis = masks["eye_kind"], masks["eye_angle"]      # -1 none, 0 pupil, 1 iris, 2 sclera; angle/iris angle
    ball = eye_kind >= 0
    mean[eye_kind == 0] = linear(PUPIL_SRGB)
    iris = eye_kind == 1
    ring = axis[iris]
    mean[iris] = linear(IRIS_SRGB) * (1.35 - 0.95 * ramp(ring, 0.70, 1.0))[:, None]
    sclera = eye_kind == 2
    mean[sclera] = linear(SCLERA_SRGB) * blood(0.35 * ramp(axis[sclera], 1.3, 3.0))
    mean = 0.5 * (mean + mean[symmetric])

    names, modes = [], []

    def mode(name, change):
        change = np.asarray(change)
        names.append(name)
        modes.append(0.5 * (change + change[symmetric]) if not name.endswith("asymmetric") else change)

    s = skin[:, None]
    soft = np.where(ball | masks["tooth"], 0.0, 1.0)[:, None]
    mode("melanin", -mean * np.array([0.36, 0.38, 0.395]) * np.maximum(s, 0.45 * soft))
    mode("haemoglobin", -mean * BLOOD * 0.06 * s)
    mode("carotene", mean * np.array([0.02, 0.0, -0.08]) * s)
    mode("lightness", mean * 0.05 * np.maximum(s, 0.3))
    mode("lip_redness", mean * np.array([0.03, -0.15, -0.11]) * lip[:, None])
    mode("lip_lightness", mean * np.array([0.15, 0.16, 0.16]) * lip[:, None])
    mode("lip_likeness", (base - mean) * 0.45 * lip[:, None])
    mode("brow_darkness", (linear((40, 30, 26)) - base) * 0.28 * brow[:, None])
    mode("brow_width", (linear(BROW_SRGB) - base) * 0.35 * brow_wide[:, None])
    mode("brow_warmth", mean * np.array([0.22, 0.05, -0.08]) * brow[:, None])
    mode("beard_shadow", (linear((112, 98, 92)) - base) * 0.30 * beard[:, None])
    mode("moustache", (linear((92, 76, 68)) - base) * 0.24 * (skin * moustache * (1 - lip))[:, None])
    mode("cheek_flush", -mean * BLOOD * 0.17 * cheeks[:, None])
    mode("nose_flush", -mean * BLOOD * 0.15 * nose[:, None])
    mode("ear_flush", -mean * BLOOD * 0.18 * ears[:, None])
    mode("forehead_tan", -mean * MELANIN * 0.12 * forehead[:, None])
    mode("under_eye_shadow", -mean * np.array([0.22, 0.24, 0.16]) * under_eye[:, None])
    mode("lid_shade", -mean * np.array([0.20, 0.24, 0.22]) * upper_lid[:, None])
    mode("lash_line", (linear((30, 22, 20)) - mean) * 0.45 * lash[:, None])
    mode("t_zone_lightness", mean * np.array([0.09, 0.10, 0.10]) * t_zone[:, None])
    mode("nasolabial_shade", -mean * np.array([0.10, 0.15, 0.14]) * fold[:, None])
    freckle_zone = np.clip(1.2 * cheeks + nose + 0.35 * forehead, 0, 1)
    mode("freckles", -mean * MELANIN * 0.10 * (freckle_zone * np.maximum(noise(p, 7, 11) - 0.5, 0))[:, None])
    mode("age_spots", -mean * MELANIN * 0.09 * (skin * np.maximum(noise(p, 15, 12) - 1.0, 0))[:, None])
    mode("mottle_asymmetric", -mean * BLOOD * 0.022 * (skin * noise(p, 26, 13))[:, None])
    mode("patches_asymmetric", mean * 0.025 * (skin * noise(p, 60, 14))[:, None])
    mode("neck_tan", -mean * MELANIN * 0.20 * neck[:, None])
    mode("hair_shadow", (linear((70, 58, 52)) - mean) * 0.20 * scalp[:, None])
    mode("iris_brown_to_blue", np.where(iris[:, None], mean * np.array([-0.05, 0.35, 1.3]), 0.0))
    mode("iris_lightness", np.where(iris[:, None], mean * 0.40, 0.0))
    mode("sclera_yellow", np.where(sclera[:, None], mean * np.array([-0.02, -0.06, -0.16]), 0.0))
    mode("teeth_yellow", np.where(masks["tooth"][:, None], mean * np.array([-0.02, -0.06, -0.18]), 0.0))
    return np.clip(mean, 0.003, 0.97), names, np.array(modes)
