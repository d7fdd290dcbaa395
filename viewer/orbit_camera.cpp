#include "viewer/orbit_camera.h"

#include <algorithm>
#include <cmath>

namespace facet {
namespace {

constexpr float kDegreesPerPixel = 0.4F;
constexpr float kNearerPerStep = 0.9F;
constexpr float kMinDistance_mm = 10, kMaxDistance_mm = 100000;

float halfViewTangent(float field_of_view_deg) {
  return std::tan(static_cast<float>(field_of_view_deg * M_PI / 360));
}

// Camera axes (y down, z forward) from the model's (Y up, Z out of the face).
Eigen::Matrix3f cameraFromModel(float yaw_deg, float pitch_deg) {
  const Eigen::Matrix3f flip = Eigen::Vector3f(1, -1, -1).asDiagonal();
  const float yaw = static_cast<float>(yaw_deg * M_PI / 180),
              pitch = static_cast<float>(pitch_deg * M_PI / 180);
  return flip * Eigen::AngleAxisf(pitch, Eigen::Vector3f::UnitX()).toRotationMatrix() *
         Eigen::AngleAxisf(-yaw, Eigen::Vector3f::UnitY()).toRotationMatrix();
}

}  // namespace

void OrbitCamera::orbit(float right_px, float down_px) {
  yaw_deg = std::remainder(yaw_deg - kDegreesPerPixel * right_px, 360.0F);
  pitch_deg = std::clamp(pitch_deg + kDegreesPerPixel * down_px, -90.0F, 90.0F);
}

void OrbitCamera::pan(float right_px, float down_px, int width_px, int height_px) {
  const int side_px = std::max(1, std::min(width_px, height_px));
  const float mm_per_px = 2 * distance_mm * halfViewTangent(field_of_view_deg) / static_cast<float>(side_px);
  const Eigen::Vector3f in_camera(right_px * mm_per_px, down_px * mm_per_px, 0);
  target_mm -= cameraFromModel(yaw_deg, pitch_deg).transpose() * in_camera;
}

void OrbitCamera::dolly(float steps) {
  distance_mm = std::clamp(distance_mm * std::pow(kNearerPerStep, steps), kMinDistance_mm, kMaxDistance_mm);
}

void OrbitCamera::look(Preset preset) {
  yaw_deg = pitch_deg = 0;
  switch (preset) {
    case Preset::kFront:
      break;
    case Preset::kLeft:
      yaw_deg = 90;
      break;
    case Preset::kRight:
      yaw_deg = -90;
      break;
    case Preset::kTop:
      pitch_deg = 90;
      break;
    case Preset::kBack:
      yaw_deg = 180;
      break;
    case Preset::kThreeQuarter:
      yaw_deg = 40;
      break;
  }
}

void OrbitCamera::fit(const Points3& points) {
  if (points.rows() == 0) return;
  const Eigen::Vector3f low = points.colwise().minCoeff(), high = points.colwise().maxCoeff();
  target_mm = (low + high) / 2;
  const float radius_mm = std::max((high - low).head<2>().maxCoeff() / 2, 1.0F);
  distance_mm = 1.08F * radius_mm / halfViewTangent(field_of_view_deg) + (high - target_mm).z();
}

void OrbitCamera::setFieldOfView(float degrees) {
  const float before = halfViewTangent(field_of_view_deg);
  field_of_view_deg = std::clamp(degrees, 1.0F, 120.0F);
  distance_mm =
      std::clamp(distance_mm * before / halfViewTangent(field_of_view_deg), kMinDistance_mm, kMaxDistance_mm);
}

Camera OrbitCamera::camera(int width_px, int height_px) const {
  Camera camera;
  camera.width_px = width_px;
  camera.height_px = height_px;
  camera.focal_px =
      static_cast<float>(std::min(width_px, height_px)) / (2 * halfViewTangent(field_of_view_deg));
  camera.principal_px = {static_cast<float>(width_px) / 2, static_cast<float>(height_px) / 2};
  const Eigen::Matrix3f rotation = cameraFromModel(yaw_deg, pitch_deg);
  camera.camera_from_model.linear() = rotation;
  camera.camera_from_model.translation() = Eigen::Vector3f(0, 0, distance_mm) - rotation * target_mm;
  if (orthographic) {
    camera.projection = Camera::Projection::kScaledOrthographic;
    camera.scale_px_per_mm = camera.focal_px / distance_mm;
  }
  return camera;
}

}  // namespace facet
