"""Reads the shards that `facet synth` writes (synth/synth.h says what they hold).

A shard is shard_NNNNN.images (raw uint8, N x S x S x 3 RGB) beside shard_NNNNN.npz and, where they were asked for, further maps of
the same name, such as shard_NNNNN.segmentation. Images and maps are memory-mapped; what a shard lacks is None.
"""
import glob
import os

import numpy as np
import torch


class Shard:
    def __init__(self, npz_path):
        with np.load(npz_path) as arrays:
            def values(name):
                return arrays[name].astype(np.float32) if name in arrays else None

            self.landmarks = values("landmarks")
            self.visible = arrays["visible"].astype(bool)
            self.has_face = arrays["has_face"].astype(bool)
            self.identity, self.expression = values("identity"), values("expression")
            self.intrinsics, self.camera_from_model = values("K"), values("camera_from_model")
            self.light, self.dense_albedo = values("light"), values("dense_albedo")
        base = npz_path[:-len(".npz")]
        count = len(self.landmarks)
        size = os.path.getsize(base + ".images")
        side = int(round((size / (3 * count)) ** 0.5))
        if side * side * 3 * count != size:
            raise ValueError(f"{base}.images does not hold {count} square RGB images; is it still being written?")
        self.images = np.memmap(base + ".images", np.uint8, "r", shape=(count, side, side, 3))
        self.segmentation = None
        if os.path.exists(base + ".segmentation"):
            self.segmentation = np.memmap(base + ".segmentation", np.uint8, "r", shape=(count, side, side))

    def __len__(self):
        return len(self.landmarks)


def shard_names(folder):
    return sorted(os.path.basename(p) for p in glob.glob(os.path.join(folder, "shard_[0-9]*[0-9].npz")))


class ShardFolder:
    """All complete shards of a folder but one, which is kept for validation: the one named, or else the last by name."""

    def __init__(self, folder, validation_name=None):
        self.folder = folder
        self.shards = {}
        names = shard_names(folder)
        if len(names) < 2:
            raise SystemExit(f"{folder} holds {len(names)} shards; at least two are needed, one of them for validation: "
                             "write some with `facet synth`")
        self.validation_name = validation_name or names[-1]
        if self.validation_name not in names:
            raise SystemExit(f"{folder} lacks {self.validation_name}, which this training keeps for validation")
        self.validation = Shard(os.path.join(folder, self.validation_name))
        self.rescan()

    def rescan(self):
        """Takes in shards that were finished since the last look, so that training can start before writing ends."""
        for name in shard_names(self.folder):
            if name in self.shards or name == self.validation_name:
                continue
            path = os.path.join(self.folder, name)
            try:
                self.shards[name] = Shard(path)
            except KeyError as error:
                raise SystemExit(f"{path} lacks the array {error}; was it written by `facet synth`?")
            except (OSError, ValueError, EOFError):
                continue   # half-written: the next look finds it complete
        self._list = list(self.shards.values())
        self._ends = np.cumsum([len(s) for s in self._list]) if self._list else np.zeros(1, int)

    def num_faces(self):
        self.rescan()
        return int(sum(s.has_face.sum() for s in self._list))

    def __len__(self):
        return int(self._ends[-1])

    def draw(self, rng):
        """A random (shard, index)."""
        position = rng.integers(len(self))
        i = int(np.searchsorted(self._ends, position, side="right"))
        return self._list[i], int(position - (self._ends[i - 1] if i else 0))


class BatchStream(torch.utils.data.IterableDataset):
    """Endless batches of what `make_maker(folder, seed).batch(count)` gives; rescans the shard folder now and then."""

    def __init__(self, data, validation_name, make_maker, batch, seed, rescan_every=200):
        super().__init__()
        self.data, self.validation_name, self.make_maker = data, validation_name, make_maker
        self.batch, self.seed, self.rescan_every = batch, seed, rescan_every

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        folder = ShardFolder(self.data, self.validation_name)
        maker = self.make_maker(folder, [*self.seed, worker.id if worker else 0])
        step = 0
        while True:
            step += 1
            if step % self.rescan_every == 0:
                folder.rescan()
            yield maker.batch(self.batch)
