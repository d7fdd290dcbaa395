#include "render/texture_transfer.h"

#include <doctest/doctest.h>

#include "render/uv_maps.h"

using namespace facet;

namespace {

// A square of two triangles that fills the layout but for a margin; `turned` = by a quarter to the left.
Mesh square(bool turned) {
  Mesh mesh;
  mesh.vertices.resize(4, 3);
  mesh.vertices << 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0;
  mesh.triangles.resize(2, 3);
  mesh.triangles << 0, 1, 2, 0, 2, 3;
  mesh.uv.resize(4, 2);
  if (turned) {
    mesh.uv << 0.75F, 0.25F, 0.75F, 0.75F, 0.25F, 0.75F, 0.25F, 0.25F;
  } else {
    mesh.uv << 0.25F, 0.25F, 0.75F, 0.25F, 0.75F, 0.75F, 0.25F, 0.75F;
  }
  mesh.uv_triangles = mesh.triangles;
  return mesh;
}

// Red grows with u, green with v.
ImageF ramp(int size) {
  ImageF image(size, size, 3);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      image.at(x, y)[0] = (static_cast<float>(x) + 0.5F) / static_cast<float>(size);
      image.at(x, y)[1] = 1 - (static_cast<float>(y) + 0.5F) / static_cast<float>(size);
    }
  }
  return image;
}

}  // namespace

TEST_CASE("transferTexture: the same layout gives the same texels back") {
  const ImageF texture = ramp(64);
  const ImageF result = transferTexture(texture, square(false), square(false), 64);
  for (int y = 16; y < 48; ++y) {
    for (int x = 16; x < 48; ++x) {
      for (int c = 0; c < 3; ++c)
        CHECK(result.at(x, y)[c] == doctest::Approx(texture.at(x, y)[c]).epsilon(1e-4));
    }
  }
}

TEST_CASE("transferTexture: a layout that is turned by a quarter turns the texture") {
  const ImageF texture = ramp(64);
  const ImageF result = transferTexture(texture, square(false), square(true), 128);
  for (const auto& [x, y] : {std::pair(40, 50), std::pair(64, 64), std::pair(90, 34)}) {
    const float u = (static_cast<float>(x) + 0.5F) / 128, v = 1 - (static_cast<float>(y) + 0.5F) / 128;
    // (u, v) of the turned layout shows what stands at (v, 1 - u) of the other one.
    CHECK(result.at(x, y)[0] == doctest::Approx(v).epsilon(1e-3));
    CHECK(result.at(x, y)[1] == doctest::Approx(1 - u).epsilon(1e-3));
  }
}

TEST_CASE(
    "transferTexture: what lies outside of the layout is filled, and a texture of other triangles is "
    "refused") {
  const ImageF result = transferTexture(ramp(64), square(false), square(false), 64);
  CHECK(result.at(14, 30)[0] > 0.2);
  CHECK(result.at(2, 2)[0] > 0.2);  // the nearest covered texel's, 0.25
  CHECK(result.at(2, 2)[0] < 0.7);
  Mesh other = square(false);
  other.uv_triangles.conservativeResize(1, 3);
  CHECK_THROWS_AS(transferTexture(ramp(8), other, square(false), 8), std::invalid_argument);
}
