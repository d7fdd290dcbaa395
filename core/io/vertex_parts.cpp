#include "core/io/vertex_parts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iomanip>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/check.h"
#include "core/io/files.h"
#include "core/io/model_parts.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

std::string sizeText(const Eigen::MatrixXf& values) {
  return std::to_string(values.rows()) + " x " + std::to_string(values.cols());
}

// Length of the longest text that is in both.
std::size_t longestCommonPart(const std::string& a, const std::string& b) {
  std::vector<std::size_t> length(b.size() + 1, 0);  // of the common part that ends before each place in b
  std::size_t longest = 0;
  for (const char c : a) {
    for (std::size_t j = b.size(); j-- > 0;) {
      length[j + 1] = c == b[j] ? length[j] + 1 : 0;
      longest = std::max(longest, length[j + 1]);
    }
  }
  return longest;
}

// A file in the model's folder whose name starts and ends so. eos has those of several models in one folder:
// the one whose middle has the largest share in common with the model's name is the model's.
std::optional<fs::path> findBeside(const fs::path& model, const std::string& start, const std::string& end) {
  std::error_code error;
  std::vector<std::pair<double, fs::path>> found;
  const fs::path folder = model.has_parent_path() ? model.parent_path() : fs::path(".");
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(start) || !name.ends_with(end) || name.size() < start.size() + end.size()) continue;
    const std::string middle = name.substr(start.size(), name.size() - start.size() - end.size());
    const auto common = static_cast<double>(longestCommonPart(middle, model.stem().string()));
    found.emplace_back(-common / static_cast<double>(std::max<std::size_t>(middle.size(), 1)), entry.path());
  }
  if (found.empty()) return std::nullopt;
  return std::min_element(found.begin(), found.end())->second;
}

std::string trimmed(const std::string& text) {
  const char* const kSpace = " \t\r\"'";
  const std::size_t start = text.find_first_not_of(kSpace);
  return start == std::string::npos ? "" : text.substr(start, text.find_last_not_of(kSpace) - start + 1);
}

std::optional<std::int32_t> wholeNumber(const std::string& text) {
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// iBUG number (from 1) -> vertex, from lines "9 = 33" and, in files before 2017, "9 33"; comments start with
// # or ;.
std::map<std::int32_t, std::int32_t> parseMapping(
    const std::string& text, const std::vector<std::pair<std::string, std::int32_t>>& definitions) {
  std::map<std::int32_t, std::int32_t> vertex_of;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    line = trimmed(line.substr(0, line.find_first_of("#;")));
    const std::size_t separator = line.find_first_of("= \t");
    if (separator == std::string::npos) continue;
    const auto ibug = wholeNumber(trimmed(line.substr(0, separator)));
    std::string value = line.substr(separator);
    value = trimmed(value.substr(std::min(value.find_first_not_of("= \t"), value.size())));
    auto vertex = wholeNumber(value);
    for (const auto& [name, defined] : definitions) {
      if (name == value) vertex = defined;
    }
    if (ibug && vertex) vertex_of[*ibug] = *vertex;
  }
  return vertex_of;
}

// Eight vertices of an outline at equal distances towards the chin, which would be the 9th.
std::vector<std::int32_t> alongOutline(std::vector<std::int32_t> outline, std::int32_t chin,
                                       const Points3& mean) {
  const auto distance = [&](std::int32_t a, std::int32_t b) { return (mean.row(a) - mean.row(b)).norm(); };
  if (distance(outline.front(), chin) < distance(outline.back(), chin))
    std::reverse(outline.begin(), outline.end());
  outline.push_back(chin);
  std::vector<float> length = {0};
  for (std::size_t i = 1; i < outline.size(); ++i)
    length.push_back(length.back() + distance(outline[i - 1], outline[i]));
  std::vector<std::int32_t> chosen;
  for (int i = 0; i < 8; ++i) {
    const float at = length.back() * static_cast<float>(i) / 8;
    const auto nearest = std::min_element(length.begin(), length.end() - 1, [at](float a, float b) {
      return std::abs(a - at) < std::abs(b - at);
    });
    chosen.push_back(outline[static_cast<std::size_t>(nearest - length.begin())]);
  }
  return chosen;
}

}  // namespace

std::optional<std::vector<std::uint8_t>> readBeside(const fs::path& model, const std::string& name) {
  const fs::path path = model.parent_path() / name;
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  return readBytes(path);
}

Points3 pointsFrom(const Eigen::MatrixXf& values, const std::string& name, float scale) {
  require(values.size() > 0 && values.size() % 3 == 0 && (values.rows() == 1 || values.cols() == 1), "its \"",
          name, "\" is ", sizeText(values), "; expected one row or column of three numbers per vertex");
  require(values.allFinite(), "its \"", name, "\" holds a value that is not finite (NaN or infinite)");
  return Eigen::Map<const Points3>(values.data(), values.size() / 3, 3) * scale;
}

std::vector<std::int32_t> indicesFrom(const Eigen::MatrixXf& values, const std::string& name, bool one_based,
                                      Eigen::Index count) {
  std::vector<std::int32_t> indices;
  indices.reserve(static_cast<std::size_t>(values.size()));
  const float first = one_based ? 1 : 0, last = static_cast<float>(count) - (one_based ? 0 : 1);
  for (Eigen::Index i = 0; i < values.size(); ++i) {
    const float value = values.data()[i];
    require(value >= first && value <= last && value == std::floor(value), "its \"", name,
            "\" holds the index ", value, "; expected ", first, " to ", last,
            one_based ? ", counted from 1" : "");
    indices.push_back(static_cast<std::int32_t>(value - first));
  }
  return indices;
}

Triangles trianglesFrom(const Eigen::MatrixXf& values, const std::string& name, bool one_based,
                        Eigen::Index num_vertices) {
  const bool is_wide = values.rows() == 3 && values.cols() != 3;
  require(values.cols() == 3 || is_wide, "its \"", name, "\" is ", sizeText(values),
          "; expected three corners per triangle");
  const std::vector<std::int32_t> indices = indicesFrom(values, name, one_based, num_vertices);
  if (is_wide) return Eigen::Map<const Triangles>(indices.data(), values.cols(), 3);
  using Columns = Eigen::Matrix<std::int32_t, Eigen::Dynamic, 3>;
  return Eigen::Map<const Columns>(indices.data(), values.rows(), 3);
}

Eigen::MatrixXf scaledModes(Eigen::MatrixXf modes, const std::optional<Eigen::MatrixXf>& deviations,
                            Eigen::Index num_vertices, const std::string& name, float scale) {
  require(modes.rows() == 3 * num_vertices && modes.cols() > 0, "its \"", name, "\" is ", sizeText(modes),
          "; expected ", 3 * num_vertices, " rows, three for each vertex of the mean");
  require(!deviations || deviations->size() >= modes.cols(), "its \"", name, "\" has ", modes.cols(),
          " modes but ", deviations ? deviations->size() : 0, " standard deviations");
  for (Eigen::Index k = 0; k < modes.cols(); ++k) {
    modes.col(k) *= scale * (deviations ? deviations->data()[k] : 1.0F);
    require(modes.col(k).allFinite(), "its \"", name,
            "\" or its standard deviations hold a value that is not finite (NaN or infinite)");
  }
  // Half floats end at 65504, and no face moves by metres per standard deviation.
  require(modes.cwiseAbs().maxCoeff() < 1e4F, "its \"", name,
          "\" moves vertices by more than 10 m per standard deviation");
  return modes;
}

float millimetresPerUnit(const Points3& mean_in_file_units, const LengthUnit& usual,
                         std::vector<std::string>& notes) {
  const LengthUnit unit = lengthUnit(mean_in_file_units, usual);
  if (unit.millimetres != usual.millimetres) {
    notes.push_back(std::string("taken to be in ") + unit.name + ", although this format is usually in " +
                    usual.name + ": only so has the mean the size of a face");
  } else if (unit.millimetres != 1) {
    notes.push_back(std::string("stored in ") + unit.name + ", converted to millimetres");
  }
  return unit.millimetres;
}

void setDisplayColours(Points3 mean, Eigen::MatrixXf modes, MorphableModel& model) {
  // 0 to 1 may overshoot a little; a mean skin of 0 to 255 is far above 2.
  const bool is_0_to_255 = mean.maxCoeff() > 2;
  if (is_0_to_255) {
    mean /= 255;
    modes /= 255;
  }
  linearizeAlbedo(mean, modes);
  model.albedo_mean = std::move(mean);
  model.albedo = Basis::compact(std::move(modes));
  model.reader_notes.push_back(std::string("colours are display values from 0 to ") +
                               (is_0_to_255 ? "255" : "1") +
                               ", converted to linear light (the modes to first order)");
}

std::vector<std::string> numberedNames(const std::string& stem, Eigen::Index count) {
  std::vector<std::string> names;
  for (Eigen::Index i = 0; i < count; ++i) {
    std::ostringstream name;
    name << stem << '_' << std::setw(2) << std::setfill('0') << i;
    names.push_back(name.str());
  }
  return names;
}

LandmarkEmbedding eosLandmarks(const fs::path& model_path, const MorphableModel& model,
                               const std::vector<std::pair<std::string, std::int32_t>>& definitions,
                               std::vector<std::string>& notes) {
  const auto mapping_path = findBeside(model_path, "ibug_to_", ".txt");
  if (!mapping_path) return {};
  const std::string mapping_name = mapping_path->filename().string();
  std::map<std::int32_t, std::int32_t> vertex_of = parseMapping(readText(*mapping_path), definitions);
  const auto isVertex = [&model](std::int32_t vertex) { return vertex >= 0 && vertex < model.numVertices(); };
  for (const auto& [ibug, vertex] : vertex_of) {
    if (isVertex(vertex)) continue;
    notes.push_back(mapping_name + " maps landmark " + std::to_string(ibug) + " to vertex " +
                    std::to_string(vertex) +
                    ", which this model has not; it is for another model and was not used");
    return {};
  }

  constexpr std::int32_t kChin = 9;
  if (const auto contour_path = findBeside(model_path, "", "_model_contours.json");
      contour_path && vertex_of.count(kChin)) {
    const Json contours = Json::parse(readText(*contour_path), nullptr, /*allow_exceptions=*/false);
    const auto outlineOf = [&](const char* side) {
      std::vector<std::int32_t> outline;
      const Json* list =
          contours.is_object() && contours.contains("model_contour") ? &contours["model_contour"] : nullptr;
      if (!list || !list->is_object() || !list->contains(side) || !(*list)[side].is_array()) return outline;
      for (const Json& vertex : (*list)[side]) {
        if (vertex.is_number_integer() && isVertex(vertex.get<std::int32_t>())) outline.push_back(vertex);
      }
      return outline;
    };
    const auto right = outlineOf("right_contour"), left = outlineOf("left_contour");
    if (right.size() >= 8 && left.size() >= 8) {
      const auto right_points = alongOutline(right, vertex_of[kChin], model.mean);
      const auto left_points = alongOutline(left, vertex_of[kChin], model.mean);
      for (int i = 0; i < 8; ++i) {
        vertex_of.emplace(1 + i, right_points[static_cast<std::size_t>(i)]);
        vertex_of.emplace(17 - i, left_points[static_cast<std::size_t>(i)]);
      }
      notes.push_back("the jaw line of the 68 landmarks is taken from " + contour_path->filename().string() +
                      ", at equal distances");
    }
  }
  // The low-resolution Surrey model has no vertex in the inner corners of the mouth.
  for (const auto& [inner, outer] : {std::pair{61, 49}, std::pair{65, 55}}) {
    if (vertex_of.count(inner) > 0 || vertex_of.count(outer) == 0) continue;
    vertex_of[inner] = vertex_of[outer];
    notes.push_back("landmark " + std::to_string(inner) + " (inner corner of the mouth) is not in " +
                    mapping_name + "; the outer corner stands in for it");
  }
  std::vector<std::int32_t> vertices;
  for (int ibug = 1; ibug <= kNumIbugLandmarks; ++ibug) {
    if (vertex_of.count(ibug) == 0) {
      notes.push_back(
          mapping_name + " has no landmark " + std::to_string(ibug) +
          " and there is no …_model_contours.json to make up for it; the model has no 68 landmarks");
      return {};
    }
    vertices.push_back(vertex_of[ibug]);
  }
  return embeddingOf(vertices, model.triangles, model.numVertices());
}

void orientTriangles(MorphableModel& model) {
  require(model.triangles.rows() > 0, "has no triangles");
  if (!orientOutward(model.mean, model.triangles)) return;
  if (model.uv_triangles.rows() > 0) model.uv_triangles.col(1).swap(model.uv_triangles.col(2));
  model.reader_notes.push_back("triangles were wound inwards and are reversed");
}

}  // namespace facet
