#!/usr/bin/python3
"""Runs `facet detect` on real photos: what was found, NME against hand-picked points, contact sheets to look at.

  tools/train/evaluate_photos.py --facet build/release/bin/facet --photos DATA/photos \\
      --scorer TOOLS/nme.py --out /tmp/landmarks

It also says how well the network knows its own error: the share of hand-picked points within two of its standard deviations.
hand_landmarks.json of the photo folder is for every day; --held-out takes held_out_landmarks.json beside this script instead, six photos
that are only for the last number.

OUT/pred.json has the largest face of each photo in the form the scorer reads; OUT/sheet_NN.png shows the landmarks, green where
the network is sure, red where it is not. Never train on these photos; docs/training.md says
what was chosen on them.
"""
import argparse
import glob
import json
import os
import subprocess
import sys

import cv2
import numpy as np

PICTURES = (".jpg", ".jpeg", ".png", ".ppm")
IBUG_LINES = (range(0, 17), range(17, 22), range(22, 27), range(27, 31), range(31, 36), [*range(36, 42), 36],
              [*range(42, 48), 42], [*range(48, 60), 48], [*range(60, 68), 60])
TILE_PX, COLUMNS, ROWS = 300, 6, 4


def detect(command, paths):
    """{path: entry} as `facet detect --json` prints it; photos without a face are missing or have no landmarks68."""
    result = subprocess.run([*command, *paths], stdout=subprocess.PIPE, text=True)   # a photo without a face is no failure
    return json.loads(result.stdout or "{}")


def drawn_face(picture, entry, label):
    """The face and its surroundings at tile size, with the landmarks."""
    height, width = picture.shape[:2]
    if entry and entry.get("landmarks68"):
        points = np.array(entry["landmarks68"])
        low, high = points.min(0), points.max(0)
        side, center = 1.5 * max(high - low), (low + high) / 2
    else:
        points, side, center = None, max(height, width), np.array([width / 2, height / 2])
    zoom = TILE_PX / side
    affine = np.array([[zoom, 0, TILE_PX / 2 - zoom * center[0]], [0, zoom, TILE_PX / 2 - zoom * center[1]]])
    interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    if zoom < 1:   # warpAffine does not average: shrink first
        picture = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=interpolation)
        tile = cv2.warpAffine(picture, np.hstack([np.eye(2), affine[:, 2:]]), (TILE_PX, TILE_PX))
    else:
        tile = cv2.warpAffine(picture, affine, (TILE_PX, TILE_PX), flags=interpolation)
    if points is None:
        cv2.putText(tile, "NO FACE", (60, TILE_PX // 2), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (0, 0, 255), 2)
    else:
        shown = points @ affine[:, :2].T + affine[:, 2]
        for line in IBUG_LINES:
            cv2.polylines(tile, [np.round(shown[list(line)] * 8).astype(np.int32)], False, (255, 200, 80), 1, cv2.LINE_AA, 3)
        doubt = np.clip(np.array(entry.get("sigma_px", [0] * 68)).ravel() / side / 0.03, 0, 1)
        for (x, y), d in zip(shown, doubt):
            cv2.circle(tile, (int(round(x * 8)), int(round(y * 8))), 12, (0, int(255 * (1 - d)), int(255 * d)), -1, cv2.LINE_AA, 3)
        label += f"  {entry['confidence']:.2f}"
    cv2.putText(tile, label, (4, TILE_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(tile, label, (4, TILE_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return tile


def calibration(found, hand):
    """Share of hand-picked points within one, two and three of the predicted standard deviations: as distances and per coordinate."""
    in_sigmas = []
    for name, photo in hand["photos"].items():
        entry = found.get(name)
        if not entry:
            continue
        points, sigma = np.array(entry["landmarks68"]), np.array(entry["sigma_px"]).ravel()
        for point, position in photo["landmarks"].items():
            index = hand["points"].get(point)
            if index is not None:
                in_sigmas.append((points[index] - position) / sigma[index])
    in_sigmas = np.array(in_sigmas)
    distance = np.linalg.norm(in_sigmas, axis=1)
    shares = ", ".join(f"{k} sigma: {100 * (distance < k).mean():.1f} % as distances, {100 * (np.abs(in_sigmas) < k).mean():.1f} % of coordinates"
                       for k in (1, 2, 3))
    return f"{len(in_sigmas)} hand-picked points within {shares}"


def write_sheets(tiles, folder):
    for number, first in enumerate(range(0, len(tiles), COLUMNS * ROWS)):
        page = tiles[first:first + COLUMNS * ROWS]
        page += [np.zeros_like(page[0])] * (-len(page) % COLUMNS)
        rows = [np.hstack(page[i:i + COLUMNS]) for i in range(0, len(page), COLUMNS)]
        cv2.imwrite(os.path.join(folder, f"sheet_{number:02d}.png"), np.vstack(rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facet", default="build/release/bin/facet")
    parser.add_argument("--command", help="in place of `FACET detect --json`: any command that prints the same")
    parser.add_argument("--photos", required=True, help="folder, searched with its subfolders")
    parser.add_argument("--scorer", help="nme.py; hand_landmarks.json is taken from the photo folder")
    parser.add_argument("--held-out", action="store_true", help="score on the photos that nothing was tuned on")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    paths = sorted(p for p in glob.glob(os.path.join(args.photos, "**", "*"), recursive=True)
                   if p.lower().endswith(PICTURES))
    command = args.command.split() if args.command else [args.facet, "detect", "--json"]
    found = detect(command, paths)

    predictions, tiles, seconds = {}, [], []
    for path in paths:
        key = os.path.relpath(path, args.photos)
        entry = found.get(path) or {}
        if entry.get("landmarks68"):
            predictions[key] = {"landmarks68": entry["landmarks68"]}
        if "seconds" in entry:
            seconds.append(entry["seconds"])
        count = len(entry.get("faces", []))
        if count != 1:
            print(f"{key}: {count} faces")
        tiles.append(drawn_face(cv2.imread(path), entry, key))
        tiles += [drawn_face(cv2.imread(path), face, f"  face {i + 2}") for i, face in enumerate(entry.get("faces", [])[1:])]
    with open(os.path.join(args.out, "pred.json"), "w") as file:
        json.dump(predictions, file)
    write_sheets(tiles, args.out)
    faces = sum(len(e.get("faces", [])) for e in found.values())
    print(f"{faces} faces; a face in {len(predictions)} of {len(paths)} pictures ({100 * len(predictions) / max(1, len(paths)):.1f} %)"
          + (f", {1000 * np.median(seconds):.0f} ms each (worst {1000 * max(seconds):.0f})" if seconds else ""))
    hand_path = (os.path.join(os.path.dirname(os.path.abspath(__file__)), "held_out_landmarks.json") if args.held_out
                 else os.path.join(args.photos, "hand_landmarks.json"))
    if args.scorer and os.path.exists(hand_path):
        with open(hand_path) as file:
            hand = json.load(file)
        print(calibration({os.path.relpath(p, args.photos): e for p, e in found.items()}, hand))
        wings = ("right_alar", "left_alar")
        for label, left_out in (("all points", ()), ("without the nostril wings", wings)):
            chosen = {**hand, "photos": {name: {**photo, "landmarks": {n: p for n, p in photo["landmarks"].items() if n not in left_out}}
                                         for name, photo in hand["photos"].items()}}
            path = os.path.join(args.out, "hand.json")
            with open(path, "w") as file:
                json.dump(chosen, file)
            print(f"\n{label}:")
            sys.stdout.flush()
            subprocess.run([sys.executable, args.scorer, os.path.join(args.out, "pred.json"), path])


if __name__ == "__main__":
    main()
