#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/check.h"

namespace facet {

// Dense image, row-major, channels interleaved; row 0 is the top one, the centre of pixel (x, y) lies at
// (x + 0.5, y + 0.5). Colour order is R, G, B, A.
template <typename T>
class ImageT {
 public:
  ImageT() = default;
  ImageT(int width, int height, int channels, T value = T{})
      : width_(width), height_(height), channels_(channels) {
    require(width >= 0 && height >= 0 && channels > 0, "Image: ", width, "x", height, "x", channels,
            " is not a size");
    data_.assign(static_cast<std::size_t>(width) * height * channels, value);
  }

  int width() const { return width_; }
  int height() const { return height_; }
  int channels() const { return channels_; }
  bool empty() const { return data_.empty(); }
  std::size_t size() const { return data_.size(); }

  T* data() { return data_.data(); }
  const T* data() const { return data_.data(); }
  // First channel of pixel (x, y).
  T* at(int x, int y) { return data_.data() + (static_cast<std::size_t>(y) * width_ + x) * channels_; }
  const T* at(int x, int y) const {
    return data_.data() + (static_cast<std::size_t>(y) * width_ + x) * channels_;
  }

 private:
  int width_ = 0, height_ = 0, channels_ = 1;
  std::vector<T> data_;
};

using Image8 = ImageT<std::uint8_t>;  // sRGB colour or data, 0..255
using ImageF = ImageT<float>;         // linear light or data

// sRGB transfer function (IEC 61966-2-1), both directions on [0, 1].
float linearFromSrgb(float srgb);
float srgbFromLinear(float linear);
ImageF linearFromSrgb(const Image8& srgb);    // alpha (channel 4), if any, is scaled to [0, 1] only
Image8 srgbFromLinear(const ImageF& linear);  // clamps to [0, 1]

// The image at another size: averaged when it shrinks, cubic when it grows. 1, 3 or 4 channels.
Image8 resized(const Image8& image, int width, int height);
ImageF resized(const ImageF& image, int width, int height);

}  // namespace facet
