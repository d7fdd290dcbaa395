#include "core/error.h"
#include "render/rasterize_backend.h"

namespace facet {

void rasterizeCuda(const RasterizeParams&) {
  fail(ErrorKind::kUsage, "rasterize: Device::kCuda requested, but this build has no CUDA; use Device::kCpu");
}

}  // namespace facet
