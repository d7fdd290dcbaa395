#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/morphable_model.h"

namespace facet {

// The shapes of a model that carry ARKit's names, halves merged: of its named shapes (MorphableModel::
// blendshapes) or, where it has none, of its expressions. `names` are ARKit's, in the model's order; `modes`
// is 3V×N mm. Empty where the model has neither.
struct ArkitShapes {
  std::vector<std::string> names;
  Eigen::MatrixXf modes;
};
ArkitShapes arkitShapes(const MorphableModel& model);

// Index of the expression that is called so in any spelling, or nothing: GLB heads bring eyeBlink_L or
// EyeBlinkLeft.
std::optional<int> arkitExpression(const MorphableModel& model, const std::string& name);

// Whether the expressions are ARKit's shapes themselves, so that their weights are its curves.
bool hasArkitExpressions(const std::vector<std::string>& expression_names);

}  // namespace facet
