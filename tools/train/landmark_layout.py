"""The points a landmark network predicts: iBUG-68 first, then the dense set, with their mirror partners and names."""
import json

import numpy as np

NUM_IBUG = 68
# Runs of iBUG points that turn into each other (back to front) when the image is mirrored.
IBUG_MIRROR_RUNS = ((range(0, 17), range(16, -1, -1)), (range(17, 27), range(26, 16, -1)), (range(27, 31), range(27, 31)),
                    (range(31, 36), range(35, 30, -1)), ((36, 37, 38, 39, 40, 41), (45, 44, 43, 42, 47, 46)),
                    ((42, 43, 44, 45, 46, 47), (39, 38, 37, 36, 41, 40)), (range(48, 55), range(54, 47, -1)),
                    (range(55, 60), range(59, 54, -1)), (range(60, 65), range(64, 59, -1)), (range(65, 68), range(67, 64, -1)))
IBUG_REGIONS = {"jaw": range(0, 17), "brows": range(17, 27), "nose": range(27, 36), "eyes": range(36, 48),
                "mouth": range(48, 68)}


def ibug_mirror():
    mirror = np.zeros(NUM_IBUG, int)
    for points, partners in IBUG_MIRROR_RUNS:
        mirror[list(points)] = list(partners)
    return mirror


class LandmarkLayout:
    """Columns of a shard's `landmarks`: 68 iBUG points, then the dense points of data/landmarks/ict_dense.json."""

    def __init__(self, dense_json_path, num_points):
        with open(dense_json_path) as file:
            dense = json.load(file)
        num_dense = num_points - NUM_IBUG
        if num_dense not in (0, len(dense["dense"])):
            raise SystemExit(f"{dense_json_path} names {len(dense['dense'])} dense points, but the shards have {num_dense}; "
                             "were they written for another dense set?")
        self.num_points = num_points
        dense_mirror = np.array(dense["mirror"][:num_dense], int)
        self.mirror = np.concatenate([ibug_mirror(), dense_mirror + NUM_IBUG])
        assert (self.mirror[self.mirror] == np.arange(num_points)).all()
        # Regions for reports: iBUG parts, then the dense set without the points that repeat iBUG ones.
        self.regions = {name: np.array(list(r)) for name, r in IBUG_REGIONS.items()}
        if num_dense:
            names = dense.get("names", [""] * num_dense)
            self.regions["dense"] = NUM_IBUG + np.array([i for i, n in enumerate(names) if not n.startswith("ibug")])
