// facet render RESULT|MODEL -o PICTURE.png
#include <algorithm>
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
  std::vector<std::string> expressions;
  OrbitOptions orbit;
  bool force = false;
};

// The mean with expressions or named shapes, each given as NAME=WEIGHT.
Points3 shapedMean(const MorphableModel& model, const std::vector<std::string>& settings) {
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
  Points3 vertices = model.vertices({}, expression);
  model.blendshapes.addTo(blendshapes, vertices.data(), vertices.size());
  return vertices;
}

int render(const Arguments& arguments, Session& session) {
  prepareOutputFile(arguments.output, arguments.force);
  Mesh mesh;
  ShadeOptions shade;
  shade.light = studioLight();
  shade.background = Eigen::Vector3f::Constant(0.9F);
  const fs::path folder = arguments.input;
  if (fs::exists(folder / "fit.json")) {
    mesh = readObj(folder / "mesh" / (arguments.mesh + ".obj"));
    if (!arguments.expressions.empty()) {
      fail(ErrorKind::kUsage, "--expression works on a model; a result shows the photo's own expression");
    }
    const fs::path texture = folder / "maps/texture.png";
    if (fs::exists(texture) && mesh.hasUv()) shade.albedo_texture = linearFromSrgb(readPhoto(texture));
  } else {
    const MorphableModel model = loadNamedModel(arguments.input, session);
    mesh = model.mesh(shapedMean(model, arguments.expressions));
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
