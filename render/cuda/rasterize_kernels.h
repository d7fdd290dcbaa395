#pragma once

#include <type_traits>

#include "render/cuda/accumulate.h"
#include "render/cuda/rasterize_math.h"
#include "render/ops/checks.h"

// The rasterizer as a sequence of kernels, for any executor (see executor.h).
//
// 1. One thread per triangle draws those of small boxes; others go to one of two lists, whose capacity is the
//    number of triangles, so that they cannot overflow.
// 2. One warp per entry of the first list: larger boxes and triangles that cross a clip plane. What is larger
//    still goes on to the second list.
// 3. A fixed number of blocks per entry of the second list.
// 4. One thread per pixel computes the barycentrics of what was found.
// Drawing is a 64-bit atomic minimum on (depth, triangle) per pixel: its result does not depend on the order.
namespace facet::ops::cuda {

struct TriangleSource {
  ConstRows positions;
  TriangleList triangles;
  const std::int64_t* offsets;  // range mode: triangles before each image (N + 1), else nullptr
  const std::int32_t* ranges;   // range mode: N×2
  int num_images;

  FACET_HD void find(std::int64_t item, int* image, std::int64_t* triangle) const {
    if (!offsets) {
      *image = static_cast<int>(item / triangles.count);
      *triangle = item - *image * triangles.count;
      return;
    }
    int low = 0, high = num_images - 1;  // the last image whose offset is <= item
    while (low < high) {
      const int middle = low + (high - low + 1) / 2;
      if (offsets[middle] <= item) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    *image = low;
    *triangle = ranges[2 * low] + (item - offsets[low]);
  }
  FACET_HD bool load(int image, std::int64_t triangle, HomogeneousTriangle* out) const {
    Corners corners;
    if (!cornersOf(triangles, triangle, positions.num_rows, &corners)) return false;
    for (int k = 0; k < 3; ++k) {
      const Four p = loadFour(rowAt(positions, image, corners.index[k]));
      out->p[k][0] = p.a;
      out->p[k][1] = p.b;
      out->p[k][2] = p.c;
      out->p[k][3] = p.d;
    }
    return true;
  }
};

struct DepthTarget {
  std::uint64_t* keys;  // N×H×W
  ConstImages previous;
  int width, height;

  FACET_HD void draw(const FixedTriangle& shape, int image, std::int64_t triangle, std::int32_t x,
                     std::int32_t y, std::int32_t group_start) const {
    const float z = depthAt(shape, x, y, group_start);
    if (!(z < kBeyondFar)) return;
    if (previous.data) {
      const float* const fragment = pixelAt(previous, Pixel{image, x, y});
      // Nothing lies behind the background.
      if (triangleFromFragment(fragment[3]) < 0 || !(z > fragment[2])) return;
    }
    const std::int64_t pixel = (std::int64_t{image} * height + y) * width + x;
    atomicLower(keys + pixel, depthKey(z, triangle));
  }
};

struct Lists {
  std::int64_t* counts;  // 2: of medium and large entries
  std::int64_t *medium, *large;
};

constexpr int kSmallPixels = 64;     // box of a triangle that one thread draws
constexpr int kMediumPixels = 4096;  // box of a triangle that one warp draws
constexpr int kLargeBlocks = 64;     // blocks that share a larger one

struct DrawSmall {
  TriangleSource source;
  Viewport view;
  DepthTarget target;
  Lists lists;

  FACET_HD void operator()(std::int64_t item) const {
    int image;
    std::int64_t triangle;
    source.find(item, &image, &triangle);
    HomogeneousTriangle corners;
    if (!source.load(image, triangle, &corners)) return;
    const ScreenVertex a = projectVertex(view, corners.p[0]), b = projectVertex(view, corners.p[1]),
                       c = projectVertex(view, corners.p[2]);
    const unsigned any = a.planes | b.planes | c.planes;
    if ((any & kNotFinite) != 0 || (a.planes & b.planes & c.planes) != 0) return;
    if (any != 0) {
      lists.medium[atomicNext(lists.counts)] = item;
      return;
    }
    FixedTriangle shape;
    if (!setUpWhole(view, a, b, c, &shape)) return;
    const std::int64_t num_pixels = shape.boxPixels();
    if (num_pixels > kMediumPixels) {
      lists.large[atomicNext(lists.counts + 1)] = item;
      return;
    }
    if (num_pixels > kSmallPixels) {
      lists.medium[atomicNext(lists.counts)] = item;
      return;
    }
    // Boxes of 1×64 pixels at most: the edge functions at the box's corner may still be large for a long
    // triangle, so they are walked in 64 bits.
    std::int64_t row[3], step_x[3], step_y[3];
    for (int k = 0; k < 3; ++k) {
      row[k] = edgeAt(shape, k, shape.x_min, shape.y_min);
      step_x[k] = edgeStepX(shape, k);
      step_y[k] = edgeStepY(shape, k);
    }
    for (std::int32_t y = shape.y_min; y <= shape.y_max; ++y) {
      std::int64_t e0 = row[0], e1 = row[1], e2 = row[2];
      const std::int32_t group_start = groupStart(shape, y);
      for (std::int32_t x = shape.x_min; x <= shape.x_max; ++x) {
        if ((e0 | e1 | e2) >= 0) target.draw(shape, image, triangle, x, y, group_start);
        e0 += step_x[0];
        e1 += step_x[1];
        e2 += step_x[2];
      }
      for (int k = 0; k < 3; ++k) row[k] += step_y[k];
    }
  }
};

// What the threads of a group share.
struct Parts {
  int count;
  int image;
  std::int64_t triangle;
  FixedTriangle part[kMaxParts];
};

template <int kBlockWidth, int kBlockHeight>
struct DrawListed {
  static constexpr int kThreads = kBlockWidth * kBlockHeight;
  using Shared = Parts;
  TriangleSource source;
  Viewport view;
  DepthTarget target;
  const std::int64_t* entries;
  int num_slices;  // groups per entry
  Lists lists;
  bool passes_on;  // large ones go to the second list

  // By one thread of the group.
  FACET_HD void prepare(std::int64_t group, Parts* parts) const {
    const std::int64_t item = entries[group / num_slices];
    parts->count = 0;
    source.find(item, &parts->image, &parts->triangle);
    HomogeneousTriangle corners;
    if (!source.load(parts->image, parts->triangle, &corners)) return;
    const ScreenVertex a = projectVertex(view, corners.p[0]), b = projectVertex(view, corners.p[1]),
                       c = projectVertex(view, corners.p[2]);
    if ((a.planes | b.planes | c.planes) == 0) {
      parts->count = setUpWhole(view, a, b, c, &parts->part[0]) ? 1 : 0;
    } else {
      parts->count = setUpClipped(view, corners, parts->part);
    }
    if (!passes_on) return;
    std::int64_t num_pixels = 0;
    for (int i = 0; i < parts->count; ++i) num_pixels += parts->part[i].boxPixels();
    if (num_pixels <= kMediumPixels) return;
    parts->count = 0;
    lists.large[atomicNext(lists.counts + 1)] = item;
  }

  // By all threads of the group.
  FACET_HD void run(std::int64_t group, int thread, const Parts& parts) const {
    const int slice = static_cast<int>(group % num_slices);
    for (int i = 0; i < parts.count; ++i) {
      const FixedTriangle& shape = parts.part[i];
      const int blocks_x = (shape.x_max - shape.x_min) / kBlockWidth + 1;
      const int blocks_y = (shape.y_max - shape.y_min) / kBlockHeight + 1;
      const std::int64_t num_blocks = std::int64_t{blocks_x} * blocks_y;
      for (std::int64_t block = slice; block < num_blocks; block += num_slices) {
        const int block_y = static_cast<int>(block / blocks_x);
        const int block_x = static_cast<int>(block - std::int64_t{block_y} * blocks_x);
        const std::int32_t x0 = shape.x_min + block_x * kBlockWidth,
                           y0 = shape.y_min + block_y * kBlockHeight;
        const std::int32_t x = x0 + thread % kBlockWidth, y = y0 + thread / kBlockWidth;
        bool is_inside = x <= shape.x_max && y <= shape.y_max;
        bool may_touch = true;
        for (int k = 0; k < 3; ++k) {
          const std::int32_t step_x = edgeStepX(shape, k), step_y = edgeStepY(shape, k);
          const std::int64_t corner = edgeAt(shape, k, x0, y0);
          const std::int64_t most = corner + (step_x > 0 ? std::int64_t{step_x} * (kBlockWidth - 1) : 0) +
                                    (step_y > 0 ? std::int64_t{step_y} * (kBlockHeight - 1) : 0);
          may_touch = may_touch && most >= 0;
          is_inside =
              is_inside && corner + std::int64_t{step_x} * (x - x0) + std::int64_t{step_y} * (y - y0) >= 0;
        }
        if (!may_touch || !is_inside) continue;
        target.draw(shape, parts.image, parts.triangle, x, y, groupStart(shape, y));
      }
    }
  }
};

struct ShadePixels {
  TriangleSource source;
  Viewport view;
  const std::uint64_t* keys;
  Images rast, derivatives;
  std::int32_t* ids;

  FACET_HD void operator()(std::int64_t i) const {
    const Pixel pixel = pixelFromIndex(i, view.width, view.height);
    const std::uint64_t key = keys[i];
    float* const out = pixelAt(rast, pixel);
    HomogeneousTriangle corners;
    const bool is_covered = key != kNoKey && source.load(pixel.image, triangleOfKey(key), &corners);
    if (ids) ids[i] = is_covered ? static_cast<std::int32_t>(triangleOfKey(key)) : -1;
    if (!is_covered) {
      storeFour(out, Four{0, 0, 0, 0});
      if (derivatives.data) storeFour(pixelAt(derivatives, pixel), Four{0, 0, 0, 0});
      return;
    }
    const Fragment fragment = shade(view, corners, pixel.x, pixel.y);
    storeFour(out, Four{fragment.u, fragment.v, depthOfKey(key), fragmentFromTriangle(triangleOfKey(key))});
    if (derivatives.data) storeFour(pixelAt(derivatives, pixel), fragment.derivatives);
  }
};

inline void checkRasterize(const RasterizeParams& params) {
  constexpr const char* kName = "rasterize";
  const Images& rast = params.rast;
  checkOutput(kName, "rast", rast, rast.num_images, rast.height, rast.width, 4);
  require(rast.height <= kMaxRasterSide && rast.width <= kMaxRasterSide, kName, ": ", rast.width, "x",
          rast.height, " is not an image size; each side may have 0 to ", kMaxRasterSide, " pixels");
  if (params.derivatives.present()) {
    checkOutput(kName, "derivatives", params.derivatives, rast.num_images, rast.height, rast.width, 4);
  }
  if (params.previous.present()) {
    checkImages(kName, "previous", params.previous, rast.num_images, rast.height, rast.width, 4);
  }
  checkRows(kName, "positions", params.positions, params.positions.num_rows, 4);
  checkTriangles(kName, params.triangles);
  if (!params.ranges) return;
  require(params.positions.image_stride == 0, kName,
          ": ranges need one set of positions (image stride 0), but the image stride is ",
          params.positions.image_stride);
  for (int image = 0; image < rast.num_images; ++image) {
    const std::int64_t first = params.ranges[2 * image], count = params.ranges[2 * image + 1];
    require(first >= 0 && count >= 0 && first + count <= params.triangles.count, kName, ": range ", image,
            " takes ", count, " triangles from ", first, " on, but there are ", params.triangles.count);
  }
}

template <typename Executor>
void rasterize(const RasterizeParams& params, Executor& executor) {
  checkRasterize(params);
  const Images& rast = params.rast;
  const std::int64_t num_pixels = rast.numPixels();
  if (num_pixels == 0) return;

  TriangleSource source = {params.positions, params.triangles, nullptr, nullptr, rast.num_images};
  std::int64_t num_items = params.triangles.count * rast.num_images;
  if (params.ranges) {
    std::int64_t* const offsets = executor.template hostArray<std::int64_t>(rast.num_images + 1);
    offsets[0] = 0;
    for (int i = 0; i < rast.num_images; ++i) offsets[i + 1] = offsets[i] + params.ranges[2 * i + 1];
    num_items = offsets[rast.num_images];
    source.offsets = executor.upload(offsets, rast.num_images + 1);
    source.ranges = executor.upload(params.ranges, 2 * std::int64_t{rast.num_images});
  }
  const Viewport view = {rast.width, rast.height, params.cull_backfaces};
  const DepthTarget target = {executor.template scratch<std::uint64_t>(num_pixels), params.previous,
                              rast.width, rast.height};
  executor.fillOnes(target.keys, num_pixels);
  if (num_items > 0) {
    const Lists lists = {executor.template scratch<std::int64_t>(2),
                         executor.template scratch<std::int64_t>(num_items),
                         executor.template scratch<std::int64_t>(num_items)};
    executor.zero(lists.counts, 2);
    executor.forEach(num_items, DrawSmall{source, view, target, lists});
    executor.forEachGroup(lists.counts, num_items, 1,
                          DrawListed<8, 4>{source, view, target, lists.medium, 1, lists, true});
    executor.forEachGroup(lists.counts + 1, num_items, kLargeBlocks,
                          DrawListed<16, 8>{source, view, target, lists.large, kLargeBlocks, lists, false});
  }
  executor.forEach(num_pixels,
                   ShadePixels{source, view, target.keys, params.rast, params.derivatives, params.ids});
}

template <typename Target>
struct ShadePixelsBackward {
  TriangleSource source;
  Viewport view;
  ConstImages rast, grad_rast, grad_derivatives;
  std::int64_t grad_stride;  // of the positions' gradient, elements from image to image
  Target target;

  FACET_HD void operator()(std::int64_t i) const {
    const Pixel pixel = pixelFromTiledIndex(i, view.width, view.height);
    if (pixel.x >= view.width || pixel.y >= view.height) return;
    const std::int64_t triangle = triangleOf(pixelAt(rast, pixel)[3], source.triangles.count);
    if (triangle < 0) return;
    const float* const grad = pixelAt(grad_rast, pixel);
    const float grad_u = grad[0], grad_v = grad[1];
    Four grads = {0, 0, 0, 0};
    if (grad_derivatives.data) grads = loadFour(pixelAt(grad_derivatives, pixel));
    if (grad_u == 0 && grad_v == 0 && grads.a == 0 && grads.b == 0 && grads.c == 0 && grads.d == 0) return;
    Corners corners;
    HomogeneousTriangle positions;
    if (!cornersOf(source.triangles, triangle, source.positions.num_rows, &corners)) return;
    if (!source.load(pixel.image, triangle, &positions)) return;
    CornerGradients sums = shadeBackward(view, positions, pixel.x, pixel.y, grad_u, grad_v, grads);
    if (Target::kSumsEqualKeys) {
      const EqualKeys group(std::int64_t{grad_stride == 0 ? 0 : pixel.image} * source.triangles.count +
                            triangle);
      if (!group.sum(sums.value, 9)) return;
    }
    for (int k = 0; k < 3; ++k) {
      const std::int64_t row = pixel.image * grad_stride + 4 * std::int64_t{corners.index[k]};
      target.add(row, sums.value[3 * k]);
      target.add(row + 1, sums.value[3 * k + 1]);
      target.add(row + 3, sums.value[3 * k + 2]);
    }
  }
};

template <typename Executor>
void rasterizeBackward(const RasterizeBackwardParams& params, Executor& executor) {
  constexpr const char* kName = "rasterizeBackward";
  const ConstImages& rast = params.rast;
  checkImages(kName, "rast", rast, rast.num_images, rast.height, rast.width, 4);
  checkImages(kName, "grad_rast", params.grad_rast, rast.num_images, rast.height, rast.width, 4);
  if (params.grad_derivatives.present()) {
    checkImages(kName, "grad_derivatives", params.grad_derivatives, rast.num_images, rast.height, rast.width,
                4);
  }
  checkRows(kName, "positions", params.positions, params.positions.num_rows, 4);
  checkRows(kName, "grad_positions", params.grad_positions, params.positions.num_rows,
            params.positions.channels);
  checkTriangles(kName, params.triangles);

  const TriangleSource source = {params.positions, params.triangles, nullptr, nullptr, rast.num_images};
  const Viewport view = {rast.width, rast.height, false};
  const std::int64_t grad_stride = params.grad_positions.image_stride;
  const std::int64_t num_items =
      rast.numPixels() == 0 ? 0 : numTiledPixels(rast.num_images, rast.width, rast.height);
  const Region regions[1] = {regionOf(params.grad_positions, rast.num_images)};
  scatter(executor, regions, num_items, 3, [&](const auto& targets) {
    using Target = std::decay_t<decltype(targets.at[0])>;
    return ShadePixelsBackward<Target>{
        source, view, rast, params.grad_rast, params.grad_derivatives, grad_stride, targets.at[0]};
  });
}

}  // namespace facet::ops::cuda
