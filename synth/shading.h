#pragma once

#include <vector>

#include "core/image.h"
#include "synth/accessories.h"
#include "synth/assets.h"
#include "synth/lighting.h"
#include "synth/scene.h"
#include "synth/subject.h"

namespace facet::synth {

// Pinhole of the picture being taken; the head and the scene are in its frame already.
struct View {
  int size_px = 0;
  float focal_px = 0, cx_px = 0, cy_px = 0;

  Eigen::Vector2f project(const Eigen::Vector3f& p) const {
    return {focal_px * p.x() / p.z() + cx_px, focal_px * p.y() / p.z() + cy_px};
  }
};

struct Picture {
  ImageF colour;                      // S×S×3 linear
  ImageF depth;                       // S×S×1 mm, 0 = background
  std::vector<std::uint8_t> on_head;  // S×S, 1 = the head itself, 2 = something else, 0 = background
};

// `head` is V×3 in the camera frame. `mouth_open` in [0, 1] says how much light reaches the teeth.
// `background` fills what nothing covers.
Picture shade(const Assets& assets, const Subject& subject, const Points3& head, float mouth_open,
              const Scene& scene, const std::vector<Lens>& lenses, const Lighting& light, const View& view,
              const Image8& photo, const ImageF& background, bool bald);

}  // namespace facet::synth
