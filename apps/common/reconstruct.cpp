#include "apps/common/reconstruct.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "apps/common/interrupt.h"
#include "core/check.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/image_io.h"

namespace facet {
namespace {

// FitOptions::landmark_weight for 68 points alone: farther apart than the dense set, their errors are more
// independent.
constexpr double kIbugLandmarkWeight = 0.3;
// The same for those that the network gives with standard deviations, which are larger than what points
// without any are given.
constexpr double kUncertainIbugLandmarkWeight = 0.65;
// For the dense set beside the network's guess of the identity: both were read from the same pixels, and of
// the two the guess knows the shape better (docs/results.md).
constexpr double kGuidedLandmarkWeight = 0.02;
// A fit that gets worse by more than this factor when moved landmarks take part is worth a warning.
constexpr double kMaxPinnedMisfit = 1.8;
// A landmark that the user has moved: standard deviation, and the reach (Gaussian) within which dense points
// move along; parts of the face's size.
constexpr float kPinnedSigma = 3e-3F, kPinReach = 0.06F;
// From a network's guesses a fit is within a tenth of a millimetre after these.
constexpr int kFastIterations = 6;
// A network's face that is farther from the landmarks than this part of the face's size is worth a warning.
constexpr double kMaxRegressorMisfit = 0.1;

// Announces a stage, runs it, and notes how long it took.
template <typename Work>
void runStage(Reconstruction& result, const ReconstructOptions& options, const std::string& name, double done,
              const Work& work) {
  throwIfInterrupted();
  if (options.on_stage) options.on_stage(name, done);
  const auto start = std::chrono::steady_clock::now();
  StageReport report{name};
  work(report);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.stages.push_back(report);
  if (options.on_stage_done) options.on_stage_done(result);
  throwIfInterrupted();
}

// Reads the coefficients with the user's network; the fit is to start there.
void regressFace(const MorphableModel& model, const Photo& photo, const ReconstructOptions& options,
                 Reconstruction& result) {
  const CoefficientRegressor& regressor = *options.regressor;
  try {
    result.regressed = regressor.predict(photo.pixels, result.landmarks.ibug68, model);
  } catch (const Error& error) {
    fail(error.kind(), photo.path.string(), ": ", error.what());
  }
  const RegressedFace& face = *result.regressed;
  result.regressor = RegressorReport{regressor.path().string(), regressor.sha256(),
                                     regressor.description().name, options.refine_regressed};
  result.warnings.insert(result.warnings.end(), face.warnings.begin(), face.warnings.end());
  // The user's network takes the place of facet's own guess.
  result.landmarks.identity_evidence = {};
  result.landmarks.start = FitStart{face.identity, face.expression, face.pose};
}

// The face exactly as the network says, and how far the landmarks are from it.
void takeRegressedFace(const MorphableModel& model, Reconstruction& result, StageReport& report) {
  const RegressedFace& face = *result.regressed;
  FitResult& fit = result.fit;
  fit.termination = Termination::kConverged;
  fit.camera = face.camera;
  fit.identity = face.identity;
  fit.expression = face.expression;
  fit.pose = face.pose;
  result.neutral = model.vertices(fit.identity);
  result.coarse = model.vertices(fit.identity, fit.expression, fit.pose);
  const bool has_dense = result.landmarks.dense.size() > 0;
  const LandmarkEmbedding& embedding = has_dense ? model.dense : model.landmarks68;
  const Points2& seen_px = (has_dense ? result.landmarks.dense : result.landmarks.ibug68).positions_px;
  const Points2 fitted_px = fit.camera.imageFromModel(embedding.points(result.coarse, model.triangles));
  double sum = 0;
  int count = 0;
  for (int i = 0; i < embedding.size(); ++i) {
    if (!fitted_px.row(i).allFinite()) continue;
    sum += (fitted_px.row(i) - seen_px.row(i)).squaredNorm();
    ++count;
  }
  fit.residual_px = count > 0 ? std::sqrt(sum / count) : 0;
  report.residual_px = fit.residual_px;
  const float face_px = (seen_px.colwise().maxCoeff() - seen_px.colwise().minCoeff()).maxCoeff();
  if (fit.residual_px > kMaxRegressorMisfit * face_px) {
    result.warnings.push_back(
        "the network's face lies more than a tenth of the face's size from the landmarks; is it described "
        "rightly?");
  }
}

void fitFace(const MorphableModel& model, const Photo& photo, const ReconstructOptions& options,
             Reconstruction& result, StageReport& report) {
  FitOptions fit;
  fit.focal_px = options.focal_px;
  const bool has_guess = !result.landmarks.identity_evidence.empty() || result.landmarks.start;
  if (options.fast && has_guess) fit.max_iterations = kFastIterations;
  fit.on_iteration = [&](const FitIteration& state) {
    if (options.on_iteration) options.on_iteration(state);
    return !interrupted();
  };
  // The dense set holds fixed points of the surface. The 68 follow the conventions of hand annotation (brows
  // lie on the hair, wherever it grows) and only serve models that do not know the dense set.
  FitLandmarks landmarks = result.landmarks;
  if (landmarks.dense.size() > 0) {
    landmarks.ibug68 = {};
    if (!landmarks.identity_evidence.empty()) fit.landmark_weight = kGuidedLandmarkWeight;
  } else {
    fit.landmark_weight =
        landmarks.ibug68.sigma_px.size() > 0 ? kUncertainIbugLandmarkWeight : kIbugLandmarkWeight;
  }
  // A point that was put in its place corrects the shape there. Head and camera stay where all other points
  // have them: else one point turns the whole face.
  double residual_without_pins_px = 0;
  if (!landmarks.pinned.empty()) {
    FitLandmarks others = landmarks;
    others.pinned.clear();
    const FitResult before = fitLandmarks(model, others, photo.pixels.width(), photo.pixels.height(), fit);
    if (before.isUsable()) {
      landmarks.previous = PreviousFrame{before.camera, before.expression, before.pose, 0.3, 0.5, 3, 0.5, 5};
      fit.focal_px = before.camera.focal_px;
      residual_without_pins_px = before.residual_px;
      fit.landmark_weight = std::max(fit.landmark_weight, FitOptions{}.landmark_weight);
    }
  }
  result.fit = fitLandmarks(model, landmarks, photo.pixels.width(), photo.pixels.height(), fit);
  throwIfInterrupted();
  if (!result.fit.isUsable()) {
    fail(ErrorKind::kNotConverged, photo.path.string(),
         ": the face model could not be fitted to the landmarks (", result.fit.briefReport(),
         "); try a larger or more frontal photo, or give the landmarks with --landmarks");
  }
  result.warnings.insert(result.warnings.end(), result.fit.warnings.begin(), result.fit.warnings.end());
  if (residual_without_pins_px > 0 && result.fit.residual_px > kMaxPinnedMisfit * residual_without_pins_px) {
    result.warnings.push_back("a landmark that was moved contradicts the others (residual " +
                              std::to_string(residual_without_pins_px).substr(0, 4) + " px without it, " +
                              std::to_string(result.fit.residual_px).substr(0, 4) +
                              " px with it); is it in its place?");
  }
  for (const FitStage& stage : result.fit.stages) report.iterations += stage.iterations;
  report.residual_px = result.fit.residual_px;
  result.neutral = model.vertices(result.fit.identity);
  result.coarse = model.vertices(result.fit.identity, result.fit.expression, result.fit.pose);
}

}  // namespace

Photo readPhotoFile(const std::filesystem::path& path) {
  Photo photo;
  photo.path = path;
  photo.pixels = readPhoto(path);
  photo.sha256 = sha256(readBytes(path));
  return photo;
}

std::vector<DetectedFace> FaceFinder::find(const Photo& photo) const {
  const DetectOptions options;
  std::vector<DetectedFace> faces = detector_.detect(photo.pixels, regressor_, options);
  if (faces.empty()) {
    fail(ErrorKind::kNoFace, photo.path.string(), ": no face found (at least ", options.min_face_px,
         " pixels are needed); give a photo where it is larger, or its 68 points with --landmarks FILE.pts");
  }
  return faces;
}

FaceParsing FaceFinder::parse(const Photo& photo, const DetectedFace& face) const {
  return parser_.parse(photo.pixels, face.prediction.crop);
}

FaceReading readingOf(const MorphableModel& model, const MorphableModel& builtin,
                      const FacePrediction& prediction) {
  FaceReading reading;
  reading.landmarks.ibug68 = prediction.ibug68;
  if (model.dense.size() > 0 && model.dense.size() == prediction.dense.size()) {
    reading.landmarks.dense = prediction.dense;
    reading.landmarks.identity_evidence = identityEvidence(prediction.identity, builtin, model);
    reading.landmarks.expression_evidence = expressionEvidence(prediction.expression, builtin, model);
  }
  if (model.id == builtin.id) reading.clues.albedo = prediction.albedo;
  if (!prediction.albedo.empty()) reading.light = prediction.light;
  return reading;
}

void moveLandmarks(const Points2& positions_px, const std::vector<bool>& moved, FitLandmarks& landmarks) {
  require(positions_px.rows() == kNumIbugLandmarks && moved.size() == kNumIbugLandmarks &&
              landmarks.ibug68.size() == kNumIbugLandmarks,
          "moveLandmarks: needs 68 positions, flags and landmarks");
  const Points2 before_px = landmarks.ibug68.positions_px;
  const float face_px = (before_px.colwise().maxCoeff() - before_px.colwise().minCoeff()).maxCoeff();
  const float reach_px = kPinReach * face_px;
  Points2 shift_px = Points2::Zero(landmarks.dense.size(), 2);
  Eigen::VectorXf weight = Eigen::VectorXf::Zero(landmarks.dense.size());
  for (int i = 0; i < kNumIbugLandmarks; ++i) {
    if (!moved[static_cast<std::size_t>(i)]) continue;
    landmarks.ibug68.positions_px.row(i) = positions_px.row(i);
    landmarks.pinned.push_back({i, positions_px.row(i).transpose(), kPinnedSigma * face_px});
    for (int d = 0; d < landmarks.dense.size(); ++d) {
      const float distance = (landmarks.dense.positions_px.row(d) - before_px.row(i)).norm() / reach_px;
      const float share = std::exp(-0.5F * distance * distance);
      shift_px.row(d) += share * (positions_px.row(i) - before_px.row(i));
      weight[d] += share;
    }
  }
  // Where several were moved, their mean; a lone one moves its neighbours by its share.
  for (int d = 0; d < landmarks.dense.size(); ++d)
    landmarks.dense.positions_px.row(d) += shift_px.row(d) / std::max(weight[d], 1.0F);
}

Reconstruction reconstruct(const MorphableModel& model, const Photo& photo, const FaceReading& reading,
                           const ReconstructOptions& options) {
  Reconstruction result;
  result.landmarks = reading.landmarks;
  if (options.stop_after == StopAfter::kDetect) return result;

  const bool is_regressed_only = options.regressor != nullptr && !options.refine_regressed;
  if (options.regressor != nullptr) {
    runStage(result, options, "regress coefficients", 0.2, [&](StageReport& report) {
      regressFace(model, photo, options, result);
      if (is_regressed_only) takeRegressedFace(model, result, report);
    });
  }
  if (!is_regressed_only) {
    runStage(result, options, "fit landmarks", 0.25,
             [&](StageReport& report) { fitFace(model, photo, options, result, report); });
  }
  runStage(result, options, "estimate light and albedo", 0.4, [&](StageReport& report) {
    if (is_regressed_only && result.regressed->light) {
      result.appearance.light = *result.regressed->light;
      result.appearance.albedo = result.regressed->albedo;
      result.appearance.vertex_albedo = model.albedoColours(result.regressed->albedo);
      return;
    }
    if (options.fast && reading.light && !reading.clues.albedo.empty()) {
      const Eigen::Matrix3f model_from_camera = result.fit.camera.camera_from_model.linear().transpose();
      result.appearance.light = reading.light->turned(model_from_camera);
      result.appearance.albedo = Eigen::VectorXf::Zero(model.numAlbedo());
      result.appearance.albedo.head(reading.clues.albedo.values.size()) = reading.clues.albedo.values;
      result.appearance.vertex_albedo = model.albedoColours(result.appearance.albedo);
      return;
    }
    result.appearance =
        estimateAppearance(model, result.coarse, result.fit.camera, photo.pixels, {}, reading.clues);
    report.iterations = result.appearance.iterations;
    if (result.appearance.num_pixels == 0) {
      result.warnings.push_back(
          "no unclipped skin was seen, so light and skin colour are the model's average");
    }
  });
  if (options.stop_after == StopAfter::kFit) return result;

  if (model.uv.rows() == 0) {
    result.warnings.push_back("model " + model.id +
                              " has no texture coordinates: no texture maps are written");
    return result;
  }
  runStage(result, options, "make texture", 0.5, [&](StageReport&) {
    result.maps = makeFaceMaps(model, result.appearance.vertex_albedo,
                               {{result.coarse, result.fit.camera, &photo.pixels, result.appearance.light,
                                 reading.clues.parsing ? &*reading.clues.parsing : nullptr}},
                               options.texture_size_px);
  });
  return result;
}

}  // namespace facet
