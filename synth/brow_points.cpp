#include "synth/brow_points.h"

#include <algorithm>

namespace facet::synth {
namespace {

// Hair fainter than this share of the strongest does not show.
constexpr float kShows = 0.35F;
// A point is the mean of the hair within this distance along the brow.
constexpr float kReach_mm = 1.5F;

struct Hair {
  float from_nose_mm;
  int x, y;  // texel of the atlas
  float opacity;
};

SurfacePoint meanPlace(const FaceAtlas& atlas, const std::vector<Hair>& hairs, float from_nose_mm) {
  float x = 0, y = 0, sum = 0;
  for (const Hair& hair : hairs) {
    if (std::abs(hair.from_nose_mm - from_nose_mm) > kReach_mm) continue;
    x += hair.opacity * static_cast<float>(hair.x);
    y += hair.opacity * static_cast<float>(hair.y);
    sum += hair.opacity;
  }
  if (sum == 0) return {};
  const int column = static_cast<int>(std::lround(x / sum)), row = static_cast<int>(std::lround(y / sum));
  return atlas.surface[static_cast<std::size_t>(row) * FaceAtlas::kSize + column];
}

}  // namespace

std::array<SurfacePoint, 10> browPoints(const FaceAtlas& atlas, const Image8& opacity) {
  constexpr int kSize = FaceAtlas::kSize;
  const std::uint8_t strongest = *std::max_element(opacity.data(), opacity.data() + opacity.size());
  std::vector<Hair> hairs[2];  // right, left
  for (int y = 0; y < kSize && strongest > 0; ++y) {
    const std::uint8_t* row = opacity.at(0, y * opacity.height() / kSize);
    for (int x = 0; x < kSize; ++x) {
      const float hair = static_cast<float>(row[x * opacity.width() / kSize]) / static_cast<float>(strongest);
      const std::size_t texel = static_cast<std::size_t>(y) * kSize + x;
      if (hair < kShows || atlas.surface[texel].triangle < 0) continue;
      const float across_mm = atlas.position(static_cast<Eigen::Index>(texel), 0);
      hairs[across_mm > 0].push_back({std::abs(across_mm), x, y, hair});
    }
  }
  std::array<SurfacePoint, 10> points;
  for (int side = 0; side < 2; ++side) {
    if (hairs[side].empty()) continue;
    // Single hairs beyond the ends do not count.
    std::vector<float> places;
    for (const Hair& hair : hairs[side]) places.push_back(hair.from_nose_mm);
    std::sort(places.begin(), places.end());
    const float inner_mm = places[places.size() / 100],
                outer_mm = places[places.size() - 1 - places.size() / 100];
    for (int k = 0; k < 5; ++k) {
      // The ends themselves, half a reach inside, as the mean lies in the middle of what it takes.
      const float t = static_cast<float>(k) / 4;
      const float from_nose_mm = std::clamp(inner_mm + t * (outer_mm - inner_mm), inner_mm + 0.3F * kReach_mm,
                                            outer_mm - 0.3F * kReach_mm);
      points[side == 0 ? 4 - k : 5 + k] = meanPlace(atlas, hairs[side], from_nose_mm);
    }
  }
  return points;
}

}  // namespace facet::synth
