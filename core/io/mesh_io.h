#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/export_unit.h"
#include "core/mesh.h"

namespace facet {

// Wavefront OBJ, +Y up, in the mesh's own unit (millimetres), vertex order kept. With `texture_file` (a path
// relative to the OBJ) an .mtl of the same stem is written beside it. Vertex colours follow the position when
// there are any.
void writeObj(const std::filesystem::path& path, const Mesh& mesh, const std::string& texture_file = {});

// The same in another unit, with materials of an .mtl that is written elsewhere (core/io/obj_set.h).
struct ObjOptions {
  ExportUnit unit = ExportUnit::kMillimetre;    // of the file; the mesh is in millimetres
  std::string material_library;                 // name of the .mtl, or empty
  std::vector<std::string> materials;           // names in it; triangles are grouped by them
  std::vector<std::uint8_t> triangle_material;  // F, index into materials; empty = all 0
};
void writeObj(const std::filesystem::path& path, const Mesh& mesh, const ObjOptions& options);

// Polygons become triangle fans. Errors: Error(kInput) with file and line of the fault.
Mesh readObj(const std::filesystem::path& path);

// Binary little-endian PLY with vertex colours as uchar when the mesh has them; the mesh is in millimetres.
void writePly(const std::filesystem::path& path, const Mesh& mesh, ExportUnit unit = ExportUnit::kMillimetre);
Mesh readPly(const std::filesystem::path& path);

}  // namespace facet
