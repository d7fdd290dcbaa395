#pragma once

#include "core/image.h"
#include "core/types.h"
#include "render/ops/images.h"

namespace facet {

// Eigen matrices and images as the operations of render/ops take them; no copies.
inline ops::Images view(ImageF& image) {
  return ops::Images(image.data(), 1, image.height(), image.width(), image.channels());
}
inline ops::ConstImages view(const ImageF& image) {
  return ops::ConstImages(image.data(), 1, image.height(), image.width(), image.channels());
}
template <int kColumns>
ops::ConstRows view(const Eigen::Matrix<float, Eigen::Dynamic, kColumns, Eigen::RowMajor>& rows) {
  return ops::ConstRows(rows.data(), rows.rows(), static_cast<int>(rows.cols()));
}
template <int kColumns>
ops::Rows view(Eigen::Matrix<float, Eigen::Dynamic, kColumns, Eigen::RowMajor>& rows) {
  return ops::Rows(rows.data(), rows.rows(), static_cast<int>(rows.cols()));
}
inline ops::TriangleList view(const Triangles& triangles) { return {triangles.data(), triangles.rows()}; }

}  // namespace facet
