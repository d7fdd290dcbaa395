#include "viewer/picking.h"

#include <Eigen/Geometry>
#include <limits>

namespace facet {
namespace {

struct Ray {
  Eigen::Vector3f origin, direction;  // model frame
};

Ray rayThrough(const Camera& camera, const Eigen::Vector2f& position_px) {
  const Eigen::Isometry3f model_from_camera = camera.camera_from_model.inverse();
  const Eigen::Vector2f offset_px = position_px - camera.principal_px;
  if (camera.projection == Camera::Projection::kPerspective) {
    const Eigen::Vector3f in_camera(offset_px.x() / camera.focal_px, offset_px.y() / camera.focal_px, 1);
    return {model_from_camera.translation(), model_from_camera.linear() * in_camera};
  }
  const Eigen::Vector3f in_camera(offset_px.x() / camera.scale_px_per_mm,
                                  offset_px.y() / camera.scale_px_per_mm, 0);
  return {model_from_camera * in_camera, model_from_camera.linear() * Eigen::Vector3f::UnitZ()};
}

// Möller and Trumbore, "Fast, Minimum Storage Ray/Triangle Intersection", 1997, over all triangles: 25,000
// take less than a millisecond, less than a tree that would be built for each shape.
std::optional<Pick> firstHit(const Points3& vertices, const Triangles& triangles, const Camera& camera,
                             const Eigen::Vector2f& position_px, bool both_sides) {
  const Ray ray = rayThrough(camera, position_px);
  const bool is_perspective = camera.projection == Camera::Projection::kPerspective;
  constexpr float kSlack = 1e-4F;  // of a triangle: no ray slips through between two of them
  float nearest = std::numeric_limits<float>::max();
  Pick pick;
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    const Eigen::Vector3f a = vertices.row(triangles(f, 0)).transpose();
    const Eigen::Vector3f edge_ab = vertices.row(triangles(f, 1)).transpose() - a;
    const Eigen::Vector3f edge_ac = vertices.row(triangles(f, 2)).transpose() - a;
    const Eigen::Vector3f p = ray.direction.cross(edge_ac);
    const float determinant = edge_ab.dot(p);  // positive where the triangle faces the camera
    if (determinant == 0 || (!both_sides && determinant < 0)) continue;
    const Eigen::Vector3f from_a = ray.origin - a;
    const float b = from_a.dot(p) / determinant;
    if (!(b >= -kSlack && b <= 1 + kSlack)) continue;
    const Eigen::Vector3f q = from_a.cross(edge_ab);
    const float c = ray.direction.dot(q) / determinant;
    if (!(c >= -kSlack && b + c <= 1 + kSlack)) continue;
    const float distance = edge_ac.dot(q) / determinant;
    if (distance >= nearest || (is_perspective && distance <= 0)) continue;
    nearest = distance;
    pick.triangle = static_cast<int>(f);
    pick.barycentric = {1 - b - c, b, c};
  }
  if (pick.triangle < 0) return std::nullopt;
  Eigen::Index corner = 0;
  pick.barycentric.maxCoeff(&corner);
  pick.vertex = triangles(pick.triangle, corner);
  pick.position_mm = pick.positionOn(vertices, triangles);
  return pick;
}

std::optional<Eigen::Vector2f> uvAt(const Points2& uv, const Triangles& uv_triangles, const Pick& pick) {
  if (uv.rows() == 0) return std::nullopt;
  Eigen::Vector2f result = Eigen::Vector2f::Zero();
  for (int k = 0; k < 3; ++k)
    result += pick.barycentric[k] * uv.row(uv_triangles(pick.triangle, k)).transpose();
  return result;
}

}  // namespace

Eigen::Vector3f Pick::positionOn(const Points3& vertices, const Triangles& triangles) const {
  Eigen::Vector3f result = Eigen::Vector3f::Zero();
  for (int k = 0; k < 3; ++k) result += barycentric[k] * vertices.row(triangles(triangle, k)).transpose();
  return result;
}

std::optional<Pick> pick(const Mesh& mesh, const Camera& camera, const Eigen::Vector2f& position_px,
                         bool both_sides) {
  std::optional<Pick> hit = firstHit(mesh.vertices, mesh.triangles, camera, position_px, both_sides);
  if (hit) hit->uv = uvAt(mesh.uv, mesh.uv_triangles, *hit);
  return hit;
}

std::optional<Pick> pick(Subject& subject, const Camera& camera, const Eigen::Vector2f& position_px) {
  if (!subject.head) return std::nullopt;
  const MorphableModel& model = subject.head->model();
  std::optional<Pick> hit = firstHit(subject.head->vertices(), model.triangles, camera, position_px, false);
  if (!hit) return std::nullopt;
  hit->uv = uvAt(model.uv, model.uv_triangles, *hit);
  if (!model.region.empty()) hit->region = model.region_names[model.region[hit->vertex]];
  const std::size_t material =
      subject.triangle_material.empty() ? 0 : subject.triangle_material[hit->triangle];
  if (material < subject.materials.size()) hit->material = subject.materials[material].name;
  return hit;
}

}  // namespace facet
