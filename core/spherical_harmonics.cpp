#include "core/spherical_harmonics.h"

#include <Eigen/QR>
#include <cmath>
#include <numbers>

namespace facet {
namespace {

// Orthonormal real spherical harmonics constants times the cosine lobe's a_l / pi (1, 2/3, 1/4).
const float kBand0 = 0.5F * std::sqrt(1 / std::numbers::pi_v<float>);
const float kBand1 = 2.0F / 3 * std::sqrt(3 / (4 * std::numbers::pi_v<float>));
const float kBand2Product = 0.25F * 0.5F * std::sqrt(15 / std::numbers::pi_v<float>);      // xy, yz, xz
const float kBand2Axis = 0.25F * 0.25F * std::sqrt(5 / std::numbers::pi_v<float>);         // 3z²-1
const float kBand2Difference = 0.25F * 0.25F * std::sqrt(15 / std::numbers::pi_v<float>);  // x²-y²

}  // namespace

Points3 sphereDirections(int count) {
  const float golden_angle = std::numbers::pi_v<float> * (3 - std::sqrt(5.0F));
  Points3 directions(count, 3);
  for (int i = 0; i < count; ++i) {
    const float z = 1 - (2 * static_cast<float>(i) + 1) / static_cast<float>(count);
    const float ring = std::sqrt(1 - z * z), angle = golden_angle * static_cast<float>(i);
    directions.row(i) << ring * std::cos(angle), ring * std::sin(angle), z;
  }
  return directions;
}

Eigen::Matrix<float, 9, 1> SphericalHarmonicsLight::basis(const Eigen::Vector3f& normal) {
  const float x = normal.x(), y = normal.y(), z = normal.z();
  Eigen::Matrix<float, 9, 1> h;
  h << kBand0, kBand1 * y, kBand1 * z, kBand1 * x, kBand2Product * x * y, kBand2Product * y * z,
      kBand2Axis * (3 * z * z - 1), kBand2Product * x * z, kBand2Difference * (x * x - y * y);
  return h;
}

Eigen::Matrix<float, 9, 3> SphericalHarmonicsLight::ambient(float radiance) {
  Eigen::Matrix<float, 9, 3> coefficients = Eigen::Matrix<float, 9, 3>::Zero();
  coefficients.row(0).setConstant(radiance * 2 * std::sqrt(std::numbers::pi_v<float>));
  return coefficients;
}

Eigen::Vector3f SphericalHarmonicsLight::shading(const Eigen::Vector3f& normal) const {
  return coefficients.transpose() * basis(normal);
}

SphericalHarmonicsLight SphericalHarmonicsLight::turned(const Eigen::Matrix3f& new_from_old) const {
  // The nine functions span the same space in every frame: the new coefficients follow from the shading in a
  // few directions, enough to tell the nine apart.
  const Points3 directions = sphereDirections(64);
  Eigen::MatrixXf basis_new(directions.rows(), 9), shading_there(directions.rows(), 3);
  for (Eigen::Index i = 0; i < directions.rows(); ++i) {
    const Eigen::Vector3f direction = directions.row(i);
    basis_new.row(i) = basis(direction);
    shading_there.row(i) = shading(new_from_old.transpose() * direction);
  }
  SphericalHarmonicsLight result;
  result.coefficients = basis_new.colPivHouseholderQr().solve(shading_there);
  return result;
}

}  // namespace facet
