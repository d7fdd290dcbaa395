#pragma once

namespace facet {

// From here on Ctrl-C and SIGTERM only set a flag, so that the program can clean up; a second one ends it at
// once.
void catchInterrupts();
bool interrupted();
// Error(kInterrupted) once a signal has come.
void throwIfInterrupted();

}  // namespace facet
