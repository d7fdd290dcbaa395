#pragma once

#include <type_traits>

#include "render/cuda/accumulate.h"
#include "render/cuda/antialias_math.h"
#include "render/ops/antialias.h"
#include "render/ops/checks.h"

// Antialiasing and its gradient with respect to colours as gathers: each pixel looks at its four pairs, so
// that nothing needs atomics. Only the gradient with respect to positions is a scatter, of the few pairs that
// blend.
namespace facet::ops::cuda {

struct FindSilhouettes {
  ConstRows positions;
  TriangleList triangles;
  const std::int32_t* opposite;
  std::uint8_t* silhouettes;

  FACET_HD void operator()(std::int64_t i) const {
    const std::int64_t view = i / triangles.count, triangle = i - view * triangles.count;
    Corners corners;
    const bool is_valid = cornersOf(triangles, triangle, positions.num_rows, &corners);
    silhouettes[i] = static_cast<std::uint8_t>(
        is_valid ? silhouetteEdges(positions, static_cast<int>(view), corners, opposite + 3 * triangle) : 0U);
  }
};

struct BlendPixels {
  AntialiasScene scene;
  bool clamp;
  Images out;

  FACET_HD void operator()(std::int64_t i) const {
    const Pixel pixel = pixelFromIndex(i, scene.rast.width, scene.rast.height);
    float received[4], given[4];
    scene.blendsAround(pixel, received, given);
    const float* const own = pixelAt(scene.colour, pixel);
    float* const value = pixelAt(out, pixel);
    for (int c = 0; c < scene.colour.channels; ++c) {
      float sum = own[c];
      bool blends = false;
      for (int k = 0; k < 4; ++k) {
        if (received[k] == 0) continue;  // an infinite colour must not become a NaN
        sum += received[k] * (pixelAt(scene.colour, AntialiasScene::neighbour(pixel, k))[c] - own[c]);
        blends = true;
      }
      if (clamp && blends) {
        float low, high;
        scene.rangeAround(pixel, c, &low, &high);
        sum = smaller(larger(sum, low), high);
      }
      value[c] = sum;
    }
  }
};

// Which pixel set the limit where clamping took hold of a channel: 0 = not clamped, 1 = the pixel itself, 2
// to 5 = its neighbours above, left, right, below, 6 = none (not a number).
struct FindClamped {
  AntialiasScene scene;
  std::uint8_t* limits;  // N×H×W×C dense

  FACET_HD void operator()(std::int64_t i) const {
    const Pixel pixel = pixelFromIndex(i, scene.rast.width, scene.rast.height);
    const int channels = scene.colour.channels;
    float received[4], given[4];
    scene.blendsAround(pixel, received, given);
    const float weight = received[0] + received[1] + received[2] + received[3];
    const float* const own = pixelAt(scene.colour, pixel);
    for (int c = 0; c < channels; ++c) {
      std::uint8_t limit_pixel = 0;
      if (weight > 1) {  // smaller sums stay in range by themselves
        float value = own[c], low, high;
        for (int k = 0; k < 4; ++k) {
          if (received[k] == 0) continue;
          value += received[k] * (pixelAt(scene.colour, AntialiasScene::neighbour(pixel, k))[c] - own[c]);
        }
        scene.rangeAround(pixel, c, &low, &high);
        if (value < low || value > high) {
          const float limit = value < low ? low : high;
          limit_pixel = own[c] == limit ? 1 : 6;
          for (int k = 3; k >= 0 && own[c] != limit; --k) {
            const Pixel other = AntialiasScene::neighbour(pixel, k);
            if (scene.inside(other) && pixelAt(scene.colour, other)[c] == limit) {
              limit_pixel = static_cast<std::uint8_t>(k + 2);
            }
          }
        }
      }
      limits[i * channels + c] = limit_pixel;
    }
  }
};

FACET_HD inline std::int64_t indexOf(const Pixel& pixel, int width, int height) {
  return (std::int64_t{pixel.image} * height + pixel.y) * width + pixel.x;
}

struct BlendColoursBackward {
  AntialiasScene scene;
  const std::uint8_t* limits;  // nullptr without clamping
  ConstImages grad_out;
  Images grad_colour;

  FACET_HD int limitOf(const Pixel& pixel, int channel) const {
    if (!limits) return 0;
    return limits[indexOf(pixel, scene.rast.width, scene.rast.height) * scene.colour.channels + channel];
  }

  FACET_HD void operator()(std::int64_t i) const {
    const Pixel pixel = pixelFromIndex(i, scene.rast.width, scene.rast.height);
    float received[4], given[4];
    scene.blendsAround(pixel, received, given);
    const float* const own = pixelAt(grad_out, pixel);
    float* const sum = pixelAt(grad_colour, pixel);
    for (int c = 0; c < scene.colour.channels; ++c) {
      const int own_limit = limitOf(pixel, c);
      // A clamped value is the colour of the pixel that set the limit.
      float total = own_limit > 1 && own_limit < 6 ? 0.0F : own[c];
      const float to_blends = own_limit == 0 ? own[c] : 0.0F;
      for (int k = 0; k < 4; ++k) {
        if (received[k] != 0) total -= received[k] * to_blends;
        const Pixel other = AntialiasScene::neighbour(pixel, k);
        if (!scene.inside(other)) continue;
        const int other_limit = limitOf(other, c);
        // Seen from the neighbour, this pixel lies the other way: above (0) and below (3), left (1), right
        // (2).
        if (other_limit == 2 + (3 - k)) total += pixelAt(grad_out, other)[c];
        if (given[k] != 0 && other_limit == 0) total += given[k] * pixelAt(grad_out, other)[c];
      }
      sum[c] = total;
    }
  }
};

template <typename Target>
struct BlendPositionsBackward {
  AntialiasScene scene;
  const std::uint8_t* limits;
  ConstImages grad_out;
  std::int64_t grad_stride;
  Target target;

  FACET_HD void addPair(const Pixel& first, bool is_vertical) const {
    Blend blend;
    if (!scene.findBlend(first, is_vertical, &blend)) return;
    const Pixel own = {first.image, blend.own_x, blend.own_y};
    const Pixel other = {first.image, blend.own_x + blend.step_x, blend.own_y + blend.step_y};
    const Pixel receiver = blend.own_receives ? own : other;
    const float* const grad = pixelAt(grad_out, receiver);
    const float* const own_colour = pixelAt(scene.colour, own);
    const float* const other_colour = pixelAt(scene.colour, other);
    const int channels = scene.colour.channels;
    const std::int64_t index = indexOf(receiver, scene.rast.width, scene.rast.height) * channels;
    float loss_by_crossing = 0;
    for (int c = 0; c < channels; ++c) {
      if (limits && limits[index + c] != 0) continue;
      loss_by_crossing += grad[c] * (own_colour[c] - other_colour[c]);
    }
    if (loss_by_crossing == 0) return;
    EdgeVertices edge;
    if (!edgeVertexGradients(scene, first.image, blend, loss_by_crossing, &edge)) return;
    for (int k = 0; k < 2; ++k) {
      const std::int64_t row = first.image * grad_stride + 4 * std::int64_t{edge.vertex[k]};
      target.add(row, edge.gradient[k].x);
      target.add(row + 1, edge.gradient[k].y);
      target.add(row + 3, edge.gradient[k].w);
    }
  }

  FACET_HD void operator()(std::int64_t i) const {
    const Pixel pixel = pixelFromIndex(i, scene.rast.width, scene.rast.height);
    if (pixel.x + 1 < scene.rast.width) addPair(pixel, false);
    if (pixel.y + 1 < scene.rast.height) addPair(pixel, true);
  }
};

inline void checkAntialias(const char* op, const AntialiasParams& params) {
  const ConstImages& colour = params.colour;
  checkImages(op, "colour", colour, colour.num_images, colour.height, colour.width, colour.channels);
  checkImages(op, "rast", params.rast, colour.num_images, colour.height, colour.width, 4);
  checkRows(op, "positions", params.positions, params.positions.num_rows, 4);
  checkTriangles(op, params.triangles);
  require(params.opposite != nullptr || params.triangles.count == 0, op,
          ": opposite is missing (null); make it with buildTopology()");
}

template <typename Executor>
AntialiasScene findSilhouettes(const AntialiasParams& params, Executor& executor) {
  const std::int64_t count = params.triangles.count;
  const int num_views = params.positions.image_stride == 0 ? 1 : params.colour.num_images;
  std::uint8_t* const silhouettes = executor.template scratch<std::uint8_t>(num_views * count);
  if (count > 0) {
    executor.forEach(num_views * count,
                     FindSilhouettes{params.positions, params.triangles, params.opposite, silhouettes});
  }
  return AntialiasScene{params.colour,    params.rast, params.positions,
                        params.triangles, silhouettes, num_views == 1 ? 0 : count};
}

template <typename Executor>
void antialias(const AntialiasParams& params, Executor& executor) {
  constexpr const char* kName = "antialias";
  checkAntialias(kName, params);
  const ConstImages& colour = params.colour;
  checkOutput(kName, "out", params.out, colour.num_images, colour.height, colour.width, colour.channels);
  if (colour.numPixels() == 0) return;
  require(params.out.data != colour.data, kName, ": out is colour; blending needs the original colours");
  const AntialiasScene scene = findSilhouettes(params, executor);
  executor.forEach(colour.numPixels(), BlendPixels{scene, params.clamp, params.out});
}

template <typename Executor>
void antialiasBackward(const AntialiasBackwardParams& params, Executor& executor) {
  constexpr const char* kName = "antialiasBackward";
  const AntialiasParams& forward = params.forward;
  const ConstImages& colour = forward.colour;
  checkAntialias(kName, forward);
  checkImages(kName, "grad_out", params.grad_out, colour.num_images, colour.height, colour.width,
              colour.channels);
  if (params.grad_colour.present()) {
    checkOutput(kName, "grad_colour", params.grad_colour, colour.num_images, colour.height, colour.width,
                colour.channels);
    require(params.grad_colour.data != params.grad_out.data || colour.numPixels() == 0, kName,
            ": grad_colour is grad_out; they need memory of their own");
  }
  if (params.grad_positions.present()) {
    checkRows(kName, "grad_positions", params.grad_positions, forward.positions.num_rows,
              forward.positions.channels);
  }
  const std::int64_t num_pixels = colour.numPixels();
  AntialiasScene scene = {};
  std::uint8_t* limits = nullptr;
  if (num_pixels > 0) {
    scene = findSilhouettes(forward, executor);
    if (forward.clamp) {
      limits = executor.template scratch<std::uint8_t>(num_pixels * colour.channels);
      executor.forEach(num_pixels, FindClamped{scene, limits});
    }
    if (params.grad_colour.present()) {
      executor.forEach(num_pixels, BlendColoursBackward{scene, limits, params.grad_out, params.grad_colour});
    }
  }
  if (!params.grad_positions.present()) return;
  const Region regions[1] = {regionOf(params.grad_positions, colour.num_images)};
  const std::int64_t grad_stride = params.grad_positions.image_stride;
  scatter(executor, regions, num_pixels, 4, [&](const auto& targets) {
    using Target = std::decay_t<decltype(targets.at[0])>;
    return BlendPositionsBackward<Target>{scene, limits, params.grad_out, grad_stride, targets.at[0]};
  });
}

// Discontinuities of a finished image; the equations are in render/cpu/edge_gradient_cpu.cpp.
template <typename Target>
struct EdgePositionsBackward {
  ConstImages colour, rast, grad_out;
  ConstRows positions;
  TriangleList triangles;
  float max_step;
  std::int64_t grad_stride;
  Target target;

  struct Pair {
    Pixel pixel[2];
    std::int64_t triangle[2];  // -1 = background
    Corners corners[2];
    bool is_vertical;
    double loss_by_shift;  // per pixel that their common side moves toward the second pixel
  };

  FACET_HD Vector2 centre(const Pixel& pixel) const {
    const double half_width = 0.5 * rast.width, half_height = 0.5 * rast.height;
    return Vector2{(pixel.x + 0.5) / half_width - 1, 1 - (pixel.y + 0.5) / half_height};
  }

  FACET_HD void add(int image, const Corners& corners, const double (&gradient)[3][4]) const {
    float values[3][4], sum = 0;
    for (int k = 0; k < 3; ++k) {
      for (int j = 0; j < 4; ++j) values[k][j] = static_cast<float>(gradient[k][j]);
      sum += values[k][0] + values[k][1] + values[k][2] + values[k][3];
    }
    if (!isFinite(sum)) return;  // a vertex at the eye, or a colour that is not finite
    for (int k = 0; k < 3; ++k) {
      const std::int64_t row = image * grad_stride + 4 * std::int64_t{corners.index[k]};
      for (int j = 0; j < 4; ++j) {
        if (values[k][j] != 0) target.add(row + j, values[k][j]);
      }
    }
  }

  // The side goes where the surface at one of the pixels goes.
  FACET_HD void moveSurface(const Pair& pair, int side) const {
    const Pixel& pixel = pair.pixel[side];
    const float* const fragment = pixelAt(rast, pixel);
    const double barycentric[3] = {fragment[0], fragment[1], 1.0 - fragment[0] - fragment[1]};
    const double half_width = 0.5 * rast.width, half_height = 0.5 * rast.height;
    double w = 0;
    for (int k = 0; k < 3; ++k) {
      w += barycentric[k] * rowAt(positions, pixel.image, pair.corners[side].index[k])[3];
    }
    const Vector2 ndc = centre(pixel);
    double gradient[3][4];
    for (int k = 0; k < 3; ++k) {
      const double share = barycentric[k] / w * pair.loss_by_shift;
      gradient[k][0] = pair.is_vertical ? 0 : half_width * share;
      gradient[k][1] = pair.is_vertical ? -half_height * share : 0;
      gradient[k][2] = 0;
      gradient[k][3] = pair.is_vertical ? half_height * ndc.y * share : -half_width * ndc.x * share;
    }
    add(pixel.image, pair.corners[side], gradient);
  }

  FACET_HD void moveDepth(int image, const Corners& corners, const ScreenTriangle& triangle,
                          const Vector2& slope, const Vector2& ndc, double loss_by_depth) const {
    double values[3];
    triangle.edgeFunctions(ndc, values);
    const double offset = triangle.depth(values) - slope.x * ndc.x - slope.y * ndc.y;
    double gradient[3][4];
    for (int k = 0; k < 3; ++k) {
      const double share = values[k] / triangle.determinant * loss_by_depth;
      gradient[k][0] = -slope.x * share;
      gradient[k][1] = -slope.y * share;
      gradient[k][2] = share;
      gradient[k][3] = -offset * share;
    }
    add(image, corners, gradient);
  }

  FACET_HD void moveIntersection(const Pair& pair, const ScreenTriangle& a, const ScreenTriangle& b) const {
    const double half_width = 0.5 * rast.width, half_height = 0.5 * rast.height;
    const Vector2 from = centre(pair.pixel[0]), to = centre(pair.pixel[1]);
    // Where the depths are equal, between the two pixel centres.
    double first_a[3], first_b[3], second_a[3], second_b[3];
    a.edgeFunctions(from, first_a);
    b.edgeFunctions(from, first_b);
    a.edgeFunctions(to, second_a);
    b.edgeFunctions(to, second_b);
    const double ahead_first = a.depth(first_a) - b.depth(first_b);
    const double ahead_second = a.depth(second_a) - b.depth(second_b);
    double t = ahead_first / (ahead_first - ahead_second);
    if (!(t >= 0 && t <= 1)) t = 0.5;  // equal depths, up to rounding
    const Vector2 ndc = {from.x + t * (to.x - from.x), from.y + t * (to.y - from.y)};

    // Pixels that the side moves per unit of depth difference.
    const Vector2 slope_a = a.depthSlope(), slope_b = b.depthSlope();
    const Vector2 normal = {(slope_a.x - slope_b.x) / half_width, -(slope_a.y - slope_b.y) / half_height};
    const double step =
        (pair.is_vertical ? normal.y : normal.x) / (normal.x * normal.x + normal.y * normal.y);
    if (!(step - step == 0)) return;  // parallel
    const double limit = max_step;
    const double loss_by_depth = -pair.loss_by_shift * smaller(larger(step, -limit), limit);
    moveDepth(pair.pixel[0].image, pair.corners[0], a, slope_a, ndc, loss_by_depth);
    moveDepth(pair.pixel[0].image, pair.corners[1], b, slope_b, ndc, -loss_by_depth);
  }

  FACET_HD void addPair(const Pixel& first, bool is_vertical) const {
    Pair pair;
    pair.is_vertical = is_vertical;
    pair.pixel[0] = first;
    pair.pixel[1] = Pixel{first.image, first.x + (is_vertical ? 0 : 1), first.y + (is_vertical ? 1 : 0)};
    for (int side = 0; side < 2; ++side) {
      pair.triangle[side] = triangleOf(pixelAt(rast, pair.pixel[side])[3], triangles.count);
    }
    if (pair.triangle[0] == pair.triangle[1]) return;
    const float *const colour0 = pixelAt(colour, pair.pixel[0]), *const colour1 =
                                                                     pixelAt(colour, pair.pixel[1]);
    const float *const grad0 = pixelAt(grad_out, pair.pixel[0]), *const grad1 =
                                                                     pixelAt(grad_out, pair.pixel[1]);
    float loss = 0;
    for (int c = 0; c < colour.channels; ++c) loss += (grad0[c] + grad1[c]) * (colour0[c] - colour1[c]);
    pair.loss_by_shift = 0.5 * loss;
    if (pair.loss_by_shift == 0) return;
    for (int side = 0; side < 2; ++side) {
      if (pair.triangle[side] >= 0 &&
          !cornersOf(triangles, pair.triangle[side], positions.num_rows, &pair.corners[side])) {
        return;
      }
    }
    if (pair.triangle[0] < 0) return moveSurface(pair, 1);
    if (pair.triangle[1] < 0) return moveSurface(pair, 0);
    const ScreenTriangle a(positions, first.image, pair.corners[0].index);
    const ScreenTriangle b(positions, first.image, pair.corners[1].index);
    const Vector2 pixel_size = {1 / (0.5 * rast.width), 1 / (0.5 * rast.height)};
    const bool a_goes_on = a.contains(centre(pair.pixel[1]), pixel_size);
    const bool b_goes_on = b.contains(centre(pair.pixel[0]), pixel_size);
    if (a_goes_on && b_goes_on) return moveIntersection(pair, a, b);
    if (a_goes_on) return moveSurface(pair, 1);  // b ends in front of a
    if (b_goes_on) return moveSurface(pair, 0);
    // Neither: neighbours on one surface.
  }

  FACET_HD void operator()(std::int64_t i) const {
    const Pixel pixel = pixelFromIndex(i, rast.width, rast.height);
    if (pixel.x + 1 < rast.width) addPair(pixel, false);
    if (pixel.y + 1 < rast.height) addPair(pixel, true);
  }
};

template <typename Executor>
void edgeGradient(const EdgeGradientParams& params, Executor& executor) {
  constexpr const char* kName = "edgeGradient";
  const ConstImages& colour = params.colour;
  checkImages(kName, "colour", colour, colour.num_images, colour.height, colour.width, colour.channels);
  checkImages(kName, "rast", params.rast, colour.num_images, colour.height, colour.width, 4);
  checkImages(kName, "grad_out", params.grad_out, colour.num_images, colour.height, colour.width,
              colour.channels);
  checkRows(kName, "positions", params.positions, params.positions.num_rows, 4);
  checkRows(kName, "grad_positions", params.grad_positions, params.positions.num_rows,
            params.positions.channels);
  checkTriangles(kName, params.triangles);
  require(params.max_step > 0, kName, ": max_step is ", params.max_step,
          "; give the pixels that an intersection may move per unit of depth, above 0");
  const Region regions[1] = {regionOf(params.grad_positions, colour.num_images)};
  // Two pairs per pixel, two triangles each.
  scatter(executor, regions, colour.numPixels(), 12, [&](const auto& targets) {
    using Target = std::decay_t<decltype(targets.at[0])>;
    return EdgePositionsBackward<Target>{colour,
                                         params.rast,
                                         params.grad_out,
                                         params.positions,
                                         params.triangles,
                                         params.max_step,
                                         params.grad_positions.image_stride,
                                         targets.at[0]};
  });
}

}  // namespace facet::ops::cuda
