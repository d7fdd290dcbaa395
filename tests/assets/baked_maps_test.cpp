#include "assets/baked_maps.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "core/io/model_io.h"
#include "core/parallel.h"
#include "render/uv_maps.h"

using namespace facet;

namespace {

// A square plate of 100 mm with its normal along +Z, n×n cells, at a height.
Mesh plate(int n, float z_mm) {
  Mesh mesh;
  mesh.vertices.resize((n + 1) * (n + 1), 3);
  mesh.triangles.resize(2 * n * n, 3);
  for (int y = 0; y <= n; ++y) {
    for (int x = 0; x <= n; ++x) {
      mesh.vertices.row(y * (n + 1) + x) << 100.0F * x / n - 50, 100.0F * y / n - 50, z_mm;
    }
  }
  for (int y = 0; y < n; ++y) {
    for (int x = 0; x < n; ++x) {
      const int a = y * (n + 1) + x, cell = 2 * (y * n + x);
      mesh.triangles.row(cell) << a, a + 1, a + n + 2;
      mesh.triangles.row(cell + 1) << a, a + n + 2, a + n + 1;
    }
  }
  return mesh;
}

float regionMean(const MorphableModel& model, const Eigen::VectorXf& values, const std::string& name) {
  const auto region = std::find(model.region_names.begin(), model.region_names.end(), name);
  REQUIRE(region != model.region_names.end());
  float sum = 0;
  int count = 0;
  for (int v = 0; v < model.numVertices(); ++v) {
    if (model.region[v] != region - model.region_names.begin()) continue;
    sum += values[v];
    ++count;
  }
  return sum / static_cast<float>(count);
}

}  // namespace

TEST_CASE("ambientOcclusion: nothing hides a convex body") {
  const MorphableModel model = makeSyntheticModel();
  Points3 sphere = model.mean;
  for (Eigen::Index v = 0; v < sphere.rows(); ++v) sphere.row(v) *= 100 / sphere.row(v).norm();
  CHECK(ambientOcclusion(sphere, model.triangles).minCoeff() > 0.97F);
}

TEST_CASE("ambientOcclusion: above the middle of a plate is what a wide lid leaves of the sky") {
  // The lid of radius r at height h hides sin²(atan(r / h)) of the cosine-weighted sky: 1/2 where r = h.
  Mesh floor = plate(20, 0);
  constexpr int kSegments = 48;
  constexpr float kRadius_mm = 30, kHeight_mm = 30;
  const Eigen::Index first = floor.vertices.rows(), first_triangle = floor.triangles.rows();
  floor.vertices.conservativeResize(first + kSegments + 1, 3);
  floor.triangles.conservativeResize(first_triangle + kSegments, 3);
  floor.vertices.row(first) << 0, 0, kHeight_mm;
  for (int i = 0; i < kSegments; ++i) {
    const float angle = 2 * std::numbers::pi_v<float> * i / kSegments;
    floor.vertices.row(first + 1 + i) << kRadius_mm * std::cos(angle), kRadius_mm * std::sin(angle),
        kHeight_mm;
    floor.triangles.row(first_triangle + i) << first, first + 1 + i, first + 1 + (i + 1) % kSegments;
  }
  const Eigen::VectorXf open = ambientOcclusion(floor.vertices, floor.triangles, {.num_directions = 400});
  CHECK(open[10 * 21 + 10] == doctest::Approx(0.5).epsilon(0.06));
  CHECK(open[0] > 0.9F);  // the corner, far from the lid
}

TEST_CASE(
    "occlusionRoughnessMap: the built-in head is open on the forehead, buried in the mouth; eyes shine") {
  const MorphableModel model = loadModel("builtin");
  const Eigen::VectorXf open = ambientOcclusion(model.mean, model.triangles);
  CHECK(regionMean(model, open, "forehead") > 0.85F);
  CHECK(regionMean(model, open, "mouth_inside") < 0.1F);
  CHECK(regionMean(model, open, "eye_socket_left") < 0.2F);
  CHECK(regionMean(model, open, "ear_left") < regionMean(model, open, "cheek_left"));

  const Eigen::VectorXf roughness = skinRoughness(model);
  CHECK(regionMean(model, roughness, "nose") < regionMean(model, roughness, "cheek_left"));
  CHECK(regionMean(model, roughness, "lip_lower") < regionMean(model, roughness, "chin"));
  CHECK(regionMean(model, roughness, "ear_left") > regionMean(model, roughness, "cheek_left"));
  CHECK(regionMean(model, roughness, "eyeball_left") == doctest::Approx(0.1));
  // No step between neighbours: what there is comes from the lips, whose edge is sharp.
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      const float step = roughness[model.triangles(f, k)] - roughness[model.triangles(f, (k + 1) % 3)];
      REQUIRE(std::abs(step) < 0.13F);
    }
  }

  const Image8 map = occlusionRoughnessMap(model, model.mean, {.size_px = 256});
  REQUIRE(map.width() == 256);
  REQUIRE(map.channels() == 3);
  for (int y = 0; y < 256; ++y) {
    for (int x = 0; x < 256; ++x) REQUIRE(map.at(x, y)[2] == 0);
  }
}

TEST_CASE("occlusionRoughnessMap: the same for any number of threads") {
  const MorphableModel model = makeSyntheticModel();
  const int before = numThreads();
  setNumThreads(1);
  const Image8 one = occlusionRoughnessMap(model, model.mean, {.size_px = 64});
  setNumThreads(4);
  const Image8 four = occlusionRoughnessMap(model, model.mean, {.size_px = 64});
  setNumThreads(before);
  REQUIRE(one.size() == four.size());
  CHECK(std::equal(one.data(), one.data() + one.size(), four.data()));
}
