// Time of the landmark fit alone: one face, all landmarks of the built-in model, pixel noise of a real
// detector.
#include <benchmark/benchmark.h>

#include <random>

#include "core/io/model_io.h"
#include "core/parallel.h"
#include "fitting/landmark_fit.h"

namespace {

using namespace facet;

void fitOneFace(benchmark::State& state) {
  const MorphableModel model = loadModel("builtin");
  std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  Eigen::VectorXf identity(model.numIdentity());
  for (float& coefficient : identity) coefficient = normal(generator);
  Camera camera;
  camera.width_px = camera.height_px = 640;
  camera.principal_px = {320, 320};
  camera.focal_px = 2000;
  camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation() = Eigen::Vector3f(0, 0, 1100);
  const Points3 vertices = model.vertices(identity);
  FitLandmarks landmarks;
  const auto observe = [&](const LandmarkEmbedding& embedding) {
    LandmarkSet set{camera.imageFromModel(embedding.points(vertices, model.triangles)), {}};
    for (int i = 0; i < set.size(); ++i)
      set.positions_px.row(i) += Eigen::RowVector2f(normal(generator), normal(generator)) * 3;
    set.sigma_px = Eigen::VectorXf::Constant(set.size(), 3);
    return set;
  };
  landmarks.ibug68 = observe(model.landmarks68);
  landmarks.dense = observe(model.dense);
  landmarks.jaw_is_outline = state.range(1) != 0;
  setNumThreads(static_cast<int>(state.range(0)));
  for (auto _ : state)
    benchmark::DoNotOptimize(fitLandmarks(model, landmarks, camera.width_px, camera.height_px));
}

}  // namespace

BENCHMARK(fitOneFace)
    ->ArgNames({"threads", "sliding_jaw"})
    ->ArgsProduct({{1, 2}, {0, 1}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

BENCHMARK_MAIN();
