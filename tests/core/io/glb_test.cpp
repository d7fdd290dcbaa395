#include "core/io/glb.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/io/files.h"
#include "core/morphable_model.h"
#include "tests/data.h"

using namespace facet;
using Json = nlohmann::json;

namespace {

// Just enough of a glTF reader to see what a viewer would see.
struct Glb {
  Json json;
  std::vector<std::uint8_t> binary;

  explicit Glb(const std::filesystem::path& path) {
    const std::vector<std::uint8_t> bytes = readBytes(path);
    const auto word = [&bytes](std::size_t at) {
      std::uint32_t value;
      std::memcpy(&value, &bytes.at(at), 4);
      return value;
    };
    REQUIRE(std::memcmp(bytes.data(), "glTF", 4) == 0);
    CHECK(word(4) == 2);
    CHECK(word(8) == bytes.size());
    const std::uint32_t json_size = word(12);
    CHECK(json_size % 4 == 0);
    json = Json::parse(bytes.begin() + 20, bytes.begin() + 20 + json_size);
    const std::size_t binary_start = 20 + json_size + 8;
    CHECK(word(20 + json_size) == bytes.size() - binary_start);
    binary.assign(bytes.begin() + static_cast<std::ptrdiff_t>(binary_start), bytes.end());
  }

  const std::uint8_t* view(int index) const { return &binary.at(json["bufferViews"][index]["byteOffset"]); }

  std::uint32_t index(int view_index, int component_type, std::size_t i) const {
    std::uint32_t wide = 0;
    const std::size_t size = component_type == 5123 ? 2 : 4;
    std::memcpy(&wide, view(view_index) + i * size, size);
    return wide;
  }

  // N×columns floats, sparse values applied.
  std::vector<float> floats(int accessor_index) const {
    const Json& accessor = json["accessors"][accessor_index];
    const std::map<std::string, std::size_t> columns_of = {
        {"SCALAR", 1}, {"VEC2", 2}, {"VEC3", 3}, {"VEC4", 4}, {"MAT4", 16}};
    const std::size_t columns = columns_of.at(accessor["type"]);
    std::vector<float> values(accessor["count"].get<std::size_t>() * columns, 0.0F);
    if (accessor.contains("bufferView")) {
      std::memcpy(values.data(), view(accessor["bufferView"]), values.size() * sizeof(float));
    }
    if (accessor.contains("sparse")) {
      const Json& sparse = accessor["sparse"];
      for (std::size_t i = 0; i < sparse["count"]; ++i) {
        const std::uint32_t row =
            index(sparse["indices"]["bufferView"], sparse["indices"]["componentType"], i);
        std::memcpy(&values.at(row * columns),
                    view(sparse["values"]["bufferView"]) + i * columns * sizeof(float),
                    columns * sizeof(float));
      }
    }
    return values;
  }

  std::vector<std::uint32_t> indices(int accessor_index) const {
    const Json& accessor = json["accessors"][accessor_index];
    std::vector<std::uint32_t> values(accessor["count"].get<std::size_t>());
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = index(accessor["bufferView"], accessor["componentType"], i);
    }
    return values;
  }
};

FaceAsset sampleAsset() {
  const MorphableModel model = makeSyntheticModel(1, 2, 3, 1);
  FaceAsset asset;
  asset.mesh = model.mesh(model.mean);
  asset.materials = {{.name = "skin", .base_colour = std::make_shared<Image8>(16, 8, 3, std::uint8_t{200})},
                     {.name = "scalp", .base_colour_factor = {0.2F, 0.1F, 0.05F}, .double_sided = true},
                     {.name = "unused"}};
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    asset.triangle_material.push_back(model.region[model.triangles(f, 0)]);
  }
  const auto addTarget = [&](const std::string& name, const Eigen::VectorXf& mode) {
    asset.targets.push_back({name, Eigen::Map<const Points3>(mode.data(), model.numVertices(), 3)});
  };
  for (int e = 0; e < 3; ++e) addTarget(model.expression_names[e], model.expression.col(e));  // local: sparse
  addTarget("wide", model.identity.col(0));  // everywhere: dense
  addTarget("still", Eigen::VectorXf::Zero(model.mean.size()));
  asset.extras_json = R"({"model": "synthetic", "licence": "MIT"})";
  return asset;
}

}  // namespace

TEST_CASE("GLB: a skin keeps each joint's place, its parent and the four largest weights of a vertex") {
  const test::TemporaryFolder folder("glb");
  FaceAsset asset = sampleAsset();
  const Eigen::Index num_vertices = asset.mesh.vertices.rows();
  AssetSkin skin;
  skin.names = {"root", "neck", "jaw", "left_eye", "right_eye"};
  skin.parent = {-1, 0, 1, 1, 1};
  skin.positions.resize(5, 3);
  skin.positions << 0, -150, 0, 0, -80, -10, 0, -20, 15, 32, 30, 60, -32, 30, 60;
  skin.weights = Eigen::MatrixXf::Zero(num_vertices, 5);
  skin.weights.col(1).setConstant(0.25F);
  skin.weights.col(2).setConstant(0.75F);
  skin.weights.row(7) << 0.1F, 0.2F, 0.3F, 0.04F, 0.36F;
  asset.skin = skin;
  writeGlb(folder / "a.glb", asset);

  const Glb glb(folder / "a.glb");
  const Json& joints = glb.json["skins"][0]["joints"];
  REQUIRE(joints.size() == 5);
  CHECK(glb.json["nodes"][0]["skin"] == 0);
  // The joints belong to the scene, below the node that carries them.
  const int rig = glb.json["scenes"][0]["nodes"][1];
  CHECK(glb.json["nodes"][rig]["children"] == Json({joints[0]}));
  // The chain root, neck, jaw adds up to the jaw's place; its inverse bind matrix takes it back to the
  // origin.
  Eigen::RowVector3f place = Eigen::RowVector3f::Zero();
  for (const int j : {0, 1, 2}) {
    const Json& node = glb.json["nodes"][joints[j].get<int>()];
    CHECK(node["name"] == skin.names[j]);
    for (int axis = 0; axis < 3; ++axis) place[axis] += node["translation"][axis].get<float>();
  }
  CHECK((1000 * place - skin.positions.row(2)).norm() < 1e-3F);
  CHECK(glb.json["nodes"][joints[1].get<int>()]["children"].size() == 3);
  const auto inverse_binds = glb.floats(glb.json["skins"][0]["inverseBindMatrices"]);
  CHECK(inverse_binds.at(2 * 16 + 13) == doctest::Approx(0.020F));

  const Json& attributes = glb.json["meshes"][0]["primitives"][0]["attributes"];
  const auto weights = glb.floats(attributes["WEIGHTS_0"]);
  const auto positions = glb.floats(attributes["POSITION"]);
  CHECK(weights.size() == positions.size() / 3 * 4);
  for (std::size_t i = 0; i < positions.size() / 3; ++i) {
    const Eigen::Map<const Eigen::RowVector3f> position(&positions[3 * i]);
    const bool is_seventh = (1000 * position - asset.mesh.vertices.row(7)).norm() < 1e-4F;
    // Of the seventh vertex the smallest of five, 0.04, is left out and the others share its part.
    CHECK(weights[4 * i] == doctest::Approx(is_seventh ? 0.36F / 0.96F : 0.75F));
    CHECK(weights[4 * i + 3] == doctest::Approx(is_seventh ? 0.1F / 0.96F : 0));
  }
}

TEST_CASE("GLB: a skin that does not fit the mesh is refused") {
  const test::TemporaryFolder folder("glb");
  FaceAsset asset = sampleAsset();
  asset.skin = AssetSkin{{"root"}, {-1}, Points3::Zero(1, 3), Eigen::MatrixXf::Ones(3, 1)};
  CHECK_THROWS_AS(writeGlb(folder / "a.glb", asset), std::invalid_argument);
  asset.skin->weights = Eigen::MatrixXf::Constant(asset.mesh.vertices.rows(), 1, 0.5F);
  CHECK_THROWS_AS(writeGlb(folder / "a.glb", asset), std::invalid_argument);
  CHECK_FALSE(std::filesystem::exists(folder / "a.glb"));
}

TEST_CASE("GLB: vertices are in metres, UVs count from the top, triangles keep their corners") {
  const test::TemporaryFolder folder("glb");
  const FaceAsset asset = sampleAsset();
  writeGlb(folder / "a.glb", asset);
  const Glb glb(folder / "a.glb");
  const Json& primitives = glb.json["meshes"][0]["primitives"];
  REQUIRE(primitives.size() == 2);  // the unused material has no primitive
  CHECK(glb.json["materials"].size() == 2);
  for (int m = 0; m < 2; ++m) {
    const Json& attributes = primitives[m]["attributes"];
    const auto positions = glb.floats(attributes["POSITION"]), uv = glb.floats(attributes["TEXCOORD_0"]);
    const auto indices = glb.indices(primitives[m]["indices"]);
    std::size_t at = 0;
    for (Eigen::Index f = 0; f < asset.mesh.triangles.rows(); ++f) {
      if (asset.triangle_material[f] != m) continue;
      for (int c = 0; c < 3; ++c, ++at) {
        const Eigen::Map<const Eigen::RowVector3f> position(&positions.at(3 * indices.at(at)));
        const Eigen::Map<const Eigen::RowVector2f> coordinate(&uv.at(2 * indices.at(at)));
        const Eigen::RowVector2f expected_uv = asset.mesh.uv.row(asset.mesh.uv_triangles(f, c));
        CHECK((1000 * position - asset.mesh.vertices.row(asset.mesh.triangles(f, c))).norm() < 1e-4F);
        CHECK(coordinate.x() == expected_uv.x());
        CHECK(coordinate.y() == doctest::Approx(1 - expected_uv.y()));
      }
    }
    CHECK(at == indices.size());
  }
}

TEST_CASE(
    "GLB: every vertex is used, and both sides of a seam share position, normal and target bit for bit") {
  const test::TemporaryFolder folder("glb");
  const FaceAsset asset = sampleAsset();
  writeGlb(folder / "a.glb", asset);
  const Glb glb(folder / "a.glb");
  const Json& primitives = glb.json["meshes"][0]["primitives"];
  const auto positions = glb.floats(primitives[0]["attributes"]["POSITION"]);
  const auto normals = glb.floats(primitives[0]["attributes"]["NORMAL"]);
  const auto target_normals = glb.floats(primitives[0]["targets"][3]["NORMAL"]);
  std::set<std::uint32_t> used;
  for (const Json& primitive : primitives) {
    for (const std::uint32_t index : glb.indices(primitive["indices"])) used.insert(index);
  }
  CHECK(used.size() == positions.size() / 3);
  CHECK(static_cast<Eigen::Index>(used.size()) > asset.mesh.vertices.rows());  // there is a seam
  std::map<std::array<float, 3>, std::size_t> first_at;
  int on_seam = 0;
  for (std::size_t i = 0; i < positions.size(); i += 3) {
    const auto [found, is_new] = first_at.insert({{positions[i], positions[i + 1], positions[i + 2]}, i});
    if (is_new) continue;
    ++on_seam;
    CHECK(std::memcmp(&normals[i], &normals[found->second], 12) == 0);
    CHECK(std::memcmp(&target_normals[i], &target_normals[found->second], 12) == 0);
  }
  CHECK(on_seam > 0);
}

TEST_CASE(
    "GLB: targets carry the displacement in metres and the change of the normal; local ones are sparse") {
  const test::TemporaryFolder folder("glb");
  const FaceAsset asset = sampleAsset();
  writeGlb(folder / "a.glb", asset);
  const Glb glb(folder / "a.glb");
  const Json& primitive = glb.json["meshes"][0]["primitives"][0];
  REQUIRE(primitive["targets"].size() == asset.targets.size());
  const auto base = glb.floats(primitive["attributes"]["NORMAL"]);
  const auto indices = glb.indices(primitive["indices"]);
  for (std::size_t t = 0; t < asset.targets.size(); ++t) {
    const int position_accessor = primitive["targets"][t]["POSITION"];
    const auto delta = glb.floats(position_accessor),
               normal_delta = glb.floats(primitive["targets"][t]["NORMAL"]);
    const Points3 expected_normals =
        vertexNormals(asset.mesh.vertices + asset.targets[t].displacement, asset.mesh.triangles);
    std::size_t at = 0;
    for (Eigen::Index f = 0; f < asset.mesh.triangles.rows(); ++f) {
      if (asset.triangle_material[f] != 0) continue;
      for (int c = 0; c < 3; ++c, ++at) {
        const int vertex = asset.mesh.triangles(f, c);
        const std::size_t row = 3 * indices[at];
        for (int axis = 0; axis < 3; ++axis) {
          CHECK(std::abs(1000 * delta[row + axis] - asset.targets[t].displacement(vertex, axis)) < 2e-4F);
          CHECK(std::abs(base[row + axis] + normal_delta[row + axis] - expected_normals(vertex, axis)) <
                1e-4F);
        }
      }
    }
    const Json& accessor = glb.json["accessors"][position_accessor];
    CHECK(accessor.contains("sparse") == (asset.targets[t].name != "wide"));
    // The range is exactly that of the values.
    for (int axis = 0; axis < 3; ++axis) {
      float low = delta[axis], high = delta[axis];
      for (std::size_t i = axis; i < delta.size(); i += 3)
        low = std::min(low, delta[i]), high = std::max(high, delta[i]);
      CHECK(accessor["min"][axis].get<float>() == low);
      CHECK(accessor["max"][axis].get<float>() == high);
    }
  }
}

TEST_CASE("GLB: a motion moves weights, joints and the whole head; a camera looks where ours does") {
  const test::TemporaryFolder folder("glb");
  FaceAsset asset = sampleAsset();
  asset.skin = AssetSkin{{"root", "jaw"}, {-1, 0}, Points3::Zero(2, 3)};
  asset.skin->weights = Eigen::MatrixXf::Constant(asset.mesh.vertices.rows(), 2, 0.5F);
  AssetMotion motion;
  motion.time_s = {0, 0.04F, 0.1F};
  motion.weights = Eigen::MatrixXf::Random(3, 5).cwiseAbs();
  motion.pose.assign(3, Points3::Zero(2, 3));
  motion.pose[1].row(1) << 0.2F, 0, 0;
  for (int f = 0; f < 3; ++f) {
    motion.world_from_model.emplace_back(
        Eigen::AngleAxisf(0.1F * static_cast<float>(f), Eigen::Vector3f::UnitY()));
    motion.world_from_model.back().translation() << 10 * f, 0, -600;
  }
  asset.motion = motion;
  Camera camera;
  camera.width_px = 640, camera.height_px = 480, camera.focal_px = 700;
  camera.principal_px << 320, 240;
  camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation() << 0, 0, 50;
  asset.camera = camera;
  writeGlb(folder / "a.glb", asset);
  const Glb glb(folder / "a.glb");
  const Json& animation = glb.json["animations"][0];
  const auto values = [&](const std::string& path, const std::string& node) {
    for (const Json& channel : animation["channels"]) {
      if (channel["target"]["path"] != path ||
          glb.json["nodes"][channel["target"]["node"].get<int>()]["name"] != node)
        continue;
      return glb.floats(animation["samplers"][channel["sampler"].get<int>()]["output"]);
    }
    FAIL("no channel " << path << " of " << node);
    return std::vector<float>();
  };
  const auto weights = values("weights", "face");
  REQUIRE(weights.size() == 15);
  for (int f = 0; f < 3; ++f)
    for (int t = 0; t < 5; ++t) CHECK(weights[5 * f + t] == motion.weights(f, t));
  CHECK(values("translation", "face_rig")[3] == doctest::Approx(0.01F));
  CHECK(values("rotation", "face_rig")[9] == doctest::Approx(std::sin(0.1F)));  // y of a turn by 0.2
  CHECK(values("rotation", "jaw")[4] == doctest::Approx(std::sin(0.1F)));
  const Json& times = glb.json["accessors"][animation["samplers"][0]["input"].get<int>()];
  CHECK(times["max"][0].get<float>() == 0.1F);

  const Json& nodes = glb.json["nodes"];
  const auto node =
      std::find_if(nodes.begin(), nodes.end(), [](const Json& n) { return n["name"] == "camera"; });
  REQUIRE(node != nodes.end());
  CHECK((*node)["translation"][2].get<float>() ==
        doctest::Approx(0.05F));  // in front of the face, looking back
  CHECK(std::abs((*node)["rotation"][3].get<float>()) == doctest::Approx(1));
  CHECK(glb.json["cameras"][0]["perspective"]["yfov"].get<float>() ==
        doctest::Approx(2 * std::atan(240.0 / 700)));

  asset.motion->time_s[2] = 0.04F;
  CHECK_THROWS_AS(writeGlb(folder / "b.glb", asset), std::invalid_argument);
}

TEST_CASE("GLB: colour and data are images of their own; a normal map brings tangents") {
  const test::TemporaryFolder folder("glb");
  FaceAsset asset = sampleAsset();
  asset.materials[0].occlusion_roughness = std::make_shared<Image8>(8, 8, 3, std::uint8_t{128});
  asset.materials[1].occlusion_roughness = asset.materials[0].occlusion_roughness;
  writeGlb(folder / "plain.glb", asset);
  asset.materials[0].normal = std::make_shared<Image8>(8, 8, 3, std::uint8_t{128});
  writeGlb(folder / "mapped.glb", asset);
  const Glb plain(folder / "plain.glb"), mapped(folder / "mapped.glb");
  CHECK(plain.json["images"].size() == 2);
  CHECK(mapped.json["images"].size() == 3);
  CHECK_FALSE(plain.json["meshes"][0]["primitives"][0]["attributes"].contains("TANGENT"));
  const Json& attributes = mapped.json["meshes"][0]["primitives"][0]["attributes"];
  const auto tangents = mapped.floats(attributes["TANGENT"]), normals = mapped.floats(attributes["NORMAL"]);
  for (std::size_t i = 0; i < tangents.size() / 4; ++i) {
    CHECK(std::abs(tangents[4 * i + 3]) == 1);
    const Eigen::Map<const Eigen::Vector3f> tangent(&tangents[4 * i]), normal(&normals[3 * i]);
    CHECK(std::abs(tangent.dot(normal)) < 1e-5F);
  }
  const Json& material = mapped.json["materials"][0];
  CHECK(material["occlusionTexture"]["index"] ==
        material["pbrMetallicRoughness"]["metallicRoughnessTexture"]["index"]);
  CHECK(material["occlusionTexture"]["index"] !=
        material["pbrMetallicRoughness"]["baseColorTexture"]["index"]);
  CHECK(material["extensions"]["KHR_materials_ior"]["ior"] == 1.4F);
}

TEST_CASE("GLB: quantised positions and shapes are within 5 µm of the exact ones, at half the size") {
  const test::TemporaryFolder folder("glb");
  FaceAsset asset = sampleAsset();
  asset.materials[0].base_colour = nullptr;
  writeGlb(folder / "exact.glb", asset);
  writeGlb(folder / "small.glb", asset, {.quantised = true});
  CHECK(std::filesystem::file_size(folder / "small.glb") <
        0.7 * std::filesystem::file_size(folder / "exact.glb"));
  const Glb exact(folder / "exact.glb"), small(folder / "small.glb");
  const Json& node = small.json["nodes"][0];
  const Json& stored = small.json["meshes"][0]["primitives"][0];
  const Json& wanted = exact.json["meshes"][0]["primitives"][0];
  const auto shorts = [&](int accessor) {
    const Json& entry = small.json["accessors"][accessor];
    REQUIRE(entry["componentType"] == 5122);
    std::vector<float> values(3 * entry["count"].get<std::size_t>(), 0.0F);
    const auto read = [&](const std::uint8_t* bytes, std::size_t row) {
      for (int axis = 0; axis < 3; ++axis) {
        std::int16_t value;
        std::memcpy(&value, bytes + 2 * axis, 2);
        values[3 * row + axis] = value;
      }
    };
    if (entry.contains("bufferView")) {
      for (std::size_t i = 0; i < values.size() / 3; ++i) read(small.view(entry["bufferView"]) + 8 * i, i);
    } else {
      const Json& sparse = entry["sparse"];
      for (std::size_t i = 0; i < sparse["count"]; ++i) {
        read(small.view(sparse["values"]["bufferView"]) + 6 * i,
             small.index(sparse["indices"]["bufferView"], sparse["indices"]["componentType"], i));
      }
    }
    return values;
  };
  const float scale = node["scale"][0];
  const auto positions = shorts(stored["attributes"]["POSITION"]),
             exact_positions = exact.floats(wanted["attributes"]["POSITION"]);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    CHECK(std::abs(positions[i] * scale + node["translation"][i % 3].get<float>() - exact_positions[i]) <
          5e-6F);
  }
  for (std::size_t t = 0; t < asset.targets.size(); ++t) {
    const auto delta = shorts(stored["targets"][t]["POSITION"]),
               exact_delta = exact.floats(wanted["targets"][t]["POSITION"]);
    for (std::size_t i = 0; i < delta.size(); ++i) CHECK(std::abs(delta[i] * scale - exact_delta[i]) < 5e-6F);
  }
}

TEST_CASE("GLB: names, weights and extras stand where importers look for them") {
  const test::TemporaryFolder folder("glb");
  writeGlb(folder / "a.glb", sampleAsset());
  const Glb glb(folder / "a.glb");
  const Json names = {"jawOpen", "mouthSmileLeft", "mouthSmileRight", "wide", "still"};
  const Json& mesh = glb.json["meshes"][0];
  CHECK(mesh["extras"]["targetNames"] == names);
  for (const Json& primitive : mesh["primitives"]) CHECK(primitive["extras"]["targetNames"] == names);
  CHECK(mesh["weights"] == Json({0, 0, 0, 0, 0}));
  CHECK(glb.json["asset"]["generator"] == "facet");
  CHECK(glb.json["asset"]["extras"]["licence"] == "MIT");
  CHECK(glb.json["materials"][0]["name"] == "skin");
  CHECK(glb.json["materials"][1]["doubleSided"] == true);
  const Json& image = glb.json["images"][0];
  CHECK(image["mimeType"] == "image/png");
  CHECK(std::memcmp(glb.view(image["bufferView"]) + 1, "PNG", 3) == 0);
}

TEST_CASE("GLB: an asset that does not fit together is refused") {
  const test::TemporaryFolder folder("glb");
  const auto check = [&](auto&& change) {
    FaceAsset asset = sampleAsset();
    change(asset);
    CHECK_THROWS_AS(writeGlb(folder / "a.glb", asset), std::invalid_argument);
  };
  check([](FaceAsset& a) { a.triangle_material[0] = 3; });
  check([](FaceAsset& a) { a.targets[0].displacement.conservativeResize(5, 3); });
  check([](FaceAsset& a) { a.extras_json = "[1]"; });
  check([](FaceAsset& a) { a.mesh.triangles(0, 0) = 100'000; });
  check([](FaceAsset& a) { a.mesh.uv.resize(0, 2), a.mesh.uv_triangles.resize(0, 3); });
  CHECK_FALSE(std::filesystem::exists(folder / "a.glb"));
}
