#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "render/cuda/portable.h"
#include "render/ops/cuda.h"

// Runs the kernels of an operation on a CUDA stream. Included by .cu files only. The tests have an executor
// of the same shape that runs them on the host.
namespace facet::ops {

struct CudaContext::Impl {
  int device = 0;
  int num_multiprocessors = 1;
  cudaStream_t stream = nullptr;
  bool owns_stream = false;

  // Scratch memory: blocks that each operation fills from the start. Blocks are never moved or freed before
  // releaseScratch(), so that captured graphs may go on using them.
  struct Block {
    char* memory;
    std::size_t size;
  };
  std::vector<Block> blocks;
  std::size_t block_index = 0, block_used = 0;
};

namespace cuda {

// Throws std::runtime_error with the CUDA error's name and text.
void checkCuda(cudaError_t status, const char* op, const char* what);
void* takeScratch(CudaContext::Impl& impl, const char* op, std::size_t bytes);

template <typename Body>
__global__ void __launch_bounds__(256) forEachKernel(std::int64_t count, const __grid_constant__ Body body) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) body(i);
}

template <typename Body>
__global__ void __launch_bounds__(Body::kThreads)
    forEachGroupKernel(const std::int64_t* num_entries, int per_entry, const __grid_constant__ Body body) {
  __shared__ typename Body::Shared shared;
  const std::int64_t num_groups = *num_entries * per_entry;
  for (std::int64_t group = blockIdx.x; group < num_groups; group += gridDim.x) {
    __syncthreads();  // the group before is done with `shared`
    if (threadIdx.x == 0) body.prepare(group, &shared);
    __syncthreads();
    body.run(group, static_cast<int>(threadIdx.x), shared);
  }
}

struct SmallBytes {
  unsigned char value[1024];
};
// A template, so that each .cu file has its own: a launch does not reach into another file.
template <typename Bytes>
__global__ void storeKernel(const __grid_constant__ Bytes bytes, unsigned char* to, int count) {
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    to[i] = bytes.value[i];
  }
}

class CudaExecutor {
 public:
  CudaExecutor(CudaContext& context, const char* op)
      : impl_(context.impl()), op_(op), deterministic_(context.deterministic) {
    checkCuda(cudaSetDevice(impl_.device), op_, "selecting the device");
    impl_.block_index = impl_.block_used = 0;
  }

  bool deterministic() const { return deterministic_; }

  // Device memory until the end of the operation.
  template <typename T>
  T* scratch(std::int64_t count) {
    return static_cast<T*>(takeScratch(impl_, op_, static_cast<std::size_t>(count) * sizeof(T)));
  }
  // Host memory until the end of the operation.
  template <typename T>
  T* hostArray(std::int64_t count) {
    host_arrays_.emplace_back(new unsigned char[static_cast<std::size_t>(count) * sizeof(T)]);
    return reinterpret_cast<T*>(host_arrays_.back().get());
  }
  // Copies a small host array through kernel arguments, which a captured graph keeps.
  template <typename T>
  const T* upload(const T* values, std::int64_t count) {
    T* const copy = scratch<T>(count);
    const unsigned char* from = reinterpret_cast<const unsigned char*>(values);
    unsigned char* to = reinterpret_cast<unsigned char*>(copy);
    for (std::size_t left = static_cast<std::size_t>(count) * sizeof(T); left > 0;) {
      SmallBytes bytes;
      const std::size_t size = left < sizeof(bytes.value) ? left : sizeof(bytes.value);
      std::memcpy(bytes.value, from, size);
      storeKernel<<<1, 256, 0, impl_.stream>>>(bytes, to, static_cast<int>(size));
      checkCuda(cudaGetLastError(), op_, "uploading an argument");
      from += size;
      to += size;
      left -= size;
    }
    return copy;
  }

  template <typename T>
  void zero(T* memory, std::int64_t count) {
    fill(memory, 0, static_cast<std::size_t>(count) * sizeof(T));
  }
  template <typename T>
  void fillOnes(T* memory, std::int64_t count) {
    fill(memory, 0xFF, static_cast<std::size_t>(count) * sizeof(T));
  }

  // body(i) for i in [0, count).
  template <typename Body>
  void forEach(std::int64_t count, const Body& body) {
    if (count <= 0) return;
    constexpr int kThreads = 256, kBlocksPerMultiprocessor = 64;
    const std::int64_t blocks = (count + kThreads - 1) / kThreads;
    const std::int64_t most = std::int64_t{impl_.num_multiprocessors} * kBlocksPerMultiprocessor;
    forEachKernel<<<static_cast<unsigned>(smaller(blocks, most)), kThreads, 0, impl_.stream>>>(count, body);
    checkCuda(cudaGetLastError(), op_, "launching a kernel");
  }

  // For each group in [0, *num_entries · per_entry): body.prepare() by one thread, then body.run() by all
  // Body::kThreads. The number of entries is known on the device only; it is at most max_entries.
  template <typename Body>
  void forEachGroup(const std::int64_t* num_entries, std::int64_t max_entries, int per_entry,
                    const Body& body) {
    constexpr int kThreadsPerMultiprocessor = 1024;
    const std::int64_t most =
        std::int64_t{impl_.num_multiprocessors} * (kThreadsPerMultiprocessor / Body::kThreads);
    const std::int64_t blocks = smaller(max_entries * per_entry, most);
    if (blocks <= 0) return;
    forEachGroupKernel<<<static_cast<unsigned>(blocks), Body::kThreads, 0, impl_.stream>>>(num_entries,
                                                                                           per_entry, body);
    checkCuda(cudaGetLastError(), op_, "launching a kernel");
  }

 private:
  void fill(void* memory, int byte, std::size_t size) {
    if (size == 0) return;
    checkCuda(cudaMemsetAsync(memory, byte, size, impl_.stream), op_, "filling memory");
  }

  CudaContext::Impl& impl_;
  const char* op_;
  bool deterministic_;
  std::vector<std::unique_ptr<unsigned char[]>> host_arrays_;
};

}  // namespace cuda
}  // namespace facet::ops
