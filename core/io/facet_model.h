#pragma once

#include <filesystem>

#include "core/io/shared_bytes.h"
#include "core/morphable_model.h"

namespace facet {

// facet's own model file: an .npz with the arrays of MorphableModel and a JSON "meta" (docs/model_format.md).
// What writeFacetModel() writes is not compressed and aligned, so that the file is mapped and its bases are
// used where they lie: opening takes no longer for a large model than for a small one.
//
// Reading checks everything but the values of the bases, which writing has checked; model.check() does that,
// too. Errors: Error(kModel), naming the file.
MorphableModel readFacetModel(const std::filesystem::path& path);
// The same from memory; `path` only leads the messages.
MorphableModel facetModelFrom(const SharedBytes& npz, const std::filesystem::path& path);
// Whether an .npz holds a facet model rather than another one.
bool isFacetModel(const SharedBytes& npz, const std::filesystem::path& path);

// Bases keep their precision. Throws std::invalid_argument when the model does not pass check().
void writeFacetModel(const std::filesystem::path& path, const MorphableModel& model);

}  // namespace facet
