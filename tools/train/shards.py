"""Reads the shards that `facet synth` writes.

A shard is shard_NNNNN.images (raw uint8, N x S x S x 3 RGB) beside shard_NNNNN.npz with landmarks (N x P x 2 float32 pixels,
centre of the first pixel at 0.5), visible (N x P), has_face (N), pose (N x 3 degrees) and, where
known, identity (N x I coefficients of the shard's model). Images are memory-mapped. An optional
array known (P) has 0 for points that a shard defines differently from the others: they are not supervised there.
"""
import glob
import os

import numpy as np


class Shard:
    def __init__(self, npz_path):
        with np.load(npz_path) as arrays:
            self.landmarks = arrays["landmarks"].astype(np.float32)
            self.visible = arrays["visible"].astype(bool)
            self.has_face = arrays["has_face"].astype(bool)
            self.pose = arrays["pose"].astype(np.float32)
            self.identity = arrays["identity"].astype(np.float32) if "identity" in arrays else None
            self.known = (arrays["known"] if "known" in arrays else np.ones(self.landmarks.shape[1])).astype(bool)
        images_path = npz_path[:-len(".npz")] + ".images"
        count = len(self.landmarks)
        size_px = int(round((os.path.getsize(images_path) / (3 * count)) ** 0.5))
        if size_px * size_px * 3 * count != os.path.getsize(images_path):
            raise ValueError(f"{images_path} does not hold {count} square RGB images; is it still being written?")
        self.images = np.memmap(images_path, np.uint8, "r", shape=(count, size_px, size_px, 3))

    def __len__(self):
        return len(self.landmarks)


class ShardFolder:
    """All complete shards of a folder. The last one (by name) found at the start is kept for validation."""

    def __init__(self, folder):
        self.folder = folder
        self.shards = {}
        self.validation = None
        self.rescan()
        if not self.shards:
            raise SystemExit(f"{folder} holds no shard_*.npz with its .images; write some with `facet synth`")
        name = sorted(self.shards)[-1] if len(self.shards) > 1 else sorted(self.shards)[0]
        self.validation = self.shards[name]
        if len(self.shards) > 1:
            del self.shards[name]
        self.validation_name = name

    def rescan(self):
        """Takes in shards that were finished since the last look, so that training can start before writing ends."""
        for path in sorted(glob.glob(os.path.join(self.folder, "shard_[0-9]*[0-9].npz"))):
            name = os.path.basename(path)
            if name in self.shards or (self.validation is not None and name == self.validation_name):
                continue
            try:
                self.shards[name] = Shard(path)
            except (OSError, ValueError, EOFError, KeyError):
                continue   # half-written: the next look finds it complete
            except Exception as error:   # zipfile.BadZipFile and the like
                print(f"skipping {path}: {error}")
        self._ends = np.cumsum([len(s) for s in self.shards.values()]) if self.shards else np.zeros(0, int)
        self._list = list(self.shards.values())

    def __len__(self):
        return int(self._ends[-1])

    def draw(self, rng):
        """A random (shard, index)."""
        position = rng.integers(len(self))
        i = int(np.searchsorted(self._ends, position, side="right"))
        return self._list[i], int(position - (self._ends[i - 1] if i else 0))
