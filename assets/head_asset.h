#pragma once

#include "core/face_asset.h"
#include "core/morphable_model.h"

namespace facet {

// A head as an asset: a morph target per named shape, joints where the model has them, one texture for all
// materials or, without one, a plain linear colour. `neutral` is V×3 mm, without expression.
FaceAsset faceAsset(const MorphableModel& model, const Points3& neutral, const Image8& texture,
                    const Eigen::Vector3f& colour);

}  // namespace facet
