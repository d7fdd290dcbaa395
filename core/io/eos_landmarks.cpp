#include "core/io/eos_landmarks.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "core/io/files.h"
#include "core/io/model_parts.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

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
  std::vector<std::pair<double, fs::path>> found;
  for (const fs::path& path : filesBeside(model)) {
    const std::string name = path.filename().string();
    if (!name.starts_with(start) || !name.ends_with(end) || name.size() < start.size() + end.size()) continue;
    const std::string middle = name.substr(start.size(), name.size() - start.size() - end.size());
    const auto common = static_cast<double>(longestCommonPart(middle, model.stem().string()));
    found.emplace_back(-common / static_cast<double>(std::max<std::size_t>(middle.size(), 1)), path);
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

}  // namespace facet
