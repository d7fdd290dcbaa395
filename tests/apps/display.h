#pragma once

#include <sys/types.h>
#include <optional>
#include <string>

namespace facet::test {

// A display in memory (Xvfb) of 1400×900 pixels for programs that open windows; nothing where Xvfb is not
// installed.
class VirtualDisplay {
 public:
  static std::optional<VirtualDisplay> start();
  ~VirtualDisplay();
  VirtualDisplay(VirtualDisplay&& other) noexcept;
  VirtualDisplay& operator=(VirtualDisplay&&) = delete;

  const std::string& name() const { return name_; }  // for DISPLAY

 private:
  VirtualDisplay(pid_t server, std::string name) : server_(server), name_(std::move(name)) {}
  pid_t server_ = -1;
  std::string name_;
};

}  // namespace facet::test
