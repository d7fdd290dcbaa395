#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/io/model_parts.h"
#include "core/morphable_model.h"

namespace facet {

// What the readers of models that come as bare matrices share (the Basel models and their relatives, eos).
// All functions throw std::invalid_argument naming the array and what is wrong with it.

// The file `name` in the folder of `model`, if there is one.
std::optional<std::vector<std::uint8_t>> readBeside(const std::filesystem::path& model,
                                                    const std::string& name);

// 3V values in a row or in a column, times `scale`, as V×3.
Points3 pointsFrom(const Eigen::MatrixXf& values, const std::string& name, float scale = 1);
// Whole numbers as indices; `one_based` ones are counted from 0 afterwards. Each must lie in [0, count).
std::vector<std::int32_t> indicesFrom(const Eigen::MatrixXf& values, const std::string& name, bool one_based,
                                      Eigen::Index count);
// F×3, or 3×F when only that fits; the same checks.
Triangles trianglesFrom(const Eigen::MatrixXf& values, const std::string& name, bool one_based,
                        Eigen::Index num_vertices);
// 3V×K modes, each times its standard deviation and `scale`; without deviations, times `scale` only.
Eigen::MatrixXf scaledModes(Eigen::MatrixXf modes, const std::optional<Eigen::MatrixXf>& deviations,
                            Eigen::Index num_vertices, const std::string& name, float scale);

// Millimetres per unit of the file, by lengthUnit(); a note says when that is not 1 or not the usual one.
float millimetresPerUnit(const Points3& mean_in_file_units, const LengthUnit& usual,
                         std::vector<std::string>& notes);

// Vertex colours that are stored as display (sRGB) values, 0 to 255 or 0 to 1, become linear albedo.
void setDisplayColours(Points3 mean, Eigen::MatrixXf modes, MorphableModel& model);

// "expression_00", "expression_01" …
std::vector<std::string> numberedNames(const std::string& stem, Eigen::Index count);

// iBUG-68 landmarks from eos's mapping file ("[landmark_mappings]", lines "9 = 33") beside the model, and the
// jaw line from its contour file (…_model_contours.json): the eight points of each side at equal distances
// along the outline towards the chin. Empty, with a note, when they do not suffice.
LandmarkEmbedding eosLandmarks(const std::filesystem::path& model_path, const MorphableModel& model,
                               const std::vector<std::pair<std::string, std::int32_t>>& definitions,
                               std::vector<std::string>& notes);

// Outward triangles, with a note when they were reversed. Landmarks are to be set after this.
void orientTriangles(MorphableModel& model);

}  // namespace facet
