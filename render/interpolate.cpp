#include "render/ops/interpolate.h"

#include "core/check.h"
#include "render/rasterize.h"

namespace facet {

ImageF interpolate(
    const Fragments& fragments, const Triangles& triangles,
    const Eigen::Ref<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>&
        attributes) {
  const int channels = static_cast<int>(attributes.cols());
  require(channels > 0, "interpolate: the attributes have no columns; give N×C with C >= 1");
  require(attributes.outerStride() == channels, "interpolate: attributes must be contiguous, but a row of ",
          channels, " values has a stride of ", attributes.outerStride(), "; copy the block first");
  ImageF out(fragments.width, fragments.height, channels);
  ops::InterpolateParams params;
  params.attributes = {attributes.data(), attributes.rows(), channels};
  params.triangles = {triangles.data(), triangles.rows()};
  params.rast = {fragments.rast.data(), 1, fragments.height, fragments.width, 4};
  params.out = {out.data(), 1, fragments.height, fragments.width, channels};
  ops::interpolateCpu(params);
  return out;
}

}  // namespace facet
