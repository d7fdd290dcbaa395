#include "viewer/shaped_head.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "core/arkit.h"
#include "core/error.h"
#include "core/io/model_io.h"
#include "core/take.h"
#include "tests/viewer/heads.h"
#include "viewer/shape_meanings.h"

using namespace facet;
using facet::test::controlIndex;
using facet::test::shapedModel;

namespace {

float farthest(const Points3& a, const Points3& b) { return (a - b).rowwise().norm().maxCoeff(); }

}  // namespace

TEST_CASE("ShapedHead: its surface is the model's for the same coefficients") {
  const MorphableModel model = shapedModel();
  ShapedHead head(model);
  CHECK(farthest(head.vertices(), model.mean) == 0);
  Eigen::VectorXf identity(8), expression(6);
  identity << 1, -2, 0.5F, 0, 0, 3, 0, -1;
  expression << 0.7F, 0.4F, 0, 1, 0, 0.2F;
  Points3 pose = Points3::Zero(4, 3);
  pose.row(1) << 0.3F, 0.05F, 0;
  head.setCoefficients(identity, expression, pose);
  CHECK(farthest(head.vertices(), model.vertices(identity, expression, pose)) < 1e-4F);
  CHECK(farthest(head.neutral(), model.vertices(identity)) < 1e-4F);
  CHECK(farthest(head.normals(), vertexNormals(head.vertices(), model.triangles)) < 1e-4F);
  CHECK(head.identity() == identity);
  CHECK(head.expression() == expression);
  CHECK(farthest(head.pose(), pose) < 1e-6F);
}

TEST_CASE("ShapedHead: thousands of moved sliders add up to what the model says") {
  const MorphableModel model = shapedModel();
  ShapedHead head(model);
  std::mt19937 random(4);
  for (int step = 0; step < 3000; ++step) {
    const auto group = static_cast<ShapeGroup>(random() % 3);
    const int count = static_cast<int>(head.controls(group).size());
    if (count == 0) continue;
    head.set(group, static_cast<int>(random() % static_cast<unsigned>(count)),
             static_cast<float>(random() % 1000) / 250 - 2);
    head.vertices();
  }
  CHECK(farthest(head.vertices(), model.vertices(head.identity(), head.expression())) < 1e-3F);
}

TEST_CASE("ShapedHead: a slider there and back gives the shape that was before, at rest exactly") {
  ShapedHead head(shapedModel());
  const Points3 rest = head.vertices();
  const int jaw = controlIndex(head, ShapeGroup::kShapes, "jawOpen");
  head.set(ShapeGroup::kShapes, jaw, 0.8F);
  CHECK(farthest(head.vertices(), rest) > 0.1F);
  head.set(ShapeGroup::kShapes, jaw, 0);
  CHECK(farthest(head.vertices(), rest) == 0);
  head.set(ShapeGroup::kIdentity, 2, 1.5F);
  const Points3 person = head.vertices();
  head.set(ShapeGroup::kShapes, jaw, 0.37F);
  head.vertices();
  head.set(ShapeGroup::kShapes, jaw, 0);
  CHECK(farthest(head.vertices(), person) == 0);
}

TEST_CASE("ShapedHead: values beyond the slider's range are kept, and revisions count changes only") {
  ShapedHead head(shapedModel());
  head.set(ShapeGroup::kIdentity, 0, 7.25F);
  CHECK(head.value(ShapeGroup::kIdentity, 0) == 7.25F);
  const unsigned shape = head.shapeRevision(), albedo = head.albedoRevision();
  head.set(ShapeGroup::kIdentity, 0, 7.25F);
  CHECK(head.shapeRevision() == shape);
  head.set(ShapeGroup::kAlbedo, 1, 1);
  CHECK(head.shapeRevision() == shape);
  CHECK(head.albedoRevision() > albedo);
  CHECK(farthest(head.albedo(), head.model().albedoColours(head.values(ShapeGroup::kAlbedo))) < 1e-5F);
  head.reset(ShapeGroup::kIdentity);
  CHECK(head.value(ShapeGroup::kIdentity, 0) == 0);
  CHECK(head.shapeRevision() > shape);
}

TEST_CASE("ShapedHead: named expressions are shapes under ARKit's names, the other ones modes") {
  const ShapedHead head(shapedModel());
  std::vector<std::string> names;
  for (const ShapeControl& control : head.controls(ShapeGroup::kShapes)) names.push_back(control.name);
  CHECK(names ==
        std::vector<std::string>{"jawOpen", "mouthSmileLeft", "mouthSmileRight", "jawLeft", "jawRight"});
  REQUIRE(head.controls(ShapeGroup::kExpression).size() == 1);
  CHECK(head.controls(ShapeGroup::kExpression)[0].unit == "σ");
  CHECK(head.controls(ShapeGroup::kShapes)[0].high == 1);
  CHECK(head.controls(ShapeGroup::kIdentity)[0].low == -3);
  CHECK(head.controls(ShapeGroup::kJoints).size() == 12);
  for (int group = 0; group < kNumShapeGroups; ++group) {
    for (const ShapeControl& control : head.controls(static_cast<ShapeGroup>(group)))
      CHECK_MESSAGE(!control.meaning.empty(), control.name);
  }
}

TEST_CASE("ShapedHead: with symmetry the other side follows, turns about y and z in the opposite way") {
  ShapedHead head(shapedModel());
  const auto index = [&](ShapeGroup group, const char* name) { return controlIndex(head, group, name); };
  const int left = index(ShapeGroup::kShapes, "mouthSmileLeft"),
            right = index(ShapeGroup::kShapes, "mouthSmileRight");
  head.set(ShapeGroup::kShapes, left, 0.6F);
  CHECK(head.value(ShapeGroup::kShapes, right) == 0);
  head.set(ShapeGroup::kShapes, right, 0.3F, true);
  CHECK(head.value(ShapeGroup::kShapes, left) == 0.3F);
  // The jaw goes to one side only.
  head.set(ShapeGroup::kShapes, index(ShapeGroup::kShapes, "jawRight"), 0.9F);
  head.set(ShapeGroup::kShapes, index(ShapeGroup::kShapes, "jawLeft"), 0.5F, true);
  CHECK(head.value(ShapeGroup::kShapes, index(ShapeGroup::kShapes, "jawRight")) == 0);
  head.set(ShapeGroup::kJoints, index(ShapeGroup::kJoints, "left_eye x"), 10, true);
  head.set(ShapeGroup::kJoints, index(ShapeGroup::kJoints, "left_eye y"), 20, true);
  CHECK(head.value(ShapeGroup::kJoints, index(ShapeGroup::kJoints, "right_eye x")) == 10);
  CHECK(head.value(ShapeGroup::kJoints, index(ShapeGroup::kJoints, "right_eye y")) == -20);
}

TEST_CASE("ShapedHead: random heads are as far from the mean as asked and differ by seed") {
  ShapedHead head(makeSyntheticModel(1, 400, 6));
  head.randomize(ShapeGroup::kIdentity, 0.5F, 7);
  const Eigen::VectorXf first = head.identity();
  CHECK(std::sqrt(first.squaredNorm() / 400) == doctest::Approx(0.5).epsilon(0.15));
  head.randomize(ShapeGroup::kIdentity, 0.5F, 8);
  CHECK(head.identity() != first);
  head.randomize(ShapeGroup::kIdentity, 0.5F, 7);
  CHECK(head.identity() == first);

  ShapedHead built_in(loadModel("builtin"));
  int num_moving = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    built_in.randomize(ShapeGroup::kShapes, 1, seed);
    const Eigen::VectorXf& weights = built_in.values(ShapeGroup::kShapes);
    CHECK(weights.minCoeff() >= 0);
    CHECK(weights.maxCoeff() <= 1);
    num_moving += static_cast<int>((weights.array() > 0).count());
    // The eyes look at one place.
    CHECK(weights[controlIndex(built_in, ShapeGroup::kShapes, "eyeLookOutLeft")] ==
          weights[controlIndex(built_in, ShapeGroup::kShapes, "eyeLookInRight")]);
    CHECK(weights[controlIndex(built_in, ShapeGroup::kShapes, "mouthClose")] <=
          weights[controlIndex(built_in, ShapeGroup::kShapes, "jawOpen")]);
  }
  CHECK(num_moving > 20 * 3);
  CHECK(num_moving < 20 * 22);
}

TEST_CASE("ShapedHead: parameters come back from JSON, by names in any spelling") {
  ShapedHead head(shapedModel());
  head.set(ShapeGroup::kIdentity, 3, 0.1F);
  head.set(ShapeGroup::kShapes, 1, 0.75F);
  head.set(ShapeGroup::kJoints, 3, 12.5F);
  head.set(ShapeGroup::kAlbedo, 0, -1);
  const std::string text = head.toJson();
  const auto object = nlohmann::json::parse(text);
  CHECK(object["identity"].size() == 1);
  CHECK(object["shapes"]["mouthSmileLeft"] == 0.75);
  CHECK(text.find("0.1,") == std::string::npos);   // the last key of its object …
  CHECK(text.find("0.1\n") != std::string::npos);  // … and no 0.10000000149
  ShapedHead other(shapedModel());
  other.set(ShapeGroup::kShapes, 0, 1);
  CHECK(other.fromJson(text, "clipboard").empty());
  for (int group = 0; group < kNumShapeGroups; ++group)
    CHECK(other.values(static_cast<ShapeGroup>(group)) == head.values(static_cast<ShapeGroup>(group)));

  const auto unknown = other.fromJson(R"({"shapes": {"MouthSmileRight": 0.5, "earWiggle": 1}})", "clipboard");
  CHECK(unknown == std::vector<std::string>{"earWiggle"});
  CHECK(other.value(ShapeGroup::kShapes, 2) == 0.5F);
  CHECK(other.value(ShapeGroup::kShapes, 1) == 0);
  // Another model's modes are other modes; its shapes are the same.
  CHECK(other.fromJson(R"({"model": "x", "identity": {"identity 0": 1}, "shapes": {"jawOpen": 1}})", "a") ==
        std::vector<std::string>{"identity 0"});
  CHECK(other.value(ShapeGroup::kIdentity, 0) == 0);
  CHECK(other.value(ShapeGroup::kShapes, 0) == 1);
}

TEST_CASE("ShapedHead: text that holds no parameters is refused and changes nothing") {
  ShapedHead head(shapedModel());
  head.set(ShapeGroup::kShapes, 0, 0.5F);
  for (const char* text :
       {"", "hello", "[1]", "{}", R"({"shapes": [1]})", R"({"shapes": {"jawOpen": "wide"}})"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(head.fromJson(text, "clipboard"), Error);
    CHECK(head.value(ShapeGroup::kShapes, 0) == 0.5F);
  }
}

TEST_CASE("ShapedHead: each of ARKit's shapes has a sentence of its own") {
  std::set<std::string> meanings;
  for (const std::string_view name : kArkitNames) meanings.insert(shapeMeaning(std::string(name)));
  CHECK(meanings.size() == kNumArkitShapes);
  CHECK(meanings.count("") == 0);
  CHECK(shapeMeaning("browInnerUp_L").find("left half") != std::string::npos);
  CHECK(shapeMeaning("wobble").empty());
}

TEST_CASE("ShapedHead: eyeballs of the built-in head follow the look shapes") {
  ShapedHead head(loadModel("builtin"));
  head.set(ShapeGroup::kIdentity, 0, 2);
  const Points3 ahead = head.vertices();
  const auto eyes = eyeballs(head.model(), ahead);
  head.set(ShapeGroup::kShapes, controlIndex(head, ShapeGroup::kShapes, "eyeLookOutLeft"), 1);
  const Points3& aside = head.vertices();
  int front = eyes[0].vertices.front();
  for (const int v : eyes[0].vertices) {
    if (ahead(v, 2) > ahead(front, 2)) front = v;
    CHECK((aside.row(v) - eyes[0].centre_mm).norm() ==
          doctest::Approx((ahead.row(v) - eyes[0].centre_mm).norm()).epsilon(0.01));
  }
  CHECK(aside(front, 0) > ahead(front, 0) + 3);  // to the person's left
  for (const int v : eyes[1].vertices) CHECK(aside.row(v) == ahead.row(v));
}
