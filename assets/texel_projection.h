#pragma once

#include <cstdint>
#include <vector>

#include "core/image.h"
#include "core/mesh.h"
#include "render/uv_maps.h"

namespace facet {

struct ProjectionOptions {
  double reach_mm = 5;      // how far from the target the source may lie
  double min_cosine = 0.5;  // between the normals of a texel and of its place on the source
  // Opacity of what is projected falls to 0 over the last so many mm before the source's outer border (not
  // those of holes such as eyes and mouth).
  double feather_mm = 8;
  // Which triangles belong together (target's F, source's F): a texel finds only source triangles of its own
  // label. Negative: takes no part. Empty: all one.
  std::vector<int> target_label, source_label;

  void check() const;  // throws std::invalid_argument naming field, value and range
};

// Where each texel of a mesh's layout lies on another surface.
struct TexelProjection {
  Fragments layout;                    // of the target
  std::vector<std::int32_t> triangle;  // size², of the source, row by row; -1 = none
  Points3 barycentric;                 // size²×3
  ImageF weight;                       // size×size×1 in [0, 1]: 0 without a place, at a border, far off
};

// The closest point of `source` to each texel of `target`'s layout (size×size) that faces the same way. Both
// in mm, in one frame, laid on each other; the target has texture coordinates.
TexelProjection projectTexels(const Mesh& target, const Mesh& source, int size_px,
                              const ProjectionOptions& options = {});

// The source's texture (linear or data, any size) where the texels lie on it; needs the source's texture
// coordinates.
ExtractedTexture projectTexture(const TexelProjection& projection, const Mesh& source, const ImageF& texture);

// Normals of the source in the target's tangent frame: 8 bits per channel, dithered, green up (OpenGL), as
// glTF reads them with the tangents of core/split_mesh.h; flat where there is no source, blended by weight.
// The frame at a texel is the interpolated normal and tangent, each made unit length, and their cross
// product, as viewers build it. Padded. `source_normals` are per source vertex, unit length.
Image8 bakeNormalMap(const Mesh& target, const Mesh& source, const Points3& source_normals,
                     const TexelProjection& projection);

// Unit normals in a tangent frame, size×size×3, as an image: (n + 1) / 2, 8 bits. Half a step of ordered
// noise keeps slow gradients from showing as bands.
Image8 normalMapImage(const ImageF& normals);

// Tangent-space normals in the model frame of `mesh`, size×size×3 unit length: what renderFace() takes.
ImageF objectSpaceNormals(const Mesh& mesh, const Image8& normal_map);

}  // namespace facet
