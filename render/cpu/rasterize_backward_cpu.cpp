// With p = (x, y, w) of a corner and f = (X, Y, 1) of a pixel, the edge functions are a_k = e_k · f with
// e_k = p_i × p_j, and u = a_0 / s, v = a_1 / s, s = (e_0 + e_1 + e_2) · f. So the pixels of a triangle need
// only be summed into the gradient M_k of each e_k, and
//   dL/dp_i = M_j × p_k + p_j' × M_k'   over the two e that contain p_i
// is evaluated once per triangle and band. All of it in a frame whose origin is a pixel of the triangle: in
// clip coordinates the differences between the corners of a small triangle would cancel.

#include <cmath>
#include <cstring>
#include <vector>

#include "render/cpu/triangle_sums.h"
#include "render/ops/checks.h"
#include "render/ops/rasterize.h"

namespace facet::ops {
namespace {

typedef float F4 __attribute__((vector_size(16)));

// Moves the homogeneous area away from 0, in NDC.
constexpr double kAreaMargin = 1e-6;

struct Edge {
  double x, y, z;
};

// A triangle in pixels from the centre of (x_ref, y_ref).
struct LocalTriangle {
  Edge e[2], sum;      // e_0, e_1 and e_0 + e_1 + e_2, times `scale`
  float corner[3][3];  // x, y, w
  double scale;        // brings the area to about 1
  float margin;        // kAreaMargin in units of the scaled area
  std::int32_t x_ref, y_ref;
};

// Gradients of e_0, e_1 and e_0 + e_1 + e_2, 3 components each.
constexpr int kNumSums = 9;
constexpr int kStride = 12;  // three corners of x, y, z, w in the end

// The arguments that belong to one image.
struct Gradient {
  const float* clip;  // V×4
  TriangleList triangles;
  int width, height;
  const float *rast, *grad_rast, *grad_derivatives;  // the last may be null
  std::int64_t rast_stride, grad_rast_stride, grad_derivatives_stride;
};

LocalTriangle makeLocal(const Gradient& in, std::int32_t triangle, int x, int y) {
  LocalTriangle local;
  const double half_width = 0.5 * in.width, half_height = 0.5 * in.height;
  const double ndc_x = (x + 0.5) / half_width - 1, ndc_y = 1 - (y + 0.5) / half_height;
  const std::int32_t* const corner = in.triangles.data + 3 * std::int64_t{triangle};
  double p[3][3];
  for (int i = 0; i < 3; ++i) {
    const float* const clip = in.clip + 4 * std::int64_t{corner[i]};
    p[i][0] = (clip[0] - ndc_x * clip[3]) * half_width;
    p[i][1] = (ndc_y * clip[3] - clip[1]) * half_height;
    p[i][2] = clip[3];
    for (int k = 0; k < 3; ++k) local.corner[i][k] = static_cast<float>(p[i][k]);
  }
  const auto cross = [](const double* a, const double* b) {
    return Edge{a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
  };
  const Edge e0 = cross(p[1], p[2]), e1 = cross(p[2], p[0]), e2 = cross(p[0], p[1]);
  const Edge sum = {e0.x + e1.x + e2.x, e0.y + e1.y + e2.y, e0.z + e1.z + e2.z};
  const double margin = kAreaMargin * half_width * half_height;
  const double scale = 1 / (std::abs(sum.z) + margin);
  const auto scaled = [scale](const Edge& e) { return Edge{e.x * scale, e.y * scale, e.z * scale}; };
  local.e[0] = scaled(e0);
  local.e[1] = scaled(e1);
  local.sum = scaled(sum);
  local.scale = scale;
  local.margin = static_cast<float>(margin * scale);
  local.x_ref = x;
  local.y_ref = y;
  return local;
}

inline F4 loadPixel(const float* pixel) {
  F4 value;
  std::memcpy(&value, pixel, sizeof(value));
  return value;
}

inline float sumLanes(const F4& value) { return (value[0] + value[1]) + (value[2] + value[3]); }

inline bool anyNonZero(const float* pixels, int count, int channels) {
  for (int i = 0; i < count; ++i) {
    for (int c = 0; c < channels; ++c) {
      if (pixels[4 * i + c] != 0) return true;
    }
  }
  return false;
}

// Adds the pixels [x, x + count) of row y, all of one triangle, to its sums.
template <bool kDerivatives>
void addRun(const LocalTriangle& local, int x, int y, int count, const float* grad_rast,
            const float* grad_derivatives, float* sums) {
  // The first pixel in double: between it and the reference perspective may have cost digits.
  const double dx = x - local.x_ref, dy = y - local.y_ref;
  const auto valueAt = [dx, dy](const Edge& e) { return static_cast<float>(e.z + e.x * dx + e.y * dy); };
  const float a0_first = valueAt(local.e[0]), a1_first = valueAt(local.e[1]), s_first = valueAt(local.sum);
  const float a0_x = static_cast<float>(local.e[0].x), a0_y = static_cast<float>(local.e[0].y);
  const float a1_x = static_cast<float>(local.e[1].x), a1_y = static_cast<float>(local.e[1].y);
  const float s_x = static_cast<float>(local.sum.x), s_y = static_cast<float>(local.sum.y);

  const F4 lanes = {0, 1, 2, 3}, zero = {}, one = zero + 1.0F;
  const F4 margin = zero + local.margin;
  F4 g0_sum = {}, g0_step_sum = {}, g1_sum = {}, g1_step_sum = {}, gs_sum = {}, gs_step_sum = {};
  F4 e0_x_sum = {}, e0_y_sum = {}, e1_x_sum = {}, e1_y_sum = {}, es_x_sum = {}, es_y_sum = {};
  for (int i = 0; i < count; i += 4) {
    const int last = count - i < 4 ? count - i - 1 : 3;
    const int second = last < 1 ? last : 1, third = last < 2 ? last : 2;
    const auto load = [&](const float* pixels, F4* out) __attribute__((always_inline)) {
      const float* const p = pixels + 4 * i;
      const F4 r0 = loadPixel(p), r1 = loadPixel(p + 4 * second), r2 = loadPixel(p + 4 * third),
               r3 = loadPixel(p + 4 * last);
      const F4 low01 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
      const F4 low23 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
      out[0] = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
      out[1] = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
      const F4 high01 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
      const F4 high23 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
      out[2] = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
      out[3] = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
    };
    const auto valid = lanes < zero + static_cast<float>(count - i);
    F4 g[4];
    load(grad_rast, g);
    F4 gu = valid ? g[0] : zero, gv = valid ? g[1] : zero;

    const F4 step = lanes + static_cast<float>(i);
    F4 s = s_first + s_x * step;
    s = s < zero ? s - margin : s + margin;
    const F4 inverse = one / s;
    const F4 u = (a0_first + a0_x * step) * inverse, v = (a1_first + a1_x * step) * inverse;
    F4 gs = {};
    if (kDerivatives) {
      F4 h[4];
      load(grad_derivatives, h);
      for (F4& value : h) value = (valid ? value : zero) * inverse;
      gu -= h[0] * s_x + h[1] * s_y;
      gv -= h[2] * s_x + h[3] * s_y;
      gs = -(h[0] * (a0_x - u * s_x) + h[1] * (a0_y - u * s_y) + h[2] * (a1_x - v * s_x) +
             h[3] * (a1_y - v * s_y)) *
           inverse;
      e0_x_sum += h[0];
      e0_y_sum += h[1];
      e1_x_sum += h[2];
      e1_y_sum += h[3];
      es_x_sum -= h[0] * u + h[2] * v;
      es_y_sum -= h[1] * u + h[3] * v;
    }
    const F4 g0 = gu * inverse, g1 = gv * inverse;
    gs -= g0 * u + g1 * v;
    g0_sum += g0;
    g0_step_sum += g0 * step;
    g1_sum += g1;
    g1_step_sum += g1 * step;
    gs_sum += gs;
    gs_step_sum += gs * step;
  }

  const float dx_first = static_cast<float>(dx), dy_row = static_cast<float>(dy);
  const auto add = [&](const F4& value, const F4& step, const F4& x_part, const F4& y_part, float* out) {
    const float total = sumLanes(value);
    out[0] += sumLanes(step) + total * dx_first + (kDerivatives ? sumLanes(x_part) : 0.0F);
    out[1] += total * dy_row + (kDerivatives ? sumLanes(y_part) : 0.0F);
    out[2] += total;
  };
  add(g0_sum, g0_step_sum, e0_x_sum, e0_y_sum, sums);
  add(g1_sum, g1_step_sum, e1_x_sum, e1_y_sum, sums + 3);
  add(gs_sum, gs_step_sum, es_x_sum, es_y_sum, sums + 6);
}

// Turns the sums of a triangle into gradients of x, y, z, w of its corners, in place.
void finishTriangle(const Gradient& in, const LocalTriangle& local, float* sums) {
  double m[3][3];
  for (int k = 0; k < 3; ++k) {
    m[2][k] = sums[6 + k] * local.scale;
    m[0][k] = sums[k] * local.scale + m[2][k];
    m[1][k] = sums[3 + k] * local.scale + m[2][k];
  }
  const double half_width = 0.5 * in.width, half_height = 0.5 * in.height;
  const double ndc_x = (local.x_ref + 0.5) / half_width - 1, ndc_y = 1 - (local.y_ref + 0.5) / half_height;
  for (int i = 0; i < 3; ++i) {
    const int j = (i + 1) % 3, k = (i + 2) % 3;
    // e_j = p_k × p_i and e_k = p_i × p_j.
    const double* const mj = m[j];
    const double* const mk = m[k];
    const float* const pj = local.corner[j];
    const float* const pk = local.corner[k];
    const double gx = mj[1] * pk[2] - mj[2] * pk[1] + pj[1] * mk[2] - pj[2] * mk[1];
    const double gy = mj[2] * pk[0] - mj[0] * pk[2] + pj[2] * mk[0] - pj[0] * mk[2];
    const double gw = mj[0] * pk[1] - mj[1] * pk[0] + pj[0] * mk[1] - pj[1] * mk[0];
    const double x = gx * half_width, y = -gy * half_height;
    float* const out = sums + 4 * i;
    out[0] = static_cast<float>(x);
    out[1] = static_cast<float>(y);
    out[2] = 0;
    out[3] = static_cast<float>(gw - ndc_x * x - ndc_y * y);
  }
}

void addBand(const Gradient& in, int y_begin, int y_end, BandSums* sums) {
  static thread_local std::vector<LocalTriangle> locals;  // of the triangles in `sums`
  locals.clear();
  for (int y = y_begin; y < y_end; ++y) {
    const float* const fragments = in.rast + y * in.rast_stride;
    const float* const grad_rast = in.grad_rast + y * in.grad_rast_stride;
    const float* const grad_derivatives =
        in.grad_derivatives ? in.grad_derivatives + y * in.grad_derivatives_stride : nullptr;
    for (int x = 0, end = 0; x < in.width; x = end) {
      std::int32_t bits, next_bits;
      std::memcpy(&bits, fragments + 4 * x + 3, sizeof(bits));
      for (end = x + 1; end < in.width; ++end) {
        std::memcpy(&next_bits, fragments + 4 * end + 3, sizeof(bits));
        if (next_bits != bits) break;
      }
      const std::int64_t triangle = triangleFromFragment(fragments[4 * x + 3]);
      if (triangle < 0 || triangle >= in.triangles.count) continue;
      const int count = end - x;
      // A loss that looks at a part of the image only costs that part.
      if (!anyNonZero(grad_rast + 4 * x, count, 2) &&
          (!grad_derivatives || !anyNonZero(grad_derivatives + 4 * x, count, 4))) {
        continue;
      }
      const std::size_t slot = sums->find(static_cast<std::int32_t>(triangle));
      if (slot == locals.size()) locals.push_back(makeLocal(in, static_cast<std::int32_t>(triangle), x, y));
      if (grad_derivatives) {
        addRun<true>(locals[slot], x, y, count, grad_rast + 4 * x, grad_derivatives + 4 * x,
                     sums->values(slot));
      } else {
        addRun<false>(locals[slot], x, y, count, grad_rast + 4 * x, nullptr, sums->values(slot));
      }
    }
  }
  for (std::size_t slot = 0; slot < sums->size(); ++slot) {
    finishTriangle(in, locals[slot], sums->values(slot));
  }
}

void check(const RasterizeBackwardParams& params) {
  constexpr const char* kName = "rasterizeBackward";
  const ConstImages& rast = params.rast;
  checkImages(kName, "rast", rast, rast.num_images, rast.height, rast.width, 4);
  checkImages(kName, "grad_rast", params.grad_rast, rast.num_images, rast.height, rast.width, 4);
  if (params.grad_derivatives.present()) {
    checkImages(kName, "grad_derivatives", params.grad_derivatives, rast.num_images, rast.height, rast.width,
                4);
  }
  checkRows(kName, "positions", params.positions, params.positions.num_rows, 4);
  checkRows(kName, "grad_positions", params.grad_positions, params.positions.num_rows, 4);
  checkTriangles(kName, params.triangles);
  checkIndices(kName, params.triangles.data, params.triangles.count, params.positions.num_rows);
}

}  // namespace

void rasterizeBackwardCpu(const RasterizeBackwardParams& params) {
  check(params);
  static_assert(kNumSums <= kStride);
  if (params.positions.num_rows == 0) return;
  const ConstImages& rast = params.rast;
  sumOverTriangles(rast.num_images, rast.width > 0 ? rast.height : 0, params.triangles, params.grad_positions,
                   kStride, 4, [&](int image, int y_begin, int y_end, BandSums* sums) {
                     Gradient in = {};
                     in.triangles = params.triangles;
                     in.clip = params.positions.data + image * params.positions.image_stride;
                     in.width = rast.width;
                     in.height = rast.height;
                     in.rast = rast.data + image * rast.image_stride;
                     in.rast_stride = rast.row_stride;
                     in.grad_rast = params.grad_rast.data + image * params.grad_rast.image_stride;
                     in.grad_rast_stride = params.grad_rast.row_stride;
                     if (params.grad_derivatives.present()) {
                       in.grad_derivatives =
                           params.grad_derivatives.data + image * params.grad_derivatives.image_stride;
                       in.grad_derivatives_stride = params.grad_derivatives.row_stride;
                     }
                     addBand(in, y_begin, y_end, sums);
                   });
}

}  // namespace facet::ops
