#pragma once

#include <cstdint>

// Where the public rasterize() meets its backends. Internal; C++17 and free of Eigen, so that a .cu file may
// include it.
namespace facet {

struct RasterizeParams {
  const float* clip_positions;    // V×4, OpenGL clip space
  std::int64_t num_vertices;      // V
  const std::int32_t* triangles;  // F×3, every index in [0, V)
  std::int64_t num_triangles;     // F < 2^24, so that id + 1 is exact in a float
  int width;                      // pixels, in [1, kMaxRasterSide]
  int height;                     // pixels, in [1, kMaxRasterSide]
  bool cull_backfaces;            // drop triangles that are clockwise on screen
  float* rast;                    // out, H×W×4: u, v, z/w, triangle id + 1; every pixel is written
  float* derivatives;             // out, H×W×4: du/dX du/dY dv/dX dv/dY, every pixel is written; or null
};

// The guard band spans 2^17 pixels; an image beyond that would need wider edge functions.
constexpr int kMaxRasterSide = 1 << 16;

void rasterizeCpu(const RasterizeParams& params);   // render/cpu/rasterize_cpu.cpp
void rasterizeCuda(const RasterizeParams& params);  // throws where the build has no CUDA

}  // namespace facet
