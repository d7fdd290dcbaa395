#pragma once

#include <memory>

#include "core/types.h"
#include "viewer/renderer.h"

namespace facet {

// Lines beside a head to judge its size and its place by, as things to draw.
struct Guides {
  DrawItem item;
  Points3 corners;  // of the box round them, mm, model frame: what a camera's depth range must hold
};

// Both take the V×3 vertices of a head, mm, V > 0.

// A floor under the head, with a line for each centimetre and a stronger one for each fifth.
Guides floorGrid(const Points3& head);
// The model's axes, 5 cm each, at the left rear corner of that floor: x red, y green, z blue.
Guides modelAxes(const Points3& head);

}  // namespace facet
