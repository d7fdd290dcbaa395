#include "core/eyeballs.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/io/model_io.h"
#include "core/take.h"

using namespace facet;

TEST_CASE("eyeballs: those of the built-in head turn in their sockets, left on its left") {
  const MorphableModel model = loadModel("builtin");
  Eigen::VectorXf identity = Eigen::VectorXf::Zero(5);
  identity << 1, -1, 2, 0, 1;
  const Points3 person = model.vertices(identity);
  const std::array<Eyeball, 2> found = eyeballs(model, person);
  for (const Eyeball& eyeball : found) REQUIRE(eyeball.vertices.size() > 100);
  CHECK(found[0].centre_mm.x() > 20);
  CHECK(found[1].centre_mm.x() < -20);
  Points3 turned = person;
  turnEyeballs(found, {rotationFromAngles({30, 0, 0}), Eigen::Matrix3f::Identity()}, turned);
  // Most of a turned sphere lies where it lay; its front goes to the person's left.
  std::vector<float> radius_mm;
  int front = found[0].vertices.front();
  for (const int v : found[0].vertices) {
    radius_mm.push_back((person.row(v) - found[0].centre_mm).norm());
    if (person(v, 2) > person(front, 2)) front = v;
    CHECK((turned.row(v) - found[0].centre_mm).norm() == doctest::Approx(radius_mm.back()));
  }
  std::nth_element(radius_mm.begin(), radius_mm.begin() + static_cast<long>(radius_mm.size() / 2),
                   radius_mm.end());
  const float middle_mm = radius_mm[radius_mm.size() / 2];
  CHECK(middle_mm > 10);
  CHECK(middle_mm < 17);
  CHECK(turned(front, 0) - person(front, 0) > 0.4F * middle_mm);
  for (const int v : found[1].vertices) CHECK(turned.row(v) == person.row(v));
}

TEST_CASE("eyeballs: one that hangs together with the skin is none") {
  MorphableModel model = makeSyntheticModel();
  CHECK(eyeballs(model, model.mean)[0].vertices.empty());
  model.region.assign(static_cast<std::size_t>(model.numVertices()), 0);
  model.region_names = {"skin", "eyeball_left"};
  for (int v = 0; v < 40; ++v) model.region[v] = 1;
  CHECK(eyeballs(model, model.mean)[0].vertices.empty());
}
