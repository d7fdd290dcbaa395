#include "core/mesh.h"

#include <cstdint>
#include <vector>

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
  require(uv.allFinite(), name, ": a texture coordinate is not finite");
}

double uvOverlap(const Mesh& mesh) {
  constexpr int kSide = 512;
  std::vector<std::uint8_t> covered(static_cast<std::size_t>(kSide) * kSide, 0);
  std::int64_t num_covered = 0, num_bad = 0;
  for (Eigen::Index f = 0; f < mesh.uv_triangles.rows(); ++f) {
    Eigen::Matrix<float, 3, 2> corner;
    for (int k = 0; k < 3; ++k) corner.row(k) = mesh.uv.row(mesh.uv_triangles(f, k)) * kSide;
    const Eigen::RowVector2f a = corner.row(1) - corner.row(0), b = corner.row(2) - corner.row(0);
    const float doubled_area = a.x() * b.y() - a.y() * b.x();
    if (doubled_area == 0) continue;
    const Eigen::RowVector2i low =
        corner.colwise().minCoeff().array().floor().cast<int>().max(-kSide).min(2 * kSide);
    const Eigen::RowVector2i high =
        corner.colwise().maxCoeff().array().ceil().cast<int>().max(-kSide).min(2 * kSide);
    for (int y = low.y(); y < high.y(); ++y) {
      for (int x = low.x(); x < high.x(); ++x) {
        const Eigen::RowVector2f p = Eigen::RowVector2f(x + 0.5F, y + 0.5F) - corner.row(0);
        const float u = (p.x() * b.y() - p.y() * b.x()) / doubled_area;
        const float v = (a.x() * p.y() - a.y() * p.x()) / doubled_area;
        if (u <= 0 || v <= 0 || u + v >= 1) continue;
        const bool is_inside = x >= 0 && y >= 0 && x < kSide && y < kSide;
        std::uint8_t outside = 0;
        std::uint8_t& times = is_inside ? covered[static_cast<std::size_t>(y) * kSide + x] : outside;
        num_covered += times == 0;
        num_bad += !is_inside || times == 1;  // counted once, however many triangles there are
        if (times < 2) ++times;
      }
    }
  }
  return num_covered == 0 ? 0 : static_cast<double>(num_bad) / static_cast<double>(num_covered);
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
