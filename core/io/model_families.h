#pragma once

#include <string>
#include <vector>

#include "core/morphable_model.h"

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
// By name, in any case of letters; null when there is no such family.
const ModelFamily* findModelFamily(const std::string& name);
// Gives a model the licence and, as its source, the page of its family. Throws std::invalid_argument when
// there is no such family.
void setOrigin(const std::string& family_name, MorphableModel& model);

// The family that a model was read as; null for one of no family.
const ModelFamily* familyOf(const MorphableModel& model);

}  // namespace facet
