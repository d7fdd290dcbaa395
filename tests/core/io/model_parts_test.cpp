#include "core/io/model_parts.h"

#include <doctest/doctest.h>

#include "core/morphable_model.h"

using namespace facet;

TEST_CASE("orientTriangles: a surface wound inwards is reversed, one wound outwards is left alone") {
  const MorphableModel original = makeSyntheticModel();
  MorphableModel model = original;
  orientTriangles(model);
  CHECK(model.triangles == original.triangles);
  CHECK(model.reader_notes.empty());
  model.triangles.col(0).swap(model.triangles.col(1));
  model.uv_triangles.col(0).swap(model.uv_triangles.col(1));
  orientTriangles(model);
  CHECK(model.reader_notes.size() == 1);
  CHECK(
      vertexNormals(model.mean, model.triangles).isApprox(vertexNormals(original.mean, original.triangles)));
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {  // each corner keeps its texture coordinates
    for (int k = 0; k < 3; ++k) {
      const int same = model.triangles(f, k) == original.triangles(f, 0)   ? 0
                       : model.triangles(f, k) == original.triangles(f, 1) ? 1
                                                                           : 2;
      CHECK(model.uv_triangles(f, k) == original.uv_triangles(f, same));
    }
  }
}

TEST_CASE("orientTriangles: an open face mask far from the origin is oriented, too") {
  MorphableModel model = makeSyntheticModel();
  const Triangles all = model.triangles;
  model.uv_triangles.resize(0, 3);
  Eigen::Index count = 0;
  for (Eigen::Index f = 0; f < all.rows(); ++f) {
    if (model.mean(all(f, 0), 2) > 20) model.triangles.row(count++) = all.row(f);
  }
  model.triangles.conservativeResize(count, 3);
  model.mean.rowwise() += Eigen::RowVector3f(0, 0, -900);
  const Triangles front = model.triangles;
  orientTriangles(model);
  CHECK(model.triangles == front);
  model.triangles.col(1).swap(model.triangles.col(2));
  orientTriangles(model);
  CHECK(model.triangles == front);
}
