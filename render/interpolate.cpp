#include "core/check.h"
#include "core/parallel.h"
#include "render/rasterize.h"

namespace facet {
namespace {

constexpr int kRowsPerChunk = 16;

// kChannels = 0: any number, known at run time only.
template <int kChannels>
void interpolateRows(const Fragments& fragments, const Triangles& triangles, const float* attributes,
                     int num_channels, int begin, int end, ImageF* out) {
  const int channels = kChannels > 0 ? kChannels : num_channels;
  for (int y = begin; y < end; ++y) {
    const float* fragment = fragments.rast.at(0, y);
    float* pixel = out->at(0, y);
    for (int x = 0; x < fragments.width; ++x, fragment += 4, pixel += channels) {
      const int triangle = static_cast<int>(fragment[3]) - 1;
      if (triangle < 0) continue;
      const std::int32_t* const corner = triangles.data() + 3 * static_cast<std::ptrdiff_t>(triangle);
      const float u = fragment[0], v = fragment[1], w = 1 - u - v;
      const float* const a0 = attributes + static_cast<std::ptrdiff_t>(corner[0]) * channels;
      const float* const a1 = attributes + static_cast<std::ptrdiff_t>(corner[1]) * channels;
      const float* const a2 = attributes + static_cast<std::ptrdiff_t>(corner[2]) * channels;
      for (int c = 0; c < channels; ++c) pixel[c] = u * a0[c] + v * a1[c] + w * a2[c];
    }
  }
}

}  // namespace

ImageF interpolate(
    const Fragments& fragments, const Triangles& triangles,
    const Eigen::Ref<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>&
        attributes) {
  const int channels = static_cast<int>(attributes.cols());
  require(channels > 0, "interpolate: the attributes have no columns; give N×C with C >= 1");
  require(attributes.outerStride() == channels, "interpolate: attributes must be contiguous, but a row of ",
          channels, " values has a stride of ", attributes.outerStride(), "; copy the block first");
  require(triangles.size() == 0 || (triangles.minCoeff() >= 0 && triangles.maxCoeff() < attributes.rows()),
          "interpolate: triangle indices reach beyond the ", attributes.rows(),
          " attributes; do the index buffer and the attributes belong together?");
  ImageF out(fragments.width, fragments.height, channels);
  parallelFor(fragments.height, kRowsPerChunk, [&](int begin, int end) {
    const auto rows = [&](auto function) {
      function(fragments, triangles, attributes.data(), channels, begin, end, &out);
    };
    switch (channels) {
      case 1:
        return rows(interpolateRows<1>);
      case 2:
        return rows(interpolateRows<2>);
      case 3:
        return rows(interpolateRows<3>);
      case 4:
        return rows(interpolateRows<4>);
      default:
        return rows(interpolateRows<0>);
    }
  });
  return out;
}

}  // namespace facet
