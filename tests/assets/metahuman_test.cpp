#include "assets/metahuman.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "assets/head_asset.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/mesh_io.h"
#include "core/io/model_io.h"
#include "tests/data.h"

using namespace facet;

namespace {

FaceAsset builtinHead(bool with_texture) {
  const MorphableModel model = loadModel("builtin");
  HeadTextures textures;
  if (with_texture) textures.base_colour = std::make_shared<const Image8>(32, 32, 3, std::uint8_t{150});
  return headAsset(model, model.mean, textures, Eigen::Vector3f(0.5F, 0.3F, 0.2F));
}

}  // namespace

TEST_CASE("metahuman: the OBJ is in centimetres, with skin and eyes, without teeth, flat") {
  const test::TemporaryFolder folder("metahuman");
  const FaceAsset head = builtinHead(true);
  writeMetahuman(folder / "head.obj", head);
  const Mesh obj = readObj(folder / "head.obj");
  const Eigen::RowVector3f size_mm =
      head.mesh.vertices.colwise().maxCoeff() - head.mesh.vertices.colwise().minCoeff();
  const Eigen::RowVector3f size_cm = obj.vertices.colwise().maxCoeff() - obj.vertices.colwise().minCoeff();
  CHECK((10 * size_cm - size_mm).norm() < 1e-3F);

  const auto triangles_of = [&head](const char* name) {
    const auto at = std::find_if(head.materials.begin(), head.materials.end(),
                                 [&](const AssetMaterial& m) { return m.name == name; });
    REQUIRE(at != head.materials.end());
    return std::count(head.triangle_material.begin(), head.triangle_material.end(),
                      at - head.materials.begin());
  };
  CHECK(obj.triangles.rows() == head.mesh.triangles.rows() - triangles_of("teeth"));
  CHECK(obj.vertices.rows() < head.mesh.vertices.rows());
  CHECK(obj.hasUv());
  const std::string text = readText(folder / "head.obj"), mtl = readText(folder / "head.mtl");
  CHECK(text.find("usemtl skin\n") != std::string::npos);
  CHECK(text.find("usemtl eye_white\n") != std::string::npos);
  CHECK(mtl.find("map_Kd ") != std::string::npos);
  CHECK(mtl.find("norm ") == std::string::npos);
  CHECK(mtl.find("map_Pr ") == std::string::npos);
  const FaceAsset kept = metahumanAsset(head);
  CHECK(std::count(kept.triangle_material.begin(), kept.triangle_material.end(), 1) == triangles_of("eye"));
  CHECK(kept.targets.empty());
}

TEST_CASE("metahuman: without a texture the eyes are white and the skin has its colour") {
  const FaceAsset kept = metahumanAsset(builtinHead(false));
  CHECK(kept.materials[0].base_colour_factor == Eigen::Vector3f(0.5F, 0.3F, 0.2F));
  CHECK(kept.materials[1].base_colour_factor.minCoeff() > 0.7F);
}

TEST_CASE("metahuman: a model without eyeballs is refused with the way out") {
  const MorphableModel model = makeSyntheticModel();
  const FaceAsset head = headAsset(model, model.mean, {}, Eigen::Vector3f::Ones());
  CHECK_THROWS_WITH_AS(metahumanAsset(head), doctest::Contains("built-in model"), Error);
}
