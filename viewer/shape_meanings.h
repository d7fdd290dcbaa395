#pragma once

#include <string>

namespace facet {

// What one of ARKit's shapes does, one sentence for a tooltip; empty for any other name. Left and right are
// the face's own.
std::string shapeMeaning(const std::string& name);

}  // namespace facet
