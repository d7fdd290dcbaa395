#include "assets/head_asset.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "assets/baked_maps.h"
#include "assets/skin_detail.h"
#include "core/arkit_shapes.h"
#include "core/check.h"
#include "core/eyeballs.h"
#include "core/take.h"

namespace facet {
namespace {

// What eyes, teeth and the inside of the mouth look like beside skin. Indices of refraction: skin 1.4, cornea
// 1.376 (Gullstrand), enamel 1.63, saliva that of water.
AssetMaterial materialByName(const std::string& name, bool has_roughness_map) {
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  AssetMaterial material;
  material.name = name;
  float roughness = 0.55F;
  if (has("cornea") || has("eye")) roughness = 0.1F, material.ior = 1.376F;
  if (has("teeth") || has("tooth")) roughness = 0.25F, material.ior = 1.63F;
  if (has("mouth") || has("gum") || has("tongue")) roughness = 0.4F, material.ior = 1.33F;
  material.roughness = has_roughness_map ? 1.0F : roughness;
  return material;
}

// First channel, in [0, 1].
ImageF shares(const Image8& image) {
  ImageF result(image.width(), image.height(), 1);
  for (std::size_t i = 0; i < result.size(); ++i)
    result.data()[i] = static_cast<float>(image.data()[i * static_cast<std::size_t>(image.channels())]) / 255;
  return result;
}

std::vector<AssetTarget> modelTargets(const MorphableModel& model) {
  std::vector<AssetTarget> targets;
  for (int e = 0; e < model.numExpression(); ++e)
    targets.push_back({model.expression_names[e], model.expression.points(e)});
  return targets;
}

// A name in the one spelling that comparisons are made in.
std::string commonName(const std::string& name) {
  const auto arkit = arkitName(name);
  return arkit ? std::string(*arkit) : name;
}

bool hasShape(const std::vector<AssetTarget>& targets, const std::string& name) {
  return std::any_of(targets.begin(), targets.end(),
                     [&](const AssetTarget& target) { return commonName(target.name) == commonName(name); });
}

void keepOnly(const std::vector<std::string>& names, std::vector<AssetTarget>& targets) {
  for (const std::string& name : names)
    require(hasShape(targets, name), "headAsset: the model has no shape ", name);
  std::erase_if(targets, [&](const AssetTarget& target) {
    return std::none_of(names.begin(), names.end(),
                        [&](const std::string& name) { return commonName(name) == commonName(target.name); });
  });
}

std::vector<AssetTarget> namedTargets(const MorphableModel& model) {
  const ArkitShapes shapes = arkitShapes(model);
  std::vector<AssetTarget> targets;
  for (std::size_t k = 0; k < shapes.names.size(); ++k) {
    targets.push_back(
        {shapes.names[k], Eigen::Map<const Points3>(shapes.modes.col(static_cast<Eigen::Index>(k)).data(),
                                                    model.numVertices(), 3)});
  }
  return targets;
}

// Adds the turn of the eyeballs to look shapes that leave them where they are.
void turnEyesWithLooks(const MorphableModel& model, const Points3& neutral,
                       std::vector<AssetTarget>& targets) {
  const std::array<Eyeball, 2> eyes = eyeballs(model, neutral);
  for (AssetTarget& target : targets) {
    if (target.name.rfind("eyeLook", 0) != 0) continue;
    const std::size_t side = target.name.ends_with("Left") ? 0 : 1;
    const std::vector<int>& eyeball = eyes[side].vertices;
    const bool is_turned = std::any_of(eyeball.begin(), eyeball.end(),
                                       [&](int v) { return !target.displacement.row(v).isZero(0); });
    if (is_turned) continue;
    Take look;
    look.names = {target.name};
    look.time_s = {0};
    look.weights.setOnes(1, 1);
    const std::array<Points3, 2> angles = eyeAngles(look);
    Points3 turned = neutral;
    turnEyeballs(
        eyes,
        {rotationFromAngles(angles[0].row(0).transpose()), rotationFromAngles(angles[1].row(0).transpose())},
        turned);
    target.displacement += turned - neutral;
  }
}

std::vector<AssetTarget> chosenTargets(const MorphableModel& model, const Points3& neutral,
                                       const HeadAssetOptions& options) {
  std::vector<AssetTarget> targets;
  const bool wants_arkit = options.targets == TargetSet::kArkit || options.targets == TargetSet::kBoth;
  if (wants_arkit) targets = arkitTargets(model, neutral);
  if (wants_arkit && options.with_empty_tongue) {
    const std::string_view tongue = "tongueOut";
    if (std::none_of(targets.begin(), targets.end(), [&](const AssetTarget& t) { return t.name == tongue; }))
      targets.push_back({std::string(tongue), Points3::Zero(model.numVertices(), 3)});
  }
  if (options.targets == TargetSet::kModel || options.targets == TargetSet::kBoth ||
      (options.targets == TargetSet::kArkit && targets.empty())) {
    for (AssetTarget& target : modelTargets(model)) {
      if (!hasShape(targets, target.name)) targets.push_back(std::move(target));
    }
  }
  if (!options.only.empty()) keepOnly(options.only, targets);
  for (AssetTarget& target : targets) target.name = shapeName(target.name, options.naming);
  return targets;
}

}  // namespace

HeadTextures headTextures(const MorphableModel& model, const Points3& neutral, HeadSurface surface) {
  HeadTextures textures;
  if (surface.base_colour.empty() || !model.hasUsableUv()) return textures;
  const auto shared = [](Image8 image) {
    return image.empty() ? nullptr : std::make_shared<const Image8>(std::move(image));
  };
  OcclusionRoughnessOptions options;
  options.size_px = surface.base_colour.width();
  textures.occlusion_roughness = shared(occlusionRoughnessMap(model, neutral, options));
  if (!surface.normal_map.empty()) {
    textures.normal = shared(std::move(surface.normal_map));
  } else if (surface.skin_detail && !surface.visibility.empty()) {
    textures.normal =
        shared(skinDetailNormalMap(model, neutral, linearFromSrgb(surface.base_colour),
                                   resized(shares(surface.visibility), options.size_px, options.size_px)));
  }
  textures.base_colour = shared(std::move(surface.base_colour));
  return textures;
}

std::vector<AssetTarget> arkitTargets(const MorphableModel& model, const Points3& neutral) {
  std::vector<AssetTarget> targets = namedTargets(model);
  if (!model.skeleton || model.skeleton->jointIndex("left_eye") < 0)
    turnEyesWithLooks(model, neutral, targets);
  return targets;
}

std::optional<std::string> unknownShape(const MorphableModel& model, const Points3& neutral,
                                        const HeadAssetOptions& options) {
  if (options.only.empty()) return std::nullopt;
  HeadAssetOptions all = options;
  all.only.clear();
  const std::vector<AssetTarget> targets = chosenTargets(model, neutral, all);
  for (const std::string& name : options.only) {
    if (!hasShape(targets, name)) return name;
  }
  return std::nullopt;
}

FaceAsset headAsset(const MorphableModel& model, const Points3& neutral, const HeadTextures& textures,
                    const Eigen::Vector3f& colour, const HeadAssetOptions& options) {
  FaceAsset asset;
  asset.mesh = model.mesh(neutral);
  asset.triangle_material = model.triangle_material;
  asset.materials.clear();
  std::vector<std::string> names = model.material_names;
  if (names.empty()) {
    names = {"skin"};
    asset.triangle_material.clear();
  }
  for (const std::string& name : names) {
    AssetMaterial material = materialByName(name, textures.occlusion_roughness != nullptr);
    material.base_colour = textures.base_colour;
    if (!textures.base_colour) material.base_colour_factor = colour;
    material.occlusion_roughness = textures.occlusion_roughness;
    if (name == "skin") material.normal = textures.normal;
    asset.materials.push_back(std::move(material));
  }
  asset.targets = chosenTargets(model, neutral, options);
  if (model.skeleton) {
    asset.skin = AssetSkin{model.skeleton->names, model.skeleton->parent, model.skeleton->joints(neutral),
                           model.skeleton->weights};
  }
  return asset;
}

}  // namespace facet
