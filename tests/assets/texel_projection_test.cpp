#include "assets/texel_projection.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/io/model_io.h"

using namespace facet;

namespace {

// A sheet of 100 mm along X and Y over [0, 1]² of texture space, n×n cells, its height given by a function.
template <typename Height>
Mesh sheet(int n, Height height) {
  Mesh mesh;
  mesh.vertices.resize((n + 1) * (n + 1), 3);
  mesh.uv.resize((n + 1) * (n + 1), 2);
  mesh.triangles.resize(2 * n * n, 3);
  for (int y = 0; y <= n; ++y) {
    for (int x = 0; x <= n; ++x) {
      const float u = static_cast<float>(x) / n, v = static_cast<float>(y) / n;
      mesh.vertices.row(y * (n + 1) + x) << 100 * u - 50, 100 * v - 50, height(100 * u - 50, 100 * v - 50);
      mesh.uv.row(y * (n + 1) + x) << u, v;
    }
  }
  for (int y = 0; y < n; ++y) {
    for (int x = 0; x < n; ++x) {
      const int a = y * (n + 1) + x, cell = 2 * (y * n + x);
      mesh.triangles.row(cell) << a, a + 1, a + n + 2;
      mesh.triangles.row(cell + 1) << a, a + n + 2, a + n + 1;
    }
  }
  mesh.uv_triangles = mesh.triangles;
  return mesh;
}

constexpr float kWave_mm = 1, kPerMm = 0.3F;
float wave(float x, float) { return kWave_mm * std::sin(kPerMm * x); }
float flat(float, float) { return 0; }

}  // namespace

TEST_CASE("projectTexture: a texture comes back through another mesh of the same surface") {
  const Mesh target = sheet(7, flat), source = sheet(40, flat);
  ImageF texture(64, 64, 3);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      texture.at(x, y)[0] = static_cast<float>(x) / 63;
      texture.at(x, y)[1] = static_cast<float>(y) / 63;
    }
  }
  const ExtractedTexture extracted =
      projectTexture(projectTexels(target, source, 64, {.feather_mm = 0}), source, texture);
  for (int y = 1; y < 63; ++y) {
    for (int x = 1; x < 63; ++x) {
      REQUIRE(*extracted.visibility.at(x, y) == 1);
      REQUIRE(extracted.colour.at(x, y)[0] == doctest::Approx(texture.at(x, y)[0]).epsilon(1e-3));
      REQUIRE(extracted.colour.at(x, y)[1] == doctest::Approx(texture.at(x, y)[1]).epsilon(1e-3));
    }
  }
}

TEST_CASE("projectTexels: what is out of reach, faces away or has another label is not taken") {
  const Mesh target = sheet(5, flat);
  const auto anything = [&](const Mesh& source, const ProjectionOptions& options) {
    const TexelProjection projection = projectTexels(target, source, 16, options);
    int count = 0;
    for (const int triangle : projection.triangle) count += triangle >= 0;
    return count;
  };
  const auto lifted = [](float, float) { return 4.0F; };
  CHECK(anything(sheet(5, lifted), {.reach_mm = 5}) == 256);
  CHECK(anything(sheet(5, lifted), {.reach_mm = 3}) == 0);
  Mesh turned = sheet(5, flat);
  turned.triangles.col(1).swap(turned.triangles.col(2));
  CHECK(anything(turned, {}) == 0);
  const std::vector<int> one(50, 1), two(50, 2);
  CHECK(anything(sheet(5, flat), {.target_label = one, .source_label = two}) == 0);
  CHECK(anything(sheet(5, flat), {.target_label = one, .source_label = one}) == 256);
}

TEST_CASE("projectTexels: the weight falls to zero at the source's outer border, but not at a hole") {
  const Mesh target = sheet(40, flat);
  Mesh source = sheet(40, flat);
  // A hole of 10 mm in the middle.
  Eigen::Index kept = 0;
  for (Eigen::Index f = 0; f < source.triangles.rows(); ++f) {
    const Eigen::RowVector3f a = source.vertices.row(source.triangles(f, 0));
    if (std::abs(a.x() + 1) < 5 && std::abs(a.y() + 1) < 5) continue;
    source.triangles.row(kept) = source.triangles.row(f);
    source.uv_triangles.row(kept++) = source.uv_triangles.row(f);
  }
  source.triangles.conservativeResize(kept, 3);
  source.uv_triangles.conservativeResize(kept, 3);
  const TexelProjection projection = projectTexels(target, source, 100, {.feather_mm = 10});
  CHECK(*projection.weight.at(0, 50) < 0.05F);
  CHECK(*projection.weight.at(5, 50) == doctest::Approx(0.5).epsilon(0.2));
  CHECK(*projection.weight.at(30, 50) == 1);
  CHECK(*projection.weight.at(43, 50) == 1);  // beside the hole
}

TEST_CASE("bakeNormalMap: a wave on a flat sheet has the normals of the wave") {
  const Mesh target = sheet(10, flat), source = sheet(400, wave);
  const Image8 map = bakeNormalMap(target, source, vertexNormals(source.vertices, source.triangles),
                                   projectTexels(target, source, 200, {.feather_mm = 0}));
  double error = 0;
  for (int y = 20; y < 180; ++y) {
    for (int x = 20; x < 180; ++x) {
      const float x_mm = 100 * (static_cast<float>(x) + 0.5F) / 200 - 50;
      // The texel's place is the closest point, which lies up to a tenth of a wave beside it.
      const Eigen::Vector3f expected =
          Eigen::Vector3f(-kWave_mm * kPerMm * std::cos(kPerMm * x_mm), 0, 1).normalized();
      Eigen::Vector3f baked;
      for (int c = 0; c < 3; ++c) baked[c] = static_cast<float>(map.at(x, y)[c]) / 127.5F - 1;
      REQUIRE((baked - expected).norm() < 0.12F);
      error += (baked - expected).norm() / (160.0 * 160.0);
    }
  }
  CHECK(error < 0.04);
}

TEST_CASE("bakeNormalMap: green is up: a slope that rises along v leans back in green") {
  const auto slope = [](float, float y) { return 0.05F * y; };
  const Mesh target = sheet(10, flat), source = sheet(10, slope);
  const Image8 map = bakeNormalMap(target, source, vertexNormals(source.vertices, source.triangles),
                                   projectTexels(target, source, 32, {.reach_mm = 10, .feather_mm = 0}));
  CHECK(map.at(16, 16)[0] == doctest::Approx(128).epsilon(0.01));
  CHECK(map.at(16, 16)[1] == doctest::Approx(127.5 * (1 - 0.05)).epsilon(0.01));
}

TEST_CASE("bakeNormalMap: on the built-in head the frame turns a denser surface's normals back") {
  const MorphableModel model = loadModel("builtin");
  const Mesh target = model.mesh(model.mean);
  // The same surface with other normals: tilted by a smooth field.
  Points3 tilted = vertexNormals(target.vertices, target.triangles);
  for (Eigen::Index v = 0; v < tilted.rows(); ++v) {
    tilted.row(v) += 0.3F * Eigen::RowVector3f(std::sin(0.05F * target.vertices(v, 1)), 0.5F,
                                               std::cos(0.04F * target.vertices(v, 0)));
    tilted.row(v).normalize();
  }
  constexpr int kSize = 256;
  const TexelProjection projection = projectTexels(target, target, kSize, {.feather_mm = 0});
  const ImageF back = objectSpaceNormals(target, bakeNormalMap(target, target, tilted, projection));
  const ImageF expected = interpolate(projection.layout, target.triangles, tilted);
  double sum = 0;
  int count = 0, num_off = 0;
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      if (projection.layout.triangle(x, y) < 0) continue;
      const Eigen::Vector3f want = Eigen::Map<const Eigen::Vector3f>(expected.at(x, y)).normalized();
      const float error = (Eigen::Map<const Eigen::Vector3f>(back.at(x, y)) - want).norm();
      sum += error;
      num_off += error > 0.05F;
      ++count;
    }
  }
  CHECK(sum / count < 0.01);     // 8 bits: half a step is 0.004
  CHECK(num_off < count / 100);  // where lips and folds touch, a texel may find its neighbour
}

TEST_CASE("normalMapImage: flat is flat, and noise keeps the mean of a value between two steps") {
  ImageF normals(64, 64, 3);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      normals.at(x, y)[0] = 0;
      normals.at(x, y)[1] = 0.1F + 0.3F / 127.5F;
      normals.at(x, y)[2] = 0.99F;
    }
  }
  const Image8 image = normalMapImage(normals);
  double mean = 0;
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      REQUIRE(image.at(x, y)[0] == 128);
      mean += image.at(x, y)[1] / (64.0 * 64.0);
    }
  }
  CHECK(mean == doctest::Approx(127.5 * 1.1 + 0.3).epsilon(0.0005));
}
