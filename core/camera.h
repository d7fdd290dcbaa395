#pragma once

#include <optional>
#include <utility>

#include "core/types.h"

namespace facet {

// Camera with square pixels. Camera frame: OpenCV (x right, y down, z forward), millimetres. Image: x right,
// y down, the centre of the top-left pixel at (0.5, 0.5).
//   perspective:          x = focal_px X / Z + cx,      y = focal_px Y / Z + cy
//   scaled orthographic:  x = scale_px_per_mm X + cx,   y = scale_px_per_mm Y + cy
struct Camera {
  enum class Projection { kPerspective, kScaledOrthographic };

  Projection projection = Projection::kPerspective;
  int width_px = 0;
  int height_px = 0;
  float focal_px = 0;         // perspective only
  float scale_px_per_mm = 0;  // scaled orthographic only
  Eigen::Vector2f principal_px = Eigen::Vector2f::Zero();
  Eigen::Isometry3f camera_from_model = Eigen::Isometry3f::Identity();

  // Pixel position of a camera-frame point; nothing for a point behind a perspective camera.
  std::optional<Eigen::Vector2f> imageFromCamera(const Eigen::Vector3f& point_in_camera) const;
  std::optional<Eigen::Vector2f> imageFromModel(const Eigen::Vector3f& point_in_model) const;
  // As above for N points (N×2); a point behind the camera gives NaN.
  Points2 imageFromModel(const Points3& points_in_model) const;
  Points3 cameraFromModel(const Points3& points_in_model) const;

  // OpenCV intrinsic matrix; throws for a scaled orthographic camera, which has none.
  Eigen::Matrix3f intrinsics() const;
  // Clip space of the rasterizer: OpenGL (visible cube |x|,|y|,|z| <= w; y up, z/w grows away from the
  // viewer). Depth range in millimetres along the optical axis.
  Eigen::Matrix4f clipFromCamera(float near_mm, float far_mm) const;
  Eigen::Matrix4f clipFromModel(float near_mm, float far_mm) const;
  // Distances of a near and a far plane, mm along the optical axis, with all of these model points between
  // them (those in front of a perspective camera).
  std::pair<float, float> depthRange(const Points3& points_in_model) const;
  // V×4 clip positions of model points, between the planes of depthRange().
  Points4 clipFromModel(const Points3& points_in_model) const;

  // Same view of the image resized by `factor`.
  Camera scaled(float factor) const;
};

// The same clip space straight from OpenCV's matrices: clip_from_world, from a 3×3 intrinsic matrix K in
// pixels (focal lengths may differ; skew is kept), rotation R and translation t of camera_from_world, depth
// range in t's unit. Throws std::invalid_argument for an empty image, a depth range that is not 0 < near <
// far, or a K whose last row is not 0 0 1.
Eigen::Matrix4f clipFromCamera(const Eigen::Matrix3f& K, const Eigen::Matrix3f& R, const Eigen::Vector3f& t,
                               float near, float far, int width_px, int height_px);

}  // namespace facet
