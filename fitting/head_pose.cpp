#include "fitting/head_pose.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>

namespace facet {
namespace {

constexpr float kRadians = static_cast<float>(M_PI) / 180;

// The camera's axes for a head that looks into it: y and z point the other way.
Eigen::Matrix3f frontal() { return Eigen::Vector3f(1, -1, -1).asDiagonal(); }

}  // namespace

HeadPose headPose(const Eigen::Matrix3f& camera_from_model) {
  const Eigen::Matrix3f turn = frontal() * camera_from_model;  // Rz(-roll) Ry(yaw) Rx(pitch)
  HeadPose pose;
  pose.yaw_deg = std::asin(std::clamp(-turn(2, 0), -1.0F, 1.0F)) / kRadians;
  pose.pitch_deg = std::atan2(turn(2, 1), turn(2, 2)) / kRadians;
  pose.roll_deg = -std::atan2(turn(1, 0), turn(0, 0)) / kRadians;
  return pose;
}

Eigen::Matrix3f rotationFromHeadPose(const HeadPose& pose) {
  return frontal() * Eigen::Matrix3f(Eigen::AngleAxisf(-pose.roll_deg * kRadians, Eigen::Vector3f::UnitZ()) *
                                     Eigen::AngleAxisf(pose.yaw_deg * kRadians, Eigen::Vector3f::UnitY()) *
                                     Eigen::AngleAxisf(pose.pitch_deg * kRadians, Eigen::Vector3f::UnitX()));
}

}  // namespace facet
