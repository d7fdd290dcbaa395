#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/image.h"
#include "viewer/colour_map.h"
#include "viewer/environment.h"
#include "viewer/gl/gl_names.h"

namespace facet {

enum class TextureKind {
  kColour,  // sRGB, sampled as linear light
  kData     // as it is
};

// Textures of images, made once each and freed when the image is gone. The first row of a texture is the
// image's top one: look up at (u, 1 - v), with a sampler object that says how.
class GlTextures {
 public:
  GlTextures();

  GLuint of(const std::shared_ptr<const Image8>& image, TextureKind kind);
  // Of a height map in mm: its slope, mm per unit of u and of v.
  GLuint slopes(const std::shared_ptr<const ImageF>& height_mm);
  // A cube map in the model's frame, one mip level per roughness: level = roughness * (kEnvironmentLevels -
  // 1).
  GLuint of(const std::shared_ptr<const Environment>& environment);
  GLuint of(ColourMap map);  // 256×1
  void freeUnused();
  // Images that had to be scaled down, once each.
  std::vector<std::string> takeNotes();

  float maxAnisotropy() const { return max_anisotropy_; }

  static constexpr int kEnvironmentLevels = 6;  // faces of 256 down to 8 texels

 private:
  struct Entry {
    std::weak_ptr<const void> source;
    GlTexture texture;
  };
  using Key = std::pair<const void*, int>;

  // The texture of that source, or a new one to be filled.
  std::pair<GLuint, bool> find(const std::shared_ptr<const void>& source, int kind);
  void upload(const Image8& image, TextureKind kind);
  template <typename Image>
  std::optional<Image> fitting(const Image& image);

  std::map<Key, Entry> textures_;
  std::map<ColourMap, GlTexture> colour_maps_;
  std::set<std::string> said_;
  std::vector<std::string> notes_;
  int max_size_px_ = 0;
  float max_anisotropy_ = 1;
};

}  // namespace facet
