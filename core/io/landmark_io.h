#pragma once

#include <filesystem>

#include "core/landmarks.h"

namespace facet {

// iBUG/300-W .pts file with 68 points. Its coordinates are 1-based with the centre of the first pixel at (1,
// 1); the result has it at (0.5, 0.5). Errors: Error(kInput) naming the file: missing, not 68 points, NaN, no
// header.
LandmarkSet readPts(const std::filesystem::path& path);
void writePts(const std::filesystem::path& path, const LandmarkSet& landmarks);

}  // namespace facet
