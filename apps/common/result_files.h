#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/common/reconstruct.h"

namespace facet {

// Values rounded to the seven digits a float has, so that JSON shows 0.1 and not 0.10000000149011612.
nlohmann::json jsonNumber(double value);
// Rows of a matrix as nested arrays; a column vector as a flat one.
nlohmann::json jsonRows(const Eigen::Ref<const Eigen::MatrixXf>& matrix);

// The "model" of fit.json and track.json. `reference` is modelReference().
nlohmann::json modelJson(const MorphableModel& model, const std::string& reference);

// fit.json, the contract of docs/cli.md.
nlohmann::json fitJson(const MorphableModel& model, const std::string& model_reference, const Photo& photo,
                       const Reconstruction& result, unsigned seed);

// Writes every file of the result that the finished stages allow into `folder`, which exists. `step` is
// called before each file with the part of the writing that is done, and may throw to stop.
void writeResult(const std::filesystem::path& folder, const MorphableModel& model,
                 const std::string& model_reference, const Photo& photo, const Reconstruction& result,
                 unsigned seed, const std::function<void(double)>& step);

// Photo with landmark positions as discs: detected in green; `fitted`, if any, in red.
Image8 drawLandmarks(const Image8& photo, const Points2& detected_px, const Points2& fitted_px = {});

// Rectangular RGB PNG of values in [0, 1] without the sRGB curve (normals, PNCC, masks).
Image8 dataToImage(const ImageF& values);

}  // namespace facet
