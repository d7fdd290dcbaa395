#pragma once

#include <type_traits>

#include "render/cuda/accumulate.h"
#include "render/ops/checks.h"
#include "render/ops/interpolate.h"

namespace facet::ops::cuda {

struct InterpolatePixels {
  ConstRows attributes;
  TriangleList triangles;
  ConstImages rast, derivatives;
  const std::int32_t* differentiated;  // K, device
  int num_differentiated;
  Images out, out_derivatives;

  FACET_HD int channelOf(int k) const { return differentiated ? differentiated[k] : k; }

  FACET_HD void operator()(std::int64_t i) const {
    const Pixel pixel = pixelFromIndex(i, rast.width, rast.height);
    const Four fragment = loadFour(pixelAt(rast, pixel));
    float* const value = pixelAt(out, pixel);
    float* const slope = out_derivatives.data ? pixelAt(out_derivatives, pixel) : nullptr;
    const std::int64_t triangle = triangleOf(fragment.d, triangles.count);
    Corners corners;
    if (triangle < 0 || !cornersOf(triangles, triangle, attributes.num_rows, &corners)) {
      for (int c = 0; c < attributes.channels; ++c) value[c] = 0;
      if (slope) {
        for (int k = 0; k < 2 * num_differentiated; ++k) slope[k] = 0;
      }
      return;
    }
    const float* const a0 = rowAt(attributes, pixel.image, corners.index[0]);
    const float* const a1 = rowAt(attributes, pixel.image, corners.index[1]);
    const float* const a2 = rowAt(attributes, pixel.image, corners.index[2]);
    const float u = fragment.a, v = fragment.b, rest = 1 - u - v;
    for (int c = 0; c < attributes.channels; ++c) value[c] = u * a0[c] + v * a1[c] + rest * a2[c];
    if (!slope) return;
    const Four d = loadFour(pixelAt(derivatives, pixel));
    for (int k = 0; k < num_differentiated; ++k) {
      const int c = channelOf(k);
      const float along_u = a0[c] - a2[c], along_v = a1[c] - a2[c];
      slope[2 * k] = d.a * along_u + d.c * along_v;
      slope[2 * k + 1] = d.b * along_u + d.d * along_v;
    }
  }
};

template <typename Params>
void checkInterpolate(const char* op, const Params& params) {
  const ConstImages& rast = params.rast;
  checkImages(op, "rast", rast, rast.num_images, rast.height, rast.width, 4);
  checkRows(op, "attributes", params.attributes);
  checkTriangles(op, params.triangles);
  require(params.num_differentiated >= 0, op, ": ", params.num_differentiated,
          " differentiated channels; 0 or more are expected");
  for (int k = 0; k < params.num_differentiated; ++k) {
    const int channel = params.differentiated ? params.differentiated[k] : k;
    require(channel >= -params.attributes.channels && channel < params.attributes.channels, op,
            ": differentiated channel ", k, " is ", channel, ", but the attributes have channels 0 to ",
            params.attributes.channels - 1, " (negative ones count from the end)");
  }
}

template <typename Executor, typename Params>
const std::int32_t* uploadDifferentiated(const Params& params, Executor& executor) {
  if (!params.differentiated || params.num_differentiated == 0) return nullptr;
  std::int32_t* const channels = executor.template hostArray<std::int32_t>(params.num_differentiated);
  for (int k = 0; k < params.num_differentiated; ++k) {
    const int channel = params.differentiated[k];
    channels[k] = channel < 0 ? channel + params.attributes.channels : channel;
  }
  return executor.upload(channels, params.num_differentiated);
}

template <typename Executor>
void interpolate(const InterpolateParams& params, Executor& executor) {
  constexpr const char* kName = "interpolate";
  checkInterpolate(kName, params);
  const ConstImages& rast = params.rast;
  checkOutput(kName, "out", params.out, rast.num_images, rast.height, rast.width, params.attributes.channels);
  const bool has_slopes = params.out_derivatives.present() && params.num_differentiated > 0;
  if (has_slopes) {
    checkOutput(kName, "out_derivatives", params.out_derivatives, rast.num_images, rast.height, rast.width,
                2 * params.num_differentiated);
    checkImages(kName, "derivatives", params.derivatives, rast.num_images, rast.height, rast.width, 4);
  }
  if (rast.numPixels() == 0) return;
  executor.forEach(rast.numPixels(),
                   InterpolatePixels{params.attributes, params.triangles, rast, params.derivatives,
                                     uploadDifferentiated(params, executor), params.num_differentiated,
                                     params.out, has_slopes ? params.out_derivatives : Images{}});
}

// Gradients that stay in their pixel.
struct InterpolatePixelsBackward {
  ConstRows attributes;
  TriangleList triangles;
  ConstImages rast;
  const std::int32_t* differentiated;
  int num_differentiated;
  ConstImages grad_out, grad_out_derivatives;
  Images grad_rast, grad_derivatives;

  FACET_HD void operator()(std::int64_t i) const {
    const Pixel pixel = pixelFromIndex(i, rast.width, rast.height);
    const std::int64_t triangle = triangleOf(pixelAt(rast, pixel)[3], triangles.count);
    Corners corners;
    float grad_u = 0, grad_v = 0;
    Four grad_slopes = {0, 0, 0, 0};
    if (triangle >= 0 && cornersOf(triangles, triangle, attributes.num_rows, &corners)) {
      const float* const a0 = rowAt(attributes, pixel.image, corners.index[0]);
      const float* const a1 = rowAt(attributes, pixel.image, corners.index[1]);
      const float* const a2 = rowAt(attributes, pixel.image, corners.index[2]);
      if (grad_rast.data) {
        const float* const grad = pixelAt(grad_out, pixel);
        for (int c = 0; c < attributes.channels; ++c) {
          grad_u += grad[c] * (a0[c] - a2[c]);
          grad_v += grad[c] * (a1[c] - a2[c]);
        }
      }
      if (grad_derivatives.data && grad_out_derivatives.data) {
        const float* const grad = pixelAt(grad_out_derivatives, pixel);
        for (int k = 0; k < num_differentiated; ++k) {
          const int c = differentiated ? differentiated[k] : k;
          const float along_u = a0[c] - a2[c], along_v = a1[c] - a2[c];
          grad_slopes.a += grad[2 * k] * along_u;
          grad_slopes.b += grad[2 * k + 1] * along_u;
          grad_slopes.c += grad[2 * k] * along_v;
          grad_slopes.d += grad[2 * k + 1] * along_v;
        }
      }
    }
    if (grad_rast.data) storeFour(pixelAt(grad_rast, pixel), Four{grad_u, grad_v, 0, 0});
    if (grad_derivatives.data) storeFour(pixelAt(grad_derivatives, pixel), grad_slopes);
  }
};

// Gradients that go to the vertices.
template <typename Target>
struct InterpolateVerticesBackward {
  std::int64_t num_rows;
  int num_channels;
  TriangleList triangles;
  ConstImages rast, derivatives;
  const std::int32_t* differentiated;
  int num_differentiated;
  ConstImages grad_out, grad_out_derivatives;
  std::int64_t grad_stride;
  Target target;

  FACET_HD void add(const EqualKeys& group, const Corners& corners, std::int64_t first, int channel, float g0,
                    float g1, float g2) const {
    float sums[3] = {g0, g1, g2};
    if (Target::kSumsEqualKeys && !group.sum(sums, 3)) return;
    for (int k = 0; k < 3; ++k) {
      if (sums[k] == 0) continue;
      target.add(first + std::int64_t{corners.index[k]} * num_channels + channel, sums[k]);
    }
  }

  FACET_HD void operator()(std::int64_t i) const {
    const Pixel pixel = pixelFromTiledIndex(i, rast.width, rast.height);
    if (pixel.x >= rast.width || pixel.y >= rast.height) return;
    const Four fragment = loadFour(pixelAt(rast, pixel));
    const std::int64_t triangle = triangleOf(fragment.d, triangles.count);
    Corners corners;
    if (triangle < 0 || !cornersOf(triangles, triangle, num_rows, &corners)) return;
    const std::int64_t first = pixel.image * grad_stride;
    const EqualKeys group(std::int64_t{grad_stride == 0 ? 0 : pixel.image} * triangles.count + triangle);
    const float u = fragment.a, v = fragment.b, rest = 1 - u - v;
    const float* const grad = pixelAt(grad_out, pixel);
    for (int c = 0; c < num_channels; ++c) {
      add(group, corners, first, c, u * grad[c], v * grad[c], rest * grad[c]);
    }
    if (!grad_out_derivatives.data) return;
    const Four d = loadFour(pixelAt(derivatives, pixel));
    const float* const slopes = pixelAt(grad_out_derivatives, pixel);
    for (int k = 0; k < num_differentiated; ++k) {
      const float g0 = d.a * slopes[2 * k] + d.b * slopes[2 * k + 1];
      const float g1 = d.c * slopes[2 * k] + d.d * slopes[2 * k + 1];
      add(group, corners, first, differentiated ? differentiated[k] : k, g0, g1, -(g0 + g1));
    }
  }
};

template <typename Executor>
void interpolateBackward(const InterpolateBackwardParams& params, Executor& executor) {
  constexpr const char* kName = "interpolateBackward";
  checkInterpolate(kName, params);
  const ConstImages& rast = params.rast;
  checkImages(kName, "grad_out", params.grad_out, rast.num_images, rast.height, rast.width,
              params.attributes.channels);
  const bool has_slopes = params.grad_out_derivatives.present() && params.num_differentiated > 0;
  if (has_slopes) {
    checkImages(kName, "grad_out_derivatives", params.grad_out_derivatives, rast.num_images, rast.height,
                rast.width, 2 * params.num_differentiated);
    checkImages(kName, "derivatives", params.derivatives, rast.num_images, rast.height, rast.width, 4);
  }
  if (params.grad_rast.present()) {
    checkOutput(kName, "grad_rast", params.grad_rast, rast.num_images, rast.height, rast.width, 4);
  }
  if (params.grad_derivatives.present()) {
    checkOutput(kName, "grad_derivatives", params.grad_derivatives, rast.num_images, rast.height, rast.width,
                4);
  }
  if (params.grad_attributes.present()) {
    checkRows(kName, "grad_attributes", params.grad_attributes, params.attributes.num_rows,
              params.attributes.channels);
  }

  const std::int64_t num_pixels = rast.numPixels();
  const std::int32_t* const differentiated = uploadDifferentiated(params, executor);
  const ConstImages grad_slopes = has_slopes ? params.grad_out_derivatives : ConstImages{};
  if (num_pixels > 0 && (params.grad_rast.present() || params.grad_derivatives.present())) {
    executor.forEach(num_pixels,
                     InterpolatePixelsBackward{params.attributes, params.triangles, rast, differentiated,
                                               params.num_differentiated, params.grad_out, grad_slopes,
                                               params.grad_rast, params.grad_derivatives});
  }
  if (!params.grad_attributes.present()) return;
  const Rows& grad = params.grad_attributes;
  const std::int64_t num_items =
      num_pixels == 0 ? 0 : numTiledPixels(rast.num_images, rast.width, rast.height);
  // A channel may be named several times, and a pixel adds to it once more for its value.
  const std::int64_t per_item = 3 * (std::int64_t{params.num_differentiated} + 1);
  const Region regions[1] = {regionOf(grad, rast.num_images)};
  scatter(executor, regions, num_items, per_item, [&](const auto& targets) {
    using Target = std::decay_t<decltype(targets.at[0])>;
    return InterpolateVerticesBackward<Target>{grad.num_rows,
                                               grad.channels,
                                               params.triangles,
                                               rast,
                                               params.derivatives,
                                               differentiated,
                                               params.num_differentiated,
                                               params.grad_out,
                                               grad_slopes,
                                               grad.image_stride,
                                               targets.at[0]};
  });
}

}  // namespace facet::ops::cuda
