#pragma once

#include <optional>

#include "core/image.h"
#include "core/morphable_model.h"

namespace facet {

struct SkinDetailOptions {
  double depth_mm = 0.03;       // of the darkest pore or line; heights are squashed to ± this
  double coarsest_mm = 1.6;     // standard deviation: what is wider than this is shape or shading, not skin
  double finest_mm = 0.25;      // what is finer is noise of the camera
  double full_contrast = 0.08;  // relative darkness below its surroundings that has half the depth

  void check() const;  // throws std::invalid_argument naming field, value and range
};

// V, in [0, 1]: where skin may be read for detail: 1 on cheeks, forehead, nose and chin, less on ears and
// neck, 0 on hair (scalp, brows), lids with their lashes, eyes, teeth, mouth.
Eigen::VectorXf skinDetailWeights(const MorphableModel& model);

// Normal map (tangent space, 8 bits, green up, padded, of the texture's size) of pores and fine lines, read
// from the texture itself: "dark is deep" (Langer and Zucker, 1994), as Beeler et al., "High-Quality
// Single-Shot Capture of Facial Geometry", SIGGRAPH 2010, use it for what is too fine to be measured. A band
// of the texture's log luminance between finest_mm and coarsest_mm becomes a height, squashed; where the band
// is much stronger than skin's (stubble, stray hair, edges of shadows) it fades out, and so it does where the
// texture was not seen. `texture` is size×size×3 linear in the model's layout, `seen` (size×size×1 in [0, 1])
// how well the photo showed each texel. Empty where the head has no usable layout or nothing of its skin was
// seen.
Image8 skinDetailNormalMap(const MorphableModel& model, const Points3& neutral, const ImageF& texture,
                           const std::optional<ImageF>& seen, const SkinDetailOptions& options = {});

}  // namespace facet
