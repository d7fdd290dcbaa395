// Inner loops of the CPU texture lookup. Included by texture_cpu.cpp once per instruction set, inside a
// namespace of its own, hence no include guard and no includes. No std templates either: an AVX2 copy of one
// of them could be picked by the linker for the whole program.

template <typename V>
inline V load(const void* memory) {
  V value;
  std::memcpy(&value, memory, sizeof(value));
  return value;
}

template <typename V>
inline void store(void* memory, const V& value) {
  std::memcpy(memory, &value, sizeof(value));
}

inline F8 evenLanes(const F8& a, const F8& b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}
inline F8 oddLanes(const F8& a, const F8& b) {
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}

inline bool anyLane(const I8& mask) {
#if FACET_KERNEL_AVX2
  return _mm256_movemask_ps((__m256)mask) != 0;
#else
  std::int64_t parts[4];
  std::memcpy(parts, &mask, sizeof(parts));
  return ((parts[0] | parts[1]) | (parts[2] | parts[3])) != 0;
#endif
}

inline F8 squareRoot(const F8& x) {
#if FACET_KERNEL_AVX2
  return _mm256_sqrt_ps(x);
#else
  F8 root;
  for (int i = 0; i < kLanes; ++i) root[i] = __builtin_sqrtf(x[i]);
  return root;
#endif
}

// Adding and subtracting 1.5 · 2^23 rounds to an integer; larger numbers are integers already.
inline F8 roundDown(const F8& x) {
  constexpr float kRounder = 12582912.0F;
  const F8 rounded = (x + kRounder) - kRounder;
  const F8 down = rounded > x ? rounded - 1.0F : rounded;
  return (x < 4194304.0F) & (x > -4194304.0F) ? down : x;
}

// log2 of a positive normal number, exact at powers of two, within 2e-7: exponent plus the series of
// 2 atanh((m - 1) / (m + 1)) / ln 2 for a mantissa m between sqrt(1/2) and sqrt(2).
inline F8 logarithm2(const F8& x) {
  const I8 bits = (I8)x;
  const I8 exponent = (bits - 0x3F3504F3) >> 23;
  const F8 mantissa = (F8)(bits - (exponent << 23));
  const F8 ratio = (mantissa - 1.0F) / (mantissa + 1.0F);
  const F8 square = ratio * ratio;
  const F8 series =
      2.885390082F +
      square * (0.9617966939F + square * (0.5770780164F + square * (0.4121985831F + square * 0.3205988980F)));
  return __builtin_convertvector(exponent, F8) + ratio * series;
}

// Coordinates in texture units, s to the right and t down, of `count` pixels of a row, from place `begin` of
// the strip on.
void readCoordinates(const float* uv, const float* mask, int count, int begin, Strip* strip) {
  const I8 lanes = {0, 1, 2, 3, 4, 5, 6, 7};
  for (int i = 0; i < count; i += kLanes) {
    float pairs[2 * kLanes] = {}, ids[kLanes] = {};
    const int whole = count - i < kLanes ? count - i : kLanes;
    const float* source = uv + 2 * i;
    if (whole < kLanes) {
      for (int k = 0; k < 2 * whole; ++k) pairs[k] = source[k];
      source = pairs;
    }
    I8 valid = lanes < whole;
    if (mask) {
      for (int k = 0; k < whole; ++k) ids[k] = mask[4 * (i + k) + 3];
      valid &= load<F8>(ids) != 0.0F;
    }
    const F8 low = load<F8>(source), high = load<F8>(source + kLanes);
    const int to = begin + i;
    store(strip->s + to, evenLanes(low, high));
    store(strip->t + to, 1.0F - oddLanes(low, high));
    store(strip->valid + to, valid);
    store(strip->face + to, I8{});
  }
}

// Footprint of the same pixels, in texture units per pixel.
void readFootprints(const float* derivatives, int count, int begin, Strip* strip) {
  for (int i = 0; i < count; i += kLanes) {
    float local[4 * kLanes] = {};
    const float* source = derivatives + 4 * i;
    if (count - i < kLanes) {
      for (int k = 0; k < 4 * (count - i); ++k) local[k] = source[k];
      source = local;
    }
    const F8 p01 = load<F8>(source), p23 = load<F8>(source + 8), p45 = load<F8>(source + 16),
             p67 = load<F8>(source + 24);
    const F8 x_low = evenLanes(p01, p23), x_high = evenLanes(p45, p67);
    const F8 y_low = oddLanes(p01, p23), y_high = oddLanes(p45, p67);
    store(strip->s_x + begin + i, evenLanes(x_low, x_high));
    store(strip->t_x + begin + i, -oddLanes(x_low, x_high));
    store(strip->s_y + begin + i, evenLanes(y_low, y_high));
    store(strip->t_y + begin + i, -oddLanes(y_low, y_high));
  }
}

// The axes of a footprint in texels: half the sum of its squared axes, and half of their difference.
struct FootprintAxes {
  F8 a, b, cross, mean, radius, major;

  FootprintAxes(const F8& s_x, const F8& s_y, const F8& t_x, const F8& t_y)
      : a(s_x * s_x + t_x * t_x), b(s_y * s_y + t_y * t_y), cross(s_x * s_y + t_x * t_y) {
    mean = 0.5F * (a + b);
    const F8 half = 0.5F * (a - b);
    radius = squareRoot(half * half + cross * cross);
    major = mean + radius;
  }
};

// Footprints in texels, 0 where one is not finite, and their level before the bias.
void measureFootprints(const Problem& problem, Strip* strip) {
  const float width = static_cast<float>(problem.width), height = static_cast<float>(problem.height);
  constexpr float kLargest = 1073741824.0F;  // 2^30 texels: beyond every texture, and its 4th power is finite
  const F8 low = F8{} - kLargest, high = F8{} + kLargest;
  for (int i = 0; i < strip->count; i += kLanes) {
    F8 values[4] = {load<F8>(strip->s_x + i) * width, load<F8>(strip->s_y + i) * width,
                    load<F8>(strip->t_x + i) * height, load<F8>(strip->t_y + i) * height};
    // 0 · x is 0 for finite x only.
    const F8 zero = load<F8>(strip->s_x + i) * 0.0F + load<F8>(strip->s_y + i) * 0.0F +
                    load<F8>(strip->t_x + i) * 0.0F + load<F8>(strip->t_y + i) * 0.0F;
    const I8 finite = zero == 0.0F;
    for (F8& value : values) {
      value = value < low ? low : value;
      value = value > high ? high : value;
      value = finite ? value : F8{};
    }
    store(strip->s_x + i, values[0]);
    store(strip->s_y + i, values[1]);
    store(strip->t_x + i, values[2]);
    store(strip->t_y + i, values[3]);
    const FootprintAxes axes(values[0], values[1], values[2], values[3]);
    store(strip->level + i, axes.major > kSmallestFootprint ? 0.5F * logarithm2(axes.major) : F8{} - 1e30F);
  }
}

// Adds the bias (or takes it as the level), clamps, and splits the level for the filter.
void chooseLevels(const Problem& problem, Strip* strip) {
  const F8 zero = {}, top = zero + static_cast<float>(problem.num_levels - 1);
  for (int i = 0; i < strip->count; i += kLanes) {
    F8 level = problem.has_footprint ? load<F8>(strip->level + i) : zero;
    if (problem.has_bias) level += load<F8>(strip->bias + i);
    I8 moves = (level > zero) & (level < top);
    level = level > zero ? level : zero;  // NaN too
    level = level < top ? level : top;
    const I8 base = __builtin_convertvector(level, I8);
    F8 fraction = level - __builtin_convertvector(base, F8);
    if (!problem.trilinear) {
      fraction = zero;
      moves = I8{};
    }
    store(strip->base_level + i, base);
    store(strip->next_level + i, base + 1);
    store(strip->fraction + i, fraction);
    store(strip->moves + i, moves);
  }
}

// Texel index along one axis, for 8 coordinates.
struct AxisPosition {
  I8 index;   // of the left one of two texels, or of the nearest one
  F8 weight;  // of the right one
  F8 scale;   // texels per texture unit; 0 where the coordinate is clamped
  I8 inside;  // all texels that are read exist

  AxisPosition(const F8& coordinate, const I8& size, Boundary boundary, bool nearest, I8* valid) {
    const F8 extent = __builtin_convertvector(size, F8);
    scale = extent;
    F8 texel;
    if (boundary == Boundary::kWrap) {
      const F8 fraction = coordinate - roundDown(coordinate);
      *valid &= (fraction >= 0.0F) & (fraction <= 1.0F);
      texel = fraction * extent;
    } else {
      *valid &= coordinate == coordinate;
      texel = coordinate * extent;
      if (boundary == Boundary::kClamp) {
        const F8 low = F8{} + 0.5F, high = extent - 0.5F;
        scale = (texel >= low) & (texel <= high) ? scale : F8{};
        texel = texel < low ? low : texel;
        texel = texel > high ? high : texel;
      } else {
        const F8 low = F8{} - 1.0F, high = extent + 1.0F;
        texel = texel < low ? low : texel;
        texel = texel > high ? high : texel;
      }
    }
    texel = *valid ? texel : F8{};
    if (!nearest) texel -= 0.5F;
    index = __builtin_convertvector(texel, I8);
    index += __builtin_convertvector(index, F8) > texel;  // -1 where truncation went up
    if (nearest) {
      weight = F8{};
      inside = (index >= 0) & (index < size);
      return;
    }
    if (boundary == Boundary::kClamp)
      index = index < size - 2 ? index : size - 2;  // the last one has weight 1
    weight = texel - __builtin_convertvector(index, F8);
    inside = (index >= 0) & (index < size - 1);
  }
};

// Where lookups at (s, t) read their level of the stack.
void locate(const Problem& problem, int count, const float* s, const float* t, const std::int32_t* face,
            const std::int32_t* level, const std::int32_t* valid, Slot* slot) {
  const I8 zero = {}, one = zero + 1;
  for (int i = 0; i < count; i += kLanes) {
    I8 reads = load<I8>(valid + i);
    if (!anyLane(reads)) {
      store(slot->kind + i, zero);
      continue;
    }
    const I8 levels = load<I8>(level + i);
    I8 width = (zero + problem.width) >> levels, height = (zero + problem.height) >> levels;
    width = width > one ? width : one;
    height = height > one ? height : one;
    const AxisPosition x(load<F8>(s + i), width, problem.boundary, problem.nearest, &reads);
    const AxisPosition y(load<F8>(t + i), height, problem.boundary, problem.nearest, &reads);
    const I8 kind = x.inside & y.inside ? zero + kInterior : zero + kBorder;
    store(slot->kind + i, reads & kind);
    store(slot->level + i, levels);
    store(slot->face + i, load<I8>(face + i));
    store(slot->left + i, x.index);
    store(slot->top + i, y.index);
    store(slot->right_weight + i, x.weight);
    store(slot->bottom_weight + i, y.weight);
    store(slot->s_scale + i, x.scale);
    store(slot->t_scale + i, y.scale);
  }
}

// A texel's channels are worked on in blocks: one scalar, 3 (in four lanes), 4 or 8 of them.
struct One {
  using Value = float;
};
struct Three {
  using Value = F4;
};
struct Four {
  using Value = F4;
};
struct Eight {
  using Value = F8;
};

// Calls work(block, first channel) for all channels. kChannels 0: any number, known at run time only.
template <int kChannels, typename Work>
inline __attribute__((always_inline)) void forEachBlock(int channels, const Work& work) {
  if constexpr (kChannels == 1) {
    work(One{}, 0);
  } else if constexpr (kChannels == 3) {
    work(Three{}, 0);
  } else if constexpr (kChannels == 4) {
    work(Four{}, 0);
  } else if constexpr (kChannels == 16) {
    work(Eight{}, 0);
    work(Eight{}, 8);
  } else {
    int c = 0;
    for (; c + 8 <= channels; c += 8) work(Eight{}, c);
    for (; c < channels; ++c) work(One{}, c);
  }
}

template <typename Block>
inline typename Block::Value loadChannels(const float* memory) {
  if constexpr (__is_same(Block, Three)) {
    return F4{memory[0], memory[1], memory[2], 0};
  } else {
    return load<typename Block::Value>(memory);
  }
}

// Two horizontal neighbours. With kAdjacent they follow each other in memory, so that 3 channels can be read
// as 4 without leaving the texture; the fourth lane is then not to be used.
template <typename Block, bool kAdjacent>
inline void loadPair(const float* left, const float* right, typename Block::Value* a,
                     typename Block::Value* b) {
  if constexpr (__is_same(Block, Three) && kAdjacent) {
    *a = load<F4>(left);
    const F4 shifted = load<F4>(left + 2);
    *b = __builtin_shufflevector(shifted, shifted, 1, 2, 3, 3);
  } else {
    *a = loadChannels<Block>(left);
    *b = loadChannels<Block>(right);
  }
}

template <typename Block>
inline void storeChannels(float* memory, const typename Block::Value& value, bool may_overrun) {
  if constexpr (__is_same(Block, Three)) {
    if (may_overrun) {
      store(memory, value);
    } else {
      for (int c = 0; c < 3; ++c) memory[c] = value[c];
    }
  } else {
    store(memory, value);
  }
}

template <typename Block>
inline float sum(const typename Block::Value& value) {
  if constexpr (__is_same(Block, One)) {
    return value;
  } else if constexpr (__is_same(Block, Three)) {
    return (value[0] + value[1]) + value[2];
  } else if constexpr (__is_same(Block, Four)) {
    return (value[0] + value[2]) + (value[1] + value[3]);
  } else {
    const F4 half =
        __builtin_shufflevector(value, value, 0, 1, 2, 3) + __builtin_shufflevector(value, value, 4, 5, 6, 7);
    return (half[0] + half[2]) + (half[1] + half[3]);
  }
}

template <typename V>
inline V mix(const V& a, const V& b, float weight) {
  return a + (b - a) * weight;
}

// The four texels of a bilinear lookup.
struct Quad {
  const float* texels[4];  // top left, top right, bottom left, bottom right
  float right_weight, bottom_weight;
};

// Returns whether the pairs are adjacent.
template <int kChannels>
inline bool findQuad(const Problem& problem, const Slot& slot, int i, const Workspace& workspace,
                     float* corner_mean, Quad* quad) {
  const LevelView& view = workspace.levels[slot.level[i]];
  quad->right_weight = slot.right_weight[i];
  quad->bottom_weight = slot.bottom_weight[i];
  if (slot.kind[i] == kInterior) {
    const int channels = kChannels > 0 ? kChannels : problem.channels;
    const float* const texel = view.data + slot.face[i] * view.image_stride + slot.top[i] * view.row_stride +
                               static_cast<std::ptrdiff_t>(slot.left[i]) * channels;
    quad->texels[0] = texel;
    quad->texels[1] = texel + channels;
    quad->texels[2] = texel + view.row_stride;
    quad->texels[3] = texel + view.row_stride + channels;
    return true;
  }
  findBorderTexels(problem, slot, i, workspace, corner_mean, quad->texels);
  return false;
}

template <typename Block, bool kAdjacent>
inline typename Block::Value bilinear(const Quad& quad, int c) {
  typename Block::Value a, b, upper;
  loadPair<Block, kAdjacent>(quad.texels[0] + c, quad.texels[1] + c, &a, &b);
  upper = mix(a, b, quad.right_weight);
  loadPair<Block, kAdjacent>(quad.texels[2] + c, quad.texels[3] + c, &a, &b);
  return mix(upper, mix(a, b, quad.right_weight), quad.bottom_weight);
}

template <typename Block>
inline void writeValue(const typename Block::Value& value, const float* weight, bool may_overrun,
                       float* out) {
  if (weight) {  // the neighbour's sum is in memory already: no overrun
    storeChannels<Block>(out, loadChannels<Block>(out) + value * *weight, false);
  } else {
    storeChannels<Block>(out, value, may_overrun);
  }
}

// Values of one strip. Without `weights` they are written, 0 where nothing is read; with them, added.
template <int kChannels>
void gather(const Problem& problem, const Strip& strip, const Slot& first, const Slot* second,
            const float* weights, const Workspace& workspace, float* out) {
  const int channels = kChannels > 0 ? kChannels : problem.channels;
  for (int i = 0; i < strip.count; ++i, out += channels) {
    const bool may_overrun = i + 1 < strip.count;
    if (first.kind[i] == kNothing) {
      if (weights) continue;
      forEachBlock<kChannels>(
          channels, [&](auto block, int c) __attribute__((always_inline)) {
            using Block = decltype(block);
            storeChannels<Block>(out + c, typename Block::Value{}, may_overrun);
          });
      continue;
    }
    const float* const weight = weights ? weights + i : nullptr;
    Quad quad;
    const bool adjacent = findQuad<kChannels>(problem, first, i, workspace, workspace.corner_means[0], &quad);
    if (problem.nearest) {
      forEachBlock<kChannels>(
          channels, [&](auto block, int c) __attribute__((always_inline)) {
            using Block = decltype(block);
            storeChannels<Block>(out + c, loadChannels<Block>(quad.texels[0] + c), may_overrun);
          });
      continue;
    }
    if (!second || second->kind[i] == kNothing) {
      if (adjacent) {
        forEachBlock<kChannels>(
            channels, [&](auto block, int c) __attribute__((always_inline)) {
              using Block = decltype(block);
              writeValue<Block>(bilinear<Block, true>(quad, c), weight, may_overrun, out + c);
            });
      } else {
        forEachBlock<kChannels>(
            channels, [&](auto block, int c) __attribute__((always_inline)) {
              using Block = decltype(block);
              writeValue<Block>(bilinear<Block, false>(quad, c), weight, may_overrun, out + c);
            });
      }
      continue;
    }
    Quad coarse;
    const bool both_adjacent =
        findQuad<kChannels>(problem, *second, i, workspace, workspace.corner_means[1], &coarse) && adjacent;
    const float fraction = strip.fraction[i];
    if (both_adjacent) {
      forEachBlock<kChannels>(
          channels, [&](auto block, int c) __attribute__((always_inline)) {
            using Block = decltype(block);
            writeValue<Block>(mix(bilinear<Block, true>(quad, c), bilinear<Block, true>(coarse, c), fraction),
                              weight, may_overrun, out + c);
          });
    } else {
      forEachBlock<kChannels>(
          channels, [&](auto block, int c) __attribute__((always_inline)) {
            using Block = decltype(block);
            writeValue<Block>(
                mix(bilinear<Block, false>(quad, c), bilinear<Block, false>(coarse, c), fraction), weight,
                may_overrun, out + c);
          });
    }
  }
}

// <g, dvalue/dx>, <g, dvalue/dy> and <g, value> of a bilinear lookup, x and y in texels.
struct QuadGradient {
  float x = 0, y = 0, value = 0;
};

template <int kChannels, bool kAdjacent, bool kWithValue>
inline QuadGradient differentiateQuad(const Quad& quad, const float* grad, int channels) {
  QuadGradient result;
  forEachBlock<kChannels>(
      channels, [&](auto block, int c) __attribute__((always_inline)) {
        using Block = decltype(block);
        using V = typename Block::Value;
        const V g = loadChannels<Block>(grad + c);
        V t0, t1, t2, t3;
        loadPair<Block, kAdjacent>(quad.texels[0] + c, quad.texels[1] + c, &t0, &t1);
        loadPair<Block, kAdjacent>(quad.texels[2] + c, quad.texels[3] + c, &t2, &t3);
        const V upper = t1 - t0, lower = t3 - t2;
        const V left = t2 - t0, right = t3 - t1;
        result.x += sum<Block>(g * mix(upper, lower, quad.bottom_weight));
        result.y += sum<Block>(g * mix(left, right, quad.right_weight));
        if constexpr (kWithValue) {
          const V top = t0 + upper * quad.right_weight, bottom = t2 + lower * quad.right_weight;
          result.value += sum<Block>(g * mix(top, bottom, quad.bottom_weight));
        }
      });
  return result;
}

// Gradients of one strip with respect to s, t (texture units) and the level, of one lookup per pixel.
template <int kChannels>
void differentiate(const Problem& problem, const Strip& strip, const Slot& first, const Slot* second,
                   const Workspace& workspace, const float* grad, float* grad_s, float* grad_t,
                   float* grad_level) {
  const int channels = kChannels > 0 ? kChannels : problem.channels;
  for (int i = 0; i < strip.count; ++i, grad += channels) {
    grad_s[i] = grad_t[i] = grad_level[i] = 0;
    if (first.kind[i] == kNothing) continue;
    Quad quad;
    const bool adjacent = findQuad<kChannels>(problem, first, i, workspace, workspace.corner_means[0], &quad);
    if (!second || second->kind[i] == kNothing) {
      const QuadGradient g = adjacent ? differentiateQuad<kChannels, true, false>(quad, grad, channels)
                                      : differentiateQuad<kChannels, false, false>(quad, grad, channels);
      grad_s[i] = g.x * first.s_scale[i];
      grad_t[i] = g.y * first.t_scale[i];
      continue;
    }
    Quad coarse;
    const bool both_adjacent =
        findQuad<kChannels>(problem, *second, i, workspace, workspace.corner_means[1], &coarse) && adjacent;
    QuadGradient a, b;
    if (both_adjacent) {
      a = differentiateQuad<kChannels, true, true>(quad, grad, channels);
      b = differentiateQuad<kChannels, true, true>(coarse, grad, channels);
    } else {
      a = differentiateQuad<kChannels, false, true>(quad, grad, channels);
      b = differentiateQuad<kChannels, false, true>(coarse, grad, channels);
    }
    const float fraction = strip.fraction[i];
    grad_s[i] = mix(a.x * first.s_scale[i], b.x * second->s_scale[i], fraction);
    grad_t[i] = mix(a.y * first.t_scale[i], b.y * second->t_scale[i], fraction);
    grad_level[i] = b.value - a.value;
  }
}

// Chain rule from the level to the footprint, per texture unit.
void differentiateFootprints(const Problem& problem, const float* grad_level, Strip* strip) {
  const float width = static_cast<float>(problem.width), height = static_cast<float>(problem.height);
  constexpr float kHalfPerLn2 = 0.7213475204F;
  const F8 zero = {};
  for (int i = 0; i < strip->count; i += kLanes) {
    const F8 s_x = load<F8>(strip->s_x + i), s_y = load<F8>(strip->s_y + i);
    const F8 t_x = load<F8>(strip->t_x + i), t_y = load<F8>(strip->t_y + i);
    const FootprintAxes axes(s_x, s_y, t_x, t_y);
    const I8 moves = load<I8>(strip->moves + i) & (axes.major > kSmallestFootprint);
    const F8 major = moves ? axes.major : zero + 1.0F;
    const F8 g = moves ? load<F8>(grad_level + i) * kHalfPerLn2 / major : zero;
    // d major / d(a, b, cross). A circle has no longer axis: there the mean of both counts.
    const I8 is_circle = axes.radius <= major * 1e-6F;
    const F8 inverse = 1.0F / (is_circle ? zero + 1.0F : axes.radius);
    const F8 skew = is_circle ? zero : 0.25F * (axes.a - axes.b) * inverse;
    const F8 g_a = g * (0.5F + skew), g_b = g * (0.5F - skew);
    const F8 g_cross = is_circle ? zero : g * axes.cross * inverse;
    store(strip->grad_s_x + i, (2.0F * g_a * s_x + g_cross * s_y) * width);
    store(strip->grad_s_y + i, (2.0F * g_b * s_y + g_cross * s_x) * width);
    store(strip->grad_t_x + i, (2.0F * g_a * t_x + g_cross * t_y) * height);
    store(strip->grad_t_y + i, (2.0F * g_b * t_y + g_cross * t_x) * height);
  }
}

template <typename Block>
inline void accumulate(float* memory, const typename Block::Value& value) {
  using V = typename Block::Value;
  store(memory, static_cast<V>(load<V>(memory) + value));
}

// Adds weight · grad of every pixel to the texels that lie in the tile. Texels of 3 channels are 4 floats
// apart there.
template <int kChannels>
void scatter(const Problem& problem, const Strip& strip, const Slot& slot, const float* weights,
             const float* const* grads, const Tile& tile) {
  const int channels = kChannels > 0 ? kChannels : problem.channels;
  constexpr int kPadded = kChannels == 3 ? 4 : kChannels;
  const int stride = kPadded > 0 ? kPadded : channels;
  for (int i = 0; i < strip.count; ++i) {
    const float weight = weights[i];
    if (slot.kind[i] == kNothing || weight == 0) continue;
    const float* const grad = grads[i];
    if (slot.kind[i] == kBorder || problem.nearest) {
      Corner corners[4];
      float corner_weights[4];
      findCorners(problem, slot, i, corners, corner_weights);
      for (int k = 0; k < 4; ++k) {
        const Corner& corner = corners[k];
        if (!corner.exists || corner.face != tile.face || corner.row < tile.row_begin ||
            corner.row >= tile.row_end) {
          continue;
        }
        float* const texel = tile.data + (corner.row - tile.row_begin) * tile.row_stride +
                             static_cast<std::ptrdiff_t>(corner.column) * stride;
        forEachBlock<kChannels>(
            channels, [&](auto block, int c) __attribute__((always_inline)) {
              using Block = decltype(block);
              accumulate<Block>(texel + c, loadChannels<Block>(grad + c) * (weight * corner_weights[k]));
            });
      }
      continue;
    }
    if (slot.face[i] != tile.face) continue;
    const int row = slot.top[i] - tile.row_begin, num_rows = tile.row_end - tile.row_begin;
    const bool upper = row >= 0 && row < num_rows, lower = row + 1 >= 0 && row + 1 < num_rows;
    const float right = slot.right_weight[i], bottom = slot.bottom_weight[i];
    float* const texel =
        tile.data + row * tile.row_stride + static_cast<std::ptrdiff_t>(slot.left[i]) * stride;
    forEachBlock<kChannels>(
        channels, [&](auto block, int c) __attribute__((always_inline)) {
          using Block = decltype(block);
          using V = typename Block::Value;
          const V g = loadChannels<Block>(grad + c) * weight;
          const V g_lower = g * bottom, g_upper = g - g_lower;
          if (upper) {
            const V g_right = g_upper * right;
            accumulate<Block>(texel + c, g_upper - g_right);
            accumulate<Block>(texel + stride + c, g_right);
          }
          if (lower) {
            const V g_right = g_lower * right;
            accumulate<Block>(texel + tile.row_stride + c, g_lower - g_right);
            accumulate<Block>(texel + tile.row_stride + stride + c, g_right);
          }
        });
  }
}
