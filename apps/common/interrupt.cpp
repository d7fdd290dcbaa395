#include "apps/common/interrupt.h"

#include <atomic>
#include <csignal>

#include "core/error.h"

namespace facet {
namespace {

volatile std::sig_atomic_t signal_received = 0;
std::atomic<bool> work_cancelled = false;

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

bool signalReceived() { return signal_received != 0; }

void cancelWork() { work_cancelled = true; }

void allowWork() { work_cancelled = false; }

bool interrupted() { return signalReceived() || work_cancelled; }

void throwIfInterrupted() {
  if (interrupted()) fail(ErrorKind::kInterrupted, "interrupted; no unfinished result is left behind");
}

}  // namespace facet
