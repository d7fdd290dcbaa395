#pragma once

#include <Eigen/SparseCore>

#include "core/types.h"

namespace facet {

// Cotangent weights of the corners of each triangle, F×3: half the cotangent of the corner's angle, which
// belongs to the opposite edge; Pinkall and Polthier, "Computing Discrete Minimal Surfaces and Their
// Conjugates", 1993. Cut off below at a small positive value, so that no triangle pushes its corners apart.
Points3 cotangentWeights(const Points3& vertices, const Triangles& triangles);

// V×V Laplacian of these weights, positive semidefinite: (L x)_i = sum_j w_ij (x_i - x_j).
Eigen::SparseMatrix<double> laplacian(const Points3& weights, const Triangles& triangles, int num_vertices);

// Area that belongs to each vertex: a third of its triangles', in the square of the vertices' unit.
Eigen::VectorXd vertexAreas(const Points3& vertices, const Triangles& triangles);

}  // namespace facet
