#include "core/spherical_harmonics.h"

#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <cmath>
#include <numbers>

using namespace facet;

TEST_CASE("sphereDirections: unit vectors, as dense on every side") {
  const Points3 directions = sphereDirections(500);
  CHECK((directions.rowwise().norm().array() - 1).abs().maxCoeff() < 1e-5F);
  CHECK(directions.colwise().mean().norm() < 0.01F);
  const Eigen::Matrix3f moments = directions.transpose() * directions / 500;
  CHECK((moments - Eigen::Matrix3f::Identity() / 3).cwiseAbs().maxCoeff() < 0.005F);
}

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
  const Points3 directions = sphereDirections(kSamples);
  for (int i = 0; i < kSamples; ++i) {
    const Eigen::Vector3f d = directions.row(i);
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

TEST_CASE("SphericalHarmonicsLight: turned or mirrored light shades turned or mirrored normals as before") {
  SphericalHarmonicsLight light;
  for (int k = 0; k < 9; ++k)
    light.coefficients.row(k) << 0.3F * static_cast<float>(k) - 1, 1.0F / static_cast<float>(k + 1),
        0.2F * static_cast<float>(k * k % 5);
  const Eigen::Matrix3f turn =
      Eigen::AngleAxisf(0.8F, Eigen::Vector3f(1, -2, 0.5F).normalized()).toRotationMatrix();
  const Eigen::Matrix3f mirror = Eigen::Vector3f(-1, 1, 1).asDiagonal();
  for (const Eigen::Matrix3f& change : {turn, mirror, Eigen::Matrix3f(turn * mirror)}) {
    const SphericalHarmonicsLight changed = light.turned(change);
    for (const Eigen::Vector3f& n : {Eigen::Vector3f(0, 0, 1), Eigen::Vector3f(0.6F, -0.8F, 0),
                                     Eigen::Vector3f(0.3F, 0.5F, -0.7F).normalized().eval()})
      CHECK((changed.shading(change * n) - light.shading(n)).norm() < 1e-4F);
  }
}
