// A model as large as the Basel ones: 53,490 vertices, 199 identity and 100 expression modes.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "core/io/facet_model.h"
#include "core/io/model_io.h"
#include "core/parallel.h"
#include "viewer/shaped_head.h"

namespace {

using namespace facet;

constexpr int kVertices = 53490, kIdentity = 199, kExpression = 100;

const MorphableModel& largeModel(Basis::Precision precision) {
  const auto make = [](bool is_half) {
    MorphableModel model;
    model.id = model.name = "large";
    model.mean = Points3::Random(kVertices, 3) * 100;
    model.triangles.resize(2 * kVertices, 3);
    for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
      for (int k = 0; k < 3; ++k) model.triangles(f, k) = static_cast<std::int32_t>((f + 7 * k) % kVertices);
    }
    const auto basis = [is_half](int count) {
      const Eigen::MatrixXf modes = Eigen::MatrixXf::Random(3 * kVertices, count);
      return is_half ? Basis::half(modes) : Basis(modes);
    };
    model.identity = basis(kIdentity);
    model.expression = basis(kExpression);
    for (int e = 0; e < kExpression; ++e) model.expression_names.push_back("expression" + std::to_string(e));
    return model;
  };
  static const MorphableModel floats = make(false), halves = make(true);
  return precision == Basis::Precision::kHalf ? halves : floats;
}

void vertices(benchmark::State& state) {
  setNumThreads(1);
  const bool is_half = state.range(0) == 16;
  const MorphableModel& model = largeModel(is_half ? Basis::Precision::kHalf : Basis::Precision::kFloat);
  const Eigen::VectorXf identity = Eigen::VectorXf::Random(kIdentity),
                        expression = Eigen::VectorXf::Random(kExpression);
  for (auto _ : state) benchmark::DoNotOptimize(model.vertices(identity, expression));
  state.SetBytesProcessed(state.iterations() * (model.identity.size() + model.expression.size()) *
                          (is_half ? 2 : 4));
}
BENCHMARK(vertices)->ArgName("bits")->Arg(16)->Arg(32)->Unit(benchmark::kMillisecond);

// One slider of facet-view's: surface and normals of that model, its triangles those of a grid.
void moveSlider(benchmark::State& state) {
  setNumThreads(static_cast<int>(state.range(0)));
  MorphableModel model = largeModel(Basis::Precision::kHalf);
  constexpr int kColumns = 230;
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    const auto corner = static_cast<std::int32_t>(f / 2 % (kVertices - kColumns - 1));
    if (f % 2 == 0)
      model.triangles.row(f) << corner, corner + 1, corner + kColumns + 1;
    else
      model.triangles.row(f) << corner, corner + kColumns + 1, corner + kColumns;
  }
  ShapedHead head(model);
  head.randomize(ShapeGroup::kIdentity, 1, 1);
  head.randomize(ShapeGroup::kExpression, 1, 1);
  head.normals();
  float value = 0;
  for (auto _ : state) {
    head.set(static_cast<int>(state.range(1)) == 0 ? ShapeGroup::kIdentity : ShapeGroup::kExpression, 17,
             value += 0.01F);
    benchmark::DoNotOptimize(head.vertices());
    benchmark::DoNotOptimize(head.normals());
  }
  setNumThreads(0);
}
BENCHMARK(moveSlider)
    ->ArgNames({"threads", "expression"})
    ->ArgsProduct({{1, 2}, {0, 1}})
    ->Unit(benchmark::kMillisecond);

// What the memory gives one thread: the sum of as many bytes, the fastest thing that can be done with them.
void readMemory(benchmark::State& state) {
  const std::size_t num_bytes = std::size_t{3} * kVertices * (kIdentity + kExpression) * 2;
  const std::vector<std::uint64_t> words(num_bytes / 8, 1);
  for (auto _ : state) {
    std::uint64_t sums[8] = {};
    for (std::size_t i = 0; i + 8 <= words.size(); i += 8) {
      for (int k = 0; k < 8; ++k) sums[k] += words[i + k];
    }
    benchmark::DoNotOptimize(sums);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(num_bytes));
}
BENCHMARK(readMemory)->Unit(benchmark::kMillisecond);

// facet's own file of the model in floats, 194 MB: mapped, not read.
void openModel(benchmark::State& state) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "facet_bench_large_model.npz";
  writeFacetModel(path, largeModel(Basis::Precision::kFloat));
  for (auto _ : state) benchmark::DoNotOptimize(readFacetModel(path));
  state.counters["MB"] = static_cast<double>(std::filesystem::file_size(path)) / 1e6;
  std::filesystem::remove(path);
}
BENCHMARK(openModel)->Unit(benchmark::kMillisecond);

void loadBuiltin(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(loadModel("builtin"));
}
BENCHMARK(loadBuiltin)->Unit(benchmark::kMillisecond);

// ICT-FaceKit where FACET_BENCH_ICT names it: its folder, or the packed file.
void loadIct(benchmark::State& state) {
  const char* path = std::getenv("FACET_BENCH_ICT");
  if (path == nullptr) {
    state.SkipWithError("FACET_BENCH_ICT is not set");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(loadModel(path));
}
BENCHMARK(loadIct)->Unit(benchmark::kMillisecond);

}  // namespace
