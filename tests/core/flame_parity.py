"""FLAME's published equations in plain numpy, double precision: how far are facet's vertices from them?

usage: flame_parity.py MODEL.pkl FACET.npz
FACET.npz holds identity, expression, pose (J x 3, radians) and vertices (V x 3, mm) of the same model by facet.
Prints the largest difference of a coordinate in metres.

Li, Bolkart, Black, Li and Romero, "Learning a Model of Facial Shape and Expression from 4D Scans", SIGGRAPH Asia 2017:
  T(b, e, q) = template + B_shape b + B_expression e + B_pose (R(q) - I),   M = LBS(T, J(b, e), q, W)
"""
import pickle
import sys
import types

import numpy as np


class Ch:
    """Stands for chumpy.Ch, which only wraps an array here."""

    def __setstate__(self, state):
        self.x = state["x"]


def load(path):
    chumpy, ch = types.ModuleType("chumpy"), types.ModuleType("chumpy.ch")
    chumpy.ch, chumpy.Ch, ch.Ch = ch, Ch, Ch
    sys.modules["chumpy"], sys.modules["chumpy.ch"] = chumpy, ch
    with open(path, "rb") as file:
        data = pickle.load(file, encoding="latin1")
    plain = lambda value: value.x if isinstance(value, Ch) else value
    dense = lambda value: value.toarray() if hasattr(value, "toarray") else np.asarray(value)
    names = ["v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table"]
    return {name: np.asarray(dense(plain(data[name])), dtype=np.float64) for name in names}


def rotation(axis_angle):
    """Rodrigues' formula."""
    angle = np.linalg.norm(axis_angle)
    if angle == 0:
        return np.eye(3)
    x, y, z = axis_angle / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def flame(model, identity, expression, pose):
    num_modes = model["shapedirs"].shape[2]
    num_identity = {400: 300, 150: 100}[num_modes]
    coefficients = np.zeros(num_modes)
    coefficients[: len(identity)] = identity
    coefficients[num_identity : num_identity + len(expression)] = expression
    shaped = model["v_template"] + model["shapedirs"] @ coefficients
    places = model["J_regressor"] @ shaped
    rotations = [rotation(row) for row in pose]
    feature = np.concatenate([(turn - np.eye(3)).ravel() for turn in rotations[1:]])
    corrected = shaped + model["posedirs"] @ feature

    parent = model["kintree_table"][0].astype(np.int64)
    world = []
    for joint, turn in enumerate(rotations):
        local = np.eye(4)
        local[:3, :3] = turn
        local[:3, 3] = places[joint] - (places[parent[joint]] if joint > 0 else 0)
        world.append(local if joint == 0 else world[parent[joint]] @ local)
    result = np.zeros_like(corrected)
    for joint, matrix in enumerate(world):
        relative = matrix.copy()
        relative[:3, 3] -= matrix[:3, :3] @ places[joint]
        moved = corrected @ relative[:3, :3].T + relative[:3, 3]
        result += model["weights"][:, joint : joint + 1] * moved
    return result


def main():
    ours = np.load(sys.argv[2])
    expected_m = flame(load(sys.argv[1]), ours["identity"], ours["expression"], ours["pose"].astype(np.float64))
    print(np.abs(ours["vertices"] / 1000.0 - expected_m).max())


if __name__ == "__main__":
    main()
