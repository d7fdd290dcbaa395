#include "apps/facet/interrupt.h"

#include <csignal>

#include "core/error.h"

namespace facet {
namespace {

volatile std::sig_atomic_t signal_received = 0;

}  // namespace

void catchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int signal) { signal_received = signal; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A file size limit then fails the write, which is reported and cleaned up after, instead of ending the
  // program.
  std::signal(SIGXFSZ, SIG_IGN);
}

bool interrupted() { return signal_received != 0; }

void throwIfInterrupted() {
  if (interrupted()) fail(ErrorKind::kInterrupted, "interrupted; no unfinished result is left behind");
}

}  // namespace facet
