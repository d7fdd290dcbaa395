// Times of the path from a photo to a face: the landmark fit alone (all landmarks of the built-in model,
// pixel noise of a real detector), each network alone, and a portrait of 512 x 512 pixels from its pixels to
// the fitted face, warm.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <opencv2/core/utility.hpp>
#include <random>

#include "core/io/image_io.h"
#include "core/io/model_io.h"
#include "core/parallel.h"
#include "fitting/coefficient_guess.h"
#include "fitting/face_detector.h"
#include "fitting/face_parser.h"
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

// A portrait of 512 x 512 pixels from FACET_BENCH_PHOTO; a face in it is needed.
const Image8& portrait(benchmark::State& state) {
  static const Image8 photo = [] {
    const char* path = std::getenv("FACET_BENCH_PHOTO");
    return path ? readPhoto(path) : Image8();
  }();
  if (photo.empty()) state.SkipWithError("set FACET_BENCH_PHOTO to a portrait");
  return photo;
}

void detectFaces(benchmark::State& state) {
  const Image8& photo = portrait(state);
  if (photo.empty()) return;
  setNumThreads(static_cast<int>(state.range(0)));
  cv::setNumThreads(static_cast<int>(state.range(0)));
  const LandmarkRegressor regressor;
  const FaceDetector detector;
  for (auto _ : state) benchmark::DoNotOptimize(detector.detect(photo, regressor));
}

// One crop through the face network: cutting it out and all that the answer needs.
void readFace(benchmark::State& state) {
  const Image8& photo = portrait(state);
  if (photo.empty()) return;
  cv::setNumThreads(static_cast<int>(state.range(0)));
  const LandmarkRegressor regressor;
  const FaceCrop crop{{0.5F * photo.width(), 0.4F * photo.height()}, 0.4F * photo.width(), 0};
  for (auto _ : state) benchmark::DoNotOptimize(regressor.predict(photo, crop, 0, false));
}

void parseFace(benchmark::State& state) {
  const Image8& photo = portrait(state);
  if (photo.empty()) return;
  cv::setNumThreads(static_cast<int>(state.range(0)));
  const FaceParser parser;
  const FaceCrop crop{{0.5F * photo.width(), 0.4F * photo.height()}, 0.4F * photo.width(), 0};
  for (auto _ : state) benchmark::DoNotOptimize(parser.parse(photo, crop));
}

void photoToFace(benchmark::State& state) {
  const Image8& photo = portrait(state);
  if (photo.empty()) return;
  setNumThreads(static_cast<int>(state.range(0)));
  cv::setNumThreads(static_cast<int>(state.range(0)));
  const MorphableModel model = loadModel("builtin");
  const LandmarkRegressor regressor;
  const FaceDetector detector;
  FitOptions as_fast;  // as facet reconstruct --fast
  as_fast.max_iterations = 6;
  as_fast.landmark_weight = 0.02;
  for (auto _ : state) {
    const std::vector<DetectedFace> faces = detector.detect(photo, regressor);
    if (faces.empty()) {
      state.SkipWithError("no face in FACET_BENCH_PHOTO");
      return;
    }
    const FacePrediction& face = faces[0].prediction;
    FitLandmarks landmarks;
    landmarks.dense = face.dense;
    landmarks.identity_evidence = identityEvidence(face.identity, model, model);
    landmarks.expression_evidence = expressionEvidence(face.expression, model, model);
    const FitResult fit = fitLandmarks(model, landmarks, photo.width(), photo.height(), as_fast);
    benchmark::DoNotOptimize(model.vertices(fit.identity, fit.expression, fit.pose));
  }
}

}  // namespace

BENCHMARK(detectFaces)->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(readFace)->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(parseFace)->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(photoToFace)->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(fitOneFace)
    ->ArgNames({"threads", "sliding_jaw"})
    ->ArgsProduct({{1, 2}, {0, 1}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

BENCHMARK_MAIN();
