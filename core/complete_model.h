#pragma once

#include <string>
#include <vector>

#include "core/correspondence.h"
#include "core/morphable_model.h"

namespace facet {

// Fills what a model lacks from another one (facet's own), over the correspondence of the two
// (core/correspondence.h): landmarks68, dense, uv, region, triangle_material, albedo, symmetry (where
// the mesh has one) and, unless the expressions have names of the template's, blendshapes; a model without
// any expressions gets them as its expressions. What the model has stays as it is, but for texture
// coordinates that overlap (MorphableModel::hasUsableUv). Returns what was filled, in these words; the model
// is not touched and nothing is computed when nothing is missing. Needs the model's 68 landmarks, or
// `landmarks` (68×3 mm on the mean, rows of NaN = unknown) where it has none; throws std::invalid_argument
// without either.
std::vector<std::string> completeModel(MorphableModel& model, const MorphableModel& builtin,
                                       const Points3& landmarks = {});
// The same with a correspondence of the two, builtin the template, that is known already.
std::vector<std::string> completeModel(MorphableModel& model, const MorphableModel& builtin,
                                       const Correspondence& correspondence);

}  // namespace facet
