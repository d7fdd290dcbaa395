#pragma once

#include <Eigen/Core>
#include <array>
#include <vector>

#include "core/types.h"

namespace facet {

// A vertex that meets another stretch of the surface.
struct Contact {
  int vertex = 0;
  std::array<int, 3> other{};   // corners of the triangle that it meets
  Eigen::Vector3f barycentric;  // where on that triangle
  Eigen::Vector3f gap_mm;       // from there to the vertex
};

// Vertices that come within `touching_mm` of a surface facing them in `closed` and are more than 2 mm further
// from that place in `open`: lids of a blink, lips of a closed mouth. Only triangles with all corners in
// `takes_part` (V) count.
std::vector<Contact> contactsOf(const Points3& open, const Points3& closed, const Triangles& triangles,
                                const std::vector<std::uint8_t>& takes_part, double touching_mm);

}  // namespace facet
