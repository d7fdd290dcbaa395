#pragma once

#include <cstdint>

#include "viewer/renderer.h"

namespace facet {

// A number that is another one when the picture would be another one: what did not change need not be drawn
// again. Images and layouts count by their address, what moves by its revision.
std::uint64_t signature(const Frame& frame);

}  // namespace facet
