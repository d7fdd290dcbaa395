#include "assets/head_asset.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "assets/baked_maps.h"
#include "core/check.h"

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

std::vector<AssetTarget> modelTargets(const MorphableModel& model) {
  std::vector<AssetTarget> targets;
  for (int e = 0; e < model.numExpression(); ++e)
    targets.push_back({model.expression_names[e], model.expression.points(e)});
  return targets;
}

// The last spelling of a name that both sides of a comparison can be brought to.
std::string commonName(const std::string& name) {
  const auto arkit = arkitName(name);
  return arkit ? std::string(*arkit) : name;
}

void keepOnly(const std::vector<std::string>& names, std::vector<AssetTarget>& targets) {
  for (const std::string& name : names) {
    const bool is_known = std::any_of(targets.begin(), targets.end(), [&](const AssetTarget& target) {
      return commonName(target.name) == commonName(name);
    });
    require(is_known, "headAsset: the model has no shape ", name);
  }
  std::erase_if(targets, [&](const AssetTarget& target) {
    return std::none_of(names.begin(), names.end(),
                        [&](const std::string& name) { return commonName(name) == commonName(target.name); });
  });
}

std::vector<AssetTarget> chosenTargets(const MorphableModel& model, const HeadAssetOptions& options) {
  std::vector<AssetTarget> targets;
  const bool wants_arkit = options.targets == TargetSet::kArkit || options.targets == TargetSet::kBoth;
  if (wants_arkit) targets = arkitTargets(model);
  if (wants_arkit && options.with_empty_tongue) {
    const std::string_view tongue = "tongueOut";
    if (std::none_of(targets.begin(), targets.end(), [&](const AssetTarget& t) { return t.name == tongue; }))
      targets.push_back({std::string(tongue), Points3::Zero(model.numVertices(), 3)});
  }
  if (options.targets == TargetSet::kModel || options.targets == TargetSet::kBoth ||
      (options.targets == TargetSet::kArkit && targets.empty())) {
    for (AssetTarget& target : modelTargets(model)) {
      if (std::none_of(targets.begin(), targets.end(),
                       [&](const AssetTarget& known) { return known.name == target.name; }))
        targets.push_back(std::move(target));
    }
  }
  if (!options.only.empty()) keepOnly(options.only, targets);
  for (AssetTarget& target : targets) target.name = shapeName(target.name, options.naming);
  return targets;
}

}  // namespace

HeadTextures headTextures(const MorphableModel& model, const Points3& neutral, Image8 base_colour) {
  HeadTextures textures;
  if (base_colour.empty() || !model.hasUsableUv()) return textures;
  OcclusionRoughnessOptions options;
  options.size_px = base_colour.width();
  textures.base_colour = std::make_shared<const Image8>(std::move(base_colour));
  textures.occlusion_roughness =
      std::make_shared<const Image8>(occlusionRoughnessMap(model, neutral, options));
  return textures;
}

std::vector<AssetTarget> arkitTargets(const MorphableModel& model) {
  std::vector<AssetTarget> targets;
  const auto add = [&](const std::string& name, const Basis& basis, int column) {
    const auto arkit = arkitName(name);
    if (!arkit) return;
    const auto known = std::find_if(targets.begin(), targets.end(),
                                    [&](const AssetTarget& target) { return target.name == *arkit; });
    if (known == targets.end()) {
      targets.push_back({std::string(*arkit), basis.points(column)});
    } else {
      known->displacement += basis.points(column);  // the other half
    }
  };
  for (int e = 0; e < model.numExpression(); ++e) {
    if (model.isBlendshape(e)) add(model.expression_names[e], model.expression, e);
  }
  if (!targets.empty() && model.blendshapes.cols() == 0) return targets;
  // Shapes beside the expressions are a whole set; eyelids among the expressions, as FLAME can have them, are
  // not.
  targets.clear();
  for (int b = 0; b < static_cast<int>(model.blendshapes.cols()); ++b)
    add(model.blendshape_names[b], model.blendshapes, b);
  return targets;
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
  asset.targets = chosenTargets(model, options);
  if (model.skeleton) {
    asset.skin = AssetSkin{model.skeleton->names, model.skeleton->parent, model.skeleton->joints(neutral),
                           model.skeleton->weights};
  }
  return asset;
}

}  // namespace facet
