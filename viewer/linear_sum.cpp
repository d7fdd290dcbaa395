#include "viewer/linear_sum.h"

#include <cstddef>

#include "core/check.h"

namespace facet {
namespace {

// `count` columns of a basis, from `first` on, which must outlive them.
Basis columns(const Basis& basis, Eigen::Index first, Eigen::Index count) {
  const std::size_t value_bytes = basis.precision() == Basis::Precision::kHalf ? 2 : 4;
  const auto* bytes = static_cast<const std::byte*>(basis.data());
  return Basis::view(nullptr, bytes + static_cast<std::size_t>(first * basis.rows()) * value_bytes,
                     basis.rows(), count, basis.precision());
}

}  // namespace

const Points3& LinearSum::update(const Points3& base, const Basis& basis,
                                 const Eigen::VectorXf& coefficients) {
  const Eigen::Index count = coefficients.size();
  require(count <= basis.cols(), "LinearSum: ", count, " coefficients for ", basis.cols(), " columns");
  const bool is_new = sum_.size() == 0 || applied_.size() != count;
  if (!is_new && applied_ == coefficients) return sum_;
  if (is_new || increments_ >= kMaxIncrements || coefficients.isZero(0)) {
    sum_ = base.rows() > 0 ? base : Points3(Points3::Zero(basis.rows() / 3, 3));
    basis.addTo(coefficients, sum_.data(), sum_.size());
    increments_ = 0;
  } else {
    const Eigen::VectorXf change = coefficients - applied_;
    for (Eigen::Index first = 0; first < count;) {
      Eigen::Index end = first;
      while (end < count && change[end] != 0) ++end;
      if (end > first)
        columns(basis, first, end - first)
            .addTo(change.segment(first, end - first), sum_.data(), sum_.size());
      first = end + 1;
    }
    ++increments_;
  }
  applied_ = coefficients;
  return sum_;
}

}  // namespace facet
