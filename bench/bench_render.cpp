// Speed of the rasterizer and of what is built on it, on a head-like mesh that fills most of the image.
// Arguments of rasterize: image side in px, thousands of triangles, threads. Minimum over repetitions is the
// figure to quote on a shared machine: facet_bench_render --benchmark_repetitions=10
// --benchmark_report_aggregates_only

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/parallel.h"
#include "render/face_renderer.h"
#include "render/rasterize.h"

namespace facet {
namespace {

// Bumpy ellipsoid of about `num_triangles` near-equal quads cut in two; millimetres.
Mesh makeHead(int num_triangles) {
  const int rings = static_cast<int>(std::sqrt(num_triangles / 4.0));
  const int segments = 2 * rings;
  Mesh mesh;
  mesh.vertices.resize((rings + 1) * segments, 3);
  mesh.uv.resize(mesh.vertices.rows(), 2);
  mesh.triangles.resize(2 * rings * segments, 3);
  for (int i = 0; i <= rings; ++i) {
    for (int j = 0; j < segments; ++j) {
      const double polar = std::numbers::pi * i / rings, around = 2 * std::numbers::pi * j / segments;
      const double bump = 1 + 0.04 * std::sin(7 * around) * std::sin(5 * polar) + 0.02 * std::sin(19 * polar);
      mesh.vertices.row(i * segments + j)
          << static_cast<float>(85 * bump * std::sin(polar) * std::cos(around)),
          static_cast<float>(115 * bump * std::cos(polar)),
          static_cast<float>(95 * bump * std::sin(polar) * std::sin(around));
      mesh.uv.row(i * segments + j) << static_cast<float>(j) / static_cast<float>(segments),
          static_cast<float>(i) / static_cast<float>(rings);
    }
  }
  for (int i = 0; i < rings; ++i) {
    for (int j = 0; j < segments; ++j) {
      const int a = i * segments + j, b = i * segments + (j + 1) % segments, c = a + segments,
                d = b + segments;
      mesh.triangles.row(2 * (i * segments + j)) << a, b, d;
      mesh.triangles.row(2 * (i * segments + j) + 1) << a, d, c;
    }
  }
  mesh.uv_triangles = mesh.triangles;
  return mesh;
}

Camera makeCamera(int side_px) {
  Camera camera;
  camera.width_px = camera.height_px = side_px;
  camera.focal_px = 2.5F * static_cast<float>(side_px);
  camera.principal_px.setConstant(0.5F * static_cast<float>(side_px));
  camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation().z() = 620;
  return camera;
}

void setThroughput(benchmark::State& state, int side_px) {
  state.counters["time_per_px"] =
      benchmark::Counter(static_cast<double>(side_px) * side_px,
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void rasterizeHead(benchmark::State& state, bool derivatives) {
  const int side_px = static_cast<int>(state.range(0));
  const Mesh mesh = makeHead(1000 * static_cast<int>(state.range(1)));
  const Points4 clip = makeCamera(side_px).clipFromModel(mesh.vertices);
  setNumThreads(static_cast<int>(state.range(2)));
  Fragments fragments;
  for (auto _ : state) {
    fragments = rasterize(clip, mesh.triangles, side_px, side_px, {.derivatives = derivatives});
    benchmark::DoNotOptimize(fragments.rast.data());
  }
  std::ptrdiff_t covered = 0;
  for (int y = 0; y < side_px; ++y) {
    for (int x = 0; x < side_px; ++x) covered += fragments.triangle(x, y) >= 0 ? 1 : 0;
  }
  state.counters["triangles"] = static_cast<double>(mesh.triangles.rows());
  state.counters["covered"] = static_cast<double>(covered) / (static_cast<double>(side_px) * side_px);
  setThroughput(state, side_px);
  setNumThreads(0);
}

void interpolateHead(benchmark::State& state) {
  const int side_px = 1024;
  const Mesh mesh = makeHead(25'000);
  const Fragments fragments =
      rasterize(makeCamera(side_px).clipFromModel(mesh.vertices), mesh.triangles, side_px, side_px);
  setNumThreads(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(interpolate(fragments, mesh.triangles, mesh.vertices).data());
  setThroughput(state, side_px);
  setNumThreads(0);
}

void sampleTextureHead(benchmark::State& state) {
  const int side_px = 1024;
  const Mesh mesh = makeHead(25'000);
  const Fragments fragments =
      rasterize(makeCamera(side_px).clipFromModel(mesh.vertices), mesh.triangles, side_px, side_px);
  const ImageF uv = interpolate(fragments, mesh.triangles, mesh.uv);
  const ImageF texture(1024, 1024, 3, 0.5F);
  setNumThreads(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        sampleTexture(texture, uv, TextureFilter::kLinear, TextureBoundary::kClamp, &fragments).data());
  }
  setThroughput(state, side_px);
  setNumThreads(0);
}

void renderHead(benchmark::State& state) {
  const int side_px = 1024;
  const Mesh mesh = makeHead(25'000);
  const Camera camera = makeCamera(side_px);
  setNumThreads(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(renderFace(mesh, camera).colour.data());
  setThroughput(state, side_px);
  setNumThreads(0);
}

BENCHMARK_CAPTURE(rasterizeHead, forward, false)
    ->ArgNames({"px", "ktri", "threads"})
    ->Args({1024, 25, 1})
    ->Args({1024, 25, 2})
    ->Args({1024, 70, 1})
    ->Args({1024, 70, 2})
    ->Args({256, 70, 1})
    ->Args({256, 70, 2})
    ->Args({2048, 70, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(rasterizeHead, derivatives, true)
    ->ArgNames({"px", "ktri", "threads"})
    ->Args({1024, 25, 1})
    ->Args({1024, 70, 2})
    ->Args({256, 70, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(interpolateHead)->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(sampleTextureHead)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(renderHead)->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace facet

BENCHMARK_MAIN();
