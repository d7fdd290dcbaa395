#pragma once

#include <array>
#include <vector>

#include "core/image.h"
#include "core/types.h"

namespace facet::synth {

// A place on the drawn triangles of a head.
struct SurfacePoint {
  int triangle = -1;  // -1 = none
  Eigen::Vector3f weights = Eigen::Vector3f::Zero();
};

// Which place on the head each texel of the face's UV tile shows.
struct FaceAtlas {
  static constexpr int kSize = 256;
  std::vector<SurfacePoint> surface;  // kSize², row 0 at the top (v = 1)
  Points3 position;                   // kSize²×3 mm on the mean head
};

// Where annotators of iBUG's 68 points click on brows painted with this opacity (square, in the face's tile):
// the middle of the hair at its two ends and at three places between, right brow outwards in (17–21), then
// left brow inwards out (22–26). Points where no hair is painted have triangle -1.
std::array<SurfacePoint, 10> browPoints(const FaceAtlas& atlas, const Image8& opacity);

}  // namespace facet::synth
