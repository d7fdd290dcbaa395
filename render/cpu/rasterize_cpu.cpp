// Two passes over bands of rows: visibility (nearest triangle per pixel, exact coverage), then barycentrics
// of the visible triangles only. Barycentrics by 2D homogeneous edge functions: Olano and Greer, "Triangle
// Scan Conversion using 2D Homogeneous Coordinates", Graphics Hardware 1997. Edge walking: Pineda, "A
// Parallel Algorithm for Polygon Rasterization", SIGGRAPH 1988.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "core/parallel.h"
#include "render/rasterize_backend.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace facet {
namespace {

constexpr int kLanes = 8;
constexpr int kSubpixelBits = 8;
constexpr int kSubpixels = 1 << kSubpixelBits;
constexpr int kBandRows = 32;  // depth and ids of a 1024 px wide band are 256 KiB: they stay in L2
constexpr int kTrianglesPerChunk =
    4096;  // binning work unit; fixed, so that results do not depend on threads
constexpr int kVerticesPerChunk = 4096;
constexpr double kGuardBandPx = 1 << 17;  // from the image centre; fixed-point corners stay below 2^26
constexpr unsigned kNotFinite = 1U << 31;

typedef float F8 __attribute__((vector_size(32)));
typedef std::int32_t I8 __attribute__((vector_size(32)));

// A vertex after projection. The pixel position is unsnapped; x and y are in 1/256 px.
struct ScreenVertex {
  double x_px, y_px;
  float z;  // z/w
  std::int32_t x, y;
  unsigned
      planes;  // bit per clip plane that the vertex lies beyond: near, far, left, right, bottom, top, w = 0
};

// Corners in 1/256 px, oriented so that all edge functions are positive inside, and the pixels that may be
// covered.
struct FixedTriangle {
  std::int32_t x[3], y[3];
  std::int32_t x_min, x_max, y_min, y_max;  // pixels, inclusive, inside the image
  bool fits_32_bits;
};

// z/w at pixel (x_min, y_min) of a triangle and its slopes per pixel; the range of its corners bounds it.
struct DepthPlane {
  float z, slope_x, slope_y, nearest, farthest;

  // A triangle seen edge-on has no slope to speak of.
  void makeFinite() {
    constexpr float kSteepest = 1e6F;  // z/w per pixel; the whole depth range is 2
    if (std::abs(slope_x) < kSteepest && std::abs(slope_y) < kSteepest && std::abs(z) < 1e12F) return;
    z = nearest;
    slope_x = slope_y = 0;
  }
};

// Homogeneous edge functions a0, a1 and a0 + a1 + a2 at a reference pixel, with their steps per pixel.
struct BarycentricPlane {
  float a0, a0_x, a0_y, a1, a1_x, a1_y, sum, sum_x, sum_y;
  std::int32_t x_ref, y_ref;
  bool ready;
};

struct Band {
  std::int32_t y_begin, y_end;
  std::int32_t stride;  // of depth and ids, with room for a vector past the last pixel
  float* depth;         // z/w of the nearest triangle so far
  std::int32_t* ids;    // position in the band's triangle list, -1 = none
};

// Nearest integer of 256 px. The sum's low mantissa bits are the integer: one add, no library call,
// vectorises.
inline std::int32_t snapToSubpixel(double px) {
  const double shifted = px * kSubpixels + 6755399441055744.0;  // 1.5 · 2^52
  std::int64_t bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  return static_cast<std::int32_t>(bits);
}

// First and last pixel whose centre lies in [low, high] (1/256 px), clamped to [0, size).
inline void pixelRange(std::int32_t low, std::int32_t high, int size, std::int32_t* first,
                       std::int32_t* last) {
  *first = std::max((low + kSubpixels / 2 - 1) >> kSubpixelBits, 0);
  *last = std::min((high - kSubpixels / 2) >> kSubpixelBits, size - 1);
}

inline bool setUp(std::int32_t ax, std::int32_t ay, std::int32_t bx, std::int32_t by, std::int32_t cx,
                  std::int32_t cy, const RasterizeParams& params, FixedTriangle* out) {
  const std::int64_t area =
      static_cast<std::int64_t>(bx - ax) * (cy - ay) - static_cast<std::int64_t>(by - ay) * (cx - ax);
  // Rows run downwards, so a counter-clockwise triangle has a negative area here.
  if (area == 0 || (params.cull_backfaces && area > 0)) return false;
  const auto [x_low, x_high] = std::minmax({ax, bx, cx});
  const auto [y_low, y_high] = std::minmax({ay, by, cy});
  pixelRange(x_low, x_high, params.width, &out->x_min, &out->x_max);
  pixelRange(y_low, y_high, params.height, &out->y_min, &out->y_max);
  if (out->x_min > out->x_max || out->y_min > out->y_max) return false;
  constexpr std::int32_t kLongest = 1024 * kSubpixels;
  out->fits_32_bits = x_high - x_low < kLongest && y_high - y_low < kLongest;
  out->x[0] = ax;
  out->y[0] = ay;
  out->x[1] = area > 0 ? bx : cx;
  out->y[1] = area > 0 ? by : cy;
  out->x[2] = area > 0 ? cx : bx;
  out->y[2] = area > 0 ? cy : by;
  return true;
}

// A triangle cut by the near, far and guard-band planes; corners in 1/256 px.
struct ClippedPolygon {
  static constexpr int kMaxCorners = 9;  // each of the six planes adds at most one
  int count = 0;
  std::int32_t x[kMaxCorners], y[kMaxCorners];
};

ClippedPolygon clip(const RasterizeParams& params, const std::int32_t* corner) {
  struct Point {
    double p[4];
  };
  const double guard_x = kGuardBandPx / (0.5 * params.width), guard_y = kGuardBandPx / (0.5 * params.height);
  const auto distance = [&](const Point& q, int plane) {
    const double* const p = q.p;
    switch (plane) {
      case 0:
        return p[3] + p[2];
      case 1:
        return p[3] - p[2];
      case 2:
        return guard_x * p[3] + p[0];
      case 3:
        return guard_x * p[3] - p[0];
      case 4:
        return guard_y * p[3] + p[1];
      default:
        return guard_y * p[3] - p[1];
    }
  };
  Point points[ClippedPolygon::kMaxCorners], next[ClippedPolygon::kMaxCorners];
  int count = 3;
  for (int i = 0; i < 3; ++i)
    std::copy_n(params.clip_positions + 4 * static_cast<std::int64_t>(corner[i]), 4, points[i].p);

  for (int plane = 0; plane < 6 && count > 0; ++plane) {
    int kept = 0;
    for (int i = 0; i < count; ++i) {
      const Point& here = points[i];
      const Point& there = points[i + 1 < count ? i + 1 : 0];
      const double d_here = distance(here, plane), d_there = distance(there, plane);
      if (d_here >= 0) next[kept++] = here;
      if ((d_here >= 0) == (d_there >= 0)) continue;
      // Always from the inside to the outside: the two triangles of a shared edge get the same point, bit for
      // bit.
      const Point& inside = d_here >= 0 ? here : there;
      const Point& outside = d_here >= 0 ? there : here;
      const double d_inside = std::max(d_here, d_there), d_outside = std::min(d_here, d_there);
      const double t = d_inside / (d_inside - d_outside);
      for (int k = 0; k < 4; ++k) next[kept].p[k] = inside.p[k] + t * (outside.p[k] - inside.p[k]);
      ++kept;
    }
    count = kept;
    std::copy_n(next, count, points);
  }

  ClippedPolygon polygon;
  for (int i = 0; i < count; ++i) {
    const double* const p = points[i].p;
    if (!(p[3] > 0)) return {};  // the eye itself
    const double x_px = 0.5 * params.width * (1 + p[0] / p[3]),
                 y_px = 0.5 * params.height * (1 - p[1] / p[3]);
    polygon.x[i] = snapToSubpixel(x_px);
    polygon.y[i] = snapToSubpixel(y_px);
  }
  polygon.count = count;
  return polygon;
}

// Edge functions of the clip-space triangle at the centre of pixel (x, y) and their steps to the next pixel.
struct EdgeFunctions {
  double value[3], step_x[3], step_y[3];

  EdgeFunctions(const RasterizeParams& params, const std::int32_t* corner, int x, int y) {
    const double ndc_x = (2.0 * x + 1) / params.width - 1, ndc_y = 1 - (2.0 * y + 1) / params.height;
    double qx[3], qy[3], w[3];
    for (int i = 0; i < 3; ++i) {
      const float* const p = params.clip_positions + 4 * static_cast<std::int64_t>(corner[i]);
      w[i] = p[3];
      qx[i] = p[0] - ndc_x * w[i];
      qy[i] = p[1] - ndc_y * w[i];
    }
    for (int i = 0; i < 3; ++i) {
      const int j = i == 2 ? 0 : i + 1, k = j == 2 ? 0 : j + 1;
      value[i] = qx[j] * qy[k] - qy[j] * qx[k];
      step_x[i] = (w[k] * qy[j] - w[j] * qy[k]) * (2.0 / params.width);
      step_y[i] = (w[j] * qx[k] - w[k] * qx[j]) * (-2.0 / params.height);
    }
  }
};

void setUpBarycentrics(const RasterizeParams& params, std::int32_t triangle, int x, int y,
                       BarycentricPlane* out) {
  const EdgeFunctions edges(params, params.triangles + 3 * static_cast<std::int64_t>(triangle), x, y);
  const double sum = edges.value[0] + edges.value[1] + edges.value[2];
  const double scale = sum == 0 ? 0 : 1 / sum;  // only ratios matter
  out->a0 = static_cast<float>(edges.value[0] * scale);
  out->a0_x = static_cast<float>(edges.step_x[0] * scale);
  out->a0_y = static_cast<float>(edges.step_y[0] * scale);
  out->a1 = static_cast<float>(edges.value[1] * scale);
  out->a1_x = static_cast<float>(edges.step_x[1] * scale);
  out->a1_y = static_cast<float>(edges.step_y[1] * scale);
  out->sum = 1;
  out->sum_x = static_cast<float>((edges.step_x[0] + edges.step_x[1] + edges.step_x[2]) * scale);
  out->sum_y = static_cast<float>((edges.step_y[0] + edges.step_y[1] + edges.step_y[2]) * scale);
  out->x_ref = x;
  out->y_ref = y;
  out->ready = true;
}

using DrawFixed = void (*)(const FixedTriangle&, const DepthPlane&, std::int32_t, Band&);

// A triangle that crosses a clip plane, as a fan.
void drawClipped(const RasterizeParams& params, const std::int32_t* corner, std::int32_t record, Band& band,
                 DrawFixed draw) {
  const ClippedPolygon polygon = clip(params, corner);
  for (int i = 2; i < polygon.count; ++i) {
    FixedTriangle triangle;
    if (!setUp(polygon.x[0], polygon.y[0], polygon.x[i - 1], polygon.y[i - 1], polygon.x[i], polygon.y[i],
               params, &triangle)) {
      continue;
    }
    const EdgeFunctions edges(params, corner, triangle.x_min, triangle.y_min);
    double z = 0, slope_x = 0, slope_y = 0, determinant = 0;
    for (int k = 0; k < 3; ++k) {
      const float* const p = params.clip_positions + 4 * static_cast<std::int64_t>(corner[k]);
      z += p[2] * edges.value[k];
      slope_x += p[2] * edges.step_x[k];
      slope_y += p[2] * edges.step_y[k];
      determinant += p[3] * edges.value[k];
    }
    DepthPlane plane = {static_cast<float>(z / determinant), static_cast<float>(slope_x / determinant),
                        static_cast<float>(slope_y / determinant), -1, 1};
    plane.makeFinite();
    draw(triangle, plane, record, band);
  }
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FACET_HAS_AVX2_KERNEL 1
#define FACET_KERNEL_AVX2 1
#pragma GCC push_options
#pragma GCC target("avx2")
namespace avx2 {
#include "render/cpu/rasterize_kernel.h"
}  // namespace avx2
#pragma GCC pop_options
#undef FACET_KERNEL_AVX2
#endif
#define FACET_KERNEL_AVX2 0
namespace baseline {
#include "render/cpu/rasterize_kernel.h"
}  // namespace baseline

struct Kernel {
  decltype(&baseline::projectVertices) projectVertices = &baseline::projectVertices;
  decltype(&baseline::drawVisibility) drawVisibility = &baseline::drawVisibility;
  decltype(&baseline::shadeBand) shadeBand = &baseline::shadeBand;

  Kernel() {
#if defined(FACET_HAS_AVX2_KERNEL)
    if (!__builtin_cpu_supports("avx2")) return;
    projectVertices = &avx2::projectVertices;
    drawVisibility = &avx2::drawVisibility;
    shadeBand = &avx2::shadeBand;
#endif
  }
};

// Rows of the bands that a triangle may touch; empty (first > last) for one that covers no pixel centre.
struct BandRange {
  std::int32_t first = 0, last = -1;
};

BandRange bandRange(const RasterizeParams& params, const ScreenVertex* vertices, const std::int32_t* corner) {
  const ScreenVertex& a = vertices[corner[0]];
  const ScreenVertex& b = vertices[corner[1]];
  const ScreenVertex& c = vertices[corner[2]];
  const unsigned any = a.planes | b.planes | c.planes;
  if ((any & kNotFinite) != 0 || (a.planes & b.planes & c.planes) != 0) return {};
  std::int32_t first = params.height, last = -1;
  if (any == 0) {
    FixedTriangle triangle;
    if (!setUp(a.x, a.y, b.x, b.y, c.x, c.y, params, &triangle)) return {};
    first = triangle.y_min;
    last = triangle.y_max;
  } else {
    const ClippedPolygon polygon = clip(params, corner);
    if (polygon.count < 3) return {};
    pixelRange(*std::min_element(polygon.y, polygon.y + polygon.count),
               *std::max_element(polygon.y, polygon.y + polygon.count), params.height, &first, &last);
  }
  if (first > last) return {};
  return {first / kBandRows, last / kBandRows};
}

// Triangles of one chunk sorted by band, in rising order within each.
struct Chunk {
  std::vector<std::int32_t> triangles;
  std::vector<std::int32_t> begin;  // bands + 1
};

Chunk binTriangles(const RasterizeParams& params, const ScreenVertex* vertices, std::int64_t begin,
                   std::int64_t end, int num_bands) {
  std::vector<BandRange> ranges(static_cast<std::size_t>(end - begin));
  Chunk chunk;
  chunk.begin.assign(static_cast<std::size_t>(num_bands) + 1, 0);
  for (std::int64_t i = begin; i < end; ++i) {
    const BandRange range = bandRange(params, vertices, params.triangles + 3 * i);
    ranges[static_cast<std::size_t>(i - begin)] = range;
    for (int band = range.first; band <= range.last; ++band)
      ++chunk.begin[static_cast<std::size_t>(band) + 1];
  }
  for (std::size_t band = 0; band < static_cast<std::size_t>(num_bands); ++band) {
    chunk.begin[band + 1] += chunk.begin[band];
  }
  chunk.triangles.resize(static_cast<std::size_t>(chunk.begin.back()));
  std::vector<std::int32_t> next(chunk.begin.begin(), chunk.begin.end() - 1);
  for (std::int64_t i = begin; i < end; ++i) {
    const BandRange range = ranges[static_cast<std::size_t>(i - begin)];
    for (int band = range.first; band <= range.last; ++band) {
      chunk.triangles[static_cast<std::size_t>(next[static_cast<std::size_t>(band)]++)] =
          static_cast<std::int32_t>(i);
    }
  }
  return chunk;
}

// Buffers of one thread, kept between calls.
struct Scratch {
  std::vector<float> depth;
  std::vector<std::int32_t> ids, list;
  std::vector<BarycentricPlane> planes;
};

void drawBand(const Kernel& kernel, const RasterizeParams& params, const ScreenVertex* vertices,
              const std::vector<Chunk>& chunks, std::size_t band_index) {
  static thread_local Scratch scratch;
  scratch.list.clear();
  for (const Chunk& chunk : chunks) {
    scratch.list.insert(scratch.list.end(), chunk.triangles.begin() + chunk.begin[band_index],
                        chunk.triangles.begin() + chunk.begin[band_index + 1]);
  }
  Band band = {};
  band.y_begin = static_cast<std::int32_t>(band_index) * kBandRows;
  band.y_end = std::min(band.y_begin + kBandRows, params.height);
  band.stride = (params.width + 2 * kLanes - 1) / kLanes * kLanes;
  const std::size_t num_pixels = static_cast<std::size_t>(band.y_end - band.y_begin) * band.stride;
  scratch.depth.assign(num_pixels, 2.0F);  // beyond the far plane
  scratch.ids.assign(num_pixels, -1);
  scratch.planes.resize(std::max(scratch.planes.size(), scratch.list.size()));
  for (std::size_t i = 0; i < scratch.list.size(); ++i) scratch.planes[i].ready = false;
  band.depth = scratch.depth.data();
  band.ids = scratch.ids.data();
  kernel.drawVisibility(params, vertices, scratch.list.data(), static_cast<std::int32_t>(scratch.list.size()),
                        band);
  kernel.shadeBand(params, scratch.list.data(), band, scratch.planes.data());
}

}  // namespace

void rasterizeCpu(const RasterizeParams& params) {
  static const Kernel kernel;
  const std::unique_ptr<ScreenVertex[]> vertices(
      new ScreenVertex[static_cast<std::size_t>(params.num_vertices)]);
  parallelFor(static_cast<int>(params.num_vertices), kVerticesPerChunk,
              [&](int begin, int end) { kernel.projectVertices(params, begin, end, vertices.get()); });

  const int num_bands = (params.height + kBandRows - 1) / kBandRows;
  const int num_chunks =
      static_cast<int>((params.num_triangles + kTrianglesPerChunk - 1) / kTrianglesPerChunk);
  std::vector<Chunk> chunks(static_cast<std::size_t>(num_chunks));
  parallelFor(num_chunks, 1, [&](int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const std::int64_t first = static_cast<std::int64_t>(i) * kTrianglesPerChunk;
      chunks[static_cast<std::size_t>(i)] =
          binTriangles(params, vertices.get(), first,
                       std::min<std::int64_t>(first + kTrianglesPerChunk, params.num_triangles), num_bands);
    }
  });
  parallelFor(num_bands, 1, [&](int begin, int end) {
    for (int i = begin; i < end; ++i) {
      drawBand(kernel, params, vertices.get(), chunks, static_cast<std::size_t>(i));
    }
  });
}

}  // namespace facet
