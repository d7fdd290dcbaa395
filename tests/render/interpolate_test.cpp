#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "core/parallel.h"
#include "render/rasterize.h"
#include "tests/render/shapes.h"

namespace facet {
namespace {

Fragments sphereFragments(const Mesh& mesh) {
  return rasterize(test::frontCamera(80, 60, 150, 300).clipFromModel(mesh.vertices), mesh.triangles, 80, 60);
}

TEST_CASE("interpolate: a constant attribute stays constant on covered pixels and zero elsewhere") {
  const Mesh mesh = test::makeSphere(12, 24, 50);
  const Fragments fragments = sphereFragments(mesh);
  for (const int channels : {1, 2, 3, 4, 7}) {
    const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> attributes =
        Eigen::MatrixXf::Constant(mesh.vertices.rows(), channels, 2.5F);
    const ImageF out = interpolate(fragments, mesh.triangles, attributes);
    int covered = 0;
    for (int y = 0; y < 60; ++y) {
      for (int x = 0; x < 80; ++x) {
        const bool hit = fragments.triangle(x, y) >= 0;
        covered += hit ? 1 : 0;
        for (int c = 0; c < channels; ++c)
          REQUIRE(out.at(x, y)[c] == doctest::Approx(hit ? 2.5 : 0.0).epsilon(1e-6));
      }
    }
    CHECK(covered > 500);
  }
}

TEST_CASE("interpolate: vertex positions come back as the point that the pixel's ray meets") {
  const Mesh mesh = test::makeSphere(20, 40, 50);
  const Camera camera = test::frontCamera(80, 60, 150, 300);
  const Fragments fragments = sphereFragments(mesh);
  const ImageF points = interpolate(fragments, mesh.triangles, mesh.vertices);
  for (int y = 0; y < 60; ++y) {
    for (int x = 0; x < 80; ++x) {
      if (fragments.triangle(x, y) < 0) continue;
      const Eigen::Vector3f point = Eigen::Map<const Eigen::Vector3f>(points.at(x, y));
      const Eigen::Vector2f pixel = camera.imageFromModel(point).value();
      // Silhouette pixels may lie up to half a sub-pixel outside of their triangle.
      REQUIRE(pixel.x() == doctest::Approx(x + 0.5).epsilon(1e-4));
      REQUIRE(pixel.y() == doctest::Approx(y + 0.5).epsilon(1e-4));
    }
  }
}

TEST_CASE("interpolate: bitwise equal for 1, 2 and 3 threads") {
  const Mesh mesh = test::makeSphere(12, 24, 50);
  const Fragments fragments = sphereFragments(mesh);
  setNumThreads(1);
  const ImageF one = interpolate(fragments, mesh.triangles, mesh.vertices);
  for (const int threads : {2, 3}) {
    setNumThreads(threads);
    const ImageF many = interpolate(fragments, mesh.triangles, mesh.vertices);
    CHECK(std::equal(one.data(), one.data() + one.size(), many.data()));
  }
  setNumThreads(0);
}

TEST_CASE("interpolate: an index buffer that reaches beyond the attributes is refused") {
  const Mesh mesh = test::makeSphere(4, 8, 50);
  CHECK_THROWS_AS(interpolate(sphereFragments(mesh), mesh.triangles, Points3::Zero(5, 3)),
                  std::invalid_argument);
}

// A 2×2 texture:  1 2   (top row first; v = 1 is the top)
//                 3 4
ImageF smallTexture() {
  ImageF texture(2, 2, 1);
  for (int i = 0; i < 4; ++i) texture.data()[i] = static_cast<float>(i + 1);
  return texture;
}

float lookUp(float u, float v, TextureFilter filter, TextureBoundary boundary) {
  ImageF uv(1, 1, 2);
  uv.data()[0] = u;
  uv.data()[1] = v;
  return *sampleTexture(smallTexture(), uv, filter, boundary).data();
}

TEST_CASE("sampleTexture: texel centres of a 2x2 texture return the texels, v = 0 is the bottom row") {
  for (const TextureFilter filter : {TextureFilter::kNearest, TextureFilter::kLinear}) {
    CHECK(lookUp(0.25F, 0.75F, filter, TextureBoundary::kClamp) == doctest::Approx(1));
    CHECK(lookUp(0.75F, 0.75F, filter, TextureBoundary::kClamp) == doctest::Approx(2));
    CHECK(lookUp(0.25F, 0.25F, filter, TextureBoundary::kClamp) == doctest::Approx(3));
    CHECK(lookUp(0.75F, 0.25F, filter, TextureBoundary::kClamp) == doctest::Approx(4));
  }
}

TEST_CASE("sampleTexture: bilinear values between and beyond texels, worked out by hand") {
  const auto linear = [](float u, float v, TextureBoundary boundary) {
    return lookUp(u, v, TextureFilter::kLinear, boundary);
  };
  CHECK(linear(0.5F, 0.5F, TextureBoundary::kClamp) == doctest::Approx(2.5));
  CHECK(linear(0.375F, 0.75F, TextureBoundary::kClamp) == doctest::Approx(1.25));
  CHECK(linear(0, 1, TextureBoundary::kClamp) == doctest::Approx(1));
  CHECK(linear(-3, 5, TextureBoundary::kClamp) == doctest::Approx(1));
  CHECK(linear(0, 1, TextureBoundary::kZero) == doctest::Approx(0.25));  // one of four texels is inside
  CHECK(linear(-3, 5, TextureBoundary::kZero) == doctest::Approx(0));
  CHECK(linear(0, 1, TextureBoundary::kWrap) == doctest::Approx(2.5));      // the corner where all four meet
  CHECK(linear(0, 0.75F, TextureBoundary::kWrap) == doctest::Approx(1.5));  // between texels 2 and 1
  CHECK(linear(7.25F, -2.25F, TextureBoundary::kWrap) == doctest::Approx(1));
  CHECK(lookUp(-0.25F, 0.75F, TextureFilter::kNearest, TextureBoundary::kWrap) == doctest::Approx(2));
  CHECK(lookUp(-0.25F, 0.75F, TextureFilter::kNearest, TextureBoundary::kZero) == doctest::Approx(0));
}

TEST_CASE(
    "sampleTexture: background pixels of the fragments stay zero and wild coordinates stay inside the "
    "texture") {
  Fragments fragments;
  fragments.width = 2;
  fragments.height = 1;
  fragments.rast = ImageF(2, 1, 4);
  fragments.rast.at(1, 0)[3] = 1;
  ImageF uv(2, 1, 2, 1e30F);
  const ImageF out =
      sampleTexture(smallTexture(), uv, TextureFilter::kLinear, TextureBoundary::kClamp, &fragments);
  CHECK(out.data()[0] == 0);
  CHECK(out.data()[1] == doctest::Approx(2));
  uv.data()[2] = std::numeric_limits<float>::quiet_NaN();
  for (const auto boundary : {TextureBoundary::kClamp, TextureBoundary::kWrap, TextureBoundary::kZero}) {
    CHECK_NOTHROW(sampleTexture(smallTexture(), uv, TextureFilter::kLinear, boundary, &fragments));
  }
}

}  // namespace
}  // namespace facet
