#include "core/error.h"
#include "render/ops/rasterize.h"

namespace facet::ops {

void rasterizeCuda(const RasterizeParams&) {
  fail(ErrorKind::kUsage, "rasterize: Device::kCuda requested, but this build has no CUDA; use Device::kCpu");
}

}  // namespace facet::ops
