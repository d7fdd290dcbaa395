#include "core/io/obj_set.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "core/io/asset_textures.h"
#include "core/io/files.h"
#include "core/io/image_io.h"
#include "core/io/mesh_io.h"
#include "core/morphable_model.h"
#include "tests/data.h"

using namespace facet;

namespace {

// Two materials that share a texture, the first with a normal map, and two shapes.
FaceAsset sampleAsset() {
  const MorphableModel model = makeSyntheticModel(2, 2, 3, 1);
  FaceAsset asset;
  asset.name = "a face";
  asset.mesh = model.mesh(model.mean);
  const auto texture = std::make_shared<Image8>(8, 4, 3, std::uint8_t{120});
  asset.materials.resize(2);
  asset.materials[1].name = "eye white";
  asset.materials[0].base_colour = asset.materials[1].base_colour = texture;
  asset.materials[0].normal = std::make_shared<Image8>(4, 4, 3, std::uint8_t{128});
  asset.materials[1].occlusion_roughness = std::make_shared<Image8>(2, 2, 3, std::uint8_t{90});
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) asset.triangle_material.push_back(f % 3 == 0);
  for (int e = 0; e < 2; ++e)
    asset.targets.push_back({model.expression_names[e], model.expression.points(e)});
  return asset;
}

std::string linesThatStartWith(const std::string& text, const std::string& word) {
  std::istringstream lines(text);
  std::string line, found;
  while (std::getline(lines, line)) {
    if (line.rfind(word, 0) == 0) found += line + "\n";
  }
  return found;
}

}  // namespace

TEST_CASE("OBJ set: every shape has the neutral head's vertex order, texture coordinates and faces") {
  const test::TemporaryFolder folder("obj-set");
  const FaceAsset asset = sampleAsset();
  const auto files = writeObjSet(folder.path(), asset);
  REQUIRE(files == std::vector<std::string>{"neutral.obj", asset.targets[0].name + ".obj",
                                            asset.targets[1].name + ".obj"});
  const std::string neutral = readText(folder / files[0]);
  for (std::size_t t = 0; t < 2; ++t) {
    const std::string shape = readText(folder / files[t + 1]);
    for (const char* word : {"vt ", "f ", "usemtl ", "mtllib "}) {
      CHECK(linesThatStartWith(shape, word) == linesThatStartWith(neutral, word));
    }
    const Points3 expected = asset.mesh.vertices + asset.targets[t].displacement;
    CHECK((readObj(folder / files[t + 1]).vertices - expected).cwiseAbs().maxCoeff() < 1e-4F);
  }
}

TEST_CASE("OBJ set: triangles are grouped by material, and shared images are written once") {
  const test::TemporaryFolder folder("obj-set");
  const FaceAsset asset = sampleAsset();
  writeObjSet(folder.path(), asset);
  const std::string obj = readText(folder / "neutral.obj"), mtl = readText(folder / "a_face.mtl");
  CHECK(linesThatStartWith(obj, "s ") == "s 1\n");
  CHECK(linesThatStartWith(obj, "mtllib") == "mtllib a_face.mtl\n");
  CHECK(linesThatStartWith(obj, "usemtl") == "usemtl skin\nusemtl eye_white\n");
  CHECK(linesThatStartWith(mtl, "newmtl") == "newmtl skin\nnewmtl eye_white\n");
  CHECK(linesThatStartWith(mtl, "map_Kd") == "map_Kd a_face_basecolor.png\nmap_Kd a_face_basecolor.png\n");
  CHECK(linesThatStartWith(mtl, "norm") == "norm a_face_skin_normal.png\n");
  CHECK(linesThatStartWith(mtl, "map_Pr") == "map_Pr -imfchan g a_face_eye_white_orm.png\n");
  CHECK(readPhoto(folder / "a_face_basecolor.png").width() == 8);
  CHECK(readPhoto(folder / "a_face_skin_normal.png").width() == 4);
  // The first triangle of the second group is the mesh's first of that material.
  const Mesh back = readObj(folder / "neutral.obj");
  const auto first = std::count(asset.triangle_material.begin(), asset.triangle_material.end(), 0);
  CHECK(back.triangles.row(first) == asset.mesh.triangles.row(0));
}

TEST_CASE("OBJ set: the unit scales positions and keeps their precision") {
  const test::TemporaryFolder folder("obj-set");
  const FaceAsset asset = sampleAsset();
  for (const char* unit : {"mm", "cm", "m"}) {
    writeObj(folder / "head.obj", asset, exportUnit(unit));
    const Points3 back = readObj(folder / "head.obj").vertices / unitsPerMillimetre(exportUnit(unit));
    CHECK((back - asset.mesh.vertices).cwiseAbs().maxCoeff() < 1e-4F);
    writePly(folder / "head.ply", asset.mesh, exportUnit(unit));
    const Points3 from_ply = readPly(folder / "head.ply").vertices / unitsPerMillimetre(exportUnit(unit));
    CHECK((from_ply - asset.mesh.vertices).cwiseAbs().maxCoeff() < 1e-4F);
  }
  CHECK_THROWS_AS(exportUnit("inch"), std::invalid_argument);
}

TEST_CASE("OBJ set: names that meet in one file are refused before anything is written") {
  const test::TemporaryFolder folder("obj-set");
  FaceAsset asset = sampleAsset();
  asset.targets[0].name = "a/b", asset.targets[1].name = "a b";
  CHECK_THROWS_AS(writeObjSet(folder.path(), asset), std::invalid_argument);
  CHECK(std::filesystem::is_empty(folder.path()));
  CHECK(fileNameFrom("../x y") == "_.._x_y");
}
