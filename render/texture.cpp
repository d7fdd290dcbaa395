#include "render/ops/texture.h"
#include "core/check.h"
#include "render/rasterize.h"

namespace facet {
namespace {

ops::ConstImages viewOf(const ImageF& image) {
  return {image.data(), 1, image.height(), image.width(), image.channels()};
}

ops::Boundary boundaryOf(TextureBoundary boundary) {
  switch (boundary) {
    case TextureBoundary::kWrap:
      return ops::Boundary::kWrap;
    case TextureBoundary::kClamp:
      return ops::Boundary::kClamp;
    default:
      return ops::Boundary::kZero;
  }
}

}  // namespace

ImageF sampleTexture(const ImageF& texture, const ImageF& uv, TextureFilter filter, TextureBoundary boundary,
                     const Fragments* fragments) {
  require(!texture.empty(), "sampleTexture: the texture is empty");
  require(uv.channels() == 2, "sampleTexture: uv has ", uv.channels(), " channels, expected 2");
  require(!fragments || (fragments->width == uv.width() && fragments->height == uv.height()),
          "sampleTexture: uv is ", uv.width(), "x", uv.height(), " but the fragments do not have that size");
  ImageF out(uv.width(), uv.height(), texture.channels());
  if (out.empty()) return out;
  ops::TextureParams params;
  params.texture.levels[0] = viewOf(texture);
  params.texture.num_levels = 1;
  params.uv = viewOf(uv);
  if (fragments) params.mask = viewOf(fragments->rast);
  params.filter = filter == TextureFilter::kNearest ? ops::Filter::kNearest : ops::Filter::kLinear;
  params.boundary = boundaryOf(boundary);
  params.out = ops::Images(out.data(), 1, out.height(), out.width(), out.channels());
  ops::textureCpu(params);
  return out;
}

}  // namespace facet
