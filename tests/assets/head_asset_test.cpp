#include "assets/head_asset.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <utility>

#include "core/eyeballs.h"
#include "core/io/model_io.h"

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
  const std::vector<AssetTarget> targets = arkitTargets(model, model.mean);
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

TEST_CASE("head asset: looking left turns both eyeballs to the subject's left, each about its own middle") {
  const MorphableModel model = loadModel("builtin");
  const std::array<Eyeball, 2> eyes = eyeballs(model, model.mean);
  const std::vector<AssetTarget> targets = arkitTargets(model, model.mean);
  for (const auto& [name, side] :
       {std::pair<std::string, std::size_t>{"eyeLookOutLeft", 0}, {"eyeLookInRight", 1}}) {
    const auto target =
        std::find_if(targets.begin(), targets.end(), [&](const AssetTarget& t) { return t.name == name; });
    REQUIRE(target != targets.end());
    const std::vector<int>& eyeball = eyes[side].vertices;
    REQUIRE(eyeball.size() > 100);
    const int front = *std::max_element(eyeball.begin(), eyeball.end(),
                                        [&](int a, int b) { return model.mean(a, 2) < model.mean(b, 2); });
    const float radius_mm = (model.mean.row(front) - eyes[side].centre_mm).norm();
    // sin 30° of the radius to +X, the subject's left; the eyeball keeps its middle.
    CHECK(target->displacement(front, 0) == doctest::Approx(0.5F * radius_mm).epsilon(0.1));
    Points3 moved(static_cast<Eigen::Index>(eyeball.size()), 3);
    for (std::size_t i = 0; i < eyeball.size(); ++i)
      moved.row(static_cast<Eigen::Index>(i)) =
          model.mean.row(eyeball[i]) + target->displacement.row(eyeball[i]);
    for (Eigen::Index i = 0; i < moved.rows(); ++i) {
      const float before =
          (model.mean.row(eyeball[static_cast<std::size_t>(i)]) - eyes[side].centre_mm).norm();
      CHECK((moved.row(i) - eyes[side].centre_mm).norm() == doctest::Approx(before).epsilon(1e-4));
    }
  }
}
