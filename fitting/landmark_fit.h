#pragma once

#include <Eigen/Core>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/camera.h"
#include "core/landmarks.h"
#include "core/morphable_model.h"
#include "fitting/coefficient_guess.h"

namespace facet {

// State handed to FitOptions::on_iteration after each solver iteration.
struct FitIteration {
  std::string stage;
  int iteration = 0;
  double cost = 0;
  Eigen::VectorXf identity, expression;
  Points3 pose;  // J×3, as in FitResult
  Camera camera;
};

// Fit of pose, camera, identity and expression to the landmarks of one photo.
//   minimise  w sum_i rho(|project(S(a, e)_i) - x_i|² / sigma_i²) + |a|² + g |M a - t|² + |e / s|²
//            + g |N e - u|² + camera prior
// A model with a joint named "jaw" (FLAME) gets three more unknowns, the jaw's rotation; its other joints
// keep still, because the head's pose is the camera's. Wood et al., "3D Face Reconstruction with Dense
// Landmarks", ECCV 2022.
struct FitOptions {
  int max_iterations = 25;         // of the solver, per stage
  int contour_rounds = 2;          // times the sliding jaw landmarks are re-assigned
  double landmark_weight = 0.11;   // w; a network's errors at neighbouring landmarks move together: hundreds
                                   // of points count like some twenty independent ones
  double guess_weight = 1.0;       // of the guesses; 1 = as certain as they say
  double identity_weight = 1.0;    // prior, per squared standard deviation; 0 = no prior
  double expression_sigma = 0.35;  // spread of a blendshape weight around 0; PCA expressions have 1
  double landmark_sigma_px = 0;    // sigma of points that bring none; 0 = 1.5 % of the face's size
  double outlier_sigmas = 3.0;     // residuals beyond this many sigmas are treated as outliers (Huber)
  double focal_px = 0;             // > 0: the focal length is known and kept
  double distance_m = 1.2;  // prior of the distance camera-face when the focal length is unknown: portraits
  double distance_relative_sigma =
      0.35;                          // are taken from 0.6 to 2.5 m, whatever the image was cropped to since
  bool scaled_orthographic = false;  // scaled orthographic camera in place of the perspective one
  bool fit_expression = true;
  bool give_identity_evidence = false;                              // fill FitResult::identity_evidence
  std::function<bool(const FitIteration&)> on_iteration = nullptr;  // return false to stop

  void check() const;  // throws std::invalid_argument naming field, value and range
};

enum class Termination { kConverged, kMaxIterations, kStoppedByUser, kFailed };

struct FitStage {
  std::string name;
  double seconds = 0;
  int iterations = 0;
  double residual_px = 0;  // root mean square reprojection error of the landmarks after the stage
};

struct FitResult {
  Termination termination = Termination::kFailed;
  Camera camera;               // with camera_from_model
  Eigen::VectorXf identity;    // K, standard deviations
  Eigen::VectorXf expression;  // L, weights
  Points3 pose;  // J×3 axis times angle, radians: the jaw of a model with joints; empty without them
  std::vector<FitStage> stages;
  double residual_px = 0;  // root mean square over the landmarks used
  // What these landmarks alone say of the identity, with pose and expression integrated out: neither the
  // prior nor the evidence that was given. Near the solution, for fits of several photos of one person.
  LinearEvidence identity_evidence;
  std::vector<std::string> warnings;

  bool isUsable() const {
    return termination == Termination::kConverged || termination == Termination::kMaxIterations;
  }
  std::string briefReport() const;
};

// The frame before, when the photo is one of a clip. The solver starts there, and a step away from it is a
// priori of these standard deviations; larger steps count ever less (StepPriorCost), so that noise is held
// back and motion is not.
struct PreviousFrame {
  Camera camera;
  Eigen::VectorXf expression;
  Points3 pose;  // as in FitResult
  double rotation_sigma_deg = 1;
  double translation_sigma_mm = 1;  // across the line of sight
  double depth_sigma_mm = 8;        // along it
  double expression_sigma = 0.1;    // of a blendshape's weight; PCA expressions: three times as much
  double jaw_sigma_deg = 1;
};

// Coefficients that a network read from the photo. The fit starts at them, and they take the place of the
// model's mean in its priors, which get narrower by `sigma`.
struct FitStart {
  Eigen::VectorXf identity, expression;  // K and L
  Points3 pose;                          // J×3 as in FitResult, or empty
  double sigma = 0.5;                    // how far the face may be from it; 1 = as far as from the mean
};

// One of the 68 that a person has put in its place: neither taken for an outlier nor weighted down.
struct PinnedLandmark {
  int index = 0;  // of iBUG-68
  Eigen::Vector2f position_px = Eigen::Vector2f::Zero();
  float sigma_px = 1;
};

// Landmarks of one photo. Either set may be empty.
struct FitLandmarks {
  LandmarkSet ibug68;  // 68 points
  LandmarkSet dense;   // the model's dense set (MorphableModel::dense)
  bool jaw_is_outline =
      false;  // jaw points 0–16 lie on the visible outline (2D annotations) and slide along it;
              // false: they are fixed points of the surface, seen or not (facet's own network)
  LinearEvidence identity_evidence;    // a network's guess of the identity; may be empty
  LinearEvidence expression_evidence;  // the same of the expression, in place of most of its prior
  Eigen::VectorXf known_identity;      // K coefficients that are kept; empty = to be found
  std::optional<PreviousFrame> previous = std::nullopt;
  std::optional<FitStart> start = std::nullopt;
  std::vector<PinnedLandmark> pinned = {};  // count besides both sets; the model needs its 68
};

// Throws std::invalid_argument for options or landmarks that do not fit the model. The result's frame: model
// frame of `model`, camera of the whole image with the principal point at its centre.
FitResult fitLandmarks(const MorphableModel& model, const FitLandmarks& landmarks, int image_width_px,
                       int image_height_px, const FitOptions& options = {});

}  // namespace facet
