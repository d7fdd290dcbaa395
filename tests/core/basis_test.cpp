#include "core/basis.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/half_float.h"
#include "core/parallel.h"

using namespace facet;

namespace {

// More rows than a chunk and more columns than are summed at once, neither a multiple of anything.
constexpr int kRows = 3 * 5003, kCols = 29;

Eigen::MatrixXf someModes() {
  return Eigen::MatrixXf::NullaryExpr(kRows, kCols, [](Eigen::Index row, Eigen::Index col) {
    return 3 * std::sin(0.37F * static_cast<float>(row) + 1.3F * static_cast<float>(col));
  });
}

Eigen::VectorXf someCoefficients(int count) {
  return Eigen::VectorXf::NullaryExpr(count,
                                      [](Eigen::Index i) { return 0.5F - 0.09F * static_cast<float>(i); });
}

Eigen::VectorXf productOf(const Basis& basis, const Eigen::VectorXf& coefficients) {
  Eigen::VectorXf values = Eigen::VectorXf::Ones(basis.rows());
  basis.addTo(coefficients, values.data(), values.size());
  return values;
}

}  // namespace

TEST_CASE("Basis: the product is the matrix product, for every number of coefficients") {
  const Eigen::MatrixXf modes = someModes();
  const Basis floats(modes), halves = Basis::half(modes);
  for (const int count : {0, 1, 5, 12, 13, 24, kCols}) {
    const Eigen::VectorXf coefficients = someCoefficients(count);
    const Eigen::VectorXf expected = Eigen::VectorXf::Ones(kRows) + modes.leftCols(count) * coefficients;
    CHECK((productOf(floats, coefficients) - expected).cwiseAbs().maxCoeff() < 1e-4F);
    // 3 mm as a half float is off by less than 1 µm; the errors of the modes add up at worst
    CHECK((productOf(halves, coefficients) - expected).cwiseAbs().maxCoeff() <
          1e-3F * coefficients.cwiseAbs().sum() + 1e-4F);
  }
}

TEST_CASE("Basis: any number of threads gives the same bits") {
  const Basis basis = Basis::half(someModes());
  const int before = numThreads();
  setNumThreads(1);
  const Eigen::VectorXf alone = productOf(basis, someCoefficients(kCols));
  setNumThreads(4);
  CHECK(productOf(basis, someCoefficients(kCols)) == alone);
  setNumThreads(before);
}

TEST_CASE("Basis: parts are what was stored, rounded to a half float where it is one") {
  const Eigen::MatrixXf modes = someModes();
  const Basis floats(modes), halves = Basis::half(modes);
  CHECK(floats.dense() == modes);
  CHECK(floats.col(4) == modes.col(4));
  CHECK(floats.vertex(77) == modes.middleRows<3>(3 * 77));
  CHECK(floats.points(4).row(77).transpose() == modes.col(4).segment<3>(3 * 77));
  CHECK(halves.points(4).row(77).transpose() == halves.vertex(77).col(4));
  CHECK(floats(1234, 5) == modes(1234, 5));
  CHECK((halves.dense() - modes).cwiseAbs().maxCoeff() < 3.0F / 2048);
  CHECK(halves.vertex(77) == halves.dense().middleRows<3>(3 * 77));
}

TEST_CASE("Basis: copies share the values") {
  const Basis basis(someModes());
  const Basis copy = basis;  // NOLINT: the copy is the point
  CHECK(copy.data() == basis.data());
}

TEST_CASE("Basis: what does not fit is refused") {
  const Basis basis(someModes());
  Eigen::VectorXf values = Eigen::VectorXf::Zero(kRows);
  CHECK_THROWS_AS(basis.addTo(someCoefficients(kCols + 1), values.data(), values.size()),
                  std::invalid_argument);
  CHECK_THROWS_AS(basis.addTo(someCoefficients(1), values.data(), values.size() - 3), std::invalid_argument);
  CHECK_THROWS_AS(Basis::half(Eigen::MatrixXf::Constant(3, 1, 1e6F)), std::invalid_argument);
}

TEST_CASE("Basis: a value that is not finite is found in either precision") {
  Eigen::MatrixXf modes = someModes();
  CHECK(Basis(modes).allFinite());
  CHECK(Basis::half(modes).allFinite());
  modes(100, 3) = std::nanf("");
  CHECK_FALSE(Basis(modes).allFinite());
  const std::uint16_t halves[] = {0x3C00, 0x7E00, 0x0001};
  CHECK_FALSE(Basis::view(nullptr, halves, 3, 1, Basis::Precision::kHalf).allFinite());
}

TEST_CASE("half floats: every one of the 65536 comes back from a float") {
  for (int i = 0; i < 65536; ++i) {
    const auto half = static_cast<std::uint16_t>(i);
    const float value = floatFromHalf(half);
    if (std::isnan(value)) continue;
    REQUIRE(halfFromFloat(value) == half);
  }
  CHECK(floatFromHalf(0x3555) == doctest::Approx(0.33325F));
  CHECK(floatFromHalf(0x0001) == std::ldexp(1.0F, -24));
  CHECK(std::isinf(floatFromHalf(0x7C00)));
}
