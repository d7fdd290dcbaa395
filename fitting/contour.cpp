#include "fitting/contour.h"

#include <limits>

#include "core/check.h"
#include "core/mesh.h"

namespace facet {
namespace {

// Cheek and under-jaw that a jaw landmark can slide to when the head turns by 90 degrees.
constexpr float kBandRadius_mm = 45;
// A point whose normal is within 66 degrees of the line of sight is in plain view and keeps its own position.
constexpr float kPlainViewCosine = 0.4F;
// Further away than this fraction of the face's width, a boundary vertex belongs to something else.
constexpr float kMaxSlide = 0.2F;

}  // namespace

JawContour::JawContour(const MorphableModel& model) : model_(model) {
  require(model.landmarks68.size() == kNumIbugLandmarks, "JawContour: model ", model.id,
          " has no 68 landmarks");
  const Points3 landmarks = model.landmarks68.points(model.mean, model.triangles);
  const float brow_height = landmarks.middleRows(17, 10).col(1).maxCoeff();
  std::vector<int> band_index(model.numVertices(), -1);
  for (int v = 0; v < model.numVertices(); ++v) {
    if (model.mean(v, 1) > brow_height) continue;
    const auto squared =
        (landmarks.topRows(kNumJawLandmarks).rowwise() - model.mean.row(v)).rowwise().squaredNorm();
    if (squared.minCoeff() > kBandRadius_mm * kBandRadius_mm) continue;
    band_index[v] = static_cast<int>(vertices_.size());
    vertices_.push_back(v);
  }
  std::vector<std::int32_t> corners;
  for (int f = 0; f < model.triangles.rows(); ++f) {
    const Eigen::RowVector3i corner = model.triangles.row(f);
    if (band_index[corner[0]] < 0 || band_index[corner[1]] < 0 || band_index[corner[2]] < 0) continue;
    for (int k = 0; k < 3; ++k) corners.push_back(band_index[corner[k]]);
  }
  require(!corners.empty(), "JawContour: model ", model.id,
          " has no surface around its jaw landmarks; is its unit mm?");
  triangles_ = Eigen::Map<const Triangles>(corners.data(), static_cast<Eigen::Index>(corners.size() / 3), 3);
  for (int i = 0; i < kNumJawLandmarks; ++i) {
    float nearest = std::numeric_limits<float>::max();
    for (int b = 0; b < static_cast<int>(vertices_.size()); ++b) {
      const float squared = (model.mean.row(vertices_[b]) - landmarks.row(i)).squaredNorm();
      if (squared < nearest) nearest = squared, own_vertex_[i] = b;
    }
  }
}

std::array<int, kNumJawLandmarks> JawContour::assign(const Points3& vertices, const Camera& camera,
                                                     const LandmarkSet& ibug68) const {
  const int count = static_cast<int>(vertices_.size());
  Points3 in_camera(count, 3);
  for (int b = 0; b < count; ++b) {
    in_camera.row(b) = (camera.camera_from_model * vertices.row(vertices_[b]).transpose()).transpose();
  }
  const bool orthographic = camera.projection == Camera::Projection::kScaledOrthographic;
  const auto towardsCamera = [&](const Eigen::RowVector3f& p) -> Eigen::RowVector3f {
    return orthographic ? Eigen::RowVector3f(0, 0, -1) : Eigen::RowVector3f(-p.normalized());
  };

  // Boundary: vertices between a triangle that faces the camera and one that does not.
  std::vector<char> faces_camera(count, 0), faces_away(count, 0);
  for (int f = 0; f < triangles_.rows(); ++f) {
    const Eigen::RowVector3f a = in_camera.row(triangles_(f, 0));
    const Eigen::RowVector3f normal =
        (in_camera.row(triangles_(f, 1)) - a).cross(in_camera.row(triangles_(f, 2)) - a);
    auto& side = normal.dot(towardsCamera(a)) > 0 ? faces_camera : faces_away;
    for (int k = 0; k < 3; ++k) side[triangles_(f, k)] = 1;
  }
  std::vector<int> boundary;
  std::vector<Eigen::Vector2f> boundary_px;
  for (int b = 0; b < count; ++b) {
    if (!faces_camera[b] || !faces_away[b]) continue;
    if (const auto pixel = camera.imageFromCamera(in_camera.row(b).transpose())) {
      boundary.push_back(b);
      boundary_px.push_back(*pixel);
    }
  }

  const Points3 normals = vertexNormals(in_camera, triangles_);
  const float face_width_px = (ibug68.positions_px.row(16) - ibug68.positions_px.row(0)).norm();
  const float face_height_px = (ibug68.positions_px.row(8) - ibug68.positions_px.row(27)).norm();
  const float limit_px = kMaxSlide * std::max(face_width_px, face_height_px);
  std::array<int, kNumJawLandmarks> assigned;
  assigned.fill(-1);
  for (int i = 0; i < kNumJawLandmarks; ++i) {
    const int own = own_vertex_[i];
    if (normals.row(own).dot(towardsCamera(in_camera.row(own))) > kPlainViewCosine) continue;
    float nearest = limit_px * limit_px;
    for (std::size_t c = 0; c < boundary.size(); ++c) {
      const float squared = (boundary_px[c].transpose() - ibug68.positions_px.row(i)).squaredNorm();
      if (squared < nearest) nearest = squared, assigned[i] = vertices_[boundary[c]];
    }
  }
  return assigned;
}

}  // namespace facet
