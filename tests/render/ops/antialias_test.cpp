#include "render/ops/antialias.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numbers>
#include <set>

#include "core/parallel.h"
#include "tests/render/ops/discontinuity_scene.h"
#include "tests/render/ops/scalar_antialias.h"
#include "tests/render/shapes.h"

namespace facet {
namespace {

using test::DiscontinuityScene;
using test::randomImage;

Triangles makeTriangles(std::initializer_list<std::array<int, 3>> rows) {
  Triangles triangles(static_cast<Eigen::Index>(rows.size()), 3);
  Eigen::Index i = 0;
  for (const auto& row : rows) triangles.row(i++) << row[0], row[1], row[2];
  return triangles;
}

std::vector<std::int32_t> topology(const Triangles& triangles, int num_vertices) {
  std::vector<std::int32_t> opposite(static_cast<std::size_t>(triangles.size()), -9);
  ops::buildTopology({triangles.data(), triangles.rows()}, num_vertices, opposite.data());
  return opposite;
}

// A sphere in perspective, off centre, with poles and a silhouette in all directions.
DiscontinuityScene sphereScene(int width = 37, int height = 29) {
  constexpr int kRings = 8, kSegments = 12;
  Mesh mesh = test::makeSphere(kRings, kSegments, 50);
  for (int& vertex : mesh.triangles.reshaped()) {  // one vertex at each pole
    if (vertex < kSegments) vertex = 0;
    if (vertex >= kRings * kSegments) vertex = kRings * kSegments;
  }
  Camera camera = test::frontCamera(width, height, 2.5F * static_cast<float>(height), 300);
  camera.camera_from_model.rotate(Eigen::AngleAxisf(0.4F, Eigen::Vector3f(1, 0.3F, 0.2F).normalized()));
  camera.camera_from_model.translation().x() = 6;
  return {camera.clipFromModel(mesh.vertices), mesh.triangles, width, height};
}

// Triangles that cross each other at random, in perspective, none of them welded. `size` 1 fills the image.
DiscontinuityScene soupScene(int width, int height, int count, unsigned seed, float size = 1) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> position(-1.3F, 1.3F), depth(-0.9F, 0.9F), scale(0.5F, 3.0F);
  Points4 clip(3 * count, 4);
  Triangles triangles(count, 3);
  float x = 0, y = 0;
  for (int i = 0; i < 3 * count; ++i) {
    if (i % 3 == 0) {
      x = (1 - size) * position(random);
      y = (1 - size) * position(random);
    }
    const float w = scale(random);
    clip.row(i) << (x + size * position(random)) * w, (y + size * position(random)) * w, depth(random) * w, w;
    triangles(i / 3, i % 3) = i;
  }
  return {clip, triangles, width, height};
}

// One background pixel, (4, 4) of 9x9, that four triangles come as close to as 0.1 px from its centre.
DiscontinuityScene crowdedPixel() {
  Points2 pixels(12, 2);
  pixels.topRows(3) << 4.4F, 3.9F, 4.4F, 5.1F, 2, 4.5F;
  pixels.middleRows(3, 3) << 4.6F, 3.9F, 4.6F, 5.1F, 7, 4.5F;
  pixels.bottomRows(6).col(0) = pixels.topRows(6).col(1);
  pixels.bottomRows(6).col(1) = pixels.topRows(6).col(0);
  return {test::clipFromPixels(pixels, 9, 9), makeTriangles({{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {9, 10, 11}}),
          9, 9};
}

constexpr int kDiscCorners = 9;  // long edges: triangles below a pixel are not followed

// A regular polygon around a centre, in pixels.
DiscontinuityScene disc(double x, double y, double radius, int width, int height) {
  Points2 pixels(kDiscCorners + 1, 2);
  Triangles triangles(kDiscCorners, 3);
  pixels.row(kDiscCorners) << static_cast<float>(x), static_cast<float>(y);
  for (int i = 0; i < kDiscCorners; ++i) {
    const double angle = 2 * std::numbers::pi * i / kDiscCorners;
    pixels.row(i) << static_cast<float>(x + radius * std::cos(angle)),
        static_cast<float>(y + radius * std::sin(angle));
    triangles.row(i) << kDiscCorners, (i + 1) % kDiscCorners, i;
  }
  return {test::clipFromPixels(pixels, width, height), triangles, width, height};
}

TEST_CASE("buildTopology: a quad's diagonal joins its triangles and its outline is open") {
  const Triangles quad = makeTriangles({{0, 1, 2}, {0, 2, 3}});
  CHECK(topology(quad, 4) == std::vector<std::int32_t>{-1, -1, 3, 1, -1, -1});
  // Whatever the winding of the neighbour.
  CHECK(topology(makeTriangles({{0, 1, 2}, {2, 0, 3}}), 4) ==
        std::vector<std::int32_t>{-1, -1, 3, 1, -1, -1});
}

TEST_CASE("buildTopology: an edge of three triangles is open, their other edges are not affected") {
  const Triangles fin = makeTriangles({{0, 1, 2}, {1, 0, 3}, {0, 1, 4}, {2, 1, 5}});
  CHECK(topology(fin, 6) == std::vector<std::int32_t>{-1, 5, -1, -1, -1, -1, -1, -1, -1, 0, -1, -1});
}

TEST_CASE("buildTopology: triangles with a repeated vertex join nothing and separate nothing") {
  const Triangles quad = makeTriangles({{0, 1, 2}, {0, 0, 2}, {0, 2, 3}, {2, 2, 2}});
  CHECK(topology(quad, 4) == std::vector<std::int32_t>{-1, -1, 3, -1, -1, -1, 1, -1, -1, -1, -1, -1});
}

TEST_CASE("buildTopology: agrees with a map of edges on random triangles and on a fan") {
  std::mt19937 random(3);
  std::uniform_int_distribution<int> vertex(0, 39);
  Triangles triangles(400, 3);
  for (int f = 0; f < 300; ++f) triangles.row(f) << vertex(random), vertex(random), vertex(random);
  for (int f = 300; f < 400; ++f) triangles.row(f) << 40, f - 260, f - 259;
  std::map<std::pair<int, int>, std::vector<std::pair<int, int>>> edges;
  for (int f = 0; f < 400; ++f) {
    if (std::set<int>{triangles(f, 0), triangles(f, 1), triangles(f, 2)}.size() < 3) continue;
    for (int e = 0; e < 3; ++e)
      edges[std::minmax({triangles(f, e), triangles(f, (e + 1) % 3)})].emplace_back(f, e);
  }
  std::vector<std::int32_t> expected(1200, -1);
  for (const auto& [edge, users] : edges) {
    if (users.size() != 2) continue;
    for (int i = 0; i < 2; ++i) {
      const auto [f, e] = users[static_cast<std::size_t>(i)];
      const auto [g, h] = users[static_cast<std::size_t>(1 - i)];
      expected[static_cast<std::size_t>(3 * f + e)] = triangles(g, (h + 2) % 3);
    }
  }
  CHECK(topology(triangles, 141) == expected);
}

TEST_CASE("buildTopology: refuses indices out of range and missing memory") {
  const Triangles triangles = makeTriangles({{0, 1, 4}});
  std::int32_t opposite[3];
  CHECK_THROWS_AS(ops::buildTopology({triangles.data(), 1}, 4, opposite), std::invalid_argument);
  CHECK_THROWS_AS(ops::buildTopology({triangles.data(), 1}, 5, nullptr), std::invalid_argument);
  CHECK_THROWS_AS(ops::buildTopology({triangles.data(), 1}, -1, opposite), std::invalid_argument);
  CHECK_THROWS_AS(ops::buildTopology({nullptr, 1}, 5, opposite), std::invalid_argument);
  CHECK_NOTHROW(ops::buildTopology({nullptr, 0}, 0, nullptr));
}

TEST_CASE("antialias: an axis-parallel edge gives each pixel the covered area as weight") {
  // One side of a huge triangle at `edge` pixels, in each of four directions.
  for (const double edge : {3.1, 3.3, 3.49, 3.51, 3.7, 3.9}) {
    for (int side = 0; side < 4; ++side) {
      Points2 pixels(3, 2);
      const float e = static_cast<float>(side % 2 == 0 ? edge : 8 - edge), far = side % 2 == 0 ? -40 : 48;
      pixels << e, -50, e, 60, far, 4;
      if (side >= 2) pixels.col(0).swap(pixels.col(1));
      const DiscontinuityScene scene(test::clipFromPixels(pixels, 8, 8), makeTriangles({{0, 1, 2}}), 8, 8);
      const ImageF colour = test::flatColours(scene.rast, {2}, 1);
      const ImageF out = scene.antialiased(colour);
      for (int i = 0; i < 8; ++i) {
        const int column = side % 2 == 0 ? i : 7 - i;
        const double covered = std::clamp(edge - i, 0.0, 1.0);
        INFO("edge ", edge, " side ", side, " pixel ", i);
        CHECK(*(side < 2 ? out.at(column, 4) : out.at(4, column)) ==
              doctest::Approx(2 * covered).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("antialias: agrees with the scalar implementation for any number of channels") {
  for (const DiscontinuityScene& scene : {sphereScene(), soupScene(41, 33, 12, 5), soupScene(3, 50, 9, 6),
                                          soupScene(70, 2, 9, 7), soupScene(1, 1, 9, 8)}) {
    for (const int channels : {1, 2, 3, 4, 7}) {
      for (const bool clamp : {false, true}) {
        const ImageF colour = randomImage(scene.width, scene.height, channels, 11);
        const ImageF out = scene.antialiased(colour, clamp);
        ImageF expected(scene.width, scene.height, channels);
        test::ScalarAntialias<float>{scene.width,
                                     scene.height,
                                     channels,
                                     colour.data(),
                                     scene.rast.data(),
                                     scene.clip.data(),
                                     scene.triangles.data(),
                                     scene.opposite.data(),
                                     clamp}
            .run(expected.data());
        double error = 0, change = 0;
        for (std::size_t i = 0; i < out.size(); ++i) {
          error = std::max(error, static_cast<double>(std::abs(out.data()[i] - expected.data()[i])));
          change += std::abs(out.data()[i] - colour.data()[i]) > 0.01F;
        }
        CHECK(error < 2e-4);  // float pixel positions of vertices far outside
        if (scene.width > 1) CHECK(change > 10 * channels);
      }
    }
  }
}

TEST_CASE("antialias: without clamping, the colour gradient is the adjoint of the blend") {
  for (const DiscontinuityScene& scene : {sphereScene(), soupScene(41, 70, 12, 5)}) {
    for (const int channels : {1, 3, 4, 5}) {
      const ImageF x = randomImage(scene.width, scene.height, channels, 1);
      const ImageF y = randomImage(scene.width, scene.height, channels, 2);
      ImageF grad(scene.width, scene.height, channels, 9);
      ops::AntialiasBackwardParams params;
      params.forward = scene.antialias(x);
      params.grad_out = ops::ConstImages(y.data(), 1, scene.height, scene.width, channels);
      params.grad_colour = DiscontinuityScene::images(grad);
      ops::antialiasBackwardCpu(params);
      CHECK(test::dot(scene.antialiased(x), y) == doctest::Approx(test::dot(x, grad)).epsilon(1e-5));
      CHECK(test::dot(x, y) != doctest::Approx(test::dot(x, grad)).epsilon(1e-3));
    }
  }
}

// d (weights · antialias(colour, positions)) by central differences in double.
struct Numeric {
  std::vector<double> colour, positions;
};
Numeric numericGradients(const DiscontinuityScene& scene, const ImageF& colour, const ImageF& weights,
                         bool clamp) {
  std::vector<double> c(colour.data(), colour.data() + colour.size());
  std::vector<double> p(scene.clip.data(), scene.clip.data() + scene.clip.size());
  std::vector<double> out(c.size());
  const auto loss = [&] {
    test::ScalarAntialias<double>{
        scene.width, scene.height,           colour.channels(),     c.data(), scene.rast.data(),
        p.data(),    scene.triangles.data(), scene.opposite.data(), clamp}
        .run(out.data());
    double sum = 0;
    for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * weights.data()[i];
    return sum;
  };
  const auto differentiate = [&](std::vector<double>& values) {
    std::vector<double> gradient(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double kept = values[i], step = 1e-6;
      values[i] = kept + step;
      const double above = loss();
      values[i] = kept - step;
      gradient[i] = (above - loss()) / (2 * step);
      values[i] = kept;
    }
    return gradient;
  };
  Numeric numeric;
  numeric.colour = differentiate(c);
  numeric.positions = differentiate(p);
  return numeric;
}

TEST_CASE("antialias: gradients are those of the antialiased image, with and without clamping") {
  const std::vector<DiscontinuityScene> scenes = {sphereScene(17, 14), soupScene(19, 18, 6, 5),
                                                  soupScene(12, 21, 40, 9, 0.15F), crowdedPixel()};
  for (const DiscontinuityScene& scene : scenes) {
    for (const bool clamp : {false, true}) {
      for (const int channels : {1, 3}) {
        const ImageF colour = randomImage(scene.width, scene.height, channels, 3);
        const ImageF weights = randomImage(scene.width, scene.height, channels, 4);
        const Numeric numeric = numericGradients(scene, colour, weights, clamp);

        ImageF grad_colour(scene.width, scene.height, channels, 9);
        Points4 grad_positions = Points4::Constant(scene.clip.rows(), 4, 9);
        ops::AntialiasBackwardParams params;
        params.forward = scene.antialias(colour);
        params.forward.clamp = clamp;
        params.grad_out = ops::ConstImages(weights.data(), 1, scene.height, scene.width, channels);
        params.grad_colour = DiscontinuityScene::images(grad_colour);
        params.grad_positions = ops::Rows(grad_positions.data(), scene.clip.rows(), 4);
        ops::antialiasBackwardCpu(params);

        double error = 0, largest = 0;
        for (std::size_t i = 0; i < numeric.colour.size(); ++i)
          error = std::max(error, std::abs(numeric.colour[i] - grad_colour.data()[i]));
        CHECK(error < 1e-5);
        error = 0;
        for (std::size_t i = 0; i < numeric.positions.size(); ++i) {
          error = std::max(error, std::abs(numeric.positions[i] - grad_positions.data()[i]));
          largest = std::max(largest, std::abs(numeric.positions[i]));
        }
        CHECK(largest > 0.01);
        CHECK(error < 1e-4 * largest);
        CHECK(grad_positions.col(2).isZero(0));
      }
    }
  }
}

TEST_CASE("antialias: where four edges crowd a pixel, it exceeds its neighbours unless clamped") {
  const DiscontinuityScene scene = crowdedPixel();
  const ImageF colour = test::flatColours(scene.rast, {1, 1, 0.9F, 1}, 1);
  CHECK(*scene.antialiased(colour).at(4, 4) == doctest::Approx(4 * 0.4 - 0.04).epsilon(1e-5));
  CHECK(*scene.antialiased(colour, true).at(4, 4) == 1);
}

TEST_CASE("antialias: clamping keeps each pixel between its neighbours and leaves those that are") {
  const DiscontinuityScene scene = soupScene(41, 33, 200, 5, 0.06F);
  const ImageF colour = randomImage(scene.width, scene.height, 3, 1);
  const ImageF free = scene.antialiased(colour), clamped = scene.antialiased(colour, true);
  for (int y = 0; y < scene.height; ++y) {
    for (int x = 0; x < scene.width; ++x) {
      for (int k = 0; k < 3; ++k) {
        float low = colour.at(x, y)[k], high = low;
        for (const auto& [nx, ny] : {std::pair{x - 1, y}, {x + 1, y}, {x, y - 1}, {x, y + 1}}) {
          if (nx < 0 || ny < 0 || nx >= scene.width || ny >= scene.height) continue;
          low = std::min(low, colour.at(nx, ny)[k]);
          high = std::max(high, colour.at(nx, ny)[k]);
        }
        REQUIRE(clamped.at(x, y)[k] >= low);
        REQUIRE(clamped.at(x, y)[k] <= high);
        const float value = free.at(x, y)[k];
        REQUIRE(clamped.at(x, y)[k] == std::clamp(value, low, high));
      }
    }
  }
}

TEST_CASE("antialias: a closed mesh is blended at its outline only, whatever its triangles show") {
  constexpr int kSize = 200;
  const DiscontinuityScene scene = sphereScene(kSize, kSize);
  std::vector<float> colours(static_cast<std::size_t>(scene.triangles.rows()));
  std::mt19937 random(1);
  for (float& colour : colours) colour = std::uniform_real_distribution<float>(0.5F, 1)(random);
  const ImageF colour = test::flatColours(scene.rast, colours, 1);
  const ImageF out = scene.antialiased(colour);
  int blended = 0, outline_pairs = 0;
  for (int y = 1; y < kSize - 1; ++y) {
    for (int x = 1; x < kSize - 1; ++x) {
      const bool here = scene.rast.at(x, y)[3] > 0;
      int different = 0;
      for (const auto& [nx, ny] : {std::pair{x - 1, y}, {x + 1, y}, {x, y - 1}, {x, y + 1}})
        different += (scene.rast.at(nx, ny)[3] > 0) != here ? 1 : 0;
      const bool changed = *out.at(x, y) != *colour.at(x, y);
      outline_pairs += here ? different : 0;
      blended += changed ? 1 : 0;
      REQUIRE((different > 0 || !changed));
    }
  }
  // On a circle, the steep and flat pairs that count are 1 / sqrt(2) of all.
  CHECK(blended > outline_pairs / 2);
  CHECK(blended < outline_pairs * 3 / 4);
}

TEST_CASE("antialias: a diagonal is blended when its vertices are doubled and not when they are welded") {
  Points2 corners(6, 2);
  corners << 1, 1, 11, 1.5F, 10.5F, 11, 1, 1, 10.5F, 11, 1.5F, 10.5F;
  const Points4 clip = test::clipFromPixels(corners, 12, 12);
  const auto blendedInside = [&](const Triangles& triangles) {
    const DiscontinuityScene scene(clip, triangles, 12, 12);
    const ImageF colour = test::flatColours(scene.rast, {1, 2}, 1), out = scene.antialiased(colour);
    int count = 0;
    for (int i = 3; i < 9; ++i) {
      for (int k = -1; k <= 1; ++k) count += *out.at(i + k, i) != *colour.at(i + k, i) ? 1 : 0;
    }
    return count;
  };
  CHECK(blendedInside(makeTriangles({{0, 1, 2}, {0, 2, 5}})) == 0);
  CHECK(blendedInside(makeTriangles({{0, 1, 2}, {3, 4, 5}})) > 3);
}

TEST_CASE("antialias: a moving or growing disc changes the image as its area does") {
  constexpr int kSize = 40;
  const ImageF weights = test::waves(kSize, kSize);
  const std::vector<float> white(kDiscCorners, 1);
  const auto area_loss = [&](double x, double y, double radius) {
    const DiscontinuityScene scene = disc(x, y, radius, kSize, kSize);
    return test::dot(test::areaImage(scene.clip, scene.triangles, white, 1, kSize, kSize), weights);
  };
  double expected[3] = {}, actual[3] = {};
  for (int place = 0; place < 5; ++place) {  // several, because one is as lucky as its pixels
    const double x = 19.37 + 0.31 * place, y = 20.81 - 0.23 * place, radius = 14.6 + 0.17 * place, step = 0.5;
    expected[0] += (area_loss(x + step, y, radius) - area_loss(x - step, y, radius)) / (2 * step);
    expected[1] += (area_loss(x, y + step, radius) - area_loss(x, y - step, radius)) / (2 * step);
    expected[2] += (area_loss(x, y, radius + step) - area_loss(x, y, radius - step)) / (2 * step);

    const DiscontinuityScene scene = disc(x, y, radius, kSize, kSize);
    const ImageF colour = test::flatColours(scene.rast, white, 1);
    Points4 grad(scene.clip.rows(), 4);
    ops::AntialiasBackwardParams params;
    params.forward = scene.antialias(colour);
    params.grad_out = ops::ConstImages(weights.data(), 1, kSize, kSize, 1);
    params.grad_positions = ops::Rows(grad.data(), grad.rows(), 4);
    ops::antialiasBackwardCpu(params);
    for (Eigen::Index i = 0; i < grad.rows(); ++i) {
      const double gx = grad(i, 0) * 2 / kSize, gy = -grad(i, 1) * 2 / kSize;  // per pixel, down
      const double angle = 2 * std::numbers::pi * static_cast<double>(i) / kDiscCorners;
      actual[0] += gx;
      actual[1] += gy;
      if (i < kDiscCorners) actual[2] += gx * std::cos(angle) + gy * std::sin(angle);
    }
  }
  for (int i = 0; i < 3; ++i) {
    INFO("direction ", i);
    CHECK(std::abs(expected[i]) > 20);
    CHECK(actual[i] == doctest::Approx(expected[i]).epsilon(0.15));
  }
}

struct Backward {
  ImageF colour;
  Points4 positions;
};
Backward backward(const DiscontinuityScene& scene, const ImageF& colour, const ImageF& grad_out, bool clamp) {
  Backward out{ImageF(scene.width, scene.height, colour.channels()), Points4(scene.clip.rows(), 4)};
  ops::AntialiasBackwardParams params;
  params.forward = scene.antialias(colour);
  params.forward.clamp = clamp;
  params.grad_out = ops::ConstImages(grad_out.data(), 1, scene.height, scene.width, colour.channels());
  params.grad_colour = DiscontinuityScene::images(out.colour);
  params.grad_positions = ops::Rows(out.positions.data(), out.positions.rows(), 4);
  ops::antialiasBackwardCpu(params);
  return out;
}

TEST_CASE("antialias: bitwise equal for 1, 2 and 5 threads") {
  const DiscontinuityScene scene = soupScene(301, 207, 30000, 5);  // enough addends to split their sum
  const ImageF colour = randomImage(scene.width, scene.height, 3, 1);
  const ImageF grad_out = randomImage(scene.width, scene.height, 3, 2);
  for (const bool clamp : {false, true}) {
    setNumThreads(1);
    const ImageF out = scene.antialiased(colour, clamp);
    const Backward gradients = backward(scene, colour, grad_out, clamp);
    for (const int threads : {2, 5, 2}) {
      setNumThreads(threads);
      const ImageF again = scene.antialiased(colour, clamp);
      CHECK(std::equal(out.data(), out.data() + out.size(), again.data()));
      const Backward other = backward(scene, colour, grad_out, clamp);
      CHECK(std::equal(gradients.colour.data(), gradients.colour.data() + out.size(), other.colour.data()));
      CHECK(gradients.positions == other.positions);
    }
  }
  setNumThreads(0);
}

TEST_CASE("antialias: padded batches give what their images give one by one") {
  const DiscontinuityScene scenes[2] = {soupScene(23, 37, 9, 5), soupScene(23, 37, 9, 6)};
  constexpr int kWidth = 23, kHeight = 37, kChannels = 3, kBatch = 2;
  const std::int64_t num_vertices = scenes[0].clip.rows();
  const ImageF colours[2] = {randomImage(kWidth, kHeight, kChannels, 1),
                             randomImage(kWidth, kHeight, kChannels, 2)};
  const ImageF grad_out = randomImage(kWidth, kHeight, kChannels, 3);

  // Padded copies; what lies between rows must stay.
  const auto padded = [&](std::vector<float>& memory, int channels) {
    ops::Images images(nullptr, kBatch, kHeight, kWidth, channels);
    images.row_stride += 5;
    images.image_stride = images.row_stride * kHeight + 11;
    memory.assign(static_cast<std::size_t>(kBatch * images.image_stride), 77);
    images.data = memory.data();
    return images;
  };
  const auto fill = [&](const ops::Images& to, int image, const ImageF& from) {
    for (int y = 0; y < kHeight; ++y)
      std::copy_n(from.at(0, y), kWidth * from.channels(),
                  to.data + image * to.image_stride + y * to.row_stride);
  };
  std::vector<float> memory[4];
  const ops::Images rast = padded(memory[0], 4), colour = padded(memory[1], kChannels),
                    out = padded(memory[2], kChannels), grad_colour = padded(memory[3], kChannels);
  const std::int64_t item = num_vertices * 4 + 6;
  std::vector<float> positions(static_cast<std::size_t>(2 * item), 55), grad(positions), grad_sum(positions);
  for (int i = 0; i < kBatch; ++i) {
    fill(rast, i, scenes[i].rast);
    fill(colour, i, colours[i]);
    std::copy_n(scenes[i].clip.data(), num_vertices * 4, positions.data() + i * item);
  }

  ops::AntialiasParams forward = scenes[0].antialias(colours[0]);
  forward.colour = colour;
  forward.rast = rast;
  forward.positions = ops::ConstRows(positions.data(), num_vertices, 4, item);
  forward.out = out;
  ops::antialiasCpu(forward);
  ops::AntialiasBackwardParams params;
  params.forward = forward;
  params.grad_out = ops::ConstImages(grad_out.data(), kBatch, kHeight, kWidth, kChannels);
  params.grad_out.image_stride = 0;
  params.grad_colour = grad_colour;
  params.grad_positions = ops::Rows(grad.data(), num_vertices, 4, item);
  ops::antialiasBackwardCpu(params);
  params.grad_colour = {};
  params.grad_positions = ops::Rows(grad_sum.data(), num_vertices, 4, 0);
  ops::antialiasBackwardCpu(params);

  Points4 sum = Points4::Zero(num_vertices, 4);
  for (int i = 0; i < kBatch; ++i) {
    const ImageF expected = scenes[i].antialiased(colours[i]);
    const Backward gradients = backward(scenes[i], colours[i], grad_out, false);
    sum += gradients.positions;
    for (int y = 0; y < kHeight; ++y) {
      const auto row = [&](const ops::Images& images) {
        return images.data + i * images.image_stride + y * images.row_stride;
      };
      CHECK(std::equal(expected.at(0, y), expected.at(0, y) + kWidth * kChannels, row(out)));
      CHECK(std::equal(gradients.colour.at(0, y), gradients.colour.at(0, y) + kWidth * kChannels,
                       row(grad_colour)));
      CHECK(row(out)[kWidth * kChannels] == 77);
      CHECK(row(grad_colour)[kWidth * kChannels + 4] == 77);
    }
    CHECK(std::equal(gradients.positions.data(), gradients.positions.data() + num_vertices * 4,
                     grad.data() + i * item));
    CHECK(grad[static_cast<std::size_t>((i + 1) * item - 1)] == 55);
  }
  CHECK(Eigen::Map<Points4>(grad_sum.data(), num_vertices, 4).isApprox(sum, 1e-5F));
}

TEST_CASE("antialias: vertices at or behind the eye and NaN give finite gradients and stay where they are") {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(),
                  kInf = std::numeric_limits<float>::infinity();
  const DiscontinuityScene scene = soupScene(33, 31, 30, 5);
  const ImageF colour = randomImage(33, 31, 3, 1), grad_out = randomImage(33, 31, 3, 2);
  for (const float bad : {0.0F, -1.0F, 1e-30F, -1e-38F, 1e38F, kNaN, kInf, -kInf}) {
    for (int column = 0; column < 4; ++column) {
      DiscontinuityScene broken = scene;  // ids as they were: whatever the vertices, no crash
      for (int i = 0; i < 30; ++i) broken.clip(3 * i + i % 3, column) = bad;
      const ImageF out = broken.antialiased(colour);
      const Backward gradients = backward(broken, colour, grad_out, false);
      CHECK(std::all_of(out.data(), out.data() + out.size(), [](float v) { return std::isfinite(v); }));
      CHECK(std::all_of(gradients.colour.data(), gradients.colour.data() + out.size(),
                        [](float v) { return std::isfinite(v); }));
      CHECK(gradients.positions.allFinite());
    }
  }
  // A triangle that reaches behind the eye is antialiased where it is seen.
  Points4 clip(3, 4);
  clip << -0.53F, -3, 0, 1, -0.53F, 9, 0, 1, 4, 0, 0, -1;
  const DiscontinuityScene half(clip, makeTriangles({{0, 1, 2}}), 16, 16);
  const ImageF white = test::flatColours(half.rast, {1}, 1), blended = half.antialiased(white);
  CHECK(half.rast.at(3, 8)[3] == 0);
  CHECK(half.rast.at(4, 8)[3] == 1);
  CHECK(*blended.at(3, 8) ==
        doctest::Approx(4 - 0.47 * 8).epsilon(1e-4));  // the edge is 0.47 · 8 px from the left
}

TEST_CASE("antialias: a pixel that is not finite changes its neighbours at most") {
  const DiscontinuityScene scene = soupScene(33, 31, 30, 5);
  const ImageF clean = randomImage(33, 31, 3, 1), expected = scene.antialiased(clean);
  ImageF colour = clean;
  colour.at(15, 15)[1] = std::numeric_limits<float>::quiet_NaN();
  const ImageF out = scene.antialiased(colour);
  for (int y = 0; y < 31; ++y) {
    for (int x = 0; x < 33; ++x) {
      if (std::abs(x - 15) + std::abs(y - 15) <= 1) continue;
      CHECK(std::equal(out.at(x, y), out.at(x, y) + 3, expected.at(x, y)));
    }
  }
  CHECK(backward(scene, colour, clean, false).positions.allFinite());
}

TEST_CASE("antialias: refuses arguments that do not fit together") {
  const DiscontinuityScene scene = sphereScene(16, 12);
  const ImageF colour = randomImage(16, 12, 3, 1);
  ImageF out(16, 12, 3);
  ops::AntialiasParams good = scene.antialias(colour);
  good.out = DiscontinuityScene::images(out);
  CHECK_NOTHROW(ops::antialiasCpu(good));
  const auto refuses = [&](const std::function<void(ops::AntialiasParams&)>& change) {
    ops::AntialiasParams params = good;
    change(params);
    CHECK_THROWS_AS(ops::antialiasCpu(params), std::invalid_argument);
  };
  refuses([](auto& p) { p.colour.data = nullptr; });
  refuses([](auto& p) { p.rast.data = nullptr; });
  refuses([](auto& p) { p.out.data = nullptr; });
  refuses([](auto& p) { p.positions.data = nullptr; });
  refuses([](auto& p) { p.triangles.data = nullptr; });
  refuses([](auto& p) { p.opposite = nullptr; });
  refuses([](auto& p) { p.rast.channels = 3; });
  refuses([](auto& p) { p.rast.width = 15; });
  refuses([](auto& p) { p.out.height = 11; });
  refuses([](auto& p) { p.out.row_stride = 47; });
  refuses([](auto& p) { p.positions.channels = 3; });
  refuses([](auto& p) { p.positions.num_rows = 20; });
  refuses([](auto& p) { p.positions.image_stride = 4; });
  refuses([](auto& p) { p.triangles.count = 3; });  // rast shows more
  refuses([&](auto& p) { p.out.data = const_cast<float*>(colour.data()); });
  std::vector<std::int32_t> wrong = scene.opposite;
  for (const std::int32_t index : {-2, static_cast<int>(scene.clip.rows()), INT32_MAX, INT32_MIN}) {
    wrong[7] = index;
    refuses([&](auto& p) { p.opposite = wrong.data(); });
  }
  for (const float id : {-3.0F, 1e9F, 1e38F, std::numeric_limits<float>::quiet_NaN()}) {
    ImageF rast = scene.rast;
    rast.at(9, 5)[3] = id;
    refuses([&](auto& p) { p.rast.data = rast.data(); });
  }

  Points4 grad(scene.clip.rows(), 4);
  ops::AntialiasBackwardParams backward;
  backward.forward = good;
  backward.forward.out = {};
  backward.grad_out = good.colour;
  backward.grad_colour = DiscontinuityScene::images(out);
  backward.grad_positions = ops::Rows(grad.data(), grad.rows(), 4);
  CHECK_NOTHROW(ops::antialiasBackwardCpu(backward));
  const auto refuses_backward = [&](const std::function<void(ops::AntialiasBackwardParams&)>& change) {
    ops::AntialiasBackwardParams params = backward;
    change(params);
    CHECK_THROWS_AS(ops::antialiasBackwardCpu(params), std::invalid_argument);
  };
  refuses_backward([](auto& p) { p.grad_out.data = nullptr; });
  refuses_backward([](auto& p) { p.grad_out.channels = 2; });
  refuses_backward([](auto& p) { p.grad_colour.width = 15; });
  refuses_backward([](auto& p) { p.grad_out.data = p.grad_colour.data; });
  refuses_backward([](auto& p) { p.grad_positions.channels = 3; });
  refuses_backward([](auto& p) { p.grad_positions.num_rows = 3; });
  refuses_backward([](auto& p) { p.forward.opposite = nullptr; });
}

TEST_CASE("antialias: no images and no triangles are fine, and gradients then are zero") {
  ops::AntialiasParams params;
  params.colour = ops::ConstImages(nullptr, 0, 4, 4, 3);
  params.rast = ops::ConstImages(nullptr, 0, 4, 4, 4);
  params.positions = ops::ConstRows(nullptr, 0, 4);
  params.out = ops::Images(nullptr, 0, 4, 4, 3);
  CHECK_NOTHROW(ops::antialiasCpu(params));

  const ImageF colour = randomImage(4, 4, 3, 1), rast(4, 4, 4);
  ImageF out(4, 4, 3);
  const Points4 positions = Points4::Ones(5, 4);
  Points4 grad = Points4::Constant(5, 4, 9);
  params.colour = ops::ConstImages(colour.data(), 1, 4, 4, 3);
  params.rast = ops::ConstImages(rast.data(), 1, 4, 4, 4);
  params.positions = ops::ConstRows(positions.data(), 5, 4);
  params.out = DiscontinuityScene::images(out);
  ops::antialiasCpu(params);
  CHECK(std::equal(out.data(), out.data() + out.size(), colour.data()));
  ops::AntialiasBackwardParams backward;
  backward.forward = params;
  backward.grad_out = params.colour;
  backward.grad_positions = ops::Rows(grad.data(), 5, 4);
  ops::antialiasBackwardCpu(backward);
  CHECK(grad.isZero(0));
}

TEST_CASE("antialias: gradient descent at 16x16 finds where a triangle is") {
  constexpr int kSize = 16;
  Points2 target_px(3, 2), start_px(3, 2);
  target_px << 3.2F, 4.1F, 12.7F, 3.4F, 8.3F, 13.2F;
  start_px << 4.6F, 2.9F, 14.1F, 4.8F, 6.1F, 11.6F;
  const Triangles triangles = makeTriangles({{0, 2, 1}});
  const auto render = [&](const Points2& pixels, DiscontinuityScene* scene) {
    *scene = DiscontinuityScene(test::clipFromPixels(pixels, kSize, kSize), triangles, kSize, kSize);
    return test::flatColours(scene->rast, {1}, 1);
  };
  DiscontinuityScene scene(test::clipFromPixels(target_px, kSize, kSize), triangles, kSize, kSize);
  const ImageF target = scene.antialiased(render(target_px, &scene));
  Points2 pixels = start_px;
  for (int i = 0; i < 400; ++i) {
    const ImageF colour = render(pixels, &scene);
    ImageF residual = scene.antialiased(colour);
    for (std::size_t k = 0; k < residual.size(); ++k) residual.data()[k] -= target.data()[k];
    const Points4 grad = backward(scene, colour, residual, false).positions;
    const float rate = 0.15F * (1 - static_cast<float>(i) / 400);
    pixels.col(0) -= rate * grad.col(0) * 2 / kSize;
    pixels.col(1) += rate * grad.col(1) * 2 / kSize;
  }
  CHECK((start_px - target_px).rowwise().norm().maxCoeff() > 1.9F);
  CHECK((pixels - target_px).rowwise().norm().maxCoeff() < 0.15F);
}

}  // namespace
}  // namespace facet
