// Inner loops of the CPU rasterizer. Included by rasterize_cpu.cpp once per instruction set, inside a
// namespace of its own, hence no include guard and no includes. No std templates either: an AVX2 copy of one
// of them could be picked by the linker for the whole program.

inline bool anyLane(const I8& mask) {
#if FACET_KERNEL_AVX2
  return _mm256_movemask_ps((__m256)mask) != 0;
#else
  std::int64_t parts[4];
  std::memcpy(parts, &mask, sizeof(parts));
  return ((parts[0] | parts[1]) | (parts[2] | parts[3])) != 0;
#endif
}

// Number of leading ids that equal the first one, 1 to 8.
inline int runLength(const std::int32_t* ids) {
#if FACET_KERNEL_AVX2
  const __m256i window = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ids));
  const __m256i equal = _mm256_cmpeq_epi32(window, _mm256_set1_epi32(ids[0]));
  const unsigned differing = ~static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(equal)));
  return __builtin_ctz(differing);  // bits 8 and up are set: 8 when all are equal
#else
  int length = 1;
  while (length < kLanes && ids[length] == ids[0]) ++length;
  return length;
#endif
}

// Writes 8 pixels of 4 interleaved channels, or the first `count` where the row ends sooner.
inline void storeInterleaved(const F8& a, const F8& b, const F8& c, const F8& d, float* out, bool whole,
                             int count) {
  const F8 ab_low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
  const F8 ab_high = __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  const F8 cd_low = __builtin_shufflevector(c, d, 0, 8, 1, 9, 4, 12, 5, 13);
  const F8 cd_high = __builtin_shufflevector(c, d, 2, 10, 3, 11, 6, 14, 7, 15);
  const F8 p04 = __builtin_shufflevector(ab_low, cd_low, 0, 1, 8, 9, 4, 5, 12, 13);
  const F8 p15 = __builtin_shufflevector(ab_low, cd_low, 2, 3, 10, 11, 6, 7, 14, 15);
  const F8 p26 = __builtin_shufflevector(ab_high, cd_high, 0, 1, 8, 9, 4, 5, 12, 13);
  const F8 p37 = __builtin_shufflevector(ab_high, cd_high, 2, 3, 10, 11, 6, 7, 14, 15);
  const F8 pixels[4] = {__builtin_shufflevector(p04, p15, 0, 1, 2, 3, 8, 9, 10, 11),
                        __builtin_shufflevector(p26, p37, 0, 1, 2, 3, 8, 9, 10, 11),
                        __builtin_shufflevector(p04, p15, 4, 5, 6, 7, 12, 13, 14, 15),
                        __builtin_shufflevector(p26, p37, 4, 5, 6, 7, 12, 13, 14, 15)};
  if (whole) {
    std::memcpy(out, pixels, sizeof(pixels));
  } else {
    for (int i = 0; i < count; ++i)
      std::memcpy(out + 4 * i, reinterpret_cast<const float*>(pixels) + 4 * i, 16);
  }
}

// Depth test of one triangle, given by exact fixed-point corners, inside one band of rows.
//
// An edge function at a pixel centre is E0 + 256 (A i + B j) in 1/65536 px², with integers A, B per pixel
// step. Only its sign matters, and floor(E0 / 256) + A i + B j has the same sign: exact in 32 bits up to
// edges of 1024 px. Longer edges are walked in 64 bits and saturated for each group of 8 pixels, which keeps
// the sign too.
inline void drawFixed(const FixedTriangle& triangle, const DepthPlane& plane, std::int32_t record,
                      Band& band) {
  const std::int32_t x_min = triangle.x_min, x_max = triangle.x_max;
  const std::int32_t y_begin = triangle.y_min > band.y_begin ? triangle.y_min : band.y_begin;
  const std::int32_t y_end = triangle.y_max + 1 < band.y_end ? triangle.y_max + 1 : band.y_end;
  if (y_begin >= y_end) return;

  std::int64_t edge_row[3];
  std::int32_t step_x[3], step_y[3];
  for (int k = 0; k < 3; ++k) {
    const int from = k, to = k == 2 ? 0 : k + 1;
    const std::int32_t dx = triangle.x[to] - triangle.x[from], dy = triangle.y[to] - triangle.y[from];
    const std::int64_t px = std::int64_t{x_min} * kSubpixels + kSubpixels / 2 - triangle.x[from];
    const std::int64_t py = std::int64_t{y_begin} * kSubpixels + kSubpixels / 2 - triangle.y[from];
    const bool is_top_left = dy < 0 || (dy == 0 && dx > 0);
    edge_row[k] = (dx * py - dy * px - (is_top_left ? 0 : 1)) >> kSubpixelBits;
    step_x[k] = -dy;
    step_y[k] = dx;
  }
  const I8 lanes = {0, 1, 2, 3, 4, 5, 6, 7};
  const F8 lanes_float = {0, 1, 2, 3, 4, 5, 6, 7};
  const I8 ramp0 = lanes * step_x[0], ramp1 = lanes * step_x[1], ramp2 = lanes * step_x[2];
  const F8 slope_x = lanes_float * plane.slope_x;
  const F8 nearest = F8{} + plane.nearest, farthest = F8{} + plane.farthest;
  const I8 record8 = I8{} + record;

  std::int32_t y = y_begin;
  float* depth_row = band.depth + static_cast<std::ptrdiff_t>(y - band.y_begin) * band.stride;
  std::int32_t* id_row = band.ids + static_cast<std::ptrdiff_t>(y - band.y_begin) * band.stride;
  const auto testPixels = [&](const I8& outside, const F8& row_z, std::int32_t x)
      __attribute__((always_inline)) {
    F8 z = row_z + slope_x;
    z = z < nearest ? nearest : z;
    z = z > farthest ? farthest : z;
    F8 old_z;
    std::memcpy(&old_z, depth_row + x, sizeof(old_z));
    const I8 closer = ~(outside >> 31) & (z < old_z);
    if (!anyLane(closer)) return;
    I8 old_id;
    std::memcpy(&old_id, id_row + x, sizeof(old_id));
    const F8 new_z = closer ? z : old_z;
    const I8 new_id = closer ? record8 : old_id;
    std::memcpy(depth_row + x, &new_z, sizeof(new_z));
    std::memcpy(id_row + x, &new_id, sizeof(new_id));
  };

  if (triangle.fits_32_bits) {
    I8 e0 = ramp0 + static_cast<std::int32_t>(edge_row[0]);
    I8 e1 = ramp1 + static_cast<std::int32_t>(edge_row[1]);
    I8 e2 = ramp2 + static_cast<std::int32_t>(edge_row[2]);
    const I8 down0 = I8{} + step_y[0], down1 = I8{} + step_y[1], down2 = I8{} + step_y[2];
    for (; y < y_end;
         ++y, depth_row += band.stride, id_row += band.stride, e0 += down0, e1 += down1, e2 += down2) {
      const float row_z = plane.z + plane.slope_y * static_cast<float>(y - triangle.y_min);
      I8 f0 = e0, f1 = e1, f2 = e2;
      for (std::int32_t x = x_min;; f0 += 8 * step_x[0], f1 += 8 * step_x[1], f2 += 8 * step_x[2]) {
        const I8 outside = f0 | f1 | f2;  // the sign bit is set outside of any edge
        if (anyLane(~outside >> 31)) {
          testPixels(outside, F8{} + (row_z + plane.slope_x * static_cast<float>(x - x_min)), x);
        }
        x += kLanes;
        if (x > x_max) break;
      }
    }
    return;
  }
  for (; y < y_end; ++y, depth_row += band.stride, id_row += band.stride) {
    const float row_z = plane.z + plane.slope_y * static_cast<float>(y - triangle.y_min);
    for (std::int32_t x = x_min; x <= x_max; x += kLanes) {
      std::int32_t start[3];
      for (int k = 0; k < 3; ++k) {
        const std::int64_t edge = edge_row[k] + static_cast<std::int64_t>(step_x[k]) * (x - x_min);
        constexpr std::int64_t kLimit = 1 << 30;  // |7 step_x| < 2^29, so the sign survives
        start[k] = static_cast<std::int32_t>(edge < -kLimit ? -kLimit : edge > kLimit ? kLimit : edge);
      }
      const I8 outside = (ramp0 + start[0]) | (ramp1 + start[1]) | (ramp2 + start[2]);
      if (anyLane(~outside >> 31)) {
        testPixels(outside, F8{} + (row_z + plane.slope_x * static_cast<float>(x - x_min)), x);
      }
    }
    for (int k = 0; k < 3; ++k) edge_row[k] += step_y[k];
  }
}

// Snaps vertices to the sub-pixel grid and notes the planes that they lie beyond.
void projectVertices(const RasterizeParams& params, std::int64_t begin, std::int64_t end, ScreenVertex* out) {
  const double half_width = 0.5 * params.width, half_height = 0.5 * params.height;
  const double guard_x = kGuardBandPx / half_width, guard_y = kGuardBandPx / half_height;
  for (std::int64_t i = begin; i < end; ++i) {
    const float* const p = params.clip_positions + 4 * i;
    const double x = p[0], y = p[1], z = p[2], w = p[3];
    const double inverse_w = 1 / w;
    ScreenVertex vertex;
    vertex.x_px = half_width + half_width * x * inverse_w;
    vertex.y_px = half_height - half_height * y * inverse_w;
    vertex.z = static_cast<float>(z * inverse_w);
    vertex.x = snapToSubpixel(vertex.x_px);
    vertex.y = snapToSubpixel(vertex.y_px);
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
    out[i] = vertex;
  }
}

// First pass over a band: which triangle is nearest at each pixel.
void drawVisibility(const RasterizeParams& params, const ScreenVertex* vertices, const std::int32_t* list,
                    std::int32_t count, Band& band) {
  for (std::int32_t i = 0; i < count; ++i) {
    const std::int32_t* const corner = params.triangles + 3 * static_cast<std::int64_t>(list[i]);
    const ScreenVertex& a = vertices[corner[0]];
    const ScreenVertex& b = vertices[corner[1]];
    const ScreenVertex& c = vertices[corner[2]];
    if ((a.planes | b.planes | c.planes) != 0) {
      drawClipped(params, corner, i, band, &drawFixed);
      continue;
    }
    FixedTriangle triangle;
    if (!setUp(a.x, a.y, b.x, b.y, c.x, c.y, params, &triangle)) continue;

    // z/w is affine on screen.
    DepthPlane plane;
    const double bx = b.x_px - a.x_px, by = b.y_px - a.y_px, cx = c.x_px - a.x_px, cy = c.y_px - a.y_px;
    const double bz = static_cast<double>(b.z) - a.z, cz = static_cast<double>(c.z) - a.z;
    const double inverse_area = 1 / (bx * cy - by * cx);
    const double slope_x = (bz * cy - by * cz) * inverse_area, slope_y = (bx * cz - bz * cx) * inverse_area;
    plane.slope_x = static_cast<float>(slope_x);
    plane.slope_y = static_cast<float>(slope_y);
    plane.z = static_cast<float>(a.z + slope_x * (triangle.x_min + 0.5 - a.x_px) +
                                 slope_y * (triangle.y_min + 0.5 - a.y_px));
    const float low = a.z < b.z ? a.z : b.z, high = a.z < b.z ? b.z : a.z;
    plane.nearest = low < c.z ? low : c.z;
    plane.farthest = high > c.z ? high : c.z;
    plane.makeFinite();
    drawFixed(triangle, plane, i, band);
  }
}

// Second pass: barycentrics, depth and id of what was found.
void shadeBand(const RasterizeParams& params, const std::int32_t* list, const Band& band,
               BarycentricPlane* planes) {
  const F8 lanes = {0, 1, 2, 3, 4, 5, 6, 7};
  const F8 zero = {}, one = zero + 1.0F;
  for (std::int32_t y = band.y_begin; y < band.y_end; ++y) {
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(y - band.y_begin) * band.stride;
    float* const rast_row = params.rast + static_cast<std::ptrdiff_t>(y) * params.width * 4;
    float* const derivative_row =
        params.derivatives ? params.derivatives + static_cast<std::ptrdiff_t>(y) * params.width * 4 : nullptr;
    for (std::int32_t x = 0; x < params.width;) {
      const std::int32_t record = band.ids[row + x];
      const bool whole = x + kLanes <= params.width;
      int run = runLength(band.ids + row + x);  // what is written past the run is overwritten by the next one
      if (!whole && run > params.width - x) run = params.width - x;
      if (record < 0) {
        storeInterleaved(zero, zero, zero, zero, rast_row + 4 * x, whole, run);
        if (derivative_row) storeInterleaved(zero, zero, zero, zero, derivative_row + 4 * x, whole, run);
        x += run;
        continue;
      }
      BarycentricPlane& plane = planes[record];
      if (!plane.ready) setUpBarycentrics(params, list[record], x, y, &plane);

      const float dy = static_cast<float>(y - plane.y_ref);
      const F8 dx = lanes + static_cast<float>(x - plane.x_ref);
      const F8 a0 = (plane.a0 + plane.a0_y * dy) + plane.a0_x * dx;
      const F8 a1 = (plane.a1 + plane.a1_y * dy) + plane.a1_x * dx;
      const F8 sum = (plane.sum + plane.sum_y * dy) + plane.sum_x * dx;
      const F8 inverse = one / sum;
      F8 u = a0 * inverse, v = a1 * inverse;
      if (derivative_row) {
        storeInterleaved((plane.a0_x - u * plane.sum_x) * inverse, (plane.a0_y - u * plane.sum_y) * inverse,
                         (plane.a1_x - v * plane.sum_x) * inverse, (plane.a1_y - v * plane.sum_y) * inverse,
                         derivative_row + 4 * x, whole, run);
      }
      // Snapping can put a pixel centre just outside of the true triangle. The order of comparison maps NaN
      // to 0.
      u = u > zero ? u : zero;
      v = v > zero ? v : zero;
      const F8 excess = u + v;
      const F8 scale = excess > one ? one / excess : one;
      u *= scale;
      v *= scale;
      F8 z;
      std::memcpy(&z, band.depth + row + x, sizeof(z));
      storeInterleaved(u, v, z, zero + static_cast<float>(list[record] + 1), rast_row + 4 * x, whole, run);
      x += run;
    }
  }
}
