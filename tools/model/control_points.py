#!/usr/bin/python3
"""Chooses the control points of the built-in head: ICT-FaceKit vertex indices, in exact left/right pairs.

The choice is a list of indices; no geometry leaves this file. Order of the result: the 68 iBUG landmarks, the rest of the
dense landmark set (lip and lid contours, face, ears, upper neck), then supports that no photograph shows (inner rims of lips and
lids, skull, neck). It has three steps: whole contours around the lids and lips; farthest-point sampling in a metric that
counts turning normals as distance, so that folds get more points than plains; mirroring.
"""
import heapq
import json
import os
from collections import defaultdict

import numpy as np
from scipy.spatial import cKDTree

NORMAL_WEIGHT_MM = 4.0     # a 1 rad turn of the surface counts like this many millimetres
DENSE_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../data/landmarks/ict_dense.json")
CONTROL_LIMIT = 600        # the licence-driven limit on measured points


class IctHead:
    """The outer skin of ICT-FaceKit light, in millimetres, with its mirror map and the rings around its openings."""

    def __init__(self, path):
        data = np.load(path)
        self.data = data
        self.mean = data["mean"].astype(float) * 10.0          # ICT is in centimetres
        names = list(data["part_names"])
        self.part = {n: data["part_ranges"][i] for i, n in enumerate(names)}
        first, last = self.part["face"][2], self.part["head_neck"][3]
        self.quads = data["quads"][first:last]
        source = data["triangle_source_face"]
        self.triangles = data["triangles"][(source >= first) & (source < last)].astype(int)
        self.skin = np.unique(self.quads)
        self.landmarks68 = data["landmarks68"].astype(int)
        self.narrow_face_end = self.part["narrow_face"][1]
        self.mirror = np.full(len(self.mean), -1)
        tree = cKDTree(self.mean[self.skin] * [-1, 1, 1])
        self.mirror[self.skin] = self.skin[tree.query(self.mean[self.skin])[1]]
        assert (self.mirror[self.mirror[self.skin]] == self.skin).all()
        normals = np.zeros_like(self.mean)
        a, b, c = (self.mean[self.triangles[:, i]] for i in range(3))
        for i in range(3):
            np.add.at(normals, self.triangles[:, i], np.cross(b - a, c - a))
        self.normals = normals / np.maximum(np.linalg.norm(normals, axis=1), 1e-12)[:, None]
        self.edges = defaultdict(set)
        for i in range(4):
            for u, v in self.quads[:, [i, (i + 1) % 4]]:
                self.edges[u].add(v)
                self.edges[v].add(u)

    def openings(self):
        """Boundary loops of the skin (vertex lists in order): mouth, neck, left eye, right eye."""
        t = self.triangles
        directed = set(map(tuple, np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]])))
        following = {a: b for a, b in directed if (b, a) not in directed}
        loops = []
        while following:
            start = min(following)
            loop, nxt = [start], following.pop(start)
            while nxt != start:
                loop.append(nxt)
                nxt = following.pop(nxt)
            loops.append(loop)
        by_size = {len(l): l for l in loops if len(l) != 42}
        eyes = sorted((l for l in loops if len(l) == 42), key=lambda l: -self.mean[l, 0].mean())
        return {"mouth": by_size[74], "neck": by_size[54], "eye_left": eyes[0], "eye_right": eyes[1]}

    def rings(self, loop, count):
        """The loop and the vertex rings around it, each ordered by the angle in which the loop before it was."""
        quads_of = defaultdict(list)
        for i, q in enumerate(self.quads):
            for v in q:
                quads_of[v].append(i)
        rings, seen = [list(loop)], set(loop)
        for _ in range(count):
            nxt = {w for v in rings[-1] for i in quads_of[v] for w in self.quads[i]} - seen
            seen |= nxt
            start = min(nxt)
            ordered, left = [start], nxt - {start}
            while left:                              # walk along edges; where a ring pinches take the nearest vertex
                near = [w for w in self.edges[ordered[-1]] if w in left] or \
                    [min(left, key=lambda w: np.linalg.norm(self.mean[w] - self.mean[ordered[-1]]))]
                ordered.append(min(near))
                left.discard(ordered[-1])
            rings.append(ordered)
        return rings


def farthest_points(head, chosen, candidates, weight, count):
    """Adds `count` vertices of `candidates`, each the one whose weighted graph distance to all chosen is largest."""
    distance = np.full(len(head.mean), np.inf)

    def spread(source):
        distance[source] = 0
        queue = [(0.0, source)]
        while queue:
            d, u = heapq.heappop(queue)
            if d > distance[u]:
                continue
            for v in head.edges[u]:
                step = np.linalg.norm(head.mean[u] - head.mean[v])
                step = np.hypot(step, NORMAL_WEIGHT_MM * np.linalg.norm(head.normals[u] - head.normals[v]))
                step *= 0.5 * (weight[u] + weight[v])
                if d + step < distance[v]:
                    distance[v] = d + step
                    heapq.heappush(queue, (d + step, v))

    for v in chosen:
        spread(v)
    added = []
    for _ in range(count):
        best = max(candidates, key=lambda v: (distance[v] if np.isfinite(distance[v]) else 1e9, -v))
        added += [best]
        spread(best)
        spread(head.mirror[best])
    return added


def is_ear(head, v):
    x, y, z = head.mean[v]
    # The auricle stands off the head: beside it, and farther out than the temple in front of it.
    return abs(x) > 69 and -24 < y < 40 and -19 < z < 21 - 0.1 * (y + 24)


def choose(head):
    """(dense, support, names): lists of vertex indices, closed under mirroring, and a name for each index.

    The dense set is fixed in data/landmarks/ict_dense.json, because the landmark networks are trained on it; it was chosen by
    farthest-point sampling between the 68 iBUG landmarks and the lid and lip contours.
    """
    with open(DENSE_FILE) as file:
        dense = [int(v) for v in json.load(file)["dense"]]
    ibug = {int(v): f"ibug{i}" for i, v in enumerate(head.landmarks68)}
    names = {v: ibug.get(v, "ear" if is_ear(head, v) else "face") for v in dense}
    openings = head.openings()
    def add(vertices, name):
        for v in vertices:
            for w in (int(v), int(head.mirror[v])):
                if w not in names:
                    support.append(w)
                if w not in ibug:
                    names[w] = name

    support = []
    mouth = head.rings(openings["mouth"], 16)
    # Ring 7-8 is where the lips touch, ring 12 the vermilion border, ring 10 the fullest line between.
    middle = lambda ring: sorted((v for v in ring if abs(head.mean[v, 0]) < 0.01), key=lambda v: head.mean[v, 1])

    def half(ring, step, offset=0):
        """Every step-th vertex of the ring's left half, from the lower to the upper midline point, both included."""
        start, end = middle(ring)[0], middle(ring)[-1]
        i = ring.index(start)
        walk = ring[i:] + ring[:i]
        if head.mean[walk[1], 0] < 0:
            walk = [walk[0]] + walk[:0:-1]
        walk = walk[:walk.index(end) + 1]
        return sorted({walk[k] for k in range(offset, len(walk), step)} | {start, end})

    add(half(mouth[12], 3), "lip_border")
    add(half(mouth[8], 3), "lip_contact")
    add(half(mouth[10], 5), "lip_ridge")
    add(half(mouth[0], 9), "lip_inside")
    eye = head.rings(openings["eye_left"], 8)
    add(eye[2][::2], "lid_margin")
    add(eye[0][::4], "lid_inside")
    add(eye[5][::6], "lid_fold")

    return dense, support, names
