#include "synth/shading.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

#include "core/mesh.h"
#include "render/rasterize.h"
#include "synth/random.h"

namespace facet::synth {
namespace {

using Eigen::Vector3f;

constexpr float kNear_mm = 60, kFar_mm = 8000;
// z/w = scale + offset / z
constexpr float kDepthScale = (kFar_mm + kNear_mm) / (kFar_mm - kNear_mm);
constexpr float kDepthOffset = -2 * kFar_mm * kNear_mm / (kFar_mm - kNear_mm);

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
    const Fragments fragments = rasterize(clip, triangles, kSize, kSize);
    depth_.resize(kSize * kSize);
    for (std::size_t i = 0; i < depth_.size(); ++i) {
      const float* hit = fragments.rast.data() + 4 * i;
      depth_[i] = hit[3] == 0 ? 2 : hit[2];
    }
  }

  // Share of the light that arrives, filtered over a few texels.
  float lit(const Vector3f& point, float bias_mm) const {
    const Vector3f p = toMap(point);
    const float x = (p.x() + 1) / 2 * kSize - 0.5F, y = (1 - p.y()) / 2 * kSize - 0.5F;
    const int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(std::floor(y));
    if (x0 < 1 || y0 < 1 || x0 > kSize - 3 || y0 > kSize - 3) return 1;
    const float limit = p.z() - bias_mm / kReach_mm;
    const float a = x - x0, b = y - y0;
    const Eigen::Array4f across(1 - a, 1, 1, a);
    const float down[] = {1 - b, 1, 1, b};
    Eigen::Array4f sum = Eigen::Array4f::Zero();
    for (int j = 0; j < 4; ++j) {
      const Eigen::Map<const Eigen::Array4f> depth(depth_.data() + (y0 + j - 1) * kSize + x0 - 1);
      sum += (depth > limit).select(across, Eigen::Array4f::Zero()) * down[j];
    }
    return sum.sum() / 9;
  }

 private:
  static constexpr int kSize = 192;
  static constexpr float kReach_mm = 230;
  Vector3f toMap(const Vector3f& p) const {
    const Vector3f d = p - centre_;
    return {d.dot(right_) / kReach_mm, d.dot(up_) / kReach_mm, -d.dot(towards_) / kReach_mm};
  }
  Vector3f towards_, centre_, right_, up_;
  std::vector<float> depth_;  // of the map, 2 where nothing is
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
    const auto square = [](float x) { return x * x; };
    const float fresnel = 0.03F + 0.12F * square(square(1 - std::clamp(n.dot(view), 0.0F, 1.0F)));
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
  const float glint2 = glint * glint, glint4 = glint2 * glint2, glint16 = glint4 * glint4 * glint4 * glint4;
  const float peak = glint16 * glint2 * facing * shadow;
  colour += (light.direct_colour * 0.05F + albedo.cwiseProduct(light.direct_colour) * 0.5F) * peak;
  return colour;
}

// Surfaces of one kind share a sample when a pixel shows nothing else.
using Kind = Samples::Kind;
constexpr Kind kNothing = 0;

constexpr Kind kindOf(HeadMaterial material) {
  if (material == HeadMaterial::kBack) material = HeadMaterial::kFace;
  return static_cast<Kind>(Samples::kFirstHeadKind + static_cast<int>(material));
}
constexpr Kind kindOf(Surface surface) {
  return static_cast<Kind>(Samples::kFirstSceneKind + static_cast<int>(surface));
}

// Whether nine samples are worth their price at a pixel of this kind, or five do: the iris, gaps between
// teeth.
bool isFine(Kind kind) {
  return kind == kindOf(HeadMaterial::kEye) || kind == kindOf(HeadMaterial::kTeeth) ||
         kind == kindOf(HeadMaterial::kGums);
}
// Whether one is too few.
bool isDetailed(Kind kind) { return kind == kindOf(Surface::kHair) || isFine(kind); }

float depthFromClip(float z_over_w) { return kDepthOffset / (z_over_w - kDepthScale); }

// Chooses the samples that are shaded and mixes them to pixels.
class Sampling {
 public:
  Sampling(Samples& samples, const std::vector<Kind>& kind_of_triangle, int size_px)
      : rast_(samples.rast),
        size_(size_px),
        row_(samples.row),
        kinds_(samples.kinds),
        needed_(samples.needed),
        uniform_(samples.uniform),
        colours_(samples.colours) {
    const std::size_t count = static_cast<std::size_t>(row_) * row_;
    kinds_.resize(count + 1);  // one more, see sameAround()
    for (std::size_t i = 0; i < count; ++i) {
      kinds_[i] = kind_of_triangle[static_cast<std::size_t>(samples.ids[i] + 1)];
    }
    needed_.assign(count, 0);
    colours_.resize(count);
    uniform_.resize(static_cast<std::size_t>(size_) * size_);
    for (int y = 0; y < size_; ++y) {
      for (int x = 0; x < size_; ++x) {
        const std::size_t c = centre(x, y);
        const Kind kind = kinds_[c];
        const bool same = sameAround(c);
        const bool uniform = same && (kind == kNothing || (!isDetailed(kind) && isFlat(c)));
        uniform_[y * size_ + x] = uniform;
        needed_[c] = kind != kNothing;
        if (uniform) continue;
        const bool nine = isFine(kind);
        for (int j = -1; j <= 1; ++j) {
          for (int i = -1; i <= 1; ++i) {
            if (!nine && (i == 0) != (j == 0)) continue;
            needed_[c + j * row_ + i] = kinds_[c + j * row_ + i] != kNothing;
          }
        }
      }
    }
  }

  bool needed(std::size_t sample) const { return needed_[sample] != 0; }
  std::size_t centre(int x, int y) const { return static_cast<std::size_t>(2 * y + 1) * row_ + 2 * x + 1; }
  void setColour(std::size_t sample, const Vector3f& colour) { colours_[sample].head<3>() = colour; }

  // Colour of a pixel: the mean over its square, from its centre and corners or by the trapezoid rule.
  Vector3f resolve(int x, int y, const Vector3f& background) const {
    const std::size_t c = centre(x, y);
    if (uniform_[y * size_ + x]) {
      return kinds_[c] == kNothing ? background : Vector3f(colours_[c].head<3>());
    }
    Eigen::Array4f behind = Eigen::Array4f::Zero();
    behind.head<3>() = background;
    const auto at = [&](std::size_t sample) -> const Eigen::Array4f& {
      return kinds_[sample] == kNothing ? behind : colours_[sample];
    };
    if (!isFine(kinds_[c])) {
      const Eigen::Array4f corners =
          at(c - row_ - 1) + at(c - row_ + 1) + at(c + row_ - 1) + at(c + row_ + 1);
      return (0.4F * at(c) + 0.15F * corners).head<3>();
    }
    Eigen::Array4f sum = Eigen::Array4f::Zero();
    for (int j = -1; j <= 1; ++j) {
      for (int i = -1; i <= 1; ++i) {
        const std::size_t s = c + j * row_ + i;
        const float weight = (i == 0 ? 0.5F : 0.25F) * (j == 0 ? 0.5F : 0.25F);
        sum += weight * at(s);
      }
    }
    return sum.head<3>();
  }

 private:
  // Whether the nine samples of a pixel show one kind of surface.
  bool sameAround(std::size_t c) const {
    const std::uint32_t wanted = kinds_[c] * 0x010101U;
    for (int j = -1; j <= 1; ++j) {
      std::uint32_t three;  // and one more
      std::memcpy(&three, kinds_.data() + c + j * row_ - 1, sizeof three);
      if constexpr (std::endian::native == std::endian::big) three >>= 8;
      if ((three & 0xFFFFFF) != wanted) return false;
    }
    return true;
  }

  // No step within the pixel: z/w is linear in the image on a plane.
  bool isFlat(std::size_t c) const {
    const auto depth = [&](std::size_t s) { return rast_[4 * s + 2]; };
    const float tolerance = kBend_mm * (depth(c) - kDepthScale) * (depth(c) - kDepthScale) / -kDepthOffset;
    const auto bends = [&](std::ptrdiff_t step) {
      return std::abs(depth(c + step) + depth(c - step) - 2 * depth(c)) > tolerance;
    };
    return !bends(row_ + 1) && !bends(row_ - 1);
  }

  static constexpr float kBend_mm = 2;
  const std::vector<float>& rast_;
  int size_, row_;
  std::vector<Kind>& kinds_;
  std::vector<std::uint8_t>&needed_, &uniform_;
  std::vector<Eigen::Array4f>& colours_;
};

// Clip space of camera-frame points, for a raster of `size` samples a side.
Points4 clipFromCamera(const Points3& points, float focal, float cx, float cy, int size) {
  Points4 clip(points.rows(), 4);
  for (Eigen::Index v = 0; v < points.rows(); ++v) {
    const float x = points(v, 0), y = points(v, 1), z = points(v, 2);
    clip.row(v) << 2 * (focal * x + cx * z) / static_cast<float>(size) - z,
        z - 2 * (focal * y + cy * z) / static_cast<float>(size), kDepthScale * z + kDepthOffset, z;
  }
  return clip;
}

// The light behind a lens, tinted, and a mirror image of the surroundings.
void addLens(const Lens& lens, const Lighting& light, const View& view, Picture& picture, Samples& samples) {
  const int size = view.size_px, row = samples.row;
  const int count = static_cast<int>(lens.outline.size());
  Points3 points(count + 1, 3);
  Triangles fan(count - 1, 3);
  for (int v = 0; v <= count; ++v) {
    points.row(v) = v < count ? lens.outline[v] : lens.centre;
    if (v < count - 1) fan.row(v) << v, v + 1, count;
  }
  const Fragments glass =
      rasterize(clipFromCamera(points, view.focal_px, view.cx_px, view.cy_px, size), fan, size, size);
  const bool dark = lens.tint.maxCoeff() < 0.4F;
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const float* hit = glass.rast.at(x, y);
      if (hit[3] == 0) continue;
      const float depth = depthFromClip(hit[2]);
      float cover = 0;
      const std::size_t centre = static_cast<std::size_t>(2 * y + 1) * row + 2 * x + 1;
      for (int j = -1; j <= 1; ++j) {
        for (int i = -1; i <= 1; ++i) {
          const float behind = samples.depthMm(centre + j * row + i);
          if (behind == 0 || behind > depth) cover += (i == 0 ? 0.5F : 0.25F) * (j == 0 ? 0.5F : 0.25F);
        }
      }
      if (cover == 0) continue;
      const Vector3f ray((x + 0.5F - view.cx_px) / view.focal_px, (y + 0.5F - view.cy_px) / view.focal_px, 1);
      constexpr float kBulge = 0.25F;
      const Vector3f normal =
          (lens.normal + kBulge * Vector3f((x + 0.5F) / size - 0.5F, (y + 0.5F) / size - 0.5F, 0))
              .normalized();
      const Vector3f reflected = ray.normalized() - 2 * ray.normalized().dot(normal) * normal;
      Eigen::Map<Vector3f> out(picture.colour.at(x, y));
      const Vector3f through =
          out.cwiseProduct(lens.tint) + light.radiance(reflected).cwiseMin(2.0F) * lens.reflection;
      out += cover * (through - out);
      if (!dark) continue;
      // What lies behind sunglasses is hidden.
      for (int j = -1; j <= 1; ++j) {
        for (int i = -1; i <= 1; ++i) {
          const std::size_t sample = centre + j * row + i;
          const float behind = samples.depthMm(sample);
          if (behind != 0 && behind <= depth) continue;
          samples.rast[4 * sample + 2] = hit[2];
          samples.kinds[sample] = kindOf(Surface::kGloss);
        }
      }
      if (samples.rast[4 * centre + 2] != hit[2]) continue;
      picture.label[y * size + x] = FaceLabel::kGlasses;
      if (!picture.truth.empty()) picture.truth[y * size + x] = {depth, lens.normal, lens.tint, {-1, -1}};
    }
  }
}

// Triangles that no ray can see: of closed surfaces those that face away, of the mouth's inside what lies
// beside the lips.
class Visibility {
 public:
  Visibility(const Assets& assets, const Points4& clip, float mouth_open)
      : assets_(assets), mouth_open_(mouth_open), screen_(assets.model.mean.rows(), 2) {
    for (Eigen::Index v = 0; v < screen_.rows(); ++v) screen_.row(v) = clip.row(v).head<2>() / clip(v, 3);
    if (assets.ibug_vertices.empty()) return;
    low_ = high_ = screen_.row(assets.ibug_vertices[48]);
    for (int i = 48; i < kNumIbugLandmarks; ++i) {
      low_ = low_.cwiseMin(screen_.row(assets.ibug_vertices[i]));
      high_ = high_.cwiseMax(screen_.row(assets.ibug_vertices[i]));
    }
    const Eigen::RowVector2f margin = Eigen::RowVector2f::Constant(0.15F * (high_ - low_).maxCoeff());
    low_ -= margin;
    high_ += margin;
  }

  bool possible(int triangle) const {
    const HeadMaterial m = assets_.material[triangle];
    const auto t = assets_.triangles.row(triangle);
    const Eigen::RowVector2f a = screen_.row(t(0)), b = screen_.row(t(1)), c = screen_.row(t(2));
    switch (m) {
      case HeadMaterial::kMouth:
      case HeadMaterial::kGums:
      case HeadMaterial::kTeeth: {
        if (m != HeadMaterial::kMouth && mouth_open_ < 0.03F) return false;
        const Eigen::RowVector2f low = a.cwiseMin(b).cwiseMin(c), high = a.cwiseMax(b).cwiseMax(c);
        return (low.array() < high_.array()).all() && (high.array() > low_.array()).all();
      }
      case HeadMaterial::kSocket:
        return true;
      case HeadMaterial::kEye:
        if (assets_.eye_xy(t(0), 0) > 8) return false;  // its back
        [[fallthrough]];
      case HeadMaterial::kFace:
      case HeadMaterial::kBack:
        return (b.x() - a.x()) * (c.y() - a.y()) > (b.y() - a.y()) * (c.x() - a.x());
    }
    return true;
  }

 private:
  const Assets& assets_;
  float mouth_open_;
  Points2 screen_;
  Eigen::RowVector2f low_, high_;
};

}  // namespace

float Samples::depthMm(std::size_t sample) const {
  return kinds[sample] == kNothing ? 0 : depthFromClip(rast[4 * sample + 2]);
}

Picture shade(const Assets& assets, const HeadSurface& surface, const Points3& head, float skin_gloss,
              const Scene& scene, const std::vector<Lens>& lenses, const Lighting& light, const View& view,
              const Image8& photo, const ImageF& background, bool with_truth, Samples& samples) {
  const int size = view.size_px;
  const Eigen::Index num_head = head.rows(), num_extra = static_cast<Eigen::Index>(scene.vertices.size());
  Points3 positions(num_head + num_extra, 3);
  positions.topRows(num_head) = head;
  for (Eigen::Index v = 0; v < num_extra; ++v) positions.row(num_head + v) = scene.vertices[v].position;

  const int row = 2 * size + 1;
  // Sample (i, j) of the raster has its centre at (i / 2, j / 2) of the picture.
  const Points4 clip =
      clipFromCamera(positions, 2 * view.focal_px, 2 * view.cx_px + 0.5F, 2 * view.cy_px + 0.5F, row);

  // The head's triangles first.
  const Visibility visibility(assets, clip, surface.mouthOpen());
  std::vector<std::int32_t> source;
  source.reserve(static_cast<std::size_t>(assets.triangles.rows()));
  for (int f = 0; f < assets.triangles.rows(); ++f) {
    if (visibility.possible(f)) source.push_back(f);
  }
  const int num_head_triangles = static_cast<int>(source.size());
  Triangles triangles(num_head_triangles + static_cast<Eigen::Index>(scene.triangles.size()), 3);
  std::vector<Kind> kind_of_triangle = {kNothing};
  kind_of_triangle.reserve(static_cast<std::size_t>(triangles.rows()) + 1);
  for (int f = 0; f < num_head_triangles; ++f) {
    triangles.row(f) = assets.triangles.row(source[f]);
    kind_of_triangle.push_back(kindOf(assets.material[source[f]]));
  }
  for (std::size_t f = 0; f < scene.triangles.size(); ++f) {
    triangles.row(num_head_triangles + static_cast<Eigen::Index>(f)) =
        (scene.triangles[f].corner.array() + static_cast<int>(num_head)).transpose();
    kind_of_triangle.push_back(kindOf(scene.triangles[f].surface));
  }
  samples.row = row;
  samples.rast.resize(4 * static_cast<std::size_t>(row) * row);
  ops::RasterizeParams raster;
  raster.positions = {clip.data(), clip.rows(), 4};
  raster.triangles = {triangles.data(), triangles.rows()};
  samples.ids.resize(static_cast<std::size_t>(row) * row);
  raster.ids = samples.ids.data();
  raster.rast = {samples.rast.data(), 1, row, row, 4};
  ops::rasterizeCpu(raster);

  Picture picture;
  picture.colour = ImageF(size, size, 3);
  picture.label.assign(static_cast<std::size_t>(size) * size, FaceLabel::kBackground);
  if (with_truth) picture.truth.resize(picture.label.size());
  Sampling sampling(samples, kind_of_triangle, size);

  const Vector3f head_centre = positions.topRows(num_head).colwise().mean();
  const Points3 normals = vertexNormals(head, assets.triangles);
  std::optional<ShadowMap> shadows;
  if (light.casts_shadow) {
    // Skin turned to the light, things, and a quarter of the hair.
    Triangles casting(assets.triangles.rows() + static_cast<Eigen::Index>(scene.triangles.size()), 3);
    Eigen::Index count = 0;
    for (int f = 0; f < assets.triangles.rows(); ++f) {
      if (assets.material[f] > HeadMaterial::kBack) continue;
      const auto t = assets.triangles.row(f);
      if ((normals.row(t(0)) + normals.row(t(1)) + normals.row(t(2)))
              .dot(light.direct_direction.transpose()) > 0)
        casting.row(count++) = t;
    }
    for (std::size_t f = 0; f < scene.triangles.size(); ++f) {
      if (scene.triangles[f].surface != Surface::kHair || (f / 16) % 4 == 0) {
        casting.row(count++) = triangles.row(num_head_triangles + static_cast<Eigen::Index>(f));
      }
    }
    shadows.emplace(positions, casting.topRows(count), light.direct_direction, head_centre);
  }

  const auto shadeSample = [&](std::size_t sample, int pixel) {
    const float* hit = samples.rast.data() + 4 * sample;
    const int f = static_cast<int>(hit[3]) - 1;
    const Vector3f w(hit[0], hit[1], 1 - hit[0] - hit[1]);
    const auto t = triangles.row(f);
    const float depth = depthFromClip(hit[2]);
    const int sample_x = static_cast<int>(sample % row), sample_y = static_cast<int>(sample / row);
    const Vector3f position((0.5F * sample_x - view.cx_px) / view.focal_px * depth,
                            (0.5F * sample_y - view.cy_px) / view.focal_px * depth, depth);
    const Vector3f to_camera = -position.normalized();
    Vector3f colour, normal = Vector3f::Zero();
    Eigen::Vector2f uv(-1, -1);
    Material m;
    if (f >= num_head_triangles) {
      const Scene::Triangle& triangle = scene.triangles[f - num_head_triangles];
      Vector3f local = Vector3f::Zero();
      int nearest = 0;
      for (int k = 0; k < 3; ++k) {
        const Scene::Vertex& v = scene.vertices[triangle.corner[k]];
        normal += w[k] * v.normal;
        m.albedo += w[k] * v.colour;
        local += w[k] * v.local;
        if (w[k] > w[nearest]) nearest = k;
      }
      m.label = scene.vertices[triangle.corner[nearest]].label;
      normal.normalize();
      const bool hair = triangle.surface == Surface::kHair;
      if (!hair && normal.dot(to_camera) < 0) normal = -normal;
      const float shadow = shadows ? shadows->lit(position, hair ? 7.0F : 4.0F) : 1.0F;
      switch (triangle.surface) {
        case Surface::kHair:
          colour = shadeHair(m.albedo, normal, local.normalized(), to_camera, light, shadow);
          break;
        case Surface::kCloth:
          m.albedo *= 1 + 0.06F * valueNoise(local / 2.5F, 3);
          for (int k = 0; k < 2; ++k) {
            float over_mm = 0;
            for (int c = 0; c < 3; ++c) over_mm += w[c] * scene.vertices[triangle.corner[c]].over_mm[k];
            if (over_mm <= 0) continue;
            m.albedo = scene.overlays[k].colour;
            if (!scene.overlays[k].skin) continue;
            m.label = FaceLabel::kNeck;
            m.gloss = 0.65F * skin_gloss, m.softness = 1;
          }
          break;
        case Surface::kGloss:
          m.gloss = 1.5F, m.exponent = 60, m.mirror = 0.05F;
          break;
        case Surface::kSkin:
          m.gloss = skin_gloss, m.softness = 1;
          break;
        case Surface::kPhoto: {
          const int px =
              std::clamp(static_cast<int>((local.x() * 0.4F + 0.5F) * photo.width()), 0, photo.width() - 1);
          const int py =
              std::clamp(static_cast<int>((local.y() * 0.4F + 0.5F) * photo.height()), 0, photo.height() - 1);
          for (int c = 0; c < 3; ++c) m.albedo[c] = std::pow(photo.at(px, py)[c] / 255.0F, 2.2F);
          colour = m.albedo;
          break;
        }
      }
      if (!hair && triangle.surface != Surface::kPhoto) {
        colour = shadePoint(m, normal, to_camera, light, shadow);
      }
    } else {
      for (int k = 0; k < 3; ++k) normal += w[k] * normals.row(t(k)).transpose();
      normal.normalize();
      m = surface.at(source[f], w);
      const HeadMaterial material = assets.material[source[f]];
      float shadow = shadows ? shadows->lit(position, 5.0F) : 1.0F;
      if (material >= HeadMaterial::kMouth && material <= HeadMaterial::kTeeth) shadow *= m.occlusion;
      colour = shadePoint(m, normal, to_camera, light, shadow);
      if (with_truth && material == HeadMaterial::kFace) {
        const auto corner = assets.corner_uv.row(source[f]);
        uv = w[0] * corner.segment<2>(0) + w[1] * corner.segment<2>(2) + w[2] * corner.segment<2>(4);
      }
    }
    sampling.setColour(sample, colour);
    if (pixel < 0) return;
    picture.label[pixel] = m.label;
    if (with_truth) picture.truth[pixel] = {depth, normal, m.albedo, uv};
  };
  for (int y = 0; y < row; ++y) {
    for (int x = 0; x < row; ++x) {
      const std::size_t sample = static_cast<std::size_t>(y) * row + x;
      if (sampling.needed(sample)) shadeSample(sample, x % 2 == 1 && y % 2 == 1 ? y / 2 * size + x / 2 : -1);
    }
  }
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      Eigen::Map<Vector3f>(picture.colour.at(x, y)) =
          sampling.resolve(x, y, Eigen::Map<const Vector3f>(background.at(x, y)));
    }
  }
  for (const Lens& lens : lenses) addLens(lens, light, view, picture, samples);
  return picture;
}

}  // namespace facet::synth
