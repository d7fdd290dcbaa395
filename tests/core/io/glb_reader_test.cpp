#include "core/io/glb_reader.h"

#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/glb.h"
#include "core/io/image_io.h"
#include "core/morphable_model.h"
#include "tests/data.h"

using namespace facet;
using Json = nlohmann::json;

namespace {

// Image, two materials, targets, five joints.
FaceAsset sampleAsset() {
  const MorphableModel model = makeSyntheticModel(1, 2, 3, 1);
  FaceAsset asset;
  asset.mesh = model.mesh(model.mean);
  auto image = std::make_shared<Image8>(16, 8, 3, std::uint8_t{200});
  for (int x = 0; x < 16; ++x) image->at(x, 2)[0] = static_cast<std::uint8_t>(10 * x);
  asset.materials = {{.name = "skin", .base_colour = image},
                     {.name = "scalp", .base_colour_factor = {0.2F, 0.1F, 0.05F}, .double_sided = true}};
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    asset.triangle_material.push_back(model.region[model.triangles(f, 0)]);
  }
  for (int e = 0; e < 3; ++e)
    asset.targets.push_back({model.expression_names[e], model.expression.points(e)});
  asset.targets.push_back({"wide", model.identity.points(0)});
  asset.extras_json = R"({"model": "synthetic", "licence": "MIT"})";
  AssetSkin skin;
  skin.names = {"root", "neck", "jaw"};
  skin.parent = {-1, 0, 1};
  skin.positions.resize(3, 3);
  skin.positions << 0, -150, 0, 0, -80, -10, 0, -20, 15;
  skin.weights = Eigen::MatrixXf::Zero(model.numVertices(), 3);
  for (Eigen::Index v = 0; v < model.numVertices(); ++v) {
    const float share = 0.5F + 0.004F * model.mean(v, 1);
    skin.weights(v, 1) = std::clamp(share, 0.0F, 1.0F);
    skin.weights(v, 2) = 1 - skin.weights(v, 1);
  }
  asset.skin = skin;
  return asset;
}

// A GLB taken apart, changed, and put together again.
struct Glb {
  Json json;
  std::vector<std::uint8_t> binary;

  explicit Glb(const std::filesystem::path& path) {
    const std::vector<std::uint8_t> bytes = readBytes(path);
    std::uint32_t json_size;
    std::memcpy(&json_size, &bytes[12], 4);
    json = Json::parse(bytes.begin() + 20, bytes.begin() + 20 + json_size);
    binary.assign(bytes.begin() + 28 + json_size, bytes.end());
  }

  void write(const std::filesystem::path& path) const {
    std::string text = json.dump();
    text.resize((text.size() + 3) / 4 * 4, ' ');
    std::string file = "glTF";
    const auto word = [&file](std::size_t value) {
      for (int shift = 0; shift < 32; shift += 8) file += static_cast<char>(value >> shift);
    };
    word(2), word(28 + text.size() + binary.size());
    word(text.size()), file += "JSON" + text;
    word(binary.size()), word(0x004E4942);
    file.append(binary.begin(), binary.end());
    writeText(path, file);
  }

  // The accessor of a view that is appended.
  int append(const void* data, std::size_t size, const Json& accessor) {
    binary.resize((binary.size() + 3) / 4 * 4);
    json["bufferViews"].push_back({{"buffer", 0}, {"byteOffset", binary.size()}, {"byteLength", size}});
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    binary.insert(binary.end(), bytes, bytes + size);
    binary.resize((binary.size() + 3) / 4 * 4);
    json["buffers"][0]["byteLength"] = binary.size();
    json["accessors"].push_back(accessor);
    json["accessors"].back()["bufferView"] = json["bufferViews"].size() - 1;
    return static_cast<int>(json["accessors"].size()) - 1;
  }
};

// One triangle, as a .gltf whose buffer is a data URI: 3 positions, 3 indices of 8 bits.
Json triangle() {
  return Json::parse(R"({"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}],
    "nodes": [{"mesh": 0}], "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
    "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
                  {"bufferView": 1, "componentType": 5121, "count": 3, "type": "SCALAR"}],
    "bufferViews": [{"buffer": 0, "byteLength": 36}, {"buffer": 0, "byteOffset": 36, "byteLength": 3}],
    "buffers": [{"byteLength": 39, "uri":
      "data:application/octet-stream;base64,AAAAAAAAAAAAAAAAAACAPwAAAAAAAAAAAAAAAAAAgD8AAAAAAAEC"}]})");
}

float largest(const Points3& a, const Points3& b) { return (a - b).cwiseAbs().maxCoeff(); }

}  // namespace

TEST_CASE("GLB reader: what writeGlb() wrote comes back: vertices in order, names, shapes, joints, image") {
  const test::TemporaryFolder folder("glb_reader");
  const FaceAsset asset = sampleAsset();
  writeGlb(folder / "a.glb", asset);
  const FaceAsset read = readGlb(folder / "a.glb");
  REQUIRE(read.mesh.vertices.rows() == asset.mesh.vertices.rows());
  CHECK(largest(read.mesh.vertices, asset.mesh.vertices) < 1e-4F);  // mm, through metres and back
  REQUIRE(read.targets.size() == asset.targets.size());
  for (std::size_t t = 0; t < asset.targets.size(); ++t) {
    CHECK(read.targets[t].name == asset.targets[t].name);
    CHECK(largest(read.targets[t].displacement, asset.targets[t].displacement) < 2e-4F);
  }
  // Triangles come material by material.
  REQUIRE(read.mesh.triangles.rows() == asset.mesh.triangles.rows());
  Eigen::Index at = 0;
  for (int material = 0; material < 2; ++material) {
    for (Eigen::Index f = 0; f < asset.mesh.triangles.rows(); ++f) {
      if (asset.triangle_material[f] != material) continue;
      CHECK(read.triangle_material[at] == material);
      CHECK(read.mesh.triangles.row(at) == asset.mesh.triangles.row(f));
      for (int c = 0; c < 3; ++c) {
        const Eigen::RowVector2f expected = asset.mesh.uv.row(asset.mesh.uv_triangles(f, c));
        CHECK((read.mesh.uv.row(read.mesh.uv_triangles(at, c)) - expected).norm() < 1e-6F);
      }
      ++at;
    }
  }
  CHECK(read.mesh.uv.rows() < 3 * asset.mesh.triangles.rows() / 2);  // not one per corner
  REQUIRE(read.materials.size() == 2);
  CHECK(read.materials[0].name == "skin");
  REQUIRE(read.materials[0].base_colour);
  CHECK(std::equal(read.materials[0].base_colour->data(),
                   read.materials[0].base_colour->data() + read.materials[0].base_colour->size(),
                   asset.materials[0].base_colour->data()));
  CHECK(read.materials[1].double_sided);
  CHECK((read.materials[1].base_colour_factor - asset.materials[1].base_colour_factor).norm() < 1e-6F);
  REQUIRE(read.skin);
  CHECK(read.skin->names == asset.skin->names);
  CHECK(read.skin->parent == asset.skin->parent);
  CHECK(largest(read.skin->positions, asset.skin->positions) < 1e-3F);
  CHECK((read.skin->weights - asset.skin->weights).cwiseAbs().maxCoeff() < 1e-5F);
  CHECK(Json::parse(read.extras_json)["licence"] == "MIT");
  CHECK_FALSE(read.motion);
}

TEST_CASE("GLB reader: a node's transform and its parent's move the mesh; mirrored triangles are turned") {
  const test::TemporaryFolder folder("glb_reader");
  Json gltf = triangle();
  gltf["nodes"] = Json::parse(R"([{"children": [1], "translation": [0, 0, 2]},
    {"mesh": 0, "rotation": [0, 0, 0.70710678, 0.70710678], "scale": [2, 2, -2]}])");
  writeText(folder / "a.gltf", gltf.dump());
  const FaceAsset read = readGlb(folder / "a.gltf");
  Points3 expected(3, 3);
  expected << 0, 0, 2000, 0, 2000, 2000, -2000, 0, 2000;
  CHECK(largest(read.mesh.vertices, expected) < 1e-3F);
  CHECK(read.mesh.triangles.row(0) == Eigen::RowVector3i(0, 2, 1));
  // A matrix says the same.
  gltf["nodes"][1] = Json::parse(R"({"mesh": 0, "matrix": [0,2,0,0, -2,0,0,0, 0,0,-2,0, 0,0,0,1]})");
  writeText(folder / "b.gltf", gltf.dump());
  CHECK(largest(readGlb(folder / "b.gltf").mesh.vertices, expected) < 1e-3F);
}

TEST_CASE("GLB reader: several meshes are joined in the order of the nodes, targets by name") {
  const test::TemporaryFolder folder("glb_reader");
  Json gltf = triangle();
  gltf["nodes"] = Json::parse(R"([{"mesh": 1}, {"mesh": 0, "translation": [5, 0, 0]}])");
  gltf["scenes"][0]["nodes"] = {1, 0};
  gltf["meshes"].push_back(gltf["meshes"][0]);
  gltf["meshes"][0]["primitives"][0]["targets"] = Json::parse(R"([{"POSITION": 0}, {}])");
  gltf["meshes"][0]["extras"]["targetNames"] = {"a", "b"};
  gltf["meshes"][1]["primitives"][0]["targets"] = Json::parse(R"([{"POSITION": 0}])");
  gltf["meshes"][1]["primitives"][0]["extras"]["targetNames"] = {"b"};
  writeText(folder / "a.gltf", gltf.dump());
  const FaceAsset read = readGlb(folder / "a.gltf");
  REQUIRE(read.mesh.vertices.rows() == 6);  // equal places in different meshes stay apart
  CHECK(read.mesh.vertices(0, 0) == 5000);
  CHECK(read.mesh.vertices(3, 0) == 0);
  REQUIRE(read.targets.size() == 2);
  CHECK(read.targets[0].name == "a");
  CHECK(read.targets[0].displacement(1, 0) == 1000);
  CHECK(read.targets[0].displacement.bottomRows(3).isZero(0));
  CHECK(read.targets[1].name == "b");
  CHECK(read.targets[1].displacement.topRows(3).isZero(0));
  CHECK(read.targets[1].displacement(4, 0) == 1000);
}

TEST_CASE("GLB reader: quantised positions, normalised integers and 32-bit indices are read") {
  const test::TemporaryFolder folder("glb_reader");
  const FaceAsset asset = sampleAsset();
  writeGlb(folder / "a.glb", asset);
  Glb glb(folder / "a.glb");
  const FaceAsset original = readGlb(folder / "a.glb");
  // Positions as 16-bit integers under a node's scale, texture coordinates as normalised bytes.
  auto& primitives = glb.json["meshes"][0]["primitives"];
  const Json position = glb.json["accessors"][primitives[0]["attributes"]["POSITION"].get<int>()];
  const std::size_t offset = glb.json["bufferViews"][position["bufferView"].get<int>()]["byteOffset"];
  const std::size_t count = position["count"];
  std::vector<std::int16_t> quantised(4 * count);  // padded to four
  std::vector<std::uint8_t> uv(4 * count);
  for (std::size_t i = 0; i < count; ++i) {
    float metres[3];
    std::memcpy(metres, &glb.binary[offset + 12 * i], 12);
    for (int c = 0; c < 3; ++c)
      quantised[4 * i + c] = static_cast<std::int16_t>(std::lround(metres[c] * 1e5F));
    uv[4 * i] = static_cast<std::uint8_t>(i % 256);
    uv[4 * i + 1] = 255;
  }
  const int positions = glb.append(quantised.data(), 2 * quantised.size(),
                                   {{"componentType", 5122}, {"count", count}, {"type", "VEC3"}});
  glb.json["bufferViews"].back()["byteStride"] = 8;
  const int coordinates =
      glb.append(uv.data(), uv.size(),
                 {{"componentType", 5121}, {"normalized", true}, {"count", count}, {"type", "VEC2"}});
  glb.json["bufferViews"].back()["byteStride"] = 4;
  for (Json& primitive : primitives) {
    primitive["attributes"]["POSITION"] = positions;
    primitive["attributes"]["TEXCOORD_0"] = coordinates;
    primitive.erase("targets");
    primitive["attributes"].erase("JOINTS_0"), primitive["attributes"].erase("WEIGHTS_0");
    const Json indices = glb.json["accessors"][primitive["indices"].get<int>()];
    const std::size_t start = glb.json["bufferViews"][indices["bufferView"].get<int>()]["byteOffset"];
    std::vector<std::uint32_t> wide(indices["count"].get<std::size_t>());
    for (std::size_t i = 0; i < wide.size(); ++i) {
      std::uint16_t narrow;
      std::memcpy(&narrow, &glb.binary[start + 2 * i], 2);
      wide[i] = narrow;
    }
    primitive["indices"] = glb.append(wide.data(), 4 * wide.size(),
                                      {{"componentType", 5125}, {"count", wide.size()}, {"type", "SCALAR"}});
  }
  glb.json["nodes"][0] = {{"mesh", 0}, {"scale", {1e-5, 1e-5, 1e-5}}};
  glb.json["extensionsUsed"] = glb.json["extensionsRequired"] = {"KHR_mesh_quantization"};
  glb.write(folder / "b.glb");
  const FaceAsset read = readGlb(folder / "b.glb");
  REQUIRE(read.mesh.triangles.rows() == original.mesh.triangles.rows());
  float worst = 0;
  for (Eigen::Index f = 0; f < read.mesh.triangles.rows(); ++f) {
    for (int c = 0; c < 3; ++c) {
      worst = std::max(worst, (read.mesh.vertices.row(read.mesh.triangles(f, c)) -
                               original.mesh.vertices.row(original.mesh.triangles(f, c)))
                                  .cwiseAbs()
                                  .maxCoeff());
    }
  }
  CHECK(worst < 0.0051F);  // half a step of 0.01 mm
  CHECK(read.mesh.uv.col(1).isZero(0));
  CHECK(read.mesh.uv.col(0).maxCoeff() == 1);
}

TEST_CASE("GLB reader: vertices split by material, as Blender writes them, are one again") {
  const test::TemporaryFolder folder("glb_reader");
  const FaceAsset asset = sampleAsset();
  writeGlb(folder / "a.glb", asset);
  Glb glb(folder / "a.glb");
  // The second material gets vertices of its own: the same accessors under other numbers.
  auto& primitive = glb.json["meshes"][0]["primitives"][1];
  const auto copyOf = [&](int accessor) {
    glb.json["accessors"].push_back(glb.json["accessors"][accessor]);
    return glb.json["accessors"].size() - 1;
  };
  for (auto& [name, accessor] : primitive["attributes"].items()) accessor = copyOf(accessor);
  for (Json& target : primitive["targets"]) target["POSITION"] = copyOf(target["POSITION"]);
  glb.write(folder / "b.glb");
  const FaceAsset once = readGlb(folder / "a.glb"), twice = readGlb(folder / "b.glb");
  CHECK(twice.mesh.vertices.rows() == once.mesh.vertices.rows());
  CHECK(twice.mesh.uv.rows() == once.mesh.uv.rows());
}

TEST_CASE("GLB reader: bones with axes and places of their own hold the head as it was bound") {
  const test::TemporaryFolder folder("glb_reader");
  const FaceAsset asset = sampleAsset();
  writeGlb(folder / "a.glb", asset);
  Glb glb(folder / "a.glb");
  // An armature in centimetres, turned by 90 degrees about x: vertices and inverse binds are in its units.
  const int root = glb.json["skins"][0]["joints"][0];
  auto& nodes = glb.json["nodes"];
  nodes[glb.json["scenes"][0]["nodes"][1].get<int>()].erase("children");  // in place of the rig's node
  nodes.push_back({{"name", "armature"},
                   {"children", {root}},
                   {"scale", {0.01, 0.01, 0.01}},
                   {"rotation", {0.70710678, 0, 0, 0.70710678}}});
  glb.json["scenes"][0]["nodes"] = {0, nodes.size() - 1};
  glb.write(folder / "b.glb");
  const FaceAsset read = readGlb(folder / "b.glb");
  // Everything shrinks and turns with the bones: (x, y, z) becomes (x, -z, y) / 100.
  Points3 expected(asset.mesh.vertices.rows(), 3);
  expected << asset.mesh.vertices.col(0), -asset.mesh.vertices.col(2), asset.mesh.vertices.col(1);
  CHECK(largest(read.mesh.vertices, 0.01F * expected) < 1e-4F);
  Points3 moved(asset.mesh.vertices.rows(), 3);
  const Points3& shape = asset.targets[0].displacement;
  moved << shape.col(0), -shape.col(2), shape.col(1);
  CHECK(largest(read.targets[0].displacement, 0.01F * moved) < 1e-4F);
  REQUIRE(read.skin);
  CHECK(read.skin->names == asset.skin->names);
}

TEST_CASE("GLB reader: an animation gives weights, head motion and joint turns at the file's times") {
  const test::TemporaryFolder folder("glb_reader");
  const FaceAsset asset = sampleAsset();
  writeGlb(folder / "a.glb", asset);
  Glb glb(folder / "a.glb");
  const int root = glb.json["skins"][0]["joints"][0], jaw = glb.json["skins"][0]["joints"][2];
  auto& nodes = glb.json["nodes"];
  nodes[glb.json["scenes"][0]["nodes"][1].get<int>()].erase("children");  // in place of the rig's node
  nodes.push_back({{"name", "carrier"}, {"children", {0, root}}, {"translation", {0.1, 0, 0}}});
  const std::size_t carrier = nodes.size() - 1;
  glb.json["scenes"][0]["nodes"] = {carrier};
  const std::vector<float> times = {0, 1}, path = {0.1F, 0, 0, 0.3F, 0, 0};
  std::vector<float> weights(8, 0.0F);  // two frames of four targets
  weights[4] = 1, weights[7] = 0.5F;
  const float half = std::sqrt(0.5F);
  const std::vector<float> turn = {0, 0, 0, 1, half, 0, 0, half};  // 90 degrees about x
  const auto accessor = [&](const std::vector<float>& values, const char* type, std::size_t count) {
    return glb.append(values.data(), 4 * values.size(),
                      {{"componentType", 5126}, {"count", count}, {"type", type}});
  };
  const int input = accessor(times, "SCALAR", 2);
  Json animation = {{"samplers", Json::array()}, {"channels", Json::array()}};
  const auto channel = [&](int output, std::size_t node, const char* property) {
    animation["samplers"].push_back({{"input", input}, {"output", output}});
    animation["channels"].push_back(
        {{"sampler", animation["samplers"].size() - 1}, {"target", {{"node", node}, {"path", property}}}});
  };
  channel(accessor(weights, "SCALAR", 8), 0, "weights");
  channel(accessor(path, "VEC3", 2), carrier, "translation");
  channel(accessor(turn, "VEC4", 2), jaw, "rotation");
  animation["samplers"][1]["input"] = accessor({0, 2}, "SCALAR", 2);  // the head moves on for another second
  glb.json["animations"] = {animation};
  glb.write(folder / "b.glb");

  const FaceAsset read = readGlb(folder / "b.glb");
  REQUIRE(read.motion);
  const AssetMotion& motion = *read.motion;
  CHECK(motion.time_s == std::vector<float>{0, 1, 2});
  Eigen::MatrixXf expected = Eigen::MatrixXf::Zero(3, 4);
  expected.row(1) << 1, 0, 0, 0.5F;
  expected.row(2) = expected.row(1);  // the last key holds
  CHECK((motion.weights - expected).isZero(1e-6F));
  REQUIRE(motion.world_from_model.size() == 3);
  CHECK(motion.world_from_model[0].isApprox(Eigen::Isometry3f::Identity()));
  CHECK((motion.world_from_model[1].translation() - Eigen::Vector3f(100, 0, 0)).norm() < 1e-3F);
  REQUIRE(motion.pose.size() == 3);
  CHECK(motion.pose[0].isZero(1e-6F));
  CHECK((motion.pose[1].row(2) - Eigen::RowVector3f(float(M_PI / 2), 0, 0)).norm() < 1e-4F);
  CHECK(motion.pose[1].topRows(2).isZero(1e-5F));
}

TEST_CASE("GLB reader: names come from the mesh, else the primitive, else the accessors, else are numbers") {
  const test::TemporaryFolder folder("glb_reader");
  const auto namesOf = [&](const std::function<void(Json&)>& change) {
    Json gltf = triangle();
    gltf["meshes"][0]["primitives"][0]["targets"] = Json::parse(R"([{"POSITION": 0}, {"POSITION": 0}])");
    change(gltf);
    writeText(folder / "a.gltf", gltf.dump());
    std::vector<std::string> names;
    for (const AssetTarget& target : readGlb(folder / "a.gltf").targets) names.push_back(target.name);
    return names;
  };
  using Names = std::vector<std::string>;
  CHECK(namesOf([](Json&) {}) == Names{"target_0", "target_1"});
  CHECK(namesOf([](Json& g) { g["accessors"][0]["name"] = "smile"; }) == Names{"smile", "smile_1"});
  const auto primitive = [](Json& g) {
    g["meshes"][0]["primitives"][0]["extras"]["targetNames"] = {"a", "b"};
  };
  CHECK(namesOf(primitive) == Names{"a", "b"});
  CHECK(namesOf([&](Json& g) {
          primitive(g);
          g["meshes"][0]["extras"]["targetNames"] = {"c", "d"};
        }) == Names{"c", "d"});
}

TEST_CASE("GLB reader: images lie inside, in a data URI or beside the file") {
  const test::TemporaryFolder folder("glb_reader");
  const Image8 image(4, 2, 3, std::uint8_t{77});
  writePng(folder / "skin colour.png", image);
  Json gltf = triangle();
  gltf["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = 2;
  gltf["accessors"].push_back({{"componentType", 5126}, {"count", 3}, {"type", "VEC2"}});  // no view: zeros
  gltf["meshes"][0]["primitives"][0]["material"] = 0;
  gltf["materials"] = Json::parse(R"([{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}])");
  gltf["textures"] = Json::parse(R"([{"source": 0}])");
  gltf["images"] = Json::parse(R"([{"uri": "skin%20colour.png"}])");
  writeText(folder / "a.gltf", gltf.dump());
  const FaceAsset read = readGlb(folder / "a.gltf");
  REQUIRE(read.materials[0].base_colour);
  CHECK(read.materials[0].base_colour->width() == 4);
  CHECK(*read.materials[0].base_colour->at(3, 1) == 77);
  CHECK(read.mesh.uv(0, 1) == 1);  // v from the top becomes v from the bottom

  for (const char* elsewhere : {"../skin.png", "/etc/passwd", "http://example.com/a.png", "missing.png"}) {
    gltf["images"][0]["uri"] = elsewhere;
    writeText(folder / "b.gltf", gltf.dump());
    CHECK_THROWS_AS(readGlb(folder / "b.gltf"), Error);
  }
}

TEST_CASE("GLB reader: images that together pass the limit are refused before any of them is decoded") {
  const test::TemporaryFolder folder("glb_reader");
  writePng(folder / "small.png", Image8(4, 2, 3, std::uint8_t{77}));
  std::vector<std::uint8_t> png = readBytes(folder / "small.png");
  // The header alone says 8192 x 8192, so that decoding would fail: the refusal comes first.
  constexpr std::size_t kWidthAt = 16;  // of a PNG, big-endian, then the height
  for (const std::size_t at : {kWidthAt, kWidthAt + 4})
    png[at] = 0, png[at + 1] = 0, png[at + 2] = 0x20, png[at + 3] = 0;
  Json gltf = triangle();
  const Json primitive = gltf["meshes"][0]["primitives"][0];
  for (int i = 0; i < 8; ++i) {
    const std::string name = "large" + std::to_string(i) + ".png";
    writeText(folder / name, std::string(png.begin(), png.end()));
    gltf["images"].push_back({{"uri", name}});
    gltf["textures"].push_back({{"source", i}});
    gltf["materials"].push_back({{"pbrMetallicRoughness", {{"baseColorTexture", {{"index", i}}}}}});
    gltf["meshes"][0]["primitives"][i] = primitive;
    gltf["meshes"][0]["primitives"][i]["material"] = i;
  }
  writeText(folder / "a.gltf", gltf.dump());
  CHECK_THROWS_WITH_AS(readGlb(folder / "a.gltf"), doctest::Contains("holds more than a head needs"), Error);
}

TEST_CASE("GLB reader: compressed files are refused with the extension's name and the way out") {
  const test::TemporaryFolder folder("glb_reader");
  for (const char* extension :
       {"KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu"}) {
    Json gltf = triangle();
    gltf["extensionsRequired"] = {extension};
    writeText(folder / "a.gltf", gltf.dump());
    try {
      readGlb(folder / "a.gltf");
      FAIL("no error");
    } catch (const Error& error) {
      const std::string text = error.what();
      CHECK(error.kind() == ErrorKind::kInput);
      CHECK(text.find("a.gltf") != std::string::npos);
      CHECK(text.find(extension) != std::string::npos);
      CHECK(text.find("gltf-transform") != std::string::npos);
    }
  }
}

TEST_CASE("GLB reader: a file broken by hand is an error that names the file") {
  const test::TemporaryFolder folder("glb_reader");
  const auto refuses = [&](const std::string& content, const std::string& part) {
    writeText(folder / "a.gltf", content);
    try {
      readGlb(folder / "a.gltf");
      FAIL_CHECK("no error: ", part);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kInput);
      const std::string text = error.what();
      CHECK_MESSAGE(text.find("a.gltf: ") != std::string::npos, text);
      CHECK_MESSAGE(text.find(part) != std::string::npos, text);
    }
  };
  const auto broken = [&](const char* pointer, const Json& value, const std::string& part) {
    Json gltf = triangle();
    gltf[Json::json_pointer(pointer)] = value;
    refuses(gltf.dump(), part);
  };
  refuses("", "neither a GLB nor JSON");
  refuses("{", "neither a GLB nor JSON");
  refuses("[]", "no object");
  broken("/asset/version", "1.0", "only version 2");
  broken("/accessors/0/count", 4, "passes the end");
  broken("/accessors/0/count", 1e18, "no whole number");
  broken("/accessors/0/count", std::uint64_t{1} << 62, "passes the end");
  broken("/accessors/0/count", -3, "no whole number");
  broken("/accessors/0/byteOffset", 4, "passes the end");
  broken("/accessors/0/type", "VEC2", "VEC3 is needed");
  broken("/accessors/0/componentType", 5130, "component type");
  broken("/accessors/0/bufferView", 9, "refers to entry 9 of bufferViews");
  broken("/accessors/1/componentType", 5126, "passes the end");
  broken("/bufferViews/0/byteLength", 4000, "passes the end of its buffer");
  broken("/bufferViews/0/byteOffset", std::uint64_t{18446744073709551600U}, "passes the end of its buffer");
  broken("/bufferViews/0/byteStride", 4, "every 4");
  broken("/bufferViews/0/buffer", 3, "refers to entry 3 of buffers");
  broken("/buffers/0/byteLength", 400, "cut off");
  broken("/buffers/0/uri", "data:;base64,????", "base64");
  broken("/nodes/0/mesh", 7, "refers to entry 7 of meshes");
  broken("/nodes/0/children", {0}, "two parents");
  broken("/nodes/0/children", {5}, "a node that there is not");
  broken("/nodes/0/rotation", {0, 0, 0, 0}, "rotation of length 0");
  broken("/nodes/0/scale", {1, 1}, "list of 3 numbers");
  broken("/scenes/0/nodes", {0, 0}, "twice");
  broken("/scene", 2, "refers to entry 2 of scenes");
  broken("/meshes/0/primitives/0/attributes", Json::array(), "not object");
  broken("/meshes/0/primitives/0/targets", Json::parse(R"([{"POSITION": 1}])"), "VEC3 is needed");
  broken("/meshes/0/primitives/0/mode", 1, "no mesh of triangles");
  broken("/extensionsRequired", {"EXT_nobody_knows"}, "EXT_nobody_knows");
  // A sparse item beyond the end, and a corner beyond the last vertex.
  Json sparse = {{"count", 1},
                 {"indices", {{"bufferView", 1}, {"byteOffset", 2}, {"componentType", 5121}}},
                 {"values", {{"bufferView", 0}, {"byteOffset", 24}}}};
  Json gltf = triangle();
  gltf["accessors"][0]["sparse"] = sparse;
  CHECK_NOTHROW(writeText(folder / "ok.gltf", gltf.dump()), readGlb(folder / "ok.gltf"));
  gltf["accessors"][0]["count"] = 2;
  refuses(gltf.dump(), "replaces item 2 of 2");
  gltf = triangle();
  gltf["accessors"][0]["count"] = 2;
  refuses(gltf.dump(), "corner 2");
  // Nested so deep that a recursive reader runs out of stack.
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  refuses(R"({"asset": {"version": "2.0", "extras": )" + deep + "}}", "no mesh of triangles");
  // Claims that no file of this size can keep: thousands of shapes of a million vertices without a byte.
  gltf = triangle();
  gltf["accessors"].push_back({{"componentType", 5126}, {"count", 5'000'000}, {"type", "VEC3"}});
  gltf["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = 2;
  for (int t = 0; t < 1000; ++t) gltf["meshes"][0]["primitives"][0]["targets"].push_back({{"POSITION", 2}});
  refuses(gltf.dump(), "more than a head needs");
}

TEST_CASE("GLB reader: a GLB cut off anywhere is an error") {
  const test::TemporaryFolder folder("glb_reader");
  writeGlb(folder / "a.glb", sampleAsset());
  const std::vector<std::uint8_t> whole = readBytes(folder / "a.glb");
  for (std::size_t size = 0; size < whole.size(); size += 1 + whole.size() / 200) {
    writeBytes(folder / "b.glb", whole.data(), size);
    CHECK_THROWS_AS(readGlb(folder / "b.glb"), Error);
  }
  CHECK(isGltf(whole));
}

TEST_CASE("GLB reader: a motion of our own writer comes back frame by frame, with and without joints") {
  const test::TemporaryFolder folder("glb_reader");
  for (const bool has_joints : {false, true}) {
    FaceAsset asset = sampleAsset();
    if (!has_joints) asset.skin.reset();
    AssetMotion motion;
    motion.time_s = {0, 0.04F, 0.1F};
    motion.weights = Eigen::MatrixXf::Random(3, static_cast<Eigen::Index>(asset.targets.size())).cwiseAbs();
    for (int f = 0; f < 3; ++f) {
      motion.world_from_model.emplace_back(
          Eigen::AngleAxisf(0.2F * static_cast<float>(f), Eigen::Vector3f(0.6F, 0.8F, 0)));
      motion.world_from_model.back().translation() << 10 * f, -3 * f, 40;
      if (!has_joints) continue;
      motion.pose.push_back(Points3::Zero(asset.skin->positions.rows(), 3));
      motion.pose.back().row(2) << 0.1F * static_cast<float>(f), 0, 0.05F;
    }
    asset.motion = motion;
    writeGlb(folder / "a.glb", asset);
    const FaceAsset read = readGlb(folder / "a.glb");
    REQUIRE(read.motion);
    CHECK(largest(read.mesh.vertices, asset.mesh.vertices) < 1e-3F);  // at rest, not as in the first frame
    REQUIRE(read.motion->time_s == motion.time_s);
    CHECK((read.motion->weights - motion.weights).cwiseAbs().maxCoeff() < 1e-6F);
    REQUIRE(read.motion->world_from_model.size() == 3);
    for (int f = 0; f < 3; ++f) {
      CHECK(read.motion->world_from_model[f].isApprox(motion.world_from_model[f], 1e-4F));
      if (has_joints) CHECK(largest(read.motion->pose[f], motion.pose[f]) < 1e-5F);
    }
  }
}

TEST_CASE(
    "GLB reader: a scene that lists a child, and texture coordinates that are not finite, are refused") {
  const test::TemporaryFolder folder("glb_reader");
  FaceAsset asset = sampleAsset();
  asset.skin.reset();
  writeGlb(folder / "a.glb", asset);
  Glb ring(folder / "a.glb");
  auto& nodes = ring.json["nodes"];
  const std::size_t first = nodes.size();
  nodes.push_back({{"name", "a"}, {"children", {first + 1, 0}}});
  nodes.push_back({{"name", "b"}, {"children", {first}}});
  ring.write(folder / "ring.glb");
  CHECK_THROWS_AS(readGlb(folder / "ring.glb"), Error);

  Glb wild(folder / "a.glb");
  for (Json& material : wild.json["materials"]) {
    if (!material["pbrMetallicRoughness"].contains("baseColorTexture")) continue;
    material["pbrMetallicRoughness"]["baseColorTexture"]["extensions"]["KHR_texture_transform"] = {
        {"scale", {1e38, 1e38}}, {"offset", {3e38, 3e38}}};
  }
  wild.json["extensionsUsed"].push_back("KHR_texture_transform");
  wild.write(folder / "wild.glb");
  CHECK_THROWS_AS(readGlb(folder / "wild.glb"), Error);
}
