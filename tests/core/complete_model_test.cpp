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
  CHECK(filled == std::vector<std::string>{"symmetry", "dense", "uv", "region", "triangle_material", "albedo",
                                           "blendshapes"});
  CHECK_NOTHROW(model.check());
  // It had no expressions: the shapes become its own, with weights from 0 to 1.
  CHECK(model.expression_names == builtin.expression_names);
  CHECK(model.num_blendshapes == builtin.numExpression());
  CHECK(model.blendshapes.cols() == 0);
  CHECK((model.dense.points(model.mean, model.triangles) -
         builtin.dense.points(builtin.mean, builtin.triangles))
            .rowwise()
            .norm()
            .mean() < 0.3);
  const Points3 albedo = target.of * builtin.albedo_mean;
  CHECK((model.albedo_mean - albedo).cwiseAbs().mean() < 0.01);
  CHECK(model.albedo_names == builtin.albedo_names);
  const Eigen::VectorXf mode = builtin.albedo.col(0), carried_mode = model.albedo.col(0);
  const Points3 expected_mode = target.of * Eigen::Map<const Points3>(mode.data(), builtin.numVertices(), 3);
  CHECK((Eigen::Map<const Points3>(carried_mode.data(), model.numVertices(), 3) - expected_mode)
            .cwiseAbs()
            .mean() < 0.1 * expected_mode.cwiseAbs().mean());
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
  CHECK(std::find(filled.begin(), filled.end(), "albedo") == filled.end());
  CHECK(std::find(filled.begin(), filled.end(), "blendshapes") == filled.end());
  CHECK(model.albedo_mean.isConstant(0.25F));
  CHECK(model.blendshapes.cols() == 0);
}

TEST_CASE("completeModel: a model with modes in standard deviations gets named shapes beside them") {
  const MorphableModel builtin = loadModel("builtin");
  Remeshed target = remesh(builtin, builtin.mean);
  MorphableModel& model = target.model;
  model.expression = Eigen::MatrixXf(Eigen::MatrixXf::Ones(3 * model.numVertices(), 2));
  model.expression_names = {"expression_00", "expression_01"};
  completeModel(model, builtin);
  CHECK(model.numExpression() == 2);
  CHECK(model.num_blendshapes == 0);
  CHECK(model.blendshape_names == builtin.expression_names);
  CHECK(model.blendshapes.cols() == builtin.numExpression());
}

TEST_CASE(
    "completeModel: dense points that a mask does not have are gaps, the others lie where they should") {
  const MorphableModel builtin = loadModel("builtin");
  // The built-in head without ears, neck and scalp.
  MorphableModel mask = builtin;
  std::vector<bool> is_kept(builtin.region_names.size());
  for (std::size_t r = 0; r < is_kept.size(); ++r) {
    const std::string& name = builtin.region_names[r];
    is_kept[r] = name != "scalp" && name != "neck" && name.rfind("ear_", 0) != 0;
  }
  Eigen::Index count = 0;
  for (Eigen::Index f = 0; f < builtin.triangles.rows(); ++f) {
    bool keeps = true;
    for (int k = 0; k < 3; ++k) keeps = keeps && is_kept[builtin.region[builtin.triangles(f, k)]];
    if (keeps) mask.triangles.row(count++) = builtin.triangles.row(f);
  }
  mask.triangles.conservativeResize(count, 3);
  const Points3 landmarks = builtin.landmarks68.points(builtin.mean, builtin.triangles);
  mask.landmarks68 = mask.dense = {};
  mask.uv.resize(0, 2), mask.uv_triangles.resize(0, 3), mask.triangle_material.clear();
  completeModel(mask, builtin, landmarks);

  const Points3 found = mask.dense.points(mask.mean, mask.triangles);
  const Points3 truth = builtin.dense.points(builtin.mean, builtin.triangles);
  int num_gaps = 0;
  for (int i = 0; i < mask.dense.size(); ++i) {
    const auto corners = builtin.triangles.row(builtin.dense.triangle[i]);
    bool is_on_mask = true;
    for (int k = 0; k < 3; ++k) is_on_mask = is_on_mask && is_kept[builtin.region[corners[k]]];
    if (!mask.dense.has(i)) {
      ++num_gaps;
    } else if (is_on_mask) {
      CHECK((found.row(i) - truth.row(i)).norm() < 3);
    } else {
      CHECK((found.row(i) - truth.row(i)).norm() < 12);  // just over the edge
    }
  }
  CHECK(num_gaps > 10);
  CHECK(num_gaps < mask.dense.size() / 3);
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
