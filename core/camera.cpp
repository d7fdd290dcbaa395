#include "core/camera.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"

namespace facet {
namespace {

// Points nearer than this count as behind a perspective camera: their projection is numerically meaningless.
constexpr float kMinDepth_mm = 1e-3F;

}  // namespace

std::optional<Eigen::Vector2f> Camera::imageFromCamera(const Eigen::Vector3f& point_in_camera) const {
  if (projection == Projection::kScaledOrthographic) {
    return Eigen::Vector2f(scale_px_per_mm * point_in_camera.head<2>() + principal_px);
  }
  if (!(point_in_camera.z() > kMinDepth_mm)) return std::nullopt;
  return Eigen::Vector2f(focal_px / point_in_camera.z() * point_in_camera.head<2>() + principal_px);
}

std::optional<Eigen::Vector2f> Camera::imageFromModel(const Eigen::Vector3f& point_in_model) const {
  return imageFromCamera(camera_from_model * point_in_model);
}

Points2 Camera::imageFromModel(const Points3& points_in_model) const {
  const Points3 in_camera = cameraFromModel(points_in_model);
  Points2 in_image(in_camera.rows(), 2);
  for (Eigen::Index i = 0; i < in_camera.rows(); ++i) {
    const auto pixel = imageFromCamera(Eigen::Vector3f(in_camera.row(i)));
    if (pixel) {
      in_image.row(i) = *pixel;
    } else {
      in_image.row(i).setConstant(std::numeric_limits<float>::quiet_NaN());
    }
  }
  return in_image;
}

Points3 Camera::cameraFromModel(const Points3& points_in_model) const {
  Points3 in_camera = points_in_model * camera_from_model.linear().transpose();
  in_camera.rowwise() += camera_from_model.translation().transpose();
  return in_camera;
}

Eigen::Matrix3f Camera::intrinsics() const {
  require(projection == Projection::kPerspective,
          "Camera: a scaled orthographic camera has no intrinsic matrix; use clipFromCamera()");
  Eigen::Matrix3f matrix;
  matrix << focal_px, 0, principal_px.x(), 0, focal_px, principal_px.y(), 0, 0, 1;
  return matrix;
}

Eigen::Matrix4f Camera::clipFromCamera(float near_mm, float far_mm) const {
  require(width_px > 0 && height_px > 0, "Camera: image size ", width_px, "x", height_px,
          " px; set width_px and height_px");
  require(near_mm < far_mm, "Camera: near plane ", near_mm, " mm is not before the far plane ", far_mm,
          " mm");
  const auto width = static_cast<float>(width_px), height = static_cast<float>(height_px);
  const float depth_mm = far_mm - near_mm;
  const Eigen::Vector2f centre_ndc(2 * principal_px.x() / width - 1, 1 - 2 * principal_px.y() / height);
  Eigen::Matrix4f clip = Eigen::Matrix4f::Zero();
  if (projection == Projection::kPerspective) {
    require(near_mm > 0, "Camera: near plane ", near_mm, " mm of a perspective camera must be positive");
    clip.row(0) << 2 * focal_px / width, 0, centre_ndc.x(), 0;
    clip.row(1) << 0, -2 * focal_px / height, centre_ndc.y(), 0;
    clip.row(2) << 0, 0, (far_mm + near_mm) / depth_mm, -2 * far_mm * near_mm / depth_mm;
    clip.row(3) << 0, 0, 1, 0;
  } else {
    clip.row(0) << 2 * scale_px_per_mm / width, 0, 0, centre_ndc.x();
    clip.row(1) << 0, -2 * scale_px_per_mm / height, 0, centre_ndc.y();
    clip.row(2) << 0, 0, 2 / depth_mm, -(far_mm + near_mm) / depth_mm;
    clip.row(3) << 0, 0, 0, 1;
  }
  return clip;
}

Eigen::Matrix4f Camera::clipFromModel(float near_mm, float far_mm) const {
  return clipFromCamera(near_mm, far_mm) * camera_from_model.matrix();
}

std::pair<float, float> Camera::depthRange(const Points3& points_in_model) const {
  float nearest_mm = 1, farthest_mm = 2;
  if (points_in_model.rows() > 0) {
    const Eigen::RowVector3f axis = camera_from_model.linear().row(2);
    const Eigen::VectorXf depth_mm =
        (points_in_model * axis.transpose()).array() + camera_from_model.translation().z();
    // A margin keeps the outermost points off the planes.
    const float margin_mm = 1 + 0.01F * (depth_mm.maxCoeff() - depth_mm.minCoeff());
    nearest_mm = depth_mm.minCoeff() - margin_mm;
    farthest_mm = depth_mm.maxCoeff() + margin_mm;
  }
  if (projection == Projection::kPerspective) {
    nearest_mm = std::max(nearest_mm, 1.0F);
    farthest_mm = std::max(farthest_mm, nearest_mm + 1);
  }
  return {nearest_mm, farthest_mm};
}

Points4 Camera::clipFromModel(const Points3& points_in_model) const {
  const auto [near_mm, far_mm] = depthRange(points_in_model);
  const Eigen::Matrix4f clip_from_model = clipFromModel(near_mm, far_mm);
  Points4 clip = points_in_model * clip_from_model.leftCols<3>().transpose();
  clip.rowwise() += clip_from_model.col(3).transpose();
  return clip;
}

Camera Camera::scaled(float factor) const {
  require(factor > 0, "Camera: scale factor ", factor, " must be positive");
  Camera result = *this;
  result.width_px = std::max(1, static_cast<int>(std::lround(factor * static_cast<float>(width_px))));
  result.height_px = std::max(1, static_cast<int>(std::lround(factor * static_cast<float>(height_px))));
  result.focal_px *= factor;
  result.scale_px_per_mm *= factor;
  result.principal_px *= factor;
  return result;
}

Eigen::Matrix4f clipFromCamera(const Eigen::Matrix3f& K, const Eigen::Matrix3f& R, const Eigen::Vector3f& t,
                               float near, float far, int width_px, int height_px) {
  require(width_px > 0 && height_px > 0, "clipFromCamera: image size ", width_px, "x", height_px,
          " px; both sides must be positive");
  require(near > 0 && near < far, "clipFromCamera: depth range ", near, " to ", far,
          "; 0 < near < far is needed");
  require(K.row(2) == Eigen::RowVector3f(0, 0, 1), "clipFromCamera: the last row of K is ", K.row(2),
          ", expected 0 0 1");
  // NDC from pixels (x right, y up), for homogeneous pixels (x w, y w, w).
  Eigen::Matrix3f ndc_from_pixel;
  ndc_from_pixel << 2 / static_cast<float>(width_px), 0, -1, 0, -2 / static_cast<float>(height_px), 1, 0, 0,
      1;
  const Eigen::Matrix3f projection = ndc_from_pixel * K;
  Eigen::Matrix4f clip_from_camera = Eigen::Matrix4f::Zero();
  clip_from_camera.block<1, 3>(0, 0) = projection.row(0);
  clip_from_camera.block<1, 3>(1, 0) = projection.row(1);
  clip_from_camera(2, 2) = (far + near) / (far - near);
  clip_from_camera(2, 3) = -2 * far * near / (far - near);
  clip_from_camera(3, 2) = 1;
  Eigen::Matrix4f camera_from_world = Eigen::Matrix4f::Identity();
  camera_from_world.topLeftCorner<3, 3>() = R;
  camera_from_world.topRightCorner<3, 1>() = t;
  return clip_from_camera * camera_from_world;
}

}  // namespace facet
