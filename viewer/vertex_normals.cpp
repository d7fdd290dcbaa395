#include "viewer/vertex_normals.h"

#include <Eigen/Geometry>

#include "core/parallel.h"

namespace facet {

NormalComputer::NormalComputer(const Triangles& triangles, Eigen::Index num_vertices)
    : first_(static_cast<std::size_t>(num_vertices) + 1, 0),
      triangle_(static_cast<std::size_t>(triangles.size())),
      twice_area_normal_(triangles.rows(), 3) {
  for (Eigen::Index i = 0; i < triangles.size(); ++i) ++first_[triangles.data()[i] + 1];
  for (std::size_t v = 1; v < first_.size(); ++v) first_[v] += first_[v - 1];
  std::vector<std::int32_t> next(first_.begin(), first_.end() - 1);
  for (Eigen::Index i = 0; i < triangles.size(); ++i)
    triangle_[next[triangles.data()[i]]++] = static_cast<std::int32_t>(i / 3);
}

void NormalComputer::compute(const Points3& vertices, const Triangles& triangles, Points3& normals) {
  constexpr int kChunk = 4096;
  parallelFor(static_cast<int>(triangles.rows()), kChunk, [&](int begin, int end) {
    for (int f = begin; f < end; ++f) {
      const Eigen::RowVector3f a = vertices.row(triangles(f, 0));
      const Eigen::RowVector3f edge_ab = vertices.row(triangles(f, 1)) - a;
      const Eigen::RowVector3f edge_ac = vertices.row(triangles(f, 2)) - a;
      twice_area_normal_.row(f) = edge_ab.cross(edge_ac);
    }
  });
  normals.resize(vertices.rows(), 3);
  parallelFor(static_cast<int>(vertices.rows()), kChunk, [&](int begin, int end) {
    for (int v = begin; v < end; ++v) {
      Eigen::RowVector3f sum = Eigen::RowVector3f::Zero();
      for (std::int32_t i = first_[v]; i < first_[v + 1]; ++i) sum += twice_area_normal_.row(triangle_[i]);
      const float length = sum.norm();
      normals.row(v) = length > 0 ? Eigen::RowVector3f(sum / length) : Eigen::RowVector3f(0, 0, 1);
    }
  });
}

}  // namespace facet
