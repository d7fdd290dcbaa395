#include <algorithm>
#include <new>
#include <sstream>
#include <stdexcept>

#include "core/check.h"
#include "render/cuda/executor.h"

namespace facet::ops {
namespace cuda {

void checkCuda(cudaError_t status, const char* op, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // an error that is not sticky must not be reported again by the next call
  std::ostringstream message;
  message << op << ": " << what << " failed: " << cudaGetErrorString(status) << " ("
          << cudaGetErrorName(status) << ")";
  throw std::runtime_error(message.str());
}

namespace {

void* allocateDevice(const char* op, std::size_t bytes, const char* hint) {
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes);
  if (status == cudaSuccess) return memory;
  cudaGetLastError();
  std::ostringstream message;
  message << op << ": no " << bytes << " bytes of device memory: " << cudaGetErrorString(status) << " ("
          << cudaGetErrorName(status) << ")";
  std::size_t free_bytes = 0, total_bytes = 0;
  if (status == cudaErrorMemoryAllocation && cudaMemGetInfo(&free_bytes, &total_bytes) == cudaSuccess) {
    message << "; " << free_bytes << " of " << total_bytes << " bytes are free";
  }
  cudaGetLastError();
  message << "; " << hint;
  throw std::runtime_error(message.str());
}

}  // namespace

void* takeScratch(CudaContext::Impl& impl, const char* op, std::size_t bytes) {
  constexpr std::size_t kAlignment = 256;
  constexpr std::size_t kSmallestBlock = std::size_t{1} << 20;
  bytes = (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  while (impl.block_index < impl.blocks.size()) {
    CudaContext::Impl::Block& block = impl.blocks[impl.block_index];
    if (block.size - impl.block_used >= bytes) {
      void* const memory = block.memory + impl.block_used;
      impl.block_used += bytes;
      return memory;
    }
    ++impl.block_index;
    impl.block_used = 0;
  }
  const std::size_t size = std::max(bytes, kSmallestBlock);
  void* const memory =
      allocateDevice(op, size,
                     "use smaller images or batches; while a graph is captured nothing can be allocated, so "
                     "make the same calls once before");
  impl.blocks.push_back({static_cast<char*>(memory), size});
  impl.block_used = bytes;
  return memory;
}

}  // namespace cuda

bool cudaAvailable(std::string* why) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return true;
  cudaGetLastError();
  if (why) {
    *why = status == cudaSuccess ? "no CUDA device is present"
                                 : std::string("no CUDA device is usable: ") + cudaGetErrorString(status);
    if (status == cudaErrorInsufficientDriver) *why += " (there is no driver, or too old a one)";
  }
  return false;
}

CudaContext::CudaContext(int device) : impl_(new Impl) {
  std::string why;
  if (!cudaAvailable(&why)) throw std::runtime_error("CudaContext: " + why);
  int count = 0;
  cuda::checkCuda(cudaGetDeviceCount(&count), "CudaContext", "counting the devices");
  require(device >= 0 && device < count, "CudaContext: device ", device, " does not exist; there are ",
          count);
  impl_->device = device;
  cuda::checkCuda(cudaSetDevice(device), "CudaContext", "selecting the device");
  cuda::checkCuda(cudaDeviceGetAttribute(&impl_->num_multiprocessors, cudaDevAttrMultiProcessorCount, device),
                  "CudaContext", "asking for the number of multiprocessors");
  cuda::checkCuda(cudaStreamCreateWithFlags(&impl_->stream, cudaStreamNonBlocking), "CudaContext",
                  "creating a stream");
  impl_->owns_stream = true;
}

CudaContext::~CudaContext() {
  cudaSetDevice(impl_->device);
  cudaStreamSynchronize(impl_->stream);
  for (const Impl::Block& block : impl_->blocks) cudaFree(block.memory);
  if (impl_->owns_stream) cudaStreamDestroy(impl_->stream);
}

void CudaContext::useStream(void* stream) {
  if (impl_->stream == stream) return;
  synchronize();
  if (impl_->owns_stream) cudaStreamDestroy(impl_->stream);
  impl_->owns_stream = false;
  impl_->stream = static_cast<cudaStream_t>(stream);
}

void* CudaContext::stream() const { return impl_->stream; }

int CudaContext::device() const { return impl_->device; }

void CudaContext::synchronize() {
  cuda::checkCuda(cudaStreamSynchronize(impl_->stream), "CudaContext", "waiting for the stream");
}

void CudaContext::releaseScratch() {
  synchronize();
  for (const Impl::Block& block : impl_->blocks) cudaFree(block.memory);
  impl_->blocks.clear();
  impl_->block_index = impl_->block_used = 0;
}

std::int64_t CudaContext::scratchBytes() const {
  std::int64_t total = 0;
  for (const Impl::Block& block : impl_->blocks) total += static_cast<std::int64_t>(block.size);
  return total;
}

void* CudaContext::allocate(std::int64_t bytes) {
  require(bytes >= 0, "CudaContext: ", bytes, " bytes is not a size");
  cuda::checkCuda(cudaSetDevice(impl_->device), "CudaContext", "selecting the device");
  return cuda::allocateDevice("CudaContext", static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)),
                              "free some memory first");
}

void CudaContext::deallocate(void* memory) { cudaFree(memory); }

void CudaContext::copyToDevice(void* device_memory, const void* host_memory, std::int64_t bytes) {
  cuda::checkCuda(cudaMemcpyAsync(device_memory, host_memory, static_cast<std::size_t>(bytes),
                                  cudaMemcpyHostToDevice, impl_->stream),
                  "CudaContext", "copying to the device");
  synchronize();
}

void CudaContext::copyToHost(void* host_memory, const void* device_memory, std::int64_t bytes) {
  cuda::checkCuda(cudaMemcpyAsync(host_memory, device_memory, static_cast<std::size_t>(bytes),
                                  cudaMemcpyDeviceToHost, impl_->stream),
                  "CudaContext", "copying from the device");
  synchronize();
}

}  // namespace facet::ops
