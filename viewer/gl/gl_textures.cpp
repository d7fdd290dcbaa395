#include "viewer/gl/gl_textures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/parallel.h"

namespace facet {
namespace {

constexpr GLenum kUploadUnit = 15;  // the last of the 16 that OpenGL 3.3 promises
constexpr int kCubeSize_px = 256;
constexpr float kMaxAnisotropy = 8;
constexpr int kSlopes = 2, kEnvironment = 3;  // kinds beside those of TextureKind

// Four channels, which cards take without rearranging: grey is spread, a missing alpha is 255.
std::vector<std::uint8_t> rgba(const Image8& image) {
  const int channels = image.channels();
  std::vector<std::uint8_t> result(4 * static_cast<std::size_t>(image.width()) * image.height());
  parallelFor(image.height(), 64, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      const std::uint8_t* from = image.at(0, y);
      std::uint8_t* to = result.data() + 4 * static_cast<std::size_t>(y) * image.width();
      for (int x = 0; x < image.width(); ++x, from += channels, to += 4) {
        to[0] = from[0];
        to[1] = channels < 3 ? from[0] : from[1];
        to[2] = channels < 3 ? from[0] : from[2];
        to[3] = channels == 4 ? from[3] : 255;
      }
    }
  });
  return result;
}

// Half the size (at least one texel a side), each texel the mean of four: of sRGB colours as linear light.
// glGenerateMipmap() takes ten times as long on llvmpipe.
std::vector<std::uint8_t> halved(const std::vector<std::uint8_t>& rgba_texels, int width, int height,
                                 TextureKind kind) {
  constexpr int kSteps = 16380;  // of linear light: finer than a byte of sRGB, also near black
  static const std::array<std::uint16_t, 256> light_of = [] {
    std::array<std::uint16_t, 256> table{};
    for (int i = 0; i < 256; ++i)
      table[i] = static_cast<std::uint16_t>(
          std::lround(static_cast<float>(kSteps) * linearFromSrgb(static_cast<float>(i) / 255.0F)));
    return table;
  }();
  static const std::vector<std::uint8_t> byte_of = [] {
    std::vector<std::uint8_t> table(kSteps + 1);
    for (int i = 0; i <= kSteps; ++i)
      table[i] = static_cast<std::uint8_t>(
          std::lround(255.0F * srgbFromLinear(static_cast<float>(i) / static_cast<float>(kSteps))));
    return table;
  }();
  const int half_width = std::max(1, width / 2), half_height = std::max(1, height / 2);
  std::vector<std::uint8_t> result(4 * static_cast<std::size_t>(half_width) * half_height);
  parallelFor(half_height, 32, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      const std::uint8_t* rows[2];
      for (int i = 0; i < 2; ++i)
        rows[i] = rgba_texels.data() + 4 * static_cast<std::size_t>(std::min(2 * y + i, height - 1)) * width;
      std::uint8_t* to = result.data() + 4 * static_cast<std::size_t>(y) * half_width;
      const int beside = width > 1 ? 4 : 0;
      for (int x = 0; x < half_width; ++x, to += 4) {
        for (int c = 0; c < 4; ++c) {
          const std::uint8_t* a = rows[0] + 8 * x + c;
          const std::uint8_t* b = rows[1] + 8 * x + c;
          to[c] =
              kind == TextureKind::kColour && c < 3
                  ? byte_of[(light_of[*a] + light_of[a[beside]] + light_of[*b] + light_of[b[beside]] + 2) / 4]
                  : static_cast<std::uint8_t>((*a + a[beside] + *b + b[beside] + 2) / 4);
        }
      }
    }
  });
  return result;
}

// Bilinear; around it wraps, at the poles it ends.
Eigen::Vector3f lookUp(const ImageF& panorama, float u, float v) {
  const float x = u * static_cast<float>(panorama.width()) - 0.5F;
  const float y = std::clamp(v * static_cast<float>(panorama.height()) - 0.5F, 0.0F,
                             static_cast<float>(panorama.height() - 1));
  const int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(y);
  const float fx = x - static_cast<float>(x0), fy = y - static_cast<float>(y0);
  const auto texel = [&](int i, int j) {
    const int column = (i + panorama.width()) % panorama.width(), row = std::min(j, panorama.height() - 1);
    return Eigen::Map<const Eigen::Vector3f>(panorama.at(column, row));
  };
  return (1 - fy) * ((1 - fx) * texel(x0, y0) + fx * texel(x0 + 1, y0)) +
         fy * ((1 - fx) * texel(x0, y0 + 1) + fx * texel(x0 + 1, y0 + 1));
}

// Direction through (s, t) in [-1, 1]² of a cube map's face, as OpenGL numbers and turns them.
Eigen::Vector3f cubeDirection(int face, float s, float t) {
  switch (face) {
    case 0:
      return {1, -t, -s};
    case 1:
      return {-1, -t, s};
    case 2:
      return {s, 1, t};
    case 3:
      return {s, -1, -t};
    case 4:
      return {s, -t, 1};
    default:
      return {-s, -t, -1};
  }
}

// Central differences of a 1-channel height map per unit of u (right) and v (up), clamped at the border.
std::vector<float> slopesOf(const ImageF& height) {
  const int w = height.width(), h = height.height();
  std::vector<float> slopes(2 * static_cast<std::size_t>(w) * h);
  parallelFor(h, 64, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < w; ++x) {
        float* slope = &slopes[2 * (static_cast<std::size_t>(y) * w + x)];
        const int left = std::max(x - 1, 0), right = std::min(x + 1, w - 1);
        const int up = std::max(y - 1, 0), down = std::min(y + 1, h - 1);
        slope[0] = (*height.at(right, y) - *height.at(left, y)) * static_cast<float>(w) /
                   static_cast<float>(std::max(right - left, 1));
        slope[1] = (*height.at(x, up) - *height.at(x, down)) * static_cast<float>(h) /
                   static_cast<float>(std::max(down - up, 1));
      }
    }
  });
  return slopes;
}

}  // namespace

GlTextures::GlTextures() {
  glGetIntegerv(GL_MAX_TEXTURE_SIZE, &max_size_px_);
  // On a CPU it costs more than it shows.
  if (!glIsSoftware() && (glHasVersion(4, 6) || glHasExtension("GL_EXT_texture_filter_anisotropic") ||
                          glHasExtension("GL_ARB_texture_filter_anisotropic"))) {
    glGetFloatv(GL_MAX_TEXTURE_MAX_ANISOTROPY, &max_anisotropy_);
    max_anisotropy_ = std::min(max_anisotropy_, kMaxAnisotropy);
  }
}

std::pair<GLuint, bool> GlTextures::find(const std::shared_ptr<const void>& source, int kind) {
  Entry& entry = textures_[{source.get(), kind}];
  // An image that is gone may have left its address to another.
  const bool is_new = entry.source.lock() != source;
  if (is_new) {
    entry = {source, GlTexture()};
    glActiveTexture(GL_TEXTURE0 + kUploadUnit);  // what is bound to draw with stays bound
  }
  return {entry.texture.get(), is_new};
}

template <typename Image>
std::optional<Image> GlTextures::fitting(const Image& image) {
  const int side = std::max(image.width(), image.height());
  if (side <= max_size_px_) return std::nullopt;
  const auto scaled = [&](int length) {
    return std::max(1, static_cast<int>(static_cast<std::int64_t>(length) * max_size_px_ / side));
  };
  const int width = scaled(image.width()), height = scaled(image.height());
  std::ostringstream note;
  note << "texture of " << image.width() << "x" << image.height() << " pixels shown at " << width << "x"
       << height << ", the most that this graphics driver takes";
  if (said_.insert(note.str()).second) notes_.push_back(note.str());
  return resized(image, width, height);
}

void GlTextures::upload(const Image8& image, TextureKind kind) {
  if (const auto smaller = fitting(image)) return upload(*smaller, kind);
  std::vector<std::uint8_t> texels = rgba(image);
  int width = image.width(), height = image.height();
  glPixelStorei(GL_UNPACK_ALIGNMENT, 4);
  for (int level = 0;; ++level) {
    glTexImage2D(GL_TEXTURE_2D, level, kind == TextureKind::kColour ? GL_SRGB8_ALPHA8 : GL_RGBA8, width,
                 height, 0, GL_RGBA, GL_UNSIGNED_BYTE, texels.data());
    if (width == 1 && height == 1) break;
    texels = halved(texels, width, height, kind);
    width = std::max(1, width / 2);
    height = std::max(1, height / 2);
  }
}

GLuint GlTextures::of(const std::shared_ptr<const Image8>& image, TextureKind kind) {
  const auto [texture, is_new] = find(image, static_cast<int>(kind));
  if (!is_new) return texture;
  glBindTexture(GL_TEXTURE_2D, texture);
  upload(*image, kind);
  return texture;
}

GLuint GlTextures::slopes(const std::shared_ptr<const ImageF>& height_mm) {
  const auto [texture, is_new] = find(height_mm, kSlopes);
  if (!is_new) return texture;
  const auto smaller = fitting(*height_mm);
  const ImageF& height = smaller ? *smaller : *height_mm;
  const std::vector<float> texels = slopesOf(height);
  glBindTexture(GL_TEXTURE_2D, texture);
  glTexImage2D(GL_TEXTURE_2D, 0, GL_RG16F, height.width(), height.height(), 0, GL_RG, GL_FLOAT,
               texels.data());
  glGenerateMipmap(GL_TEXTURE_2D);
  return texture;
}

GLuint GlTextures::of(const std::shared_ptr<const Environment>& environment) {
  const auto [texture, is_new] = find(environment, kEnvironment);
  if (!is_new) return texture;
  glBindTexture(GL_TEXTURE_CUBE_MAP, texture);
  const auto& panoramas = environment->by_roughness;
  for (int level = 0; level < kEnvironmentLevels; ++level) {
    const int size = kCubeSize_px >> level;
    const float place =
        static_cast<float>(level) / (kEnvironmentLevels - 1) * static_cast<float>(panoramas.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, panoramas.size() - 1);
    const float share = place - static_cast<float>(below);
    std::vector<float> texels(3 * static_cast<std::size_t>(size) * size);
    for (int face = 0; face < 6; ++face) {
      parallelFor(size, 16, [&](int begin, int end) {
        for (int y = begin; y < end; ++y) {
          for (int x = 0; x < size; ++x) {
            const Eigen::Vector3f d =
                cubeDirection(face, (2 * static_cast<float>(x) + 1) / static_cast<float>(size) - 1,
                              (2 * static_cast<float>(y) + 1) / static_cast<float>(size) - 1)
                    .normalized();
            // The middle of the panorama is -Z, +X lies a quarter to its right.
            const float u = 0.5F + std::atan2(d.x(), -d.z()) / (2 * std::numbers::pi_v<float>);
            const float v = std::acos(std::clamp(d.y(), -1.0F, 1.0F)) / std::numbers::pi_v<float>;
            Eigen::Map<Eigen::Vector3f> texel(&texels[3 * (static_cast<std::size_t>(y) * size + x)]);
            texel = (1 - share) * lookUp(panoramas[below], u, v);
            if (share > 0) texel += share * lookUp(panoramas[above], u, v);
          }
        }
      });
      glTexImage2D(GL_TEXTURE_CUBE_MAP_POSITIVE_X + face, level, GL_RGB16F, size, size, 0, GL_RGB, GL_FLOAT,
                   texels.data());
    }
  }
  glTexParameteri(GL_TEXTURE_CUBE_MAP, GL_TEXTURE_MAX_LEVEL, kEnvironmentLevels - 1);
  glTexParameteri(GL_TEXTURE_CUBE_MAP, GL_TEXTURE_MIN_FILTER, GL_LINEAR_MIPMAP_LINEAR);
  return texture;
}

GLuint GlTextures::of(ColourMap map) {
  const auto [place, is_new] = colour_maps_.try_emplace(map);
  if (is_new) {
    glActiveTexture(GL_TEXTURE0 + kUploadUnit);
    glBindTexture(GL_TEXTURE_2D, place->second.get());
    glPixelStorei(GL_UNPACK_ALIGNMENT, 1);
    glTexImage2D(GL_TEXTURE_2D, 0, GL_SRGB8, 256, 1, 0, GL_RGB, GL_UNSIGNED_BYTE, colourTable(map).data());
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_LINEAR);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
  }
  return place->second.get();
}

void GlTextures::freeUnused() {
  std::erase_if(textures_, [](const auto& item) { return item.second.source.expired(); });
}

std::vector<std::string> GlTextures::takeNotes() { return std::exchange(notes_, {}); }

}  // namespace facet
