// Files for animation programs, read by programs that are not ours: tinyusdz and Blender. Each test skips
// with a message where its judge is not installed.
#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/face_asset.h"
#include "core/io/files.h"
#include "core/io/model_io.h"
#include "core/io/usda.h"
#include "tests/apps/program.h"
#include "tests/data.h"

namespace fs = std::filesystem;
using namespace facet;
using namespace facet::test;
using nlohmann::json;

namespace {

// The built-in head with its shapes, a texture, and a motion in which the head turns and the jaw opens.
FaceAsset sampleAsset() {
  const MorphableModel model = loadModel("builtin");
  FaceAsset asset;
  asset.name = "head";
  asset.mesh = model.mesh(model.mean);
  asset.triangle_material = model.triangle_material;
  asset.materials.clear();
  Image8 texture(64, 64, 3, 180);
  const auto shared = std::make_shared<const Image8>(std::move(texture));
  for (const std::string& name : model.material_names) {
    asset.materials.push_back({});
    asset.materials.back().name = name;
    asset.materials.back().base_colour = shared;
  }
  for (int e = 0; e < model.numExpression(); ++e) {
    asset.targets.push_back({model.expression_names[e], model.expression.points(e)});
  }
  AssetMotion motion;
  motion.weights = Eigen::MatrixXf::Zero(11, model.numExpression());
  const int jaw_open = model.expressionIndex("jawOpen").value();
  for (int f = 0; f < 11; ++f) {
    motion.time_s.push_back(static_cast<float>(f) / 30);
    motion.weights(f, jaw_open) = 0.1F * static_cast<float>(f);
    Eigen::Isometry3f world_from_model = Eigen::Isometry3f::Identity();
    world_from_model.rotate(Eigen::AngleAxisf(0.03F * static_cast<float>(f), Eigen::Vector3f::UnitY()));
    world_from_model.translation() << 2.0F * static_cast<float>(f), 0, 0;
    motion.world_from_model.push_back(world_from_model);
  }
  asset.motion = motion;
  return asset;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("USDA: tinyusdz reads the head, its materials, shapes and time samples") {
  const fs::path module = fs::path(FACET_SOURCE_DIR) / "build/node/node_modules/tinyusdz";
  if (!fs::exists(module) || runProgram("node", {"--version"}).exit_code != 0) {
    MESSAGE("skipped: node or tinyusdz is not installed (scripts/test installs the latter where npm is)");
    return;
  }
  const TemporaryFolder folder("usda");
  const FaceAsset asset = sampleAsset();
  writeUsda(folder / "head.usda", asset);
  const RunResult result = runProgram("node", {std::string(FACET_SOURCE_DIR) + "/tests/apps/read_usda.mjs",
                                               module.string(), (folder / "head.usda").string()});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  const json seen = json::parse(result.out);
  CHECK_MESSAGE(seen["loaded"] == true, seen["error"].get<std::string>());
  CHECK(seen["error"] == "");
  CHECK_MESSAGE(seen["messages"].empty(), seen["messages"].dump());
  REQUIRE(seen["meshes"].size() == 1);
  const json& mesh = seen["meshes"][0];
  CHECK(mesh["triangles"] == asset.mesh.triangles.rows());
  CHECK(mesh["texcoords"] == asset.mesh.uv.rows());  // one point per texture coordinate, as in glTF
  double low_m = HUGE_VAL, high_m = -HUGE_VAL;
  for (std::size_t i = 1; i < mesh["points"].size(); i += 3) {
    low_m = std::min(low_m, mesh["points"][i].get<double>());
    high_m = std::max(high_m, mesh["points"][i].get<double>());
  }
  CHECK(low_m == doctest::Approx(asset.mesh.vertices.col(1).minCoeff() / 1000).epsilon(1e-5));
  CHECK(high_m == doctest::Approx(asset.mesh.vertices.col(1).maxCoeff() / 1000).epsilon(1e-5));
  const std::string layer = seen["layer"];
  CHECK(count(layer, "def BlendShape ") == asset.targets.size());
  CHECK(count(layer, "def GeomSubset ") == asset.materials.size());
  CHECK(count(layer, "def Material ") == asset.materials.size());
  CHECK(count(layer, "blendShapeWeights.timeSamples") == 1);
  CHECK(count(layer, "rotations.timeSamples") == 1);
}
