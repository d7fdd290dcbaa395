// facet render --animate: takes from files and results, through the real program.
#include <doctest/doctest.h>

#include <Eigen/LU>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "core/eyeballs.h"
#include "core/io/facet_model.h"
#include "core/io/files.h"
#include "core/io/image_io.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
#include "core/io/take_io.h"
#include "core/io/video_io.h"
#include "fitting/head_pose.h"
#include "tests/apps/program.h"
#include "tests/data.h"

namespace fs = std::filesystem;
using namespace facet;
using namespace facet::test;
using nlohmann::json;

namespace {

Take smile(int num_frames) {
  Take take;
  take.names = {"mouthSmileLeft", "jawOpen", "eyeBlinkRight"};
  take.fps = 30;
  take.weights.resize(num_frames, 3);
  for (int f = 0; f < num_frames; ++f) {
    const float u = static_cast<float>(f) / static_cast<float>(num_frames - 1);
    take.time_s.push_back(f / 30.0);
    take.weights.row(f) << 0.8F * u, 0.5F * (1 - u), u * u;
  }
  take.head_deg = Points3::Zero(num_frames, 3);
  return take;
}

NpyArray floats(const Eigen::VectorXf& values) { return NpyArray::fromFloat(values.data(), {values.size()}); }

// A result of facet track in which `model` plays the weights (F×expressions); no face where `is_known` is
// false.
void writeTrack(const fs::path& folder, const MorphableModel& model, const Eigen::MatrixXf& expression,
                const Take& take, const std::vector<bool>& is_known) {
  fs::create_directories(folder / "frames");
  json track = {{"clip",
                 {{"path", "clip.mp4"},
                  {"fps", take.fps},
                  {"frames", take.numFrames()},
                  {"width", 640},
                  {"height", 480}}},
                {"model", {{"id", model.id}}},
                {"identity", json::array({0.5, -0.5})},
                {"expression_names", model.expression_names}};
  if (model.skeleton) track["joint_names"] = model.skeleton->names;
  for (int f = 0; f < take.numFrames(); ++f) {
    track["frames"]["time_s"].push_back(take.time_s[f]);
    Npz arrays;
    const std::uint8_t has_face = is_known[f] ? 1 : 0;
    arrays["has_face"] = NpyArray::fromUint8(&has_face, {});
    arrays["time_s"] = NpyArray::fromDouble(&take.time_s[f], {});
    if (is_known[f]) {
      const float intrinsics[9] = {700, 0, 320, 0, 700, 240, 0, 0, 1};
      arrays["K"] = NpyArray::fromFloat(intrinsics, {3, 3});
      arrays["expression"] = floats(expression.row(f).transpose());
      Eigen::Matrix<float, 4, 4, Eigen::RowMajor> camera_from_model = Eigen::Matrix4f::Identity();
      camera_from_model.topLeftCorner<3, 3>() =
          rotationFromHeadPose({take.head_deg(f, 0), take.head_deg(f, 1), take.head_deg(f, 2)});
      if (model.skeleton) {  // a turned head is no expression
        Points3 turned = Points3::Zero(model.skeleton->numJoints(), 3);
        turned(1, 1) = 0.3F;
        arrays["joint_rotations"] = NpyArray::fromFloat(turned.data(), {turned.rows(), 3});
      }
      arrays["camera_from_model"] = NpyArray::fromFloat(camera_from_model.data(), {4, 4});
    }
    char name[24];
    std::snprintf(name, sizeof name, "%06d.npz", f);
    writeNpz(folder / "frames" / name, arrays);
  }
  writeText(folder / "track.json", track.dump());
}

// A head with joints, as FLAME has them: the neck carries everything but the eyeballs.
Skeleton jointsOf(const MorphableModel& model) {
  Skeleton skeleton;
  skeleton.names = {"root", "neck", "left_eye", "right_eye"};
  skeleton.parent = {-1, 0, 1, 1};
  const int num_joints = skeleton.numJoints();
  skeleton.weights.setZero(model.numVertices(), num_joints);
  std::vector<std::vector<int>> members(skeleton.names.size());
  for (int v = 0; v < model.numVertices(); ++v) {
    const std::string& region = model.region_names[model.region[v]];
    const int joint = region == "eyeball_left" ? 2 : region == "eyeball_right" ? 3 : 1;
    skeleton.weights(v, joint) = 1;
    members[joint].push_back(v);
  }
  members[0] = members[1];
  const std::array<Eyeball, 2> balls = eyeballs(model, model.mean);
  skeleton.regressor.resize(num_joints, model.numVertices());
  for (int j = 0; j < num_joints; ++j) {
    // The smallest weights that sum to 1 and meet the joint's place.
    Eigen::MatrixXd system(4, members[j].size());
    for (std::size_t i = 0; i < members[j].size(); ++i) {
      system.col(static_cast<Eigen::Index>(i)) << model.mean.row(members[j][i]).transpose().cast<double>(), 1;
    }
    Eigen::Vector4d place(0, -50, 0, 1);
    if (j >= 2) place.head<3>() = balls[j - 2].centre_mm.transpose().cast<double>();
    const Eigen::VectorXd weights = system.transpose() * (system * system.transpose()).inverse() * place;
    for (std::size_t i = 0; i < members[j].size(); ++i) {
      skeleton.regressor.insert(j, members[j][i]) = static_cast<float>(weights[static_cast<Eigen::Index>(i)]);
    }
  }
  return skeleton;
}

Image8 frameOf(const fs::path& animate, int frame, const fs::path& output,
               const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {
      "render",        "builtin", "--animate", animate.string(), "--frame", std::to_string(frame), "-o",
      output.string(), "--size",  "200",       "--force"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const RunResult result = runFacet(arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  return readPhoto(output);
}

// Mean absolute difference, 0 to 255.
double difference(const Image8& a, const Image8& b) {
  REQUIRE(a.size() == b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(int{a.data()[i]} - int{b.data()[i]});
  return sum / static_cast<double>(a.size());
}

Eigen::MatrixXf expressionOf(const MorphableModel& model, const Take& take) {
  return weightsFor(take, model.expression_names).weights;
}

}  // namespace

TEST_CASE("render --animate: a take becomes a clip of as many frames, and each frame a picture") {
  const TemporaryFolder folder("take");
  Take take = smile(7);
  take.head_deg.col(0).setConstant(20);
  writeTake(folder / "take.csv", take);
  const RunResult result = runFacet({"render", "builtin", "--animate", (folder / "take.csv").string(), "-o",
                                     (folder / "out.mp4").string(), "--size", "200"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  CHECK(result.out.empty());
  VideoReader video(folder / "out.mp4");
  CHECK(std::abs(video.fps() - 30) < 0.1);
  int count = 0;
  std::optional<VideoFrame> last;
  while (auto frame = video.next()) last = std::move(frame), ++count;
  CHECK(count == 7);
  const Image8 first = frameOf(folder / "take.csv", 0, folder / "a.png");
  const Image8 end = frameOf(folder / "take.csv", 6, folder / "b.png");
  CHECK(difference(last->pixels, end) < 5);  // compressed
  CHECK(difference(last->pixels, end) < difference(last->pixels, first));
  CHECK(difference(first, end) > 0.5);
  CHECK(difference(end, frameOf(folder / "take.csv", 6, folder / "c.png", {"--still-head"})) > 3);
  for (const std::string& file : filesBelow(folder.path())) CHECK(file.find(".tmp") == std::string::npos);
}

TEST_CASE("render --animate: JSON plays as CSV does, and curves without a shape are named") {
  const TemporaryFolder folder("take");
  Take take = smile(3);
  take.head_deg = Points3();
  writeTake(folder / "take.csv", take);
  take.names.push_back("tongueOut");
  take.weights.conservativeResize(3, 4);
  take.weights.col(3).setConstant(0.5F);
  writeTake(folder / "take.json", take);
  CHECK(difference(frameOf(folder / "take.csv", 1, folder / "a.png"),
                   frameOf(folder / "take.json", 1, folder / "b.png")) == 0);
  const RunResult result = runFacet({"render", "builtin", "--animate", (folder / "take.json").string(), "-o",
                                     (folder / "c.png").string(), "--size", "64"});
  CHECK(result.exit_code == 0);
  CHECK(result.err.find("no shape for: tongueOut") != std::string::npos);
}

TEST_CASE(
    "render --animate: a track's named expressions are its curves; a frame without a face lies between") {
  const TemporaryFolder folder("take");
  const MorphableModel model = loadModel("builtin");
  Take take = smile(5);
  take.head_deg.col(1).setConstant(-15);
  Take straight = take;  // what is filled in
  straight.weights.row(2) = 0.5F * (take.weights.row(1) + take.weights.row(3));
  writeTrack(folder / "track", model, expressionOf(model, take), take, {true, true, false, true, true});
  writeTake(folder / "take.json", straight);
  for (const int frame : {1, 2}) {
    CHECK(difference(frameOf(folder / "track", frame, folder / "a.png"),
                     frameOf(folder / "take.json", frame, folder / "b.png")) < 0.02);
  }
  const RunResult result = runFacet({"render", "builtin", "--animate", (folder / "track").string(), "-o",
                                     (folder / "c.png").string(), "--size", "64"});
  CHECK(result.err.find("1 of 5 frames have no face") != std::string::npos);
}

TEST_CASE("render --animate: a track in another model's modes is solved for the curves") {
  const TemporaryFolder folder("take");
  const MorphableModel builtin = loadModel("builtin");
  MorphableModel modes = builtin;  // the same faces, in modes that mix all shapes
  modes.id = "modes";
  modes.blendshapes = builtin.expression;
  modes.blendshape_names = builtin.expression_names;
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  const Eigen::Index count = builtin.numExpression();
  const Eigen::MatrixXf mix =
      Eigen::MatrixXf::Identity(count, count) +
      0.1F * Eigen::MatrixXf::NullaryExpr(count, count, [&] { return normal(random); });
  modes.expression = Basis(Eigen::MatrixXf(builtin.expression.dense() * mix));
  modes.num_blendshapes = 0;
  for (std::size_t k = 0; k < modes.expression_names.size(); ++k) {
    modes.expression_names[k] = "mode" + std::to_string(k);
  }
  modes.skeleton = jointsOf(modes);
  writeFacetModel(folder / "modes.npz", modes);
  const Take take = smile(5);
  const Eigen::MatrixXf coefficients =
      mix.inverse() * expressionOf(builtin, take).transpose();  // mode coefficients of the same faces
  writeTrack(folder / "track", modes, coefficients.transpose(), take, std::vector<bool>(5, true));
  writeTake(folder / "take.json", take);
  const std::string model = (folder / "modes.npz").string();
  const Image8 solved = frameOf(folder / "track", 4, folder / "a.png", {"--model", model});
  const Image8 truth = frameOf(folder / "take.json", 4, folder / "b.png");
  CHECK(difference(solved, truth) < 0.1);
  CHECK(difference(frameOf(folder / "take.json", 0, folder / "c.png"), truth) > 0.5);

  const RunResult nameless = runFacet(
      {"render", "builtin", "--animate", (folder / "track").string(), "-o", (folder / "d.png").string()});
  CHECK(nameless.exit_code == 4);
  CHECK(nameless.err.find("--model") != std::string::npos);
}

TEST_CASE(
    "render --animate: eyes look where the curves say, eyeballs as well as joints, or as the rotations say") {
  const TemporaryFolder folder("take");
  const MorphableModel builtin = loadModel("builtin");
  MorphableModel jointed = builtin;
  jointed.id = "jointed";
  jointed.skeleton = jointsOf(builtin);
  writeFacetModel(folder / "jointed.npz", jointed);
  Take take = smile(2);
  take.head_deg = Points3();
  take.names = {"eyeLookOutLeft", "eyeLookInRight", "eyeLookUpLeft"};
  take.weights << 0, 0, 0, 0.8F, 0.8F, 0;
  const auto eyes = [&](const char* model, int frame) {
    writeTake(folder / "take.json", take);
    const std::string input = model == std::string("builtin") ? model : (folder / model).string();
    const RunResult result = runFacet({"render", input, "--animate", (folder / "take.json").string(),
                                       "--frame", std::to_string(frame), "-o", (folder / "out.png").string(),
                                       "--size", "300", "--fov", "20", "--force"});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    return readPhoto(folder / "out.png");
  };
  const Image8 turned = eyes("jointed.npz", 1), same = eyes("builtin", 1);
  take.weights.setZero();
  take.left_eye_deg = take.right_eye_deg = Points3::Zero(2, 3);
  const Image8 straight = eyes("builtin", 1);
  take.left_eye_deg(1, 0) = take.right_eye_deg(1, 0) = 24;
  const Image8 by_rotation = eyes("builtin", 1);
  CHECK(difference(turned, same) < 0.1 * difference(straight, same));
  CHECK(difference(by_rotation, straight) > 0.2);
  CHECK(difference(by_rotation, same) < difference(straight, same));  // the lids follow the curves alone
}

TEST_CASE("render --animate: a reconstructed person plays a take in its own texture") {
  const TemporaryFolder folder("take");
  const Portrait portrait = writePortrait(folder.path());
  const fs::path person = folder / "person";
  const RunResult made =
      runFacet({"reconstruct", portrait.photo.string(), "-o", person.string(), "--texture-size", "256"});
  REQUIRE_MESSAGE(made.exit_code == 0, made.err);
  const Take take = smile(2);
  writeTake(folder / "take.csv", take);
  const auto frame = [&](int number) {
    const RunResult result =
        runFacet({"render", person.string(), "--animate", (folder / "take.csv").string(), "--frame",
                  std::to_string(number), "-o", (folder / "out.png").string(), "--size", "200", "--force"});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    return readPhoto(folder / "out.png");
  };
  CHECK(difference(frame(0), frame(1)) > 0.5);
  // The person's own expression is a take of one frame.
  frameOf(person, 0, folder / "self.png");
}

TEST_CASE("render --animate: what cannot be played is refused by name, and nothing is left behind") {
  const TemporaryFolder folder("take");
  writeTake(folder / "take.csv", smile(2));
  writeText(folder / "bad.csv", "Timecode,BlendShapeCount,JawOpen\n00:00:00:00,61,wide\n");
  Take other = smile(2);
  other.names = {"a", "b", "c"};
  writeTake(folder / "other.json", other);
  fs::create_directories(folder / "empty");
  const std::string take = (folder / "take.csv").string(), png = (folder / "out.png").string(),
                    mp4 = (folder / "out.mp4").string();
  struct Case {
    std::vector<std::string> arguments;
    int exit_code;
    std::string said;
  };
  const Case cases[] = {
      {{"--animate", (folder / "bad.csv").string(), "-o", mp4}, 3, "bad.csv, line 2: jawOpen is \"wide\""},
      {{"--animate", (folder / "absent.csv").string(), "-o", mp4}, 3, "absent.csv"},
      {{"--animate", (folder / "empty").string(), "-o", mp4}, 3, "track.json"},
      {{"--animate", (folder / "other.json").string(), "-o", mp4}, 3, "none of the take's 3 curves"},
      {{"--animate", take, "-o", png, "--frame", "2"}, 2, "frames 0 to 1"},
      {{"--animate", take, "-o", mp4, "--frame", "0"}, 2, "--frame"},
      {{"--animate", take, "-o", (folder / "out.gif").string()}, 2, ".mp4"},
      {{"--animate", take, "-o", png, "--expression", "jawOpen=1"}, 2, "--expression"},
      {{"-o", png, "--frame", "0"}, 2, "--animate"},
  };
  for (const Case& bad : cases) {
    std::vector<std::string> arguments = {"render", "builtin"};
    arguments.insert(arguments.end(), bad.arguments.begin(), bad.arguments.end());
    const RunResult result = runFacet(arguments);
    CAPTURE(result.err);
    CHECK(result.exit_code == bad.exit_code);
    CHECK(result.err.find(bad.said) != std::string::npos);
  }
  CHECK(filesBelow(folder.path()) == std::vector<std::string>{"bad.csv", "other.json", "take.csv"});
}
