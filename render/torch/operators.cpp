#include "render/torch/operators.h"

#include <string>

#include "core/check.h"
#include "render/ops/antialias.h"
#include "render/ops/interpolate.h"
#include "render/ops/rasterize.h"

namespace facet::torch_ops {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

std::string shapeOf(const Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

void requireDense(const Tensor& tensor, const char* operation, const char* name, torch::ScalarType type) {
  require(tensor.defined(), operation, ": ", name, " is undefined");
  require(tensor.device().is_cpu(), operation, ": ", name, " lies on ", tensor.device().str(),
          "; these operators run on the CPU, use .cpu()");
  require(tensor.scalar_type() == type, operation, ": ", name, " has type ",
          torch::toString(tensor.scalar_type()), ", expected ", torch::toString(type));
  require(tensor.is_contiguous(), operation, ": ", name, " of shape ", shapeOf(tensor),
          " is not contiguous; use .contiguous()");
}

ops::ConstImages images(const Tensor& tensor, const char* operation, const char* name) {
  if (!tensor.defined()) return {};
  requireDense(tensor, operation, name, torch::kFloat32);
  require(tensor.dim() == 4, operation, ": ", name, " has shape ", shapeOf(tensor), ", expected N×H×W×C");
  return ops::ConstImages(tensor.data_ptr<float>(), static_cast<int>(tensor.size(0)),
                          static_cast<int>(tensor.size(1)), static_cast<int>(tensor.size(2)),
                          static_cast<int>(tensor.size(3)));
}

ops::Images writable(const Tensor& tensor) {
  if (!tensor.defined()) return {};
  return ops::Images(tensor.data_ptr<float>(), static_cast<int>(tensor.size(0)),
                     static_cast<int>(tensor.size(1)), static_cast<int>(tensor.size(2)),
                     static_cast<int>(tensor.size(3)));
}

// V×C, shared by all images, or N×V×C. `num_images` is N, or -1 where these rows decide it.
ops::ConstRows rows(const Tensor& tensor, const char* operation, const char* name, int64_t num_images = -1) {
  requireDense(tensor, operation, name, torch::kFloat32);
  require(tensor.dim() == 2 || tensor.dim() == 3, operation, ": ", name, " has shape ", shapeOf(tensor),
          ", expected V×C or N×V×C");
  const bool batched = tensor.dim() == 3;
  require(!batched || num_images < 0 || tensor.size(0) == num_images, operation, ": ", name, " has shape ",
          shapeOf(tensor), ", but there are ", num_images, " images; give one item each, or V×C for all");
  return ops::ConstRows(tensor.data_ptr<float>(), tensor.size(-2), static_cast<int>(tensor.size(-1)),
                        batched ? tensor.size(1) * tensor.size(2) : 0);
}

ops::Rows writableRows(const Tensor& tensor) {
  return ops::Rows(tensor.data_ptr<float>(), tensor.size(-2), static_cast<int>(tensor.size(-1)),
                   tensor.dim() == 3 ? tensor.size(1) * tensor.size(2) : 0);
}

ops::TriangleList triangleList(const Tensor& tensor, const char* operation) {
  requireDense(tensor, operation, "triangles", torch::kInt32);
  require(tensor.dim() == 2 && tensor.size(1) == 3, operation, ": triangles have shape ", shapeOf(tensor),
          ", expected F×3");
  return {tensor.data_ptr<std::int32_t>(), tensor.size(0)};
}

// torch refuses undefined tensors as arguments of a Function.
using OptionalTensor = c10::optional<Tensor>;
OptionalTensor optional(const Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : c10::nullopt;
}

Tensor denseGradient(const Tensor& gradient) { return gradient.defined() ? gradient.contiguous() : gradient; }

class RasterizeFunction : public Function<RasterizeFunction> {
 public:
  static tensor_list forward(AutogradContext* context, const Tensor& positions, const Tensor& triangles,
                             int64_t height, int64_t width, bool derivatives,
                             const OptionalTensor& given_ranges, const OptionalTensor& given_previous) {
    const Tensor ranges = given_ranges.value_or(Tensor()), previous = given_previous.value_or(Tensor());
    ops::RasterizeParams params;
    params.positions = rows(positions, "rasterize", "positions");
    params.triangles = triangleList(triangles, "rasterize");
    int64_t num_images = positions.dim() == 3 ? positions.size(0) : 1;
    if (ranges.defined()) {
      requireDense(ranges, "rasterize", "ranges", torch::kInt32);
      require(ranges.dim() == 2 && ranges.size(1) == 2, "rasterize: ranges have shape ", shapeOf(ranges),
              ", expected N×2");
      require(positions.dim() == 2, "rasterize: with ranges the positions are V×4, not ", shapeOf(positions));
      params.ranges = ranges.data_ptr<std::int32_t>();
      num_images = ranges.size(0);
    }
    params.previous = images(previous, "rasterize", "previous");
    const Tensor rast = torch::empty({num_images, height, width, 4});
    const Tensor slopes = derivatives ? torch::empty({num_images, height, width, 4}) : Tensor();
    params.rast = writable(rast);
    params.derivatives = writable(slopes);
    ops::rasterizeCpu(params);
    context->save_for_backward({positions, triangles, rast});
    return derivatives ? tensor_list{rast, slopes} : tensor_list{rast};
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list saved = context->get_saved_variables();
    const Tensor grad_rast = gradients[0].defined() ? gradients[0].contiguous() : torch::zeros_like(saved[2]);
    const Tensor grad_derivatives = gradients.size() > 1 ? denseGradient(gradients[1]) : Tensor();
    const Tensor grad_positions = torch::empty_like(saved[0]);
    ops::RasterizeBackwardParams params;
    params.positions = rows(saved[0], "rasterize", "positions", saved[2].size(0));
    params.triangles = triangleList(saved[1], "rasterize");
    params.rast = images(saved[2], "rasterize", "rast");
    params.grad_rast = images(grad_rast, "rasterize", "the gradient of rast");
    params.grad_derivatives = images(grad_derivatives, "rasterize", "the gradient of the derivatives");
    params.grad_positions = writableRows(grad_positions);
    ops::rasterizeBackwardCpu(params);
    return {grad_positions, {}, {}, {}, {}, {}, {}};
  }
};

class InterpolateFunction : public Function<InterpolateFunction> {
 public:
  static tensor_list forward(AutogradContext* context, const Tensor& attributes, const Tensor& rast,
                             const Tensor& triangles, const OptionalTensor& given_derivatives,
                             std::vector<int64_t> differentiated) {
    const Tensor derivatives = given_derivatives.value_or(Tensor());
    const std::vector<int> channels(differentiated.begin(), differentiated.end());
    ops::InterpolateParams params;
    params.attributes = rows(attributes, "interpolate", "attributes", rast.size(0));
    params.triangles = triangleList(triangles, "interpolate");
    params.rast = images(rast, "interpolate", "rast");
    params.derivatives = images(derivatives, "interpolate", "derivatives");
    params.differentiated = channels.empty() ? nullptr : channels.data();
    params.num_differentiated = static_cast<int>(channels.size());
    const Tensor out = torch::empty({rast.size(0), rast.size(1), rast.size(2), attributes.size(-1)});
    Tensor slopes;
    if (!channels.empty()) {
      slopes =
          torch::empty({rast.size(0), rast.size(1), rast.size(2), 2 * static_cast<int64_t>(channels.size())});
    }
    params.out = writable(out);
    params.out_derivatives = writable(slopes);
    ops::interpolateCpu(params);
    context->save_for_backward({attributes, rast, triangles, derivatives});
    context->saved_data["differentiated"] = std::move(differentiated);
    return slopes.defined() ? tensor_list{out, slopes} : tensor_list{out};
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list saved = context->get_saved_variables();
    const auto differentiated = context->saved_data["differentiated"].toIntVector();
    const std::vector<int> channels(differentiated.begin(), differentiated.end());
    const Tensor &attributes = saved[0], &rast = saved[1], &derivatives = saved[3];
    const Tensor grad_out =
        gradients[0].defined()
            ? gradients[0].contiguous()
            : torch::zeros({rast.size(0), rast.size(1), rast.size(2), attributes.size(-1)});
    const Tensor grad_slopes = gradients.size() > 1 ? denseGradient(gradients[1]) : Tensor();
    const Tensor grad_attributes = torch::empty_like(attributes), grad_rast = torch::empty_like(rast);
    const Tensor grad_derivatives = grad_slopes.defined() ? torch::empty_like(derivatives) : Tensor();
    ops::InterpolateBackwardParams params;
    params.attributes = rows(attributes, "interpolate", "attributes", rast.size(0));
    params.triangles = triangleList(saved[2], "interpolate");
    params.rast = images(rast, "interpolate", "rast");
    params.derivatives = images(derivatives, "interpolate", "derivatives");
    params.differentiated = channels.empty() ? nullptr : channels.data();
    params.num_differentiated = static_cast<int>(channels.size());
    params.grad_out = images(grad_out, "interpolate", "the gradient");
    params.grad_out_derivatives = images(grad_slopes, "interpolate", "the gradient of the derivatives");
    params.grad_attributes = writableRows(grad_attributes);
    params.grad_rast = writable(grad_rast);
    params.grad_derivatives = writable(grad_derivatives);
    ops::interpolateBackwardCpu(params);
    return {grad_attributes, grad_rast, {}, grad_derivatives, {}};
  }
};

// Level 0 is the texture itself; the others are views of the tensors in `upper`. A cube's faces are images of
// their own.
template <typename T>
ops::MipStackT<T> mipStack(const Tensor& level0, const tensor_list& upper) {
  ops::MipStackT<T> stack;
  const auto level = [](const Tensor& tensor) {
    const bool cube = tensor.dim() == 5;
    const int64_t faces = cube ? tensor.size(0) * tensor.size(1) : tensor.size(0);
    ops::ImagesT<T> images(tensor.data_ptr<float>(), static_cast<int>(faces),
                           static_cast<int>(tensor.size(-3)), static_cast<int>(tensor.size(-2)),
                           static_cast<int>(tensor.size(-1)));
    if (!cube && tensor.size(0) == 1) images.image_stride = 0;  // shared by all images of uv
    return images;
  };
  stack.levels[0] = level(level0);
  for (const Tensor& tensor : upper) stack.levels[++stack.num_levels] = level(tensor);
  ++stack.num_levels;
  return stack;
}

tensor_list emptyLevels(const Tensor& level0, int num_levels) {
  tensor_list upper;
  for (int l = 1; l < num_levels; ++l) {
    std::vector<int64_t> shape = level0.sizes().vec();
    for (const int side : {-3, -2}) {
      int64_t& size = shape[shape.size() + static_cast<std::size_t>(side)];
      size = std::max<int64_t>(1, size >> l);
    }
    upper.push_back(torch::empty(shape));
  }
  return upper;
}

bool usesMipmaps(ops::Filter filter) {
  return filter == ops::Filter::kLinearMipmapNearest || filter == ops::Filter::kLinearMipmapLinear;
}

class TextureFunction : public Function<TextureFunction> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& texture, const Tensor& uv,
                        const OptionalTensor& given_uv_derivatives, const OptionalTensor& given_level_bias,
                        int64_t filter, int64_t boundary, int64_t max_mip_level, int64_t max_anisotropy) {
    const Tensor uv_derivatives = given_uv_derivatives.value_or(Tensor());
    const Tensor level_bias = given_level_bias.value_or(Tensor());
    requireDense(texture, "texture", "texture", torch::kFloat32);
    const bool cube = static_cast<ops::Boundary>(boundary) == ops::Boundary::kCube;
    require(texture.dim() == (cube ? 5 : 4), "texture: the texture has shape ", shapeOf(texture),
            ", expected ", cube ? "N×6×h×h×C for a cube" : "N×h×w×C");
    tensor_list upper;
    if (usesMipmaps(static_cast<ops::Filter>(filter))) {
      upper = emptyLevels(
          texture, ops::numMipLevels(static_cast<int>(texture.size(-2)), static_cast<int>(texture.size(-3)),
                                     static_cast<int>(max_mip_level)));
      ops::buildMipStackCpu(mipStack<float>(texture, upper));
    }
    ops::TextureParams params;
    params.texture = mipStack<const float>(texture, upper);
    params.uv = images(uv, "texture", "uv");
    params.uv_derivatives = images(uv_derivatives, "texture", "uv_derivatives");
    params.level_bias = images(level_bias, "texture", "level_bias");
    params.filter = static_cast<ops::Filter>(filter);
    params.boundary = static_cast<ops::Boundary>(boundary);
    params.max_anisotropy = static_cast<int>(max_anisotropy);
    const Tensor out = torch::empty({uv.size(0), uv.size(1), uv.size(2), texture.size(-1)});
    params.out = writable(out);
    ops::textureCpu(params);
    tensor_list kept = {texture, uv, uv_derivatives, level_bias};
    kept.insert(kept.end(), upper.begin(), upper.end());
    context->save_for_backward(kept);
    context->saved_data["filter"] = filter;
    context->saved_data["boundary"] = boundary;
    context->saved_data["max_anisotropy"] = max_anisotropy;
    return out;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list saved = context->get_saved_variables();
    const Tensor &texture = saved[0], &uv = saved[1], &uv_derivatives = saved[2], &level_bias = saved[3];
    const tensor_list upper(saved.begin() + 4, saved.end());
    ops::TextureBackwardParams params;
    params.forward.texture = mipStack<const float>(texture, upper);
    params.forward.uv = images(uv, "texture", "uv");
    params.forward.uv_derivatives = images(uv_derivatives, "texture", "uv_derivatives");
    params.forward.level_bias = images(level_bias, "texture", "level_bias");
    params.forward.filter = static_cast<ops::Filter>(context->saved_data["filter"].toInt());
    params.forward.boundary = static_cast<ops::Boundary>(context->saved_data["boundary"].toInt());
    params.forward.max_anisotropy = static_cast<int>(context->saved_data["max_anisotropy"].toInt());
    const Tensor grad_out = gradients[0].contiguous();
    const Tensor grad_texture = torch::empty_like(texture), grad_uv = torch::empty_like(uv);
    const tensor_list grad_upper = emptyLevels(texture, static_cast<int>(upper.size()) + 1);
    const Tensor grad_uv_derivatives =
        uv_derivatives.defined() ? torch::empty_like(uv_derivatives) : Tensor();
    const Tensor grad_level_bias = level_bias.defined() ? torch::empty_like(level_bias) : Tensor();
    params.grad_out = images(grad_out, "texture", "the gradient");
    params.grad_texture = mipStack<float>(grad_texture, grad_upper);
    params.grad_uv = writable(grad_uv);
    params.grad_uv_derivatives = writable(grad_uv_derivatives);
    params.grad_level_bias = writable(grad_level_bias);
    ops::textureBackwardCpu(params);
    if (!upper.empty()) ops::buildMipStackBackwardCpu(params.grad_texture);
    return {grad_texture, grad_uv, grad_uv_derivatives, grad_level_bias, {}, {}, {}, {}};
  }
};

class AntialiasFunction : public Function<AntialiasFunction> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& colour, const Tensor& rast,
                        const Tensor& positions, const Tensor& triangles, bool clamp) {
    const ops::TriangleList list = triangleList(triangles, "antialias");
    const Tensor opposite = torch::empty({triangles.size(0), 3}, torch::kInt32);
    ops::buildTopology(list, positions.size(-2), opposite.data_ptr<std::int32_t>());
    ops::AntialiasParams params = makeParams(colour, rast, positions, triangles, opposite, clamp);
    const Tensor out = torch::empty_like(colour);
    params.out = writable(out);
    ops::antialiasCpu(params);
    context->save_for_backward({colour, rast, positions, triangles, opposite});
    context->saved_data["clamp"] = clamp;
    return out;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list saved = context->get_saved_variables();
    ops::AntialiasBackwardParams params;
    params.forward =
        makeParams(saved[0], saved[1], saved[2], saved[3], saved[4], context->saved_data["clamp"].toBool());
    const Tensor grad_out = gradients[0].contiguous();
    const Tensor grad_colour = torch::empty_like(saved[0]), grad_positions = torch::empty_like(saved[2]);
    params.grad_out = images(grad_out, "antialias", "the gradient");
    params.grad_colour = writable(grad_colour);
    params.grad_positions = writableRows(grad_positions);
    ops::antialiasBackwardCpu(params);
    return {grad_colour, {}, grad_positions, {}, {}};
  }

 private:
  static ops::AntialiasParams makeParams(const Tensor& colour, const Tensor& rast, const Tensor& positions,
                                         const Tensor& triangles, const Tensor& opposite, bool clamp) {
    ops::AntialiasParams params;
    params.colour = images(colour, "antialias", "colour");
    params.rast = images(rast, "antialias", "rast");
    params.positions = rows(positions, "antialias", "positions", colour.size(0));
    params.triangles = triangleList(triangles, "antialias");
    params.opposite = opposite.data_ptr<std::int32_t>();
    params.clamp = clamp;
    return params;
  }
};

}  // namespace

Rasterized rasterize(const Tensor& positions, const Tensor& triangles, int height, int width,
                     bool derivatives, const Tensor& ranges, const Tensor& previous) {
  const tensor_list out = RasterizeFunction::apply(positions, triangles, int64_t{height}, int64_t{width},
                                                   derivatives, optional(ranges), optional(previous));
  return {out[0], derivatives ? out[1] : Tensor()};
}

std::tuple<Tensor, Tensor> interpolate(const Tensor& attributes, const Tensor& rast, const Tensor& triangles,
                                       const Tensor& derivatives, const std::vector<int>& differentiated) {
  images(rast, "interpolate", "rast");  // checked before its shape is used
  rows(attributes, "interpolate", "attributes", rast.size(0));
  const tensor_list out =
      InterpolateFunction::apply(attributes, rast, triangles, optional(derivatives),
                                 std::vector<int64_t>(differentiated.begin(), differentiated.end()));
  return {out[0], out.size() > 1 ? out[1] : Tensor()};
}

Tensor texture(const Tensor& texture, const Tensor& uv, const Tensor& uv_derivatives,
               const Tensor& level_bias, const TextureOptions& options) {
  images(uv, "texture", "uv");
  return TextureFunction::apply(texture, uv, optional(uv_derivatives), optional(level_bias),
                                static_cast<int64_t>(options.filter), static_cast<int64_t>(options.boundary),
                                int64_t{options.max_mip_level}, int64_t{options.max_anisotropy});
}

Tensor antialias(const Tensor& colour, const Tensor& rast, const Tensor& positions, const Tensor& triangles,
                 bool clamp) {
  images(colour, "antialias", "colour");
  rows(positions, "antialias", "positions", colour.size(0));
  return AntialiasFunction::apply(colour, rast, positions, triangles, clamp);
}

}  // namespace facet::torch_ops
