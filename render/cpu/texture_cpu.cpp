// Texture lookup and its gradients, in strips of pixels: coordinates, footprints and levels eight pixels at a
// time, texels a pixel at a time with the channels side by side.
//
// Outputs: Laine et al., "Modular Primitives for High-Performance Differentiable Rendering", SIGGRAPH Asia
// 2020, section 3.5. Anisotropic taps: McCormack et al., "Feline: Fast Elliptical Lines for Anisotropic
// Texture Mapping", SIGGRAPH 1999. Cube faces: OpenGL 4.6 specification, table 8.19.
//
// The texture gradient is collected by destination. A first pass notes which runs of pixels read which band
// of texel rows; then every band is summed by one thread, in the order of the pixels. So the sums do not
// depend on the number of threads, and the notes take memory by the pixel, whatever the texture's size.

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <vector>

#include "core/parallel.h"
#include "render/ops/checks.h"
#include "render/ops/texture.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Vectors are passed between functions of this file only.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

namespace facet::ops {
namespace {

constexpr int kLanes = 8;
constexpr int kStrip = 128;                   // pixels worked on together; all their data stays in L1
constexpr int kPixelsPerChunk = 8192;         // work unit; fixed, so that results do not depend on threads
constexpr int kMaxAnisotropy = 64;            // graphics hardware stops at 16
constexpr float kSmallestFootprint = 1e-30F;  // squared, in texels; smaller ones count as 0

typedef float F4 __attribute__((vector_size(16)));
typedef float F8 __attribute__((vector_size(32)));
typedef std::int32_t I8 __attribute__((vector_size(32)));

// What a call does, apart from the images.
struct Problem {
  int width, height, channels, num_levels;  // of the texture
  int num_faces;                            // 6 for a cube, else 1
  Boundary boundary;
  bool nearest, mipmapped, trilinear;
  bool has_footprint, has_bias;
  int max_anisotropy;
};

// Pixels on their way through a lookup. The arrays are padded to whole vectors.
struct alignas(32) Strip {
  int count = 0;
  std::int32_t valid[kStrip + kLanes] = {};  // -1, or 0 = background or nowhere: no value, no gradient
  std::int32_t face[kStrip + kLanes] = {};
  float s[kStrip + kLanes] = {}, t[kStrip + kLanes] = {};  // right and down, in texture units
  // Footprint, (ds/dX, ds/dY, dt/dX, dt/dY): texture units as read, texels once measured.
  float s_x[kStrip + kLanes] = {}, s_y[kStrip + kLanes] = {};
  float t_x[kStrip + kLanes] = {}, t_y[kStrip + kLanes] = {};
  float bias[kStrip + kLanes] = {}, level[kStrip + kLanes] = {};
  // The level as it is used: the finer one and the weight of the next.
  std::int32_t base_level[kStrip + kLanes] = {}, next_level[kStrip + kLanes] = {};
  float fraction[kStrip + kLanes] = {};
  std::int32_t moves[kStrip + kLanes] = {};  // -1 where the level is inside of the stack: it has a gradient
  // Anisotropic taps lie on a segment of this vector around (s, t), in texture units.
  std::int32_t num_taps[kStrip + kLanes] = {};
  float axis_s[kStrip + kLanes] = {}, axis_t[kStrip + kLanes] = {};
  // Out: gradients, in texture units.
  float grad_s[kStrip + kLanes] = {}, grad_t[kStrip + kLanes] = {}, grad_level[kStrip + kLanes] = {};
  float grad_axis_s[kStrip + kLanes] = {}, grad_axis_t[kStrip + kLanes] = {};
  float grad_s_x[kStrip + kLanes] = {}, grad_s_y[kStrip + kLanes] = {};
  float grad_t_x[kStrip + kLanes] = {}, grad_t_y[kStrip + kLanes] = {};
};

constexpr std::int32_t kNothing = 0, kInterior = 1, kBorder = 2;

// Where one lookup per pixel of a strip reads one level.
struct alignas(32) Slot {
  std::int32_t kind[kStrip + kLanes];  // kNothing, kInterior: all texels exist side by side, kBorder: not so
  std::int32_t level[kStrip + kLanes], face[kStrip + kLanes];
  std::int32_t left[kStrip + kLanes], top[kStrip + kLanes];
  float right_weight[kStrip + kLanes], bottom_weight[kStrip + kLanes];
  float s_scale[kStrip + kLanes], t_scale[kStrip + kLanes];  // texels per texture unit, 0 where clamped
};

// The texture of one image.
struct LevelView {
  const float* data;
  std::int64_t row_stride, image_stride;  // image: from face to face
};
struct Workspace {
  LevelView levels[kMaxMipLevels];
  const float* zeros;      // C, the texel outside of a zero border
  float* corner_means[2];  // C each
};

// Texel rows of one face of a gradient level.
struct Tile {
  int face, row_begin, row_end;
  float* data;  // of row_begin
  std::int64_t row_stride;
};

int levelSize(int size, int level) { return std::max(size >> level, 1); }

// ---- Cube faces ----

struct CubeFace {
  int s_axis, t_axis, major_axis;
  float s_sign, t_sign, major_sign;
};
constexpr CubeFace kCubeFaces[6] = {{2, 1, 0, -1, -1, 1}, {2, 1, 0, 1, -1, -1}, {0, 2, 1, 1, 1, 1},
                                    {0, 2, 1, 1, -1, -1}, {0, 1, 2, 1, -1, 1},  {0, 1, 2, -1, -1, -1}};

// Face and coordinates in [0, 1] of a direction; false for one that points nowhere.
bool projectToFace(const float* direction, int* face, float* s, float* t) {
  const float x = std::abs(direction[0]), y = std::abs(direction[1]), z = std::abs(direction[2]);
  const int axis = z > std::max(x, y) ? 2 : y > x ? 1 : 0;
  const float major = std::abs(direction[axis]);
  constexpr float kLargest = 3.402823466e38F, kSmallest = 1.175494351e-38F;
  if (!(x <= kLargest && y <= kLargest && z <= kLargest && major >= kSmallest)) return false;
  *face = 2 * axis + (direction[axis] < 0 ? 1 : 0);
  const CubeFace& f = kCubeFaces[*face];
  *s = 0.5F + 0.5F * (f.s_sign * direction[f.s_axis] / major);
  *t = 0.5F + 0.5F * (f.t_sign * direction[f.t_axis] / major);
  return true;
}

// The texel beyond exactly one edge of a face lies on the neighbour, half a texel from their common edge.
void crossEdge(int size, int* face, int* column, int* row) {
  const CubeFace& f = kCubeFaces[*face];
  const auto coordinate = [&](int index) {
    if (index < 0) return -1.0F;
    if (index >= size) return 1.0F;
    return (2 * static_cast<float>(index) + 1) / static_cast<float>(size) - 1;
  };
  float point[3];
  point[f.s_axis] = f.s_sign * coordinate(*column);
  point[f.t_axis] = f.t_sign * coordinate(*row);
  point[f.major_axis] = f.major_sign * (1 - 1 / static_cast<float>(size));
  float s, t;
  projectToFace(point, face, &s, &t);
  *column = std::min(static_cast<int>(s * static_cast<float>(size)), size - 1);
  *row = std::min(static_cast<int>(t * static_cast<float>(size)), size - 1);
}

// ---- Lookups across a border ----

struct Corner {
  bool exists;
  int face, row, column;
};

// Texel index under a boundary rule; -1 = the black border of kZero.
int texelIndex(int index, int size, Boundary boundary) {
  if (index >= 0 && index < size) return index;
  if (boundary == Boundary::kZero) return -1;
  if (boundary == Boundary::kWrap) return index < 0 ? (size - 1 - (-1 - index) % size) : index % size;
  return index < 0 ? 0 : size - 1;
}

// The texels of a lookup and their weights. Those of the missing corner of a cube go to the other three.
// Returns which one is missing, or -1.
int findCorners(const Problem& problem, const Slot& slot, int i, Corner* corners, float* weights) {
  const int width = levelSize(problem.width, slot.level[i]),
            height = levelSize(problem.height, slot.level[i]);
  const float right = slot.right_weight[i], bottom = slot.bottom_weight[i];
  const bool is_cube = problem.boundary == Boundary::kCube;
  int missing = -1;
  for (int k = 0; k < 4; ++k) {
    const int column = slot.left[i] + (k & 1), row = slot.top[i] + (k >> 1);
    const bool column_exists = column >= 0 && column < width, row_exists = row >= 0 && row < height;
    Corner& corner = corners[k];
    corner = {!problem.nearest || k == 0, slot.face[i], row, column};
    weights[k] = problem.nearest ? 1 : (k & 1 ? right : 1 - right) * (k & 2 ? bottom : 1 - bottom);
    if (is_cube && !problem.nearest) {
      if (!column_exists && !row_exists) {
        corner.exists = false;
        missing = k;
      } else if (!column_exists || !row_exists) {
        crossEdge(width, &corner.face, &corner.column, &corner.row);
      }
      continue;
    }
    corner.column = texelIndex(column, width, problem.boundary);
    corner.row = texelIndex(row, height, problem.boundary);
    if (corner.column < 0 || corner.row < 0) corner.exists = false;
  }
  if (missing >= 0) {
    for (int k = 0; k < 4; ++k) {
      if (k != missing) weights[k] += weights[missing] / 3;
    }
  }
  return missing;
}

void findBorderTexels(const Problem& problem, const Slot& slot, int i, const Workspace& workspace,
                      float* corner_mean, const float** texels) {
  Corner corners[4];
  float weights[4];
  const int missing = findCorners(problem, slot, i, corners, weights);
  const LevelView& view = workspace.levels[slot.level[i]];
  for (int k = 0; k < 4; ++k) {
    texels[k] = corners[k].exists
                    ? view.data + corners[k].face * view.image_stride + corners[k].row * view.row_stride +
                          std::int64_t{corners[k].column} * problem.channels
                    : workspace.zeros;
  }
  if (missing < 0) return;
  for (int c = 0; c < problem.channels; ++c) {
    float total = 0;
    for (int k = 0; k < 4; ++k) total += k == missing ? 0 : texels[k][c];
    corner_mean[c] = total / 3;
  }
  texels[missing] = corner_mean;
}

// ---- The two instruction sets ----

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FACET_HAS_AVX2_KERNEL 1
#define FACET_KERNEL_AVX2 1
#pragma GCC push_options
#pragma GCC target("avx2")
namespace avx2 {
#include "render/cpu/texture_kernel.h"
}  // namespace avx2
#pragma GCC pop_options
#undef FACET_KERNEL_AVX2
#endif
#define FACET_KERNEL_AVX2 0
namespace baseline {
#include "render/cpu/texture_kernel.h"
}  // namespace baseline

// The functions of one instruction set, for one number of channels.
struct Kernel {
  decltype(&baseline::readCoordinates) readCoordinates;
  decltype(&baseline::readFootprints) readFootprints;
  decltype(&baseline::measureFootprints) measureFootprints;
  decltype(&baseline::chooseLevels) chooseLevels;
  decltype(&baseline::locate) locate;
  decltype(&baseline::differentiateFootprints) differentiateFootprints;
  decltype(&baseline::gather<0>) gather;
  decltype(&baseline::differentiate<0>) differentiate;
  decltype(&baseline::scatter<0>) scatter;
};

#define FACET_KERNEL(set, channels)                                                                         \
  Kernel {                                                                                                  \
    &set::readCoordinates, &set::readFootprints, &set::measureFootprints, &set::chooseLevels, &set::locate, \
        &set::differentiateFootprints, &set::gather<channels>, &set::differentiate<channels>,               \
        &set::scatter<channels>                                                                             \
  }
#define FACET_KERNELS(set)                                                                  \
  {                                                                                         \
    FACET_KERNEL(set, 0), FACET_KERNEL(set, 1), FACET_KERNEL(set, 3), FACET_KERNEL(set, 4), \
        FACET_KERNEL(set, 16)                                                               \
  }

const Kernel& kernelFor(int channels) {
  static const Kernel kBaseline[] = FACET_KERNELS(baseline);
  const Kernel* kernels = kBaseline;
#if defined(FACET_HAS_AVX2_KERNEL)
  static const Kernel kAvx2[] = FACET_KERNELS(avx2);
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2) kernels = kAvx2;
#endif
  switch (channels) {
    case 1:
      return kernels[1];
    case 3:
      return kernels[2];
    case 4:
      return kernels[3];
    case 16:
      return kernels[4];
    default:
      return kernels[0];
  }
}

// ---- Anisotropic footprints ----

// A number with its derivatives with respect to the four entries of a footprint.
struct Dual {
  double value = 0;
  double d[4] = {0, 0, 0, 0};

  static Dual input(double value, int index) {
    Dual x;
    x.value = value;
    x.d[index] = 1;
    return x;
  }
  // f(x), given f and f' at x.
  Dual chain(double f, double slope) const {
    Dual y;
    y.value = f;
    for (int k = 0; k < 4; ++k) y.d[k] = slope * d[k];
    return y;
  }
};
Dual operator+(const Dual& a, const Dual& b) {
  Dual c;
  c.value = a.value + b.value;
  for (int k = 0; k < 4; ++k) c.d[k] = a.d[k] + b.d[k];
  return c;
}
Dual operator*(double a, const Dual& b) { return b.chain(a * b.value, a); }
Dual operator-(const Dual& a, const Dual& b) { return a + -1.0 * b; }
Dual operator*(const Dual& a, const Dual& b) {
  Dual c;
  c.value = a.value * b.value;
  for (int k = 0; k < 4; ++k) c.d[k] = a.d[k] * b.value + a.value * b.d[k];
  return c;
}
Dual inverse(const Dual& a) { return a.chain(1 / a.value, -1 / (a.value * a.value)); }
Dual squareRoot(const Dual& a) {
  const double root = std::sqrt(std::max(a.value, 0.0));
  return a.chain(root, root > 0 ? 0.5 / root : 0);
}
Dual logarithm2(const Dual& a) { return a.chain(std::log2(a.value), 1 / (a.value * std::log(2.0))); }

// Taps of a footprint in texels: they are spread evenly over a segment of length (longer - shorter axis),
// centred on the lookup and along the longer axis.
struct Taps {
  int count = 1;
  Dual level, axis_s, axis_t;  // level before the bias; segment in texels

  Taps(const Strip& strip, int i, int max_anisotropy) {
    const Dual s_x = Dual::input(strip.s_x[i], 0), s_y = Dual::input(strip.s_y[i], 1);
    const Dual t_x = Dual::input(strip.t_x[i], 2), t_y = Dual::input(strip.t_y[i], 3);
    const Dual a = s_x * s_x + t_x * t_x, b = s_y * s_y + t_y * t_y, cross = s_x * s_y + t_x * t_y;
    const Dual half = 0.5 * (a - b);
    const Dual major = 0.5 * (a + b) + squareRoot(half * half + cross * cross);
    level.value = -1e30;
    if (!(major.value > kSmallestFootprint)) return;
    const Dual determinant = s_x * t_y - s_y * t_x;
    const Dual longer = squareRoot(major);
    const Dual true_shorter =
        determinant.chain(std::abs(determinant.value), determinant.value < 0 ? -1 : 1) * inverse(longer);
    const Dual least = (1.0 / max_anisotropy) * longer;
    const Dual shorter = true_shorter.value > least.value ? true_shorter : least;
    level = logarithm2(shorter);
    constexpr double kRoundingSlack = 1e-4;  // a circle takes one tap
    const double ratio = longer.value / shorter.value;
    count = std::clamp(static_cast<int>(std::ceil(ratio - kRoundingSlack)), 1, max_anisotropy);
    if (count == 1) return;
    // The eigenvector of the larger eigenvalue of J Jᵀ, from the row that is farther from zero.
    const Dual p = s_x * s_x + s_y * s_y, q = t_x * t_x + t_y * t_y, r = s_x * t_x + s_y * t_y;
    const Dual e_s = p.value >= q.value ? major - q : r;
    const Dual e_t = p.value >= q.value ? r : major - p;
    const Dual scale = (longer - shorter) * inverse(squareRoot(e_s * e_s + e_t * e_t));
    axis_s = e_s * scale;
    axis_t = e_t * scale;
  }
};

void chooseTaps(const Problem& problem, Strip* strip) {
  for (int i = 0; i < strip->count; ++i) {
    strip->num_taps[i] = 1;
    if (!strip->valid[i]) continue;
    const Taps taps(*strip, i, problem.max_anisotropy);
    strip->num_taps[i] = taps.count;
    strip->level[i] = static_cast<float>(taps.level.value);
    strip->axis_s[i] = static_cast<float>(taps.axis_s.value / problem.width);
    strip->axis_t[i] = static_cast<float>(taps.axis_t.value / problem.height);
  }
}

void differentiateTaps(const Problem& problem, Strip* strip) {
  for (int i = 0; i < strip->count; ++i) {
    double sum[4] = {0, 0, 0, 0};
    if (strip->valid[i]) {
      const Taps taps(*strip, i, problem.max_anisotropy);
      const double g_level = strip->moves[i] ? strip->grad_level[i] : 0;
      const double g_s = strip->grad_axis_s[i] / problem.width, g_t = strip->grad_axis_t[i] / problem.height;
      for (int k = 0; k < 4; ++k)
        sum[k] = g_level * taps.level.d[k] + g_s * taps.axis_s.d[k] + g_t * taps.axis_t.d[k];
    }
    strip->grad_s_x[i] = static_cast<float>(sum[0] * problem.width);
    strip->grad_s_y[i] = static_cast<float>(sum[1] * problem.width);
    strip->grad_t_x[i] = static_cast<float>(sum[2] * problem.height);
    strip->grad_t_y[i] = static_cast<float>(sum[3] * problem.height);
  }
}

// One tap of every pixel of a strip.
struct alignas(32) TapPositions {
  float s[kStrip + kLanes] = {}, t[kStrip + kLanes] = {};
  std::int32_t face[kStrip + kLanes] = {}, valid[kStrip + kLanes] = {};
  float weight[kStrip + kLanes] = {}, offset[kStrip + kLanes] = {};
  // d(s, t) on the tap's face / d(s, t) on the pixel's, row by row; only of taps that left a cube's face.
  bool leaves[kStrip + kLanes] = {};
  float jacobian[kStrip + kLanes][4];

  void place(const Problem& problem, const Strip& strip, int tap) {
    for (int i = 0; i < strip.count; ++i) {
      const int count = strip.num_taps[i];
      valid[i] = tap < count ? strip.valid[i] : 0;
      if (!valid[i]) continue;
      weight[i] = 1 / static_cast<float>(count);
      offset[i] = count > 1 ? static_cast<float>(tap) / static_cast<float>(count - 1) - 0.5F : 0;
      s[i] = strip.s[i] + offset[i] * strip.axis_s[i];
      t[i] = strip.t[i] + offset[i] * strip.axis_t[i];
      face[i] = strip.face[i];
      leaves[i] = problem.boundary == Boundary::kCube && !(s[i] >= 0 && s[i] <= 1 && t[i] >= 0 && t[i] <= 1);
      if (leaves[i]) enterNeighbour(i);
    }
  }

 private:
  void enterNeighbour(int i) {
    const CubeFace& from = kCubeFaces[face[i]];
    float direction[3];
    direction[from.s_axis] = from.s_sign * (2 * s[i] - 1);
    direction[from.t_axis] = from.t_sign * (2 * t[i] - 1);
    direction[from.major_axis] = from.major_sign;
    if (!projectToFace(direction, &face[i], &s[i], &t[i])) {
      valid[i] = 0;
      return;
    }
    const CubeFace& to = kCubeFaces[face[i]];
    const float major = std::abs(direction[to.major_axis]);
    const float step[2][3] = {{from.s_axis == 0 ? 2 * from.s_sign : 0, from.s_axis == 1 ? 2 * from.s_sign : 0,
                               from.s_axis == 2 ? 2 * from.s_sign : 0},
                              {from.t_axis == 0 ? 2 * from.t_sign : 0, from.t_axis == 1 ? 2 * from.t_sign : 0,
                               from.t_axis == 2 ? 2 * from.t_sign : 0}};
    for (int k = 0; k < 2; ++k) {
      const float major_step = to.major_sign * step[k][to.major_axis];
      jacobian[i][k] = 0.5F * (to.s_sign * step[k][to.s_axis] - (2 * s[i] - 1) * major_step) / major;
      jacobian[i][2 + k] = 0.5F * (to.t_sign * step[k][to.t_axis] - (2 * t[i] - 1) * major_step) / major;
    }
  }
};

// ---- Reading and writing the images of a call ----

template <typename T>
T* pixel(const ImagesT<T>& images, int image, int y, int x) {
  return images.present() ? images.data + image * images.image_stride + y * images.row_stride +
                                std::int64_t{x} * images.channels
                          : nullptr;
}

// s, t and footprint of cube directions, as Kernel::readCoordinates and readFootprints.
void readDirections(const float* directions, const float* mask, int count, int begin, Strip* strip) {
  for (int i = 0; i < count; ++i) {
    const int to = begin + i;
    const bool covered = !mask || mask[4 * i + 3] != 0;
    strip->valid[to] =
        covered && projectToFace(directions + 3 * i, &strip->face[to], &strip->s[to], &strip->t[to]) ? -1 : 0;
  }
  std::fill_n(strip->valid + begin + count, kLanes, 0);
}

void readDirectionFootprints(const float* directions, const float* derivatives, int count, int begin,
                             Strip* strip) {
  for (int i = 0; i < count; ++i, directions += 3, derivatives += 6) {
    const int to = begin + i;
    strip->s_x[to] = strip->s_y[to] = strip->t_x[to] = strip->t_y[to] = 0;
    if (!strip->valid[to]) continue;
    const CubeFace& f = kCubeFaces[strip->face[to]];
    const float major = std::abs(directions[f.major_axis]);
    const float s = 2 * strip->s[to] - 1, t = 2 * strip->t[to] - 1;
    for (int k = 0; k < 2; ++k) {  // X, Y
      const float major_step = f.major_sign * derivatives[2 * f.major_axis + k];
      const float s_step = 0.5F * (f.s_sign * derivatives[2 * f.s_axis + k] - s * major_step) / major;
      const float t_step = 0.5F * (f.t_sign * derivatives[2 * f.t_axis + k] - t * major_step) / major;
      (k == 0 ? strip->s_x : strip->s_y)[to] = s_step;
      (k == 0 ? strip->t_x : strip->t_y)[to] = t_step;
    }
  }
}

// Gradients of face coordinates and footprint to the direction and its derivatives; either may be null.
void writeDirectionGradients(const Strip& strip, const float* directions, const float* derivatives,
                             float* grad_directions, float* grad_derivatives) {
  for (int i = 0; i < strip.count; ++i) {
    double g_direction[3] = {0, 0, 0}, g_derivative[6] = {0, 0, 0, 0, 0, 0};
    if (strip.valid[i]) {
      const CubeFace& f = kCubeFaces[strip.face[i]];
      const float* const direction = directions + 3 * i;
      const double inverse_major = 1.0 / std::abs(direction[f.major_axis]);
      const double s = 2.0 * strip.s[i] - 1, t = 2.0 * strip.t[i] - 1;
      const double half = 0.5 * inverse_major;
      double g_major = -half * (strip.grad_s[i] * s + strip.grad_t[i] * t);
      double g_s = half * strip.grad_s[i], g_t = half * strip.grad_t[i];
      if (derivatives) {
        for (int k = 0; k < 2; ++k) {
          const double major_step = f.major_sign * derivatives[6 * i + 2 * f.major_axis + k];
          const double s_step = f.s_sign * derivatives[6 * i + 2 * f.s_axis + k];
          const double t_step = f.t_sign * derivatives[6 * i + 2 * f.t_axis + k];
          const double g_s_step = k == 0 ? strip.grad_s_x[i] : strip.grad_s_y[i];
          const double g_t_step = k == 0 ? strip.grad_t_x[i] : strip.grad_t_y[i];
          if (g_s_step == 0 && g_t_step == 0) continue;
          // s_step(texture) = (s_step - s major_step) / (2 major), where s = s-coordinate / major.
          g_derivative[2 * f.s_axis + k] += f.s_sign * half * g_s_step;
          g_derivative[2 * f.t_axis + k] += f.t_sign * half * g_t_step;
          g_derivative[2 * f.major_axis + k] -= f.major_sign * half * (s * g_s_step + t * g_t_step);
          g_s -= half * inverse_major * major_step * g_s_step;
          g_t -= half * inverse_major * major_step * g_t_step;
          g_major += half * inverse_major *
                     (g_s_step * (2 * s * major_step - s_step) + g_t_step * (2 * t * major_step - t_step));
        }
      }
      g_direction[f.s_axis] = f.s_sign * g_s;
      g_direction[f.t_axis] = f.t_sign * g_t;
      g_direction[f.major_axis] = f.major_sign * g_major;
    }
    for (int k = 0; k < 3 && grad_directions; ++k)
      grad_directions[3 * i + k] = static_cast<float>(g_direction[k]);
    for (int k = 0; k < 6 && grad_derivatives; ++k)
      grad_derivatives[6 * i + k] = static_cast<float>(g_derivative[k]);
  }
}

// Everything about one call that its loops share.
class Lookup {
 public:
  explicit Lookup(const TextureParams& params)
      : params_(params), kernel_(kernelFor(params.texture.levels[0].channels)) {
    const ConstImages& base = params.texture.levels[0];
    const Filter filter = params.filter;
    problem_.width = base.width;
    problem_.height = base.height;
    problem_.channels = base.channels;
    problem_.num_levels = params.texture.num_levels;
    problem_.num_faces = params.boundary == Boundary::kCube ? 6 : 1;
    problem_.boundary = params.boundary;
    problem_.nearest = filter == Filter::kNearest;
    problem_.mipmapped = filter == Filter::kLinearMipmapNearest || filter == Filter::kLinearMipmapLinear;
    problem_.trilinear = filter == Filter::kLinearMipmapLinear;
    problem_.has_footprint = problem_.mipmapped && params.uv_derivatives.present();
    problem_.has_bias = problem_.mipmapped && params.level_bias.present();
    problem_.max_anisotropy = params.max_anisotropy;
    zeros_.assign(static_cast<std::size_t>(base.channels), 0);
    rows_per_chunk_ = std::max(1, kPixelsPerChunk / std::max(params.uv.width, 1));
    chunks_per_image_ = (params.uv.height + rows_per_chunk_ - 1) / rows_per_chunk_;
  }

  const Problem& problem() const { return problem_; }
  const Kernel& kernel() const { return kernel_; }
  int rowsPerChunk() const { return rows_per_chunk_; }
  int chunksPerImage() const { return chunks_per_image_; }
  int numChunks() const { return params_.uv.num_images * chunks_per_image_; }
  int width() const { return params_.uv.width; }

  // Whether all images read the same texture.
  bool isShared() const {
    const ConstImages& base = params_.texture.levels[0];
    return base.num_images == problem_.num_faces || base.image_stride == 0;
  }

  // The texture of an image, with room for the corners of a cube in `corner_means` (2 C).
  Workspace workspace(int image, std::vector<float>* corner_means) const {
    corner_means->resize(2 * static_cast<std::size_t>(problem_.channels));
    Workspace result = {};
    for (int l = 0; l < problem_.num_levels; ++l) {
      const ConstImages& level = params_.texture.levels[l];
      result.levels[l] = {level.data + (isShared() ? 0 : image * problem_.num_faces * level.image_stride),
                          level.row_stride, level.image_stride};
    }
    result.zeros = zeros_.data();
    result.corner_means[0] = corner_means->data();
    result.corner_means[1] = corner_means->data() + problem_.channels;
    return result;
  }

  // Appends pixels [x, x + count) of a row to the strip.
  void append(int image, int y, int x, int count, bool masked, Strip* strip) const {
    const float* const mask = masked ? pixel(params_.mask, image, y, x) : nullptr;
    const float* const uv = pixel(params_.uv, image, y, x);
    const float* const derivatives =
        problem_.has_footprint ? pixel(params_.uv_derivatives, image, y, x) : nullptr;
    const int begin = strip->count;
    if (problem_.boundary == Boundary::kCube) {
      readDirections(uv, mask, count, begin, strip);
      if (derivatives) readDirectionFootprints(uv, derivatives, count, begin, strip);
    } else {
      kernel_.readCoordinates(uv, mask, count, begin, strip);
      if (derivatives) kernel_.readFootprints(derivatives, count, begin, strip);
    }
    if (problem_.has_bias) {
      const float* const bias = pixel(params_.level_bias, image, y, x);
      std::copy_n(bias, count, strip->bias + begin);
    }
    strip->count += count;
  }

  // Levels (and taps) of the strip's pixels.
  void finish(Strip* strip) const {
    if (!problem_.mipmapped) return;
    if (problem_.has_footprint) kernel_.measureFootprints(problem_, strip);
    if (isAnisotropic()) chooseTaps(problem_, strip);
    kernel_.chooseLevels(problem_, strip);
  }

  bool isAnisotropic() const { return problem_.max_anisotropy > 1; }

  // Coordinates of one lookup per pixel of a strip.
  struct Coordinates {
    const float *s, *t;
    const std::int32_t *face, *valid;
    const TapPositions* taps;  // null unless the lookup is anisotropic
  };

  // Calls work(coordinates) for every lookup of the strip.
  template <typename Work>
  void forEachTap(const Strip& strip, const Work& work) const {
    if (!isAnisotropic()) {
      work(Coordinates{strip.s, strip.t, strip.face, strip.valid, nullptr});
      return;
    }
    TapPositions taps;
    const int most = *std::max_element(strip.num_taps, strip.num_taps + strip.count);
    for (int tap = 0; tap < most; ++tap) {
      taps.place(problem_, strip, tap);
      work(Coordinates{taps.s, taps.t, taps.face, taps.valid, &taps});
    }
  }

  // The finer level of every pixel and, where one blends, the next. With `for_gradients` that one is also
  // there where its weight is 0 but the level has a gradient. Returns whether any pixel reads the second
  // slot.
  bool locateLevels(const Strip& strip, const Coordinates& at, bool for_gradients, Slot* first,
                    Slot* second) const {
    kernel_.locate(problem_, strip.count, at.s, at.t, at.face, strip.base_level, at.valid, first);
    if (!problem_.trilinear) return false;
    alignas(32) std::int32_t next_valid[kStrip + kLanes] = {};
    bool blends = false;
    for (int i = 0; i < strip.count; ++i) {
      const bool reads = strip.fraction[i] > 0 || (for_gradients && strip.moves[i]);
      next_valid[i] = reads ? at.valid[i] : 0;
      blends |= next_valid[i] != 0;
    }
    if (blends)
      kernel_.locate(problem_, strip.count, at.s, at.t, at.face, strip.next_level, next_valid, second);
    return blends;
  }

  // One level only, with its weight in each pixel's value. Returns whether there is any.
  bool locateLevel(const Strip& strip, const Coordinates& at, int level, Slot* slot, float* weights) const {
    alignas(32) std::int32_t levels[kStrip + kLanes], valid[kStrip + kLanes] = {};
    std::fill_n(levels, kStrip + kLanes, level);
    bool any = false;
    for (int i = 0; i < strip.count; ++i) {
      weights[i] = strip.base_level[i] == level       ? 1 - strip.fraction[i]
                   : strip.base_level[i] + 1 == level ? strip.fraction[i]
                                                      : 0;
      valid[i] = weights[i] != 0 ? at.valid[i] : 0;
      if (at.taps) weights[i] *= at.taps->weight[i];
      any |= valid[i] != 0;
    }
    if (any) kernel_.locate(problem_, strip.count, at.s, at.t, at.face, levels, valid, slot);
    return any;
  }

 private:
  const TextureParams& params_;
  const Kernel& kernel_;
  Problem problem_ = {};
  std::vector<float> zeros_;
  int rows_per_chunk_ = 1, chunks_per_image_ = 0;
};

// ---- Which pixels touch which texel rows ----

// Bands of texel rows of all levels and faces of one texture.
class Bands {
 public:
  Bands(const Problem& problem, std::size_t tile_channels) : problem_(problem) {
    for (int l = 0; l < problem.num_levels; ++l) {
      const int rows = levelSize(problem.height, l);
      const std::size_t row_bytes = levelSize(problem.width, l) * tile_channels * sizeof(float);
      int shift = 4;  // 16 rows: 1 pixel in 16 touches two bands
      while (shift > 1 && (rows >> shift) < kBandsPerLevel) --shift;
      while (shift > 1 && (row_bytes << shift) > kMaxTileBytes) --shift;
      shift_[l] = shift;
      first_[l] = count_;
      per_face_[l] = ((rows - 1) >> shift) + 1;
      count_ += per_face_[l] * problem.num_faces;
    }
  }

  int count() const { return count_; }
  int band(int level, int face, int row) const {
    return first_[level] + face * per_face_[level] + (row >> shift_[level]);
  }
  // Level and rows of a band; the tile's memory is left out.
  Tile tile(int band, int* level) const {
    *level = problem_.num_levels - 1;
    while (band < first_[*level]) --*level;
    const int face = (band - first_[*level]) / per_face_[*level];
    const int row = ((band - first_[*level]) % per_face_[*level]) << shift_[*level];
    return {face, row, std::min(row + (1 << shift_[*level]), levelSize(problem_.height, *level)), nullptr, 0};
  }

 private:
  static constexpr int kBandsPerLevel = 32;                // work for many threads
  static constexpr std::size_t kMaxTileBytes = 512 << 10;  // half of a common L2
  const Problem& problem_;
  int count_ = 0;
  int first_[kMaxMipLevels], per_face_[kMaxMipLevels], shift_[kMaxMipLevels];
};

// Pixels [begin, end) of a chunk, counted row by row with one number left out between rows.
struct Run {
  std::int32_t band, begin, end;
};

// Runs of one chunk, by band and in the order of the pixels within each.
struct SortedRuns {
  std::vector<Run> runs;
  std::vector<std::int32_t> begin;  // bands + 1
};

// Collects the runs of one chunk, a strip at a time.
class RunCollector {
 public:
  explicit RunCollector(int num_bands) : bands_(static_cast<std::size_t>(num_bands)) {}

  // Pixel i of the current strip touches a band, for the first or another time.
  void touch(int band, int i) {
    BandState& state = bands_[static_cast<std::size_t>(band)];
    if (!state.is_touched) {
      state.is_touched = true;
      touched_.push_back(band);
    }
    state.pixels[i / 64] |= std::uint64_t{1} << (i % 64);
  }

  void endStrip(std::int32_t first_pixel) {
    for (const int band : touched_) {
      BandState& state = bands_[static_cast<std::size_t>(band)];
      for (int word = 0; word < kWords; ++word) {
        std::uint64_t rest = state.pixels[word];
        while (rest != 0) {
          const int begin = __builtin_ctzll(rest);
          const std::uint64_t holes = ~(rest >> begin);
          const int length = holes == 0 ? 64 : __builtin_ctzll(holes);
          append(band, first_pixel + 64 * word + begin, length);
          rest = begin + length < 64 ? rest & (~std::uint64_t{0} << (begin + length)) : 0;
        }
        state.pixels[word] = 0;
      }
      state.is_touched = false;
    }
    touched_.clear();
  }

  SortedRuns sorted() const {
    SortedRuns result;
    result.begin.assign(bands_.size() + 1, 0);
    for (const Run& run : runs_) ++result.begin[static_cast<std::size_t>(run.band) + 1];
    for (std::size_t band = 0; band < bands_.size(); ++band) result.begin[band + 1] += result.begin[band];
    result.runs.resize(runs_.size());
    std::vector<std::int32_t> next(result.begin.begin(), result.begin.end() - 1);
    for (const Run& run : runs_)
      result.runs[static_cast<std::size_t>(next[static_cast<std::size_t>(run.band)]++)] = run;
    return result;
  }

 private:
  static constexpr int kWords = kStrip / 64;
  struct BandState {
    std::uint64_t pixels[kWords] = {};  // of the current strip, a bit each
    bool is_touched = false;
    std::size_t last_run = 0;
    std::int32_t end = -1;  // of the last run
  };

  void append(int band, std::int32_t begin, int length) {
    BandState& state = bands_[static_cast<std::size_t>(band)];
    if (state.end == begin) {
      runs_[state.last_run].end += length;
    } else {
      state.last_run = runs_.size();
      runs_.push_back({band, begin, begin + length});
    }
    state.end = begin + length;
  }

  std::vector<BandState> bands_;
  std::vector<int> touched_;
  std::vector<Run> runs_;
};

void touchSlot(const Problem& problem, const Bands& bands, const Slot& slot, const Strip& strip,
               bool is_second, RunCollector* collector) {
  for (int i = 0; i < strip.count; ++i) {
    if (slot.kind[i] == kNothing || (is_second && !(strip.fraction[i] > 0))) continue;
    const int level = slot.level[i], face = slot.face[i];
    if (slot.kind[i] == kInterior) {
      const int upper = bands.band(level, face, slot.top[i]);
      collector->touch(upper, i);
      if (problem.nearest) continue;
      const int lower = bands.band(level, face, slot.top[i] + 1);
      if (lower != upper) collector->touch(lower, i);
      continue;
    }
    Corner corners[4];
    float weights[4];
    findCorners(problem, slot, i, corners, weights);
    for (const Corner& corner : corners) {
      if (corner.exists) collector->touch(bands.band(level, corner.face, corner.row), i);
    }
  }
}

// ---- Backward ----

class Backward {
 public:
  explicit Backward(const TextureBackwardParams& params)
      : params_(params),
        lookup_(params.forward),
        problem_(lookup_.problem()),
        tile_channels_(problem_.channels == 3 ? 4 : problem_.channels),
        bands_(problem_, static_cast<std::size_t>(tile_channels_)),
        wants_texture_(params.grad_texture.num_levels > 0),
        wants_coordinates_(params.grad_uv.present() || params.grad_uv_derivatives.present() ||
                           params.grad_level_bias.present()) {}

  void run() {
    if (wants_texture_) chunks_.resize(static_cast<std::size_t>(lookup_.numChunks()));
    parallelFor(lookup_.numChunks(), 1, [&](int begin, int end) {
      for (int chunk = begin; chunk < end; ++chunk) visitPixels(chunk);
    });
    if (!wants_texture_) return;
    const int num_textures = lookup_.isShared() ? 1 : params_.forward.uv.num_images;
    parallelFor(num_textures * bands_.count(), 1, [&](int begin, int end) {
      for (int i = begin; i < end; ++i) sumBand(i / bands_.count(), i % bands_.count());
    });
  }

 private:
  // First pass: gradients of the coordinates, and which bands the pixels touch.
  void visitPixels(int chunk) {
    const int image = chunk / lookup_.chunksPerImage();
    const int y_begin = chunk % lookup_.chunksPerImage() * lookup_.rowsPerChunk();
    const int y_end = std::min(y_begin + lookup_.rowsPerChunk(), params_.forward.uv.height);
    RunCollector collector(wants_texture_ ? bands_.count() : 0);
    std::vector<float> corner_means;
    const Workspace workspace = lookup_.workspace(image, &corner_means);
    Strip strip;
    for (int y = y_begin; y < y_end; ++y) {
      for (int x = 0; x < lookup_.width(); x += kStrip) {
        strip.count = 0;
        lookup_.append(image, y, x, std::min(kStrip, lookup_.width() - x), true, &strip);
        lookup_.finish(&strip);
        const bool differentiates = wants_coordinates_ && !problem_.nearest;
        if (differentiates || wants_texture_) {
          visitTaps(workspace, pixel(params_.grad_out, image, y, x), differentiates, &strip, &collector);
        }
        if (wants_texture_) collector.endStrip((y - y_begin) * (lookup_.width() + 1) + x);
        if (wants_coordinates_) writeGradients(image, y, x, &strip);
      }
    }
    if (wants_texture_) chunks_[static_cast<std::size_t>(chunk)] = collector.sorted();
  }

  void visitTaps(const Workspace& workspace, const float* grad_out, bool differentiates, Strip* strip,
                 RunCollector* collector) {
    const bool is_anisotropic = lookup_.isAnisotropic();
    if (is_anisotropic && differentiates) {
      for (float* const sum :
           {strip->grad_s, strip->grad_t, strip->grad_level, strip->grad_axis_s, strip->grad_axis_t}) {
        std::fill_n(sum, strip->count, 0.0F);
      }
    }
    Slot first, next;
    lookup_.forEachTap(*strip, [&](const Lookup::Coordinates& at) {
      const Slot* const second =
          lookup_.locateLevels(*strip, at, differentiates, &first, &next) ? &next : nullptr;
      if (differentiates && !is_anisotropic) {
        lookup_.kernel().differentiate(problem_, *strip, first, second, workspace, grad_out, strip->grad_s,
                                       strip->grad_t, strip->grad_level);
      } else if (differentiates) {
        float grad_s[kStrip], grad_t[kStrip], grad_level[kStrip];
        lookup_.kernel().differentiate(problem_, *strip, first, second, workspace, grad_out, grad_s, grad_t,
                                       grad_level);
        addTap(*at.taps, first, grad_s, grad_t, grad_level, strip);
      }
      if (!wants_texture_) return;
      touchSlot(problem_, bands_, first, *strip, false, collector);
      if (second) touchSlot(problem_, bands_, *second, *strip, true, collector);
    });
  }

  void addTap(const TapPositions& taps, const Slot& slot, const float* grad_s, const float* grad_t,
              const float* grad_level, Strip* strip) const {
    for (int i = 0; i < strip->count; ++i) {
      if (slot.kind[i] == kNothing) continue;
      float g_s = grad_s[i] * taps.weight[i], g_t = grad_t[i] * taps.weight[i];
      if (taps.leaves[i]) {
        const float* const jacobian = taps.jacobian[i];
        const float on_tap_face[2] = {g_s, g_t};
        g_s = on_tap_face[0] * jacobian[0] + on_tap_face[1] * jacobian[2];
        g_t = on_tap_face[0] * jacobian[1] + on_tap_face[1] * jacobian[3];
      }
      strip->grad_s[i] += g_s;
      strip->grad_t[i] += g_t;
      strip->grad_axis_s[i] += taps.offset[i] * g_s;
      strip->grad_axis_t[i] += taps.offset[i] * g_t;
      strip->grad_level[i] += grad_level[i] * taps.weight[i];
    }
  }

  void writeGradients(int image, int y, int x, Strip* strip) const {
    const int count = strip->count;
    float* const grad_uv = pixel(params_.grad_uv, image, y, x);
    float* const grad_derivatives = pixel(params_.grad_uv_derivatives, image, y, x);
    float* const grad_bias = pixel(params_.grad_level_bias, image, y, x);
    const bool has_level = problem_.trilinear && problem_.has_footprint;
    const bool is_cube = problem_.boundary == Boundary::kCube;
    if (has_level && (grad_derivatives || is_cube)) {
      if (lookup_.isAnisotropic()) {
        differentiateTaps(problem_, strip);
      } else {
        lookup_.kernel().differentiateFootprints(problem_, strip->grad_level, strip);
      }
    }
    if (grad_bias) {
      for (int i = 0; i < count; ++i)
        grad_bias[i] = problem_.has_bias && strip->moves[i] ? strip->grad_level[i] : 0;
    }
    if (is_cube) {
      const ConstImages& derivatives = params_.forward.uv_derivatives;
      writeDirectionGradients(*strip, pixel(params_.forward.uv, image, y, x),
                              has_level ? pixel(derivatives, image, y, x) : nullptr, grad_uv,
                              grad_derivatives);
      return;
    }
    for (int i = 0; i < count && grad_uv; ++i) {
      grad_uv[2 * i] = strip->grad_s[i];
      grad_uv[2 * i + 1] = -strip->grad_t[i];
    }
    for (int i = 0; i < count && grad_derivatives; ++i) {
      float* const g = grad_derivatives + 4 * i;
      g[0] = has_level ? strip->grad_s_x[i] : 0;
      g[1] = has_level ? strip->grad_s_y[i] : 0;
      g[2] = has_level ? -strip->grad_t_x[i] : 0;
      g[3] = has_level ? -strip->grad_t_y[i] : 0;
    }
  }

  // Second pass: all gradients of one band of texel rows.
  void sumBand(int texture, int band) {
    int level;
    Tile tile = bands_.tile(band, &level);
    const Images& grad = params_.grad_texture.levels[level];
    float* const out = grad.data +
                       (std::int64_t{texture} * problem_.num_faces + tile.face) * grad.image_stride +
                       tile.row_begin * grad.row_stride;
    const int num_rows = tile.row_end - tile.row_begin;
    const std::size_t row_size = static_cast<std::size_t>(grad.width) * problem_.channels;
    // Texels of 3 channels are summed in blocks of 4, so that neighbours do not share a store.
    static thread_local std::vector<float> padded;
    tile.data = out;
    tile.row_stride = grad.row_stride;
    const bool is_padded = tile_channels_ != problem_.channels;
    const int first_chunk = lookup_.isShared() ? 0 : texture * lookup_.chunksPerImage();
    const int end_chunk = lookup_.isShared() ? lookup_.numChunks() : first_chunk + lookup_.chunksPerImage();
    const bool is_empty = std::none_of(chunks_.begin() + first_chunk, chunks_.begin() + end_chunk,
                                       [&](const SortedRuns& chunk) {
                                         return chunk.begin[static_cast<std::size_t>(band)] <
                                                chunk.begin[static_cast<std::size_t>(band) + 1];
                                       });
    if (is_padded && !is_empty) {
      tile.row_stride = std::int64_t{grad.width} * tile_channels_;
      padded.assign(static_cast<std::size_t>(tile.row_stride) * num_rows, 0);
      tile.data = padded.data();
    } else {
      for (int row = 0; row < num_rows; ++row) std::fill_n(out + row * grad.row_stride, row_size, 0.0F);
    }
    if (is_empty) return;

    BandStrip pending;
    for (int c = first_chunk; c < end_chunk; ++c) {
      const SortedRuns& chunk = chunks_[static_cast<std::size_t>(c)];
      const std::int32_t end = chunk.begin[static_cast<std::size_t>(band) + 1];
      for (std::int32_t r = chunk.begin[static_cast<std::size_t>(band)]; r < end; ++r)
        addRun(c, chunk.runs[static_cast<std::size_t>(r)], level, tile, &pending);
    }
    flush(level, tile, &pending);
    if (is_padded) {
      for (int row = 0; row < num_rows; ++row)
        dropPadding(tile.data + row * tile.row_stride, grad.width, out + row * grad.row_stride);
    }
  }

  // Pixels that wait until a strip is full.
  struct BandStrip {
    Strip strip;
    const float* grads[kStrip];
  };

  void addRun(int chunk, const Run& run, int level, const Tile& tile, BandStrip* pending) {
    const int image = chunk / lookup_.chunksPerImage();
    const int stride = lookup_.width() + 1;
    const int y = chunk % lookup_.chunksPerImage() * lookup_.rowsPerChunk() + run.begin / stride;
    for (int x = run.begin % stride, left = run.end - run.begin; left > 0;) {
      if (pending->strip.count == kStrip) flush(level, tile, pending);
      const int begin = pending->strip.count, count = std::min(left, kStrip - begin);
      lookup_.append(image, y, x, count, false, &pending->strip);
      const float* grad = pixel(params_.grad_out, image, y, x);
      for (int i = 0; i < count; ++i, grad += problem_.channels) pending->grads[begin + i] = grad;
      x += count;
      left -= count;
    }
  }

  void flush(int level, const Tile& tile, BandStrip* pending) {
    Strip& strip = pending->strip;
    if (strip.count == 0) return;
    lookup_.finish(&strip);
    Slot slot;
    float weights[kStrip];
    lookup_.forEachTap(strip, [&](const Lookup::Coordinates& at) {
      if (lookup_.locateLevel(strip, at, level, &slot, weights))
        lookup_.kernel().scatter(problem_, strip, slot, weights, pending->grads, tile);
    });
    strip.count = 0;
  }

  static void dropPadding(const float* padded, int width, float* out) {
    for (int x = 0; x + 1 < width; ++x) std::memcpy(out + 3 * x, padded + 4 * x, 4 * sizeof(float));
    std::memcpy(out + 3 * (std::int64_t{width} - 1), padded + 4 * (std::int64_t{width} - 1),
                3 * sizeof(float));
  }

  const TextureBackwardParams& params_;
  const Lookup lookup_;
  const Problem& problem_;
  const int tile_channels_;
  const Bands bands_;
  const bool wants_texture_, wants_coordinates_;
  std::vector<SortedRuns> chunks_;
};

// ---- Arguments ----

const char* const kStackRule =
    "each level has half the sides of the one before, rounded down, but at least 1";

template <typename T>
void checkStack(const char* op, const char* name, const MipStackT<T>& stack) {
  require(stack.num_levels >= 1 && stack.num_levels <= kMaxMipLevels, op, ": ", name, " has ",
          stack.num_levels, " levels, expected 1 to ", kMaxMipLevels);
  const ImagesT<T>& base = stack.levels[0];
  require(base.width >= 1 && base.height >= 1 && base.num_images >= 1, op, ": ", name, " is ",
          base.num_images, "x", base.height, "x", base.width, ", expected at least one texel");
  for (int l = 0; l < stack.num_levels; ++l) {
    const ImagesT<T>& level = stack.levels[l];
    require(level.present(), op, ": level ", l, " of ", name, " is missing (null)");
    require(level.width == levelSize(base.width, l) && level.height == levelSize(base.height, l), op,
            ": level ", l, " of ", name, " is ", level.height, "x", level.width,
            ", but that of a texture of ", base.height, "x", base.width, " is ", levelSize(base.height, l),
            "x", levelSize(base.width, l), "; ", kStackRule);
    checkImages(op, name, level, base.num_images, level.height, level.width, base.channels);
    require((level.image_stride == 0) == (base.image_stride == 0) || base.num_images == 1, op, ": level ", l,
            " of ", name, " has an image stride of ", level.image_stride, ", but level 0 one of ",
            base.image_stride, "; either all levels repeat one image or none");
  }
  const int possible = numMipLevels(base.width, base.height, stack.num_levels - 1);
  require(stack.num_levels <= possible, op, ": ", name, " has ", stack.num_levels,
          " levels, but a texture of ", base.height, "x", base.width, " has ", possible);
}

void checkLookup(const char* op, const TextureParams& params) {
  checkStack(op, "texture", params.texture);
  const ConstImages& base = params.texture.levels[0];
  const bool is_cube = params.boundary == Boundary::kCube;
  const int faces = is_cube ? 6 : 1;
  const int filter = static_cast<int>(params.filter), boundary = static_cast<int>(params.boundary);
  require(filter >= 0 && filter <= 3, op, ": ", filter, " is no filter");
  require(boundary >= 0 && boundary <= 3, op, ": ", boundary, " is no boundary rule");
  const bool mipmapped =
      params.filter == Filter::kLinearMipmapNearest || params.filter == Filter::kLinearMipmapLinear;
  require(mipmapped || params.texture.num_levels == 1, op, ": texture has ", params.texture.num_levels,
          " levels, but the filter reads one only; choose a mipmap filter or pass level 0");

  const ConstImages& uv = params.uv;
  const int n = uv.num_images, h = uv.height, w = uv.width;
  checkImages(op, "uv", uv, n, h, w, is_cube ? 3 : 2);
  require(std::int64_t{n} * h <= INT_MAX, op, ": uv has ", n, " images of ", h, " rows, more than ", INT_MAX,
          " rows in all");
  require(w < INT_MAX - kStrip, op, ": uv has ", w, " pixels in a row, more than can be counted");
  require(!is_cube || base.width == base.height, op, ": a cube face is ", base.height, "x", base.width,
          ", expected a square");
  require(!is_cube || base.image_stride != 0, op, ": a cube texture has an image stride of 0, but six faces");
  require(base.num_images == faces || base.num_images == std::int64_t{n} * faces, op, ": texture has ",
          base.num_images, " images", is_cube ? " (six per cube)" : "", ", but uv has ", n,
          "; one for each or one for all is expected");
  if (params.uv_derivatives.present())
    checkImages(op, "uv_derivatives", params.uv_derivatives, n, h, w, is_cube ? 6 : 4);
  if (params.level_bias.present()) checkImages(op, "level_bias", params.level_bias, n, h, w, 1);
  if (params.mask.present()) checkImages(op, "mask", params.mask, n, h, w, 4);
  require(!mipmapped || params.uv_derivatives.present() || params.level_bias.present(), op,
          ": a mipmap filter needs uv_derivatives or level_bias, to know the level");
  require(params.max_anisotropy >= 1 && params.max_anisotropy <= kMaxAnisotropy, op, ": max_anisotropy is ",
          params.max_anisotropy, ", expected 1 to ", kMaxAnisotropy);
  require(params.max_anisotropy == 1 ||
              (params.filter == Filter::kLinearMipmapLinear && params.uv_derivatives.present()),
          op, ": max_anisotropy of ", params.max_anisotropy,
          " needs the filter kLinearMipmapLinear and uv_derivatives");
}

void checkBackward(const char* op, const TextureBackwardParams& params) {
  checkLookup(op, params.forward);
  const ConstImages& uv = params.forward.uv;
  const ConstMipStack& texture = params.forward.texture;
  const int n = uv.num_images, h = uv.height, w = uv.width;
  checkImages(op, "grad_out", params.grad_out, n, h, w, texture.levels[0].channels);
  if (params.grad_uv.present()) checkOutput(op, "grad_uv", params.grad_uv, n, h, w, uv.channels);
  if (params.grad_uv_derivatives.present())
    checkOutput(op, "grad_uv_derivatives", params.grad_uv_derivatives, n, h, w, 2 * uv.channels);
  if (params.grad_level_bias.present())
    checkOutput(op, "grad_level_bias", params.grad_level_bias, n, h, w, 1);
  const MipStack& grad = params.grad_texture;
  if (grad.num_levels == 0) return;
  checkStack(op, "grad_texture", grad);
  const ConstImages& base = texture.levels[0];
  const Images& grad_base = grad.levels[0];
  require(grad.num_levels == texture.num_levels && grad_base.width == base.width &&
              grad_base.height == base.height && grad_base.channels == base.channels,
          op, ": grad_texture has ", grad.num_levels, " levels and is ", grad_base.height, "x",
          grad_base.width, "x", grad_base.channels, ", but texture has ", texture.num_levels, " and is ",
          base.height, "x", base.width, "x", base.channels);
  const int faces = params.forward.boundary == Boundary::kCube ? 6 : 1;
  const auto isShared = [&](const ConstImages& images) {
    return images.num_images == faces || images.image_stride == 0;
  };
  require(isShared(grad_base) == isShared(base), op, ": grad_texture has ", grad_base.num_images,
          " images, but texture has ", base.num_images, " (image strides ", grad_base.image_stride, " and ",
          base.image_stride, "); one for each or one for all is expected of both");
}

// ---- Mip stacks ----

constexpr int kTexelsPerChunk = 1 << 15;

// Calls work(level, image, row) for the rows of all images of a level, in parallel.
template <typename Work>
void forEachRow(const Images& level, int num_images, const Work& work) {
  const int rows_per_chunk = std::max(1, kTexelsPerChunk / level.width);
  const int chunks_per_image = (level.height + rows_per_chunk - 1) / rows_per_chunk;
  parallelFor(num_images * chunks_per_image, 1, [&](int begin, int end) {
    for (int chunk = begin; chunk < end; ++chunk) {
      const int y_begin = chunk % chunks_per_image * rows_per_chunk;
      for (int y = y_begin; y < std::min(y_begin + rows_per_chunk, level.height); ++y)
        work(chunk / chunks_per_image, y);
    }
  });
}

// kChannels = 0: any number, known at run time only.
template <int kChannels>
void averageRow(const float* upper, const float* lower, bool halves_width, int width, int run_time_channels,
                float* out) {
  const int channels = kChannels > 0 ? kChannels : run_time_channels;
  if (!halves_width) {
    for (int k = 0; k < width * channels; ++k) out[k] = 0.5F * (upper[k] + lower[k]);
    return;
  }
  for (int x = 0; x < width; ++x, upper += 2 * channels, lower += 2 * channels, out += channels) {
    for (int c = 0; c < channels; ++c)
      out[c] = 0.25F * ((upper[c] + upper[channels + c]) + (lower[c] + lower[channels + c]));
  }
}

template <int kChannels>
void spreadRow(const float* grad, bool halves_width, float weight, int width, int run_time_channels,
               float* out) {
  const int channels = kChannels > 0 ? kChannels : run_time_channels;
  if (!halves_width) {
    for (int k = 0; k < width * channels; ++k) out[k] += weight * grad[k];
    return;
  }
  for (int x = 0; x < width; ++x, grad += channels, out += 2 * channels) {
    for (int c = 0; c < channels; ++c) {
      out[c] += weight * grad[c];
      out[channels + c] += weight * grad[c];
    }
  }
}

// Calls work with the number of channels as a constant, 0 = any.
template <typename Work>
void withChannels(int channels, const Work& work) {
  switch (channels) {
    case 1:
      return work(std::integral_constant<int, 1>{});
    case 3:
      return work(std::integral_constant<int, 3>{});
    case 4:
      return work(std::integral_constant<int, 4>{});
    case 16:
      return work(std::integral_constant<int, 16>{});
    default:
      return work(std::integral_constant<int, 0>{});
  }
}

int distinctImages(const MipStack& stack) {
  return stack.levels[0].image_stride == 0 ? 1 : stack.levels[0].num_images;
}

}  // namespace

int numMipLevels(int width, int height, int max_level) {
  require(width >= 1 && height >= 1, "numMipLevels: a texture of ", width, "x", height,
          " texels, expected at least 1x1");
  int level = 0;
  while (width > 1 || height > 1) {
    if (max_level >= 0 && level >= max_level) break;
    require((width == 1 || width % 2 == 0) && (height == 1 || height % 2 == 0), "numMipLevels: level ", level,
            " is ", width, "x", height,
            " texels, and an odd side cannot be halved; pad the texture or stop at level ", level);
    require(level + 1 < kMaxMipLevels, "numMipLevels: a side is longer than ", 1 << (kMaxMipLevels - 1),
            " texels; stop at level ", level, " or earlier");
    width = std::max(width / 2, 1);
    height = std::max(height / 2, 1);
    ++level;
  }
  return level + 1;
}

void buildMipStackCpu(const MipStack& stack) {
  checkStack("buildMipStackCpu", "stack", stack);
  for (int l = 1; l < stack.num_levels; ++l) {
    const Images& from = stack.levels[l - 1];
    const Images& to = stack.levels[l];
    withChannels(to.channels, [&](auto channels) {
      forEachRow(to, distinctImages(stack), [&](int image, int y) {
        const int second = from.height > 1 ? 1 : 0;
        const float* const upper = pixel(from, image, (1 + second) * y, 0);
        averageRow<channels()>(upper, upper + second * from.row_stride, from.width > 1, to.width, to.channels,
                               pixel(to, image, y, 0));
      });
    });
  }
}

void buildMipStackBackwardCpu(const MipStack& grad_stack) {
  checkStack("buildMipStackBackwardCpu", "grad_stack", grad_stack);
  for (int l = grad_stack.num_levels - 1; l >= 1; --l) {
    const Images& from = grad_stack.levels[l];
    const Images& to = grad_stack.levels[l - 1];
    const float weight = (to.width > 1 ? 0.5F : 1.0F) * (to.height > 1 ? 0.5F : 1.0F);
    withChannels(to.channels, [&](auto channels) {
      forEachRow(from, distinctImages(grad_stack), [&](int image, int y) {
        const int num_rows = to.height > 1 ? 2 : 1;
        for (int k = 0; k < num_rows; ++k) {
          spreadRow<channels()>(pixel(from, image, y, 0), to.width > 1, weight, from.width, from.channels,
                                pixel(to, image, num_rows * y + k, 0));
        }
      });
    });
  }
}

void textureCpu(const TextureParams& params) {
  constexpr const char* kOperation = "textureCpu";
  checkLookup(kOperation, params);
  const ConstImages& uv = params.uv;
  checkOutput(kOperation, "out", params.out, uv.num_images, uv.height, uv.width,
              params.texture.levels[0].channels);
  const Lookup lookup(params);
  const Problem& problem = lookup.problem();
  parallelFor(lookup.numChunks(), 1, [&](int begin, int end) {
    std::vector<float> corner_means;
    Strip strip;
    Slot first, second;
    for (int chunk = begin; chunk < end; ++chunk) {
      const int image = chunk / lookup.chunksPerImage();
      const int y_begin = chunk % lookup.chunksPerImage() * lookup.rowsPerChunk();
      const int y_end = std::min(y_begin + lookup.rowsPerChunk(), uv.height);
      const Workspace workspace = lookup.workspace(image, &corner_means);
      for (int y = y_begin; y < y_end; ++y) {
        for (int x = 0; x < uv.width; x += kStrip) {
          strip.count = 0;
          lookup.append(image, y, x, std::min(kStrip, uv.width - x), true, &strip);
          lookup.finish(&strip);
          float* const out = pixel(params.out, image, y, x);
          if (lookup.isAnisotropic())
            std::fill_n(out, static_cast<std::size_t>(strip.count) * problem.channels, 0.0F);
          lookup.forEachTap(strip, [&](const Lookup::Coordinates& at) {
            const bool blends = lookup.locateLevels(strip, at, false, &first, &second);
            lookup.kernel().gather(problem, strip, first, blends ? &second : nullptr,
                                   at.taps ? at.taps->weight : nullptr, workspace, out);
          });
        }
      }
    }
  });
}

void textureBackwardCpu(const TextureBackwardParams& params) {
  checkBackward("textureBackwardCpu", params);
  Backward(params).run();
}

}  // namespace facet::ops
