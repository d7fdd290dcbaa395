#pragma once

#include "render/cuda/portable.h"

// The arithmetic of the rasterizer, expression for expression that of render/cpu/rasterize_cpu.cpp, so that
// both find the same triangle at every pixel. To be compiled without contraction of multiply and add.
//
// Barycentrics by 2D homogeneous edge functions: Olano and Greer, "Triangle Scan Conversion using 2D
// Homogeneous Coordinates", Graphics Hardware 1997.
namespace facet::ops::cuda {

constexpr int kSubpixelBits = 8;
constexpr int kSubpixels = 1 << kSubpixelBits;
constexpr int kDepthGroup = 8;            // pixels that share the rounding of one depth base
constexpr double kGuardBandPx = 1 << 17;  // from the image centre; fixed-point corners stay below 2^26
constexpr float kBeyondFar = 2.0F;        // a depth that every surface is in front of
constexpr unsigned kNotFinite = 1U << 31;
constexpr int kMaxCorners = 9;  // of a clipped triangle: each of the six planes adds at most one
constexpr int kMaxParts = kMaxCorners - 2;

struct Viewport {
  int width, height;
  bool cull_backfaces;
};

// A vertex after projection, in 1/256 px. x + x_rest is the unsnapped position.
struct ScreenVertex {
  std::int32_t x, y;
  float x_rest, y_rest;
  float z;          // z/w
  unsigned planes;  // bit per clip plane that the vertex lies beyond
};

// Corners in 1/256 px, oriented so that all edge functions are positive inside, the pixels that may be
// covered, and z/w at pixel (x_min, y_min) with its slopes per pixel.
struct FixedTriangle {
  std::int32_t x[3], y[3];
  std::int32_t x_min, x_max, y_min, y_max;  // pixels, inclusive, inside the image
  double z, slope_x, slope_y;
  float nearest, farthest;
  bool is_wide;  // depth groups start where the edges let a row begin, not at x_min

  FACET_HD std::int64_t boxPixels() const { return std::int64_t{x_max - x_min + 1} * (y_max - y_min + 1); }
};

// Nearest integer of 256 px: the low mantissa bits of the sum.
FACET_HD inline std::int32_t snapToSubpixel(double px) {
  const double shifted = px * kSubpixels + 6755399441055744.0;  // 1.5 · 2^52
  std::int64_t bits;
  memcpy(&bits, &shifted, sizeof(bits));
  return static_cast<std::int32_t>(bits);
}

FACET_HD inline void projectToPixels(double half_width, double half_height, double x, double y,
                                     double inverse_w, double* x_px, double* y_px) {
  *x_px = half_width + half_width * x * inverse_w;
  *y_px = half_height - half_height * y * inverse_w;
}

FACET_HD inline ScreenVertex projectVertex(const Viewport& view, const float* p) {
  const double half_width = 0.5 * view.width, half_height = 0.5 * view.height;
  const double guard_x = kGuardBandPx / half_width, guard_y = kGuardBandPx / half_height;
  const double x = p[0], y = p[1], z = p[2], w = p[3];
  ScreenVertex vertex;
  unsigned planes = 0;
  planes |= z + w < 0 ? 1U : 0U;
  planes |= w - z < 0 ? 2U : 0U;
  planes |= guard_x * w + x < 0 ? 4U : 0U;
  planes |= guard_x * w - x < 0 ? 8U : 0U;
  planes |= guard_y * w + y < 0 ? 16U : 0U;
  planes |= guard_y * w - y < 0 ? 32U : 0U;
  planes |= w <= 0 ? 64U : 0U;  // has no position on screen
  planes |= (x - x) + (y - y) + (z - z) + (w - w) == 0 ? 0U : kNotFinite;
  vertex.planes = planes;
  vertex.x = vertex.y = 0;
  vertex.x_rest = vertex.y_rest = vertex.z = 0;
  if (planes != 0) return vertex;
  const double inverse_w = 1 / w;
  double x_px, y_px;
  projectToPixels(half_width, half_height, x, y, inverse_w, &x_px, &y_px);
  vertex.x = snapToSubpixel(x_px);
  vertex.y = snapToSubpixel(y_px);
  vertex.x_rest = static_cast<float>(x_px * kSubpixels - vertex.x);
  vertex.y_rest = static_cast<float>(y_px * kSubpixels - vertex.y);
  vertex.z = static_cast<float>(z * inverse_w);
  return vertex;
}

// First and last pixel whose centre lies in [low, high] (1/256 px), clamped to [0, size).
FACET_HD inline void pixelRange(std::int32_t low, std::int32_t high, int size, std::int32_t* first,
                                std::int32_t* last) {
  *first = larger((low + kSubpixels / 2 - 1) >> kSubpixelBits, 0);
  *last = smaller((high - kSubpixels / 2) >> kSubpixelBits, size - 1);
}

// Twice the area in 1/65536 px². Rows run downwards, so a counter-clockwise triangle has a negative one.
FACET_HD inline std::int64_t fixedArea(std::int32_t ax, std::int32_t ay, std::int32_t bx, std::int32_t by,
                                       std::int32_t cx, std::int32_t cy) {
  return static_cast<std::int64_t>(bx - ax) * (cy - ay) - static_cast<std::int64_t>(by - ay) * (cx - ax);
}

// Corners and pixels; false when nothing is covered. The depth is still to be set.
FACET_HD inline bool setUpCoverage(const Viewport& view, std::int32_t ax, std::int32_t ay, std::int32_t bx,
                                   std::int32_t by, std::int32_t cx, std::int32_t cy, FixedTriangle* out) {
  const std::int64_t area = fixedArea(ax, ay, bx, by, cx, cy);
  if (area == 0 || (view.cull_backfaces && area > 0)) return false;
  pixelRange(smaller(ax, smaller(bx, cx)), larger(ax, larger(bx, cx)), view.width, &out->x_min, &out->x_max);
  pixelRange(smaller(ay, smaller(by, cy)), larger(ay, larger(by, cy)), view.height, &out->y_min, &out->y_max);
  if (out->x_min > out->x_max || out->y_min > out->y_max) return false;
  out->x[0] = ax;
  out->y[0] = ay;
  out->x[1] = area > 0 ? bx : cx;
  out->y[1] = area > 0 ? by : cy;
  out->x[2] = area > 0 ? cx : bx;
  out->y[2] = area > 0 ? cy : by;
  constexpr std::int32_t kLongest = 1024 * kSubpixels;
  out->is_wide = out->x_max - out->x_min >= 4 * kDepthGroup;
  for (int k = 0; k < 3; ++k) {
    const int to = k == 2 ? 0 : k + 1;
    const std::int32_t dx = out->x[to] - out->x[k], dy = out->y[to] - out->y[k];
    out->is_wide = out->is_wide || dx >= kLongest || dx <= -kLongest || dy >= kLongest || dy <= -kLongest;
  }
  return true;
}

// A triangle seen edge-on has no slope to speak of.
FACET_HD inline void makeDepthFinite(FixedTriangle* triangle) {
  constexpr double kSteepest = 1e6;  // z/w per pixel; the whole depth range is 2
  if (fabs(triangle->slope_x) < kSteepest && fabs(triangle->slope_y) < kSteepest &&
      fabs(triangle->z) < 1e12) {
    return;
  }
  triangle->z = triangle->nearest;
  triangle->slope_x = triangle->slope_y = 0;
}

// A triangle that lies inside all planes.
FACET_HD inline bool setUpWhole(const Viewport& view, const ScreenVertex& p0, const ScreenVertex& p1,
                                const ScreenVertex& p2, FixedTriangle* out) {
  if (!setUpCoverage(view, p0.x, p0.y, p1.x, p1.y, p2.x, p2.y, out)) return false;
  const bool keeps_order = fixedArea(p0.x, p0.y, p1.x, p1.y, p2.x, p2.y) > 0;
  const ScreenVertex& a = p0;
  const ScreenVertex& b = keeps_order ? p1 : p2;
  const ScreenVertex& c = keeps_order ? p2 : p1;
  const float low = a.z < b.z ? a.z : b.z, high = a.z < b.z ? b.z : a.z;
  out->nearest = low < c.z ? low : c.z;
  out->farthest = high > c.z ? high : c.z;
  // z/w is affine on screen.
  const double bx = static_cast<double>(b.x - a.x) + (b.x_rest - a.x_rest),
               by = static_cast<double>(b.y - a.y) + (b.y_rest - a.y_rest),
               cx = static_cast<double>(c.x - a.x) + (c.x_rest - a.x_rest),
               cy = static_cast<double>(c.y - a.y) + (c.y_rest - a.y_rest);
  const double bz = static_cast<double>(b.z) - a.z, cz = static_cast<double>(c.z) - a.z;
  const double per_pixel = kSubpixels / (bx * cy - by * cx);
  out->slope_x = (bz * cy - by * cz) * per_pixel;
  out->slope_y = (bx * cz - bz * cx) * per_pixel;
  const double dx = out->x_min + 0.5 - (a.x + static_cast<double>(a.x_rest)) * (1.0 / kSubpixels),
               dy = out->y_min + 0.5 - (a.y + static_cast<double>(a.y_rest)) * (1.0 / kSubpixels);
  out->z = a.z + out->slope_x * dx + out->slope_y * dy;
  makeDepthFinite(out);
  return true;
}

struct HomogeneousTriangle {
  float p[3][4];
};

// Edge functions of the clip-space triangle at the centre of pixel (x, y) and their steps to the next pixel.
struct EdgeFunctions {
  double value[3], step_x[3], step_y[3];

  FACET_HD EdgeFunctions(const Viewport& view, const HomogeneousTriangle& triangle, int x, int y) {
    const double pixel_x = 2.0 / view.width, pixel_y = 2.0 / view.height;
    const double ndc_x = (x + 0.5) * pixel_x - 1, ndc_y = 1 - (y + 0.5) * pixel_y;
    double qx[3], qy[3], w[3];
    for (int i = 0; i < 3; ++i) {
      w[i] = triangle.p[i][3];
      qx[i] = triangle.p[i][0] - ndc_x * w[i];
      qy[i] = triangle.p[i][1] - ndc_y * w[i];
    }
    for (int i = 0; i < 3; ++i) {
      const int j = i == 2 ? 0 : i + 1, k = j == 2 ? 0 : j + 1;
      value[i] = qx[j] * qy[k] - qy[j] * qx[k];
      step_x[i] = (w[k] * qy[j] - w[j] * qy[k]) * pixel_x;
      step_y[i] = (w[k] * qx[j] - w[j] * qx[k]) * pixel_y;
    }
  }
};

// Signed distance, up to a factor, of a clip-space point from a plane: near, far and the guard band's sides.
FACET_HD inline double planeDistance(const double* p, int plane, double guard_x, double guard_y) {
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
}

// A triangle cut by the near, far and guard-band planes, snapped; returns the number of corners.
FACET_HD inline int clipTriangle(const Viewport& view, const HomogeneousTriangle& triangle, std::int32_t* x,
                                 std::int32_t* y) {
  const double half_width = 0.5 * view.width, half_height = 0.5 * view.height;
  const double guard_x = kGuardBandPx / half_width, guard_y = kGuardBandPx / half_height;
  double points[kMaxCorners][4], next[kMaxCorners][4];
  int count = 3;
  for (int i = 0; i < 3; ++i) {
    for (int k = 0; k < 4; ++k) points[i][k] = triangle.p[i][k];
  }
  for (int plane = 0; plane < 6 && count > 0; ++plane) {
    int kept = 0;
    for (int i = 0; i < count; ++i) {
      const double* const here = points[i];
      const double* const there = points[i + 1 < count ? i + 1 : 0];
      const double d_here = planeDistance(here, plane, guard_x, guard_y);
      const double d_there = planeDistance(there, plane, guard_x, guard_y);
      if (d_here >= 0 && kept < kMaxCorners) {
        for (int k = 0; k < 4; ++k) next[kept][k] = here[k];
        ++kept;
      }
      if ((d_here >= 0) == (d_there >= 0) || kept >= kMaxCorners) continue;
      // Always from the inside to the outside: the two triangles of a shared edge get the same point, bit for
      // bit.
      const double* const inside = d_here >= 0 ? here : there;
      const double* const outside = d_here >= 0 ? there : here;
      const double d_inside = larger(d_here, d_there), d_outside = smaller(d_here, d_there);
      const double t = d_inside / (d_inside - d_outside);
      for (int k = 0; k < 4; ++k) next[kept][k] = inside[k] + t * (outside[k] - inside[k]);
      ++kept;
    }
    count = kept;
    for (int i = 0; i < count; ++i) {
      for (int k = 0; k < 4; ++k) points[i][k] = next[i][k];
    }
  }
  for (int i = 0; i < count; ++i) {
    const double* const p = points[i];
    if (!(p[3] > 0)) return 0;  // the eye itself
    double x_px, y_px;
    projectToPixels(half_width, half_height, p[0], p[1], 1 / p[3], &x_px, &y_px);
    x[i] = snapToSubpixel(x_px);
    y[i] = snapToSubpixel(y_px);
  }
  return count;
}

// A triangle that crosses a plane, as a fan of up to kMaxParts; returns how many.
FACET_HD inline int setUpClipped(const Viewport& view, const HomogeneousTriangle& triangle,
                                 FixedTriangle* parts) {
  std::int32_t x[kMaxCorners], y[kMaxCorners];
  const int num_corners = clipTriangle(view, triangle, x, y);
  int count = 0;
  for (int i = 2; i < num_corners; ++i) {
    FixedTriangle& part = parts[count];
    if (!setUpCoverage(view, x[0], y[0], x[i - 1], y[i - 1], x[i], y[i], &part)) continue;
    const EdgeFunctions edges(view, triangle, part.x_min, part.y_min);
    double z = 0, slope_x = 0, slope_y = 0, determinant = 0;
    for (int k = 0; k < 3; ++k) {
      const double pz = triangle.p[k][2];
      z += pz * edges.value[k];
      slope_x += pz * edges.step_x[k];
      slope_y += pz * edges.step_y[k];
      determinant += triangle.p[k][3] * edges.value[k];
    }
    part.z = z / determinant;
    part.slope_x = slope_x / determinant;
    part.slope_y = slope_y / determinant;
    part.nearest = -1;
    part.farthest = 1;
    makeDepthFinite(&part);
    ++count;
  }
  return count;
}

// Edge function k at the centre of pixel (x, y) in 1/256 of the fixed-point unit, rounded down, after the
// top-left rule: the pixel is inside where all three are >= 0.
FACET_HD inline std::int64_t edgeAt(const FixedTriangle& triangle, int k, std::int32_t x, std::int32_t y) {
  const int to = k == 2 ? 0 : k + 1;
  const std::int32_t dx = triangle.x[to] - triangle.x[k], dy = triangle.y[to] - triangle.y[k];
  const std::int64_t px = std::int64_t{x} * kSubpixels + kSubpixels / 2 - triangle.x[k];
  const std::int64_t py = std::int64_t{y} * kSubpixels + kSubpixels / 2 - triangle.y[k];
  const bool is_top_left = dy < 0 || (dy == 0 && dx > 0);
  return (dx * py - dy * px - (is_top_left ? 0 : 1)) >> kSubpixelBits;
}
FACET_HD inline std::int32_t edgeStepX(const FixedTriangle& triangle, int k) {
  return triangle.y[k] - triangle.y[k == 2 ? 0 : k + 1];
}
FACET_HD inline std::int32_t edgeStepY(const FixedTriangle& triangle, int k) {
  return triangle.x[k == 2 ? 0 : k + 1] - triangle.x[k];
}

// Where the depth groups of row y begin, relative to x_min.
FACET_HD inline std::int32_t groupStart(const FixedTriangle& triangle, std::int32_t y) {
  if (!triangle.is_wide) return 0;
  double low = 0;
  for (int k = 0; k < 3; ++k) {
    const std::int32_t step = edgeStepX(triangle, k);
    if (step <= 0) continue;
    const double crossing = -static_cast<double>(edgeAt(triangle, k, triangle.x_min, y)) * (1.0 / step);
    if (crossing - 1 > low) low = crossing - 1;
  }
  return low < triangle.x_max - triangle.x_min ? static_cast<std::int32_t>(low)
                                               : triangle.x_max - triangle.x_min;
}

// z/w at a pixel of a row whose groups begin at `start`.
FACET_HD inline float depthAt(const FixedTriangle& triangle, std::int32_t x, std::int32_t y,
                              std::int32_t start) {
  const std::int32_t along = x - triangle.x_min - start;
  if (along < 0) return kBeyondFar;  // to the left of where the row can begin
  const std::int32_t lane = along % kDepthGroup, base_x = start + along - lane;
  const double row_z = triangle.z + triangle.slope_y * (y - triangle.y_min);
  const float base = static_cast<float>(row_z + triangle.slope_x * base_x);
  float z = static_cast<float>(lane) * static_cast<float>(triangle.slope_x) + base;
  z = z < triangle.nearest ? triangle.nearest : z;
  z = z > triangle.farthest ? triangle.farthest : z;
  return z;
}

// The nearest surface wins, of equal depths the lower triangle: the smaller key. -0 counts as 0.
FACET_HD inline std::uint64_t depthKey(float z, std::int64_t triangle) {
  const std::uint32_t bits = bitsOf(z + 0.0F);
  const std::uint32_t ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
  return static_cast<std::uint64_t>(ordered) << 32 | static_cast<std::uint32_t>(triangle);
}
FACET_HD inline float depthOfKey(std::uint64_t key) {
  const std::uint32_t ordered = static_cast<std::uint32_t>(key >> 32);
  return floatOf((ordered & 0x80000000U) != 0 ? ordered & 0x7FFFFFFFU : ~ordered);
}
FACET_HD inline std::int64_t triangleOfKey(std::uint64_t key) {
  return static_cast<std::int64_t>(key & 0xFFFFFFFFU);
}
constexpr std::uint64_t kNoKey = ~std::uint64_t{0};

struct Fragment {
  float u, v;
  Four derivatives;
};
FACET_HD inline Fragment shade(const Viewport& view, const HomogeneousTriangle& triangle, int x, int y) {
  const EdgeFunctions edges(view, triangle, x, y);
  const double sum = edges.value[0] + edges.value[1] + edges.value[2];
  const double scale = sum == 0 ? 0 : 1 / sum;
  float u = static_cast<float>(edges.value[0] * scale), v = static_cast<float>(edges.value[1] * scale);
  float a0_x = static_cast<float>(edges.step_x[0] * scale),
        a0_y = static_cast<float>(edges.step_y[0] * scale);
  float a1_x = static_cast<float>(edges.step_x[1] * scale),
        a1_y = static_cast<float>(edges.step_y[1] * scale);
  float sum_x = static_cast<float>((edges.step_x[0] + edges.step_x[1] + edges.step_x[2]) * scale);
  float sum_y = static_cast<float>((edges.step_y[0] + edges.step_y[1] + edges.step_y[2]) * scale);
  // A triangle seen edge-on, which covers a pixel only thanks to snapping, has no slopes.
  constexpr float kSteepest = 1e15F;
  if (!(fabsf(a0_x) < kSteepest && fabsf(a0_y) < kSteepest && fabsf(a1_x) < kSteepest &&
        fabsf(a1_y) < kSteepest && fabsf(sum_x) < kSteepest && fabsf(sum_y) < kSteepest)) {
    a0_x = a0_y = a1_x = a1_y = sum_x = sum_y = 0;
  }
  Fragment out;
  out.derivatives = Four{a0_x - u * sum_x, a0_y - u * sum_y, a1_x - v * sum_x, a1_y - v * sum_y};
  // Snapping can put a pixel centre just outside of the true triangle. The order of comparison maps NaN to 0.
  u = u > 0 ? u : 0;
  v = v > 0 ? v : 0;
  const float excess = u + v;
  const float inverse = excess > 1 ? 1 / excess : 1;
  u *= inverse;
  v *= inverse;
  const float rest = 1 - u;
  out.u = u;
  out.v = v < rest ? v : rest;
  return out;
}

// Gradient of one pixel with respect to (x, y, w) of the three corners, in double precision.
struct CornerGradients {
  float value[9];
};
FACET_HD inline CornerGradients shadeBackward(const Viewport& view, const HomogeneousTriangle& triangle,
                                              int x, int y, float grad_u, float grad_v,
                                              const Four& grad_derivatives) {
  constexpr double kSmallestSum = 1e-6;  // an eighth of a pixel at 1000×1000 and w = 1
  const double pixel_x = 2.0 / view.width, pixel_y = 2.0 / view.height;
  const double ndc_x = (x + 0.5) * pixel_x - 1, ndc_y = 1 - (y + 0.5) * pixel_y;
  double qx[3], qy[3], w[3], a[3], a_x[3], a_y[3];
  for (int i = 0; i < 3; ++i) {
    w[i] = triangle.p[i][3];
    qx[i] = triangle.p[i][0] - ndc_x * w[i];
    qy[i] = triangle.p[i][1] - ndc_y * w[i];
  }
  double sum = 0, sum_x = 0, sum_y = 0;
  for (int i = 0; i < 3; ++i) {
    const int j = i == 2 ? 0 : i + 1, k = j == 2 ? 0 : j + 1;
    a[i] = qx[j] * qy[k] - qy[j] * qx[k];
    a_x[i] = (w[k] * qy[j] - w[j] * qy[k]) * pixel_x;
    a_y[i] = (w[k] * qx[j] - w[j] * qx[k]) * pixel_y;
    sum += a[i];
    sum_x += a_x[i];
    sum_y += a_y[i];
  }
  sum += sum < 0 ? -kSmallestSum : kSmallestSum;
  const double inverse = 1 / sum;
  const double u = a[0] * inverse, v = a[1] * inverse;

  // Reverse of u_X = (a0_X - u s_X) / s and its three neighbours, then of u = a0 / s and v = a1 / s.
  double bar_u = grad_u, bar_v = grad_v, bar_sum = 0;
  double bar_a[3] = {0, 0, 0}, bar_ax[3] = {0, 0, 0}, bar_ay[3] = {0, 0, 0};
  const double g_ux = grad_derivatives.a, g_uy = grad_derivatives.b, g_vx = grad_derivatives.c,
               g_vy = grad_derivatives.d;
  if (g_ux != 0 || g_uy != 0 || g_vx != 0 || g_vy != 0) {
    const double u_x = (a_x[0] - u * sum_x) * inverse, u_y = (a_y[0] - u * sum_y) * inverse;
    const double v_x = (a_x[1] - v * sum_x) * inverse, v_y = (a_y[1] - v * sum_y) * inverse;
    bar_ax[0] = g_ux * inverse;
    bar_ay[0] = g_uy * inverse;
    bar_ax[1] = g_vx * inverse;
    bar_ay[1] = g_vy * inverse;
    const double bar_sum_x = -(u * g_ux + v * g_vx) * inverse, bar_sum_y = -(u * g_uy + v * g_vy) * inverse;
    for (int i = 0; i < 3; ++i) {
      bar_ax[i] += bar_sum_x;
      bar_ay[i] += bar_sum_y;
    }
    bar_u -= (sum_x * g_ux + sum_y * g_uy) * inverse;
    bar_v -= (sum_x * g_vx + sum_y * g_vy) * inverse;
    bar_sum -= (u_x * g_ux + u_y * g_uy + v_x * g_vx + v_y * g_vy) * inverse;
  }
  bar_a[0] = bar_u * inverse;
  bar_a[1] = bar_v * inverse;
  bar_sum -= (u * bar_u + v * bar_v) * inverse;

  double bar_qx[3] = {0, 0, 0}, bar_qy[3] = {0, 0, 0}, bar_w[3] = {0, 0, 0};
  for (int i = 0; i < 3; ++i) {
    const int j = i == 2 ? 0 : i + 1, k = j == 2 ? 0 : j + 1;
    const double bar = bar_a[i] + bar_sum, bar_x = bar_ax[i] * pixel_x, bar_y = bar_ay[i] * pixel_y;
    // a = qx_j qy_k - qy_j qx_k, a_X = (w_k qy_j - w_j qy_k) · pixel_x, a_Y = (w_k qx_j - w_j qx_k) · pixel_y
    bar_qx[j] += bar * qy[k] + bar_y * w[k];
    bar_qx[k] -= bar * qy[j] + bar_y * w[j];
    bar_qy[j] += bar_x * w[k] - bar * qx[k];
    bar_qy[k] += bar * qx[j] - bar_x * w[j];
    bar_w[k] += bar_x * qy[j] + bar_y * qx[j];
    bar_w[j] -= bar_x * qy[k] + bar_y * qx[k];
  }
  CornerGradients out;
  for (int i = 0; i < 3; ++i) {
    out.value[3 * i] = static_cast<float>(bar_qx[i]);
    out.value[3 * i + 1] = static_cast<float>(bar_qy[i]);
    out.value[3 * i + 2] = static_cast<float>(bar_w[i] - ndc_x * bar_qx[i] - ndc_y * bar_qy[i]);
  }
  return out;
}

}  // namespace facet::ops::cuda
