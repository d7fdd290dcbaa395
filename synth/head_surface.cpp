#include "synth/head_surface.h"

#include <algorithm>
#include <cmath>

#include "synth/hair.h"
#include "synth/random.h"

namespace facet::synth {
namespace {

using Eigen::Vector3f;

// Bilinear; the texel centres of all levels cover the same tile.
Vector3f sampleSkin(const Image8& skin, float u, float v, float& gloss) {
  const float x = std::clamp(u * skin.width() - 0.5F, 0.0F, skin.width() - 1.001F);
  const float y = std::clamp((1 - v) * skin.height() - 0.5F, 0.0F, skin.height() - 1.001F);
  const int x0 = static_cast<int>(x), y0 = static_cast<int>(y);
  const float a = x - x0, b = y - y0;
  float value[4];
  for (int c = 0; c < 4; ++c) {
    const auto texel = [&](int i, int j) { return static_cast<float>(skin.at(x0 + i, y0 + j)[c]); };
    value[c] = ((1 - b) * ((1 - a) * texel(0, 0) + a * texel(1, 0)) +
                b * ((1 - a) * texel(0, 1) + a * texel(1, 1))) /
               255;
  }
  gloss = value[3];
  return {value[0] * value[0], value[1] * value[1], value[2] * value[2]};
}

// Iris, pupil and the white of an eye at an offset from the optical axis.
Material eyeMaterial(const Subject& subject, float x, float y, float occlusion) {
  constexpr float kEyeballRadius_mm = 15.3F;
  const float r = std::hypot(x, y) * kEyeballRadius_mm;
  Material m;
  m.label = FaceLabel::kEyes;
  m.occlusion = occlusion;
  m.gloss = 1.0F;
  m.exponent = 160;
  m.mirror = 0.035F;
  const Vector3f white = Vector3f(0.52F, 0.48F, 0.45F) * subject.sclera_brightness;
  const Vector3f corner = Vector3f(0.46F, 0.30F, 0.27F) * subject.sclera_brightness;
  Vector3f colour = white + (corner - white) * smoothStep(7.5F, 13, r);
  const float angle = std::atan2(y, x);
  const float fibres =
      0.75F + 0.4F * valueNoise({3 * std::cos(angle) * 2, 3 * std::sin(angle) * 2, r * 0.4F}, 5);
  Vector3f iris = subject.iris_colour * fibres * (1.0F + 0.5F * smoothStep(5, 2.5F, r));
  iris *= 1 - 0.7F * smoothStep(subject.iris_mm - 1.4F, subject.iris_mm, r);
  const float inside = 1 - smoothStep(subject.iris_mm - 0.4F, subject.iris_mm + 0.4F, r);
  colour += (iris - colour) * inside;
  colour *= 1 - 0.97F * (1 - smoothStep(subject.pupil_mm - 0.3F, subject.pupil_mm + 0.3F, r));
  m.albedo = colour;
  return m;
}

// Level of detail of the painted skin whose texels are about as large as a pixel.
const Image8& skinLevel(const Assets& assets, const Subject& subject, float pixel_mm) {
  const float texels = pixel_mm / assets.paint[subject.paint_level].mm_per_texel;
  const int level = static_cast<int>(std::lround(std::log2(std::max(1.0F, 0.8F * texels))));
  return subject.skin[std::min<std::size_t>(level, subject.skin.size() - 1)];
}

}  // namespace

HeadSurface::HeadSurface(const Assets& assets, const Subject& subject, float mouth_open,
                         const std::array<float, 2>& eyes_closed, bool bald, float pixel_mm)
    : assets_(assets),
      subject_(subject),
      skin_(skinLevel(assets, subject, pixel_mm)),
      mouth_open_(mouth_open),
      eyes_closed_(eyes_closed),
      scalp_paint_(bald ? 0 : scalpPaint(subject.cut)),
      bald_(bald) {}

Material HeadSurface::at(int triangle, const Vector3f& w) const {
  const auto t = assets_.triangles.row(triangle);
  const SkinTraits* traits[3];
  for (int k = 0; k < 3; ++k) traits[k] = &assets_.traits[t(k)];
  const auto mixed = [&](auto SkinTraits::*member) {
    return w[0] * traits[0]->*member + w[1] * traits[1]->*member + w[2] * traits[2]->*member;
  };
  const Vector3f mean = w[0] * traits[0]->mean + w[1] * traits[1]->mean + w[2] * traits[2]->mean;
  const float occlusion = mixed(&SkinTraits::occlusion);
  const HeadMaterial kind = assets_.material[triangle];
  Material m;
  m.occlusion = 0.15F + 0.85F * occlusion;
  switch (kind) {
    case HeadMaterial::kFace:
    case HeadMaterial::kBack: {
      float lips = 0, brow = 0;
      if (kind == HeadMaterial::kFace) {
        const auto uv = assets_.corner_uv.row(triangle);
        const float u = w[0] * uv(0) + w[1] * uv(2) + w[2] * uv(4);
        const float v = w[0] * uv(1) + w[1] * uv(3) + w[2] * uv(5);
        m.albedo = sampleSkin(skin_, u, v, lips);
        const Image8& brows = subject_.brow_opacity;
        brow = *brows.at(std::clamp(static_cast<int>(u * brows.width()), 0, brows.width() - 1),
                         std::clamp(static_cast<int>((1 - v) * brows.height()), 0, brows.height() - 1)) /
               255.0F;
      } else {
        m.albedo = subject_.skin_tone;
      }
      // Rough and dull, or smooth and oily.
      const float shine = subject_.shine * mixed(&SkinTraits::shine);
      m.gloss = subject_.skin_gloss * (0.65F + 0.9F * shine + 0.5F * lips);
      m.exponent = 11 + 24 * shine + 32 * lips;
      m.softness = 1;
      constexpr float kBrowShows = 0.25F;
      m.label = brow > kBrowShows ? FaceLabel::kBrows
                : lips > 0.5F ? mean.y() > assets_.mouth_line_mm ? FaceLabel::kUpperLip : FaceLabel::kLowerLip
                : mixed(&SkinTraits::nose_mm) > 0 ? FaceLabel::kNose
                : mixed(&SkinTraits::ear_mm) > 0  ? FaceLabel::kEars
                : mixed(&SkinTraits::neck_mm) > 0 ? FaceLabel::kNeck
                                                  : FaceLabel::kSkin;
      const float hairline_mm = mixed(&SkinTraits::hairline_mm);
      float inside = -100;
      if (scalp_paint_ > 0 && hairline_mm + subject_.hairline_shift_mm > -12) {
        inside = subject_.hairline(hairline_mm, mean);
      }
      if (inside > -12) {
        if (inside < 12) inside += 5 * valueNoise(mean / 4, 11) + 3 * valueNoise(mean / 1.5F, 12);
        const float w_hair =
            scalp_paint_ * smoothStep(-3, 6, inside) * (0.9F + 0.1F * valueNoise(mean / 2, 13));
        m.albedo += (subject_.hair_colour * 0.6F - m.albedo) * w_hair;
        m.gloss *= 1 - 0.7F * w_hair;
        if (w_hair > 0.5F) m.label = FaceLabel::kHair;
      }
      const float beard = mixed(&SkinTraits::beard), moustache = mixed(&SkinTraits::moustache);
      if (subject_.stubble > 0 && !bald_ && beard + moustache > 0.02F) {
        const bool has_beard = subject_.beard_mm > 0 || subject_.moustache_mm <= 0;
        const bool beside_goatee = subject_.goatee_mm > 0 && std::abs(mean.x()) > subject_.goatee_mm;
        const float grows =
            has_beard ? std::max(beard * (beside_goatee ? 0.35F : 1.0F), moustache) : moustache;
        const float w_hair = subject_.stubble * smoothStep(0.05F, 0.7F, grows) *
                             (0.72F + 0.2F * valueNoise(mean / 1.3F, 17) + 0.1F * valueNoise(mean / 6, 18));
        m.albedo +=
            (subject_.beard_colour.cwiseMin(m.albedo) * 0.9F - m.albedo) * std::clamp(w_hair, 0.0F, 0.95F);
        const bool grown = subject_.beard_mm > 0 || (subject_.moustache_mm > 0 && moustache > beard);
        if (grown && w_hair > 0.45F && m.label != FaceLabel::kNeck) m.label = FaceLabel::kFacialHair;
      }
      break;
    }
    case HeadMaterial::kMouth:
      m.albedo = Vector3f(0.30F, 0.09F, 0.08F);
      m.occlusion = mouth_open_ * (0.06F + 0.74F * smoothStep(30, 108, mean.z()));
      m.gloss = 0.6F;
      m.softness = 0.3F;
      m.label = FaceLabel::kMouth;
      break;
    case HeadMaterial::kGums:
      m.albedo = Vector3f(0.42F, 0.14F, 0.13F);
      m.occlusion = mouth_open_ * 0.9F * smoothStep(60, 110, mean.z());
      m.gloss = 1.2F;
      m.exponent = 40;
      m.label = FaceLabel::kMouth;
      break;
    case HeadMaterial::kTeeth:
      m.albedo = subject_.teeth_colour;
      m.occlusion = (0.25F + 0.75F * mouth_open_) * smoothStep(60, 104, mean.z());
      m.gloss = 1.2F;
      m.exponent = 60;
      m.label = FaceLabel::kMouth;
      break;
    case HeadMaterial::kEye: {
      Vector3f xy = Vector3f::Zero();
      for (int k = 0; k < 3; ++k) xy.head<2>() += w[k] * assets_.eye_xy.row(t(k)).transpose();
      m = eyeMaterial(subject_, xy.x(), xy.y(), std::min(1.0F, 0.1F + 0.9F * occlusion));
      // Between closed lids lie lashes, not an eye.
      const float shut = smoothStep(0.8F, 0.92F, eyes_closed_[mean.x() > 0 ? 0 : 1]);
      if (shut > 0) {
        m.albedo += (subject_.skin_tone * 0.12F - m.albedo) * shut;
        m.gloss *= 1 - shut;
        m.mirror *= 1 - shut;
        if (shut > 0.5F) m.label = FaceLabel::kSkin;
      }
      break;
    }
    case HeadMaterial::kSocket:
      m.albedo = subject_.skin_tone.cwiseProduct(Vector3f(0.9F, 0.5F, 0.5F));
      m.occlusion = 0.4F;
      m.label = FaceLabel::kEyes;
      break;
  }
  return m;
}

Points3 HeadSurface::denseAlbedo() const {
  const LandmarkEmbedding& dense = assets_.dense;
  Points3 albedo = Points3::Zero(dense.size(), 3);
  for (int i = 0; i < dense.size(); ++i) {
    if (dense.has(i)) albedo.row(i) = at(dense.triangle[i], dense.barycentric.row(i)).albedo;
  }
  return albedo;
}

}  // namespace facet::synth
