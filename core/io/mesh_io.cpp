#include "core/io/mesh_io.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <sstream>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/obj_parser.h"
#include "core/io/text_writer.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

std::uint8_t byteFrom(float colour) {
  return static_cast<std::uint8_t>(std::lround(std::min(std::max(colour, 0.0F), 1.0F) * 255));
}

// PLY: one property of an element, as declared in the header.
struct PlyProperty {
  std::string name;
  std::string type;
  std::string count_type;  // of a list, else empty
};
struct PlyElement {
  std::string name;
  std::int64_t count = 0;
  std::vector<PlyProperty> properties;
};

// Values of an ASCII or little-endian PLY body, one after the other.
class PlyBody {
 public:
  PlyBody(const std::string& content, std::size_t start, bool is_ascii, const fs::path& path)
      : at_(content.data() + start),
        end_(content.data() + content.size()),
        is_ascii_(is_ascii),
        path_(path) {}

  double next(const std::string& type) {
    if (is_ascii_) return nextWord();
    if (type == "char" || type == "int8") return take<std::int8_t>();
    if (type == "uchar" || type == "uint8") return take<std::uint8_t>();
    if (type == "short" || type == "int16") return take<std::int16_t>();
    if (type == "ushort" || type == "uint16") return take<std::uint16_t>();
    if (type == "int" || type == "int32") return take<std::int32_t>();
    if (type == "uint" || type == "uint32") return take<std::uint32_t>();
    if (type == "float" || type == "float32") return take<float>();
    if (type == "double" || type == "float64") return take<double>();
    fail(ErrorKind::kInput, path_.string(), ": unknown PLY type ", type);
  }

 private:
  template <typename T>
  double take() {
    if (static_cast<std::size_t>(end_ - at_) < sizeof(T))
      fail(ErrorKind::kInput, path_.string(), ": is truncated");
    T value;
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return static_cast<double>(value);
  }
  double nextWord() {
    while (at_ < end_ && std::isspace(static_cast<unsigned char>(*at_))) ++at_;
    if (at_ == end_) fail(ErrorKind::kInput, path_.string(), ": is truncated");
    double value = 0;
    const auto [next, error] = std::from_chars(at_, end_, value);
    if (error != std::errc{})
      fail(ErrorKind::kInput, path_.string(), ": holds something that is not a number");
    at_ = next;
    return value;
  }

  const char* at_;
  const char* end_;
  bool is_ascii_;
  const fs::path& path_;
};

template <typename Matrix, typename Scalar>
Matrix matrixFrom(const std::vector<Scalar>& values) {
  constexpr int kColumns = Matrix::ColsAtCompileTime;
  return Eigen::Map<const Matrix>(values.data(), static_cast<Eigen::Index>(values.size()) / kColumns,
                                  kColumns);
}

}  // namespace

void writeObj(const fs::path& path, const Mesh& mesh, const ObjOptions& options) {
  mesh.check("writeObj");
  require(options.triangle_material.empty() ||
              options.triangle_material.size() == static_cast<std::size_t>(mesh.triangles.rows()),
          "writeObj: ", options.triangle_material.size(), " triangle materials for ", mesh.triangles.rows(),
          " triangles");
  constexpr int kUvDecimals = 7, kColourDecimals = 4;
  // A hundredth of a micrometre in any unit.
  const int position_decimals = options.unit == ExportUnit::kMillimetre   ? 5
                                : options.unit == ExportUnit::kCentimetre ? 6
                                                                          : 8;
  const float scale = unitsPerMillimetre(options.unit);
  const bool has_colours = mesh.colours.rows() > 0;
  TextWriter out;
  if (!options.material_library.empty()) out << "mtllib " << options.material_library.c_str() << "\n";
  for (Eigen::Index v = 0; v < mesh.vertices.rows(); ++v) {
    out << "v";
    for (int axis = 0; axis < 3; ++axis)
      (out << " ").fixed(scale * mesh.vertices(v, axis), position_decimals);
    for (int c = 0; has_colours && c < 3; ++c) (out << " ").fixed(mesh.colours(v, c), kColourDecimals);
    out << "\n";
  }
  for (Eigen::Index t = 0; t < mesh.uv.rows(); ++t) {
    (out << "vt ").fixed(mesh.uv(t, 0), kUvDecimals);
    (out << " ").fixed(mesh.uv(t, 1), kUvDecimals) << "\n";
  }
  const auto writeTriangle = [&](Eigen::Index f) {
    out << "f";
    for (int corner = 0; corner < 3; ++corner) {
      out << " " << mesh.triangles(f, corner) + 1;
      if (mesh.hasUv()) out << "/" << mesh.uv_triangles(f, corner) + 1;
    }
    out << "\n";
  };
  out << "s 1\n";  // smooth: without normals, importers would show every triangle
  const std::size_t num_groups = std::max<std::size_t>(options.materials.size(), 1);
  for (std::size_t m = 0; m < num_groups; ++m) {
    bool is_named = options.materials.empty();
    for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
      if ((options.triangle_material.empty() ? 0 : options.triangle_material[f]) != m) continue;
      if (!is_named) out << "usemtl " << options.materials[m].c_str() << "\n";
      is_named = true;
      writeTriangle(f);
    }
  }
  writeText(path, out.text());
}

void writeObj(const fs::path& path, const Mesh& mesh, const std::string& texture_file) {
  ObjOptions options;
  if (!texture_file.empty()) {
    options.material_library = path.stem().string() + ".mtl";
    options.materials = {"face"};
    fs::path material_path = path;
    writeText(material_path.replace_filename(options.material_library),
              "newmtl face\nKd 1 1 1\nmap_Kd " + texture_file + "\n");
  }
  writeObj(path, mesh, options);
}

Mesh readObj(const fs::path& path) { return parseObj(path).mesh; }

void writePly(const fs::path& path, const Mesh& mesh, ExportUnit unit) {
  mesh.check("writePly");
  const float scale = unitsPerMillimetre(unit);
  const bool has_colours = mesh.colours.rows() > 0;
  std::ostringstream header;
  header << "ply\nformat binary_little_endian 1.0\nelement vertex " << mesh.vertices.rows()
         << "\nproperty float x\nproperty float y\nproperty float z\n";
  if (has_colours) header << "property uchar red\nproperty uchar green\nproperty uchar blue\n";
  header << "element face " << mesh.triangles.rows()
         << "\nproperty list uchar int vertex_indices\nend_header\n";
  std::string content = header.str();
  const auto append = [&content](const void* data, std::size_t size) {
    content.append(static_cast<const char*>(data), size);
  };
  for (Eigen::Index v = 0; v < mesh.vertices.rows(); ++v) {
    const Eigen::RowVector3f position = scale * mesh.vertices.row(v);
    append(position.data(), 3 * sizeof(float));
    for (int c = 0; has_colours && c < 3; ++c)
      content.push_back(static_cast<char>(byteFrom(mesh.colours(v, c))));
  }
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    content.push_back(3);
    append(mesh.triangles.row(f).data(), 3 * sizeof(std::int32_t));
  }
  writeText(path, content);
}

Mesh readPly(const fs::path& path) {
  const std::string content = readText(path);
  const auto bad = [&path](const auto&... what) { fail(ErrorKind::kInput, path.string(), ": ", what...); };
  constexpr const char* kEnd = "end_header";
  const std::size_t end_word = content.find(kEnd);
  const std::size_t header_end = content.find('\n', end_word);
  if (!content.starts_with("ply") || end_word == std::string::npos || header_end == std::string::npos) {
    bad("is not a PLY file");
  }

  std::istringstream header(content.substr(0, end_word));
  std::vector<PlyElement> elements;
  std::string line, format;
  while (std::getline(header, line)) {
    std::istringstream words(line);
    std::string keyword;
    words >> keyword;
    if (keyword == "format") {
      words >> format;
    } else if (keyword == "element") {
      PlyElement element;
      words >> element.name >> element.count;
      if (!words || element.count < 0) bad("has an element without a count");
      elements.push_back(element);
    } else if (keyword == "property" && !elements.empty()) {
      PlyProperty property;
      words >> property.type;
      if (property.type == "list") words >> property.count_type >> property.type;
      words >> property.name;
      elements.back().properties.push_back(property);
    }
  }
  if (format != "ascii" && format != "binary_little_endian") {
    bad("has the format \"", format, "\"; save it as ascii or binary_little_endian");
  }

  PlyBody body(content, header_end + 1, format == "ascii", path);
  std::vector<float> positions, colours;
  std::vector<std::int32_t> triangles;
  for (const PlyElement& element : elements) {
    const auto indexOf = [&element](const char* name) {
      for (std::size_t i = 0; i < element.properties.size(); ++i) {
        if (element.properties[i].name == name) return static_cast<int>(i);
      }
      return -1;
    };
    const int xyz[3] = {indexOf("x"), indexOf("y"), indexOf("z")};
    const int rgb[3] = {indexOf("red"), indexOf("green"), indexOf("blue")};
    const bool is_vertex = element.name == "vertex", is_face = element.name == "face";
    if (is_vertex && (xyz[0] < 0 || xyz[1] < 0 || xyz[2] < 0)) bad("its vertices lack x, y or z");
    const bool has_colours = is_vertex && rgb[0] >= 0 && rgb[1] >= 0 && rgb[2] >= 0;
    std::vector<double> values(element.properties.size());
    std::vector<std::int32_t> polygon;
    for (std::int64_t item = 0; item < element.count; ++item) {
      for (std::size_t p = 0; p < values.size(); ++p) {
        const PlyProperty& property = element.properties[p];
        if (property.count_type.empty()) {
          values[p] = body.next(property.type);
          continue;
        }
        const double length = body.next(property.count_type);
        const bool is_polygon =
            is_face && (property.name == "vertex_indices" || property.name == "vertex_index");
        if (is_polygon) polygon.clear();
        for (std::int64_t i = 0; i < static_cast<std::int64_t>(length); ++i) {
          const double value = body.next(property.type);
          if (!is_polygon) continue;
          if (!(value >= 0 && value < static_cast<double>(positions.size() / 3))) {
            bad("face ", item, " refers to vertex ", value, " of ", positions.size() / 3);
          }
          polygon.push_back(static_cast<std::int32_t>(value));
        }
      }
      for (const int p : xyz) {
        if (is_vertex) positions.push_back(static_cast<float>(values[p]));
      }
      for (const int p : rgb) {
        if (!has_colours) break;
        const std::string& type = element.properties[p].type;
        const bool is_byte = type == "uchar" || type == "uint8";
        colours.push_back(static_cast<float>(is_byte ? values[p] / 255 : values[p]));
      }
      for (std::size_t i = 2; is_face && i < polygon.size(); ++i) {
        triangles.insert(triangles.end(), {polygon[0], polygon[i - 1], polygon[i]});
      }
    }
  }
  Mesh mesh;
  mesh.vertices = matrixFrom<Points3>(positions);
  mesh.triangles = matrixFrom<Triangles>(triangles);
  mesh.colours = matrixFrom<Points3>(colours);
  if (!mesh.vertices.allFinite()) bad("a vertex position is not finite");
  return mesh;
}

}  // namespace facet
