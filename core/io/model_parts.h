#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/io/shared_bytes.h"
#include "core/morphable_model.h"

namespace facet {

// What the readers of foreign model files share. Functions that are given an array throw
// std::invalid_argument naming the array and what is wrong with it, without the file's name.

// ---- Files beside the model ----

// The files in the model's folder but the model itself, by name.
std::vector<std::filesystem::path> filesBeside(const std::filesystem::path& model);
// ASCII letters only, which is all that the names of published files have.
std::string lowerCase(std::string name);
// The file `name` in the folder of `model`, if there is one.
std::optional<SharedBytes> readBeside(const std::filesystem::path& model, const std::string& name);

// The complaints of `read` under the companion's name.
template <typename Read>
auto inCompanion(const std::string& name, const Read& read) {
  try {
    return read();
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("its companion " + name + " " + error.what());
  }
}

// ---- Models that come as bare matrices ----

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

// ---- Any model ----

// A unit of length that models are stored in.
struct LengthUnit {
  const char* name;
  float millimetres;
};
constexpr LengthUnit kMetres{"metres", 1000}, kDecimetres{"decimetres", 100}, kCentimetres{"centimetres", 10},
    kMillimetres{"millimetres", 1}, kMicrometres{"micrometres", 0.001F};

// Millimetres per unit of the file: of the format's usual unit if the mean is then as large as a face or head
// (100 mm to 600 mm along its longest axis), else of the one that makes it so; a note says when that is not
// 1 or not the usual one. Throws std::invalid_argument when no unit does.
float millimetresPerUnit(const Points3& mean_in_file_units, const LengthUnit& usual,
                         std::vector<std::string>& notes);

// Vertex colours (V×3) and their modes (3V×A, or empty) that are stored as display (sRGB) values, 0 to 255 or
// 0 to 1, become linear albedo.
void setDisplayColours(Points3 mean, Eigen::MatrixXf modes, MorphableModel& model);

// "expression_00", "expression_01" …
std::vector<std::string> numberedNames(const std::string& stem, Eigen::Index count);

// Landmarks that are vertices: any triangle with that corner, all weight on it. Empty when a vertex is out of
// range or in no triangle: the landmarks were made for another mesh.
LandmarkEmbedding embeddingOf(const std::vector<std::int32_t>& vertices, const Triangles& triangles,
                              int num_vertices);

// Reverses all triangles, with a note, when most of the surface faces inwards. Landmarks are to be set after
// this.
void orientTriangles(MorphableModel& model);

}  // namespace facet
