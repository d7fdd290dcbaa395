"""What the network learns to say of the identity: the built-in model's first coefficients.

The shards' faces are made with another model (ICT-FaceKit). Both models carry the same dense points, so each training face has
built-in coefficients: those whose neutral dense points come nearest to its own (least squares over coefficients and similarity,
with a small prior). That is an affine function of the shard's coefficients, computed here once.
"""
import json

import numpy as np

NUM_MODES = 60
PRIOR_MM = 0.3      # one standard deviation of a coefficient costs as much as this distance at every point


def similarity_directions(points):
    """3N x 7: how N x 3 points move under small translations, rotations and scale about their centre."""
    centred = points - points.mean(0)
    moves = [np.tile(axis, (len(points), 1)) for axis in np.eye(3)]
    moves += [np.cross(axis, centred) for axis in np.eye(3)] + [centred]
    return np.stack([m.reshape(-1) for m in moves], 1)


class IdentityTarget:
    """coefficients = offset + matrix @ shard coefficients; metric: K x K, mm^2 per point on the front of the face."""

    def __init__(self, builtin_path, shard_model_path, dense_path):
        with open(dense_path) as file:
            layout = json.load(file)
        with np.load(builtin_path) as model:
            corners = model["triangles"][model["dense_triangle"]]
            weights = model["dense_barycentric"].astype(np.float64)
            mean = np.einsum("nk,nkc->nc", weights, model["mean"][corners])
            modes = np.einsum("nk,mnkc->nmc", weights, model["identity"][:NUM_MODES].astype(np.float64)[:, corners])
        modes = modes.transpose(0, 2, 1).reshape(-1, NUM_MODES)
        with np.load(shard_model_path) as model:
            points = model["mean"][layout["dense"]].astype(np.float64)
            mm_per_unit = 10.0 ** round(np.log10(mean.std() / points.std()))   # the file's unit: mm, cm or m
            other_mean = points * mm_per_unit
            other = model["identity"][:, layout["dense"]].astype(np.float64).transpose(1, 2, 0) * mm_per_unit
        other = other.reshape(3 * len(mean), -1)
        moves = similarity_directions(mean)
        system = np.hstack([modes, moves])
        normal = system.T @ system
        normal[np.arange(NUM_MODES), np.arange(NUM_MODES)] += PRIOR_MM ** 2 * len(mean)
        solve = np.linalg.solve(normal, system.T)[:NUM_MODES]
        self.matrix = solve @ other
        self.offset = solve @ (other_mean - mean).reshape(-1)

        names = np.array(layout["names"])
        front = (names != "ear") & (mean[:, 2] > 20)
        visible = modes.reshape(len(mean), 3, -1)[front].reshape(-1, NUM_MODES)
        basis, _ = np.linalg.qr(similarity_directions(mean[front]))
        visible = visible - basis @ (basis.T @ visible)
        self.metric = visible.T @ visible / front.sum()
        self.mode_mm = np.sqrt(np.diag(self.metric))

    def __call__(self, shard_coefficients):
        return self.offset + shard_coefficients @ self.matrix.T
