#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

// The plainest rasterizer and interpolation that are still right away from edges: one thread, one triangle at
// a time, float throughout, no clipping (a triangle with a corner behind the eye is dropped). What the speed
// of the real ones is measured against; not a reference for accuracy.
namespace facet::test {

// rast and derivatives (or null) as of ops::rasterizeCpu, dense H×W×4.
inline void rasterizeScalar(const float* positions, const std::int32_t* triangles, std::int64_t num_triangles,
                            int width, int height, float* rast, float* derivatives) {
  const std::size_t num_values = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 4;
  std::fill(rast, rast + num_values, 0.0F);
  if (derivatives) std::fill(derivatives, derivatives + num_values, 0.0F);
  std::vector<float> depth(num_values / 4, 2.0F);
  const float half_width = 0.5F * static_cast<float>(width), half_height = 0.5F * static_cast<float>(height);
  for (std::int64_t f = 0; f < num_triangles; ++f) {
    float x[3], y[3], z[3], w[3];
    bool is_visible = true;
    for (int i = 0; i < 3; ++i) {
      const float* const p = positions + 4 * std::int64_t{triangles[3 * f + i]};
      w[i] = p[3];
      is_visible = is_visible && w[i] > 0 && std::abs(p[0]) < 1e3F * w[i] && std::abs(p[1]) < 1e3F * w[i];
      x[i] = half_width + half_width * p[0] / w[i];
      y[i] = half_height - half_height * p[1] / w[i];
      z[i] = p[2] / w[i];
    }
    if (!is_visible) continue;
    const float area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0]);
    if (area == 0) continue;
    // Affine barycentrics times 1/w are the perspective-correct ones before normalisation.
    float value[3], step_x[3], step_y[3];
    const int x_begin = std::max(0, static_cast<int>(std::ceil(std::min({x[0], x[1], x[2]}) - 0.5F)));
    const int x_end = std::min(width, static_cast<int>(std::floor(std::max({x[0], x[1], x[2]}) + 0.5F)));
    const int y_begin = std::max(0, static_cast<int>(std::ceil(std::min({y[0], y[1], y[2]}) - 0.5F)));
    const int y_end = std::min(height, static_cast<int>(std::floor(std::max({y[0], y[1], y[2]}) + 0.5F)));
    for (int i = 0; i < 3; ++i) {
      const int j = (i + 1) % 3, k = (i + 2) % 3;
      step_x[i] = (y[j] - y[k]) / area;
      step_y[i] = (x[k] - x[j]) / area;
      value[i] = (static_cast<float>(x_begin) + 0.5F - x[j]) * step_x[i] +
                 (static_cast<float>(y_begin) + 0.5F - y[j]) * step_y[i];
    }
    for (int row = y_begin; row < y_end; ++row) {
      for (int column = x_begin; column < x_end; ++column) {
        float b[3];
        for (int i = 0; i < 3; ++i) {
          b[i] = value[i] + step_x[i] * static_cast<float>(column - x_begin) +
                 step_y[i] * static_cast<float>(row - y_begin);
        }
        if (b[0] < 0 || b[1] < 0 || b[2] < 0) continue;
        const float pixel_z = b[0] * z[0] + b[1] * z[1] + b[2] * z[2];
        const std::size_t pixel = static_cast<std::size_t>(row) * static_cast<std::size_t>(width) +
                                  static_cast<std::size_t>(column);
        if (pixel_z < -1 || pixel_z >= depth[pixel]) continue;
        depth[pixel] = pixel_z;
        const float sum = b[0] / w[0] + b[1] / w[1] + b[2] / w[2];
        const float u = b[0] / w[0] / sum, v = b[1] / w[1] / sum;
        float* const out = rast + 4 * pixel;
        out[0] = u;
        out[1] = v;
        out[2] = pixel_z;
        out[3] = static_cast<float>(f + 1);
        if (!derivatives) continue;
        const float sum_x = step_x[0] / w[0] + step_x[1] / w[1] + step_x[2] / w[2];
        const float sum_y = step_y[0] / w[0] + step_y[1] / w[1] + step_y[2] / w[2];
        float* const d = derivatives + 4 * pixel;
        d[0] = (step_x[0] / w[0] - u * sum_x) / sum;
        d[1] = (step_y[0] / w[0] - u * sum_y) / sum;
        d[2] = (step_x[1] / w[1] - v * sum_x) / sum;
        d[3] = (step_y[1] / w[1] - v * sum_y) / sum;
      }
    }
  }
}

// out, dense H×W×channels, as of ops::interpolateCpu.
inline void interpolateScalar(const float* attributes, int channels, const std::int32_t* triangles,
                              const float* rast, std::int64_t num_pixels, float* out) {
  for (std::int64_t i = 0; i < num_pixels; ++i, rast += 4, out += channels) {
    const std::int64_t f = static_cast<std::int64_t>(rast[3]) - 1;
    for (int c = 0; c < channels; ++c) {
      out[c] =
          f < 0 ? 0.0F
                : rast[0] * attributes[std::int64_t{triangles[3 * f]} * channels + c] +
                      rast[1] * attributes[std::int64_t{triangles[3 * f + 1]} * channels + c] +
                      (1 - rast[0] - rast[1]) * attributes[std::int64_t{triangles[3 * f + 2]} * channels + c];
    }
  }
}

}  // namespace facet::test
