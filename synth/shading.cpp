#include "synth/shading.h"

#include <algorithm>
#include <cmath>

#include "core/mesh.h"
#include "render/rasterize.h"
#include "synth/hair.h"
#include "synth/random.h"

namespace facet::synth {
namespace {

using Eigen::Vector3f;

constexpr float kNear_mm = 60, kFar_mm = 8000;

// Depth map from the direct light, orthographic around the head.
class ShadowMap {
 public:
  ShadowMap(const Points3& positions, const Triangles& triangles, const Vector3f& towards,
            const Vector3f& centre)
      : towards_(towards), centre_(centre), right_(towards.unitOrthogonal()), up_(towards.cross(right_)) {
    Points4 clip(positions.rows(), 4);
    for (Eigen::Index v = 0; v < positions.rows(); ++v) {
      const Vector3f p = toMap(positions.row(v));
      clip.row(v) << p.x(), p.y(), p.z(), 1.0F;
    }
    fragments_ = rasterize(clip, triangles, kSize, kSize);
  }

  // Share of the light that arrives, filtered over a few texels.
  float lit(const Vector3f& point, float bias_mm) const {
    const Vector3f p = toMap(point);
    const float x = (p.x() + 1) / 2 * kSize - 0.5F, y = (1 - p.y()) / 2 * kSize - 0.5F;
    const int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(std::floor(y));
    if (x0 < 1 || y0 < 1 || x0 > kSize - 3 || y0 > kSize - 3) return 1;
    const float limit = p.z() - bias_mm / kReach_mm;
    const float a = x - x0, b = y - y0;
    float sum = 0;
    for (int j = -1; j <= 2; ++j) {
      const float wy = j == -1 ? 1 - b : j == 2 ? b : 1;
      for (int i = -1; i <= 2; ++i) {
        const float* hit = fragments_.rast.at(x0 + i, y0 + j);
        const float wx = i == -1 ? 1 - a : i == 2 ? a : 1;
        if (hit[3] == 0 || hit[2] > limit) sum += wx * wy;
      }
    }
    return sum / 9;
  }

 private:
  static constexpr int kSize = 192;
  static constexpr float kReach_mm = 230;
  Vector3f toMap(const Vector3f& p) const {
    const Vector3f d = p - centre_;
    return {d.dot(right_) / kReach_mm, d.dot(up_) / kReach_mm, -d.dot(towards_) / kReach_mm};
  }
  Vector3f towards_, centre_, right_, up_;
  Fragments fragments_;
};

struct Material {
  Vector3f albedo = Vector3f::Zero();
  float occlusion = 1;
  float gloss = 0;      // strength of the rough specular reflection
  float exponent = 20;  // of the highlight
  float mirror = 0;     // strength of a sharp reflection of the surroundings
  float softness = 0;   // light bleeding past the terminator (skin)
};

Vector3f shadePoint(const Material& m, const Vector3f& n, const Vector3f& view, const Lighting& light,
                    float shadow) {
  Vector3f diffuse = light.irradiance(n) * m.occlusion;
  const float cosine = n.dot(light.direct_direction);
  Vector3f direct;
  for (int c = 0; c < 3; ++c) {
    const float wrap = m.softness * (c == 0 ? 0.30F : c == 1 ? 0.12F : 0.08F);
    direct[c] = std::max(0.0F, (cosine + wrap) / (1 + wrap));
  }
  diffuse += light.direct_colour.cwiseProduct(direct) * (shadow * (0.4F + 0.6F * m.occlusion));
  Vector3f colour = m.albedo.cwiseProduct(diffuse);
  if (m.gloss > 0) {
    const Vector3f half = (light.direct_direction + view).normalized();
    // Rough skin mirrors far less at grazing angles than Fresnel's law says of a smooth surface.
    const float fresnel = 0.03F + 0.12F * std::pow(1 - std::clamp(n.dot(view), 0.0F, 1.0F), 4.0F);
    const Vector3f reflected = 2 * n.dot(view) * n - view;
    colour += light.irradiance(reflected) * (fresnel * std::min(m.gloss, 1.5F) * m.occlusion * 0.7F);
    if (cosine > 0) {
      const float peak = 0.03F * (m.exponent + 2) / 8 * std::pow(std::max(0.0F, n.dot(half)), m.exponent);
      colour += light.direct_colour * (peak * cosine * m.gloss * shadow);
    }
    if (m.mirror > 0) colour += light.radiance(reflected) * (m.mirror * (0.3F + 0.7F * m.occlusion));
  }
  return colour;
}

// Kajiya and Kay, "Rendering Fur with Three Dimensional Textures", SIGGRAPH 1989, with a diffuse part that
// knows the outside of the head.
Vector3f shadeHair(const Vector3f& albedo, const Vector3f& normal, const Vector3f& tangent,
                   const Vector3f& view, const Lighting& light, float shadow) {
  Vector3f colour = albedo.cwiseProduct(light.irradiance(normal)) * 0.75F;
  const float along = tangent.dot(light.direct_direction);
  const float across = std::sqrt(std::max(0.0F, 1 - along * along));
  const float facing = smoothStep(-0.4F, 0.5F, normal.dot(light.direct_direction));
  colour += albedo.cwiseProduct(light.direct_colour) * (0.8F * across * facing * shadow);
  const float view_along = tangent.dot(view);
  const float glint =
      std::max(0.0F, across * std::sqrt(std::max(0.0F, 1 - view_along * view_along)) - along * view_along);
  const float peak = std::pow(glint, 18.0F) * facing * shadow;
  colour += (light.direct_colour * 0.05F + albedo.cwiseProduct(light.direct_colour) * 0.5F) * peak;
  return colour;
}

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

}  // namespace

Picture shade(const Assets& assets, const Subject& subject, const Points3& head, float mouth_open,
              const Scene& scene, const std::vector<Lens>& lenses, const Lighting& light, const View& view,
              const Image8& photo, const ImageF& background, bool bald) {
  const int size = view.size_px;
  const Eigen::Index num_head = head.rows(), num_extra = static_cast<Eigen::Index>(scene.vertices.size());
  Points3 positions(num_head + num_extra, 3);
  positions.topRows(num_head) = head;
  for (Eigen::Index v = 0; v < num_extra; ++v) positions.row(num_head + v) = scene.vertices[v].position;

  // The head's triangles first; those of the mouth's inside only when the mouth is open.
  std::vector<std::int32_t> source;
  source.reserve(static_cast<std::size_t>(assets.triangles.rows()));
  for (int f = 0; f < assets.triangles.rows(); ++f) {
    const HeadMaterial m = assets.material[f];
    if ((m == HeadMaterial::kGums || m == HeadMaterial::kTeeth) && mouth_open < 0.03F) continue;
    if (m == HeadMaterial::kEye && assets.eye_xy(assets.triangles(f, 0), 0) > 8) continue;  // its back
    source.push_back(f);
  }
  const int num_head_triangles = static_cast<int>(source.size());
  Triangles triangles(num_head_triangles + static_cast<Eigen::Index>(scene.triangles.size()), 3);
  for (int f = 0; f < num_head_triangles; ++f) triangles.row(f) = assets.triangles.row(source[f]);
  for (std::size_t f = 0; f < scene.triangles.size(); ++f) {
    triangles.row(num_head_triangles + static_cast<Eigen::Index>(f)) =
        (scene.triangles[f].corner.array() + static_cast<int>(num_head)).transpose();
  }

  Points4 clip(positions.rows(), 4);
  const float depth_scale = (kFar_mm + kNear_mm) / (kFar_mm - kNear_mm);
  const float depth_offset = -2 * kFar_mm * kNear_mm / (kFar_mm - kNear_mm);
  for (Eigen::Index v = 0; v < positions.rows(); ++v) {
    const float x = positions(v, 0), y = positions(v, 1), z = positions(v, 2);
    clip.row(v) << 2 * (view.focal_px * x + view.cx_px * z) / size - z,
        z - 2 * (view.focal_px * y + view.cy_px * z) / size, depth_scale * z + depth_offset, z;
  }
  const Fragments fragments = rasterize(clip, triangles, size, size);

  const Vector3f head_centre = positions.topRows(num_head).colwise().mean();
  std::optional<ShadowMap> shadows;
  if (light.casts_shadow) {
    // Skin, things, and every second lock of hair.
    Triangles casting(triangles.rows(), 3);
    Eigen::Index count = 0;
    for (int f = 0; f < triangles.rows(); ++f) {
      const bool casts =
          f < num_head_triangles
              ? assets.material[source[f]] <= HeadMaterial::kBack
              : scene.triangles[f - num_head_triangles].surface != Surface::kHair || (f / 16) % 2 == 0;
      if (casts) casting.row(count++) = triangles.row(f);
    }
    shadows.emplace(positions, casting.topRows(count), light.direct_direction, head_centre);
  }

  // Normals of the head; the base model's y axis points down in the camera frame, the winding stays outside.
  const Points3 normals = vertexNormals(head, assets.triangles);
  const float paint = bald ? 0.0F : scalpPaint(subject.cut);

  Picture picture{ImageF(size, size, 3), ImageF(size, size, 1), std::vector<std::uint8_t>(size * size, 0)};
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const float* hit = fragments.rast.at(x, y);
      Eigen::Map<Vector3f> out(picture.colour.at(x, y));
      if (hit[3] == 0) {
        out = Eigen::Map<const Vector3f>(background.at(x, y));
        continue;
      }
      const int f = static_cast<int>(hit[3]) - 1;
      const float w[3] = {hit[0], hit[1], 1 - hit[0] - hit[1]};
      const auto t = triangles.row(f);
      Vector3f position = Vector3f::Zero();
      for (int k = 0; k < 3; ++k) position += w[k] * positions.row(t(k)).transpose();
      const Vector3f to_camera = -position.normalized();
      *picture.depth.at(x, y) = position.z();

      if (f >= num_head_triangles) {
        picture.on_head[y * size + x] = 2;
        const Scene::Triangle& triangle = scene.triangles[f - num_head_triangles];
        Vector3f normal = Vector3f::Zero(), colour = Vector3f::Zero(), local = Vector3f::Zero();
        for (int k = 0; k < 3; ++k) {
          const Scene::Vertex& v = scene.vertices[triangle.corner[k]];
          normal += w[k] * v.normal;
          colour += w[k] * v.colour;
          local += w[k] * v.local;
        }
        normal.normalize();
        const bool hair = triangle.surface == Surface::kHair;
        if (!hair && normal.dot(to_camera) < 0) normal = -normal;
        const float shadow = shadows ? shadows->lit(position, hair ? 7.0F : 4.0F) : 1.0F;
        Material m;
        m.albedo = colour;
        switch (triangle.surface) {
          case Surface::kHair:
            out = shadeHair(colour, normal, local.normalized(), to_camera, light, shadow);
            continue;
          case Surface::kCloth:
            m.albedo *= 1 + 0.06F * valueNoise(local / 2.5F, 3);
            break;
          case Surface::kGloss:
            m.gloss = 1.5F, m.exponent = 60, m.mirror = 0.05F;
            break;
          case Surface::kSkin:
            m.gloss = subject.skin_gloss, m.softness = 1;
            break;
          case Surface::kPhoto: {
            const int px =
                std::clamp(static_cast<int>((local.x() * 0.4F + 0.5F) * photo.width()), 0, photo.width() - 1);
            const int py = std::clamp(static_cast<int>((local.y() * 0.4F + 0.5F) * photo.height()), 0,
                                      photo.height() - 1);
            for (int c = 0; c < 3; ++c) m.albedo[c] = std::pow(photo.at(px, py)[c] / 255.0F, 2.2F);
            out = m.albedo;
            continue;
          }
        }
        out = shadePoint(m, normal, to_camera, light, shadow);
        continue;
      }

      picture.on_head[y * size + x] = 1;
      Vector3f normal = Vector3f::Zero();
      float occlusion = 0, hairline = 0, beard = 0, moustache = 0;
      Vector3f mean_position = Vector3f::Zero();
      for (int k = 0; k < 3; ++k) {
        const int v = t(k);
        normal += w[k] * normals.row(v).transpose();
        occlusion += w[k] * assets.occlusion[v];
        hairline += w[k] * assets.hairline_mm[v];
        beard += w[k] * assets.beard[v];
        moustache += w[k] * assets.moustache[v];
        mean_position += w[k] * assets.model.mean.row(v).transpose();
      }
      normal.normalize();
      Material m;
      m.occlusion = 0.15F + 0.85F * occlusion;
      const auto uv = assets.corner_uv.row(source[f]);
      switch (assets.material[source[f]]) {
        case HeadMaterial::kFace:
        case HeadMaterial::kBack: {
          float lips = 0;
          if (assets.material[source[f]] == HeadMaterial::kFace) {
            m.albedo = sampleSkin(subject.skin, w[0] * uv(0) + w[1] * uv(2) + w[2] * uv(4),
                                  w[0] * uv(1) + w[1] * uv(3) + w[2] * uv(5), lips);
          } else {
            m.albedo = subject.skin_tone;
          }
          m.gloss = subject.skin_gloss * (1 + 0.4F * lips);
          m.exponent = 14 + 30 * lips;
          m.softness = 1;
          float inside = subject.hairline(hairline, mean_position);
          if (paint > 0 && inside > -12) {
            if (inside < 12)
              inside += 5 * valueNoise(mean_position / 4, 11) + 3 * valueNoise(mean_position / 1.5F, 12);
            const float w_hair =
                paint * smoothStep(-3, 6, inside) * (0.9F + 0.1F * valueNoise(mean_position / 2, 13));
            m.albedo += (subject.hair_colour * 0.6F - m.albedo) * w_hair;
            m.gloss *= 1 - 0.7F * w_hair;
          }
          if (subject.stubble > 0 && !bald && beard + moustache > 0.02F) {
            const float grows =
                subject.beard_mm > 0 || subject.moustache_mm <= 0
                    ? std::max(
                          beard * (subject.goatee > 0 && std::abs(mean_position.x()) > subject.goatee ? 0.35F
                                                                                                      : 1.0F),
                          moustache)
                    : moustache;
            const float w_hair = subject.stubble * smoothStep(0.05F, 0.7F, grows) *
                                 (0.72F + 0.2F * valueNoise(mean_position / 1.3F, 17) +
                                  0.1F * valueNoise(mean_position / 6, 18));
            m.albedo +=
                (subject.beard_colour.cwiseMin(m.albedo) * 0.9F - m.albedo) * std::clamp(w_hair, 0.0F, 0.95F);
          }
          break;
        }
        case HeadMaterial::kMouth: {
          m.albedo = Vector3f(0.30F, 0.09F, 0.08F);
          m.occlusion = mouth_open * 0.8F * smoothStep(62, 108, mean_position.z());
          m.gloss = 0.6F;
          m.softness = 0.3F;
          break;
        }
        case HeadMaterial::kGums: {
          m.albedo = Vector3f(0.42F, 0.14F, 0.13F);
          m.occlusion = mouth_open * 0.9F * smoothStep(60, 110, mean_position.z());
          m.gloss = 1.2F;
          m.exponent = 40;
          break;
        }
        case HeadMaterial::kTeeth: {
          m.albedo = subject.teeth_colour;
          m.occlusion = (0.25F + 0.75F * mouth_open) * smoothStep(60, 104, mean_position.z());
          m.gloss = 1.2F;
          m.exponent = 60;
          break;
        }
        case HeadMaterial::kEye: {
          const float ex =
              w[0] * assets.eye_xy(t(0), 0) + w[1] * assets.eye_xy(t(1), 0) + w[2] * assets.eye_xy(t(2), 0);
          const float ey =
              w[0] * assets.eye_xy(t(0), 1) + w[1] * assets.eye_xy(t(1), 1) + w[2] * assets.eye_xy(t(2), 1);
          m = eyeMaterial(subject, ex, ey, std::min(1.0F, 0.1F + 0.9F * occlusion));
          break;
        }
        case HeadMaterial::kSocket: {
          m.albedo = subject.skin_tone.cwiseProduct(Vector3f(0.9F, 0.5F, 0.5F));
          m.occlusion = 0.4F;
          break;
        }
      }
      float shadow = shadows ? shadows->lit(position, 5.0F) : 1.0F;
      if (assets.material[source[f]] >= HeadMaterial::kMouth &&
          assets.material[source[f]] <= HeadMaterial::kTeeth) {
        shadow *= m.occlusion;
      }
      out = shadePoint(m, normal, to_camera, light, shadow);
    }
  }

  // Lenses: the light behind them, tinted, and a mirror image of the surroundings.
  for (const Lens& lens : lenses) {
    const int count = static_cast<int>(lens.outline.size());
    Points4 lens_clip(count + 1, 4);
    Triangles fan(count - 1, 3);
    for (int v = 0; v <= count; ++v) {
      const Vector3f p = v < count ? lens.outline[v] : lens.centre;
      lens_clip.row(v) << 2 * (view.focal_px * p.x() + view.cx_px * p.z()) / size - p.z(),
          p.z() - 2 * (view.focal_px * p.y() + view.cy_px * p.z()) / size, depth_scale * p.z() + depth_offset,
          p.z();
      if (v < count - 1) fan.row(v) << v, v + 1, count;
    }
    const Fragments glass = rasterize(lens_clip, fan, size, size);
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        const float* hit = glass.rast.at(x, y);
        if (hit[3] == 0) continue;
        const float* behind = fragments.rast.at(x, y);
        if (behind[3] != 0 && behind[2] < hit[2]) continue;
        const Vector3f ray =
            Vector3f((x + 0.5F - view.cx_px) / view.focal_px, (y + 0.5F - view.cy_px) / view.focal_px, 1)
                .normalized();
        const float bulge = 0.25F;
        const Vector3f normal =
            (lens.normal + bulge * Vector3f((x + 0.5F) / size - 0.5F, (y + 0.5F) / size - 0.5F, 0))
                .normalized();
        const Vector3f reflected = ray - 2 * ray.dot(normal) * normal;
        Eigen::Map<Vector3f> out(picture.colour.at(x, y));
        out = out.cwiseProduct(lens.tint) + light.radiance(reflected).cwiseMin(2.0F) * lens.reflection;
        if (lens.tint.maxCoeff() < 0.4F) {  // what lies behind sunglasses is hidden
          picture.on_head[y * size + x] = 2;
          const float z = depth_offset / (hit[2] - depth_scale);
          *picture.depth.at(x, y) = z;
        }
      }
    }
  }
  return picture;
}

}  // namespace facet::synth
