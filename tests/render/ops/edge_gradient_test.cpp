#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "core/parallel.h"
#include "render/ops/antialias.h"
#include "tests/render/ops/discontinuity_scene.h"
#include "tests/render/shapes.h"

namespace facet {
namespace {

using test::DiscontinuityScene;
using test::randomImage;
using test::waves;

ops::EdgeGradientParams makeParams(const DiscontinuityScene& scene, const ImageF& colour,
                                   const ImageF& grad_out, Points4& grad) {
  ops::EdgeGradientParams params;
  params.colour = ops::ConstImages(colour.data(), 1, scene.height, scene.width, colour.channels());
  params.rast = scene.rastImages();
  params.positions = scene.positions();
  params.triangles = scene.triangleList();
  params.grad_out = ops::ConstImages(grad_out.data(), 1, scene.height, scene.width, colour.channels());
  grad = Points4::Constant(scene.clip.rows(), 4, 9);
  params.grad_positions = ops::Rows(grad.data(), grad.rows(), 4);
  return params;
}

Points4 edgeGradient(const DiscontinuityScene& scene, const ImageF& colour, const ImageF& grad_out) {
  Points4 grad;
  ops::edgeGradientCpu(makeParams(scene, colour, grad_out, grad));
  return grad;
}

constexpr int kSize = 40;
// What the loss of a perfect image is, and how it changes along a direction of all clip coordinates.
double areaLoss(const Points4& clip, const Triangles& triangles, const std::vector<float>& colours) {
  return test::dot(test::areaImage(clip, triangles, colours, 1, kSize, kSize), waves(kSize, kSize));
}
double areaSlope(const DiscontinuityScene& scene, const std::vector<float>& colours, const Points4& direction,
                 double step) {
  const Points4 shift = static_cast<float>(step) * direction;
  return (areaLoss(scene.clip + shift, scene.triangles, colours) -
          areaLoss(scene.clip - shift, scene.triangles, colours)) /
         (2 * step);
}
double edgeSlope(const DiscontinuityScene& scene, const std::vector<float>& colours,
                 const Points4& direction) {
  const ImageF colour = test::flatColours(scene.rast, colours, 1);
  return edgeGradient(scene, colour, waves(kSize, kSize)).cwiseProduct(direction).cast<double>().sum();
}

// Moves the rows from `first` on, one pixel right or down, or one unit of a clip coordinate.
Points4 shiftOf(const DiscontinuityScene& scene, Eigen::Index first, Eigen::Index count, int column) {
  Points4 direction = Points4::Zero(scene.clip.rows(), 4);
  direction.block(first, column, count, 1).setOnes();
  if (column < 2) {
    direction.block(first, column, count, 1) =
        scene.clip.block(first, 3, count, 1) * (column == 0 ? 2.0F : -2.0F) / kSize;
  }
  return direction;
}

// Triangle 0 in front of triangle 1, in perspective.
DiscontinuityScene overlap() {
  Points2 front(3, 2), back(3, 2);
  front << 6.3F, 8.2F, 33.1F, 12.7F, 14.4F, 34.6F;
  back << 2.1F, 30.3F, 38.2F, 3.7F, 37.3F, 36.1F;
  Points4 clip(6, 4);
  clip << test::clipFromPixels(front, kSize, kSize, 0.1F), test::clipFromPixels(back, kSize, kSize, 0.5F);
  for (int i = 0; i < 6; ++i) clip.row(i) *= 1 + 0.3F * static_cast<float>(i % 3);
  Triangles triangles(2, 3);
  triangles << 0, 2, 1, 3, 5, 4;
  return {clip, triangles, kSize, kSize};
}

// Two sheets that fill the image and cross along a line; `turn` is that line's direction.
DiscontinuityScene crossing(double turn) {
  Points4 clip(6, 4);
  for (int sheet = 0; sheet < 2; ++sheet) {
    const double slope = sheet == 0 ? 0.11 : -0.07, offset = 0.03;
    Points2 corners(3, 2);
    corners << -60, -30, 100, -30, 20, 110;
    for (int i = 0; i < 3; ++i) {
      const double x = corners(i, 0) / 20 - 1, y = 1 - corners(i, 1) / 20;
      const double z =
          slope * (std::cos(turn) * x + std::sin(turn) * y) + (sheet == 0 ? offset : 0) + 0.02 * y;
      const double w = 1 + 0.2 * i;
      clip.row(3 * sheet + i) << static_cast<float>(x * w), static_cast<float>(y * w),
          static_cast<float>(z * w), static_cast<float>(w);
    }
  }
  Triangles triangles(2, 3);
  triangles << 0, 2, 1, 3, 5, 4;
  return {clip, triangles, kSize, kSize};
}

TEST_CASE("edgeGradient: a triangle before the background moves as the area it covers") {
  DiscontinuityScene scene = overlap();
  scene = DiscontinuityScene(scene.clip.topRows(3), scene.triangles.topRows(1), kSize, kSize);
  const std::vector<float> colours = {1};
  for (int vertex = -1; vertex < 3; ++vertex) {  // all, or one
    for (const int column : {0, 1, 3}) {
      const Points4 direction = vertex < 0 ? shiftOf(scene, 0, 3, column) : shiftOf(scene, vertex, 1, column);
      const double step = column == 3 ? 0.02 : 0.5;
      const double expected = areaSlope(scene, colours, direction, step);
      INFO("vertex ", vertex, " column ", column);
      CHECK(edgeSlope(scene, colours, direction) == doctest::Approx(expected).epsilon(0.12).scale(10));
    }
  }
}

TEST_CASE("edgeGradient: of two triangles only the front one's edge moves, by the area it uncovers") {
  const DiscontinuityScene scene = overlap();
  const std::vector<float> colours = {1, 0.4F};
  const ImageF colour = test::flatColours(scene.rast, colours, 1);
  // The loss looks at a window in which no edge of the back triangle is seen.
  ImageF window(kSize, kSize, 1);
  for (int y = 20; y < 24; ++y) {
    for (int x = 16; x < 30; ++x) *window.at(x, y) = 1;
  }
  const Points4 grad = edgeGradient(scene, colour, window);
  CHECK(grad.topRows(3).norm() > 1);
  CHECK(grad.bottomRows(3).isZero(0));
  CHECK(grad.col(2).isZero(0));
  for (const int column : {0, 1}) {
    for (const int first : {0, 3}) {
      const Points4 direction = shiftOf(scene, first, 3, column);
      INFO("column ", column, " first vertex ", first);
      CHECK(edgeSlope(scene, colours, direction) ==
            doctest::Approx(areaSlope(scene, colours, direction, 0.5)).epsilon(0.12).scale(10));
    }
  }
}

TEST_CASE("edgeGradient: the line where surfaces intersect moves as in a perfect image, at any slant") {
  const std::vector<float> colours = {1, 0.2F};
  for (const double turn : {0.0, 0.3, 0.8, 1.2, 1.5, 2.5}) {
    const DiscontinuityScene scene = crossing(turn);
    for (int sheet = 0; sheet < 2; ++sheet) {
      for (const int column : {0, 1, 2, 3}) {
        const Points4 direction = shiftOf(scene, 3 * sheet, 3, column);
        const double expected = areaSlope(scene, colours, direction, column < 2 ? 1.0 : 0.01);
        const double actual = edgeSlope(scene, colours, direction);
        INFO("turn ", turn, " sheet ", sheet, " column ", column);
        CHECK(actual == doctest::Approx(expected).epsilon(0.12).scale(10));
        if (column == 2) CHECK(std::abs(expected) > 20);
      }
      for (int vertex = 3 * sheet; vertex < 3 * sheet + 3; ++vertex) {
        const Points4 direction = shiftOf(scene, vertex, 1, 2);
        INFO("turn ", turn, " vertex ", vertex);
        CHECK(edgeSlope(scene, colours, direction) ==
              doctest::Approx(areaSlope(scene, colours, direction, 0.02)).epsilon(0.12).scale(10));
      }
    }
  }
}

TEST_CASE("edgeGradient: max_step bounds what nearly coplanar surfaces do") {
  const DiscontinuityScene scene = crossing(0.3);
  const ImageF colour = test::flatColours(scene.rast, {1, 0.2F}, 1), weights = waves(kSize, kSize);
  Points4 free, bounded, tight;
  ops::EdgeGradientParams params = makeParams(scene, colour, weights, free);
  ops::edgeGradientCpu(params);
  params = makeParams(scene, colour, weights, bounded);
  params.max_step = 10;
  ops::edgeGradientCpu(params);
  params = makeParams(scene, colour, weights, tight);
  params.max_step = 1;
  ops::edgeGradientCpu(params);
  CHECK(free.norm() > 2 * bounded.norm());
  CHECK(bounded.isApprox(10 * tight, 1e-4F));

  DiscontinuityScene coplanar = scene;
  coplanar.clip.bottomRows(3) = coplanar.clip.topRows(3);  // ids as they were
  CHECK(edgeGradient(coplanar, colour, weights).allFinite());
}

// A mesh of small triangles over the whole image, irregular and in perspective.
DiscontinuityScene sheet() {
  constexpr int kCells = 24;
  std::mt19937 random(7);
  std::uniform_real_distribution<float> jitter(-0.3F, 0.3F);
  Points4 clip((kCells + 1) * (kCells + 1), 4);
  Triangles triangles(2 * kCells * kCells, 3);
  for (int i = 0; i <= kCells; ++i) {
    for (int j = 0; j <= kCells; ++j) {
      const float w = 1 + 0.4F * jitter(random);
      clip.row(i * (kCells + 1) + j) << (static_cast<float>(j) + jitter(random) - 12) / 10 * w,
          (12 - static_cast<float>(i) + jitter(random)) / 10 * w, 0.1F * jitter(random) * w, w;
    }
  }
  for (int i = 0; i < kCells; ++i) {
    for (int j = 0; j < kCells; ++j) {
      const int a = i * (kCells + 1) + j, b = a + 1, c = a + kCells + 1, d = c + 1;
      triangles.row(2 * (i * kCells + j)) << a, c, b;
      triangles.row(2 * (i * kCells + j) + 1) << b, c, d;
    }
  }
  return {clip, triangles, kSize, kSize};
}

TEST_CASE("edgeGradient: neighbours on one surface do not move, whatever they show") {
  for (const int scale : {1, 3}) {
    const DiscontinuityScene base = sheet();
    const DiscontinuityScene scene(base.clip, base.triangles, scale * kSize, scale * kSize);
    const ImageF colour = randomImage(scene.width, scene.height, 3, 1);
    CHECK(std::all_of(scene.opposite.begin(), scene.opposite.end(), [](int v) { return v >= -1; }));
    CHECK(edgeGradient(scene, colour, randomImage(scene.width, scene.height, 3, 2)).isZero(0));
  }
}

TEST_CASE("edgeGradient: agrees with antialias on a silhouette, in direction and roughly in size") {
  const DiscontinuityScene scene(overlap().clip.topRows(3), overlap().triangles.topRows(1), kSize, kSize);
  const ImageF colour = test::flatColours(scene.rast, {1}, 1), weights = waves(kSize, kSize);
  Points4 antialias(3, 4);
  ops::AntialiasBackwardParams params;
  params.forward = scene.antialias(colour);
  params.grad_out = ops::ConstImages(weights.data(), 1, kSize, kSize, 1);
  params.grad_positions = ops::Rows(antialias.data(), 3, 4);
  ops::antialiasBackwardCpu(params);
  const Points4 edge = edgeGradient(scene, colour, weights);
  for (int vertex = 0; vertex < 3; ++vertex) {
    const float cosine = edge.row(vertex).dot(antialias.row(vertex)) /
                         (edge.row(vertex).norm() * antialias.row(vertex).norm());
    CHECK(cosine > 0.97F);
    CHECK(edge.row(vertex).norm() == doctest::Approx(antialias.row(vertex).norm()).epsilon(0.2));
  }
}

// Triangles that cross each other at random, in perspective.
DiscontinuityScene soup(int width, int height, int count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> position(-1.3F, 1.3F), depth(-0.9F, 0.9F), scale(0.5F, 3.0F);
  Points4 clip(3 * count, 4);
  Triangles triangles(count, 3);
  for (int i = 0; i < 3 * count; ++i) {
    const float w = scale(random);
    clip.row(i) << position(random) * w, position(random) * w, depth(random) * w, w;
    triangles(i / 3, i % 3) = i;
  }
  return {clip, triangles, width, height};
}

TEST_CASE("edgeGradient: bitwise equal for 1, 2 and 5 threads") {
  const DiscontinuityScene scene = soup(301, 207, 3000, 5);
  const ImageF colour = randomImage(301, 207, 3, 1), grad_out = randomImage(301, 207, 3, 2);
  setNumThreads(1);
  const Points4 one = edgeGradient(scene, colour, grad_out);
  CHECK(one.norm() > 100);
  for (const int threads : {2, 5, 2}) {
    setNumThreads(threads);
    CHECK(edgeGradient(scene, colour, grad_out) == one);
  }
  setNumThreads(0);
}

TEST_CASE("edgeGradient: a batch gives what its images give, or their sum") {
  const DiscontinuityScene scenes[2] = {soup(23, 37, 12, 5), soup(23, 37, 12, 6)};
  const ImageF colour = randomImage(23, 37, 3, 1), grad_out = randomImage(23, 37, 3, 2);
  const std::int64_t num_vertices = scenes[0].clip.rows(), item = 4 * num_vertices + 6;
  std::vector<float> rast, positions(static_cast<std::size_t>(2 * item)), grad(positions.size(), 55);
  for (int i = 0; i < 2; ++i) {
    rast.insert(rast.end(), scenes[i].rast.data(), scenes[i].rast.data() + scenes[i].rast.size());
    std::copy_n(scenes[i].clip.data(), 4 * num_vertices, positions.data() + i * item);
  }
  Points4 unused;
  ops::EdgeGradientParams params = makeParams(scenes[0], colour, grad_out, unused);
  params.colour.num_images = params.grad_out.num_images = params.rast.num_images = 2;
  params.colour.image_stride = params.grad_out.image_stride = 0;
  params.rast.data = rast.data();
  params.positions = ops::ConstRows(positions.data(), num_vertices, 4, item);
  params.grad_positions = ops::Rows(grad.data(), num_vertices, 4, item);
  ops::edgeGradientCpu(params);
  Points4 sum = Points4::Zero(num_vertices, 4);
  for (int i = 0; i < 2; ++i) {
    const Points4 expected = edgeGradient(scenes[i], colour, grad_out);
    sum += expected;
    CHECK(Eigen::Map<Points4>(grad.data() + i * item, num_vertices, 4) == expected);
    CHECK(grad[static_cast<std::size_t>((i + 1) * item - 1)] == 55);
  }
  Points4 total(num_vertices, 4);
  params.grad_positions = ops::Rows(total.data(), num_vertices, 4, 0);
  ops::edgeGradientCpu(params);
  CHECK(total.isApprox(sum, 1e-5F));
}

TEST_CASE("edgeGradient: vertices at or behind the eye and NaN give finite gradients") {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(),
                  kInf = std::numeric_limits<float>::infinity();
  const DiscontinuityScene scene = soup(33, 31, 30, 5);
  ImageF colour = randomImage(33, 31, 3, 1);
  const ImageF grad_out = randomImage(33, 31, 3, 2);
  for (const float bad : {0.0F, -1.0F, 1e-30F, -1e-38F, 1e38F, kNaN, kInf, -kInf}) {
    for (int column = 0; column < 4; ++column) {
      DiscontinuityScene broken = scene;
      for (int i = 0; i < 30; ++i) broken.clip(3 * i + i % 3, column) = bad;
      CHECK(edgeGradient(broken, colour, grad_out).allFinite());
    }
  }
  colour.at(12, 12)[1] = kNaN;
  colour.at(20, 20)[1] = kInf;
  CHECK(edgeGradient(scene, colour, grad_out).allFinite());
}

TEST_CASE("edgeGradient: refuses arguments that do not fit together") {
  const DiscontinuityScene scene = soup(16, 12, 5, 5);
  const ImageF colour = randomImage(16, 12, 3, 1);
  Points4 grad;
  const ops::EdgeGradientParams good = makeParams(scene, colour, colour, grad);
  CHECK_NOTHROW(ops::edgeGradientCpu(good));
  const auto refuses = [&](const std::function<void(ops::EdgeGradientParams&)>& change) {
    ops::EdgeGradientParams params = good;
    change(params);
    CHECK_THROWS_AS(ops::edgeGradientCpu(params), std::invalid_argument);
  };
  refuses([](auto& p) { p.colour.data = nullptr; });
  refuses([](auto& p) { p.rast.data = nullptr; });
  refuses([](auto& p) { p.grad_out.data = nullptr; });
  refuses([](auto& p) { p.grad_positions.data = nullptr; });
  refuses([](auto& p) { p.positions.data = nullptr; });
  refuses([](auto& p) { p.rast.channels = 3; });
  refuses([](auto& p) { p.grad_out.channels = 4; });
  refuses([](auto& p) { p.rast.height = 11; });
  refuses([](auto& p) { p.colour.row_stride = 1; });
  refuses([](auto& p) { p.positions.num_rows = p.grad_positions.num_rows = 7; });
  refuses([](auto& p) { p.grad_positions.num_rows = 7; });
  refuses([](auto& p) { p.triangles.count = 1; });
  refuses([](auto& p) { p.max_step = 0; });
  refuses([](auto& p) { p.max_step = std::numeric_limits<float>::quiet_NaN(); });
}

}  // namespace
}  // namespace facet
