#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "render/ops/host_device.h"
#include "render/ops/images.h"
#include "render/ops/rasterize.h"

// What the bodies of the kernels need, on the device and on the host. A kernel here is a struct with an
// operator()(index); the device runs the indices in parallel, the host one after the other (the tests do), so
// that all arithmetic can be tested without a device.
namespace facet::ops::cuda {

template <typename T>
FACET_HD inline T smaller(T a, T b) {
  return b < a ? b : a;
}
template <typename T>
FACET_HD inline T larger(T a, T b) {
  return a < b ? b : a;
}
FACET_HD inline bool isFinite(float value) { return value - value == 0; }

FACET_HD inline std::uint32_t bitsOf(float value) {
  std::uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}
FACET_HD inline float floatOf(std::uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

FACET_HD inline void atomicAddFloat(float* target, float value) {
#if defined(__CUDA_ARCH__)
  atomicAdd(target, value);
#else
  *target += value;
#endif
}

FACET_HD inline void atomicAddInteger(std::int64_t* target, std::int64_t value) {
#if defined(__CUDA_ARCH__)
  atomicAdd(reinterpret_cast<unsigned long long*>(target), static_cast<unsigned long long>(value));
#else
  *target += value;
#endif
}

// Returns the old value and counts up.
FACET_HD inline std::int64_t atomicNext(std::int64_t* counter) {
#if defined(__CUDA_ARCH__)
  return static_cast<std::int64_t>(atomicAdd(reinterpret_cast<unsigned long long*>(counter), 1ULL));
#else
  return (*counter)++;
#endif
}

// The plain read first saves most of the atomic operations; the value only ever moves one way.
FACET_HD inline void atomicLower(std::uint64_t* target, std::uint64_t value) {
#if defined(__CUDA_ARCH__)
  if (value < *static_cast<volatile std::uint64_t*>(target)) {
    atomicMin(reinterpret_cast<unsigned long long*>(target), static_cast<unsigned long long>(value));
  }
#else
  if (value < *target) *target = value;
#endif
}
FACET_HD inline void atomicRaise(std::uint32_t* target, std::uint32_t value) {
#if defined(__CUDA_ARCH__)
  if (value > *static_cast<volatile std::uint32_t*>(target)) {
    atomicMax(reinterpret_cast<unsigned int*>(target), static_cast<unsigned int>(value));
  }
#else
  if (value > *target) *target = value;
#endif
}

// A pixel of a batch of images.
struct Pixel {
  int image, x, y;
};

FACET_HD inline Pixel pixelFromIndex(std::int64_t index, int width, int height) {
  Pixel pixel;
  if (index <= 0xFFFFFFFFLL) {  // 64-bit division is slow on the device
    const std::uint32_t i = static_cast<std::uint32_t>(index), row = i / static_cast<std::uint32_t>(width);
    pixel.x = static_cast<int>(i - row * static_cast<std::uint32_t>(width));
    pixel.image = static_cast<int>(row / static_cast<std::uint32_t>(height));
    pixel.y = static_cast<int>(row - static_cast<std::uint32_t>(pixel.image) * height);
  } else {
    const std::int64_t row = index / width;
    pixel.x = static_cast<int>(index - row * width);
    pixel.image = static_cast<int>(row / height);
    pixel.y = static_cast<int>(row - std::int64_t{pixel.image} * height);
  }
  return pixel;
}

// Pixels in tiles of 8×4, so that the 32 threads of a warp see few different triangles. The index space is
// padded to whole tiles: a pixel beyond the image has x >= width or y >= height.
constexpr int kTileWidth = 8, kTileHeight = 4;
inline std::int64_t numTiledPixels(int num_images, int width, int height) {
  const std::int64_t tiles_x = (std::int64_t{width} + kTileWidth - 1) / kTileWidth;
  const std::int64_t tiles_y = (std::int64_t{height} + kTileHeight - 1) / kTileHeight;
  return tiles_x * tiles_y * num_images * (kTileWidth * kTileHeight);
}
FACET_HD inline Pixel pixelFromTiledIndex(std::int64_t index, int width, int height) {
  constexpr int kTilePixels = kTileWidth * kTileHeight;
  const int in_tile = static_cast<int>(index % kTilePixels);
  Pixel tile = pixelFromIndex(index / kTilePixels, (width + kTileWidth - 1) / kTileWidth,
                              (height + kTileHeight - 1) / kTileHeight);
  tile.x = tile.x * kTileWidth + in_tile % kTileWidth;
  tile.y = tile.y * kTileHeight + in_tile / kTileWidth;
  return tile;
}

template <typename T>
FACET_HD inline T* pixelAt(const ImagesT<T>& images, const Pixel& pixel) {
  return images.data + pixel.image * images.image_stride + pixel.y * images.row_stride +
         static_cast<std::int64_t>(pixel.x) * images.channels;
}
template <typename T>
FACET_HD inline T* rowAt(const RowsT<T>& rows, int image, std::int64_t row) {
  return rows.data + image * rows.image_stride + row * rows.channels;
}

struct Four {
  float a, b, c, d;
};
// One access where the memory allows it.
FACET_HD inline Four loadFour(const float* from) {
#if defined(__CUDA_ARCH__)
  if ((reinterpret_cast<std::uintptr_t>(from) & 15) == 0) {
    const float4 all = *reinterpret_cast<const float4*>(from);
    return Four{all.x, all.y, all.z, all.w};
  }
#endif
  return Four{from[0], from[1], from[2], from[3]};
}
FACET_HD inline void storeFour(float* to, const Four& value) {
#if defined(__CUDA_ARCH__)
  if ((reinterpret_cast<std::uintptr_t>(to) & 15) == 0) {
    *reinterpret_cast<float4*>(to) = make_float4(value.a, value.b, value.c, value.d);
    return;
  }
#endif
  to[0] = value.a;
  to[1] = value.b;
  to[2] = value.c;
  to[3] = value.d;
}

// Triangle of a rast value, -1 for the background and for values that name none of the `count` triangles.
FACET_HD inline std::int64_t triangleOf(float value, std::int64_t count) {
  if (!(value >= 1.0F)) return -1;
  const std::int64_t triangle = triangleFromFragment(value);
  return triangle < count ? triangle : -1;
}

struct Corners {
  std::int32_t index[3];
};
// False when an index points outside of the vertices.
FACET_HD inline bool cornersOf(const TriangleList& triangles, std::int64_t triangle, std::int64_t num_rows,
                               Corners* out) {
  bool inside = true;
  for (int k = 0; k < 3; ++k) {
    out->index[k] = triangles.data[3 * triangle + k];
    inside = inside && out->index[k] >= 0 && out->index[k] < num_rows;
  }
  return inside;
}

}  // namespace facet::ops::cuda
