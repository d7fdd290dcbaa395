#pragma once

#include <filesystem>

#include "core/mesh.h"

namespace facet {

// Binary STL: positions as they are (millimetres, which slicers expect), one normal per triangle. Throws
// std::invalid_argument for a mesh without triangles. closedForPrinting() (core/closed_mesh.h) makes a mesh
// that can be printed.
void writeStl(const std::filesystem::path& path, const Mesh& mesh);

}  // namespace facet
