#include "core/take.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace facet;

namespace {

Take takeOf(const std::vector<std::string>& names, const Eigen::MatrixXf& weights) {
  Take take;
  take.names = names;
  take.weights = weights;
  for (Eigen::Index f = 0; f < weights.rows(); ++f) take.time_s.push_back(0.1 * static_cast<double>(f));
  take.fps = 10;
  return take;
}

}  // namespace

TEST_CASE("weightsFor: curves find shapes in any spelling, and those without a shape are named") {
  Eigen::MatrixXf weights(2, 4);
  weights << 0.1F, 0.2F, 0.3F, 0, 0.5F, 0.6F, 0.7F, 0;
  const Take take = takeOf({"jawOpen", "eyeBlinkLeft", "frown", "tongueOut"}, weights);
  const MatchedWeights matched = weightsFor(take, {"EyeBlink_L", "mode1", "JawOpen"});
  CHECK(matched.weights.col(0) == weights.col(1));
  CHECK(matched.weights.col(1).isZero(0));
  CHECK(matched.weights.col(2) == weights.col(0));
  CHECK(matched.missing == std::vector<std::string>{"frown"});  // tongueOut rests throughout
  CHECK(weightsFor(take, {"FROWN"}).weights.col(0) == weights.col(2));
}

TEST_CASE("weightsFor: halves take the whole's weight, a whole the mean of its halves") {
  const Take whole = takeOf({"browInnerUp"}, Eigen::MatrixXf::Constant(1, 1, 0.4F));
  const MatchedWeights halves = weightsFor(whole, {"browInnerUp_L", "browInnerUpRight"});
  CHECK(halves.weights(0, 0) == 0.4F);
  CHECK(halves.weights(0, 1) == 0.4F);
  Eigen::MatrixXf two(1, 2);
  two << 0.2F, 0.6F;
  const Take split = takeOf({"cheekPuffLeft", "cheekPuffRight"}, two);
  CHECK(weightsFor(split, {"cheekPuff"}).weights(0, 0) == doctest::Approx(0.4F));
  const MatchedWeights same = weightsFor(split, {"cheekPuff_R", "cheekPuff_L"});
  CHECK(same.weights(0, 0) == 0.6F);
  CHECK(same.weights(0, 1) == 0.2F);
}

TEST_CASE("fillGaps: frames in between are linear in time, those at the ends are held") {
  Eigen::MatrixXf weights(6, 1);
  weights << 0, 0.2F, 0, 0, 0.8F, 0;
  Take take = takeOf({"jawOpen"}, weights);
  take.time_s = {0, 1, 2, 5, 7, 8};
  take.head_deg = Points3::Zero(6, 3);
  take.head_deg(4, 0) = 12;
  fillGaps(take, {false, true, false, false, true, false});
  const float expected[] = {0.2F, 0.2F, 0.3F, 0.6F, 0.8F, 0.8F};
  for (int f = 0; f < 6; ++f) CHECK(take.weights(f, 0) == doctest::Approx(expected[f]));
  CHECK(take.head_deg(2, 0) == doctest::Approx(2));
  CHECK_THROWS_AS(fillGaps(take, std::vector<bool>(6, false)), std::invalid_argument);
}

TEST_CASE("eyeAngles: look curves turn each eye to its side, and come back from the angles") {
  const std::vector<std::string> names = {"eyeLookOutLeft",   "eyeLookInLeft",   "eyeLookDownLeft",
                                          "eyeLookUpLeft",    "eyeLookOutRight", "eyeLookInRight",
                                          "eyeLookDownRight", "eyeLookUpRight"};
  Eigen::MatrixXf weights(2, 8);
  weights << 0.5F, 0, 0, 0.1F, 0, 0.5F, 0, 0.1F, 0, 0.2F, 0.4F, 0, 0.6F, 0, 0, 0;
  Take take = takeOf(names, weights);
  take.left_eye_deg = Points3::Constant(2, 3, 7);  // the curves go first
  const auto angles = eyeAngles(take);
  CHECK(angles[0].row(0).isApprox(Eigen::RowVector3f(15, -3, 0)));  // both to the subject's left, and up
  CHECK(angles[1].row(0).isApprox(Eigen::RowVector3f(15, -3, 0)));
  CHECK(angles[0].row(1).isApprox(Eigen::RowVector3f(-6, 12, 0)));
  CHECK(angles[1].row(1).isApprox(Eigen::RowVector3f(-18, 0, 0)));
  take.left_eye_deg = angles[0];
  take.right_eye_deg = angles[1];
  take.weights.setZero();
  CHECK(eyeAngles(take)[1] == angles[1]);
  setLookCurves(take);
  CHECK(take.weights.isApprox(weights));
  CHECK_THROWS_AS(([&] {
                    take.names[2] = "jawOpen";
                    setLookCurves(take);
                  }()),
                  std::invalid_argument);
}

TEST_CASE("Take: angles turn the head as they say, and come back from the rotation") {
  const Eigen::Vector3f forward = Eigen::Vector3f::UnitZ(), up = Eigen::Vector3f::UnitY();
  CHECK((rotationFromAngles({30, 0, 0}) * forward).x() == doctest::Approx(0.5));   // to its own left
  CHECK((rotationFromAngles({0, 30, 0}) * forward).y() == doctest::Approx(-0.5));  // down
  CHECK((rotationFromAngles({0, 0, 30}) * up).x() == doctest::Approx(0.5));        // clockwise to a viewer
  const Eigen::Vector3f angles(-41, 22, 13);
  CHECK((anglesFromRotation(rotationFromAngles(angles)) - angles).norm() < 1e-3F);
}

TEST_CASE("Take: parts that do not fit are refused by name") {
  Take take = takeOf({"jawOpen"}, Eigen::MatrixXf::Zero(2, 1));
  take.check("test");
  take.weights(1, 0) = 1.5F;
  CHECK_THROWS_WITH_AS(take.check("test"), "test: a weight of the take is outside [0, 1]",
                       std::invalid_argument);
  take.weights(1, 0) = 0;
  take.time_s[1] = 0;
  CHECK_THROWS_AS(take.check("test"), std::invalid_argument);
  take.time_s[1] = 1;
  take.head_deg.resize(1, 3);
  CHECK_THROWS_AS(take.check("test"), std::invalid_argument);
}
