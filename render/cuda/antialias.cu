#include "render/cuda/antialias_kernels.h"
#include "render/cuda/executor.h"

namespace facet::ops {

void antialiasCuda(const AntialiasParams& params, CudaContext& context) {
  cuda::CudaExecutor executor(context, "antialias");
  cuda::antialias(params, executor);
}

void antialiasBackwardCuda(const AntialiasBackwardParams& params, CudaContext& context) {
  cuda::CudaExecutor executor(context, "antialiasBackward");
  cuda::antialiasBackward(params, executor);
}

void edgeGradientCuda(const EdgeGradientParams& params, CudaContext& context) {
  cuda::CudaExecutor executor(context, "edgeGradient");
  cuda::edgeGradient(params, executor);
}

}  // namespace facet::ops
