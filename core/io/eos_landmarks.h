#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/morphable_model.h"

namespace facet {

// iBUG-68 landmarks from eos's mapping file (ibug_to_….txt: "[landmark_mappings]", lines "9 = 33", or names
// out of `definitions` in place of vertices) beside the model, and the jaw line from its contour file
// (…_model_contours.json): the eight points of each side at equal distances along the outline towards the
// chin. Empty, with a note, when they do not suffice.
LandmarkEmbedding eosLandmarks(const std::filesystem::path& model_path, const MorphableModel& model,
                               const std::vector<std::pair<std::string, std::int32_t>>& definitions,
                               std::vector<std::string>& notes);

}  // namespace facet
