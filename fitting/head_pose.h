#pragma once

#include <Eigen/Core>

namespace facet {

// How a head is turned, degrees, against a camera that it looks straight into: first pitch about the ears'
// axis (+: the face looks down), then yaw about the vertical (+: towards the subject's left, right in the
// image), then roll about the line of sight (+: clockwise in the image).
struct HeadPose {
  float yaw_deg = 0, pitch_deg = 0, roll_deg = 0;
};

// From the rotation of camera_from_model (model: +X the subject's left, +Y up, +Z out of the face; camera:
// OpenCV). Yaw is in [-90, 90].
HeadPose headPose(const Eigen::Matrix3f& camera_from_model);
// The inverse.
Eigen::Matrix3f rotationFromHeadPose(const HeadPose& pose);

}  // namespace facet
