#include "core/io/model_parts.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "core/check.h"
#include "core/image.h"
#include "core/io/files.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

std::string sizeText(const Eigen::MatrixXf& values) {
  return std::to_string(values.rows()) + " x " + std::to_string(values.cols());
}

// The usual unit if the shape is then as large as a face or head, else the one that makes it so.
LengthUnit lengthUnit(const Points3& mean, const LengthUnit& usual) {
  constexpr float kSmallest_mm = 100, kLargest_mm = 600;
  const float extent = (mean.colwise().maxCoeff() - mean.colwise().minCoeff()).maxCoeff();
  for (const LengthUnit& unit : {usual, kMetres, kDecimetres, kCentimetres, kMillimetres, kMicrometres}) {
    if (extent * unit.millimetres >= kSmallest_mm && extent * unit.millimetres <= kLargest_mm) return unit;
  }
  require(false, "its mean shape is ", extent,
          " units large, which is no face in any unit from micrometres to metres");
  return usual;
}

// The mean by the sRGB curve, the modes by the curve's slope at the mean, which is exact for small
// coefficients.
void linearizeAlbedo(Points3& mean, Eigen::MatrixXf& modes) {
  constexpr float kStep = 1e-3F;
  for (Eigen::Index i = 0; i < mean.size(); ++i) {
    float& value = mean.data()[i];
    value = std::clamp(value, 0.0F, 1.0F);
    const float low = std::max(value - kStep, 0.0F), high = std::min(value + kStep, 1.0F);
    const float slope = (linearFromSrgb(high) - linearFromSrgb(low)) / (high - low);
    if (modes.cols() > 0) modes.row(i) *= slope;
    value = linearFromSrgb(value);
  }
}

}  // namespace

std::vector<fs::path> filesBeside(const fs::path& model) {
  std::vector<fs::path> files;
  std::error_code ignored;  // a folder that cannot be listed has no companions
  const fs::path folder = model.has_parent_path() ? model.parent_path() : fs::path(".");
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.is_regular_file(ignored) && entry.path().filename() != model.filename())
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string lowerCase(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

std::optional<SharedBytes> readBeside(const fs::path& model, const std::string& name) {
  const fs::path path = model.parent_path() / name;
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return std::nullopt;
  return mapBytes(path);
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
  require(mean.rows() == model.numVertices(), "its colours are for ", mean.rows(),
          " vertices, its shape has ", model.numVertices());
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

LandmarkEmbedding embeddingOf(const std::vector<std::int32_t>& vertices, const Triangles& triangles,
                              int num_vertices) {
  std::vector<std::int32_t> triangle_of(static_cast<std::size_t>(num_vertices), -1);
  for (int f = static_cast<int>(triangles.rows()); f-- > 0;) {
    for (int corner = 0; corner < 3; ++corner) triangle_of[triangles(f, corner)] = f;
  }
  LandmarkEmbedding embedding;
  embedding.barycentric = Points3::Zero(static_cast<Eigen::Index>(vertices.size()), 3);
  for (std::size_t i = 0; i < vertices.size(); ++i) {
    const std::int32_t vertex = vertices[i];
    if (vertex < 0 || vertex >= num_vertices || triangle_of[vertex] < 0) return {};  // made for another mesh
    const std::int32_t triangle = triangle_of[vertex];
    embedding.triangle.push_back(triangle);
    for (int corner = 0; corner < 3; ++corner) {
      if (triangles(triangle, corner) != vertex) continue;
      embedding.barycentric(static_cast<Eigen::Index>(i), corner) = 1;
      break;
    }
  }
  return embedding;
}

void orientTriangles(MorphableModel& model) {
  require(model.triangles.rows() > 0, "has no triangles");
  // A head is closed enough for the sign of the volume between its centre and its surface to tell.
  const Eigen::RowVector3d centre = model.mean.cast<double>().colwise().mean();
  double volume = 0;
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    Eigen::Matrix3d corners;
    for (int k = 0; k < 3; ++k)
      corners.row(k) = model.mean.row(model.triangles(f, k)).cast<double>() - centre;
    volume += corners.determinant();
  }
  if (volume >= 0) return;
  model.triangles.col(1).swap(model.triangles.col(2));
  if (model.uv_triangles.rows() > 0) model.uv_triangles.col(1).swap(model.uv_triangles.col(2));
  model.reader_notes.push_back("triangles were wound inwards and are reversed");
}

}  // namespace facet
