#pragma once

#include <filesystem>

#include "core/face_asset.h"

namespace facet {

// Universal Scene Description as text (.usda), with UsdSkel blend shapes. Metres, +Y up.
//   /<asset>            SkelRoot, the default prim
//     skeleton          the asset's joints, or one joint that carries the head
//       animation       weights of the shapes, and the joints' rotations and translations: values at rest (or
//                       of the first frame), and time samples where the asset has a motion. The head's motion
//                       is the root joint's.
//     mesh              points, normals, primvars:st, a GeomSubset per material; a BlendShape per target with
//                       offsets and normalOffsets of the points that it moves
//     materials         UsdPreviewSurface; textures (writeTextures()) stand beside the file
//   /camera             the asset's camera, if it is a perspective one
// Shapes keep their names as tokens; prims have them with what USD forbids in a name replaced by '_'. Time
// codes are frames: timeCodesPerSecond is the motion's mean frame rate. The asset's extras stand in
// customLayerData. Written to a temporary name, then renamed.
void writeUsda(const std::filesystem::path& path, const FaceAsset& asset);

}  // namespace facet
