#pragma once

#include <Eigen/Core>
#include <array>
#include <limits>
#include <vector>

#include "core/mesh.h"

namespace facet {

// Closest point of a triangle to a point; exact, also for a triangle without area.
Eigen::Vector3d closestOnTriangle(const Eigen::Vector3d& point, const Eigen::Vector3d& a,
                                  const Eigen::Vector3d& b, const Eigen::Vector3d& c);

// Weights in [0, 1], sum 1, of the corners of a triangle at a point in it.
Eigen::Vector3f barycentricOf(const Eigen::Vector3d& point, const Eigen::Vector3d& a,
                              const Eigen::Vector3d& b, const Eigen::Vector3d& c);

// Answers exact closest-point queries on a triangle mesh with a tree of bounding boxes; double precision.
class SurfaceIndex {
 public:
  struct Hit {
    Eigen::Vector3d point = Eigen::Vector3d::Zero();  // on the surface
    int triangle = -1;                                // -1: nothing satisfies the query
    double distance = 0;
  };
  // What a closest point must satisfy: not farther than this, and on a triangle whose normal makes at most
  // the angle acos(min_cosine) with `normal` (unit length).
  struct Condition {
    double max_distance = std::numeric_limits<double>::max();
    Eigen::Vector3d normal = Eigen::Vector3d::Zero();
    double min_cosine = -2;  // below -1: any direction
  };

  // Throws std::invalid_argument for a mesh without triangles.
  explicit SurfaceIndex(const Mesh& mesh);
  Hit closest(const Eigen::Vector3d& point) const { return closest(point, Condition()); }
  Hit closest(const Eigen::Vector3d& point, const Condition& condition) const;
  // Unit normal of a triangle; zero if it has no area.
  const Eigen::Vector3d& normal(int triangle) const { return normals_[triangle]; }
  // barycentricOf() a hit.
  Eigen::Vector3f barycentric(const Hit& hit) const;

 private:
  struct Node {
    Eigen::Vector3d low, high;  // bounding box
    int first = 0, count = 0;   // triangles order_[first, first + count) of a leaf; count 0 = inner node
    int right = 0;              // inner node: index of the right child; the left one follows the node itself
  };

  int build(int first, int last, const std::vector<Eigen::Vector3d>& centroids);
  void visit(int node, const Eigen::Vector3d& point, const Condition& condition, Hit& best) const;

  std::vector<std::array<Eigen::Vector3d, 3>> corners_;
  std::vector<Eigen::Vector3d> normals_;
  std::vector<int> order_;
  std::vector<Node> nodes_;
};

}  // namespace facet
