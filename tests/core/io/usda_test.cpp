#include "core/io/usda.h"

#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <cmath>
#include <regex>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "core/morphable_model.h"
#include "tests/data.h"

using namespace facet;

namespace {

FaceAsset sampleAsset() {
  const MorphableModel model = makeSyntheticModel(1, 2, 3, 1);
  FaceAsset asset;
  asset.name = "my face";
  asset.mesh = model.mesh(model.mean);
  asset.materials = {AssetMaterial{}, AssetMaterial{}, AssetMaterial{}};
  asset.materials[1].name = "eye", asset.materials[2].name = "unused";
  asset.materials[0].base_colour = std::make_shared<Image8>(8, 4, 3, std::uint8_t{120});
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) asset.triangle_material.push_back(f % 4 == 0);
  for (int e = 0; e < 3; ++e)
    asset.targets.push_back({model.expression_names[e], model.expression.points(e)});
  asset.targets.push_back({"2 still", Points3::Zero(model.numVertices(), 3)});
  asset.extras_json = R"({"licence": "MIT"})";
  return asset;
}

void addMotion(FaceAsset& asset) {
  AssetMotion motion;
  motion.weights = Eigen::MatrixXf::Zero(3, static_cast<Eigen::Index>(asset.targets.size()));
  for (int f = 0; f < 3; ++f) {
    motion.time_s.push_back(1 + static_cast<float>(f) / 25);
    motion.weights(f, 1) = 0.25F * static_cast<float>(f + 1);
    Eigen::Isometry3f world_from_model = Eigen::Isometry3f::Identity();
    world_from_model.rotate(Eigen::AngleAxisf(0.5F * static_cast<float>(f), Eigen::Vector3f::UnitY()));
    world_from_model.translation() << 10.0F * static_cast<float>(f), 0, 0;
    motion.world_from_model.push_back(world_from_model);
  }
  asset.motion = motion;
}

std::string written(const FaceAsset& asset, const test::TemporaryFolder& folder) {
  writeUsda(folder / "a.usda", asset);
  return readText(folder / "a.usda");
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// The numbers between the first '[' and its ']' after `attribute`, which stands after `start`.
std::vector<double> numbersOf(const std::string& text, const std::string& attribute,
                              const std::string& start = "") {
  const std::size_t at = text.find(attribute, text.find(start));
  REQUIRE_MESSAGE(at != std::string::npos, attribute);
  const std::size_t open = text.find("= [", at) + 2;
  const std::string values = text.substr(open, text.find(']', open) - open);
  static const std::regex number("[-+0-9.eE]+");
  std::vector<double> result;
  for (std::sregex_iterator i(values.begin(), values.end(), number), end; i != end; ++i) {
    result.push_back(std::stod(i->str()));
  }
  return result;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("USDA: points are in metres, faces and subsets are the asset's, a texture stands beside it") {
  const test::TemporaryFolder folder("usda");
  const FaceAsset asset = sampleAsset();
  const std::string text = written(asset, folder);
  CHECK(text.rfind("#usda 1.0\n", 0) == 0);
  CHECK(has(text, "defaultPrim = \"my_face\""));
  CHECK(has(text, "metersPerUnit = 1\n"));
  CHECK(has(text, "upAxis = \"Y\""));
  CHECK(has(text, R"(string facet = "{\"licence\": \"MIT\"}")"));
  const std::vector<double> points = numbersOf(text, "point3f[] points");
  REQUIRE(points.size() == static_cast<std::size_t>(asset.mesh.vertices.size()));
  double largest_mm = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    largest_mm = std::max(largest_mm, std::abs(1000 * points[i] - asset.mesh.vertices.data()[i]));
  }
  CHECK(largest_mm < 1e-4);
  const std::vector<double> faces = numbersOf(text, "int[] faceVertexIndices");
  CHECK(std::equal(faces.begin(), faces.end(), asset.mesh.triangles.data()));
  const std::vector<double> uv_faces = numbersOf(text, "int[] primvars:st:indices");
  CHECK(std::equal(uv_faces.begin(), uv_faces.end(), asset.mesh.uv_triangles.data()));
  const auto skin = numbersOf(text, "int[] indices", "def GeomSubset \"skin\"");
  const auto eye = numbersOf(text, "int[] indices", "def GeomSubset \"eye\"");
  CHECK(static_cast<Eigen::Index>(skin.size() + eye.size()) == asset.mesh.triangles.rows());
  CHECK(eye[1] == 4);
  CHECK_FALSE(has(text, "def GeomSubset \"unused\""));
  CHECK(has(text, "asset inputs:file = @./my_face_skin_basecolor.png@"));
  CHECK(std::filesystem::exists(folder / "my_face_skin_basecolor.png"));
}

TEST_CASE("USDA: blend shapes keep names and order, and hold the moved points only") {
  const test::TemporaryFolder folder("usda");
  const FaceAsset asset = sampleAsset();
  const std::string text = written(asset, folder);
  CHECK(count(text, "def BlendShape ") == 4);
  CHECK(count(text, R"(blendShapes = ["jawOpen", "mouthSmileLeft", "mouthSmileRight", "2 still"])") == 2);
  CHECK(has(text, "</my_face/mesh/mouthSmileRight>, </my_face/mesh/_2_still>]"));
  const std::string start = "def BlendShape \"mouthSmileLeft\"";
  const auto offsets = numbersOf(text, "vector3f[] offsets", start);
  const auto normals = numbersOf(text, "vector3f[] normalOffsets", start);
  const auto indices = numbersOf(text, "int[] pointIndices", start);
  REQUIRE(offsets.size() == 3 * indices.size());
  REQUIRE(normals.size() == offsets.size());
  CHECK(static_cast<Eigen::Index>(indices.size()) < asset.mesh.vertices.rows());
  Points3 displacement = Points3::Zero(asset.mesh.vertices.rows(), 3);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    for (int axis = 0; axis < 3; ++axis) {
      displacement(static_cast<Eigen::Index>(indices[i]), axis) =
          static_cast<float>(1000 * offsets[3 * i + axis]);
    }
  }
  CHECK((displacement - asset.targets[1].displacement).cwiseAbs().maxCoeff() < 2e-4F);
  CHECK(numbersOf(text, "int[] pointIndices", "def BlendShape \"_2_still\"").empty());
}

TEST_CASE("USDA: a motion gives default values and time samples at the clip's frame rate") {
  const test::TemporaryFolder folder("usda");
  FaceAsset asset = sampleAsset();
  CHECK_FALSE(has(written(asset, folder), "timeSamples"));
  CHECK(has(written(asset, folder), "float[] blendShapeWeights = [0, 0, 0, 0]"));
  addMotion(asset);
  const std::string text = written(asset, folder);
  CHECK(has(text, "timeCodesPerSecond = 25\n"));
  CHECK(has(text, "startTimeCode = 25\n"));
  CHECK(has(text, "endTimeCode = 27\n"));
  CHECK(has(text, "float[] blendShapeWeights = [0, 0.25, 0, 0]\n"));
  CHECK(has(text, "                27: [0, 0.75, 0, 0],\n"));
  CHECK(has(text, "                26: [(0.01, 0, 0)],\n"));
  CHECK(has(text, "                27: [(0.8775826, 0, 0.4794255, 0)],\n"));  // half of 1 radian about y
}

TEST_CASE("USDA: joints have paths, rest places in the parent's frame, and as many weights as needed") {
  const test::TemporaryFolder folder("usda");
  FaceAsset asset = sampleAsset();
  AssetSkin skin;
  skin.names = {"root", "neck", "jaw"};
  skin.parent = {-1, 0, 1};
  skin.positions = (Points3(3, 3) << 0, -150, 0, 0, -80, -10, 0, -20, 15).finished();
  skin.weights = Eigen::MatrixXf::Zero(asset.mesh.vertices.rows(), 3);
  skin.weights.col(1).setConstant(0.25F);
  skin.weights.col(2).setConstant(0.75F);
  asset.skin = skin;
  addMotion(asset);
  asset.motion->pose.assign(3, Points3::Zero(3, 3));
  asset.motion->pose[2].row(2) << 0.4F, 0, 0;
  const std::string text = written(asset, folder);
  CHECK(has(text, R"(joints = ["root", "root/neck", "root/neck/jaw"])"));
  CHECK(has(text, "translations = [(0, -0.15, 0), (0, 0.07, -0.01), (0, 0.06, 0.025)]"));
  CHECK(has(text, "(0, -0.02, 0.015, 1))]"));            // bindTransforms' last row
  CHECK(has(text, "(0.9800666, 0.1986693, 0, 0)],\n"));  // the jaw's turn, half of 0.4
  CHECK(has(text, "elementSize = 2"));
  const auto joints = numbersOf(text, "int[] primvars:skel:jointIndices");
  const auto weights = numbersOf(text, "float[] primvars:skel:jointWeights");
  REQUIRE(static_cast<Eigen::Index>(joints.size()) == 2 * asset.mesh.vertices.rows());
  CHECK((joints[0] == 1 && joints[1] == 2 && weights[0] == 0.25 && weights[1] == 0.75));
}

TEST_CASE("USDA: the camera's aperture, focal length and offsets are the photo's") {
  const test::TemporaryFolder folder("usda");
  FaceAsset asset = sampleAsset();
  Camera camera;
  camera.width_px = 600, camera.height_px = 400;
  camera.focal_px = 1000;
  camera.principal_px << 270, 210;
  camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation() << 0, 0, 700;
  asset.camera = camera;
  const std::string text = written(asset, folder);
  CHECK(has(text, "def Camera \"camera\""));
  CHECK(has(text, "float focalLength = 60\n"));
  CHECK(has(text, "float horizontalAperture = 36\n"));
  CHECK(has(text, "float horizontalApertureOffset = 1.8\n"));
  CHECK(has(text, "float verticalAperture = 24\n"));
  CHECK(has(text, "float verticalApertureOffset = 0.6\n"));
  CHECK(has(text, "(0, 0, 0.7, 1))"));  // 0.7 m in front of the face, looking back at it
}
