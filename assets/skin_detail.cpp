#include "assets/skin_detail.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "assets/texel_projection.h"
#include "core/check.h"
#include "core/mesh_parts.h"
#include "core/parallel.h"
#include "core/smooth_step.h"
#include "render/uv_maps.h"

namespace facet {
namespace {

constexpr int kRowsPerChunk = 16;

ImageF blurred(const ImageF& image, double sigma_px);

// A wide blur at half the size: nothing that fine is left to lose.
ImageF blurredAtHalfSize(const ImageF& image, double sigma_px) {
  const int width = image.width(), height = image.height();
  ImageF half((width + 1) / 2, (height + 1) / 2, 1);
  for (int y = 0; y < half.height(); ++y) {
    for (int x = 0; x < half.width(); ++x) {
      const int x1 = std::min(2 * x + 1, width - 1), y1 = std::min(2 * y + 1, height - 1);
      *half.at(x, y) =
          0.25F * (*image.at(2 * x, 2 * y) + *image.at(x1, 2 * y) + *image.at(2 * x, y1) + *image.at(x1, y1));
    }
  }
  half = blurred(half, sigma_px / 2);
  ImageF result(width, height, 1);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      // Bilinear: the texel above this one and those on this side of it.
      const int cx = x / 2, cy = y / 2;
      const int nx = std::clamp(cx + ((x & 1) ? 1 : -1), 0, half.width() - 1);
      const int ny = std::clamp(cy + ((y & 1) ? 1 : -1), 0, half.height() - 1);
      *result.at(x, y) = 0.5625F * *half.at(cx, cy) + 0.1875F * (*half.at(nx, cy) + *half.at(cx, ny)) +
                         0.0625F * *half.at(nx, ny);
    }
  }
  return result;
}

// Gaussian blur of a one-channel image, standard deviation in texels; repeats its edge.
ImageF blurred(const ImageF& image, double sigma_px) {
  constexpr double kWide_px = 5;
  if (sigma_px > kWide_px) return blurredAtHalfSize(image, sigma_px);
  const int radius = std::max(1, static_cast<int>(std::ceil(3 * sigma_px)));
  std::vector<float> kernel;
  float sum = 0;
  for (int i = -radius; i <= radius; ++i) {
    kernel.push_back(static_cast<float>(std::exp(-0.5 * i * i / (sigma_px * sigma_px))));
    sum += kernel.back();
  }
  for (float& k : kernel) k /= sum;
  const int width = image.width(), height = image.height();
  ImageF across(width, height, 1), result(width, height, 1);
  parallelFor(height, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < width; ++x) {
        float value = 0;
        for (int i = -radius; i <= radius; ++i)
          value += kernel[i + radius] * *image.at(std::clamp(x + i, 0, width - 1), y);
        *across.at(x, y) = value;
      }
    }
  });
  parallelFor(height, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      float* const out = result.at(0, y);
      for (int i = -radius; i <= radius; ++i) {
        const float* const row = across.at(0, std::clamp(y + i, 0, height - 1));
        for (int x = 0; x < width; ++x) out[x] += kernel[i + radius] * row[x];
      }
    }
  });
  return result;
}

// V: side of the surface that one texture unit shows, mm; the same along u and v, as layouts of faces hardly
// stretch.
Eigen::VectorXf mmPerUnit(const Mesh& mesh) {
  Eigen::VectorXf surface = Eigen::VectorXf::Zero(mesh.vertices.rows()), layout = surface;
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    const Eigen::Vector3f a = mesh.vertices.row(mesh.triangles(f, 0)),
                          b = mesh.vertices.row(mesh.triangles(f, 1)),
                          c = mesh.vertices.row(mesh.triangles(f, 2));
    const Eigen::Vector2f p = mesh.uv.row(mesh.uv_triangles(f, 0)), q = mesh.uv.row(mesh.uv_triangles(f, 1)),
                          r = mesh.uv.row(mesh.uv_triangles(f, 2));
    const float in_mm = (b - a).cross(c - a).norm();
    const float in_uv = std::abs((q - p).x() * (r - p).y() - (q - p).y() * (r - p).x());
    for (int k = 0; k < 3; ++k) {
      surface[mesh.triangles(f, k)] += in_mm;
      layout[mesh.triangles(f, k)] += in_uv;
    }
  }
  return surface.cwiseQuotient(layout.cwiseMax(1e-12F)).cwiseSqrt();
}

}  // namespace

void SkinDetailOptions::check() const {
  require(depth_mm >= 0, "SkinDetailOptions: depth_mm is ", depth_mm, ", it must not be negative");
  require(finest_mm > 0, "SkinDetailOptions: finest_mm is ", finest_mm, ", it must be above 0");
  require(coarsest_mm > finest_mm, "SkinDetailOptions: coarsest_mm is ", coarsest_mm,
          ", it must be above finest_mm, ", finest_mm);
  require(full_contrast > 0, "SkinDetailOptions: full_contrast is ", full_contrast, ", it must be above 0");
}

Eigen::VectorXf skinDetailWeights(const MorphableModel& model) {
  constexpr double kBorder_mm = 6;
  constexpr float kReserve = 3;  // pushes the slope into the skin: hair itself stays at 0
  // Where nothing is named, all is skin.
  Eigen::VectorXf weights = Eigen::VectorXf::Ones(model.numVertices());
  if (model.region.empty()) return weights;
  const auto isAny = [](const std::string& name, std::initializer_list<const char*> parts) {
    return std::any_of(parts.begin(), parts.end(),
                       [&](const char* part) { return name.find(part) != std::string::npos; });
  };
  for (int v = 0; v < model.numVertices(); ++v) {
    const std::string& name = model.region_names[model.region[v]];
    if (isAny(name, {"scalp", "brow", "lid", "eye", "socket", "teeth", "mouth"})) weights[v] = 1 - kReserve;
    if (isAny(name, {"ear", "neck"})) weights[v] = 0.3F;
    if (isAny(name, {"lip"})) weights[v] = 0.5F;
  }
  const Eigen::VectorXf spread = spreadOver(model.mean, model.triangles, weights, kBorder_mm);
  return spread.cwiseMin(weights).cwiseMax(0).cwiseMin(1);
}

Image8 skinDetailNormalMap(const MorphableModel& model, const Points3& neutral, const ImageF& texture,
                           const std::optional<ImageF>& seen, const SkinDetailOptions& options) {
  options.check();
  require(neutral.rows() == model.numVertices(), "skinDetailNormalMap: ", neutral.rows(),
          " vertices for a model of ", model.numVertices());
  const int size = texture.width();
  require(texture.height() == size && texture.channels() == 3 && size > 0,
          "skinDetailNormalMap: the texture is ", texture.width(), "x", texture.height(), "x",
          texture.channels(), ", expected size×size×3");
  require(!seen || (seen->width() == size && seen->height() == size && seen->channels() == 1),
          "skinDetailNormalMap: `seen` is of another size than the texture");
  if (!model.hasUsableUv()) return {};
  const Mesh mesh = model.mesh(neutral);
  const Fragments layout = rasterizeUv(mesh, size);
  const Image8 coverage = uvCoverage(layout);
  const Eigen::VectorXf mm_per_unit = mmPerUnit(mesh);
  Eigen::Matrix<float, Eigen::Dynamic, 2, Eigen::RowMajor> per_vertex(model.numVertices(), 2);
  per_vertex << skinDetailWeights(model), mm_per_unit / static_cast<float>(size);
  const ImageF of_texel = attributesInUv(mesh, layout, per_vertex);  // weight, mm per texel

  // Log luminance; where it is not covered the islands go on, so that no filter sees an edge there.
  ImageF light(size, size, 1), weight(size, size, 1);
  std::vector<float> texel_mm;
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      constexpr float kDarkest = 0.01F;
      const float* const c = texture.at(x, y);
      *light.at(x, y) = std::log(0.2F * c[0] + 0.7F * c[1] + 0.1F * c[2] + kDarkest);
      if (*coverage.at(x, y) == 0) continue;
      const float visible = seen ? smoothStep(0.25F, 0.7F, *seen->at(x, y)) : 1.0F;
      *weight.at(x, y) = visible * of_texel.at(x, y)[0];
      if (*weight.at(x, y) > 0.5F) texel_mm.push_back(of_texel.at(x, y)[1]);
    }
  }
  if (texel_mm.empty()) return {};
  padSeams(light, coverage);
  std::nth_element(texel_mm.begin(), texel_mm.begin() + static_cast<std::ptrdiff_t>(texel_mm.size() / 2),
                   texel_mm.end());
  const double median_mm = texel_mm[texel_mm.size() / 2];

  constexpr double kFinestSigma_px = 0.6;  // below it a Gaussian is no filter
  const ImageF fine = blurred(light, std::max(kFinestSigma_px, options.finest_mm / median_mm));
  const ImageF coarse = blurred(light, std::max(2 * kFinestSigma_px, options.coarsest_mm / median_mm));
  ImageF band(size, size, 1), power(size, size, 1);
  for (std::size_t i = 0; i < band.size(); ++i) {
    band.data()[i] = fine.data()[i] - coarse.data()[i];
    power.data()[i] = band.data()[i] * band.data()[i];
  }
  // What varies much more than skin does nearby is hair or an edge.
  constexpr double kNeighbourhood = 2;  // times the coarsest scale
  power = blurred(power, kNeighbourhood * options.coarsest_mm / median_mm);
  std::vector<float> powers;
  for (std::size_t i = 0; i < power.size(); ++i) {
    if (weight.data()[i] > 0.5F) powers.push_back(power.data()[i]);
  }
  std::nth_element(powers.begin(), powers.begin() + static_cast<std::ptrdiff_t>(powers.size() / 2),
                   powers.end());
  const float typical = std::max(1e-8F, powers[powers.size() / 2]);
  ImageF height(size, size, 1);
  for (std::size_t i = 0; i < height.size(); ++i) {
    constexpr float kMuch = 6;  // times the typical power
    const float calm = 1 / (1 + std::pow(power.data()[i] / (kMuch * typical), 2.0F));
    height.data()[i] = static_cast<float>(options.depth_mm) * weight.data()[i] * calm *
                       std::tanh(band.data()[i] / static_cast<float>(options.full_contrast));
  }

  ImageF normals(size, size, 3);
  parallelFor(size, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < size; ++x) {
        Eigen::Map<Eigen::Vector3f> normal(normals.at(x, y));
        normal = Eigen::Vector3f::UnitZ();
        if (*weight.at(x, y) <= 0) continue;
        const float two_texels_mm = 2 * of_texel.at(x, y)[1];
        const auto at = [&](int nx, int ny) {
          return *height.at(std::clamp(nx, 0, size - 1), std::clamp(ny, 0, size - 1));
        };
        // Rows run down, v runs up.
        normal = Eigen::Vector3f((at(x - 1, y) - at(x + 1, y)) / two_texels_mm,
                                 (at(x, y + 1) - at(x, y - 1)) / two_texels_mm, 1)
                     .normalized();
      }
    }
  });
  padSeams(normals, coverage);
  return normalMapImage(normals);
}

}  // namespace facet
