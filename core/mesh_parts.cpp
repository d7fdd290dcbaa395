#include "core/mesh_parts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_map>

namespace facet {
namespace {

// Grid hash of points, to find neighbours within `cell_mm`.
class PointGrid {
 public:
  PointGrid(const Points3& points, float cell_mm) : points_(points), cell_mm_(cell_mm) {
    for (int i = 0; i < points.rows(); ++i) cells_[key(cellOf(points.row(i)))].push_back(i);
  }

  template <typename Visit>
  void forEachNear(const Eigen::RowVector3f& point, const Visit& visit) const {
    const Eigen::Array3i centre = cellOf(point);
    for (int dx = -1; dx <= 1; ++dx) {
      for (int dy = -1; dy <= 1; ++dy) {
        for (int dz = -1; dz <= 1; ++dz) {
          const auto found = cells_.find(key(centre + Eigen::Array3i(dx, dy, dz)));
          if (found == cells_.end()) continue;
          for (const int i : found->second) {
            const float distance_mm = (points_.row(i) - point).norm();
            if (distance_mm <= cell_mm_) visit(i, distance_mm);
          }
        }
      }
    }
  }

 private:
  Eigen::Array3i cellOf(const Eigen::RowVector3f& point) const {
    return (point.transpose().array() / cell_mm_).floor().cast<int>();
  }
  static std::int64_t key(const Eigen::Array3i& cell) {
    constexpr std::int64_t kSpan = 1 << 20;
    return ((cell.x() + kSpan / 2) * kSpan + cell.y() + kSpan / 2) * kSpan + cell.z() + kSpan / 2;
  }

  const Points3& points_;
  float cell_mm_;
  std::unordered_map<std::int64_t, std::vector<int>> cells_;
};

}  // namespace

std::vector<int> weldedVertices(const Points3& vertices) {
  const int count = static_cast<int>(vertices.rows());
  std::vector<int> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  const auto compare = [&](int a, int b) {
    for (int k = 0; k < 3; ++k) {
      if (vertices(a, k) != vertices(b, k)) return vertices(a, k) < vertices(b, k);
    }
    return a < b;
  };
  std::sort(order.begin(), order.end(), compare);
  std::vector<int> welded(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const bool same = i > 0 && vertices.row(order[i]) == vertices.row(order[i - 1]);
    welded[order[i]] = same ? welded[order[i - 1]] : order[i];
  }
  return welded;
}

Triangles weldedTriangles(const Triangles& triangles, const std::vector<int>& welded) {
  return triangles.unaryExpr([&](std::int32_t v) { return welded[v]; });
}

std::vector<int> connectedParts(const Triangles& triangles, const std::vector<int>& welded) {
  std::vector<int> parent = welded;  // union-find over the welded vertices
  const auto root = [&parent](int v) {
    while (parent[v] != v) v = parent[v] = parent[parent[v]];
    return v;
  };
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    const int first = root(triangles(f, 0));
    for (int k = 1; k < 3; ++k) parent[root(triangles(f, k))] = first;
  }
  std::vector<int> part_of_root(welded.size(), -1), part(welded.size());
  int count = 0;
  for (std::size_t v = 0; v < welded.size(); ++v) {
    int& number = part_of_root[root(static_cast<int>(v))];
    if (number < 0) number = count++;
    part[v] = number;
  }
  return part;
}

Triangles borderEdges(const Triangles& triangles, const std::vector<int>& welded) {
  std::unordered_map<std::uint64_t, int> count;
  count.reserve(static_cast<std::size_t>(2 * triangles.rows()));
  const auto key = [&](Eigen::Index f, int corner) {
    const auto [low, high] =
        std::minmax({welded[triangles(f, (corner + 1) % 3)], welded[triangles(f, (corner + 2) % 3)]});
    return (static_cast<std::uint64_t>(low) << 32) | static_cast<std::uint32_t>(high);
  };
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    for (int corner = 0; corner < 3; ++corner) ++count[key(f, corner)];
  }
  Triangles border(triangles.rows(), 3);
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    for (int corner = 0; corner < 3; ++corner) border(f, corner) = count[key(f, corner)] == 1;
  }
  return border;
}

Eigen::VectorXf spreadOver(const Points3& vertices, const Triangles& triangles, Eigen::VectorXf values,
                           double length_mm) {
  std::vector<std::vector<int>> neighbours(static_cast<std::size_t>(vertices.rows()));
  double edges_mm = 0;
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      const int from = triangles(f, k), to = triangles(f, (k + 1) % 3);
      neighbours[from].push_back(to);
      neighbours[to].push_back(from);
      edges_mm += (vertices.row(from) - vertices.row(to)).norm();
    }
  }
  if (triangles.rows() == 0) return values;
  // One round moves by half an edge, root mean square.
  const double step_mm = edges_mm / static_cast<double>(triangles.size()) / std::sqrt(2.0);
  const int rounds = std::max(1, static_cast<int>(std::lround(std::pow(length_mm / step_mm, 2))));
  for (int round = 0; round < rounds; ++round) {
    const Eigen::VectorXf before = values;
    for (Eigen::Index v = 0; v < values.size(); ++v) {
      const std::vector<int>& around = neighbours[static_cast<std::size_t>(v)];
      if (around.empty()) continue;
      float sum = 0;
      for (const int other : around) sum += before[other];
      values[v] = 0.5F * before[v] + 0.5F * sum / static_cast<float>(around.size());
    }
  }
  return values;
}

std::vector<std::int32_t> mirroredVertices(const Points3& vertices, const std::vector<std::uint8_t>& region) {
  constexpr float kTolerance_mm = 0.5F;
  const PointGrid grid(vertices, kTolerance_mm);
  std::vector<std::int32_t> symmetry(static_cast<std::size_t>(vertices.rows()), -1);
  for (int v = 0; v < vertices.rows(); ++v) {
    if (symmetry[v] >= 0) continue;
    const Eigen::RowVector3f mirrored(-vertices(v, 0), vertices(v, 1), vertices(v, 2));
    int best = -1;
    float best_cost = std::numeric_limits<float>::max();
    grid.forEachNear(mirrored, [&](int other, float distance_mm) {
      if (symmetry[other] >= 0) return;
      const float cost = distance_mm + (region.empty() || region[other] == region[v] ? 0 : kTolerance_mm);
      if (cost < best_cost) best = other, best_cost = cost;
    });
    if (best < 0) return {};
    symmetry[v] = best;
    symmetry[best] = v;
  }
  return symmetry;
}

}  // namespace facet
