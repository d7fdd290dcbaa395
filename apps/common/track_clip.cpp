#include "apps/common/track_clip.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/common/clip_texture.h"
#include "apps/common/drawing.h"
#include "apps/common/exporter.h"
#include "apps/common/interrupt.h"
#include "apps/common/json_text.h"
#include "apps/common/landmark_spool.h"
#include "apps/common/model_library.h"
#include "apps/common/output_folder.h"
#include "apps/common/result_files.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/image_io.h"
#include "core/io/npz.h"
#include "core/io/video_io.h"
#include "fitting/tracker.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// Frames before and after one that its landmarks are averaged with.
constexpr int kSmoothingReach = 2;
// The overlay shows skin up to this distance of the landmarks and fades out before it, mm.
constexpr float kFaceReach_mm = 24, kFade_mm = 14;
constexpr float kOverlayOpacity = 0.45F;
constexpr double kProgressSteps = 100;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Adds the time that it lives to a sum of seconds.
class Timed {
 public:
  explicit Timed(double& seconds) : seconds_(seconds) {}
  ~Timed() { seconds_ += secondsSince(start_); }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  double& seconds_;
  Clock::time_point start_ = Clock::now();
};

// Reads the next frame on another thread while the present one is worked on.
class ReadAhead {
 public:
  // `seconds` of decoding are added up; to be read when this is gone.
  ReadAhead(VideoReader& reader, double& seconds) : seconds_(seconds), reader_(reader) { fetch(); }
  ~ReadAhead() {
    if (next_.valid()) next_.wait();
  }
  std::optional<VideoFrame> next() {
    std::optional<VideoFrame> frame = next_.get();
    if (frame) fetch();
    return frame;
  }

 private:
  void fetch() {
    next_ = std::async(std::launch::async, [this] {
      const Timed timed(seconds_);
      return reader_.next();
    });
  }

  double& seconds_;
  VideoReader& reader_;
  std::future<std::optional<VideoFrame>> next_;
};

// What is remembered of each frame; its landmarks lie in the spool.
struct FrameNote {
  double time_s = 0;
  int record = -1;  // in the spool; -1 = no face was found
  int run = -1;     // unbroken runs of frames, counted from 0; smoothing and motion terms stay within one
  bool has_face = false;  // one was found and fitted
  float confidence = 0;
  float sharpness = 0;
  float face_px = 0;
  HeadPose pose;  // as the network sees it, then of the fit
};

// The part of a model that the overlay shows: skin near the landmarks.
class FaceSkin {
 public:
  explicit FaceSkin(const MorphableModel& model) {
    const LandmarkEmbedding& embedding = model.dense.size() > 0 ? model.dense : model.landmarks68;
    const Points3 landmarks = embedding.points(model.mean, model.triangles);
    std::vector<float> distance_mm(static_cast<std::size_t>(model.numVertices()), kFaceReach_mm);
    for (int v = 0; v < model.numVertices(); ++v) {
      for (Eigen::Index i = 0; i < landmarks.rows(); ++i) {
        const float distance = (landmarks.row(i) - model.mean.row(v)).norm();
        if (distance < distance_mm[v]) distance_mm[v] = distance;  // not for NaN
      }
    }
    std::vector<std::int32_t> index(distance_mm.size(), -1);
    std::vector<std::int32_t> corners;
    for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
      const auto corner = [&](int k) { return model.triangles(f, k); };
      if (!model.triangle_material.empty() && model.triangle_material[f] != 0) continue;
      const auto isFar = [&](int k) { return distance_mm[corner(k)] >= kFaceReach_mm; };
      if (isFar(0) && isFar(1) && isFar(2)) continue;
      for (int k = 0; k < 3; ++k) {
        if (index[corner(k)] < 0) {
          index[corner(k)] = static_cast<std::int32_t>(vertices_.size());
          vertices_.push_back(corner(k));
        }
        corners.push_back(index[corner(k)]);
      }
    }
    opacity_.resize(static_cast<Eigen::Index>(vertices_.size()));
    for (std::size_t i = 0; i < vertices_.size(); ++i) {
      const float inside = (kFaceReach_mm - distance_mm[vertices_[i]]) / kFade_mm;
      opacity_[static_cast<Eigen::Index>(i)] = kOverlayOpacity * std::clamp(inside, 0.0F, 1.0F);
    }
    triangles_ = Eigen::Map<Triangles>(corners.data(), static_cast<Eigen::Index>(corners.size() / 3), 3);
  }

  const Eigen::VectorXf& opacity() const { return opacity_; }

  Mesh mesh(const Points3& vertices) const {
    Mesh skin;
    skin.vertices.resize(static_cast<Eigen::Index>(vertices_.size()), 3);
    for (std::size_t i = 0; i < vertices_.size(); ++i)
      skin.vertices.row(static_cast<Eigen::Index>(i)) = vertices.row(vertices_[i]);
    skin.triangles = triangles_;
    return skin;
  }

 private:
  std::vector<std::int32_t> vertices_;
  Triangles triangles_;
  Eigen::VectorXf opacity_;
};

class Work {
 public:
  Work(const std::string& clip, const fs::path& output, const TrackOptions& options, Session& session)
      : clip_(clip),
        output_(output),
        options_(options),
        session_(session),
        model_(loadNamedModel(options.model, session)) {
    if (model_.numIdentity() == 0) {
      fail(ErrorKind::kModel, options.model,
           ": the model has no identity modes, so it cannot be fitted to a clip");
    }
    builtin_ = completeFromBuiltin(options.model, model_, session);
    if (options.on_model) options.on_model(model_);
  }

  json run() {
    const Clock::time_point start = Clock::now();
    name_ = fs::path(clip_).filename().string();
    std::optional<VideoReader> reader(openClip());
    OutputFolder output(output_, options_.force);
    LandmarkSpool spool(output.temporary());
    width_px_ = reader->width();
    height_px_ = reader->height();
    fps_ = reader->fps();

    follow(*reader, spool);
    identity_frames_ = learnIdentity(spool);
    if (options_.overlay) reader.emplace(openClip());
    fitFrames(*reader, spool, output.temporary());
    makeTexture(output.temporary());
    writeText(output.temporary() / "track.json", jsonText(trackJson()));
    if (numWithFace() > 0) writeGlb(output.temporary());
    const double seconds = secondsSince(start);
    throwIfInterrupted();
    output.commit();

    const double rate = static_cast<double>(notes_.size()) / seconds;
    session_.console.say(clip_ + " -> " + output_.string() + " (" + std::to_string(numWithFace()) + " of " +
                         std::to_string(notes_.size()) + " frames with the face, " + fixed(rate, 1) +
                         " frames/s)");
    return {{"clip", clip_},
            {"output", output_.string()},
            {"frames", notes_.size()},
            {"frames_with_face", numWithFace()},
            {"seconds", jsonNumber(seconds)},
            {"frames_per_second", jsonNumber(rate)},
            {"warnings", warnings_}};
  }

 private:
  VideoReader openClip() const {
    ReadVideoOptions options;
    options.folder_fps = options_.folder_fps;
    return VideoReader(clip_, options);
  }

  long numWithFace() const {
    return std::count_if(notes_.begin(), notes_.end(), [](const FrameNote& n) { return n.has_face; });
  }

  // A stage of track.json. Its body adds up the seconds of its parts, which run side by side, by name.
  template <typename Body>
  void stage(const std::string& stage_name, const Body& body) {
    const Clock::time_point start = Clock::now();
    std::map<std::string, double> parts;
    body(parts);
    const double seconds = secondsSince(start);
    std::string text = name_ + ": " + stage_name + " " + fixed(1000 * seconds, 0) + " ms";
    json entry = {{"name", stage_name}, {"seconds", jsonNumber(seconds)}};
    for (const auto& [part, part_seconds] : parts) {
      entry["parts"][part] = jsonNumber(part_seconds);
      text += ", " + part + " " + fixed(1000 * part_seconds, 0);
    }
    stages_.push_back(entry);
    session_.console.detail(text);
  }

  // Tells of progress in steps, since a line for each frame would only scroll by.
  void tell(const std::string& what, double done) {
    const int step = static_cast<int>(done * kProgressSteps);
    if (what == told_stage_ && step == told_step_) return;
    told_stage_ = what;
    told_step_ = step;
    session_.console.progress(name_, what, done);
  }

  void show(const TrackedFrame& frame) const {
    if (options_.on_frame) options_.on_frame(frame);
  }

  // Landmarks of all frames, into the spool.
  void follow(VideoReader& reader, LandmarkSpool& spool) {
    stage("follow the face", [&](std::map<std::string, double>& parts) {
      const LandmarkRegressor regressor;
      const FaceDetector detector;
      FaceFollower follower(detector, regressor);
      ReadAhead ahead(reader, parts["decode"]);
      int run = -1;
      bool was_seen = false;
      while (const std::optional<VideoFrame> frame = ahead.next()) {
        throwIfInterrupted();
        const int expected = std::max(reader.expectedFrames().value_or(0), frame->number + 1);
        tell("follow the face", 0.4 * frame->number / expected);
        FrameNote note;
        note.time_s = frame->time_s;
        std::optional<FollowedFace> face;
        {
          const Timed timed(parts["network"]);
          face = follower.next(frame->pixels);
        }
        if (face) {
          if (!was_seen || face->is_detected) ++run;
          note.record = spool.append(face->prediction);
          note.run = run;
          note.confidence = face->confidence;
          note.sharpness = face->sharpness;
          note.face_px = face->prediction.faceSize();
          note.pose = headPose(face->prediction.placement.camera_from_model);
        }
        was_seen = note.record >= 0;
        notes_.push_back(note);
        show({frame->number, frame->time_s, &frame->pixels, face ? &face->prediction.ibug68 : nullptr,
              face ? &face->prediction.dense : nullptr});
      }
    });
    if (const std::optional<std::string> warning = reader.cutOffWarning()) warn(*warning);
    if (std::none_of(notes_.begin(), notes_.end(), [](const FrameNote& n) { return n.record >= 0; })) {
      fail(ErrorKind::kNoFace, clip_, ": no face found in any of its ", notes_.size(), " frames (at least ",
           DetectOptions().min_face_px, " pixels are needed)");
    }
  }

  void warn(const std::string& message) {
    session_.console.warn(name_ + ": " + message);
    warnings_.push_back(message);
  }

  // One face's landmarks as the model takes them.
  FitLandmarks landmarksFor(const FacePrediction& prediction) const {
    FitLandmarks landmarks;
    landmarks.ibug68 = prediction.ibug68;
    if (model_.dense.size() > 0 && model_.dense.size() == prediction.dense.size()) {
      landmarks.dense = prediction.dense;
      landmarks.expression_evidence = expressionEvidence(prediction.expression, builtin(), model_);
    }
    return landmarks;
  }

  const MorphableModel& builtin() const { return builtin_ ? *builtin_ : model_; }

  std::vector<int> learnIdentity(const LandmarkSpool& spool) {
    std::vector<int> chosen;
    stage("learn the identity", [&](std::map<std::string, double>&) {
      tell("learn the identity", 0.4);
      std::vector<FrameQuality> candidates;
      for (std::size_t i = 0; i < notes_.size(); ++i) {
        const FrameNote& note = notes_[i];
        if (note.record >= 0)
          candidates.push_back(
              {static_cast<int>(i), note.pose, note.confidence, note.sharpness, note.face_px});
      }
      chosen = chooseIdentityFrames(candidates);
      std::vector<FitLandmarks> landmarks;
      std::vector<CoefficientGuess> guesses;
      for (const int frame : chosen) {
        const FacePrediction prediction = spool.read(notes_[frame].record);
        landmarks.push_back(landmarksFor(prediction));
        guesses.push_back(prediction.identity);
      }
      throwIfInterrupted();
      LinearEvidence guess;
      if (landmarks[0].dense.size() > 0) guess = identityEvidence(averageGuess(guesses), builtin(), model_);
      FitOptions options;
      options.focal_px = options_.focal_px;
      identity_ = fitClipIdentity(model_, landmarks, guess, width_px_, height_px_, options);
    });
    return chosen;
  }

  // The landmarks of frame i, smoothed over its neighbours in the run.
  FacePrediction smoothed(int i, const LandmarkSpool& spool) {
    const auto reading = [&](int frame) -> const FacePrediction& {
      auto found = window_.find(frame);
      if (found == window_.end()) found = window_.emplace(frame, spool.read(notes_[frame].record)).first;
      return found->second;
    };
    window_.erase(window_.begin(), window_.lower_bound(i - kSmoothingReach));
    const auto inRun = [&](int frame) {
      return frame >= 0 && frame < static_cast<int>(notes_.size()) && notes_[frame].run == notes_[i].run;
    };
    int reach = 0;
    while (reach < kSmoothingReach && inRun(i - reach - 1) && inRun(i + reach + 1)) ++reach;
    std::vector<const LandmarkSet*> ibug68, dense;
    for (int frame = i - reach; frame <= i + reach; ++frame) {
      ibug68.push_back(&reading(frame).ibug68);
      dense.push_back(&reading(frame).dense);
    }
    FacePrediction prediction = reading(i);
    prediction.ibug68 = smoothLandmarks(ibug68);
    prediction.dense = smoothLandmarks(dense);
    return prediction;
  }

  void fitFrames(VideoReader& reader, const LandmarkSpool& spool, const fs::path& folder) {
    stage("fit and draw the frames", [&](std::map<std::string, double>& parts) {
      fs::create_directories(folder / "frames");
      person_ = model_;
      person_.mean = model_.vertices(identity_.identity);
      FrameFitter fitter(model_, identity_, width_px_, height_px_, fps_);
      const FaceSkin skin(model_);
      std::optional<ReadAhead> ahead;
      std::optional<VideoWriter> video;
      if (options_.overlay) {
        ahead.emplace(reader, parts["decode"]);
        video.emplace(folder / "overlay.mp4", width_px_, height_px_, fps_);
      }
      double& drawing_seconds = parts["draw and encode"];
      std::future<void> drawing;  // of the frame before, while this one is fitted
      int last_run = -1;
      const int count = static_cast<int>(notes_.size());
      for (int i = 0; i < count; ++i) {
        throwIfInterrupted();
        tell("fit and draw the frames", 0.45 + 0.55 * i / count);
        FrameNote& note = notes_[i];
        std::optional<FitResult> fit;
        FacePrediction prediction;
        if (note.record >= 0) {
          if (note.run != last_run) fitter.forget();
          last_run = note.run;
          const Timed timed(parts["fit"]);
          prediction = smoothed(i, spool);
          fit = fitter.next(landmarksFor(prediction));
          if (!fit->isUsable()) fit.reset();
          if (fit) {
            note.pose = headPose(fit->camera.camera_from_model.linear());
            rememberForTexture(i, *fit, prediction);
          } else {
            note.run = -1;  // the frames that follow are not smoothed with it
            warn("frame " + std::to_string(i) + ": the fit failed");
          }
        }
        note.has_face = fit.has_value();
        writeNpz(folder / "frames" / frameName(i), frameArrays(note, prediction, fit));
        std::optional<VideoFrame> frame = video ? ahead->next() : std::nullopt;
        show({i, note.time_s, frame ? &frame->pixels : nullptr, fit ? &prediction.ibug68 : nullptr,
              fit ? &prediction.dense : nullptr, fit ? &*fit : nullptr, &identity_.identity});
        if (!video) continue;
        if (!frame) fail(ErrorKind::kInput, clip_, ": cannot be read a second time; did it change?");
        if (drawing.valid()) drawing.get();
        drawing = std::async(std::launch::async, [this, &skin, &video, &drawing_seconds, i, fit,
                                                  pixels = std::move(frame->pixels)]() mutable {
          const Timed timed(drawing_seconds);
          if (fit) drawFit(pixels, skin, *fit);
          drawCaption(pixels, std::to_string(i) + (fit ? "" : "  no face"));
          video->write(pixels);
        });
      }
      if (drawing.valid()) drawing.get();
      if (video) video->finish();
    });
  }

  // The frames that the identity was learned from are sharp and look in different directions: they are good
  // for the texture, too.
  void rememberForTexture(int frame, const FitResult& fit, const FacePrediction& prediction) {
    if (std::find(identity_frames_.begin(), identity_frames_.end(), frame) == identity_frames_.end()) return;
    TextureFrame candidate{frame, notes_[frame].pose, fit, prediction.crop, {}};
    if (!builtin_) candidate.albedo = prediction.albedo;
    texture_frames_.push_back(std::move(candidate));
  }

  void makeTexture(const fs::path& folder) {
    if (model_.uv.rows() == 0)
      return warn("model " + model_.id + " has no texture coordinates: no texture is made");
    if (texture_frames_.empty()) return warn("no sharp frame could be fitted: no texture is made");
    stage("make texture", [&](std::map<std::string, double>&) {
      tell("make texture", 0.95);
      VideoReader reader = openClip();
      const FaceMaps maps = clipTexture(reader, model_, identity_.identity,
                                        chooseTextureFrames(texture_frames_), options_.texture_size_px);
      fs::create_directories(folder / "maps");
      writePng(folder / "maps/texture.png", srgbFromLinear(maps.texture));
      writePng(folder / "maps/albedo.png", srgbFromLinear(maps.albedo));
      writePng(folder / "maps/visibility.png", dataToImage(maps.visibility));
    });
  }

  // The head with the clip's motion, as facet export writes it.
  void writeGlb(const fs::path& folder) {
    tell("write face.glb", 0.98);
    const fs::path path = folder / "face.glb";
    writeHead(path, exportFormat("glb", path), headOfClip(folder, model_), {}, session_);
  }

  void drawFit(Image8& pixels, const FaceSkin& skin, const FitResult& fit) const {
    const Points3 vertices = person_.vertices({}, fit.expression, fit.pose);
    drawFace(pixels, skin.mesh(vertices), skin.opacity(), fit.camera);
    if (model_.landmarks68.size() == 0) return;
    const Points3 landmarks = model_.landmarks68.points(vertices, model_.triangles);
    drawContours(pixels, fit.camera.imageFromModel(landmarks));
    drawAxes(pixels, fit.camera, landmarks.row(30).transpose(), 40);  // from the tip of the nose
  }

  static std::string frameName(int frame) {
    char name[24];
    std::snprintf(name, sizeof name, "%06d.npz", frame);
    return name;
  }

  static NpyArray floats(const Eigen::Ref<const Eigen::MatrixXf>& matrix) {
    const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows = matrix;
    if (matrix.cols() == 1) return NpyArray::fromFloat(rows.data(), {rows.rows()});
    return NpyArray::fromFloat(rows.data(), {rows.rows(), rows.cols()});
  }

  Npz frameArrays(const FrameNote& note, const FacePrediction& prediction,
                  const std::optional<FitResult>& fit) const {
    Npz arrays;
    const std::uint8_t has_face = note.has_face;
    arrays["has_face"] = NpyArray::fromUint8(&has_face, {});
    arrays["time_s"] = NpyArray::fromDouble(&note.time_s, {});
    arrays["confidence"] = NpyArray::fromFloat(&note.confidence, {});
    if (!note.has_face) return arrays;
    arrays["expression"] = floats(fit->expression);
    if (fit->pose.rows() > 0) arrays["joint_rotations"] = floats(fit->pose);
    arrays["camera_from_model"] = floats(fit->camera.camera_from_model.matrix());
    arrays["K"] = floats(fit->camera.intrinsics());
    arrays["head_pose_deg"] =
        floats(Eigen::Vector3f(note.pose.yaw_deg, note.pose.pitch_deg, note.pose.roll_deg));
    arrays["landmarks68"] = floats(prediction.ibug68.positions_px);
    arrays["landmarks68_sigma_px"] = floats(prediction.ibug68.sigma_px);
    arrays["dense"] = floats(prediction.dense.positions_px);
    arrays["dense_sigma_px"] = floats(prediction.dense.sigma_px);
    const auto residual_px = static_cast<float>(fit->residual_px);
    arrays["residual_px"] = NpyArray::fromFloat(&residual_px, {});
    return arrays;
  }

  json trackJson() const {
    json track;
    track["facet_version"] = FACET_VERSION;
    track["clip"] = {{"path", clip_},
                     {"width", width_px_},
                     {"height", height_px_},
                     {"fps", jsonNumber(fps_)},
                     {"frames", notes_.size()}};
    if (!fs::is_directory(clip_)) track["clip"]["sha256"] = sha256(mapBytes(clip_));
    track["model"] = modelJson(model_, modelReference(options_.model));
    track["warnings"] = warnings_;
    track["identity"] = jsonRows(identity_.identity);
    track["identity_frames"] = identity_frames_;
    track["focal_px"] = jsonNumber(identity_.focal_px);
    track["expression_names"] = model_.expression_names;
    if (model_.skeleton) track["joint_names"] = model_.skeleton->names;
    track["frames_with_face"] = numWithFace();
    // Columns, one entry per frame.
    json& frames = track["frames"];
    for (const FrameNote& note : notes_) {
      frames["time_s"].push_back(jsonNumber(note.time_s));
      frames["has_face"].push_back(note.has_face);
      frames["confidence"].push_back(jsonNumber(note.confidence));
      const auto degrees = [&](float value) {
        return note.has_face ? json(jsonNumber(value)) : json(nullptr);
      };
      frames["yaw_deg"].push_back(degrees(note.pose.yaw_deg));
      frames["pitch_deg"].push_back(degrees(note.pose.pitch_deg));
      frames["roll_deg"].push_back(degrees(note.pose.roll_deg));
    }
    track["stages"] = stages_;
    return track;
  }

  const std::string& clip_;
  const fs::path& output_;
  const TrackOptions& options_;
  Session& session_;
  MorphableModel model_;
  MorphableModel person_;                  // with the identity built into the mean
  std::optional<MorphableModel> builtin_;  // when model_ is another one
  std::string name_;
  int width_px_ = 0, height_px_ = 0;
  double fps_ = 0;
  std::vector<FrameNote> notes_;
  ClipIdentity identity_;
  std::vector<int> identity_frames_;
  std::vector<TextureFrame> texture_frames_;
  std::map<int, FacePrediction> window_;
  std::vector<std::string> warnings_;
  json stages_ = json::array();
  std::string told_stage_;
  int told_step_ = -1;
};

}  // namespace

json trackClip(const std::string& clip, const fs::path& output, const TrackOptions& options,
               Session& session) {
  return Work(clip, output, options, session).run();
}

}  // namespace facet
