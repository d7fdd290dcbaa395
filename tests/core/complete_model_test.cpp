#include "core/complete_model.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/io/model_io.h"
#include "tests/core/remesh.h"

using namespace facet;
using facet::test::remesh;
using facet::test::Remeshed;

TEST_CASE("completeModel: a bare mesh with landmarks becomes a model with everything") {
  const MorphableModel builtin = loadModel("builtin");
  Remeshed target = remesh(builtin, builtin.mean);
  MorphableModel& model = target.model;
  const std::vector<std::string> filled = completeModel(model, builtin);
  CHECK(filled == std::vector<std::string>{"symmetry", "dense", "uv", "region", "triangle_material",
                                           "albedo_mean", "blendshapes"});
  CHECK_NOTHROW(model.check());
  CHECK(model.blendshape_names == builtin.expression_names);
  CHECK(model.blendshapes.cols() == builtin.numExpression());
  CHECK((model.dense.points(model.mean, model.triangles) -
         builtin.dense.points(builtin.mean, builtin.triangles))
            .rowwise()
            .norm()
            .mean() < 0.3);
  const Points3 albedo = target.of * builtin.albedo_mean;
  CHECK((model.albedo_mean - albedo).cwiseAbs().mean() < 0.01);
  // Each quarter of an old triangle is of the same material.
  int num_other = 0;
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f)
    num_other += model.triangle_material[f] != builtin.triangle_material[f / 4];
  CHECK(num_other < 0.01 * model.triangles.rows());
  for (int v = 0; v < model.numVertices(); ++v) CHECK(model.symmetry[model.symmetry[v]] == v);

  CHECK(completeModel(model, builtin).empty());  // nothing is missing now
}

TEST_CASE("completeModel: what the model has stays, and named expressions need no blendshapes") {
  const MorphableModel builtin = loadModel("builtin");
  Remeshed target = remesh(builtin, builtin.mean);
  MorphableModel& model = target.model;
  model.albedo_mean = Points3::Constant(model.numVertices(), 3, 0.25F);
  model.expression = Eigen::MatrixXf(Eigen::MatrixXf::Zero(3 * model.numVertices(), 1));
  model.expression_names = {"jawOpen"};
  model.num_blendshapes = 1;
  const std::vector<std::string> filled = completeModel(model, builtin);
  CHECK(std::find(filled.begin(), filled.end(), "albedo_mean") == filled.end());
  CHECK(std::find(filled.begin(), filled.end(), "blendshapes") == filled.end());
  CHECK(model.albedo_mean.isConstant(0.25F));
  CHECK(model.blendshapes.cols() == 0);
}

TEST_CASE("completeModel: takes given landmarks for a model that has none, and refuses to guess") {
  const MorphableModel builtin = loadModel("builtin");
  Remeshed target = remesh(builtin, builtin.mean);
  MorphableModel& model = target.model;
  const Points3 landmarks = model.landmarks68.points(model.mean, model.triangles);
  model.landmarks68 = {};
  CHECK_THROWS_WITH_AS(completeModel(model, builtin), doctest::Contains("no 68 landmarks"),
                       std::invalid_argument);
  const std::vector<std::string> filled = completeModel(model, builtin, landmarks);
  CHECK(filled.at(1) == "landmarks68");
  CHECK((model.landmarks68.points(model.mean, model.triangles) - landmarks).rowwise().norm().mean() < 0.4);
}
