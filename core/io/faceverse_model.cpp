#include "core/io/faceverse_model.h"

#include <cmath>
#include <sstream>

#include "core/check.h"
#include "core/io/model_families.h"
#include "core/io/model_parts.h"

namespace facet {
namespace {

constexpr float kOuterEyeCorners_mm = 90, kLeastEyeCorners_mm = 75, kMostEyeCorners_mm = 105;

// Vertices that tell how a face stands, from either set of landmarks.
struct Anchors {
  std::int32_t right_eye, left_eye, forehead, chin;  // outer eye corners; a brow will do for the forehead
};

// OpenSeeFace's 66 landmarks are iBUG-68 without the inner corners of the mouth (60 and 64); the outer ones,
// a few millimetres away, stand in.
std::vector<std::int32_t> ibug68From66(const std::vector<std::int32_t>& landmarks) {
  std::vector<std::int32_t> all(landmarks.begin(), landmarks.begin() + 60);
  all.push_back(landmarks[48]);
  all.insert(all.end(), landmarks.begin() + 60, landmarks.begin() + 63);
  all.push_back(landmarks[54]);
  all.insert(all.end(), landmarks.begin() + 63, landmarks.end());
  return all;
}

std::optional<Anchors> anchorsOf(const PickleValue& file, const std::vector<std::int32_t>& landmarks68,
                                 std::int64_t num_vertices) {
  if (landmarks68.size() == kNumIbugLandmarks)
    return Anchors{landmarks68[36], landmarks68[45], landmarks68[19], landmarks68[8]};
  if (!file.has("mediapipe_keypoints")) return std::nullopt;
  const std::vector<std::int32_t> points = file["mediapipe_keypoints"].indices(num_vertices);
  constexpr std::size_t kMediapipePoints = 468;  // 478 with the irises
  if (points.size() < kMediapipePoints) return std::nullopt;
  return Anchors{points[33], points[263], points[10], points[152]};
}

// Millimetres per unit of the file.
float scaleOf(const Points3& mean, const Anchors& anchors, std::vector<std::string>& notes) {
  const float distance = (mean.row(anchors.right_eye) - mean.row(anchors.left_eye)).norm();
  require(distance > 0, "the outer corners of the eyes coincide in its mean shape");
  for (const LengthUnit& unit : {kMetres, kDecimetres, kCentimetres, kMillimetres, kMicrometres}) {
    const float distance_mm = distance * unit.millimetres;
    if (distance_mm < kLeastEyeCorners_mm || distance_mm > kMostEyeCorners_mm) continue;
    notes.push_back(std::string("taken to be in ") + unit.name +
                    ": its eyes are then as far apart as eyes are");
    return unit.millimetres;
  }
  std::ostringstream note;
  note << "its unit is not known; scaled so that the outer corners of the eyes are " << kOuterEyeCorners_mm
       << " mm apart";
  notes.push_back(note.str());
  return kOuterEyeCorners_mm / distance;
}

// Half a turn about X, in place.
void turnUpright(Eigen::Ref<Eigen::MatrixXf> rows) {
  for (Eigen::Index r = 0; r < rows.rows(); ++r) {
    if (r % 3 != 0) rows.row(r) = -rows.row(r);
  }
}

}  // namespace

bool isFaceVerseModel(const PickleValue& file) {
  return file.has("meanshape") && file.has("idBase") && (file.has("exBase") || file.has("exBase_52")) &&
         file.has("tri");
}

MorphableModel faceVerseModelFrom(const PickleValue& file) try {
  MorphableModel model;
  model.id = "faceverse";
  model.name = "FaceVerse";
  setOrigin("faceverse", model);

  model.mean = file["meanshape"].points();
  const std::int64_t num_vertices = model.mean.rows();
  model.topology = "faceverse-" + std::to_string(num_vertices);
  model.triangles = file["tri"].triangles(num_vertices);
  Eigen::MatrixXf identity = file["idBase"].modes(num_vertices);
  Eigen::MatrixXf expression = file[file.has("exBase_52") ? "exBase_52" : "exBase"].modes(num_vertices);

  std::vector<std::int32_t> landmarks;
  if (file.has("keypoints")) landmarks = file["keypoints"].indices(num_vertices);
  if (landmarks.size() == 66) {
    landmarks = ibug68From66(landmarks);
    model.reader_notes.emplace_back(
        "has 66 landmarks: the outer corners of the mouth stand in for the inner ones");
  }
  const std::optional<Anchors> anchors = anchorsOf(file, landmarks, num_vertices);
  float scale = 1;
  if (anchors) {
    if (model.mean(anchors->forehead, 1) < model.mean(anchors->chin, 1)) {
      Eigen::Map<Eigen::VectorXf> flat(model.mean.data(), model.mean.size());
      Eigen::MatrixXf upright = flat;
      turnUpright(upright);
      flat = upright;
      turnUpright(identity);
      turnUpright(expression);
      model.reader_notes.emplace_back("stands on its head in the file and is turned upright");
    }
    scale = scaleOf(model.mean, *anchors, model.reader_notes);
  } else {
    scale = millimetresPerUnit(model.mean, kDecimetres, model.reader_notes);
    model.reader_notes.emplace_back("has no landmarks that tell its unit and which way is up");
  }
  model.mean *= scale;
  identity *= scale;
  expression *= scale;
  model.identity = Basis::compact(std::move(identity));
  model.expression = Basis::compact(std::move(expression));
  if (file.has("exp_name_list")) model.expression_names = file["exp_name_list"].texts();
  if (model.expression_names.size() == static_cast<std::size_t>(model.numExpression())) {
    model.num_blendshapes = model.numExpression();
  } else {
    model.expression_names = numberedNames("expression", model.numExpression());
    model.reader_notes.emplace_back(
        "its expressions have no names and are taken to be in standard deviations");
  }
  orientTriangles(model);

  if (landmarks.size() == kNumIbugLandmarks) {
    model.landmarks68 = embeddingOf(landmarks, model.triangles, model.numVertices());
  }
  if (model.landmarks68.size() == 0) model.reader_notes.emplace_back("has no iBUG-68 landmarks");
  if (file.has("meantex")) {
    Eigen::MatrixXf modes;
    if (file.has("texBase")) modes = file["texBase"].modes(num_vertices);
    setDisplayColours(file["meantex"].points(), std::move(modes), model);
  }
  if (file.has("skinmask") && file["skinmask"].count() == num_vertices) {
    const std::vector<std::int32_t> mask = file["skinmask"].indices();
    model.region_names = {"rest", "skin"};
    for (const std::int32_t is_skin : mask) model.region.push_back(is_skin != 0);
  }
  if (file.has("ver_inds")) {  // version 3: face up to [0], left eye up to [1], right eye up to [2]
    const std::vector<std::int32_t> ends = file["ver_inds"].indices(num_vertices + 1);
    if (ends.size() >= 3) {
      model.material_names = {"skin", "eye"};
      for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
        const auto corner = model.triangles.row(f);
        model.triangle_material.push_back(corner.minCoeff() >= ends[0] && corner.maxCoeff() < ends[2]);
      }
    }
  }
  model.check();
  return model;
} catch (const std::invalid_argument& error) {
  fail(ErrorKind::kModel, file.name(), ": is not a valid FaceVerse model: ", error.what());
}

}  // namespace facet
