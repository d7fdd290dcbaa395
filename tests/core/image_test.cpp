#include "core/image.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace facet;

TEST_CASE("sRGB: values of the standard") {
  CHECK(linearFromSrgb(0.0F) == 0);
  CHECK(linearFromSrgb(1.0F) == doctest::Approx(1));
  CHECK(linearFromSrgb(0.5F) == doctest::Approx(0.214041).epsilon(1e-5));
  CHECK(srgbFromLinear(0.18F) == doctest::Approx(0.461356).epsilon(1e-5));
}

TEST_CASE("sRGB: all 256 codes survive the way to linear light and back") {
  Image8 codes(256, 1, 1);
  for (int i = 0; i < 256; ++i) *codes.at(i, 0) = static_cast<std::uint8_t>(i);
  const Image8 back = srgbFromLinear(linearFromSrgb(codes));
  CHECK(std::equal(codes.data(), codes.data() + 256, back.data()));
}

TEST_CASE("sRGB: the fast encoder rounds like the formula") {
  constexpr int kSteps = 100'000;
  ImageF linear(kSteps, 1, 1);
  for (int i = 0; i < kSteps; ++i) *linear.at(i, 0) = static_cast<float>(i) / (kSteps - 1);
  const Image8 codes = srgbFromLinear(linear);
  int differing = 0;
  for (int i = 0; i < kSteps; ++i) {
    differing += *codes.at(i, 0) != std::lround(255 * srgbFromLinear(*linear.at(i, 0)));
  }
  CHECK(differing <= 5);  // only where float rounding decides a tie
}

TEST_CASE("sRGB: values outside [0, 1] and NaN are clamped, alpha stays linear") {
  ImageF linear(1, 1, 4);
  linear.at(0, 0)[0] = -1;
  linear.at(0, 0)[1] = 7;
  linear.at(0, 0)[2] = std::nanf("");
  linear.at(0, 0)[3] = 0.5F;
  const Image8 codes = srgbFromLinear(linear);
  CHECK(codes.at(0, 0)[0] == 0);
  CHECK(codes.at(0, 0)[1] == 255);
  CHECK(codes.at(0, 0)[2] == 0);
  CHECK(codes.at(0, 0)[3] == 128);
  CHECK(linearFromSrgb(codes).at(0, 0)[3] == doctest::Approx(128.0 / 255));
}
