// facet detect PHOTO|VIDEO|FOLDER… [--json [--dense]] [--overlay DIR] [--pts DIR]
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/common/drawing.h"
#include "apps/common/interrupt.h"
#include "apps/common/json_text.h"
#include "apps/common/output_folder.h"
#include "apps/common/photo_list.h"
#include "apps/common/result_files.h"
#include "apps/facet/command.h"
#include "core/error.h"
#include "core/io/image_io.h"
#include "core/io/landmark_io.h"
#include "core/io/model_io.h"
#include "core/io/video_io.h"
#include "fitting/head_pose.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

using nlohmann::json;

struct Arguments {
  std::vector<std::string> inputs;
  std::string overlay_folder, pts_folder;
  bool dense = false, force = false;
};

// A face as detect reports it: what the network reads, and the camera of the built-in model fitted to it.
struct Face {
  DetectedFace detected;
  std::optional<Camera> camera;  // nothing where the fit fails
  Eigen::Vector3f nose_tip_mm = Eigen::Vector3f::Zero();
};

class Finder {
 public:
  std::vector<Face> find(const Image8& picture) const {
    std::vector<Face> faces;
    for (DetectedFace& detected : detector_.detect(picture, regressor_)) {
      Face face{std::move(detected), std::nullopt};
      const FacePrediction& prediction = face.detected.prediction;
      FitLandmarks landmarks{{}, prediction.dense};
      landmarks.identity_evidence = identityEvidence(prediction.identity, model_, model_);
      landmarks.expression_evidence = expressionEvidence(prediction.expression, model_, model_);
      const FitResult fit = fitLandmarks(model_, landmarks, picture.width(), picture.height());
      if (fit.isUsable()) {
        face.camera = fit.camera;
        const Points3 vertices = model_.vertices(fit.identity, fit.expression);
        face.nose_tip_mm = model_.landmarks68.points(vertices, model_.triangles).row(30).transpose();
      }
      faces.push_back(std::move(face));
    }
    return faces;
  }

 private:
  MorphableModel model_ = loadModel("builtin");
  LandmarkRegressor regressor_;
  FaceDetector detector_;
};

json describe(const Face& face, bool with_dense) {
  const FacePrediction& prediction = face.detected.prediction;
  const Points2& points = prediction.ibug68.positions_px;
  const Eigen::RowVector2f low = points.colwise().minCoeff(), high = points.colwise().maxCoeff();
  json result = {{"box", {jsonNumber(low[0]), jsonNumber(low[1]), jsonNumber(high[0]), jsonNumber(high[1])}},
                 {"confidence", jsonNumber(face.detected.confidence)},
                 {"landmarks68", jsonRows(points)},
                 {"sigma_px", jsonRows(prediction.ibug68.sigma_px)}};
  if (face.camera) {
    const HeadPose pose = headPose(face.camera->camera_from_model.linear());
    result["pose"] = {{"yaw_deg", jsonNumber(pose.yaw_deg)},
                      {"pitch_deg", jsonNumber(pose.pitch_deg)},
                      {"roll_deg", jsonNumber(pose.roll_deg)}};
  }
  if (with_dense) {
    result["dense"] = jsonRows(prediction.dense.positions_px);
    result["dense_sigma_px"] = jsonRows(prediction.dense.sigma_px);
  }
  return result;
}

json describe(const std::vector<Face>& faces, bool with_dense) {
  json list = json::array();
  for (const Face& face : faces) list.push_back(describe(face, with_dense));
  return list;
}

void drawFaces(Image8& picture, const std::vector<Face>& faces) {
  for (const Face& face : faces) {
    const FacePrediction& prediction = face.detected.prediction;
    drawReading(picture, prediction.ibug68, prediction.dense);
    if (face.camera) drawAxes(picture, *face.camera, face.nose_tip_mm, 50);
    drawBox(picture, prediction.ibug68.positions_px.colwise().minCoeff().transpose(),
            prediction.ibug68.positions_px.colwise().maxCoeff().transpose(), face.detected.confidence);
  }
}

// Names for the files made of each input: its name without the extension; with it where two would share a
// name, and with its folder's where that is not enough either. Error(kUsage) when even these are equal.
std::vector<std::string> outputNames(const std::vector<fs::path>& inputs) {
  const auto flat = [](std::string name) {
    std::replace(name.begin(), name.end(), '.', '_');
    return name;
  };
  const auto folderOf = [](const fs::path& path) {
    return fs::absolute(path).lexically_normal().parent_path().filename().string();
  };
  const std::vector<std::function<std::string(const fs::path&)>> rules = {
      [](const fs::path& path) { return path.stem().string(); },
      [&](const fs::path& path) { return flat(path.filename().string()); },
      [&](const fs::path& path) { return folderOf(path) + "_" + flat(path.filename().string()); }};
  std::vector<std::string> names(inputs.size());
  std::vector<std::size_t> open(inputs.size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  for (const auto& rule : rules) {
    for (const std::size_t i : open) names[i] = rule(inputs[i]);
    std::map<std::string, int> uses;
    for (const std::string& name : names) ++uses[name];
    open.clear();
    for (std::size_t i = 0; i < names.size(); ++i)
      if (uses[names[i]] > 1) open.push_back(i);
    if (open.empty()) return names;
  }
  fail(ErrorKind::kUsage, inputs[open[0]].string(), " and another input would both be written as ",
       names[open[0]], "; rename one of them or run detect once for each");
}

// An object on stdout, entry by entry as they come, so that a long video needs no memory. What an error
// leaves open is closed by the next entry or at the end, so that what has been printed can be read.
class JsonStream {
 public:
  explicit JsonStream(bool is_on) : is_on_(is_on) {}
  ~JsonStream() {
    if (!first_) end();
  }
  JsonStream(const JsonStream&) = delete;
  JsonStream& operator=(const JsonStream&) = delete;

  void entry(const std::string& key, const json& value) {
    begin(key);
    print(value, 1);
  }
  // An entry {head…, "frames": [ … ]}, one line per frame.
  void beginFrames(const std::string& key, const json& head) {
    begin(key);
    if (!is_on_) return;
    std::cout << "{";
    for (const auto& [name, value] : head.items()) {
      std::cout << json(name) << ": ";
      print(value, -1);
      std::cout << ", ";
    }
    std::cout << "\"frames\": [";
    in_frames_ = first_frame_ = true;
  }
  void frame(const json& value) {
    if (!is_on_) return;
    std::cout << (first_frame_ ? "\n  " : ",\n  ");
    print(value, -1);
    if (!std::cout.flush()) fail(ErrorKind::kRuntime, "standard output: cannot be written");
    first_frame_ = false;
  }
  void endFrames() {
    if (in_frames_) std::cout << "]}";
    in_frames_ = false;
  }
  // Nothing is printed after it.
  void end() {
    endFrames();
    if (is_on_) std::cout << (first_ ? "{}\n" : "\n}\n");
    is_on_ = false;
  }

 private:
  void begin(const std::string& key) {
    if (!is_on_) return;
    endFrames();
    std::cout << (first_ ? "{\n " : ",\n ");
    print(key, -1);
    std::cout << ": ";
    first_ = false;
  }
  void print(const json& value, int indent) {
    // What is not UTF-8 in a file name becomes U+FFFD, as in jsonText().
    if (is_on_) std::cout << value.dump(indent, ' ', false, json::error_handler_t::replace);
  }

  bool is_on_, first_ = true, in_frames_ = false, first_frame_ = true;
};

// A file that gets its name when it is whole; without keep() it is removed.
class UnfinishedFile {
 public:
  explicit UnfinishedFile(const fs::path& target) : target_(target), temporary_(target) {
    temporary_.replace_filename("." + target.stem().string() + ".tmp-" + std::to_string(getpid()) +
                                target.extension().string());
  }
  ~UnfinishedFile() {
    std::error_code ignored;
    if (!temporary_.empty()) fs::remove(temporary_, ignored);
  }
  UnfinishedFile(const UnfinishedFile&) = delete;
  UnfinishedFile& operator=(const UnfinishedFile&) = delete;

  const fs::path& temporary() const { return temporary_; }
  void keep() {
    std::error_code error;
    fs::rename(temporary_, target_, error);
    if (error) fail(ErrorKind::kRuntime, target_.string(), ": cannot be written (", error.message(), ")");
    temporary_.clear();
  }

 private:
  fs::path target_, temporary_;
};

[[noreturn]] void failWithoutFace(const fs::path& path, const std::string& where) {
  fail(ErrorKind::kNoFace, path.string(), ": no face found", where, " (at least ",
       DetectOptions().min_face_px, " pixels are needed)");
}

std::string countOf(std::size_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

class Work {
 public:
  Work(const Arguments& arguments, Session& session)
      : arguments_(arguments), session_(session), stream_(session.json) {}

  int run() {
    const std::vector<fs::path> inputs = listPhotos(arguments_.inputs);
    if (!arguments_.pts_folder.empty() && std::any_of(inputs.begin(), inputs.end(), isVideoName))
      fail(ErrorKind::kUsage, "--pts writes the points of photos; a video's are in --json");
    const bool writes_files = !arguments_.overlay_folder.empty() || !arguments_.pts_folder.empty();
    const std::vector<std::string> names =
        writes_files ? outputNames(inputs) : std::vector<std::string>(inputs.size());
    // A reader that has seen enough of a long video (| head) must not leave an unfinished overlay behind.
    std::signal(SIGPIPE, SIG_IGN);
    int exit_code = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      throwIfInterrupted();
      const double share = 1.0 / static_cast<double>(inputs.size());
      try {
        if (isVideoName(inputs[i])) {
          detectInVideo(inputs[i], names[i], static_cast<double>(i) * share, share);
        } else {
          session_.console.progress(inputs[i].filename().string(), "detect faces",
                                    static_cast<double>(i) * share);
          detectInPhoto(inputs[i], names[i]);
        }
      } catch (const Error& error) {
        const bool is_about_all =
            error.kind() == ErrorKind::kUsage || error.kind() == ErrorKind::kInterrupted;
        if (inputs.size() == 1 || is_about_all) throw;
        if (exit_code == 0) exit_code = static_cast<int>(error.kind());
        session_.console.error(error.what());
      }
    }
    session_.console.endProgress();
    stream_.end();
    return exit_code;
  }

 private:
  void detectInPhoto(const fs::path& path, const std::string& name) {
    const Image8 photo = readPhoto(path);
    const std::vector<Face> faces = finder_.find(photo);
    if (faces.empty()) failWithoutFace(path, "");
    if (!arguments_.overlay_folder.empty()) {
      const fs::path picture = fs::path(arguments_.overlay_folder) / (name + ".png");
      prepareOutputFile(picture, arguments_.force);
      Image8 drawn = photo;
      drawFaces(drawn, faces);
      writePng(picture, drawn);
    }
    if (!arguments_.pts_folder.empty()) {
      const fs::path points = fs::path(arguments_.pts_folder) / (name + ".pts");
      prepareOutputFile(points, arguments_.force);
      writePts(points, faces.front().detected.prediction.ibug68);
    }
    if (session_.json) {
      // The largest face stands at the top, where evaluate landmarks looks for it.
      json result = describe(faces.front(), arguments_.dense);
      result["width"] = photo.width();
      result["height"] = photo.height();
      result["faces"] = describe(faces, arguments_.dense);
      stream_.entry(path.string(), result);
    }
    session_.console.say(path.string() + ": " + countOf(faces.size(), "face"));
  }

  // Every frame by itself, all faces.
  void detectInVideo(const fs::path& path, const std::string& name, double begin, double share) {
    VideoReader reader(path);
    std::optional<UnfinishedFile> file;
    std::optional<VideoWriter> video;
    if (!arguments_.overlay_folder.empty()) {
      const fs::path target = fs::path(arguments_.overlay_folder) / (name + ".mp4");
      prepareOutputFile(target, arguments_.force);
      file.emplace(target);
      video.emplace(file->temporary(), reader.width(), reader.height(), reader.fps());
    }
    stream_.beginFrames(
        path.string(),
        {{"width", reader.width()}, {"height", reader.height()}, {"fps", jsonNumber(reader.fps())}});
    int num_frames = 0, num_with_face = 0;
    while (std::optional<VideoFrame> frame = reader.next()) {
      throwIfInterrupted();
      const int expected = std::max(reader.expectedFrames().value_or(0), frame->number + 1);
      session_.console.progress(path.filename().string(), "detect faces",
                                begin + share * frame->number / expected);
      const std::vector<Face> faces = finder_.find(frame->pixels);
      ++num_frames;
      num_with_face += faces.empty() ? 0 : 1;
      if (session_.json) {
        stream_.frame({{"frame", frame->number},
                       {"time_s", jsonNumber(frame->time_s)},
                       {"faces", describe(faces, arguments_.dense)}});
      }
      if (video) {
        drawFaces(frame->pixels, faces);
        video->write(frame->pixels);
      }
    }
    stream_.endFrames();
    if (const std::optional<std::string> warning = reader.cutOffWarning())
      session_.console.warn(path.string() + ": " + *warning);
    if (num_with_face == 0) failWithoutFace(path, " in any of its " + countOf(num_frames, "frame"));
    if (video) {
      video->finish();
      file->keep();
    }
    session_.console.say(path.string() + ": faces in " + std::to_string(num_with_face) + " of " +
                         countOf(num_frames, "frame"));
  }

  const Arguments& arguments_;
  Session& session_;
  Finder finder_;
  JsonStream stream_;
};

}  // namespace

void addDetect(CLI::App& app, CommandSession& session) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand("detect", "Faces of photos and videos: landmarks and head pose");
  verb->fallthrough();
  verb->add_option("PHOTO", arguments->inputs, "photos, videos and folders of photos")->required();
  verb->add_option("--overlay", arguments->overlay_folder,
                   "write each photo or video with its faces marked into this folder");
  verb->add_option("--pts", arguments->pts_folder,
                   "write the largest face's points as <photo name>.pts into this folder");
  verb->add_flag("--dense", arguments->dense, "with --json: the dense landmarks too");
  verb->add_flag("--force", arguments->force, "overwrite existing files");
  verb->footer(
      "Examples:\n  facet detect group.jpg --json > faces.json\n  facet detect photos/ --overlay marked "
      "--pts marked\n  facet detect clip.mp4 --overlay marked --json --dense > clip.json");
  verb->callback([&session, arguments] {
    session.run = [&session, arguments] { return Work(*arguments, session).run(); };
  });
}

}  // namespace facet
