#pragma once

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

struct DetectOptions {
  int min_face_px = 24;         // smaller faces are not reported
  float min_confidence = 0.5F;  // of a face; removes the cascades' false alarms
  int max_side_px = 768;        // candidates are searched in a copy scaled down to this side
};

// Finds faces: OpenCV's cascades (alt2 and profile, upright and rotated) propose, the landmark network
// decides. Faces are sorted by size, largest first; overlapping finds of one face are merged.
class FaceDetector {
 public:
  FaceDetector();  // loads the cascades; Error(kModel) naming Debian's package opencv-data when they are
                   // missing
  ~FaceDetector();
  FaceDetector(FaceDetector&&) noexcept;

  std::vector<DetectedFace> detect(const Image8& photo, const LandmarkRegressor& regressor,
                                   const DetectOptions& options = {}) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace facet
