#pragma once

#include <filesystem>

#include "core/face_asset.h"

namespace facet {

// What Unreal's Mesh to MetaHuman tracks best: the neutral head with its eyes open and filled, without teeth,
// tongue, lashes and cornea (a clear shell would hide the eye), in two materials: "skin" and "eye_white" (the
// eyeballs). Only the base colour is kept, without normals, roughness or gloss, because the tracker wants
// flat colours; without a texture the eyeballs are white. Shapes, joints and motion are left out, and
// vertices that no triangle needs. Error(kUsage) for a model without eyeballs: sockets that are empty are
// tracked badly.
FaceAsset metahumanAsset(const FaceAsset& asset);

// metahumanAsset() as OBJ in centimetres with its .mtl and texture beside it, to be imported as a static
// mesh.
void writeMetahuman(const std::filesystem::path& path, const FaceAsset& asset);

}  // namespace facet
