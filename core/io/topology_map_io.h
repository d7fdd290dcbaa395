#pragma once

#include <filesystem>

#include "core/correspondence.h"

namespace facet {

// A map between two topologies as .npz: triangle (V, int32), barycentric (V×3, float32), confidence (V,
// float32).
void writeTopologyMap(const std::filesystem::path& path, const TopologyMap& map);
// Error(kModel) naming the file when an array is missing or of another shape, when weights do not sum to 1,
// or when a triangle is not one of the `num_triangles` of the mesh that the map leads to.
TopologyMap readTopologyMap(const std::filesystem::path& path, int num_triangles);

}  // namespace facet
