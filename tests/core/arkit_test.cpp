#include "core/arkit.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "core/io/model_io.h"
#include "core/morphable_model.h"

using namespace facet;

TEST_CASE("ARKit: the 52 names are distinct, and each is recognised in every naming") {
  const std::set<std::string_view> distinct(kArkitNames.begin(), kArkitNames.end());
  CHECK(distinct.size() == 52);
  for (int i = 0; i < kNumArkitShapes; ++i) {
    const std::string name(kArkitNames[static_cast<std::size_t>(i)]);
    CAPTURE(name);
    for (const ShapeNaming naming : {ShapeNaming::kArkit, ShapeNaming::kIct, ShapeNaming::kPascal}) {
      const auto shape = arkitShape(shapeName(name, naming));
      REQUIRE(shape.has_value());
      CHECK(shape->index == i);
      CHECK(shape->side == ArkitShape::Side::kWhole);
    }
    CHECK(shapeName(name, ShapeNaming::kArkit) == name);
  }
}

TEST_CASE("ARKit: Live Link Face has the left eye first, and right before left for jaw and mouth") {
  CHECK(kArkitNames[0] == "eyeBlinkLeft");
  CHECK(kArkitNames[7] == "eyeBlinkRight");
  CHECK(kArkitNames[15] == "jawRight");
  CHECK(kArkitNames[16] == "jawLeft");
  CHECK(kArkitNames[21] == "mouthRight");
  CHECK(kArkitNames[22] == "mouthLeft");
  CHECK(kArkitNames[51] == "tongueOut");
}

TEST_CASE("ARKit: spellings of one shape are the same shape") {
  for (const char* spelling : {"eyeBlinkLeft", "EyeBlinkLeft", "EYEBLINKLEFT", "eyeBlink_L", "eyeblink_l",
                               "eyeBlinkL", "eye_blink_left", "eyeBlink.L"}) {
    CAPTURE(spelling);
    CHECK(arkitName(spelling) == "eyeBlinkLeft");
  }
  CHECK(arkitName("jaw_L") == "jawLeft");
  CHECK(arkitName("browInnerUp_R") == "browInnerUp");
  CHECK(arkitShape("browInnerUp_R")->side == ArkitShape::Side::kRightHalf);
  CHECK(arkitShape("cheekPuffLeft")->side == ArkitShape::Side::kLeftHalf);
  for (const char* other :
       {"", "_", "eyeBlink", "jaw", "_neutral", "photoExpression", "eyeBlinkLeftt", "mouthL R"}) {
    CAPTURE(other);
    CHECK_FALSE(arkitName(other).has_value());
  }
}

TEST_CASE("ARKit: namings differ as their programs do") {
  CHECK(shapeName("eyeBlinkLeft", ShapeNaming::kIct) == "eyeBlink_L");
  CHECK(shapeName("mouthRight", ShapeNaming::kIct) == "mouthRight");
  CHECK(shapeName("mouthSmile_R", ShapeNaming::kPascal) == "MouthSmileRight");
  CHECK(shapeName("jawOpen", ShapeNaming::kIct) == "jawOpen");
  CHECK(shapeName("browInnerUpLeft", ShapeNaming::kIct) == "browInnerUp_L");
  CHECK(shapeName("browInnerUp_L", ShapeNaming::kArkit) == "browInnerUpLeft");
  CHECK(shapeName("photoExpression", ShapeNaming::kPascal) == "photoExpression");
}

TEST_CASE("ARKit: the built-in head's left shapes are on its left, and the right ones mirror them") {
  const MorphableModel model = loadModel("builtin");
  REQUIRE(model.symmetry.size() == static_cast<std::size_t>(model.numVertices()));
  int num_pairs = 0;
  float largest_mm = 0;
  for (const std::string& name : model.expression_names) {
    if (!name.ends_with("Left")) continue;
    CAPTURE(name);
    const auto right_index = model.expressionIndex(name.substr(0, name.size() - 4) + "Right");
    REQUIRE(right_index.has_value());
    ++num_pairs;
    const Points3 left = model.expression.points(*model.expressionIndex(name)),
                  right = model.expression.points(*right_index);
    const Eigen::VectorXf size = left.rowwise().norm();
    const bool is_direction = name == "jawLeft" || name == "mouthLeft";
    if (is_direction) {
      CHECK(left.col(0).sum() > 0);  // the whole jaw, or mouth, goes there
    } else {
      CHECK(size.dot(model.mean.col(0)) / size.sum() > 10);  // mm
    }
    for (int v = 0; v < model.numVertices(); ++v) {
      const Eigen::RowVector3f mirrored =
          left.row(model.symmetry[v]).cwiseProduct(Eigen::RowVector3f(-1, 1, 1));
      largest_mm = std::max(largest_mm, (mirrored - right.row(v)).norm());
    }
  }
  MESSAGE("largest difference of a mirrored shape: " << largest_mm << " mm");
  CHECK(num_pairs == 20);
  CHECK(largest_mm <= 0.3F);
}

TEST_CASE("ARKit: the built-in head's jawOpen lowers the chin and leaves the forehead") {
  const MorphableModel model = loadModel("builtin");
  const Points3 open = model.expression.points(model.expressionIndex("jawOpen").value());
  constexpr int kChin = 8, kFirstBrow = 17, kNumBrows = 10;
  CHECK(model.landmarks68.points(open, model.triangles)(kChin, 1) < -5);
  const Points3 landmarks = model.landmarks68.points(model.mean, model.triangles);
  // Above the brows and between their ends; the temples move with the jaw on a real head, too.
  const Points3 brows = landmarks.middleRows<kNumBrows>(kFirstBrow);
  const Eigen::RowVector3f low = brows.colwise().minCoeff(), high = brows.colwise().maxCoeff();
  const float largest_mm = open.rowwise().norm().maxCoeff();
  int num_forehead = 0;
  float forehead_mm = 0;
  for (int v = 0; v < model.numVertices(); ++v) {
    const Eigen::RowVector3f place = model.mean.row(v);
    if (place.y() < high.y() || place.x() < low.x() || place.x() > high.x() || place.z() < low.z()) continue;
    ++num_forehead;
    forehead_mm = std::max(forehead_mm, open.row(v).norm());
  }
  MESSAGE("jawOpen moves the forehead by " << forehead_mm << " mm of " << largest_mm);
  CHECK(num_forehead > 100);
  CHECK(forehead_mm < 0.01F * largest_mm);
}
