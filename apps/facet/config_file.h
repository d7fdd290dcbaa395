#pragma once

#include <CLI/CLI.hpp>
#include <istream>
#include <vector>

namespace facet {

// Reads --config: TOML, or JSON when the file starts with a brace. Keys are option names, sections (JSON:
// objects) verbs:
//   threads = 2                           {"threads": 2,
//   [reconstruct]                          "reconstruct": {"texture-size": 512}}
//   texture-size = 512
// A key whose environment variable is set is left out: flag > environment > config file > default.
class ConfigFile : public CLI::ConfigTOML {
 public:
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;
};

}  // namespace facet
