#pragma once

#include <fstream>
#include <functional>
#include <optional>
#include <string>

namespace facet::test {

// A line of /proc/self/status in bytes, such as "VmHWM:".
inline std::size_t statusBytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t kibibytes = 0;
    if (word == key && status >> kibibytes) return 1024 * kibibytes;
  }
  return 0;
}

// How far the memory in use rises above its present level while `work` runs; nothing where the system does
// not let a process restart its own high-water mark.
inline std::optional<std::size_t> peakMemory(const std::function<void()>& work) {
  {
    std::ofstream reset("/proc/self/clear_refs");
    reset << "5" << std::flush;
    if (!reset) return std::nullopt;
  }
  const std::size_t before = statusBytes("VmRSS:");
  work();
  const std::size_t peak = statusBytes("VmHWM:");
  return peak > before ? peak - before : 0;
}

}  // namespace facet::test
