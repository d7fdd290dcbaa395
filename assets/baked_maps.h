#pragma once

#include "core/morphable_model.h"
#include "render/rasterize.h"

namespace facet {

// Data maps of a head, painted into its texture space. All are padded (padSeams() of render/uv_maps.h), so
// that mipmaps of any level are safe.

// The model's mean albedo in its texture space, size×size×3 linear; mid grey of a model without albedo. The
// model has texture coordinates.
ImageF albedoTexture(const MorphableModel& model, int size_px);

struct OcclusionOptions {
  int num_directions = 96;  // spread evenly over the sphere
  int depth_map_px = 256;   // side of the depth map that each direction looks through

  void check() const;  // throws std::invalid_argument naming field, value and range
};

// V, in [0, 1]: the share of the light of an even surrounding that reaches each vertex, weighted by the
// cosine (Zhukov et al., "An Ambient Light Illumination Model", 1998): 1 = open, 0 = buried. From a depth map
// per direction; both sides of the surface stop light.
Eigen::VectorXf ambientOcclusion(const Points3& vertices, const Triangles& triangles,
                                 const OcclusionOptions& options = {});

// V, in [0, 1]: how rough each vertex's surface is in glTF's sense, by the names of its region and material;
// skin oily on nose and forehead, moist on lips, dull on ears and neck, smooth over the borders between them.
Eigen::VectorXf skinRoughness(const MorphableModel& model);

struct OcclusionRoughnessOptions {
  int size_px = 1024;
  OcclusionOptions occlusion;
};

// Occlusion in red, roughness in green, blue 0 (no metal), as glTF packs them; use with a roughness factor of
// 1. `neutral` (V×3 mm) is the head without expression. Skin takes the mean of the neutral head and one with
// open mouth and closed eyes, so that lips and lids do not turn black where they happen to touch; the inside
// of the mouth and the teeth are seen through the open mouth. Eyeballs, which turn under their lids, are
// never darker than 0.5, and teeth, which smiles bare, than 0.3. Empty when the model has no usable
// texture coordinates.
Image8 occlusionRoughnessMap(const MorphableModel& model, const Points3& neutral,
                             const OcclusionRoughnessOptions& options = {});

}  // namespace facet
