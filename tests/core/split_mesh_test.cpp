#include "core/split_mesh.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/morphable_model.h"

using namespace facet;

namespace {

// A patch z = height(x, y) over [0, 1]², n×n quads, u along x and v along y; `mirrored` turns u round.
Mesh patch(int n, bool mirrored) {
  Mesh mesh;
  mesh.vertices.resize((n + 1) * (n + 1), 3);
  mesh.uv.resize(mesh.vertices.rows(), 2);
  mesh.triangles.resize(2 * n * n, 3);
  const auto at = [n](int x, int y) { return y * (n + 1) + x; };
  for (int y = 0; y <= n; ++y) {
    for (int x = 0; x <= n; ++x) {
      const float u = static_cast<float>(x) / static_cast<float>(n),
                  v = static_cast<float>(y) / static_cast<float>(n);
      mesh.vertices.row(at(x, y)) << u, v, 0.1F * std::sin(3 * u) * v;
      mesh.uv.row(at(x, y)) << (mirrored ? 1 - u : u), v;
    }
  }
  for (int y = 0; y < n; ++y) {
    for (int x = 0; x < n; ++x) {
      mesh.triangles.row(2 * (y * n + x)) << at(x, y), at(x + 1, y), at(x + 1, y + 1);
      mesh.triangles.row(2 * (y * n + x) + 1) << at(x, y), at(x + 1, y + 1), at(x, y + 1);
    }
  }
  mesh.uv_triangles = mesh.triangles;
  return mesh;
}

}  // namespace

TEST_CASE("tangents follow growing u; the bitangent that w gives follows growing v, mirrored or not") {
  for (const bool mirrored : {false, true}) {
    const Mesh mesh = patch(20, mirrored);
    const Points3 normals = vertexNormals(mesh.vertices, mesh.triangles);
    const Points4 tangents = vertexTangents(mesh.vertices, normals, mesh.uv, mesh.triangles);
    const float side = mirrored ? -1.0F : 1.0F;
    for (Eigen::Index v = 0; v < tangents.rows(); ++v) {
      const Eigen::Vector3f tangent = tangents.row(v).head<3>().transpose(),
                            normal = normals.row(v).transpose();
      CHECK(tangent.norm() == doctest::Approx(1).epsilon(1e-5));
      CHECK(std::abs(tangent.dot(normal)) < 1e-5F);
      // dP/du = (1, 0, 0.3 cos 3u v), dP/dv = (0, 1, 0.1 sin 3u); a grid of 20 follows them to some percent.
      const float x = mesh.vertices(v, 0), y = mesh.vertices(v, 1);
      const Eigen::Vector3f along_u(side, 0, side * 0.3F * std::cos(3 * x) * y);
      const Eigen::Vector3f along_v(0, 1, 0.1F * std::sin(3 * x));
      CHECK(tangent.dot(along_u.normalized()) > 0.99F);
      CHECK(tangents(v, 3) * normal.cross(tangent).dot(along_v.normalized()) > 0.98F);
    }
  }
}

TEST_CASE("splitting keeps every corner's vertex and texture coordinate, and parts mirrored charts") {
  Mesh mesh = patch(2, false);
  mesh.uv.col(0) = (mesh.uv.col(0).array() - 0.5F).abs();  // both halves on one chart, mirrored
  const SplitMesh split = splitAtSeams(mesh);
  CHECK(split.source.size() == 12);  // 9, and the three on the fold once more
  for (Eigen::Index i = 0; i < mesh.triangles.size(); ++i) {
    CHECK(split.source[split.triangles.data()[i]] == mesh.triangles.data()[i]);
    CHECK(split.uv_source[split.triangles.data()[i]] == mesh.uv_triangles.data()[i]);
  }
}
