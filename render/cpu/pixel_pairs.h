#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/check.h"
#include "render/ops/images.h"

// Neighbouring pixels that show different triangles: what antialias and edge gradients work on.
namespace facet::ops {

constexpr int kPairRowPadding = 8;  // room for a vector past the end of a row's ids and places

// Reads the ids (triangle + 1, 0 = background) of one row of `rast`, and lists where a pixel differs from its
// right neighbour (2x) or from the one above (2x + 1). Returns how many there are. `above` may be nullptr;
// `places` has room for 2·width and the padding.
int scanPairs(const float* rast_row, int width, const std::int32_t* above, std::int32_t* ids,
              std::uint32_t* places);

// Calls visit(x, y, is_vertical, first_id, second_id) for the pairs that end in rows [y_begin, y_end): those
// within a row, and those with the row above, in an order that depends on nothing else. The first pixel is
// (x, y), the second (x + 1, y), or (x, y + 1) when vertical. A pair with an id beyond the triangles throws.
template <typename Visit>
void forEachPair(const char* op, const ConstImages& rast, int image, int y_begin, int y_end,
                 std::int64_t num_triangles, Visit&& visit) {
  const int width = rast.width;
  const std::size_t stride = static_cast<std::size_t>(width) + kPairRowPadding;
  std::vector<std::int32_t> ids(2 * stride);
  std::vector<std::uint32_t> places(2 * stride);
  std::int32_t *above = ids.data(), *here = ids.data() + stride;
  const float* const first_row = rast.data + image * rast.image_stride;
  if (y_begin > 0)
    scanPairs(first_row + (y_begin - 1) * rast.row_stride, width, nullptr, above, places.data());
  for (int y = y_begin; y < y_end; ++y) {
    const int count =
        scanPairs(first_row + y * rast.row_stride, width, y > 0 ? above : nullptr, here, places.data());
    for (int i = 0; i < count; ++i) {
      const std::uint32_t place = places[static_cast<std::size_t>(i)];
      const int x = static_cast<int>(place >> 1);
      const bool is_vertical = (place & 1) != 0;
      const std::int32_t first = is_vertical ? above[x] : here[x],
                         second = is_vertical ? here[x] : here[x + 1];
      if (static_cast<std::uint32_t>(first) > num_triangles ||
          static_cast<std::uint32_t>(second) > num_triangles) {
        require(false, op, ": rast has triangle ids ", first, " and ", second, " near pixel (", x, ", ", y,
                ") of image ", image, ", but there are ", num_triangles,
                " triangles; were they rasterized together?");
      }
      visit(x, is_vertical ? y - 1 : y, is_vertical, first, second);
    }
    std::swap(above, here);
  }
}

// One addend of a gradient with respect to clip-space positions.
struct VertexGradient {
  std::int32_t vertex;
  float x, y, z, w;
};

// Writes the sums to `grad` (V×4). The lists of the first image come first, every image has as many. The
// order of summation is that of the lists, whatever the number of threads.
void sumVertexGradients(const std::vector<std::vector<VertexGradient>>& addends, int num_images,
                        const Rows& grad);

}  // namespace facet::ops
