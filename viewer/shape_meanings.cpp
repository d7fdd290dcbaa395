#include "viewer/shape_meanings.h"

#include <array>

#include "core/arkit.h"

namespace facet {
namespace {

// In the order of kArkitNames.
constexpr std::array<const char*, kNumArkitShapes> kMeanings = {
    "The left eye's upper lid comes down until the eye is shut.",
    "The left eye looks down, and its lids go with it.",
    "The left eye looks towards the nose.",
    "The left eye looks outwards, away from the nose.",
    "The left eye looks up, and its lids go with it.",
    "The muscle round the left eye narrows it, the lower lid rising.",
    "The left eye opens wide, more of its white showing above.",
    "The right eye's upper lid comes down until the eye is shut.",
    "The right eye looks down, and its lids go with it.",
    "The right eye looks towards the nose.",
    "The right eye looks outwards, away from the nose.",
    "The right eye looks up, and its lids go with it.",
    "The muscle round the right eye narrows it, the lower lid rising.",
    "The right eye opens wide, more of its white showing above.",
    "The lower jaw slides forward, an underbite.",
    "The lower jaw shifts to the face's right side.",
    "The lower jaw shifts to the face's left side.",
    "The lower jaw drops and the mouth opens with it.",
    "The lips meet while the jaw stays where it is; meant to be used with jawOpen.",
    "The lips open into a round funnel, as in an o.",
    "The lips draw together and forward, as for a kiss.",
    "Both lips shift to the face's right side.",
    "Both lips shift to the face's left side.",
    "The left corner of the mouth goes up and back: that side smiles.",
    "The right corner of the mouth goes up and back: that side smiles.",
    "The left corner of the mouth goes down: that side frowns.",
    "The right corner of the mouth goes down: that side frowns.",
    "The left corner of the mouth is drawn straight back into the cheek.",
    "The right corner of the mouth is drawn straight back into the cheek.",
    "The left corner of the mouth is stretched sideways and a little down.",
    "The right corner of the mouth is stretched sideways and a little down.",
    "The lower lip rolls inwards over the teeth.",
    "The upper lip rolls inwards over the teeth.",
    "The chin pushes the lower lip up and out, as in doubt.",
    "The upper lip goes up and out towards the nose.",
    "The lips press on each other on the left side.",
    "The lips press on each other on the right side.",
    "The left half of the lower lip goes down and bares the lower teeth.",
    "The right half of the lower lip goes down and bares the lower teeth.",
    "The left half of the upper lip goes up and bares the upper teeth.",
    "The right half of the upper lip goes up and bares the upper teeth.",
    "The left brow comes down and inwards.",
    "The right brow comes down and inwards.",
    "The inner ends of both brows go up, as in worry.",
    "The outer end of the left brow goes up.",
    "The outer end of the right brow goes up.",
    "Air fills both cheeks from inside.",
    "The left cheek rises towards the eye.",
    "The right cheek rises towards the eye.",
    "The left wing of the nose goes up and wrinkles the nose's side.",
    "The right wing of the nose goes up and wrinkles the nose's side.",
    "The tongue comes out of the mouth."};

}  // namespace

std::string shapeMeaning(const std::string& name) {
  const auto shape = arkitShape(name);
  if (!shape) return {};
  std::string meaning = kMeanings[static_cast<std::size_t>(shape->index)];
  if (shape->side != ArkitShape::Side::kWhole) {
    meaning +=
        shape->side == ArkitShape::Side::kLeftHalf ? " This is its left half." : " This is its right half.";
  }
  return meaning;
}

}  // namespace facet
