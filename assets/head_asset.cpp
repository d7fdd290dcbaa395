#include "assets/head_asset.h"

namespace facet {
namespace {

// What eyes, teeth and the inside of the mouth look like beside skin.
AssetMaterial materialByName(const std::string& name) {
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  AssetMaterial material;
  material.name = name;
  if (has("cornea") || has("eye")) material.roughness = 0.1F;
  if (has("teeth") || has("tooth")) material.roughness = 0.25F;
  if (has("mouth") || has("gum") || has("tongue")) material.roughness = 0.4F;
  return material;
}

}  // namespace

FaceAsset faceAsset(const MorphableModel& model, const Points3& neutral, const Image8& texture,
                    const Eigen::Vector3f& colour) {
  FaceAsset asset;
  asset.mesh = model.mesh(neutral);
  asset.triangle_material = model.triangle_material;
  asset.materials.clear();
  for (const std::string& name : model.material_names) asset.materials.push_back(materialByName(name));
  if (asset.materials.empty()) {
    asset.materials.push_back(materialByName("skin"));
    asset.triangle_material.clear();
  }
  const auto shared_texture = texture.empty() ? nullptr : std::make_shared<const Image8>(texture);
  for (AssetMaterial& material : asset.materials) {
    if (shared_texture) {
      material.base_colour = shared_texture;
    } else {
      material.base_colour_factor = colour;
    }
  }
  for (Eigen::Index e = 0; e < model.blendshapes.cols(); ++e) {
    asset.targets.push_back({model.blendshape_names[e], model.blendshapes.points(e)});
  }
  // Modes in standard deviations mean nothing to an animator and are as large as the mesh each; they are left
  // out where there are named shapes.
  for (int e = 0; e < model.numExpression(); ++e) {
    if (model.isBlendshape(e) || model.blendshapes.cols() == 0) {
      asset.targets.push_back({model.expression_names[e], model.expression.points(e)});
    }
  }
  if (model.skeleton) {
    asset.skin = AssetSkin{model.skeleton->names, model.skeleton->parent, model.skeleton->joints(neutral),
                           model.skeleton->weights};
  }
  return asset;
}

}  // namespace facet
