#include "core/io/model_parts.h"

#include <doctest/doctest.h>

#include "core/morphable_model.h"

using namespace facet;

TEST_CASE("orientOutward: a surface wound inwards is reversed, one wound outwards is left alone") {
  const MorphableModel model = makeSyntheticModel();
  Triangles triangles = model.triangles;
  CHECK_FALSE(orientOutward(model.mean, triangles));
  CHECK(triangles == model.triangles);
  triangles.col(0).swap(triangles.col(1));
  CHECK(orientOutward(model.mean, triangles));
  CHECK(vertexNormals(model.mean, triangles).isApprox(vertexNormals(model.mean, model.triangles)));
}

TEST_CASE("orientOutward: an open face mask far from the origin is oriented, too") {
  const MorphableModel model = makeSyntheticModel();
  Points3 vertices = model.mean;
  vertices.rowwise() += Eigen::RowVector3f(0, 0, -900);
  Triangles front(model.triangles.rows(), 3);
  Eigen::Index count = 0;
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    if (model.mean(model.triangles(f, 0), 2) > 20) front.row(count++) = model.triangles.row(f);
  }
  front.conservativeResize(count, 3);
  CHECK_FALSE(orientOutward(vertices, front));
  front.col(1).swap(front.col(2));
  CHECK(orientOutward(vertices, front));
}

TEST_CASE("zeroBased: one is taken off, and a zero is refused") {
  Triangles triangles(1, 3);
  triangles << 1, 2, 3;
  CHECK(zeroBased(triangles) == Triangles(Eigen::RowVector3i(0, 1, 2)));
  triangles(0, 1) = 0;
  CHECK_THROWS_AS(zeroBased(triangles), std::invalid_argument);
}
