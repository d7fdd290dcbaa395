#include "core/basis.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/half_float.h"
#include "core/parallel.h"

namespace facet {
namespace {

// Rows that one thread sums at a time: their sums stay in the first-level cache while the modes stream by,
// twelve at a time, so that the sums are read and written a twelfth as often as the modes. Measured:
// bench_models.
constexpr int kRowsPerChunk = 8192;
constexpr int kColumnsAtOnce = 12;
constexpr std::size_t kCompactFromBytes = std::size_t{32} << 20;
constexpr float kMaxHalf = 65504;

inline float valueOf(float value) { return value; }
inline float valueOf(std::uint16_t half) { return floatFromFiniteHalf(half); }

// sums += columns * coefficients for Count columns, `stride` values apart, of `num_rows` rows from row `i`
// on.
template <int Count, typename Value>
[[gnu::always_inline]] inline void addColumns(const Value* columns, Eigen::Index stride,
                                              const float* coefficients, int i, int num_rows, float* sums) {
  for (; i < num_rows; ++i) {
    float sum = sums[i];
    for (int k = 0; k < Count; ++k) sum += coefficients[k] * valueOf(columns[k * stride + i]);
    sums[i] = sum;
  }
}

template <int Count, typename Value>
void addColumnsPortable(const Value* columns, Eigen::Index stride, const float* coefficients, int num_rows,
                        float* sums) {
  addColumns<Count>(columns, stride, coefficients, 0, num_rows, sums);
}

#if defined(__x86_64__)
// The same sums in the same order, eight rows at a time: the machine's conversion of half floats is what lets
// the product run at the speed of the memory.
template <int Count, typename Value>
[[gnu::target("avx2,f16c")]] void addColumnsAvx2(const Value* columns, Eigen::Index stride,
                                                 const float* coefficients, int num_rows, float* sums) {
  int i = 0;
  for (; i + 8 <= num_rows; i += 8) {
    __m256 sum = _mm256_loadu_ps(sums + i);
    for (int k = 0; k < Count; ++k) {
      const Value* at = columns + k * stride + i;
      __m256 values;
      if constexpr (std::is_same_v<Value, float>) {
        values = _mm256_loadu_ps(at);
      } else {
        values = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
      }
      sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_set1_ps(coefficients[k]), values));
    }
    _mm256_storeu_ps(sums + i, sum);
  }
  addColumns<Count>(columns, stride, coefficients, i, num_rows, sums);
}
#endif

// Of all columns, on rows [begin, end).
template <typename Value>
void addRows(const Value* values, Eigen::Index num_rows, const Eigen::VectorXf& coefficients, int begin,
             int end, float* sums) {
  auto add_many = &addColumnsPortable<kColumnsAtOnce, Value>;
  auto add_one = &addColumnsPortable<1, Value>;
#if defined(__x86_64__)
  // Every CPU with AVX2 converts half floats (F16C), which clang 14 cannot ask for by name.
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  if (has_avx2) {
    add_many = &addColumnsAvx2<kColumnsAtOnce, Value>;
    add_one = &addColumnsAvx2<1, Value>;
  }
#endif
  Eigen::Index k = 0;
  for (; k + kColumnsAtOnce <= coefficients.size(); k += kColumnsAtOnce) {
    add_many(values + k * num_rows + begin, num_rows, coefficients.data() + k, end - begin, sums + begin);
  }
  for (; k < coefficients.size(); ++k) {
    add_one(values + k * num_rows + begin, num_rows, coefficients.data() + k, end - begin, sums + begin);
  }
}

}  // namespace

Basis::Basis(Eigen::MatrixXf modes) {
  const auto kept = std::make_shared<const Eigen::MatrixXf>(std::move(modes));
  *this = view(kept, kept->data(), kept->rows(), kept->cols(), Precision::kFloat);
}

Basis Basis::half(const Eigen::MatrixXf& modes) {
  auto kept = std::make_shared<std::vector<std::uint16_t>>(static_cast<std::size_t>(modes.size()));
  std::transform(modes.data(), modes.data() + modes.size(), kept->begin(), [](float value) {
    require(std::abs(value) <= kMaxHalf, "Basis: ", value, " does not fit a half float");
    return halfFromFloat(value);
  });
  return view(kept, kept->data(), modes.rows(), modes.cols(), Precision::kHalf);
}

Basis Basis::compact(Eigen::MatrixXf modes) {
  const bool is_large = static_cast<std::size_t>(modes.size()) * sizeof(float) >= kCompactFromBytes;
  return is_large ? half(modes) : Basis(std::move(modes));
}

Basis Basis::view(std::shared_ptr<const void> owner, const void* values, Eigen::Index rows, Eigen::Index cols,
                  Precision precision) {
  Basis basis;
  basis.owner_ = std::move(owner);
  basis.values_ = values;
  basis.rows_ = rows;
  basis.cols_ = cols;
  basis.precision_ = precision;
  return basis;
}

float Basis::operator()(Eigen::Index row, Eigen::Index col) const {
  const Eigen::Index at = col * rows_ + row;
  return precision_ == Precision::kFloat ? static_cast<const float*>(values_)[at]
                                         : floatFromHalf(static_cast<const std::uint16_t*>(values_)[at]);
}

Eigen::VectorXf Basis::col(Eigen::Index col) const {
  return Eigen::VectorXf::NullaryExpr(rows_, [&](Eigen::Index row) { return (*this)(row, col); });
}

Points3 Basis::points(Eigen::Index col) const {
  return Points3::NullaryExpr(
      rows_ / 3, 3, [&](Eigen::Index vertex, Eigen::Index axis) { return (*this)(3 * vertex + axis, col); });
}

Eigen::Matrix<float, 3, Eigen::Dynamic> Basis::vertex(Eigen::Index vertex) const {
  return Eigen::Matrix<float, 3, Eigen::Dynamic>::NullaryExpr(
      3, cols_, [&](Eigen::Index axis, Eigen::Index col) { return (*this)(3 * vertex + axis, col); });
}

Eigen::MatrixXf Basis::dense() const {
  return Eigen::MatrixXf::NullaryExpr(rows_, cols_,
                                      [&](Eigen::Index row, Eigen::Index col) { return (*this)(row, col); });
}

bool Basis::allFinite() const {
  if (precision_ == Precision::kFloat) {
    return Eigen::Map<const Eigen::VectorXf>(static_cast<const float*>(values_), size()).allFinite();
  }
  const auto* halves = static_cast<const std::uint16_t*>(values_);
  return std::all_of(halves, halves + size(), isFiniteHalf);
}

void Basis::addTo(const Eigen::VectorXf& coefficients, float* values, Eigen::Index count) const {
  require(coefficients.size() <= cols_, "Basis: ", coefficients.size(), " coefficients for ", cols_,
          " modes");
  require(count == rows_ || coefficients.size() == 0, "Basis: ", count, " values for ", rows_, " rows");
  if (coefficients.isZero(0)) return;
  parallelFor(static_cast<int>(rows_), kRowsPerChunk, [&](int begin, int end) {
    if (precision_ == Precision::kFloat) {
      addRows(static_cast<const float*>(values_), rows_, coefficients, begin, end, values);
    } else {
      addRows(static_cast<const std::uint16_t*>(values_), rows_, coefficients, begin, end, values);
    }
  });
}

}  // namespace facet
