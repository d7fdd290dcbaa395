"""The UV layout: skin, eyeballs, sockets, mouth bag and teeth as islands of one unit square, mirror-symmetric skin."""
import numpy as np

import flatten

MARGIN = 0.006
STRIP_HEIGHT = 0.17       # at the bottom of the square, for everything that is not skin


def skin_islands(uv_half, points_half, triangles, share, eye_loop, mouth_loop):
    """Re-flattens the half chart so that a triangle with `share` s gets s times the length it has on the head.

    The holes are closed by fans whose rest shape is the hole in the chart, so that they stay open.
    """
    n = len(uv_half)
    frames = flatten.rest_frames(points_half[triangles]) * share[triangles].mean(1)[:, None, None]
    fans, fan_frames, centres = [], [], []
    for k, (loop, closed) in enumerate(((eye_loop, True), (mouth_loop, False))):
        p = uv_half[loop]
        centre = p.mean(0) if closed else np.array([0, p[[0, -1], 1].mean()])
        centres.append(centre)
        for i in range(len(loop) if closed else len(loop) - 1):
            j = (i + 1) % len(loop)
            fans.append((n + k, loop[i], loop[j]))
            fan_frames.append(np.column_stack([p[i] - centre, p[j] - centre]) * share[loop].mean())
    start = np.vstack([uv_half, centres])
    all_triangles = np.vstack([triangles, fans])
    all_frames = np.concatenate([frames, fan_frames])
    fixed = np.zeros((n + 2, 2), bool)
    fixed[np.abs(start[:, 0]) < 1e-9, 0] = True
    fixed[np.argmax(start[:, 1] - 1e6 * (np.abs(start[:, 0]) > 1e-9)), 1] = True
    uv, energy, steps = flatten.slim(start, all_triangles, all_frames, np.ones(len(all_triangles)), fixed, 80)
    print(f"uv: symmetric Dirichlet energy {energy:.2f} after {steps} steps")
    return uv[:n]


def place(island, x0, y0, x1, y1):
    """Scales an island uniformly into the box, centred."""
    lo, hi = island.min(0), island.max(0)
    scale = min((x1 - x0) / (hi[0] - lo[0]), (y1 - y0) / (hi[1] - lo[1]))
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    return (island - (lo + hi) / 2) * scale + centre


def stretch(island, x0, y0, x1, y1):
    lo, hi = island.min(0), island.max(0)
    return (island - lo) / (hi - lo) * [x1 - x0, y1 - y0] + [x0, y0]


def strip_boxes():
    """Boxes of the small islands in the bottom strip: two eyeballs, the mouth bag, two sockets, two dental arches."""
    m, h = MARGIN, STRIP_HEIGHT
    boxes, x = {}, m
    for name, width in (("eyeball_left", h - 2 * m), ("eyeball_right", h - 2 * m), ("mouth_bag", h - 2 * m),
                        ("socket_left", 0.5 * h - 1.5 * m), ("socket_right", 0.5 * h - 1.5 * m)):
        if name == "socket_right":
            x -= 0.5 * h - 0.5 * m
            boxes[name] = (x, m, x + width, m + width)
        elif name == "socket_left":
            boxes[name] = (x, 0.5 * h + 0.5 * m, x + width, h - m)
        else:
            boxes[name] = (x, m, x + width, h - m)
        x += width + m
    x += m
    boxes["teeth_upper"] = (x, 0.5 * h + 0.5 * m, 1 - m, h - m)
    boxes["teeth_lower"] = (x, m, 1 - m, 0.5 * h - 0.5 * m)
    return boxes
