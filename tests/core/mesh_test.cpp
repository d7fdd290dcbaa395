#include "core/mesh.h"

#include <doctest/doctest.h>

using namespace facet;

TEST_CASE("vertexNormals: a counter-clockwise triangle faces the viewer") {
  const Points3 vertices = (Points3(4, 3) << 0, 0, 0, 1, 0, 0, 0, 1, 0, 5, 5, 5).finished();
  const Points3 normals = vertexNormals(vertices, (Triangles(1, 3) << 0, 1, 2).finished());
  for (int v = 0; v < 3; ++v) CHECK(normals.row(v).isApprox(Eigen::RowVector3f(0, 0, 1)));
  CHECK(normals.row(3).isZero());  // without a triangle
}

TEST_CASE("vertexNormals: triangles count by their area") {
  // Vertex 0 joins a triangle of area 2 facing +Z and one of area 0.5 facing +X.
  const Points3 vertices = (Points3(5, 3) << 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 1).finished();
  const Points3 normals = vertexNormals(vertices, (Triangles(2, 3) << 0, 1, 2, 0, 3, 4).finished());
  CHECK(normals.row(0).isApprox(Eigen::RowVector3f(1, 0, 4).normalized()));
}

TEST_CASE("Mesh: check names an index that is out of range and sizes that do not fit") {
  Mesh mesh;
  mesh.vertices = Points3::Zero(3, 3);
  mesh.triangles = (Triangles(1, 3) << 0, 1, 2).finished();
  CHECK_NOTHROW(mesh.check());
  mesh.triangles(0, 2) = 3;
  CHECK_THROWS_WITH_AS(mesh.check("nose"), "nose: triangle index 3 is outside [0, 3)", std::invalid_argument);
  mesh.triangles(0, 2) = -1;
  CHECK_THROWS_AS(mesh.check(), std::invalid_argument);
  mesh.triangles(0, 2) = 2;
  mesh.uv = Points2::Zero(3, 2);  // without UV triangles
  CHECK_THROWS_AS(mesh.check(), std::invalid_argument);
}

TEST_CASE("uvOverlap: the share of the texture that several triangles claim, or that lies outside it") {
  Mesh mesh;
  mesh.uv.resize(4, 2);
  mesh.uv << 0, 0, 0.5F, 0, 0.5F, 0.5F, 0, 0.5F;
  mesh.uv_triangles.resize(2, 3);
  mesh.uv_triangles << 0, 1, 2, 0, 2, 3;  // two halves of a square
  CHECK(uvOverlap(mesh) < 0.005);
  mesh.uv_triangles.row(1) << 0, 1, 2;  // the same half twice
  CHECK(uvOverlap(mesh) > 0.99);
  mesh.uv.col(0).array() += 0.75F;  // half of it beyond the right border, where nothing can be stored
  mesh.uv_triangles.row(1) << 0, 2, 3;
  CHECK(uvOverlap(mesh) == doctest::Approx(0.5).epsilon(0.02));
  CHECK(uvOverlap(Mesh()) == 0);
}
