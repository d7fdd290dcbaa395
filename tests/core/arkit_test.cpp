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
