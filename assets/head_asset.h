#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/arkit.h"
#include "core/face_asset.h"
#include "core/morphable_model.h"

namespace facet {

// Which shapes an asset brings.
enum class TargetSet {
  kArkit,  // those of ARKit's names; a model without any brings its own expressions
  kModel,  // the model's expressions as they are, in standard deviations or weights
  kBoth,   // ARKit's first
  kNone
};

struct HeadAssetOptions {
  TargetSet targets = TargetSet::kArkit;
  ShapeNaming naming = ShapeNaming::kArkit;
  std::vector<std::string> only;   // names, in any spelling, of the shapes to keep; empty = all
  bool with_empty_tongue = false;  // a tongueOut that moves nothing, for programs that count 52 shapes
};

// Images of the skin and all other materials, one layout; each may be null.
struct HeadTextures {
  std::shared_ptr<const Image8> base_colour, occlusion_roughness, normal;  // as in AssetMaterial
};

// What there is to make a head's images of.
struct HeadSurface {
  Image8 base_colour;  // sRGB in the model's texture space; or empty
  Image8 visibility;   // 1 channel, of any size: how well photos show the base colour's texels; or empty
  Image8 normal_map;   // tangent space, baked from a finer surface; or empty
  bool skin_detail =
      true;  // without a normal map: pores and fine lines read from a base colour that was seen
};

// A head's images: base colour and, of the same size, the data maps that go with it.
HeadTextures headTextures(const MorphableModel& model, const Points3& neutral, HeadSurface surface);

// ARKit shapes of a model, among its blendshapes or expressions, by ARKit's names in the model's order.
// Shapes that the model has in two halves (browInnerUp, cheekPuff of ICT-FaceKit) are joined. Where nothing
// else turns the eyes (eyeballs apart from the skin, which no look shape moves, and no joints), the look
// shapes turn them, by 30° at weight 1 as core/take.h has it; on the way there they are straight lines, so
// that half a turn makes an eyeball 3 % smaller. `neutral` is V×3 mm, without expression.
std::vector<AssetTarget> arkitTargets(const MorphableModel& model, const Points3& neutral);

// The first name in `only` that the chosen shapes do not have, or nothing.
std::optional<std::string> unknownShape(const MorphableModel& model, const Points3& neutral,
                                        const HeadAssetOptions& options);

// A head as an asset: named shapes, joints where the model has them, a material per kind of surface. Without
// a base colour all materials are of one plain `colour` (linear RGB). `neutral` is V×3 mm, without
// expression. Throws std::invalid_argument for a name in `only` that the model does not have.
FaceAsset headAsset(const MorphableModel& model, const Points3& neutral, const HeadTextures& textures,
                    const Eigen::Vector3f& colour, const HeadAssetOptions& options = {});

}  // namespace facet
