#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/facet/command.h"
#include "apps/facet/head.h"
#include "assets/head_asset.h"
#include "core/export_unit.h"

namespace facet {

struct ExportOptions {
  HeadAssetOptions shapes;
  std::optional<ExportUnit> unit;  // of OBJ, PLY and STL; nothing = millimetres
  int texture_size_px = 0;         // 0 = as it is; 1024 for a model
  bool photo_expression = false;   // bake the photo's expression in, in place of the neutral face
  bool with_camera = false;        // of the photo or clip
  bool quantised = false;          // GLB at half the size
};

// A kind of file or folder that a head can be written as.
struct ExportFormat {
  std::string name;         // for --format
  std::string extension;    // ".glb"; empty = a folder
  std::string description;  // one line for --help
  // Writes it; returns what the user is told about it.
  std::string (*write)(const std::filesystem::path& path, const Head& head, const ExportOptions& options,
                       Session& session);
};

const std::vector<ExportFormat>& exportFormats();

// The format of that name or, when it is empty, of the path's extension. Error(kUsage) when there is none or
// both say different things.
const ExportFormat& exportFormat(const std::string& name, const std::filesystem::path& path);

// The head as the writers take it, called after the file or folder.
FaceAsset assetOf(const std::filesystem::path& path, const Head& head, const ExportOptions& options,
                  Session& session);

}  // namespace facet
