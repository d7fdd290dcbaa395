#include "core/mesh.h"

#include "core/check.h"

namespace facet {
namespace {

void checkIndices(const Triangles& triangles, Eigen::Index count, const char* name, const char* what) {
  if (triangles.rows() == 0) return;
  const std::int32_t lowest = triangles.minCoeff(), highest = triangles.maxCoeff();
  require(lowest >= 0 && highest < count, name, ": ", what, " index ", lowest < 0 ? lowest : highest,
          " is outside [0, ", count, ")");
}

}  // namespace

void Mesh::check(const char* name) const {
  checkIndices(triangles, vertices.rows(), name, "triangle");
  checkIndices(uv_triangles, uv.rows(), name, "UV triangle");
  require(!hasUv() || uv_triangles.rows() == triangles.rows(), name, ": ", uv_triangles.rows(),
          " UV triangles but ", triangles.rows(), " triangles");
  require(colours.rows() == 0 || colours.rows() == vertices.rows(), name, ": ", colours.rows(),
          " colours but ", vertices.rows(), " vertices");
  require(vertices.allFinite(), name, ": a vertex position is not finite");
}

Points3 vertexNormals(const Points3& vertices, const Triangles& triangles) {
  Points3 normals = Points3::Zero(vertices.rows(), 3);
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    const int a = triangles(f, 0), b = triangles(f, 1), c = triangles(f, 2);
    const Eigen::RowVector3f edge_ab = vertices.row(b) - vertices.row(a);
    const Eigen::RowVector3f edge_ac = vertices.row(c) - vertices.row(a);
    const Eigen::RowVector3f twice_area_normal = edge_ab.cross(edge_ac);
    normals.row(a) += twice_area_normal;
    normals.row(b) += twice_area_normal;
    normals.row(c) += twice_area_normal;
  }
  for (Eigen::Index v = 0; v < normals.rows(); ++v) {
    const float length = normals.row(v).norm();
    if (length > 0) normals.row(v) /= length;
  }
  return normals;
}

}  // namespace facet
