#pragma once

#include <string>
#include <vector>

namespace facet {

// A family of models that facet reads from their original files, none of which may be passed on by us.
struct ModelFamily {
  std::string name;     // for --model and facet model import: "flame"
  std::string title;    // "FLAME 2017 to 2023"
  std::string files;    // what to download, as it is published
  std::string licence;  // in plain words
  std::string page;     // where to register, or to get it from
};

const std::vector<ModelFamily>& modelFamilies();
// By name; null when there is no such family.
const ModelFamily* findModelFamily(const std::string& name);

}  // namespace facet
