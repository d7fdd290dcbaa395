#pragma once

#include <Eigen/Core>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/image.h"
#include "core/morphable_model.h"
#include "fitting/appearance.h"
#include "fitting/coefficient_regressor.h"
#include "fitting/face_detector.h"
#include "fitting/face_texture.h"
#include "fitting/landmark_fit.h"

namespace facet {

enum class StopAfter { kDetect, kFit, kTexture };

struct Reconstruction;

struct ReconstructOptions {
  StopAfter stop_after = StopAfter::kTexture;
  int texture_size_px = 1024;  // side of the UV maps
  double focal_px = 0;         // > 0: known focal length, in pixels of the photo
  unsigned seed = 0;           // recorded; no stage so far draws at random
  // Light and skin colour as the network reads them, where it does, in place of estimating them from the
  // pixels; few solver iterations.
  bool fast = false;
  const CoefficientRegressor* regressor = nullptr;  // the user's network, whose answer the fit starts at
  bool refine_regressed = true;                     // false: no fit, the face is as the network says
  // Called when a stage starts, with the part of the whole that is done in [0, 1].
  std::function<void(const std::string& stage, double done)> on_stage = nullptr;
  std::function<void(const FitIteration&)> on_iteration = nullptr;
  // Called after each stage with all that is known by then.
  std::function<void(const Reconstruction&)> on_stage_done = nullptr;
};

// A photo and where it came from.
struct Photo {
  std::filesystem::path path;
  std::string sha256;  // of the file
  Image8 pixels;       // sRGB RGB, upright
};

// One stage of the reconstruction, as fit.json reports it.
struct StageReport {
  std::string name;
  double seconds = 0;
  int iterations = 0;
  double residual_px = 0;  // root mean square landmark error after the stage; 0 where it does not change
};

// The user's network that read the coefficients, as fit.json reports it.
struct RegressorReport {
  std::string path, sha256;
  std::string preset;   // name of the preset, or of its own JSON file
  bool refined = true;  // a landmark fit followed
};

// Everything known about one face of one photo; later stages' parts are empty if the work stopped before
// them.
struct Reconstruction {
  FitLandmarks landmarks;  // detected, or read from the user's file
  std::optional<RegressorReport> regressor;
  std::optional<RegressedFace> regressed;
  FitResult fit;
  Points3 neutral, coarse;  // V×3 mm, model frame: identity only; with expression
  Appearance appearance;
  FaceMaps maps;
  std::vector<StageReport> stages;
  std::vector<std::string> warnings;
};

Photo readPhotoFile(const std::filesystem::path& path);

// Detection on one photo, with the networks loaded once.
class FaceFinder {
 public:
  FaceFinder() : regressor_(), detector_(), parser_() {}
  // Largest first. Error(kNoFace) when there is none, naming the photo.
  std::vector<DetectedFace> find(const Photo& photo) const;
  FaceParsing parse(const Photo& photo, const DetectedFace& face) const;

 private:
  LandmarkRegressor regressor_;
  FaceDetector detector_;
  FaceParser parser_;
};

// What was read from one face before the fit.
struct FaceReading {
  FitLandmarks landmarks;
  AppearanceClues clues;
  std::optional<SphericalHarmonicsLight> light;  // camera frame, as the network sees it
};

// Dense set, identity and expression only if the model knows that set, skin colour only of the built-in
// model. The guesses speak of the built-in model, hence `builtin`.
FaceReading readingOf(const MorphableModel& model, const MorphableModel& builtin,
                      const FacePrediction& prediction);

// Replaces landmarks by where the user has put them: `moved` (68 flags) says which of `positions_px` (68×2 of
// the whole photo). The dense points around a landmark that was moved move along, so that they do not speak
// against it; the fit counts the moved ones as certain.
void moveLandmarks(const Points2& positions_px, const std::vector<bool>& moved, FitLandmarks& landmarks);

// The pipeline from landmarks on: fit, or the user's network and fit; light and albedo; texture.
// Error(kNotConverged) when the fit gives nothing usable.
Reconstruction reconstruct(const MorphableModel& model, const Photo& photo, const FaceReading& reading,
                           const ReconstructOptions& options = {});

}  // namespace facet
