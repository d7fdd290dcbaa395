#!/usr/bin/python3
"""Judges single-photo reconstructions of the scan whose portraits have known cameras: is the face found, also mirrored; is the
neutral mesh like the scan (median in mm, by the independent scorer); are its closed eyes closed (opening of the lids in mm:
distance of the upper lid's middle points from the lower margin).

  tools/train/evaluate_scan.py --facet build/release/bin/facet --data DATA/lee_perry_smith --scorer TOOLS/scan_error.py \\
      --out /tmp/scan [--model ICT.npz] [--samples 60000]
"""
import argparse
import json
import os
import subprocess
import sys

import cv2
import numpy as np

# iBUG points of the scorer's seven names; of the upper lids' middles, and of the lower margins with both corners.
SEVEN = {"right_eye_outer": 36, "right_eye_inner": 39, "left_eye_inner": 42, "left_eye_outer": 45, "nose_bottom": 33,
         "mouth_right": 48, "mouth_left": 54}
LIDS = (((37, 38), (36, 41, 40, 39)), ((43, 44), (42, 47, 46, 45)))


def read_obj(path):
    vertices, triangles = [], []
    with open(path) as file:
        for line in file:
            if line.startswith("v "):
                vertices.append([float(x) for x in line.split()[1:4]])
            elif line.startswith("f "):
                triangles.append([int(w.split("/")[0]) - 1 for w in line.split()[1:4]])
    return np.array(vertices), np.array(triangles)


def landmarks68(mesh, embedding):
    vertices, triangles = mesh
    corners = triangles[embedding[:, 0].astype(int)]
    return np.einsum("nk,nkc->nc", embedding[:, 1:4], vertices[corners])


def to_polyline(point, line):
    """Distance of a point from a polyline."""
    a, b = line[:-1], line[1:]
    along = np.clip(((point - a) * (b - a)).sum(1) / ((b - a) ** 2).sum(1), 0, 1)
    return float(np.linalg.norm(a + along[:, None] * (b - a) - point, axis=1).min())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facet", default="build/release/bin/facet")
    parser.add_argument("--data", required=True, help="folder with views/, scan_mm.obj and landmarks7.json")
    parser.add_argument("--scorer", required=True, help="scan_error.py")
    parser.add_argument("--out", required=True)
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--samples", default="60000")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    views = sorted(n for n in os.listdir(os.path.join(args.data, "views")) if n.endswith(".png"))
    medians, gaps, mirrored_found = [], [], 0
    print("view     median mm   lids open mm (right right left left)   mirrored")
    for name in views:
        photo = os.path.join(args.data, "views", name)
        stem = os.path.join(args.out, name[:-4])
        command = [args.facet, "reconstruct", photo, "-o", stem, "--model", args.model, "--stop-after", "fit", "--force", "--quiet"]
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
            print(f"{name[:-4]}   not reconstructed")
            continue
        with open(os.path.join(stem, "fit.json")) as file:
            embedding = np.array(json.load(file)["landmark_embedding68"], float)
        neutral, coarse = (landmarks68(read_obj(os.path.join(stem, "mesh", part + ".obj")), embedding) for part in ("neutral", "coarse"))
        with open(stem + "_landmarks.json", "w") as file:
            json.dump({n: neutral[i].tolist() for n, i in SEVEN.items()}, file)
        subprocess.run([sys.executable, args.scorer, "--mesh", os.path.join(stem, "mesh", "neutral.obj"),
                        "--mesh-landmarks", stem + "_landmarks.json", "--scan", os.path.join(args.data, "scan_mm.obj"),
                        "--scan-landmarks", os.path.join(args.data, "landmarks7.json"), "--outer", "--samples", args.samples,
                        "--out", stem + "_score.json"], check=True, stdout=subprocess.DEVNULL)
        with open(stem + "_score.json") as file:
            score = json.load(file)
        medians.append(score["median"] if "median" in score else score["median_mm"])
        gap = [to_polyline(coarse[i], coarse[list(lower)]) for upper, lower in LIDS for i in upper]
        gaps.append(np.mean(gap))
        cv2.imwrite(stem + "_mirrored.png", cv2.flip(cv2.imread(photo), 1))
        found = subprocess.run([args.facet, "detect", stem + "_mirrored.png", "--json", "--quiet"], stdout=subprocess.PIPE).returncode == 0
        mirrored_found += found
        print(f"{name[:-4]}   {medians[-1]:9.2f}   {'  '.join(f'{g:.1f}' for g in gap)}   {'found' if found else 'missed'}", flush=True)
    print(f"{len(medians)} of {len(views)} reconstructed, {mirrored_found} mirrored ones found; mean of the medians {np.mean(medians):.3f} mm; "
          f"lids open {np.mean(gaps):.2f} mm on average, {np.max(gaps):.2f} at most (closed in truth)")


if __name__ == "__main__":
    main()
