#pragma once

#include <Eigen/Core>
#include <array>
#include <string>
#include <vector>

#include "core/types.h"

namespace facet {

// A performance, frame by frame: what drives a head's shapes.
struct Take {
  std::vector<std::string> names;  // N; ARKit's where the shapes are ARKit's (core/arkit.h)
  std::vector<double> time_s;      // F, rising; the first frame is at 0
  double fps = 60;                 // frames per second, as far as they are even
  Eigen::MatrixXf weights;         // F×N in [0, 1]
  // Yaw, pitch and roll in degrees, F×3 or empty where nothing is known. With the model frame's axes (+X the
  // subject's left, +Y up, +Z out of the face) the head is turned by Rz(-roll) Ry(yaw) Rx(pitch): yaw + is
  // towards the subject's left, pitch + down, roll + clockwise as a viewer sees it; fitting/head_pose.h
  // counts them so, too. The eyes turn the same way within the head.
  Points3 head_deg, left_eye_deg, right_eye_deg;

  int numFrames() const { return static_cast<int>(time_s.size()); }
  int numShapes() const { return static_cast<int>(names.size()); }

  // Throws std::invalid_argument, led by `caller`, naming the part that does not fit, a weight outside [0, 1]
  // or times that do not rise.
  void check(const char* caller) const;
};

// The rotation that yaw, pitch and roll (degrees) stand for, as Take has them.
Eigen::Matrix3f rotationFromAngles(const Eigen::Vector3f& yaw_pitch_roll_deg);
// The inverse; yaw is in [-90, 90].
Eigen::Vector3f anglesFromRotation(const Eigen::Matrix3f& rotation);

// How the eyes turn within the head, F×3 each as left_eye_deg has them: by the take's look curves, 30° at
// weight 1, as Face Cap's example head does. A take whose look curves all rest has its own rotations in their
// place, or zeros.
std::array<Points3, 2> eyeAngles(const Take& take);
// The other way round: sets the look curves, which `take` must have, to what its eye rotations say.
void setLookCurves(Take& take);

// Fills the frames that are not `known` (F flags) between known neighbours, linearly in time; before the
// first and after the last known one its values are held. Throws std::invalid_argument when none is known.
void fillGaps(Take& take, const std::vector<bool>& known);

// A take's weights for shapes that are called `shape_names`, F×shape_names. Names match in any spelling of
// ARKit's, others whatever their capitals. Where one side has a shape in two halves (browInnerUp, cheekPuff)
// and the other whole, each half gets the whole's weight and the whole the mean of its halves.
struct MatchedWeights {
  Eigen::MatrixXf weights;           // F×shapes; 0 where the take has no such curve
  std::vector<std::string> missing;  // curves of the take that move, but no shape has their name
};
MatchedWeights weightsFor(const Take& take, const std::vector<std::string>& shape_names);

}  // namespace facet
