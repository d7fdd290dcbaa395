#pragma once

#include <cstdint>

#include "render/ops/images.h"

namespace facet::ops {

enum class Filter { kNearest, kLinear, kLinearMipmapNearest, kLinearMipmapLinear };
enum class Boundary { kWrap, kClamp, kZero, kCube };

constexpr int kMaxMipLevels = 17;  // level 0 included: sides up to 2^16

// A texture and its smaller copies. Level l of a texture of W×H has max(W >> l, 1) × max(H >> l, 1) texels.
// Textures have their top row first; texture coordinate (0, 0) is the bottom-left corner of the bottom-left
// texel, texel centres lie at (i + 0.5) / N. Cube: num_images is N·6, faces in OpenGL's order +x -x +y -y +z
// -z and orientation.
template <typename T>
struct MipStackT {
  ImagesT<T> levels[kMaxMipLevels];
  int num_levels = 0;
};
using MipStack = MipStackT<float>;
using ConstMipStack = MipStackT<const float>;

// How many levels a stack of this texture has: until both sides are 1, or max_level (>= 0) if that comes
// first. Throws when a side larger than 1 is odd before that: pad the texture or stop earlier.
int numMipLevels(int width, int height, int max_level = -1);

// Fills levels 1.. of a stack from level 0 by averaging 2×2 texels (2×1 or 1×2 where a side is 1).
void buildMipStackCpu(const MipStack& stack);
// Adds the gradients of levels 1.. into level 0 (adjoint of buildMipStack); the upper levels are used up.
void buildMipStackBackwardCpu(const MipStack& grad_stack);

// Texture lookup. The mip level is 0.5 log2 of the longer axis of the footprint (squared, in texels) plus
// bias, clamped to the stack; mipmap-nearest takes floor(level). A footprint with an entry that is not finite
// counts as zero; a zero one reads level 0. A clamped level carries no gradient.
//
// Cube lookups are seamless: edge texels come from the neighbouring face, the missing corner texel is the
// mean of the other three. The first row of a face is at t = 0 of OpenGL's table (so its top one, seen from
// inside with +y up). A direction that is zero or not finite, a coordinate that is NaN, and under kWrap one
// that is infinite, gives 0 and no gradient.
//
// max_anisotropy n > 1 takes up to n trilinear taps of equal weight along the longer axis, at the level of
// the shorter one (Feline: McCormack et al., SIGGRAPH 1999): with axes a >= b in texels of level 0 and b' =
// max(b, a / n), the level is log2 b' plus bias, and ceil(a / b' - 1e-4) taps are spread evenly over a
// segment of length a - b' that is centred on the coordinate, both ends included. Taps of a cube leave its
// faces straight on, in their plane. The number of taps carries no gradient.
struct TextureParams {
  ConstMipStack texture;       // C channels; num_images N, or 1 (or image_stride 0) for the whole batch; one
                               // level unless the filter is a mipmap one
  ConstImages uv;              // N×H×W×2, cube: N×H×W×3 directions
  ConstImages uv_derivatives;  // N×H×W×4 (du/dX du/dY dv/dX dv/dY), cube: ×6; needed by mipmap filters unless
                               // level_bias is given
  ConstImages level_bias;  // N×H×W×1, optional; alone it is the level
  ConstImages mask;        // N×H×W×4 rast, optional: background pixels are skipped and become 0
  Filter filter = Filter::kLinear;
  Boundary boundary = Boundary::kWrap;
  int max_anisotropy = 1;
  Images out;  // out, N×H×W×C
};
void textureCpu(const TextureParams& params);

struct TextureBackwardParams {
  TextureParams forward;  // `out` is not read
  ConstImages grad_out;   // N×H×W×C
  MipStack grad_texture;  // out, overwritten, optional: each level's own gradient (see buildMipStackBackward)
  Images grad_uv;         // out, optional; 0 for kNearest and along a clamped axis
  Images grad_uv_derivatives;  // out, optional; only kLinearMipmapLinear gives any
  Images grad_level_bias;      // out, optional; likewise
};
void textureBackwardCpu(const TextureBackwardParams& params);

}  // namespace facet::ops
