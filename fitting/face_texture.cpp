#include "fitting/face_texture.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/check.h"
#include "render/uv_maps.h"

namespace facet {
namespace {

// Light below this part of the mean shading is not divided out of the texture: it would only amplify noise.
constexpr float kMinShading = 0.25F;
constexpr int kSeamTexels = 8;
// Probability from which something in front of the skin begins to hide it, and from which it does.
constexpr float kCoveredFrom = 0.25F, kCoveredSurely = 0.6F;
// Scalp and forehead wear a hat when this share of what is seen of them is covered.
constexpr float kHatShare = 0.6F;
// Of the visibility: how much more the picture counts that sees a texel best.
constexpr float kBestViewPower = 6;

// Divides the estimated light out of the extracted colours, so that the mirror image of the lit half fits the
// other half.
void removeLight(const SphericalHarmonicsLight& light, const ImageF& normal_map, ImageF& colour) {
  const Eigen::Vector3f from_front = light.shading(Eigen::Vector3f::UnitZ());
  const Eigen::Vector3f floor = (kMinShading * from_front).cwiseMax(0.02F);
  for (int y = 0; y < colour.height(); ++y) {
    for (int x = 0; x < colour.width(); ++x) {
      const Eigen::Vector3f normal = Eigen::Map<const Eigen::Vector3f>(normal_map.at(x, y));
      if (normal.squaredNorm() < 0.25F) continue;  // outside the layout
      Eigen::Map<Eigen::Vector3f> texel(colour.at(x, y));
      texel = texel.cwiseQuotient(light.shading(normal).cwiseMax(floor)).cwiseMin(1.0F);
    }
  }
}

float smoothStep(float low, float high, float x) {
  const float t = std::clamp((x - low) / (high - low), 0.0F, 1.0F);
  return t * t * (3 - 2 * t);
}

// How much a texel of the photo, its light removed, looks like skin of this albedo, in [0, 1].
float skinLikelihood(const Eigen::Vector3f& colour, const Eigen::Vector3f& albedo) {
  constexpr float kLightnessSigma = 0.45F, kHueSigma = 0.2F;  // natural logarithm of linear RGB
  const Eigen::Array3f ratio = (colour.array().max(1e-3F) / albedo.array().max(1e-3F)).log();
  const float lightness = ratio.mean();
  const float hue2 = (ratio - lightness).square().sum();
  return std::exp(
      -0.5F * (lightness * lightness / (kLightnessSigma * kLightnessSigma) + hue2 / (kHueSigma * kHueSigma)));
}

// The head's outline is never exact: background and clothes lie on its rim. Neck and ears count as seen only
// where they look like skin; elsewhere green and blue, which neither skin nor hair has, do not.
void distrustBackground(const MorphableModel& model, const Fragments& layout, const ImageF& albedo_map,
                        ExtractedTexture& extracted) {
  std::vector<bool> is_bare(model.region_names.size(), false);
  for (std::size_t r = 0; r < is_bare.size(); ++r) {
    is_bare[r] = model.region_names[r] == "neck" || model.region_names[r].rfind("ear_", 0) == 0;
  }
  for (int y = 0; y < layout.height; ++y) {
    for (int x = 0; x < layout.width; ++x) {
      const int f = layout.triangle(x, y);
      if (f < 0) continue;
      const Eigen::Vector3f colour = Eigen::Map<const Eigen::Vector3f>(extracted.colour.at(x, y));
      float trust =
          1 - smoothStep(0.05F, 0.3F, std::log((colour.tail<2>().maxCoeff() + 0.02F) / (colour[0] + 0.02F)));
      if (!model.region.empty() && is_bare[model.region[model.triangles(f, 0)]]) {
        trust = skinLikelihood(colour, Eigen::Map<const Eigen::Vector3f>(albedo_map.at(x, y)));
      }
      *extracted.visibility.at(x, y) *= trust;
    }
  }
}

// Eyes, teeth and mouth: what the photo shows of them over the model's own colours, because skin's tone is
// not theirs.
void paintOtherMaterials(const MorphableModel& model, const Fragments& layout, const ImageF& albedo_map,
                         const ExtractedTexture& extracted, ImageF& texture) {
  if (model.triangle_material.empty()) return;
  std::vector<bool> is_skin;
  for (const std::string& name : model.material_names) is_skin.push_back(name == "skin");
  for (int y = 0; y < layout.height; ++y) {
    for (int x = 0; x < layout.width; ++x) {
      const int f = layout.triangle(x, y);
      if (f < 0 || is_skin[model.triangle_material[f]]) continue;
      const float seen = *extracted.visibility.at(x, y);
      for (int c = 0; c < 3; ++c) {
        texture.at(x, y)[c] = seen * extracted.colour.at(x, y)[c] + (1 - seen) * albedo_map.at(x, y)[c];
      }
    }
  }
}

// Glasses, hands and hair in front of the face are not its skin. On scalp and forehead hair counts as seen
// where it grows, and what the parsing takes for a cover is believed only where it covers most of them: a
// hat, not a fringe.
void distrustCovers(const MorphableModel& model, const Fragments& layout, const ImageF& position_map,
                    const Camera& camera, const FaceParsing& parsing, ExtractedTexture& extracted) {
  std::vector<bool> is_hairy(model.region_names.size(), false);
  for (std::size_t r = 0; r < is_hairy.size(); ++r)
    is_hairy[r] = model.region_names[r] == "scalp" || model.region_names[r] == "forehead";
  ImageF covered(layout.width, layout.height, 1, 0.0F);
  std::vector<std::uint8_t> hairy(static_cast<std::size_t>(layout.width) * layout.height, 0);
  int num_hairy = 0, num_hairy_covered = 0;
  for (int y = 0; y < layout.height; ++y) {
    for (int x = 0; x < layout.width; ++x) {
      const int f = layout.triangle(x, y);
      if (f < 0 || *extracted.visibility.at(x, y) == 0) continue;
      const auto photo_px =
          camera.imageFromModel(Eigen::Vector3f(Eigen::Map<const Eigen::Vector3f>(position_map.at(x, y))));
      if (!photo_px) continue;
      float& cover = *covered.at(x, y);
      cover = parsing.at(*photo_px, {FacePart::kGlasses, FacePart::kOccluder}, 0);
      if (!model.region.empty() && is_hairy[model.region[model.triangles(f, 0)]]) {
        hairy[static_cast<std::size_t>(y) * layout.width + x] = 1;
        ++num_hairy;
        num_hairy_covered += cover > kCoveredSurely;
      } else {
        cover += parsing.at(*photo_px, {FacePart::kHair}, 0);
      }
    }
  }
  const bool has_hat = num_hairy_covered > kHatShare * static_cast<float>(num_hairy);
  for (int y = 0; y < layout.height; ++y) {
    for (int x = 0; x < layout.width; ++x) {
      if (hairy[static_cast<std::size_t>(y) * layout.width + x] && !has_hat) continue;
      *extracted.visibility.at(x, y) *= 1 - smoothStep(kCoveredFrom, kCoveredSurely, *covered.at(x, y));
    }
  }
}

// Unit normals per texel, 0 outside the layout.
ImageF normalsInUv(const Mesh& mesh, const Fragments& layout) {
  ImageF normals = attributesInUv(mesh, layout, vertexNormals(mesh.vertices, mesh.triangles));
  for (int y = 0; y < layout.height; ++y) {
    for (int x = 0; x < layout.width; ++x) {
      if (layout.triangle(x, y) >= 0) Eigen::Map<Eigen::Vector3f>(normals.at(x, y)).normalize();
    }
  }
  return normals;
}

// One texture of several views of the same texels.
ExtractedTexture joined(std::vector<ExtractedTexture> views) {
  if (views.size() == 1) return std::move(views[0]);
  ExtractedTexture result = views[0];
  for (std::size_t i = 0; i < result.visibility.size(); ++i) {
    Eigen::Vector3f sum = Eigen::Vector3f::Zero();
    float weights = 0, best = 0;
    for (const ExtractedTexture& view : views) {
      const float seen = view.visibility.data()[i];
      const float weight = std::pow(seen, kBestViewPower);
      sum += weight * Eigen::Map<const Eigen::Vector3f>(view.colour.data() + 3 * i);
      weights += weight;
      best = std::max(best, seen);
    }
    if (weights > 0) Eigen::Map<Eigen::Vector3f>(result.colour.data() + 3 * i) = sum / weights;
    result.visibility.data()[i] = best;
  }
  return result;
}

}  // namespace

FaceMaps makeFaceMaps(const MorphableModel& model, const Points3& vertex_albedo,
                      const std::vector<TextureView>& views, int size_px) {
  require(!views.empty(), "makeFaceMaps: no view");
  const Mesh mesh = model.mesh(views[0].vertices);
  const Fragments layout = rasterizeUv(mesh, size_px);
  const Image8 coverage = uvCoverage(layout);
  FaceMaps maps;
  maps.normal = normalsInUv(mesh, layout);
  maps.position = attributesInUv(mesh, layout, mesh.vertices);
  maps.albedo = attributesInUv(mesh, layout, vertex_albedo);
  Image8 padded = coverage;
  dilateSeams(maps.albedo, padded, kSeamTexels);

  std::vector<ExtractedTexture> extracted;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const TextureView& view = views[i];
    const Mesh posed = model.mesh(view.vertices);
    extracted.push_back(extractTexture(posed, view.camera, *view.photo, size_px));
    removeLight(view.light, i == 0 ? maps.normal : normalsInUv(posed, layout), extracted.back().colour);
    distrustBackground(model, layout, maps.albedo, extracted.back());
    if (view.parsing == nullptr) continue;
    distrustCovers(model, layout, i == 0 ? maps.position : attributesInUv(posed, layout, view.vertices),
                   view.camera, *view.parsing, extracted.back());
  }
  ExtractedTexture seen = joined(std::move(extracted));
  maps.texture = completeTexture(mesh, seen, model.symmetry, maps.albedo);
  paintOtherMaterials(model, layout, maps.albedo, seen, maps.texture);
  padded = coverage;
  dilateSeams(maps.texture, padded, kSeamTexels);
  maps.visibility = std::move(seen.visibility);
  return maps;
}

}  // namespace facet
