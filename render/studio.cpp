#include "render/studio.h"

#include <cmath>

namespace facet {

SphericalHarmonicsLight studioLight() {
  SphericalHarmonicsLight light;
  light.coefficients = SphericalHarmonicsLight::ambient(0.75F);
  light.coefficients.row(1).setConstant(0.5F);  // y: above
  light.coefficients.row(2).setConstant(0.9F);  // z: in front
  light.coefficients.row(3).setConstant(0.3F);  // x: the subject's left
  return light;
}

Camera orbitCamera(const Points3& vertices, const OrbitOptions& options) {
  const Eigen::Vector3f low = vertices.colwise().minCoeff(), high = vertices.colwise().maxCoeff();
  const Eigen::Vector3f center = (low + high) / 2;
  const float radius_mm = (high - low).head<2>().maxCoeff() / 2;
  const float half_view = static_cast<float>(options.field_of_view_degrees * M_PI / 360);
  const float distance_mm = 1.08F * radius_mm / std::tan(half_view) + (high - center).z();
  const float yaw = static_cast<float>(options.yaw_degrees * M_PI / 180);
  const float pitch = static_cast<float>(options.pitch_degrees * M_PI / 180);
  // Model axes (Y up, Z towards the camera) to camera axes (y down, z forward).
  const Eigen::Matrix3f flip = Eigen::Vector3f(1, -1, -1).asDiagonal();
  const Eigen::Matrix3f rotation = flip *
                                   Eigen::AngleAxisf(pitch, Eigen::Vector3f::UnitX()).toRotationMatrix() *
                                   Eigen::AngleAxisf(-yaw, Eigen::Vector3f::UnitY()).toRotationMatrix();
  Camera camera;
  camera.width_px = camera.height_px = options.size_px;
  camera.focal_px = static_cast<float>(options.size_px) / (2 * std::tan(half_view));
  camera.principal_px.setConstant(static_cast<float>(options.size_px) / 2);
  camera.camera_from_model.linear() = rotation;
  camera.camera_from_model.translation() = Eigen::Vector3f(0, 0, distance_mm) - rotation * center;
  return camera;
}

}  // namespace facet
