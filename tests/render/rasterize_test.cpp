#include "render/rasterize.h"

#include "render/ops/cuda.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/parallel.h"
#include "tests/render/shapes.h"

namespace facet {
namespace {

using test::clipFromPixels;

struct Hit {
  int triangle = -1;
  double u = 0, v = 0, z = 0;
};

// What one triangle shows at an image position in pixels, in double precision and without any clipping code:
// the point b0 p0 + b1 p1 + b2 p2 that projects there, if it lies in the triangle and in the visible cube.
bool hitTriangle(const Points4& clip, const Eigen::RowVector3i& corner, double x_px, double y_px, int width,
                 int height, Hit* hit) {
  const double ndc_x = 2 * x_px / width - 1, ndc_y = 1 - 2 * y_px / height;
  double qx[3], qy[3], a[3];
  for (int i = 0; i < 3; ++i) {
    qx[i] = clip(corner[i], 0) - ndc_x * clip(corner[i], 3);
    qy[i] = clip(corner[i], 1) - ndc_y * clip(corner[i], 3);
  }
  for (int i = 0; i < 3; ++i) a[i] = qx[(i + 1) % 3] * qy[(i + 2) % 3] - qy[(i + 1) % 3] * qx[(i + 2) % 3];
  const double sum = a[0] + a[1] + a[2];
  double z = 0, w = 0;
  for (int i = 0; i < 3; ++i) {
    a[i] /= sum;
    if (!(a[i] >= 0)) return false;
    z += a[i] * clip(corner[i], 2);
    w += a[i] * clip(corner[i], 3);
  }
  if (!(w > 0) || z < -w || z > w) return false;
  *hit = {-1, a[0], a[1], z / w};
  return true;
}

Hit nearestHit(const Points4& clip, const Triangles& triangles, double x_px, double y_px, int width,
               int height) {
  Hit nearest;
  for (int f = 0; f < triangles.rows(); ++f) {
    Hit hit;
    if (!hitTriangle(clip, triangles.row(f), x_px, y_px, width, height, &hit)) continue;
    if (nearest.triangle >= 0 && hit.z >= nearest.z) continue;
    nearest = hit;
    nearest.triangle = f;
  }
  return nearest;
}

// Compares with the reference. A pixel whose centre lies within 1/256 px of an edge may show either side.
void checkAgainstReference(const Points4& clip, const Triangles& triangles, int width, int height) {
  const Fragments fragments = rasterize(clip, triangles, width, height);
  int covered = 0, near_edge = 0, wrong = 0, inaccurate = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int triangle = fragments.triangle(x, y);
      const Hit expected = nearestHit(clip, triangles, x + 0.5, y + 0.5, width, height);
      covered += expected.triangle >= 0 ? 1 : 0;
      if (triangle != expected.triangle) {
        bool explained = false;
        for (int k = 0; k < 9 && !explained; ++k) {
          const double dx = (k % 3 - 1) / 256.0, dy = (k / 3 - 1) / 256.0;
          explained =
              nearestHit(clip, triangles, x + 0.5 + dx, y + 0.5 + dy, width, height).triangle == triangle;
        }
        ++(explained ? near_edge : wrong);
        continue;
      }
      if (triangle < 0) continue;
      const float* const fragment = fragments.rast.at(x, y);
      const bool accurate = std::abs(fragment[0] - expected.u) < 2e-5 &&
                            std::abs(fragment[1] - expected.v) < 2e-5 &&
                            std::abs(fragment[2] - expected.z) < 2e-5;
      inaccurate += accurate ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
  CHECK(inaccurate == 0);
  CHECK(near_edge <= covered / 20);
  CHECK(covered > 0);
}

Points4 randomClip(std::mt19937& random, int count, float size, float w_low, float w_high) {
  std::uniform_real_distribution<float> position(-size, size), weight(w_low, w_high);
  Points4 clip(count, 4);
  for (int i = 0; i < count; ++i)
    clip.row(i) << position(random), position(random), position(random), weight(random);
  return clip;
}

Triangles soup(int count) {
  Triangles triangles(count, 3);
  for (int f = 0; f < count; ++f) triangles.row(f) << 3 * f, 3 * f + 1, 3 * f + 2;
  return triangles;
}

// How often each pixel is hit when the triangles are drawn one by one.
std::vector<int> countHits(const Points4& clip, const Triangles& triangles, int width, int height) {
  std::vector<int> hits(static_cast<std::size_t>(width) * height);
  for (int f = 0; f < triangles.rows(); ++f) {
    const Fragments fragments = rasterize(clip, triangles.row(f), width, height);
    for (int i = 0; i < width * height; ++i) {
      hits[static_cast<std::size_t>(i)] += fragments.rast.data()[4 * i + 3] > 0 ? 1 : 0;
    }
  }
  return hits;
}

bool sameBits(const ImageF& a, const ImageF& b) {
  return a.size() == b.size() && std::equal(a.data(), a.data() + a.size(), b.data());
}

Triangles fan(int count) {
  Triangles triangles(count, 3);
  for (int k = 0; k < count; ++k) triangles.row(k) << 0, 1 + k, 1 + (k + 1) % count;
  return triangles;
}

TEST_CASE("rasterize: agrees with a double-precision reference on random triangles in front of the camera") {
  std::mt19937 random(1);
  for (int scene = 0; scene < 6; ++scene)
    checkAgainstReference(randomClip(random, 60, 1.5F, 1.0F, 3.0F), soup(20), 61, 47);
}

TEST_CASE(
    "rasterize: agrees with the reference on triangles that cross the near plane and pass behind the eye") {
  std::mt19937 random(2);
  for (int scene = 0; scene < 12; ++scene) {
    checkAgainstReference(randomClip(random, 36, 2.0F, -1.5F, 2.5F), soup(12), 53, 64);
  }
}

TEST_CASE("rasterize: agrees with the reference on triangles a million pixels wide") {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> flat(-0.5F, 0.5F);
  for (int scene = 0; scene < 6; ++scene) {
    Points4 clip = randomClip(random, 18, 40'000.0F, 0.9F, 1.1F);
    for (int i = 0; i < 18; ++i) clip(i, 2) = flat(random);
    checkAgainstReference(clip, soup(6), 50, 50);
  }
}

TEST_CASE("rasterize: agrees with the reference on edges of two thousand pixels, which need 64 bits") {
  std::mt19937 random(4);
  std::uniform_real_distribution<float> flat(-0.5F, 0.5F);
  Points4 clip = randomClip(random, 30, 80.0F, 0.9F, 1.1F);
  for (int i = 0; i < 30; ++i) clip(i, 2) = flat(random);
  checkAgainstReference(clip, soup(10), 50, 50);
}

TEST_CASE("rasterize: a square cut along its diagonal is hit exactly once per pixel") {
  // Corners on pixel centres: every border and diagonal pixel is a tie that the top-left rule must settle.
  constexpr int kSide = 24;
  std::mt19937 random(5);
  std::uniform_int_distribution<int> pixel(1, kSide - 2), bit(0, 1), turn(0, 2);
  for (int trial = 0; trial < 200; ++trial) {
    int x0 = pixel(random), x1 = pixel(random), y0 = pixel(random), y1 = pixel(random);
    if (x0 > x1) std::swap(x0, x1);
    if (y0 > y1) std::swap(y0, y1);
    Points2 corners(4, 2);
    corners << x0, y0, x1, y0, x1, y1, x0, y1;
    corners.array() += 0.5F;
    Triangles triangles(2, 3);
    if (bit(random)) {
      triangles << 0, 1, 2, 0, 2, 3;
    } else {
      triangles << 1, 2, 3, 3, 0, 1;
    }
    for (int f = 0; f < 2; ++f) {
      std::rotate(triangles.row(f).begin(), triangles.row(f).begin() + turn(random), triangles.row(f).end());
      if (bit(random)) std::swap(triangles(f, 0), triangles(f, 1));
    }
    const std::vector<int> hits = countHits(clipFromPixels(corners, kSide, kSide), triangles, kSide, kSide);
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        // Top and left borders belong to the square, bottom and right ones do not.
        const int expected = x >= x0 && x < x1 && y >= y0 && y < y1 ? 1 : 0;
        REQUIRE(hits[static_cast<std::size_t>(y * kSide + x)] == expected);
      }
    }
  }
}

TEST_CASE("rasterize: fans of slivers that fill the image hit each pixel exactly once") {
  constexpr int kSide = 40;
  std::mt19937 random(6);
  std::uniform_real_distribution<float> centre(5, 35);
  for (const int count : {3, 7, 64, 500}) {
    Points2 points(count + 1, 2);
    // Half of the centres lie on a pixel centre, where all the edges meet.
    points.row(0) << std::floor(centre(random)) + 0.5F,
        std::floor(centre(random)) + (count % 2 ? 0.5F : 0.37F);
    for (int k = 0; k < count; ++k) {
      const double angle = 2 * std::numbers::pi * k / count;
      points.row(1 + k) << static_cast<float>(20 + 90 * std::cos(angle)),
          static_cast<float>(20 + 90 * std::sin(angle));
    }
    for (const int hits : countHits(clipFromPixels(points, kSide, kSide), fan(count), kSide, kSide))
      REQUIRE(hits == 1);
  }
}

TEST_CASE(
    "rasterize: a fan around a vertex that pierces the near plane stays free of holes and double hits") {
  // The apex lies behind the eye, the rim in front of it: every shared edge is clipped.
  constexpr int kSide = 48;
  constexpr int kCount = 16;
  std::mt19937 random(7);
  std::uniform_real_distribution<float> jitter(-0.3F, 0.3F);
  for (int trial = 0; trial < 20; ++trial) {
    Points4 clip(kCount + 1, 4);
    clip.row(0) << 0.1F * jitter(random), 0.1F * jitter(random), 0, -0.5F;
    for (int k = 0; k < kCount; ++k) {
      const double angle = 2 * std::numbers::pi * k / kCount;
      clip.row(1 + k) << static_cast<float>(0.3 * std::cos(angle)) + 0.2F * jitter(random),
          static_cast<float>(0.3 * std::sin(angle)) + 0.2F * jitter(random), 0.2F * jitter(random), 1;
    }
    const Triangles triangles = fan(kCount);
    const std::vector<int> hits = countHits(clip, triangles, kSide, kSide);
    int inside = 0;
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        int expected = 0;
        bool is_certain = true;  // not within 1/128 px of an outer border (the near plane's cut)
        for (int k = 0; k < 5; ++k) {
          constexpr double kAway[5][2] = {{0, 0}, {-1, -1}, {1, -1}, {-1, 1}, {1, 1}};
          const int seen = nearestHit(clip, triangles, x + 0.5 + kAway[k][0] / 128,
                                      y + 0.5 + kAway[k][1] / 128, kSide, kSide)
                                       .triangle >= 0
                               ? 1
                               : 0;
          if (k == 0) expected = seen;
          is_certain = is_certain && seen == expected;
        }
        if (!is_certain) continue;
        inside += expected;
        REQUIRE(hits[static_cast<std::size_t>(y * kSide + x)] == expected);
      }
    }
    CHECK(inside > 100);
  }
}

TEST_CASE("rasterize: a random mesh over the whole image has no hole and no double hit") {
  constexpr int kSide = 64;
  constexpr int kCells = 23;
  std::mt19937 random(8);
  std::uniform_real_distribution<float> jitter(-1.2F, 1.2F);
  Points2 points((kCells + 1) * (kCells + 1), 2);
  for (int i = 0; i <= kCells; ++i) {
    for (int j = 0; j <= kCells; ++j) {
      const bool is_rim = i == 0 || j == 0 || i == kCells || j == kCells;
      points.row(i * (kCells + 1) + j)
          << static_cast<float>(j * 70.0 / kCells - 3) + (is_rim ? 0 : 0.6F * jitter(random)),
          static_cast<float>(i * 70.0 / kCells - 3) + (is_rim ? 0 : 0.6F * jitter(random));
    }
  }
  Triangles triangles(2 * kCells * kCells, 3);
  for (int i = 0; i < kCells; ++i) {
    for (int j = 0; j < kCells; ++j) {
      const int a = i * (kCells + 1) + j, b = a + 1, c = a + kCells + 1, d = c + 1;
      triangles.row(2 * (i * kCells + j)) << a, c, b;
      triangles.row(2 * (i * kCells + j) + 1) << b, c, d;
    }
  }
  for (const int hits : countHits(clipFromPixels(points, kSide, kSide), triangles, kSide, kSide))
    REQUIRE(hits == 1);
}

TEST_CASE("rasterize: perspective is correct: half way on screen is not half way on the surface") {
  // A strip from w = 1 at the left border to w = 3 at the right one. At screen fraction t the surface
  // fraction is (t / 3) / ((1 - t) + t / 3); at the middle pixel (t = 1/2) that is 1/4.
  Points4 clip(3, 4);
  clip << -1, -1, 0, 1,  //
      3, -3, 0, 3,       //
      -1, 3, 0, 1;
  Triangles triangle(1, 3);
  triangle << 0, 1, 2;
  const Fragments fragments = rasterize(clip, triangle, 5, 5);
  const float* const middle = fragments.rast.at(2, 4);
  // There y_ndc = -0.8: w = 1 + 2 b1 and x = -1 + 4 b1 = 0, so b1 = 1/4; y = -1 - 2 b1 + 4 b2 = -0.8 w gives
  // b2 = 0.075.
  CHECK(middle[3] == 1);
  CHECK(middle[1] == doctest::Approx(0.25).epsilon(1e-6));
  CHECK(middle[0] == doctest::Approx(1 - 0.25 - 0.075).epsilon(1e-6));
}

TEST_CASE("rasterize: vertices 0 and 1 own u and v, row 0 is the top, depth is z/w") {
  Points2 pixels(3, 2);
  pixels << 0.5F, 0.5F, 7.5F, 0.5F, 0.5F, 7.5F;
  Points4 clip = clipFromPixels(pixels, 8, 8, 0.25F);
  Triangles triangle(1, 3);
  triangle << 0, 1, 2;
  const Fragments fragments = rasterize(clip, triangle, 8, 8);
  const float* const top_left = fragments.rast.at(0, 0);
  CHECK(top_left[0] == doctest::Approx(1));
  CHECK(top_left[1] == doctest::Approx(0));
  CHECK(top_left[2] == doctest::Approx(0.25));
  CHECK(fragments.triangle(0, 0) == 0);
  CHECK(fragments.rast.at(6, 0)[1] == doctest::Approx(6.0 / 7));
  CHECK(fragments.triangle(7, 7) == -1);
  for (int c = 0; c < 4; ++c) CHECK(fragments.rast.at(7, 7)[c] == 0);
}

TEST_CASE("rasterize: the nearest surface wins in any order and of equal depths the lower index") {
  Points2 pixels(3, 2);
  pixels << -10, -10, 40, -10, -10, 40;
  Points4 clip(9, 4);
  clip << clipFromPixels(pixels, 8, 8, 0.5F), clipFromPixels(pixels, 8, 8, -0.5F),
      clipFromPixels(pixels, 8, 8, -0.5F);
  Triangles triangles(3, 3);
  triangles << 0, 1, 2, 3, 4, 5, 6, 7, 8;
  CHECK(rasterize(clip, triangles, 8, 8).triangle(3, 3) == 1);
  triangles << 6, 7, 8, 3, 4, 5, 0, 1, 2;
  CHECK(rasterize(clip, triangles, 8, 8).triangle(3, 3) == 0);
}

TEST_CASE("rasterize: culling drops what is clockwise on screen, and only that") {
  Points2 pixels(3, 2);
  pixels << 1, 1, 1, 7, 7, 1;  // down, then right: counter-clockwise as seen
  const Points4 clip = clipFromPixels(pixels, 8, 8);
  Triangles triangle(1, 3);
  triangle << 0, 1, 2;
  CHECK(rasterize(clip, triangle, 8, 8, {.cull_backfaces = true}).triangle(2, 2) == 0);
  triangle << 0, 2, 1;
  CHECK(rasterize(clip, triangle, 8, 8, {.cull_backfaces = true}).triangle(2, 2) == -1);
  CHECK(rasterize(clip, triangle, 8, 8).triangle(2, 2) == 0);
}

TEST_CASE("rasterize: bitwise equal for 1, 2 and 3 threads, with clipped triangles among them") {
  std::mt19937 random(9);
  const Points4 clip = randomClip(random, 3 * 9000, 1.5F, -0.2F, 2.0F);
  const Triangles triangles = soup(9000);
  setNumThreads(1);
  const Fragments one = rasterize(clip, triangles, 203, 150, {.derivatives = true});
  for (const int threads : {2, 3}) {
    setNumThreads(threads);
    const Fragments many = rasterize(clip, triangles, 203, 150, {.derivatives = true});
    CHECK(sameBits(one.rast, many.rast));
    CHECK(sameBits(one.derivatives, many.derivatives));
  }
  setNumThreads(0);
}

TEST_CASE("rasterize: derivatives are the finite differences of the barycentrics") {
  Points4 clip(3, 4);
  clip << -1.2F, -0.9F, 0.1F, 1.0F,  //
      2.1F, -1.3F, 0.4F, 2.0F,       //
      0.2F, 1.9F, 0.2F, 1.5F;
  Triangles triangle(1, 3);
  triangle << 0, 1, 2;
  constexpr int kSide = 32;
  const Fragments fragments = rasterize(clip, triangle, kSide, kSide, {.derivatives = true});
  int compared = 0;
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      if (fragments.triangle(x, y) < 0) continue;
      constexpr double kStep = 1e-3;  // px
      Hit right, left, up, down;
      const bool all = hitTriangle(clip, triangle.row(0), x + 0.5 + kStep, y + 0.5, kSide, kSide, &right) &&
                       hitTriangle(clip, triangle.row(0), x + 0.5 - kStep, y + 0.5, kSide, kSide, &left) &&
                       hitTriangle(clip, triangle.row(0), x + 0.5, y + 0.5 + kStep, kSide, kSide, &down) &&
                       hitTriangle(clip, triangle.row(0), x + 0.5, y + 0.5 - kStep, kSide, kSide, &up);
      if (!all) continue;
      const float* const d = fragments.derivatives.at(x, y);
      REQUIRE(d[0] == doctest::Approx((right.u - left.u) / (2 * kStep)).epsilon(1e-4));
      REQUIRE(d[1] == doctest::Approx((down.u - up.u) / (2 * kStep)).epsilon(1e-4));
      REQUIRE(d[2] == doctest::Approx((right.v - left.v) / (2 * kStep)).epsilon(1e-4));
      REQUIRE(d[3] == doctest::Approx((down.v - up.v) / (2 * kStep)).epsilon(1e-4));
      ++compared;
    }
  }
  CHECK(compared > 100);
}

TEST_CASE("rasterize: degenerate, infinite and NaN triangles are skipped and hurt no neighbour") {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  Points2 pixels(3, 2);
  pixels << -10, -10, 40, -10, -10, 40;
  Points4 clip(7, 4);
  clip << clipFromPixels(pixels, 8, 8, 0.5F), Eigen::RowVector4f(nan, 0, 0, 1),
      Eigen::RowVector4f(0, 0, 0, 0), Eigen::RowVector4f(infinity, 0, 0, 1), Eigen::RowVector4f(0, 0, 0, nan);
  Triangles triangles(7, 3);
  triangles << 0, 1, 3, 0, 1, 4, 0, 5, 2, 6, 1, 2, 1, 1, 2, 4, 4, 4, 0, 1, 2;
  const Fragments fragments = rasterize(clip, triangles, 8, 8, {.derivatives = true});
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      CHECK(fragments.triangle(x, y) == 6);
      for (int c = 0; c < 4; ++c) CHECK(std::isfinite(fragments.rast.at(x, y)[c]));
    }
  }
}

TEST_CASE("rasterize: empty meshes and images of any shape work") {
  CHECK(rasterize(Points4(0, 4), Triangles(0, 3), 5, 4).triangle(4, 3) == -1);
  Points2 pixels(3, 2);
  pixels << -10000, -10000, 40000, -10000, -10000, 40000;
  Triangles triangle(1, 3);
  triangle << 0, 1, 2;
  for (const auto& [width, height] : {std::pair{1, 1}, {7, 3}, {9, 1}, {1, 33}, {2500, 5}, {3, 4100}}) {
    const Fragments fragments = rasterize(clipFromPixels(pixels, width, height), triangle, width, height);
    int covered = 0;
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) covered += fragments.triangle(x, y) == 0 ? 1 : 0;
    }
    CHECK(covered == width * height);
  }
  CHECK(rasterize(clipFromPixels(pixels, 8, 8), triangle, 0, 7).rast.empty());
}

TEST_CASE("rasterize: misuse is refused with a way out") {
  Triangles triangle(1, 3);
  triangle << 0, 1, 3;
  CHECK_THROWS_AS(rasterize(Points4::Zero(3, 4), triangle, 8, 8), std::invalid_argument);
  CHECK_THROWS_AS(rasterize(Points4::Zero(4, 4), triangle, -1, 8), std::invalid_argument);
  if (ops::cudaAvailable()) return;
  CHECK_THROWS_WITH_AS(rasterize(Points4::Zero(4, 4), triangle, 8, 8, {.device = Device::kCuda}),
                       doctest::Contains("use Device::kCpu"), std::runtime_error);
}

}  // namespace
}  // namespace facet
