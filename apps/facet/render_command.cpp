// facet render RESULT|MODEL -o PICTURE.png|CLIP.mp4
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "apps/common/head.h"
#include "apps/common/interrupt.h"
#include "apps/common/model_library.h"
#include "apps/common/output_folder.h"
#include "apps/common/take_source.h"
#include "apps/facet/command.h"
#include "core/error.h"
#include "core/io/image_io.h"
#include "core/io/mesh_io.h"
#include "core/io/video_io.h"
#include "render/face_renderer.h"
#include "render/studio.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

struct Arguments {
  std::string input, output, mesh = "coarse";
  std::vector<std::string> expressions, joints;
  std::string animate, model;
  int frame = -1;  // of --animate; -1 = all
  double timecode_fps = 0;
  bool still_head = false;
  OrbitOptions orbit;
  bool force = false;
};

// J×3 rotations from settings NAME=X,Y,Z; empty when there are none.
Points3 jointPose(const MorphableModel& model, const std::vector<std::string>& settings) {
  if (settings.empty()) return {};
  if (!model.skeleton) fail(ErrorKind::kUsage, "--joint: model ", model.name, " has no joints");
  Points3 pose = Points3::Zero(model.skeleton->numJoints(), 3);
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    const int joint = model.skeleton->jointIndex(setting.substr(0, equals));
    Eigen::Vector3f angle_degrees;
    if (equals == std::string::npos || joint < 0 ||
        std::sscanf(setting.c_str() + equals + 1, "%f,%f,%f", &angle_degrees[0], &angle_degrees[1],
                    &angle_degrees[2]) != 3) {
      fail(ErrorKind::kUsage, "--joint ", setting,
           ": expected NAME=X,Y,Z in degrees with a joint of facet model info");
    }
    pose.row(joint) = angle_degrees * static_cast<float>(M_PI / 180);
  }
  return pose;
}

// The mean with expressions or named shapes, each given as NAME=WEIGHT.
Points3 shapedMean(const MorphableModel& model, const std::vector<std::string>& settings,
                   const std::vector<std::string>& joint_settings) {
  Eigen::VectorXf expression = Eigen::VectorXf::Zero(model.numExpression());
  Eigen::VectorXf blendshapes = Eigen::VectorXf::Zero(model.blendshapes.cols());
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    const std::string name = setting.substr(0, equals);
    const auto shape = std::find(model.blendshape_names.begin(), model.blendshape_names.end(), name);
    const auto index = model.expressionIndex(name);
    if (equals == std::string::npos || (!index && shape == model.blendshape_names.end())) {
      fail(ErrorKind::kUsage, "--expression ", setting,
           ": expected NAME=WEIGHT with a name of facet model info");
    }
    char* end = nullptr;
    const float weight = std::strtof(setting.c_str() + equals + 1, &end);
    if (end == setting.c_str() + equals + 1 || *end != '\0' || !std::isfinite(weight)) {
      fail(ErrorKind::kUsage, "--expression ", setting, ": the weight is not a number");
    }
    (index ? expression[*index] : blendshapes[shape - model.blendshape_names.begin()]) = weight;
  }
  const Points3 pose = jointPose(model, joint_settings);
  if (blendshapes.isZero(0)) return model.vertices({}, expression, pose);
  MorphableModel reshaped = model;  // bases are shared, not copied
  model.blendshapes.addTo(blendshapes, reshaped.mean.data(), reshaped.mean.size());
  return reshaped.vertices({}, expression, pose);
}

ShadeOptions studioShade() {
  ShadeOptions shade;
  shade.light = studioLight();
  shade.background = Eigen::Vector3f::Constant(0.9F);
  shade.cull_backfaces = true;
  return shade;
}

// The model, or the person of a result with the identity in the mean; `shade` gets its colours.
MorphableModel headToDrive(const Arguments& arguments, ShadeOptions& shade, Session& session) {
  // --model may be that of the take.
  Head head = openHead(arguments.input, isResult(arguments.input) ? arguments.model : "", session);
  head.model.mean = head.neutral();
  if (!head.texture.empty()) {
    shade.albedo_texture = linearFromSrgb(head.texture);
  } else if (head.model.albedo_mean.rows() > 0) {
    shade.albedo = head.model.albedo_mean;
  }
  return head.model;
}

// A head that a take drives: a clip, or one picture of it.
int renderTake(const Arguments& arguments, Session& session) {
  const bool is_clip = fs::path(arguments.output).extension() == ".mp4";
  if (!is_clip && isVideoName(arguments.output)) {
    fail(ErrorKind::kUsage, arguments.output, ": clips are written as .mp4");
  }
  if (is_clip && arguments.frame >= 0) {
    fail(ErrorKind::kUsage, "--frame: one frame is a picture; give -o a name that ends in .png");
  }
  if (!arguments.expressions.empty() || !arguments.joints.empty()) {
    fail(ErrorKind::kUsage, "--animate sets the expression; leave --expression and --joint out");
  }
  const TakeSource source = loadTake(arguments.animate, {arguments.timecode_fps, arguments.model}, session);
  for (const std::string& note : source.notes) session.console.say(arguments.animate + ": " + note);
  ShadeOptions shade = studioShade();
  TakePlayer player(headToDrive(arguments, shade, session), source.take);
  if (!player.missing().empty()) {
    std::string names;
    for (const std::string& name : player.missing()) names += (names.empty() ? "" : ", ") + name;
    session.console.warn(player.model().name + " has no shape for: " + names);
  }
  if (arguments.frame >= player.numFrames()) {
    fail(ErrorKind::kUsage, "--frame ", arguments.frame, ": the take has frames 0 to ",
         player.numFrames() - 1);
  }
  const Camera camera = orbitCamera(player.model().mean, arguments.orbit);
  const auto picture = [&](int frame) {
    const Points3 vertices = player.vertices(frame, !arguments.still_head);
    return srgbFromLinear(renderFace(player.model().mesh(vertices), camera, shade).colour);
  };
  if (!is_clip) {
    writePng(arguments.output, picture(std::max(arguments.frame, 0)));
    session.console.say("wrote " + arguments.output);
    return 0;
  }
  const fs::path output = arguments.output;
  OutputFiles files(output.parent_path(), arguments.force);
  {
    VideoWriter video(files.temporary() / output.filename(), arguments.orbit.size_px, arguments.orbit.size_px,
                      source.take.fps);
    for (int frame = 0; frame < player.numFrames(); ++frame) {
      throwIfInterrupted();
      session.console.progress(output.filename().string(), "draw the frames",
                               static_cast<double>(frame) / player.numFrames());
      video.write(picture(frame));
    }
    video.finish();
  }
  files.commit();
  session.console.endProgress();
  session.console.say("wrote " + arguments.output + ": " + std::to_string(player.numFrames()) + " frames, " +
                      fixed(source.take.fps, 2) + " per second");
  return 0;
}

int render(const Arguments& arguments, Session& session) {
  const std::string extension = fs::path(arguments.output).extension().string();
  if (extension != ".png" && (arguments.animate.empty() || extension != ".mp4")) {
    fail(ErrorKind::kUsage, arguments.output, ": a picture's name ends in .png",
         extension == ".mp4" ? ", a clip needs --animate" : "; a clip's, with --animate, in .mp4");
  }
  prepareOutputFile(arguments.output, arguments.force);
  if (!arguments.animate.empty()) return renderTake(arguments, session);
  if (arguments.frame >= 0) fail(ErrorKind::kUsage, "--frame is one of a take; give that with --animate");
  Mesh mesh;
  ShadeOptions shade = studioShade();
  const fs::path folder = arguments.input;
  if (fs::exists(folder / "fit.json")) {
    mesh = readObj(folder / "mesh" / (arguments.mesh + ".obj"));
    if (!arguments.expressions.empty() || !arguments.joints.empty()) {
      fail(ErrorKind::kUsage,
           "--expression and --joint work on a model; a result shows the photo's own expression");
    }
    const fs::path texture = folder / "maps/texture.png";
    if (fs::exists(texture) && mesh.hasUv()) shade.albedo_texture = linearFromSrgb(readPhoto(texture));
  } else {
    const MorphableModel model = loadNamedModel(arguments.input, session);
    mesh = model.mesh(shapedMean(model, arguments.expressions, arguments.joints));
    if (model.albedo_mean.rows() > 0) shade.albedo = model.albedo_mean;
  }
  writePng(arguments.output,
           srgbFromLinear(renderFace(mesh, orbitCamera(mesh.vertices, arguments.orbit), shade).colour));
  session.console.say("wrote " + arguments.output);
  return 0;
}

}  // namespace

void addRender(CLI::App& app, CommandSession& session) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand("render", "A picture of a result or of a model");
  verb->fallthrough();
  verb->add_option("INPUT", arguments->input, "result folder, or a model: builtin, a name or a file")
      ->required();
  verb->add_option("-o,--output", arguments->output, "PNG to write; with --animate also a clip, out.mp4")
      ->required();
  verb->add_option("--mesh", arguments->mesh, "of a result: coarse (with expression) or neutral")
      ->check(CLI::IsMember({"coarse", "neutral"}))
      ->capture_default_str();
  verb->add_option("--expression", arguments->expressions,
                   "of a model: NAME=WEIGHT, separated by commas or repeated")
      ->delimiter(',');
  verb->add_option("--joint", arguments->joints,
                   "of a model with joints: NAME=X,Y,Z, axis times angle in degrees, may be repeated");
  verb->add_option(
      "--animate", arguments->animate,
      "drive the head: take.csv (Live Link Face), take.json, or a folder of track or reconstruct");
  verb->add_option("--frame", arguments->frame, "of --animate: one frame, counted from 0")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--timecode-fps", arguments->timecode_fps,
                   "of a CSV: what its timecodes count by; 0 = 60, or what they show")
      ->check(CLI::Range(0.0, 1000.0));
  verb->add_flag("--still-head", arguments->still_head, "of --animate: leave the head's turns out");
  verb->add_option("--model", arguments->model,
                   "of results made with another model than the built-in one: its name or file");
  verb->add_option("--size", arguments->orbit.size_px, "side of the picture, pixels")
      ->check(CLI::Range(16, 8192))
      ->capture_default_str();
  verb->add_option("--yaw", arguments->orbit.yaw_degrees, "camera to the subject's left, degrees")
      ->check(CLI::Range(-180.0, 180.0));
  verb->add_option("--pitch", arguments->orbit.pitch_degrees, "camera up, degrees")
      ->check(CLI::Range(-90.0, 90.0));
  verb->add_option("--fov", arguments->orbit.field_of_view_degrees, "field of view, degrees")
      ->check(CLI::Range(5.0, 90.0))
      ->capture_default_str();
  verb->add_flag("--force", arguments->force, "overwrite the picture");
  verb->footer(
      "Examples:\n  facet render portrait -o turned.png --yaw 40\n  facet render builtin -o smile.png "
      "--expression mouthSmileLeft=1\n  facet render portrait -o talking.mp4 --animate take.csv");
  verb->callback(
      [&session, arguments] { session.run = [&session, arguments] { return render(*arguments, session); }; });
}

}  // namespace facet
