// The kernels of the CUDA backend, run by the host and compared with references that share no code with them.
// The device itself is tested where one is present.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "render/cuda/antialias_kernels.h"
#include "render/cuda/interpolate_kernels.h"
#include "render/cuda/rasterize_kernels.h"
#include "render/cuda/texture_kernels.h"
#include "render/ops/cuda.h"
#include "tests/render/cuda/host_executor.h"
#include "tests/render/cuda/scenes.h"

namespace facet::ops::cuda {
namespace {

RasterizeParams draw(Arena& arena, const Mesh& mesh, int n, int h, int w) {
  RasterizeParams params;
  params.positions = mesh.positions;
  params.triangles = mesh.triangles;
  params.rast = arena.images(n, h, w, 4);
  params.derivatives = arena.images(n, h, w, 4);
  params.ids = arena.ints(std::int64_t{n} * h * w);
  HostExecutor executor;
  rasterize(params, executor);
  return params;
}

// Barycentrics and z/w of a triangle at a pixel centre, in double precision, by solving the 3×3 system.
struct Exact {
  double u, v, rest, z_over_w;
  bool is_in_front;
};
Exact solve(const Mesh& mesh, std::int64_t triangle, int x, int y, int w, int h) {
  double p[3][4];
  for (int k = 0; k < 3; ++k) {
    for (int j = 0; j < 4; ++j) p[k][j] = mesh.vertices[4 * std::int64_t{mesh.indices[3 * triangle + k]} + j];
  }
  const double px = (2.0 * x + 1) / w - 1, py = 1 - (2.0 * y + 1) / h;
  const auto det = [](double ax, double ay, double aw, double bx, double by, double bw, double cx, double cy,
                      double cw) {
    return ax * (by * cw - bw * cy) - ay * (bx * cw - bw * cx) + aw * (bx * cy - by * cx);
  };
  const double all = det(p[0][0], p[0][1], p[0][3], p[1][0], p[1][1], p[1][3], p[2][0], p[2][1], p[2][3]);
  const double b0 = det(px, py, 1, p[1][0], p[1][1], p[1][3], p[2][0], p[2][1], p[2][3]) / all;
  const double b1 = det(p[0][0], p[0][1], p[0][3], px, py, 1, p[2][0], p[2][1], p[2][3]) / all;
  const double b2 = det(p[0][0], p[0][1], p[0][3], p[1][0], p[1][1], p[1][3], px, py, 1) / all;
  const double sum = b0 + b1 + b2;  // 1 / w
  return {b0 / sum, b1 / sum, b2 / sum, b0 * p[0][2] + b1 * p[1][2] + b2 * p[2][2], sum > 0};
}

}  // namespace

TEST_CASE("cuda kernels: rasterize finds the nearest triangle of a brute-force search") {
  for (const bool is_soup : {false, true}) {
    Arena arena;
    const Mesh mesh = is_soup ? makeSoup(arena, 300) : makeSphere(arena, 12, 16);
    const int w = 53, h = 41;
    const RasterizeParams params = draw(arena, mesh, 1, h, w);
    int compared = 0, covered = 0;
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        double best = 2, second = 2;
        std::int64_t winner = -1;
        bool is_close_call = false;
        for (std::int64_t t = 0; t < mesh.triangles.count; ++t) {
          const Exact e = solve(mesh, t, x, y, w, h);
          if (!(e.z_over_w > -1.1 && e.z_over_w < 1.1) || !e.is_in_front) continue;
          const double least = std::min({e.u, e.v, e.rest});
          // Snapped vertices move the edges, by more in barycentrics the smaller the triangle.
          is_close_call |= std::abs(least) < 0.02 || std::abs(std::abs(e.z_over_w) - 1) < 1e-3;
          if (least < 0 || std::abs(e.z_over_w) > 1) continue;
          if (e.z_over_w < best) {
            second = best;
            best = e.z_over_w;
            winner = t;
          } else {
            second = std::min(second, e.z_over_w);
          }
        }
        if (is_close_call || second - best < 1e-4) continue;
        ++compared;
        const float* const fragment = params.rast.data + 4 * (y * w + x);
        CHECK(params.ids[y * w + x] == winner);
        CHECK(triangleFromFragment(fragment[3]) == winner);
        if (winner < 0 || params.ids[y * w + x] != winner) continue;
        ++covered;
        const Exact e = solve(mesh, winner, x, y, w, h);
        CHECK(std::abs(fragment[0] - e.u) < 1e-5);
        CHECK(std::abs(fragment[1] - e.v) < 1e-5);
        CHECK(std::abs(fragment[2] - e.z_over_w) < 1e-5);
        const Exact right = solve(mesh, winner, x + 1, y, w, h), left = solve(mesh, winner, x - 1, y, w, h);
        const double slope = 0.5 * (right.u - left.u), bend = std::abs(right.u - 2 * e.u + left.u);
        CHECK(std::abs(params.derivatives.data[4 * (y * w + x)] - slope) < 1e-4 + bend);
      }
    }
    CHECK(compared > 100);
    CHECK(covered > 50);
  }
}

TEST_CASE("cuda kernels: rasterize hits a shared edge exactly once, on any path") {
  // A square split by its diagonal, with corners on pixel centres: through the path of small triangles, of
  // larger ones, and of the largest.
  for (const int side : {5, 40, 150}) {
    for (int turn = 0; turn < 4; ++turn) {
      Arena arena;
      const int size = side + 10;
      Mesh mesh;
      mesh.vertices = arena.floats(16);
      mesh.indices = arena.ints(6);
      for (int k = 0; k < 4; ++k) {
        const float x = 3.5F + static_cast<float>(k == 1 || k == 2 ? side : 0);
        const float y = 3.5F + static_cast<float>(k >= 2 ? side : 0);
        float* const p = mesh.vertices + 4 * k;
        p[0] = 2 * x / static_cast<float>(size) - 1;
        p[1] = 1 - 2 * y / static_cast<float>(size);
        p[2] = 0;
        p[3] = 1;
      }
      for (int i = 0; i < 6; ++i)
        mesh.indices[i] = (std::vector<int>{0, 1, 2, 0, 2, 3}[static_cast<std::size_t>(i)] + turn) % 4;
      mesh.positions = ConstRows(mesh.vertices, 4, 4);
      std::vector<int> hits(static_cast<std::size_t>(size) * static_cast<std::size_t>(size));
      for (int t = 0; t < 2; ++t) {
        mesh.triangles = {mesh.indices + 3 * t, 1};
        const RasterizeParams params = draw(arena, mesh, 1, size, size);
        for (std::size_t i = 0; i < hits.size(); ++i) hits[i] += params.ids[i] >= 0 ? 1 : 0;
      }
      CHECK(*std::max_element(hits.begin(), hits.end()) == 1);
      CHECK(std::count(hits.begin(), hits.end(), 1) == side * side);
    }
  }
}

TEST_CASE("cuda kernels: depth keys order like depths, then like triangles, and give the depth back") {
  const float depths[] = {-1, -0.5F, -1e-30F, 0, 1e-30F, 0.25F, 1};
  for (std::size_t i = 0; i + 1 < std::size(depths); ++i) {
    CHECK(depthKey(depths[i], 0x7FFFFFFF) < depthKey(depths[i + 1], 0));
    CHECK(depthKey(depths[i], 5) < depthKey(depths[i], 6));
    CHECK(depthOfKey(depthKey(depths[i], 9)) == depths[i]);
  }
  CHECK(depthKey(-0.0F, 3) == depthKey(0.0F, 3));
  CHECK(triangleOfKey(depthKey(0.5F, (std::int64_t{1} << 24) + 77)) == (std::int64_t{1} << 24) + 77);
  CHECK(depthKey(1, 0x7FFFFFFF) < kNoKey);
}

TEST_CASE("cuda kernels: indices outside of the vertices draw nothing and are read nowhere") {
  Arena arena;
  const Mesh mesh = makeSphere(arena, 6, 8);
  const RasterizeParams whole = draw(arena, mesh, 1, 30, 30);
  mesh.indices[3 * 20] = -5;
  mesh.indices[3 * 21 + 1] = 1 << 30;
  const RasterizeParams params = draw(arena, mesh, 1, 30, 30);
  for (int i = 0; i < 900; ++i) CHECK((params.ids[i] != 20 && params.ids[i] != 21));
  InterpolateParams interpolation;
  interpolation.attributes = mesh.positions;
  interpolation.triangles = mesh.triangles;
  interpolation.rast = whole.rast;
  interpolation.out = arena.images(1, 30, 30, 4);
  whole.rast.data[3] = 1e9F;  // a triangle that does not exist
  HostExecutor executor;
  interpolate(interpolation, executor);
  CHECK(interpolation.out.data[0] == 0);
}

TEST_CASE("cuda kernels: rasterizeBackward gives the slopes of central differences") {
  Arena arena;
  const Mesh mesh = makeSphere(arena, 5, 6);
  const int size = 24;
  const RasterizeParams params = draw(arena, mesh, 1, size, size);
  RasterizeBackwardParams backward;
  backward.positions = mesh.positions;
  backward.triangles = mesh.triangles;
  backward.rast = params.rast;
  const Images weights = arena.randomImages(1, size, size, 4), slopes = arena.randomImages(1, size, size, 4);
  // Pixels on edges are clamped; they would not follow the differences.
  for (std::int64_t i = 0; i < weights.numPixels(); ++i) {
    const float u = params.rast.data[4 * i], v = params.rast.data[4 * i + 1];
    if (std::min({u, v, 1 - u - v}) > 0.01F) continue;
    for (int c = 0; c < 4; ++c) weights.data[4 * i + c] = slopes.data[4 * i + c] = 0;
  }
  backward.grad_rast = weights;
  backward.grad_derivatives = slopes;
  backward.grad_positions = arena.rows(mesh.positions.num_rows, 4);
  HostExecutor executor;
  rasterizeBackward(backward, executor);

  const auto loss = [&](std::int64_t element, double step) {
    const Viewport view = {size, size, false};
    double sum = 0;
    for (std::int64_t i = 0; i < weights.numPixels(); ++i) {
      const std::int64_t triangle = params.ids[i];
      if (triangle < 0) continue;
      double p[3][3], a[3], ax[3], ay[3], s = 0, sx = 0, sy = 0;
      const double fx = (2.0 * static_cast<double>(i % size) + 1) / size - 1,
                   fy = 1 - (2.0 * static_cast<double>(i / size) + 1) / size;
      for (int k = 0; k < 3; ++k) {
        const std::int64_t row = 4 * std::int64_t{mesh.indices[3 * triangle + k]};
        const auto at = [&](int j) { return mesh.vertices[row + j] + (row + j == element ? step : 0); };
        p[k][0] = at(0);
        p[k][1] = at(1);
        p[k][2] = at(3);
      }
      for (int k = 0; k < 3; ++k) {  // e = p_j x p_l, a = e . (X, Y, 1)
        const double *j = p[(k + 1) % 3], *l = p[(k + 2) % 3];
        const double ex = j[1] * l[2] - j[2] * l[1], ey = j[2] * l[0] - j[0] * l[2],
                     ez = j[0] * l[1] - j[1] * l[0];
        a[k] = ex * fx + ey * fy + ez;
        ax[k] = ex * 2 / view.width;
        ay[k] = -ey * 2 / view.height;
        s += a[k];
        sx += ax[k];
        sy += ay[k];
      }
      s += s < 0 ? -1e-6 : 1e-6;
      for (int k = 0; k < 2; ++k) {
        const double u = a[k] / s;
        sum += weights.data[4 * i + k] * u + slopes.data[4 * i + 2 * k] * (ax[k] - u * sx) / s +
               slopes.data[4 * i + 2 * k + 1] * (ay[k] - u * sy) / s;
      }
    }
    return sum;
  };
  double largest = 0, worst = 0;
  for (std::int64_t element = 0; element < 4 * mesh.positions.num_rows; ++element) {
    if (element % 4 == 2) {
      CHECK(backward.grad_positions.data[element] == 0);
      continue;
    }
    constexpr double kStep = 1e-5;
    const double expected = (loss(element, kStep) - loss(element, -kStep)) / (2 * kStep);
    largest = std::max(largest, std::abs(expected));
    worst = std::max(worst, std::abs(expected - backward.grad_positions.data[element]));
  }
  CHECK(worst < 1e-4 * largest);
}

TEST_CASE("cuda kernels: interpolate and texture backward are the adjoints of forward") {
  Arena arena;
  const Mesh mesh = makeSphere(arena, 10, 12);
  const RasterizeParams fragments = draw(arena, mesh, 2, 33, 29);
  const auto dot = [](const Images& a, const Images& b) {
    double sum = 0;
    for (std::int64_t i = 0; i < a.image_stride * a.num_images; ++i)
      sum += static_cast<double>(a.data[i]) * b.data[i];
    return sum;
  };
  HostExecutor executor;
  InterpolateParams forward;
  const std::int64_t v = mesh.positions.num_rows;
  float* const attributes = arena.randomFloats(3 * v);
  forward.attributes = ConstRows(attributes, v, 3);
  forward.triangles = mesh.triangles;
  forward.rast = fragments.rast;
  forward.derivatives = fragments.derivatives;
  forward.num_differentiated = 2;
  forward.out = arena.images(2, 33, 29, 3);
  forward.out_derivatives = arena.images(2, 33, 29, 4);
  interpolate(forward, executor);
  InterpolateBackwardParams backward;
  backward.attributes = forward.attributes;
  backward.triangles = forward.triangles;
  backward.rast = forward.rast;
  backward.derivatives = forward.derivatives;
  backward.num_differentiated = 2;
  const Images y = arena.randomImages(2, 33, 29, 3), y_slopes = arena.randomImages(2, 33, 29, 4);
  backward.grad_out = y;
  backward.grad_out_derivatives = y_slopes;
  backward.grad_attributes = arena.rows(v, 3);
  interpolateBackward(backward, executor);
  double adjoint = 0;
  for (std::int64_t i = 0; i < 3 * v; ++i)
    adjoint += static_cast<double>(attributes[i]) * backward.grad_attributes.data[i];
  CHECK(dot(forward.out, y) + dot(forward.out_derivatives, y_slopes) ==
        doctest::Approx(adjoint).epsilon(1e-4));

  for (const Boundary boundary : {Boundary::kWrap, Boundary::kClamp, Boundary::kZero, Boundary::kCube}) {
    for (const int anisotropy : {1, 6}) {
      const int faces = boundary == Boundary::kCube ? 6 : 1;
      TextureParams params;
      TextureBackwardParams gradient;
      params.texture.num_levels = gradient.grad_texture.num_levels = 4;
      double expected = 0;
      for (int l = 0; l < 4; ++l) {
        params.texture.levels[l] = arena.randomImages(faces, 16 >> l, 16 >> l, 5);
        gradient.grad_texture.levels[l] = arena.images(faces, 16 >> l, 16 >> l, 5);
      }
      params.uv = arena.randomImages(2, 20, 21, faces == 6 ? 3 : 2, -1.5F, 1.5F);
      params.uv_derivatives = arena.randomImages(2, 20, 21, faces == 6 ? 6 : 4, -0.3F, 0.3F);
      params.filter = Filter::kLinearMipmapLinear;
      params.boundary = boundary;
      params.max_anisotropy = anisotropy;
      params.out = arena.images(2, 20, 21, 5);
      texture(params, executor);
      const Images weights = arena.randomImages(2, 20, 21, 5);
      gradient.forward = params;
      gradient.grad_out = weights;
      textureBackward(gradient, executor);
      for (int l = 0; l < 4; ++l) {
        for (std::int64_t i = 0; i < gradient.grad_texture.levels[l].image_stride * faces; ++i)
          expected +=
              static_cast<double>(gradient.grad_texture.levels[l].data[i]) * params.texture.levels[l].data[i];
      }
      CHECK(dot(params.out, weights) == doctest::Approx(expected).epsilon(1e-4));
    }
  }
}

TEST_CASE("cuda kernels: integer sums have the same bits in any order and the value of the float sums") {
  Arena arena;
  const Mesh mesh = makeSphere(arena, 10, 12);
  const RasterizeParams fragments = draw(arena, mesh, 1, 64, 64);
  InterpolateBackwardParams params;
  const std::int64_t v = mesh.positions.num_rows;
  params.attributes = mesh.positions;
  params.triangles = mesh.triangles;
  params.rast = fragments.rast;
  const Images grad = arena.randomImages(1, 64, 64, 4, -1e-3F, 1e-3F);
  params.grad_out = grad;
  params.grad_attributes = arena.rows(v, 4);
  const auto run = [&](bool deterministic, bool reversed) {
    HostExecutor executor(deterministic, reversed);
    interpolateBackward(params, executor);
    return std::vector<float>(params.grad_attributes.data, params.grad_attributes.data + 4 * v);
  };
  const std::vector<float> floats = run(false, false), integers = run(true, false);
  CHECK(integers == run(true, true));
  for (std::size_t i = 0; i < floats.size(); ++i) CHECK(std::abs(floats[i] - integers[i]) < 1e-7);

  // What is no number stays where it belongs.
  grad.data[4 * (32 * 64 + 32)] = INFINITY;
  const std::vector<float> poisoned = run(true, false);
  int wrong = 0, changed = 0;
  for (std::size_t i = 0; i < floats.size(); ++i) {
    wrong += std::isnan(poisoned[i]) ? 1 : 0;
    changed += std::isnan(poisoned[i]) || std::abs(poisoned[i] - floats[i]) < 1e-7 ? 0 : 1;
  }
  CHECK(wrong <= 3);
  CHECK(wrong > 0);
  CHECK(changed == 0);
}

TEST_CASE("cuda kernels: a region covers its elements and leaves the gaps") {
  std::vector<float> memory(60, 3.0F);
  const Region region = {memory.data(), 2, 3, 4, 6, 25};
  HostExecutor executor;
  zeroRegion(region, executor);
  CHECK(region.count() == 24);
  CHECK(std::count(memory.begin(), memory.end(), 0.0F) == 24);
  CHECK(memory[5] == 3.0F);
  CHECK(memory[6] == 0.0F);
  CHECK(memory[25 + 12 + 3] == 0.0F);
  CHECK(region.span() == 25 + 12 + 4);
}

TEST_CASE("cuda kernels: tiles of pixels visit each pixel once") {
  const int width = 19, height = 7, n = 3;
  std::vector<int> visits(static_cast<std::size_t>(width * height * n));
  for (std::int64_t i = 0; i < numTiledPixels(n, width, height); ++i) {
    const Pixel pixel = pixelFromTiledIndex(i, width, height);
    if (pixel.x < width && pixel.y < height)
      ++visits[static_cast<std::size_t>((pixel.image * height + pixel.y) * width + pixel.x)];
  }
  CHECK(std::count(visits.begin(), visits.end(), 1) == static_cast<std::ptrdiff_t>(visits.size()));
  const Pixel far = pixelFromIndex((std::int64_t{1} << 40) + 12345, 1 << 16, 1 << 16);
  CHECK(far.image == 256);
  CHECK(far.x == 12345);
}

TEST_CASE("cuda: wrong arguments are refused with names and numbers before anything is launched") {
  Arena arena;
  HostExecutor executor;
  const Mesh mesh = makeSphere(arena, 3, 4);
  RasterizeParams params;
  params.positions = mesh.positions;
  params.triangles = mesh.triangles;
  params.rast = arena.images(1, 8, 8, 4);
  params.rast.row_stride = 31;
  CHECK_THROWS_WITH_AS(
      rasterize(params, executor),
      "rasterize: rast has a row stride of 31 elements, but a row of 8 pixels and 4 channels needs 32",
      std::invalid_argument);
  params.rast = arena.images(1, 8, 8, 4);
  const std::int32_t ranges[2] = {10, 1000};
  params.ranges = ranges;
  CHECK_THROWS_AS(rasterize(params, executor), std::invalid_argument);
  TextureParams texture_params;
  texture_params.texture.num_levels = 2;
  texture_params.texture.levels[0] = arena.images(1, 6, 5, 3);
  texture_params.texture.levels[1] = arena.images(1, 3, 2, 3);
  CHECK_THROWS_AS(texture(texture_params, executor), std::invalid_argument);
}

TEST_CASE("cuda: without a device the reason is given, and a context is refused with it") {
  std::string why;
  if (cudaAvailable(&why)) {
    MESSAGE("skipped: there is a device");
    return;
  }
  CHECK(!why.empty());
  CHECK_THROWS_AS(CudaContext(), std::runtime_error);
}

}  // namespace facet::ops::cuda
