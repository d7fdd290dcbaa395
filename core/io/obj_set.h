#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/export_unit.h"
#include "core/face_asset.h"

namespace facet {

// The head as one OBJ, with its materials: <stem>.mtl and the textures (writeTextures()) stand beside it.
// Triangles are grouped by material (`usemtl`). +Y up, vertex order kept.
void writeObj(const std::filesystem::path& path, const FaceAsset& asset,
              ExportUnit unit = ExportUnit::kMillimetre);

// The head as a set of OBJ files for tools that take shapes as meshes of one topology: neutral.obj, and per
// target one that holds the whole head at weight 1, all in `folder`, which exists. All files have the same
// vertex order, vt and f lines, and share <asset>.mtl and the textures beside it. Names are made fit for
// files (fileNameFrom()). Returns them, in the order of writing; a name that comes up twice, or a target
// called "neutral", throws std::invalid_argument before anything is written.
std::vector<std::string> writeObjSet(const std::filesystem::path& folder, const FaceAsset& asset,
                                     ExportUnit unit = ExportUnit::kMillimetre);

}  // namespace facet
