"""The parsing network's training: which part of the face, hair or thing each pixel of a crop shows."""
import cv2
import numpy as np
import torch

import augment
import crops
import onnx_file
from parsing_network import INPUT_PX, ParsingNet
from shards import BatchStream, ShardFolder

CROP_OVER_FACE = 1.35      # side of the crop over that of the face network's (crops.py): hair and hat are on it too
# What the network tells apart, from the labels of `facet synth` (synth/truth.h); the order is that of its outputs.
CLASSES = ("background", "skin", "brows", "eyes", "lips", "mouth", "hair", "facial_hair", "glasses", "occluder")
CLASS_OF_LABEL = {"background": "background", "skin": "skin", "brows": "brows", "eyes": "eyes", "upper_lip": "lips",
                  "lower_lip": "lips", "mouth": "mouth", "nose": "skin", "ears": "skin", "neck": "skin", "hair": "hair",
                  "facial_hair": "facial_hair", "glasses": "glasses", "headwear": "occluder", "clothes": "background",
                  "jewellery": "occluder", "occluder": "occluder"}
LABELS = tuple(CLASS_OF_LABEL)   # synth/truth.h's order
# Small parts count more, as their pixels are few.
CLASS_WEIGHTS = (0.6, 0.8, 2.0, 2.5, 2.0, 2.0, 1.0, 1.5, 2.5, 1.5)


class ParsingSampleMaker:
    def __init__(self, folder, seed):
        cv2.setNumThreads(1)
        self.folder = folder
        self.rng = np.random.default_rng(seed)
        self.pool = augment.NoisePool(self.rng)
        self.table = np.array([CLASSES.index(CLASS_OF_LABEL[name]) for name in LABELS], np.uint8)

    def sample(self, shard, index, plain=False):
        """(image, classes), INPUT_PX square."""
        rng = self.rng
        crop = crops.crop_from_landmarks(shard.landmarks[index][:68])
        crop.side_px *= CROP_OVER_FACE
        mirror = False
        if not plain:
            crop.side_px *= np.exp(rng.uniform(-0.1, 0.1))
            crop.center_px = crop.center_px + rng.uniform(-0.04, 0.04, 2) * crop.side_px
            crop.roll_rad += rng.normal(0, 0.08)
            mirror = rng.random() < 0.5
        affine = crops.image_from_crop(crop, INPUT_PX, mirror)
        photo, labels = np.ascontiguousarray(shard.images[index]), np.ascontiguousarray(shard.segmentation[index])
        image = crops.warp(photo, affine, INPUT_PX, cv2.BORDER_REPLICATE)
        classes = self.table[crops.warp(labels, affine, INPUT_PX, cv2.BORDER_REPLICATE, interpolation=cv2.INTER_NEAREST)]
        if not plain and rng.random() < 0.3:
            other_shard, other = self.folder.draw(rng)
            image, covered = augment.occluder(image, other_shard.images[other][:INPUT_PX, :INPUT_PX], rng)
            classes[covered & (classes != 0)] = CLASSES.index("occluder")
            classes[covered & (classes == 0)] = 255      # beside the face nobody needs to know
        if not plain and rng.random() < 0.7:
            image = augment.degrade(image, 80, self.pool, rng)
        return image, classes

    def batch(self, count):
        rows = []
        while len(rows) < count:
            shard, index = self.folder.draw(self.rng)
            if shard.has_face[index] and shard.segmentation is not None:
                rows.append(self.sample(shard, index))
        return collate(rows)


def collate(rows):
    return (torch.from_numpy(np.stack([r[0] for r in rows])).permute(0, 3, 1, 2).float(),
            torch.from_numpy(np.stack([r[1] for r in rows]).astype(np.int64)))


class ParsingTask:
    """Skin, brows, eyes, lips, mouth, hair, beard, glasses and what covers a face, pixel by pixel."""
    file_name = "parsing.onnx"
    cpu_batch, cuda_batch = 32, 128
    may_start_anew = ()

    @staticmethod
    def add_arguments(parser):
        pass

    def __init__(self, args, device, validation_name=None):
        self.args, self.device = args, device
        self.folder = ShardFolder(args.data, validation_name)
        if self.folder.validation.segmentation is None:
            raise SystemExit(f"{args.data}: the shards have no .segmentation; write them with `facet synth --truth segmentation`")
        self.weights = torch.tensor(CLASS_WEIGHTS, device=device)

    def data_facts(self):
        return {"rendered_faces": self.folder.num_faces(), "kept_for_validation": self.folder.validation_name}

    def make_network(self):
        return ParsingNet(len(CLASSES))

    def make_maker(self, folder, seed):
        return ParsingSampleMaker(folder, seed)

    def stream(self, batch, seed):
        return BatchStream(self.args.data, self.folder.validation_name, self.make_maker, batch, seed)

    def loss(self, network, output, truth, progress):
        """Cross entropy, and the soft intersection over union of each class (Milletari et al., 3DV 2016, as a loss per class)."""
        classes, = truth
        entropy = torch.nn.functional.cross_entropy(output, classes, weight=self.weights, ignore_index=255)
        probability = output.softmax(1)
        known = (classes != 255)
        one_hot = torch.nn.functional.one_hot(classes.clamp(max=len(CLASSES) - 1), len(CLASSES)).permute(0, 3, 1, 2).float()
        one_hot = one_hot * known[:, None]
        shared = (probability * one_hot).sum((0, 2, 3))
        either = ((probability + one_hot) * known[:, None]).sum((0, 2, 3)) - shared
        overlap = 1 - ((shared + 1) / (either + 1)).mean()
        return entropy + overlap, {"entropy": entropy, "overlap": overlap}

    def validate(self, network, count=300):
        """Intersection over union per class in % on held-out faces."""
        shard = self.folder.validation
        chosen = np.flatnonzero(shard.has_face)[:count]
        maker = ParsingSampleMaker(self.folder, 12345)
        table = {}
        for label, plain in (("canonical", True), ("degraded", False)):
            counts = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
            for first in range(0, len(chosen), 32):
                images, classes = collate([maker.sample(shard, int(i), plain) for i in chosen[first:first + 32]])
                with torch.no_grad():
                    said = network(images.to(self.device)).argmax(1).cpu()
                known = classes != 255
                counts += np.bincount((classes[known] * len(CLASSES) + said[known]).numpy(),
                                      minlength=len(CLASSES) ** 2).reshape(len(CLASSES), -1)
            right = np.diag(counts)
            overlap = 100 * right / np.maximum(1, counts.sum(0) + counts.sum(1) - right)
            table[label] = {**{n: float(v) for n, v in zip(CLASSES, overlap)}, "mean": float(overlap.mean())}
        return table

    def export(self, network, onnx_path, training, table):
        description = {
            "input": {"width": INPUT_PX, "height": INPUT_PX, "channels": "RGB, 0..255"},
            "output": "logit of each class, at every pixel",
            "classes": CLASSES,
            "crop_over_face": CROP_OVER_FACE,
            "training": training,
        }
        onnx_file.write(onnx_file.fused_copy(network), torch.zeros(1, 3, INPUT_PX, INPUT_PX), onnx_path, description)
