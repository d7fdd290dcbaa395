#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "render/ops/antialias.h"
#include "render/ops/interpolate.h"
#include "render/ops/rasterize.h"
#include "render/ops/texture.h"

// Test data in one block of memory, so that a call can be repeated on a copy of it on another device.
namespace facet::ops::cuda {

class Arena {
 public:
  explicit Arena(std::size_t capacity = std::size_t{1} << 23, unsigned seed = 1)
      : memory_(capacity, 0.0F), random_(seed) {}

  float* floats(std::int64_t count) {
    float* const result = memory_.data() + used_;
    used_ += static_cast<std::size_t>((count + 3) / 4 * 4);
    if (used_ > memory_.size()) throw std::length_error("Arena: out of memory");
    return result;
  }
  std::int32_t* ints(std::int64_t count) { return reinterpret_cast<std::int32_t*>(floats(count)); }
  float* randomFloats(std::int64_t count, float low = -1, float high = 1) {
    float* const values = floats(count);
    std::uniform_real_distribution<float> distribution(low, high);
    for (std::int64_t i = 0; i < count; ++i) values[i] = distribution(random_);
    return values;
  }
  Images images(int n, int h, int w, int c, int row_padding = 0) {
    Images result(nullptr, n, h, w, c);
    result.row_stride += row_padding;
    result.image_stride = result.row_stride * h + row_padding;
    result.data = floats(result.image_stride * n);
    return result;
  }
  Images randomImages(int n, int h, int w, int c, float low = -1, float high = 1, int row_padding = 0) {
    Images result = images(n, h, w, c, row_padding);
    std::uniform_real_distribution<float> distribution(low, high);
    for (std::int64_t i = 0; i < result.image_stride * n; ++i) result.data[i] = distribution(random_);
    return result;
  }
  Rows rows(std::int64_t count, int channels, int n = 0) {
    Rows result(nullptr, count, channels, n > 0 ? count * channels : 0);
    result.data = floats(count * channels * (n > 0 ? n : 1));
    return result;
  }

  std::vector<float>& memory() { return memory_; }
  std::size_t used() const { return used_; }
  std::mt19937& random() { return random_; }

 private:
  std::vector<float> memory_;
  std::size_t used_ = 0;
  std::mt19937 random_;
};

struct Mesh {
  ConstRows positions;
  TriangleList triangles;
  float* vertices = nullptr;
  std::int32_t* indices = nullptr;
};

// A bumpy sphere in perspective, seen from a point near it; `n` > 0 gives one set of positions per image.
inline Mesh makeSphere(Arena& arena, int rings, int segments, int n = 0, float distance = 2.6F) {
  Mesh mesh;
  const std::int64_t num_vertices = std::int64_t{rings + 1} * segments;
  const Rows rows = arena.rows(num_vertices, 4, n);
  mesh.vertices = rows.data;
  for (int image = 0; image < (n > 0 ? n : 1); ++image) {
    for (int r = 0; r <= rings; ++r) {
      for (int s = 0; s < segments; ++s) {
        const float theta =
            3.14159265F * (static_cast<float>(r) + 0.31F) / (static_cast<float>(rings) + 0.62F);
        const float phi = 6.2831853F * static_cast<float>(s) / static_cast<float>(segments) +
                          0.37F * static_cast<float>(image);
        const float radius = 1 + 0.15F * std::sin(5 * theta + 0.3F) * std::cos(3 * phi);
        const float x = radius * std::sin(theta) * std::cos(phi), y = radius * std::cos(theta),
                    z = radius * std::sin(theta) * std::sin(phi) - distance;
        constexpr float kNear = 0.5F, kFar = 8;
        float* const p = rows.data + image * rows.image_stride + 4 * (std::int64_t{r} * segments + s);
        p[0] = 1.6F * x;
        p[1] = 1.6F * y;
        p[2] = -(kFar + kNear) / (kFar - kNear) * z - 2 * kFar * kNear / (kFar - kNear);
        p[3] = -z;
      }
    }
  }
  const std::int64_t num_triangles = std::int64_t{2} * rings * segments;
  mesh.indices = arena.ints(3 * num_triangles);
  std::int32_t* t = mesh.indices;
  for (int r = 0; r < rings; ++r) {
    for (int s = 0; s < segments; ++s) {
      const int a = r * segments + s, b = r * segments + (s + 1) % segments, c = a + segments,
                d = b + segments;
      for (const int index : {a, b, c, b, d, c}) *t++ = index;
    }
  }
  mesh.positions = rows;
  mesh.triangles = {mesh.indices, num_triangles};
  return mesh;
}

// Unconnected triangles of all sizes, some behind the eye, through the near plane, far outside, degenerate,
// or not a number.
inline Mesh makeSoup(Arena& arena, int num_triangles, int n = 0) {
  Mesh mesh;
  const Rows rows = arena.rows(3 * std::int64_t{num_triangles}, 4, n);
  std::uniform_real_distribution<float> unit(-1, 1);
  const auto random = [&] { return unit(arena.random()); };
  for (std::int64_t i = 0; i < std::int64_t{num_triangles} * (n > 0 ? n : 1); ++i) {
    float* const p = rows.data + 12 * i;
    const float size = std::exp(-3 + 4 * random()), depth = 1.5F + 2 * random();
    const float centre[2] = {1.5F * random(), 1.5F * random()};
    for (int k = 0; k < 3; ++k) {
      const float w = depth + 0.7F * size * random();
      p[4 * k] = (centre[0] + size * random()) * depth;
      p[4 * k + 1] = (centre[1] + size * random()) * depth;
      p[4 * k + 2] = 1.1F * w - 0.6F;
      p[4 * k + 3] = w;
    }
    if (i % 53 == 7) std::memcpy(p + 4, p, 16);
    if (i % 59 == 11) p[5] = NAN;
    if (i % 61 == 13) p[0] *= 1e6F;
    if (i % 67 == 17) std::memcpy(p, p - 12, i > 0 ? 48 : 0);  // the same depths twice
  }
  mesh.vertices = rows.data;
  mesh.positions = rows;
  mesh.indices = arena.ints(3 * std::int64_t{num_triangles});
  for (int i = 0; i < 3 * num_triangles; ++i) mesh.indices[i] = i;
  mesh.triangles = {mesh.indices, num_triangles};
  return mesh;
}

}  // namespace facet::ops::cuda
