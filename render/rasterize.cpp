#include "render/rasterize.h"

#include "core/check.h"

namespace facet {

Fragments rasterize(const Points4& clip_positions, const Triangles& triangles, int width, int height,
                    const RasterizeOptions& options) {
  require(width >= 0 && height >= 0 && width <= ops::kMaxRasterSide && height <= ops::kMaxRasterSide,
          "rasterize: ", width, "x", height, " is not an image size; each side may have 0 to ",
          ops::kMaxRasterSide, " pixels");
  Fragments fragments;
  fragments.width = width;
  fragments.height = height;
  fragments.rast = ImageF(width, height, 4);
  if (options.derivatives) fragments.derivatives = ImageF(width, height, 4);
  ops::RasterizeParams params;
  params.positions = {clip_positions.data(), clip_positions.rows(), 4};
  params.triangles = {triangles.data(), triangles.rows()};
  params.cull_backfaces = options.cull_backfaces;
  params.rast = {fragments.rast.data(), 1, height, width, 4};
  if (options.derivatives) params.derivatives = {fragments.derivatives.data(), 1, height, width, 4};
  if (options.device == Device::kCuda) {
    ops::rasterizeCuda(params);
  } else {
    ops::rasterizeCpu(params);
  }
  return fragments;
}

}  // namespace facet
