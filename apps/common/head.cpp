#include "apps/common/head.h"

#include <cstdio>
#include <limits>

#include "apps/common/model_library.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/image_io.h"
#include "core/io/npz.h"
#include "core/io/video_io.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

using nlohmann::json;

json readJson(const fs::path& path) {
  json content = json::parse(readText(path), nullptr, /*allow_exceptions=*/false);
  if (content.is_object()) return content;
  fail(ErrorKind::kInput, path.string(), ": is not the JSON that facet wrote; make the result again");
}

// Runs `read` and names the file when a key is missing or of another kind.
template <typename Read>
auto reading(const fs::path& path, const Read& read) {
  try {
    return read();
  } catch (const json::exception& error) {
    fail(ErrorKind::kInput, path.string(), ": lacks what a result has (", error.what(),
         "); it may come from another version of facet; make the result again");
  }
}

Eigen::VectorXf vectorFrom(const json& values) {
  const auto list = values.get<std::vector<float>>();
  return Eigen::Map<const Eigen::VectorXf>(list.data(), static_cast<Eigen::Index>(list.size()));
}

Eigen::MatrixXf matrixFrom(const json& rows) {
  Eigen::MatrixXf matrix;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Eigen::VectorXf row = vectorFrom(rows[i]);
    if (i == 0) matrix.resize(static_cast<Eigen::Index>(rows.size()), row.size());
    if (row.size() != matrix.cols()) throw json::other_error::create(501, "ragged matrix", &rows);
    matrix.row(static_cast<Eigen::Index>(i)) = row.transpose();
  }
  return matrix;
}

// The same of a size that is known.
Eigen::MatrixXf matrixFrom(const json& rows, Eigen::Index num_rows, Eigen::Index num_columns) {
  Eigen::MatrixXf matrix = matrixFrom(rows);
  if (matrix.rows() != num_rows || matrix.cols() != num_columns)
    throw json::other_error::create(501, "matrix of another size", &rows);
  return matrix;
}

// A camera of the matrices that results hold.
Camera cameraFrom(const Eigen::MatrixXf& intrinsics, const Eigen::MatrixXf& camera_from_model,
                  bool is_perspective, int width_px, int height_px) {
  Camera camera;
  camera.width_px = width_px;
  camera.height_px = height_px;
  camera.principal_px = intrinsics.topRightCorner<2, 1>();
  if (is_perspective) {
    camera.focal_px = intrinsics(0, 0);
  } else {
    camera.projection = Camera::Projection::kScaledOrthographic;
    camera.scale_px_per_mm = intrinsics(0, 0);
  }
  camera.camera_from_model.matrix() = camera_from_model;
  return camera;
}

// The model that a result names in `record`, with all parts.
void loadModelOf(const fs::path& file, const json& record, const std::string& model_name, Session& session,
                 Head& head) {
  const std::string name = !model_name.empty()
                               ? model_name
                               : record.value("reference", record.at("id") == "facet-head" ? "builtin" : "");
  if (name.empty()) {
    fail(ErrorKind::kModel, file.string(), ": does not say where its model ",
         record.at("id").get<std::string>(), " lies; name it with --model");
  }
  try {
    head.model = loadNamedModel(name, session);
  } catch (const Error& error) {
    fail(ErrorKind::kModel, file.string(), ": its model cannot be loaded: ", error.what(),
         "; if it has moved, name it with --model");
  }
  head.model_reference = modelReference(name);
  const int vertices = record.value("vertices", head.model.numVertices());
  const int modes = record.value("expression_modes", head.model.numExpression());
  completeFromBuiltin(name, head.model, session);
  if (head.model.numVertices() != vertices || head.model.numExpression() != modes) {
    fail(ErrorKind::kModel, file.string(), ": was made with the model ", record.at("id").get<std::string>(),
         " of ", vertices, " vertices and ", modes, " expressions, and ", name, " has ",
         head.model.numVertices(), " and ", head.model.numExpression(), "; name the right one with --model");
  }
}

// At most `max_count` finite numbers.
Eigen::VectorXf coefficientsFrom(const fs::path& file, const char* name, const json& values, int max_count) {
  Eigen::VectorXf coefficients = vectorFrom(values);
  if (coefficients.size() > max_count || !coefficients.allFinite()) {
    fail(ErrorKind::kInput, file.string(), ": its ", coefficients.size(), " values of ", name,
         " do not fit the model's ", max_count, ", or are not finite; make the result again");
  }
  return coefficients;
}

void checkFrame(const fs::path& file, const MorphableModel& model, const HeadFrame& frame) {
  const int num_joints = model.skeleton ? model.skeleton->numJoints() : 0;
  if (frame.expression.size() != model.numExpression() ||
      (frame.pose.rows() != 0 && (frame.pose.rows() != num_joints || frame.pose.cols() != 3)) ||
      !frame.expression.allFinite() || !frame.pose.allFinite() ||
      !frame.camera.camera_from_model.matrix().allFinite() || frame.camera.width_px <= 0 ||
      frame.camera.height_px <= 0 || !(frame.camera.focal_px + frame.camera.scale_px_per_mm > 0)) {
    fail(ErrorKind::kInput, file.string(), ": does not fit the ", model.numExpression(), " expressions and ",
         num_joints, " joints of ", model.name, ", or its camera is none; make the result again");
  }
}

void readTexture(const fs::path& folder, Head& head) {
  const fs::path texture = folder / "maps/texture.png", visibility = folder / "maps/visibility.png";
  if (fs::exists(texture)) head.texture = readPhoto(texture);
  if (fs::exists(visibility)) head.visibility = readPhoto(visibility);
  if (head.texture.width() != head.texture.height()) {
    fail(ErrorKind::kInput, texture.string(), ": is ", head.texture.width(), "x", head.texture.height(),
         " pixels; a texture is square, scale it to one side");
  }
}

Head openResult(const fs::path& folder, const std::string& model_name, Session& session) {
  const fs::path file = folder / "fit.json";
  const json fit = readJson(file);
  Head head;
  reading(file, [&] {
    if (!fit.contains("identity")) {
      fail(ErrorKind::kInput, file.string(),
           ": holds no fit; run facet reconstruct again without --stop-after detect");
    }
    loadModelOf(file, fit.at("model"), model_name, session, head);
    head.identity = coefficientsFrom(file, "identity", fit.at("identity"), head.model.numIdentity());
    head.albedo = coefficientsFrom(file, "albedo", fit.at("albedo"), std::numeric_limits<int>::max());
    const json& view = fit.at("views").at(0);
    head.light.emplace().coefficients = matrixFrom(view.at("light_sh"), 9, 3);
    HeadFrame frame;
    frame.picture = view.at("photo");
    frame.expression = vectorFrom(view.at("expression"));
    if (view.contains("joint_rotations")) {
      frame.pose =
          matrixFrom(view["joint_rotations"], static_cast<Eigen::Index>(view["joint_rotations"].size()), 3);
    }
    const json& camera = view.at("camera");
    frame.camera =
        cameraFrom(matrixFrom(camera.at("K"), 3, 3), matrixFrom(camera.at("camera_from_model"), 4, 4),
                   camera.at("projection") == "perspective", camera.at("width"), camera.at("height"));
    checkFrame(file, head.model, frame);
    head.frames.push_back(std::move(frame));
    head.time_s.push_back(0);
    for (const json& input : fit.at("inputs"))
      head.inputs.push_back({{"file", fs::path(input.at("path").get<std::string>()).filename().string()},
                             {"sha256", input.at("sha256")}});
    return 0;
  });
  readTexture(folder, head);
  return head;
}

Eigen::MatrixXf matrixFrom(const NpyArray& array) {
  const std::vector<float> values = array.asFloat();
  const Eigen::Index rows = array.shape.empty() ? static_cast<Eigen::Index>(values.size()) : array.shape[0];
  using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const Rows>(values.data(), rows,
                                rows == 0 ? 0 : static_cast<Eigen::Index>(values.size()) / rows);
}

// All but the model.
void readClip(const fs::path& folder, Head& head) {
  const fs::path file = folder / "track.json";
  const json track = readJson(file);
  head.is_clip = true;
  reading(file, [&] {
    head.identity = coefficientsFrom(file, "identity", track.at("identity"), head.model.numIdentity());
    const json& clip = track.at("clip");
    head.frames_per_second = clip.at("fps");
    head.inputs.push_back({{"file", fs::path(clip.at("path").get<std::string>()).filename().string()}});
    if (clip.contains("sha256")) head.inputs.back()["sha256"] = clip["sha256"];
    // A folder that is still as it was names its pictures; a video's frames have none yet.
    const fs::path source = clip.at("path").get<std::string>();
    const int num_frames = clip.at("frames");
    std::vector<fs::path> pictures;
    if (fs::is_directory(source)) pictures = photosInFolder(source);
    if (static_cast<int>(pictures.size()) != num_frames) pictures.clear();
    for (int i = 0; i < num_frames; ++i) {
      char name[24];
      std::snprintf(name, sizeof name, "%06d.npz", i);
      const fs::path path = folder / "frames" / name;
      Npz arrays = readNpz(path);
      const auto array = [&](const char* key) -> const NpyArray& {
        const auto found = arrays.find(key);
        if (found == arrays.end())
          fail(ErrorKind::kInput, path.string(), ": has no array ", key, "; run facet track again");
        return found->second;
      };
      const auto matrix = [&](const char* key, Eigen::Index rows, Eigen::Index columns) {
        Eigen::MatrixXf values = matrixFrom(array(key));
        if (values.rows() != rows || values.cols() != columns)
          fail(ErrorKind::kInput, path.string(), ": ", key, " is ", values.rows(), "x", values.cols(),
               ", expected ", rows, "x", columns, "; run facet track again");
        return values;
      };
      head.time_s.push_back(matrix("time_s", 1, 1)(0, 0));
      if (matrix("has_face", 1, 1)(0, 0) == 0) continue;
      HeadFrame frame;
      frame.number = i;
      frame.expression = matrixFrom(array("expression"));
      if (arrays.count("joint_rotations") > 0)
        frame.pose = matrix("joint_rotations", head.model.skeleton ? head.model.skeleton->numJoints() : 0, 3);
      frame.camera = cameraFrom(matrix("K", 3, 3), matrix("camera_from_model", 4, 4), true, clip.at("width"),
                                clip.at("height"));
      frame.picture = pictures.empty() ? "images/" + std::string(name, 6) + ".png" : pictures.at(i).string();
      checkFrame(path, head.model, frame);
      head.frames.push_back(std::move(frame));
    }
    return 0;
  });
  if (head.frames.empty()) fail(ErrorKind::kInput, file.string(), ": no frame of the clip shows a face");
  readTexture(folder, head);
}

Head openClip(const fs::path& folder, const std::string& model_name, Session& session) {
  const fs::path file = folder / "track.json";
  const json track = readJson(file);
  Head head;
  reading(file, [&] {
    loadModelOf(file, track.at("model"), model_name, session, head);
    return 0;
  });
  readClip(folder, head);
  return head;
}

}  // namespace

// The folder of a result whose JSON was named in its place.
fs::path folderOf(const fs::path& input) {
  const bool is_record = input.filename() == "fit.json" || input.filename() == "track.json";
  return is_record ? input.parent_path() / "." : input;
}

bool isResult(const fs::path& path) {
  return fs::exists(folderOf(path) / "fit.json") || fs::exists(folderOf(path) / "track.json");
}

Head openHead(const std::string& input, const std::string& model_name, Session& session) {
  const fs::path folder = folderOf(input);
  if (fs::exists(folder / "fit.json")) return openResult(folder, model_name, session);
  if (fs::exists(folder / "track.json")) return openClip(folder, model_name, session);
  if (fs::exists(folder / "face0/fit.json")) {
    fail(ErrorKind::kUsage, input, ": holds several faces; name one of them, such as ",
         (folder / "face0").string());
  }
  if (!model_name.empty()) {
    fail(ErrorKind::kUsage, "--model names the model of a result, and ", input, " is none");
  }
  Head head;
  head.model = loadNamedModel(input, session);
  head.model_reference = modelReference(input);
  if (!head.model.hasNamedShapes() || !head.model.hasUsableUv())
    completeFromBuiltin(input, head.model, session);
  return head;
}

Head headOfClip(const fs::path& folder, const MorphableModel& model) {
  Head head;
  head.model = model;
  readClip(folder, head);
  return head;
}

std::string provenanceJson(const MorphableModel& model, const json& inputs) {
  json record = {{"facet_version", FACET_VERSION}, {"model", model.id}, {"licence", model.licence}};
  if (!inputs.empty()) record["inputs"] = inputs;
  return record.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace facet
