#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "core/image.h"
#include "fitting/landmark_regressor.h"

namespace facet {

// A detected face: its landmarks and how far it is to be believed: the confidence of the landmark network,
// lowered where the network is not sure of the landmarks.
struct DetectedFace {
  FacePrediction prediction;
  float confidence = 0;  // [0, 1]
};

// Standard deviation of the 68 landmarks in crop sides, mean: how sure the network is of them.
float meanSigmaInSides(const FacePrediction& prediction);
// The network's confidence, lowered where it is not sure of its landmarks: to nothing at `max_sigma` (in crop
// sides).
float faceConfidence(const FacePrediction& prediction, float max_sigma);
// Up to this mean standard deviation in crop sides a find is certain. On 937 held-out rendered faces the
// median is 0.014, the 95th percentile 0.030 and the 99th 0.051 (faces largely covered).
inline constexpr float kCertainSigma = 0.039F;

struct DetectOptions {
  int min_face_px = 24;         // smaller faces are not reported
  float min_confidence = 0.5F;  // of a face; removes the detector's false alarms
  int max_side_px = 640;        // faces are searched in a copy scaled down to this side: in one of 4000 px,
                                // they are found from about 70 px on
};

// Finds faces of any size and roll: a network that sees the whole picture proposes, the face network decides.
// Pictures larger than the detector's input are searched whole and in overlapping parts. Faces are
// sorted by size, largest first; overlapping finds of one face are merged.
class FaceDetector {
 public:
  // data/networks/detector.onnx when no path is given. Error(kModel) when it is missing or not readable.
  explicit FaceDetector(const std::filesystem::path& onnx_path = {});
  ~FaceDetector();
  FaceDetector(FaceDetector&&) noexcept;

  // `photo` has 3 channels. Several threads may call it; they take turns in the network.
  std::vector<DetectedFace> detect(const Image8& photo, const LandmarkRegressor& regressor,
                                   const DetectOptions& options = {}) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace facet
