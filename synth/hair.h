#pragma once

#include <array>

#include "synth/assets.h"
#include "synth/scene.h"
#include "synth/subject.h"
#include "synth/view.h"

namespace facet::synth {

// Locks on the scalp of a person, head frame. Expressions leave them where they are.
Hair growHair(const Assets& assets, const Subject& subject, Random& random);
// Puts a person's hair into a picture, in the scene's current placement. `covered_above` hides what would
// poke through a hat: roots higher than it (mm, along the head's up axis) grow nothing. Locks wholly hidden
// behind the head or outside the picture are left out.
void addHair(const Subject& subject, float covered_above, const View& view, Scene& scene);
// The beard of a posed head (head frame): it moves with the jaw.
void growBeard(const Assets& assets, const Subject& subject, const Points3& vertices, Random& random,
               Scene& scene);
// Upper lashes of a posed head (head frame, 68 landmarks); they hang down over closed lids (`closed` in [0,
// 1] of the subject's left and right).
void growLashes(const Subject& subject, const Points3& landmarks68, const std::array<float, 2>& closed,
                Scene& scene);

// How much of the painted scalp shows hair, [0, 1].
float scalpPaint(HairCut cut);

}  // namespace facet::synth
