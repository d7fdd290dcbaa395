#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/image.h"
#include "core/mesh.h"

namespace facet {

struct GlbMorphTarget {
  std::string name;
  Points3 displacement;  // V×3 mm, at weight 1
};

struct GlbMaterial {
  std::string name = "skin";
  std::optional<Image8> base_colour;                             // sRGB texture
  Eigen::Vector3f base_colour_factor = Eigen::Vector3f::Ones();  // linear RGB
  float roughness = 0.55F;
  bool double_sided = false;
};

// Joints that turn parts of the mesh. glTF keeps four per vertex: the largest weights, scaled to sum to 1.
struct GlbSkin {
  std::vector<std::string> names;  // J
  std::vector<std::int32_t>
      parent;               // J; -1 = the root, which comes first; parents come before their children
  Points3 positions;        // J×3 mm, in the mesh's frame
  Eigen::MatrixXf weights;  // V×J, rows sum to 1
};

// A face asset: one mesh, one primitive per material, named morph targets.
struct GlbAsset {
  Mesh mesh;                                    // mm; converted to metres
  std::vector<std::uint8_t> triangle_material;  // F, index into materials; empty = all 0
  std::vector<GlbMaterial> materials = {GlbMaterial{}};
  std::vector<GlbMorphTarget> targets;  // same vertex order as the mesh
  std::optional<GlbSkin> skin;
  std::string name = "face";
  std::string extras_json;  // a JSON object for asset.extras: model, licence, version, input hash
};

// glTF 2.0 binary. Metres, +Y up, front +Z, UV origin flipped to top-left. Vertices are split at UV seams
// with bit-identical normals on both sides; targets are sparse accessors with POSITION and NORMAL deltas;
// names stand in mesh.extras.targetNames and, for old tools, in primitive.extras.targetNames. Written to a
// temporary name, then renamed. Khronos validator: no errors, no warnings.
void writeGlb(const std::filesystem::path& path, const GlbAsset& asset);

}  // namespace facet
