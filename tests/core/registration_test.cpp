#include "core/registration.h"

#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <limits>

#include "core/io/model_io.h"
#include "tests/core/remesh.h"

using namespace facet;
using facet::test::remesh;
using facet::test::Remeshed;

namespace {

// A face of the built-in model that is not its mean.
Points3 someFace(const MorphableModel& model) {
  Eigen::VectorXf identity = Eigen::VectorXf::Zero(model.numIdentity());
  for (int k = 0; k < std::min(30, model.numIdentity()); ++k) identity[k] = k % 2 ? 0.8F : -0.7F;
  return model.vertices(identity);
}

Points3 landmarksOf(const MorphableModel& model) {
  return model.landmarks68.points(model.mean, model.triangles);
}

}  // namespace

TEST_CASE("registerTemplate: a head that was remeshed, turned and scaled gives back its own vertices") {
  const MorphableModel source = loadModel("builtin");
  Remeshed target = remesh(source, someFace(source));
  const Eigen::Matrix3f turn =
      1.1F * Eigen::AngleAxisf(0.3F, Eigen::Vector3f(1, 2, -1).normalized()).toRotationMatrix();
  target.model.mean =
      ((target.model.mean * turn.transpose()).rowwise() + Eigen::RowVector3f(30, -500, 80)).eval();
  const Registration registration =
      registerTemplate(source, target.model.mesh(target.model.mean), landmarksOf(target.model));
  double sum_mm = 0;
  int count = 0;
  for (int v = 0; v < source.numVertices(); ++v) {
    const std::string& region = source.region_names[source.region[v]];
    const float distance_mm = (registration.vertices.row(v) - target.model.mean.row(target.vertex[v])).norm();
    const bool is_face = !registration.hidden[v] && registration.part[v] == registration.skin_part &&
                         region != "scalp" && region != "neck" && !region.starts_with("ear");
    if (is_face) sum_mm += distance_mm, ++count;
    // Parts that hang apart follow: eyeballs to within a quarter of their radius.
    if (registration.part[v] != registration.skin_part) CHECK(distance_mm < 4);
  }
  CHECK(sum_mm / count < 0.6);  // along the surface; nothing but shape says where on a cheek a vertex lies
}

TEST_CASE("registerTemplate: where the target has no surface the template goes on smoothly and says so") {
  const MorphableModel source = loadModel("builtin");
  const Points3 face = someFace(source);
  Remeshed target = remesh(source, face);
  // A mask: what lies in front, without ears, neck and the back of the head.
  Mesh mask = target.model.mesh(target.model.mean);
  Eigen::Index kept = 0;
  for (Eigen::Index f = 0; f < mask.triangles.rows(); ++f) {
    const Eigen::RowVector3f corner = mask.vertices.row(mask.triangles(f, 0));
    if (corner.z() > 40 && corner.y() > -80) mask.triangles.row(kept++) = mask.triangles.row(f);
  }
  mask.triangles.conservativeResize(kept, 3);
  const Registration registration = registerTemplate(source, mask, landmarksOf(target.model));
  REQUIRE(registration.vertices.allFinite());
  int num_behind = 0;
  double behind_mm = 0;
  for (int v = 0; v < source.numVertices(); ++v) {
    if (face(v, 2) > 0 || registration.part[v] != registration.skin_part) continue;
    CHECK(registration.confidence[v] == 0);
    behind_mm += (registration.vertices.row(v) - face.row(v)).norm();
    ++num_behind;
  }
  REQUIRE(num_behind > 1000);
  CHECK(behind_mm / num_behind < 10);  // a guess of the back of the head from the face alone
}

TEST_CASE("registerTemplate: a few landmarks are enough, too few are refused by number") {
  const MorphableModel source = loadModel("builtin");
  const Remeshed target = remesh(source, someFace(source));
  const Mesh mesh = target.model.mesh(target.model.mean);
  const Points3 all = landmarksOf(target.model);
  Points3 few = Points3::Constant(68, 3, std::numeric_limits<float>::quiet_NaN());
  for (const int i : {30, 33, 36, 39, 42, 45, 48, 54, 8}) few.row(i) = all.row(i);
  const Registration registration = registerTemplate(source, mesh, few);
  const Points3 found = source.landmarks68.points(registration.vertices, source.triangles);
  CHECK((found - all).bottomRows<51>().rowwise().norm().mean() < 1.5);
  for (const int i : {30, 33, 36, 39}) few.row(i).setConstant(std::numeric_limits<float>::quiet_NaN());
  CHECK_THROWS_WITH_AS(registerTemplate(source, mesh, few), doctest::Contains("5 landmarks are known"),
                       std::invalid_argument);
}

TEST_CASE("RegistrationOptions: a value out of range is refused by name") {
  CHECK_NOTHROW(RegistrationOptions().check());
  CHECK_THROWS_WITH_AS(RegistrationOptions({.num_identity = -1}).check(), doctest::Contains("num_identity"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(RegistrationOptions({.smoothing_mm = {}}).check(), doctest::Contains("smoothing_mm"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(RegistrationOptions({.smoothing_mm = {5, 0}}).check(),
                       doctest::Contains("smoothing_mm"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(RegistrationOptions({.iterations_per_stage = 0}).check(),
                       doctest::Contains("iterations_per_stage"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(RegistrationOptions({.max_distance_mm = 0}).check(),
                       doctest::Contains("max_distance_mm"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(RegistrationOptions({.min_cosine = 1}).check(), doctest::Contains("min_cosine"),
                       std::invalid_argument);
}
