#pragma once

#include "core/types.h"

namespace facet {

// What the readers of foreign model files share.

// Indices that count from 1, as MATLAB's do, from 0. Throws std::invalid_argument for one below 1.
Triangles zeroBased(Triangles one_based);

// Reverses all triangles when most of the surface faces inwards; true when it did. A head is closed enough
// for the sign of the volume between its centre and its surface to tell.
bool orientOutward(const Points3& vertices, Triangles& triangles);

}  // namespace facet
