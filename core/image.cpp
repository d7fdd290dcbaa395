#include "core/image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace facet {
namespace {

const std::array<float, 256>& linearTable() {
  static const auto table = [] {
    std::array<float, 256> values{};
    for (int code = 0; code < 256; ++code) values[code] = linearFromSrgb(static_cast<float>(code) / 255);
    return values;
  }();
  return table;
}

// 8-bit sRGB code of a linear value without a pow() per pixel: a coarse table gives a code that is never too
// high, and exact thresholds between codes finish the job.
struct SrgbEncoder {
  static constexpr int kBins = 4096;
  std::array<float, 257> threshold{};           // code c starts at threshold[c]
  std::array<std::uint8_t, kBins + 1> first{};  // lowest code of each bin

  SrgbEncoder() {
    threshold[0] = -1;
    for (int code = 1; code < 256; ++code) {
      threshold[code] = linearFromSrgb((static_cast<float>(code) - 0.5F) / 255);
    }
    threshold[256] = 2;
    int code = 0;
    for (int bin = 0; bin <= kBins; ++bin) {
      while (threshold[code + 1] <= static_cast<float>(bin) / kBins) ++code;
      first[bin] = static_cast<std::uint8_t>(code);
    }
  }

  std::uint8_t operator()(float linear) const {
    if (!(linear > 0)) return 0;  // also NaN
    const float clamped = std::min(linear, 1.0F);
    int code = first[static_cast<int>(clamped * kBins)];
    while (clamped >= threshold[code + 1]) ++code;
    return static_cast<std::uint8_t>(code);
  }
};

bool isAlpha(std::size_t index, int channels) { return channels == 4 && index % 4 == 3; }

}  // namespace

float linearFromSrgb(float srgb) {
  return srgb <= 0.04045F ? srgb / 12.92F : std::pow((srgb + 0.055F) / 1.055F, 2.4F);
}

float srgbFromLinear(float linear) {
  return linear <= 0.0031308F ? 12.92F * linear : 1.055F * std::pow(linear, 1 / 2.4F) - 0.055F;
}

ImageF linearFromSrgb(const Image8& srgb) {
  ImageF linear(srgb.width(), srgb.height(), srgb.channels());
  const auto& table = linearTable();
  for (std::size_t i = 0; i < srgb.size(); ++i) {
    const std::uint8_t code = srgb.data()[i];
    linear.data()[i] = isAlpha(i, srgb.channels()) ? static_cast<float>(code) / 255 : table[code];
  }
  return linear;
}

Image8 srgbFromLinear(const ImageF& linear) {
  static const SrgbEncoder encode;
  Image8 srgb(linear.width(), linear.height(), linear.channels());
  for (std::size_t i = 0; i < linear.size(); ++i) {
    const float value = linear.data()[i];
    srgb.data()[i] = isAlpha(i, linear.channels())
                         ? static_cast<std::uint8_t>(std::clamp(value, 0.0F, 1.0F) * 255 + 0.5F)
                         : encode(value);
  }
  return srgb;
}

namespace {

template <typename T>
ImageT<T> resizedImage(const ImageT<T>& image, int width, int height, int depth) {
  if (image.width() == width && image.height() == height) return image;
  ImageT<T> result(width, height, image.channels());
  const int type = CV_MAKETYPE(depth, image.channels());
  const cv::Mat from(image.height(), image.width(), type, const_cast<T*>(image.data()));
  cv::Mat to(height, width, type, result.data());
  const bool shrinks = width < image.width() && height < image.height();
  cv::resize(from, to, to.size(), 0, 0, shrinks ? cv::INTER_AREA : cv::INTER_CUBIC);
  return result;
}

}  // namespace

Image8 resized(const Image8& image, int width, int height) {
  return resizedImage(image, width, height, CV_8U);
}

ImageF resized(const ImageF& image, int width, int height) {
  return resizedImage(image, width, height, CV_32F);
}

}  // namespace facet
