"""What the face network learns to say of a rendered face, in the coefficients of the built-in model.

The shards' faces may be made with another model (ICT-FaceKit). Both models carry the same dense points, so each training face has
built-in coefficients: those whose neutral dense points, or albedo at the dense points, come nearest to its own. These are affine functions
of what the shard says, computed here once. Expressions are taken over by their ARKit names.
"""
import json

import numpy as np

from face_network import NUM_ALBEDO, NUM_EXPRESSION, NUM_IDENTITY

PRIOR_MM = 0.3         # one standard deviation of an identity coefficient costs as much as this distance at every point
ALBEDO_PRIOR = 0.03    # the same for albedo, linear light
# ICT splits these in two where ARKit has one.
MERGED = {"browInnerUp": ("browInnerUp_L", "browInnerUp_R"), "cheekPuff": ("cheekPuff_L", "cheekPuff_R")}


def similarity_directions(points):
    """3N x 7: how N x 3 points move under small translations, rotations and scale about their centre."""
    centred = points - points.mean(0)
    moves = [np.tile(axis, (len(points), 1)) for axis in np.eye(3)]
    moves += [np.cross(axis, centred) for axis in np.eye(3)] + [centred]
    return np.stack([m.reshape(-1) for m in moves], 1)


def millimetres_per_unit(points, reference_mm):
    return 10.0 ** round(np.log10(reference_mm.std() / points.std()))   # the file's unit: mm, cm or m


def arkit_names(names):
    """eyeBlink_L -> eyeBlinkLeft"""
    return [n[:-2] + "Left" if n.endswith("_L") else n[:-2] + "Right" if n.endswith("_R") else n for n in names]


class BuiltinTarget:
    """identity(c), expression(w), albedo(dense colours): rows in, rows out; *_metric: K x K, mm^2 per point on the front of the face
    (albedo: linear light, squared) for a difference of coefficients."""

    def __init__(self, builtin_path, shard_model_path, dense_path):
        with open(dense_path) as file:
            layout = json.load(file)
        with np.load(builtin_path) as model:
            meta = json.loads(bytes(model["meta"]))
            corners = model["triangles"][model["dense_triangle"]]
            weights = model["dense_barycentric"].astype(np.float64)

            def at_dense(per_vertex):   # ... x V x 3 -> ... x D x 3
                return np.einsum("nk,...nkc->...nc", weights, per_vertex.astype(np.float64)[..., corners, :])

            mean = at_dense(model["mean"])
            identity = at_dense(model["identity"][:NUM_IDENTITY])
            expression = at_dense(model["expression"])
            albedo_mean, albedo = at_dense(model["albedo_mean"]), at_dense(model["albedo"][:NUM_ALBEDO])
        assert len(expression) == NUM_EXPRESSION and len(albedo) == NUM_ALBEDO
        names = np.array(layout["names"])
        front = (names != "ear") & (mean[:, 2] > 20)

        def metric(modes, similarity):   # modes: K x D x 3
            seen = modes[:, front].reshape(len(modes), -1).T
            if similarity:
                basis, _ = np.linalg.qr(similarity_directions(mean[front]))
                seen = seen - basis @ (basis.T @ seen)
            return seen.T @ seen / front.sum()

        mirror = np.array(layout["mirror"], int)

        def mirror_signs(modes, flip):
            """+1 or -1 per mode that mirroring the face leaves or turns, 0 for one that it changes into another."""
            mirrored = modes[:, mirror] * flip
            size = (modes ** 2).sum((1, 2))
            likeness = (modes * mirrored).sum((1, 2)) / np.maximum(size, 1e-12)
            return np.where(np.abs(likeness) > 0.9, np.sign(likeness), 0.0)

        self.identity_mirror = mirror_signs(identity, np.array([-1.0, 1.0, 1.0]))
        self.albedo_mirror = mirror_signs(albedo, 1.0)
        assert (self.identity_mirror != 0).all(), "an identity mode of the built-in model is neither symmetric nor antisymmetric"
        self.identity_metric = metric(identity, True)
        self.expression_metric = metric(expression, False)
        self.albedo_metric = metric(albedo, False)

        with np.load(shard_model_path) as model:
            if "dense_triangle" in model:   # the built-in model itself
                self.identity_matrix, self.identity_offset = np.eye(NUM_IDENTITY, len(model["identity"])), np.zeros(NUM_IDENTITY)
                shard_names = meta["expression_names"]
            else:
                points = model["mean"][layout["dense"]].astype(np.float64)
                unit = millimetres_per_unit(points, mean)
                other = model["identity"][:, layout["dense"]].astype(np.float64).transpose(1, 2, 0) * unit
                modes = identity.transpose(1, 2, 0).reshape(-1, NUM_IDENTITY)
                system = np.hstack([modes, similarity_directions(mean)])
                normal = system.T @ system
                normal[np.arange(NUM_IDENTITY), np.arange(NUM_IDENTITY)] += PRIOR_MM ** 2 * len(mean)
                solve = np.linalg.solve(normal, system.T)[:NUM_IDENTITY]
                self.identity_matrix = solve @ other.reshape(3 * len(mean), -1)
                self.identity_offset = solve @ (points * unit - mean).reshape(-1)
                shard_names = [str(n) for n in model["expression_names"]]
        self.expression_matrix = np.zeros((NUM_EXPRESSION, len(shard_names)))
        lookup = {n: i for i, n in enumerate(arkit_names(shard_names))}
        for row, name in enumerate(arkit_names(meta["expression_names"])):
            parts = [name] if name in lookup else arkit_names(MERGED[name])
            for part in parts:
                self.expression_matrix[row, lookup[part]] = 1 / len(parts)

        own = arkit_names(meta["expression_names"])
        self.expression_names = own
        self.expression_mirror = np.array([own.index(n.replace("Left", "?").replace("Right", "Left").replace("?", "Right"))
                                           for n in own])

        # The albedo of skin only: brows are painted on the training faces, but not part of the model's tone.
        skin = front & np.isin(names, ["face", "lid_margin", "lip_ridge", "lip_border", *(f"ibug{i}" for i in range(27, 68))])
        self.albedo_points = np.flatnonzero(skin)
        # Modes that the skin's points do not show, or that mirroring changes into others, stay at their mean.
        self.albedo_known = (self.albedo_mirror != 0) & ((albedo[:, skin] ** 2).mean((1, 2)) > 1e-6)
        system = albedo[:, skin].reshape(NUM_ALBEDO, -1).T * self.albedo_known
        normal = system.T @ system + ALBEDO_PRIOR ** 2 * skin.sum() * np.eye(NUM_ALBEDO)
        self.albedo_matrix = np.linalg.solve(normal, system.T)
        self.albedo_offset = -self.albedo_matrix @ albedo_mean[skin].reshape(-1)

    def identity(self, shard_coefficients):
        return self.identity_offset + shard_coefficients @ self.identity_matrix.T

    def expression(self, shard_weights):
        return shard_weights @ self.expression_matrix.T

    def albedo(self, dense_colours):
        """... x D x 3 linear RGB -> ... x A"""
        skin = dense_colours[..., self.albedo_points, :]
        return self.albedo_offset + skin.reshape(*skin.shape[:-2], -1) @ self.albedo_matrix.T
