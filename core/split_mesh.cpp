#include "core/split_mesh.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <array>
#include <cmath>

#include "core/check.h"

namespace facet {
namespace {

// Twice the signed area of a triangle in texture space.
float uvArea(const Points2& uv, const Eigen::Ref<const Eigen::RowVector3i>& corner) {
  const Eigen::RowVector2f a = uv.row(corner[1]) - uv.row(corner[0]),
                           b = uv.row(corner[2]) - uv.row(corner[0]);
  return a.x() * b.y() - a.y() * b.x();
}

// Part of a vector that is perpendicular to a unit normal, of unit length; zero if there is none.
Eigen::Vector3f inPlane(const Eigen::Vector3f& vector, const Eigen::Vector3f& normal) {
  const Eigen::Vector3f flat = vector - normal.dot(vector) * normal;
  const float length = flat.norm();
  return length > 1e-12F ? Eigen::Vector3f(flat / length) : Eigen::Vector3f::Zero();
}

}  // namespace

SplitMesh splitAtSeams(const Mesh& mesh) {
  using Key = std::array<std::int32_t, 3>;  // vertex, texture coordinate, mirrored
  SplitMesh split;
  split.triangles.resize(mesh.triangles.rows(), 3);
  std::vector<Key> corners(static_cast<std::size_t>(mesh.triangles.size()));
  for (Eigen::Index i = 0; i < mesh.triangles.size(); ++i) {
    corners[i] = {mesh.triangles.data()[i], 0, 0};
    if (!mesh.hasUv()) continue;
    corners[i][1] = mesh.uv_triangles.data()[i];
    corners[i][2] = uvArea(mesh.uv, mesh.uv_triangles.row(i / 3)) < 0;
  }
  std::vector<Key> distinct = corners;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  for (const Key& key : distinct) {
    split.source.push_back(key[0]);
    if (mesh.hasUv()) split.uv_source.push_back(key[1]);
  }
  for (Eigen::Index i = 0; i < mesh.triangles.size(); ++i) {
    const auto found = std::lower_bound(distinct.begin(), distinct.end(), corners[i]);
    split.triangles.data()[i] = static_cast<std::int32_t>(found - distinct.begin());
  }
  return split;
}

Points4 vertexTangents(const Points3& positions, const Points3& normals, const Points2& uv,
                       const Triangles& triangles) {
  require(normals.rows() == positions.rows() && uv.rows() == positions.rows(),
          "vertexTangents: ", positions.rows(), " positions, ", normals.rows(), " normals and ", uv.rows(),
          " texture coordinates");
  Points3 sum = Points3::Zero(positions.rows(), 3);
  Eigen::VectorXf sign = Eigen::VectorXf::Ones(positions.rows());
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    const Eigen::RowVector3i corner = triangles.row(f);
    const float area = uvArea(uv, corner);
    if (area == 0) continue;
    const auto edge = [&](int to) {
      return Eigen::Vector3f((positions.row(corner[to]) - positions.row(corner[0])).transpose());
    };
    const auto rise = [&](int to) { return uv(corner[to], 1) - uv(corner[0], 1); };
    const Eigen::Vector3f along_u = (rise(2) * edge(1) - rise(1) * edge(2)) * (area < 0 ? -1.0F : 1.0F);
    for (int k = 0; k < 3; ++k) {
      const int v = corner[k];
      const Eigen::Vector3f normal = normals.row(v).transpose();
      const auto towards = [&](int other) {
        return inPlane((positions.row(corner[other]) - positions.row(v)).transpose(), normal);
      };
      const float angle = std::acos(std::clamp(towards((k + 1) % 3).dot(towards((k + 2) % 3)), -1.0F, 1.0F));
      sum.row(v) += angle * inPlane(along_u, normal).transpose();
      sign[v] = area < 0 ? -1.0F : 1.0F;
    }
  }
  Points4 tangents(positions.rows(), 4);
  for (Eigen::Index v = 0; v < positions.rows(); ++v) {
    const Eigen::Vector3f normal = normals.row(v).transpose();
    Eigen::Vector3f tangent = inPlane(sum.row(v).transpose(), normal);
    if (tangent.isZero(0)) tangent = normal.unitOrthogonal();
    tangents.row(v) << tangent.x(), tangent.y(), tangent.z(), sign[v];
  }
  return tangents;
}

}  // namespace facet
