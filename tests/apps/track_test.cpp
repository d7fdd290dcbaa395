// facet track and facet detect on clips, through the real program.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/io/files.h"
#include "core/io/image_io.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
#include "core/io/video_io.h"
#include "fitting/head_pose.h"
#include "render/face_renderer.h"
#include "tests/apps/program.h"
#include "tests/data.h"

namespace fs = std::filesystem;
using namespace facet;
using namespace facet::test;
using nlohmann::json;

namespace {

constexpr int kSide = 240;

// The built-in model turning its head, one frame at a time.
class Actor {
 public:
  Image8 picture(float yaw_deg) const {
    Camera camera;
    camera.width_px = camera.height_px = kSide;
    camera.focal_px = 500;
    camera.principal_px.setConstant(kSide / 2.0F);
    const Eigen::Vector3f center =
        model_.landmarks68.points(model_.mean, model_.triangles).colwise().mean().transpose();
    camera.camera_from_model.linear() = rotationFromHeadPose({yaw_deg, 0, 0});
    camera.camera_from_model.translation() =
        Eigen::Vector3f(0, 0, 700) - camera.camera_from_model.linear() * center;
    ShadeOptions shade;
    shade.albedo = model_.albedo_mean;
    shade.light.coefficients.row(2).setConstant(0.8F);
    shade.light.coefficients.row(3).setConstant(0.5F);
    shade.background = Eigen::Vector3f(0.25F, 0.3F, 0.35F);
    return srgbFromLinear(renderFace(model_.mesh(model_.mean), camera, shade).colour);
  }

 private:
  MorphableModel model_ = loadModel("builtin");
};

const Image8 kWall(kSide, kSide, 3, std::uint8_t{120});

float yawOf(int frame) { return -12 + 3 * static_cast<float>(frame); }

// A video of `count` frames; those in `blank` show no face.
void writeClip(const fs::path& path, int count, const std::vector<int>& blank = {}) {
  const Actor actor;
  VideoWriter writer(path, kSide, kSide, 20);
  for (int i = 0; i < count; ++i) {
    const bool is_blank = std::find(blank.begin(), blank.end(), i) != blank.end();
    writer.write(is_blank ? kWall : actor.picture(yawOf(i)));
  }
  writer.finish();
}

// A video without a face.
void writeWall(const fs::path& path, int side_px, int count) {
  VideoWriter writer(path, side_px, side_px, 20);
  for (int i = 0; i < count; ++i) writer.write(Image8(side_px, side_px, 3, std::uint8_t{120}));
  writer.finish();
}

std::string lastLine(const std::string& text) {
  std::istringstream lines(text);
  std::string line, last;
  while (std::getline(lines, line)) last = line;
  return last;
}

void checkFailure(const RunResult& result, int exit_code, const std::string& said) {
  CHECK_MESSAGE(result.exit_code == exit_code, result.err);
  CHECK_MESSAGE(lastLine(result.err).find(said) != std::string::npos, result.err);
}

}  // namespace

TEST_CASE(
    "track: writes pose and expression of each frame, marks those without a face, and keeps its contract") {
  const TemporaryFolder folder("track");
  writeClip(folder / "clip.mp4", 9, {5});
  const fs::path out = folder / "out";
  const std::vector<std::string> arguments = {"track", (folder / "clip.mp4").string(), "-o", out.string(),
                                              "--json"};
  const RunResult result = runFacet(arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  const json summary = json::parse(result.out);
  CHECK(summary["frames"] == 9);
  CHECK(summary["frames_with_face"] == 8);
  std::vector<std::string> expected = {"face.glb"};
  for (const char digit : std::string("012345678"))
    expected.push_back(std::string("frames/00000") + digit + ".npz");
  expected.insert(expected.end(), {"maps/albedo.png", "maps/texture.png", "maps/visibility.png",
                                   "overlay.mp4", "track.json"});
  CHECK(filesBelow(out) == expected);

  const MorphableModel model = loadModel("builtin");
  const json track = json::parse(readText(out / "track.json"));
  CHECK(track["clip"]["frames"] == 9);
  CHECK(track["clip"]["fps"] == 20);
  CHECK(track["clip"]["width"] == kSide);
  CHECK(track["identity"].size() == static_cast<std::size_t>(model.numIdentity()));
  CHECK(track["expression_names"].size() == static_cast<std::size_t>(model.numExpression()));
  CHECK(track["focal_px"] > 0);
  CHECK(track["frames"]["has_face"][5] == false);
  CHECK(track["frames"]["yaw_deg"][5].is_null());
  for (const int i : {0, 1, 2, 3, 4, 6, 7, 8}) {
    CHECK(track["frames"]["has_face"][i] == true);
    CHECK(track["frames"]["time_s"][i].get<double>() == doctest::Approx(i / 20.0));
    // The network, not the fit, limits how well the angle is known.
    CHECK(std::abs(track["frames"]["yaw_deg"][i].get<double>() - yawOf(i)) < 3);
    const Npz frame = readNpz(out / expected[i + 1]);
    CHECK(frame.at("has_face").asInt32()[0] == 1);
    CHECK(frame.at("expression").count() == model.numExpression());
    CHECK(frame.at("landmarks68").shape == std::vector<std::int64_t>{68, 2});
    CHECK(frame.at("dense").shape == std::vector<std::int64_t>{model.dense.size(), 2});
    CHECK(frame.at("camera_from_model").shape == std::vector<std::int64_t>{4, 4});
    CHECK(frame.at("K").asFloat()[0] == doctest::Approx(track["focal_px"].get<double>()));
    CHECK(frame.at("head_pose_deg").asFloat()[0] ==
          doctest::Approx(track["frames"]["yaw_deg"][i].get<double>()).epsilon(1e-4));
  }
  const Npz lost = readNpz(out / "frames/000005.npz");
  CHECK(lost.at("has_face").asInt32()[0] == 0);
  CHECK(lost.count("expression") == 0);

  VideoReader overlay(out / "overlay.mp4");
  CHECK(overlay.width() == kSide);
  int num_drawn = 0;
  while (overlay.next()) ++num_drawn;
  CHECK(num_drawn == 9);

  checkFailure(runFacet(arguments), 2, "--force");
  std::vector<std::string> again = arguments;
  again.insert(again.end(), {"--force", "--no-overlay", "--quiet"});
  const RunResult replaced = runFacet(again);
  CHECK(replaced.exit_code == 0);
  CHECK(replaced.err.empty());
  CHECK(!fs::exists(out / "overlay.mp4"));
}

TEST_CASE("track: a folder of frames is a clip, and 1 and 2 threads give the same numbers") {
  const TemporaryFolder folder("track");
  const Actor actor;
  fs::create_directory(folder / "frames");
  for (int i = 7; i < 12; ++i)  // 9 before 10
    writePng(folder / "frames" / (std::to_string(i) + ".png"), actor.picture(yawOf(i - 7)));
  for (const char* threads : {"1", "2"}) {
    const RunResult result =
        runFacet({"track", (folder / "frames").string(), "-o", (folder / threads).string(), "--fps", "10",
                  "--no-overlay", "--threads", threads});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  }
  const json track = json::parse(readText(folder / "1" / "track.json"));
  CHECK(track["frames"]["time_s"] == json({0.0, 0.1, 0.2, 0.3, 0.4}));
  for (int i = 1; i < 5; ++i) CHECK(track["frames"]["yaw_deg"][i] > track["frames"]["yaw_deg"][i - 1]);
  for (const std::string& file : filesBelow(folder / "1" / "frames"))
    CHECK(readBytes(folder / "1" / "frames" / file) == readBytes(folder / "2" / "frames" / file));
}

TEST_CASE("track: bad input gives the exit code of the contract, one clear line and nothing half-written") {
  const TemporaryFolder folder("track");
  const fs::path out = folder / "out";
  const auto track = [&](const std::string& clip, const RunOptions& options = {}) {
    return runFacet({"track", (folder / clip).string(), "-o", out.string()}, options);
  };
  writeText(folder / "text.mp4", "this is not a video");
  fs::create_directory(folder / "empty");
  checkFailure(track("missing.mp4"), 3, "missing.mp4");
  const RunResult broken = track("text.mp4");
  checkFailure(broken, 3, "text.mp4");
  CHECK(std::count(broken.err.begin(), broken.err.end(), '\n') == 1);  // FFmpeg keeps still
  checkFailure(track("empty"), 3, "no image files");

  writeWall(folder / "wall.mp4", 120, 2);
  checkFailure(track("wall.mp4"), 5, "no face found in any of its 2 frames");

  writeClip(folder / "clip.mp4", 4);
  RunOptions full_disk;
  full_disk.file_size_limit = 3000;  // a frame's npz has more
  CHECK(track("clip.mp4", full_disk).exit_code == 1);
  RunOptions interrupted;
  interrupted.interrupt_when_working_in = folder.path();
  CHECK(track("clip.mp4", interrupted).exit_code == 130);
  const RunResult unwritable = runFacet({"track", (folder / "clip.mp4").string(), "-o", "/proc/facet/out"});
  checkFailure(unwritable, 1, "/proc/facet/out");

  std::vector<std::string> left;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder.path()))
    left.push_back(entry.path().filename().string());
  std::sort(left.begin(), left.end());
  CHECK(left == std::vector<std::string>{"clip.mp4", "empty", "text.mp4", "wall.mp4"});
}

TEST_CASE("track: memory does not grow with the clip") {
  const TemporaryFolder folder("track");
  const Actor actor;
  const Image8 a = actor.picture(0), b = actor.picture(2);
  const auto peakAfter = [&](int count) {
    const fs::path clip = folder / (std::to_string(count) + ".mp4");
    VideoWriter writer(clip, kSide, kSide, 20);
    for (int i = 0; i < count; ++i) writer.write(i % 2 ? a : b);
    writer.finish();
    REQUIRE(
        runFacet({"track", clip.string(), "-o", (folder / std::to_string(count)).string(), "--no-overlay"})
            .exit_code == 0);
    rusage usage = {};
    getrusage(RUSAGE_CHILDREN, &usage);
    return usage.ru_maxrss / 1024.0;  // MiB
  };
  const double shorter = peakAfter(10), longer = peakAfter(130);
  CHECK(longer - shorter < 15);  // its landmarks alone would be 0.7 MiB, its pixels 20
}

TEST_CASE(
    "detect: a video's faces are printed and drawn frame by frame, with head pose and dense landmarks") {
  const TemporaryFolder folder("detect");
  writeClip(folder / "clip.mp4", 3, {1});
  const std::string clip = (folder / "clip.mp4").string();
  const RunResult result =
      runFacet({"detect", clip, "--json", "--dense", "--overlay", (folder / "marked").string()});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  const json video = json::parse(result.out)[clip];
  CHECK(video["fps"] == 20);
  REQUIRE(video["frames"].size() == 3);
  CHECK(video["frames"][1]["faces"].empty());
  for (const int i : {0, 2}) {
    CHECK(video["frames"][i]["frame"] == i);
    CHECK(video["frames"][i]["time_s"].get<double>() == doctest::Approx(i / 20.0));
    REQUIRE(video["frames"][i]["faces"].size() == 1);
    const json& face = video["frames"][i]["faces"][0];
    CHECK(face["landmarks68"].size() == 68);
    CHECK(face["dense"].size() == face["dense_sigma_px"].size());
    CHECK(face["dense"].size() > 100);
    CHECK(std::abs(face["pose"]["yaw_deg"].get<double>() - yawOf(i)) < 5);
    CHECK(std::abs(face["pose"]["roll_deg"].get<double>()) < 5);
  }
  VideoReader marked(folder / "marked/clip.mp4");
  CHECK(marked.expectedFrames() == 3);
  CHECK(filesBelow(folder / "marked") == std::vector<std::string>{"clip.mp4"});
  checkFailure(runFacet({"detect", clip, "--pts", (folder / "pts").string()}), 2, "--pts");
  checkFailure(runFacet({"detect", clip, "--overlay", (folder / "marked").string()}), 2, "--force");
}

TEST_CASE("detect: what --json has printed before an error is whole JSON") {
  const TemporaryFolder folder("detect");
  writeWall(folder / "wall.mp4", 120, 2);
  const std::string wall = (folder / "wall.mp4").string();
  const RunResult without_face = runFacet({"detect", wall, "--json"});
  checkFailure(without_face, 5, "no face found in any of its 2 frames");
  const json one = json::parse(without_face.out, nullptr, /*allow_exceptions=*/false);
  REQUIRE_MESSAGE(one.is_object(), without_face.out);
  CHECK(one[wall]["frames"].size() == 2);

  const RunResult batch = runFacet({"detect", wall, (folder / "missing.mp4").string(), wall, "--json"});
  CHECK_MESSAGE(batch.exit_code == 5, batch.err);
  CHECK_MESSAGE(json::accept(batch.out), batch.out);

  // An error between two frames.
  writeWall(folder / "long.mp4", 120, 200);
  const std::string clip = (folder / "long.mp4").string();
  RunOptions interrupted;
  interrupted.interrupt_when_working_in = folder / "marked";
  const RunResult stopped =
      runFacet({"detect", clip, "--json", "--overlay", (folder / "marked").string()}, interrupted);
  CHECK_MESSAGE(stopped.exit_code == 130, stopped.err);
  const json part = json::parse(stopped.out, nullptr, /*allow_exceptions=*/false);
  REQUIRE_MESSAGE(part.is_object(), stopped.out);
  CHECK(part[clip]["frames"].size() < 200);
}

TEST_CASE("track and detect: a video that is cut off gives a warning") {
  const TemporaryFolder folder("cut");
  writeClip(folder / "whole.avi", 16);  // its number of frames stands at the start
  const std::vector<std::uint8_t> bytes = readBytes(folder / "whole.avi");
  const auto placeOf = [&](const std::string& chunk) {
    return std::search(bytes.begin(), bytes.end(), chunk.begin(), chunk.end()) - bytes.begin();
  };
  writeBytes(folder / "cut.avi", bytes.data(), (placeOf("movi") + 2 * placeOf("idx1")) / 3);
  const std::string warning = "the file speaks of 16 frames";
  const std::string cut = (folder / "cut.avi").string();
  const RunResult detected = runFacet({"detect", cut});
  CHECK(detected.exit_code == 0);
  CHECK_MESSAGE(detected.err.find(warning) != std::string::npos, detected.err);
  const RunResult tracked = runFacet({"track", cut, "-o", (folder / "out").string(), "--no-overlay"});
  CHECK(tracked.exit_code == 0);
  CHECK_MESSAGE(tracked.err.find(warning) != std::string::npos, tracked.err);
  const RunResult whole = runFacet({"detect", (folder / "whole.avi").string()});
  CHECK(whole.exit_code == 0);
  CHECK_MESSAGE(whole.err.find(warning) == std::string::npos, whole.err);
}

TEST_CASE("detect: names of outputs matter only where some are written") {
  const TemporaryFolder folder("detect");
  for (const char* name : {"x/a", "y/a"}) {
    fs::create_directories(folder / name);
    writePng(folder / name / "me.png", Actor().picture(0));
  }
  const std::vector<std::string> arguments = {"detect", (folder / "x/a").string(), (folder / "y/a").string(),
                                              "--json"};
  const RunResult printed = runFacet(arguments);
  CHECK_MESSAGE(printed.exit_code == 0, printed.err);
  CHECK(json::parse(printed.out).size() == 2);
  std::vector<std::string> written = arguments;
  written.insert(written.end(), {"--pts", (folder / "out").string()});
  checkFailure(runFacet(written), 2, "would both be written as a_me_png");
}

TEST_CASE("detect: photos of one name do not write to one file") {
  const TemporaryFolder folder("detect");
  fs::create_directories(folder / "a");
  fs::create_directories(folder / "b");
  const Image8 photo = Actor().picture(0);
  for (const char* name : {"a/me.png", "b/me.png", "a/other.png"}) writePng(folder / name, photo);
  const std::vector<std::uint8_t> jpeg = encodeJpeg(photo);
  writeBytes(folder / "a/me.jpg", jpeg.data(), jpeg.size());
  const RunResult result = runFacet({"detect", (folder / "a").string(), (folder / "b").string(), "--overlay",
                                     (folder / "out").string(), "--pts", (folder / "out").string()});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  CHECK(filesBelow(folder / "out") == std::vector<std::string>{"a_me_png.png", "a_me_png.pts", "b_me_png.png",
                                                               "b_me_png.pts", "me_jpg.png", "me_jpg.pts",
                                                               "other.png", "other.pts"});
}

TEST_CASE("track: the face is held in every frame of real clips") {
  const auto data = realData();
  if (!data || !fs::exists(*data / "sequences")) {
    MESSAGE("skipped: no real data");
    return;
  }
  for (const char* clip : {"asl_yes/yes.mkv", "headpose_male/head-pose-face-detection-male.gif"}) {
    const TemporaryFolder folder("real");
    const RunResult result = runFacet({"track", (*data / "sequences" / clip).string(), "-o",
                                       (folder / "out").string(), "--json", "--no-overlay"});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    const json summary = json::parse(result.out);
    CHECK(summary["frames"] >= 60);
    CHECK(summary["frames_with_face"] == summary["frames"]);
    // The face of yes.mkv stays in the upper half; on the shirt below it is the print of a skull.
    const json frames = json::parse(readText(folder / "out/track.json"))["frames"];
    for (const json& confidence : frames["confidence"]) CHECK(confidence > 0.8);
    for (const std::string& file : filesBelow(folder / "out/frames")) {
      const std::vector<float> points = readNpz(folder / "out/frames" / file).at("landmarks68").asFloat();
      CHECK(points[2 * 30 + 1] < 200);
    }
  }
}
