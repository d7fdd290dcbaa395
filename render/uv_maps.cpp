#include "render/uv_maps.h"

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

}  // namespace facet
