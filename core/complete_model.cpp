#include "core/complete_model.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/correspondence.h"
#include "core/deformation_transfer.h"
#include "core/mesh_parts.h"

namespace facet {
namespace {

constexpr float kMinDenseConfidence = 0.5F;

bool sharesShapes(const MorphableModel& model, const MorphableModel& builtin) {
  if (model.blendshapes.cols() > 0) return true;
  return std::any_of(builtin.expression_names.begin(), builtin.expression_names.end(),
                     [&](const std::string& name) { return model.expressionIndex(name).has_value(); });
}

// `correspondence` is asked for when something is to be carried over.
template <typename MakeCorrespondence>
std::vector<std::string> complete(MorphableModel& model, const MorphableModel& builtin,
                                  const MakeCorrespondence& makeCorrespondence) {
  const bool needs_landmarks = model.landmarks68.size() == 0;
  const bool needs_dense = model.dense.size() == 0 && builtin.dense.size() > 0;
  const bool needs_uv = builtin.uv.rows() > 0 && !model.hasUsableUv();
  const bool needs_region = model.region.empty() && !builtin.region.empty();
  const bool needs_material = model.triangle_material.empty() && !builtin.triangle_material.empty();
  const bool needs_albedo = model.albedo_mean.rows() == 0 && builtin.albedo_mean.rows() > 0;
  const bool needs_shapes = !sharesShapes(model, builtin) && builtin.numExpression() > 0;
  const bool needs_map = needs_landmarks || needs_dense || needs_uv || needs_region || needs_material ||
                         needs_albedo || needs_shapes;
  std::vector<std::string> filled;
  if (model.symmetry.empty()) {
    model.symmetry = mirroredVertices(model.mean, model.region);
    if (!model.symmetry.empty()) filled.emplace_back("symmetry");
  }
  if (!needs_map) return filled;

  const Mesh mesh = model.mesh(model.mean);
  const Correspondence& correspondence = makeCorrespondence();
  const TopologyMap& map = correspondence.model_on_template;
  if (needs_landmarks) {
    model.landmarks68 = carryEmbedding(correspondence, builtin, mesh, builtin.landmarks68);
    filled.emplace_back("landmarks68");
  }
  if (needs_dense) {
    model.dense = carryEmbedding(correspondence, builtin, mesh, builtin.dense);
    // A point that the model has no counterpart of, such as an ear's on a mask, would pull a fit to its edge.
    for (int i = 0; i < model.dense.size(); ++i) {
      const auto corners = builtin.triangles.row(builtin.dense.triangle[i]);
      float confidence = 0;
      for (int k = 0; k < 3; ++k) {
        confidence += builtin.dense.barycentric(i, k) * correspondence.registration.confidence[corners[k]];
      }
      if (confidence < kMinDenseConfidence) model.dense.triangle[i] = -1;
    }
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
    Eigen::MatrixXf modes(model.mean.size(), builtin.numAlbedo());
    for (int k = 0; k < builtin.numAlbedo(); ++k) {
      const Points3 carried = map.points.points(builtin.albedo.points(k), builtin.triangles);
      modes.col(k) = Eigen::Map<const Eigen::VectorXf>(carried.data(), carried.size());
    }
    model.albedo = Basis::compact(std::move(modes));
    model.albedo_names = builtin.albedo_names;
    filled.emplace_back("albedo");
  }
  if (model.symmetry.empty()) {
    // A mean that is not symmetric itself may be so where it lies on the template.
    model.symmetry = mirroredVertices(map.points.points(builtin.mean, builtin.triangles), model.region);
    if (!model.symmetry.empty()) filled.emplace_back("symmetry");
  }
  if (needs_shapes) {
    Basis shapes = Basis::compact(transferShapes(builtin, correspondence, model));
    if (model.numExpression() == 0) {
      model.expression = std::move(shapes);
      model.expression_names = builtin.expression_names;
      model.num_blendshapes = model.numExpression();
    } else {
      model.blendshapes = std::move(shapes);
      model.blendshape_names = builtin.expression_names;
    }
    filled.emplace_back("blendshapes");
  }
  model.check();
  return filled;
}

}  // namespace

std::vector<std::string> completeModel(MorphableModel& model, const MorphableModel& builtin,
                                       const Points3& landmarks) {
  const bool has_landmarks = model.landmarks68.size() > 0;
  require(has_landmarks || landmarks.rows() == kNumIbugLandmarks, "completeModel: the model ", model.id,
          " has no 68 landmarks; give their positions on its mean");
  return complete(model, builtin, [&] {
    return correspond(builtin, model,
                      has_landmarks ? model.landmarks68.points(model.mean, model.triangles) : landmarks);
  });
}

std::vector<std::string> completeModel(MorphableModel& model, const MorphableModel& builtin,
                                       const Correspondence& correspondence) {
  return complete(model, builtin, [&]() -> const Correspondence& { return correspondence; });
}

}  // namespace facet
