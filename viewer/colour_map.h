#pragma once

#include <Eigen/Core>
#include <array>
#include <cstdint>

namespace facet {

// Colour maps for scalars: perceptually even, readable without red and green, from their published control
// points.
enum class ColourMap {
  kViridis,    // values from zero up: dark blue to yellow
  kInferno,    // errors: black over red to light yellow
  kDiverging,  // signed values: blue over light grey to red
};

// sRGB of t in [0, 1].
Eigen::Vector3f colourOf(ColourMap map, float t);
// 256 entries, sRGB.
const std::array<std::array<std::uint8_t, 3>, 256>& colourTable(ColourMap map);
// A colour for the i-th of many categories (regions); neighbours differ clearly. sRGB.
Eigen::Vector3f categoryColour(int index);

}  // namespace facet
