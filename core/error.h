#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace facet {

// What went wrong, as the exit code of the command line (the contract of the design).
enum class ErrorKind {
  kRuntime = 1,        // failure while running: disk full, folder not writable
  kUsage = 2,          // wrong option or combination of options
  kInput = 3,          // an input file cannot be read or does not hold what it should
  kModel = 4,          // a model file is missing or invalid
  kNoFace = 5,         // no face found
  kNotConverged = 6,   // the fit did not converge
  kInterrupted = 130,  // Ctrl-C
};

// An error the user can act on. The message names the file, the rule that it breaks and the way out.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

// Throws Error with the concatenated message.
template <typename... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Error(kind, message.str());
}

}  // namespace facet
