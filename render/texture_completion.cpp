#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/check.h"
#include "core/parallel.h"
#include "core/smooth_step.h"
#include "render/uv_maps.h"

namespace facet {
namespace {

constexpr int kRowsPerChunk = 16;
constexpr int kToneSide = 32;      // cells per side of the tone field: only light and skin tone, no features
constexpr float kDarkest = 0.01F;  // linear; keeps the ratio of two dark texels near 1
constexpr float kMaxLogGain = 1.4F;  // a factor of four either way

// Texture coordinates of the mirrored corners of a triangle.
struct MirroredCorners {
  bool exists = false;
  std::array<Eigen::RowVector2f, 3> uv;
};

// Goes by vertices, not by triangles: symmetric quads are often cut along different diagonals on the two
// sides. A vertex on a seam has several texture coordinates; the corners that lie closest together are those
// of one island.
std::vector<MirroredCorners> mirrorCorners(const Mesh& mesh, const std::vector<std::int32_t>& symmetry) {
  std::vector<std::vector<std::int32_t>> uvs_of(static_cast<std::size_t>(mesh.vertices.rows()));
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      std::vector<std::int32_t>& list = uvs_of[static_cast<std::size_t>(mesh.triangles(f, k))];
      const std::int32_t uv = mesh.uv_triangles(f, k);
      if (std::find(list.begin(), list.end(), uv) == list.end()) list.push_back(uv);
    }
  }
  const auto perimeter = [](const std::array<Eigen::RowVector2f, 3>& uv) {
    return (uv[0] - uv[1]).norm() + (uv[1] - uv[2]).norm() + (uv[2] - uv[0]).norm();
  };
  std::vector<MirroredCorners> mirrored(static_cast<std::size_t>(mesh.triangles.rows()));
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    // Nothing much larger than the triangle itself: its corners would lie on different islands.
    constexpr float kLargestGrowth = 3;
    float smallest = kLargestGrowth *
                     perimeter({mesh.uv.row(mesh.uv_triangles(f, 0)), mesh.uv.row(mesh.uv_triangles(f, 1)),
                                mesh.uv.row(mesh.uv_triangles(f, 2))});
    const auto candidates = [&](int k) -> const std::vector<std::int32_t>& {
      return uvs_of[static_cast<std::size_t>(symmetry[static_cast<std::size_t>(mesh.triangles(f, k))])];
    };
    for (const std::int32_t a : candidates(0)) {
      for (const std::int32_t b : candidates(1)) {
        for (const std::int32_t c : candidates(2)) {
          const std::array<Eigen::RowVector2f, 3> uv = {mesh.uv.row(a), mesh.uv.row(b), mesh.uv.row(c)};
          if (perimeter(uv) >= smallest) continue;
          smallest = perimeter(uv);
          mirrored[static_cast<std::size_t>(f)] = {true, uv};
        }
      }
    }
  }
  return mirrored;
}

// A colour map with a weight per texel.
struct Layer {
  ImageF colour;  // size×size×3
  ImageF weight;  // size×size×1
};

// What the other side of the face shows at each texel: same barycentrics between the mirrored corners.
Layer mirrorLayer(const Mesh& mesh, const Fragments& texels, const Layer& seen,
                  const std::vector<std::int32_t>& symmetry) {
  const int size = texels.width;
  const std::vector<MirroredCorners> mirrored = mirrorCorners(mesh, symmetry);
  ImageF uv(size, size, 2, -1.0F), weighted(size, size, 4);  // uv -1: outside, reads zero
  parallelFor(size, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < size; ++x) {
        const float weight = *seen.weight.at(x, y);
        for (int c = 0; c < 3; ++c) weighted.at(x, y)[c] = weight * seen.colour.at(x, y)[c];
        weighted.at(x, y)[3] = weight;
        const int triangle = texels.triangle(x, y);
        if (triangle < 0) continue;
        const MirroredCorners& mirror = mirrored[static_cast<std::size_t>(triangle)];
        if (!mirror.exists) continue;
        const float* const fragment = texels.rast.at(x, y);
        const float barycentric[3] = {fragment[0], fragment[1], 1 - fragment[0] - fragment[1]};
        Eigen::RowVector2f point = Eigen::RowVector2f::Zero();
        for (std::size_t k = 0; k < 3; ++k) point += barycentric[k] * mirror.uv[k];
        uv.at(x, y)[0] = point.x();
        uv.at(x, y)[1] = point.y();
      }
    }
  });
  const ImageF sampled = sampleTexture(weighted, uv, TextureFilter::kLinear, TextureBoundary::kZero);
  Layer layer = {ImageF(size, size, 3), ImageF(size, size, 1)};
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const float weight = sampled.at(x, y)[3];
      *layer.weight.at(x, y) = weight;
      if (weight <= 0) continue;
      for (int c = 0; c < 3; ++c) layer.colour.at(x, y)[c] = sampled.at(x, y)[c] / weight;
    }
  }
  return layer;
}

// Fills cells of small weight from coarser and coarser averages, and smooths where the weight is thin
// (Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4: pull-push). `field` holds 3 weighted sums and
// the weight.
void pullPush(ImageF& field) {
  const int size = field.width();
  if (size > 1) {
    ImageF coarse(size / 2, size / 2, 4);
    for (int y = 0; y < coarse.height(); ++y) {
      for (int x = 0; x < coarse.width(); ++x) {
        for (int k = 0; k < 4; ++k) {
          for (int c = 0; c < 4; ++c) coarse.at(x, y)[c] += field.at(2 * x + (k & 1), 2 * y + (k >> 1))[c];
        }
      }
    }
    pullPush(coarse);
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        // Bilinear upsampling of the coarser answer: the cell itself and the one on this side of it.
        const int cx = x / 2, cy = y / 2;
        const int nx = std::clamp(cx + ((x & 1) ? 1 : -1), 0, coarse.width() - 1);
        const int ny = std::clamp(cy + ((y & 1) ? 1 : -1), 0, coarse.height() - 1);
        float* const cell = field.at(x, y);
        // A cell speaks for itself as far as it is covered; the rest comes from its surroundings.
        const float own = std::min(cell[3], 1.0F);
        for (int c = 0; c < 3; ++c) {
          const float around = 0.5625F * coarse.at(cx, cy)[c] +
                               0.1875F * (coarse.at(nx, cy)[c] + coarse.at(cx, ny)[c]) +
                               0.0625F * coarse.at(nx, ny)[c];
          cell[c] = (own > 0 ? own * cell[c] / cell[3] : 0.0F) + (1 - own) * around;
        }
      }
    }
    return;
  }
  float* const cell = field.at(0, 0);
  for (int c = 0; c < 3; ++c) cell[c] = cell[3] > 0 ? cell[c] / cell[3] : 0.0F;
}

void blur(ImageF& image) {
  ImageF horizontal = image;
  const int width = image.width(), height = image.height(), channels = image.channels();
  const auto pass = [&](const ImageF& from, ImageF& to, int dx, int dy) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const float* const before = from.at(std::max(x - dx, 0), std::max(y - dy, 0));
        const float* const after = from.at(std::min(x + dx, width - 1), std::min(y + dy, height - 1));
        for (int c = 0; c < channels; ++c)
          to.at(x, y)[c] = 0.25F * (before[c] + after[c]) + 0.5F * from.at(x, y)[c];
      }
    }
  };
  pass(image, horizontal, 1, 0);
  pass(horizontal, image, 0, 1);
}

// Multiplies `layer` by a smooth gain per channel that brings it to the tone of `reference` where both are
// known
// (`weight`: how well), and carries that gain on smoothly to where they are not.
void matchTone(ImageF& layer, const ImageF& reference, const ImageF& weight) {
  const int size = layer.width(), side = std::min(kToneSide, size);
  ImageF field(side, side, 4);
  const float cell_weight = static_cast<float>(side) * static_cast<float>(side) /
                            (static_cast<float>(size) * static_cast<float>(size));
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const float w = *weight.at(x, y) * cell_weight;
      if (w <= 0) continue;
      float* const cell = field.at(x * side / size, y * side / size);
      for (int c = 0; c < 3; ++c) {
        const float ratio = (reference.at(x, y)[c] + kDarkest) / (layer.at(x, y)[c] + kDarkest);
        cell[c] += w * std::clamp(std::log(ratio), -kMaxLogGain, kMaxLogGain);
      }
      cell[3] += w;
    }
  }
  // pullPush() halves down to one cell.
  int power = 1;
  while (power < side) power *= 2;
  ImageF padded(power, power, 4);
  for (int y = 0; y < side; ++y) std::copy_n(field.at(0, y), 4 * side, padded.at(0, y));
  pullPush(padded);
  ImageF gain(side, side, 3);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) std::copy_n(padded.at(x, y), 3, gain.at(x, y));
  }
  blur(gain);
  blur(gain);

  parallelFor(size, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < size; ++x) {
        const float gx = std::clamp(
            (static_cast<float>(x) + 0.5F) * static_cast<float>(side) / static_cast<float>(size) - 0.5F, 0.0F,
            static_cast<float>(side - 1));
        const float gy = std::clamp(
            (static_cast<float>(y) + 0.5F) * static_cast<float>(side) / static_cast<float>(size) - 0.5F, 0.0F,
            static_cast<float>(side - 1));
        const int x0 = static_cast<int>(gx), y0 = static_cast<int>(gy);
        const int x1 = std::min(x0 + 1, side - 1), y1 = std::min(y0 + 1, side - 1);
        const float fx = gx - static_cast<float>(x0), fy = gy - static_cast<float>(y0);
        for (int c = 0; c < 3; ++c) {
          const float log_gain = (1 - fy) * ((1 - fx) * gain.at(x0, y0)[c] + fx * gain.at(x1, y0)[c]) +
                                 fy * ((1 - fx) * gain.at(x0, y1)[c] + fx * gain.at(x1, y1)[c]);
          layer.at(x, y)[c] *= std::exp(log_gain);
        }
      }
    }
  });
}

// Opacity of what the photo shows over its mirror image: all of it where it is seen well, or better than the
// mirror.
float preference(float seen, float mirrored) {
  if (seen <= 0) return 0;
  return std::max(smoothStep(0.25F, 0.75F, seen), smoothStep(0.4F, 0.9F, seen / (seen + mirrored)));
}

// over · opacity + under · (1 - opacity), into `under`.
void blendOver(ImageF& under, const ImageF& over, const ImageF& opacity) {
  for (int y = 0; y < under.height(); ++y) {
    for (int x = 0; x < under.width(); ++x) {
      const float alpha = *opacity.at(x, y);
      if (alpha <= 0) continue;
      for (int c = 0; c < 3; ++c) under.at(x, y)[c] += alpha * (over.at(x, y)[c] - under.at(x, y)[c]);
    }
  }
}

}  // namespace

ImageF completeTexture(const Mesh& mesh, const ExtractedTexture& extracted,
                       const std::vector<std::int32_t>& symmetry, const ImageF& fallback_albedo) {
  const int size = extracted.colour.width();
  const auto isMap = [&](const ImageF& image, int channels) {
    return image.width() == size && image.height() == size && image.channels() == channels;
  };
  require(isMap(extracted.colour, 3) && isMap(extracted.visibility, 1),
          "completeTexture: colour and visibility must be size×size×3 and size×size×1 of one size");
  require(isMap(fallback_albedo, 3), "completeTexture: the fallback is ", fallback_albedo.width(), "x",
          fallback_albedo.height(), "x", fallback_albedo.channels(), " but the texture is ", size, "x", size,
          "x3");
  require(symmetry.empty() || static_cast<Eigen::Index>(symmetry.size()) == mesh.vertices.rows(),
          "completeTexture: ", symmetry.size(), " mirrored vertices for a mesh of ", mesh.vertices.rows());
  const Fragments texels = rasterizeUv(mesh, size);
  const Layer seen = {extracted.colour, extracted.visibility};

  // Below: the fallback, then the mirror image, each brought to the tone of what lies above it where they
  // overlap.
  Layer known = seen;
  Layer mirror;
  if (!symmetry.empty()) {
    mirror = mirrorLayer(mesh, texels, seen, symmetry);
    ImageF both(size, size, 1);
    for (std::size_t i = 0; i < both.size(); ++i) {
      both.data()[i] = std::min(seen.weight.data()[i], mirror.weight.data()[i]);
    }
    matchTone(mirror.colour, seen.colour, both);
    ImageF opacity(size, size, 1);
    for (std::size_t i = 0; i < opacity.size(); ++i) {
      opacity.data()[i] = preference(seen.weight.data()[i], mirror.weight.data()[i]);
    }
    known.colour = mirror.colour;
    blendOver(known.colour, seen.colour, opacity);
    for (std::size_t i = 0; i < opacity.size(); ++i) {
      known.weight.data()[i] = std::max(seen.weight.data()[i], mirror.weight.data()[i]);
    }
  }
  ImageF complete = fallback_albedo;
  matchTone(complete, known.colour, known.weight);
  ImageF opacity = known.weight;
  for (std::size_t i = 0; i < opacity.size(); ++i)
    opacity.data()[i] = smoothStep(0.05F, 0.6F, opacity.data()[i]);
  blendOver(complete, known.colour, opacity);

  padSeams(complete, uvCoverage(texels));
  return complete;
}

}  // namespace facet
