#include "render/ops/rasterize.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numbers>
#include <numeric>
#include <random>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

#include "core/parallel.h"
#include "tests/render/ops/scalar_reference.h"

namespace facet::ops {
namespace {

struct Scene {
  std::vector<float> positions;         // V×4, or N×V×4
  std::vector<std::int32_t> triangles;  // F×3

  std::int64_t numVertices() const { return static_cast<std::int64_t>(positions.size() / 4); }
  std::int64_t numTriangles() const { return static_cast<std::int64_t>(triangles.size() / 3); }
  int addVertex(double x, double y, double z, double w) {
    for (const double value : {x, y, z, w}) positions.push_back(static_cast<float>(value));
    return static_cast<int>(numVertices()) - 1;
  }
  // A vertex at a pixel position, w = 1.
  int addPixel(double x_px, double y_px, int width, int height, double depth = 0) {
    return addVertex(2 * x_px / width - 1, 1 - 2 * y_px / height, depth, 1);
  }
  void addTriangle(int a, int b, int c) { triangles.insert(triangles.end(), {a, b, c}); }
  TriangleList list() const { return {triangles.data(), numTriangles()}; }
};

struct Layer {
  int width = 0, height = 0;
  std::vector<float> rast, derivatives;
  std::vector<std::int32_t> ids;

  Layer(int num_images, int height_, int width_) : width(width_), height(height_) {
    const std::size_t num_pixels = static_cast<std::size_t>(num_images) * static_cast<std::size_t>(height_) *
                                   static_cast<std::size_t>(width_);
    // Not what any pixel should become.
    rast.assign(4 * num_pixels, -7.0F);
    derivatives.assign(4 * num_pixels, -7.0F);
    ids.assign(num_pixels, -7);
  }
  std::int64_t triangle(std::size_t pixel) const { return triangleFromFragment(rast[4 * pixel + 3]); }
};

Layer draw(const Scene& scene, int width, int height, bool cull = false, const Layer* previous = nullptr) {
  Layer layer(1, height, width);
  RasterizeParams params;
  params.positions = {scene.positions.data(), scene.numVertices(), 4};
  params.triangles = scene.list();
  params.cull_backfaces = cull;
  params.rast = {layer.rast.data(), 1, height, width, 4};
  params.derivatives = {layer.derivatives.data(), 1, height, width, 4};
  params.ids = layer.ids.data();
  if (previous) params.previous = {previous->rast.data(), 1, height, width, 4};
  rasterizeCpu(params);
  return layer;
}

template <typename T>
bool sameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

Scene randomSoup(std::mt19937& random, int count, double size, double w_low, double w_high) {
  std::uniform_real_distribution<double> position(-size, size), weight(w_low, w_high), depth(-0.9, 0.9);
  Scene scene;
  for (int i = 0; i < 3 * count; ++i) {
    const double w = weight(random);
    scene.addVertex(position(random) * w, position(random) * w, depth(random) * std::abs(w), w);
  }
  for (int f = 0; f < count; ++f) scene.addTriangle(3 * f, 3 * f + 1, 3 * f + 2);
  return scene;
}

// Ellipsoid of 2 rings segments triangles in front of the eye, closed.
Scene makeBall(int rings, int segments) {
  Scene scene;
  for (int i = 0; i <= rings; ++i) {
    for (int j = 0; j < segments; ++j) {
      const double polar = std::numbers::pi * i / rings, around = 2 * std::numbers::pi * j / segments;
      const double x = std::sin(polar) * std::cos(around), y = 0.9 * std::cos(polar),
                   z = 4 + std::sin(polar) * std::sin(around);
      scene.addVertex(3.1 * x, 3.1 * y, 1.5 * z - 4, z);
    }
  }
  for (int i = 0; i < rings; ++i) {
    for (int j = 0; j < segments; ++j) {
      const int a = i * segments + j, b = i * segments + (j + 1) % segments, c = a + segments,
                d = b + segments;
      scene.addTriangle(a, b, d);
      scene.addTriangle(a, d, c);
    }
  }
  return scene;
}

// What a triangle shows at a pixel, in double precision; coverage by its corners snapped to 1/256 px, in
// integers. For triangles that need no clipping.
struct Reference {
  bool hit = false;
  double u = 0, v = 0, z = 0, derivatives[4] = {};
};

Reference lookAt(const Scene& scene, std::int64_t f, int x, int y, int width, int height) {
  std::int64_t px[3], py[3];
  double p[3][3], z[3];
  const double ndc_x = (2.0 * x + 1) / width - 1, ndc_y = 1 - (2.0 * y + 1) / height;
  for (int i = 0; i < 3; ++i) {
    const float* const clip =
        scene.positions.data() + 4 * scene.triangles[static_cast<std::size_t>(3 * f + i)];
    px[i] = std::llrint(256 * (0.5 * width + 0.5 * width * clip[0] * (1 / static_cast<double>(clip[3]))));
    py[i] = std::llrint(256 * (0.5 * height - 0.5 * height * clip[1] * (1 / static_cast<double>(clip[3]))));
    // In pixels from this pixel's centre, times w.
    p[i][0] = (clip[0] - ndc_x * clip[3]) * 0.5 * width;
    p[i][1] = -(clip[1] - ndc_y * clip[3]) * 0.5 * height;
    p[i][2] = clip[3];
    z[i] = clip[2];
  }
  Reference out;
  const std::int64_t area = (px[1] - px[0]) * (py[2] - py[0]) - (py[1] - py[0]) * (px[2] - px[0]);
  if (area == 0) return out;
  for (int i = 0; i < 3; ++i) {
    const int from = area > 0 ? i : (i + 1) % 3, to = area > 0 ? (i + 1) % 3 : i;
    const std::int64_t dx = px[to] - px[from], dy = py[to] - py[from];
    const std::int64_t edge = dx * (256 * y + 128 - py[from]) - dy * (256 * x + 128 - px[from]);
    const bool is_top_left = dy < 0 || (dy == 0 && dx > 0);
    if (edge < 0 || (edge == 0 && !is_top_left)) return out;
  }
  double e[3][3], sum[3] = {};
  for (int i = 0; i < 3; ++i) {
    const double* const a = p[(i + 1) % 3];
    const double* const b = p[(i + 2) % 3];
    for (int k = 0; k < 3; ++k) {
      e[i][k] = a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3];
      sum[k] += e[i][k];
    }
  }
  out.hit = true;
  out.u = e[0][2] / sum[2];
  out.v = e[1][2] / sum[2];
  double z_sum = 0, w_sum = 0;
  for (int i = 0; i < 3; ++i) {
    z_sum += z[i] * e[i][2];
    w_sum += p[i][2] * e[i][2];
  }
  out.z = z_sum / w_sum;
  for (int k = 0; k < 2; ++k) {
    out.derivatives[k] = (e[0][k] - out.u * sum[k]) / sum[2];
    out.derivatives[2 + k] = (e[1][k] - out.v * sum[k]) / sum[2];
  }
  return out;
}

void checkAgainstReference(const Scene& scene, int width, int height) {
  const Layer layer = draw(scene, width, height);
  int covered = 0, ties = 0, wrong_triangle = 0, wrong_value = 0, wrong_derivative = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const std::size_t pixel = static_cast<std::size_t>(y * width + x);
      std::int64_t nearest = -1;
      double nearest_z = 2, next_z = 2;
      for (std::int64_t f = 0; f < scene.numTriangles(); ++f) {
        const Reference seen = lookAt(scene, f, x, y, width, height);
        if (!seen.hit) continue;
        if (seen.z < nearest_z) {
          next_z = nearest_z;
          nearest_z = seen.z;
          nearest = f;
        } else if (seen.z < next_z) {
          next_z = seen.z;
        }
      }
      const float* const rast = layer.rast.data() + 4 * pixel;
      const std::int64_t triangle = layer.triangle(pixel);
      if (layer.ids[pixel] != triangle) ++wrong_triangle;
      if (nearest < 0) {
        if (triangle != -1 || rast[0] != 0 || rast[1] != 0 || rast[2] != 0) ++wrong_triangle;
        continue;
      }
      ++covered;
      if (next_z - nearest_z < 1e-6) {
        ++ties;
        continue;
      }
      if (triangle != nearest) {
        ++wrong_triangle;
        continue;
      }
      const Reference seen = lookAt(scene, nearest, x, y, width, height);
      // A pixel that only the snapped triangle covers has its barycentrics clamped.
      const bool is_inside = seen.u >= 0 && seen.v >= 0 && seen.u + seen.v <= 1;
      const double tolerance =
          is_inside ? 1e-5 : 1e-5 + 4 * std::max({-seen.u, -seen.v, seen.u + seen.v - 1});
      if (std::abs(rast[0] - seen.u) > tolerance || std::abs(rast[1] - seen.v) > tolerance ||
          (is_inside && std::abs(rast[2] - seen.z) > 1e-5)) {
        ++wrong_value;
      }
      double scale = 0;
      for (const double d : seen.derivatives) scale = std::max(scale, std::abs(d));
      for (int k = 0; k < 4; ++k) {
        if (std::abs(layer.derivatives[4 * pixel + static_cast<std::size_t>(k)] - seen.derivatives[k]) >
            1e-4 * scale) {
          ++wrong_derivative;
        }
      }
    }
  }
  CHECK(wrong_triangle == 0);
  CHECK(wrong_value == 0);
  CHECK(wrong_derivative == 0);
  CHECK(covered > 0);
  CHECK(ties <= covered / 50);
}

TEST_CASE("ops rasterize: agrees with a brute-force reference in double precision") {
  std::mt19937 random(1);
  for (const int count : {1, 3, 20, 200}) {
    for (int scene = 0; scene < 6; ++scene) {
      checkAgainstReference(randomSoup(random, count, 1.4, 0.5, 4), 64 - 3 * scene, 51 + 2 * scene);
    }
  }
  checkAgainstReference(makeBall(12, 24), 64, 64);
}

TEST_CASE("ops rasterize: steep perspective keeps its digits within one triangle") {
  std::mt19937 random(2);
  for (int scene = 0; scene < 10; ++scene) {
    checkAgainstReference(randomSoup(random, 2, 1.3, 0.002, 6), 64, 64);
    Scene floor;  // from just before the eye to far away
    floor.addVertex(-0.9, -0.9, 0, 0.9);
    floor.addVertex(0.02 * scene, 400, 0.5, 500);
    floor.addVertex(0.9, -0.9, 0.1, 0.9);
    floor.addTriangle(0, 1, 2);
    checkAgainstReference(floor, 63, 64);
  }
}

TEST_CASE("ops rasterize: agrees with the reference on triangles far larger than the image") {
  std::mt19937 random(3);
  for (int scene = 0; scene < 6; ++scene) {
    checkAgainstReference(randomSoup(random, 40, 60, 0.9, 1.1), 50, 50);
    checkAgainstReference(randomSoup(random, 40, 2000, 0.9, 1.1), 50, 50);
  }
}

TEST_CASE("ops rasterize: the plain scalar rasterizer agrees away from edges") {
  constexpr int kSide = 60;
  const Scene ball = makeBall(10, 20);
  const Layer layer = draw(ball, kSide, kSide);
  std::vector<float> rast(kSide * kSide * 4), derivatives(rast.size());
  test::rasterizeScalar(ball.positions.data(), ball.triangles.data(), ball.numTriangles(), kSide, kSide,
                        rast.data(), derivatives.data());
  int same = 0, different = 0;
  for (std::size_t i = 0; i < rast.size(); i += 4) {
    if (rast[i + 3] != layer.rast[i + 3]) {
      ++different;
      continue;
    }
    same += rast[i + 3] > 0 ? 1 : 0;
    for (std::size_t k = 0; k < 3; ++k)
      REQUIRE(rast[i + k] == doctest::Approx(layer.rast[i + k]).epsilon(1e-3));
    for (std::size_t k = 0; k < 4; ++k) {
      REQUIRE(derivatives[i + k] == doctest::Approx(layer.derivatives[i + k]).epsilon(1e-2));
    }
  }
  CHECK(same > 1000);
  CHECK(different < same / 50);
}

// How often each pixel is hit by any triangle: range mode, one triangle per image.
std::vector<int> countHits(const Scene& scene, int width, int height) {
  const int count = static_cast<int>(scene.numTriangles());
  std::vector<std::int32_t> ranges;
  for (int f = 0; f < count; ++f) ranges.insert(ranges.end(), {f, 1});
  Layer layer(count, height, width);
  RasterizeParams params;
  params.positions = {scene.positions.data(), scene.numVertices(), 4};
  params.triangles = scene.list();
  params.ranges = ranges.data();
  params.rast = {layer.rast.data(), count, height, width, 4};
  rasterizeCpu(params);
  const std::size_t num_pixels = static_cast<std::size_t>(width * height);
  std::vector<int> hits(num_pixels);
  for (std::size_t i = 0; i < layer.rast.size() / 4; ++i)
    hits[i % num_pixels] += layer.triangle(i) >= 0 ? 1 : 0;
  return hits;
}

TEST_CASE(
    "ops rasterize: a fan with all its vertices on pixel centres is hit exactly once, however it is turned "
    "and indexed") {
  constexpr int kSide = 16;
  constexpr int kRim[8][2] = {{13, 7}, {11, 12}, {7, 14}, {3, 11}, {2, 7}, {4, 2}, {7, 1}, {12, 3}};
  const std::array<std::array<int, 3>, 6> orders = {
      {{0, 1, 2}, {1, 2, 0}, {2, 0, 1}, {0, 2, 1}, {2, 1, 0}, {1, 0, 2}}};
  int total[4] = {};
  for (int turn = 0; turn < 4; ++turn) {
    for (const auto& order : orders) {
      Scene scene;
      const auto add = [&](int x, int y) {
        int px = x, py = y;
        for (int k = 0; k < turn; ++k) std::tie(px, py) = std::pair(kSide - 1 - py, px);
        scene.addPixel(px + 0.5, py + 0.5, kSide, kSide);
      };
      add(7, 7);
      for (const auto& rim : kRim) add(rim[0], rim[1]);
      for (int k = 0; k < 8; ++k) {
        const int corner[3] = {0, 1 + k, 1 + (k + 1) % 8};
        scene.addTriangle(corner[order[0]], corner[order[1]], corner[order[2]]);
      }
      // Pick's theorem: pixel centres strictly inside = area - border points / 2 + 1. Those are all hit once,
      // the border belongs to the neighbours in part.
      const std::vector<int> hits = countHits(scene, kSide, kSide);
      const Layer whole = draw(scene, kSide, kSide);
      for (std::size_t i = 0; i < hits.size(); ++i) {
        REQUIRE(hits[i] == (whole.triangle(i) >= 0 ? 1 : 0));
      }
      // Star-shaped: along each row of the fan what is hit is one piece.
      for (int y = 0; y < kSide; ++y) {
        int changes = 0;
        for (int x = 0; x < kSide; ++x) {
          const int before = x > 0 ? hits[static_cast<std::size_t>(y * kSide + x - 1)] : 0;
          changes += hits[static_cast<std::size_t>(y * kSide + x)] != before ? 1 : 0;
        }
        REQUIRE(changes <= 2);
      }
      int covered = 0;
      for (const int hit : hits) covered += hit;
      if (&order == &orders[0]) total[turn] = covered;
      CHECK(covered == total[turn]);
    }
  }
  // Each border pixel belongs to one side: top-left in two of the four turns, on average half of the border.
  std::int64_t doubled_area = 0, border = 0;
  for (int k = 0; k < 8; ++k) {
    const int* const a = kRim[k];
    const int* const b = kRim[(k + 1) % 8];
    doubled_area += a[0] * b[1] - a[1] * b[0];
    border += std::gcd(std::abs(b[0] - a[0]), std::abs(b[1] - a[1]));
  }
  const std::int64_t inside = (doubled_area - border) / 2 + 1;
  for (const int covered : total) {
    CHECK(covered >= inside);
    CHECK(covered <= inside + border);
  }
  // Every border point lies on one lower-right or upper-left edge of the turned outlines; vertices aside that
  // makes each of them covered twice in four turns.
  CHECK(std::abs(total[0] + total[1] + total[2] + total[3] - (4 * inside + 2 * border)) <= 8);
}

TEST_CASE(
    "ops rasterize: a closed surface has no holes, and behind its front lies its back and nothing more") {
  for (const int side : {33, 64, 200}) {
    const Scene ball = makeBall(31, 64);
    const Layer front = draw(ball, side, side), back = draw(ball, side, side, false, &front),
                rest = draw(ball, side, side, false, &back);
    int covered = 0, unpaired = 0, remaining = 0;
    for (int y = 0; y < side; ++y) {
      int changes = 0;
      for (int x = 0; x < side; ++x) {
        const std::size_t pixel = static_cast<std::size_t>(y * side + x);
        const bool hit = front.triangle(pixel) >= 0, before = x > 0 && front.triangle(pixel - 1) >= 0;
        covered += hit ? 1 : 0;
        changes += hit != before ? 1 : 0;
        unpaired += hit != (back.triangle(pixel) >= 0) ? 1 : 0;
        remaining += rest.triangle(pixel) >= 0 ? 1 : 0;
        if (hit && back.triangle(pixel) >= 0) REQUIRE(back.rast[4 * pixel + 2] > front.rast[4 * pixel + 2]);
      }
      REQUIRE(changes <= 2);
    }
    CHECK(covered > side * side / 3);
    CHECK(unpaired == 0);
    CHECK(remaining == 0);
  }
}

TEST_CASE("ops rasterize: a mesh whose rim is clipped at all sides hits each pixel exactly once") {
  constexpr int kSide = 40;
  constexpr int kCells = 6;
  std::mt19937 random(4);
  std::uniform_real_distribution<double> jitter(-1, 1);
  for (int trial = 0; trial < 20; ++trial) {
    Scene scene;
    for (int i = 0; i <= kCells; ++i) {
      for (int j = 0; j <= kCells; ++j) {
        const bool is_rim = i == 0 || j == 0 || i == kCells || j == kCells;
        // The rim lies far beyond the guard band of 131072 px; some of the inner vertices at odd w.
        const double reach = is_rim ? 1e6 : 1;
        const double w = is_rim ? 1 : 1 + 0.5 * jitter(random);
        const double x = (2.0 * j / kCells - 1) * 0.8 * reach + 0.08 * jitter(random),
                     y = (2.0 * i / kCells - 1) * 0.8 * reach + 0.08 * jitter(random);
        scene.addVertex(x * w, y * w, 0.3 * w * jitter(random), w);
      }
    }
    for (int i = 0; i < kCells; ++i) {
      for (int j = 0; j < kCells; ++j) {
        const int a = i * (kCells + 1) + j, b = a + 1, c = a + kCells + 1, d = c + 1;
        if ((i + j + trial) % 2) {
          scene.addTriangle(a, b, d);
          scene.addTriangle(d, c, a);
        } else {
          scene.addTriangle(a, c, b);
          scene.addTriangle(b, c, d);
        }
      }
    }
    for (const int hits : countHits(scene, kSide, kSide)) REQUIRE(hits == 1);
  }
}

TEST_CASE("ops rasterize: two triangles that share an edge through the near plane leave no gap along it") {
  constexpr int kSide = 64;
  std::mt19937 random(5);
  std::uniform_real_distribution<double> unit(-1, 1);
  int checked = 0;
  for (int trial = 0; trial < 200; ++trial) {
    // A parallelogram in clip space, cut along its diagonal; one corner or two lie behind the eye.
    std::array<std::array<double, 4>, 4> corner;
    for (int i = 0; i < 3; ++i) {
      const double w = i == trial % 3 ? -0.5 + 0.4 * unit(random) : 1.5 + unit(random);
      corner[static_cast<std::size_t>(i)] = {2 * unit(random), 2 * unit(random), 0.5 * unit(random), w};
    }
    Scene scene, whole;
    for (std::size_t k = 0; k < 4; ++k) {
      corner[3][k] = static_cast<double>(static_cast<float>(corner[0][k])) +
                     static_cast<float>(corner[2][k]) - static_cast<float>(corner[1][k]);
    }
    for (const auto& p : corner) scene.addVertex(p[0], p[1], p[2], p[3]);
    scene.addTriangle(0, 1, 2);
    scene.addTriangle(0, 2, 3);
    const std::vector<int> hits = countHits(scene, kSide, kSide);
    for (const int hit : hits) REQUIRE(hit <= 1);
    // A row of a convex shape is one piece: a gap along the diagonal would split it.
    for (int y = 0; y < kSide; ++y) {
      int changes = 0;
      for (int x = 1; x < kSide; ++x) {
        changes += hits[static_cast<std::size_t>(y * kSide + x)] !=
                   hits[static_cast<std::size_t>(y * kSide + x - 1)];
      }
      REQUIRE(changes <= 2);
      checked += changes > 0 ? 1 : 0;
    }
  }
  CHECK(checked > 500);
}

TEST_CASE(
    "ops rasterize: border pixels are covered by a square over the image, and by its top-left rule when the "
    "square ends on their centres") {
  constexpr int kWidth = 9, kHeight = 7;
  for (const double inset : {0.0, 0.5}) {
    Scene scene;
    scene.addPixel(inset, inset, kWidth, kHeight);
    scene.addPixel(kWidth - inset, inset, kWidth, kHeight);
    scene.addPixel(kWidth - inset, kHeight - inset, kWidth, kHeight);
    scene.addPixel(inset, kHeight - inset, kWidth, kHeight);
    scene.addTriangle(0, 1, 2);
    scene.addTriangle(2, 3, 0);
    const std::vector<int> hits = countHits(scene, kWidth, kHeight);
    for (int y = 0; y < kHeight; ++y) {
      for (int x = 0; x < kWidth; ++x) {
        const bool expected = inset == 0 || (x < kWidth - 1 && y < kHeight - 1);
        CHECK(hits[static_cast<std::size_t>(y * kWidth + x)] == (expected ? 1 : 0));
      }
    }
  }
}

TEST_CASE("ops rasterize: images of any size are filled to the last pixel and not beyond their rows") {
  for (const auto& [width, height] :
       {std::pair{1, 1}, {7, 3}, {9, 1}, {1, 33}, {2049, 5}, {4097, 3}, {3, 4100}, {5001, 2}, {65536, 1}}) {
    Scene scene;
    for (const auto& [x, y] : {std::pair{-3.0, -3.0}, {9.0 * width, -3.0}, {-3.0, 9.0 * height}}) {
      scene.addPixel(x, y, width, height, 0.25);
    }
    scene.addTriangle(0, 1, 2);
    constexpr int kPadding = 5;
    std::vector<float> rast(static_cast<std::size_t>(height) * static_cast<std::size_t>(4 * width + kPadding),
                            -7.0F),
        derivatives = rast;
    std::vector<std::int32_t> ids(static_cast<std::size_t>(height * width) + 8, -7);
    RasterizeParams params;
    params.positions = {scene.positions.data(), 3, 4};
    params.triangles = scene.list();
    params.rast = {rast.data(), 1, height, width, 4};
    params.rast.row_stride += kPadding;
    params.rast.image_stride = params.rast.row_stride * height;
    params.derivatives = params.rast;
    params.derivatives.data = derivatives.data();
    params.ids = ids.data();
    rasterizeCpu(params);
    int wrong = 0;
    for (int y = 0; y < height; ++y) {
      const float* const row = rast.data() + y * params.rast.row_stride;
      for (int x = 0; x < width; ++x) {
        if (row[4 * x + 3] != 1 || std::abs(row[4 * x + 2] - 0.25F) > 1e-6F) ++wrong;
        if (ids[static_cast<std::size_t>(y * width + x)] != 0) ++wrong;
      }
      for (int k = 0; k < kPadding; ++k) {
        if (row[4 * width + k] != -7.0F) ++wrong;
        if (derivatives[static_cast<std::size_t>(y * params.rast.row_stride + 4 * width + k)] != -7.0F)
          ++wrong;
      }
    }
    for (int k = 0; k < 8; ++k) wrong += ids[static_cast<std::size_t>(height * width + k)] != -7 ? 1 : 0;
    CHECK(wrong == 0);
  }
}

TEST_CASE(
    "ops rasterize: barycentrics and depth stay in their ranges for slivers, huge and clipped triangles") {
  std::mt19937 random(6);
  std::uniform_real_distribution<double> unit(-1, 1);
  std::int64_t covered = 0;
  for (int scene_index = 0; scene_index < 30; ++scene_index) {
    Scene scene = randomSoup(random, 60, scene_index % 3 == 0 ? 1e5 : 1.5, scene_index % 2 ? -1.0 : 0.1, 2);
    // Slivers: the third corner almost on the line between the others.
    for (std::size_t f = 0; f < 30; ++f) {
      for (std::size_t k = 0; k < 4; ++k) {
        float* const p = scene.positions.data() + 12 * f;
        p[8 + k] = static_cast<float>(0.3 * p[k] + 0.7 * p[4 + k] +
                                      std::pow(10, -2 - 8.0 * static_cast<double>(f) / 30) * unit(random));
      }
    }
    const Layer layer = draw(scene, 61, 43);
    for (std::size_t i = 0; i < layer.rast.size() / 4; ++i) {
      const float u = layer.rast[4 * i], v = layer.rast[4 * i + 1], z = layer.rast[4 * i + 2];
      REQUIRE((u >= 0 && v >= 0 && 1 - u - v >= 0 && u + v <= 1));
      REQUIRE((z >= -1 && z <= 1));
      for (std::size_t k = 0; k < 4; ++k) REQUIRE(std::isfinite(layer.derivatives[4 * i + k]));
      covered += layer.triangle(i) >= 0 ? 1 : 0;
    }
  }
  CHECK(covered > 10'000);
}

TEST_CASE("ops rasterize: degenerate, infinite, NaN and w <= 0 triangles change no pixel of the others") {
  std::mt19937 random(7);
  const Scene good = randomSoup(random, 30, 1.2, 0.5, 2);
  Scene mixed = good;
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  const int bad[] = {mixed.addVertex(nan, 0, 0, 1),      mixed.addVertex(0, nan, 0, 1),
                     mixed.addVertex(0, 0, nan, 1),      mixed.addVertex(0, 0, 0, nan),
                     mixed.addVertex(infinity, 0, 0, 1), mixed.addVertex(0, -infinity, 0, 1),
                     mixed.addVertex(0, 0, 0, infinity), mixed.addVertex(0, 0, -infinity, 1)};
  for (const int vertex : bad) mixed.addTriangle(0, vertex, 1);
  mixed.addTriangle(3, 3, 4);
  mixed.addTriangle(5, 5, 5);
  const int behind = mixed.addVertex(1, 1, 0, -1);
  mixed.addVertex(-1, 1, 0, -2);
  mixed.addVertex(0, -1, 0, -1);
  mixed.addTriangle(behind, behind + 1, behind + 2);
  const int eye = mixed.addVertex(0, 0, 0, 0);
  mixed.addTriangle(eye, eye, eye);
  const Layer expected = draw(good, 40, 40), layer = draw(mixed, 40, 40);
  CHECK(sameBits(expected.rast, layer.rast));
  CHECK(sameBits(expected.derivatives, layer.derivatives));
  CHECK(sameBits(expected.ids, layer.ids));
  // Values at the ends of the range of float neither crash nor leave a pixel undefined.
  Scene extreme;
  const double values[] = {0, 1e-38, -1e-38, 3e38, -3e38, 1, -1, 1e-20, 1e20};
  std::uniform_int_distribution<std::size_t> pick(0, 8);
  for (int i = 0; i < 3 * 400; ++i) {
    extreme.addVertex(values[pick(random)], values[pick(random)], values[pick(random)], values[pick(random)]);
  }
  for (int f = 0; f < 400; ++f) extreme.addTriangle(3 * f, 3 * f + 1, 3 * f + 2);
  const Layer wild = draw(extreme, 17, 19);
  for (const float value : wild.rast) REQUIRE(std::isfinite(value));
  for (const float value : wild.derivatives) REQUIRE(std::isfinite(value));
}

TEST_CASE("ops rasterize: which triangle is seen depends on neither winding nor drawing order") {
  std::mt19937 random(8);
  for (int trial = 0; trial < 10; ++trial) {
    const Scene scene = randomSoup(random, 300, 1.2, 0.5, 2);
    const Layer expected = draw(scene, 80, 70);
    Scene turned = scene;
    for (std::size_t f = 0; f < 300; ++f) {
      if (random() % 2) std::swap(turned.triangles[3 * f], turned.triangles[3 * f + 1]);
    }
    CHECK(sameBits(expected.ids, draw(turned, 80, 70).ids));
    Scene reversed = scene;
    for (std::size_t f = 0; f < 300; ++f) {
      for (std::size_t k = 0; k < 3; ++k) reversed.triangles[3 * f + k] = scene.triangles[3 * (299 - f) + k];
    }
    const Layer other = draw(reversed, 80, 70);
    int different = 0;
    for (std::size_t i = 0; i < expected.ids.size(); ++i) {
      different += expected.ids[i] != (other.ids[i] < 0 ? -1 : 299 - other.ids[i]) ? 1 : 0;
    }
    CHECK(different == 0);
  }
}

TEST_CASE("ops rasterize: of coincident surfaces the lower index wins, whatever their windings") {
  for (int windings = 0; windings < 8; ++windings) {
    Scene scene;
    scene.addPixel(-5, -5, 20, 20, 0.1);
    scene.addPixel(50, -5, 20, 20, 0.3);
    scene.addPixel(-5, 50, 20, 20, -0.2);
    // One more of either winding far behind, so that each winding may be the one that is drawn first.
    scene.addPixel(-5, -5, 20, 20, 0.9);
    scene.addPixel(50, -5, 20, 20, 0.9);
    scene.addPixel(-5, 50, 20, 20, 0.9);
    for (int f = 0; f < 2; ++f) {
      if (windings >> f & 1) {
        scene.addTriangle(0, 1, 2);
      } else {
        scene.addTriangle(0, 2, 1);
      }
    }
    for (int k = 0; k < 5; ++k) {
      if (windings >> 2) {
        scene.addTriangle(3, 4, 5);
      } else {
        scene.addTriangle(3, 5, 4);
      }
    }
    for (const std::int32_t id : draw(scene, 20, 20).ids) REQUIRE(id == 0);
  }
}

TEST_CASE("ops rasterize: culling drops what is clockwise on screen, clipped or not") {
  std::mt19937 random(9);
  const Scene scene = randomSoup(random, 100, 1.2, -0.3, 2);
  Scene turned = scene;
  for (std::size_t f = 0; f < 100; ++f) std::swap(turned.triangles[3 * f], turned.triangles[3 * f + 1]);
  const Layer all = draw(scene, 50, 50), one = draw(scene, 50, 50, true), other = draw(turned, 50, 50, true);
  int both = 0;
  for (std::size_t i = 0; i < all.ids.size(); ++i) {
    const float z_one = one.ids[i] < 0 ? 2 : one.rast[4 * i + 2],
                z_other = other.ids[i] < 0 ? 2 : other.rast[4 * i + 2];
    REQUIRE(all.ids[i] == (z_one < z_other ? one.ids[i] : other.ids[i]));
    if (one.ids[i] >= 0 && other.ids[i] >= 0) ++both;
  }
  CHECK(both > 100);
}

TEST_CASE(
    "ops rasterize: depth peeling returns the surfaces of a pixel one by one, in the reference's order") {
  constexpr int kSide = 32;
  std::mt19937 random(10);
  const Scene scene = randomSoup(random, 30, 1.5, 0.8, 1.3);
  std::vector<Layer> layers;
  for (int k = 0; k < 6; ++k)
    layers.push_back(draw(scene, kSide, kSide, false, k > 0 ? &layers.back() : nullptr));
  int compared = 0, deepest = 0;
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      std::vector<std::pair<double, int>> hits;
      for (int f = 0; f < 30; ++f) {
        const Reference seen = lookAt(scene, f, x, y, kSide, kSide);
        if (seen.hit) hits.emplace_back(seen.z, f);
      }
      std::sort(hits.begin(), hits.end());
      bool is_distinct = true;
      for (std::size_t k = 1; k < hits.size(); ++k)
        is_distinct = is_distinct && hits[k].first - hits[k - 1].first > 1e-5;
      if (!is_distinct) continue;
      for (std::size_t k = 0; k < layers.size(); ++k) {
        const int expected = k < hits.size() ? hits[k].second : -1;
        REQUIRE(layers[k].ids[static_cast<std::size_t>(y * kSide + x)] == expected);
        ++compared;
      }
      deepest = std::max(deepest, static_cast<int>(hits.size()));
    }
  }
  CHECK(compared > 5000);
  CHECK(deepest >= 4);
}

TEST_CASE("ops rasterize: surfaces that coincide share one layer") {
  Scene scene;
  for (const double depth : {0.5, 0.1, 0.1}) {
    const int first = scene.addPixel(-5, -5, 8, 8, depth);
    scene.addPixel(50, -5, 8, 8, depth);
    scene.addPixel(-5, 50, 8, 8, depth);
    scene.addTriangle(first, first + 1, first + 2);
  }
  const Layer first = draw(scene, 8, 8), second = draw(scene, 8, 8, false, &first),
              third = draw(scene, 8, 8, false, &second), fourth = draw(scene, 8, 8, false, &third);
  for (std::size_t i = 0; i < 64; ++i) {
    REQUIRE(first.ids[i] == 1);
    REQUIRE(second.ids[i] == 0);
    REQUIRE(third.ids[i] == -1);
    REQUIRE(fourth.ids[i] == -1);
  }
}

TEST_CASE("ops rasterize: a batch is its images, instanced or by ranges, dense or padded, large or small") {
  std::mt19937 random(11);
  for (const int num_images : {3, 9}) {
    for (const int side : {21, 70}) {
      std::vector<Scene> scenes;
      for (int i = 0; i < num_images; ++i) scenes.push_back(randomSoup(random, 40, 1.2, -0.2, 2));
      // One buffer of positions with a gap between the items, and one buffer for ranges.
      Scene instanced, ranged;
      std::vector<std::int32_t> ranges;
      constexpr std::size_t kGap = 3;
      for (const Scene& scene : scenes) {
        instanced.positions.insert(instanced.positions.end(), scene.positions.begin(), scene.positions.end());
        instanced.positions.insert(instanced.positions.end(), kGap, 0.0F);
        ranges.insert(ranges.end(), {static_cast<std::int32_t>(ranged.numTriangles()), 40});
        for (const std::int32_t v : scene.triangles) {
          ranged.triangles.push_back(v + static_cast<std::int32_t>(ranged.numVertices()));
        }
        ranged.positions.insert(ranged.positions.end(), scene.positions.begin(), scene.positions.end());
      }
      Layer a(num_images, side, side), b(num_images, side, side);
      RasterizeParams params;
      params.positions = {instanced.positions.data(), 120, 4, 480 + static_cast<std::int64_t>(kGap)};
      params.triangles = scenes[0].list();
      params.rast = {a.rast.data(), num_images, side, side, 4};
      params.derivatives = {a.derivatives.data(), num_images, side, side, 4};
      params.ids = a.ids.data();
      rasterizeCpu(params);
      params.positions = {ranged.positions.data(), ranged.numVertices(), 4};
      params.triangles = ranged.list();
      params.ranges = ranges.data();
      params.rast.data = b.rast.data();
      params.derivatives.data = b.derivatives.data();
      params.ids = b.ids.data();
      rasterizeCpu(params);
      const std::size_t size = static_cast<std::size_t>(side * side);
      for (std::size_t i = 0; i < static_cast<std::size_t>(num_images); ++i) {
        const Layer alone = draw(scenes[i], side, side);
        int wrong = 0;
        for (std::size_t k = 0; k < size; ++k) {
          const std::int32_t offset = alone.ids[k] < 0 ? 0 : static_cast<std::int32_t>(40 * i);
          wrong += a.ids[i * size + k] != alone.ids[k] ? 1 : 0;
          wrong += b.ids[i * size + k] != alone.ids[k] + offset ? 1 : 0;
          for (std::size_t c = 0; c < 4; ++c) {
            const std::size_t from = 4 * k + c, to = 4 * i * size + from;
            wrong += a.rast[to] != alone.rast[from] || a.derivatives[to] != alone.derivatives[from] ? 1 : 0;
            wrong += b.derivatives[to] != alone.derivatives[from] ? 1 : 0;
            wrong += c < 3 && b.rast[to] != alone.rast[from] ? 1 : 0;
          }
        }
        REQUIRE(wrong == 0);
      }
    }
  }
}

TEST_CASE("ops rasterize: triangle numbers survive their float beyond 2^24") {
  const std::int64_t exact = std::int64_t{1} << 24;
  for (const std::int64_t triangle : {std::int64_t{0}, std::int64_t{1}, exact - 2, exact - 1, exact,
                                      exact + 1, exact + 12345, 40 * exact}) {
    CHECK(triangleFromFragment(fragmentFromTriangle(triangle)) == triangle);
  }
  CHECK(triangleFromFragment(0) == -1);
  CHECK(triangleFromFragment(-5) == -1);
  CHECK(triangleFromFragment(std::numeric_limits<float>::quiet_NaN()) == -1);
  CHECK(triangleFromFragment(-std::numeric_limits<float>::infinity()) == -1);

  // A long list of nothing with two triangles at its end: a left half and a right one.
  Scene scene;
  scene.addPixel(-9, 0, 8, 8);
  scene.addPixel(4, 0, 8, 8);
  scene.addPixel(17, 0, 8, 8);
  scene.addPixel(4, 100, 8, 8);
  scene.addPixel(4, -100, 8, 8);
  scene.triangles.assign(static_cast<std::size_t>(3 * exact), 0);
  scene.addTriangle(0, 3, 4);
  scene.addTriangle(4, 3, 2);
  std::vector<std::int32_t> range = {static_cast<std::int32_t>(exact - 1000), 1002};
  Layer layer(1, 8, 8);
  RasterizeParams params;
  params.positions = {scene.positions.data(), scene.numVertices(), 4};
  params.triangles = scene.list();
  params.ranges = range.data();
  params.rast = {layer.rast.data(), 1, 8, 8, 4};
  params.ids = layer.ids.data();
  rasterizeCpu(params);
  for (std::size_t i = 0; i < 64; ++i) {
    const std::int64_t expected = i % 8 < 4 ? exact : exact + 1;
    REQUIRE(layer.triangle(i) == expected);
    REQUIRE(layer.ids[i] == expected);
  }
}

// The loss sum(grad_rast (u, v)) + sum(grad_derivatives derivatives) in double, with the triangle of each
// pixel held fixed and the area margin of the gradient's definition.
double loss(const std::vector<double>& positions, const std::vector<std::int32_t>& triangles,
            const Layer& layer, const std::vector<float>& grad_rast,
            const std::vector<float>* grad_derivatives) {
  double total = 0;
  for (int y = 0; y < layer.height; ++y) {
    for (int x = 0; x < layer.width; ++x) {
      const std::size_t pixel = static_cast<std::size_t>(y * layer.width + x);
      const std::int64_t f = layer.triangle(pixel);
      if (f < 0) continue;
      const double ndc_x = (2.0 * x + 1) / layer.width - 1, ndc_y = 1 - (2.0 * y + 1) / layer.height;
      double p[3][3], e[3][3], sum[3] = {};
      for (int i = 0; i < 3; ++i) {
        const double* const clip = positions.data() + 4 * triangles[static_cast<std::size_t>(3 * f + i)];
        p[i][0] = clip[0] - ndc_x * clip[3];
        p[i][1] = clip[1] - ndc_y * clip[3];
        p[i][2] = clip[3];
      }
      for (int i = 0; i < 3; ++i) {
        const double* const a = p[(i + 1) % 3];
        const double* const b = p[(i + 2) % 3];
        for (int k = 0; k < 3; ++k) {
          e[i][k] = a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3];
          sum[k] += e[i][k];
        }
      }
      const double s = sum[2] + std::copysign(1e-6, sum[2]);
      const double uv[2] = {e[0][2] / s, e[1][2] / s};
      const double step[2] = {2.0 / layer.width, -2.0 / layer.height};
      for (int i = 0; i < 2; ++i) {
        total += grad_rast[4 * pixel + static_cast<std::size_t>(i)] * uv[i];
        for (int k = 0; k < 2 && grad_derivatives; ++k) {
          total += (*grad_derivatives)[4 * pixel + static_cast<std::size_t>(2 * i + k)] * step[k] *
                   (e[i][k] - uv[i] * sum[k]) / s;
        }
      }
    }
  }
  return total;
}

std::vector<float> randomImage(std::mt19937& random, std::size_t size) {
  std::uniform_real_distribution<float> unit(-1, 1);
  std::vector<float> image(size);
  for (float& value : image) value = unit(random);
  return image;
}

std::vector<float> gradient(const Scene& scene, const Layer& layer, const std::vector<float>& grad_rast,
                            const std::vector<float>* grad_derivatives) {
  std::vector<float> grad(scene.positions.size(), -7.0F);
  RasterizeBackwardParams params;
  params.positions = {scene.positions.data(), scene.numVertices(), 4};
  params.triangles = scene.list();
  params.rast = {layer.rast.data(), 1, layer.height, layer.width, 4};
  params.grad_rast = {grad_rast.data(), 1, layer.height, layer.width, 4};
  if (grad_derivatives) params.grad_derivatives = {grad_derivatives->data(), 1, layer.height, layer.width, 4};
  params.grad_positions = {grad.data(), scene.numVertices(), 4};
  rasterizeBackwardCpu(params);
  return grad;
}

void checkGradient(const Scene& scene, int width, int height, std::mt19937& random, double tolerance) {
  const Layer layer = draw(scene, width, height);
  const std::vector<float> grad_rast = randomImage(random, layer.rast.size());
  std::vector<float> grad_derivatives = randomImage(random, layer.rast.size());
  for (float& value : grad_derivatives) value *= 3;
  const std::vector<double> positions(scene.positions.begin(), scene.positions.end());
  for (const std::vector<float>* derivatives : {static_cast<const std::vector<float>*>(nullptr),
                                                static_cast<const std::vector<float>*>(&grad_derivatives)}) {
    const std::vector<float> grad = gradient(scene, layer, grad_rast, derivatives);
    double scale = 0;
    for (const float value : grad) scale = std::max(scale, std::abs(static_cast<double>(value)));
    CHECK(scale > 0);
    double worst = 0;
    for (std::size_t i = 0; i < positions.size(); ++i) {
      // z carries no gradient, and the reference does not look at it.
      std::vector<double> moved = positions;
      const double step = 1e-6 * std::max(1.0, std::abs(positions[i]));
      moved[i] = positions[i] + step;
      const double above = loss(moved, scene.triangles, layer, grad_rast, derivatives);
      moved[i] = positions[i] - step;
      const double below = loss(moved, scene.triangles, layer, grad_rast, derivatives);
      worst = std::max(worst, std::abs(grad[i] - (above - below) / (2 * step)));
    }
    CHECK(worst <= tolerance * scale);
  }
}

TEST_CASE("ops rasterize: backward is the finite difference of u, v and the derivatives in x, y and w") {
  std::mt19937 random(12);
  for (int trial = 0; trial < 5; ++trial) {
    checkGradient(randomSoup(random, 4, 1.3, 0.7, 2), 25, 18, random, 1e-4);
  }
  checkGradient(makeBall(5, 8), 40, 40, random, 1e-4);
  // Clipped at the near plane: the gradient reaches the vertices behind the eye as well.
  Scene pierced;
  pierced.addVertex(-1, -0.8, 0.1, 1.5);
  pierced.addVertex(1.1, -0.7, 0.2, 1.4);
  pierced.addVertex(0.1, 0.9, 0, -0.5);
  pierced.addTriangle(0, 1, 2);
  checkGradient(pierced, 24, 24, random, 1e-4);
}

TEST_CASE("ops rasterize: backward of small triangles far from the centre keeps its digits") {
  std::mt19937 random(13);
  std::uniform_real_distribution<double> unit(-1, 1);
  constexpr int kSide = 512;
  Scene scene;
  for (int f = 0; f < 6; ++f) {
    const double x = 495 + 2 * f + unit(random), y = 12 + 3 * unit(random);
    for (int i = 0; i < 3; ++i) {
      const double w = 500 + 5 * unit(random);
      scene.addVertex((2 * (x + 4 * unit(random)) / kSide - 1) * w,
                      (1 - 2 * (y + 4 * unit(random)) / kSide) * w, 0, w);
    }
    scene.addTriangle(3 * f, 3 * f + 1, 3 * f + 2);
  }
  checkGradient(scene, kSide, kSide, random, 1e-3);  // the finite differences themselves are good to that
}

TEST_CASE("ops rasterize: backward of a batch adds up in shared rows and stays apart in own ones") {
  constexpr int kImages = 3, kSide = 20;
  std::mt19937 random(14);
  const Scene scene = randomSoup(random, 10, 1.2, 0.5, 2);
  const Layer layer = draw(scene, kSide, kSide);
  std::vector<float> rast;
  for (int i = 0; i < kImages; ++i) rast.insert(rast.end(), layer.rast.begin(), layer.rast.end());
  const std::vector<float> grad_rast = randomImage(random, rast.size());
  std::vector<double> sum(scene.positions.size());
  std::vector<float> apart(kImages * sum.size(), -7.0F), together(sum.size(), -7.0F);
  for (std::size_t i = 0; i < kImages; ++i) {
    const std::size_t size = layer.rast.size();
    const std::vector<float> part(grad_rast.begin() + static_cast<std::ptrdiff_t>(i * size),
                                  grad_rast.begin() + static_cast<std::ptrdiff_t>((i + 1) * size));
    const std::vector<float> grad = gradient(scene, layer, part, nullptr);
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += grad[k];
    std::copy(grad.begin(), grad.end(), apart.begin() + static_cast<std::ptrdiff_t>(i * sum.size()));
  }
  std::vector<float> own(apart.size(), -7.0F);
  RasterizeBackwardParams params;
  params.positions = {scene.positions.data(), scene.numVertices(), 4};
  params.triangles = scene.list();
  params.rast = {layer.rast.data(), kImages, kSide, kSide, 4};
  params.rast.image_stride = 0;  // the same fragments for all
  params.grad_rast = {grad_rast.data(), kImages, kSide, kSide, 4};
  params.grad_positions = {own.data(), scene.numVertices(), 4, 4 * scene.numVertices()};
  rasterizeBackwardCpu(params);
  CHECK(sameBits(own, apart));
  params.grad_positions = {together.data(), scene.numVertices(), 4};
  rasterizeBackwardCpu(params);
  for (std::size_t k = 0; k < sum.size(); ++k) CHECK(together[k] == doctest::Approx(sum[k]).epsilon(1e-4));
}

TEST_CASE(
    "ops rasterize: backward ignores foreign fragments and keeps NaN to the vertices that it comes from") {
  std::mt19937 random(15);
  const Scene scene = randomSoup(random, 6, 1.2, 0.5, 2);
  Layer layer = draw(scene, 24, 24);
  std::vector<float> grad_rast = randomImage(random, layer.rast.size());
  const std::vector<float> expected = gradient(scene, layer, grad_rast, nullptr);
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  std::size_t poisoned = layer.ids.size();
  int foreign = 0;
  for (std::size_t i = 0; i < layer.ids.size(); ++i) {
    if (layer.ids[i] >= 0 && poisoned == layer.ids.size()) poisoned = i;
    if (layer.ids[i] >= 0) continue;
    const float wrong[] = {7, nan, -3, infinity, -infinity, 1e20F, 0.5F};
    layer.rast[4 * i + 3] = wrong[foreign++ % 7];
  }
  CHECK(foreign > 7);
  CHECK(sameBits(expected, gradient(scene, layer, grad_rast, nullptr)));
  REQUIRE(poisoned < layer.ids.size());
  grad_rast[4 * poisoned] = nan;
  const std::vector<float> grad = gradient(scene, layer, grad_rast, nullptr);
  for (std::size_t v = 0; v < grad.size() / 4; ++v) {
    const bool is_hit = v / 3 == static_cast<std::size_t>(layer.ids[poisoned]);
    for (std::size_t k = 0; k < 4; ++k) {
      if (is_hit) {
        CHECK((k == 2 || std::isnan(grad[4 * v + k])));
      } else {
        CHECK(grad[4 * v + k] == expected[4 * v + k]);
      }
    }
  }
}

TEST_CASE("ops rasterize: bitwise equal for 1, 2 and 5 threads, forward, peeled and backward") {
  std::mt19937 random(16);
  const Scene scene = randomSoup(random, 9000, 1.5, -0.2, 2);
  std::vector<float> grad_rast = randomImage(random, 203 * 150 * 4), grad_derivatives = grad_rast;
  std::vector<Layer> layers, peeled;
  std::vector<std::vector<float>> grads;
  for (const int threads : {1, 2, 5}) {
    setNumThreads(threads);
    layers.push_back(draw(scene, 203, 150));
    peeled.push_back(draw(scene, 203, 150, false, &layers[0]));
    grads.push_back(gradient(scene, layers[0], grad_rast, &grad_derivatives));
  }
  setNumThreads(0);
  for (std::size_t i = 1; i < layers.size(); ++i) {
    CHECK(sameBits(layers[0].rast, layers[i].rast));
    CHECK(sameBits(layers[0].derivatives, layers[i].derivatives));
    CHECK(sameBits(layers[0].ids, layers[i].ids));
    CHECK(sameBits(peeled[0].rast, peeled[i].rast));
    CHECK(sameBits(grads[0], grads[i]));
  }
}

TEST_CASE("ops rasterize: misuse is refused") {
  std::vector<float> positions(16), image(8 * 8 * 4), grad(16);
  std::vector<std::int32_t> triangles = {0, 1, 3};
  const std::int32_t ranges[] = {0, 2};
  RasterizeParams good;
  good.positions = {positions.data(), 4, 4};
  good.triangles = {triangles.data(), 1};
  good.rast = {image.data(), 1, 8, 8, 4};
  CHECK_NOTHROW(rasterizeCpu(good));
  const auto refuses = [&](auto change) {
    RasterizeParams params = good;
    change(params);
    CHECK_THROWS_AS(rasterizeCpu(params), std::invalid_argument);
  };
  refuses([](RasterizeParams& p) { p.positions.data = nullptr; });
  refuses([](RasterizeParams& p) { p.positions.channels = 3; });
  refuses([](RasterizeParams& p) { p.positions.num_rows = 3; });
  refuses([](RasterizeParams& p) { p.positions.image_stride = 5; });
  refuses([](RasterizeParams& p) { p.triangles.data = nullptr; });
  refuses([](RasterizeParams& p) { p.triangles.count = -1; });
  refuses([](RasterizeParams& p) { p.triangles.count = std::int64_t{1} << 32; });
  refuses([](RasterizeParams& p) { p.rast.data = nullptr; });
  refuses([](RasterizeParams& p) { p.rast.channels = 3; });
  refuses([](RasterizeParams& p) { p.rast.width = -1; });
  refuses([](RasterizeParams& p) { p.rast.row_stride = 31; });
  refuses([](RasterizeParams& p) { p.rast.image_stride = 8; });
  refuses([](RasterizeParams& p) {
    p.rast.num_images = 2;
    p.rast.image_stride = 0;
  });
  refuses([](RasterizeParams& p) { p.rast = {p.rast.data, 1, 1, kMaxRasterSide + 1, 4}; });
  refuses([](RasterizeParams& p) { p.derivatives = {p.rast.data, 1, 8, 7, 4}; });
  refuses([](RasterizeParams& p) { p.previous = {p.rast.data, 1, 4, 8, 4}; });
  refuses([&](RasterizeParams& p) { p.ranges = ranges; });
  triangles[2] = -1;
  CHECK_THROWS_WITH(
      rasterizeCpu(good),
      "rasterize: triangle 0 uses vertex -1, but there are 4 vertices; do the index buffer and the "
      "vertices belong together?");
  triangles[2] = 3;

  RasterizeBackwardParams backward;
  backward.positions = good.positions;
  backward.triangles = good.triangles;
  backward.rast = backward.grad_rast = {image.data(), 1, 8, 8, 4};
  backward.grad_positions = {grad.data(), 4, 4};
  CHECK_NOTHROW(rasterizeBackwardCpu(backward));
  const auto backwardRefuses = [&](auto change) {
    RasterizeBackwardParams params = backward;
    change(params);
    CHECK_THROWS_AS(rasterizeBackwardCpu(params), std::invalid_argument);
  };
  backwardRefuses([](RasterizeBackwardParams& p) { p.grad_positions.data = nullptr; });
  backwardRefuses([](RasterizeBackwardParams& p) { p.grad_positions.num_rows = 3; });
  backwardRefuses([](RasterizeBackwardParams& p) { p.grad_rast.height = 7; });
  backwardRefuses([](RasterizeBackwardParams& p) { p.rast.data = nullptr; });
  backwardRefuses([](RasterizeBackwardParams& p) { p.grad_derivatives = {p.rast.data, 1, 8, 8, 3}; });

  // Nothing to do is not misuse.
  RasterizeParams empty;
  empty.positions.channels = 4;
  empty.rast = {nullptr, 0, 8, 8, 4};
  CHECK_NOTHROW(rasterizeCpu(empty));
  empty.rast = {image.data(), 1, 8, 8, 4};
  std::fill(image.begin(), image.end(), 5.0F);
  CHECK_NOTHROW(rasterizeCpu(empty));
  CHECK(std::count(image.begin(), image.end(), 0.0F) == 256);
}

}  // namespace
}  // namespace facet::ops
