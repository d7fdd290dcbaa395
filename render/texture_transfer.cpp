#include "render/texture_transfer.h"

#include "core/check.h"
#include "render/uv_maps.h"

namespace facet {

ImageF transferTexture(const ImageF& texture, const Mesh& in_source_layout, const Mesh& target, int size) {
  require(in_source_layout.uv_triangles.rows() == target.triangles.rows(),
          "transferTexture: ", in_source_layout.uv_triangles.rows(),
          " triangles in the texture's layout for ", target.triangles.rows(), " of the target");
  const Fragments fragments = rasterizeUv(target, size);
  const ImageF uv = interpolate(fragments, in_source_layout.uv_triangles, in_source_layout.uv);
  ImageF result = sampleTexture(texture, uv, TextureFilter::kLinear, TextureBoundary::kClamp, &fragments);
  padSeams(result, uvCoverage(fragments));
  return result;
}

}  // namespace facet
