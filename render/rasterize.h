#pragma once

#include "core/image.h"
#include "core/types.h"
#include "render/ops/rasterize.h"

namespace facet {

// Where a computation runs. Asking for a device that cannot be used throws; there is no silent fallback.
enum class Device { kCpu, kCuda };

// What covers each pixel. Row 0 is the top row of the image: pixel (x, y) has its centre at
// NDC ((2x+1)/W - 1, 1 - (2y+1)/H).
struct Fragments {
  int width = 0, height = 0;
  ImageF rast;  // H×W×4: barycentrics u, v of vertices 0 and 1, depth z/w, triangle id + 1; background all 0
  ImageF derivatives;  // H×W×4: du/dX du/dY dv/dX dv/dY per pixel (X right, Y down), or empty

  // Triangle at a pixel, -1 = background.
  int triangle(int x, int y) const { return static_cast<int>(ops::triangleFromFragment(rast.at(x, y)[3])); }
};

struct RasterizeOptions {
  bool derivatives = false;     // fill Fragments::derivatives
  bool cull_backfaces = false;  // drop triangles that are clockwise on screen
  Device device = Device::kCpu;
};

// Rasterizes triangles given in clip space (OpenGL: visible cube |x|,|y|,|z| <= w); see
// ops::RasterizeParams for the rules, for batches, depth peeling and gradients. Results are bitwise equal for
// any number of threads.
Fragments rasterize(const Points4& clip_positions, const Triangles& triangles, int width, int height,
                    const RasterizeOptions& options = {});

// Attributes (N×C row-major, any C) at each pixel: u a0 + v a1 + (1-u-v) a2; zero on the background.
// `triangles` may differ from the rasterized index buffer (UV seams), its triangle order may not.
ImageF interpolate(
    const Fragments& fragments, const Triangles& triangles,
    const Eigen::Ref<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>&
        attributes);

enum class TextureFilter { kNearest, kLinear };
enum class TextureBoundary { kWrap, kClamp, kZero };

// Texture lookup at uv (H×W×2, origin bottom-left of the texture image, texel centres at (i + 0.5) / N). The
// texture image itself has its top row first. Pixels whose fragment is background stay 0 when `fragments` is
// given.
ImageF sampleTexture(const ImageF& texture, const ImageF& uv, TextureFilter filter = TextureFilter::kLinear,
                     TextureBoundary boundary = TextureBoundary::kClamp,
                     const Fragments* fragments = nullptr);

}  // namespace facet
