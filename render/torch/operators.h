#pragma once

#include <torch/torch.h>

#include <tuple>
#include <vector>

#include "render/ops/texture.h"

// The operations of render/ops as differentiable functions on torch tensors (CPU). Tensors are float32, NHWC
// and contiguous; index buffers int32. A tensor of another type, shape or layout is an error that names it:
// nothing is converted or copied behind the caller's back.
namespace facet::torch_ops {

struct Rasterized {
  torch::Tensor rast;         // N×H×W×4: u, v, z/w, triangle + 1
  torch::Tensor derivatives;  // N×H×W×4, or undefined
};
// positions N×V×4 (instanced) or, with `ranges` (int32 N×2 on the CPU: first triangle, count), V×4.
// `previous` (N×H×W×4) peels. Gradients of u, v and, where asked for, the derivatives go to positions.
Rasterized rasterize(const torch::Tensor& positions, const torch::Tensor& triangles, int height, int width,
                     bool derivatives = true, const torch::Tensor& ranges = {},
                     const torch::Tensor& previous = {});

// attributes N×V×A, or V×A for all images. Returns N×H×W×A and, for the chosen channels, their N×H×W×2K
// screen derivatives (undefined when none are chosen).
std::tuple<torch::Tensor, torch::Tensor> interpolate(const torch::Tensor& attributes,
                                                     const torch::Tensor& rast,
                                                     const torch::Tensor& triangles,
                                                     const torch::Tensor& derivatives = {},
                                                     const std::vector<int>& differentiated = {});

struct TextureOptions {
  ops::Filter filter = ops::Filter::kLinear;
  ops::Boundary boundary = ops::Boundary::kWrap;
  int max_mip_level = -1;  // of the stack built inside for the mipmap filters; -1 = down to one texel
  int max_anisotropy = 1;
};
// texture N×h×w×C or 1×h×w×C (cube: N×6×h×h×C); uv N×H×W×2 (cube ×3). The mipmap filters build the stack
// themselves and send its gradients to the texture.
torch::Tensor texture(const torch::Tensor& texture, const torch::Tensor& uv,
                      const torch::Tensor& uv_derivatives = {}, const torch::Tensor& level_bias = {},
                      const TextureOptions& options = {});

// colour N×H×W×C. Gradients go to colour and positions.
torch::Tensor antialias(const torch::Tensor& colour, const torch::Tensor& rast,
                        const torch::Tensor& positions, const torch::Tensor& triangles, bool clamp = false);

}  // namespace facet::torch_ops
