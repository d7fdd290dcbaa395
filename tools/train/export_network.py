#!/usr/bin/python3
"""Writes a trained landmark network as ONNX (opset 11, read by OpenCV 4.6) with a JSON beside it that describes it.

  tools/train/export_network.py CHECKPOINT OUT.onnx
"""
import argparse
import json
import math
import os
import sys

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crops
from identity_target import NUM_MODES
from landmark_layout import NUM_IBUG, LandmarkLayout
from network import INPUT_PX, LandmarkNet, fused_copy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def export(network, layout, onnx_path, training, sigma_scale=1.0, identity_sigma_scale=1.0):
    """`sigma_scale`: root mean square of error / sigma on held-out faces, by which the exported sigmas are enlarged."""
    fused = fused_copy(network).cpu().to(memory_format=torch.contiguous_format)
    with torch.no_grad():
        fused.shape_head[-1].bias[2 * layout.num_points:3 * layout.num_points] += math.log(sigma_scale)
        fused.identity_head[-1].bias[network.num_modes:] += math.log(identity_sigma_scale)
    os.makedirs(os.path.dirname(os.path.abspath(onnx_path)), exist_ok=True)
    torch.onnx.export(fused, torch.zeros(1, 3, INPUT_PX, INPUT_PX), onnx_path + ".tmp", opset_version=11,
                      input_names=["rgb"], output_names=["prediction"])
    description = {
        "input": {"width": INPUT_PX, "height": INPUT_PX, "channels": "RGB, 0..255"},
        "output": "x y per point | log sigma per point | face logit | identity coefficients | their log sigma; "
                  "x, y from the crop's centre and sigma in crop sides, coefficients in standard deviations",
        "num_points": layout.num_points,
        "points": {"ibug68": [0, NUM_IBUG], "dense": [NUM_IBUG, layout.num_points],
                   "dense_names_and_mirror": "landmarks/ict_dense.json"},
        "identity_modes": network.num_modes,
        "identity_model": "models/facet_head.npz",
        "crop": f"square, side {crops.CROP_OVER_BOX} x the larger side of the 68 points' bounding box, rolled upright",
        "mirror": layout.mirror.tolist(),
        "licence": "as facet; trained only on faces rendered by facet",
        "sigma_scale": round(sigma_scale, 3),
        "identity_sigma_scale": round(identity_sigma_scale, 3),
        "training": training,
    }
    json_path = os.path.splitext(onnx_path)[0] + ".json"
    with open(json_path + ".tmp", "w") as file:
        json.dump(description, file, indent=1)
        file.write("\n")
    os.replace(onnx_path + ".tmp", onnx_path)
    os.replace(json_path + ".tmp", json_path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("onnx")
    parser.add_argument("--dense", default=os.path.join(ROOT, "data/landmarks/ict_dense.json"))
    parser.add_argument("--describe", help="JSON of an earlier export of this training, whose notes are kept")
    args = parser.parse_args()
    state = torch.load(args.checkpoint, map_location="cpu")
    network = LandmarkNet(state["num_points"], NUM_MODES)
    network.load_state_dict(state["average"])
    identity_sigma_scale = 1.0
    training, sigma_scale = {"minutes": round(state["elapsed"] / 60, 1), "samples_seen": state["seen"]}, 1.0
    if args.describe:
        with open(args.describe) as file:
            described = json.load(file)
        training, identity_sigma_scale = described["training"], described.get("identity_sigma_scale", 1.0)
        sigma_scale = training["validation"]["degraded"]["error/sigma"]
    export(network, LandmarkLayout(args.dense, state["num_points"]), args.onnx, training, sigma_scale,
           identity_sigma_scale)


if __name__ == "__main__":
    main()
