#pragma once

#include <Eigen/Core>

#include "core/basis.h"
#include "core/types.h"

namespace facet {

// base + B c, kept while c changes: only the columns whose coefficient is another one are added again, so
// that one slider costs one column and not the whole basis. `base` (V×3; empty = zero) and the basis are
// given anew with each call and must stay the same ones.
class LinearSum {
 public:
  // V×3. Coefficients may be fewer than the columns.
  const Points3& update(const Points3& base, const Basis& basis, const Eigen::VectorXf& coefficients);

 private:
  // Each added column rounds the sum once more, by up to 4e-6 mm at 100 mm: after so many it is computed
  // afresh, and stays exact to 1 µm.
  static constexpr int kMaxIncrements = 1000;

  Points3 sum_;
  Eigen::VectorXf applied_;
  int increments_ = 0;
};

}  // namespace facet
