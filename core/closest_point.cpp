#include "core/closest_point.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <numeric>

#include "core/check.h"

namespace facet {
namespace {

constexpr int kTrianglesPerLeaf = 4;

double squaredDistanceToBox(const Eigen::Vector3d& point, const Eigen::Vector3d& low,
                            const Eigen::Vector3d& high) {
  return (low - point).cwiseMax(point - high).cwiseMax(0.0).squaredNorm();
}

}  // namespace

Eigen::Vector3d closestOnTriangle(const Eigen::Vector3d& point, const Eigen::Vector3d& a,
                                  const Eigen::Vector3d& b, const Eigen::Vector3d& c) {
  // Above the inside the foot of the perpendicular is closest …
  const Eigen::Vector3d normal = (b - a).cross(c - a);
  const double area2 = normal.squaredNorm();
  if (area2 > 0) {
    const Eigen::Vector3d foot = point - (point - a).dot(normal) / area2 * normal;
    if ((b - a).cross(foot - a).dot(normal) >= 0 && (c - b).cross(foot - b).dot(normal) >= 0 &&
        (a - c).cross(foot - c).dot(normal) >= 0) {
      return foot;
    }
  }
  // … elsewhere a point of the border is.
  Eigen::Vector3d best = a;
  double best_distance2 = (a - point).squaredNorm();
  const std::array<const Eigen::Vector3d*, 4> loop = {&a, &b, &c, &a};
  for (int k = 0; k < 3; ++k) {
    const Eigen::Vector3d edge = *loop[k + 1] - *loop[k];
    const double length2 = edge.squaredNorm();
    const double along = length2 > 0 ? std::clamp((point - *loop[k]).dot(edge) / length2, 0.0, 1.0) : 0.0;
    const Eigen::Vector3d candidate = *loop[k] + along * edge;
    const double distance2 = (candidate - point).squaredNorm();
    if (distance2 < best_distance2) best = candidate, best_distance2 = distance2;
  }
  return best;
}

Eigen::Vector3f barycentricOf(const Eigen::Vector3d& point, const Eigen::Vector3d& a,
                              const Eigen::Vector3d& b, const Eigen::Vector3d& c) {
  const Eigen::Vector3d normal = (b - a).cross(c - a);
  const double area2 = normal.squaredNorm();
  Eigen::Vector3d weights(0, 0, 0);
  if (area2 > 0) {
    weights[0] = std::clamp((c - b).cross(point - b).dot(normal) / area2, 0.0, 1.0);
    weights[1] = std::clamp((a - c).cross(point - c).dot(normal) / area2, 0.0, 1.0 - weights[0]);
    weights[2] = 1 - weights[0] - weights[1];
  } else {  // a line or a point: all weight on the nearest corner
    int nearest = 0;
    Eigen::Vector3d((point - a).norm(), (point - b).norm(), (point - c).norm()).minCoeff(&nearest);
    weights[nearest] = 1;
  }
  return weights.cast<float>();
}

SurfaceIndex::SurfaceIndex(const Mesh& mesh) {
  mesh.check("SurfaceIndex");
  const int count = static_cast<int>(mesh.triangles.rows());
  require(count > 0, "SurfaceIndex: the mesh has no triangles, so there is no surface to measure to");
  corners_.resize(count);
  normals_.resize(count);
  std::vector<Eigen::Vector3d> centroids(count);
  for (int f = 0; f < count; ++f) {
    for (int k = 0; k < 3; ++k) corners_[f][k] = mesh.vertices.row(mesh.triangles(f, k)).cast<double>();
    const auto& [a, b, c] = corners_[f];
    centroids[f] = (a + b + c) / 3;
    normals_[f] = (b - a).cross(c - a).normalized();  // Eigen leaves a zero vector as it is
  }
  order_.resize(count);
  std::iota(order_.begin(), order_.end(), 0);
  nodes_.reserve(2 * static_cast<std::size_t>(count) / kTrianglesPerLeaf + 1);
  build(0, count, centroids);
}

int SurfaceIndex::build(int first, int last, const std::vector<Eigen::Vector3d>& centroids) {
  const int index = static_cast<int>(nodes_.size());
  nodes_.emplace_back();
  Eigen::Vector3d low = corners_[order_[first]][0], high = low;
  Eigen::Vector3d centroid_low = centroids[order_[first]], centroid_high = centroid_low;
  for (int i = first; i < last; ++i) {
    for (const Eigen::Vector3d& corner : corners_[order_[i]])
      low = low.cwiseMin(corner), high = high.cwiseMax(corner);
    centroid_low = centroid_low.cwiseMin(centroids[order_[i]]);
    centroid_high = centroid_high.cwiseMax(centroids[order_[i]]);
  }
  nodes_[index].low = low;
  nodes_[index].high = high;
  if (last - first <= kTrianglesPerLeaf) {
    nodes_[index].first = first;
    nodes_[index].count = last - first;
    return index;
  }
  int axis = 0;
  (centroid_high - centroid_low).maxCoeff(&axis);
  const int middle = (first + last) / 2;
  std::nth_element(order_.begin() + first, order_.begin() + middle, order_.begin() + last,
                   [&](int i, int j) { return centroids[i][axis] < centroids[j][axis]; });
  build(first, middle, centroids);
  const int right = build(middle, last, centroids);
  nodes_[index].right = right;
  return index;
}

void SurfaceIndex::visit(int index, const Eigen::Vector3d& point, const Condition& condition,
                         Hit& best) const {
  const Node& node = nodes_[index];
  for (int i = node.first; i < node.first + node.count; ++i) {
    if (condition.min_cosine >= -1 && normals_[order_[i]].dot(condition.normal) < condition.min_cosine)
      continue;
    const auto& [a, b, c] = corners_[order_[i]];
    const Eigen::Vector3d candidate = closestOnTriangle(point, a, b, c);
    const double distance = (candidate - point).norm();
    if (distance < best.distance) best = {candidate, order_[i], distance};
  }
  if (node.count > 0) return;
  int near = index + 1, far = node.right;
  double near2 = squaredDistanceToBox(point, nodes_[near].low, nodes_[near].high);
  double far2 = squaredDistanceToBox(point, nodes_[far].low, nodes_[far].high);
  if (far2 < near2) std::swap(near, far), std::swap(near2, far2);
  if (near2 < best.distance * best.distance) visit(near, point, condition, best);
  if (far2 < best.distance * best.distance) visit(far, point, condition, best);
}

SurfaceIndex::Hit SurfaceIndex::closest(const Eigen::Vector3d& point, const Condition& condition) const {
  Hit best;
  best.distance = condition.max_distance;
  visit(0, point, condition, best);
  return best;
}

Eigen::Vector3f SurfaceIndex::barycentric(const Hit& hit) const {
  const auto& [a, b, c] = corners_[hit.triangle];
  return barycentricOf(hit.point, a, b, c);
}

}  // namespace facet
