#pragma once

#include <Eigen/Core>
#include <array>
#include <vector>

#include "core/morphable_model.h"
#include "core/types.h"

namespace facet {

// An eyeball that is a mesh of its own, so that it can turn.
struct Eyeball {
  std::vector<int> vertices;                                  // empty: the model has none
  Eigen::RowVector3f centre_mm = Eigen::RowVector3f::Zero();  // what it turns about
};

// The left and the right one, by the model's regions named eyeball…; the centre is that of the sphere that
// fits them best where they lie in `vertices` (V×3 mm, without expression). An eyeball that hangs together
// with the skin, as on a scan, is none.
std::array<Eyeball, 2> eyeballs(const MorphableModel& model, const Points3& vertices);

// Turns them: `rotation` is of the left and the right one, in the head's frame.
void turnEyeballs(const std::array<Eyeball, 2>& eyeballs, const std::array<Eigen::Matrix3f, 2>& rotation,
                  Points3& vertices);

}  // namespace facet
