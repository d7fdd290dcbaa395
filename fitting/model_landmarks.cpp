#include "fitting/model_landmarks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "fitting/appearance.h"
#include "render/face_renderer.h"
#include "render/studio.h"

namespace facet {
namespace {

constexpr int kViewSize_px = 640;
constexpr double kYaws_degrees[] = {0, -22, 22, -40, 40};
constexpr double kPitches_degrees[] = {0, 12};
constexpr int kMinViews = 3;
constexpr int kFirstBrow = 17, kLastBrow = 26;  // iBUG
// A ray farther than this from the point that the others agree on is mostly an error of the network.
constexpr double kOutlier_mm = 3;
constexpr int kReweightings = 10;

// A line of sight towards a landmark, in the model frame.
struct Ray {
  Eigen::Vector3d origin, direction;  // mm; unit length
  double weight;                      // 1 / mm²

  Eigen::Matrix3d across() const { return Eigen::Matrix3d::Identity() - direction * direction.transpose(); }
  double distanceTo(const Eigen::Vector3d& point) const { return (across() * (point - origin)).norm(); }
};

// Adds one line of sight per landmark of the picture of the mean that this camera takes; false when it shows
// no face.
bool lookFrom(const Mesh& mesh, const Points3& albedo, const Camera& camera, const FaceDetector& detector,
              const LandmarkRegressor& regressor, std::vector<std::vector<Ray>>& rays) {
  ShadeOptions shade;
  shade.light = studioLight();
  shade.background = Eigen::Vector3f::Constant(0.35F);
  shade.albedo = albedo;
  const FaceImages images = renderFace(mesh, camera, shade);
  const std::vector<DetectedFace> faces = detector.detect(srgbFromLinear(images.colour), regressor);
  if (faces.empty()) return false;
  const LandmarkSet& found = faces.front().prediction.ibug68;
  const Eigen::Isometry3d model_from_camera = camera.camera_from_model.cast<double>().inverse();
  for (int i = 0; i < found.size(); ++i) {
    const Eigen::Vector2f offset_px = found.positions_px.row(i).transpose() - camera.principal_px;
    const Eigen::Vector3d in_camera(offset_px.x() / camera.focal_px, offset_px.y() / camera.focal_px, 1);
    const double sigma_mm =
        std::max(found.sigma_px[i], 0.5F) * model_from_camera.translation().norm() / camera.focal_px;
    rays[i].push_back({model_from_camera.translation(), (model_from_camera.linear() * in_camera).normalized(),
                       1 / (sigma_mm * sigma_mm)});
  }
  return true;
}

// The point that most of the rays pass by closely: least squares, reweighted after each solution.
Eigen::Vector3d meetingPoint(const std::vector<Ray>& rays) {
  Eigen::Vector3d point = Eigen::Vector3d::Zero();
  for (int round = 0; round < kReweightings; ++round) {
    Eigen::Matrix3d normal_matrix = Eigen::Matrix3d::Zero();
    Eigen::Vector3d right_side = Eigen::Vector3d::Zero();
    for (const Ray& ray : rays) {
      const double relative = round == 0 ? 0 : ray.distanceTo(point) / kOutlier_mm;
      const double weight = ray.weight / std::pow(1 + relative * relative, 2);
      normal_matrix += weight * ray.across();
      right_side += weight * ray.across() * ray.origin;
    }
    point = normal_matrix.ldlt().solve(right_side);
  }
  return point;
}

}  // namespace

std::optional<ModelLandmarks> findModelLandmarks(const MorphableModel& model, const FaceDetector& detector,
                                                 const LandmarkRegressor& regressor) {
  const Mesh mesh = model.mesh(model.mean);
  Points3 albedo = model.albedo_mean;
  if (albedo.rows() == 0) albedo = meanSkinAlbedo().transpose().replicate(model.numVertices(), 1);
  std::vector<std::vector<Ray>> rays(kNumIbugLandmarks);
  int num_views = 0;
  for (const double yaw : kYaws_degrees) {
    for (const double pitch : kPitches_degrees) {
      const Camera camera = orbitCamera(model.mean, {kViewSize_px, yaw, pitch, 20});
      num_views += lookFrom(mesh, albedo, camera, detector, regressor, rays);
    }
  }
  if (num_views < kMinViews) return std::nullopt;

  ModelLandmarks landmarks;
  landmarks.ibug68 = Points3::Constant(kNumIbugLandmarks, 3, std::numeric_limits<float>::quiet_NaN());
  double squared_sum = 0;
  int num_rays = 0;
  for (int i = 0; i < kNumIbugLandmarks; ++i) {
    if (i >= kFirstBrow && i <= kLastBrow) continue;
    const Eigen::Vector3d point = meetingPoint(rays[i]);
    landmarks.ibug68.row(i) = point.cast<float>();
    for (const Ray& ray : rays[i]) squared_sum += std::pow(ray.distanceTo(point), 2), ++num_rays;
  }
  landmarks.spread_mm = static_cast<float>(std::sqrt(squared_sum / num_rays));
  return landmarks;
}

}  // namespace facet
