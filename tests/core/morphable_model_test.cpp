#include "core/morphable_model.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace facet;

TEST_CASE("MorphableModel: vertices are the mean plus weighted modes; missing coefficients are zero") {
  const MorphableModel model = makeSyntheticModel();
  const Eigen::VectorXf identity = (Eigen::VectorXf(2) << 1.5F, -0.5F).finished();
  const Eigen::VectorXf expression = (Eigen::VectorXf(1) << 0.7F).finished();
  const Points3 vertices = model.vertices(identity, expression);
  const int v = 123, axis = 1, row = 3 * v + axis;
  const float expected = model.mean(v, axis) + 1.5F * model.identity(row, 0) - 0.5F * model.identity(row, 1) +
                         0.7F * model.expression(row, 0);
  CHECK(vertices(v, axis) == doctest::Approx(expected));
  CHECK(model.vertices({}).isApprox(model.mean));
  CHECK_THROWS_AS(model.vertices(Eigen::VectorXf::Zero(model.numIdentity() + 1)), std::invalid_argument);
}

TEST_CASE("MorphableModel: albedo is clamped to [0, 1]") {
  const MorphableModel model = makeSyntheticModel();
  const Points3 colours = model.albedoColours(Eigen::VectorXf::Constant(model.numAlbedo(), 50));
  CHECK(colours.minCoeff() >= 0);
  CHECK(colours.maxCoeff() <= 1);
  CHECK(model.albedoColours({}).isApprox(model.albedo_mean));
}

TEST_CASE("MorphableModel: check finds what does not fit") {
  const auto broken = [](auto&& change) {
    MorphableModel model = makeSyntheticModel();
    change(model);
    CHECK_THROWS_AS(model.check(), std::invalid_argument);
  };
  broken([](MorphableModel& m) {
    m.identity = Eigen::MatrixXf(m.identity.dense().topRows(m.identity.rows() - 3));
  });
  broken([](MorphableModel& m) { m.expression_names.pop_back(); });
  broken([](MorphableModel& m) { m.symmetry[5] = m.numVertices(); });
  broken([](MorphableModel& m) {
    Eigen::MatrixXf modes = m.expression.dense();
    modes(7, 0) = std::nanf("");
    m.expression = modes;
  });
  broken([](MorphableModel& m) { m.triangles(3, 1) = -1; });
  broken([](MorphableModel& m) { m.landmarks68.barycentric(4, 0) += 0.5F; });
  broken([](MorphableModel& m) { m.triangle_material[0] = 9; });
}

TEST_CASE("makeSyntheticModel: equal seeds give equal models, other seeds other modes") {
  const MorphableModel a = makeSyntheticModel(3), b = makeSyntheticModel(3), c = makeSyntheticModel(4);
  CHECK(a.identity.dense() == b.identity.dense());
  CHECK(a.albedo.dense() == b.albedo.dense());
  CHECK_FALSE(a.identity.dense().isApprox(c.identity.dense(), 0.1F));
}

TEST_CASE("makeSyntheticModel: closed, facing outwards, exactly symmetric") {
  const MorphableModel model = makeSyntheticModel();
  float volume = 0;
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    const Eigen::RowVector3f a = model.mean.row(model.triangles(f, 0)),
                             b = model.mean.row(model.triangles(f, 1)),
                             c = model.mean.row(model.triangles(f, 2));
    volume += a.dot(b.cross(c)) / 6;
  }
  CHECK(volume > 0.9F * 4 / 3 * 3.14159F * 75 * 110 * 95);  // the ellipsoid's, a little less for its facets
  CHECK(model.numVertices() - model.triangles.rows() * 3 / 2 + model.triangles.rows() ==
        2);  // Euler: a sphere
  for (int v = 0; v < model.numVertices(); ++v) {
    const int m = model.symmetry[v];
    CHECK(model.symmetry[m] == v);
    CHECK(model.mean(m, 0) == -model.mean(v, 0));
    CHECK(model.mean(m, 1) == model.mean(v, 1));
    CHECK(model.mean(m, 2) == model.mean(v, 2));
  }
}

TEST_CASE("makeSyntheticModel: landmarks are symmetric, on the front, and not in a plane") {
  const MorphableModel model = makeSyntheticModel();
  const Points3 points = model.landmarks68.points(model.mean, model.triangles);
  REQUIRE(points.rows() == 68);
  for (int i = 0; i < 68; ++i) {
    const Eigen::RowVector3f mirrored = points.row(mirroredIbugIndex(i));
    CHECK((mirrored - Eigen::RowVector3f(-points(i, 0), points(i, 1), points(i, 2))).norm() < 0.1F);
    CHECK(points(i, 2) > 0);
  }
  CHECK(points(36, 0) < 0);                   // iBUG 36 is the subject's right eye, at -X
  CHECK(points(30, 2) > points(0, 2) + 60);   // the nose stands out before the jaw
  CHECK(points(30, 2) > points(48, 2) + 10);  // and before the mouth
  CHECK(model.dense.size() == 150);
}

TEST_CASE("makeSyntheticModel: modes are a few millimetres and free of shift, turn and size") {
  const MorphableModel model = makeSyntheticModel();
  for (int k = 0; k < model.numIdentity(); ++k) {
    const Eigen::VectorXf mode = model.identity.col(k);
    const Eigen::Map<const Points3> field(mode.data(), model.numVertices(), 3);
    const float rms_mm = std::sqrt(field.squaredNorm() / static_cast<float>(model.numVertices()));
    CHECK(rms_mm > 0.5F);
    CHECK(rms_mm < 4);
    CHECK(field.colwise().mean().norm() < 1e-3F);
    CHECK(std::abs((field.array() * model.mean.array()).sum()) < 1e-3F * field.norm() * model.mean.norm());
  }
}
