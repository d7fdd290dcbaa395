"""Samples for the face network: a drawn shard image, cropped, mirrored, degraded, with what the network shall say of it."""
import glob
import os

import cv2
import numpy as np
import torch

import augment
import crops
from face_network import INPUT_PX, NUM_ALBEDO, NUM_EXPRESSION, NUM_IDENTITY, NUM_LIGHT, NUM_POSE

WRONG_CROP_SHARE = 0.08     # of the faces: cropped so wrongly that the answer is "no face"
DEGRADED_SHARE = 0.7        # of the faces; the rest stays as clear as a good photo
BACKGROUND_SHARE = 0.05     # of all samples, when there are background pictures
HIDDEN_WEIGHT = 0.3         # of points that cannot be seen, relative to visible ones
MIRROR = np.diag([-1.0, 1.0, 1.0])
CAMERA_FROM_UPRIGHT = np.diag([1.0, -1.0, -1.0])   # a head that looks straight into the camera
FACE_CENTRE = np.array([0.0, 20.0, 60.0])          # mm in the model's frame, whose view ray the pose is relative to


def irradiance_basis(normals):
    """N x 9 as SphericalHarmonicsLight::basis()."""
    x, y, z = normals.T
    a0, a1, a2 = 1.0, 2 / 3, 1 / 4
    return np.stack([a0 * 0.282095 * np.ones_like(x), a1 * 0.488603 * y, a1 * 0.488603 * z, a1 * 0.488603 * x,
                     a2 * 1.092548 * x * y, a2 * 1.092548 * y * z, a2 * 0.315392 * (3 * z * z - 1),
                     a2 * 1.092548 * x * z, a2 * 0.546274 * (x * x - y * y)], 1)


_DIRECTIONS = np.array([[np.cos(g) * np.sqrt(1 - z * z), np.sin(g) * np.sqrt(1 - z * z), z]
                        for g, z in zip(np.arange(64) * 2.399963, np.linspace(-0.984, 0.984, 64))])
_BASIS = irradiance_basis(_DIRECTIONS)
_FIT = np.linalg.pinv(_BASIS)


def turned_light(light, new_from_old):
    """27 coefficients (9 x RGB) of the same light in a frame that is turned or mirrored (orthogonal 3 x 3)."""
    return (_FIT @ (irradiance_basis(_DIRECTIONS @ new_from_old) @ light.reshape(9, 3))).reshape(-1)


def nearest_rotation(matrix):
    u, _, v = np.linalg.svd(matrix)
    return u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v


def pose_in_crop(camera_from_model, intrinsics, crop_from_image, crop_roll, mirror):
    """9 numbers, see FaceNet. The head is turned as its own view ray shows it, so that where it stands in the photo plays no part."""
    rotation, translation = camera_from_model[:3, :3].astype(float), camera_from_model[:3, 3].astype(float)
    centre = rotation @ FACE_CENTRE + translation
    ray = centre / np.linalg.norm(centre)
    axis = np.cross(ray, [0, 0, 1.0])
    turn, _ = cv2.Rodrigues(axis / max(1e-9, np.linalg.norm(axis)) * np.arccos(np.clip(ray[2], -1, 1)))
    c, s = np.cos(-crop_roll), np.sin(-crop_roll)
    upright = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    relative = upright @ turn @ rotation @ CAMERA_FROM_UPRIGHT.T      # identity: looks into the camera, upright
    pixel = (intrinsics @ centre)[:2] / centre[2]
    origin = crop_from_image[:, :2] @ pixel + crop_from_image[:, 2]
    side_per_px = np.sqrt(abs(np.linalg.det(crop_from_image[:, :2])))
    scale = intrinsics[0, 0] * 1000 / centre[2] * side_per_px / INPUT_PX      # crop sides per metre at the face
    if mirror:
        relative = MIRROR @ relative @ MIRROR
    return np.concatenate([relative[:, :2].T.reshape(-1), origin / INPUT_PX - 0.5, [np.log(scale)]])


class FaceSampleMaker:
    def __init__(self, folder, layout, target, seed, backgrounds=None):
        cv2.setNumThreads(1)
        self.target = target
        self.folder = folder
        self.layout = layout
        self.rng = np.random.default_rng(seed)
        self.pool = augment.NoisePool(self.rng)
        self.backgrounds = backgrounds or []

    def face_sample(self, shard, index, plain=False):
        """(image, points in crop fractions P x 2, weights P, is a face, what `FaceTask` needs of the coefficients; NaN = not known).

        `plain`: canonical crop, nothing degraded.
        """
        rng = self.rng
        photo = shard.images[index]
        landmarks, visible = shard.landmarks[index], shard.visible[index]
        is_face = bool(shard.has_face[index])
        size = photo.shape[0]
        if is_face:
            canonical = crops.crop_from_landmarks(landmarks[:68])
        else:
            canonical = crops.FaceCrop(np.array([size / 2, size / 2]), size * 0.75, 0.0)
        wrong = is_face and not plain and rng.random() < WRONG_CROP_SHARE
        crop = canonical if plain else (crops.random_wrong_crop if wrong else crops.random_face_crop)(canonical, rng)
        mirror = not plain and rng.random() < 0.5
        affine = crops.image_from_crop(crop, INPUT_PX, mirror)
        border = cv2.BORDER_REPLICATE if plain else augment.BORDER_MODES[rng.integers(3)]
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        source, m = np.ascontiguousarray(photo), affine
        if crop.side_px > 1.5 * INPUT_PX:   # as crop_warp.cpp does: area averaging before sampling
            shrink = INPUT_PX / crop.side_px
            side = max(1, int(round(size * shrink)))
            source, m = cv2.resize(source, (side, side), interpolation=cv2.INTER_AREA), affine * (side / size)
        image = crops.warp(source, m, INPUT_PX, border, colour)

        crop_from_image = crops.invert_affine(affine)
        points_px = crops.apply_affine(crop_from_image, landmarks)
        if mirror:
            points_px, visible = points_px[self.layout.mirror], visible[self.layout.mirror]
        inside = ((points_px >= 0) & (points_px < INPUT_PX)).all(1)
        seen = visible & inside
        recoloured = False
        if not plain:
            if rng.random() < 0.25:
                other_shard, other = self.folder.draw(rng)
                image, covered = augment.occluder(image, other_shard.images[other][:INPUT_PX, :INPUT_PX], rng)
                x, y = np.clip(points_px, 0, INPUT_PX - 1).astype(int).T
                seen = seen & ~covered[y, x]
            face_px = INPUT_PX * canonical.side_px / (crops.CROP_OVER_BOX * crop.side_px)
            if rng.random() < DEGRADED_SHARE:
                image = augment.degrade(image, face_px, self.pool, rng)
                recoloured = True
        is_face = is_face and not wrong
        weights = np.where(seen, 1.0, HIDDEN_WEIGHT) * is_face
        values = self.coefficients(shard, index, affine, crop, mirror, recoloured) if is_face else self.nothing_known()
        return image, points_px / INPUT_PX - 0.5, weights.astype(np.float32), is_face, values

    def nothing_known(self):
        return np.full(NUM_IDENTITY + NUM_EXPRESSION + NUM_ALBEDO + NUM_LIGHT + NUM_POSE, np.nan)

    def coefficients(self, shard, index, image_from_crop, crop, mirror, recoloured):
        """identity | expression | albedo | light | pose"""
        # Modes of identity and albedo are symmetric or turn their sign with the mirrored face; expressions change sides.
        identity = (self.target.identity(shard.identity[index]) if shard.identity is not None
                    else np.full(NUM_IDENTITY, np.nan))
        expression = (self.target.expression(shard.expression[index]) if shard.expression is not None
                      else np.full(NUM_EXPRESSION, np.nan))
        if mirror:
            identity = identity * self.target.identity_mirror
            expression = expression[self.target.expression_mirror]
        albedo, light = np.full(NUM_ALBEDO, np.nan), np.full(NUM_LIGHT, np.nan)
        if shard.light is not None and not recoloured:   # changed colours no longer tell the light's
            albedo = self.target.albedo(shard.dense_albedo[index]) * (self.target.albedo_mirror if mirror else 1)
            c, s = np.cos(-crop.roll_rad), np.sin(-crop.roll_rad)
            turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
            light = turned_light(shard.light[index], (MIRROR if mirror else np.eye(3)) @ turn)
        pose = np.full(NUM_POSE, np.nan)
        if shard.intrinsics is not None:
            pose = pose_in_crop(shard.camera_from_model[index], shard.intrinsics[index], crops.invert_affine(image_from_crop),
                                crop.roll_rad, mirror)
        return np.concatenate([identity, expression, albedo, light, pose])

    def background_sample(self):
        rng = self.rng
        picture = self.backgrounds[rng.integers(len(self.backgrounds))]
        height, width = picture.shape[:2]
        side = np.exp(rng.uniform(np.log(40), np.log(min(height, width))))
        crop = crops.FaceCrop(rng.uniform(0, 1, 2) * [width, height], side, rng.uniform(-np.pi, np.pi))
        image = crops.warp(picture, crops.image_from_crop(crop, INPUT_PX, rng.random() < 0.5), INPUT_PX,
                           augment.BORDER_MODES[rng.integers(3)],
                           interpolation=cv2.INTER_AREA if side > 2 * INPUT_PX else cv2.INTER_LINEAR)
        image = augment.degrade(image, 80, self.pool, rng)
        nothing = np.zeros((self.layout.num_points, 2), np.float32)
        return image, nothing, nothing[:, 0], False, self.nothing_known()

    def batch(self, count):
        rows = []
        for _ in range(count):
            if self.backgrounds and self.rng.random() < BACKGROUND_SHARE:
                rows.append(self.background_sample())
            else:
                rows.append(self.face_sample(*self.folder.draw(self.rng)))
        return collate(rows)


def collate(rows):
    images = torch.from_numpy(np.stack([r[0] for r in rows]))   # N x H x W x 3: the layout the network runs fastest in
    return (images.permute(0, 3, 1, 2).float(), torch.from_numpy(np.stack([r[1] for r in rows]).astype(np.float32)),
            torch.from_numpy(np.stack([r[2] for r in rows])), torch.tensor([float(r[3]) for r in rows]),
            torch.from_numpy(np.stack([r[4] for r in rows]).astype(np.float32)))


def read_pictures(folder):
    """RGB pictures of a folder; none without a folder."""
    if not folder:
        return []
    pictures = [cv2.imread(p) for p in sorted(glob.glob(os.path.join(folder, "*")))]
    pictures = [np.ascontiguousarray(p[:, :, ::-1]) for p in pictures if p is not None]
    if not pictures:
        raise SystemExit(f"{folder} holds no pictures; give a folder of photographs without faces with --backgrounds")
    return pictures
