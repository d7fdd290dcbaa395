#pragma once

#include "render/ops/images.h"

namespace facet::ops {

// Vertex attributes at every pixel: u a0 + v a1 + (1 - u - v) a2; 0 on the background. The index buffer may
// differ from the rasterized one (UV seams), its order of triangles may not.
struct InterpolateParams {
  ConstRows attributes;                 // N×V×A, or V×A with image_stride 0
  TriangleList triangles;               // indices in [0, V)
  ConstImages rast;                     // N×H×W×4
  ConstImages derivatives;              // N×H×W×4 of rasterize; needed for out_derivatives
  const int* differentiated = nullptr;  // host, K attribute channels (negative: from the end) (negative: from
                                        // the end) whose screen derivatives are wanted; nullptr = the first K
  int num_differentiated = 0;           // K
  Images out;                           // out, N×H×W×A
  Images out_derivatives;               // out, N×H×W×2K: (dA/dX, dA/dY) per chosen channel; optional
};
void interpolateCpu(const InterpolateParams& params);

struct InterpolateBackwardParams {
  ConstRows attributes;
  TriangleList triangles;
  ConstImages rast, derivatives;
  const int* differentiated = nullptr;
  int num_differentiated = 0;
  ConstImages grad_out;              // N×H×W×A
  ConstImages grad_out_derivatives;  // N×H×W×2K, optional
  Rows grad_attributes;              // out, overwritten, optional; image_stride 0 sums over the images
  Images grad_rast;                  // out, N×H×W×4, channels 2 and 3 become 0; optional
  Images grad_derivatives;           // out, N×H×W×4; optional
};
void interpolateBackwardCpu(const InterpolateBackwardParams& params);

}  // namespace facet::ops
