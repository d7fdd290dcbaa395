#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/session.h"
#include "core/correspondence.h"
#include "core/morphable_model.h"

namespace facet {

// Folder of the user's imported models: $XDG_DATA_HOME/facet/models or ~/.local/share/facet/models.
std::filesystem::path userModelFolder();

// Loads "builtin", the name of an imported model, or a file; prints the licence of any but the built-in one.
MorphableModel loadNamedModel(const std::string& name, Session& session);

// How a result names the model it was made with, for whoever opens it later: the name, or the file's absolute
// path.
std::string modelReference(const std::string& name);

// Loads the built-in model too unless `model` is it, and takes over from it what `model` lacks; returns it,
// or nothing. `name` is what the user called the model.
std::optional<MorphableModel> completeFromBuiltin(const std::string& name, MorphableModel& model,
                                                  Session& session);

// What a reconstruction needs and the model lacks, in words: "dense landmarks", "texture coordinates", …
std::vector<std::string> missingParts(const MorphableModel& model);

// Positions of the 68 landmarks on a model's mean (mm, rows of NaN where unknown): its own or, where its file
// names none, those found on pictures of it. Error(kModel) when no face is found.
Points3 landmarksOnMean(const MorphableModel& model, Session& session);

// The source laid onto the model.
Correspondence layOnto(const MorphableModel& source, const MorphableModel& model, Session& session);

// Gives the model what it lacks and the source has, over their correspondence: landmarks, regions, texture
// coordinates, skin colour, named shapes.
void completeFrom(const MorphableModel& source, MorphableModel& model, const Correspondence& correspondence,
                  Session& session);

}  // namespace facet
