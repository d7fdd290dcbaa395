#pragma once

#include "core/image.h"
#include "core/mesh.h"

namespace facet {

// A texture in another UV layout of the same surface, size×size. `target` has the layout to fill;
// `in_source_layout` holds, for the same triangles, the texture coordinates under which `texture` shows them
// (carryUv() of core/correspondence.h makes them). Islands are grown by `dilation_px` texels; what no
// triangle covers stays 0.
ImageF transferTexture(const ImageF& texture, const Mesh& in_source_layout, const Mesh& target, int size,
                       int dilation_px = 16);

}  // namespace facet
