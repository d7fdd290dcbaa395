#pragma once

#include "core/image.h"
#include "core/mesh.h"

namespace facet {

// A texture in another UV layout of the same surface, size×size. `target` has the layout to fill;
// `in_source_layout` holds, for the same triangles, the texture coordinates under which `texture` shows them
// (carryUv() of core/correspondence.h makes them). Padded for mipmaps of
// any level.
ImageF transferTexture(const ImageF& texture, const Mesh& in_source_layout, const Mesh& target, int size);

}  // namespace facet
