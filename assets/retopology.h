#pragma once

#include <string>
#include <vector>

#include "core/correspondence.h"
#include "core/image.h"
#include "core/morphable_model.h"

namespace facet {

struct RetopologyOptions {
  RetopologyOptions();
  // Finer last stages than a correspondence needs: the wrapped head is to lie on the source.
  RegistrationOptions registration;
  int texture_size_px = 2048;
  int normal_map_size_px = 2048;  // 0 = none

  void check() const;  // throws std::invalid_argument naming field, value and range
};

// How far the wrapped head's face lies from the source's surface, over its vertices.
struct WrapError {
  double mean_mm = 0, p99_mm = 0, max_mm = 0;
  double covered = 0;  // share of the face's vertices that have the source below them
};

// A head in another topology.
struct WrappedHead {
  // The topology's model with the head as its mean: its shapes, moved to this head, regions, landmarks,
  // texture layout and materials; no identity and no albedo modes.
  MorphableModel model;
  ImageF texture;      // size×size×3 linear, complete; the topology's albedo without a source texture
  ImageF from_source;  // size×size×1 in [0, 1]: how much of each texel comes from the source's texture
  Image8 normal_map;   // tangent space: what the source's surface has and the wrapped mesh has not; or empty
  WrapError error;
  bool is_same_topology = false;  // nothing was wrapped: vertices and shapes are the source's own
};

// Wraps a head onto another topology, such as the built-in one, with all that an animator needs:
//   vertices  the topology's mean laid onto the source (registerTemplate() of core/registration.h); where the
//             source has no surface (a mask's back of the head, ears, neck) they continue smoothly; eyes,
//             teeth and mouth are the topology's own; lips and lids that are closed lie on each other
//   shapes    deformation transfer onto that head, lids and lips made to close (core/deformation_transfer.h)
//   texture   each texel from the closest point of the source that faces its way, part by part (skin, each
//             eyeball); the rest as completeTexture() of render/uv_maps.h does, over the topology's albedo
//   normals   of the source's surface, in the wrapped head's tangent frame
// `source` names landmarks, texture coordinates and triangles of the head; `neutral` (V×3 mm) is its shape
// without expression and `texture` its linear texture, size×size×3 or empty. A source of the same topology
// (equal triangles) is passed through: equal vertices, equal shapes; a texture in the same layout is only
// resized.
// `topology` needs landmarks, texture coordinates and named shapes. Throws std::invalid_argument when one is
// missing, when the source has no 68 landmarks (and none are given as `landmarks`, 68×3 mm on `neutral`, rows
// of NaN = unknown), or when a texture is given and the source has no usable texture coordinates.
WrappedHead wrapHead(const MorphableModel& topology, const MorphableModel& source, const Points3& neutral,
                     const ImageF& texture, const RetopologyOptions& options = {},
                     const Points3& landmarks = {});

}  // namespace facet
