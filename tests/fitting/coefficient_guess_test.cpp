#include "fitting/coefficient_guess.h"

#include <ceres/gradient_checker.h>

#include <Eigen/Dense>
#include <random>

#include "core/io/model_io.h"
#include "core/morphable_model.h"
#include "fitting/cost/linear_gaussian_cost.h"
#include "fitting/landmark_fit.h"
// doctest's CHECK collides with glog's inside Ceres, so it comes last.
#include <doctest/doctest.h>

using namespace facet;

namespace {

CoefficientGuess someGuess(int count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> uniform(0.1F, 0.9F);
  CoefficientGuess guess{Eigen::VectorXf(count), Eigen::VectorXf(count)};
  for (int k = 0; k < count; ++k) {
    guess.sigma[k] = uniform(generator);
    guess.values[k] = std::sqrt(1 - guess.sigma[k] * guess.sigma[k]) * normal(generator);
  }
  return guess;
}

// What prior N(0, I) and evidence together say.
Eigen::MatrixXd posteriorCovariance(const LinearEvidence& evidence) {
  const Eigen::Index n = evidence.matrix.cols();
  return (Eigen::MatrixXd::Identity(n, n) + evidence.matrix.transpose() * evidence.matrix).inverse();
}
Eigen::VectorXd posteriorMean(const LinearEvidence& evidence) {
  return posteriorCovariance(evidence) * evidence.matrix.transpose() * evidence.target;
}

Points3 denseNeutral(const MorphableModel& model, const Eigen::VectorXf& identity) {
  return model.dense.points(model.vertices(identity), model.triangles);
}

}  // namespace

TEST_CASE("identity guess: with the built-in model, prior and evidence together give the guess back") {
  const MorphableModel model = makeSyntheticModel();
  const CoefficientGuess guess = someGuess(model.numIdentity() - 1, 1);
  const LinearEvidence evidence = identityEvidence(guess, model, model);
  const Eigen::VectorXd mean = posteriorMean(evidence), variance = posteriorCovariance(evidence).diagonal();
  for (int k = 0; k < guess.values.size(); ++k) {
    CHECK(mean[k] == doctest::Approx(guess.values[k]).epsilon(1e-5));
    CHECK(std::sqrt(variance[k]) == doctest::Approx(guess.sigma[k]).epsilon(1e-5));
  }
  CHECK(mean[model.numIdentity() - 1] == doctest::Approx(0));  // of this mode the guess says nothing
  CHECK(variance[model.numIdentity() - 1] == doctest::Approx(1));
}

TEST_CASE(
    "identity guess: a coefficient that is as uncertain as the population says nothing, and is finite") {
  const MorphableModel model = makeSyntheticModel();
  CoefficientGuess guess = someGuess(model.numIdentity(), 2);
  guess.sigma.setOnes();
  guess.values.setConstant(0.1F);
  const LinearEvidence evidence = identityEvidence(guess, model, model);
  REQUIRE(evidence.matrix.allFinite());
  REQUIRE(evidence.target.allFinite());
  CHECK(posteriorMean(evidence).cwiseAbs().maxCoeff() < 0.11);
}

TEST_CASE("identity guess: another model is drawn to the same neutral face") {
  const MorphableModel builtin = makeSyntheticModel();
  // The same people in other coordinates: turned, larger, elsewhere, another average face and a rotated
  // basis.
  MorphableModel other = builtin;
  other.id = "other";
  const int count = builtin.numIdentity();
  std::mt19937 generator(3);
  std::normal_distribution<float> normal;
  const Eigen::MatrixXf random =
      Eigen::MatrixXf::NullaryExpr(count, count, [&] { return normal(generator); });
  const Eigen::MatrixXf mixing = Eigen::HouseholderQR<Eigen::MatrixXf>(random).householderQ();
  const Eigen::VectorXf average = Eigen::VectorXf::Constant(count, 0.3F);
  const Eigen::Matrix3f turn =
      1.02F * Eigen::AngleAxisf(0.03F, Eigen::Vector3f(1, 2, -1).normalized()).toRotationMatrix();
  other.mean = builtin.vertices(average) * turn.transpose();
  other.mean.rowwise() += Eigen::RowVector3f(4, -3, 6);
  Eigen::MatrixXf mixed = builtin.identity.dense() * mixing;
  for (int v = 0; v < builtin.numVertices(); ++v)
    mixed.middleRows<3>(3 * v) = turn * mixed.middleRows<3>(3 * v).eval();
  other.identity = mixed;

  CoefficientGuess guess = someGuess(count, 4);
  guess.sigma.setConstant(0.05F);  // certain: the other model has to follow
  const Eigen::VectorXf in_other = posteriorMean(identityEvidence(guess, builtin, other)).cast<float>();
  const auto distance = [&](const Eigen::VectorXf& identity) {  // after a similarity
    const Eigen::Matrix3Xd from = denseNeutral(other, identity).transpose().cast<double>();
    const Eigen::Matrix3Xd to = denseNeutral(builtin, guess.values).transpose().cast<double>();
    const Eigen::Matrix4d similarity = Eigen::umeyama(from, to);
    const Eigen::Matrix3Xd moved =
        (similarity.topLeftCorner<3, 3>() * from).colwise() + similarity.topRightCorner<3, 1>();
    return (moved - to).colwise().norm().mean();
  };
  CHECK(distance(in_other) < 0.15 * distance(Eigen::VectorXf::Zero(count)));
}

TEST_CASE("identity guess: sizes that do not fit are named") {
  const MorphableModel model = makeSyntheticModel();
  CoefficientGuess guess = someGuess(model.numIdentity() + 1, 5);
  CHECK_THROWS_WITH_AS(identityEvidence(guess, model, model), doctest::Contains("trained for another model"),
                       std::invalid_argument);
  guess = someGuess(3, 5);
  guess.sigma.conservativeResize(2);
  CHECK_THROWS_AS(identityEvidence(guess, model, model), std::invalid_argument);
  MorphableModel without_dense = model;
  without_dense.id = "other";
  without_dense.dense = {};
  CHECK_THROWS_WITH_AS(identityEvidence(someGuess(3, 5), model, without_dense),
                       doctest::Contains("dense points"), std::invalid_argument);
}

TEST_CASE("fitLandmarks: where landmarks say little, the fit takes the guess; without weight it does not") {
  const MorphableModel model = makeSyntheticModel();
  Camera camera;
  camera.width_px = camera.height_px = 400;
  camera.principal_px = {200, 200};
  camera.focal_px = 1500;
  camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation() = Eigen::Vector3f(0, 0, 1200);
  FitLandmarks landmarks;  // of the average face, each by a quarter of the face uncertain
  landmarks.dense.positions_px =
      camera.imageFromModel(denseNeutral(model, Eigen::VectorXf::Zero(model.numIdentity())));
  landmarks.dense.sigma_px = Eigen::VectorXf::Constant(landmarks.dense.size(), 60);
  CoefficientGuess guess = someGuess(model.numIdentity(), 6);
  guess.sigma.setConstant(0.1F);
  landmarks.identity_evidence = identityEvidence(guess, model, model);
  const FitResult with = fitLandmarks(model, landmarks, 400, 400);
  const FitResult without = fitLandmarks(model, landmarks, 400, 400, {.guess_weight = 0});
  CHECK((with.identity - guess.values).norm() < 0.1 * guess.values.norm());
  CHECK(without.identity.norm() < 0.1 * guess.values.norm());
}

TEST_CASE("linear Gaussian cost: derivatives agree with numeric ones") {
  std::mt19937 generator(7);
  std::normal_distribution<double> normal;
  const Eigen::MatrixXd matrix = Eigen::MatrixXd::NullaryExpr(3, 5, [&] { return normal(generator); });
  const LinearGaussianCost cost(matrix, Eigen::Vector3d(1, 2, 3), 0.5);
  ceres::GradientChecker checker(&cost, static_cast<std::vector<const ceres::Manifold*>*>(nullptr),
                                 ceres::NumericDiffOptions());
  const double x[] = {0.3, -1, 2, 0.5, -0.7};
  const double* parameters[] = {x};
  ceres::GradientChecker::ProbeResults results;
  CHECK(checker.Probe(parameters, 1e-7, &results));
  double residuals[3];
  REQUIRE(cost.Evaluate(parameters, residuals, nullptr));
  CHECK(residuals[0] ==
        doctest::Approx(0.5 * (matrix.row(0).dot(Eigen::Map<const Eigen::Matrix<double, 5, 1>>(x)) - 1)));
}

TEST_CASE("expression guess: the built-in model takes it as it is, halves of one name share it") {
  MorphableModel builtin = makeSyntheticModel(0, 4, 3);
  builtin.expression_names = {"jawOpen", "browInnerUp", "eyeBlinkLeft"};
  CoefficientGuess guess{Eigen::Vector3f(0.7F, 0.4F, 1.0F), Eigen::Vector3f(0.1F, 0.2F, 0.05F)};
  const LinearEvidence own = expressionEvidence(guess, builtin, builtin);
  REQUIRE(own.target.size() == 3);
  CHECK(own.target.isApprox(Eigen::Vector3d(7, 2, 20), 1e-5));
  CHECK(own.matrix.isApprox(Eigen::MatrixXd(Eigen::Vector3d(10, 5, 20).asDiagonal()), 1e-5));

  MorphableModel split = makeSyntheticModel(0, 4, 4);
  split.id = "split";
  split.expression_names = {"eyeBlinkLeft", "browInnerUpLeft", "somethingElse", "browInnerUpRight"};
  const LinearEvidence evidence = expressionEvidence(guess, builtin, split);
  REQUIRE(evidence.target.size() == 2);  // jawOpen is not there
  CHECK(evidence.matrix.row(0).isApprox(Eigen::RowVector4d(0, 2.5, 0, 2.5), 1e-5));
  CHECK(evidence.matrix.row(1).isApprox(Eigen::RowVector4d(20, 0, 0, 0), 1e-5));
}

TEST_CASE("expression guess: modes without names are drawn to the same movement of the dense points") {
  const MorphableModel builtin = makeSyntheticModel(0, 4, 3);
  MorphableModel pca = builtin;
  pca.id = "pca";
  pca.num_blendshapes = 0;
  pca.expression_names.clear();
  Eigen::Matrix3f mixing;
  mixing << 0.5F, -0.2F, 0.1F, 0.3F, 0.8F, 0, -0.1F, 0.4F, 0.9F;
  pca.expression = Eigen::MatrixXf(builtin.expression.dense() * mixing);
  const CoefficientGuess guess{Eigen::Vector3f(0.7F, 0.1F, 0.9F), Eigen::Vector3f(0.05F, 0.05F, 0.05F)};
  const LinearEvidence evidence = expressionEvidence(guess, builtin, pca);
  REQUIRE(evidence.target.size() == 3);
  const Eigen::Vector3f found = evidence.matrix.colPivHouseholderQr().solve(evidence.target).cast<float>();
  CHECK((mixing * found - guess.values).norm() < 1e-2F);
}

TEST_CASE("fitLandmarks: closed lids that the points hardly show are taken from the expression guess") {
  const MorphableModel model = loadModel("builtin");
  const int left = *model.expressionIndex("eyeBlinkLeft"), right = *model.expressionIndex("eyeBlinkRight");
  Camera camera;
  camera.width_px = camera.height_px = 400;
  camera.principal_px = {200, 200};
  camera.focal_px = 1500;
  camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation() = Eigen::Vector3f(0, 0, 1200);
  Eigen::VectorXf closed = Eigen::VectorXf::Zero(model.numExpression());
  closed(left) = closed(right) = 1;
  FitLandmarks landmarks;
  landmarks.dense.positions_px =
      camera.imageFromModel(model.dense.points(model.vertices({}, closed), model.triangles));
  landmarks.dense.sigma_px = Eigen::VectorXf::Constant(landmarks.dense.size(), 12);
  const FitResult without = fitLandmarks(model, landmarks, 400, 400);
  landmarks.expression_evidence =
      expressionEvidence({closed, Eigen::VectorXf::Constant(model.numExpression(), 0.1F)}, model, model);
  const FitResult with = fitLandmarks(model, landmarks, 400, 400);
  CHECK(without.expression(left) < 0.6F);  // the prior holds the lids open
  CHECK(with.expression(left) > 0.93F);
  CHECK(with.expression(right) > 0.93F);
}
