#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <memory>

#include "core/types.h"

namespace facet {

// The modes of a linear model: columns are modes, rows the flattened (x0 y0 z0 x1 …) vertices. Values never
// change once they are stored and copies share them, so that a basis may lie in a memory-mapped file.
//
// Values are stored mode after mode as 32-bit floats or, for large models, as IEEE half floats: those halve
// what a product has to read from memory, which is all that its speed depends on, and keep a displacement of
// 8 mm to within 4 µm.
class Basis {
 public:
  enum class Precision { kFloat, kHalf };

  Basis() = default;
  Basis(Eigen::MatrixXf modes);  // NOLINT: a matrix is a basis
  // Modes rounded to half floats. Throws std::invalid_argument for a value beyond ±65504.
  static Basis half(const Eigen::MatrixXf& modes);
  // Half floats if the modes are large enough (32 MiB) for speed and memory to matter, else floats.
  static Basis compact(Eigen::MatrixXf modes);
  // `values` hold rows×cols numbers of the given precision, column after column, and live as long as `owner`.
  static Basis view(std::shared_ptr<const void> owner, const void* values, Eigen::Index rows,
                    Eigen::Index cols, Precision precision);

  Eigen::Index rows() const { return rows_; }
  Eigen::Index cols() const { return cols_; }
  Eigen::Index size() const { return rows_ * cols_; }
  Precision precision() const { return precision_; }
  const void* data() const { return values_; }

  float operator()(Eigen::Index row, Eigen::Index col) const;
  Eigen::VectorXf col(Eigen::Index col) const;
  // V×3: how a mode moves each vertex.
  Points3 points(Eigen::Index col) const;
  // 3×cols: how each mode moves one vertex.
  Eigen::Matrix<float, 3, Eigen::Dynamic> vertex(Eigen::Index vertex) const;
  Eigen::MatrixXf dense() const;
  bool allFinite() const;

  // values += basis * coefficients, for the leading modes; rows are shared among numThreads() threads. Throws
  // std::invalid_argument when there are more coefficients than modes or `count` is not rows().
  void addTo(const Eigen::VectorXf& coefficients, float* values, Eigen::Index count) const;

 private:
  std::shared_ptr<const void> owner_;
  const void* values_ = nullptr;
  Eigen::Index rows_ = 0, cols_ = 0;
  Precision precision_ = Precision::kFloat;
};

}  // namespace facet
