#pragma once

#include <vector>

#include "core/face_asset.h"

namespace facet {

struct LodOptions {
  // How much denser than the rest of the skin lids and lips stay; 1 = alike.
  double rim_density = 3;
  // Of the surface round lids and lips that stays denser, mm from where they meet.
  double rim_reach_mm = 6;

  void check() const;  // throws std::invalid_argument naming field, value and range
};

// The asset with about `triangle_share` (in (0, 1]) of its triangles. It keeps some of the vertices as they
// are, so that the shapes, normals, joint weights, texture coordinates, images and motion of the whole hold
// for it as they stand; UV seams stay closed, borders of the mesh and between materials stay vertex by
// vertex. Edges collapse in the order of their quadric error (Garland and Heckbert, "Surface Simplification
// Using Quadric Error Metrics", SIGGRAPH 1997; library: meshoptimizer), measured where the shapes pull a
// little (ARKit's, in any spelling), so that a flat cheek that a smile will fold keeps its vertices. Where
// the asset has eyeBlink* and jawOpen, lids and lips stay denser, so that they go on closing. May return more
// triangles than asked for when borders and seams leave no choice. Copies of 1 are exact.
FaceAsset simplified(const FaceAsset& asset, double triangle_share, const LodOptions& options = {});

// The usual levels of detail, finest first.
inline std::vector<double> defaultLodShares() { return {1, 0.5, 0.25, 0.1}; }
std::vector<FaceAsset> levelsOfDetail(const FaceAsset& asset,
                                      const std::vector<double>& triangle_shares = defaultLodShares(),
                                      const LodOptions& options = {});

// How far a level of detail lies from the whole, over the vertices of the whole that `which` (V) names, each
// taken to the point of the level closest to it on the neutral head.
struct LodError {
  double neutral_mean_mm = 0, neutral_max_mm = 0;     // distance to the level
  std::vector<double> target_mean_mm, target_max_mm;  // per target: difference of the displacements
};
LodError measureLod(const FaceAsset& whole, const FaceAsset& level, const std::vector<std::uint8_t>& which);

}  // namespace facet
