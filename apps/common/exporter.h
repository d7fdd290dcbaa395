#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/head.h"
#include "apps/common/session.h"
#include "assets/head_asset.h"
#include "core/export_unit.h"
#include "core/take.h"

namespace facet {

struct ExportOptions {
  HeadAssetOptions shapes;
  std::optional<ExportUnit> unit;  // of OBJ, PLY and STL; nothing = millimetres
  int texture_size_px = 0;         // 0 = as it is; 1024 for a model
  bool photo_expression = false;   // the photo's expression in place of the neutral face
  bool with_camera = false;        // of the photo or clip
  bool quantised = false;          // GLB at half the size
  bool skin_detail = true;         // a normal map of pores and fine lines, read from the photo's texture
  // The topology to wrap the head onto, before all else: "native" (none), "facet" (the built-in one), "ict"
  // (an imported model of that name), or any model's name or file.
  std::string topology = "native";
  // What moves the head: a take, or nothing: a clip's own motion, a photo or model stands still.
  std::optional<Take> take;
  std::vector<double> lod_shares;  // of the triangles, besides the whole head
};

// A kind of file or folder that a head can be written as: by way of an asset, or from the fit itself.
struct ExportFormat {
  std::string name;         // for --format
  std::string extension;    // ".glb"; empty = a folder
  std::string description;  // one line for --help
  bool is_scene = false;    // holds motion and camera
  bool has_unit = false;    // its numbers are in the unit that is asked for
  // Both return what the user is told; one of them is null.
  std::string (*write_asset)(const std::filesystem::path& path, const FaceAsset& asset,
                             const ExportOptions& options) = nullptr;
  std::string (*write_head)(const std::filesystem::path& path, const Head& head, const ExportOptions& options,
                            Session& session) = nullptr;
};

const std::vector<ExportFormat>& exportFormats();

// The format of that name or, when it is empty, of the path's extension. Error(kUsage) when there is none or
// both say different things.
const ExportFormat& exportFormat(const std::string& name, const std::filesystem::path& path);

// Error(kUsage) for options that the format cannot have.
void checkOptions(const ExportFormat& format, const ExportOptions& options);

// Files that an export to `path` writes: itself and its levels of detail, head_LOD1.glb, …
std::vector<std::filesystem::path> outputFiles(const std::filesystem::path& path,
                                               const ExportOptions& options);

// The head as an asset called `name`.
FaceAsset assetOf(const std::string& name, const Head& head, const ExportOptions& options, Session& session);

// The head, its texture and its frames in the topology that `options` ask for; the head itself if that is its
// own. Error(kModel) when the topology's model cannot be loaded or lacks what a head needs.
Head inTopology(Head head, const ExportOptions& options, Session& session);

// Writes the head to outputFiles(); returns what the user is told. Error(kUsage) for options that the head
// cannot have.
std::string writeHead(const std::filesystem::path& path, const ExportFormat& format, const Head& head,
                      const ExportOptions& options, Session& session);

}  // namespace facet
