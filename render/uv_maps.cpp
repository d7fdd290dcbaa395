#include "render/uv_maps.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/parallel.h"

namespace facet {

Fragments rasterizeUv(const Mesh& mesh, int size) {
  mesh.check("rasterizeUv");
  require(mesh.hasUv(), "rasterizeUv: the mesh has no texture coordinates");
  require(size > 0, "rasterizeUv: size ", size, " is not a map size");
  Points4 clip(mesh.uv.rows(), 4);
  clip.leftCols<2>() = 2 * mesh.uv.array() - 1;  // v points up, as clip space does
  clip.col(2).setZero();
  clip.col(3).setOnes();
  return rasterize(clip, mesh.uv_triangles, size, size);
}

ImageF attributesInUv(
    const Mesh& mesh, const Fragments& uv_fragments,
    const Eigen::Ref<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>&
        vertex_attributes) {
  require(vertex_attributes.rows() == mesh.vertices.rows(), "attributesInUv: ", vertex_attributes.rows(),
          " attributes for ", mesh.vertices.rows(), " vertices");
  return interpolate(uv_fragments, mesh.triangles, vertex_attributes);
}

Image8 uvCoverage(const Fragments& uv_fragments) {
  Image8 coverage(uv_fragments.width, uv_fragments.height, 1);
  for (int y = 0; y < coverage.height(); ++y) {
    for (int x = 0; x < coverage.width(); ++x) {
      if (uv_fragments.triangle(x, y) >= 0) *coverage.at(x, y) = 255;
    }
  }
  return coverage;
}

void dilateSeams(ImageF& map, Image8& coverage, int iterations) {
  require(map.width() == coverage.width() && map.height() == coverage.height() && coverage.channels() == 1,
          "dilateSeams: the map is ", map.width(), "x", map.height(), " but the coverage ", coverage.width(),
          "x", coverage.height(), "x", coverage.channels());
  constexpr int kRowsPerChunk = 16;
  const int width = map.width(), height = map.height(), channels = map.channels();
  Image8 grown = coverage;
  for (int iteration = 0; iteration < iterations; ++iteration) {
    // Only uncovered texels are written and only covered ones are read, so rows are independent.
    parallelFor(height, kRowsPerChunk, [&](int begin, int end) {
      for (int y = begin; y < end; ++y) {
        for (int x = 0; x < width; ++x) {
          if (*coverage.at(x, y) != 0) continue;
          int count = 0;
          float* const texel = map.at(x, y);
          for (int ny = y > 0 ? y - 1 : 0; ny <= y + 1 && ny < height; ++ny) {
            for (int nx = x > 0 ? x - 1 : 0; nx <= x + 1 && nx < width; ++nx) {
              if (*coverage.at(nx, ny) == 0) continue;
              const float* const neighbour = map.at(nx, ny);
              for (int c = 0; c < channels; ++c) texel[c] = (count == 0 ? 0 : texel[c]) + neighbour[c];
              ++count;
            }
          }
          if (count == 0) continue;
          for (int c = 0; c < channels; ++c) texel[c] /= static_cast<float>(count);
          *grown.at(x, y) = 255;
        }
      }
    });
    coverage = grown;
  }
}

void padSeams(ImageF& map, const Image8& coverage) {
  // A few texels by their neighbours alone: bilinear filtering along an island's border reads these.
  constexpr int kNearTexels = 4, kRowsPerChunk = 16;
  struct Level {
    ImageF colour;
    Image8 known;  // 255 = an average of covered texels
  };
  std::vector<Level> levels = {{std::move(map), coverage}};
  dilateSeams(levels[0].colour, levels[0].known, kNearTexels);
  const int channels = levels[0].colour.channels();
  while (levels.back().colour.width() > 1 || levels.back().colour.height() > 1) {
    const Level& fine = levels.back();
    const int fine_width = fine.colour.width(), fine_height = fine.colour.height();
    const int width = (fine_width + 1) / 2, height = (fine_height + 1) / 2;
    Level coarse = {ImageF(width, height, channels), Image8(width, height, 1)};
    parallelFor(height, kRowsPerChunk, [&](int begin, int end) {
      for (int y = begin; y < end; ++y) {
        for (int x = 0; x < width; ++x) {
          int count = 0;
          float* const cell = coarse.colour.at(x, y);
          for (int k = 0; k < 4; ++k) {
            const int fx = 2 * x + (k & 1), fy = 2 * y + (k >> 1);
            if (fx >= fine_width || fy >= fine_height || *fine.known.at(fx, fy) == 0) continue;
            for (int c = 0; c < channels; ++c) cell[c] += fine.colour.at(fx, fy)[c];
            ++count;
          }
          if (count == 0) continue;
          for (int c = 0; c < channels; ++c) cell[c] /= static_cast<float>(count);
          *coarse.known.at(x, y) = 255;
        }
      }
    });
    levels.push_back(std::move(coarse));
  }
  const bool has_any = *levels.back().known.at(0, 0) != 0;
  for (std::size_t level = levels.size() - 1; has_any && level-- > 0;) {
    Level& fine = levels[level];
    const ImageF& coarse = levels[level + 1].colour;
    parallelFor(fine.colour.height(), kRowsPerChunk, [&](int begin, int end) {
      for (int y = begin; y < end; ++y) {
        for (int x = 0; x < fine.colour.width(); ++x) {
          if (*fine.known.at(x, y) != 0) continue;
          // Bilinear: the cell above this one and those on this side of it.
          const int cx = x / 2, cy = y / 2;
          const int nx = std::clamp(cx + ((x & 1) ? 1 : -1), 0, coarse.width() - 1);
          const int ny = std::clamp(cy + ((y & 1) ? 1 : -1), 0, coarse.height() - 1);
          for (int c = 0; c < channels; ++c) {
            fine.colour.at(x, y)[c] = 0.5625F * coarse.at(cx, cy)[c] +
                                      0.1875F * (coarse.at(nx, cy)[c] + coarse.at(cx, ny)[c]) +
                                      0.0625F * coarse.at(nx, ny)[c];
          }
        }
      }
    });
  }
  map = std::move(levels[0].colour);
}

}  // namespace facet
