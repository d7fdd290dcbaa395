#pragma once

#include "render/cuda/portable.h"

// The arithmetic of render/cpu/antialias_cpu.cpp and edge_gradient_cpu.cpp, where the equations are derived.
namespace facet::ops::cuda {

constexpr double kPairSlackPx =
    1.0 / 16;  // that a crossing may lie outside of its pair: vertices were snapped

struct Vector3 {
  float x, y, w;
};
FACET_HD inline Vector3 vertexXyw(const float* p) { return Vector3{p[0], p[1], p[3]}; }
// (b - a) × (c - a). From differences, because vertices of a small triangle are nearly parallel vectors.
FACET_HD inline Vector3 planeNormal(const Vector3& a, const Vector3& b, const Vector3& c) {
  const Vector3 ab = {b.x - a.x, b.y - a.y, b.w - a.w}, ac = {c.x - a.x, c.y - a.y, c.w - a.w};
  return Vector3{ab.y * ac.w - ab.w * ac.y, ab.w * ac.x - ab.x * ac.w, ab.x * ac.y - ab.y * ac.x};
}
FACET_HD inline float dot(const Vector3& a, const Vector3& b) { return a.x * b.x + a.y * b.y + a.w * b.w; }

// Bit e: the edge from corner e to corner e + 1 is a silhouette.
FACET_HD inline unsigned silhouetteEdges(const ConstRows& positions, int image, const Corners& corners,
                                         const std::int32_t* opposite) {
  Vector3 corner[3];
  for (int k = 0; k < 3; ++k) corner[k] = vertexXyw(rowAt(positions, image, corners.index[k]));
  const float own = dot(corner[0], planeNormal(corner[0], corner[1], corner[2]));
  unsigned bits = 0;
  for (int e = 0; e < 3; ++e) {
    // A neighbour without area is taken to continue the surface; one with area seen edge-on is not.
    bool continues = false;
    const std::int32_t other = opposite[e];
    if (other >= 0 && other < positions.num_rows) {
      const Vector3 beyond =
          planeNormal(corner[e], corner[e == 2 ? 0 : e + 1], vertexXyw(rowAt(positions, image, other)));
      const float side = dot(corner[e], beyond);
      continues =
          (own > 0 && side < 0) || (own < 0 && side > 0) || (beyond.x == 0 && beyond.y == 0 && beyond.w == 0);
    }
    bits |= (continues ? 0U : 1U) << e;
  }
  return bits;
}

// Clip space around a pixel centre, in pixels times w: `along` toward a neighbour pixel, `across` to its
// side.
struct Relative {
  double along, across, w;
};
struct PixelFrame {
  double half_width, half_height, ndc_x, ndc_y;
  bool is_vertical;
  int direction;

  FACET_HD PixelFrame(int width, int height, int x, int y, int step_x, int step_y)
      : half_width(0.5 * width),
        half_height(0.5 * height),
        ndc_x((x + 0.5) / half_width - 1),
        ndc_y(1 - (y + 0.5) / half_height),
        is_vertical(step_y != 0),
        direction(step_x + step_y) {}

  FACET_HD Relative relative(const float* p) const {
    const double w = p[3];
    const double right = (p[0] - ndc_x * w) * half_width, down = (ndc_y * w - p[1]) * half_height;
    return is_vertical ? Relative{direction * down, right, w} : Relative{direction * right, down, w};
  }
  // Adjoint of relative(): gradient with respect to x, y, w.
  FACET_HD Vector3 gradient(double along, double across, double w) const {
    const double forward = direction * along;
    const double right = half_width * (is_vertical ? across : forward);
    const double down = half_height * (is_vertical ? forward : across);
    return Vector3{static_cast<float>(right), static_cast<float>(-down),
                   static_cast<float>(w - ndc_x * right + ndc_y * down)};
  }
};
FACET_HD inline double crossingDenominator(const Relative& a, const Relative& b) {
  return a.across * b.w - a.w * b.across;
}
FACET_HD inline double crossingNumerator(const Relative& a, const Relative& b) {
  return a.across * b.along - a.along * b.across;
}

// One silhouette edge between two pixels. The own pixel shows the triangle of the edge.
struct Blend {
  std::int64_t triangle;
  int own_x, own_y, step_x, step_y;  // step: from the own to the other pixel
  int edge;
  bool own_receives;
  float weight;  // of the pixel that does not receive, 0 to 0.5
};

struct AntialiasScene {
  ConstImages colour, rast;
  ConstRows positions;
  TriangleList triangles;
  const std::uint8_t* silhouettes;  // per view and triangle
  std::int64_t silhouettes_stride;  // from image to image; 0 = one view for all

  // The pair of a pixel and its right or lower neighbour, which must be inside the image. False: no blend.
  FACET_HD bool findBlend(const Pixel& first, bool is_vertical, Blend* blend) const {
    const Pixel second = {first.image, first.x + (is_vertical ? 0 : 1), first.y + (is_vertical ? 1 : 0)};
    const float* const rast_first = pixelAt(rast, first);
    const float* const rast_second = pixelAt(rast, second);
    const std::int64_t triangle_first = triangleOf(rast_first[3], triangles.count);
    const std::int64_t triangle_second = triangleOf(rast_second[3], triangles.count);
    if (triangle_first == triangle_second) return false;
    const bool is_second = triangle_first < 0 || (triangle_second >= 0 && rast_second[2] < rast_first[2]);
    blend->triangle = is_second ? triangle_second : triangle_first;
    const unsigned bits = silhouettes[first.image * silhouettes_stride + blend->triangle];
    if (bits == 0) return false;
    const int direction = is_second ? -1 : 1;
    blend->own_x = is_second ? second.x : first.x;
    blend->own_y = is_second ? second.y : first.y;
    blend->step_x = is_vertical ? 0 : direction;
    blend->step_y = is_vertical ? direction : 0;

    // The edge through which the line from the own pixel to the other leaves the triangle blends the two if
    // it is a silhouette, crosses between them and is closer to perpendicular to the line than parallel.
    const PixelFrame frame(rast.width, rast.height, blend->own_x, blend->own_y, blend->step_x, blend->step_y);
    Relative v[3];
    for (int k = 0; k < 3; ++k) {
      v[k] = frame.relative(rowAt(positions, first.image, triangles.data[3 * blend->triangle + k]));
    }
    double crossing = -kPairSlackPx;
    int edge = -1;
    bool is_steep = false;
    for (int e = 0; e < 3; ++e) {
      const Relative &a = v[e], &b = v[e == 2 ? 0 : e + 1];
      if ((a.across < 0) == (b.across < 0)) continue;
      const double slope = crossingDenominator(a, b);
      if (!(slope * (a.across - b.across) > 0)) continue;  // crosses behind the eye
      const double c = crossingNumerator(a, b) / slope;
      if (!(c > crossing)) continue;
      crossing = c;
      edge = e;
      is_steep = fabs(slope) >= fabs(a.w * b.along - a.along * b.w);
    }
    if (edge < 0 || !is_steep || crossing >= 1 + kPairSlackPx || (bits >> edge & 1U) == 0) return false;
    blend->edge = edge;
    blend->own_receives = crossing < 0.5;
    blend->weight = static_cast<float>(fabs(0.5 - smaller(larger(crossing, 0.0), 1.0)));
    return true;
  }

  // Blends between a pixel and its neighbours above, left, right and below: how much of the neighbour it
  // receives, and how much it gives. Both are 0 without a blend.
  FACET_HD void blendsAround(const Pixel& pixel, float (&received)[4], float (&given)[4]) const {
    for (int k = 0; k < 4; ++k) {
      received[k] = given[k] = 0;
      const Pixel other = neighbour(pixel, k);
      if (!inside(other)) continue;
      Blend blend;
      if (!findBlend(k < 2 ? other : pixel, k == 0 || k == 3, &blend)) continue;
      const bool is_own = blend.own_x == pixel.x && blend.own_y == pixel.y;
      (blend.own_receives == is_own ? received : given)[k] = blend.weight;
    }
  }
  FACET_HD static Pixel neighbour(const Pixel& pixel, int k) {
    return Pixel{pixel.image,
                 pixel.x + (k == 1   ? -1
                            : k == 2 ? 1
                                     : 0),
                 pixel.y + (k == 0   ? -1
                            : k == 3 ? 1
                                     : 0)};
  }
  FACET_HD bool inside(const Pixel& pixel) const {
    return pixel.x >= 0 && pixel.y >= 0 && pixel.x < rast.width && pixel.y < rast.height;
  }

  FACET_HD void rangeAround(const Pixel& pixel, int channel, float* low, float* high) const {
    *low = *high = pixelAt(colour, pixel)[channel];
    for (int k = 0; k < 4; ++k) {
      const Pixel other = neighbour(pixel, k);
      if (!inside(other)) continue;
      const float value = pixelAt(colour, other)[channel];
      *low = smaller(*low, value);
      *high = larger(*high, value);
    }
  }
};

// Gradient of where a silhouette edge crosses, with respect to (x, y, w) of its two vertices. False where it
// has none: saturated, or not finite.
struct EdgeVertices {
  std::int32_t vertex[2];
  Vector3 gradient[2];
};
FACET_HD inline bool edgeVertexGradients(const AntialiasScene& scene, int image, const Blend& blend,
                                         double loss_by_crossing, EdgeVertices* out) {
  const std::int32_t* const corner = scene.triangles.data + 3 * blend.triangle;
  out->vertex[0] = corner[blend.edge];
  out->vertex[1] = corner[blend.edge == 2 ? 0 : blend.edge + 1];
  const PixelFrame frame(scene.rast.width, scene.rast.height, blend.own_x, blend.own_y, blend.step_x,
                         blend.step_y);
  const Relative a = frame.relative(rowAt(scene.positions, image, out->vertex[0]));
  const Relative b = frame.relative(rowAt(scene.positions, image, out->vertex[1]));
  const double scale = loss_by_crossing / crossingDenominator(a, b);
  const double c = crossingNumerator(a, b) / crossingDenominator(a, b);
  if (!(c > 0 && c < 1)) return false;
  const Vector3 to_a = frame.gradient(-b.across * scale, (b.along - c * b.w) * scale, c * b.across * scale);
  const Vector3 to_b = frame.gradient(a.across * scale, (c * a.w - a.along) * scale, -c * a.across * scale);
  out->gradient[0] = to_a;
  out->gradient[1] = to_b;
  return isFinite((to_a.x + to_a.y + to_a.w) + (to_b.x + to_b.y + to_b.w));
}

struct Vector2 {
  double x, y;
};

// Homogeneous edge functions of a clip-space triangle: at a screen position, barycentric k is values[k] / Σ
// values, and values[k] / determinant is barycentric k over w.
struct ScreenTriangle {
  double x[3], y[3], z[3], w[3];
  double slope_x[3], slope_y[3];  // of the edge functions, per NDC
  double determinant;

  FACET_HD ScreenTriangle(const ConstRows& positions, int image, const std::int32_t* corner) {
    for (int k = 0; k < 3; ++k) {
      const float* const p = rowAt(positions, image, corner[k]);
      x[k] = p[0];
      y[k] = p[1];
      z[k] = p[2];
      w[k] = p[3];
    }
    for (int k = 0; k < 3; ++k) {
      const int i = k == 2 ? 0 : k + 1, j = i == 2 ? 0 : i + 1;
      slope_x[k] = y[i] * w[j] - w[i] * y[j];
      slope_y[k] = w[i] * x[j] - x[i] * w[j];
    }
    const double constant = x[1] * y[2] - y[1] * x[2];
    determinant = slope_x[0] * x[0] + slope_y[0] * y[0] + constant * w[0];
  }

  FACET_HD void edgeFunctions(const Vector2& ndc, double (&values)[3]) const {
    double qx[3], qy[3];
    for (int k = 0; k < 3; ++k) {
      qx[k] = x[k] - ndc.x * w[k];
      qy[k] = y[k] - ndc.y * w[k];
    }
    for (int k = 0; k < 3; ++k) {
      const int i = k == 2 ? 0 : k + 1, j = i == 2 ? 0 : i + 1;
      values[k] = qx[i] * qy[j] - qy[i] * qx[j];
    }
  }
  // In front of the eye and not too close to an edge: vertices are rasterized up to 1/512 px beside their
  // place, and neighbours on a mesh must not seem to overlap there. `pixel` is the size of one in NDC.
  FACET_HD bool contains(const Vector2& ndc, const Vector2& pixel) const {
    constexpr double kMarginPx = 1.0 / 256;
    double values[3];
    edgeFunctions(ndc, values);
    for (int k = 0; k < 3; ++k) {
      const double across_x = slope_x[k] * pixel.x, across_y = slope_y[k] * pixel.y;
      const double margin_squared = kMarginPx * kMarginPx * (across_x * across_x + across_y * across_y);
      if (!(values[k] * determinant > 0 && values[k] * values[k] > margin_squared)) return false;
    }
    return true;
  }
  // α and β of z = α X + β Y + γ.
  FACET_HD Vector2 depthSlope() const {
    return Vector2{(z[0] * slope_x[0] + z[1] * slope_x[1] + z[2] * slope_x[2]) / determinant,
                   (z[0] * slope_y[0] + z[1] * slope_y[1] + z[2] * slope_y[2]) / determinant};
  }
  FACET_HD double depth(const double (&values)[3]) const {
    return (z[0] * values[0] + z[1] * values[1] + z[2] * values[2]) / determinant;
  }
};

}  // namespace facet::ops::cuda
