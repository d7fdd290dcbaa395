#include "core/io/model_parts.h"

#include "core/check.h"

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

}  // namespace facet
