#include "assets/head_asset.h"

#include <doctest/doctest.h>

using namespace facet;

TEST_CASE("head asset: materials of one texture share the image") {
  MorphableModel model = makeSyntheticModel();
  model.material_names = {"skin", "eye"};
  model.triangle_material.assign(static_cast<std::size_t>(model.triangles.rows()), 0);
  const FaceAsset asset = faceAsset(model, model.mean, Image8(8, 8, 3, 100), Eigen::Vector3f::Ones());
  asset.check("test");
  REQUIRE(asset.materials.size() == 2);
  CHECK(asset.materials[0].base_colour == asset.materials[1].base_colour);
  CHECK(asset.materials[1].roughness < asset.materials[0].roughness);
}
