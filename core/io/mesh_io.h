#pragma once

#include <filesystem>
#include <string>

#include "core/mesh.h"

namespace facet {

// Wavefront OBJ, +Y up, in the mesh's own unit (millimetres), vertex order kept. With `texture_file` (a path
// relative to the OBJ) an .mtl of the same stem is written beside it. Vertex colours follow the position when
// there are any.
void writeObj(const std::filesystem::path& path, const Mesh& mesh, const std::string& texture_file = {});
// Polygons become triangle fans. Errors: Error(kInput) with file and line of the fault.
Mesh readObj(const std::filesystem::path& path);

// Binary little-endian PLY with vertex colours as uchar when the mesh has them.
void writePly(const std::filesystem::path& path, const Mesh& mesh);
Mesh readPly(const std::filesystem::path& path);

}  // namespace facet
