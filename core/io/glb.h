#pragma once

#include <filesystem>

#include "core/face_asset.h"

namespace facet {

// glTF 2.0 binary. Metres, +Y up, front +Z, UV origin flipped to top-left. Vertices are split at UV seams
// with bit-identical normals on both sides; targets are sparse accessors with POSITION and NORMAL deltas;
// names stand in mesh.extras.targetNames and, for old tools, in primitive.extras.targetNames. Written to a
// temporary name, then renamed. Khronos validator: no errors, no warnings.
void writeGlb(const std::filesystem::path& path, const FaceAsset& asset);

}  // namespace facet
