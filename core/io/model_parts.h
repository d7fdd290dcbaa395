#pragma once

#include <vector>

#include "core/landmarks.h"
#include "core/types.h"

namespace facet {

// What the readers of foreign model files share.

// Indices that count from 1, as MATLAB's do, from 0. Throws std::invalid_argument for one below 1.
Triangles zeroBased(Triangles one_based);

// Reverses all triangles when most of the surface faces inwards; true when it did. A head is closed enough
// for the sign of the volume between its centre and its surface to tell.
bool orientOutward(const Points3& vertices, Triangles& triangles);

// Landmarks that are vertices: any triangle with that corner, all weight on it. Empty when a vertex is out of
// range or in no triangle: the landmarks were made for another mesh.
LandmarkEmbedding embeddingOf(const std::vector<std::int32_t>& vertices, const Triangles& triangles,
                              int num_vertices);

}  // namespace facet
