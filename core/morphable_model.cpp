#include "core/morphable_model.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace facet {
namespace {

// Rows of contour_by_yaw: 0° to 39°, then -1° to -39°.
constexpr std::size_t kNumMediapipePoints = 478;
constexpr int kMaxContourYaw = 39, kNumContourRows = 2 * kMaxContourYaw + 1;

void addModes(const Basis& basis, const Eigen::VectorXf& coefficients, const char* what, Points3& values) {
  require(coefficients.size() <= basis.cols(), "MorphableModel: ", coefficients.size(), " ", what,
          " coefficients for ", basis.cols(), " modes");
  basis.addTo(coefficients, values.data(), values.size());
}

void checkBasis(const Basis& basis, int num_vertices, const char* what) {
  if (basis.cols() == 0) return;
  require(basis.rows() == 3 * num_vertices, "MorphableModel: the ", what, " basis has ", basis.rows(),
          " rows but the mean has ", num_vertices, " vertices; was it built for another mesh?");
}

enum class Gaps { kNone, kAllowed };  // points that the mesh does not have

void checkEmbedding(const LandmarkEmbedding& embedding, Eigen::Index num_triangles, const char* what,
                    Gaps gaps = Gaps::kNone) {
  require(embedding.barycentric.rows() == embedding.size(), "MorphableModel: ", what, " has ",
          embedding.size(), " triangles but ", embedding.barycentric.rows(), " barycentric rows");
  for (int i = 0; i < embedding.size(); ++i) {
    if (gaps == Gaps::kAllowed && embedding.triangle[i] == -1) continue;
    require(embedding.triangle[i] >= 0 && embedding.triangle[i] < num_triangles, "MorphableModel: ", what,
            " point ", i, " lies on triangle ", embedding.triangle[i], " of ", num_triangles);
    require(std::abs(embedding.barycentric.row(i).sum() - 1) < 1e-3F, "MorphableModel: ", what, " point ", i,
            " has barycentric weights that do not sum to 1");
  }
}

template <typename Index>
void checkIndices(const std::vector<Index>& indices, std::size_t expected_count, std::size_t limit,
                  const char* what) {
  if (indices.empty()) return;
  require(indices.size() == expected_count, "MorphableModel: ", what, " has ", indices.size(),
          " entries, expected ", expected_count);
  for (const Index index : indices) {
    require(index >= 0 && static_cast<std::size_t>(index) < limit, "MorphableModel: ", what, " holds ",
            static_cast<long>(index), ", outside [0, ", limit, ")");
  }
}

}  // namespace

Points3 MorphableModel::vertices(const Eigen::VectorXf& identity_coefficients,
                                 const Eigen::VectorXf& expression_weights, const Points3& pose) const {
  Points3 result = mean;
  addModes(identity, identity_coefficients, "identity", result);
  addModes(expression, expression_weights, "expression", result);
  if (pose.rows() == 0) return result;
  require(skeleton.has_value(), "MorphableModel: a pose was given, but ", id, " has no joints");
  return skeleton->posed(result, pose);
}

Points3 MorphableModel::albedoColours(const Eigen::VectorXf& albedo_coefficients) const {
  Points3 result = albedo_mean;
  addModes(albedo, albedo_coefficients, "albedo", result);
  return result.cwiseMax(0.0F).cwiseMin(1.0F);
}

Mesh MorphableModel::mesh(const Points3& vertices) const {
  require(vertices.rows() == mean.rows(), "MorphableModel: ", vertices.rows(),
          " vertices given, the model has ", mean.rows());
  return {
      .vertices = vertices, .triangles = triangles, .uv = uv, .uv_triangles = uv_triangles, .colours = {}};
}

bool MorphableModel::hasUsableUv() const {
  constexpr double kMaxOverlap = 0.02;  // a hand-made layout may fold a little inside nostrils and lips
  return uv.rows() > 0 && uvOverlap(mesh(mean)) <= kMaxOverlap;
}

const LandmarkEmbedding& MorphableModel::contourAt(float yaw_degrees) const {
  require(!contour_by_yaw.empty(), "MorphableModel: ", id, " has no contour landmarks by head yaw");
  const int yaw = std::clamp(static_cast<int>(std::lround(yaw_degrees)), -kMaxContourYaw, kMaxContourYaw);
  return contour_by_yaw.at(yaw >= 0 ? yaw : kMaxContourYaw - yaw);
}

std::optional<int> MorphableModel::expressionIndex(const std::string& expression_name) const {
  const auto found = std::find(expression_names.begin(), expression_names.end(), expression_name);
  if (found == expression_names.end()) return std::nullopt;
  return static_cast<int>(found - expression_names.begin());
}

void MorphableModel::check() const {
  checkStructure();
  const auto checkValues = [](const Basis& basis, const char* what) {
    require(basis.allFinite(), "MorphableModel: a value of the ", what, " basis is not finite");
  };
  checkValues(identity, "identity");
  checkValues(expression, "expression");
  checkValues(blendshapes, "blendshape");
  checkValues(albedo, "albedo");
  checkValues(specular, "specular");
  if (skeleton) checkValues(skeleton->pose_correctives, "pose corrective");
}

void MorphableModel::checkStructure() const {
  require(numVertices() > 0 && triangles.rows() > 0, "MorphableModel: ", numVertices(), " vertices and ",
          triangles.rows(), " triangles; a model needs both");
  mesh(mean).check("MorphableModel");
  checkBasis(identity, numVertices(), "identity");
  checkBasis(expression, numVertices(), "expression");
  checkBasis(albedo, numVertices(), "albedo");
  require(expression_names.size() == static_cast<std::size_t>(numExpression()),
          "MorphableModel: ", expression_names.size(), " expression names for ", numExpression(),
          " expressions");
  require(num_blendshapes >= 0 && num_blendshapes <= numExpression(), "MorphableModel: ", num_blendshapes,
          " of the ", numExpression(), " expressions are blendshapes");
  if (skeleton) skeleton->check(numVertices());
  checkBasis(blendshapes, numVertices(), "blendshape");
  require(blendshape_names.size() == static_cast<std::size_t>(blendshapes.cols()),
          "MorphableModel: ", blendshape_names.size(), " blendshape names for ", blendshapes.cols(),
          " blendshapes");
  require(albedo_names.empty() || albedo_names.size() == static_cast<std::size_t>(numAlbedo()),
          "MorphableModel: ", albedo_names.size(), " albedo names for ", numAlbedo(), " albedo modes");
  require(albedo_mean.rows() == mean.rows() || (albedo_mean.rows() == 0 && numAlbedo() == 0),
          "MorphableModel: ", albedo_mean.rows(), " albedo colours for ", numVertices(), " vertices");
  require(albedo_mean.allFinite(), "MorphableModel: a mean albedo value is not finite");
  checkBasis(specular, numVertices(), "specular");
  require((specular_mean.rows() == mean.rows() || (specular_mean.rows() == 0 && specular.cols() == 0)) &&
              specular_mean.allFinite(),
          "MorphableModel: ", specular_mean.rows(), " specular colours for ", numVertices(),
          " vertices, or one that is not finite");
  require(landmarks68.size() == 0 || landmarks68.size() == kNumIbugLandmarks,
          "MorphableModel: landmarks68 has ", landmarks68.size(), " points");
  checkEmbedding(landmarks68, triangles.rows(), "landmarks68");
  checkEmbedding(dense, triangles.rows(), "dense", Gaps::kAllowed);
  checkEmbedding(mediapipe, triangles.rows(), "mediapipe");
  checkIndices(mediapipe_index, static_cast<std::size_t>(mediapipe.size()), kNumMediapipePoints,
               "mediapipe_index");
  require(mediapipe.size() == 0 || !mediapipe_index.empty(),
          "MorphableModel: it is not said which MediaPipe points the ", mediapipe.size(), " are");
  require(contour_by_yaw.empty() || contour_by_yaw.size() == static_cast<std::size_t>(kNumContourRows),
          "MorphableModel: ", contour_by_yaw.size(), " contour rows, expected ", kNumContourRows);
  for (const LandmarkEmbedding& row : contour_by_yaw) {
    require(row.size() == kNumJawLandmarks, "MorphableModel: a contour row has ", row.size(), " points");
    checkEmbedding(row, triangles.rows(), "contour_by_yaw");
  }
  const auto num_vertices = static_cast<std::size_t>(numVertices());
  checkIndices(symmetry, num_vertices, num_vertices, "symmetry");
  checkIndices(region, num_vertices, region_names.size(), "region");
  checkIndices(triangle_material, static_cast<std::size_t>(triangles.rows()), material_names.size(),
               "triangle_material");
}

}  // namespace facet
