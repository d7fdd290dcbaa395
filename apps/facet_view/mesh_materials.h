#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/face_asset.h"

namespace facet {

// What an OBJ's triangles look like, by the .mtl that it names: diffuse colour and texture (Kd, map_Kd).
struct ObjMaterials {
  std::vector<AssetMaterial> materials;         // empty: the OBJ names none
  std::vector<std::uint8_t> triangle_material;  // F, index into materials; empty = all 0
  std::vector<std::string> notes;               // for the user: a texture that is missing, …
};

// `names` and `triangle_material` as ObjFile has them. A library or texture that cannot be read is a note:
// the mesh can be looked at without it. A lone photo of the OBJ's own name serves a mesh without a library.
ObjMaterials objMaterials(const std::filesystem::path& obj, const std::vector<std::string>& names,
                          const std::vector<std::int32_t>& triangle_material);

}  // namespace facet
