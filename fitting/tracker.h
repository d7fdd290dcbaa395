#pragma once

#include <optional>
#include <vector>

#include "core/image.h"
#include "core/morphable_model.h"
#include "fitting/face_detector.h"
#include "fitting/head_pose.h"
#include "fitting/landmark_fit.h"
#include "fitting/landmark_regressor.h"

namespace facet {

// One face through the frames of a clip, in three steps that can be used alone:
//   FaceFollower      landmarks of each frame; detects once, then reads from the place of the frame before
//   fitClipIdentity   one identity and one focal length from several good frames
//   FrameFitter       pose and expression of each frame, starting from the frame before
// A live stream does the second step on its first frames; a file can look at all of it first.

struct FollowOptions {
  DetectOptions detect;
  float max_sigma =
      0.075F;  // mean standard deviation of the landmarks, in crop sides; the face is lost above
  float min_confidence = 0.5F;   // of the network; the face is lost below
  float max_jump = 0.3F;         // crop sides that a face may move from one frame to the next
  int memory_frames = 30;        // so long after a loss the face nearest to the lost one is taken up again,
                                 // later the largest one
  int search_every_frames = 1;   // while no face is known, detection runs on every n-th frame
  bool average_mirrored = true;  // as in LandmarkRegressor::predict: steadier, twice the time
};

struct FollowedFace {
  FacePrediction prediction;
  float confidence = 0;      // [0, 1], of the network, lowered where it is not sure of the landmarks
  float sharpness = 0;       // contrast between neighbouring pixels of the face; comparable within a clip
  bool is_detected = false;  // found by the detector, not from the frame before: no motion joins the two
};

// Landmarks of one face, frame by frame: the largest face of the first frame that has one. The crop of the
// frame before, moved on as the face moved last, is read once; a second time when the face left its middle.
class FaceFollower {
 public:
  // The detector and the network must live as long as the follower.
  FaceFollower(const FaceDetector& detector, const LandmarkRegressor& regressor,
               const FollowOptions& options = {});

  // Nothing when the frame shows no face. `frame` has 3 channels; frames come in order.
  std::optional<FollowedFace> next(const Image8& frame);

 private:
  std::optional<FollowedFace> fromPrevious(const Image8& frame) const;
  std::optional<FollowedFace> fromDetector(const Image8& frame) const;
  bool isHeld(const FacePrediction& prediction) const;

  const FaceDetector& detector_;
  const LandmarkRegressor& regressor_;
  FollowOptions options_;
  std::optional<FaceCrop> crop_;                           // of the last face seen, as its landmarks imply it
  Eigen::Vector2f velocity_px_ = Eigen::Vector2f::Zero();  // per frame
  int frames_since_seen_ = -1;                             // 0 = seen in the last frame; -1 = never
};

// What says whether a frame is good to learn the identity from.
struct FrameQuality {
  int frame = 0;
  HeadPose pose;
  float confidence = 0;
  float sharpness = 0;
  float face_px = 0;
};

// Up to `count` frames: confident, sharp and large, and looking in different directions. In ascending order.
std::vector<int> chooseIdentityFrames(const std::vector<FrameQuality>& frames, int count = 8);

struct ClipIdentity {
  Eigen::VectorXf identity;  // K, standard deviations
  double focal_px = 0;
  double residual_px = 0;  // root mean square over the landmarks of the frames used
};

// One identity for several frames: each is fitted alone, with its own pose and expression; what the
// landmarks of all of them say of the identity (FitResult::identity_evidence) is then joined with the prior
// and the network's guess, and both steps are repeated about that identity. Errors of one person's landmarks
// resemble each other from frame to frame, so N frames count as sqrt(N). The focal length, unless
// options.focal_px gives it, is the median of the frames' own.
// `frames` are of one image size; their own identity_evidence is not used. Throws std::invalid_argument for
// no frames, Error(kNotConverged) when no frame can be fitted.
ClipIdentity fitClipIdentity(const MorphableModel& model, const std::vector<FitLandmarks>& frames,
                             const LinearEvidence& guess, int width_px, int height_px,
                             const FitOptions& options = {});

// The network's guesses from several frames as one, no more certain than a single one.
CoefficientGuess averageGuess(const std::vector<CoefficientGuess>& guesses);

// Landmarks of the frame in the middle of a window (an odd number of successive frames of one unbroken run;
// fewer at its ends), averaged over pairs of frames at equal distance before and after it. A pair counts for
// a point as far as its mean agrees with the middle one, within a share of the point's standard deviation: a
// steady motion passes without lag and noise is averaged, while a sudden one (a blink) is kept as it is.
LandmarkSet smoothLandmarks(const std::vector<const LandmarkSet*>& window);

struct FrameFitOptions {
  FitOptions fit;
  double rotation_sigma_deg = 1.0;  // soft terms towards the frame before, at 30 frames per second; at other
  double translation_sigma_mm = 1.0;  // rates they grow with the square root of the time between frames
  double depth_sigma_mm = 6.0;
  double expression_sigma = 0.12;
};

// Pose and expression of successive frames with identity and focal length fixed.
class FrameFitter {
 public:
  FrameFitter(const MorphableModel& model, const ClipIdentity& identity, int width_px, int height_px,
              double fps, const FrameFitOptions& options = {});

  // `landmarks` without known_identity and previous, which are filled in here. The result's focal length is
  // the clip's to the last digit.
  FitResult next(FitLandmarks landmarks);
  // The next frame does not continue the last one: a cut, or the face was lost meanwhile.
  void forget() { last_.reset(); }

 private:
  MorphableModel person_;  // the model with the identity built into its mean
  ClipIdentity identity_;
  int width_px_, height_px_;
  FrameFitOptions options_;
  std::optional<PreviousFrame> last_;
};

}  // namespace facet
