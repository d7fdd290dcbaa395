#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace facet {

// JSON as facet prints and writes it, with a line end. What is not UTF-8 in a file name becomes U+FFFD
// instead of an exception after all the work is done.
inline std::string jsonText(const nlohmann::json& value) {
  return value.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace facet
