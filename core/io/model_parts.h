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

// A unit of length that models are stored in.
struct LengthUnit {
  const char* name;
  float millimetres;
};
constexpr LengthUnit kMetres{"metres", 1000}, kDecimetres{"decimetres", 100}, kCentimetres{"centimetres", 10},
    kMillimetres{"millimetres", 1}, kMicrometres{"micrometres", 0.001F};

// The unit in which a mean shape is stored: the format's usual one if the shape is then as large as a face or
// head (100 mm to 600 mm along its longest axis), else the one that makes it so. Throws std::invalid_argument
// when none does.
LengthUnit lengthUnit(const Points3& mean, const LengthUnit& usual);

// Albedo in display values (sRGB in [0, 1]) to linear light: the mean by the sRGB curve, the modes (3V×A) by
// the curve's slope at the mean, which is exact for small coefficients.
void linearizeAlbedo(Points3& mean, Eigen::MatrixXf& modes);

}  // namespace facet
