// Both directions walk runs of pixels with the same triangle, so that a triangle's attributes are fetched and
// its gradients stored once per run. Vectors of four channels; every instruction set gives the same bits.

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "core/parallel.h"
#include "render/cpu/triangle_sums.h"
#include "render/ops/checks.h"
#include "render/ops/interpolate.h"
#include "render/ops/rasterize.h"

namespace facet::ops {
namespace {

constexpr int kRowsPerChunk = 16;

typedef float F4 __attribute__((vector_size(16)));

// The first kCount values; the other lanes are 0.
template <int kCount>
inline F4 load(const float* p) {
  F4 value = {};
  if constexpr (kCount == 4) {
    std::memcpy(&value, p, sizeof(value));
  } else {
    for (int i = 0; i < kCount; ++i) value[i] = p[i];
  }
  return value;
}

template <int kCount>
inline void store(const F4& value, float* p) {
  if constexpr (kCount == 4) {
    std::memcpy(p, &value, sizeof(value));
  } else {
    for (int i = 0; i < kCount; ++i) p[i] = value[i];
  }
}

inline float sumLanes(const F4& value) { return (value[0] + value[1]) + (value[2] + value[3]); }

// Attributes of the corners of a triangle.
struct Corners {
  const float* a[3];

  Corners(const float* attributes, const TriangleList& triangles, std::int64_t triangle, int channels) {
    const std::int32_t* const corner = triangles.data + 3 * triangle;
    for (int i = 0; i < 3; ++i) a[i] = attributes + std::int64_t{corner[i]} * channels;
  }
};

// The end of the run of equal fragments that begins at x.
inline int runEnd(const float* fragments, int x, int width) {
  std::int32_t bits, next_bits;
  std::memcpy(&bits, fragments + 4 * x + 3, sizeof(bits));
  while (++x < width) {
    std::memcpy(&next_bits, fragments + 4 * x + 3, sizeof(next_bits));
    if (next_bits != bits) break;
  }
  return x;
}

// -1 for the background and for what the list does not have.
inline std::int64_t triangleAt(const float* fragment, const TriangleList& triangles) {
  const std::int64_t triangle = triangleFromFragment(fragment[3]);
  return triangle < triangles.count ? triangle : -1;
}

// Pixels of one triangle, `room` pixels before the row ends. kChannels = 0: any number, known at run time
// only.
template <int kChannels>
inline void interpolateRun(const Corners& corners, const float* fragment, int count, int room,
                           int num_channels, float* out) {
  if constexpr (kChannels > 0) {
    const F4 a0 = load<kChannels>(corners.a[0]), a1 = load<kChannels>(corners.a[1]),
             a2 = load<kChannels>(corners.a[2]);
    const auto pixel = [&](int i) __attribute__((always_inline)) {
      const float u = fragment[4 * i], v = fragment[4 * i + 1];
      return u * a0 + v * a1 + (1 - u - v) * a2;
    };
    // Whole vectors may reach into the next pixels, which are written later, but not into the next row.
    const int whole = std::min(count, room + 1 - (4 + kChannels - 1) / kChannels);
    int i = 0;
    for (; i < whole; ++i) store<4>(pixel(i), out + kChannels * i);
    for (; i < count; ++i) store<kChannels>(pixel(i), out + kChannels * i);
  } else {
    for (int i = 0; i < count; ++i, fragment += 4, out += num_channels) {
      const float u = fragment[0], v = fragment[1], w = 1 - u - v;
      int c = 0;
      for (; c + 4 <= num_channels; c += 4) {
        store<4>(
            u * load<4>(corners.a[0] + c) + v * load<4>(corners.a[1] + c) + w * load<4>(corners.a[2] + c),
            out + c);
      }
      for (; c < num_channels; ++c) out[c] = u * corners.a[0][c] + v * corners.a[1][c] + w * corners.a[2][c];
    }
  }
}

// dA/dX and dA/dY side by side. edge0 and edge1 hold a0 - a2 and a1 - a2 of each channel twice.
inline void differentiateRun(const float* edge0, const float* edge1, const float* derivatives, int count,
                             int size, float* out) {
  for (int i = 0; i < count; ++i, derivatives += 4, out += size) {
    const F4 d = load<4>(derivatives);
    const F4 du = __builtin_shufflevector(d, d, 0, 1, 0, 1), dv = __builtin_shufflevector(d, d, 2, 3, 2, 3);
    int c = 0;
    for (; c + 4 <= size; c += 4) store<4>(du * load<4>(edge0 + c) + dv * load<4>(edge1 + c), out + c);
    if (c < size) store<2>(du * load<2>(edge0 + c) + dv * load<2>(edge1 + c), out + c);
  }
}

// The chosen channels as numbers from 0.
std::vector<int> chosenChannels(const char* op, const int* differentiated, int count, int channels) {
  require(count >= 0, op, ": num_differentiated is ", count, ", but 0 or more is expected");
  require(differentiated != nullptr || count <= channels, op, ": the first ", count,
          " attributes are to be differentiated, but there are ", channels);
  std::vector<int> chosen(static_cast<std::size_t>(count));
  for (int k = 0; k < count; ++k) {
    const int channel = differentiated ? differentiated[k] : k;
    require(channel >= -channels && channel < channels, op, ": differentiated[", k, "] is ", channel,
            ", but it must lie in [", -channels, ", ", channels - 1, "]; negative ones count from the end");
    chosen[static_cast<std::size_t>(k)] = channel < 0 ? channel + channels : channel;
  }
  return chosen;
}

template <int kChannels>
void interpolateRows(const InterpolateParams& params, const std::vector<int>& chosen, int image, int begin,
                     int end) {
  static thread_local std::vector<float> scratch;
  const int channels = kChannels > 0 ? kChannels : params.attributes.channels;
  const int width = params.rast.width;
  const bool differentiates = params.out_derivatives.present();
  const int size = 2 * static_cast<int>(chosen.size());
  scratch.resize(static_cast<std::size_t>(2 * size));
  float* const edge0 = scratch.data();
  float* const edge1 = edge0 + size;
  const float* const attributes = params.attributes.data + image * params.attributes.image_stride;
  for (int y = begin; y < end; ++y) {
    const float* const fragments =
        params.rast.data + image * params.rast.image_stride + y * params.rast.row_stride;
    float* const out = params.out.data + image * params.out.image_stride + y * params.out.row_stride;
    const float* const derivatives = differentiates
                                         ? params.derivatives.data + image * params.derivatives.image_stride +
                                               y * params.derivatives.row_stride
                                         : nullptr;
    float* const out_derivatives = differentiates ? params.out_derivatives.data +
                                                        image * params.out_derivatives.image_stride +
                                                        y * params.out_derivatives.row_stride
                                                  : nullptr;
    for (int x = 0, x_end = 0; x < width; x = x_end) {
      x_end = runEnd(fragments, x, width);
      const int count = x_end - x;
      const std::int64_t triangle = triangleAt(fragments + 4 * x, params.triangles);
      float* const pixels = out + std::int64_t{x} * channels;
      if (triangle < 0) {
        std::fill(pixels, pixels + std::int64_t{count} * channels, 0.0F);
        if (differentiates) {
          float* const gradients = out_derivatives + std::int64_t{x} * size;
          std::fill(gradients, gradients + std::int64_t{count} * size, 0.0F);
        }
        continue;
      }
      const Corners corners(attributes, params.triangles, triangle, channels);
      interpolateRun<kChannels>(corners, fragments + 4 * x, count, width - x, channels, pixels);
      if (!differentiates) continue;
      for (int k = 0; k < size; ++k) {
        const int c = chosen[static_cast<std::size_t>(k / 2)];
        edge0[k] = corners.a[0][c] - corners.a[2][c];
        edge1[k] = corners.a[1][c] - corners.a[2][c];
      }
      differentiateRun(edge0, edge1, derivatives + 4 * x, count, size,
                       out_derivatives + std::int64_t{x} * size);
    }
  }
}

// What all the images of a backward call share.
struct Backward {
  const InterpolateBackwardParams& params;
  std::vector<int> chosen;
  int channels;
  int padded;  // channels, rounded up to whole vectors
};

// One run: `sums` holds three corners of `padded` channels, or is null. The gradients of u and v are added to
// what grad_uv (two per pixel) holds.
template <int kChannels>
inline void addRun(const Backward& in, const Corners& corners, const float* fragment, const float* gradient,
                   int count, float* sums, float* grad_uv) {
  if constexpr (kChannels > 0) {
    const F4 a2 = load<kChannels>(corners.a[2]);
    const F4 edge0 = load<kChannels>(corners.a[0]) - a2, edge1 = load<kChannels>(corners.a[1]) - a2;
    F4 sum0 = {}, sum1 = {}, sum2 = {};
    for (int i = 0; i < count; ++i, fragment += 4, gradient += kChannels) {
      const F4 g = load<kChannels>(gradient);
      const float u = fragment[0], v = fragment[1];
      sum0 += u * g;
      sum1 += v * g;
      sum2 += (1 - u - v) * g;
      // Both sums over lanes in one: u in the even lanes, v in the odd ones.
      const F4 gu = g * edge0, gv = g * edge1;
      const F4 halves =
          __builtin_shufflevector(gu, gv, 0, 4, 1, 5) + __builtin_shufflevector(gu, gv, 2, 6, 3, 7);
      const F4 both = halves + __builtin_shufflevector(halves, halves, 2, 3, 0, 1);
      store<2>(both, grad_uv + 2 * i);
    }
    if (!sums) return;
    store<4>(load<4>(sums) + sum0, sums);
    store<4>(load<4>(sums + 4) + sum1, sums + 4);
    store<4>(load<4>(sums + 8) + sum2, sums + 8);
  } else {
    static thread_local std::vector<float> scratch;
    const int padded = in.padded;
    scratch.assign(static_cast<std::size_t>(5 * padded), 0.0F);
    float* const sum = scratch.data();
    float* const edge0 = sum + 3 * padded;
    float* const edge1 = edge0 + padded;
    for (int c = 0; c < in.channels; ++c) {
      edge0[c] = corners.a[0][c] - corners.a[2][c];
      edge1[c] = corners.a[1][c] - corners.a[2][c];
    }
    for (int i = 0; i < count; ++i, fragment += 4, gradient += in.channels) {
      const float u = fragment[0], v = fragment[1], w = 1 - u - v;
      F4 gu = {}, gv = {};
      const auto addVector = [&](const F4& g, int c) __attribute__((always_inline)) {
        store<4>(load<4>(sum + c) + u * g, sum + c);
        store<4>(load<4>(sum + padded + c) + v * g, sum + padded + c);
        store<4>(load<4>(sum + 2 * padded + c) + w * g, sum + 2 * padded + c);
        gu += g * load<4>(edge0 + c);
        gv += g * load<4>(edge1 + c);
      };
      int c = 0;
      for (; c + 4 <= in.channels; c += 4) addVector(load<4>(gradient + c), c);
      if (c < in.channels) {
        F4 rest = {};
        for (int k = 0; c + k < in.channels; ++k) rest[k] = gradient[c + k];
        addVector(rest, c);
      }
      grad_uv[2 * i] = sumLanes(gu);
      grad_uv[2 * i + 1] = sumLanes(gv);
    }
    if (!sums) return;
    for (int c = 0; c < 3 * padded; ++c) sums[c] += sum[c];
  }
}

// The same for the screen derivatives of the chosen channels. Writes 4 gradients per pixel where
// grad_derivatives is not null.
void addDerivativeRun(const Backward& in, const Corners& corners, const float* derivatives,
                      const float* gradient, int count, float* sums, float* grad_derivatives) {
  const int num_chosen = static_cast<int>(in.chosen.size());
  if (grad_derivatives) {
    for (int i = 0; i < count; ++i) {
      F4 total = {};
      for (int k = 0; k < num_chosen; ++k) {
        const int c = in.chosen[static_cast<std::size_t>(k)];
        const float edge0 = corners.a[0][c] - corners.a[2][c], edge1 = corners.a[1][c] - corners.a[2][c];
        const F4 g = load<2>(gradient + 2 * (std::int64_t{i} * num_chosen + k));
        total += __builtin_shufflevector(g, g, 0, 1, 0, 1) * F4{edge0, edge0, edge1, edge1};
      }
      store<4>(total, grad_derivatives + 4 * i);
    }
  }
  if (!sums) return;
  for (int k = 0; k < num_chosen; ++k) {
    const int c = in.chosen[static_cast<std::size_t>(k)];
    F4 total = {};  // along edge 0 in lanes 0 and 1, along edge 1 in the others
    for (int i = 0; i < count; ++i) {
      const F4 g = load<2>(gradient + 2 * (std::int64_t{i} * num_chosen + k));
      total += __builtin_shufflevector(g, g, 0, 1, 0, 1) * load<4>(derivatives + 4 * i);
    }
    const float first = total[0] + total[1], second = total[2] + total[3];
    sums[c] += first;
    sums[in.padded + c] += second;
    sums[2 * in.padded + c] -= first + second;
  }
}

template <int kChannels>
void backwardRows(const Backward& in, int image, int y_begin, int y_end, BandSums* sums) {
  static thread_local std::vector<float> grad_uv;
  const InterpolateBackwardParams& params = in.params;
  const int width = params.rast.width, channels = kChannels > 0 ? kChannels : in.channels;
  const std::int64_t size = 2 * static_cast<std::int64_t>(in.chosen.size());
  const float* const attributes = params.attributes.data + image * params.attributes.image_stride;
  grad_uv.resize(2 * static_cast<std::size_t>(width));
  const auto row = [image](const auto& images, int y) {
    return images.present() ? images.data + image * images.image_stride + y * images.row_stride : nullptr;
  };
  for (int y = y_begin; y < y_end; ++y) {
    const float* const fragments = row(params.rast, y);
    const float* const gradients = row(params.grad_out, y);
    const float* const derivatives = row(params.derivatives, y);
    const float* const derivative_gradients = row(params.grad_out_derivatives, y);
    float* const grad_rast = row(params.grad_rast, y);
    float* const grad_derivatives = row(params.grad_derivatives, y);
    for (int x = 0, x_end = 0; x < width; x = x_end) {
      x_end = runEnd(fragments, x, width);
      const int count = x_end - x;
      const std::int64_t triangle = triangleAt(fragments + 4 * x, params.triangles);
      if (triangle < 0) {
        if (grad_rast) std::fill(grad_rast + 4 * x, grad_rast + 4 * x_end, 0.0F);
        if (grad_derivatives) std::fill(grad_derivatives + 4 * x, grad_derivatives + 4 * x_end, 0.0F);
        continue;
      }
      const Corners corners(attributes, params.triangles, triangle, channels);
      float* const values = sums ? sums->values(sums->find(static_cast<std::int32_t>(triangle))) : nullptr;
      addRun<kChannels>(in, corners, fragments + 4 * x, gradients + std::int64_t{x} * channels, count, values,
                        grad_uv.data());
      if (grad_rast) {
        for (int i = 0; i < count; ++i) store<4>(load<2>(grad_uv.data() + 2 * i), grad_rast + 4 * (x + i));
      }
      if (derivative_gradients) {
        addDerivativeRun(in, corners, derivatives + 4 * x, derivative_gradients + x * size, count, values,
                         grad_derivatives ? grad_derivatives + 4 * x : nullptr);
      } else if (grad_derivatives) {
        std::fill(grad_derivatives + 4 * x, grad_derivatives + 4 * x_end, 0.0F);
      }
    }
  }
}

// Calls function(std::integral_constant<int, channels>), 0 for more channels than a vector has lanes.
template <typename Function>
void dispatchChannels(int channels, const Function& function) {
  switch (channels) {
    case 1:
      return function(std::integral_constant<int, 1>());
    case 2:
      return function(std::integral_constant<int, 2>());
    case 3:
      return function(std::integral_constant<int, 3>());
    case 4:
      return function(std::integral_constant<int, 4>());
    default:
      return function(std::integral_constant<int, 0>());
  }
}

void checkInputs(const char* op, const ConstRows& attributes, const TriangleList& triangles,
                 const ConstImages& rast) {
  checkImages(op, "rast", rast, rast.num_images, rast.height, rast.width, 4);
  checkRows(op, "attributes", attributes);
  checkTriangles(op, triangles);
  checkIndices(op, triangles.data, triangles.count, attributes.num_rows);
}

}  // namespace

void interpolateCpu(const InterpolateParams& params) {
  constexpr const char* kName = "interpolate";
  const ConstImages& rast = params.rast;
  const int channels = params.attributes.channels;
  checkInputs(kName, params.attributes, params.triangles, rast);
  checkOutput(kName, "out", params.out, rast.num_images, rast.height, rast.width, channels);
  std::vector<int> chosen;
  if (params.out_derivatives.present()) {
    chosen = chosenChannels(kName, params.differentiated, params.num_differentiated, channels);
    checkOutput(kName, "out_derivatives", params.out_derivatives, rast.num_images, rast.height, rast.width,
                2 * params.num_differentiated);
    checkImages(kName, "derivatives", params.derivatives, rast.num_images, rast.height, rast.width, 4);
  }
  if (rast.numPixels() == 0) return;
  dispatchChannels(channels, [&](auto count) {
    for (int image = 0; image < rast.num_images; ++image) {
      parallelFor(rast.height, kRowsPerChunk, [&](int begin, int end) {
        interpolateRows<decltype(count)::value>(params, chosen, image, begin, end);
      });
    }
  });
}

void interpolateBackwardCpu(const InterpolateBackwardParams& params) {
  constexpr const char* kName = "interpolateBackward";
  const ConstImages& rast = params.rast;
  const int channels = params.attributes.channels;
  checkInputs(kName, params.attributes, params.triangles, rast);
  checkImages(kName, "grad_out", params.grad_out, rast.num_images, rast.height, rast.width, channels);
  Backward in = {params, {}, channels, (channels + 3) / 4 * 4};
  if (params.grad_out_derivatives.present()) {
    in.chosen = chosenChannels(kName, params.differentiated, params.num_differentiated, channels);
    checkImages(kName, "grad_out_derivatives", params.grad_out_derivatives, rast.num_images, rast.height,
                rast.width, 2 * params.num_differentiated);
    checkImages(kName, "derivatives", params.derivatives, rast.num_images, rast.height, rast.width, 4);
  }
  if (params.grad_attributes.present()) {
    checkRows(kName, "grad_attributes", params.grad_attributes, params.attributes.num_rows, channels);
  }
  if (params.grad_rast.present()) {
    checkOutput(kName, "grad_rast", params.grad_rast, rast.num_images, rast.height, rast.width, 4);
  }
  if (params.grad_derivatives.present()) {
    checkOutput(kName, "grad_derivatives", params.grad_derivatives, rast.num_images, rast.height, rast.width,
                4);
  }
  dispatchChannels(channels, [&](auto count) {
    sumOverTriangles(rast.num_images, rast.width > 0 ? rast.height : 0, params.triangles,
                     params.grad_attributes, 3 * in.padded, in.padded,
                     [&](int image, int y_begin, int y_end, BandSums* sums) {
                       backwardRows<decltype(count)::value>(in, image, y_begin, y_end, sums);
                     });
  });
}

}  // namespace facet::ops
