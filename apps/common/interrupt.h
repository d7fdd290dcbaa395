#pragma once

namespace facet {

// From here on Ctrl-C and SIGTERM only set a flag, so that the program can clean up; a second one ends it at
// once.
void catchInterrupts();
bool interrupted();
// Error(kInterrupted) once a signal has come.
void throwIfInterrupted();

// For programs that go on when work is given up: interrupted() is true from cancelWork() to allowWork(), on
// all threads. A signal stays.
void cancelWork();
void allowWork();
bool signalReceived();

}  // namespace facet
