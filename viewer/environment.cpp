#include "viewer/environment.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "core/io/image_io.h"
#include "core/io/model_parts.h"
#include "core/parallel.h"

// Karis, "Real Shading in Unreal Engine 4", SIGGRAPH 2013 course: panoramas filtered by the lobe as it is
// when one looks along the normal.

namespace facet {
namespace {

// Widths of by_roughness: a mirror's picture must be sharp, a rough surface's cannot be.
constexpr std::array<int, 6> kWidths_px = {512, 128, 64, 48, 32, 32};

// Unit vector to the middle of a row and column.
Eigen::Vector3f directionAt(double column, double row, int width, int height) {
  const double azimuth = 2 * M_PI * ((column + 0.5) / width - 0.5), polar = M_PI * (row + 0.5) / height;
  return Eigen::Vector3d(std::sin(polar) * std::sin(azimuth), std::cos(polar),
                         -std::sin(polar) * std::cos(azimuth))
      .cast<float>();
}

// Of one pixel of a row.
double solidAngle(int row, int width, int height) {
  return 2 * M_PI / width * (std::cos(M_PI * row / height) - std::cos(M_PI * (row + 1) / height));
}

float luminance(const float* rgb) { return 0.2126F * rgb[0] + 0.7152F * rgb[1] + 0.0722F * rgb[2]; }

// Of the surface that faces the brightest side.
float brightestShading(const SphericalHarmonicsLight& light) {
  constexpr int kDirections = 500;
  const Points3 directions = sphereDirections(kDirections);
  float brightest = 0;
  for (int i = 0; i < kDirections; ++i) {
    const Eigen::Vector3f shading = light.shading(directions.row(i).transpose());
    brightest = std::max(brightest, luminance(shading.data()));
  }
  return brightest;
}

// Mean over all directions.
double meanLuminance(const ImageF& panorama) {
  double sum = 0;
  for (int y = 0; y < panorama.height(); ++y) {
    const double weight = solidAngle(y, panorama.width(), panorama.height()) / (4 * M_PI);
    for (int x = 0; x < panorama.width(); ++x) sum += weight * luminance(panorama.at(x, y));
  }
  return sum;
}

// c_k = ∫ L(d) Y_k(d) dd. SphericalHarmonicsLight::basis() is a_l / π Y_k.
SphericalHarmonicsLight projected(const ImageF& panorama) {
  Eigen::Matrix<double, 9, 3> sum = Eigen::Matrix<double, 9, 3>::Zero();
  for (int y = 0; y < panorama.height(); ++y) {
    const double weight = solidAngle(y, panorama.width(), panorama.height());
    for (int x = 0; x < panorama.width(); ++x) {
      const auto basis =
          SphericalHarmonicsLight::basis(directionAt(x, y, panorama.width(), panorama.height()));
      sum += weight * basis.cast<double>() *
             Eigen::Map<const Eigen::RowVector3f>(panorama.at(x, y)).cast<double>();
    }
  }
  Eigen::Matrix<double, 9, 1> factor;  // π / a_l
  factor << 1, 1.5, 1.5, 1.5, 4, 4, 4, 4, 4;
  SphericalHarmonicsLight light;
  light.coefficients = (factor.asDiagonal() * sum).cast<float>();
  return light;
}

// The panorama as surfaces of that roughness mirror it: radiance weighted by the GGX distribution of the
// normals half way and by the cosine.
ImageF blurred(const ImageF& panorama, float roughness) {
  const int width = panorama.width(), height = panorama.height();
  const double alpha = static_cast<double>(roughness) * roughness, alpha2 = alpha * alpha;
  // Farther from the mirror's direction than this the lobe holds less than 2 % of the energy.
  const double half_angle = std::min(M_PI / 4, std::atan(alpha * std::sqrt(1 / 0.02 - 1)));
  const auto min_cosine = static_cast<float>(std::max(0.0, std::cos(2 * half_angle)));
  std::vector<Eigen::Vector3f> directions;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) directions.push_back(directionAt(x, y, width, height));
  }
  // By cosine to the direction of the lobe, times the solid angle of the row.
  constexpr int kSteps = 4096;
  std::vector<float> lobe(kSteps + 1);
  for (int i = 0; i <= kSteps; ++i) {
    const double cosine = static_cast<double>(i) / kSteps, half_cosine2 = (1 + cosine) / 2;
    const double denominator = half_cosine2 * (alpha2 - 1) + 1;
    lobe[i] = static_cast<float>(cosine * alpha2 / (denominator * denominator));
  }
  ImageF result(width, height, 3);
  parallelFor(height, 1, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      const int reach = static_cast<int>(std::ceil(2 * half_angle / M_PI * height));
      const int first = std::max(0, y - reach), last = std::min(height - 1, y + reach);
      for (int x = 0; x < width; ++x) {
        const Eigen::Vector3f mirror = directions[static_cast<std::size_t>(y) * width + x];
        Eigen::Vector3f sum = Eigen::Vector3f::Zero();
        float total = 0;
        for (int row = first; row <= last; ++row) {
          const auto area = static_cast<float>(solidAngle(row, width, height));
          for (int column = 0; column < width; ++column) {
            const float cosine = mirror.dot(directions[static_cast<std::size_t>(row) * width + column]);
            if (cosine < min_cosine) continue;
            const float weight = area * lobe[static_cast<std::size_t>(std::min(cosine, 1.0F) * kSteps)];
            sum += weight * Eigen::Map<const Eigen::Vector3f>(panorama.at(column, row));
            total += weight;
          }
        }
        Eigen::Map<Eigen::Vector3f>(result.at(x, y)) = sum / total;
      }
    }
  });
  return result;
}

}  // namespace

Environment readEnvironment(const std::filesystem::path& path) {
  const std::string extension = lowerCase(path.extension().string());
  if (extension != ".hdr" && extension != ".exr")
    fail(ErrorKind::kInput, path.string(), ": is no panorama; expected .hdr (Radiance) or .exr");
  ImageF panorama = extension == ".exr" ? readExr(path) : readRadiance(path);
  if (panorama.channels() < 3)
    fail(ErrorKind::kInput, path.string(), ": has ", panorama.channels(), " channel; light needs colours");
  if (panorama.width() != 2 * panorama.height() || panorama.height() < 4) {
    fail(ErrorKind::kInput, path.string(), ": is ", panorama.width(), "x", panorama.height(),
         " pixels; a panorama of all directions is twice as wide as high (latitude and longitude)");
  }
  if (panorama.channels() == 4) {
    ImageF colours(panorama.width(), panorama.height(), 3);
    for (int y = 0; y < panorama.height(); ++y) {
      for (int x = 0; x < panorama.width(); ++x) std::copy_n(panorama.at(x, y), 3, colours.at(x, y));
    }
    panorama = std::move(colours);
  }
  for (std::size_t i = 0; i < panorama.size(); ++i) {
    if (!std::isfinite(panorama.data()[i]) || panorama.data()[i] < 0)
      fail(ErrorKind::kInput, path.string(), ": has a pixel that is no light (negative or not finite)");
  }
  if (meanLuminance(panorama) <= 0) fail(ErrorKind::kInput, path.string(), ": is black; it gives no light");
  return environmentFrom(panorama, path.stem().string());
}

Environment environmentFrom(const ImageF& panorama, const std::string& name) {
  require(panorama.channels() == 3 && panorama.width() == 2 * panorama.height(),
          "environmentFrom: ", panorama.width(), "x", panorama.height(), "x", panorama.channels(),
          " is no panorama in colours");
  Environment environment;
  environment.name = name;
  for (const int width_px : kWidths_px) {
    ImageF level = resized(panorama, width_px, width_px / 2);
    for (std::size_t i = 0; i < level.size(); ++i) level.data()[i] = std::max(level.data()[i], 0.0F);
    environment.by_roughness.push_back(std::move(level));
  }
  environment.diffuse = projected(environment.by_roughness[1]);
  const float brightest = brightestShading(environment.diffuse);
  require(brightest > 0, "environmentFrom: the panorama is black");
  environment.diffuse.coefficients /= brightest;
  for (ImageF& level : environment.by_roughness) {
    for (std::size_t i = 0; i < level.size(); ++i) level.data()[i] /= brightest;
  }
  for (std::size_t i = 1; i < kWidths_px.size(); ++i) {
    environment.by_roughness[i] =
        blurred(environment.by_roughness[i], static_cast<float>(i) / (kWidths_px.size() - 1));
  }
  return environment;
}

std::shared_ptr<const Environment> studioEnvironment() {
  static const auto environment = [] {
    constexpr int kWidth_px = 256;
    const float room = 0.15F, key = 40, fill = 6;  // radiance
    ImageF panorama(kWidth_px, kWidth_px / 2, 3, room);
    for (int y = 0; y < panorama.height(); ++y) {
      for (int x = 0; x < panorama.width(); ++x) {
        const float longitude_deg = (static_cast<float>(x) + 0.5F) * 360 / kWidth_px - 180;
        const float height_deg = 90 - (static_cast<float>(y) + 0.5F) * 360 / kWidth_px;
        // From +Z, + towards +X; the middle of the panorama is seen along -Z.
        const float azimuth_deg = (longitude_deg > 0 ? 180 : -180) - longitude_deg;
        const bool is_key = azimuth_deg > 20 && azimuth_deg < 42 && height_deg > 22 && height_deg < 46;
        const bool is_fill = azimuth_deg > -72 && azimuth_deg < -56 && height_deg > -5 && height_deg < 45;
        if (is_key || is_fill) std::fill_n(panorama.at(x, y), 3, is_key ? key : fill);
      }
    }
    return std::make_shared<const Environment>(environmentFrom(panorama, "studio"));
  }();
  return environment;
}

}  // namespace facet
