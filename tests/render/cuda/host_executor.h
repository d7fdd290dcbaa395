#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

// Runs the kernels of render/cuda on the host, one index after the other, so that their arithmetic and the
// sequence of launches can be tested without a device. The order can be reversed: results that depend on it
// would depend on the scheduling of threads. Scratch memory starts as garbage.
namespace facet::ops::cuda {

class HostExecutor {
 public:
  explicit HostExecutor(bool deterministic = false, bool reversed = false)
      : deterministic_(deterministic), reversed_(reversed) {}

  bool deterministic() const { return deterministic_; }

  template <typename T>
  T* scratch(std::int64_t count) {
    const std::size_t size = static_cast<std::size_t>(count) * sizeof(T);
    memory_.emplace_back(new std::uint64_t[size / 8 + 1]);
    std::memset(memory_.back().get(), 0xCD, size);
    return reinterpret_cast<T*>(memory_.back().get());
  }
  template <typename T>
  T* hostArray(std::int64_t count) {
    return scratch<T>(count);
  }
  template <typename T>
  const T* upload(const T* values, std::int64_t count) {
    T* const copy = scratch<T>(count);
    std::memcpy(copy, values, static_cast<std::size_t>(count) * sizeof(T));
    return copy;
  }
  template <typename T>
  void zero(T* memory, std::int64_t count) {
    std::memset(memory, 0, static_cast<std::size_t>(count) * sizeof(T));
  }
  template <typename T>
  void fillOnes(T* memory, std::int64_t count) {
    std::memset(memory, 0xFF, static_cast<std::size_t>(count) * sizeof(T));
  }
  template <typename Body>
  void forEach(std::int64_t count, const Body& body) {
    for (std::int64_t i = 0; i < count; ++i) body(reversed_ ? count - 1 - i : i);
  }
  template <typename Body>
  void forEachGroup(const std::int64_t* num_entries, std::int64_t, int per_entry, const Body& body) {
    const std::int64_t count = *num_entries * per_entry;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t group = reversed_ ? count - 1 - i : i;
      typename Body::Shared shared;
      body.prepare(group, &shared);
      for (int thread = 0; thread < Body::kThreads; ++thread) body.run(group, thread, shared);
    }
  }

 private:
  bool deterministic_, reversed_;
  std::vector<std::unique_ptr<std::uint64_t[]>> memory_;
};

}  // namespace facet::ops::cuda
