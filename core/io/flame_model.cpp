#include "core/io/flame_model.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/io/model_families.h"
#include "core/io/model_parts.h"
#include "core/io/obj_parser.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kAny = PickleValue::kAny;
constexpr std::int64_t kStaticLandmarks = 51;  // iBUG-68 without the jaw
constexpr std::int64_t kMostModesOfAlbedo = 50;
constexpr std::int64_t kNumMediapipePoints = 478;
constexpr int kMaxContourYaw = 39, kNumContourRows = 2 * kMaxContourYaw + 1;

// What the companions of a model hold; the last one found wins.
struct Companions {
  std::optional<LandmarkEmbedding> static51, full68, mediapipe;
  std::vector<std::int32_t> mediapipe_index;
  std::vector<LandmarkEmbedding> contour;     // 79 rows in the file's order
  Eigen::MatrixXf eyelid_left, eyelid_right;  // 3V×1 mm
  std::vector<std::pair<std::string, std::vector<std::int32_t>>> masks;
  Points2 uv;
  Triangles uv_triangles;
  std::optional<PickleValue> texture;
};

LandmarkEmbedding embeddingFrom(const PickleValue& triangles, const PickleValue& weights,
                                std::int64_t num_triangles) {
  LandmarkEmbedding embedding;
  embedding.triangle = triangles.indices(num_triangles);
  const auto count = static_cast<std::int64_t>(embedding.triangle.size());
  if (count == 0) triangles.complain("is empty");
  const std::vector<std::int64_t> shape = weights.shape();
  if (weights.count() != 3 * count || shape.empty() || shape.back() != 3) {
    weights.complain("is ", shapeText(shape), ", expected ", count, " x 3");
  }
  embedding.barycentric = weights.points();
  const auto sums = embedding.barycentric.rowwise().sum().eval();
  if (((sums.array() - 1).abs() > 1e-2F).any()) {
    weights.complain("has barycentric weights that do not sum to 1");
  }
  embedding.barycentric.array().colwise() /= sums.array();
  return embedding;
}

LandmarkEmbedding rowsOf(const LandmarkEmbedding& embedding, std::int64_t begin, std::int64_t count) {
  return {{embedding.triangle.begin() + begin, embedding.triangle.begin() + begin + count},
          embedding.barycentric.middleRows(begin, count)};
}

std::vector<LandmarkEmbedding> contourRows(const LandmarkEmbedding& all) {
  std::vector<LandmarkEmbedding> rows;
  for (int row = 0; row < kNumContourRows; ++row) {
    rows.push_back(rowsOf(all, row * kNumJawLandmarks, kNumJawLandmarks));
  }
  return rows;
}

Skeleton skeletonFrom(const PickleValue& file, std::int64_t num_vertices) {
  Skeleton skeleton;
  const PickleValue weights = file["weights"];
  skeleton.weights = weights.matrix(num_vertices, {num_vertices, kAny});
  const std::int64_t num_joints = skeleton.weights.cols();
  if (((skeleton.weights.rowwise().sum().array() - 1).abs() > 1e-3F).any()) {
    weights.complain("has rows that do not sum to 1");
  }
  const PickleValue tree = file["kintree_table"];
  const std::vector<std::int64_t> shape = tree.shape();
  if (shape != std::vector<std::int64_t>{2, num_joints}) {
    tree.complain("is ", shapeText(shape), ", expected 2 x ", num_joints);
  }
  const std::vector<double> parents = tree.array().asDouble();
  static constexpr const char* kNames[] = {"root", "neck", "jaw", "left_eye", "right_eye"};
  for (std::int64_t j = 0; j < num_joints; ++j) {
    // The root's parent is -1, which an unsigned table holds as its largest number.
    if (j > 0 && !(parents[j] >= 0 && parents[j] < static_cast<double>(j))) {
      tree.complain("gives joint ", j, " the parent ", parents[j], "; parents come before their children");
    }
    skeleton.parent.push_back(j == 0 ? -1 : static_cast<std::int32_t>(parents[j]));
    skeleton.names.push_back(num_joints == 5 ? kNames[j] : "joint" + std::to_string(j));
  }
  skeleton.regressor = file["J_regressor"].sparse(num_joints, num_vertices);
  if (file.has("posedirs")) {
    skeleton.pose_correctives =
        file["posedirs"].matrix(3 * num_vertices, {num_vertices, 3, 9 * (num_joints - 1)});
  }
  return skeleton;
}

// The vertices of a triangle follow an eye wholly: it belongs to an eyeball.
void markEyes(MorphableModel& model) {
  const Skeleton& skeleton = *model.skeleton;
  const int left = skeleton.jointIndex("left_eye"), right = skeleton.jointIndex("right_eye");
  if (left < 0 || right < 0) return;
  constexpr float kWholly = 0.99F;
  model.material_names = {"skin", "eye"};
  model.triangle_material.assign(static_cast<std::size_t>(model.triangles.rows()), 0);
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    bool is_eye = true;
    for (int k = 0; k < 3; ++k) {
      const auto weights = skeleton.weights.row(model.triangles(f, k));
      is_eye = is_eye && weights[left] + weights[right] > kWholly;
    }
    model.triangle_material[f] = is_eye;
  }
}

// The model's arrays carry no release; the names of the file and its folder may.
void nameRelease(const fs::path& path, MorphableModel& model) {
  const std::string names = lowerCase((path.parent_path().filename() / path.filename()).string());
  const bool is_open = names.find("open") != std::string::npos;
  for (const char* year : {"2017", "2019", "2020", "2023"}) {
    if (names.find(year) == std::string::npos) continue;
    model.id = "flame-" + std::string(year) + (is_open ? "-open" : "");
    model.name = "FLAME " + std::string(year) + (is_open ? " Open" : "");
  }
  model.licence += ". The file does not say which release it is" +
                   std::string(model.id == "flame" ? "" : " (its name says " + model.name + ")");
}

// One file of the model's folder; true if it is part of the model.
bool readCompanion(const PickleValue& file, const MorphableModel& model, Companions& found) {
  const std::int64_t num_vertices = model.numVertices(), num_triangles = model.triangles.rows();
  if (file.kind() == PickleValue::Kind::kArray) {
    std::vector<std::int64_t> shape = file.shape();
    if (shape.size() == 3 && shape[0] == 1) shape.erase(shape.begin());
    if (shape != std::vector<std::int64_t>{num_vertices, 3}) return false;
    // An eyelid moves vertices on one side of the head only, and none of them far.
    const Points3 offsets = 1000.0F * file.matrix(num_vertices, {num_vertices, 3});
    const Eigen::VectorXf distance = offsets.rowwise().norm();
    constexpr float kMostOfAnEyelid_mm = 30;
    if (distance.sum() == 0 || distance.maxCoeff() > kMostOfAnEyelid_mm) return false;
    const float side = model.mean.col(0).dot(distance) / distance.sum();
    const float moved = static_cast<float>((distance.array() > 0.01F * distance.maxCoeff()).count());
    if (moved > 0.5F * static_cast<float>(num_vertices) || std::abs(side) < 5) return false;
    Eigen::MatrixXf& eyelid = side > 0 ? found.eyelid_left : found.eyelid_right;
    eyelid = Eigen::Map<const Eigen::VectorXf>(offsets.data(), offsets.size());
    return true;
  }
  if (file.kind() != PickleValue::Kind::kDict) return false;
  if (file.has("lmk_face_idx") && file.has("lmk_b_coords")) {
    LandmarkEmbedding embedding = embeddingFrom(file["lmk_face_idx"], file["lmk_b_coords"], num_triangles);
    if (file.has("landmark_indices")) {
      const PickleValue indices = file["landmark_indices"];
      found.mediapipe_index = indices.indices(kNumMediapipePoints);
      if (found.mediapipe_index.size() != embedding.triangle.size()) {
        found.mediapipe_index.clear();
        indices.complain("does not have as many entries as lmk_face_idx");
      }
      found.mediapipe = std::move(embedding);
    } else if (embedding.size() == kStaticLandmarks) {
      found.static51 = std::move(embedding);
    } else if (embedding.size() == kNumIbugLandmarks) {
      found.full68 = std::move(embedding);
    } else if (embedding.size() == kNumContourRows * kNumJawLandmarks) {
      found.contour = contourRows(embedding);
    } else {
      return false;
    }
    return true;
  }
  bool is_part = false;
  if (file.has("static_lmk_faces_idx")) {
    const LandmarkEmbedding all =
        embeddingFrom(file["static_lmk_faces_idx"], file["static_lmk_bary_coords"], num_triangles);
    if (all.size() >= kStaticLandmarks)
      found.static51 = rowsOf(all, 0, kStaticLandmarks);  // 53: and the irises
    is_part = true;
  }
  if (file.has("full_lmk_faces_idx")) {
    const LandmarkEmbedding all =
        embeddingFrom(file["full_lmk_faces_idx"], file["full_lmk_bary_coords"], num_triangles);
    if (all.size() >= kNumIbugLandmarks)
      found.full68 = rowsOf(all, 0, kNumIbugLandmarks);  // 70: and the irises
    is_part = true;
  }
  if (file.has("dynamic_lmk_faces_idx")) {
    const PickleValue indices = file["dynamic_lmk_faces_idx"];
    const LandmarkEmbedding all = embeddingFrom(indices, file["dynamic_lmk_bary_coords"], num_triangles);
    if (all.size() != kNumContourRows * kNumJawLandmarks) {
      indices.complain("is ", shapeText(indices.shape()), ", expected ", kNumContourRows, " x ",
                       kNumJawLandmarks);
    }
    found.contour = contourRows(all);
    is_part = true;
  }
  if (file.has("vt") && file.has("ft")) {
    const PickleValue vt = file["vt"], ft = file["ft"];
    const std::vector<std::int64_t> shape = vt.shape();
    if (shape.size() != 2 || shape[1] < 2) vt.complain("is ", shapeText(shape), ", expected T x 2");
    Triangles triangles = ft.triangles(shape[0]);
    if (triangles.rows() == num_triangles) {
      found.uv = vt.matrix(shape[0], {shape[0], kAny}).leftCols<2>();
      found.uv_triangles = std::move(triangles);
      is_part = true;
    }
  }
  if ((file.has("mean") && file.has("tex_dir")) || (file.has("MU") && file.has("PC"))) {
    found.texture = file;
    is_part = true;
  }
  if (file.has("face") && file.has("neck")) {
    std::vector<std::pair<std::string, std::vector<std::int32_t>>> masks;
    for (const std::string& key : file.keys()) masks.emplace_back(key, file[key].indices(num_vertices));
    found.masks = std::move(masks);
    is_part = true;
  }
  return is_part;
}

bool readObjUvs(const fs::path& path, const MorphableModel& model, Companions& found) {
  constexpr std::uintmax_t kMostBytes = 16 << 20;
  if (fs::file_size(path) > kMostBytes) return false;
  ObjFile obj = parseObj(path);
  if (!obj.mesh.hasUv() || obj.mesh.triangles.rows() != model.triangles.rows() ||
      obj.mesh.triangles != model.triangles) {
    return false;
  }
  found.uv = std::move(obj.mesh.uv);
  found.uv_triangles = std::move(obj.mesh.uv_triangles);
  return true;
}

// Runs `use`, which says whether a companion is part of the model; one that is broken is noted and passed
// over.
template <typename Use>
void tryCompanion(const std::string& name, const Use& use, std::string& used, MorphableModel& model) {
  try {
    if (use()) used += (used.empty() ? "" : ", ") + name;
  } catch (const Error& error) {
    model.reader_notes.push_back("not used: " + std::string(error.what()));
  } catch (const std::invalid_argument& error) {
    model.reader_notes.push_back("not used: " + name + ": " + error.what());
  }
}

Companions findCompanions(const fs::path& path, MorphableModel& model) {
  Companions found;
  std::vector<fs::path> files;
  for (const fs::path& file : filesBeside(path)) {
    const std::string extension = lowerCase(file.extension().string());
    if (extension == ".pkl" || extension == ".npy" || extension == ".npz" || extension == ".obj")
      files.push_back(file);
  }
  constexpr std::size_t kMostFiles = 100;
  if (files.size() > kMostFiles) {
    model.reader_notes.push_back("of the " + std::to_string(files.size()) + " files beside it the first " +
                                 std::to_string(kMostFiles) + " were looked at");
    files.resize(kMostFiles);
  }
  std::string used;
  for (const fs::path& file : files) {
    const auto use = [&] {
      const bool is_obj = lowerCase(file.extension().string()) == ".obj";
      return is_obj ? readObjUvs(file, model, found) : readCompanion(readPython(file), model, found);
    };
    tryCompanion(file.filename().string(), use, used, model);
  }
  if (!used.empty()) model.reader_notes.push_back("read with it: " + used);
  return found;
}

void addEyelids(const Companions& found, MorphableModel& model) {
  if (found.eyelid_left.size() == 0 || found.eyelid_right.size() == 0) return;
  Eigen::MatrixXf all(model.mean.size(), model.numExpression() + 2);
  all.leftCols(model.numExpression()) = model.expression.dense();
  all.col(model.numExpression()) = found.eyelid_left;
  all.col(model.numExpression() + 1) = found.eyelid_right;
  model.expression = Basis::compact(std::move(all));
  model.expression_names.insert(model.expression_names.end(), {"eyelidLeft", "eyelidRight"});
  model.num_blendshapes = 2;
}

// Rows 0 to 39 of the file are one direction of yaw, 40 to 78 the other. Which is which differs between the
// programs that use them, so the geometry decides: on the side towards which the face turns away, the outline
// slides forward.
void addLandmarks(const Companions& found, MorphableModel& model) {
  constexpr int kPositiveRows = kMaxContourYaw + 1;
  if (!found.contour.empty()) {
    const auto leftForward = [&](int row) {
      const Points3 points = found.contour[row].points(model.mean, model.triangles);
      return points.middleRows(9, 8).col(2).mean() - points.topRows(8).col(2).mean();
    };
    const bool is_swapped = leftForward(kPositiveRows - 1) < leftForward(kNumContourRows - 1);
    model.contour_by_yaw = found.contour;
    for (int yaw = 1; is_swapped && yaw < kPositiveRows; ++yaw) {
      std::swap(model.contour_by_yaw[yaw], model.contour_by_yaw[kPositiveRows - 1 + yaw]);
    }
  }
  if (found.mediapipe) {
    model.mediapipe = *found.mediapipe;
    model.mediapipe_index = found.mediapipe_index;
  }
  if (found.full68) {
    model.landmarks68 = *found.full68;
  } else if (found.static51 && !found.contour.empty()) {
    LandmarkEmbedding& all = model.landmarks68;
    all = found.contour[0];
    all.triangle.insert(all.triangle.end(), found.static51->triangle.begin(), found.static51->triangle.end());
    all.barycentric.conservativeResize(kNumIbugLandmarks, 3);
    all.barycentric.bottomRows(kStaticLandmarks) = found.static51->barycentric;
  } else {
    model.reader_notes.push_back(
        found.static51
            ? "has 51 landmarks only, without the jaw; put landmark_embedding.npy (DECA, VHAP) beside it"
            : "has no landmarks; put landmark_embedding.npy (DECA, VHAP) beside it");
  }
}

void addRegions(Companions& found, MorphableModel& model) {
  if (found.masks.empty()) return;
  // Masks overlap ("face" holds "lips"): the smaller ones are painted over the larger.
  std::stable_sort(found.masks.begin(), found.masks.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  if (found.masks.size() > 200) found.masks.resize(200);
  model.region_names = {"rest"};
  model.region.assign(static_cast<std::size_t>(model.numVertices()), 0);
  for (const auto& [name, vertices] : found.masks) {
    const auto index = static_cast<std::uint8_t>(model.region_names.size());
    model.region_names.push_back(name);
    for (const std::int32_t vertex : vertices) model.region[vertex] = index;
  }
}

// An image of h×w×3 values, or a stack of such (the last axis), read at points in UV space.
class TextureSampler {
 public:
  TextureSampler(const PickleValue& value, std::int64_t size, std::int64_t num_modes)
      : array_(value.array()), size_(size), num_modes_(num_modes) {}

  // 3×modes at one UV, bilinear; rows in the file's channel order.
  Eigen::Matrix<float, 3, Eigen::Dynamic, Eigen::RowMajor> at(const Eigen::RowVector2f& uv) const {
    const std::int64_t stored = array_.count() / (size_ * size_ * 3);
    Eigen::Matrix<float, 3, Eigen::Dynamic, Eigen::RowMajor> sum;
    sum.setZero(3, num_modes_);
    const auto extent = static_cast<float>(size_);
    const float x = std::clamp(uv.x() * extent - 0.5F, 0.0F, extent - 1);
    const float y = std::clamp((1 - uv.y()) * extent - 0.5F, 0.0F, extent - 1);
    const auto left = static_cast<std::int64_t>(x), top = static_cast<std::int64_t>(y);
    std::vector<float> texel(static_cast<std::size_t>(num_modes_));
    for (int corner = 0; corner < 4; ++corner) {
      const std::int64_t column = std::min(left + corner % 2, size_ - 1),
                         row = std::min(top + corner / 2, size_ - 1);
      const float fx = x - static_cast<float>(left), fy = y - static_cast<float>(top);
      const float weight = (corner % 2 ? fx : 1 - fx) * (corner / 2 ? fy : 1 - fy);
      if (weight == 0) continue;
      for (int channel = 0; channel < 3; ++channel) {
        const std::int64_t first = ((row * size_ + column) * 3 + channel) * stored;
        array_.copyTo(first, first + num_modes_, texel.data());
        sum.row(channel) += weight * Eigen::Map<const Eigen::RowVectorXf>(texel.data(), num_modes_);
      }
    }
    return sum;
  }

 private:
  ArrayView array_;
  std::int64_t size_, num_modes_;
};

struct VertexColours {
  Points3 mean;
  Eigen::MatrixXf modes;
};

VertexColours sampleTexture(const PickleValue& mean, const PickleValue& modes, const MorphableModel& model) {
  const std::int64_t count = mean.count();
  const auto size = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(count) / 3)));
  if (size == 0 || size * size * 3 != count)
    mean.complain("is ", shapeText(mean.shape()), ", expected a square image");
  if (!mean.array().isNumeric() || !modes.array().isNumeric()) modes.complain("holds no numbers");
  if (modes.count() == 0 || modes.count() % count != 0) {
    modes.complain("is ", shapeText(modes.shape()), ", which does not fit the mean of ",
                   shapeText(mean.shape()));
  }
  const std::int64_t num_modes = std::min(modes.count() / count, kMostModesOfAlbedo);
  std::vector<std::int32_t> uv_of(static_cast<std::size_t>(model.numVertices()), -1);
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) uv_of[model.triangles(f, k)] = model.uv_triangles(f, k);
  }
  VertexColours colours;
  colours.mean.setZero(model.numVertices(), 3);
  colours.modes.setZero(3 * model.numVertices(), num_modes);
  const TextureSampler mean_image(mean, size, 1), mode_images(modes, size, num_modes);
  for (int v = 0; v < model.numVertices(); ++v) {
    if (uv_of[v] < 0) continue;
    const Eigen::RowVector2f uv = model.uv.row(uv_of[v]);
    colours.mean.row(v) = mean_image.at(uv).col(0).transpose();
    colours.modes.middleRows<3>(3 * v) = mode_images.at(uv);
  }
  if (!colours.mean.allFinite() || !colours.modes.allFinite())
    mean.complain("holds a value that is not finite");
  return colours;
}

void addAlbedo(const PickleValue& texture, MorphableModel& model) {
  if (model.uv.rows() == 0) {
    model.reader_notes.push_back(
        "its albedo was not used: no UVs (vt and ft) beside it; head_template.obj of DECA has them");
    return;
  }
  const bool is_flame = texture.has("tex_dir");
  VertexColours albedo =
      sampleTexture(texture[is_flame ? "mean" : "MU"], texture[is_flame ? "tex_dir" : "PC"], model);
  // Made with OpenCV, whose channels run from blue to red. Skin is redder than blue, whatever its tone.
  const bool is_bgr = albedo.mean.col(0).mean() < albedo.mean.col(2).mean();
  const bool has_specular = texture.has("specMU") && texture.has("specPC");
  const auto reverse = [](VertexColours& colours) {
    colours.mean.col(0).swap(colours.mean.col(2));
    for (Eigen::Index v = 0; v < colours.mean.rows(); ++v)
      colours.modes.row(3 * v).swap(colours.modes.row(3 * v + 2));
  };
  if (is_bgr) reverse(albedo);
  if (has_specular) {  // AlbedoMM, linear
    VertexColours specular = sampleTexture(texture["specMU"], texture["specPC"], model);
    if (is_bgr) reverse(specular);
    model.specular_mean = std::move(specular.mean);
    model.specular = std::move(specular.modes);
    model.albedo_mean = albedo.mean.cwiseMax(0.0F);
    model.albedo = Basis::compact(std::move(albedo.modes));
  } else {
    setDisplayColours(std::move(albedo.mean), std::move(albedo.modes), model);
  }
}

MorphableModel bareModel(const PickleValue& file) {
  MorphableModel model;
  model.id = "flame";
  model.name = "FLAME";
  setOrigin("flame", model);
  model.topology = "flame";
  nameRelease(file.name(), model);

  const PickleValue mean = file["v_template"];
  const std::vector<std::int64_t> shape = mean.shape();
  if (shape.size() != 2 || shape[0] == 0) mean.complain("is ", shapeText(shape), ", expected V x 3");
  const std::int64_t num_vertices = shape[0];
  model.mean = mean.matrix(num_vertices, {num_vertices, 3});
  const float unit_mm = millimetresPerUnit(model.mean, kMetres, model.reader_notes);
  model.mean *= unit_mm;
  model.triangles = file[file.has("f") ? "f" : "faces"].triangles(num_vertices);

  const PickleValue modes = file["shapedirs"];
  Eigen::MatrixXf all = modes.matrix(3 * num_vertices, {num_vertices, 3, kAny});
  all *= unit_mm;
  const Eigen::Index num_modes = all.cols();
  const Eigen::Index num_identity = num_modes > 300 ? 300 : num_modes == 150 ? 100 : num_modes;
  if (num_modes != 400) {
    model.reader_notes.push_back(
        "has " + std::to_string(num_modes) + " modes where FLAME has 400; " +
        (num_identity < num_modes
             ? "the first " + std::to_string(num_identity) + " are read as identity, the others as expression"
             : std::string("which of them are expressions is not known, all are read as identity")));
  }
  model.expression = Basis::compact(all.rightCols(num_modes - num_identity));
  all.conservativeResize(Eigen::NoChange, num_identity);
  model.identity = Basis::compact(std::move(all));
  model.expression_names = numberedNames("expression", model.numExpression());

  if (file.has("weights") && file.has("kintree_table") && file.has("J_regressor")) {
    model.skeleton = skeletonFrom(file, num_vertices);
    if (model.skeleton->pose_correctives.cols() > 0) {
      model.skeleton->pose_correctives = Eigen::MatrixXf(unit_mm * model.skeleton->pose_correctives.dense());
    }
    markEyes(model);
  } else {
    model.reader_notes.emplace_back(
        "has no joints (weights, kintree_table, J_regressor): its jaw and eyes cannot turn");
  }
  orientTriangles(model);
  return model;
}

void addCompanions(Companions found, MorphableModel& model) {
  if (found.uv.rows() > 0) {
    model.uv = std::move(found.uv);
    model.uv_triangles = std::move(found.uv_triangles);
  }
  addEyelids(found, model);
  addLandmarks(found, model);
  addRegions(found, model);
  if (!found.texture) return;
  try {
    addAlbedo(*found.texture, model);
  } catch (const Error& error) {
    model.reader_notes.push_back("not used: " + std::string(error.what()));
  }
}

}  // namespace

bool isFlameModel(const PickleValue& file) {
  return file.has("v_template") && file.has("shapedirs") && (file.has("f") || file.has("faces"));
}

MorphableModel flameModelFrom(const PickleValue& file, const std::vector<PickleValue>& companions) try {
  MorphableModel model = bareModel(file);
  Companions found;
  std::string used;
  for (const PickleValue& companion : companions) {
    tryCompanion(
        companion.name(), [&] { return readCompanion(companion, model, found); }, used, model);
  }
  if (!companions.empty()) addCompanions(std::move(found), model);
  model.check();
  return model;
} catch (const std::invalid_argument& error) {
  fail(ErrorKind::kModel, file.name(), ": is not a valid FLAME model: ", error.what());
}

MorphableModel readFlameModel(const fs::path& path) try {
  const PickleValue file = readPython(path);
  if (!isFlameModel(file)) {
    file.complain("is not a FLAME model: it has no v_template, shapedirs and f");
  }
  MorphableModel model = bareModel(file);
  addCompanions(findCompanions(path, model), model);
  model.check();
  return model;
} catch (const std::invalid_argument& error) {
  fail(ErrorKind::kModel, path.string(), ": is not a valid FLAME model: ", error.what());
}

}  // namespace facet
