#include "assets/skin_detail.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "core/io/model_io.h"
#include "render/uv_maps.h"

using namespace facet;

namespace {

constexpr int kSize = 512;

const MorphableModel& builtin() {
  static const MorphableModel model = loadModel("builtin");
  return model;
}

int regionNumber(const std::string& name) {
  return static_cast<int>(std::find(builtin().region_names.begin(), builtin().region_names.end(), name) -
                          builtin().region_names.begin());
}

// Skin with the grain of a photo.
ImageF grainy() {
  ImageF texture(kSize, kSize, 3);
  std::mt19937 generator(3);
  std::uniform_real_distribution<float> grain(0.36F, 0.44F);
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) std::fill_n(texture.at(x, y), 3, grain(generator));
  }
  return texture;
}

// Mean slope of the normals on a region, in levels of red and green away from flat.
float roughnessOf(const Image8& map, const std::string& region) {
  static const Fragments layout = rasterizeUv(builtin().mesh(builtin().mean), kSize);
  const int number = regionNumber(region);
  float sum = 0;
  int count = 0;
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      const int triangle = layout.triangle(x, y);
      if (triangle < 0) continue;
      bool is_inside = true;
      for (int k = 0; k < 3; ++k)
        is_inside = is_inside && builtin().region[builtin().triangles(triangle, k)] == number;
      if (!is_inside) continue;
      sum += std::abs(map.at(x, y)[0] - 128.0F) + std::abs(map.at(x, y)[1] - 128.0F);
      ++count;
    }
  }
  REQUIRE(count > 0);
  return sum / static_cast<float>(count);
}

}  // namespace

TEST_CASE("skinDetailNormalMap: an even texture gives a flat map") {
  const Image8 map = skinDetailNormalMap(builtin(), builtin().mean, ImageF(kSize, kSize, 3, 0.4F), {});
  REQUIRE(map.width() == kSize);
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      REQUIRE(map.at(x, y)[0] == 128);
      REQUIRE(map.at(x, y)[1] == 128);
    }
  }
}

TEST_CASE("skinDetailNormalMap: a dark spot is a pit, with green up") {
  // On the chin, which lies below the middle of the layout.
  const Fragments layout = rasterizeUv(builtin().mesh(builtin().mean), kSize);
  const int chin = regionNumber("chin");
  int spot_x = 0, spot_y = 0, count = 0;
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      const int triangle = layout.triangle(x, y);
      if (triangle < 0 || builtin().region[builtin().triangles(triangle, 0)] != chin) continue;
      spot_x += x;
      spot_y += y;
      ++count;
    }
  }
  spot_x /= count;
  spot_y /= count;
  // Grain all around, so that the spot is nothing unusual; none beside it.
  ImageF texture = grainy();
  for (int y = -12; y <= 12; ++y) {
    for (int x = -12; x <= 12; ++x) {
      const bool is_spot = std::abs(x) <= 1 && std::abs(y) <= 1;
      std::fill_n(texture.at(spot_x + x, spot_y + y), 3, is_spot ? 0.35F : 0.4F);
    }
  }
  const Image8 map = skinDetailNormalMap(builtin(), builtin().mean, texture, {});
  CHECK(map.at(spot_x - 2, spot_y)[0] > 129);
  CHECK(map.at(spot_x + 2, spot_y)[0] < 127);
  CHECK(map.at(spot_x, spot_y - 2)[1] < 127);
  CHECK(map.at(spot_x, spot_y + 2)[1] > 129);
}

TEST_CASE("skinDetailNormalMap: skin has detail; hair, eyes and teeth have none") {
  const Image8 map = skinDetailNormalMap(builtin(), builtin().mean, grainy(), {});
  CHECK(roughnessOf(map, "cheek_left") > 1);
  CHECK(roughnessOf(map, "chin") > 1);
  for (const char* none : {"scalp", "brow_left", "brow_right", "eyeball_left", "teeth", "mouth_inside"}) {
    CAPTURE(none);
    CHECK(roughnessOf(map, none) < 0.1F);
  }
}

TEST_CASE(
    "skinDetailNormalMap: what the photo did not show stays flat, and without anything seen there is no "
    "map") {
  ImageF seen(kSize, kSize, 1);
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize / 2; ++x) *seen.at(x, y) = 1;
  }
  const Image8 map = skinDetailNormalMap(builtin(), builtin().mean, grainy(), seen);
  const float left = roughnessOf(map, "cheek_left"), right = roughnessOf(map, "cheek_right");
  CHECK(std::max(left, right) > 1);
  CHECK(std::min(left, right) < 0.1F);
  CHECK(skinDetailNormalMap(builtin(), builtin().mean, grainy(), ImageF(kSize, kSize, 1)).empty());
}

TEST_CASE("skinDetailNormalMap: an edge far stronger than skin, such as a stray hair, leaves no relief") {
  ImageF texture = grainy();
  // A black line down the layout's left half.
  for (int y = 0; y < kSize; ++y) std::fill_n(texture.at(kSize * 3 / 8, y), 3, 0.02F);
  const Image8 map = skinDetailNormalMap(builtin(), builtin().mean, texture, {});
  const Image8 without = skinDetailNormalMap(builtin(), builtin().mean, grainy(), {});
  float on_line = 0, usual = 0;
  for (int y = 0; y < kSize; ++y) {
    for (int x = kSize * 3 / 8 - 1; x <= kSize * 3 / 8 + 1; ++x) {
      on_line += std::abs(map.at(x, y)[0] - 128.0F);
      usual += std::abs(without.at(x, y)[0] - 128.0F);
    }
  }
  CHECK(on_line < usual);
}
