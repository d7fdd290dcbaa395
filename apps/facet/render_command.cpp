// facet render RESULT|MODEL -o PICTURE.png
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "apps/facet/command.h"
#include "apps/facet/model_library.h"
#include "apps/facet/output_folder.h"
#include "core/error.h"
#include "core/io/image_io.h"
#include "core/io/mesh_io.h"
#include "render/face_renderer.h"
#include "render/studio.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

struct Arguments {
  std::string input, output, mesh = "coarse";
  std::vector<std::string> expressions, joints;
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
    try {
      const float weight = std::stof(setting.substr(equals + 1));
      (index ? expression[*index] : blendshapes[shape - model.blendshape_names.begin()]) = weight;
    } catch (const std::exception&) {
      fail(ErrorKind::kUsage, "--expression ", setting, ": the weight is not a number");
    }
  }
  const Points3 pose = jointPose(model, joint_settings);
  if (blendshapes.isZero(0)) return model.vertices({}, expression, pose);
  MorphableModel reshaped = model;  // bases are shared, not copied
  model.blendshapes.addTo(blendshapes, reshaped.mean.data(), reshaped.mean.size());
  return reshaped.vertices({}, expression, pose);
}

int render(const Arguments& arguments, Session& session) {
  prepareOutputFile(arguments.output, arguments.force);
  Mesh mesh;
  ShadeOptions shade;
  shade.light = studioLight();
  shade.background = Eigen::Vector3f::Constant(0.9F);
  shade.cull_backfaces = true;
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

void addRender(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand("render", "A picture of a result or of a model");
  verb->fallthrough();
  verb->add_option("INPUT", arguments->input, "result folder, or a model: builtin, a name or a file")
      ->required();
  verb->add_option("-o,--output", arguments->output, "PNG to write")->required();
  verb->add_option("--mesh", arguments->mesh, "of a result: coarse (with expression) or neutral")
      ->check(CLI::IsMember({"coarse", "neutral"}))
      ->capture_default_str();
  verb->add_option("--expression", arguments->expressions, "of a model: NAME=WEIGHT, may be repeated");
  verb->add_option("--joint", arguments->joints,
                   "of a model with joints: NAME=X,Y,Z, axis times angle in degrees, may be repeated");
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
      "--expression mouthSmileLeft=1");
  verb->callback(
      [&session, arguments] { session.run = [&session, arguments] { return render(*arguments, session); }; });
}

}  // namespace facet
