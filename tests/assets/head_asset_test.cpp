#include "assets/head_asset.h"

#include <doctest/doctest.h>

using namespace facet;

TEST_CASE("head asset: materials of one texture share the image") {
  MorphableModel model = makeSyntheticModel();
  model.material_names = {"skin", "eye"};
  model.triangle_material.assign(static_cast<std::size_t>(model.triangles.rows()), 0);
  HeadTextures textures;
  textures.base_colour = std::make_shared<const Image8>(8, 8, 3, std::uint8_t{100});
  const FaceAsset asset = headAsset(model, model.mean, textures, Eigen::Vector3f::Ones());
  asset.check("test");
  REQUIRE(asset.materials.size() == 2);
  CHECK(asset.materials[0].base_colour == asset.materials[1].base_colour);
  CHECK(asset.materials[1].roughness < asset.materials[0].roughness);
}

TEST_CASE("head asset: a model's halves of browInnerUp and cheekPuff become ARKit's one shape") {
  MorphableModel model = makeSyntheticModel(1, 2, 4, 0);
  model.num_blendshapes = 4;
  model.expression_names = {"browInnerUpLeft", "eyeBlinkLeft", "browInnerUpRight", "myOwnShape"};
  const std::vector<AssetTarget> targets = arkitTargets(model);
  REQUIRE(targets.size() == 2);
  CHECK(targets[0].name == "browInnerUp");
  CHECK(targets[0].displacement == model.expression.points(0) + model.expression.points(2));
  CHECK(targets[1].name == "eyeBlinkLeft");
}

TEST_CASE("head asset: targets come in the set, spelling and selection that is asked for") {
  MorphableModel model = makeSyntheticModel(1, 2, 3, 0);
  model.num_blendshapes = 3;
  model.expression_names = {"jawOpen", "eyeBlinkLeft", "myOwnShape"};
  const auto names = [&](const HeadAssetOptions& options) {
    std::vector<std::string> result;
    for (const AssetTarget& target :
         headAsset(model, model.mean, {}, Eigen::Vector3f::Ones(), options).targets)
      result.push_back(target.name);
    return result;
  };
  using Names = std::vector<std::string>;
  CHECK(names({}) == Names{"jawOpen", "eyeBlinkLeft"});
  CHECK(names({.targets = TargetSet::kModel}) == Names{"jawOpen", "eyeBlinkLeft", "myOwnShape"});
  CHECK(names({.targets = TargetSet::kBoth}) == Names{"jawOpen", "eyeBlinkLeft", "myOwnShape"});
  CHECK(names({.targets = TargetSet::kNone}).empty());
  CHECK(names({.naming = ShapeNaming::kPascal}) == Names{"JawOpen", "EyeBlinkLeft"});
  CHECK(names({.naming = ShapeNaming::kIct, .only = {"EyeBlinkLeft"}}) == Names{"eyeBlink_L"});
  CHECK(names({.with_empty_tongue = true}) == Names{"jawOpen", "eyeBlinkLeft", "tongueOut"});
  CHECK_THROWS_AS(names({.only = {"mouthClose"}}), std::invalid_argument);
}
