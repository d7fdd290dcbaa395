// Times of what an animator's head takes, on one thread: data maps, padding, levels of detail, and a head of
// another topology (the built-in one with halved edges, 46,000 vertices) wrapped onto the built-in one.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <utility>

#include "assets/baked_maps.h"
#include "assets/head_asset.h"
#include "assets/lod.h"
#include "assets/retopology.h"
#include "assets/skin_detail.h"
#include "core/io/glb.h"
#include "core/io/glb_model.h"
#include "core/io/glb_reader.h"
#include "core/io/model_io.h"
#include "core/parallel.h"
#include "render/uv_maps.h"

namespace {

using namespace facet;

const MorphableModel& builtin() {
  static const MorphableModel model = [] {
    setNumThreads(1);
    return loadModel("builtin");
  }();
  return model;
}

ImageF grainySkin(int size) {
  ImageF texture(size, size, 3);
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> grain(0.36F, 0.44F);
  for (std::size_t i = 0; i < texture.size(); ++i) texture.data()[i] = grain(generator);
  return texture;
}

void occlusionAndRoughness(benchmark::State& state) {
  const MorphableModel& model = builtin();
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        occlusionRoughnessMap(model, model.mean, {.size_px = static_cast<int>(state.range(0))}));
  }
}
BENCHMARK(occlusionAndRoughness)->Arg(1024)->Arg(2048)->Arg(4096)->Unit(benchmark::kMillisecond);

void skinDetail(benchmark::State& state) {
  const MorphableModel& model = builtin();
  const ImageF texture = grainySkin(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(skinDetailNormalMap(model, model.mean, texture, {}));
}
BENCHMARK(skinDetail)->Arg(1024)->Arg(2048)->Arg(4096)->Unit(benchmark::kMillisecond);

void padding(benchmark::State& state) {
  const MorphableModel& model = builtin();
  const Image8 coverage = uvCoverage(rasterizeUv(model.mesh(model.mean), static_cast<int>(state.range(0))));
  ImageF map = grainySkin(static_cast<int>(state.range(0)));
  for (auto _ : state) padSeams(map, coverage);
}
BENCHMARK(padding)->Arg(512)->Arg(1024)->Arg(2048)->Arg(4096)->Unit(benchmark::kMillisecond);

void fourLevelsOfDetail(benchmark::State& state) {
  const FaceAsset asset = headAsset(builtin(), builtin().mean, {}, {1, 1, 1});
  for (auto _ : state) benchmark::DoNotOptimize(levelsOfDetail(asset));
}
BENCHMARK(fourLevelsOfDetail)->Unit(benchmark::kMillisecond);

template <typename Rows>
Triangles halved(const Triangles& triangles, Rows& rows) {
  std::map<std::pair<int, int>, int> middle;
  auto count = static_cast<int>(rows.rows());
  const auto middleOf = [&](int a, int b) {
    const auto [entry, is_new] = middle.try_emplace(std::minmax(a, b), count);
    count += is_new;
    return entry->second;
  };
  Triangles finer(4 * triangles.rows(), 3);
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    const int a = triangles(f, 0), b = triangles(f, 1), c = triangles(f, 2);
    const int ab = middleOf(a, b), bc = middleOf(b, c), ca = middleOf(c, a);
    finer.middleRows(4 * f, 4) << a, ab, ca, b, bc, ab, c, ca, bc, ab, bc, ca;
  }
  rows.conservativeResize(count, rows.cols());
  for (const auto& [edge, v] : middle) rows.row(v) = 0.5F * (rows.row(edge.first) + rows.row(edge.second));
  return finer;
}

void wrapOntoBuiltin(benchmark::State& state) {
  const MorphableModel& model = builtin();
  MorphableModel source;
  source.id = source.name = "halved";
  source.mean = model.vertices(Eigen::VectorXf::Constant(20, 0.5F));
  source.uv = model.uv;
  const Points3 landmarks = model.landmarks68.points(source.mean, model.triangles);
  source.triangles = halved(model.triangles, source.mean);
  source.uv_triangles = halved(model.uv_triangles, source.uv);
  const ImageF texture = grainySkin(1024);
  RetopologyOptions options;
  options.texture_size_px = options.normal_map_size_px = static_cast<int>(state.range(0));
  for (auto _ : state)
    benchmark::DoNotOptimize(wrapHead(model, source, source.mean, texture, options, landmarks));
}
// A head whose every vertex moves in each of 130 shapes, as PCA modes do: 38 MB.
void openGlb(benchmark::State& state) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "facet-bench.glb";
  const MorphableModel model = loadModel("builtin");
  FaceAsset asset;
  asset.mesh = model.mesh(model.mean);
  std::srand(1);
  for (int i = 0; i < 130; ++i)
    asset.targets.push_back({"mode " + std::to_string(i), Points3::Random(model.numVertices(), 3)});
  writeGlb(path, asset);
  state.counters["MB"] = static_cast<double>(std::filesystem::file_size(path)) / 1e6;
  for (auto _ : state) {
    const FaceAsset read = readGlb(path);
    benchmark::DoNotOptimize(modelFromAsset(read, path));
  }
  std::filesystem::remove(path);
}
BENCHMARK(openGlb)->Unit(benchmark::kMillisecond);

BENCHMARK(wrapOntoBuiltin)->Arg(1024)->Arg(2048)->Arg(4096)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace

BENCHMARK_MAIN();
