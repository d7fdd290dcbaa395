#pragma once

#include <cstdint>

#include "render/ops/images.h"

namespace facet::ops {

// opposite[3 f + e] = the vertex of the neighbour across edge e (from corner e to corner e + 1) of triangle f
// that is not on the edge; -1 = the edge is open. An edge of three or more triangles counts as open.
// Triangles with a repeated vertex are left out. F×3, deterministic. Depends on the index buffer only.
void buildTopology(const TriangleList& triangles, std::int64_t num_vertices, std::int32_t* opposite);

// Blends pixels across silhouette edges by how far the edge reaches into them, which makes coverage
// differentiable. Laine et al., "Modular Primitives for High-Performance Differentiable Rendering", SIGGRAPH
// Asia 2020, section 3.6. Blends of different neighbours add up, so without `clamp` an output may leave the
// range of its inputs; with it, each output channel stays within the range of the pixel and its four
// neighbours (where it was clamped the blend carries no gradient: that goes to the colour that set the
// limit). Apply to final colours only. Vertices must be welded: a seam of doubled vertices counts as a
// silhouette.
//
// Of a pair of pixels that show different triangles, the nearer one's triangle decides: the edge through
// which the line between the centres leaves it must be a silhouette. Where triangles at the outline are
// smaller than a pixel that edge often belongs to another triangle, which is not looked for: a fine mesh in a
// small image keeps much of its outline as it is. edgeGradient has no such limit there.
struct AntialiasParams {
  ConstImages colour;   // N×H×W×C
  ConstImages rast;     // N×H×W×4
  ConstRows positions;  // N×V×4 or V×4, as rasterized
  TriangleList triangles;
  const std::int32_t* opposite = nullptr;  // F×3, buildTopology()
  bool clamp = false;
  Images out;  // out, N×H×W×C
};
void antialiasCpu(const AntialiasParams& params);

struct AntialiasBackwardParams {
  AntialiasParams forward;  // `out` is not read
  ConstImages grad_out;     // N×H×W×C
  Images grad_colour;       // out, overwritten, optional
  Rows grad_positions;      // out, overwritten, optional; image_stride 0 sums over the images
};
void antialiasBackwardCpu(const AntialiasBackwardParams& params);

// Position gradients from the discontinuities of a finished image, without changing the image: Pidhorskyi et
// al., "Rasterized Edge Gradients: Handling Discontinuities Differentiably", ECCV 2024. Also moves the line
// where two surfaces intersect, and needs no topology. Gradients are with respect to x, y and w, and z where
// surfaces intersect. Surfaces hidden from each other's pixels by their size alone (triangles smaller than a
// pixel before another mesh of such) count as neighbours on one surface and get none; before the background
// all do.
struct EdgeGradientParams {
  ConstImages colour;   // N×H×W×C, the rendered image
  ConstImages rast;     // N×H×W×4
  ConstRows positions;  // N×V×4 or V×4, as rasterized
  TriangleList triangles;
  ConstImages grad_out;   // N×H×W×C, gradient of the loss with respect to `colour`
  float max_step = 1e4F;  // bound on how far an intersection line moves per unit of depth, in pixels per z/w;
                          // near-coplanar surfaces blow up without it
  Rows grad_positions;    // out, overwritten; image_stride 0 sums over the images
};
void edgeGradientCpu(const EdgeGradientParams& params);

}  // namespace facet::ops
