"""The face network's training: landmarks with uncertainty, the coefficients of the built-in model, light and pose."""
import math
import os

import numpy as np
import torch

import crops
import onnx_file
from builtin_target import BuiltinTarget
from face_network import (INPUT_PX, NUM_ALBEDO, NUM_EXPRESSION, NUM_IDENTITY, NUM_LIGHT, NUM_POSE, FaceNet,
                          IdentityNet)
from face_samples import FaceSampleMaker, collate, read_pictures
from landmark_layout import NUM_IBUG, LandmarkLayout
from shards import BatchStream, ShardFolder

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IBUG_SHARE = 0.6           # of the landmark loss; the dense points share the rest
DISTANCE_UNIT = 0.01       # crop fractions; an error of this size costs 1 in the distance term
ROBUST_SIGMAS = 2.0        # beyond this many sigmas the likelihood's cost grows linearly
WEIGHTS = {"distance": 0.5, "likelihood": 0.5, "closing": 0.25, "face": 0.5, "identity_mm": 0.5, "identity_nll": 0.5,
           "expression_mm": 0.3, "expression_nll": 0.5, "albedo": 2.0, "albedo_nll": 0.15, "light": 0.5, "pose": 0.5}
# Standard deviations of points are enlarged by this beyond what rendered faces need: errors on real photographs are so much larger
# (evaluate_photos.py; chosen on hand_landmarks.json, checked on held_out_landmarks.json).
REAL_OVER_RENDERED = 1.5
# Points whose distance says how far lids and lips are open (iBUG numbers).
CLOSING_PAIRS = ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65))
PARTS = (("identity", NUM_IDENTITY), ("expression", NUM_EXPRESSION), ("albedo", NUM_ALBEDO), ("light", NUM_LIGHT),
         ("pose", NUM_POSE))


def split_coefficients(values):
    parts, first = {}, 0
    for name, size in PARTS:
        parts[name] = values[:, first:first + size]
        first += size
    return parts


def quadratic_root(difference, metric, least):
    """Distance of N x K coefficients under a metric; smooth at zero."""
    return ((difference @ metric) * difference).sum(1).clamp(min=0).add(least ** 2).sqrt()


class FaceTask:
    """Landmarks with uncertainty, identity, expression, albedo, light and pose of a face crop."""
    file_name = "landmarks.onnx"
    cpu_batch, cuda_batch = 96, 512
    may_start_anew = ("identity_head.", "expression_head.", "appearance_head.", "pose_head.")

    @staticmethod
    def add_arguments(parser):
        parser.add_argument("--shard-model", required=True, help="the model that the shards were made with (npz)")
        parser.add_argument("--builtin", default=os.path.join(ROOT, "data/models/facet_head.npz"))
        parser.add_argument("--backgrounds", help="folder of pictures without faces, for the confidence")
        parser.add_argument("--identity-onnx", help="also write the identity part alone, which facet prefers for single photos")
        parser.add_argument("--dense", default=os.path.join(ROOT, "data/landmarks/ict_dense.json"))

    def __init__(self, args, device, validation_name=None):
        self.args, self.device = args, device
        self.folder = ShardFolder(args.data, validation_name)
        self.layout = LandmarkLayout(args.dense, self.folder.validation.landmarks.shape[1])
        self.target = BuiltinTarget(args.builtin, args.shard_model, args.dense)
        self.metrics = {name: torch.tensor(getattr(self.target, name + "_metric"), dtype=torch.float32, device=device)
                        for name in ("identity", "expression", "albedo")}
        # Shares of the single coefficients in their likelihoods: by what they move, but small shapes such as a blink count too.
        known = {"albedo": torch.tensor(self.target.albedo_known, device=device).float()}
        self.shares = {name: (lambda mm: mm / mm.sum())(m.diagonal().sqrt() ** (0.5 if name == "expression" else 1.0)
                                                        * known.get(name, 1.0))
                       for name, m in self.metrics.items()}
        self.pairs = torch.tensor(CLOSING_PAIRS, device=device)

    def data_facts(self):
        return {"rendered_faces": self.folder.num_faces(), "kept_for_validation": self.folder.validation_name}

    def make_network(self):
        network = FaceNet(self.layout.num_points)
        network.start_from(self.mean_points())
        return network

    def make_maker(self, folder, seed):
        if not hasattr(self, "pictures"):
            self.pictures = read_pictures(self.args.backgrounds)
        return FaceSampleMaker(folder, self.layout, self.target, seed, self.pictures)

    def stream(self, batch, seed):
        return BatchStream(self.args.data, self.folder.validation_name, self.make_maker, batch, seed)

    def mean_points(self, count=400):
        maker = FaceSampleMaker(self.folder, self.layout, self.target, 1)
        rows = []
        for shard in [self.folder.validation, *self.folder.shards.values()]:
            rows += [maker.face_sample(shard, int(i), plain=True)[1] for i in np.flatnonzero(shard.has_face)[:count]]
            if len(rows) >= count:
                break
        return np.mean(rows, 0)

    def loss(self, network, output, truth, progress):
        """Distance + Gaussian likelihood of the points (2D isotropic sigma each) and of the coefficients; binary cross entropy
        of the face logit. The likelihood teaches sigma; alone it would neglect difficult pictures, hence the distance beside it."""
        points, weights, is_face, values = truth
        said = network.split(output)
        share = torch.full((points.shape[1],), IBUG_SHARE / NUM_IBUG, device=points.device)
        share[NUM_IBUG:] = (1 - IBUG_SHARE) / max(1, points.shape[1] - NUM_IBUG)
        seen = weights > 0.9
        weights = weights * share
        faces = is_face.sum().clamp(min=1)
        squared = (said["points"] - points).square().sum(2)
        distance = (squared + (0.3 * DISTANCE_UNIT) ** 2).sqrt() / DISTANCE_UNIT
        log_sigma = said["log_sigma"].clamp(-6.5, 0.0)
        in_sigmas = squared * torch.exp(-2 * log_sigma)
        likelihood = 2 * log_sigma + ROBUST_SIGMAS ** 2 * ((1 + in_sigmas / ROBUST_SIGMAS ** 2).sqrt() - 1)
        upper, lower = self.pairs.T
        both = (seen[:, upper] & seen[:, lower]).float()
        opening = (said["points"][:, upper] - said["points"][:, lower]) - (points[:, upper] - points[:, lower])
        closing = (opening.square().sum(2) + (0.2 * DISTANCE_UNIT) ** 2).sqrt() / DISTANCE_UNIT
        parts = {"distance": (weights * distance).sum() / faces, "likelihood": (weights * likelihood).sum() / faces,
                 "closing": (both * closing).sum() / both.sum().clamp(min=1),
                 "face": torch.nn.functional.binary_cross_entropy_with_logits(said["face"], is_face)}
        true = split_coefficients(values)
        for name in ("identity", "expression", "albedo"):
            known = torch.isfinite(true[name][:, 0]).float()
            count = known.sum().clamp(min=1)
            difference = torch.nan_to_num(true[name]) - said[name]
            log_sigma_c = said[f"log_{name}_sigma"].clamp(-4, 0)
            nll = log_sigma_c + 0.5 * (difference * torch.exp(-log_sigma_c)).square()
            root = quadratic_root(difference, self.metrics[name], 0.005 if name == "albedo" else 0.1)
            parts[name if name == "albedo" else name + "_mm"] = (known * root).sum() / count
            parts[name + "_nll"] = (known * (nll @ self.shares[name])).sum() / count
        for name in ("light", "pose"):
            known = torch.isfinite(true[name][:, 0]).float()
            difference = torch.nan_to_num(true[name]) - said[name]
            error = (difference.square().mean(1) + 1e-4).sqrt()
            parts[name] = (known * error).sum() / known.sum().clamp(min=1)
        sure = min(1.0, max(0.0, progress / 0.03 - 0.3))   # the likelihoods set in when the rest has settled
        total = sum(WEIGHTS[n] * (sure if n == "likelihood" or n.endswith("_nll") else 1.0) * v for n, v in parts.items())
        return total, parts

    def validate(self, network, count=768):
        """Mean errors on held-out synthetic faces: points per region in % of the outer-eye distance; coefficients in mm on the face."""
        shard = self.folder.validation
        maker = FaceSampleMaker(self.folder, self.layout, self.target, 12345)
        chosen = range(min(count, len(shard)))
        table = {}
        for label, plain in (("canonical", True), ("degraded", False)):
            rows = [maker.face_sample(shard, int(i), plain) for i in chosen]
            collected = {}

            def collect(name, value):
                collected.setdefault(name, []).append(np.asarray(value))

            for first in range(0, len(rows), 64):
                images, points, weights, is_face, values = collate(rows[first:first + 64])
                with torch.no_grad():
                    said = {k: v.cpu() for k, v in network.split(network(images.to(self.device)).float()).items()}
                faces = is_face.numpy() > 0
                collect("confidence", torch.sigmoid(said["face"]))
                collect("truth", faces)
                points, weights = points.numpy()[faces], weights.numpy()[faces]
                distance = np.linalg.norm(said["points"].numpy()[faces] - points, axis=2)
                # The size of a canonical crop stands for the outer-eye distance, which vanishes in profile: mean ratio 0.41.
                side = np.array([crops.crop_from_landmarks(p[:NUM_IBUG]).side_px for p in points])
                collect("error", 100 * distance / (0.41 * side[:, None]))
                collect("hidden", weights < 0.99)
                collect("in_sigmas", distance / said["log_sigma"].clamp(-6.5, 0).exp().numpy()[faces])
                true = split_coefficients(values)
                for name in ("identity", "expression", "albedo"):
                    known = torch.isfinite(true[name][:, 0])
                    if not known.any():
                        continue
                    difference = (true[name] - said[name])[known]
                    metric = self.metrics[name].cpu()
                    collect(name, quadratic_root(difference, metric, 0))
                    collect(name + "_average", quadratic_root(true[name][known], metric, 0))
                    collect(name + "_in_sigmas", (difference / said[f"log_{name}_sigma"].clamp(-4, 0).exp()[known])[:, self.shares[name].cpu() > 0])
                    if name == "expression":
                        blink = [self.target.expression_names.index(n) for n in ("eyeBlinkLeft", "eyeBlinkRight")]
                        collect("blink", difference[:, blink].abs())
                for name in ("light", "pose"):
                    known = torch.isfinite(true[name][:, 0])
                    if known.any():
                        collect(name, (true[name] - said[name])[known].square().mean(1).sqrt())
            all_of = {name: np.concatenate(v) for name, v in collected.items()}
            error, hidden, truth = all_of["error"], all_of["hidden"], all_of["truth"]
            row = {name: float(error[:, index].mean()) for name, index in self.layout.regions.items()}
            row["visible 68"] = float(error[:, :NUM_IBUG][~hidden[:, :NUM_IBUG]].mean())
            row["error/sigma"] = float(np.sqrt(np.mean(np.minimum(all_of["in_sigmas"], 10) ** 2) / 2))
            row["found"] = float((all_of["confidence"][truth] > 0.5).mean() * 100)
            row["false"] = float((all_of["confidence"][~truth] > 0.5).mean() * 100) if (~truth).any() else 0.0
            for name, unit in (("identity", "mm"), ("expression", "mm"), ("albedo", "%")):
                if name in all_of:
                    factor = 100 if unit == "%" else 1
                    row[f"{name} {unit}"] = float(all_of[name].mean()) * factor
                    row[f"average {unit}"] = float(all_of[name + "_average"].mean()) * factor
                    row[f"{name}/s"] = float(np.sqrt(np.mean(np.minimum(np.abs(all_of[name + "_in_sigmas"]), 10) ** 2)))
            row.update({name: float(all_of[name].mean()) for name in ("blink", "light", "pose") if name in all_of})
            table[label] = row
        return table

    def export(self, network, onnx_path, training, table):
        """The sigmas are enlarged by the ratio of error to sigma on held-out faces, those of the points also by what real photos need."""
        scale = {"points": table["degraded"]["error/sigma"] * REAL_OVER_RENDERED}
        fused = onnx_file.fused_copy(network)
        p = self.layout.num_points
        with torch.no_grad():
            fused.shape_head[-1].bias[2 * p:3 * p] += math.log(scale["points"])
            for name, head, first in (("identity", fused.identity_head[-1], NUM_IDENTITY),
                                      ("expression", fused.expression_head, NUM_EXPRESSION),
                                      ("albedo", fused.appearance_head, NUM_ALBEDO)):
                scale[name] = table["canonical"].get(f"{name}/s", 1.0)
                head.bias[first:first + dict(PARTS)[name]] += math.log(scale[name])
            # What the training faces do not show: the mean, as uncertain as the population.
            unknown = torch.tensor(~self.target.albedo_known)
            for rows in (torch.where(unknown)[0], NUM_ALBEDO + torch.where(unknown)[0]):
                fused.appearance_head.weight[rows] = 0
                fused.appearance_head.bias[rows] = 0
        description = {
            "input": {"width": INPUT_PX, "height": INPUT_PX, "channels": "RGB, 0..255"},
            "output": "x, y from the crop's centre and sigma in crop sides; coefficients of the built-in model; light and pose in "
                      "the crop's frame (tools/train/face_network.py)",
            "parts": {name: [first, last] for name, (first, last) in network.parts.items()},
            "num_points": p,
            "points": {"ibug68": [0, NUM_IBUG], "dense": [NUM_IBUG, p], "dense_names_and_mirror": "landmarks/ict_dense.json"},
            "model": "models/facet_head.npz",
            "expression_names": self.target.expression_names,
            "expression_mirror": self.target.expression_mirror.tolist(),
            "identity_mirror": self.target.identity_mirror.astype(int).tolist(),
            "albedo_mirror": np.where(self.target.albedo_known, self.target.albedo_mirror, 0).astype(int).tolist(),
            "crop": f"square, side {crops.CROP_OVER_BOX} x the larger side of the 68 points' bounding box, rolled upright",
            "mirror": self.layout.mirror.tolist(),
            "sigma_scales": {name: round(s, 3) for name, s in scale.items()},
            "training": training,
        }
        example = torch.zeros(1, 3, INPUT_PX, INPUT_PX)
        onnx_file.write(fused, example, onnx_path, description)
        if getattr(self.args, "identity_onnx", None):
            parts = {"identity": [0, NUM_IDENTITY], "log_identity_sigma": [NUM_IDENTITY, 2 * NUM_IDENTITY]}
            kept = {name: description[name] for name in ("input", "model", "identity_mirror", "crop", "training")}
            onnx_file.write(IdentityNet(fused), example, self.args.identity_onnx, {**kept, "parts": parts})
