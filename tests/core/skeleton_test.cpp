#include "core/skeleton.h"

#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <cmath>

#include "core/morphable_model.h"

using namespace facet;

namespace {

constexpr float kQuarterTurn = 1.5707963F;

// Three joints in a chain on four points: root at the origin, neck at (0, 10, 0), jaw at (0, 20, 0). Points 0
// and 1 are the joints' places; 2 follows the jaw, 3 half the neck and half the jaw.
Skeleton chain() {
  Skeleton skeleton;
  skeleton.names = {"root", "neck", "jaw"};
  skeleton.parent = {-1, 0, 1};
  skeleton.regressor.resize(3, 4);
  skeleton.regressor.insert(1, 0) = 1;
  skeleton.regressor.insert(2, 1) = 1;
  skeleton.weights = Eigen::MatrixXf::Zero(4, 3);
  skeleton.weights(0, 0) = skeleton.weights(1, 1) = skeleton.weights(2, 2) = 1;
  skeleton.weights(3, 1) = skeleton.weights(3, 2) = 0.5F;
  return skeleton;
}

Points3 chainPoints() {
  Points3 points(4, 3);
  points << 0, 10, 0, 0, 20, 0, 0, 20, 5, 0, 30, 0;
  return points;
}

Points3 pose(int joint, const Eigen::Vector3f& axis_angle) {
  Points3 result = Points3::Zero(3, 3);
  result.row(joint) = axis_angle;
  return result;
}

}  // namespace

TEST_CASE("Skeleton: no rotation leaves every vertex in place") {
  CHECK(chain().posed(chainPoints(), Points3::Zero(3, 3)).isApprox(chainPoints()));
}

TEST_CASE("Skeleton: a joint turns what follows it about its own place, worked out by hand") {
  // The jaw opens by a quarter turn about x: (0, 0, 5) from the joint becomes (0, -5, 0).
  const Points3 posed = chain().posed(chainPoints(), pose(2, {kQuarterTurn, 0, 0}));
  CHECK(posed.row(0).isApprox(Eigen::RowVector3f(0, 10, 0), 1e-5F));
  CHECK((posed.row(2) - Eigen::RowVector3f(0, 15, 0)).norm() < 1e-4F);
  // Half of it stays at (0, 30, 0) with the neck, half turns from (0, 10, 0) off the jaw to (0, 0, 10).
  CHECK((posed.row(3) - Eigen::RowVector3f(0, 25, 5)).norm() < 1e-4F);
}

TEST_CASE("Skeleton: a child goes along with its parent") {
  // The neck turns a quarter about z: everything above (0, 10, 0) falls towards -x, the jaw's place too.
  const Points3 posed = chain().posed(chainPoints(), pose(1, {0, 0, kQuarterTurn}));
  CHECK((posed.row(2) - Eigen::RowVector3f(-10, 10, 5)).norm() < 1e-4F);
}

TEST_CASE("Skeleton: the root turns the whole head as one") {
  const Eigen::Vector3f axis_angle(0.3F, -0.5F, 0.2F);
  const Eigen::Matrix3f rotation =
      Eigen::AngleAxisf(axis_angle.norm(), axis_angle.normalized()).toRotationMatrix();
  const Points3 posed = chain().posed(chainPoints(), pose(0, axis_angle));
  CHECK((posed - chainPoints() * rotation.transpose()).cwiseAbs().maxCoeff() < 1e-4F);
}

TEST_CASE("Skeleton: pose correctives add the entries of R - I, row by row, before skinning") {
  Skeleton skeleton = chain();
  Eigen::MatrixXf correctives = Eigen::MatrixXf::Zero(12, 18);
  correctives(3 * 0 + 2, 9 + 5) = 2;  // vertex 0, z: entry (1, 2) of the jaw's rotation
  skeleton.pose_correctives = correctives;
  const Points3 posed = skeleton.posed(chainPoints(), pose(2, {0.4F, 0, 0}));
  CHECK(posed(0, 2) == doctest::Approx(2 * -std::sin(0.4F)));
  CHECK(posed(0, 1) == doctest::Approx(10));
}

TEST_CASE("Skeleton: check names what does not fit") {
  const auto broken = [](auto&& change) {
    Skeleton skeleton = chain();
    change(skeleton);
    CHECK_THROWS_AS(skeleton.check(4), std::invalid_argument);
  };
  CHECK_NOTHROW(chain().check(4));
  broken([](Skeleton& s) { s.parent[1] = 2; });
  broken([](Skeleton& s) { s.parent[0] = 0; });
  broken([](Skeleton& s) { s.weights(3, 0) = 0.5F; });
  broken([](Skeleton& s) { s.weights(0, 0) = std::nanf(""); });
  broken([](Skeleton& s) { s.names.pop_back(); });
  broken([](Skeleton& s) { s.pose_correctives = Eigen::MatrixXf(Eigen::MatrixXf::Zero(12, 9)); });
}

TEST_CASE("MorphableModel: a pose without joints is refused") {
  const MorphableModel model = makeSyntheticModel();
  CHECK_THROWS_AS(model.vertices({}, {}, Points3::Zero(5, 3)), std::invalid_argument);
}
