#pragma once

#include <type_traits>

#include "render/cuda/accumulate.h"
#include "render/cuda/texture_math.h"
#include "render/ops/checks.h"

namespace facet::ops::cuda {

// The images that a lookup reads.
struct TextureInputs {
  TextureProblem problem;
  ConstMipStack texture;
  bool is_shared;  // all images read the same texture
  ConstImages uv, derivatives, bias, mask;

  template <bool kAnisotropic>
  FACET_HD TextureSample read(const Pixel& pixel) const {
    return readSample<kAnisotropic>(
        problem, pixelAt(uv, pixel), derivatives.data ? pixelAt(derivatives, pixel) : nullptr,
        bias.data ? pixelAt(bias, pixel) : nullptr, mask.data ? pixelAt(mask, pixel) : nullptr);
  }
  FACET_HD const float* textureOf(int image, int level) const {
    const ConstImages& images = texture.levels[level];
    return images.data + (is_shared ? 0 : std::int64_t{image} * problem.num_faces * images.image_stride);
  }
};

template <bool kAnisotropic>
struct TexturePixels {
  TextureInputs in;
  Images out;

  template <typename V>
  FACET_HD void writeBlock(int image, const TexelQuad& first, const TexelQuad* second, float fraction,
                           float weight, int c, float* to) const {
    const QuadValues<V> fine =
        loadQuad<V>(in.texture.levels[first.level], in.textureOf(image, first.level), first, c);
    V value = in.problem.nearest ? fine.texel[0] : bilinear(fine, first);
    if (second) {
      const QuadValues<V> coarse =
          loadQuad<V>(in.texture.levels[second->level], in.textureOf(image, second->level), *second, c);
      value = mix(value, bilinear(coarse, *second), fraction);
    }
    if (kAnisotropic) value = addScaled(loadBlock<V>(to + c), value, weight);
    storeBlock(to + c, value);
  }

  FACET_HD void operator()(std::int64_t i) const {
    const Pixel pixel = pixelFromIndex(i, in.uv.width, in.uv.height);
    const TextureSample sample = in.read<kAnisotropic>(pixel);
    float* const to = pixelAt(out, pixel);
    const int channels = in.problem.channels;
    bool is_written = false;
    const int num_taps = kAnisotropic ? sample.num_taps : 1;
    if (kAnisotropic) {
      for (int c = 0; c < channels; ++c) to[c] = 0;
      is_written = true;
    }
    for (int k = 0; k < num_taps && sample.valid; ++k) {
      const TapPosition tap = placeTap(in.problem, sample, k);
      TexelQuad first, second;
      if (!tap.valid || !locate(in.problem, tap.s, tap.t, tap.face, sample.base_level, &first)) continue;
      const bool blends =
          sample.fraction > 0 && locate(in.problem, tap.s, tap.t, tap.face, sample.base_level + 1, &second);
      const TexelQuad* const coarse = blends ? &second : nullptr;
      is_written = true;
      int c = 0;
      for (; c + 4 <= channels; c += 4) {
        writeBlock<Four>(pixel.image, first, coarse, sample.fraction, tap.weight, c, to);
      }
      for (; c < channels; ++c) {
        writeBlock<float>(pixel.image, first, coarse, sample.fraction, tap.weight, c, to);
      }
    }
    if (is_written) return;
    for (int c = 0; c < channels; ++c) to[c] = 0;
  }
};

// Gradients with respect to coordinates, footprint and bias, which stay in their pixel.
template <bool kAnisotropic>
struct TextureCoordinatesBackward {
  TextureInputs in;
  ConstImages grad_out;
  Images grad_uv, grad_derivatives, grad_bias;

  template <typename V>
  FACET_HD void addBlock(int image, const TexelQuad& first, const TexelQuad* second, int c, const float* grad,
                         QuadGradient* fine, QuadGradient* coarse) const {
    const V g = loadBlock<V>(grad + c);
    addQuadGradient(loadQuad<V>(in.texture.levels[first.level], in.textureOf(image, first.level), first, c),
                    first, g, fine);
    if (!second) return;
    addQuadGradient(
        loadQuad<V>(in.texture.levels[second->level], in.textureOf(image, second->level), *second, c),
        *second, g, coarse);
  }

  FACET_HD SampleGradient gradient(const Pixel& pixel, const TextureSample& sample) const {
    SampleGradient sum = {0, 0, 0, 0, 0, 0, 0, 0, 0};
    if (!sample.valid || in.problem.nearest) return sum;
    const float* const grad = pixelAt(grad_out, pixel);
    const int num_taps = kAnisotropic ? sample.num_taps : 1;
    for (int k = 0; k < num_taps; ++k) {
      const TapPosition tap = placeTap(in.problem, sample, k);
      TexelQuad first, second;
      if (!tap.valid || !locate(in.problem, tap.s, tap.t, tap.face, sample.base_level, &first)) continue;
      const bool blends = (sample.fraction > 0 || sample.moves) &&
                          locate(in.problem, tap.s, tap.t, tap.face, sample.base_level + 1, &second);
      const TexelQuad* const next = blends ? &second : nullptr;
      QuadGradient fine = {0, 0, 0}, coarse = {0, 0, 0};
      int c = 0;
      for (; c + 4 <= in.problem.channels; c += 4) {
        addBlock<Four>(pixel.image, first, next, c, grad, &fine, &coarse);
      }
      for (; c < in.problem.channels; ++c) addBlock<float>(pixel.image, first, next, c, grad, &fine, &coarse);
      float g_s = fine.x * first.s_scale, g_t = fine.y * first.t_scale, g_level = 0;
      if (blends) {
        g_s = mix(g_s, coarse.x * second.s_scale, sample.fraction);
        g_t = mix(g_t, coarse.y * second.t_scale, sample.fraction);
        g_level = coarse.value - fine.value;
      }
      g_s *= tap.weight;
      g_t *= tap.weight;
      if (tap.leaves) {
        const float on_tap_face[2] = {g_s, g_t};
        g_s = on_tap_face[0] * tap.jacobian[0] + on_tap_face[1] * tap.jacobian[2];
        g_t = on_tap_face[0] * tap.jacobian[1] + on_tap_face[1] * tap.jacobian[3];
      }
      sum.s += g_s;
      sum.t += g_t;
      sum.axis_s += tap.offset * g_s;
      sum.axis_t += tap.offset * g_t;
      sum.level += g_level * tap.weight;
    }
    return sum;
  }

  FACET_HD void operator()(std::int64_t i) const {
    const Pixel pixel = pixelFromIndex(i, in.uv.width, in.uv.height);
    const TextureSample sample = in.read<kAnisotropic>(pixel);
    SampleGradient grad = gradient(pixel, sample);
    const bool has_level = in.problem.trilinear && in.problem.has_footprint;
    if (has_level) differentiateFootprint<kAnisotropic>(in.problem, sample, &grad);
    if (grad_bias.data) *pixelAt(grad_bias, pixel) = in.problem.has_bias && sample.moves ? grad.level : 0;
    float* const to_uv = grad_uv.data ? pixelAt(grad_uv, pixel) : nullptr;
    float* const to_derivatives = grad_derivatives.data ? pixelAt(grad_derivatives, pixel) : nullptr;
    if (in.problem.boundary == Boundary::kCube) {
      const DirectionGradient direction = differentiateDirection(
          sample, grad, pixelAt(in.uv, pixel), has_level ? pixelAt(in.derivatives, pixel) : nullptr);
      for (int k = 0; k < 3 && to_uv; ++k) to_uv[k] = static_cast<float>(direction.direction[k]);
      for (int k = 0; k < 6 && to_derivatives; ++k)
        to_derivatives[k] = static_cast<float>(direction.derivative[k]);
      return;
    }
    if (to_uv) {
      to_uv[0] = grad.s;
      to_uv[1] = -grad.t;
    }
    if (to_derivatives) {
      to_derivatives[0] = has_level ? grad.s_x : 0;
      to_derivatives[1] = has_level ? grad.s_y : 0;
      to_derivatives[2] = has_level ? -grad.t_x : 0;
      to_derivatives[3] = has_level ? -grad.t_y : 0;
    }
  }
};

// Strides of the gradient of one level.
struct GradientStrides {
  std::int64_t row, image;
};

template <bool kAnisotropic, typename Target>
struct TextureTexelsBackward {
  TextureInputs in;
  ConstImages grad_out;
  GradientStrides strides[kMaxMipLevels];
  Targets<Target, kMaxMipLevels> targets;

  FACET_HD void addQuad(int image, const TexelQuad& quad, float weight, const float* grad) const {
    const int channels = in.problem.channels;
    const GradientStrides& level = strides[quad.level];
    const std::int64_t first = in.is_shared ? 0 : std::int64_t{image} * in.problem.num_faces * level.image;
    const Target& target = targets.at[quad.level];
    for (int k = 0; k < 4; ++k) {
      if (quad.column[k] < 0) continue;
      const float share = weight * texelWeight(in.problem, quad, k);
      if (share == 0) continue;
      const std::int64_t texel = first + quad.face[k] * level.image + quad.row[k] * level.row +
                                 static_cast<std::int64_t>(quad.column[k]) * channels;
      for (int c = 0; c < channels; ++c) {
        const float value = grad[c] * share;
        if (value != 0) target.add(texel + c, value);
      }
    }
  }

  FACET_HD void operator()(std::int64_t i) const {
    const Pixel pixel = pixelFromTiledIndex(i, in.uv.width, in.uv.height);
    if (pixel.x >= in.uv.width || pixel.y >= in.uv.height) return;
    const TextureSample sample = in.read<kAnisotropic>(pixel);
    if (!sample.valid) return;
    const float* const grad = pixelAt(grad_out, pixel);
    const int num_taps = kAnisotropic ? sample.num_taps : 1;
    for (int k = 0; k < num_taps; ++k) {
      const TapPosition tap = placeTap(in.problem, sample, k);
      TexelQuad quad;
      if (!tap.valid || !locate(in.problem, tap.s, tap.t, tap.face, sample.base_level, &quad)) continue;
      addQuad(pixel.image, quad, (1 - sample.fraction) * tap.weight, grad);
      if (sample.fraction > 0 && locate(in.problem, tap.s, tap.t, tap.face, sample.base_level + 1, &quad)) {
        addQuad(pixel.image, quad, sample.fraction * tap.weight, grad);
      }
    }
  }
};

template <typename T>
void checkStack(const char* op, const char* name, const MipStackT<T>& stack) {
  require(stack.num_levels >= 1 && stack.num_levels <= kMaxMipLevels, op, ": ", name, " has ",
          stack.num_levels, " levels, expected 1 to ", kMaxMipLevels);
  const ImagesT<T>& base = stack.levels[0];
  require(base.width >= 1 && base.height >= 1 && base.num_images >= 1, op, ": ", name, " is ",
          base.num_images, "x", base.height, "x", base.width, ", expected at least one texel");
  for (int l = 0; l < stack.num_levels; ++l) {
    const ImagesT<T>& level = stack.levels[l];
    const int width = larger(base.width >> l, 1), height = larger(base.height >> l, 1);
    require(level.width == width && level.height == height, op, ": level ", l, " of ", name, " is ",
            level.height, "x", level.width, ", but that of a texture of ", base.height, "x", base.width,
            " is ", height, "x", width);
    checkImages(op, name, level, base.num_images, height, width, base.channels);
    require((level.image_stride == 0) == (base.image_stride == 0) || base.num_images == 1, op, ": level ", l,
            " of ", name, " has an image stride of ", level.image_stride, ", but level 0 one of ",
            base.image_stride, "; either all levels repeat one image or none");
    if (l + 1 == stack.num_levels) break;
    require((width == 1 || width % 2 == 0) && (height == 1 || height % 2 == 0) && (width > 1 || height > 1),
            op, ": level ", l, " of ", name, " is ", height, "x", width,
            " texels, which cannot be halved; pad the texture or use ", l + 1, " levels");
  }
}

inline bool isSharedTexture(const ConstImages& base, int num_faces) {
  return base.num_images == num_faces || base.image_stride == 0;
}

inline void checkTexture(const char* op, const TextureParams& params) {
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
  require(!is_cube || base.width == base.height, op, ": a cube face is ", base.height, "x", base.width,
          ", expected a square");
  require(!is_cube || base.image_stride != 0, op, ": a cube texture has an image stride of 0, but six faces");
  require(base.num_images == faces || base.num_images == std::int64_t{n} * faces, op, ": texture has ",
          base.num_images, " images", is_cube ? " (six per cube)" : "", ", but uv has ", n,
          "; one for each or one for all is expected");
  if (params.uv_derivatives.present()) {
    checkImages(op, "uv_derivatives", params.uv_derivatives, n, h, w, is_cube ? 6 : 4);
  }
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

inline TextureInputs textureInputs(const TextureParams& params) {
  const ConstImages& base = params.texture.levels[0];
  TextureInputs in = {};
  TextureProblem& problem = in.problem;
  problem.width = base.width;
  problem.height = base.height;
  problem.channels = base.channels;
  problem.num_levels = params.texture.num_levels;
  problem.num_faces = params.boundary == Boundary::kCube ? 6 : 1;
  problem.boundary = params.boundary;
  problem.nearest = params.filter == Filter::kNearest;
  problem.trilinear = params.filter == Filter::kLinearMipmapLinear;
  problem.mipmapped = problem.trilinear || params.filter == Filter::kLinearMipmapNearest;
  problem.has_footprint = problem.mipmapped && params.uv_derivatives.present();
  problem.has_bias = problem.mipmapped && params.level_bias.present();
  problem.max_anisotropy = params.max_anisotropy;
  in.texture = params.texture;
  in.is_shared = isSharedTexture(base, problem.num_faces);
  in.uv = params.uv;
  if (problem.has_footprint) in.derivatives = params.uv_derivatives;
  if (problem.has_bias) in.bias = params.level_bias;
  in.mask = params.mask;
  return in;
}

template <typename Executor>
void texture(const TextureParams& params, Executor& executor) {
  constexpr const char* kName = "texture";
  checkTexture(kName, params);
  const ConstImages& uv = params.uv;
  checkOutput(kName, "out", params.out, uv.num_images, uv.height, uv.width,
              params.texture.levels[0].channels);
  if (uv.numPixels() == 0) return;
  const TextureInputs in = textureInputs(params);
  if (params.max_anisotropy > 1) {
    executor.forEach(uv.numPixels(), TexturePixels<true>{in, params.out});
  } else {
    executor.forEach(uv.numPixels(), TexturePixels<false>{in, params.out});
  }
}

template <bool kAnisotropic, typename Executor>
void textureBackward(const TextureBackwardParams& params, const TextureInputs& in, Executor& executor) {
  const ConstImages& uv = in.uv;
  if (uv.numPixels() > 0 && (params.grad_uv.present() || params.grad_uv_derivatives.present() ||
                             params.grad_level_bias.present())) {
    executor.forEach(uv.numPixels(), TextureCoordinatesBackward<kAnisotropic>{
                                         in, params.grad_out, params.grad_uv, params.grad_uv_derivatives,
                                         params.grad_level_bias});
  }
  if (params.grad_texture.num_levels == 0) return;
  Region regions[kMaxMipLevels];
  GradientStrides strides[kMaxMipLevels] = {};
  for (int l = 0; l < params.grad_texture.num_levels; ++l) {
    const Images& level = params.grad_texture.levels[l];
    regions[l] = regionOf(level);
    strides[l] = {level.row_stride, level.image_stride};
  }
  const std::int64_t num_items = uv.numPixels() == 0 ? 0 : numTiledPixels(uv.num_images, uv.width, uv.height);
  scatter(executor, regions, num_items, std::int64_t{8} * in.problem.max_anisotropy,
          [&](const auto& targets) {
            using Target = std::decay_t<decltype(targets.at[0])>;
            TextureTexelsBackward<kAnisotropic, Target> body = {};
            body.in = in;
            body.grad_out = params.grad_out;
            for (int l = 0; l < kMaxMipLevels; ++l) body.strides[l] = strides[l];
            body.targets = targets;
            return body;
          });
}

template <typename Executor>
void textureBackward(const TextureBackwardParams& params, Executor& executor) {
  constexpr const char* kName = "textureBackward";
  const TextureParams& forward = params.forward;
  checkTexture(kName, forward);
  const ConstImages& uv = forward.uv;
  const ConstImages& base = forward.texture.levels[0];
  const int n = uv.num_images, h = uv.height, w = uv.width;
  checkImages(kName, "grad_out", params.grad_out, n, h, w, base.channels);
  if (params.grad_uv.present()) checkOutput(kName, "grad_uv", params.grad_uv, n, h, w, uv.channels);
  if (params.grad_uv_derivatives.present()) {
    checkOutput(kName, "grad_uv_derivatives", params.grad_uv_derivatives, n, h, w, 2 * uv.channels);
  }
  if (params.grad_level_bias.present()) {
    checkOutput(kName, "grad_level_bias", params.grad_level_bias, n, h, w, 1);
  }
  const MipStack& grad = params.grad_texture;
  if (grad.num_levels != 0) {
    checkStack(kName, "grad_texture", grad);
    const Images& grad_base = grad.levels[0];
    require(grad.num_levels == forward.texture.num_levels && grad_base.width == base.width &&
                grad_base.height == base.height && grad_base.channels == base.channels,
            kName, ": grad_texture has ", grad.num_levels, " levels and is ", grad_base.height, "x",
            grad_base.width, "x", grad_base.channels, ", but texture has ", forward.texture.num_levels,
            " and is ", base.height, "x", base.width, "x", base.channels);
    const int faces = forward.boundary == Boundary::kCube ? 6 : 1;
    require(isSharedTexture(grad_base, faces) == isSharedTexture(base, faces), kName, ": grad_texture has ",
            grad_base.num_images, " images, but texture has ", base.num_images, " (image strides ",
            grad_base.image_stride, " and ", base.image_stride,
            "); one for each or one for all is expected of both");
  }
  const TextureInputs in = textureInputs(forward);
  if (forward.max_anisotropy > 1) {
    textureBackward<true>(params, in, executor);
  } else {
    textureBackward<false>(params, in, executor);
  }
}

// One level of a mip stack from the one before, an element (channel of a texel) at a time.
struct AverageLevel {
  ConstImages from;
  Images to;
  FACET_HD void operator()(std::int64_t i) const {
    const Pixel element = pixelFromIndex(i, to.width * to.channels, to.height);
    const int x = element.x / to.channels, c = element.x - x * to.channels;
    const int step_x = from.width > 1 ? 1 : 0, step_y = from.height > 1 ? 1 : 0;
    const float* const upper =
        pixelAt(from, Pixel{element.image, (1 + step_x) * x, (1 + step_y) * element.y}) + c;
    const float* const lower = upper + step_y * from.row_stride;
    float* const out = pixelAt(to, Pixel{element.image, x, element.y}) + c;
    if (step_x == 0) {
      *out = 0.5F * (*upper + *lower);
    } else {
      *out = 0.25F * ((*upper + upper[from.channels]) + (*lower + lower[from.channels]));
    }
  }
};

struct SpreadLevel {
  ConstImages from;
  Images to;
  FACET_HD void operator()(std::int64_t i) const {
    const Pixel element = pixelFromIndex(i, to.width * to.channels, to.height);
    const int x = element.x / to.channels, c = element.x - x * to.channels;
    const float weight = (to.width > 1 ? 0.5F : 1.0F) * (to.height > 1 ? 0.5F : 1.0F);
    const int from_x = to.width > 1 ? x / 2 : x, from_y = to.height > 1 ? element.y / 2 : element.y;
    pixelAt(to, Pixel{element.image, x, element.y})[c] +=
        weight * pixelAt(from, Pixel{element.image, from_x, from_y})[c];
  }
};

inline std::int64_t numDistinctElements(const Images& level) {
  const std::int64_t images = level.image_stride == 0 ? 1 : level.num_images;
  return images * level.height * level.width * level.channels;
}

template <typename Executor>
void buildMipStack(const MipStack& stack, Executor& executor) {
  checkStack("buildMipStack", "stack", stack);
  for (int l = 1; l < stack.num_levels; ++l) {
    executor.forEach(numDistinctElements(stack.levels[l]),
                     AverageLevel{stack.levels[l - 1], stack.levels[l]});
  }
}

template <typename Executor>
void buildMipStackBackward(const MipStack& grad_stack, Executor& executor) {
  checkStack("buildMipStackBackward", "grad_stack", grad_stack);
  for (int l = grad_stack.num_levels - 1; l >= 1; --l) {
    executor.forEach(numDistinctElements(grad_stack.levels[l - 1]),
                     SpreadLevel{grad_stack.levels[l], grad_stack.levels[l - 1]});
  }
}

}  // namespace facet::ops::cuda
