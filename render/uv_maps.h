#pragma once

#include "core/camera.h"
#include "core/image.h"
#include "core/mesh.h"
#include "render/rasterize.h"

namespace facet {

// Rasterizes the UV layout itself: which triangle and where in it each texel of a size×size map lies.
Fragments rasterizeUv(const Mesh& mesh, int size);

// V×C attributes painted into UV space, size×size×C.
ImageF attributesInUv(
    const Mesh& mesh, const Fragments& uv_fragments,
    const Eigen::Ref<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>&
        vertex_attributes);

// size×size×1, 255 where a triangle of the layout covers the texel.
Image8 uvCoverage(const Fragments& uv_fragments);

// Grows the covered texels of each island outwards so that filtering and mipmaps do not bleed the background
// in.
void dilateSeams(ImageF& map, Image8& coverage, int iterations);

// Fills all that no island covers, so that no mipmap level, however small, sees a background: next to the
// islands as dilateSeams() does, farther out from coarser and coarser averages of the covered texels (Gortler
// et al., "The Lumigraph", SIGGRAPH 1996, section 3.4: pull-push). Covered texels keep their values; a map
// without any stays as it is. Time goes with the number of texels, not with the width of the gaps.
void padSeams(ImageF& map, const Image8& coverage);

struct ExtractedTexture {
  ImageF colour;      // size×size×3 linear RGB; 0 where nothing is seen
  ImageF visibility;  // size×size×1 in [0, 1]: how squarely and certainly the photo sees the texel
};

// Texture of a photo under a fitted mesh and camera: each texel is projected, tested for occlusion against
// the mesh's own depth, and weighted by how squarely it faces the camera.
ExtractedTexture extractTexture(const Mesh& mesh, const Camera& camera, const Image8& photo, int size);

// A complete texture: seen texels from the photo, others from their mirror image where that was seen
// (`symmetry`: the mirrored vertex of each vertex, may be empty), else from `fallback_albedo` (size×size×3,
// linear) brought to the photo's tone; blended smoothly by visibility.
ImageF completeTexture(const Mesh& mesh, const ExtractedTexture& extracted,
                       const std::vector<std::int32_t>& symmetry, const ImageF& fallback_albedo);

}  // namespace facet
