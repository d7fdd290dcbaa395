#include "core/io/model_parts.h"

#include <algorithm>

#include "core/check.h"
#include "core/image.h"

namespace facet {

Triangles zeroBased(Triangles one_based) {
  require(one_based.size() == 0 || one_based.minCoeff() >= 1, "a triangle holds the index ",
          one_based.size() == 0 ? 0 : one_based.minCoeff(), ", but this format counts from 1");
  one_based.array() -= 1;
  return one_based;
}

bool orientOutward(const Points3& vertices, Triangles& triangles) {
  const Eigen::RowVector3d centre = vertices.cast<double>().colwise().mean();
  double volume = 0;
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    Eigen::Matrix3d corners;
    for (int k = 0; k < 3; ++k) corners.row(k) = vertices.row(triangles(f, k)).cast<double>() - centre;
    volume += corners.determinant();
  }
  if (volume >= 0) return false;
  triangles.col(1).swap(triangles.col(2));
  return true;
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

}  // namespace facet
