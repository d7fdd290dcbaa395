// Speed of the differentiable operations on the CPU, forward and backward, as ratios that survive a shared
// machine: every round runs each contestant once, and the minimum over the rounds counts.
//   facet_bench_ops [--rounds N] [--threads N] [--all]
// Beside each time: the same work by the plain scalar code of the tests (one thread), the bytes that must
// move at least per pixel, how many times longer than a copy of as many bytes it takes, and floating-point
// operations per pixel by count of the inner loop.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <numbers>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/camera.h"
#include "core/parallel.h"
#include "render/image_views.h"
#include "render/ops/antialias.h"
#include "render/ops/interpolate.h"
#include "render/ops/rasterize.h"
#include "render/ops/texture.h"
#include "tests/render/ops/scalar_antialias.h"
#include "tests/render/ops/scalar_reference.h"
#include "tests/render/ops/scalar_texture.h"

namespace facet {
namespace {

using Clock = std::chrono::steady_clock;

// Bumpy sphere of about `num_triangles`, seen in perspective; it fills some 60 % of the frame.
struct Sphere {
  Points3 vertices;
  Points2 uv;
  Triangles triangles;

  explicit Sphere(int num_triangles) {
    const int rings = static_cast<int>(std::sqrt(num_triangles / 4.0)), segments = 2 * rings;
    vertices.resize((rings + 1) * segments, 3);
    uv.resize(vertices.rows(), 2);
    triangles.resize(2 * rings * segments, 3);
    for (int i = 0; i <= rings; ++i) {
      for (int j = 0; j < segments; ++j) {
        const double polar = std::numbers::pi * i / rings, around = 2 * std::numbers::pi * j / segments;
        const double radius = 100 * (1 + 0.04 * std::sin(7 * around) * std::sin(5 * polar));
        vertices.row(i * segments + j) << static_cast<float>(radius * std::sin(polar) * std::cos(around)),
            static_cast<float>(radius * std::cos(polar)),
            static_cast<float>(radius * std::sin(polar) * std::sin(around));
        uv.row(i * segments + j) << static_cast<float>(j) / static_cast<float>(segments),
            static_cast<float>(i) / static_cast<float>(rings);
        if (i == rings) continue;
        const int a = i * segments + j, b = i * segments + (j + 1) % segments, c = a + segments,
                  d = b + segments;
        triangles.row(2 * (i * segments + j)) << a, b, d;
        triangles.row(2 * (i * segments + j) + 1) << a, d, c;
      }
    }
  }
};

Camera cameraOf(int side_px) {
  Camera camera;
  camera.width_px = camera.height_px = side_px;
  camera.focal_px = 2.6F * static_cast<float>(side_px);
  camera.principal_px.setConstant(0.5F * static_cast<float>(side_px));
  camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation().z() = 620;
  return camera;
}

ImageF randomImage(int width, int height, int channels) {
  std::mt19937 generator(static_cast<unsigned>(width + channels));
  std::uniform_real_distribution<float> uniform(0, 1);
  ImageF image(width, height, channels);
  for (std::size_t i = 0; i < image.size(); ++i) image.data()[i] = uniform(generator);
  return image;
}

struct Contestant {
  std::string name;
  std::function<void()> run;
  std::function<void()> scalar;  // or empty
  double bytes_per_px = 0, flops_per_px = 0;
  double best_ms = std::numeric_limits<double>::infinity(), best_scalar_ms = best_ms, best_copy_ms = best_ms;
};

void time(const std::function<void()>& work, double* best_ms) {
  const auto start = Clock::now();
  work();
  *best_ms = std::min(*best_ms, std::chrono::duration<double, std::milli>(Clock::now() - start).count());
}

// One mip stack with room for its gradient.
struct Texture {
  std::vector<ImageF> levels, grad_levels;
  ops::MipStack stack, grad;
  ops::ConstMipStack readable;

  Texture(int side, int channels, bool mipmaps) {
    const int num_levels = mipmaps ? ops::numMipLevels(side, side) : 1;
    for (int l = 0; l < num_levels; ++l) {
      levels.push_back(randomImage(side >> l, side >> l, channels));
      grad_levels.emplace_back(side >> l, side >> l, channels);
    }
    stack.num_levels = grad.num_levels = readable.num_levels = num_levels;
    for (int l = 0; l < num_levels; ++l) {
      const auto i = static_cast<std::size_t>(l);
      stack.levels[l] = view(levels[i]);
      grad.levels[l] = view(grad_levels[i]);
      readable.levels[l] = stack.levels[l];
    }
    if (mipmaps) ops::buildMipStackCpu(stack);
  }
};

void benchScene(int side_px, int num_triangles, int rounds, bool with_scalar) {
  const Sphere sphere(num_triangles);
  const Points4 clip = cameraOf(side_px).clipFromModel(sphere.vertices);
  const int n = side_px;
  ImageF rast(n, n, 4), slopes(n, n, 4), colour3(n, n, 3), sharp3 = randomImage(n, n, 3), uv(n, n, 2),
                                                           uv_slopes(n, n, 4);
  ImageF grad_rast = randomImage(n, n, 4), grad_rast_out(n, n, 4), grad3 = randomImage(n, n, 3),
         grad3_out(n, n, 3);
  ImageF grad_slopes = randomImage(n, n, 4), grad_uv(n, n, 2), grad_uv_slopes(n, n, 4);
  Points4 grad_clip(clip.rows(), 4);
  Points3 colours = Points3::Random(clip.rows(), 3), grad_colours(clip.rows(), 3);
  std::vector<std::int32_t> opposite(static_cast<std::size_t>(sphere.triangles.size()));
  ops::buildTopology(view(sphere.triangles), clip.rows(), opposite.data());
  const auto constView = [](const ImageF& image) { return view(image); };

  ops::RasterizeParams rasterize;
  rasterize.positions = view(clip);
  rasterize.triangles = view(sphere.triangles);
  rasterize.rast = view(rast);
  rasterize.derivatives = view(slopes);
  ops::rasterizeCpu(rasterize);
  ops::InterpolateParams texture_coordinates;
  texture_coordinates.attributes = view(sphere.uv);
  texture_coordinates.triangles = view(sphere.triangles);
  texture_coordinates.rast = constView(rast);
  texture_coordinates.derivatives = constView(slopes);
  texture_coordinates.num_differentiated = 2;
  texture_coordinates.out = view(uv);
  texture_coordinates.out_derivatives = view(uv_slopes);
  ops::interpolateCpu(texture_coordinates);

  ops::RasterizeBackwardParams rasterize_backward;
  rasterize_backward.positions = view(clip);
  rasterize_backward.triangles = view(sphere.triangles);
  rasterize_backward.rast = constView(rast);
  rasterize_backward.grad_rast = constView(grad_rast);
  rasterize_backward.grad_positions = view(grad_clip);
  ops::InterpolateParams interpolate;
  interpolate.attributes = view(std::as_const(colours));
  interpolate.triangles = view(sphere.triangles);
  interpolate.rast = constView(rast);
  interpolate.out = view(colour3);
  ops::InterpolateBackwardParams interpolate_backward;
  interpolate_backward.attributes = interpolate.attributes;
  interpolate_backward.triangles = interpolate.triangles;
  interpolate_backward.rast = interpolate.rast;
  interpolate_backward.grad_out = constView(grad3);
  interpolate_backward.grad_attributes = view(grad_colours);
  interpolate_backward.grad_rast = view(grad_rast_out);
  ops::AntialiasParams antialias;
  antialias.colour = constView(sharp3);
  antialias.rast = constView(rast);
  antialias.positions = view(clip);
  antialias.triangles = view(sphere.triangles);
  antialias.opposite = opposite.data();
  antialias.out = view(colour3);
  ops::AntialiasBackwardParams antialias_backward;
  antialias_backward.forward = antialias;
  antialias_backward.grad_out = constView(grad3);
  antialias_backward.grad_colour = view(grad3_out);
  antialias_backward.grad_positions = view(grad_clip);
  ops::EdgeGradientParams edges;
  edges.colour = constView(sharp3);
  edges.rast = constView(rast);
  edges.positions = view(clip);
  edges.triangles = view(sphere.triangles);
  edges.grad_out = constView(grad3);
  edges.grad_positions = view(grad_clip);

  // A texture of about one texel per pixel.
  const int texture_px = std::min(n, 1024);
  Texture linear3(texture_px, 3, false), trilinear3(texture_px, 3, true), linear16(texture_px, 16, false);
  ImageF out16(n, n, 16), grad16 = randomImage(n, n, 16);
  const auto textureBackward = [&](Texture& texture, ImageF& out, const ImageF& grad, ops::Filter filter) {
    ops::TextureBackwardParams params;
    params.forward.texture = texture.readable;
    params.forward.uv = constView(uv);
    params.forward.mask = constView(rast);
    params.forward.filter = filter;
    params.forward.out = view(out);
    params.grad_out = view(grad);
    params.grad_texture = texture.grad;
    params.grad_uv = view(grad_uv);
    if (filter == ops::Filter::kLinearMipmapLinear) {
      params.forward.uv_derivatives = constView(uv_slopes);
      params.grad_uv_derivatives = view(grad_uv_slopes);
    }
    return params;
  };
  const ops::TextureBackwardParams linear = textureBackward(linear3, colour3, grad3, ops::Filter::kLinear);
  const ops::TextureBackwardParams trilinear =
      textureBackward(trilinear3, colour3, grad3, ops::Filter::kLinearMipmapLinear);
  const ops::TextureBackwardParams wide = textureBackward(linear16, out16, grad16, ops::Filter::kLinear);

  const std::int64_t pixels = std::int64_t{n} * n;
  ImageF scalar_rast(n, n, 4), scalar_slopes(n, n, 4);
  const auto scalarTexture = [](const ops::TextureParams& params) {
    return [&params] { test::ScalarTexture{params}.forward(); };
  };
  std::vector<Contestant> all = {
      {"rasterize + derivatives", [&] { ops::rasterizeCpu(rasterize); },
       [&] {
         test::rasterizeScalar(clip.data(), sphere.triangles.data(), sphere.triangles.rows(), n, n,
                               scalar_rast.data(), scalar_slopes.data());
       },
       32, 60},
      {"rasterize backward", [&] { ops::rasterizeBackwardCpu(rasterize_backward); }, {}, 32, 90},
      {"interpolate 3", [&] { ops::interpolateCpu(interpolate); },
       [&] {
         test::interpolateScalar(colours.data(), 3, sphere.triangles.data(), rast.data(), pixels,
                                 colour3.data());
       },
       28, 15},
      {"interpolate 3 backward", [&] { ops::interpolateBackwardCpu(interpolate_backward); }, {}, 44, 30},
      {"texture linear 3", [&] { ops::textureCpu(linear.forward); }, scalarTexture(linear.forward), 36, 35},
      {"texture linear 3 fwd+bwd",
       [&] {
         ops::textureCpu(linear.forward);
         ops::textureBackwardCpu(linear);
       },
       {},
       92,
       110},
      {"texture trilinear 3", [&] { ops::textureCpu(trilinear.forward); }, scalarTexture(trilinear.forward),
       52, 90},
      {"texture trilinear 3 fwd+bwd",
       [&] {
         ops::textureCpu(trilinear.forward);
         ops::textureBackwardCpu(trilinear);
       },
       {},
       140,
       280},
      {"texture linear 16", [&] { ops::textureCpu(wide.forward); }, scalarTexture(wide.forward), 88, 140},
      {"texture linear 16 fwd+bwd",
       [&] {
         ops::textureCpu(wide.forward);
         ops::textureBackwardCpu(wide);
       },
       {},
       250,
       450},
      {"antialias 3", [&] { ops::antialiasCpu(antialias); },
       [&] {
         test::ScalarAntialias<float>{
             n, n, 3, sharp3.data(), rast.data(), clip.data(), sphere.triangles.data(), opposite.data()}
             .run(colour3.data());
       },
       28, 2},
      {"antialias 3 backward", [&] { ops::antialiasBackwardCpu(antialias_backward); }, {}, 40, 3},
      {"edge gradients 3", [&] { ops::edgeGradientCpu(edges); }, {}, 40, 40},
      {"whole step, RGB, mip texture",
       [&] {
         ops::buildMipStackCpu(trilinear3.stack);
         ops::rasterizeCpu(rasterize);
         ops::interpolateCpu(texture_coordinates);
         ops::textureCpu(trilinear.forward);
         ops::antialiasCpu(antialias);
         ops::antialiasBackwardCpu(antialias_backward);
         ops::textureBackwardCpu(trilinear);
         ops::buildMipStackBackwardCpu(trilinear3.grad);
         ops::InterpolateBackwardParams uv_backward;
         uv_backward.attributes = texture_coordinates.attributes;
         uv_backward.triangles = texture_coordinates.triangles;
         uv_backward.rast = texture_coordinates.rast;
         uv_backward.derivatives = texture_coordinates.derivatives;
         uv_backward.num_differentiated = 2;
         uv_backward.grad_out = constView(grad_uv);
         uv_backward.grad_out_derivatives = constView(grad_uv_slopes);
         uv_backward.grad_rast = view(grad_rast_out);
         uv_backward.grad_derivatives = view(grad_slopes);
         ops::interpolateBackwardCpu(uv_backward);
         ops::RasterizeBackwardParams all_backward = rasterize_backward;
         all_backward.grad_rast = constView(grad_rast_out);
         all_backward.grad_derivatives = constView(grad_slopes);
         ops::rasterizeBackwardCpu(all_backward);
       },
       {},
       420,
       500}};

  std::vector<char> from, to;
  for (const Contestant& c : all) {
    const auto bytes =
        static_cast<std::size_t>(c.bytes_per_px * static_cast<double>(pixels) / 2);  // read and written
    from.resize(std::max(from.size(), bytes), 1);
    to.resize(std::max(to.size(), bytes), 1);
  }
  for (int round = 0; round < rounds; ++round) {
    for (Contestant& c : all) {
      time(c.run, &c.best_ms);
      const auto half = static_cast<std::int64_t>(c.bytes_per_px * static_cast<double>(pixels) / 2);
      constexpr std::int64_t kPiece = 1 << 20;
      time(
          [&] {
            parallelFor(static_cast<int>((half + kPiece - 1) / kPiece), 1, [&](int begin, int end) {
              for (std::int64_t i = begin; i < end; ++i)
                std::memcpy(to.data() + i * kPiece, from.data() + i * kPiece,
                            static_cast<std::size_t>(std::min(kPiece, half - i * kPiece)));
            });
          },
          &c.best_copy_ms);
      if (c.scalar && with_scalar && round < 3) time(c.scalar, &c.best_scalar_ms);
    }
  }
  std::int64_t covered = 0;
  for (std::int64_t i = 0; i < pixels; ++i) covered += rast.data()[4 * i + 3] > 0 ? 1 : 0;
  std::printf("\n%d^2 px, %lld triangles, %.0f %% covered, %d threads, minimum of %d rounds\n", n,
              static_cast<long long>(sphere.triangles.rows()),
              100.0 * static_cast<double>(covered) / static_cast<double>(pixels), numThreads(), rounds);
  const Contestant& largest = all.back();  // its copy is the largest, so that caches help least
  std::printf("memory copy %.1f GB/s (bytes read + bytes written), texture %d^2\n",
              largest.bytes_per_px * static_cast<double>(pixels) / largest.best_copy_ms / 1e6, texture_px);
  std::printf("| %-28s | %8s | %12s | %8s | %10s | %8s | %8s |\n", "operation", "ms", "scalar ms", "ratio",
              "bytes / px", "x copy", "flop/px");
  std::printf("|---|---|---|---|---|---|---|\n");
  for (const Contestant& c : all) {
    char scalar[32] = "", ratio[32] = "";
    if (std::isfinite(c.best_scalar_ms)) {
      std::snprintf(scalar, sizeof scalar, "%.1f", c.best_scalar_ms);
      std::snprintf(ratio, sizeof ratio, "%.1f", c.best_scalar_ms / c.best_ms);
    }
    std::printf("| %-28s | %8.2f | %12s | %8s | %10.0f | %8.1f | %8.0f |\n", c.name.c_str(), c.best_ms,
                scalar, ratio, c.bytes_per_px, c.best_ms / c.best_copy_ms, c.flops_per_px);
  }
  std::fflush(stdout);
}

}  // namespace
}  // namespace facet

int main(int argc, char** argv) {
  int rounds = 15;
  bool all = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--all") {
      all = true;
    } else if ((argument == "--rounds" || argument == "--threads") && i + 1 < argc &&
               std::atoi(argv[i + 1]) > 0) {
      const int value = std::atoi(argv[++i]);
      if (argument == "--rounds")
        rounds = value;
      else
        facet::setNumThreads(value);
    } else {
      std::fprintf(stderr, "usage: %s [--rounds N] [--threads N] [--all]\n", argv[0]);
      return 2;
    }
  }
  if (!all) {
    facet::benchScene(1024, 70'000, rounds, true);
    facet::benchScene(256, 70'000, rounds, true);
    facet::benchScene(2048, 70'000, rounds, false);
    return 0;
  }
  for (const int side_px : {256, 512, 1024, 2048})
    for (const int thousands : {10, 35, 70, 300})
      facet::benchScene(side_px, 1000 * thousands, rounds, side_px <= 1024);
}
