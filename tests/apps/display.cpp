#include "tests/apps/display.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

namespace facet::test {

std::optional<VirtualDisplay> VirtualDisplay::start() {
  int number_pipe[2];
  if (pipe(number_pipe) != 0) return std::nullopt;
  const pid_t server = fork();
  if (server == 0) {
    close(number_pipe[0]);
    const std::string descriptor = std::to_string(number_pipe[1]);
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    // It chooses a free number and says it.
    execlp("Xvfb", "Xvfb", "-displayfd", descriptor.c_str(), "-screen", "0", "1400x900x24", "-noreset",
           "-nolisten", "tcp", nullptr);
    _exit(127);
  }
  close(number_pipe[1]);
  std::string number;
  char digit = 0;
  while (read(number_pipe[0], &digit, 1) == 1 && digit != '\n') number += digit;
  close(number_pipe[0]);
  if (number.empty()) {
    waitpid(server, nullptr, 0);
    return std::nullopt;
  }
  return VirtualDisplay(server, ":" + number);
}

VirtualDisplay::VirtualDisplay(VirtualDisplay&& other) noexcept
    : server_(std::exchange(other.server_, -1)), name_(std::move(other.name_)) {}

VirtualDisplay::~VirtualDisplay() {
  if (server_ <= 0) return;
  kill(server_, SIGTERM);
  waitpid(server_, nullptr, 0);
}

}  // namespace facet::test
