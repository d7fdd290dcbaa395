#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "render/ops/rasterize.h"

namespace facet::test {

// Antialiasing of one dense image without any economy: every pair of neighbours projects the vertices it
// needs. What antialiasCpu() is compared with; in double it can be differentiated numerically, in float it is
// the plain implementation that a speed ratio refers to. All vertices are in front of the eye (w > 0).
template <typename T>
struct ScalarAntialias {
  int width, height, channels;
  const T* colour;                // H×W×C
  const float* rast;              // H×W×4
  const T* positions;             // V×4
  const std::int32_t* triangles;  // F×3
  const std::int32_t* opposite;   // F×3
  bool clamp = false;

  void run(T* out) const {
    std::copy_n(colour, std::size_t(width) * std::size_t(height) * std::size_t(channels), out);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        if (x + 1 < width) blendPair(x, y, x + 1, y, out);
        if (y + 1 < height) blendPair(x, y, x, y + 1, out);
      }
    }
    for (int y = 0; y < height && clamp; ++y) {
      for (int x = 0; x < width; ++x) clampPixel(x, y, out);
    }
  }

 private:
  struct Point {
    T x, y;
  };

  const T* colourAt(int x, int y) const { return colour + (std::int64_t{y} * width + x) * channels; }
  const float* rastAt(int x, int y) const { return rast + (std::int64_t{y} * width + x) * 4; }

  // Pixels from the centre of pixel (x, y).
  Point project(std::int32_t vertex, int x, int y) const {
    const T* const p = positions + 4 * std::int64_t{vertex};
    return {(p[0] / p[3] + 1) * T(0.5) * T(width) - T(x) - T(0.5),
            (1 - p[1] / p[3]) * T(0.5) * T(height) - T(y) - T(0.5)};
  }
  // A neighbour across an edge whose third vertex lies on the edge's end has no area.
  bool coincide(std::int32_t a, std::int32_t b) const {
    return std::equal(positions + 4 * std::int64_t{a}, positions + 4 * std::int64_t{a} + 4,
                      positions + 4 * std::int64_t{b});
  }
  static T area(const Point& a, const Point& b, const Point& c) {
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
  }

  void blendPair(int x0, int y0, int x1, int y1, T* out) const {
    const std::int64_t first = ops::triangleFromFragment(rastAt(x0, y0)[3]);
    const std::int64_t second = ops::triangleFromFragment(rastAt(x1, y1)[3]);
    if (first == second) return;
    const bool second_is_front = first < 0 || (second >= 0 && rastAt(x1, y1)[2] < rastAt(x0, y0)[2]);
    const std::int64_t front = second_is_front ? second : first;
    const int own_x = second_is_front ? x1 : x0, own_y = second_is_front ? y1 : y0;
    const int other_x = second_is_front ? x0 : x1, other_y = second_is_front ? y0 : y1;

    Point corner[3];
    for (int i = 0; i < 3; ++i) corner[i] = project(triangles[3 * front + i], own_x, own_y);
    T crossing = T(-1) / 16;
    bool blends = false;
    for (int e = 0; e < 3; ++e) {
      Point a = corner[e], b = corner[(e + 1) % 3];
      const Point c = corner[(e + 2) % 3];
      bool is_silhouette = opposite[3 * front + e] < 0;
      if (!is_silhouette) {
        const T own_side = area(a, b, c), side = area(a, b, project(opposite[3 * front + e], own_x, own_y));
        is_silhouette = !((own_side > 0 && side < 0) || (own_side < 0 && side > 0)) &&
                        !coincide(triangles[3 * front + e], opposite[3 * front + e]) &&
                        !coincide(triangles[3 * front + (e + 1) % 3], opposite[3 * front + e]);
      }
      // Turned so that the other pixel lies in the direction of x.
      const int step_x = other_x - own_x, step_y = other_y - own_y;
      a = step_x != 0 ? Point{a.x * step_x, a.y} : Point{a.y * step_y, a.x};
      b = step_x != 0 ? Point{b.x * step_x, b.y} : Point{b.y * step_y, b.x};
      if ((a.y < 0) == (b.y < 0)) continue;
      const T meets = a.x - a.y * (b.x - a.x) / (b.y - a.y);
      if (meets <= crossing) continue;
      crossing = meets;
      blends = is_silhouette && std::abs(b.y - a.y) >= std::abs(b.x - a.x) && meets < T(1) + T(1) / 16;
    }
    if (!blends) return;
    const T share = T(0.5) - std::min(std::max(crossing, T(0)), T(1));
    const T *const own = colourAt(own_x, own_y), *const other = colourAt(other_x, other_y);
    for (int k = 0; k < channels; ++k) {
      if (share > 0) {
        out[(std::int64_t{own_y} * width + own_x) * channels + k] += share * (other[k] - own[k]);
      } else {
        out[(std::int64_t{other_y} * width + other_x) * channels + k] -= share * (own[k] - other[k]);
      }
    }
  }

  void clampPixel(int x, int y, T* out) const {
    for (int k = 0; k < channels; ++k) {
      T low = colourAt(x, y)[k], high = low;
      for (const auto& [dx, dy] : {Point{-1, 0}, Point{1, 0}, Point{0, -1}, Point{0, 1}}) {
        const int nx = x + int(dx), ny = y + int(dy);
        if (nx < 0 || ny < 0 || nx >= width || ny >= height) continue;
        low = std::min(low, colourAt(nx, ny)[k]);
        high = std::max(high, colourAt(nx, ny)[k]);
      }
      T& value = out[(std::int64_t{y} * width + x) * channels + k];
      value = std::min(std::max(value, low), high);
    }
  }
};

}  // namespace facet::test
