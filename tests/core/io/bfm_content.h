#pragma once

#include <Eigen/Core>
#include <map>
#include <sstream>
#include <string>

#include "core/image.h"
#include "core/morphable_model.h"

namespace facet::test {

// A synthetic head in the units and the arrangement of the Basel models, and what it must be read back as.

inline Eigen::VectorXf flat(const Points3& points) {
  return Eigen::Map<const Eigen::VectorXf>(points.data(), points.size());
}

// Unit columns and their lengths, which are the standard deviations.
struct Modes {
  Eigen::MatrixXf basis;
  Eigen::VectorXf deviation;
};
inline Modes normalized(const Basis& modes, float scale) {
  Modes result{modes.dense() * scale, Eigen::VectorXf(modes.cols())};
  for (Eigen::Index k = 0; k < modes.cols(); ++k) {
    result.deviation(k) = result.basis.col(k).norm();
    result.basis.col(k) /= result.deviation(k);
  }
  return result;
}

// 0 to 255.
inline Points3 displayColours(const MorphableModel& model) {
  return 255 * model.albedo_mean.unaryExpr([](float linear) { return srgbFromLinear(linear); });
}
// Modes of 0 to 255; only a multiple of the model's own, since display values are not linear ones.
inline Eigen::MatrixXf displayModes(const MorphableModel& model) { return 100 * model.albedo.dense(); }

// The largest difference between the linear mode that was read and what a small step along the display mode
// does to the colour.
inline float colourModeError(const MorphableModel& read, const Points3& display_mean,
                             const Eigen::MatrixXf& display_modes) {
  const float step = 0.01F;
  float error = 0;
  for (Eigen::Index k = 0; k < display_modes.cols(); ++k) {
    const Eigen::VectorXf mode = read.albedo.col(k);
    for (Eigen::Index i = 0; i < display_modes.rows(); ++i) {
      const float mean = display_mean.data()[i] / 255, change = step * display_modes(i, k) / 255;
      const float slope = (linearFromSrgb(mean + change) - linearFromSrgb(mean - change)) / (2 * step);
      error = std::max(error, std::abs(slope - mode(i)));
    }
  }
  return error;
}

inline Eigen::MatrixXf oneBased(const Triangles& triangles, bool reverse) {
  Eigen::MatrixXf result = triangles.cast<float>().array() + 1;
  if (reverse) result.col(1).swap(result.col(2));
  return result;
}

inline Eigen::MatrixXf oneBased(const std::vector<std::int32_t>& indices) {
  Eigen::MatrixXf result(static_cast<Eigen::Index>(indices.size()), 1);
  for (std::size_t i = 0; i < indices.size(); ++i)
    result(static_cast<Eigen::Index>(i)) = static_cast<float>(indices[i] + 1);
  return result;
}

// 68 vertices that stand for landmarks.
inline std::vector<std::int32_t> landmarkVertices(const MorphableModel& model) {
  std::vector<std::int32_t> vertices;
  for (int i = 0; i < 68; ++i) vertices.push_back(model.triangles(3 * i, i % 3));
  return vertices;
}

// The datasets of BFM 2017 and 2019: names and values as h5py shows them (row, column).
struct H5Content {
  std::map<std::string, Eigen::MatrixXf> floats;
  std::map<std::string, Eigen::MatrixXf> integers;
  std::map<std::string, std::string> texts;
};

inline void addPart(const std::string& group, const Eigen::VectorXf& mean, const Basis& modes,
                    H5Content& content) {
  const Modes parts = normalized(modes, 1);
  content.floats[group + "/model/mean"] = mean;
  content.floats[group + "/model/pcaBasis"] = parts.basis;
  content.floats[group + "/model/pcaVariance"] = parts.deviation.cwiseAbs2();
}

inline H5Content bfm2017Content(const MorphableModel& model) {
  H5Content content;
  // The mean is the sum of both means.
  const Eigen::VectorXf offset = Eigen::VectorXf::LinSpaced(3 * model.numVertices(), -2, 3);
  addPart("shape", flat(model.mean) - offset, model.identity, content);
  addPart("expression", offset, model.expression, content);
  addPart("color", flat(displayColours(model)) / 255, Basis(Eigen::MatrixXf(displayModes(model) / 255)),
          content);
  content.integers["shape/representer/cells"] = model.triangles.cast<float>().transpose();
  std::ostringstream points;
  points.precision(9);
  for (int i = 1; i <= 68; ++i) {
    const Eigen::RowVector3f point = model.mean.row(landmarkVertices(model)[static_cast<std::size_t>(i - 1)]);
    points << (i > 1 ? "," : "[") << R"({"id": ")" << i << R"(", "coordinates": [)" << point.x() << ", "
           << point.y() << ", " << point.z() << "]}";
  }
  content.texts["metadata/landmarks/json"] = points.str() + "]";
  return content;
}

}  // namespace facet::test
