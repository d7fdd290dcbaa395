// Two passes over bands of rows: visibility (nearest triangle per pixel, exact coverage), then barycentrics
// of the visible triangles only. Barycentrics by 2D homogeneous edge functions: Olano and Greer, "Triangle
// Scan Conversion using 2D Homogeneous Coordinates", Graphics Hardware 1997. Edge walking: Pineda, "A
// Parallel Algorithm for Polygon Rasterization", SIGGRAPH 1988. A coarse depth buffer rejects whole
// triangles: Greene, Kass and Miller, "Hierarchical Z-Buffer Visibility", SIGGRAPH 1993.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "core/parallel.h"
#include "render/ops/checks.h"
#include "render/ops/rasterize.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace facet::ops {
namespace {

constexpr int kLanes = 8;
constexpr int kSubpixelBits = 8;
constexpr int kSubpixels = 1 << kSubpixelBits;
constexpr int kTileRows = 8;  // a tile of the coarse depth buffer is kLanes × kTileRows pixels
constexpr int kTrianglesPerChunk =
    4096;  // binning work unit; fixed, so that results do not depend on threads
constexpr int kVerticesPerChunk = 4096;
constexpr double kGuardBandPx = 1 << 17;  // from the image centre; fixed-point corners stay below 2^26
constexpr float kBeyondFar = 2.0F;        // a depth that every surface is in front of
constexpr unsigned kNotFinite = 1U << 31;

typedef float F8 __attribute__((vector_size(32)));
typedef std::int32_t I8 __attribute__((vector_size(32)));
typedef std::int32_t I4 __attribute__((vector_size(16)));

// One image of the batch.
struct View {
  const float* positions;  // V×4
  const std::int32_t* triangles;
  std::int64_t first_triangle, num_triangles;
  int width, height;
  int band_shift;  // a band has 2^band_shift rows
  bool cull_backfaces;
  const float* previous;  // null unless peeling
  float* rast;
  float* derivatives;  // or null
  std::int32_t* ids;   // or null
  std::int64_t previous_stride, rast_stride, derivatives_stride;

  const std::int32_t* corners(std::int64_t triangle) const { return triangles + 3 * triangle; }
  const float* position(std::int32_t vertex) const { return positions + 4 * std::int64_t{vertex}; }
};

// A vertex after projection, in 1/256 px. x + x_rest is the unsnapped position.
struct alignas(32) ScreenVertex {
  std::int32_t x, y, minus_x, minus_y;
  float x_rest, y_rest;
  float z;          // z/w
  unsigned planes;  // bit per clip plane that the vertex lies beyond: near, far, left, right, bottom, top,
                    // w = 0
};

// Corners in 1/256 px, oriented so that all edge functions are positive inside, and the pixels that may be
// covered.
struct FixedTriangle {
  std::int32_t x[3], y[3];
  std::int32_t x_min, x_max, y_min, y_max;  // pixels, inclusive, inside the image
};

// z/w at pixel (x_min, y_min) of a triangle and its slopes per pixel; the range of its corners bounds it.
struct DepthPlane {
  double z, slope_x, slope_y;
  float nearest, farthest;

  // A triangle seen edge-on has no slope to speak of.
  void makeFinite() {
    constexpr double kSteepest = 1e6;  // z/w per pixel; the whole depth range is 2
    if (std::abs(slope_x) < kSteepest && std::abs(slope_y) < kSteepest && std::abs(z) < 1e12) return;
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
  std::int32_t stride;        // of depth and records, with room for a vector past the last pixel
  float* depth;               // z/w of the nearest triangle so far
  std::int32_t* records;      // its position in `list`, -1 = none
  const float* peeled;        // z/w that a surface must lie behind; null unless peeling
  float* farthest;            // per tile: the largest depth in it after the first list was drawn
  const std::int32_t* list;   // triangles of the band: two rising sequences, one per winding
  std::int32_t second_begin;  // where the second one begins
  std::int32_t list_size;
  int first_winding;  // of the first sequence: 0 = counter-clockwise on screen
};

struct BinnedTriangle {
  std::int32_t triangle, first_band, last_band, winding;
};

// Pixel position of a clip-space point. The one place that rounds it: a clipped triangle and its whole
// neighbour must agree about the corners that they share.
inline void projectToPixels(double half_width, double half_height, double x, double y, double inverse_w,
                            double* x_px, double* y_px) {
  *x_px = half_width + half_width * x * inverse_w;
  *y_px = half_height - half_height * y * inverse_w;
}

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
                  std::int32_t cy, const View& view, FixedTriangle* out) {
  const std::int64_t area =
      static_cast<std::int64_t>(bx - ax) * (cy - ay) - static_cast<std::int64_t>(by - ay) * (cx - ax);
  // Rows run downwards, so a counter-clockwise triangle has a negative area here.
  if (area == 0 || (view.cull_backfaces && area > 0)) return false;
  const auto [x_low, x_high] = std::minmax({ax, bx, cx});
  const auto [y_low, y_high] = std::minmax({ay, by, cy});
  pixelRange(x_low, x_high, view.width, &out->x_min, &out->x_max);
  pixelRange(y_low, y_high, view.height, &out->y_min, &out->y_max);
  if (out->x_min > out->x_max || out->y_min > out->y_max) return false;
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

ClippedPolygon clip(const View& view, const std::int32_t* corner) {
  struct Point {
    double p[4];
  };
  const double half_width = 0.5 * view.width, half_height = 0.5 * view.height;
  const double guard_x = kGuardBandPx / half_width, guard_y = kGuardBandPx / half_height;
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
  for (int i = 0; i < 3; ++i) std::copy_n(view.position(corner[i]), 4, points[i].p);

  for (int plane = 0; plane < 6 && count > 0; ++plane) {
    int kept = 0;
    for (int i = 0; i < count; ++i) {
      const Point& here = points[i];
      const Point& there = points[i + 1 < count ? i + 1 : 0];
      const double d_here = distance(here, plane), d_there = distance(there, plane);
      // Rounding could make more corners than geometry allows.
      if (d_here >= 0 && kept < ClippedPolygon::kMaxCorners) next[kept++] = here;
      if ((d_here >= 0) == (d_there >= 0) || kept >= ClippedPolygon::kMaxCorners) continue;
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
    double x_px, y_px;
    projectToPixels(half_width, half_height, p[0], p[1], 1 / p[3], &x_px, &y_px);
    polygon.x[i] = snapToSubpixel(x_px);
    polygon.y[i] = snapToSubpixel(y_px);
  }
  polygon.count = count;
  return polygon;
}

// Edge functions of the clip-space triangle at the centre of pixel (x, y) and their steps to the next pixel.
struct EdgeFunctions {
  double value[3], step_x[3], step_y[3];

  EdgeFunctions(const View& view, const std::int32_t* corner, int x, int y) {
    const double pixel_x = 2.0 / view.width, pixel_y = 2.0 / view.height;
    const double ndc_x = (x + 0.5) * pixel_x - 1, ndc_y = 1 - (y + 0.5) * pixel_y;
    double qx[3], qy[3], w[3];
    for (int i = 0; i < 3; ++i) {
      const float* const p = view.position(corner[i]);
      w[i] = p[3];
      qx[i] = p[0] - ndc_x * w[i];
      qy[i] = p[1] - ndc_y * w[i];
    }
    for (int i = 0; i < 3; ++i) {
      const int j = i == 2 ? 0 : i + 1, k = j == 2 ? 0 : j + 1;
      value[i] = qx[j] * qy[k] - qy[j] * qx[k];
      step_x[i] = (w[k] * qy[j] - w[j] * qy[k]) * pixel_x;
      step_y[i] = (w[k] * qx[j] - w[j] * qx[k]) * pixel_y;
    }
  }
};

void setUpBarycentrics(const View& view, std::int32_t triangle, int x, int y, BarycentricPlane* out) {
  const EdgeFunctions edges(view, view.corners(triangle), x, y);
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
  // A triangle seen edge-on, which covers a pixel only thanks to snapping, has no slopes either.
  constexpr float kSteepest = 1e12F;
  if (std::abs(out->a0_x) < kSteepest && std::abs(out->a0_y) < kSteepest && std::abs(out->a1_x) < kSteepest &&
      std::abs(out->a1_y) < kSteepest && std::abs(out->sum_x) < kSteepest &&
      std::abs(out->sum_y) < kSteepest) {
    return;
  }
  out->a0_x = out->a0_y = out->a1_x = out->a1_y = out->sum_x = out->sum_y = 0;
}

using DrawFixed = void (*)(const FixedTriangle&, const DepthPlane&, std::int32_t, Band&);

// A triangle that crosses a clip plane, as a fan.
void drawClipped(const View& view, const std::int32_t* corner, std::int32_t record, Band& band,
                 DrawFixed draw) {
  const ClippedPolygon polygon = clip(view, corner);
  for (int i = 2; i < polygon.count; ++i) {
    FixedTriangle triangle;
    if (!setUp(polygon.x[0], polygon.y[0], polygon.x[i - 1], polygon.y[i - 1], polygon.x[i], polygon.y[i],
               view, &triangle)) {
      continue;
    }
    const EdgeFunctions edges(view, corner, triangle.x_min, triangle.y_min);
    double z = 0, slope_x = 0, slope_y = 0, determinant = 0;
    for (int k = 0; k < 3; ++k) {
      const float* const p = view.position(corner[k]);
      z += p[2] * edges.value[k];
      slope_x += p[2] * edges.step_x[k];
      slope_y += p[2] * edges.step_y[k];
      determinant += p[3] * edges.value[k];
    }
    DepthPlane plane = {z / determinant, slope_x / determinant, slope_y / determinant, -1, 1};
    plane.makeFinite();
    draw(triangle, plane, record, band);
  }
}

// Bands of a triangle that crosses a clip plane. False when nothing of it is left.
bool clippedBands(const View& view, const std::int32_t* corner, BinnedTriangle* out) {
  const ClippedPolygon polygon = clip(view, corner);
  if (polygon.count < 3) return false;
  std::int32_t first, last;
  pixelRange(*std::min_element(polygon.y, polygon.y + polygon.count),
             *std::max_element(polygon.y, polygon.y + polygon.count), view.height, &first, &last);
  out->first_band = first >> view.band_shift;
  out->last_band = last >> view.band_shift;
  out->winding = 0;
  return first <= last;
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
  decltype(&baseline::findBands) findBands = &baseline::findBands;
  decltype(&baseline::drawVisibility) drawVisibility = &baseline::drawVisibility;
  decltype(&baseline::shadeBand) shadeBand = &baseline::shadeBand;

  Kernel() {
#if defined(FACET_HAS_AVX2_KERNEL)
    if (!__builtin_cpu_supports("avx2")) return;
    projectVertices = &avx2::projectVertices;
    findBands = &avx2::findBands;
    drawVisibility = &avx2::drawVisibility;
    shadeBand = &avx2::shadeBand;
#endif
  }
};

// Triangles of one chunk sorted by band and winding (bin = 2 band + winding), in rising order within each.
struct Chunk {
  std::vector<std::int32_t> triangles;
  std::vector<std::int32_t> begin;  // bins + 1
  double depth[2];                  // sum of z/w per winding, and how many triangles it is of
  std::int64_t count[2];
};

// Buffers kept between calls, one set per thread that draws an image.
struct ImageScratch {
  std::vector<ScreenVertex> vertices;
  std::vector<Chunk> chunks;
};

// Buffers of one thread that works on a part of an image.
struct Scratch {
  std::vector<BinnedTriangle> binned;
  std::vector<std::int32_t> next;
  std::vector<float> depth, peeled, farthest;
  std::vector<std::int32_t> records, list;
  std::vector<BarycentricPlane> planes;
};

Scratch& threadScratch() {
  static thread_local Scratch scratch;
  return scratch;
}

void binTriangles(const Kernel& kernel, const View& view, const ScreenVertex* vertices, std::int64_t begin,
                  std::int64_t end, int num_bands, Chunk* chunk) {
  Scratch& scratch = threadScratch();
  scratch.binned.resize(kTrianglesPerChunk);
  BinnedTriangle* const binned = scratch.binned.data();
  const std::int32_t num_binned = kernel.findBands(view, vertices, begin, end, binned);

  const std::size_t num_bins = 2 * static_cast<std::size_t>(num_bands);
  chunk->begin.assign(num_bins + 1, 0);
  chunk->depth[0] = chunk->depth[1] = 0;
  chunk->count[0] = chunk->count[1] = 0;
  for (std::int32_t i = 0; i < num_binned; ++i) {
    const BinnedTriangle& triangle = binned[i];
    const ScreenVertex& corner = vertices[view.corners(triangle.triangle)[0]];
    if (corner.planes == 0) {
      chunk->depth[triangle.winding] += corner.z;
      ++chunk->count[triangle.winding];
    }
    for (int band = triangle.first_band; band <= triangle.last_band; ++band) {
      ++chunk->begin[static_cast<std::size_t>(2 * band + triangle.winding) + 1];
    }
  }
  for (std::size_t bin = 0; bin < num_bins; ++bin) chunk->begin[bin + 1] += chunk->begin[bin];
  chunk->triangles.resize(static_cast<std::size_t>(chunk->begin.back()));
  scratch.next.assign(chunk->begin.begin(), chunk->begin.end() - 1);
  for (std::int32_t i = 0; i < num_binned; ++i) {
    const BinnedTriangle& triangle = binned[i];
    for (int band = triangle.first_band; band <= triangle.last_band; ++band) {
      std::int32_t& next = scratch.next[static_cast<std::size_t>(2 * band + triangle.winding)];
      chunk->triangles[static_cast<std::size_t>(next++)] = triangle.triangle;
    }
  }
}

void drawBand(const Kernel& kernel, const View& view, const ScreenVertex* vertices,
              const std::vector<Chunk>& chunks, int first_winding, int band_index) {
  Scratch& scratch = threadScratch();
  Band band = {};
  band.first_winding = first_winding;
  scratch.list.clear();
  for (const int winding : {first_winding, 1 - first_winding}) {
    band.second_begin = static_cast<std::int32_t>(scratch.list.size());
    const std::size_t bin = static_cast<std::size_t>(2 * band_index + winding);
    for (const Chunk& chunk : chunks) {
      scratch.list.insert(scratch.list.end(), chunk.triangles.begin() + chunk.begin[bin],
                          chunk.triangles.begin() + chunk.begin[bin + 1]);
    }
  }
  band.list = scratch.list.data();
  band.list_size = static_cast<std::int32_t>(scratch.list.size());
  band.y_begin = band_index << view.band_shift;
  band.y_end = std::min(band.y_begin + (1 << view.band_shift), view.height);
  band.stride = (view.width + 2 * kLanes - 1) / kLanes * kLanes;
  const std::size_t num_rows = static_cast<std::size_t>(band.y_end - band.y_begin);
  const std::size_t num_pixels = num_rows * static_cast<std::size_t>(band.stride);
  scratch.depth.assign(num_pixels, kBeyondFar);
  scratch.records.assign(num_pixels, -1);
  scratch.farthest.resize(num_pixels / kLanes);
  if (scratch.planes.size() < scratch.list.size()) scratch.planes.resize(scratch.list.size());
  for (std::size_t i = 0; i < scratch.list.size(); ++i) scratch.planes[i].ready = false;
  if (view.previous) {
    scratch.peeled.assign(num_pixels, kBeyondFar);
    for (std::int32_t y = band.y_begin; y < band.y_end; ++y) {
      const float* fragment = view.previous + y * view.previous_stride;
      float* const row = scratch.peeled.data() + static_cast<std::ptrdiff_t>(y - band.y_begin) * band.stride;
      for (int x = 0; x < view.width; ++x, fragment += 4) {
        if (triangleFromFragment(fragment[3]) >= 0) row[x] = fragment[2];
      }
    }
    band.peeled = scratch.peeled.data();
  }
  band.depth = scratch.depth.data();
  band.records = scratch.records.data();
  band.farthest = scratch.farthest.data();
  kernel.drawVisibility(view, vertices, band);
  kernel.shadeBand(view, band, scratch.planes.data());
}

void projectAll(const Kernel& kernel, const View& view, std::int64_t num_vertices,
                std::vector<ScreenVertex>* out) {
  out->resize(static_cast<std::size_t>(num_vertices));
  ScreenVertex* const vertices = out->data();
  const std::int64_t num_chunks = (num_vertices + kVerticesPerChunk - 1) / kVerticesPerChunk;
  parallelFor(static_cast<int>(num_chunks), 1, [&](int begin, int end) {
    kernel.projectVertices(view, std::int64_t{begin} * kVerticesPerChunk,
                           std::min(std::int64_t{end} * kVerticesPerChunk, num_vertices), vertices);
  });
}

void drawImage(const Kernel& kernel, const View& view, const ScreenVertex* vertices,
               std::vector<Chunk>* chunks) {
  const int num_bands = ((view.height - 1) >> view.band_shift) + 1;
  const std::int64_t num_chunks = (view.num_triangles + kTrianglesPerChunk - 1) / kTrianglesPerChunk;
  chunks->resize(static_cast<std::size_t>(num_chunks));
  parallelFor(static_cast<int>(num_chunks), 1, [&](int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const std::int64_t first = std::int64_t{i} * kTrianglesPerChunk;
      const std::int64_t last = std::min<std::int64_t>(first + kTrianglesPerChunk, view.num_triangles);
      binTriangles(kernel, view, vertices, view.first_triangle + first, view.first_triangle + last, num_bands,
                   &(*chunks)[static_cast<std::size_t>(i)]);
    }
  });

  // What is nearer on average goes first, so that it hides the rest: the front of a closed mesh, whatever
  // its winding.
  double depth[2] = {};
  std::int64_t count[2] = {};
  for (const Chunk& chunk : *chunks) {
    for (int winding = 0; winding < 2; ++winding) {
      depth[winding] += chunk.depth[winding];
      count[winding] += chunk.count[winding];
    }
  }
  const int first_winding =
      depth[1] * static_cast<double>(count[0]) < depth[0] * static_cast<double>(count[1]) ? 1 : 0;
  parallelFor(num_bands, 1, [&](int begin, int end) {
    for (int i = begin; i < end; ++i) drawBand(kernel, view, vertices, *chunks, first_winding, i);
  });
}

void check(const RasterizeParams& params) {
  constexpr const char* kName = "rasterize";
  const Images& rast = params.rast;
  checkOutput(kName, "rast", rast, rast.num_images, rast.height, rast.width, 4);
  require(rast.height <= kMaxRasterSide && rast.width <= kMaxRasterSide, kName, ": ", rast.width, "x",
          rast.height, " is not an image size; each side may have 0 to ", kMaxRasterSide, " pixels");
  if (params.derivatives.present()) {
    checkOutput(kName, "derivatives", params.derivatives, rast.num_images, rast.height, rast.width, 4);
  }
  if (params.previous.present()) {
    checkImages(kName, "previous", params.previous, rast.num_images, rast.height, rast.width, 4);
  }
  checkRows(kName, "positions", params.positions, params.positions.num_rows, 4);
  checkTriangles(kName, params.triangles);
  require(params.ranges == nullptr || params.positions.image_stride == 0, kName,
          ": ranges need one set of positions (image stride 0), but the image stride is ",
          params.positions.image_stride);
  if (params.ranges == nullptr) {
    checkIndices(kName, params.triangles.data, params.triangles.count, params.positions.num_rows);
    return;
  }
  for (int image = 0; image < rast.num_images; ++image) {
    const std::int64_t first = params.ranges[2 * image], count = params.ranges[2 * image + 1];
    require(first >= 0 && count >= 0 && first + count <= params.triangles.count, kName, ": range ", image,
            " takes ", count, " triangles from ", first, " on, but there are ", params.triangles.count);
    checkIndices(kName, params.triangles.data + 3 * first, count, params.positions.num_rows);
  }
}

}  // namespace

void rasterizeCpu(const RasterizeParams& params) {
  check(params);
  const Images& rast = params.rast;
  if (rast.numPixels() == 0) return;
  static const Kernel kernel;
  static thread_local std::vector<ScreenVertex> shared_vertices;

  const auto imageView = [&](int image) {
    View view = {};
    view.positions = params.positions.data + image * params.positions.image_stride;
    view.triangles = params.triangles.data;
    view.first_triangle = params.ranges ? params.ranges[2 * image] : 0;
    view.num_triangles = params.ranges ? params.ranges[2 * image + 1] : params.triangles.count;
    view.width = rast.width;
    view.height = rast.height;
    // Depth and records of a band stay in L2; a small image needs more bands than threads.
    view.band_shift = rast.width > 4096 ? 3 : rast.width > 2048 || rast.height <= 512 ? 4 : 5;
    view.cull_backfaces = params.cull_backfaces;
    view.rast = rast.data + image * rast.image_stride;
    view.rast_stride = rast.row_stride;
    if (params.derivatives.present()) {
      view.derivatives = params.derivatives.data + image * params.derivatives.image_stride;
      view.derivatives_stride = params.derivatives.row_stride;
    }
    if (params.previous.present()) {
      view.previous = params.previous.data + image * params.previous.image_stride;
      view.previous_stride = params.previous.row_stride;
    }
    if (params.ids) view.ids = params.ids + std::int64_t{image} * rast.height * rast.width;
    return view;
  };
  const bool share_positions = params.positions.image_stride == 0;
  std::vector<ScreenVertex>& shared = shared_vertices;  // of the calling thread, also inside parallelFor
  if (share_positions) projectAll(kernel, imageView(0), params.positions.num_rows, &shared);

  const auto drawImages = [&](int begin, int end) {
    static thread_local ImageScratch thread_scratch;
    ImageScratch& scratch = thread_scratch;
    for (int image = begin; image < end; ++image) {
      const View view = imageView(image);
      if (!share_positions) projectAll(kernel, view, params.positions.num_rows, &scratch.vertices);
      drawImage(kernel, view, share_positions ? shared.data() : scratch.vertices.data(), &scratch.chunks);
    }
  };
  // Many small images: one thread each. The inner loops then run on the thread that they are on.
  constexpr int kSmallImage = 256 * 256;
  if (rast.num_images >= 2 * numThreads() && rast.width <= kSmallImage / rast.height) {
    parallelFor(rast.num_images, 1, drawImages);
  } else {
    drawImages(0, rast.num_images);
  }
}

}  // namespace facet::ops
