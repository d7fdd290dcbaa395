#include "core/transfer_error.h"

#include <algorithm>

#include "core/check.h"
#include "core/deformation_transfer.h"

namespace facet {
namespace {

// A vertex whose counterpart is less certain than this has none (core/correspondence.h). The insides of
// nostrils, which nothing draws onto the surface, count in the round trip; a model's own vertices have to lie
// on the template.
constexpr float kMinConfidence = 0.1F, kMinShapeConfidence = 0.5F;
constexpr float kMoves_mm = 1;

std::vector<bool> faceVertices(const MorphableModel& source, const std::vector<std::uint8_t>& region) {
  static const char* const kElsewhere[] = {"scalp",
                                           "neck",
                                           "ear_left",
                                           "ear_right",
                                           "mouth_inside",
                                           "eye_socket_left",
                                           "eye_socket_right",
                                           "eyeball_left",
                                           "eyeball_right",
                                           "teeth"};
  std::vector<bool> is_face;
  for (const std::uint8_t r : region) {
    is_face.push_back(std::none_of(std::begin(kElsewhere), std::end(kElsewhere),
                                   [&](const char* name) { return source.region_names[r] == name; }));
  }
  return is_face;
}

}  // namespace

TransferError measureTransfer(const MorphableModel& source, const MorphableModel& model,
                              const Correspondence& correspondence) {
  require(!source.region.empty(), "measureTransfer: model ", source.id,
          " has no regions, so its face is not known");
  TransferError error;
  const TopologyMap& there = correspondence.template_on_model;
  const Points3 on_source = correspondence.model_on_template.points.points(source.mean, source.triangles);
  const Points3 back = there.points.points(on_source, model.triangles);
  const std::vector<bool> is_face_of_source = faceVertices(source, source.region);
  std::vector<double> distances_mm;
  for (int v = 0; v < source.numVertices(); ++v) {
    if (!is_face_of_source[v]) continue;
    ++error.num_face;
    if (there.confidence[v] > kMinConfidence)
      distances_mm.push_back((back.row(v) - source.mean.row(v)).norm());
  }
  error.num_covered = static_cast<int>(distances_mm.size());
  if (!distances_mm.empty()) {
    std::sort(distances_mm.begin(), distances_mm.end());
    for (const double distance : distances_mm) error.round_trip_mean_mm += distance;
    error.round_trip_mean_mm /= static_cast<double>(distances_mm.size());
    error.round_trip_p95_mm = distances_mm[distances_mm.size() * 95 / 100];
    error.round_trip_max_mm = distances_mm.back();
  }

  const Eigen::MatrixXf shapes = transferShapes(source, correspondence, model);
  const std::vector<bool> is_face = faceVertices(
      source, carryVertexLabels(correspondence.model_on_template, source.triangles, source.region));
  for (int k = 0; k < source.numExpression(); ++k) {
    const auto own_index = model.expressionIndex(source.expression_names[k]);
    if (!own_index) continue;
    const Eigen::VectorXf own_mode = model.expression.col(*own_index);
    const Eigen::Map<const Points3> own(own_mode.data(), model.numVertices(), 3),
        transferred(shapes.col(k).data(), model.numVertices(), 3);
    ShapeError shape{source.expression_names[k]};
    int num_face = 0;
    for (int v = 0; v < model.numVertices(); ++v) {
      if (!is_face[v] || correspondence.model_on_template.confidence[v] < kMinShapeConfidence) continue;
      const double distance = (own.row(v) - transferred.row(v)).norm();
      shape.face_mm += distance;
      ++num_face;
      if (own.row(v).norm() <= kMoves_mm) continue;
      shape.moving_mm += distance;
      ++shape.num_moving;
    }
    shape.face_mm /= std::max(1, num_face);
    shape.moving_mm /= std::max(1, shape.num_moving);
    error.shapes.push_back(std::move(shape));
  }
  return error;
}

}  // namespace facet
