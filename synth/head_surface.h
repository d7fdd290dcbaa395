#pragma once

#include <array>

#include "synth/assets.h"
#include "synth/subject.h"
#include "synth/truth.h"

namespace facet::synth {

// How a point of a surface answers light.
struct Material {
  Eigen::Vector3f albedo = Eigen::Vector3f::Zero();  // linear RGB
  float occlusion = 1;                               // share of the surroundings that reaches it
  float gloss = 0;                                   // strength of the rough specular reflection
  float exponent = 20;                               // of the highlight
  float mirror = 0;                                  // strength of a sharp reflection of the surroundings
  float softness = 0;                                // light bleeding past the terminator (skin)
  FaceLabel label = FaceLabel::kSkin;
};

// The surface of one person's head, on the triangles of the assets: skin with brows, lips, the paint of hair
// and stubble; eyes, teeth.
class HeadSurface {
 public:
  // `mouth_open` in [0, 1] says how much light reaches the teeth, `eyes_closed` (left, right) how far the
  // lids have come down. `pixel_mm` is the side of a pixel on the
  // face: what is finer is averaged.
  HeadSurface(const Assets& assets, const Subject& subject, float mouth_open,
              const std::array<float, 2>& eyes_closed, bool bald, float pixel_mm);

  float mouthOpen() const { return mouth_open_; }
  // At barycentric weights of a triangle.
  Material at(int triangle, const Eigen::Vector3f& weights) const;
  // Linear RGB at the model's dense points, D×3; 0 where a point lies on nothing that is drawn.
  Points3 denseAlbedo() const;

 private:
  const Assets& assets_;
  const Subject& subject_;
  const Image8& skin_;
  float mouth_open_;
  std::array<float, 2> eyes_closed_;
  float scalp_paint_;
  bool bald_;
};

}  // namespace facet::synth
