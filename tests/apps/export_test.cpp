// facet export through the real program: results, clips and models out to other tools.
#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/eyeballs.h"
#include "core/io/files.h"
#include "core/io/glb_reader.h"
#include "core/io/image_io.h"
#include "core/io/mesh_io.h"
#include "core/io/model_io.h"
#include "core/io/take_io.h"
#include "core/mesh_parts.h"
#include "fitting/head_pose.h"
#include "render/face_renderer.h"
#include "tests/apps/program.h"
#include "tests/data.h"

namespace fs = std::filesystem;
using namespace facet;
using namespace facet::test;
using nlohmann::json;

namespace {

RunResult exportTo(const fs::path& input, const fs::path& output, std::vector<std::string> options = {}) {
  std::vector<std::string> arguments = {"export", input.string(), "-o", output.string()};
  arguments.insert(arguments.end(), options.begin(), options.end());
  return runFacet(arguments);
}

FaceAsset exported(const fs::path& input, const fs::path& output, std::vector<std::string> options = {}) {
  const RunResult run = exportTo(input, output, std::move(options));
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  return readGlb(output);
}

std::vector<std::string> targetNames(const FaceAsset& asset) {
  std::vector<std::string> names;
  for (const AssetTarget& target : asset.targets) names.push_back(target.name);
  return names;
}

// A clip of the built-in head that turns from its right to its left while its jaw opens.
fs::path writeClip(const fs::path& folder, int num_frames) {
  const MorphableModel model = loadModel("builtin");
  const Eigen::Vector3f middle =
      model.landmarks68.points(model.mean, model.triangles).colwise().mean().transpose();
  fs::create_directories(folder);
  for (int f = 0; f < num_frames; ++f) {
    const float share = static_cast<float>(f) / static_cast<float>(num_frames - 1);
    Camera camera;
    camera.width_px = camera.height_px = 320;
    camera.focal_px = 660;
    camera.principal_px.setConstant(160);
    camera.camera_from_model.linear() = rotationFromHeadPose({-15 + 30 * share, 0, 0});
    camera.camera_from_model.translation() =
        Eigen::Vector3f(0, 0, 700) - camera.camera_from_model.linear() * middle;
    ShadeOptions shade;
    shade.albedo = model.albedo_mean;
    shade.light.coefficients.row(2).setConstant(0.8F);
    shade.background = Eigen::Vector3f(0.25F, 0.3F, 0.35F);
    Eigen::VectorXf expression = Eigen::VectorXf::Zero(model.numExpression());
    expression[*model.expressionIndex("jawOpen")] = share;
    const FaceImages images = renderFace(model.mesh(model.vertices({}, expression)), camera, shade);
    char name[16];
    std::snprintf(name, sizeof name, "%03d.png", f);
    writePng(folder / name, srgbFromLinear(images.colour));
  }
  return folder;
}

}  // namespace

TEST_CASE("export: a result's GLB has its shapes in the set, spelling and selection that is asked for") {
  const TemporaryFolder folder("export");
  const FaceAsset plain = exported(portraitResult(), folder / "plain.glb");
  CHECK(targetNames(plain) == loadModel("builtin").expression_names);
  REQUIRE(validateGlb(folder / "plain.glb"));
  CHECK(targetNames(exported(portraitResult(), folder / "p.glb",
                             {"--naming", "pascal", "--only", "jawOpen,eyeBlinkLeft"})) ==
        std::vector<std::string>{"EyeBlinkLeft", "JawOpen"});
  CHECK(targetNames(exported(portraitResult(), folder / "t.glb", {"--tongue-out"})).back() == "tongueOut");
  CHECK(exported(portraitResult(), folder / "n.glb", {"--targets", "none"}).targets.empty());
}

TEST_CASE("export: the looks turn the eyes, quantised or not, and both files pass the validator") {
  const TemporaryFolder folder("export");
  const MorphableModel model = loadModel("builtin");
  const std::vector<int> eyeball = eyeballs(model, model.mean)[0].vertices;
  std::vector<FaceAsset> assets;
  assets.push_back(exported("builtin", folder / "exact.glb"));
  assets.push_back(exported("builtin", folder / "small.glb", {"--quantise"}));
  for (const FaceAsset& asset : assets) {
    const auto names = targetNames(asset);
    const auto look = std::find(names.begin(), names.end(), "eyeLookOutLeft") - names.begin();
    float furthest_mm = 0;
    for (const int v : eyeball)
      furthest_mm = std::max(furthest_mm, asset.targets[static_cast<std::size_t>(look)].displacement(v, 0));
    CHECK(furthest_mm > 4);  // half of the radius, 30 degrees to the subject's left
  }
  CHECK((assets[0].mesh.vertices - assets[1].mesh.vertices).cwiseAbs().maxCoeff() < 0.006F);
  CHECK(fs::file_size(folder / "small.glb") <
        0.65 * static_cast<double>(fs::file_size(folder / "exact.glb")));
  REQUIRE(validateGlb(folder / "exact.glb"));
  REQUIRE(validateGlb(folder / "small.glb"));
}

TEST_CASE("export: with --scene the camera that is written shows the head where the photo has it") {
  const TemporaryFolder folder("export");
  const RunResult run = exportTo(portraitResult(), folder / "scene.glb", {"--scene"});
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  const std::vector<std::uint8_t> bytes = readBytes(folder / "scene.glb");
  std::uint32_t size = 0;
  std::memcpy(&size, bytes.data() + 12, 4);
  const json gltf = json::parse(bytes.begin() + 20, bytes.begin() + 20 + size);
  const json fit = json::parse(readText(portraitResult() / "fit.json"));
  const json& k = fit["views"][0]["camera"]["K"];
  CHECK(gltf["cameras"][0]["perspective"]["yfov"].get<double>() ==
        doctest::Approx(2 * std::atan(240 / k[1][1].get<double>())).epsilon(1e-4));
  // The node's place and axes: the tip of the nose, taken through it and the lens, lies where fit.json's
  // camera has it.
  const auto node = std::find_if(gltf["nodes"].begin(), gltf["nodes"].end(),
                                 [](const json& n) { return n["name"] == "camera"; });
  REQUIRE(node != gltf["nodes"].end());
  const auto q = (*node)["rotation"].get<std::vector<float>>(),
             t = (*node)["translation"].get<std::vector<float>>();
  const Eigen::Vector3f nose_m(0.003F, 0.02F, 0.11F);
  const Eigen::Vector3f seen =
      Eigen::Quaternionf(q[3], q[0], q[1], q[2]).conjugate() * (nose_m - Eigen::Vector3f(t[0], t[1], t[2]));
  const float focal_px = 240 / std::tan(0.5F * gltf["cameras"][0]["perspective"]["yfov"].get<float>());
  const Eigen::Vector2f at_px(240 + focal_px * seen.x() / -seen.z(), 240 - focal_px * seen.y() / -seen.z());
  Eigen::Vector4f in_camera = Eigen::Vector4f::Zero();
  for (int r = 0; r < 4; ++r)
    for (int c = 0; c < 4; ++c)
      in_camera[r] +=
          fit["views"][0]["camera"]["camera_from_model"][r][c].get<float>() * (c < 3 ? 1000 * nose_m[c] : 1);
  const auto intrinsic = [&](int r, int c) { return k[r][c].get<float>(); };
  CHECK(at_px.x() ==
        doctest::Approx(intrinsic(0, 2) + intrinsic(0, 0) * in_camera.x() / in_camera.z()).epsilon(1e-3));
  CHECK(at_px.y() ==
        doctest::Approx(intrinsic(1, 2) + intrinsic(1, 1) * in_camera.y() / in_camera.z()).epsilon(1e-3));
  CHECK(gltf["asset"]["extras"]["inputs"][0]["sha256"] == fit["inputs"][0]["sha256"]);
  CHECK(exportTo("builtin", folder / "none.glb", {"--scene"}).exit_code == 2);
}

TEST_CASE("export: a set of OBJ files has one vertex order, and only --force replaces what export wrote") {
  const TemporaryFolder folder("export");
  const RunResult run =
      exportTo(portraitResult(), folder / "set", {"--format", "objs", "--only", "jawOpen", "--unit", "cm"});
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  const Mesh neutral = readObj(folder / "set/neutral.obj"), open = readObj(folder / "set/jawOpen.obj");
  CHECK(neutral.triangles == open.triangles);
  CHECK((neutral.vertices - open.vertices).rowwise().norm().maxCoeff() > 1);  // centimetres
  CHECK(neutral.vertices.col(1).maxCoeff() - neutral.vertices.col(1).minCoeff() < 45);
  CHECK(exportTo(portraitResult(), folder / "set", {"--format", "objs"}).exit_code == 2);
  CHECK(exportTo(portraitResult(), folder / "set", {"--format", "objs", "--only", "jawOpen", "--force"})
            .exit_code == 0);
  writeText(folder / "set/mine.txt", "mine");
  CHECK(exportTo(portraitResult(), folder / "set", {"--format", "objs", "--force"}).exit_code == 2);
  CHECK(fs::exists(folder / "set/mine.txt"));
}

TEST_CASE("export: nothing that is there is overwritten without --force, beside the file or as a folder") {
  const TemporaryFolder folder("export");
  writeText(folder / "head.mtl", "mine");
  const RunResult run = exportTo(portraitResult(), folder / "head.obj", {"--targets", "none"});
  CHECK(run.exit_code == 2);
  CHECK_MESSAGE(run.err.find("head.mtl") != std::string::npos, run.err);
  CHECK(readText(folder / "head.mtl") == "mine");
  CHECK(filesBelow(folder.path()) == std::vector<std::string>{"head.mtl"});
  writeText(folder / "x_LOD1.glb", "mine");
  CHECK(exportTo("builtin", folder / "x.glb", {"--lods", "0.5"}).exit_code == 2);
  // A reconstruction is no export: --force does not replace it, and the other way round.
  fs::copy(portraitResult(), folder / "result", fs::copy_options::recursive);
  const std::vector<std::string> before = filesBelow(folder / "result");
  CHECK(exportTo(portraitResult(), folder / "result", {"--format", "objs", "--force"}).exit_code == 2);
  CHECK(filesBelow(folder / "result") == before);
}

TEST_CASE("export: a clip's own modes move under any naming") {
  const auto data = realData();
  if (!data) return;
  const TemporaryFolder folder("export");
  const RunResult run = runFacet({"track", (*data / "sequences/asl_yes/yes.mkv").string(), "-o",
                                  (folder / "t").string(), "--no-overlay", "--texture-size", "64"});
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  const FaceAsset plain = exported(folder / "t", folder / "a.glb", {"--targets", "model"});
  const FaceAsset pascal =
      exported(folder / "t", folder / "b.glb", {"--targets", "model", "--naming", "pascal"});
  REQUIRE((plain.motion && pascal.motion));
  CHECK(plain.motion->weights.maxCoeff() > 0.1F);
  CHECK((plain.motion->weights - pascal.motion->weights).cwiseAbs().maxCoeff() < 1e-6F);
}

TEST_CASE("export: a printable head is one closed surface that stands on its plate") {
  const TemporaryFolder folder("export");
  const RunResult run = exportTo(portraitResult(), folder / "bust.stl");
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  const std::vector<std::uint8_t> bytes = readBytes(folder / "bust.stl");
  std::uint32_t count = 0;
  std::memcpy(&count, bytes.data() + 80, 4);
  REQUIRE(bytes.size() == 84 + std::size_t{count} * 50);
  Points3 corners(3 * static_cast<Eigen::Index>(count), 3);
  for (std::uint32_t f = 0; f < count; ++f)
    std::memcpy(corners.data() + 9 * f, bytes.data() + 84 + 50 * f + 12, 36);
  Triangles triangles(static_cast<Eigen::Index>(count), 3);
  std::iota(triangles.data(), triangles.data() + triangles.size(), 0);
  CHECK(borderEdges(weldedTriangles(triangles, weldedVertices(corners)), weldedVertices(corners)).isZero(0));
  CHECK(std::abs(corners.col(2).minCoeff()) < 1e-3F);
  CHECK(corners.col(2).maxCoeff() > 150);  // millimetres
}

TEST_CASE("export: levels of detail keep the shapes and stand beside the head") {
  const TemporaryFolder folder("export");
  const FaceAsset whole = exported(portraitResult(), folder / "head.glb", {"--lods", "0.5,0.1"});
  const FaceAsset half = readGlb(folder / "head_LOD1.glb"), tenth = readGlb(folder / "head_LOD2.glb");
  CHECK(targetNames(half) == targetNames(whole));
  CHECK(half.mesh.triangles.rows() < 0.55 * static_cast<double>(whole.mesh.triangles.rows()));
  CHECK(tenth.mesh.triangles.rows() < 0.15 * static_cast<double>(whole.mesh.triangles.rows()));
  REQUIRE(validateGlb(folder / "head_LOD1.glb"));
  CHECK(exportTo(portraitResult(), folder / "head.stl", {"--lods", "0.5"}).exit_code == 2);
}

TEST_CASE("track: face.glb plays the clip, and its curves drive another head") {
  const TemporaryFolder folder("export");
  const int num_frames = 12;
  const fs::path clip = writeClip(folder / "clip", num_frames), track = folder / "track";
  const RunResult run =
      runFacet({"track", clip.string(), "-o", track.string(), "--fps", "24", "--texture-size", "256"});
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  REQUIRE(validateGlb(track / "face.glb"));
  const FaceAsset asset = readGlb(track / "face.glb");
  REQUIRE(asset.motion);
  const AssetMotion& motion = *asset.motion;
  REQUIRE(motion.time_s.size() == num_frames);
  CHECK(motion.time_s.back() == doctest::Approx((num_frames - 1) / 24.0).epsilon(1e-3));
  const auto names = targetNames(asset);
  const auto jaw = std::find(names.begin(), names.end(), "jawOpen") - names.begin();
  CHECK(motion.weights(num_frames - 1, jaw) > motion.weights(0, jaw) + 0.4F);
  REQUIRE(motion.world_from_model.size() == num_frames);
  const auto yaw = [&](int f) {
    const Eigen::Vector3f nose =
        motion.world_from_model[static_cast<std::size_t>(f)].linear() * Eigen::Vector3f::UnitZ();
    return std::atan2(nose.x(), nose.z()) * 180 / static_cast<float>(M_PI);
  };
  CHECK(yaw(num_frames - 1) - yaw(0) == doctest::Approx(30).epsilon(0.15));

  REQUIRE(exportTo(track, folder / "take.csv").exit_code == 0);
  const Take take = readTakeCsv(folder / "take.csv").take;
  CHECK(take.numFrames() == num_frames);
  const FaceAsset driven =
      exported("builtin", folder / "driven.glb", {"--animate", (folder / "take.csv").string()});
  REQUIRE(driven.motion);
  CHECK(std::abs(driven.motion->weights(num_frames - 1, jaw) - motion.weights(num_frames - 1, jaw)) < 1e-3F);
  REQUIRE(validateGlb(folder / "driven.glb"));
  REQUIRE(exportTo(track, folder / "transforms.json").exit_code == 0);
  const json cameras = json::parse(readText(folder / "transforms.json"));
  REQUIRE(cameras["frames"].size() == num_frames);
  CHECK(fs::exists(folder / cameras["frames"][3]["file_path"].get<std::string>()));
}

TEST_CASE("export: a head in ICT-FaceKit's mesh comes out in the built-in one with all its shapes") {
  const auto data = realData();
  if (!data) return;
  const TemporaryFolder folder("export");
  const std::string ict = (*data / "ict_facekit/ict_facekit_light.npz").string();
  const FaceAsset asset = exported(ict, folder / "ict.glb", {"--topology", "facet", "--texture-size", "256"});
  const MorphableModel builtin = loadModel("builtin");
  CHECK(asset.mesh.vertices.rows() == builtin.numVertices());
  CHECK(targetNames(asset) == builtin.expression_names);
  CHECK(asset.materials[0].normal);
  REQUIRE(validateGlb(folder / "ict.glb"));
}

TEST_CASE("export: what cannot be exported is told in one line with the exit code of its kind") {
  const TemporaryFolder folder("export");
  const auto fails = [&](const RunResult& run, int code, const char* part) {
    CHECK(run.exit_code == code);
    CHECK_MESSAGE(run.err.find(part) != std::string::npos, run.err);
    CHECK(std::count(run.err.begin(), run.err.end(), '\n') == 1);
  };
  fails(exportTo("builtin", folder / "head"), 2, "--format");
  fails(exportTo("builtin", folder / "head.xyz"), 2, "--format");
  fails(exportTo("builtin", folder / "head.obj", {"--format", "stl"}), 2, ".stl");
  fails(exportTo("builtin", folder / "head.glb", {"--only", "jawOpne"}), 2, "jawOpne");
  fails(exportTo("builtin", folder / "head.csv"), 2, "model");
  fails(exportTo(portraitResult(), folder / "c.npz"), 2, "FLAME");
  fails(exportTo(folder / "nothing", folder / "head.glb"), 4, "nothing");
  fs::create_directories(folder / "bad");
  writeText(folder / "bad/fit.json", "{\"identity\": [1]}");
  fails(exportTo(folder / "bad", folder / "head.glb"), 3, "fit.json");
  json fit = json::parse(readText(portraitResult() / "fit.json"));
  fit["model"]["reference"] = "/nowhere/model.npz";
  writeText(folder / "bad/fit.json", fit.dump());
  fails(exportTo(folder / "bad", folder / "head.glb"), 4, "--model");
  CHECK(filesBelow(folder.path()) == std::vector<std::string>{"bad/fit.json"});
}
