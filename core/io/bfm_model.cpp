// Paysan et al., "A 3D Face Model for Pose and Illumination Invariant Face Recognition", AVSS 2009;
// Gerig et al., "Morphable Face Models - An Open Framework", FG 2018.
#include "core/io/bfm_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "core/check.h"
#include "core/error.h"
#include "core/io/eos_landmarks.h"
#include "core/io/files.h"
#include "core/io/hdf5_file.h"
#include "core/io/mat_file.h"
#include "core/io/model_families.h"
#include "core/io/model_parts.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;
using Matrices = std::map<std::string, Eigen::MatrixXf>;

// The array `name` out of the MATLAB file `companion` beside the model; nothing if there is no such file.
std::optional<Eigen::MatrixXf> readMatBeside(const fs::path& model, const std::string& companion,
                                             const std::vector<std::string>& names) {
  const auto bytes = readBeside(model, companion);
  if (!bytes) return std::nullopt;
  return inCompanion(companion, [&] {
    Matrices found = readMat(*bytes, {names.begin(), names.end()});
    for (const std::string& name : names) {
      if (const auto entry = found.find(name); entry != found.end()) return std::move(entry->second);
    }
    throw std::invalid_argument("has no \"" + names.front() + "\"");
  });
}

const Eigen::MatrixXf& get(const Matrices& arrays, const std::string& name) {
  const auto found = arrays.find(name);
  require(found != arrays.end(), "has no \"", name, "\"");
  return found->second;
}

Eigen::MatrixXf take(Matrices& arrays, const std::string& name) {
  get(arrays, name);
  return std::move(arrays[name]);
}

// The rows (3 per vertex) of the kept vertices.
Eigen::MatrixXf keptRows(const Eigen::MatrixXf& modes, const std::vector<std::int32_t>& kept) {
  Eigen::MatrixXf result(3 * static_cast<Eigen::Index>(kept.size()), modes.cols());
  for (Eigen::Index k = 0; k < modes.cols(); ++k) {
    for (std::size_t v = 0; v < kept.size(); ++v)
      result.col(k).segment<3>(3 * static_cast<Eigen::Index>(v)) = modes.col(k).segment<3>(3 * kept[v]);
  }
  return result;
}

Points3 keptPoints(const Points3& points, const std::vector<std::int32_t>& kept) {
  Points3 result(static_cast<Eigen::Index>(kept.size()), 3);
  for (std::size_t v = 0; v < kept.size(); ++v)
    result.row(static_cast<Eigen::Index>(v)) = points.row(kept[v]);
  return result;
}

// Those triangles whose three corners are kept, by their new numbers.
Triangles keptTriangles(const Triangles& triangles, const std::vector<std::int32_t>& kept,
                        Eigen::Index num_vertices) {
  std::vector<std::int32_t> new_index(static_cast<std::size_t>(num_vertices), -1);
  for (std::size_t v = 0; v < kept.size(); ++v)
    new_index[static_cast<std::size_t>(kept[v])] = static_cast<std::int32_t>(v);
  Triangles result(triangles.rows(), 3);
  Eigen::Index count = 0;
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    for (int c = 0; c < 3; ++c) result(count, c) = new_index[static_cast<std::size_t>(triangles(f, c))];
    if (result.row(count).minCoeff() >= 0) ++count;
  }
  return result.topRows(count);
}

// Texture coordinates, one per vertex, if the table is for this mesh.
void setVertexUv(const Eigen::MatrixXf& uv, const std::string& name, MorphableModel& model) {
  if (uv.rows() != model.numVertices() || uv.cols() < 2) {
    model.reader_notes.push_back("texture coordinates in " + name +
                                 " are for another mesh and were not used");
    return;
  }
  require(uv.allFinite(), "its texture coordinates in ", name, " are not finite");
  model.uv = uv.leftCols(2);
  model.uv_triangles = model.triangles;
}

// ---- Exp_Pca.bin and its two companions ----------------------------------------------------------------

struct GuoExpressions {
  std::vector<std::int32_t> kept;  // vertices of BFM 2009, from 0
  Eigen::MatrixXf modes;           // 3·kept × n, file units per standard deviation
};

// int32 n, float mean[3V], float modes[n][3V]; V is the length of the table.
std::optional<GuoExpressions> readGuoExpressions(const fs::path& path, Eigen::Index num_vertices,
                                                 std::vector<std::string>& notes) {
  const auto table = readMatBeside(path, "BFM_exp_idx.mat", {"trimIndex"});
  const auto file = readBeside(path, "Exp_Pca.bin"), deviations = readBeside(path, "std_exp.txt");
  if (!table || !file || !deviations) {
    std::string missing;
    for (const auto& [present, name] :
         {std::pair{file.has_value(), "Exp_Pca.bin"}, std::pair{deviations.has_value(), "std_exp.txt"},
          std::pair{table.has_value(), "BFM_exp_idx.mat"}}) {
      if (!present) missing += (missing.empty() ? "" : ", ") + std::string(name);
    }
    notes.push_back(
        "has no expressions: put " + missing +
        " beside it; Exp_Pca.bin is in the CoarseData of https://github.com/Juyong/3DFace, the others in the "
        "BFM folder of https://github.com/microsoft/Deep3DFaceReconstruction");
    return std::nullopt;
  }
  GuoExpressions result;
  result.kept =
      inCompanion("BFM_exp_idx.mat", [&] { return indicesFrom(*table, "trimIndex", true, num_vertices); });
  inCompanion("Exp_Pca.bin", [&] {
    ByteReader reader(*file);
    const auto count = reader.number<std::int32_t>();
    const auto rows = 3 * static_cast<std::uint64_t>(result.kept.size());
    require(count > 0 && rows > 0 && reader.left() == 4 * rows * (static_cast<std::uint64_t>(count) + 1),
            "has ", file->size(), " bytes; ", count, " modes and the mean of ", result.kept.size(),
            " vertices were expected");
    reader.skip(4 * rows);  // the mean expression, which is left out with this basis
    std::istringstream text(
        std::string(reinterpret_cast<const char*>(deviations->data()), deviations->size()));
    Eigen::MatrixXf sigma(count, 1);
    for (int k = 0; k < count; ++k)
      require(bool(text >> sigma(k)), "has ", count, " modes but std_exp.txt has ", k, " numbers");
    Eigen::MatrixXf modes(static_cast<Eigen::Index>(rows), count);
    std::memcpy(modes.data(), reader.take(4 * rows * static_cast<std::uint64_t>(count)).data(),
                4 * static_cast<std::size_t>(modes.size()));
    // In micrometres as the model; checked here, where the names are known.
    result.modes = scaledModes(std::move(modes), sigma, static_cast<Eigen::Index>(result.kept.size()),
                               "modes", kMicrometres.millimetres);
    return 0;
  });
  return result;
}

// ---- MATLAB files --------------------------------------------------------------------------------------

MorphableModel bfm2009From(Matrices arrays, const fs::path& path) {
  MorphableModel model;
  model.id = "bfm-2009";
  model.name = "Basel Face Model 2009";
  setOrigin(model.id, model);
  const Points3 mean = pointsFrom(get(arrays, "shapeMU"), "shapeMU");
  const Eigen::Index num_vertices = mean.rows();
  const float unit = millimetresPerUnit(mean, kMicrometres, model.reader_notes);
  model.mean = mean * unit;
  model.triangles = trianglesFrom(get(arrays, "tl"), "tl", true, num_vertices);
  Eigen::MatrixXf identity =
      scaledModes(take(arrays, "shapePC"), get(arrays, "shapeEV"), num_vertices, "shapePC", unit);
  Points3 colours = pointsFrom(get(arrays, "texMU"), "texMU");
  require(colours.rows() == num_vertices, "its \"texMU\" has ", colours.rows(), " colours for ", num_vertices,
          " vertices");
  Eigen::MatrixXf colour_modes =
      scaledModes(take(arrays, "texPC"), get(arrays, "texEV"), num_vertices, "texPC", 1);
  arrays.clear();

  auto expressions = readGuoExpressions(path, num_vertices, model.reader_notes);
  if (expressions) {
    const std::vector<std::int32_t>& kept = expressions->kept;
    model.mean = keptPoints(model.mean, kept);
    model.triangles = keptTriangles(model.triangles, kept, num_vertices);
    identity = keptRows(identity, kept);
    colours = keptPoints(colours, kept);
    colour_modes = keptRows(colour_modes, kept);
    model.expression_names = numberedNames("expression", expressions->modes.cols());
    model.expression = Basis::compact(std::move(expressions->modes *= unit / kMicrometres.millimetres));
    model.topology = "bfm-2009-trimmed";
    model.reader_notes.push_back("trimmed to the " + std::to_string(kept.size()) + " of " +
                                 std::to_string(num_vertices) +
                                 " vertices that the expressions of Exp_Pca.bin cover");
  }
  model.identity = Basis::compact(std::move(identity));
  setDisplayColours(std::move(colours), std::move(colour_modes), model);
  orientTriangles(model);

  // Landmarks of the front face, through its table into the trimmed mesh.
  const auto keypoints = readMatBeside(path, "facemodel_info.mat", {"keypoints"});
  const auto front = readMatBeside(path, "BFM_front_idx.mat", {"idx"});
  if (expressions && keypoints && front) {
    const std::vector<std::int32_t> vertex_of_front = inCompanion(
        "BFM_front_idx.mat", [&] { return indicesFrom(*front, "idx", true, model.numVertices()); });
    std::vector<std::int32_t> vertices = inCompanion("facemodel_info.mat", [&] {
      require(keypoints->size() == kNumIbugLandmarks, "has ", keypoints->size(), " keypoints, not 68");
      return indicesFrom(*keypoints, "keypoints", true, front->size());
    });
    for (std::int32_t& vertex : vertices) vertex = vertex_of_front[static_cast<std::size_t>(vertex)];
    model.landmarks68 = embeddingOf(vertices, model.triangles, model.numVertices());
  }
  return model;
}

MorphableModel deep3dFrom(Matrices arrays) {
  MorphableModel model;
  model.id = "bfm-2009-front";
  model.name = "Basel Face Model 2009, front face of Deep3DFaceReconstruction";
  setOrigin(model.id, model);
  model.mean = pointsFrom(get(arrays, "meanshape"), "meanshape");
  const Eigen::Index num_vertices = model.mean.rows();
  const float unit = millimetresPerUnit(model.mean, kDecimetres, model.reader_notes);
  model.mean *= unit;
  const Eigen::RowVector3f centre = model.mean.cast<double>().colwise().mean().cast<float>();
  model.mean.rowwise() -= centre;
  model.triangles = trianglesFrom(get(arrays, "tri"), "tri", true, num_vertices);
  model.identity =
      Basis::compact(scaledModes(take(arrays, "idBase"), std::nullopt, num_vertices, "idBase", unit));
  Eigen::MatrixXf expression =
      scaledModes(take(arrays, "exBase"), std::nullopt, num_vertices, "exBase", unit);
  model.expression_names = numberedNames("expression", expression.cols());
  model.expression = Basis::compact(std::move(expression));
  setDisplayColours(pointsFrom(get(arrays, "meantex"), "meantex"),
                    scaledModes(take(arrays, "texBase"), std::nullopt, num_vertices, "texBase", 1), model);
  orientTriangles(model);
  const Eigen::MatrixXf& keypoints = get(arrays, "keypoints");
  require(keypoints.size() == kNumIbugLandmarks, "its \"keypoints\" are ", keypoints.size(), ", not 68");
  model.landmarks68 = embeddingOf(indicesFrom(keypoints, "keypoints", true, num_vertices), model.triangles,
                                  model.numVertices());
  return model;
}

MorphableModel face3dFrom(Matrices arrays, const fs::path& path) {
  MorphableModel model;
  model.id = "face3d-bfm";
  model.name = "Basel Face Model 2009 with expressions, as prepared for face3d and 3DDFA";
  setOrigin("face3d", model);
  Points3 mean = pointsFrom(get(arrays, "model.shapeMU"), "model.shapeMU");
  const Points3 expression_mean = pointsFrom(get(arrays, "model.expMU"), "model.expMU");
  require(expression_mean.rows() == mean.rows(), "its \"model.expMU\" has ", expression_mean.rows(),
          " vertices, the shape ", mean.rows());
  mean += expression_mean;
  const Eigen::Index num_vertices = mean.rows();
  const float unit = millimetresPerUnit(mean, kMicrometres, model.reader_notes);
  model.mean = mean * unit;
  model.triangles = trianglesFrom(get(arrays, "model.tri"), "model.tri", true, num_vertices);
  model.identity = Basis::compact(scaledModes(take(arrays, "model.shapePC"), get(arrays, "model.shapeEV"),
                                              num_vertices, "model.shapePC", unit));
  Eigen::MatrixXf expression =
      scaledModes(take(arrays, "model.expPC"), get(arrays, "model.expEV"), num_vertices, "model.expPC", unit);
  model.expression_names = numberedNames("expression", expression.cols());
  model.expression = Basis::compact(std::move(expression));
  setDisplayColours(
      pointsFrom(get(arrays, "model.texMU"), "model.texMU"),
      scaledModes(take(arrays, "model.texPC"), get(arrays, "model.texEV"), num_vertices, "model.texPC", 1),
      model);
  orientTriangles(model);
  const Eigen::MatrixXf& keypoints = get(arrays, "model.kpt_ind");
  require(keypoints.size() == kNumIbugLandmarks, "its \"model.kpt_ind\" are ", keypoints.size(), ", not 68");
  model.landmarks68 = embeddingOf(indicesFrom(keypoints, "model.kpt_ind", true, num_vertices),
                                  model.triangles, model.numVertices());
  if (const auto uv = readMatBeside(path, "BFM_UV.mat", {"UV"})) {
    setVertexUv(*uv, "BFM_UV.mat", model);
  } else if (const auto info = readMatBeside(path, "BFM_info.mat", {"model_info.uv_coords", "uv_coords"})) {
    setVertexUv(*info, "BFM_info.mat", model);
  }
  return model;
}

MorphableModel matModelFrom(ByteSpan file, const fs::path& path) {
  const std::vector<MatVariable> variables = matVariables(file);
  const auto has = [&variables](const std::string& name, bool is_struct = false) {
    return std::any_of(variables.begin(), variables.end(), [&](const MatVariable& variable) {
      return variable.name == name && variable.is_struct == is_struct;
    });
  };
  if (has("shapeMU") && has("shapePC"))
    return bfm2009From(readMat(file, {"shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV", "tl"}),
                       path);
  if (has("meanshape") && has("idBase"))
    return deep3dFrom(
        readMat(file, {"meanshape", "idBase", "exBase", "meantex", "texBase", "tri", "keypoints"}));
  if (has("model", true)) {
    return face3dFrom(readMat(file, {"model.shapeMU", "model.shapePC", "model.shapeEV", "model.expMU",
                                     "model.expPC", "model.expEV", "model.texMU", "model.texPC",
                                     "model.texEV", "model.tri", "model.kpt_ind"}),
                      path);
  }
  if (has("trimIndex") || has("keypoints") || has("idx") || has("UV") || has("model_info", true) ||
      has("select_id"))
    require(false,
            "is a companion of a Basel model, not a model; give 01_MorphableModel.mat, BFM_model_front.mat "
            "or BFM.mat");
  std::string names;
  for (std::size_t i = 0; i < std::min<std::size_t>(variables.size(), 8); ++i)
    names += (i ? ", " : "") + variables[i].name;
  require(false, "is a MATLAB file but no model that is known here: it holds ",
          names.empty() ? "nothing" : names,
          "; expected the arrays of 01_MorphableModel.mat (BFM 2009), BFM_model_front.mat (Deep3D) or "
          "BFM.mat (face3d)");
  return {};
}

// ---- HDF5 files ----------------------------------------------------------------------------------------

struct StatisticalPart {
  Points3 mean;           // file units
  Eigen::MatrixXf modes;  // 3V×K, file units per standard deviation
};

// One of the groups shape, expression, color, diffuseAlbedo, specularAlbedo: N(mean,
// basis·diag(variance)·basisᵀ).
StatisticalPart readPart(const Hdf5File& file, const std::string& group, std::vector<std::string>& notes) {
  const std::string prefix = group.empty() ? "model/" : group + "/model/";
  StatisticalPart part;
  part.mean = pointsFrom(file.read(prefix + "mean"), prefix + "mean");
  Eigen::MatrixXf variance = file.read(prefix + "pcaVariance");
  require(variance.size() > 0 && variance.minCoeff() >= 0 && variance.allFinite(), "its \"", prefix,
          "pcaVariance\" holds a value that is negative or not finite");
  Eigen::MatrixXf basis = file.read(prefix + "pcaBasis");
  std::optional<Eigen::MatrixXf> deviation = variance.cwiseSqrt();
  // statismo 0.8 stored each mode times its standard deviation; later versions store unit columns.
  const float sigma = deviation->data()[0];
  if (basis.cols() > 0) {
    const float norm = basis.col(0).norm();
    if (std::abs(norm - sigma) < 0.05F * sigma && std::abs(norm - 1) > 0.05F) {
      deviation.reset();
      notes.push_back("the modes of " + prefix + "pcaBasis are scaled already (statismo 0.8)");
    }
  }
  part.modes = scaledModes(std::move(basis), deviation, part.mean.rows(), prefix + "pcaBasis", 1);
  return part;
}

bool isAlbedoFile(const Hdf5File& file) { return file.has("diffuseAlbedo/model/mean"); }

void setAlbedo2020(const Hdf5File& file, MorphableModel& model) {
  StatisticalPart diffuse = readPart(file, "diffuseAlbedo", model.reader_notes);
  require(diffuse.mean.rows() == model.numVertices(), "its albedo has ", diffuse.mean.rows(),
          " vertices, the shape model ", model.numVertices(), "; use model2019_face12.h5 with it");
  model.albedo_mean = diffuse.mean;
  model.albedo = Basis::compact(std::move(diffuse.modes));
  if (file.has("specularAlbedo/model/mean")) {
    StatisticalPart specular = readPart(file, "specularAlbedo", model.reader_notes);
    require(specular.mean.rows() == model.numVertices(), "its specular part has ", specular.mean.rows(),
            " vertices, the shape model ", model.numVertices());
    model.specular_mean = specular.mean;
    model.specular = Basis::compact(std::move(specular.modes));
  }
}

struct KnownHdf5Model {
  Eigen::Index num_vertices;
  const char *id, *name, *family;
};
constexpr KnownHdf5Model kKnownHdf5Models[] = {
    {53149, "bfm-2017", "Basel Face Model 2017", "bfm-2017"},
    {28588, "bfm-2017-face12", "Basel Face Model 2017, face12", "bfm-2017"},
    {53490, "bfm-2009-publicmm1", "Basel Face Model 2009 with expressions of 2017", "bfm-2017"},
    {47439, "bfm-2019", "Basel Face Model 2019", "bfm-2019"},
    {27657, "bfm-2019-face12", "Basel Face Model 2019, face12", "bfm-2019"},
    {58203, "bfm-2019-fullhead", "Basel Face Model 2019, full head", "bfm-2019"},
};

// The points that the file names ("center.nose.tip"); the 68 of iBUG if they are among them as "1" to "68".
void setNamedLandmarks(const Hdf5File& file, float unit, MorphableModel& model) {
  if (!file.has("metadata/landmarks/json")) return;
  const Json points =
      Json::parse(file.readText("metadata/landmarks/json"), nullptr, /*allow_exceptions=*/false);
  if (!points.is_array()) {
    model.reader_notes.push_back("metadata/landmarks/json is not a list of named points and was not used");
    return;
  }
  std::map<std::string, std::int32_t> vertex_of;
  for (const Json& point : points) {
    if (!point.is_object() || !point.contains("id") || !point.contains("coordinates")) continue;
    const Json &id = point["id"], &place = point["coordinates"];
    const auto isNumber = [](const Json& value) { return value.is_number(); };
    if (!id.is_string() || !place.is_array() || place.size() != 3 ||
        !std::all_of(place.begin(), place.end(), isNumber))
      continue;
    // A list that is longer than any is damage, and each entry costs a search.
    if (vertex_of.size() >= 500) break;
    const Eigen::RowVector3f point_mm =
        unit * Eigen::RowVector3f(place[0].get<float>(), place[1].get<float>(), place[2].get<float>());
    Eigen::Index nearest = 0;
    (model.mean.rowwise() - point_mm).rowwise().squaredNorm().minCoeff(&nearest);
    vertex_of[id.get<std::string>()] = static_cast<std::int32_t>(nearest);
  }
  std::vector<std::int32_t> vertices;
  for (int i = 1; i <= kNumIbugLandmarks; ++i) {
    if (const auto found = vertex_of.find(std::to_string(i)); found != vertex_of.end())
      vertices.push_back(found->second);
  }
  if (vertices.size() == kNumIbugLandmarks) {
    model.landmarks68 = embeddingOf(vertices, model.triangles, model.numVertices());
  } else {
    model.reader_notes.push_back(
        "the file names " + std::to_string(vertex_of.size()) +
        " points, but not the 68 landmarks; eos's ibug_to_*.txt beside the model gives them");
  }
}

// The other half of an albedo or a face12 model: an .h5 file in the same folder whose name contains `part`.
template <typename Use>
bool withHdf5Beside(const fs::path& path, const std::string& part, const Use& use) {
  for (const fs::path& candidate : filesBeside(path)) {
    const std::string name = candidate.filename().string(), in_lower_case = lowerCase(name);
    if (in_lower_case.find(part) == std::string::npos || !in_lower_case.ends_with(".h5")) continue;
    const SharedBytes bytes = mapBytes(candidate);
    if (inCompanion(name, [&] { return use(Hdf5File(bytes)); })) return true;
  }
  return false;
}

// Shape, expressions and colours; everything but the albedo model.
MorphableModel shapeModelFrom(const Hdf5File& file) {
  MorphableModel model;
  const std::string group = file.has("shape/model/mean") ? "shape" : "";
  require(
      !group.empty() || file.has("model/mean"),
      "is an HDF5 file but no model that is known here: it has neither shape/model/mean (BFM 2017, 2019) nor "
      "diffuseAlbedo/model/mean (albedo model 2020) nor model/mean (scalismo)");
  StatisticalPart shape = readPart(file, group, model.reader_notes);
  const Eigen::Index num_vertices = shape.mean.rows();
  const auto* known = std::find_if(
      std::begin(kKnownHdf5Models), std::end(kKnownHdf5Models),
      [&](const auto& candidate) { return candidate.num_vertices == num_vertices && !group.empty(); });
  if (known != std::end(kKnownHdf5Models)) {
    model.id = known->id;
    model.name = known->name;
    setOrigin(known->family, model);
  } else {
    model.id = "scalismo-" + std::to_string(num_vertices);
    model.name = "scalismo model of " + std::to_string(num_vertices) + " vertices";
    model.licence = "unknown; of the Basel models: " + findModelFamily("bfm-2019")->licence;
    model.source = findModelFamily("bfm-2019")->page;
    model.reader_notes.push_back("has " + std::to_string(num_vertices) +
                                 " vertices, as no published Basel model");
  }

  StatisticalPart expression;
  if (file.has("expression/model/mean")) {
    expression = readPart(file, "expression", model.reader_notes);
    require(expression.mean.rows() == num_vertices, "its expression part has ", expression.mean.rows(),
            " vertices, the shape ", num_vertices);
    shape.mean += expression.mean;
  }
  const float unit = millimetresPerUnit(shape.mean, kMillimetres, model.reader_notes);
  model.mean = shape.mean * unit;
  model.identity = Basis::compact(std::move(shape.modes *= unit));
  model.expression_names = numberedNames("expression", expression.modes.cols());
  if (expression.modes.cols() > 0) model.expression = Basis::compact(std::move(expression.modes *= unit));
  const std::string cells = group.empty() ? "representer/cells" : group + "/representer/cells";
  model.triangles = trianglesFrom(file.read(cells), cells, false, num_vertices);
  if (file.has("color/model/mean")) {
    StatisticalPart colour = readPart(file, "color", model.reader_notes);
    setDisplayColours(std::move(colour.mean), std::move(colour.modes), model);
  }
  orientTriangles(model);
  setNamedLandmarks(file, unit, model);
  return model;
}

MorphableModel hdf5ModelFrom(const Hdf5File& file, const fs::path& path) {
  MorphableModel model;
  if (isAlbedoFile(file)) {
    const bool found = withHdf5Beside(path, "face12", [&model](const Hdf5File& other) {
      if (isAlbedoFile(other) || !other.has("shape/model/mean")) return false;
      model = shapeModelFrom(other);
      return true;
    });
    require(found, "holds albedo without a shape; put model2019_face12.h5 beside it, from ",
            findModelFamily("bfm-2019")->page);
    setAlbedo2020(file, model);
    return model;
  }
  model = shapeModelFrom(file);
  if (model.id == "bfm-2019-face12") {
    withHdf5Beside(path, "albedo", [&model](const Hdf5File& other) {
      if (!isAlbedoFile(other)) return false;
      setAlbedo2020(other, model);
      return true;
    });
  }
  return model;
}

}  // namespace

MorphableModel bfmModelFrom(ByteSpan file, const fs::path& path) try {
  // MATLAB's version 7.3 is HDF5 behind a text of its own.
  const std::string_view head(reinterpret_cast<const char*>(file.data()),
                              std::min<std::size_t>(file.size(), 6));
  const bool is_matlab = head == "MATLAB" || !Hdf5File::isHdf5(file);
  MorphableModel model = is_matlab ? matModelFrom(file, path) : hdf5ModelFrom(Hdf5File(file), path);
  if (model.topology.empty()) model.topology = model.id;
  if (model.landmarks68.size() == 0) model.landmarks68 = eosLandmarks(path, model, {}, model.reader_notes);
  model.check();
  return model;
} catch (const std::invalid_argument& error) {
  fail(ErrorKind::kModel, path.string(), ": ", error.what());
} catch (const std::bad_alloc&) {
  fail(ErrorKind::kModel, path.string(), ": needs more memory than there is");
}

}  // namespace facet
