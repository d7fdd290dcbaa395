#pragma once

#include <optional>
#include <string>

#include "core/camera.h"
#include "core/mesh.h"
#include "viewer/subject.h"

namespace facet {

// A point of the surface under the mouse.
struct Pick {
  int triangle = -1, vertex = -1;  // the nearest corner
  Eigen::Vector3f barycentric = Eigen::Vector3f::Zero();
  Eigen::Vector3f position_mm = Eigen::Vector3f::Zero();  // model frame
  std::optional<Eigen::Vector2f> uv;
  std::string region;    // or empty
  std::string material;  // or empty

  // Where that point of the surface is after the head has been shaped.
  Eigen::Vector3f positionOn(const Points3& vertices, const Triangles& triangles) const;
};

// The first triangle that the ray through a pixel meets, from the front side unless `both_sides`; nothing
// where there is none. Throws nothing: a mesh without triangles is never met.
std::optional<Pick> pick(const Mesh& mesh, const Camera& camera, const Eigen::Vector2f& position_px,
                         bool both_sides = false);
// With the names of the subject's regions and materials; nothing of a subject without a head, too.
std::optional<Pick> pick(Subject& subject, const Camera& camera, const Eigen::Vector2f& position_px);

}  // namespace facet
