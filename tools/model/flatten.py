"""Flattens a disc-like triangle mesh with little distortion: Tutte's embedding, then symmetric Dirichlet descent.

Tutte, "How to draw a graph", 1963; Rabinovich et al., "Scalable Locally Injective Mappings", TOG 2017 (the reweighting
scheme); Smith and Schaefer, "Bijective Parameterization with Free Boundaries", TOG 2015 (the flip-free step bound).
"""
import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.linalg import spsolve, splu


def rest_frames(corners):
    """Each triangle (F×3×3) laid into the plane: F×2×2, columns = edges from its first corner."""
    e1, e2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    length = np.linalg.norm(e1, axis=1)
    x = e1 / length[:, None]
    along = (e2 * x).sum(1)
    across = np.linalg.norm(e2 - along[:, None] * x, axis=1)
    zero = np.zeros_like(length)
    return np.stack([np.stack([length, along], 1), np.stack([zero, across], 1)], 1)


def tutte(vertex_count, triangles, boundary, boundary_uv):
    rows = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    rows = np.concatenate([rows, rows[:, ::-1]])
    adjacency = coo_matrix((np.ones(len(rows)), (rows[:, 0], rows[:, 1])), (vertex_count, vertex_count)).tocsr()
    adjacency.data[:] = 1
    laplacian = csr_matrix((np.asarray(adjacency.sum(1)).ravel(), (range(vertex_count),) * 2)) - adjacency
    inner = np.setdiff1d(np.arange(vertex_count), boundary)
    uv = np.zeros((vertex_count, 2))
    uv[boundary] = boundary_uv
    solver = splu(laplacian[inner][:, inner].tocsc())
    for k in range(2):
        uv[inner, k] = solver.solve(-laplacian[inner][:, boundary] @ uv[boundary, k])
    return uv


def largest_step(uv, step, triangles):
    """Largest t such that no triangle of uv + t step has lost its area."""
    a, b = uv[triangles[:, 1]] - uv[triangles[:, 0]], uv[triangles[:, 2]] - uv[triangles[:, 0]]
    p, q = step[triangles[:, 1]] - step[triangles[:, 0]], step[triangles[:, 2]] - step[triangles[:, 0]]
    cross = lambda x, y: x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0]
    c0, c1, c2 = cross(a, b), cross(a, q) + cross(p, b), cross(p, q)
    with np.errstate(all="ignore"):
        disc = np.sqrt(np.maximum(c1 * c1 - 4 * c2 * c0, 0))
        linear = np.abs(c2) < 1e-14
        roots = np.stack([np.where(linear, -c0 / c1, (-c1 - disc) / (2 * c2)),
                          np.where(linear, np.inf, (-c1 + disc) / (2 * c2))])
    real = (c1 * c1 - 4 * c2 * c0 >= 0) | linear
    roots = np.where(real & (roots > 0), roots, np.inf)
    return min(roots.min(), 1e6)


def slim(uv, triangles, frames, weight, fixed, iterations=60):
    """Descends sum_t weight_t area_t (|J|² + |J⁻¹|²) from the flip-free `uv`; `fixed` = mask V×2 of held coordinates."""
    count = len(uv)
    inverse_rest = np.linalg.inv(frames)
    area = 0.5 * np.abs(np.linalg.det(frames)) * weight

    def jacobian(x):
        edges = np.stack([x[triangles[:, 1]] - x[triangles[:, 0]], x[triangles[:, 2]] - x[triangles[:, 0]]], 2)
        return edges @ inverse_rest

    def energy(x):
        j = jacobian(x)
        det = np.linalg.det(j)
        if det.min() <= 0:
            return np.inf
        n = (j ** 2).sum((1, 2))
        return (area * n * (1 + 1 / det ** 2)).sum()

    # J = sum_i x_i g_i^T with g = gradients of the hat functions
    grad = np.concatenate([-(inverse_rest[:, :1] + inverse_rest[:, 1:]), inverse_rest], 1)      # F×3×2
    rows = np.repeat(np.arange(len(triangles)), 3)
    dx = csr_matrix((grad[:, :, 0].ravel(), (rows, triangles.ravel())), (len(triangles), count))
    dy = csr_matrix((grad[:, :, 1].ravel(), (rows, triangles.ravel())), (len(triangles), count))
    free = np.flatnonzero(~np.concatenate([fixed[:, 0], fixed[:, 1]]))
    value = energy(uv)
    for it in range(iterations):
        u, s, vt = np.linalg.svd(jacobian(uv))
        u[:, :, 1] *= np.sign(np.linalg.det(u))[:, None]
        vt[:, 1] *= np.sign(np.linalg.det(vt))[:, None]
        r = u @ vt
        # weights that give the quadratic proxy the gradient of the true energy
        sw = np.sqrt(np.where(np.abs(s - 1) < 1e-6, 4.0, (s - s ** -3) / np.where(np.abs(s - 1) < 1e-9, 1, s - 1)))
        w = (u * sw[:, None, :]) @ u.transpose(0, 2, 1)
        sq = np.sqrt(area)
        blocks, right = [], []
        from scipy.sparse import diags, vstack, hstack
        for i in range(2):
            for d, col in ((dx, 0), (dy, 1)):
                blocks.append(hstack([diags(sq * w[:, i, 0]) @ d, diags(sq * w[:, i, 1]) @ d]))
                right.append(sq * (w[:, i, 0] * r[:, 0, col] + w[:, i, 1] * r[:, 1, col]))
        a = vstack(blocks).tocsr()
        b = np.concatenate(right)
        x0 = uv.T.ravel()
        af = a[:, free]
        h = (af.T @ af).tocsc()
        h = h + 1e-9 * h.diagonal().mean() * csr_matrix((np.ones(len(free)), (range(len(free)),) * 2))
        delta = np.zeros(2 * count)
        delta[free] = spsolve(h.tocsc(), af.T @ (b - a @ x0))
        step = delta.reshape(2, count).T
        t = min(1.0, 0.8 * largest_step(uv, step, triangles))
        while t > 1e-9:
            trial = energy(uv + t * step)
            if trial < value:
                break
            t *= 0.5
        else:
            break
        uv = uv + t * step
        done = value - trial < 1e-5 * value
        value = trial
        if done:
            break
    return uv, value / area.sum(), it + 1
