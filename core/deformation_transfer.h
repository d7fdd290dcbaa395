#pragma once

#include <string>
#include <vector>

#include "core/correspondence.h"
#include "core/mesh.h"
#include "core/morphable_model.h"

namespace facet {

// Shapes of one mesh on another of the same topology: Sumner and Popović, "Deformation Transfer for Triangle
// Meshes", SIGGRAPH 2004. Each triangle of `target` is to deform (3×3, its normal included) as that of
// `source` does; the vertices that fit best are those of a Poisson equation (Botsch et al., "Deformation
// Transfer for Detail-Preserving Surface Editing", 2006). Vertices that move in no shape are held, and so are
// vertices without triangles. `shapes` is 3V×N displacements, mm, and so is the result.
Eigen::MatrixXf deformationTransfer(const Points3& source, const Triangles& triangles,
                                    const Eigen::MatrixXf& shapes, const Points3& target);

// The template's named shapes on a model that it corresponds to (3V×N, mm at weight 1):
//   1. deformation transfer to the template as it lies on the model;
//   2. lids and lips that close on the template close there too: eyeBlink*, and mouthClose together with
//      jawOpen;
//   3. each model vertex takes the deformation of its place, extended to it by its derivative; vertices
//      without a counterpart continue their neighbours smoothly; parts that hang apart move as rigidly as the
//      template's do (teeth with the jaw), eyeballs stay.
Eigen::MatrixXf transferShapes(const MorphableModel& source, const Correspondence& correspondence,
                               const MorphableModel& model);

}  // namespace facet
