#include "core/spherical_harmonics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

using namespace facet;

TEST_CASE("SphericalHarmonicsLight: radiance 1 everywhere shades to 1") {
  const SphericalHarmonicsLight light;
  CHECK(light.coefficients(0, 0) == doctest::Approx(std::sqrt(4 * std::numbers::pi)));
  CHECK(light.shading(Eigen::Vector3f(1, 2, -3).normalized()).isApprox(Eigen::Vector3f::Ones(), 1e-5F));
}

TEST_CASE("SphericalHarmonicsLight: an environment's projection shades like the integral over the sphere") {
  // Radiance 1 + y + 0.5 x y + 0.3 (x² - y²) lies in the span of the nine functions, so
  //   shading(n) = 1/pi * integral of radiance(d) max(0, n.d)
  // must come out whichever way it is computed.
  const auto radiance = [](const Eigen::Vector3f& d) {
    return 1 + d.y() + 0.5F * d.x() * d.y() + 0.3F * (d.x() * d.x() - d.y() * d.y()) + 0.2F * d.z() * d.x();
  };
  constexpr int kSamples = 20'000;  // a Fibonacci sphere: error below 1e-3
  const Eigen::Vector3f normal = Eigen::Vector3f(0.3F, 0.8F, 0.5F).normalized();
  const float factors[9] = {1, 2.0F / 3, 2.0F / 3, 2.0F / 3, 0.25F, 0.25F, 0.25F, 0.25F, 0.25F};  // a_l / pi
  SphericalHarmonicsLight light;
  light.coefficients.setZero();
  double integral = 0;
  for (int i = 0; i < kSamples; ++i) {
    const float z = 1 - (2 * static_cast<float>(i) + 1) / kSamples, r = std::sqrt(1 - z * z);
    const float angle = std::numbers::pi_v<float> * (3 - std::sqrt(5.0F)) * static_cast<float>(i);
    const Eigen::Vector3f d(r * std::cos(angle), r * std::sin(angle), z);
    constexpr float kWeight = 4 * std::numbers::pi_v<float> / kSamples;
    const auto h = SphericalHarmonicsLight::basis(d);
    for (int k = 0; k < 9; ++k)
      light.coefficients.row(k).array() += kWeight * radiance(d) * h[k] / factors[k];
    integral += kWeight * radiance(d) * std::max(0.0F, normal.dot(d)) / std::numbers::pi_v<float>;
  }
  CHECK(light.shading(normal).x() == doctest::Approx(integral).epsilon(2e-3));
}

TEST_CASE(
    "SphericalHarmonicsLight: light from above shades a face that looks up more than one that looks down") {
  SphericalHarmonicsLight light;
  light.coefficients.row(1).setConstant(1);
  CHECK(light.shading({0, 1, 0}).x() > light.shading({0, -1, 0}).x() + 0.5F);
}
