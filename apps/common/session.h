#pragma once

#include "apps/common/console.h"

namespace facet {

// Where messages go, and the options that all parts of a program share.
struct Session {
  Console console;
  bool json = false;
  int threads = 0;  // 0 = all cores
};

}  // namespace facet
