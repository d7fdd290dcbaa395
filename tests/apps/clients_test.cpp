// Exported heads as their clients see them: Blender, three.js in Node and in a browser. Each test skips with
// a message where its client is not installed.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "assets/head_asset.h"
#include "core/io/facet_model.h"
#include "core/io/files.h"
#include "core/io/glb_reader.h"
#include "core/io/image_io.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
#include "tests/apps/program.h"
#include "tests/data.h"

namespace fs = std::filesystem;
using namespace facet;
using namespace facet::test;
using nlohmann::json;

namespace {

constexpr float kTolerance_mm = 1e-3F;  // 1e-6 m

const fs::path kSource = FACET_SOURCE_DIR;
const fs::path kNodeModules = kSource / "build/node/node_modules";

bool hasBlender() {
  if (runProgram("blender", {"--version"}).exit_code == 0) return true;
  MESSAGE("skipped: blender is not installed");
  return false;
}

bool hasThree() {
  if (fs::exists(kNodeModules / "three") && runProgram("node", {"--version"}).exit_code == 0) return true;
  MESSAGE("skipped: node or three is not installed (scripts/test installs the latter where npm is)");
  return false;
}

// The built-in head with joints: neck, jaw and eyes, as a facet model file.
fs::path writeSkinned(const fs::path& folder) {
  MorphableModel model = loadModel("builtin");
  const Eigen::Index num_vertices = model.numVertices();
  Skeleton skeleton;
  skeleton.names = {"root", "neck", "jaw", "left_eye", "right_eye"};
  skeleton.parent = {-1, 0, 1, 1, 1};
  skeleton.weights = Eigen::MatrixXf::Zero(num_vertices, 5);
  const float low = model.mean.col(1).minCoeff(), high = model.mean.col(1).maxCoeff();
  for (Eigen::Index v = 0; v < num_vertices; ++v) {
    const float height = (model.mean(v, 1) - low) / (high - low);
    const bool is_eye = model.material_names[0] != "eye" && std::abs(model.mean(v, 0)) > 25 &&
                        height > 0.5F && height < 0.62F && model.mean(v, 2) > 40;
    if (is_eye) {
      skeleton.weights(v, model.mean(v, 0) > 0 ? 3 : 4) = 1;
    } else {
      const float neck = std::clamp(4 * height, 0.0F, 1.0F), jaw = 0.5F * neck * (1 - height);
      skeleton.weights.row(v) << 1 - neck, neck - jaw, jaw, 0, 0;
    }
  }
  std::vector<Eigen::Triplet<float>> places;
  for (int j = 0; j < 5; ++j) {
    places.emplace_back(j, 100 * j, 0.75F);
    places.emplace_back(j, 4000 + 300 * j, 0.25F);
  }
  skeleton.regressor.resize(5, num_vertices);
  skeleton.regressor.setFromTriplets(places.begin(), places.end());
  model.skeleton = skeleton;
  model.id = "skinned-head";
  writeFacetModel(folder / "skinned.npz", model);
  return folder / "skinned.npz";
}

// The asset of a model, without the vertices that are in no triangle: a GLB has none.
FaceAsset expectedAsset(const std::string& model_name) {
  const MorphableModel model = loadModel(model_name);
  FaceAsset asset = headAsset(model, model.mean, {}, Eigen::Vector3f::Ones());
  const std::set<std::int32_t> used(asset.mesh.triangles.data(),
                                    asset.mesh.triangles.data() + asset.mesh.triangles.size());
  const std::vector<std::int32_t> kept(used.begin(), used.end());
  asset.mesh.vertices = Points3(asset.mesh.vertices(kept, Eigen::all));
  for (AssetTarget& target : asset.targets)
    target.displacement = Points3(target.displacement(kept, Eigen::all));
  if (asset.skin) asset.skin->weights = Eigen::MatrixXf(asset.skin->weights(kept, Eigen::all));
  return asset;
}

// A head of another program, in millimetres.
struct Seen {
  Points3 vertices;
  std::vector<Points3> shapes;
  Eigen::MatrixXf weights;  // or empty
};

// The largest difference, in mm, of place and shapes between vertices that are the same: each of `seen` goes
// to the one of `asset` at its place; those that share a place are told apart by their shapes. Infinite
// unless the two correspond one to one. `order` receives, for each vertex of the asset, that of `seen`.
float largestDifference(const FaceAsset& asset, const Seen& seen, std::vector<int>* order = nullptr) {
  const Eigen::Index num_vertices = asset.mesh.vertices.rows();
  constexpr float kNever = std::numeric_limits<float>::infinity();
  if (seen.vertices.rows() != num_vertices || seen.shapes.size() != asset.targets.size()) return kNever;
  std::vector<int> by_x(static_cast<std::size_t>(num_vertices)), found(by_x.size(), -1);
  std::iota(by_x.begin(), by_x.end(), 0);
  const auto x = [&](int v) { return asset.mesh.vertices(v, 0); };
  std::sort(by_x.begin(), by_x.end(), [&](int a, int b) { return x(a) < x(b); });
  float largest = 0;
  for (Eigen::Index v = 0; v < num_vertices; ++v) {
    const Eigen::RowVector3f place = seen.vertices.row(v);
    const auto begin = std::lower_bound(by_x.begin(), by_x.end(), place.x() - kTolerance_mm,
                                        [&](int a, float value) { return x(a) < value; });
    float best = kNever;
    int best_vertex = -1;
    for (auto i = begin; i != by_x.end() && x(*i) <= place.x() + kTolerance_mm; ++i) {
      if (found[*i] >= 0) continue;
      float difference = (asset.mesh.vertices.row(*i) - place).cwiseAbs().maxCoeff();
      for (std::size_t t = 0; t < seen.shapes.size() && difference < best; ++t) {
        difference =
            std::max(difference,
                     (asset.targets[t].displacement.row(*i) - seen.shapes[t].row(v)).cwiseAbs().maxCoeff());
      }
      if (difference >= best) continue;
      best = difference;
      best_vertex = *i;
    }
    if (best_vertex < 0) return kNever;
    found[best_vertex] = static_cast<int>(v);
    largest = std::max(largest, best);
  }
  if (order != nullptr) *order = found;
  return largest;
}

float largestDifference(const FaceAsset& asset, const FaceAsset& read) {
  Seen seen{read.mesh.vertices, {}, {}};
  for (const AssetTarget& target : read.targets) seen.shapes.push_back(target.displacement);
  return largestDifference(asset, seen);
}

std::vector<std::string> names(const FaceAsset& asset) {
  std::vector<std::string> result;
  for (const AssetTarget& target : asset.targets) result.push_back(target.name);
  return result;
}

void exportModel(const std::string& model, const fs::path& glb) {
  const RunResult result =
      runFacet({"export", model, "-o", glb.string(), "--texture-size", "256", "--force"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  validateGlb(glb);
}

struct BlenderView {
  json report;
  Seen head;
};

// Blender's importer uses numpy.bool, which Debian's numpy no longer has; `out` is what it exports, or empty.
BlenderView throughBlender(const fs::path& glb, const fs::path& folder, const fs::path& out) {
  std::vector<std::string> arguments = {"-b",
                                        "--factory-startup",
                                        "--python-exit-code",
                                        "3",
                                        "--python-expr",
                                        "import numpy; numpy.bool=bool",
                                        "--python",
                                        (kSource / "tests/apps/blender_client.py").string(),
                                        "--",
                                        glb.string(),
                                        (folder / "seen.npz").string(),
                                        (folder / "seen.json").string()};
  if (!out.empty()) arguments.push_back(out.string());
  const RunResult result = runProgram("blender", arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.out << result.err);
  BlenderView view{json::parse(readText(folder / "seen.json")), {}};
  const Npz arrays = readNpz(folder / "seen.npz");
  const auto points = [](const std::vector<float>& values, std::size_t start, Eigen::Index count) {
    return Points3(1000 * Eigen::Map<const Points3>(values.data() + start, count, 3));
  };
  const Eigen::Index count = arrays.at("vertices").shape[0];
  view.head.vertices = points(arrays.at("vertices").asFloat(), 0, count);
  const std::vector<float> shapes = arrays.at("shapes").asFloat();
  for (std::size_t start = 0; start < shapes.size(); start += static_cast<std::size_t>(3 * count)) {
    view.head.shapes.push_back(points(shapes, start, count));
  }
  if (arrays.contains("weights")) {
    const NpyArray& weights = arrays.at("weights");
    const std::vector<float> values = weights.asFloat();
    view.head.weights =
        Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
            values.data(), weights.shape[0], weights.shape[1]);
  }
  return view;
}

// Exported, seen by Blender, exported by Blender, read again.
void checkRoundTrip(const std::string& model, const fs::path& folder) {
  const FaceAsset asset = expectedAsset(model);
  const fs::path ours = folder / "ours.glb", blenders = folder / "blenders.glb";
  exportModel(model, ours);
  const FaceAsset direct = readGlb(ours);
  CHECK(names(direct) == names(asset));
  REQUIRE(direct.mesh.vertices.rows() == asset.mesh.vertices.rows());
  CHECK((direct.mesh.vertices - asset.mesh.vertices).cwiseAbs().maxCoeff() <= kTolerance_mm);  // in order

  const BlenderView view = throughBlender(ours, folder, blenders);
  std::vector<std::string> keys = names(asset);
  keys.insert(keys.begin(), "Basis");
  CHECK(view.report["keys"].get<std::vector<std::string>>() == keys);
  CHECK(view.report["vertices"] == asset.mesh.vertices.rows());
  std::vector<int> order;
  const float difference_mm = largestDifference(asset, view.head, &order);
  CHECK(difference_mm <= kTolerance_mm);
  MESSAGE(model, ": Blender's keys are within ", 1e-3F * difference_mm, " m");

  validateGlb(blenders, "NODE_SKINNED_MESH_NON_ROOT");  // Blender hangs a mesh on its armature
  const FaceAsset back = readGlb(blenders);
  CHECK(names(back) == names(asset));
  const float back_mm = largestDifference(asset, back);
  CHECK(back_mm <= kTolerance_mm);
  MESSAGE(model, ": what comes back is within ", 1e-3F * back_mm, " m");
  REQUIRE(back.skin.has_value() == asset.skin.has_value());
  if (!asset.skin) return;
  CHECK(view.report["bones"].get<std::vector<std::string>>() == asset.skin->names);
  REQUIRE(order.size() == static_cast<std::size_t>(asset.mesh.vertices.rows()));
  CHECK((Eigen::MatrixXf(view.head.weights(order, Eigen::all)) - asset.skin->weights).cwiseAbs().maxCoeff() <
        1e-5F);
  CHECK(back.skin->names == asset.skin->names);
  CHECK(back.skin->parent == asset.skin->parent);
  CHECK((back.skin->positions - asset.skin->positions).cwiseAbs().maxCoeff() <= kTolerance_mm);
}

// Pixels that differ visibly between two pictures, in rows [top, bottom) as shares of the height.
double changedShare(const Image8& a, const Image8& b, double top, double bottom) {
  std::int64_t changed = 0, all = 0;
  for (int y = static_cast<int>(top * a.height()); y < static_cast<int>(bottom * a.height()); ++y) {
    for (int x = 0; x < a.width(); ++x, ++all) {
      int difference = 0;
      for (int c = 0; c < 3; ++c) difference += std::abs(a.at(x, y)[c] - b.at(x, y)[c]);
      changed += difference > 30 ? 1 : 0;
    }
  }
  return static_cast<double>(changed) / static_cast<double>(all);
}

}  // namespace

TEST_CASE("export: Blender and back keeps names, order, vertices and shapes of the built-in head") {
  if (!hasBlender()) return;
  const TemporaryFolder folder("clients");
  checkRoundTrip("builtin", folder.path());

  // As a model it has the built-in one's vertex order again.
  const RunResult result = runFacet({"model", "import", (folder / "blenders.glb").string(), "-o",
                                     (folder / "back.npz").string(), "--json"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  const MorphableModel builtin = loadModel("builtin"), back = loadModel((folder / "back.npz").string());
  REQUIRE(back.numVertices() == builtin.numVertices());
  CHECK((back.mean - builtin.mean).cwiseAbs().maxCoeff() <= kTolerance_mm);
  CHECK(back.expression_names == builtin.expression_names);
  CHECK(back.num_blendshapes == builtin.numExpression());
  const FaceAsset sent = expectedAsset("builtin");
  for (int e = 0; e < back.numExpression(); ++e) {
    CHECK((back.expression.points(e) - sent.targets[static_cast<std::size_t>(e)].displacement)
              .cwiseAbs()
              .maxCoeff() <= kTolerance_mm);
  }
  CHECK(back.triangles == builtin.triangles);
  CHECK(back.landmarks68.size() == 68);
  // A colour per vertex, off a texture of 256 pixels.
  CHECK((back.albedo_mean - builtin.albedo_mean).cwiseAbs().mean() < 0.02F);
}

TEST_CASE("export: Blender and back keeps joints and their weights") {
  if (!hasBlender()) return;
  const TemporaryFolder folder("clients");
  const fs::path skinned = writeSkinned(folder.path());
  checkRoundTrip(skinned.string(), folder.path());
  const MorphableModel model = loadModel(skinned.string()),
                       back = loadModel((folder / "blenders.glb").string());
  REQUIRE(back.skeleton);
  CHECK(back.skeleton->names == model.skeleton->names);
  // Blender leaves out weights below 1e-4.
  CHECK((back.skeleton->weights - model.skeleton->weights).cwiseAbs().maxCoeff() < 2e-4F);
  CHECK((back.skeleton->joints(back.mean) - model.skeleton->joints(model.mean)).cwiseAbs().maxCoeff() <
        0.01F);
  // The jaw turns as it did.
  Points3 pose = Points3::Zero(5, 3);
  pose(2, 0) = 0.3F;
  CHECK((back.vertices({}, {}, pose) - model.vertices({}, {}, pose)).cwiseAbs().maxCoeff() < 0.02F);
}

TEST_CASE("export: Blender and back keeps names, vertices and shapes of ICT-FaceKit") {
  const auto data = realData();
  if (!data || !fs::exists(*data / "ict_facekit/ict_facekit_light.npz")) {
    MESSAGE("skipped: ICT-FaceKit is not here");
    return;
  }
  if (!hasBlender()) return;
  const TemporaryFolder folder("clients");
  checkRoundTrip((*data / "ict_facekit/ict_facekit_light.npz").string(), folder.path());
}

TEST_CASE("export: three.js's morph dictionary is the list of target names") {
  if (!hasThree()) return;
  const TemporaryFolder folder("clients");
  for (const std::string& model : {std::string("builtin"), writeSkinned(folder.path()).string()}) {
    exportModel(model, folder / "head.glb");
    const RunResult result = runProgram("node", {(kSource / "tests/web/dictionary.mjs").string(),
                                                 kNodeModules.string(), (folder / "head.glb").string()});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    json expected = json::object();
    for (const std::string& name : names(expectedAsset(model))) expected[name] = expected.size();
    const json dictionaries = json::parse(result.out);
    CHECK(dictionaries.size() == loadModel(model).material_names.size());  // a mesh per material
    for (const json& dictionary : dictionaries) CHECK(dictionary == expected);
  }
}

TEST_CASE("check_glb: faults that the Khronos validator does not look for are found") {
  const TemporaryFolder folder("clients");
  exportModel("builtin", folder / "head.glb");
  if (!fs::exists(kNodeModules / "gltf-validator")) {
    MESSAGE("skipped: gltf-validator is not installed");
    return;
  }
  const std::vector<std::uint8_t> bytes = readBytes(folder / "head.glb");
  std::uint32_t json_size;
  std::memcpy(&json_size, &bytes[12], 4);
  const json original = json::parse(bytes.begin() + 20, bytes.begin() + 20 + json_size);
  const auto finds = [&](const std::string& part, const std::function<void(json&, std::uint8_t*)>& change) {
    json gltf = original;
    std::vector<std::uint8_t> binary(bytes.begin() + 20 + json_size, bytes.end());
    change(gltf, binary.data() + 8);
    std::string text = gltf.dump();
    text.resize((text.size() + 3) / 4 * 4, ' ');
    std::string file(bytes.begin(), bytes.begin() + 20);
    const auto total = static_cast<std::uint32_t>(20 + text.size() + binary.size());
    const auto size = static_cast<std::uint32_t>(text.size());
    std::memcpy(&file[8], &total, 4);
    std::memcpy(&file[12], &size, 4);
    file += text;
    file.append(binary.begin(), binary.end());
    writeText(folder / "bad.glb", file);
    const RunResult result =
        runProgram("node", {(kSource / "tools/check_glb.js").string(), (folder / "bad.glb").string()});
    CHECK(result.exit_code == 1);
    CHECK_MESSAGE(result.out.find(part) != std::string::npos, result.out);
  };
  const auto rename = [](const std::string& from, const std::string& to) {
    return [=](json& gltf, std::uint8_t*) {
      json& mesh = gltf["meshes"][0];
      for (json* holder : {&mesh, &mesh["primitives"][0], &mesh["primitives"][1], &mesh["primitives"][2],
                           &mesh["primitives"][3]}) {
        for (json& name : (*holder)["extras"]["targetNames"]) {
          if (name == from) {
            name = to;
          } else if (name == to) {
            name = from;
          }
        }
      }
    };
  };
  finds("mouthSmileLeft moves the wrong side", rename("mouthSmileLeft", "mouthSmileRight"));
  finds("jawOpen moves the top of the head", rename("jawOpen", "browInnerUp"));
  finds("eyeBlinkLeft and its mirror", rename("eyeBlinkLeft", "browDownLeft"));
  finds("occur twice: jawOpen",
        [](json& gltf, std::uint8_t*) { gltf["meshes"][0]["extras"]["targetNames"][0] = "jawOpen"; });
  finds("50 targetNames for 51",
        [](json& gltf, std::uint8_t*) { gltf["meshes"][0]["extras"]["targetNames"].erase(0); });
  finds("m high", [](json& gltf, std::uint8_t*) { gltf["nodes"][0]["scale"] = {10, 10, 10}; });
  finds("used as colour and as data", [](json& gltf, std::uint8_t*) {
    gltf["materials"][0]["occlusionTexture"] =
        gltf["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"];
  });
  finds("on a seam have two normals", [](json& gltf, std::uint8_t* binary) {
    const json& attributes = gltf["meshes"][0]["primitives"][0]["attributes"];
    const auto start = [&](const char* name) {
      const json& accessor = gltf["accessors"][attributes[name].get<int>()];
      return gltf["bufferViews"][accessor["bufferView"].get<int>()]["byteOffset"].get<std::size_t>();
    };
    const std::size_t count = gltf["accessors"][attributes["POSITION"].get<int>()]["count"];
    for (std::size_t v = 1; v < count; ++v) {  // vertices that a seam splits stand side by side
      const std::uint8_t* position = binary + start("POSITION") + 12 * v;
      const std::array<float, 3> sideways = {1, 0, 0};
      if (std::memcmp(position, position - 12, 12) == 0)
        std::memcpy(binary + start("NORMAL") + 12 * v, sideways.data(), 12);
    }
  });
}

TEST_CASE("face.glb: a browser shows the face, and its jaw and smile move the mouth and not the forehead") {
  if (!hasThree()) return;
  const TemporaryFolder folder("clients");
  const Portrait portrait = writePortrait(folder.path());
  const RunResult made =
      runFacet({"reconstruct", portrait.photo.string(), "--landmarks", portrait.landmarks.string(), "-o",
                (folder / "out").string(), "--texture-size", "256"});
  REQUIRE_MESSAGE(made.exit_code == 0, made.err);
  const fs::path glb = folder / "out/face.glb";
  validateGlb(glb);
  const RunResult shot =
      runProgram("node", {(kSource / "tests/web/screenshot.mjs").string(), kNodeModules.string(),
                          glb.string(), (folder / "shot").string(), "--size", "384", "jawOpen=1",
                          "mouthSmileLeft=0.8", "mouthSmileRight=0.8"});
  if (shot.exit_code == 3) {
    MESSAGE("skipped: chromium is not installed");
    return;
  }
  REQUIRE_MESSAGE(shot.exit_code == 0, shot.err);
  const json report = json::parse(readText(folder / "shot/report.json"));
  json expected = json::object();
  for (const std::string& name : names(readGlb(glb))) expected[name] = expected.size();
  REQUIRE(!report["meshes"].empty());
  for (const json& mesh : report["meshes"]) {
    CHECK(mesh["dictionary"] == expected);
    CHECK(mesh["textured"] == true);
  }
  const Image8 neutral = readPhoto(folder / "shot/neutral.png"), posed = readPhoto(folder / "shot/posed.png");
  REQUIRE(neutral.width() == 384);
  // A head fills much of the picture, skin-coloured: more red than blue.
  std::int64_t skin = 0;
  for (int y = 0; y < 384; ++y) {
    for (int x = 0; x < 384; ++x) skin += neutral.at(x, y)[0] > neutral.at(x, y)[2] + 20 ? 1 : 0;
  }
  CHECK(static_cast<double>(skin) / (384 * 384) > 0.15);
  CHECK(changedShare(neutral, posed, 0.5, 1) > 0.03);
  CHECK(changedShare(neutral, posed, 0, 0.35) < 0.002);
}
