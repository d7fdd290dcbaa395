#pragma once

#include <cstdint>
#include <cstring>

#include "render/ops/host_device.h"
#include "render/ops/images.h"

namespace facet::ops {

// The fourth channel of `rast`: 0 = background, else triangle + 1. Exact as a float up to 2^24; beyond, the
// bit pattern of the float goes on counting, so that no triangle is lost at any size.
FACET_HD inline float fragmentFromTriangle(std::int64_t triangle) {
  constexpr std::int64_t kExact = std::int64_t{1} << 24;
  const std::int64_t id = triangle + 1;
  if (id <= kExact) return static_cast<float>(id);
  const std::int32_t bits =
      static_cast<std::int32_t>(0x4B800000 + (id - kExact));  // 0x4B800000 is 2^24 as a float
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
FACET_HD inline std::int64_t triangleFromFragment(float value) {  // -1 = background, also for NaN and below 1
  if (!(value >= 1.0F)) return -1;
  if (value <= 16777216.0F) return static_cast<std::int32_t>(value) - 1;
  std::int32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return (std::int64_t{1} << 24) + (bits - 0x4B800000) - 1;
}

// Which triangle covers each pixel centre, and where in it.
//   rast         (u, v, z/w, triangle + 1), perspective-correct; vertex 0 has (u, v) = (1, 0), vertex 1
//                (0, 1); u, v >= 0 and 1 - u - v >= 0, z/w in [-1, 1]; background all 0
//   derivatives  (du/dX, du/dY, dv/dX, dv/dY) per pixel
// Clip space is OpenGL's. Triangles are clipped at all planes; vertices snapped to 1/256 px, exact edge
// functions and a top-left rule hit every shared edge exactly once; of several surfaces the nearest wins, of
// equal depths the lower triangle index. Equations: Olano and Greer, "Triangle Scan Conversion using 2D
// Homogeneous Coordinates", Graphics Hardware 1997; the outputs are those of Laine et al., "Modular
// Primitives for High-Performance Differentiable Rendering", SIGGRAPH Asia 2020.
struct RasterizeParams {
  ConstRows positions;     // N×V×4 clip space (instanced mode), or V×4 with image_stride 0
  TriangleList triangles;  // indices in [0, V)
  const std::int32_t* ranges =
      nullptr;  // host, N×2 (first triangle, count) per image: range mode; nullptr = all triangles
  bool cull_backfaces = false;  // drop triangles that are clockwise on screen
  ConstImages previous;  // N×H×W×4 rast of the layer before: depth peeling draws only what lies strictly
                         // behind its z/w, and nothing where it has background; of surfaces that coincide
                         // only one appears in any layer. Same positions, triangles and size as that call
  Images rast;           // out, N×H×W×4, every pixel is written
  Images derivatives;    // out, N×H×W×4, optional
  std::int32_t* ids = nullptr;  // out, N×H×W dense, triangle or -1, optional
};
void rasterizeCpu(const RasterizeParams& params);

// Images have sides of 0 to this many pixels: the guard band spans 2^17, more would need wider edge
// functions.
constexpr int kMaxRasterSide = 1 << 16;

// Gradient of u, v (and of the derivatives) with respect to x, y, w of the vertices. z/w, the id and z carry
// none. It is that of the unclamped u = a0 / s, with the homogeneous area s = a0 + a1 + a2 in NDC moved away
// from 0 by 1e-6, an eighth of a pixel at 1000×1000 and w = 1, so that triangles seen edge-on have bounded
// gradients. A fragment beyond the triangle list counts as background.
struct RasterizeBackwardParams {
  ConstRows positions;  // as in the forward call
  TriangleList triangles;
  ConstImages rast;              // N×H×W×4, output of the forward call
  ConstImages grad_rast;         // N×H×W×4; channels 2 and 3 are ignored
  ConstImages grad_derivatives;  // N×H×W×4, optional
  Rows grad_positions;  // out, overwritten; same shape as positions; image_stride 0 sums over the images
};
void rasterizeBackwardCpu(const RasterizeBackwardParams& params);

}  // namespace facet::ops
