// Files for animation programs, read by programs that are not ours: tinyusdz and Blender. Each test skips
// with a message where its judge is not installed.
#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "apps/common/blender.h"
#include "core/error.h"
#include "core/face_asset.h"
#include "core/io/files.h"
#include "core/io/glb.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
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

// What Blender finds in an FBX or .blend: names, sizes and animation as JSON, and the shapes' points in
// facet's axes, metres, as (1 + shapes)×V×3.
struct BlenderReport {
  json seen;
  NpyArray points;
};

BlenderReport openWithBlender(const fs::path& file, const TemporaryFolder& folder) {
  writeText(folder / "check.py", R"(import bpy, json, sys, numpy
source, report, points = sys.argv[sys.argv.index('--') + 1:]
if source.endswith('.fbx'):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.fbx(filepath=source)
else:
    bpy.ops.wm.open_mainfile(filepath=source)
scene = bpy.context.scene
item = max((o for o in bpy.data.objects if o.type == 'MESH'), key=lambda o: len(o.data.vertices))
mesh = item.data
seen = {'keys': [k.name for k in mesh.shape_keys.key_blocks],
        'ranges': [[k.slider_min, k.slider_max] for k in mesh.shape_keys.key_blocks],
        'vertices': len(mesh.vertices), 'materials': [m.name for m in mesh.materials],
        'packed': [i.packed_file is not None for i in bpy.data.images if i.size[0] > 0],
        'camera': scene.camera is not None, 'lights': len(bpy.data.lights), 'frames': [scene.frame_start, scene.frame_end],
        'smooth': all(p.use_smooth for p in mesh.polygons), 'rate': scene.render.fps / scene.render.fps_base}
if mesh.shape_keys.animation_data and mesh.shape_keys.animation_data.action:
    first, last = mesh.shape_keys.animation_data.action.frame_range
    scene.frame_set(round(last))
    seen['last_weight'] = mesh.shape_keys.key_blocks['jawOpen'].value
    at_end = item.matrix_world.copy()
    scene.frame_set(round(first))
    seen['length'] = last - first
    turn = at_end @ item.matrix_world.inverted()
    seen['turn'] = turn.to_quaternion().angle
    seen['shift'] = list((at_end.translation - item.matrix_world.translation))
world = numpy.array(item.matrix_world)
rows = []
for key in mesh.shape_keys.key_blocks:
    values = numpy.empty(3 * len(mesh.vertices))
    key.data.foreach_get('co', values)
    values = values.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]
    rows.append(numpy.stack([values[:, 0], values[:, 2], -values[:, 1]], 1))
numpy.save(points, numpy.array(rows))
json.dump(seen, open(report, 'w'))
)");
  const RunResult result = runProgram(
      "blender", {"-b", "--factory-startup", "--python-exit-code", "3", "--python-expr",
                  "import numpy; numpy.bool=bool", "--python", (folder / "check.py").string(), "--",
                  file.string(), (folder / "report.json").string(), (folder / "points.npy").string()});
  REQUIRE_MESSAGE(result.exit_code == 0, result.out << result.err);
  return {json::parse(readText(folder / "report.json")), readNpy(folder / "points.npy")};
}

// Each of Blender's vertices is the asset's nearest one; where it is, and where the shapes take it, agrees to
// a micrometre.
void checkPoints(const BlenderReport& report, const FaceAsset& asset) {
  const std::int64_t num_shapes = static_cast<std::int64_t>(asset.targets.size());
  const Eigen::Index num_vertices = asset.mesh.vertices.rows();
  REQUIRE(report.points.shape == std::vector<std::int64_t>{num_shapes + 1, num_vertices, 3});
  const std::vector<double> values = report.points.asDouble();
  const auto seen = [&](std::int64_t shape, Eigen::Index v) {
    return Eigen::RowVector3d(Eigen::Map<const Eigen::RowVector3d>(&values[3 * (shape * num_vertices + v)]));
  };
  double largest_m = 0;
  for (Eigen::Index v = 0; v < num_vertices; ++v) {
    Eigen::Index nearest = 0;
    const Eigen::RowVector3d point_mm = 1000 * seen(0, v);
    (asset.mesh.vertices.rowwise() - point_mm.cast<float>()).rowwise().squaredNorm().minCoeff(&nearest);
    largest_m =
        std::max(largest_m, (seen(0, v) - 1e-3 * asset.mesh.vertices.row(nearest).cast<double>()).norm());
    for (std::int64_t t = 0; t < num_shapes; ++t) {
      const Eigen::RowVector3d moved = seen(t + 1, v) - seen(0, v);
      largest_m = std::max(largest_m,
                           (moved - 1e-3 * asset.targets[t].displacement.row(nearest).cast<double>()).norm());
    }
  }
  MESSAGE("largest difference " << 1e9 * largest_m << " nm");
  CHECK(largest_m < 1e-6);
}

std::vector<std::string> keyNames(const FaceAsset& asset) {
  std::vector<std::string> names = {"Basis"};
  for (const AssetTarget& target : asset.targets) names.push_back(target.name);
  return names;
}

bool hasBlender() {
  if (runProgram("blender", {"--version"}).exit_code == 0) return true;
  MESSAGE("skipped: blender is not installed");
  return false;
}

// The head turns by 0.3 radians and moves by 20 mm to its left while the jaw opens, in ten frames of 1/30 s.
void checkAnimation(const json& seen) {
  CHECK(seen["rate"].get<double>() == doctest::Approx(30));
  CHECK(seen["length"].get<double>() == doctest::Approx(10).epsilon(1e-3));
  CHECK(seen["last_weight"].get<double>() == doctest::Approx(1).epsilon(1e-3));
  CHECK(seen["turn"].get<double>() == doctest::Approx(0.3).epsilon(1e-3));
  CHECK(seen["shift"][0].get<double>() == doctest::Approx(0.02).epsilon(1e-3));
}

}  // namespace

TEST_CASE("FBX: Blender reads back the shapes, names, size and animation") {
  if (!hasBlender()) return;
  const TemporaryFolder folder("fbx");
  FaceAsset asset = sampleAsset();
  Image8 flat(32, 32, 3, 128);
  for (std::size_t i = 2; i < flat.size(); i += 3) flat.data()[i] = 255;
  asset.materials[0].normal = std::make_shared<const Image8>(flat);
  writeGlb(folder / "head.glb", asset);
  convertWithBlender(folder / "head.glb", folder / "head.fbx");
  const BlenderReport report = openWithBlender(folder / "head.fbx", folder);
  CHECK(report.seen["keys"].get<std::vector<std::string>>() == keyNames(asset));
  CHECK(report.seen["materials"].size() == asset.materials.size());
  CHECK(report.seen["packed"] == json({true, true}));
  checkPoints(report, asset);
  checkAnimation(report.seen);
  // Images keep names of their own, and no path of this machine.
  CHECK(readText(folder / "head.fbx").find("head_normal.png") != std::string::npos);
  CHECK(readText(folder / "head.fbx").find(folder.path().string()) == std::string::npos);
  // The numbers themselves are centimetres, and the file says so.
  const std::string fbx = readText(folder / "head.fbx");
  const std::size_t unit = fbx.find("UnitScaleFactor");
  REQUIRE(unit != std::string::npos);
  const std::size_t value = fbx.find('D', fbx.find("Number", unit));
  double centimetres = 0;
  std::memcpy(&centimetres, fbx.data() + value + 1, sizeof centimetres);
  CHECK(centimetres == doctest::Approx(1));
  CHECK(filesBelow(folder.path()) ==
        std::vector<std::string>{"check.py", "head.fbx", "head.glb", "points.npy", "report.json"});
}

TEST_CASE(".blend: opens with shapes in [0, 1], packed images, camera, lights and animation") {
  if (!hasBlender()) return;
  const TemporaryFolder folder("blend");
  const FaceAsset asset = sampleAsset();
  writeGlb(folder / "head.glb", asset);
  convertWithBlender(folder / "head.glb", folder / "head.blend");
  const BlenderReport report = openWithBlender(folder / "head.blend", folder);
  CHECK(report.seen["keys"].get<std::vector<std::string>>() == keyNames(asset));
  for (const json& range : report.seen["ranges"]) CHECK(range == json({0, 1}));
  CHECK(report.seen["packed"] == json({true}));
  CHECK(report.seen["camera"] == true);
  CHECK(report.seen["lights"] == 3);
  CHECK(report.seen["smooth"] == true);
  checkPoints(report, asset);
  checkAnimation(report.seen);
}

TEST_CASE("Blender: none, or one that fails, is one line with the way out, and nothing is left") {
  const TemporaryFolder folder("no-blender");
  writeText(folder / "broken.glb", "not a GLB");
  setenv("FACET_BLENDER", "/no/such/blender", 1);
  CHECK_THROWS_WITH_AS(convertWithBlender(folder / "broken.glb", folder / "a.fbx"),
                       doctest::Contains("FACET_BLENDER"), Error);
  unsetenv("FACET_BLENDER");
  if (hasBlender()) {
    CHECK_THROWS_WITH_AS(convertWithBlender(folder / "broken.glb", folder / "a.blend"),
                         doctest::Contains("broken.glb: is not a GLB"), Error);
  }
  CHECK_THROWS_WITH_AS(convertWithBlender(folder / "broken.glb", folder / "a.max"),
                       doctest::Contains(".fbx or .blend"), Error);
  CHECK(filesBelow(folder.path()) == std::vector<std::string>{"broken.glb"});
}

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
