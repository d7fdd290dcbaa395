"""Face crops: the canonical square around 68 landmarks, and the randomly misplaced ones that training sees.

fitting/landmark_regressor.cpp (cropFromLandmarks) and crop_warp.cpp do the same; change them together.
"""
import math
from dataclasses import dataclass

import cv2
import numpy as np

CROP_OVER_BOX = 1.35   # side of the crop over the larger side of the landmarks' bounding box


@dataclass
class FaceCrop:
    center_px: np.ndarray   # 2
    side_px: float
    roll_rad: float         # positive: the face's up axis leans to the image's right


def face_roll(landmarks68):
    """In-plane rotation from the eyes' line and the eyes-mouth line, so that it also holds in profile."""
    right_eye, left_eye = landmarks68[36:42].mean(0), landmarks68[42:48].mean(0)
    down = landmarks68[48:68].mean(0) - (right_eye + left_eye) / 2
    across = (left_eye - right_eye) + np.array([down[1], -down[0]])
    return math.atan2(across[1], across[0])


def crop_from_landmarks(landmarks68):
    roll = face_roll(landmarks68)
    c, s = math.cos(roll), math.sin(roll)
    image_from_level = np.array([[c, -s], [s, c]])
    level = landmarks68 @ image_from_level          # = (image_from_level^T p) for each row p
    low, high = level.min(0), level.max(0)
    return FaceCrop(image_from_level @ ((low + high) / 2), CROP_OVER_BOX * float((high - low).max()), roll)


def image_from_crop(crop, input_px, mirror=False):
    """2 x 3 affine from crop pixels (first pixel's centre at 0.5) to image pixels; mirror flips the crop left to right."""
    scale = crop.side_px / input_px
    c, s = scale * math.cos(crop.roll_rad), scale * math.sin(crop.roll_rad)
    linear = np.array([[c, -s], [s, c]])
    if mirror:
        linear = linear @ np.diag([-1.0, 1.0])
    half = input_px / 2
    return np.hstack([linear, (crop.center_px - linear @ [half, half])[:, None]])


def warp(image, affine, output_px, border_mode, border_value=(0, 0, 0), interpolation=cv2.INTER_LINEAR):
    """Samples a square through the affine image_from_crop; both sides have pixel centres at +0.5."""
    m = affine.copy()
    m[:, 2] += affine[:, :2] @ [0.5, 0.5] - 0.5      # OpenCV puts the first pixel's centre at 0
    return cv2.warpAffine(image, m, (output_px, output_px), flags=interpolation | cv2.WARP_INVERSE_MAP,
                          borderMode=border_mode, borderValue=border_value)


def invert_affine(affine):
    inverse = np.linalg.inv(affine[:, :2])
    return np.hstack([inverse, -(inverse @ affine[:, 2])[:, None]])


def apply_affine(affine, points):
    return points @ affine[:, :2].T + affine[:, 2]


def random_face_crop(canonical, rng):
    """A crop the network must read. More than half are close to canonical, as in the last refinement; a few are far off."""
    kind = rng.random()
    if kind < 0.55:
        roll, log_scale, shift = math.radians(10), 0.08, 0.05
    elif kind < 0.92:
        roll, log_scale, shift = math.radians(35), 0.25, 0.12
    else:
        roll, log_scale, shift = math.radians(60), 0.36, 0.18
    side = canonical.side_px * math.exp(rng.uniform(-log_scale, log_scale))
    offset = rng.uniform(-shift, shift, 2) * side
    return FaceCrop(canonical.center_px + offset, side, canonical.roll_rad + rng.uniform(-roll, roll))


def random_wrong_crop(canonical, rng):
    """A crop of the same picture that must be rejected: beside the face, inside it, or upside down."""
    kind = rng.random()
    side, roll, offset = canonical.side_px, canonical.roll_rad + rng.uniform(-0.6, 0.6), np.zeros(2)
    if kind < 0.5:
        side *= rng.uniform(0.6, 1.2)
        angle, distance = rng.uniform(0, 2 * math.pi), rng.uniform(0.45, 0.8) * side
        offset = distance * np.array([math.cos(angle), math.sin(angle)])
    elif kind < 0.8:
        side *= rng.uniform(0.2, 0.45)
        offset = rng.uniform(-0.3, 0.3, 2) * canonical.side_px
    else:
        roll = canonical.roll_rad + math.pi + rng.uniform(-1.2, 1.2)
    return FaceCrop(canonical.center_px + offset, side, roll)
