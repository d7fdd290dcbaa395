#include "render/cuda/executor.h"
#include "render/cuda/interpolate_kernels.h"
#include "render/cuda/rasterize_kernels.h"

namespace facet::ops {

void rasterizeCuda(const RasterizeParams& params, CudaContext& context) {
  cuda::CudaExecutor executor(context, "rasterize");
  cuda::rasterize(params, executor);
}

void rasterizeBackwardCuda(const RasterizeBackwardParams& params, CudaContext& context) {
  cuda::CudaExecutor executor(context, "rasterizeBackward");
  cuda::rasterizeBackward(params, executor);
}

void interpolateCuda(const InterpolateParams& params, CudaContext& context) {
  cuda::CudaExecutor executor(context, "interpolate");
  cuda::interpolate(params, executor);
}

void interpolateBackwardCuda(const InterpolateBackwardParams& params, CudaContext& context) {
  cuda::CudaExecutor executor(context, "interpolateBackward");
  cuda::interpolateBackward(params, executor);
}

}  // namespace facet::ops
