#include "synth/brow_points.h"

#include <doctest/doctest.h>

using namespace facet;
using namespace facet::synth;

TEST_CASE("browPoints: lie at the ends of the painted hair and evenly between them, each side its own") {
  // A flat face: half a millimetre per texel, the midline in the middle; each texel is a triangle of its
  // number.
  FaceAtlas atlas;
  atlas.surface.resize(FaceAtlas::kSize * FaceAtlas::kSize);
  atlas.position = Points3::Zero(FaceAtlas::kSize * FaceAtlas::kSize, 3);
  for (int y = 0; y < FaceAtlas::kSize; ++y)
    for (int x = 0; x < FaceAtlas::kSize; ++x) {
      const int texel = y * FaceAtlas::kSize + x;
      atlas.surface[texel].triangle = texel;
      atlas.position(texel, 0) = 0.5F * (static_cast<float>(x) + 0.5F - 128);
    }
  Image8 opacity(512, 512, 1, std::uint8_t{0});  // twice as fine as the atlas
  const auto paint = [&](int x0, int x1, int y0, int y1) {
    for (int y = 2 * y0; y < 2 * y1; ++y)
      for (int x = 2 * x0; x < 2 * x1; ++x) *opacity.at(x, y) = 180;
  };
  paint(50, 110, 80, 85);    // the right brow: 9 to 39 mm from the nose
  paint(150, 230, 60, 67);   // the left one: 11 to 51 mm, higher
  *opacity.at(20, 20) = 40;  // too faint to show
  const std::array<SurfacePoint, 10> points = browPoints(atlas, opacity);
  const auto column = [&](int i) { return points[i].triangle % FaceAtlas::kSize; };
  const auto row = [&](int i) { return points[i].triangle / FaceAtlas::kSize; };
  const int right[5] = {50, 65, 80, 95, 109}, left[5] = {150, 170, 190, 210, 229};
  for (int k = 0; k < 5; ++k) {
    CAPTURE(k);
    CHECK(std::abs(column(k) - right[k]) <= 2);
    CHECK(row(k) == 82);
    CHECK(std::abs(column(5 + k) - left[k]) <= 2);
    CHECK(row(5 + k) == 63);
  }
  CHECK(browPoints(atlas, Image8(512, 512, 1, std::uint8_t{0}))[3].triangle == -1);
}
