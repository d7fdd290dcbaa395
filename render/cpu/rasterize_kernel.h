// Inner loops of the CPU rasterizer. Included by rasterize_cpu.cpp once per instruction set, inside a
// namespace of its own, hence no include guard and no includes. No std templates either: an AVX2 copy of one
// of them could be picked by the linker for the whole program.

// One bit per lane: its sign.
inline unsigned signBits(const I8& mask) {
#if FACET_KERNEL_AVX2
  return static_cast<unsigned>(_mm256_movemask_ps((__m256)mask));
#elif defined(__x86_64__)
  __m128 halves[2];
  std::memcpy(halves, &mask, sizeof(halves));
  return static_cast<unsigned>(_mm_movemask_ps(halves[0]) | _mm_movemask_ps(halves[1]) << 4);
#else
  unsigned bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= mask[i] < 0 ? 1U << i : 0U;
  return bits;
#endif
}

// Number of leading values that equal the first one, 1 to 8.
inline int runLength(const std::int32_t* values) {
  I8 window;
  std::memcpy(&window, values, sizeof(window));
  return __builtin_ctz(~signBits(window == I8{} + values[0]));  // bits 8 and up are set: 8 when all are equal
}

// {last x, last y, -first x, -first y} of the pixels whose centre a triangle's box may cover, inside the
// image. `limits` is {width - 1, height - 1, 0, 0}.
inline I4 pixelBounds(const ScreenVertex& a, const ScreenVertex& b, const ScreenVertex& c, const I4& limits) {
  I4 high, other;
  std::memcpy(&high, &a, sizeof(high));
  std::memcpy(&other, &b, sizeof(other));
  high = high > other ? high : other;
  std::memcpy(&other, &c, sizeof(other));
  high = high > other ? high : other;
  constexpr int kHalf = kSubpixels / 2;
  high = (high + I4{-kHalf, -kHalf, kHalf, kHalf}) >> kSubpixelBits;
  return high < limits ? high : limits;
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

// Depth test of 8 pixels. kSecond: another list was drawn before, so equal depths compare the triangles.
template <bool kSecond, bool kPeel>
inline void testPixels(const I8& outside, const F8& slope, float base_z, const F8& nearest,
                       const F8& farthest, std::int32_t record, std::ptrdiff_t offset, Band& band) {
  F8 z = slope + base_z;
  z = z < nearest ? nearest : z;
  z = z > farthest ? farthest : z;
  F8 old_z;
  float* const depth = band.depth + offset;
  std::int32_t* const records = band.records + offset;
  std::memcpy(&old_z, depth, sizeof(old_z));
  I8 eligible = ~(outside >> 31);
  if (kPeel) {
    F8 peeled;
    std::memcpy(&peeled, band.peeled + offset, sizeof(peeled));
    eligible &= z > peeled;
  }
  I8 old_record;
  std::memcpy(&old_record, records, sizeof(old_record));
  I8 closer = eligible & (z < old_z);
  if (kSecond) {
    const I8 tied = eligible & (z == old_z);
    for (unsigned bits = signBits(tied); bits != 0; bits &= bits - 1) {
      const int lane = __builtin_ctz(bits);
      if (band.list[record] < band.list[old_record[lane]]) closer[lane] = -1;
    }
  }
  const F8 new_z = closer ? z : old_z;
  const I8 new_record = closer ? I8{} + record : old_record;
  std::memcpy(depth, &new_z, sizeof(new_z));
  std::memcpy(records, &new_record, sizeof(new_record));
}

// Depth test of one triangle, given by exact fixed-point corners, inside one band of rows.
//
// An edge function at a pixel centre is E0 + 256 (A i + B j) in 1/65536 px², with integers A, B per pixel
// step. Only its sign matters, and floor(E0 / 256) + A i + B j has the same sign: exact in 32 bits up to
// edges of 1024 px. Wider triangles are walked in 64 bits and saturated for each group of 8 pixels, which
// keeps the sign too.
template <bool kSecond, bool kPeel>
void drawFixed(const FixedTriangle& triangle, const DepthPlane& plane, std::int32_t record, Band& band) {
  const std::int32_t x_min = triangle.x_min, x_max = triangle.x_max;
  const std::int32_t y_begin = triangle.y_min > band.y_begin ? triangle.y_min : band.y_begin;
  const std::int32_t y_end = triangle.y_max + 1 < band.y_end ? triangle.y_max + 1 : band.y_end;
  if (y_begin >= y_end) return;

  std::int64_t edge_row[3];
  std::int32_t step_x[3], step_y[3];
  bool fits_32_bits = x_max - x_min < 4 * kLanes;
  for (int k = 0; k < 3; ++k) {
    const int from = k, to = k == 2 ? 0 : k + 1;
    const std::int32_t dx = triangle.x[to] - triangle.x[from], dy = triangle.y[to] - triangle.y[from];
    const std::int64_t px = std::int64_t{x_min} * kSubpixels + kSubpixels / 2 - triangle.x[from];
    const std::int64_t py = std::int64_t{y_begin} * kSubpixels + kSubpixels / 2 - triangle.y[from];
    const bool is_top_left = dy < 0 || (dy == 0 && dx > 0);
    edge_row[k] = (dx * py - dy * px - (is_top_left ? 0 : 1)) >> kSubpixelBits;
    step_x[k] = -dy;
    step_y[k] = dx;
    constexpr std::int32_t kLongest = 1024 * kSubpixels;
    fits_32_bits = fits_32_bits && dx < kLongest && dx > -kLongest && dy < kLongest && dy > -kLongest;
  }
  const I8 lanes = {0, 1, 2, 3, 4, 5, 6, 7};
  const F8 lanes_float = {0, 1, 2, 3, 4, 5, 6, 7};
  const I8 ramp0 = lanes * step_x[0], ramp1 = lanes * step_x[1], ramp2 = lanes * step_x[2];
  const F8 slope_x = lanes_float * static_cast<float>(plane.slope_x);
  const F8 nearest = F8{} + plane.nearest, farthest = F8{} + plane.farthest;

  std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(y_begin - band.y_begin) * band.stride + x_min;
  if (fits_32_bits) {
    I8 e0 = ramp0 + static_cast<std::int32_t>(edge_row[0]);
    I8 e1 = ramp1 + static_cast<std::int32_t>(edge_row[1]);
    I8 e2 = ramp2 + static_cast<std::int32_t>(edge_row[2]);
    for (std::int32_t y = y_begin; y < y_end;
         ++y, offset += band.stride, e0 += step_y[0], e1 += step_y[1], e2 += step_y[2]) {
      const double row_z = plane.z + plane.slope_y * (y - triangle.y_min);
      I8 outside = e0 | e1 | e2;  // the sign bit is set outside of any edge
      if (signBits(outside) != 0xFF) {
        testPixels<kSecond, kPeel>(outside, slope_x, static_cast<float>(row_z), nearest, farthest, record,
                                   offset, band);
      }
      if (x_max - x_min < kLanes) continue;
      I8 f0 = e0, f1 = e1, f2 = e2;
      for (std::int32_t x = kLanes; x <= x_max - x_min; x += kLanes) {
        f0 += kLanes * step_x[0];
        f1 += kLanes * step_x[1];
        f2 += kLanes * step_x[2];
        outside = f0 | f1 | f2;
        if (signBits(outside) != 0xFF) {
          testPixels<kSecond, kPeel>(outside, slope_x, static_cast<float>(row_z + plane.slope_x * x), nearest,
                                     farthest, record, offset + x, band);
        }
      }
    }
    return;
  }
  // Wide: each row from where the edges let it begin to where they let it end. The span is found in floating
  // point and may be a pixel too long, never too short.
  double per_step[3];
  for (int k = 0; k < 3; ++k) per_step[k] = step_x[k] == 0 ? 0 : 1.0 / step_x[k];
  for (std::int32_t y = y_begin; y < y_end; ++y, offset += band.stride) {
    const double row_z = plane.z + plane.slope_y * (y - triangle.y_min);
    double low = 0, high = x_max - x_min;
    for (int k = 0; k < 3; ++k) {
      const double crossing = -static_cast<double>(edge_row[k]) * per_step[k];
      if (step_x[k] > 0 && crossing - 1 > low) low = crossing - 1;
      if (step_x[k] < 0 && crossing + 1 < high) high = crossing + 1;
    }
    if (low <= high) {
      const std::int32_t last = static_cast<std::int32_t>(high);
      for (std::int32_t x = static_cast<std::int32_t>(low); x <= last; x += kLanes) {
        std::int32_t start[3];
        for (int k = 0; k < 3; ++k) {
          const std::int64_t edge = edge_row[k] + static_cast<std::int64_t>(step_x[k]) * x;
          constexpr std::int64_t kLimit = 1 << 30;  // |7 step_x| < 2^29, so the sign survives
          start[k] = static_cast<std::int32_t>(edge < -kLimit ? -kLimit : edge > kLimit ? kLimit : edge);
        }
        const I8 outside = (ramp0 + start[0]) | (ramp1 + start[1]) | (ramp2 + start[2]);
        if (signBits(outside) != 0xFF) {
          testPixels<kSecond, kPeel>(outside, slope_x, static_cast<float>(row_z + plane.slope_x * x), nearest,
                                     farthest, record, offset + x, band);
        }
      }
    }
    for (int k = 0; k < 3; ++k) edge_row[k] += step_y[k];
  }
}

// Snaps vertices to the sub-pixel grid and notes the planes that they lie beyond.
void projectVertices(const View& view, std::int64_t begin, std::int64_t end, ScreenVertex* out) {
  const double half_width = 0.5 * view.width, half_height = 0.5 * view.height;
  const double guard_x = kGuardBandPx / half_width, guard_y = kGuardBandPx / half_height;
  for (std::int64_t i = begin; i < end; ++i) {
    const float* const p = view.positions + 4 * i;
    const double x = p[0], y = p[1], z = p[2], w = p[3];
    const double inverse_w = 1 / w;
    double x_px, y_px;
    projectToPixels(half_width, half_height, x, y, inverse_w, &x_px, &y_px);
    ScreenVertex vertex;
    vertex.x = snapToSubpixel(x_px);
    vertex.y = snapToSubpixel(y_px);
    vertex.minus_x = static_cast<std::int32_t>(0U - static_cast<unsigned>(vertex.x));
    vertex.minus_y = static_cast<std::int32_t>(0U - static_cast<unsigned>(vertex.y));
    vertex.x_rest = static_cast<float>(x_px * kSubpixels - vertex.x);
    vertex.y_rest = static_cast<float>(y_px * kSubpixels - vertex.y);
    vertex.z = static_cast<float>(z * inverse_w);
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

// The bands that triangles touch; those that cover no pixel centre are left out. Returns how many remain.
std::int32_t findBands(const View& view, const ScreenVertex* vertices, std::int64_t begin, std::int64_t end,
                       BinnedTriangle* out) {
  const I4 limits = {view.width - 1, view.height - 1, 0, 0};
  std::int32_t count = 0;
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int32_t* const corner = view.corners(i);
    const ScreenVertex& a = vertices[corner[0]];
    const ScreenVertex& b = vertices[corner[1]];
    const ScreenVertex& c = vertices[corner[2]];
    BinnedTriangle& triangle = out[count];
    triangle.triangle = static_cast<std::int32_t>(i);
    const unsigned any = a.planes | b.planes | c.planes;
    if (any != 0) {
      if ((any & kNotFinite) != 0 || (a.planes & b.planes & c.planes) != 0) continue;
      count += clippedBands(view, corner, &triangle) ? 1 : 0;
      continue;
    }
    const I4 bounds = pixelBounds(a, b, c, limits);
    const std::int64_t area = static_cast<std::int64_t>(b.x - a.x) * (c.y - a.y) -
                              static_cast<std::int64_t>(b.y - a.y) * (c.x - a.x);
    triangle.first_band = -bounds[3] >> view.band_shift;
    triangle.last_band = bounds[1] >> view.band_shift;
    triangle.winding = area > 0 ? 1 : 0;
    const bool is_drawn = (bounds[0] + bounds[2] >= 0) & (bounds[1] + bounds[3] >= 0) & (area != 0) &
                          !(view.cull_backfaces & (area > 0));
    count += is_drawn ? 1 : 0;
  }
  return count;
}

// Whether everything in a triangle's box already has a smaller depth than any point of the triangle.
inline bool isHidden(const I4& bounds, std::int32_t y_begin, std::int32_t y_end, float nearest,
                     const Band& band) {
  const std::int32_t tile_columns = band.stride / kLanes;
  const std::int32_t first_column = -bounds[2] / kLanes, last_column = bounds[0] / kLanes;
  const std::int32_t first_row = (y_begin - band.y_begin) / kTileRows,
                     last_row = (y_end - 1 - band.y_begin) / kTileRows;
  for (std::int32_t row = first_row; row <= last_row; ++row) {
    const float* const tiles = band.farthest + static_cast<std::ptrdiff_t>(row) * tile_columns;
    for (std::int32_t column = first_column; column <= last_column; ++column) {
      if (!(nearest > tiles[column])) return false;
    }
  }
  return true;
}

void findFarthest(const View& view, const Band& band) {
  const std::int32_t tile_columns = band.stride / kLanes;
  const std::int32_t num_rows = band.y_end - band.y_begin;
  const F8 lanes = {0, 1, 2, 3, 4, 5, 6, 7};
  for (std::int32_t y = 0, row = 0; y < num_rows; y += kTileRows, ++row) {
    const std::int32_t y_last = y + kTileRows < num_rows ? y + kTileRows : num_rows;
    for (std::int32_t column = 0; column < tile_columns; ++column) {
      F8 most = {};
      most -= 2.0F;
      const float* depth = band.depth + static_cast<std::ptrdiff_t>(y) * band.stride + column * kLanes;
      for (std::int32_t i = y; i < y_last; ++i, depth += band.stride) {
        F8 z;
        std::memcpy(&z, depth, sizeof(z));
        most = z > most ? z : most;
      }
      // Lanes beyond the image stay at the initial depth for ever.
      most = lanes < F8{} + static_cast<float>(view.width - column * kLanes) ? most : F8{} - 2.0F;
      F8 other = __builtin_shufflevector(most, most, 4, 5, 6, 7, 0, 1, 2, 3);
      most = other > most ? other : most;
      other = __builtin_shufflevector(most, most, 2, 3, 0, 1, 6, 7, 4, 5);
      most = other > most ? other : most;
      const float a = most[0], b = most[1];
      band.farthest[static_cast<std::ptrdiff_t>(row) * tile_columns + column] = a > b ? a : b;
    }
  }
}

// Triangles [begin, end) of the band's list, all of one winding but for those that need clipping.
template <bool kSecond, bool kPeel>
void drawList(const View& view, const ScreenVertex* vertices, std::int32_t begin, std::int32_t end,
              int winding, Band& band) {
  const I4 limits = {view.width - 1, view.height - 1, 0, 0};
  for (std::int32_t i = begin; i < end; ++i) {
    const std::int32_t* const corner = view.corners(band.list[i]);
    const ScreenVertex& a = vertices[corner[0]];
    const ScreenVertex& b = vertices[corner[winding ? 1 : 2]];
    const ScreenVertex& c = vertices[corner[winding ? 2 : 1]];
    if ((a.planes | b.planes | c.planes) != 0) {
      drawClipped(view, corner, i, band, &drawFixed<kSecond, kPeel>);
      continue;
    }
    const I4 bounds = pixelBounds(a, b, c, limits);
    FixedTriangle triangle;
    triangle.x_min = -bounds[2];
    triangle.y_min = -bounds[3];
    triangle.x_max = bounds[0];
    triangle.y_max = bounds[1];
    DepthPlane plane;
    const float low = a.z < b.z ? a.z : b.z, high = a.z < b.z ? b.z : a.z;
    plane.nearest = low < c.z ? low : c.z;
    plane.farthest = high > c.z ? high : c.z;
    if (kSecond) {
      const std::int32_t y_begin = triangle.y_min > band.y_begin ? triangle.y_min : band.y_begin;
      const std::int32_t y_end = triangle.y_max + 1 < band.y_end ? triangle.y_max + 1 : band.y_end;
      if (isHidden(bounds, y_begin, y_end, plane.nearest, band)) continue;
    }
    triangle.x[0] = a.x;
    triangle.x[1] = b.x;
    triangle.x[2] = c.x;
    triangle.y[0] = a.y;
    triangle.y[1] = b.y;
    triangle.y[2] = c.y;

    // z/w is affine on screen.
    const double bx = static_cast<double>(b.x - a.x) + (b.x_rest - a.x_rest),
                 by = static_cast<double>(b.y - a.y) + (b.y_rest - a.y_rest),
                 cx = static_cast<double>(c.x - a.x) + (c.x_rest - a.x_rest),
                 cy = static_cast<double>(c.y - a.y) + (c.y_rest - a.y_rest);
    const double bz = static_cast<double>(b.z) - a.z, cz = static_cast<double>(c.z) - a.z;
    const double per_pixel = kSubpixels / (bx * cy - by * cx);
    plane.slope_x = (bz * cy - by * cz) * per_pixel;
    plane.slope_y = (bx * cz - bz * cx) * per_pixel;
    const double dx = triangle.x_min + 0.5 - (a.x + static_cast<double>(a.x_rest)) * (1.0 / kSubpixels),
                 dy = triangle.y_min + 0.5 - (a.y + static_cast<double>(a.y_rest)) * (1.0 / kSubpixels);
    plane.z = a.z + plane.slope_x * dx + plane.slope_y * dy;
    plane.makeFinite();
    drawFixed<kSecond, kPeel>(triangle, plane, i, band);
  }
}

// First pass over a band: which triangle is nearest at each pixel.
void drawVisibility(const View& view, const ScreenVertex* vertices, Band& band) {
  const int winding = band.first_winding;
  if (band.peeled) {
    drawList<false, true>(view, vertices, 0, band.second_begin, winding, band);
  } else {
    drawList<false, false>(view, vertices, 0, band.second_begin, winding, band);
  }
  if (band.second_begin == band.list_size) return;
  findFarthest(view, band);
  if (band.peeled) {
    drawList<true, true>(view, vertices, band.second_begin, band.list_size, 1 - winding, band);
  } else {
    drawList<true, false>(view, vertices, band.second_begin, band.list_size, 1 - winding, band);
  }
}

// Second pass: barycentrics, depth and id of what was found.
void shadeBand(const View& view, const Band& band, BarycentricPlane* planes) {
  const F8 lanes = {0, 1, 2, 3, 4, 5, 6, 7};
  const F8 zero = {}, one = zero + 1.0F;
  for (std::int32_t y = band.y_begin; y < band.y_end; ++y) {
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(y - band.y_begin) * band.stride;
    float* const rast_row = view.rast + y * view.rast_stride;
    float* const derivative_row = view.derivatives ? view.derivatives + y * view.derivatives_stride : nullptr;
    std::int32_t* const id_row = view.ids ? view.ids + static_cast<std::int64_t>(y) * view.width : nullptr;
    for (std::int32_t x = 0; x < view.width;) {
      const std::int32_t record = band.records[row + x];
      const bool whole = x + kLanes <= view.width;
      // What is written past the run is overwritten by the next one.
      int run = runLength(band.records + row + x);
      if (!whole && run > view.width - x) run = view.width - x;
      if (id_row) {
        const I8 id = I8{} + (record < 0 ? -1 : band.list[record]);
        if (whole) {
          std::memcpy(id_row + x, &id, sizeof(id));
        } else {
          for (int i = 0; i < run; ++i) id_row[x + i] = id[0];
        }
      }
      if (record < 0) {
        storeInterleaved(zero, zero, zero, zero, rast_row + 4 * x, whole, run);
        if (derivative_row) storeInterleaved(zero, zero, zero, zero, derivative_row + 4 * x, whole, run);
        x += run;
        continue;
      }
      BarycentricPlane& plane = planes[record];
      if (!plane.ready) setUpBarycentrics(view, band.list[record], x, y, &plane);
      float dy = static_cast<float>(y - plane.y_ref), dx_first = static_cast<float>(x - plane.x_ref);
      const float sum_first = (plane.sum + plane.sum_y * dy) + plane.sum_x * dx_first;
      if (!(sum_first > 0.5F && sum_first < 2.0F)) {
        // Too much perspective since the reference pixel to keep all digits of a float.
        setUpBarycentrics(view, band.list[record], x, y, &plane);
        dy = dx_first = 0;
      }
      const F8 dx = lanes + dx_first;
      const F8 a0 = (plane.a0 + plane.a0_y * dy) + plane.a0_x * dx;
      const F8 a1 = (plane.a1 + plane.a1_y * dy) + plane.a1_x * dx;
      const F8 sum = (plane.sum + plane.sum_y * dy) + plane.sum_x * dx;
      // Below that only a triangle seen edge-on, whose derivatives shall stay finite.
      const F8 inverse = one / (sum > zero + 1e-6F ? sum : zero + 1e-6F);
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
      const F8 rest = one - u;
      v = v < rest ? v : rest;  // so that 1 - u - v is not below 0 after rounding either
      F8 z;
      std::memcpy(&z, band.depth + row + x, sizeof(z));
      storeInterleaved(u, v, z, zero + fragmentFromTriangle(band.list[record]), rast_row + 4 * x, whole, run);
      x += run;
    }
  }
}
