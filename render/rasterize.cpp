#include "render/rasterize.h"

#include "core/check.h"
#include "render/rasterize_backend.h"

namespace facet {

Fragments rasterize(const Points4& clip_positions, const Triangles& triangles, int width, int height,
                    const RasterizeOptions& options) {
  constexpr std::int64_t kMaxTriangles = (std::int64_t{1} << 24) - 1;  // id + 1 is stored in a float
  require(width >= 0 && height >= 0 && width <= kMaxRasterSide && height <= kMaxRasterSide,
          "rasterize: ", width, "x", height, " is not an image size; each side may have 0 to ",
          kMaxRasterSide, " pixels");
  require(triangles.rows() <= kMaxTriangles, "rasterize: ", triangles.rows(), " triangles, but at most ",
          kMaxTriangles, " can be told apart; split the mesh");
  if (triangles.size() > 0) {
    require(triangles.minCoeff() >= 0 && triangles.maxCoeff() < clip_positions.rows(),
            "rasterize: triangle indices lie in [", triangles.minCoeff(), ", ", triangles.maxCoeff(),
            "], but there are ", clip_positions.rows(),
            " vertices; do the index buffer and the vertices belong together?");
  }

  Fragments fragments;
  fragments.width = width;
  fragments.height = height;
  fragments.rast = ImageF(width, height, 4);
  if (options.derivatives) fragments.derivatives = ImageF(width, height, 4);
  RasterizeParams params = {};
  params.clip_positions = clip_positions.data();
  params.num_vertices = clip_positions.rows();
  params.triangles = triangles.data();
  params.num_triangles = triangles.rows();
  params.width = width;
  params.height = height;
  params.cull_backfaces = options.cull_backfaces;
  params.rast = fragments.rast.data();
  params.derivatives = options.derivatives ? fragments.derivatives.data() : nullptr;
  if (options.device == Device::kCuda) {
    rasterizeCuda(params);
  } else if (width > 0 && height > 0 && triangles.rows() > 0) {
    rasterizeCpu(params);
  }
  return fragments;
}

}  // namespace facet
