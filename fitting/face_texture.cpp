#include "fitting/face_texture.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/mesh_parts.h"
#include "core/smooth_step.h"
#include "render/uv_maps.h"

namespace facet {
namespace {

// Light below this part of the mean shading is not divided out of the texture: it would only amplify noise.
constexpr float kMinShading = 0.25F;
// Probability from which something in front of the skin begins to hide it, and from which it does.
constexpr float kCoveredFrom = 0.25F, kCoveredSurely = 0.6F;
// Width of the border between hair and skin.
constexpr double kHairline_mm = 5;
// Area of hair over area of skin from which a head begins to count as having hair, and from which it does.
constexpr float kHairFrom = 0.06F, kHairSurely = 0.15F;
constexpr float kSurelyHair = 0.8F;   // probability
constexpr float kEnoughHair = 5e-3F;  // share of the texture that shows hair, to take its colour from there
// Where the hair that a picture shows mostly faces, in the model frame.
const Eigen::Vector3f kHairNormal(0, 0.6F, 0.8F);
// Probability from which what lids or lips lie on begins to be an eye or teeth, and from which it is.
constexpr float kOpenFrom = 0.12F, kOpenSurely = 0.4F;
// Scalp and forehead wear a hat when this share of what is seen of them is covered.
constexpr float kHatShare = 0.6F;
// Luminance of pupils and of irises over that of the white of the eye.
constexpr float kBrightestPupil = 0.03F, kBrightestIris = 0.4F;
// Iris texels that are seen less than this do not tell its colour, and it takes a share of them to do so.
constexpr float kMinIrisVisibility = 0.3F, kMinSeenIris = 0.15F;
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

float luminance(const float* rgb) { return 0.2126F * rgb[0] + 0.7152F * rgb[1] + 0.0722F * rgb[2]; }

// Where the model has painted eyes, they stay clean: eyeballs turn, and what a photo shows of them is half
// lids, lashes and glints. Only the colour of the irises is taken from it, as a median.
void paintEyes(const MorphableModel& model, const Fragments& layout, const ImageF& albedo_map,
               const ExtractedTexture& extracted, ImageF& texture) {
  if (model.triangle_material.empty()) return;
  const auto name = std::find(model.material_names.begin(), model.material_names.end(), "eye");
  const auto eye = static_cast<std::uint8_t>(name - model.material_names.begin());
  std::vector<std::size_t> eye_texels;
  float brightest = 0;
  for (int y = 0; y < layout.height; ++y) {
    for (int x = 0; x < layout.width; ++x) {
      const int f = layout.triangle(x, y);
      if (f < 0 || model.triangle_material[f] != eye) continue;
      eye_texels.push_back(static_cast<std::size_t>(y) * layout.width + x);
      brightest = std::max(brightest, luminance(albedo_map.at(x, y)));
    }
  }
  const auto brightness = [&](std::size_t texel) {
    return luminance(albedo_map.data() + 3 * texel) / brightest;
  };
  const auto is_iris = [&](std::size_t texel) {
    return brightness(texel) > kBrightestPupil && brightness(texel) < kBrightestIris;
  };
  Eigen::Vector3f painted = Eigen::Vector3f::Zero();
  int num_painted = 0;
  std::vector<float> seen[3];
  for (const std::size_t texel : eye_texels) {
    if (!is_iris(texel)) continue;
    painted += Eigen::Map<const Eigen::Vector3f>(albedo_map.data() + 3 * texel);
    ++num_painted;
    if (extracted.visibility.data()[texel] < kMinIrisVisibility) continue;
    for (int c = 0; c < 3; ++c) seen[c].push_back(extracted.colour.data()[3 * texel + c]);
  }
  if (num_painted == 0) return;  // eyes of one plain colour
  Eigen::Array3f tint = Eigen::Array3f::Ones();
  if (seen[0].size() > kMinSeenIris * static_cast<double>(num_painted)) {
    for (int c = 0; c < 3; ++c) {
      const auto middle = seen[c].begin() + static_cast<std::ptrdiff_t>(seen[c].size() / 2);
      std::nth_element(seen[c].begin(), middle, seen[c].end());
      tint[c] = std::clamp(*middle * static_cast<float>(num_painted) / painted[c], 0.25F, 4.0F);
    }
  }
  for (const std::size_t texel : eye_texels) {
    Eigen::Map<Eigen::Array3f> colour(texture.data() + 3 * texel);
    colour = Eigen::Map<const Eigen::Array3f>(albedo_map.data() + 3 * texel);
    if (is_iris(texel)) colour *= tint;
  }
}

// V, in [0, 1]: vertices of the regions that are named, with soft borders; zeros of a model without regions.
Eigen::VectorXf softRegion(const MorphableModel& model, std::initializer_list<const char*> names) {
  Eigen::VectorXf inside = Eigen::VectorXf::Zero(model.numVertices());
  if (model.region.empty()) return inside;
  for (Eigen::Index v = 0; v < inside.size(); ++v) {
    const std::string& region = model.region_names[model.region[static_cast<std::size_t>(v)]];
    for (const char* name : names) {
      if (region == name) inside[v] = 1;
    }
  }
  return spreadOver(model.mean, model.triangles, std::move(inside), kHairline_mm);
}

const std::string& materialOf(const MorphableModel& model, int triangle) {
  static const std::string kSkin = "skin";
  return model.triangle_material.empty()
             ? kSkin
             : model.material_names[model.triangle_material[static_cast<std::size_t>(triangle)]];
}

// Glasses, hands and hair in front of the face are not its skin. On scalp and forehead hair counts as seen
// where it grows, and what the parsing takes for a cover is believed only where it covers most of them: a
// hat, not a fringe. `hairy` is 1 there, size×size×1. Where lids and lips of the fit lie on what the parsing
// takes for the eye or the teeth, they show it when they close, so that does not count as skin; nor do lids
// count as eyes. Returns how certainly hair is seen on scalp and forehead.
ImageF distrustCovers(const MorphableModel& model, const Fragments& layout, const ImageF& hairy,
                      const ImageF& position_map, const Camera& camera, const FaceParsing& parsing,
                      ExtractedTexture& extracted) {
  ImageF cover(layout.width, layout.height, 1, 0.0F), hair = cover;
  int num_hairy = 0, num_hairy_covered = 0;
  for (int y = 0; y < layout.height; ++y) {
    for (int x = 0; x < layout.width; ++x) {
      if (layout.triangle(x, y) < 0 || *extracted.visibility.at(x, y) == 0) continue;
      const auto photo_px =
          camera.imageFromModel(Eigen::Vector3f(Eigen::Map<const Eigen::Vector3f>(position_map.at(x, y))));
      if (!photo_px) continue;
      *cover.at(x, y) = parsing.at(*photo_px, {FacePart::kGlasses, FacePart::kOccluder}, 0);
      const std::string& material = materialOf(model, layout.triangle(x, y));
      if (material == "skin") {
        const float open = parsing.at(*photo_px, {FacePart::kEyes, FacePart::kMouth}, 0);
        *extracted.visibility.at(x, y) *= 1 - smoothStep(kOpenFrom, kOpenSurely, open);
      } else if (material == "eye") {
        *extracted.visibility.at(x, y) *=
            smoothStep(kOpenFrom, kOpenSurely, parsing.at(*photo_px, {FacePart::kEyes}, 0));
      }
      *hair.at(x, y) = parsing.at(*photo_px, {FacePart::kHair}, 0);
      if (*hairy.at(x, y) < 0.5F) continue;
      ++num_hairy;
      num_hairy_covered += *cover.at(x, y) > kCoveredSurely;
    }
  }
  const bool has_hat = num_hairy_covered > kHatShare * static_cast<float>(num_hairy);
  for (std::size_t i = 0; i < cover.size(); ++i) {
    const float bare = 1 - hairy.data()[i];
    const float hidden = (has_hat ? 1 : bare) * cover.data()[i] + bare * hair.data()[i];
    extracted.visibility.data()[i] *= 1 - smoothStep(kCoveredFrom, kCoveredSurely, hidden);
  }
  for (std::size_t i = 0; i < hair.size(); ++i)
    hair.data()[i] *= hairy.data()[i] * extracted.visibility.data()[i];
  return hair;
}

// What the pictures show of the hair.
struct Hair {
  float coverage = 0;  // in [0, 1]: whether there is some worth the name
  Eigen::Vector3f albedo = Eigen::Vector3f::Zero();
};

// From the pictures themselves: hair stands off the head, so that most of it lies beside the fitted surface.
Hair hairOf(const std::vector<TextureView>& views) {
  constexpr int kSteps = 96;  // samples along a side of the parsed crop
  double hair = 0, skin = 0;
  Eigen::Vector3d colour = Eigen::Vector3d::Zero();
  for (const TextureView& view : views) {
    if (view.parsing == nullptr) continue;
    const FaceCrop& crop = view.parsing->crop;
    const Eigen::Vector3d light = view.light.shading(kHairNormal.normalized()).cwiseMax(0.05F).cast<double>();
    for (int i = 0; i < kSteps * kSteps; ++i) {
      const Eigen::Vector2f in_crop((i % kSteps + 0.5F) / kSteps - 0.5F, (i / kSteps + 0.5F) / kSteps - 0.5F);
      const Eigen::Vector2f at_px = crop.center_px + crop.side_px * in_crop;
      const int x = static_cast<int>(std::floor(at_px.x())), y = static_cast<int>(std::floor(at_px.y()));
      if (x < 0 || y < 0 || x >= view.photo->width() || y >= view.photo->height()) continue;
      skin += view.parsing->at(at_px, {FacePart::kSkin}, 0);
      const float certainty = view.parsing->at(at_px, {FacePart::kHair}, 0);
      if (certainty < kSurelyHair) continue;
      hair += certainty;
      for (int c = 0; c < 3; ++c) {
        const float srgb = static_cast<float>(view.photo->at(x, y)[c]) / 255;
        colour[c] += certainty * linearFromSrgb(srgb) / light[c];
      }
    }
  }
  if (hair <= 0) return {};
  return {smoothStep(kHairFrom, kHairSurely, static_cast<float>(hair / std::max(skin, 1.0))),
          (colour / hair).cwiseMin(1.0).cast<float>()};
}

// The colours to complete the head with: hair on the scalp of a head that has hair, so that it is not bald
// where no picture shows it. Its colour is that of the hair in front, as far as there is some. Hair that is
// seen counts too: the completed colours are brought to the tone of the seen ones, and skin must not be
// compared with hair.
ImageF withHairOnScalp(const Mesh& mesh, const Fragments& layout, const MorphableModel& model, Hair hair,
                       const ImageF& seen, const ImageF& hair_seen, ImageF albedo) {
  if (hair.coverage <= 0) return albedo;
  double weight = 0;
  Eigen::Vector3d colour = Eigen::Vector3d::Zero();
  for (std::size_t i = 0; i < hair_seen.size(); ++i) {
    weight += hair_seen.data()[i];
    colour += hair_seen.data()[i] * Eigen::Map<const Eigen::Vector3f>(seen.data() + 3 * i).cast<double>();
  }
  const float in_front =
      smoothStep(0, kEnoughHair, static_cast<float>(weight / static_cast<double>(hair_seen.size())));
  if (weight > 0) hair.albedo += in_front * ((colour / weight).cast<float>() - hair.albedo);
  const ImageF scalp = attributesInUv(mesh, layout, softRegion(model, {"scalp"}));
  for (std::size_t i = 0; i < scalp.size(); ++i) {
    Eigen::Map<Eigen::Vector3f> texel(albedo.data() + 3 * i);
    texel += hair.coverage * std::max(scalp.data()[i], hair_seen.data()[i]) * (hair.albedo - texel);
  }
  return albedo;
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
  padSeams(maps.albedo, coverage);

  const ImageF hairy = attributesInUv(mesh, layout, softRegion(model, {"scalp", "forehead"}));
  ImageF hair_seen(size_px, size_px, 1, 0.0F);
  std::vector<ExtractedTexture> extracted;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const TextureView& view = views[i];
    const Mesh posed = model.mesh(view.vertices);
    extracted.push_back(extractTexture(posed, view.camera, *view.photo, size_px));
    removeLight(view.light, i == 0 ? maps.normal : normalsInUv(posed, layout), extracted.back().colour);
    distrustBackground(model, layout, maps.albedo, extracted.back());
    if (view.parsing == nullptr) continue;
    const ImageF hair = distrustCovers(model, layout, hairy,
                                       i == 0 ? maps.position : attributesInUv(posed, layout, view.vertices),
                                       view.camera, *view.parsing, extracted.back());
    for (std::size_t t = 0; t < hair.size(); ++t)
      hair_seen.data()[t] = std::max(hair_seen.data()[t], hair.data()[t]);
  }
  ExtractedTexture seen = joined(std::move(extracted));
  maps.texture = completeTexture(
      mesh, seen, model.symmetry,
      withHairOnScalp(mesh, layout, model, hairOf(views), seen.colour, hair_seen, maps.albedo));
  paintOtherMaterials(model, layout, maps.albedo, seen, maps.texture);
  paintEyes(model, layout, maps.albedo, seen, maps.texture);
  padSeams(maps.texture, coverage);
  maps.visibility = std::move(seen.visibility);
  return maps;
}

}  // namespace facet
