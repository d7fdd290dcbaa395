#include "core/io/tddfa_model.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/io/files.h"
#include "core/io/mat_file.h"
#include "core/io/model_families.h"
#include "core/io/model_parts.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kAny = PickleValue::kAny;
constexpr Eigen::Index kPoseParameters = 12;  // a 3×4 camera comes first in 3DDFA's parameters

// F×3 or 3×F, from 0 or from 1.
Triangles trianglesOf(const PickleValue& value, std::int64_t num_vertices) {
  const std::vector<std::int64_t> shape = value.shape();
  const bool is_wide = shape.size() == 2 && shape[0] == 3 && shape[1] != 3;
  if (shape.size() != 2 || (shape[1] != 3 && !is_wide) || shape[0] == 0) {
    value.complain("is ", shapeText(shape), ", expected three corners per triangle");
  }
  const std::vector<std::int32_t> indices = value.indices(num_vertices + 1);
  Triangles triangles;
  if (is_wide) {
    triangles = Eigen::Map<const Eigen::Matrix<std::int32_t, 3, Eigen::Dynamic, Eigen::RowMajor>>(
                    indices.data(), 3, shape[1])
                    .transpose();
  } else {
    triangles = Eigen::Map<const Triangles>(indices.data(), shape[0], 3);
  }
  if (triangles.maxCoeff() == num_vertices) {
    if (triangles.minCoeff() < 1)
      value.complain("holds ", num_vertices, ", expected whole numbers from 0 to ", num_vertices - 1);
    triangles.array() -= 1;
  }
  return triangles;
}

// Landmarks as vertices, or as the flat indices of their coordinates (204 for 68).
std::vector<std::int32_t> landmarksOf(const PickleValue& value, std::int64_t num_vertices) {
  const std::vector<std::int32_t> stored = value.indices(3 * num_vertices);
  if (stored.size() != 3 * kNumIbugLandmarks) return stored;
  std::vector<std::int32_t> vertices;
  for (std::size_t i = 0; i < stored.size(); i += 3) vertices.push_back(stored[i] / 3);
  return vertices;
}

void scaleModes(const TddfaCompanions& companions, Eigen::MatrixXf& identity, Eigen::MatrixXf& expression,
                std::vector<std::string>& notes) {
  if (companions.deviations) {
    const Eigen::VectorXf& deviations = *companions.deviations;
    // 62 parameters: 12 of pose, 40 of identity, 10 of expression. A file may hold more modes than those.
    const Eigen::Index num_modes = deviations.size() - kPoseParameters;
    Eigen::Index num_identity = identity.cols(), num_expression = expression.cols();
    if (num_identity + num_expression != num_modes) num_identity = 40, num_expression = 10;
    require(num_identity + num_expression == num_modes && num_identity <= identity.cols() &&
                num_expression <= expression.cols(),
            "its ", identity.cols(), " identity and ", expression.cols(), " expression modes do not fit the ",
            deviations.size(), " standard deviations beside it");
    require(deviations.allFinite() && deviations.tail(num_modes).minCoeff() > 0,
            "the standard deviations beside it are not all positive");
    identity =
        identity.leftCols(num_identity) * deviations.segment(kPoseParameters, num_identity).asDiagonal();
    expression = expression.leftCols(num_expression) * deviations.tail(num_expression).asDiagonal();
    return;
  }
  // Modes of unit length move a vertex by nanometres; then the deviations are needed.
  const float strongest_mm = identity.size() > 0 ? identity.col(0).cwiseAbs().maxCoeff() : 0;
  constexpr float kVisible_mm = 0.01F;
  require(strongest_mm > kVisible_mm,
          "its modes are not scaled by their standard deviations; put param_mean_std_62d_120x120.pkl "
          "(version 2) or "
          "param_whitening.pkl (version 1) of 3DDFA beside it");
  notes.emplace_back("no standard deviations beside it; its modes are taken to be scaled");
}

MorphableModel finish(MorphableModel model, Points3 mean, Eigen::MatrixXf identity,
                      Eigen::MatrixXf expression, const std::vector<std::int32_t>& landmarks) {
  model.mean = std::move(mean);
  model.identity = Basis::compact(std::move(identity));
  model.expression = Basis::compact(std::move(expression));
  model.expression_names = numberedNames("expression", model.numExpression());
  orientTriangles(model);
  if (landmarks.size() == kNumIbugLandmarks) {
    model.landmarks68 = embeddingOf(landmarks, model.triangles, model.numVertices());
  }
  if (model.landmarks68.size() == 0) model.reader_notes.emplace_back("has no landmarks that fit its mesh");
  return model;
}

bool isVersion3(const PickleValue& file) {
  return file.has("u") && file.has("id") && file.has("exp") && file.has("tri");
}

bool isVersion2(const PickleValue& file) { return file.has("u") && file.has("w_shp") && file.has("w_exp"); }

MorphableModel version3(const PickleValue& file) {
  MorphableModel model;
  model.id = "3ddfa-v3";
  model.name = "3DDFA-V3";
  setOrigin("3ddfa-v3", model);
  Points3 mean = file["u"].points();
  const std::int64_t num_vertices = mean.rows();
  model.topology = "bfm-" + std::to_string(num_vertices);
  Eigen::MatrixXf identity = file["id"].modes(num_vertices), expression = file["exp"].modes(num_vertices);
  const float unit_mm = millimetresPerUnit(mean, kDecimetres, model.reader_notes);
  mean *= unit_mm;
  identity *= unit_mm;
  expression *= unit_mm;
  model.triangles = trianglesOf(file["tri"], num_vertices);
  if (file.has("uv_coords")) {
    const PickleValue uv = file["uv_coords"];
    const Eigen::MatrixXf coordinates = uv.matrix(num_vertices, {num_vertices, kAny});
    if (coordinates.cols() < 2)
      uv.complain("is ", shapeText(uv.shape()), ", expected ", num_vertices, " x 2");
    model.uv = coordinates.leftCols(2);
    model.uv_triangles = model.triangles;
  }
  std::vector<std::int32_t> landmarks;
  if (file.has("ldm68")) landmarks = landmarksOf(file["ldm68"], num_vertices);
  model = finish(std::move(model), std::move(mean), std::move(identity), std::move(expression), landmarks);

  if (file.has("u_alb") && file.has("alb")) {
    setDisplayColours(file["u_alb"].points(), file["alb"].modes(num_vertices), model);
  }
  if (file.has("annotation") && file["annotation"].kind() == PickleValue::Kind::kList &&
      file["annotation"].size() == 8) {
    const PickleValue parts = file["annotation"];
    model.region_names = {"right_eye", "left_eye",  "right_eyebrow", "left_eyebrow", "nose",
                          "upper_lip", "lower_lip", "skin",          "rest"};
    model.region.assign(static_cast<std::size_t>(num_vertices), 8);
    for (std::size_t part = 8; part-- > 0;) {  // the skin first, under the others
      for (const std::int32_t vertex : parts[part].indices(num_vertices)) {
        model.region[static_cast<std::size_t>(vertex)] = static_cast<std::uint8_t>(part);
      }
    }
  }
  return model;
}

MorphableModel version2(const PickleValue& file, const TddfaCompanions& companions) {
  MorphableModel model;
  model.id = "3ddfa-v2";
  model.name = "3DDFA_V2";
  setOrigin("3ddfa", model);
  Points3 mean = file["u"].points();
  const std::int64_t num_vertices = mean.rows();
  model.topology = "3ddfa-" + std::to_string(num_vertices);
  Eigen::MatrixXf identity = file["w_shp"].modes(num_vertices),
                  expression = file["w_exp"].modes(num_vertices);
  const float unit_mm = millimetresPerUnit(mean, kMicrometres, model.reader_notes);
  mean *= unit_mm;
  identity *= unit_mm;
  expression *= unit_mm;
  scaleModes(companions, identity, expression, model.reader_notes);
  if (companions.triangles) {
    model.triangles = *companions.triangles;
  } else {
    if (!file.has("tri"))
      file.complain("has no triangles; put tri.pkl of 3DDFA_V2's configs folder beside it");
    model.triangles = trianglesOf(file["tri"], num_vertices);
  }
  require(model.triangles.size() == 0 || model.triangles.maxCoeff() < num_vertices,
          "the triangles beside it are for ", "another mesh: they hold the vertex ",
          model.triangles.size() == 0 ? 0 : model.triangles.maxCoeff(), " of ", num_vertices);
  std::vector<std::int32_t> landmarks;
  if (file.has("keypoints")) landmarks = landmarksOf(file["keypoints"], num_vertices);
  return finish(std::move(model), std::move(mean), std::move(identity), std::move(expression), landmarks);
}

Eigen::VectorXf deviationsOf(const PickleValue& value) { return value.matrix(value.count(), {kAny}); }

// tri.pkl and the parameters' statistics, by content.
TddfaCompanions companionsBeside(const fs::path& path, std::int64_t num_vertices) {
  TddfaCompanions companions;
  constexpr std::uintmax_t kMostBytes = 16 << 20;
  std::error_code ignored;
  for (const fs::path& candidate : filesBeside(path)) {
    if (candidate.extension() != ".pkl" || fs::file_size(candidate, ignored) >= kMostBytes) continue;
    std::optional<PickleValue> value;
    try {
      value = readPython(candidate);
    } catch (const Error&) {
      continue;  // something else
    }
    if (value->kind() == PickleValue::Kind::kArray && value->shape().size() == 2 &&
        (value->shape()[0] == 3 || value->shape()[1] == 3)) {
      companions.triangles = trianglesOf(*value, num_vertices);
    } else if (value->has("std") && value->has("mean")) {
      companions.deviations = deviationsOf((*value)["std"]);
    } else if (value->has("param_std")) {
      companions.deviations = deviationsOf((*value)["param_std"]);
    }
  }
  return companions;
}

MorphableModel readVersion1(const fs::path& folder) {
  for (const char* name : {"u_shp.npy", "u_exp.npy", "w_shp_sim.npy", "w_exp_sim.npy"}) {
    if (!fs::exists(folder / name)) {
      fail(ErrorKind::kModel, folder.string(), ": is not 3DDFA's folder of arrays: it has no ", name,
           "; they are in train.configs of https://github.com/cleardusk/3DDFA");
    }
  }
  MorphableModel model;
  model.id = "3ddfa-v1";
  model.name = "3DDFA";
  setOrigin("3ddfa", model);
  model.source = "https://github.com/cleardusk/3DDFA/tree/master/train.configs";
  Points3 mean = readPython(folder / "u_shp.npy").points();
  const std::int64_t num_vertices = mean.rows();
  model.topology = "3ddfa-" + std::to_string(num_vertices);
  const PickleValue expression_mean = readPython(folder / "u_exp.npy");
  if (expression_mean.count() != 3 * num_vertices) {
    expression_mean.complain("is ", shapeText(expression_mean.shape()), ", expected ", 3 * num_vertices,
                             " values");
  }
  mean += expression_mean.points();
  Eigen::MatrixXf identity = readPython(folder / "w_shp_sim.npy").modes(num_vertices),
                  expression = readPython(folder / "w_exp_sim.npy").modes(num_vertices);
  const float unit_mm = millimetresPerUnit(mean, kMicrometres, model.reader_notes);
  mean *= unit_mm;
  identity *= unit_mm;
  expression *= unit_mm;
  TddfaCompanions companions = companionsBeside(folder / "u_shp.npy", num_vertices);
  scaleModes(companions, identity, expression, model.reader_notes);
  if (!companions.triangles) {
    for (const fs::path& path : {folder / "tri.mat", folder / ".." / "visualize" / "tri.mat"}) {
      if (!fs::exists(path)) continue;
      const SharedBytes bytes = mapBytes(path);
      const auto arrays = readMat(bytes, {"tri"});
      require(arrays.count("tri") > 0, "its companion tri.mat has no \"tri\"");
      companions.triangles = trianglesFrom(arrays.at("tri"), "tri", /*one_based=*/true, num_vertices);
      break;
    }
  }
  if (!companions.triangles) {
    fail(ErrorKind::kModel, folder.string(),
         ": has no triangles; put tri.mat of the folder visualize of https://github.com/cleardusk/3DDFA "
         "beside it");
  }
  model.triangles = *companions.triangles;
  std::vector<std::int32_t> landmarks;
  if (const fs::path path = folder / "keypoints_sim.npy"; fs::exists(path)) {
    landmarks = landmarksOf(readPython(path), num_vertices);
  }
  return finish(std::move(model), std::move(mean), std::move(identity), std::move(expression), landmarks);
}

}  // namespace

bool isTddfaModel(const PickleValue& file) { return isVersion3(file) || isVersion2(file); }

MorphableModel tddfaModelFrom(const PickleValue& file, const TddfaCompanions& companions) try {
  if (!isTddfaModel(file)) {
    file.complain("is not a model of 3DDFA: it has neither u, id, exp, tri nor u, w_shp, w_exp");
  }
  MorphableModel model = isVersion3(file) ? version3(file) : version2(file, companions);
  model.check();
  return model;
} catch (const std::invalid_argument& error) {
  fail(ErrorKind::kModel, file.name(), ": is not a valid model of 3DDFA: ", error.what());
}

MorphableModel readTddfaModel(const fs::path& path) try {
  if (fs::is_directory(path)) {
    MorphableModel model = readVersion1(path);
    model.check();
    return model;
  }
  const PickleValue file = readPython(path);
  if (!isVersion2(file)) return tddfaModelFrom(file);
  return tddfaModelFrom(file, companionsBeside(path, file["u"].points().rows()));
} catch (const std::invalid_argument& error) {
  fail(ErrorKind::kModel, path.string(), ": is not a valid model of 3DDFA: ", error.what());
}

}  // namespace facet
