#pragma once

#include <Eigen/Core>
#include <vector>

#include "core/types.h"

namespace facet {

constexpr int kNumIbugLandmarks = 68;
constexpr int kNumJawLandmarks = 17;  // iBUG 0–16

// Points fixed to a topology: a triangle and its barycentric weights each.
struct LandmarkEmbedding {
  std::vector<std::int32_t> triangle;  // N, index into the model's triangles; -1 = the mesh has no such point
  Points3 barycentric;                 // N×3, rows sum to 1

  int size() const { return static_cast<int>(triangle.size()); }
  bool has(int i) const { return triangle[i] >= 0; }
  // N×3 positions on a mesh of that topology; NaN for a point that it does not have.
  Points3 points(const Points3& vertices, const Triangles& triangles) const;
};

// Landmarks seen in an image: pixel positions and, where the detector knows it, the standard deviation of
// each.
struct LandmarkSet {
  Points2 positions_px;      // N×2
  Eigen::VectorXf sigma_px;  // N, or empty

  int size() const { return static_cast<int>(positions_px.rows()); }
};

// iBUG-68 index of the mirrored landmark.
int mirroredIbugIndex(int index);

}  // namespace facet
