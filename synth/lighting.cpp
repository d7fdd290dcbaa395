#include "synth/lighting.h"

#include <algorithm>
#include <numbers>

#include "core/spherical_harmonics.h"

namespace facet::synth {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;
constexpr int kProbeHeight = 16, kProbeWidth = 32;

Eigen::Vector3f probeDirection(float x, float y, int width, int height) {
  const float azimuth = (x / width - 0.5F) * 2 * kPi, elevation = (0.5F - y / height) * kPi;
  return {std::sin(azimuth) * std::cos(elevation), -std::sin(elevation),
          std::cos(azimuth) * std::cos(elevation)};
}

// Y_k: the library's basis without the cosine lobe's a_l / pi.
Eigen::Matrix<float, 9, 1> orthonormalBasis(const Eigen::Vector3f& direction) {
  Eigen::Matrix<float, 9, 1> y = SphericalHarmonicsLight::basis(direction);
  y.segment<3>(1) *= 1.5F;
  y.tail<5>() *= 4.0F;
  return y;
}

// Warm (+) to cool (-) white.
Eigen::Vector3f whiteOf(float warmth) { return {1 + 0.3F * warmth, 1, 1 - 0.35F * warmth}; }

Eigen::Vector3f frontDirection(Random& random, float spread_deg) {
  const float azimuth = random.normal() * spread_deg * kPi / 180;
  const float elevation = std::clamp(28 + 24 * random.normal(), -35.0F, 80.0F) * kPi / 180;
  // Camera frame: z points away from the viewer, so light from the viewer's side comes from -z.
  return {std::sin(azimuth) * std::cos(elevation), -std::sin(elevation),
          -std::cos(azimuth) * std::cos(elevation)};
}

}  // namespace

Eigen::Vector3f sampleEnvironment(const ImageF& environment, const Eigen::Vector3f& direction) {
  const float azimuth = std::atan2(direction.x(), direction.z());
  const float elevation = std::asin(std::clamp(-direction.y(), -1.0F, 1.0F));
  const float x = (azimuth / (2 * kPi) + 0.5F) * environment.width() - 0.5F;
  const float y = (0.5F - elevation / kPi) * environment.height() - 0.5F;
  const int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(std::floor(y));
  const float a = x - x0, b = y - y0;
  const auto texel = [&](int i, int j) {
    return Eigen::Map<const Eigen::Vector3f>(environment.at((i + environment.width()) % environment.width(),
                                                            std::clamp(j, 0, environment.height() - 1)));
  };
  return (1 - b) * ((1 - a) * texel(x0, y0) + a * texel(x0 + 1, y0)) +
         b * ((1 - a) * texel(x0, y0 + 1) + a * texel(x0 + 1, y0 + 1));
}

Eigen::Vector3f Lighting::irradiance(const Eigen::Vector3f& n) const {
  // The polynomial in n of SphericalHarmonicsLight::shading(), four lanes at once.
  const auto& p = irradiance_polynomial;
  const float x = n.x(), y = n.y(), z = n.z();
  Eigen::Array4f value = p[0] + p[1] * y + p[2] * z + p[3] * x;
  value += p[4] * (x * y) + p[5] * (y * z) + p[6] * (z * z) + p[7] * (x * z) + p[8] * (x * x - y * y);
  return value.max(0.02F).head<3>();
}

void Lighting::prepare() {
  // h_k at a few normals gives its factors: constant, linear and quadratic parts.
  const auto basis = [](float x, float y, float z) {
    return SphericalHarmonicsLight::basis(Eigen::Vector3f(x, y, z));
  };
  const Eigen::Matrix<float, 9, 1> at_x = basis(1, 0, 0), at_y = basis(0, 1, 0), at_z = basis(0, 0, 1);
  const float half = std::sqrt(0.5F);
  float factor[9] = {at_x(0),
                     at_y(1),
                     at_z(2),
                     at_x(3),
                     basis(half, half, 0)(4) * 2,
                     basis(0, half, half)(5) * 2,
                     at_z(6) - at_x(6),
                     basis(half, 0, half)(7) * 2,
                     at_x(8)};
  for (int k = 0; k < 9; ++k) {
    irradiance_polynomial[k].setZero();
    irradiance_polynomial[k].head<3>() = factor[k] * irradiance_coefficients.row(k).transpose().array();
  }
  // 3z² - 1 has a constant part.
  irradiance_polynomial[0].head<3>() += at_x(6) * irradiance_coefficients.row(6).transpose().array();
}

Eigen::Matrix<float, 9, 3> Lighting::sphericalHarmonics() const {
  // A point light that shades to colour · max(0, cos) has pi times that radiance in its direction.
  return irradiance_coefficients + kPi * orthonormalBasis(direct_direction) * direct_colour.transpose();
}

Eigen::Vector3f Lighting::radiance(const Eigen::Vector3f& direction) const {
  return sampleEnvironment(probe, direction);
}

Lighting makeLighting(const Assets& assets, Random& random) {
  Lighting light;
  light.probe = ImageF(kProbeWidth, kProbeHeight, 3);
  const bool from_environment = random.chance(0.5F) && !assets.environments.empty();
  const Eigen::Vector3f sky = whiteOf(0.6F * random.normal()) * random.range(0.15F, 1.0F);
  const Eigen::Vector3f ground = whiteOf(0.6F * random.normal()) * random.range(0.05F, 0.6F);
  struct Lobe {
    Eigen::Vector3f direction, colour;
    float sharpness;
  };
  std::vector<Lobe> lobes(from_environment ? random.pick(2) : 1 + random.pick(3));
  for (Lobe& lobe : lobes) {
    lobe.direction = random.chance(0.8F) ? frontDirection(random, 65) : random.direction();
    lobe.colour = whiteOf(0.5F * random.normal()) * random.range(0.5F, 6.0F);
    lobe.sharpness = random.range(3, 30);
  }
  const Eigen::Matrix3f turn = (Eigen::AngleAxisf(random.range(-kPi, kPi), Eigen::Vector3f::UnitY()) *
                                Eigen::AngleAxisf(0.15F * random.normal(), Eigen::Vector3f::UnitX()))
                                   .toRotationMatrix();
  const ImageF* environment =
      from_environment ? &assets.environments[random.pick(static_cast<int>(assets.environments.size()))]
                       : nullptr;

  light.irradiance_coefficients.setZero();
  for (int y = 0; y < kProbeHeight; ++y) {
    for (int x = 0; x < kProbeWidth; ++x) {
      const Eigen::Vector3f d = probeDirection(x + 0.5F, y + 0.5F, kProbeWidth, kProbeHeight);
      Eigen::Vector3f radiance = Eigen::Vector3f::Zero();
      if (environment) {
        for (const auto& [i, j] : {std::pair{0.25F, 0.25F}, {0.75F, 0.25F}, {0.25F, 0.75F}, {0.75F, 0.75F}}) {
          const Eigen::Vector3f sub = probeDirection(x + i, y + j, kProbeWidth, kProbeHeight);
          radiance += sampleEnvironment(*environment, turn * sub).cwiseMin(12.0F) / 4;
        }
      } else {
        const float up = 0.5F - 0.5F * d.y();
        radiance = ground + (sky - ground) * smoothStep(0.2F, 0.8F, up);
      }
      for (const Lobe& lobe : lobes) {
        radiance += lobe.colour * std::exp(lobe.sharpness * (d.dot(lobe.direction) - 1));
      }
      Eigen::Map<Eigen::Vector3f>(light.probe.at(x, y)) = radiance;
      const float solid_angle =
          std::sqrt(d.x() * d.x() + d.z() * d.z()) * (kPi / kProbeHeight) * (2 * kPi / kProbeWidth);
      light.irradiance_coefficients += orthonormalBasis(d) * radiance.transpose() * solid_angle;
    }
  }

  light.prepare();

  // A lamp or the sun, small enough to cast shadows.
  light.direct_direction = frontDirection(random, 55);
  const float ambient = light.irradiance({0, 0, -1}).mean();
  if (random.chance(0.75F)) {
    const float strength = std::exp(random.range(std::log(0.15F), std::log(2.6F)));
    light.direct_colour = whiteOf(0.5F * random.normal()) * ambient * strength;
    light.casts_shadow = strength > 0.35F;
  }

  // Exposure and white balance of a camera that is roughly right.
  Eigen::Vector3f mean = Eigen::Vector3f::Zero();
  for (const float x : {-0.5F, 0.0F, 0.5F}) {
    const Eigen::Vector3f n = Eigen::Vector3f(x, -0.1F, -1).normalized();
    mean += (light.irradiance(n) + light.direct_colour * std::max(0.0F, n.dot(light.direct_direction))) / 3;
  }
  const Eigen::Vector3f balance =
      (mean / mean.mean()).array().pow(-random.range(0.5F, 1.0F)) * (random.logNormal(0.18F) / mean.mean());
  light.direct_colour = light.direct_colour.cwiseProduct(balance);
  light.irradiance_coefficients = light.irradiance_coefficients * balance.asDiagonal();
  for (int i = 0; i < kProbeWidth * kProbeHeight; ++i) {
    Eigen::Map<Eigen::Vector3f> radiance(light.probe.data() + 3 * i);
    radiance = radiance.cwiseProduct(balance);
  }
  light.prepare();
  return light;
}

}  // namespace facet::synth
