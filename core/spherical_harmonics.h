#pragma once

#include "core/types.h"

namespace facet {

// Unit vectors (count×3) spread evenly over the sphere: equal steps of z from +1 to -1, each the golden angle
// further about the z axis.
Points3 sphereDirections(int count);

// Diffuse light as second-order real spherical harmonics, 9 coefficients per colour channel, linear light.
// Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment Maps", SIGGRAPH 2001.
//   shading(n) = sum_k coefficients(k) h_k(n),   h_k = a_l / pi * Y_k(n)
// with the orthonormal basis Y in the order 1, y, z, x, xy, yz, 3z²-1, xz, x²-y² and the cosine lobe's
// factors a = pi, 2pi/3, pi/4. An environment of radiance 1 everywhere (coefficient 0 = sqrt(4 pi)) shades
// to 1.
struct SphericalHarmonicsLight {
  Eigen::Matrix<float, 9, 3> coefficients = ambient(1.0F);  // rows: basis functions; columns: R, G, B

  // The nine h_k(n) of a unit normal.
  static Eigen::Matrix<float, 9, 1> basis(const Eigen::Vector3f& normal);
  static Eigen::Matrix<float, 9, 3> ambient(float radiance);
  // Shading (linear RGB factor of the albedo) at a unit normal; may be negative for an extreme light.
  Eigen::Vector3f shading(const Eigen::Vector3f& normal) const;
  // The same light in a frame that is turned or mirrored: new_from_old is orthogonal.
  SphericalHarmonicsLight turned(const Eigen::Matrix3f& new_from_old) const;
};

}  // namespace facet
