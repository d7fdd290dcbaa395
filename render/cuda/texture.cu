#include "render/cuda/executor.h"
#include "render/cuda/texture_kernels.h"

namespace facet::ops {

void buildMipStackCuda(const MipStack& stack, CudaContext& context) {
  cuda::CudaExecutor executor(context, "buildMipStack");
  cuda::buildMipStack(stack, executor);
}

void buildMipStackBackwardCuda(const MipStack& grad_stack, CudaContext& context) {
  cuda::CudaExecutor executor(context, "buildMipStackBackward");
  cuda::buildMipStackBackward(grad_stack, executor);
}

void textureCuda(const TextureParams& params, CudaContext& context) {
  cuda::CudaExecutor executor(context, "texture");
  cuda::texture(params, executor);
}

void textureBackwardCuda(const TextureBackwardParams& params, CudaContext& context) {
  cuda::CudaExecutor executor(context, "textureBackward");
  cuda::textureBackward(params, executor);
}

}  // namespace facet::ops
