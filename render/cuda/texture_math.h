#pragma once

#include "render/cuda/portable.h"
#include "render/ops/texture.h"

// The arithmetic of render/cpu/texture_cpu.cpp and texture_kernel.h, one pixel at a time.
//
// Anisotropic taps: McCormack et al., "Feline: Fast Elliptical Lines for Anisotropic Texture Mapping",
// SIGGRAPH 1999. Cube faces: OpenGL 4.6 specification, table 8.19.
namespace facet::ops::cuda {

constexpr int kMaxAnisotropy = 64;
constexpr float kSmallestFootprint = 1e-30F;  // squared, in texels; smaller ones count as 0

struct TextureProblem {
  int width, height, channels, num_levels;
  int num_faces;  // 6 for a cube, else 1
  Boundary boundary;
  bool nearest, mipmapped, trilinear;
  bool has_footprint, has_bias;
  int max_anisotropy;

  FACET_HD int levelWidth(int level) const { return larger(width >> level, 1); }
  FACET_HD int levelHeight(int level) const { return larger(height >> level, 1); }
};

// log2 of a positive normal number, exact at powers of two, within 2e-7: exponent plus the series of
// 2 atanh((m - 1) / (m + 1)) / ln 2 for a mantissa m between sqrt(1/2) and sqrt(2). Not the library's, so
// that floor(level) is that of the CPU.
FACET_HD inline float logarithm2(float x) {
  const std::int32_t bits = static_cast<std::int32_t>(bitsOf(x));
  const std::int32_t exponent = (bits - 0x3F3504F3) >> 23;
  const float mantissa = floatOf(static_cast<std::uint32_t>(bits - exponent * (1 << 23)));
  const float ratio = (mantissa - 1.0F) / (mantissa + 1.0F);
  const float square = ratio * ratio;
  const float series =
      2.885390082F +
      square * (0.9617966939F + square * (0.5770780164F + square * (0.4121985831F + square * 0.3205988980F)));
  return static_cast<float>(exponent) + ratio * series;
}

// ---- Cube faces ----

struct CubeFace {
  int s_axis, t_axis, major_axis;
  float s_sign, t_sign, major_sign;
};
FACET_HD inline CubeFace cubeFace(int face) {
  switch (face) {
    case 0:
      return CubeFace{2, 1, 0, -1, -1, 1};
    case 1:
      return CubeFace{2, 1, 0, 1, -1, -1};
    case 2:
      return CubeFace{0, 2, 1, 1, 1, 1};
    case 3:
      return CubeFace{0, 2, 1, 1, -1, -1};
    case 4:
      return CubeFace{0, 1, 2, 1, -1, 1};
    default:
      return CubeFace{0, 1, 2, -1, -1, -1};
  }
}

// Face and coordinates in [0, 1] of a direction; false for one that points nowhere.
FACET_HD inline bool projectToFace(const float* direction, int* face, float* s, float* t) {
  const float x = fabsf(direction[0]), y = fabsf(direction[1]), z = fabsf(direction[2]);
  const int axis = z > larger(x, y) ? 2 : y > x ? 1 : 0;
  const float major = fabsf(direction[axis]);
  constexpr float kLargest = 3.402823466e38F, kSmallest = 1.175494351e-38F;
  if (!(x <= kLargest && y <= kLargest && z <= kLargest && major >= kSmallest)) return false;
  *face = 2 * axis + (direction[axis] < 0 ? 1 : 0);
  const CubeFace f = cubeFace(*face);
  *s = 0.5F + 0.5F * (f.s_sign * direction[f.s_axis] / major);
  *t = 0.5F + 0.5F * (f.t_sign * direction[f.t_axis] / major);
  return true;
}

// The texel beyond exactly one edge of a face lies on the neighbour, half a texel from their common edge.
FACET_HD inline float faceCoordinate(int index, int size) {
  if (index < 0) return -1.0F;
  if (index >= size) return 1.0F;
  return (2 * static_cast<float>(index) + 1) / static_cast<float>(size) - 1;
}
FACET_HD inline void crossEdge(int size, int* face, int* column, int* row) {
  const CubeFace f = cubeFace(*face);
  float point[3];
  point[f.s_axis] = f.s_sign * faceCoordinate(*column, size);
  point[f.t_axis] = f.t_sign * faceCoordinate(*row, size);
  point[f.major_axis] = f.major_sign * (1 - 1 / static_cast<float>(size));
  float s = 0, t = 0;
  projectToFace(point, face, &s, &t);
  *column = smaller(static_cast<int>(s * static_cast<float>(size)), size - 1);
  *row = smaller(static_cast<int>(t * static_cast<float>(size)), size - 1);
}

// ---- Where a lookup reads one level ----

struct AxisPosition {
  int index;     // of the left one of two texels, or of the nearest one
  float weight;  // of the right one
  float scale;   // texels per texture unit; 0 where the coordinate is clamped
};
FACET_HD inline bool locateAxis(float coordinate, int size, Boundary boundary, bool nearest,
                                AxisPosition* out) {
  const float extent = static_cast<float>(size);
  out->scale = extent;
  float texel;
  if (boundary == Boundary::kWrap) {
    const float fraction = coordinate - floorf(coordinate);
    if (!(fraction >= 0.0F && fraction <= 1.0F)) return false;
    texel = fraction * extent;
  } else {
    if (!(coordinate == coordinate)) return false;
    texel = coordinate * extent;
    if (boundary == Boundary::kClamp) {
      const float low = 0.5F, high = extent - 0.5F;
      if (!(texel >= low && texel <= high)) out->scale = 0;
      texel = texel < low ? low : texel;
      texel = texel > high ? high : texel;
    } else {
      texel = texel < -1.0F ? -1.0F : texel;
      texel = texel > extent + 1.0F ? extent + 1.0F : texel;
    }
  }
  if (!nearest) texel -= 0.5F;
  int index = static_cast<int>(texel);
  if (static_cast<float>(index) > texel) --index;
  if (!nearest && boundary == Boundary::kClamp)
    index = smaller(index, size - 2);  // the last one has weight 1
  out->index = index;
  out->weight = nearest ? 0 : texel - static_cast<float>(index);
  return true;
}

// Texel index under a boundary rule; -1 = the black border of kZero.
FACET_HD inline int texelIndex(int index, int size, Boundary boundary) {
  if (index >= 0 && index < size) return index;
  if (boundary == Boundary::kZero) return -1;
  if (boundary == Boundary::kWrap) return index < 0 ? size - 1 - (-1 - index) % size : index % size;
  return index < 0 ? 0 : size - 1;
}

// The texels of a lookup in one level: top left, top right, bottom left, bottom right.
struct TexelQuad {
  int level;
  int face[4], column[4], row[4];  // column -1: no such texel, it counts as 0
  int missing;                     // the corner of a cube, which is the mean of the other three; or -1
  float right_weight, bottom_weight, s_scale, t_scale;
};

FACET_HD inline bool locate(const TextureProblem& problem, float s, float t, int face, int level,
                            TexelQuad* quad) {
  const int width = problem.levelWidth(level), height = problem.levelHeight(level);
  AxisPosition x, y;
  if (!locateAxis(s, width, problem.boundary, problem.nearest, &x)) return false;
  if (!locateAxis(t, height, problem.boundary, problem.nearest, &y)) return false;
  quad->level = level;
  quad->missing = -1;
  quad->right_weight = x.weight;
  quad->bottom_weight = y.weight;
  quad->s_scale = x.scale;
  quad->t_scale = y.scale;
  for (int k = 0; k < 4; ++k) {
    int column = x.index + (k & 1), row = y.index + (k >> 1), on_face = face;
    if (problem.boundary == Boundary::kCube && !problem.nearest) {
      const bool column_exists = column >= 0 && column < width, row_exists = row >= 0 && row < height;
      if (!column_exists && !row_exists) {
        quad->missing = k;
        column = -1;
      } else if (!column_exists || !row_exists) {
        crossEdge(width, &on_face, &column, &row);
      }
    } else {
      column = texelIndex(column, width, problem.boundary);
      row = texelIndex(row, height, problem.boundary);
      if (row < 0 || (problem.nearest && k > 0)) column = -1;
    }
    quad->face[k] = on_face;
    quad->column[k] = column;
    quad->row[k] = row;
  }
  return true;
}

// Weight of texel k when a gradient is spread.
FACET_HD inline float texelWeight(const TextureProblem& problem, const TexelQuad& quad, int k) {
  if (problem.nearest) return k == 0 ? 1.0F : 0.0F;
  const float right = quad.right_weight, bottom = quad.bottom_weight;
  const float weight = ((k & 1) != 0 ? right : 1 - right) * ((k & 2) != 0 ? bottom : 1 - bottom);
  if (quad.missing < 0) return weight;
  const int m = quad.missing;
  const float shared = ((m & 1) != 0 ? right : 1 - right) * ((m & 2) != 0 ? bottom : 1 - bottom);
  return weight + shared / 3;
}

template <typename T>
FACET_HD inline std::int64_t texelOffset(const ImagesT<T>& level, const TexelQuad& quad, int k) {
  return quad.face[k] * level.image_stride + quad.row[k] * level.row_stride +
         static_cast<std::int64_t>(quad.column[k]) * level.channels;
}

// ---- Blocks of one or four channels ----

template <typename V>
FACET_HD inline V loadBlock(const float* from);
template <>
FACET_HD inline float loadBlock<float>(const float* from) {
  return *from;
}
template <>
FACET_HD inline Four loadBlock<Four>(const float* from) {
  return loadFour(from);
}
FACET_HD inline void storeBlock(float* to, float value) { *to = value; }
FACET_HD inline void storeBlock(float* to, const Four& value) { storeFour(to, value); }
FACET_HD inline float mix(float a, float b, float weight) { return a + (b - a) * weight; }
FACET_HD inline Four mix(const Four& a, const Four& b, float weight) {
  return Four{mix(a.a, b.a, weight), mix(a.b, b.b, weight), mix(a.c, b.c, weight), mix(a.d, b.d, weight)};
}
FACET_HD inline float addScaled(float sum, float value, float weight) { return value * weight + sum; }
FACET_HD inline Four addScaled(const Four& sum, const Four& value, float weight) {
  return Four{value.a * weight + sum.a, value.b * weight + sum.b, value.c * weight + sum.c,
              value.d * weight + sum.d};
}
FACET_HD inline float difference(float a, float b) { return a - b; }
FACET_HD inline Four difference(const Four& a, const Four& b) {
  return Four{a.a - b.a, a.b - b.b, a.c - b.c, a.d - b.d};
}
FACET_HD inline float dotBlock(float a, float b) { return a * b; }
FACET_HD inline float dotBlock(const Four& a, const Four& b) {
  return (a.a * b.a + a.b * b.b) + (a.c * b.c + a.d * b.d);
}
FACET_HD inline float zeroBlock(float) { return 0; }
FACET_HD inline Four zeroBlock(const Four&) { return Four{0, 0, 0, 0}; }

template <typename V>
struct QuadValues {
  V texel[4];
};
template <typename V>
FACET_HD inline QuadValues<V> loadQuad(const ConstImages& level, const float* image, const TexelQuad& quad,
                                       int c) {
  QuadValues<V> values;
  for (int k = 0; k < 4; ++k) {
    values.texel[k] =
        quad.column[k] >= 0 ? loadBlock<V>(image + texelOffset(level, quad, k) + c) : zeroBlock(V{});
  }
  if (quad.missing >= 0) {  // its own value is 0 so far
    V total = zeroBlock(V{});
    for (int k = 0; k < 4; ++k) {
      if (k != quad.missing) total = addScaled(total, values.texel[k], 1.0F);
    }
    const V mean = addScaled(zeroBlock(V{}), total, 1.0F / 3);
    for (int k = 0; k < 4; ++k) {
      if (k == quad.missing) values.texel[k] = mean;
    }
  }
  return values;
}
template <typename V>
FACET_HD inline V bilinear(const QuadValues<V>& values, const TexelQuad& quad) {
  const V upper = mix(values.texel[0], values.texel[1], quad.right_weight);
  return mix(upper, mix(values.texel[2], values.texel[3], quad.right_weight), quad.bottom_weight);
}

// <g, dvalue/dx>, <g, dvalue/dy> and <g, value> of a bilinear lookup, x and y in texels.
struct QuadGradient {
  float x, y, value;
};
template <typename V>
FACET_HD inline void addQuadGradient(const QuadValues<V>& values, const TexelQuad& quad, const V& grad,
                                     QuadGradient* sum) {
  const V upper = difference(values.texel[1], values.texel[0]),
          lower = difference(values.texel[3], values.texel[2]);
  const V left = difference(values.texel[2], values.texel[0]),
          right = difference(values.texel[3], values.texel[1]);
  sum->x += dotBlock(grad, mix(upper, lower, quad.bottom_weight));
  sum->y += dotBlock(grad, mix(left, right, quad.right_weight));
  sum->value += dotBlock(grad, bilinear(values, quad));
}

// ---- Footprints and levels ----

// A pixel on its way through a lookup.
struct TextureSample {
  bool valid;  // false: background or nowhere, no value, no gradient
  int face;
  float s, t;                // right and down, in texture units
  float s_x, s_y, t_x, t_y;  // footprint in texels
  int base_level;            // the finer level, and
  float fraction;            // the weight of the next
  bool moves;                // the level is inside of the stack: it has a gradient
  int num_taps;
  float axis_s, axis_t;  // taps lie on a segment of this vector around (s, t), in texture units
};

struct FootprintAxes {
  float a, b, cross, radius, major;
  FACET_HD FootprintAxes(float s_x, float s_y, float t_x, float t_y)
      : a(s_x * s_x + t_x * t_x), b(s_y * s_y + t_y * t_y), cross(s_x * s_y + t_x * t_y) {
    const float mean = 0.5F * (a + b), half = 0.5F * (a - b);
    radius = sqrtf(half * half + cross * cross);
    major = mean + radius;
  }
};

// A number with its derivatives with respect to the four entries of a footprint.
struct Dual {
  double value;
  double d[4];
};
FACET_HD inline Dual chain(const Dual& x, double f, double slope) {  // f(x), given f and f' at x
  return Dual{f, {slope * x.d[0], slope * x.d[1], slope * x.d[2], slope * x.d[3]}};
}
FACET_HD inline double chain(double, double f, double) { return f; }
FACET_HD inline Dual operator+(const Dual& a, const Dual& b) {
  return Dual{a.value + b.value, {a.d[0] + b.d[0], a.d[1] + b.d[1], a.d[2] + b.d[2], a.d[3] + b.d[3]}};
}
FACET_HD inline Dual operator*(double a, const Dual& b) { return chain(b, a * b.value, a); }
FACET_HD inline Dual operator-(const Dual& a, const Dual& b) { return a + -1.0 * b; }
FACET_HD inline Dual operator*(const Dual& a, const Dual& b) {
  Dual c;
  c.value = a.value * b.value;
  for (int k = 0; k < 4; ++k) c.d[k] = a.d[k] * b.value + a.value * b.d[k];
  return c;
}
FACET_HD inline double valueOf(double x) { return x; }
FACET_HD inline double valueOf(const Dual& x) { return x.value; }
FACET_HD inline void setInput(double value, int, double* out) { *out = value; }
FACET_HD inline void setInput(double value, int index, Dual* out) {
  out->value = value;
  for (int k = 0; k < 4; ++k) out->d[k] = k == index ? 1 : 0;
}
template <typename N>
FACET_HD inline N reciprocal(const N& a) {
  return chain(a, 1 / valueOf(a), -1 / (valueOf(a) * valueOf(a)));
}
template <typename N>
FACET_HD inline N squareRoot(const N& a) {
  const double root = sqrt(larger(valueOf(a), 0.0));
  return chain(a, root, root > 0 ? 0.5 / root : 0);
}

// Taps of a footprint in texels: they are spread evenly over a segment of length (longer - shorter axis),
// centred on the lookup and along the longer axis. N is double, or Dual for the derivatives.
template <typename N>
struct Taps {
  int count;
  N level, axis_s, axis_t;  // level before the bias; segment in texels

  FACET_HD Taps(const TextureSample& sample, int max_anisotropy) : count(1) {
    N s_x, s_y, t_x, t_y;
    setInput(sample.s_x, 0, &s_x);
    setInput(sample.s_y, 1, &s_y);
    setInput(sample.t_x, 2, &t_x);
    setInput(sample.t_y, 3, &t_y);
    setInput(-1e30, -1, &level);
    setInput(0, -1, &axis_s);
    setInput(0, -1, &axis_t);
    const N a = s_x * s_x + t_x * t_x, b = s_y * s_y + t_y * t_y, cross = s_x * s_y + t_x * t_y;
    const N half = 0.5 * (a - b);
    const N major = 0.5 * (a + b) + squareRoot(half * half + cross * cross);
    if (!(valueOf(major) > kSmallestFootprint)) return;
    const N determinant = s_x * t_y - s_y * t_x;
    const N longer = squareRoot(major);
    const N true_shorter = chain(determinant, fabs(valueOf(determinant)), valueOf(determinant) < 0 ? -1 : 1) *
                           reciprocal(longer);
    const N least = (1.0 / max_anisotropy) * longer;
    const N shorter = valueOf(true_shorter) > valueOf(least) ? true_shorter : least;
    level = chain(shorter, log2(valueOf(shorter)), 1 / (valueOf(shorter) * 0.69314718055994530942));
    constexpr double kRoundingSlack = 1e-4;  // a circle takes one tap
    const double ratio = valueOf(longer) / valueOf(shorter);
    count = smaller(larger(static_cast<int>(ceil(ratio - kRoundingSlack)), 1), max_anisotropy);
    if (count == 1) return;
    // The eigenvector of the larger eigenvalue of J Jᵀ, from the row that is farther from zero.
    const N p = s_x * s_x + s_y * s_y, q = t_x * t_x + t_y * t_y, r = s_x * t_x + s_y * t_y;
    const N e_s = valueOf(p) >= valueOf(q) ? major - q : r;
    const N e_t = valueOf(p) >= valueOf(q) ? r : major - p;
    const N scale = (longer - shorter) * reciprocal(squareRoot(e_s * e_s + e_t * e_t));
    axis_s = e_s * scale;
    axis_t = e_t * scale;
  }
};

// One tap of a pixel.
struct TapPosition {
  bool valid;
  float s, t;
  int face;
  float weight, offset;
  bool leaves;        // the face of a cube; then
  float jacobian[4];  // d(s, t) on the tap's face / d(s, t) on the pixel's, row by row
};
FACET_HD inline TapPosition placeTap(const TextureProblem& problem, const TextureSample& sample, int tap) {
  TapPosition out;
  out.valid = sample.valid;
  out.weight = 1 / static_cast<float>(sample.num_taps);
  out.offset =
      sample.num_taps > 1 ? static_cast<float>(tap) / static_cast<float>(sample.num_taps - 1) - 0.5F : 0;
  out.s = sample.s + out.offset * sample.axis_s;
  out.t = sample.t + out.offset * sample.axis_t;
  out.face = sample.face;
  out.leaves = problem.boundary == Boundary::kCube && !(out.s >= 0 && out.s <= 1 && out.t >= 0 && out.t <= 1);
  for (int k = 0; k < 4; ++k) out.jacobian[k] = 0;
  if (!out.leaves) return out;
  const CubeFace from = cubeFace(out.face);
  float direction[3];
  direction[from.s_axis] = from.s_sign * (2 * out.s - 1);
  direction[from.t_axis] = from.t_sign * (2 * out.t - 1);
  direction[from.major_axis] = from.major_sign;
  if (!projectToFace(direction, &out.face, &out.s, &out.t)) {
    out.valid = false;
    return out;
  }
  const CubeFace to = cubeFace(out.face);
  const float major = fabsf(direction[to.major_axis]);
  for (int k = 0; k < 2; ++k) {
    const int axis = k == 0 ? from.s_axis : from.t_axis;
    const float step = 2 * (k == 0 ? from.s_sign : from.t_sign);
    const float s_step = to.s_axis == axis ? step : 0, t_step = to.t_axis == axis ? step : 0;
    const float major_step = to.major_sign * (to.major_axis == axis ? step : 0);
    out.jacobian[k] = 0.5F * (to.s_sign * s_step - (2 * out.s - 1) * major_step) / major;
    out.jacobian[2 + k] = 0.5F * (to.t_sign * t_step - (2 * out.t - 1) * major_step) / major;
  }
  return out;
}

// Reads a pixel's coordinates, footprint and level. Pointers may be null where the call has no such image.
template <bool kAnisotropic>
FACET_HD inline TextureSample readSample(const TextureProblem& problem, const float* uv,
                                         const float* derivatives, const float* bias, const float* mask) {
  TextureSample sample;
  sample.valid = !mask || mask[3] != 0;
  sample.face = 0;
  sample.s = sample.t = sample.s_x = sample.s_y = sample.t_x = sample.t_y = 0;
  sample.base_level = 0;
  sample.fraction = 0;
  sample.moves = false;
  sample.num_taps = 1;
  sample.axis_s = sample.axis_t = 0;
  if (!sample.valid) return sample;
  const bool reads_footprint = problem.has_footprint;
  if (problem.boundary == Boundary::kCube) {
    sample.valid = projectToFace(uv, &sample.face, &sample.s, &sample.t);
    if (!sample.valid) return sample;
    if (reads_footprint) {
      const CubeFace f = cubeFace(sample.face);
      const float major = fabsf(uv[f.major_axis]), s = 2 * sample.s - 1, t = 2 * sample.t - 1;
      for (int k = 0; k < 2; ++k) {  // X, Y
        const float major_step = f.major_sign * derivatives[2 * f.major_axis + k];
        const float s_step = 0.5F * (f.s_sign * derivatives[2 * f.s_axis + k] - s * major_step) / major;
        const float t_step = 0.5F * (f.t_sign * derivatives[2 * f.t_axis + k] - t * major_step) / major;
        (k == 0 ? sample.s_x : sample.s_y) = s_step;
        (k == 0 ? sample.t_x : sample.t_y) = t_step;
      }
    }
  } else {
    sample.s = uv[0];
    sample.t = 1.0F - uv[1];
    if (reads_footprint) {
      sample.s_x = derivatives[0];
      sample.s_y = derivatives[1];
      sample.t_x = -derivatives[2];
      sample.t_y = -derivatives[3];
    }
  }
  if (!problem.mipmapped) return sample;

  float level = 0;
  if (reads_footprint) {
    const float width = static_cast<float>(problem.width), height = static_cast<float>(problem.height);
    constexpr float kLargest =
        1073741824.0F;  // 2^30 texels: beyond every texture, and its 4th power is finite
    const bool is_finite =
        isFinite(sample.s_x) && isFinite(sample.s_y) && isFinite(sample.t_x) && isFinite(sample.t_y);
    sample.s_x = is_finite ? smaller(larger(sample.s_x * width, -kLargest), kLargest) : 0;
    sample.s_y = is_finite ? smaller(larger(sample.s_y * width, -kLargest), kLargest) : 0;
    sample.t_x = is_finite ? smaller(larger(sample.t_x * height, -kLargest), kLargest) : 0;
    sample.t_y = is_finite ? smaller(larger(sample.t_y * height, -kLargest), kLargest) : 0;
    if (kAnisotropic) {
      const Taps<double> taps(sample, problem.max_anisotropy);
      sample.num_taps = taps.count;
      sample.axis_s = static_cast<float>(taps.axis_s / problem.width);
      sample.axis_t = static_cast<float>(taps.axis_t / problem.height);
      level = static_cast<float>(taps.level);
    } else {
      const FootprintAxes axes(sample.s_x, sample.s_y, sample.t_x, sample.t_y);
      level = axes.major > kSmallestFootprint ? 0.5F * logarithm2(axes.major) : -1e30F;
    }
  }
  if (problem.has_bias) level += *bias;
  const float top = static_cast<float>(problem.num_levels - 1);
  sample.moves = problem.trilinear && level > 0 && level < top;
  level = level > 0 ? level : 0;  // NaN too
  level = level < top ? level : top;
  sample.base_level = static_cast<int>(level);
  if (problem.trilinear) sample.fraction = level - static_cast<float>(sample.base_level);
  return sample;
}

// Gradients of one pixel, in texture units.
struct SampleGradient {
  float s, t, level;
  float axis_s, axis_t;
  float s_x, s_y, t_x, t_y;
};

// Chain rule from the level (and taps) to the footprint.
template <bool kAnisotropic>
FACET_HD inline void differentiateFootprint(const TextureProblem& problem, const TextureSample& sample,
                                            SampleGradient* grad) {
  grad->s_x = grad->s_y = grad->t_x = grad->t_y = 0;
  if (!sample.valid) return;
  if (kAnisotropic) {
    const Taps<Dual> taps(sample, problem.max_anisotropy);
    const double g_level = sample.moves ? grad->level : 0;
    const double g_s = grad->axis_s / problem.width, g_t = grad->axis_t / problem.height;
    double sum[4];
    for (int k = 0; k < 4; ++k)
      sum[k] = g_level * taps.level.d[k] + g_s * taps.axis_s.d[k] + g_t * taps.axis_t.d[k];
    grad->s_x = static_cast<float>(sum[0] * problem.width);
    grad->s_y = static_cast<float>(sum[1] * problem.width);
    grad->t_x = static_cast<float>(sum[2] * problem.height);
    grad->t_y = static_cast<float>(sum[3] * problem.height);
    return;
  }
  constexpr float kHalfPerLn2 = 0.7213475204F;
  const FootprintAxes axes(sample.s_x, sample.s_y, sample.t_x, sample.t_y);
  if (!(sample.moves && axes.major > kSmallestFootprint)) return;
  const float width = static_cast<float>(problem.width), height = static_cast<float>(problem.height);
  const float g = grad->level * kHalfPerLn2 / axes.major;
  // d major / d(a, b, cross). A circle has no longer axis: there the mean of both counts.
  const bool is_circle = axes.radius <= axes.major * 1e-6F;
  const float inverse = 1.0F / (is_circle ? 1.0F : axes.radius);
  const float skew = is_circle ? 0 : 0.25F * (axes.a - axes.b) * inverse;
  const float g_a = g * (0.5F + skew), g_b = g * (0.5F - skew);
  const float g_cross = is_circle ? 0 : g * axes.cross * inverse;
  grad->s_x = (2.0F * g_a * sample.s_x + g_cross * sample.s_y) * width;
  grad->s_y = (2.0F * g_b * sample.s_y + g_cross * sample.s_x) * width;
  grad->t_x = (2.0F * g_a * sample.t_x + g_cross * sample.t_y) * height;
  grad->t_y = (2.0F * g_b * sample.t_y + g_cross * sample.t_x) * height;
}

// Gradients of face coordinates and footprint to a direction and its derivatives.
struct DirectionGradient {
  double direction[3], derivative[6];
};
FACET_HD inline DirectionGradient differentiateDirection(const TextureSample& sample,
                                                         const SampleGradient& grad, const float* direction,
                                                         const float* derivatives) {
  DirectionGradient out;
  for (int k = 0; k < 3; ++k) out.direction[k] = 0;
  for (int k = 0; k < 6; ++k) out.derivative[k] = 0;
  if (!sample.valid) return out;
  const CubeFace f = cubeFace(sample.face);
  const double inverse_major = 1.0 / fabs(static_cast<double>(direction[f.major_axis]));
  const double s = 2.0 * sample.s - 1, t = 2.0 * sample.t - 1, half = 0.5 * inverse_major;
  double g_major = -half * (grad.s * s + grad.t * t);
  double g_s = half * grad.s, g_t = half * grad.t;
  if (derivatives) {
    for (int k = 0; k < 2; ++k) {
      const double major_step = f.major_sign * derivatives[2 * f.major_axis + k];
      const double s_step = f.s_sign * derivatives[2 * f.s_axis + k];
      const double t_step = f.t_sign * derivatives[2 * f.t_axis + k];
      const double g_s_step = k == 0 ? grad.s_x : grad.s_y, g_t_step = k == 0 ? grad.t_x : grad.t_y;
      if (g_s_step == 0 && g_t_step == 0) continue;
      out.derivative[2 * f.s_axis + k] += f.s_sign * half * g_s_step;
      out.derivative[2 * f.t_axis + k] += f.t_sign * half * g_t_step;
      out.derivative[2 * f.major_axis + k] -= f.major_sign * half * (s * g_s_step + t * g_t_step);
      g_s -= half * inverse_major * major_step * g_s_step;
      g_t -= half * inverse_major * major_step * g_t_step;
      g_major += half * inverse_major *
                 (g_s_step * (2 * s * major_step - s_step) + g_t_step * (2 * t * major_step - t_step));
    }
  }
  out.direction[f.s_axis] = f.s_sign * g_s;
  out.direction[f.t_axis] = f.t_sign * g_t;
  out.direction[f.major_axis] = f.major_sign * g_major;
  return out;
}

}  // namespace facet::ops::cuda
