#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "apps/facet/command.h"
#include "core/morphable_model.h"

namespace facet {

// Folder of the user's imported models: $XDG_DATA_HOME/facet/models or ~/.local/share/facet/models.
std::filesystem::path userModelFolder();

// Loads "builtin", the name of an imported model, or a file; prints the licence of any but the built-in one.
MorphableModel loadNamedModel(const std::string& name, Session& session);

// What a reconstruction needs and the model lacks, in words: "dense landmarks", "texture coordinates", …
std::vector<std::string> missingParts(const MorphableModel& model);

// Gives the model what it lacks and the built-in one has, by laying that onto it: landmarks (found by
// rendering where the file names none), regions, texture coordinates, skin colour, named shapes.
// Error(kModel) when no face is found on it.
void completeFromBuiltin(MorphableModel& model, const MorphableModel& builtin, Session& session);

}  // namespace facet
