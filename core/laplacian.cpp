#include "core/laplacian.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <vector>

namespace facet {

Points3 cotangentWeights(const Points3& vertices, const Triangles& triangles) {
  // Half the cotangents of 87 and of 3 degrees: flatter or sharper corners are faults of the mesh.
  constexpr float kLowest = 0.025F, kHighest = 10;
  Points3 weights(triangles.rows(), 3);
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      const Eigen::Vector3f corner = vertices.row(triangles(f, k));
      const Eigen::Vector3f to_next = vertices.row(triangles(f, (k + 1) % 3)).transpose() - corner;
      const Eigen::Vector3f to_previous = vertices.row(triangles(f, (k + 2) % 3)).transpose() - corner;
      const float sine = to_next.cross(to_previous).norm(), cosine = to_next.dot(to_previous);
      weights(f, k) = sine > 0 ? std::clamp(cosine / (2 * sine), kLowest, kHighest) : kLowest;
    }
  }
  return weights;
}

Eigen::SparseMatrix<double> laplacian(const Points3& weights, const Triangles& triangles, int num_vertices) {
  std::vector<Eigen::Triplet<double>> entries;
  entries.reserve(static_cast<std::size_t>(12 * triangles.rows()));
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      const int i = triangles(f, (k + 1) % 3), j = triangles(f, (k + 2) % 3);
      const double weight = weights(f, k);
      entries.emplace_back(i, i, weight);
      entries.emplace_back(j, j, weight);
      entries.emplace_back(i, j, -weight);
      entries.emplace_back(j, i, -weight);
    }
  }
  Eigen::SparseMatrix<double> result(num_vertices, num_vertices);
  result.setFromTriplets(entries.begin(), entries.end());
  return result;
}

Eigen::VectorXd vertexAreas(const Points3& vertices, const Triangles& triangles) {
  Eigen::VectorXd areas = Eigen::VectorXd::Zero(vertices.rows());
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    const Eigen::Vector3d a = vertices.row(triangles(f, 0)).cast<double>();
    const Eigen::Vector3d b = vertices.row(triangles(f, 1)).cast<double>();
    const Eigen::Vector3d c = vertices.row(triangles(f, 2)).cast<double>();
    const double third = (b - a).cross(c - a).norm() / 6;
    for (int k = 0; k < 3; ++k) areas[triangles(f, k)] += third;
  }
  return areas;
}

}  // namespace facet
