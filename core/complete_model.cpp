#include "core/complete_model.h"

#include <algorithm>

#include "core/check.h"
#include "core/correspondence.h"
#include "core/deformation_transfer.h"
#include "core/mesh_parts.h"

namespace facet {
namespace {

bool hasNamedShapes(const MorphableModel& model, const MorphableModel& builtin) {
  if (model.blendshapes.cols() > 0) return true;
  return std::any_of(builtin.expression_names.begin(), builtin.expression_names.end(),
                     [&](const std::string& name) { return model.expressionIndex(name).has_value(); });
}

}  // namespace

std::vector<std::string> completeModel(MorphableModel& model, const MorphableModel& builtin,
                                       const Points3& landmarks) {
  const bool needs_landmarks = model.landmarks68.size() == 0;
  const bool needs_dense = model.dense.size() == 0 && builtin.dense.size() > 0;
  const bool needs_uv = model.uv.rows() == 0 && builtin.uv.rows() > 0;
  const bool needs_region = model.region.empty() && !builtin.region.empty();
  const bool needs_material = model.triangle_material.empty() && !builtin.triangle_material.empty();
  const bool needs_albedo = model.albedo_mean.rows() == 0 && builtin.albedo_mean.rows() > 0;
  const bool needs_shapes = !hasNamedShapes(model, builtin) && builtin.numExpression() > 0;
  std::vector<std::string> filled;
  if (model.symmetry.empty()) {
    model.symmetry = mirroredVertices(model.mean, model.region);
    if (!model.symmetry.empty()) filled.emplace_back("symmetry");
  }
  if (!needs_landmarks && !needs_dense && !needs_uv && !needs_region && !needs_material && !needs_albedo &&
      !needs_shapes) {
    return filled;
  }
  require(!needs_landmarks || landmarks.rows() == kNumIbugLandmarks, "completeModel: the model ", model.id,
          " has no 68 landmarks; give their positions on its mean");

  const Mesh mesh = model.mesh(model.mean);
  const Correspondence correspondence = correspond(
      builtin, model, needs_landmarks ? landmarks : model.landmarks68.points(model.mean, model.triangles));
  const TopologyMap& map = correspondence.model_on_template;
  if (needs_landmarks) {
    model.landmarks68 = carryEmbedding(correspondence, builtin, mesh, builtin.landmarks68);
    filled.emplace_back("landmarks68");
  }
  if (needs_dense) {
    model.dense = carryEmbedding(correspondence, builtin, mesh, builtin.dense);
    filled.emplace_back("dense");
  }
  if (needs_uv) {
    const Mesh laid = builtin.mesh(correspondence.registration.vertices);
    Mesh carried = carryUv(map, laid, mesh);
    model.uv = std::move(carried.uv);
    model.uv_triangles = std::move(carried.uv_triangles);
    filled.emplace_back("uv");
  }
  if (needs_region) {
    model.region = carryVertexLabels(map, builtin.triangles, builtin.region);
    model.region_names = builtin.region_names;
    filled.emplace_back("region");
  }
  if (needs_material) {
    model.triangle_material = carryTriangleLabels(map, model.triangles, builtin.triangle_material);
    model.material_names = builtin.material_names;
    filled.emplace_back("triangle_material");
  }
  if (needs_albedo) {
    model.albedo_mean = map.points.points(builtin.albedo_mean, builtin.triangles);
    filled.emplace_back("albedo_mean");
  }
  if (model.symmetry.empty()) {
    // A mean that is not symmetric itself may be so where it lies on the template.
    model.symmetry = mirroredVertices(map.points.points(builtin.mean, builtin.triangles), model.region);
    if (!model.symmetry.empty()) filled.emplace_back("symmetry");
  }
  if (needs_shapes) {
    model.blendshapes = Basis::compact(transferShapes(builtin, correspondence, model));
    model.blendshape_names = builtin.expression_names;
    filled.emplace_back("blendshapes");
  }
  model.check();
  return filled;
}

}  // namespace facet
