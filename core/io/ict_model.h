#pragma once

#include <filesystem>

#include "core/io/npz.h"
#include "core/morphable_model.h"

namespace facet {

// readIctModel() for arrays that are in memory already. Internal to model_io.
MorphableModel ictModelFrom(const Npz& arrays, const std::filesystem::path& path);

// Whether an .npz is the packed ICT-FaceKit.
bool isPackedIctModel(const SharedBytes& npz, const std::filesystem::path& path);

}  // namespace facet
