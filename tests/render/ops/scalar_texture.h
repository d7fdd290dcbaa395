#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "render/ops/texture.h"

// Texture lookup as one would first write it: one thread, one pixel, one channel at a time. For comparing
// answers and speed. Knows kLinear and kLinearMipmapLinear with kWrap or kClamp, and no strides.
namespace facet::test {

struct ScalarTexture {
  const ops::TextureParams& params;

  struct Texels {
    std::int64_t offset[4];                     // within the level
    float weight[4], weight_x[4], weight_y[4];  // and its derivatives along x and y, in texels
  };

  int index(int i, int size) const {
    if (params.boundary == ops::Boundary::kClamp) return std::clamp(i, 0, size - 1);
    return ((i % size) + size) % size;
  }

  Texels texels(const ops::ConstImages& level, const float* uv) const {
    float x = uv[0], y = 1 - uv[1];
    if (params.boundary == ops::Boundary::kWrap) {
      x -= std::floor(x);
      y -= std::floor(y);
    }
    x *= static_cast<float>(level.width);
    y *= static_cast<float>(level.height);
    bool moves_x = true, moves_y = true;
    if (params.boundary == ops::Boundary::kClamp) {
      moves_x = x >= 0.5F && x <= static_cast<float>(level.width) - 0.5F;
      moves_y = y >= 0.5F && y <= static_cast<float>(level.height) - 0.5F;
      x = std::clamp(x, 0.5F, static_cast<float>(level.width) - 0.5F);
      y = std::clamp(y, 0.5F, static_cast<float>(level.height) - 0.5F);
    }
    x -= 0.5F;
    y -= 0.5F;
    const int left = static_cast<int>(std::floor(x)), top = static_cast<int>(std::floor(y));
    const float fx = x - static_cast<float>(left), fy = y - static_cast<float>(top);
    Texels result;
    for (int k = 0; k < 4; ++k) {
      const std::int64_t column = index(left + (k & 1), level.width),
                         row = index(top + (k >> 1), level.height);
      result.offset[k] = (row * level.width + column) * level.channels;
      const float wx = k & 1 ? fx : 1 - fx, wy = k & 2 ? fy : 1 - fy;
      result.weight[k] = wx * wy;
      result.weight_x[k] = moves_x ? (k & 1 ? wy : -wy) : 0;
      result.weight_y[k] = moves_y ? (k & 2 ? wx : -wx) : 0;
    }
    return result;
  }

  struct Level {
    int base = 0;
    float fraction = 0;
    bool moves = false;
    float grad[4] = {0, 0, 0, 0};  // of the level with respect to the four derivatives of uv
  };

  Level level(const float* derivatives) const {
    Level result;
    if (params.filter != ops::Filter::kLinearMipmapLinear) return result;
    const float width = static_cast<float>(params.texture.levels[0].width),
                height = static_cast<float>(params.texture.levels[0].height);
    const float ux = derivatives[0] * width, uy = derivatives[1] * width, vx = derivatives[2] * height,
                vy = derivatives[3] * height;
    const float a = ux * ux + vx * vx, b = uy * uy + vy * vy, c = ux * uy + vx * vy;
    const float radius = std::sqrt(0.25F * (a - b) * (a - b) + c * c), major = 0.5F * (a + b) + radius;
    if (!(major > 0) || !std::isfinite(major)) return result;
    const float top = static_cast<float>(params.texture.num_levels - 1);
    const float raw = 0.5F * std::log2(major), clamped = std::clamp(raw, 0.0F, top);
    result.base = static_cast<int>(clamped);
    result.fraction = clamped - static_cast<float>(result.base);
    result.moves = raw > 0 && raw < top;
    const float scale = 0.7213475F / major, skew = radius > 0 ? 0.25F * (a - b) / radius : 0,
                cross = radius > 0 ? c / radius : 0;
    result.grad[0] = scale * width * ((1 + 2 * skew) * ux + cross * uy);
    result.grad[1] = scale * width * ((1 - 2 * skew) * uy + cross * ux);
    result.grad[2] = scale * height * ((1 + 2 * skew) * vx + cross * vy);
    result.grad[3] = scale * height * ((1 - 2 * skew) * vy + cross * vx);
    return result;
  }

  bool isBackground(std::int64_t pixel) const {
    return params.mask.present() && params.mask.data[4 * pixel + 3] == 0;
  }

  void forward() const {
    const int channels = params.texture.levels[0].channels;
    for (std::int64_t pixel = 0; pixel < params.uv.numPixels(); ++pixel) {
      float* const out = params.out.data + pixel * channels;
      std::fill_n(out, channels, 0.0F);
      if (isBackground(pixel)) continue;
      const Level chosen = level(params.uv_derivatives.data + 4 * pixel);
      for (int l = 0; l < (chosen.fraction > 0 ? 2 : 1); ++l) {
        const ops::ConstImages& image = params.texture.levels[chosen.base + l];
        const Texels t = texels(image, params.uv.data + 2 * pixel);
        const float share = l == 1 ? chosen.fraction : 1 - chosen.fraction;
        for (int k = 0; k < 4; ++k) {
          for (int c = 0; c < channels; ++c) out[c] += share * t.weight[k] * image.data[t.offset[k] + c];
        }
      }
    }
  }

  void backward(const ops::TextureBackwardParams& grads) const {
    const int channels = params.texture.levels[0].channels;
    for (int l = 0; l < grads.grad_texture.num_levels; ++l) {
      const ops::Images& level_grad = grads.grad_texture.levels[l];
      std::fill_n(level_grad.data, level_grad.numPixels() * channels, 0.0F);
    }
    for (std::int64_t pixel = 0; pixel < params.uv.numPixels(); ++pixel) {
      const float* const g = grads.grad_out.data + pixel * channels;
      float du = 0, dv = 0, dlevel = 0;
      Level chosen;
      if (!isBackground(pixel)) {
        chosen = level(params.uv_derivatives.data + 4 * pixel);
        for (int l = 0; l < (chosen.moves ? 2 : 1); ++l) {
          const ops::ConstImages& image = params.texture.levels[chosen.base + l];
          float* const image_grad = grads.grad_texture.levels[chosen.base + l].data;
          const Texels t = texels(image, params.uv.data + 2 * pixel);
          const float share = l == 1 ? chosen.fraction : 1 - chosen.fraction;
          for (int k = 0; k < 4; ++k) {
            float product = 0;
            for (int c = 0; c < channels; ++c) {
              product += g[c] * image.data[t.offset[k] + c];
              image_grad[t.offset[k] + c] += share * t.weight[k] * g[c];
            }
            du += share * product * t.weight_x[k] * static_cast<float>(image.width);
            dv -= share * product * t.weight_y[k] * static_cast<float>(image.height);
            dlevel += (l == 1 ? 1.0F : -1.0F) * product * t.weight[k];
          }
        }
      }
      grads.grad_uv.data[2 * pixel] = du;
      grads.grad_uv.data[2 * pixel + 1] = dv;
      for (int k = 0; k < 4 && grads.grad_uv_derivatives.present(); ++k)
        grads.grad_uv_derivatives.data[4 * pixel + k] = chosen.moves ? dlevel * chosen.grad[k] : 0;
    }
  }
};

}  // namespace facet::test
