#pragma once

#include "core/closest_point.h"
#include "core/types.h"

namespace facet {

// Whether a closest point lies on the border of the surface: the surface ends there, and what lies beyond has
// no counterpart. `border` is F×3 as borderEdges() of core/mesh_parts.h has it; the hit has a triangle.
inline bool isOnBorder(const SurfaceIndex& index, const SurfaceIndex::Hit& hit, const Triangles& border) {
  const Eigen::Vector3f weights = index.barycentric(hit);
  for (int k = 0; k < 3; ++k) {
    if (border(hit.triangle, k) && weights[k] < 1e-3F) return true;
  }
  return false;
}

}  // namespace facet
