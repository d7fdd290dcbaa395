#include "render/uv_maps.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "core/io/model_io.h"
#include "core/morphable_model.h"
#include "render/face_renderer.h"
#include "tests/render/shapes.h"

namespace facet {
namespace {

using test::frontCamera;

// Smooth pattern, different on the left and the right, linear RGB.
ImageF makePattern(int size, bool mirrored) {
  ImageF pattern(size, size, 3);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      double u = (x + 0.5) / size;
      const double v = (y + 0.5) / size;
      if (mirrored) u = std::abs(u - 0.5);
      pattern.at(x, y)[0] = static_cast<float>(0.45 + 0.3 * std::sin(17 * u + 2));
      pattern.at(x, y)[1] = static_cast<float>(0.45 + 0.3 * std::sin(15 * v + 5 * u));
      pattern.at(x, y)[2] = static_cast<float>(0.45 + 0.3 * std::cos(12 * (u + v)));
    }
  }
  return pattern;
}

Image8 photograph(const Mesh& mesh, const Camera& camera, const ImageF& texture) {
  ShadeOptions options;
  options.albedo_texture = texture;
  options.background = {0, 1, 0};  // green screen: bleeding would show
  return srgbFromLinear(renderFace(mesh, camera, options).colour);
}

// Mean absolute difference of a map from the truth over texels whose weight is at least `threshold`.
struct Difference {
  double mean = 0, largest = 0;
  int texels = 0;
};

Difference differenceWhere(const ImageF& map, const ImageF& truth, const ImageF& weight, float threshold) {
  Difference difference;
  for (int y = 0; y < map.height(); ++y) {
    for (int x = 0; x < map.width(); ++x) {
      if (*weight.at(x, y) < threshold) continue;
      ++difference.texels;
      for (int c = 0; c < 3; ++c) {
        const double error = std::abs(map.at(x, y)[c] - truth.at(x, y)[c]);
        difference.mean += error / 3;
        difference.largest = std::max(difference.largest, error);
      }
    }
  }
  difference.mean /= std::max(1, difference.texels);
  return difference;
}

// The mirror image (x -> -x) of each vertex of makeSphere(). u = 1/2 is the middle of the front.
std::vector<std::int32_t> sphereSymmetry(int rings, int segments) {
  std::vector<std::int32_t> symmetry;
  for (int i = 0; i <= rings; ++i) {
    for (int j = 0; j < segments; ++j) symmetry.push_back(i * segments + (segments - j) % segments);
  }
  return symmetry;
}

TEST_CASE("rasterizeUv: each texel knows its triangle, and attributes painted there are the surface's own") {
  const Mesh mesh = test::makeSphere(16, 32, 50);
  constexpr int kSize = 128;
  const Fragments texels = rasterizeUv(mesh, kSize);
  const ImageF uv = interpolate(texels, mesh.uv_triangles, mesh.uv);
  const ImageF position = attributesInUv(mesh, texels, mesh.vertices);
  int covered = 0;
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      if (texels.triangle(x, y) < 0) continue;
      ++covered;
      // v = 1 is the top row.
      REQUIRE(uv.at(x, y)[0] == doctest::Approx((x + 0.5) / kSize).epsilon(1e-3));
      REQUIRE(uv.at(x, y)[1] == doctest::Approx(1 - (y + 0.5) / kSize).epsilon(1e-3));
      const float radius = Eigen::Map<const Eigen::Vector3f>(position.at(x, y)).norm();
      REQUIRE(radius < 50.01F);
      REQUIRE(radius > 48.5F);
    }
  }
  CHECK(covered == doctest::Approx(0.96 * 0.96 * kSize * kSize).epsilon(0.03));
}

TEST_CASE("dilateSeams: grows by one texel per iteration with the mean of its covered neighbours") {
  ImageF map(7, 5, 2, -1.0F);
  Image8 coverage(7, 5, 1);
  *coverage.at(3, 2) = 255;
  map.at(3, 2)[0] = 4;
  map.at(3, 2)[1] = 8;
  dilateSeams(map, coverage, 2);
  CHECK(map.at(1, 0)[0] == doctest::Approx(4));
  CHECK(map.at(5, 4)[1] == doctest::Approx(8));
  CHECK(*coverage.at(1, 0) == 255);
  CHECK(*coverage.at(0, 0) == 0);
  CHECK(map.at(0, 0)[0] == -1);
  Image8 none(7, 5, 1);
  dilateSeams(map, none, 3);
  CHECK(map.at(0, 0)[0] == -1);
}

TEST_CASE("padSeams: no mipmap level sees the background, and covered texels stay as they are") {
  const Mesh mesh = loadModel("builtin").mesh(loadModel("builtin").mean);
  for (const int size : {512, 331}) {
    const Fragments layout = rasterizeUv(mesh, size);
    const Image8 coverage = uvCoverage(layout);
    constexpr float kBackground = -1000;
    ImageF map(size, size, 2, kBackground);
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        if (*coverage.at(x, y) == 0) continue;
        map.at(x, y)[0] = 1;
        map.at(x, y)[1] = static_cast<float>((7 * x + 3 * y) % 11);
      }
    }
    const ImageF before = map;
    padSeams(map, coverage);
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        if (*coverage.at(x, y) != 0) REQUIRE(map.at(x, y)[1] == before.at(x, y)[1]);
        REQUIRE(map.at(x, y)[1] >= 0);
        REQUIRE(map.at(x, y)[1] <= 10);
      }
    }
    // Boxes of all sizes, as graphics hardware averages them.
    for (int box = 2; box <= size; box *= 2) {
      for (int top = 0; top + box <= size; top += box) {
        for (int left = 0; left + box <= size; left += box) {
          float sum = 0;
          for (int k = 0; k < box * box; ++k) sum += map.at(left + k % box, top + k / box)[0];
          REQUIRE(sum / static_cast<float>(box * box) == doctest::Approx(1).epsilon(1e-4));
        }
      }
    }
  }
}

TEST_CASE("padSeams: a map that nothing covers stays as it is") {
  ImageF map(5, 3, 1, 7.0F);
  padSeams(map, Image8(5, 3, 1));
  CHECK(*map.at(4, 2) == 7);
}

TEST_CASE("extractTexture: a texture rendered onto a sphere comes back where the photo sees it") {
  const Mesh mesh = test::makeSphere(64, 128, 50);
  constexpr int kSize = 256;
  const ImageF texture = makePattern(kSize, false);
  Camera camera = frontCamera(512, 480, 1200, 300);
  camera.camera_from_model.rotate(Eigen::AngleAxisf(0.3F, Eigen::Vector3f(0.2F, 1, 0).normalized()));
  const ExtractedTexture extracted = extractTexture(mesh, camera, photograph(mesh, camera, texture), kSize);
  const Difference difference = differenceWhere(extracted.colour, texture, extracted.visibility, 0.05F);
  CHECK(difference.texels > kSize * kSize / 6);
  CHECK(difference.mean < 0.004);    // 8-bit rounding is 0.002 here
  CHECK(difference.largest < 0.03);  // the green background reaches no trusted texel
}

TEST_CASE("extractTexture: a map coarser than the photo averages the photo instead of picking pixels") {
  // Pixels alternate between black and white in a checkerboard: every texel must be the mean of the light,
  // 1/2.
  const Mesh mesh = test::makeSphere(64, 128, 50);
  const Camera camera = frontCamera(800, 800, 2000, 300);
  Image8 photo(800, 800, 3);
  for (int y = 0; y < 800; ++y) {
    for (int x = 0; x < 800; ++x)
      std::fill_n(photo.at(x, y), 3, static_cast<std::uint8_t>((x + y) % 2 ? 255 : 0));
  }
  const ExtractedTexture extracted = extractTexture(mesh, camera, photo, 128);
  for (int y = 0; y < 128; ++y) {
    for (int x = 0; x < 128; ++x) {
      if (*extracted.visibility.at(x, y) < 0.9F) continue;
      REQUIRE(*extracted.colour.at(x, y) == doctest::Approx(0.5).epsilon(0.02));
    }
  }
}

TEST_CASE(
    "extractTexture: texels behind another surface, at the back or outside of the photo have visibility 0") {
  // A small sphere in front of a big one, charts side by side.
  Mesh mesh = test::makeSphere(48, 96, 50);
  Mesh front = test::makeSphere(24, 48, 12);
  front.vertices.col(2).array() += 70;
  const int vertices = static_cast<int>(mesh.vertices.rows()), uvs = static_cast<int>(mesh.uv.rows());
  mesh.uv.col(0) *= 0.5F;
  front.uv.col(0) = 0.5F * front.uv.col(0).array() + 0.5F;
  Mesh both;
  both.vertices.resize(vertices + front.vertices.rows(), 3);
  both.vertices << mesh.vertices, front.vertices;
  both.uv.resize(uvs + front.uv.rows(), 2);
  both.uv << mesh.uv, front.uv;
  both.triangles.resize(mesh.triangles.rows() + front.triangles.rows(), 3);
  both.triangles << mesh.triangles, front.triangles.array() + vertices;
  both.uv_triangles.resize(both.triangles.rows(), 3);
  both.uv_triangles << mesh.uv_triangles, front.uv_triangles.array() + uvs;

  constexpr int kSize = 256;
  Camera camera = frontCamera(400, 400, 1000, 300);
  camera.principal_px.x() = 60;  // part of the left side is outside of the photo
  ImageF texture(kSize, kSize, 3, 0.25F);
  for (int y = 0; y < kSize; ++y) {
    for (int x = kSize / 2; x < kSize; ++x) texture.at(x, y)[0] = 1;  // the small sphere is red
  }
  const ExtractedTexture extracted = extractTexture(both, camera, photograph(both, camera, texture), kSize);
  const Fragments texels = rasterizeUv(both, kSize);
  const ImageF position = attributesInUv(both, texels, both.vertices);
  int hidden = 0, outside = 0, back = 0, seen = 0;
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize / 2; ++x) {  // the big sphere
      if (texels.triangle(x, y) < 0) continue;
      const Eigen::Vector3f point = Eigen::Map<const Eigen::Vector3f>(position.at(x, y));
      const float visibility = *extracted.visibility.at(x, y);
      const Eigen::Vector2f pixel = camera.imageFromModel(point).value();
      // The ray to the eye at z = 300 passes the small sphere's centre at this distance.
      const Eigen::Vector3f eye(0, 0, 300);
      const float passing = (Eigen::Vector3f(0, 0, 70) - eye).cross((point - eye).normalized()).norm();
      if (point.z() > 0 && passing < 11.5F) {
        ++hidden;
        REQUIRE(visibility == 0);
      } else if (pixel.x() < 0) {
        ++outside;
        REQUIRE(visibility == 0);
      } else if (point.normalized().dot((eye - point).normalized()) < 0) {
        ++back;
        REQUIRE(visibility == 0);
      } else if (visibility > 0) {
        ++seen;
        REQUIRE(extracted.colour.at(x, y)[0] == doctest::Approx(0.25).epsilon(0.05));  // no red bleeds over
      }
    }
  }
  CHECK(hidden > 100);
  CHECK(outside > 100);
  CHECK(back > 1000);
  CHECK(seen > 1000);
}

TEST_CASE(
    "completeTexture: the unseen half is the mirror image of the seen one, whichever way its quads are cut") {
  constexpr int kRings = 48, kSegments = 96, kSize = 256;
  const Mesh mesh = test::makeSphere(kRings, kSegments, 50);  // all diagonals run the same way: not symmetric
  const ImageF texture = makePattern(kSize, true);
  Camera camera = frontCamera(512, 512, 1200, 300);
  camera.camera_from_model.rotate(Eigen::AngleAxisf(0.9F, Eigen::Vector3f::UnitY()));  // a half profile
  const ExtractedTexture extracted = extractTexture(mesh, camera, photograph(mesh, camera, texture), kSize);
  const ImageF grey(kSize, kSize, 3, 0.45F);
  const ImageF complete = completeTexture(mesh, extracted, sphereSymmetry(kRings, kSegments), grey);

  // Texels that the photo does not see but whose mirror image it sees squarely.
  ImageF mirrored_only(kSize, kSize, 1);
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      const bool from_mirror =
          *extracted.visibility.at(x, y) == 0 && *extracted.visibility.at(kSize - 1 - x, y) > 0.8F;
      *mirrored_only.at(x, y) = from_mirror ? 1.0F : 0.0F;
    }
  }
  const Difference mirrored = differenceWhere(complete, texture, mirrored_only, 0.5F);
  CHECK(mirrored.texels > 500);
  CHECK(mirrored.mean < 0.02);
  const Difference seen = differenceWhere(complete, texture, extracted.visibility, 0.6F);
  CHECK(seen.mean < 0.004);
}

TEST_CASE("completeTexture: a fallback of another tone is brought to the photo's and leaves no seam") {
  constexpr int kSize = 256;
  const Mesh mesh = test::makeSphere(48, 96, 50);
  const ImageF skin(kSize, kSize, 3, 0.4F);
  const Camera camera = frontCamera(512, 512, 1200, 300);
  const ExtractedTexture extracted = extractTexture(mesh, camera, photograph(mesh, camera, skin), kSize);
  const ImageF dark(kSize, kSize, 3, 0.2F);
  const ImageF complete = completeTexture(mesh, extracted, {}, dark);
  double largest_step = 0;
  const Fragments texels = rasterizeUv(mesh, kSize);
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x + 1 < kSize; ++x) {
      if (texels.triangle(x, y) < 0 || texels.triangle(x + 1, y) < 0) continue;
      largest_step =
          std::max<double>(largest_step, std::abs(complete.at(x, y)[0] - complete.at(x + 1, y)[0]));
      REQUIRE(complete.at(x, y)[0] == doctest::Approx(0.4).epsilon(0.03));
    }
  }
  CHECK(largest_step < 0.004);
}

TEST_CASE("completeTexture: without any photo the fallback itself comes out, padded beyond its seams") {
  const Mesh mesh = test::makeSphere(12, 24, 50);
  constexpr int kSize = 64;
  ExtractedTexture nothing = {ImageF(kSize, kSize, 3), ImageF(kSize, kSize, 1)};
  const ImageF complete = completeTexture(mesh, nothing, {}, ImageF(kSize, kSize, 3, 0.3F));
  CHECK(complete.at(30, 30)[1] == doctest::Approx(0.3));
  CHECK(complete.at(0, 30)[1] == doctest::Approx(0.3));
}

}  // namespace
}  // namespace facet
