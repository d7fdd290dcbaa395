#include <cmath>

#include "core/check.h"
#include "core/parallel.h"
#include "render/rasterize.h"

namespace facet {
namespace {

constexpr int kRowsPerChunk = 16;

// Texel index under a boundary rule; -1 = the black border of kZero.
int texelIndex(int index, int size, TextureBoundary boundary) {
  if (index >= 0 && index < size) return index;
  switch (boundary) {
    case TextureBoundary::kWrap: {
      const int rest = index % size;
      return rest < 0 ? rest + size : rest;
    }
    case TextureBoundary::kClamp:
      return index < 0 ? 0 : size - 1;
    case TextureBoundary::kZero:
      return -1;
  }
  return -1;
}

// Texture coordinates far outside the image (or NaN) must not overflow the conversion to int.
float bounded(float texel, int size, TextureBoundary boundary) {
  const float extent = static_cast<float>(size);
  if (boundary == TextureBoundary::kWrap && !(texel >= 0 && texel < extent))
    texel -= std::floor(texel / extent) * extent;
  return texel > -2.0F ? std::fmin(texel, extent + 1.0F) : -2.0F;
}

// floor() of a bounded coordinate, without the library call of a baseline x86 build.
int floorToInt(float bounded_texel) { return static_cast<int>(bounded_texel + 4.0F) - 4; }

// kChannels = 0: any number, known at run time only.
template <int kChannels>
void samplePixel(const ImageF& texture, const float* uv, TextureFilter filter, TextureBoundary boundary,
                 float* pixel) {
  const int width = texture.width(), height = texture.height();
  const int channels = kChannels > 0 ? kChannels : texture.channels();
  const float texel_x = bounded(uv[0] * static_cast<float>(width), width, boundary);
  const float texel_y = bounded((1 - uv[1]) * static_cast<float>(height), height, boundary);
  if (filter == TextureFilter::kNearest) {
    const int tx = texelIndex(floorToInt(texel_x), width, boundary);
    const int ty = texelIndex(floorToInt(texel_y), height, boundary);
    if (tx < 0 || ty < 0) return;
    const float* const texel = texture.at(tx, ty);
    for (int c = 0; c < channels; ++c) pixel[c] = texel[c];
    return;
  }
  const int left = floorToInt(texel_x - 0.5F), top = floorToInt(texel_y - 0.5F);
  const float fx = texel_x - 0.5F - static_cast<float>(left), fy = texel_y - 0.5F - static_cast<float>(top);
  const float weights[4] = {(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy};
  if (left >= 0 && top >= 0 && left + 1 < width && top + 1 < height) {
    const float* const upper = texture.at(left, top);
    const float* const lower = texture.at(left, top + 1);
    for (int c = 0; c < channels; ++c) {
      pixel[c] = weights[0] * upper[c] + weights[1] * upper[channels + c] + weights[2] * lower[c] +
                 weights[3] * lower[channels + c];
    }
    return;
  }
  for (int k = 0; k < 4; ++k) {
    const int tx = texelIndex(left + (k & 1), width, boundary),
              ty = texelIndex(top + (k >> 1), height, boundary);
    if (tx < 0 || ty < 0) continue;
    const float* const texel = texture.at(tx, ty);
    for (int c = 0; c < channels; ++c) pixel[c] += weights[k] * texel[c];
  }
}

}  // namespace

ImageF sampleTexture(const ImageF& texture, const ImageF& uv, TextureFilter filter, TextureBoundary boundary,
                     const Fragments* fragments) {
  require(!texture.empty(), "sampleTexture: the texture is empty");
  require(uv.channels() == 2, "sampleTexture: uv has ", uv.channels(), " channels, expected 2");
  require(!fragments || (fragments->width == uv.width() && fragments->height == uv.height()),
          "sampleTexture: uv is ", uv.width(), "x", uv.height(), " but the fragments do not have that size");
  ImageF out(uv.width(), uv.height(), texture.channels());
  parallelFor(uv.height(), kRowsPerChunk, [&](int begin, int end) {
    const auto rows = [&](auto sample) {
      for (int y = begin; y < end; ++y) {
        for (int x = 0; x < uv.width(); ++x) {
          if (fragments && fragments->rast.at(x, y)[3] == 0) continue;
          sample(texture, uv.at(x, y), filter, boundary, out.at(x, y));
        }
      }
    };
    switch (texture.channels()) {
      case 1:
        return rows([](auto&&... arguments) { samplePixel<1>(arguments...); });
      case 3:
        return rows([](auto&&... arguments) { samplePixel<3>(arguments...); });
      case 4:
        return rows([](auto&&... arguments) { samplePixel<4>(arguments...); });
      default:
        return rows([](auto&&... arguments) { samplePixel<0>(arguments...); });
    }
  });
  return out;
}

}  // namespace facet
