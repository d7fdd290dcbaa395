#pragma once

#include "synth/assets.h"
#include "synth/scene.h"
#include "synth/subject.h"

namespace facet::synth {

// Grows locks on the scalp of a posed head (head frame), in the scene's current placement. `covered_above`
// hides what would poke through a hat: roots higher than it (mm, along the head's up axis) grow nothing.
void growHair(const Assets& assets, const Subject& subject, const Points3& vertices, const HeadGrid& grid,
              float covered_above, Random& random, Scene& scene);
void growBeard(const Assets& assets, const Subject& subject, const Points3& vertices, Random& random,
               Scene& scene);

// How much of the painted scalp shows hair, [0, 1].
float scalpPaint(HairCut cut);

}  // namespace facet::synth
