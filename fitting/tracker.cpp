#include "fitting/tracker.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "core/check.h"
#include "core/error.h"
#include "fitting/crop_warp.h"

namespace facet {
namespace {

// A face whose crop, as its landmarks imply it, lies off the crop that was read by more than this share of
// the side, or differs from it by this factor, is read again from there: the network knows centred faces.
constexpr float kReadAgainDrift = 0.06F, kReadAgainRescale = 1.12F;
// A crop may grow or shrink so much from frame to frame.
constexpr float kMaxRescale = 1.5F;
// The part of the last motion that the crop is moved on by.
constexpr float kMotionCarried = 0.7F;
constexpr int kSharpnessSide_px = 96;
// Head poses this far apart show different sides of a face.
constexpr float kDifferentView_deg = 20;
// From frame to frame a landmark trembles by this share of its standard deviation, the rest of which is an
// error that stays.
constexpr float kTremble = 0.23F;
constexpr int kClipRounds = 2;

// Standard deviation of the Laplacian of the face, scaled to a size that does not depend on how large it is.
float sharpness(const Image8& frame, const FaceCrop& crop) {
  const int side = std::max(2, static_cast<int>(crop.side_px));
  const cv::Rect face = cv::Rect(static_cast<int>(crop.center_px.x()) - side / 2,
                                 static_cast<int>(crop.center_px.y()) - side / 2, side, side) &
                        cv::Rect(0, 0, frame.width(), frame.height());
  if (face.width < 3 || face.height < 3) return 0;
  const cv::Mat pixels = pixelsOf(frame);
  cv::Mat small, grey, laplacian;
  cv::resize(pixels(face), small, {kSharpnessSide_px, kSharpnessSide_px}, 0, 0,
             side > kSharpnessSide_px ? cv::INTER_AREA : cv::INTER_LINEAR);
  cv::cvtColor(small, grey, cv::COLOR_RGB2GRAY);
  cv::Laplacian(grey, laplacian, CV_32F);
  cv::Scalar mean, deviation;
  cv::meanStdDev(laplacian, mean, deviation);
  return static_cast<float>(deviation[0]);
}

FollowedFace followed(const Image8& frame, FacePrediction prediction, const FollowOptions& options) {
  FollowedFace face;
  face.confidence = faceConfidence(prediction, options.max_sigma);
  face.sharpness = sharpness(frame, prediction.crop);
  face.prediction = std::move(prediction);
  return face;
}

}  // namespace

FaceFollower::FaceFollower(const FaceDetector& detector, const LandmarkRegressor& regressor,
                           const FollowOptions& options)
    : detector_(detector), regressor_(regressor), options_(options) {
  require(options.max_sigma > kCertainSigma && options.max_jump > 0 && options.search_every_frames > 0,
          "FollowOptions: max_sigma must be > ", kCertainSigma,
          ", max_jump and search_every_frames must be > 0");
}

bool FaceFollower::isHeld(const FacePrediction& prediction) const {
  return prediction.ibug68.positions_px.allFinite() && prediction.confidence >= options_.min_confidence &&
         meanSigmaInSides(prediction) <= options_.max_sigma &&
         prediction.faceSize() >= options_.detect.min_face_px;
}

std::optional<FollowedFace> FaceFollower::fromPrevious(const Image8& frame) const {
  FaceCrop crop = *crop_;
  crop.center_px += kMotionCarried * velocity_px_;
  FacePrediction prediction = regressor_.predict(frame, crop, 0, options_.average_mirrored);
  if (!prediction.ibug68.positions_px.allFinite()) return std::nullopt;
  FaceCrop implied = cropFromLandmarks(prediction.ibug68);
  const auto differs = [](const FaceCrop& a, const FaceCrop& b, float drift, float rescale) {
    const float ratio = a.side_px / b.side_px;
    return !((a.center_px - b.center_px).norm() <= drift * b.side_px && ratio < rescale &&
             ratio > 1 / rescale);
  };
  if (differs(implied, crop, options_.max_jump, kMaxRescale)) return std::nullopt;
  if (differs(implied, crop, kReadAgainDrift, kReadAgainRescale)) {
    prediction = regressor_.predict(frame, implied, 0, options_.average_mirrored);
    if (!prediction.ibug68.positions_px.allFinite()) return std::nullopt;
    implied = cropFromLandmarks(prediction.ibug68);
    if (differs(implied, *crop_, options_.max_jump + kReadAgainDrift, kMaxRescale)) return std::nullopt;
  }
  if (!isHeld(prediction)) return std::nullopt;
  return followed(frame, std::move(prediction), options_);
}

std::optional<FollowedFace> FaceFollower::fromDetector(const Image8& frame) const {
  std::vector<DetectedFace> faces = detector_.detect(frame, regressor_, options_.detect);
  std::erase_if(faces, [&](const DetectedFace& face) { return !isHeld(face.prediction); });
  if (faces.empty()) return std::nullopt;
  std::size_t chosen = 0;  // the largest
  if (crop_ && frames_since_seen_ <= options_.memory_frames) {
    const auto distance = [&](const DetectedFace& face) {
      const FaceCrop& crop = face.prediction.crop;
      return (crop.center_px - crop_->center_px).norm() / crop_->side_px +
             std::abs(std::log(crop.side_px / crop_->side_px));
    };
    for (std::size_t i = 1; i < faces.size(); ++i)
      if (distance(faces[i]) < distance(faces[chosen])) chosen = i;
  }
  FollowedFace face = followed(frame, std::move(faces[chosen].prediction), options_);
  face.is_detected = true;
  return face;
}

std::optional<FollowedFace> FaceFollower::next(const Image8& frame) {
  std::optional<FollowedFace> face;
  if (frames_since_seen_ == 0) face = fromPrevious(frame);
  const bool searches = frames_since_seen_ <= 0 || frames_since_seen_ % options_.search_every_frames == 0;
  if (!face && searches) face = fromDetector(frame);
  if (!face) {
    // Never seen counts as -1 and stays there: each such frame is searched.
    if (frames_since_seen_ >= 0) ++frames_since_seen_;
    return std::nullopt;
  }
  const FaceCrop crop = cropFromLandmarks(face->prediction.ibug68);
  velocity_px_ =
      face->is_detected ? Eigen::Vector2f::Zero() : Eigen::Vector2f(crop.center_px - crop_->center_px);
  crop_ = crop;
  frames_since_seen_ = 0;
  return face;
}

std::vector<int> chooseIdentityFrames(const std::vector<FrameQuality>& frames, int count) {
  require(count > 0, "chooseIdentityFrames: ", count, " frames wanted");
  float sharpest = 1e-6F, largest = 1e-6F;
  for (const FrameQuality& frame : frames) {
    sharpest = std::max(sharpest, frame.sharpness);
    largest = std::max(largest, frame.face_px);
  }
  const auto quality = [&](const FrameQuality& frame) {
    return frame.confidence * std::sqrt(frame.sharpness / sharpest) * std::sqrt(frame.face_px / largest);
  };
  std::vector<const FrameQuality*> chosen;
  while (static_cast<int>(chosen.size()) < std::min<int>(count, static_cast<int>(frames.size()))) {
    const FrameQuality* best = nullptr;
    float best_score = -1;
    for (const FrameQuality& frame : frames) {
      if (std::find(chosen.begin(), chosen.end(), &frame) != chosen.end()) continue;
      float nearest = kDifferentView_deg;
      for (const FrameQuality* other : chosen)
        nearest = std::min(nearest, std::hypot(frame.pose.yaw_deg - other->pose.yaw_deg,
                                               frame.pose.pitch_deg - other->pose.pitch_deg));
      // A view like one that is there already is worth something, since errors differ.
      const float score = quality(frame) * (0.3F + 0.7F * nearest / kDifferentView_deg);
      if (score > best_score) best_score = score, best = &frame;
    }
    chosen.push_back(best);
  }
  std::vector<int> numbers;
  for (const FrameQuality* frame : chosen) numbers.push_back(frame->frame);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

CoefficientGuess averageGuess(const std::vector<CoefficientGuess>& guesses) {
  CoefficientGuess average;
  if (guesses.empty() || guesses[0].values.size() == 0) return average;
  const Eigen::Index count = guesses[0].values.size();
  Eigen::ArrayXf precision = Eigen::ArrayXf::Zero(count), weighted = precision;
  for (const CoefficientGuess& guess : guesses) {
    require(guess.values.size() == count && guess.sigma.size() == count,
            "averageGuess: guesses of different sizes");
    const Eigen::ArrayXf weight = guess.sigma.array().square().inverse();
    precision += weight;
    weighted += weight * guess.values.array();
  }
  average.values = weighted / precision;
  average.sigma = (precision / static_cast<float>(guesses.size())).rsqrt();
  return average;
}

ClipIdentity fitClipIdentity(const MorphableModel& model, const std::vector<FitLandmarks>& frames,
                             const LinearEvidence& guess, int width_px, int height_px,
                             const FitOptions& options) {
  require(!frames.empty(), "fitClipIdentity: no frames");
  FitOptions frame_options = options;
  frame_options.give_identity_evidence = true;
  ClipIdentity clip;
  clip.focal_px = options.focal_px;
  for (int round = 0; round < kClipRounds; ++round) {
    Eigen::MatrixXd normal_matrix =
        options.identity_weight * Eigen::MatrixXd::Identity(model.numIdentity(), model.numIdentity());
    Eigen::VectorXd right_side = Eigen::VectorXd::Zero(model.numIdentity());
    const auto add = [&](const LinearEvidence& evidence, double weight) {
      if (evidence.empty()) return;
      normal_matrix += weight * evidence.matrix.transpose() * evidence.matrix;
      right_side += weight * evidence.matrix.transpose() * evidence.target;
    };
    add(guess, options.guess_weight);
    std::vector<double> focal_px;
    double squared_px = 0;
    std::vector<FitResult> fits;
    for (const FitLandmarks& frame : frames) {
      FitLandmarks landmarks = frame;
      landmarks.identity_evidence = guess;
      if (round > 0) landmarks.known_identity = clip.identity;
      frame_options.focal_px = clip.focal_px;
      FitResult fit = fitLandmarks(model, landmarks, width_px, height_px, frame_options);
      if (fit.isUsable()) fits.push_back(std::move(fit));
    }
    if (fits.empty())
      fail(ErrorKind::kNotConverged, "the model could not be fitted to any of the clip's best frames");
    for (const FitResult& fit : fits) {
      add(fit.identity_evidence, 1 / std::sqrt(static_cast<double>(fits.size())));
      focal_px.push_back(fit.camera.focal_px);
      squared_px += fit.residual_px * fit.residual_px;
    }
    clip.identity = normal_matrix.ldlt().solve(right_side).cast<float>();
    clip.residual_px = std::sqrt(squared_px / static_cast<double>(fits.size()));
    if (clip.focal_px == 0) {
      const auto middle = focal_px.begin() + static_cast<std::ptrdiff_t>(focal_px.size() / 2);
      std::nth_element(focal_px.begin(), middle, focal_px.end());
      clip.focal_px = *middle;
    }
  }
  return clip;
}

LandmarkSet smoothLandmarks(const std::vector<const LandmarkSet*>& window) {
  require(window.size() % 2 == 1, "smoothLandmarks: a window of ", window.size(), " frames has no middle");
  const std::size_t middle = window.size() / 2;
  LandmarkSet smooth = *window[middle];
  const Eigen::Index count = smooth.size();
  require(smooth.sigma_px.size() == count, "smoothLandmarks: landmarks without standard deviations");
  const Points2 seen = smooth.positions_px;
  Eigen::VectorXf weights = Eigen::VectorXf::Ones(count);
  for (std::size_t distance = 1; distance <= middle; ++distance) {
    const LandmarkSet& before = *window[middle - distance];
    const LandmarkSet& after = *window[middle + distance];
    require(before.size() == count && after.size() == count, "smoothLandmarks: frames of different sizes");
    for (Eigen::Index i = 0; i < count; ++i) {
      const Eigen::RowVector2f mean = (before.positions_px.row(i) + after.positions_px.row(i)) / 2;
      const float noise_px = kTremble * smooth.sigma_px[i];
      const float off = (mean - seen.row(i)).squaredNorm() / (noise_px * noise_px);
      const float weight = 2 * std::exp(-off / 2);  // two frames
      smooth.positions_px.row(i) += weight * mean;
      weights[i] += weight;
    }
  }
  smooth.positions_px.array().colwise() /= weights.array();
  return smooth;
}

FrameFitter::FrameFitter(const MorphableModel& model, const ClipIdentity& identity, int width_px,
                         int height_px, double fps, const FrameFitOptions& options)
    : person_(model), identity_(identity), width_px_(width_px), height_px_(height_px), options_(options) {
  require(fps > 0, "FrameFitter: ", fps, " frames per second");
  require(identity.focal_px > 0, "FrameFitter: a focal length of ", identity.focal_px, " px");
  person_.mean = model.vertices(identity.identity);
  // A fit needs an identity mode; this one does nothing.
  person_.identity = Basis(Eigen::MatrixXf::Zero(person_.mean.size(), 1));
  const double growth = std::clamp(std::sqrt(30 / fps), 0.3, 3.0);
  for (double* sigma : {&options_.rotation_sigma_deg, &options_.translation_sigma_mm,
                        &options_.depth_sigma_mm, &options_.expression_sigma})
    *sigma *= growth;
  options_.fit.focal_px = identity.focal_px;
}

FitResult FrameFitter::next(FitLandmarks landmarks) {
  landmarks.known_identity = Eigen::VectorXf::Zero(1);
  landmarks.identity_evidence = {};
  landmarks.previous = last_;
  FitResult fit = fitLandmarks(person_, landmarks, width_px_, height_px_, options_.fit);
  fit.identity = identity_.identity;
  last_.reset();
  if (!fit.isUsable()) return fit;
  // The solver keeps the focal length to a thousandth; distance and focal length together change nothing.
  const auto focal_px = static_cast<float>(identity_.focal_px);
  fit.camera.camera_from_model.translation().z() *= focal_px / fit.camera.focal_px;
  fit.camera.focal_px = focal_px;
  last_ = PreviousFrame{fit.camera,
                        fit.expression,
                        fit.pose,
                        options_.rotation_sigma_deg,
                        options_.translation_sigma_mm,
                        options_.depth_sigma_mm,
                        options_.expression_sigma,
                        options_.rotation_sigma_deg};
  return fit;
}

}  // namespace facet
