#include "apps/facet/config_file.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/facet/command.h"

namespace facet {
namespace {

using nlohmann::json;

std::string plainText(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void addItems(const json& object, std::vector<std::string>& parents, std::vector<CLI::ConfigItem>& items) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      parents.push_back(key);
      addItems(value, parents, items);
      parents.pop_back();
      continue;
    }
    CLI::ConfigItem item;
    item.parents = parents;
    item.name = key;
    if (value.is_array()) {
      for (const json& element : value) item.inputs.push_back(plainText(element));
    } else {
      item.inputs.push_back(plainText(value));
    }
    items.push_back(item);
  }
}

}  // namespace

std::string environmentName(const std::string& option) {
  std::string name = "FACET_" + option;
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::vector<CLI::ConfigItem> ConfigFile::from_config(std::istream& input) const {
  std::vector<CLI::ConfigItem> found;
  if ((input >> std::ws).peek() == '{') {
    std::vector<std::string> parents;
    try {
      addItems(json::parse(input), parents, found);
    } catch (const json::parse_error& error) {
      throw CLI::ConversionError(std::string("the config file is not valid JSON: ") + error.what());
    }
  } else {
    found = CLI::ConfigTOML::from_config(input);
  }
  std::erase_if(found, [](const CLI::ConfigItem& item) {
    const char* value = std::getenv(environmentName(item.name).c_str());
    return value != nullptr && *value != '\0';
  });
  return found;
}

}  // namespace facet
