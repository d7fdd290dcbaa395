#pragma once

#include <sstream>
#include <stdexcept>

namespace facet {

// Throws std::invalid_argument with the concatenated message unless the condition holds. The message says who
// complains, what was given, what was expected and the way out.
template <typename... Parts>
void require(bool condition, const Parts&... parts) {
  if (condition) return;
  std::ostringstream message;
  (message << ... << parts);
  throw std::invalid_argument(message.str());
}

}  // namespace facet
