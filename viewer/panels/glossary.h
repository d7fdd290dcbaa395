#pragma once

#include <string>

namespace facet {

// The field's terms, one plain sentence each; an empty text for a word that is not in it.
std::string glossary(const std::string& term);

}  // namespace facet
