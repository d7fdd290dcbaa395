#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace facet {

// The 52 face shapes of Apple's ARKit, in the order of Live Link Face's CSV. Left and Right are the face's
// own.
inline constexpr int kNumArkitShapes = 52;
// clang-format off
inline constexpr std::array<std::string_view, kNumArkitShapes> kArkitNames = {
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight",
    "jawForward", "jawRight", "jawLeft", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft", "mouthSmileLeft",
    "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper", "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut"};
// clang-format on

enum class ShapeNaming {
  kArkit,   // eyeBlinkLeft: ARKit, glTF, MediaPipe
  kIct,     // eyeBlink_L; jawLeft, mouthRight and what has no side are as ARKit's: ICT-FaceKit, Face Cap
  kPascal,  // EyeBlinkLeft: Live Link Face, MetaHuman's curve names
};

// What a name in any spelling stands for. ICT-FaceKit has browInnerUp and cheekPuff in two halves, which
// ARKit does not know; `side` then says which half.
struct ArkitShape {
  enum class Side { kWhole, kLeftHalf, kRightHalf };
  int index = 0;  // into kArkitNames
  Side side = Side::kWhole;

  std::string_view name() const { return kArkitNames[static_cast<std::size_t>(index)]; }
};

// Recognises a shape's name whatever its capitals and its separators (_ . - and blanks): eyeBlinkLeft,
// EyeBlinkLeft, eyeBlink_L, eyeBlinkL, eye_blink_left; nothing for any other name.
std::optional<ArkitShape> arkitShape(std::string_view name);
// The ARKit name of any spelling ("browInnerUp" of its two halves too), or nothing.
std::optional<std::string_view> arkitName(std::string_view name);

// A shape's name in another naming. A half keeps its side (browInnerUp_L, browInnerUpLeft, BrowInnerUpLeft);
// a name that is none of ARKit's comes back as it is.
std::string shapeName(std::string_view name, ShapeNaming naming);

}  // namespace facet
