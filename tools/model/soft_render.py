"""A small orthographic z-buffer renderer in numpy, to look at a head without building facet."""
import numpy as np


def vertex_normals(points, triangles):
    a, b, c = (points[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    out = np.zeros_like(points)
    for k in range(3):
        np.add.at(out, triangles[:, k], face)
    return out / np.maximum(np.linalg.norm(out, axis=1), 1e-12)[:, None]


def rotation(yaw_degrees, pitch_degrees=0.0):
    y, p = np.radians([yaw_degrees, pitch_degrees])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rx = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    return rx @ ry


def visible(points_px, triangles, size):
    """(triangle index or -1, barycentric) per pixel; points_px: x right, y down, z towards the viewer."""
    width, height = size
    p = points_px[triangles]
    lo = np.floor(p[..., :2].min(1)).astype(int).clip(0, [width, height])
    hi = np.ceil(p[..., :2].max(1)).astype(int).clip(0, [width, height])
    extent = np.maximum(hi - lo, 0)
    count = extent[:, 0] * extent[:, 1]
    d = (p[:, 1, 0] - p[:, 0, 0]) * (p[:, 2, 1] - p[:, 0, 1]) - (p[:, 2, 0] - p[:, 0, 0]) * (p[:, 1, 1] - p[:, 0, 1])
    order = np.flatnonzero((count > 0) & (np.abs(d) > 1e-12))
    depth = np.full(width * height, -np.inf)
    index = np.full(width * height, -1)
    bary = np.zeros((width * height, 3))
    chunk, start = 2_000_000, 0
    while start < len(order):
        cum = np.cumsum(count[order[start:]])
        stop = start + max(1, int(np.searchsorted(cum, chunk)))
        t = np.repeat(order[start:stop], count[order[start:stop]])
        first = np.r_[0, np.cumsum(count[order[start:stop]])[:-1]]
        k = np.arange(len(t)) - np.repeat(first, count[order[start:stop]])
        x = lo[t, 0] + k % extent[t, 0]
        y = lo[t, 1] + k // extent[t, 0]
        q = p[t]
        px, py = x + 0.5, y + 0.5
        b1 = ((px - q[:, 0, 0]) * (q[:, 2, 1] - q[:, 0, 1]) - (q[:, 2, 0] - q[:, 0, 0]) * (py - q[:, 0, 1])) / d[t]
        b2 = ((q[:, 1, 0] - q[:, 0, 0]) * (py - q[:, 0, 1]) - (px - q[:, 0, 0]) * (q[:, 1, 1] - q[:, 0, 1])) / d[t]
        b0 = 1 - b1 - b2
        ok = (b0 >= -1e-9) & (b1 >= -1e-9) & (b2 >= -1e-9)
        t, x, y, b0, b1, b2, q = t[ok], x[ok], y[ok], b0[ok], b1[ok], b2[ok], q[ok]
        z = b0 * q[:, 0, 2] + b1 * q[:, 1, 2] + b2 * q[:, 2, 2]
        pixel = y * width + x
        sort = np.lexsort((z, pixel))
        last = np.r_[pixel[sort][1:] != pixel[sort][:-1], True]
        s = sort[last]
        closer = z[s] > depth[pixel[s]]
        s = s[closer]
        depth[pixel[s]], index[pixel[s]] = z[s], t[s]
        bary[pixel[s]] = np.stack([b0[s], b1[s], b2[s]], 1)
        start = stop
    return index.reshape(height, width), bary.reshape(height, width, 3), depth.reshape(height, width)


def render(points, triangles, albedo=None, yaw=0.0, pitch=0.0, centre=(0, 5, 20), scale=2.0, size=(560, 640), light=None,
           background=0.16, wire=False):
    """sRGB uint8 image (BGR). albedo: V×3 linear RGB or None for grey clay; scale: pixels per millimetre; 2×2 samples."""
    ss = 2
    w, h = size[0] * ss, size[1] * ss
    r = rotation(yaw, pitch)
    q = (points - np.array(centre)) @ r.T
    px = np.column_stack([w / 2 + q[:, 0] * scale * ss, h / 2 - q[:, 1] * scale * ss, q[:, 2] * scale * ss])
    index, bary, _ = visible(px, triangles, (w, h))
    normal = vertex_normals(points, triangles) @ r.T
    t = triangles[np.maximum(index, 0)]
    n = (normal[t] * bary[..., None]).sum(2)
    n /= np.maximum(np.linalg.norm(n, axis=2), 1e-9)[..., None]
    colour = np.full(n.shape, 0.42) if albedo is None else (albedo[t] * bary[..., None]).sum(2)
    key, fill = np.array([0.45, 0.5, 0.75]), np.array([-0.8, 0.1, 0.5])
    key, fill = key / np.linalg.norm(key), fill / np.linalg.norm(fill)
    shade = 0.20 + 0.10 * n[..., 1] + 0.85 * np.maximum(n @ key, 0) + 0.22 * np.maximum(n @ fill, 0)
    half = key + [0, 0, 1]
    half /= np.linalg.norm(half)
    gloss = 0.05 * np.maximum(n @ half, 0) ** 30
    image = colour * shade[..., None] + gloss[..., None]
    if wire:
        image = image * np.where(bary.min(2) < 0.06, 0.45, 1.0)[..., None]
    image = np.where((index >= 0)[..., None], image, background ** 2.2)
    image = image.reshape(size[1], ss, size[0], ss, 3).mean((1, 3))
    image = np.clip(image, 0, 1)
    srgb = np.where(image <= 0.0031308, 12.92 * image, 1.055 * image ** (1 / 2.4) - 0.055)
    return (srgb[..., ::-1] * 255 + 0.5).astype(np.uint8)
