#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/mesh.h"

namespace facet {

// An OBJ file and what Mesh has no place for. Internal to readObj() and the ICT reader.
struct ObjFile {
  Mesh mesh;
  std::vector<std::string> material_names;      // in order of their first `usemtl`
  std::vector<std::int32_t> triangle_material;  // F, -1 before the first `usemtl`
};

ObjFile parseObj(const std::filesystem::path& path);
// The same for the text of a file; `path` only leads the messages.
ObjFile parseObj(std::string_view text, const std::filesystem::path& path);
// Only the `v` lines of an OBJ file: its V×3 positions.
Points3 parseObjPositions(const std::filesystem::path& path);

}  // namespace facet
