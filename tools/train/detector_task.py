"""The face detector's training, on collages of rendered faces."""

import cv2
import numpy as np
import torch

import augment
import crops
import onnx_file
from detector_network import INPUT_PX, SIDE_UNIT_PX, STRIDE_PX, DetectorNet
from face_samples import read_pictures
from shards import BatchStream, ShardFolder

CELLS = INPUT_PX // STRIDE_PX
SMALLEST_PX, LARGEST_PX = 16, 330      # side of a face's crop in the collage
MIN_VISIBLE = 0.4                      # of the 68 points, to count as a face that must be found
WEIGHTS = {"heat": 1.0, "place": 0.3, "side": 1.0, "roll": 0.3}


class CollageMaker:
    """Pictures with none to several faces pasted onto backgrounds: cut out along the hair and shoulders where the shard says how, else as
    squares with soft or hard edges; pieces without faces are pasted the same way, so that an edge says nothing."""

    def __init__(self, folder, pictures, seed):
        cv2.setNumThreads(1)
        self.folder, self.pictures = folder, pictures
        self.rng = np.random.default_rng(seed)
        self.pool = augment.NoisePool(self.rng)

    def background(self):
        rng = self.rng
        kind = rng.random()
        if kind < 0.12 or (kind < 0.85 and not self.pictures):
            corners = rng.integers(0, 256, (2, 2, 3)).astype(np.uint8)
            return cv2.resize(corners, (INPUT_PX, INPUT_PX), interpolation=cv2.INTER_LINEAR)
        if kind < 0.85:
            picture = self.pictures[rng.integers(len(self.pictures))]
        else:
            shard, index = self.folder.draw(rng)
            if shard.has_face[index]:   # a piece of a corner: background, hair, clothes
                picture = np.ascontiguousarray(shard.images[index][:40, :40])
            else:
                picture = np.ascontiguousarray(shard.images[index])
        height, width = picture.shape[:2]
        side = min(height, width) * np.exp(rng.uniform(np.log(0.25), 0))
        crop = crops.FaceCrop(np.array([rng.uniform(side / 2, width - side / 2), rng.uniform(side / 2, height - side / 2)]), side,
                              rng.uniform(-0.3, 0.3))
        return crops.warp(picture, crops.image_from_crop(crop, INPUT_PX, rng.random() < 0.5), INPUT_PX, cv2.BORDER_REFLECT_101)

    def paste(self, canvas, shard, index, target, whole):
        """Draws a shard's picture so that its face's crop becomes `target`; returns False where the shard's face cannot be used."""
        rng = self.rng
        photo = np.ascontiguousarray(shard.images[index])
        size = photo.shape[0]
        if shard.has_face[index]:
            canonical = crops.crop_from_landmarks(shard.landmarks[index][:68])
        else:
            canonical = crops.FaceCrop(np.array([size / 2, size / 2]), size * 0.7, 0.0)
        scale, turn = target.side_px / canonical.side_px, target.roll_rad - canonical.roll_rad
        mirror = rng.random() < 0.5
        if mirror:   # the mirrored face rolls the other way
            photo = photo[:, ::-1].copy()
            canonical = crops.FaceCrop(np.array([size - canonical.center_px[0], canonical.center_px[1]]), canonical.side_px,
                                       -canonical.roll_rad)
            turn = target.roll_rad - canonical.roll_rad
        shrink = 1.0
        if scale < 0.67:   # area averaging before sampling
            side = max(8, int(round(size * scale)))
            photo, shrink = cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA), side / size
        c, s = scale / shrink * np.cos(turn), scale / shrink * np.sin(turn)
        linear = np.array([[c, -s], [s, c]])
        canvas_from_photo = np.hstack([linear, (target.center_px - linear @ (canonical.center_px * shrink))[:, None]])
        photo_from_canvas = crops.invert_affine(canvas_from_photo)
        if whole:
            canvas[:] = crops.warp(photo, photo_from_canvas, INPUT_PX, augment.BORDER_MODES[rng.integers(2)],
                                   tuple(int(v) for v in rng.integers(0, 256, 3)))
            return
        mask = np.full(photo.shape[:2], 255, np.uint8)
        kind = rng.random()
        if shard.segmentation is not None and kind < 0.7:
            mask = ((shard.segmentation[index] > 0) * np.uint8(255))
            if mirror:
                mask = mask[:, ::-1].copy()
            if shrink != 1:
                mask = cv2.resize(mask, photo.shape[:2], interpolation=cv2.INTER_AREA)
        elif kind < 0.85:
            side = photo.shape[0]
            mask = np.zeros_like(mask)
            cv2.ellipse(mask, (side // 2, side // 2), (int(side * 0.46), int(side * 0.49)), 0, 0, 360, 255, -1)
            mask = cv2.GaussianBlur(mask, (0, 0), max(0.6, side * rng.uniform(0.005, 0.04)))
        warped = crops.warp(photo, photo_from_canvas, INPUT_PX, cv2.BORDER_CONSTANT)
        alpha = crops.warp(mask, photo_from_canvas, INPUT_PX, cv2.BORDER_CONSTANT)[:, :, None].astype(np.uint16)
        canvas[:] = ((warped * alpha + canvas * (255 - alpha) + 127) // 255).astype(np.uint8)

    def random_target(self):
        rng = self.rng
        side = np.exp(rng.uniform(np.log(SMALLEST_PX), np.log(LARGEST_PX)))
        kind = rng.random()
        roll = np.radians(rng.normal(0, 8) if kind < 0.6 else rng.uniform(-45, 45) if kind < 0.85 else rng.uniform(-180, 180))
        margin = min(0.35 * side, INPUT_PX / 2)
        return crops.FaceCrop(rng.uniform(margin, INPUT_PX - margin, 2), side, roll)

    def sample(self):
        """(image, faces: rows x, y, side, roll, weight)"""
        rng = self.rng
        canvas = self.background()
        faces = []
        count = rng.choice(6, p=[0.12, 0.4, 0.16, 0.12, 0.1, 0.1])
        whole = count == 1 and rng.random() < 0.6
        for number in range(int(count)):
            target = self.random_target()
            if count > 2:
                target.side_px = min(target.side_px, 130)
            near = [np.linalg.norm(target.center_px - f[:2]) < 0.62 * (target.side_px + f[2]) for f in faces]
            if any(near):
                continue
            shard, index = self.folder.draw(rng)
            self.paste(canvas, shard, index, target, whole)
            if not shard.has_face[index]:
                continue
            seen = shard.visible[index][:68].mean()
            faces.append([*target.center_px, target.side_px, target.roll_rad, 1.0 if seen >= MIN_VISIBLE else 0.0])
        if rng.random() < 0.85:
            canvas = augment.colour(canvas, rng)
        kind = rng.random()
        if kind < 0.12:
            canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.4, 1.5))
        elif kind < 0.25:
            side = int(rng.uniform(120, 300))
            canvas = cv2.resize(cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA), (INPUT_PX, INPUT_PX))
        if rng.random() < 0.3:
            sigma = np.exp(rng.uniform(np.log(1.5), np.log(14)))
            canvas = np.clip(canvas + sigma * self.pool.take(rng, canvas.shape), 0, 255).astype(np.uint8)
        if rng.random() < 0.3:
            canvas = augment.jpeg(canvas, rng)
        return canvas, np.array(faces, np.float32).reshape(-1, 5)

    def batch(self, count):
        images, maps = [], []
        for _ in range(count):
            image, faces = self.sample()
            images.append(image)
            maps.append(truth_maps(faces))
        return (torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float(), torch.from_numpy(np.stack(maps)))


def truth_maps(faces):
    """8 x CELLS x CELLS: heat, x, y, log side, cos, sin, weight of the geometry, weight of the heat."""
    maps = np.zeros((8, CELLS, CELLS), np.float32)
    maps[7] = 1
    rows, columns = np.mgrid[0:CELLS, 0:CELLS] + 0.5
    for x, y, side, roll, weight in faces:
        cx, cy = x / STRIDE_PX, y / STRIDE_PX
        spread = max(0.7, 0.07 * side / STRIDE_PX)
        dx, dy = cx - columns, cy - rows
        heat = np.exp(-(dx * dx + dy * dy) / (2 * spread * spread)).astype(np.float32)
        if weight == 0:   # hardly to be seen: neither right nor wrong
            maps[7][heat > 0.05] = 0
            continue
        column, row = min(CELLS - 1, max(0, int(cx))), min(CELLS - 1, max(0, int(cy)))
        heat[row, column] = 1
        own = (heat >= maps[0]) & (heat > 0.3)
        maps[0] = np.maximum(maps[0], heat)
        for channel, value in enumerate((dx, dy, np.log(side / SIDE_UNIT_PX), np.cos(roll), np.sin(roll)), 1):
            maps[channel][own] = value[own] if np.ndim(value) else value
        maps[6][own] = heat[own]
    return maps


def decode(output, threshold):
    """Rows x, y, side, roll, score of one output 6 x h x w, after suppressing what is not a local maximum."""
    heat = 1 / (1 + np.exp(-output[0]))
    peak = cv2.dilate(heat, np.ones((3, 3)))
    found = []
    for row, column in zip(*np.nonzero((heat == peak) & (heat > threshold))):
        _, dx, dy, log_side, c, s = output[:, row, column]
        found.append([(column + 0.5 + dx) * STRIDE_PX, (row + 0.5 + dy) * STRIDE_PX, SIDE_UNIT_PX * np.exp(log_side), np.arctan2(s, c),
                      heat[row, column]])
    return np.array(found, np.float32).reshape(-1, 5)


class HeldOut:
    """The validation shard in the place of a folder."""

    def __init__(self, shard):
        self.shard = shard

    def draw(self, rng):
        return self.shard, int(rng.integers(len(self.shard)))


class DetectorTask:
    """Finds faces of any size and roll in a whole picture."""
    file_name = "detector.onnx"
    cpu_batch, cuda_batch = 32, 128
    may_start_anew = ()

    @staticmethod
    def add_arguments(parser):
        parser.add_argument("--backgrounds", required=True, help="folder of pictures without faces")

    def __init__(self, args, device, validation_name=None):
        self.args, self.device = args, device
        self.folder = ShardFolder(args.data, validation_name)

    def data_facts(self):
        return {"rendered_faces": self.folder.num_faces(), "kept_for_validation": self.folder.validation_name}

    def make_network(self):
        return DetectorNet()

    def make_maker(self, folder, seed):
        if not hasattr(self, "pictures"):
            self.pictures = read_pictures(self.args.backgrounds)
        return CollageMaker(folder, self.pictures, seed)

    def stream(self, batch, seed):
        return BatchStream(self.args.data, self.folder.validation_name, self.make_maker, batch, seed)

    def loss(self, network, output, truth, progress):
        """Focal loss of the heat map (as CornerNet's), absolute errors of the geometry where a face's centre is near."""
        maps, = truth
        heat, geometry_weight, heat_weight = maps[:, 0], maps[:, 6], maps[:, 7]
        p = torch.sigmoid(output[:, 0]).clamp(1e-4, 1 - 1e-4)
        positive = (heat >= 1).float()
        focal = -(positive * (1 - p) ** 2 * p.log() + (1 - positive) * (1 - heat) ** 4 * p ** 2 * (1 - p).log()) * heat_weight
        count = positive.sum().clamp(min=1)
        weight = geometry_weight.sum().clamp(min=1)
        error = (output[:, 1:] - maps[:, 1:6]).abs()
        parts = {"heat": focal.sum() / count, "place": (error[:, :2].sum(1) * geometry_weight).sum() / weight,
                 "side": (error[:, 2] * geometry_weight).sum() / weight,
                 "roll": (error[:, 3:].sum(1) * geometry_weight).sum() / weight}
        return sum(WEIGHTS[name] * value for name, value in parts.items()), parts

    def validate(self, network, count=400):
        """Faces found (overlapping by half a side) and false alarms in collages never trained on, and how well they are placed."""
        maker = self.make_maker(HeldOut(self.folder.validation), 4711)
        found, faces_in_all, false, place, side, roll = 0, 0, 0, [], [], []
        for _ in range(count):
            image, faces = maker.sample()
            with torch.no_grad():
                output = network(torch.from_numpy(image).permute(2, 0, 1)[None].float().to(self.device))[0].float().cpu().numpy()
            finds = decode(output, 0.4)
            used = np.zeros(len(finds), bool)
            for x, y, s, r, weight in faces:
                distance = np.linalg.norm(finds[:, :2] - [x, y], axis=1) / s if len(finds) else np.zeros(0)
                hit = (distance < 0.25) & ~used & (np.abs(np.log(finds[:, 2] / s)) < 0.5) if len(finds) else np.zeros(0, bool)
                if weight > 0:
                    faces_in_all += 1
                if hit.any():
                    best = np.argmin(np.where(hit, distance, 9))
                    used[best] = True
                    if weight > 0:
                        found += 1
                        place.append(100 * distance[best])
                        side.append(100 * abs(np.log(finds[best, 2] / s)))
                        roll.append(np.degrees(abs((finds[best, 3] - r + np.pi) % (2 * np.pi) - np.pi)))
            false += int((~used).sum())
        return {"collages": {"found %": 100 * found / max(1, faces_in_all), "false/100": 100 * false / count, "place %": float(np.mean(place or [0])),
                             "side %": float(np.mean(side or [0])), "roll deg": float(np.mean(roll or [0]))}}

    def export(self, network, onnx_path, training, table):
        description = {
            "input": {"width": INPUT_PX, "height": INPUT_PX, "channels": "RGB, 0..255"},
            "output": "per cell: face logit | x, y of the crop's centre from the cell's, in cells | log(side / side_unit_px) | cos, sin of "
                      "the roll (tools/train/detector_network.py)",
            "stride_px": STRIDE_PX, "side_unit_px": SIDE_UNIT_PX,
            "training": training,
        }
        onnx_file.write(onnx_file.fused_copy(network), torch.zeros(1, 3, INPUT_PX, INPUT_PX), onnx_path, description)
