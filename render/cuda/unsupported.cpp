// In place of the .cu files where the build has no CUDA.

#include <stdexcept>

#include "render/ops/cuda.h"

namespace facet::ops {
namespace {

[[noreturn]] void refuse(const char* op) {
  throw std::runtime_error(
      std::string(op) +
      ": built without CUDA; configure with -DFACET_CUDA=ON and a CUDA compiler, or use the "
      "...Cpu() functions");
}

}  // namespace

struct CudaContext::Impl {};

bool cudaAvailable(std::string* why) {
  if (why) *why = "built without CUDA";
  return false;
}

CudaContext::CudaContext(int) { refuse("CudaContext"); }
CudaContext::~CudaContext() = default;
void CudaContext::useStream(void*) { refuse("CudaContext"); }
void* CudaContext::stream() const { refuse("CudaContext"); }
int CudaContext::device() const { refuse("CudaContext"); }
void CudaContext::synchronize() { refuse("CudaContext"); }
void CudaContext::releaseScratch() { refuse("CudaContext"); }
std::int64_t CudaContext::scratchBytes() const { refuse("CudaContext"); }
void* CudaContext::allocate(std::int64_t) { refuse("CudaContext"); }
void CudaContext::deallocate(void*) {}
void CudaContext::copyToDevice(void*, const void*, std::int64_t) { refuse("CudaContext"); }
void CudaContext::copyToHost(void*, const void*, std::int64_t) { refuse("CudaContext"); }

void rasterizeCuda(const RasterizeParams&, CudaContext&) { refuse("rasterize"); }
void rasterizeBackwardCuda(const RasterizeBackwardParams&, CudaContext&) { refuse("rasterizeBackward"); }
void interpolateCuda(const InterpolateParams&, CudaContext&) { refuse("interpolate"); }
void interpolateBackwardCuda(const InterpolateBackwardParams&, CudaContext&) {
  refuse("interpolateBackward");
}
void buildMipStackCuda(const MipStack&, CudaContext&) { refuse("buildMipStack"); }
void buildMipStackBackwardCuda(const MipStack&, CudaContext&) { refuse("buildMipStackBackward"); }
void textureCuda(const TextureParams&, CudaContext&) { refuse("texture"); }
void textureBackwardCuda(const TextureBackwardParams&, CudaContext&) { refuse("textureBackward"); }
void antialiasCuda(const AntialiasParams&, CudaContext&) { refuse("antialias"); }
void antialiasBackwardCuda(const AntialiasBackwardParams&, CudaContext&) { refuse("antialiasBackward"); }
void edgeGradientCuda(const EdgeGradientParams&, CudaContext&) { refuse("edgeGradient"); }

}  // namespace facet::ops
