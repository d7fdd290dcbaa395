#pragma once

#include <vector>

#include "core/image.h"
#include "synth/accessories.h"
#include "synth/head_surface.h"
#include "synth/lighting.h"
#include "synth/scene.h"
#include "synth/truth.h"
#include "synth/view.h"

namespace facet::synth {

// What the centre of a pixel shows.
struct PixelTruth {
  float depth_mm = 0;                                  // along the optical axis, 0 = background
  Eigen::Vector3f normal = Eigen::Vector3f::Zero();    // camera frame; zero on the background
  Eigen::Vector3f albedo = Eigen::Vector3f::Zero();    // linear RGB
  Eigen::Vector2f uv = Eigen::Vector2f::Constant(-1);  // of the face's skin; negative elsewhere
};

struct Picture {
  ImageF colour;                  // S×S×3 linear
  std::vector<FaceLabel> label;   // S×S, of the pixel centres
  std::vector<PixelTruth> truth;  // S×S, or empty unless asked for
};

// What a picture shows at its samples, two to a pixel and direction: number (i, j) of 0 to 2S lies at
// (i / 2, j / 2) px. Large; kept from picture to picture.
struct Samples {
  using Kind = std::uint8_t;  // of surface; 0 = background
  static constexpr Kind kFirstHeadKind = 1, kFirstSceneKind = 16;

  int row = 0;                    // 2S + 1
  std::vector<float> rast;        // fragments of rasterize()
  std::vector<std::int32_t> ids;  // triangles, -1 = background
  std::vector<Kind> kinds;
  std::vector<std::uint8_t> needed, uniform;  // samples that are shaded; pixels of one smooth surface
  std::vector<Eigen::Array4f> colours;        // linear RGB, where needed

  float depthMm(std::size_t sample) const;  // along the optical axis, 0 = background
  bool onHead(std::size_t sample) const {
    return kinds[sample] >= kFirstHeadKind && kinds[sample] < kFirstSceneKind;
  }
};

// `head` is V×3 in the camera frame. `background` (S×S×3) fills what nothing covers. Where a pixel's samples
// lie on one smooth surface only its centre is shaded; hair, eyes, and the borders of things are shaded
// sample by sample.
Picture shade(const Assets& assets, const HeadSurface& surface, const Points3& head, float skin_gloss,
              const Scene& scene, const std::vector<Lens>& lenses, const Lighting& light, const View& view,
              const Image8& photo, const ImageF& background, bool with_truth, Samples& samples);

}  // namespace facet::synth
