#include "core/arkit_shapes.h"

#include <algorithm>

#include "core/arkit.h"

namespace facet {

ArkitShapes arkitShapes(const MorphableModel& model) {
  const bool is_beside = model.blendshapes.cols() > 0;
  const Basis& basis = is_beside ? model.blendshapes : model.expression;
  const std::vector<std::string>& names = is_beside ? model.blendshape_names : model.expression_names;
  ArkitShapes result;
  std::vector<Eigen::VectorXf> modes;
  for (std::size_t k = 0; k < names.size(); ++k) {
    const auto column = static_cast<Eigen::Index>(k);
    if (!is_beside && !model.isBlendshape(static_cast<int>(column))) continue;
    const auto name = arkitName(names[k]);
    if (!name) continue;
    const auto known = std::find(result.names.begin(), result.names.end(), *name);
    if (known == result.names.end()) {
      result.names.emplace_back(*name);
      modes.push_back(basis.col(column));
    } else {
      modes[static_cast<std::size_t>(known - result.names.begin())] += basis.col(column);  // the other half
    }
  }
  result.modes.resize(basis.rows(), static_cast<Eigen::Index>(modes.size()));
  for (std::size_t k = 0; k < modes.size(); ++k) result.modes.col(static_cast<Eigen::Index>(k)) = modes[k];
  return result;
}

std::optional<int> arkitExpression(const MorphableModel& model, const std::string& name) {
  if (const auto exact = model.expressionIndex(name)) return exact;
  for (int e = 0; e < model.numExpression(); ++e) {
    if (model.isBlendshape(e) && arkitName(model.expression_names[e]) == name) return e;
  }
  return std::nullopt;
}

bool hasArkitExpressions(const std::vector<std::string>& expression_names) {
  return !expression_names.empty() &&
         std::all_of(expression_names.begin(), expression_names.end(),
                     [](const std::string& name) { return arkitName(name).has_value(); });
}

}  // namespace facet
