#include "core/io/obj_parser.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "core/error.h"
#include "core/io/files.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Reads one line word by word; every complaint names file and line.
class LineReader {
 public:
  LineReader(const fs::path& path, std::string_view line, int number)
      : path_(path), rest_(line), number_(number) {}

  template <typename... Parts>
  [[noreturn]] void complain(const Parts&... what) const {
    fail(ErrorKind::kInput, path_.string(), ": line ", number_, ": ", what...);
  }

  std::string_view word() {
    while (!rest_.empty() && isSpace(rest_.front())) rest_.remove_prefix(1);
    std::size_t length = 0;
    while (length < rest_.size() && !isSpace(rest_[length])) ++length;
    const std::string_view result = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return result;
  }

  // The numbers up to the end of the line, at most N of them; returns how many there were.
  template <std::size_t N>
  std::size_t numbers(float (&values)[N]) {
    std::size_t count = 0;
    while (count < N) {
      std::string_view text = word();
      if (text.empty()) break;
      if (text.front() == '+') text.remove_prefix(1);
      float& value = values[count++];
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error == std::errc::result_out_of_range) value = 0;  // below the smallest float
      if (error == std::errc::invalid_argument || end != text.data() + text.size() || !std::isfinite(value)) {
        complain("\"", text, "\" is not a finite number");
      }
    }
    return count;
  }

  std::string_view rest() {
    while (!rest_.empty() && isSpace(rest_.front())) rest_.remove_prefix(1);
    while (!rest_.empty() && isSpace(rest_.back())) rest_.remove_suffix(1);
    return rest_;
  }

 private:
  const fs::path& path_;
  std::string_view rest_;
  int number_;
};

template <typename Line>
void forEachLine(std::string_view text, const Line& line) {
  int number = 1;
  for (std::size_t start = 0; start < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    line(std::string_view(text).substr(start, end - start), number);
    start = end + 1;
  }
}

// Index as written: 1-based, or negative and counted from the end.
std::int32_t parseIndex(std::string_view text, std::size_t count, const char* what, const LineReader& line) {
  std::int64_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc{} || end != text.data() + text.size())
    line.complain("\"", text, "\" is not an index");
  const auto zero_based = index > 0 ? index - 1 : index + static_cast<std::int64_t>(count);
  if (index == 0 || zero_based < 0 || zero_based >= static_cast<std::int64_t>(count)) {
    line.complain("face refers to ", what, " ", index, ", but the file has ", count, " so far");
  }
  return static_cast<std::int32_t>(zero_based);
}

template <typename Matrix, typename Scalar>
Matrix matrixFrom(const std::vector<Scalar>& values) {
  constexpr int kColumns = Matrix::ColsAtCompileTime;
  return Eigen::Map<const Matrix>(values.data(), static_cast<Eigen::Index>(values.size()) / kColumns,
                                  kColumns);
}

}  // namespace

ObjFile parseObj(const fs::path& path) { return parseObj(readText(path), path); }

ObjFile parseObj(std::string_view text, const fs::path& path) {
  std::vector<float> positions, colours, uv;
  std::vector<std::int32_t> triangles, uv_triangles;
  ObjFile obj;
  std::int32_t material = -1;
  std::size_t faces_without_uv = 0;
  std::vector<std::int32_t> corners, uv_corners;

  forEachLine(text, [&](std::string_view content, int number) {
    LineReader line(path, content, number);
    const std::string_view keyword = line.word();
    if (keyword == "v") {
      float values[7];
      const std::size_t count = line.numbers(values);
      if (count < 3) line.complain("a vertex needs three coordinates");
      positions.insert(positions.end(), values, values + 3);
      if (count >= 6) colours.insert(colours.end(), values + 3, values + 6);
    } else if (keyword == "vt") {
      float values[3];
      if (line.numbers(values) < 2) line.complain("a texture coordinate needs two numbers");
      uv.insert(uv.end(), values, values + 2);
    } else if (keyword == "f") {
      corners.clear();
      uv_corners.clear();
      for (std::string_view corner = line.word(); !corner.empty(); corner = line.word()) {
        const std::size_t slash = corner.find('/');
        corners.push_back(parseIndex(corner.substr(0, slash), positions.size() / 3, "vertex", line));
        if (slash == std::string_view::npos) continue;
        const std::string_view after = corner.substr(slash + 1);
        const std::string_view uv_index = after.substr(0, after.find('/'));
        if (!uv_index.empty())
          uv_corners.push_back(parseIndex(uv_index, uv.size() / 2, "texture coordinate", line));
      }
      if (corners.size() < 3) line.complain("a face needs three corners or more");
      const bool has_uv = uv_corners.size() == corners.size();
      if (!has_uv && !uv_corners.empty())
        line.complain("some corners of the face have a texture coordinate, some have none");
      for (std::size_t i = 2; i < corners.size(); ++i) {
        triangles.insert(triangles.end(), {corners[0], corners[i - 1], corners[i]});
        if (has_uv)
          uv_triangles.insert(uv_triangles.end(), {uv_corners[0], uv_corners[i - 1], uv_corners[i]});
        obj.triangle_material.push_back(material);
      }
      if (!has_uv) ++faces_without_uv;
    } else if (keyword == "usemtl") {
      const std::string name(line.rest());
      const auto found = std::find(obj.material_names.begin(), obj.material_names.end(), name);
      material = static_cast<std::int32_t>(found - obj.material_names.begin());
      if (found == obj.material_names.end()) obj.material_names.push_back(name);
    }
  });
  if (positions.empty())
    fail(ErrorKind::kInput, path.string(), ": has no vertices; is it a Wavefront OBJ file?");

  obj.mesh.vertices = matrixFrom<Points3>(positions);
  obj.mesh.triangles = matrixFrom<Triangles>(triangles);
  // Colours and texture coordinates count only when the whole mesh has them.
  if (colours.size() == positions.size()) obj.mesh.colours = matrixFrom<Points3>(colours);
  if (faces_without_uv == 0 && !uv.empty()) {
    obj.mesh.uv = matrixFrom<Points2>(uv);
    obj.mesh.uv_triangles = matrixFrom<Triangles>(uv_triangles);
  }
  return obj;
}

Points3 parseObjPositions(const fs::path& path) {
  const std::string text = readText(path);
  std::vector<float> positions;
  forEachLine(text, [&](std::string_view content, int number) {
    if (!content.starts_with("v ")) return;
    LineReader line(path, content.substr(2), number);
    float values[3];
    if (line.numbers(values) < 3) line.complain("a vertex needs three coordinates");
    positions.insert(positions.end(), values, values + 3);
  });
  return matrixFrom<Points3>(positions);
}

}  // namespace facet
