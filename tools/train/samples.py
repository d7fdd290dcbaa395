"""Training samples: a drawn shard image, cropped, mirrored, degraded, with what the network shall say of it."""
import glob
import os

import cv2
import numpy as np
import torch

import augment
import crops
from identity_target import NUM_MODES
from network import INPUT_PX
from shards import ShardFolder

WRONG_CROP_SHARE = 0.08     # of the faces: cropped so wrongly that the answer is "no face"
DEGRADED_SHARE = 0.7        # of the faces; the rest stays as clear as a good photo
BACKGROUND_SHARE = 0.05     # of all samples, when there are background pictures
HIDDEN_WEIGHT = 0.3         # of points that cannot be seen, relative to visible ones


class SampleMaker:
    def __init__(self, folder, layout, identity_target, seed, backgrounds=None):
        cv2.setNumThreads(1)
        self.identity_target = identity_target
        self.folder = folder
        self.layout = layout
        self.rng = np.random.default_rng(seed)
        self.pool = augment.NoisePool(self.rng)
        self.backgrounds = backgrounds or []

    def face_sample(self, shard, index, plain=False):
        """(image, points in crop fractions P x 2, weights P, is a face, identity coefficients K or NaN).

        `plain`: canonical crop, nothing degraded.
        """
        rng = self.rng
        photo = shard.images[index]
        landmarks, visible, known = shard.landmarks[index], shard.visible[index], shard.known
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
        image = crops.warp(np.ascontiguousarray(photo), affine, INPUT_PX, border, colour)

        points_px = crops.apply_affine(crops.invert_affine(affine), landmarks)
        if mirror:
            points_px, visible, known = (a[self.layout.mirror] for a in (points_px, visible, known))
        inside = ((points_px >= 0) & (points_px < INPUT_PX)).all(1)
        seen = visible & inside
        if not plain:
            if rng.random() < 0.25:
                other_shard, other = self.folder.draw(rng)
                image, covered = augment.occluder(image, other_shard.images[other][:INPUT_PX, :INPUT_PX], rng)
                x, y = np.clip(points_px, 0, INPUT_PX - 1).astype(int).T
                seen = seen & ~covered[y, x]
            face_px = INPUT_PX * canonical.side_px / (crops.CROP_OVER_BOX * crop.side_px)
            if rng.random() < DEGRADED_SHARE:
                image = augment.degrade(image, face_px, self.pool, rng)
        is_face = is_face and not wrong
        weights = np.where(seen, 1.0, HIDDEN_WEIGHT) * known * is_face
        if is_face and shard.identity is not None:   # the modes are symmetric: the mirrored face has the same coefficients
            identity = self.identity_target(shard.identity[index])
        else:
            identity = np.full(NUM_MODES, np.nan)
        return image, points_px / INPUT_PX - 0.5, weights.astype(np.float32), is_face, identity

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
        return image, nothing, nothing[:, 0], False, np.full(NUM_MODES, np.nan)

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


class BatchStream(torch.utils.data.IterableDataset):
    """Endless batches; rescans the shard folder now and then."""

    def __init__(self, data, layout, identity_target, batch, seed, backgrounds, rescan_every=200):
        super().__init__()
        self.data, self.layout, self.identity_target, self.batch, self.seed = data, layout, identity_target, batch, seed
        self.backgrounds, self.rescan_every = backgrounds, rescan_every

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        folder = self.data if isinstance(self.data, ShardFolder) else ShardFolder(self.data)
        maker = SampleMaker(folder, self.layout, self.identity_target, [self.seed, worker.id if worker else 0],
                            self.backgrounds)
        step = 0
        while True:
            step += 1
            if step % self.rescan_every == 0:
                folder.rescan()
            yield maker.batch(self.batch)


def read_backgrounds(folder):
    if not folder:
        return []
    pictures = [cv2.imread(p) for p in sorted(glob.glob(os.path.join(folder, "*")))]
    return [np.ascontiguousarray(p[:, :, ::-1]) for p in pictures if p is not None]
