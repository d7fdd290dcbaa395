#include "render/rasterize.h"

#include <stdexcept>
#include <string>

#include "core/check.h"
#include "render/ops/checks.h"
#include "render/ops/cuda.h"

namespace facet {
namespace {

template <typename T>
ops::CudaArray<T> uploaded(ops::CudaContext& context, const T* values, std::int64_t count) {
  ops::CudaArray<T> array(context, count);
  context.copyToDevice(array.data(), values, count * static_cast<std::int64_t>(sizeof(T)));
  return array;
}

// `params` with its pointers replaced by copies in device memory.
void rasterizeOnDevice(ops::RasterizeParams params, const Points4& clip_positions, const Triangles& triangles,
                       Fragments& fragments) {
  std::string why;
  if (!ops::cudaAvailable(&why)) {
    throw std::runtime_error("rasterize: Device::kCuda was asked for, but cannot be used (" + why +
                             "); use Device::kCpu");
  }
  ops::checkTriangles("rasterize", params.triangles);
  ops::checkIndices("rasterize", triangles.data(), triangles.rows(), clip_positions.rows());
  static thread_local ops::CudaContext context;  // keeps its scratch memory for the next call
  const auto num_values = static_cast<std::int64_t>(fragments.rast.size());
  const ops::CudaArray<float> positions = uploaded(context, clip_positions.data(), clip_positions.size());
  const ops::CudaArray<std::int32_t> indices = uploaded(context, triangles.data(), triangles.size());
  const bool has_derivatives = params.derivatives.present();
  const ops::CudaArray<float> rast(context, num_values),
      derivatives(context, has_derivatives ? num_values : 0);
  const auto bytes = num_values * static_cast<std::int64_t>(sizeof(float));
  params.positions.data = positions.data();
  params.triangles.data = indices.data();
  params.rast.data = rast.data();
  params.derivatives.data = has_derivatives ? derivatives.data() : nullptr;
  ops::rasterizeCuda(params, context);
  context.copyToHost(fragments.rast.data(), rast.data(), bytes);
  if (has_derivatives) context.copyToHost(fragments.derivatives.data(), derivatives.data(), bytes);
}

}  // namespace

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
    rasterizeOnDevice(params, clip_positions, triangles, fragments);
  } else {
    ops::rasterizeCpu(params);
  }
  return fragments;
}

}  // namespace facet
