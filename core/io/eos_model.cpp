// The files are cereal's binary archives: numbers in memory order, a count of 64 bits before each list.
#include "core/io/eos_model.h"

#include <algorithm>
#include <new>

#include "core/check.h"
#include "core/error.h"
#include "core/io/eos_landmarks.h"
#include "core/io/files.h"
#include "core/io/model_families.h"
#include "core/io/model_parts.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

constexpr std::uint32_t kMaxVersion = 4;

struct PcaPart {
  Eigen::MatrixXf mean, basis, variance;
  Triangles triangles;
};

struct Blendshape {
  std::string name;
  Eigen::MatrixXf offsets;
};

struct EosFile {
  std::uint32_t version = 0;
  PcaPart shape, colour;
  std::optional<PcaPart> expression;
  std::vector<Blendshape> blendshapes;
  std::vector<std::pair<std::string, std::int32_t>> definitions;
  Points2 uv;
  Triangles uv_triangles;
};

// int32 rows, columns, then column after column.
Eigen::MatrixXf readMatrix(ByteReader& reader) {
  const auto rows = reader.number<std::int32_t>(), columns = reader.number<std::int32_t>();
  require(rows >= 0 && columns >= 0, "is damaged: a matrix of ", rows, " x ", columns);
  const ByteSpan values =
      reader.take(4 * static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(columns));
  Eigen::MatrixXf matrix(rows, columns);
  if (!values.empty()) std::memcpy(matrix.data(), values.data(), values.size());
  return matrix;
}

// A count of items of at least `item_size` bytes that are still there.
std::uint64_t readCount(ByteReader& reader, std::size_t item_size) {
  const auto count = reader.number<std::uint64_t>();
  require(count <= reader.left() / item_size, "is cut off or damaged: ", count, " items expected, ",
          reader.left(), " bytes left");
  return count;
}

Triangles readTriangles(ByteReader& reader) {
  const std::uint64_t count = readCount(reader, 12);
  Triangles triangles(static_cast<Eigen::Index>(count), 3);
  const ByteSpan values = reader.take(12 * count);
  if (!values.empty()) std::memcpy(triangles.data(), values.data(), values.size());
  return triangles;
}

std::string readName(ByteReader& reader) {
  const ByteSpan name = reader.take(readCount(reader, 1));
  return {name.begin(), name.end()};
}

PcaPart readPca(ByteReader& reader) {
  PcaPart part;
  part.mean = readMatrix(reader);
  part.basis = readMatrix(reader);
  part.variance = readMatrix(reader);
  part.triangles = readTriangles(reader);
  return part;
}

std::vector<Blendshape> readBlendshapes(ByteReader& reader) {
  std::vector<Blendshape> shapes(readCount(reader, 16));
  for (Blendshape& shape : shapes) {
    shape.name = readName(reader);
    shape.offsets = readMatrix(reader);
  }
  return shapes;
}

// cereal's optional: a byte that says that there is nothing.
bool readHasValue(ByteReader& reader) {
  const auto is_null = reader.number<std::uint8_t>();
  require(is_null <= 1, "is damaged: an optional part is neither there nor not");
  return is_null == 0;
}

EosFile parse(ByteSpan bytes) {
  ByteReader reader(bytes);
  EosFile file;
  file.version = reader.number<std::uint32_t>();
  require(file.version >= 1 && file.version <= kMaxVersion, "is not a model of eos, or of version ",
          file.version, "; versions 1 to ", kMaxVersion, " can be read");
  file.shape = readPca(reader);
  file.colour = readPca(reader);
  if (file.version >= 2 && readHasValue(reader)) {
    const auto which = reader.number<std::int32_t>();
    require(which == 0 || which == 1, "is damaged: expressions of unknown kind ", which);
    if (which == 0) {
      file.expression = readPca(reader);
    } else {
      file.blendshapes = readBlendshapes(reader);
    }
  }
  if (file.version >= 3 && readHasValue(reader)) {
    const std::uint64_t count = readCount(reader, 12);
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string name = readName(reader);
      file.definitions.emplace_back(std::move(name), reader.number<std::int32_t>());
    }
  }
  const std::uint64_t num_uv = readCount(reader, 16);
  file.uv.resize(static_cast<Eigen::Index>(num_uv), 2);
  for (Eigen::Index i = 0; i < file.uv.size(); ++i)
    file.uv.data()[i] = static_cast<float>(reader.number<double>());
  if (file.version >= 4) file.uv_triangles = readTriangles(reader);
  require(reader.left() == 0, "has ", reader.left(),
          " bytes behind its end; it is damaged or of an unknown version");
  return file;
}

// Standard deviations from variances.
Eigen::MatrixXf deviations(const Eigen::MatrixXf& variance, const char* name) {
  require(variance.size() > 0 && variance.allFinite() && variance.minCoeff() >= 0, "its ", name,
          " has an eigenvalue that is negative or not finite");
  return variance.cwiseSqrt();
}

void checkIndices(const Triangles& triangles, Eigen::Index count, const char* name) {
  require(triangles.size() == 0 || (triangles.minCoeff() >= 0 && triangles.maxCoeff() < count), "its ", name,
          " hold the index ",
          triangles.size() == 0      ? 0
          : triangles.minCoeff() < 0 ? triangles.minCoeff()
                                     : triangles.maxCoeff(),
          "; expected 0 to ", count - 1);
}

// Blendshapes from a file of their own, the first one in the model's folder that is for its mesh.
std::vector<Blendshape> blendshapesBeside(const fs::path& path, Eigen::Index rows,
                                          std::vector<std::string>& notes) {
  for (const fs::path& candidate : filesBeside(path)) {
    const std::string name = candidate.filename().string();
    if (name.find("blendshapes") == std::string::npos || !name.ends_with(".bin")) continue;
    const SharedBytes bytes = mapBytes(candidate);
    std::vector<Blendshape> shapes = inCompanion(name, [&] {
      ByteReader reader(bytes);
      return readBlendshapes(reader);
    });
    if (shapes.empty() || shapes[0].offsets.size() != rows) continue;
    notes.push_back("expressions are the blendshapes of " + name);
    return shapes;
  }
  notes.push_back("has no expressions; put expression_blendshapes_3448.bin of eos beside it");
  return {};
}

MorphableModel modelFrom(EosFile file, const fs::path& path) {
  MorphableModel model;
  const Points3 shape_mean = pointsFrom(file.shape.mean, "shape mean");
  const Eigen::Index num_vertices = shape_mean.rows();
  checkIndices(file.shape.triangles, num_vertices, "triangles");
  const bool is_surrey =
      num_vertices == 3448 || num_vertices == 845 || num_vertices == 16759 || num_vertices == 29587;
  model.id = (is_surrey ? "eos-sfm-" : "eos-") + std::to_string(num_vertices);
  model.name = is_surrey ? "Surrey Face Model, " + std::to_string(num_vertices) + " vertices"
                         : "eos model of " + std::to_string(num_vertices) + " vertices";
  setOrigin("eos", model);
  if (!is_surrey) model.licence = "unknown; that of the model from which it was converted";
  model.topology = model.id;

  Points3 mean = shape_mean;
  if (file.expression) {
    const Points3 offset = pointsFrom(file.expression->mean, "expression mean");
    require(offset.rows() == num_vertices, "its expressions have ", offset.rows(), " vertices, the shape ",
            num_vertices);
    mean += offset;
  }
  const float unit = millimetresPerUnit(mean, kMillimetres, model.reader_notes);
  model.mean = mean * unit;
  model.identity =
      Basis::compact(scaledModes(std::move(file.shape.basis), deviations(file.shape.variance, "shape"),
                                 num_vertices, "shape basis", unit));
  model.triangles = std::move(file.shape.triangles);

  if (file.expression) {
    Eigen::MatrixXf modes =
        scaledModes(std::move(file.expression->basis), deviations(file.expression->variance, "expression"),
                    num_vertices, "expression basis", unit);
    model.expression_names = numberedNames("expression", modes.cols());
    model.expression = Basis::compact(std::move(modes));
  } else {
    if (file.blendshapes.empty())
      file.blendshapes = blendshapesBeside(path, 3 * num_vertices, model.reader_notes);
    for (const Blendshape& shape : file.blendshapes) {
      require(shape.offsets.size() == 3 * num_vertices, "its blendshape \"", shape.name, "\" has ",
              shape.offsets.size(), " numbers, not three for each of ", num_vertices, " vertices");
    }
    Eigen::MatrixXf modes(3 * num_vertices, static_cast<Eigen::Index>(file.blendshapes.size()));
    for (std::size_t i = 0; i < file.blendshapes.size(); ++i) {
      modes.col(static_cast<Eigen::Index>(i)) =
          Eigen::Map<const Eigen::VectorXf>(file.blendshapes[i].offsets.data(), modes.rows());
      model.expression_names.push_back(file.blendshapes[i].name);
    }
    model.num_blendshapes = static_cast<int>(modes.cols());
    if (modes.cols() > 0)
      model.expression =
          Basis::compact(scaledModes(std::move(modes), std::nullopt, num_vertices, "blendshapes", unit));
  }

  if (file.colour.mean.size() > 0) {
    setDisplayColours(pointsFrom(file.colour.mean, "colour mean"),
                      scaledModes(std::move(file.colour.basis), deviations(file.colour.variance, "colour"),
                                  num_vertices, "colour basis", 1),
                      model);
  }

  if (file.uv.rows() > 0) {
    require(file.uv.allFinite(), "its texture coordinates are not finite");
    model.uv = file.uv;
    model.uv.col(1) = 1 - file.uv.col(1).array();  // theirs count from the top
    if (file.uv_triangles.rows() > 0) {
      require(file.uv_triangles.rows() == model.triangles.rows(), "its texture has ",
              file.uv_triangles.rows(), " triangles, the shape ", model.triangles.rows());
      checkIndices(file.uv_triangles, file.uv.rows(), "texture triangles");
      model.uv_triangles = std::move(file.uv_triangles);
    } else {
      require(model.uv.rows() == num_vertices, "it has ", model.uv.rows(), " texture coordinates for ",
              num_vertices, " vertices and no texture triangles");
      model.uv_triangles = model.triangles;
    }
  }
  orientTriangles(model);
  model.landmarks68 = eosLandmarks(path, model, file.definitions, model.reader_notes);
  model.check();
  return model;
}

}  // namespace

bool isEosModel(ByteSpan file) {
  if (file.size() < 12) return false;
  ByteReader reader(file);
  const auto version = reader.number<std::uint32_t>();
  const auto rows = reader.number<std::int32_t>(), columns = reader.number<std::int32_t>();
  if (version < 1 || version > kMaxVersion || rows <= 0 || rows % 3 != 0 || columns != 1) return false;
  const std::uint64_t mean_bytes = 4 * static_cast<std::uint64_t>(rows);
  if (reader.left() < mean_bytes + 8) return false;
  reader.skip(mean_bytes);
  return reader.number<std::int32_t>() == rows;
}

MorphableModel eosModelFrom(ByteSpan file, const fs::path& path) try {
  return modelFrom(parse(file), path);
} catch (const std::invalid_argument& error) {
  fail(ErrorKind::kModel, path.string(), ": ", error.what());
} catch (const std::bad_alloc&) {
  fail(ErrorKind::kModel, path.string(), ": needs more memory than there is");
}

}  // namespace facet
