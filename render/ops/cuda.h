#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "render/ops/antialias.h"
#include "render/ops/images.h"
#include "render/ops/interpolate.h"
#include "render/ops/rasterize.h"
#include "render/ops/texture.h"

// The operations on a CUDA device: the same Params as the ...Cpu() functions, with device pointers except
// where a field says "host". Needs no CUDA header. A build without CUDA has the same functions; they throw,
// and cudaAvailable() says why.
//
// Ids are those of the CPU; floats agree to about 1e-5. Calls only enqueue work on the context's stream and
// never wait for the device, so that a sequence of calls can be captured in a CUDA graph; run it once before,
// so that the scratch memory has its size (allocating is not allowed during capture).
//
// Shapes are checked like on the CPU. What lies in device memory is not read by the host: a triangle with an
// index outside [0, V) or a rast value that names no triangle is treated as background.
namespace facet::ops {

// Whether CUDA can be used: the build has it, and a driver and a device are present. `why` receives the
// reason when not.
bool cudaAvailable(std::string* why = nullptr);

// A device, a stream and scratch memory that only grows. One per thread; calls with one context must not
// overlap in time on different streams. All functions throw std::runtime_error on CUDA errors, naming the
// call and the size, and std::invalid_argument on wrong arguments.
class CudaContext {
 public:
  explicit CudaContext(int device = 0);  // creates a stream of its own
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  // Uses someone else's cudaStream_t from now on (nullptr is the legacy default stream). Waits for the work
  // of the stream used so far, because the scratch memory is shared. The stream must live until the context
  // gets another one or ends.
  void useStream(void* stream);
  void* stream() const;
  int device() const;
  void synchronize();

  // Frees the scratch memory. Graphs captured before must not be launched any more.
  void releaseScratch();
  std::int64_t scratchBytes() const;

  // Device memory and copies. Copies wait until they are done.
  void* allocate(std::int64_t bytes);
  void deallocate(void* memory);
  void copyToDevice(void* device_memory, const void* host_memory, std::int64_t bytes);
  void copyToHost(void* host_memory, const void* device_memory, std::int64_t bytes);

  // Gradients that many pixels add to (positions, attributes, textures) are summed with float atomics, whose
  // order and so last bits vary from run to run. With deterministic = true they are summed as 64-bit integers
  // in units chosen from the largest contribution (a first pass finds it), whose sum does not depend on the
  // order: bitwise equal results, about twice the time of the backward pass, 8 more bytes of scratch memory
  // per gradient element. The unit is at most 2^-37 of the largest contribution for 2^24 contributions in
  // a call, and doubles with their number.
  bool deterministic = false;

  struct Impl;  // internal
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// Device memory that belongs to a context and is freed with this object.
template <typename T>
class CudaArray {
 public:
  CudaArray(CudaContext& context, std::int64_t count)
      : context_(&context),
        data_(static_cast<T*>(context.allocate(count * static_cast<std::int64_t>(sizeof(T))))),
        count_(count) {}
  CudaArray(CudaContext& context, const std::vector<T>& values)
      : CudaArray(context, static_cast<std::int64_t>(values.size())) {
    context.copyToDevice(data_, values.data(), bytes());
  }
  ~CudaArray() {
    if (data_) context_->deallocate(data_);
  }
  CudaArray(CudaArray&& other) noexcept : context_(other.context_), data_(other.data_), count_(other.count_) {
    other.data_ = nullptr;
    other.count_ = 0;
  }
  CudaArray(const CudaArray&) = delete;
  CudaArray& operator=(const CudaArray&) = delete;
  CudaArray& operator=(CudaArray&&) = delete;

  T* data() const { return data_; }
  std::int64_t size() const { return count_; }
  std::vector<T> toHost() const {
    std::vector<T> values(static_cast<std::size_t>(count_));
    context_->copyToHost(values.data(), data_, bytes());
    return values;
  }

 private:
  std::int64_t bytes() const { return count_ * static_cast<std::int64_t>(sizeof(T)); }

  CudaContext* context_;
  T* data_;
  std::int64_t count_;
};

void rasterizeCuda(const RasterizeParams& params, CudaContext& context);
void rasterizeBackwardCuda(const RasterizeBackwardParams& params, CudaContext& context);
void interpolateCuda(const InterpolateParams& params, CudaContext& context);
void interpolateBackwardCuda(const InterpolateBackwardParams& params, CudaContext& context);
void buildMipStackCuda(const MipStack& stack, CudaContext& context);
void buildMipStackBackwardCuda(const MipStack& grad_stack, CudaContext& context);
void textureCuda(const TextureParams& params, CudaContext& context);
void textureBackwardCuda(const TextureBackwardParams& params, CudaContext& context);
// `opposite` is device memory too: build it on the host (buildTopology) and copy it once per mesh.
void antialiasCuda(const AntialiasParams& params, CudaContext& context);
void antialiasBackwardCuda(const AntialiasBackwardParams& params, CudaContext& context);
void edgeGradientCuda(const EdgeGradientParams& params, CudaContext& context);

}  // namespace facet::ops
