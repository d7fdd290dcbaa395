#pragma once

#include <filesystem>

#include "core/face_asset.h"

namespace facet {

struct WriteGlbOptions {
  // Positions and shapes as 16-bit integers (a head to 5 µm), normals as bytes, texture coordinates as 16-bit
  // integers: half the size, for readers that know KHR_mesh_quantization (Blender, three.js, Unity, Unreal).
  bool quantised = false;
};

// glTF 2.0 binary. Metres, +Y up, front +Z, UV origin flipped to top-left. Vertices are split at UV seams
// with bit-identical normals on both sides; targets are sparse accessors with POSITION and NORMAL deltas;
// names stand in mesh.extras.targetNames and, for old tools, in primitive.extras.targetNames. Materials bring
// KHR_materials_specular and KHR_materials_ior; tangents are written where a material has a normal map.
// glTF keeps four joints per vertex: the largest weights, scaled to sum to 1. A motion becomes one animation
// ("take") of the weights, the joints and the head's node; a camera becomes a node (glTF's cameras look
// through the middle of their picture: the principal point stands in the camera's extras). Written to a
// temporary name, then renamed. Khronos validator: no errors, no warnings.
void writeGlb(const std::filesystem::path& path, const FaceAsset& asset, const WriteGlbOptions& options = {});

}  // namespace facet
