#pragma once

#include <cstdint>
#include <vector>

#include "core/types.h"

namespace facet {

// vertexNormals() of core/mesh.h for a mesh whose triangles stay: which triangles meet at a vertex is found
// once, so that the vertices can be shared among threads.
class NormalComputer {
 public:
  NormalComputer() = default;
  NormalComputer(const Triangles& triangles, Eigen::Index num_vertices);
  // V×3 unit length, area-weighted; +Z for a vertex without area round it. `triangles` are the same ones.
  void compute(const Points3& vertices, const Triangles& triangles, Points3& normals);

 private:
  std::vector<std::int32_t> first_;     // V+1, into triangle_
  std::vector<std::int32_t> triangle_;  // those at each vertex
  Points3 twice_area_normal_;           // F×3
};

}  // namespace facet
