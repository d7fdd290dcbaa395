#pragma once

#include <array>

#include "core/image.h"
#include "synth/assets.h"
#include "synth/random.h"

namespace facet::synth {

// Light around the face, camera frame (x right, y down, z forward), linear RGB. Scaled so that white skin
// turned to the camera shades to about 1.
struct Lighting {
  ImageF probe;                                         // equirectangular radiance, coarse; up is -y
  Eigen::Matrix<float, 9, 3> irradiance_coefficients;   // of the probe
  std::array<Eigen::Array4f, 9> irradiance_polynomial;  // of the coefficients, see prepare()
  Eigen::Vector3f direct_direction;                     // towards the light, unit
  Eigen::Vector3f direct_colour = Eigen::Vector3f::Zero();
  bool casts_shadow = false;

  void prepare();  // call when irradiance_coefficients have changed
  Eigen::Vector3f irradiance(const Eigen::Vector3f& normal) const;
  // All of the light, the direct one unshadowed: coefficients of SphericalHarmonicsLight, 9×3.
  Eigen::Matrix<float, 9, 3> sphericalHarmonics() const;
  Eigen::Vector3f radiance(const Eigen::Vector3f& direction) const;  // of the probe
};

Lighting makeLighting(const Assets& assets, Random& random);

// Linear RGB of an equirectangular map in a direction of the camera frame.
Eigen::Vector3f sampleEnvironment(const ImageF& environment, const Eigen::Vector3f& direction);

}  // namespace facet::synth
