// Antialiasing by blending across silhouette edges: Laine et al., "Modular Primitives for High-Performance
// Differentiable Rendering", SIGGRAPH Asia 2020, section 3.6.
//
// With triangles of the size of a pixel almost all neighbouring pixels show different triangles, but few of
// these have a silhouette edge. Which of a triangle's edges are silhouettes is therefore found once per
// frame, and only for triangles that are met.
//
// Nothing here divides by w. An edge from a to b crosses the line through two pixel centres where
//   c = (a.across b.along - a.along b.across) / (a.across b.w - a.w b.across),
// with `along` and `across` in pixels times w, relative to the first centre; this holds for vertices behind
// the eye too. Likewise two triangles of an edge ab lie on the same side of the plane through the eye and ab
// where det(a, b, c) and det(a, b, opposite) of their (x, y, w) have equal signs.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "core/parallel.h"
#include "render/cpu/pixel_pairs.h"
#include "render/ops/antialias.h"
#include "render/ops/checks.h"

namespace facet::ops {
namespace {

constexpr int kBandRows = 16;        // work unit; at least 2, see antialiasBackwardCpu()
constexpr double kSlack = 1.0 / 16;  // px that a crossing may lie outside of its pair: vertices were snapped

// Bit e: the edge from corner e to corner e + 1 is a silhouette. Kept per triangle id; any thread may find an
// entry first, all find the same.
class SilhouetteEdges {
 public:
  SilhouetteEdges(const float* positions, const TriangleList& triangles, const std::int32_t* opposite)
      : positions_(positions),
        triangles_(triangles.data),
        opposite_(opposite),
        known_(new std::uint8_t[static_cast<std::size_t>(triangles.count) + 1]) {
    std::memset(known_.get(), kUnknown, static_cast<std::size_t>(triangles.count) + 1);
    known_[0] = 0;  // the background
  }

  // kUnknown where nobody asked for of() yet.
  unsigned known(std::int32_t id) const {
    return std::atomic_ref<std::uint8_t>(known_[static_cast<std::size_t>(id)])
        .load(std::memory_order_relaxed);
  }
  unsigned of(std::int32_t id) const {
    const unsigned bits = known(id);
    return bits != kUnknown ? bits : find(id);
  }

 private:
  static constexpr unsigned kUnknown = 0x80;

  struct Vector {
    float x, y, w;
  };
  Vector vertex(std::int32_t index) const {
    const float* const p = positions_ + 4 * std::int64_t{index};
    return {p[0], p[1], p[3]};
  }
  // (b - a) x (c - a). From differences, because vertices of a small triangle are nearly parallel vectors.
  static Vector normal(const Vector& a, const Vector& b, const Vector& c) {
    const Vector ab = {b.x - a.x, b.y - a.y, b.w - a.w}, ac = {c.x - a.x, c.y - a.y, c.w - a.w};
    return {ab.y * ac.w - ab.w * ac.y, ab.w * ac.x - ab.x * ac.w, ab.x * ac.y - ab.y * ac.x};
  }
  static float dot(const Vector& a, const Vector& b) { return a.x * b.x + a.y * b.y + a.w * b.w; }

  unsigned find(std::int32_t id) const {
    const std::int64_t first = 3 * (std::int64_t{id} - 1);
    const Vector corner[3] = {vertex(triangles_[first]), vertex(triangles_[first + 1]),
                              vertex(triangles_[first + 2])};
    const float own = dot(corner[0], normal(corner[0], corner[1], corner[2]));  // det(a, b, c)
    unsigned bits = 0;
    for (int e = 0; e < 3; ++e) {
      // A neighbour without area, as at the pole of a sphere, is taken to continue the surface; one with area
      // that is seen exactly edge-on is not.
      bool continues = false;
      if (const std::int32_t other = opposite_[first + e]; other >= 0) {
        const Vector beyond = normal(corner[e], corner[e == 2 ? 0 : e + 1], vertex(other));
        const float side = dot(corner[e], beyond);
        continues = (own > 0 && side < 0) || (own < 0 && side > 0) ||
                    (beyond.x == 0 && beyond.y == 0 && beyond.w == 0);
      }
      bits |= (continues ? 0U : 1U) << e;
    }
    std::atomic_ref<std::uint8_t>(known_[static_cast<std::size_t>(id)])
        .store(static_cast<std::uint8_t>(bits), std::memory_order_relaxed);
    return bits;
  }

  const float* positions_;
  const std::int32_t* triangles_;
  const std::int32_t* opposite_;
  std::unique_ptr<std::uint8_t[]> known_;
};

// One silhouette edge between two pixels. `own` shows the triangle of the edge, `other` lies beyond it.
struct Blend {
  std::int64_t triangle;
  std::int32_t own_x, own_y;
  std::int8_t step_x, step_y;  // from own to other
  std::int8_t edge;
  bool own_receives;  // else the other pixel does
  float weight;       // of the pixel that does not receive, 0 to 0.5
};

struct Pixel {
  int x, y;
};
Pixel ownPixel(const Blend& blend) { return {blend.own_x, blend.own_y}; }
Pixel otherPixel(const Blend& blend) { return {blend.own_x + blend.step_x, blend.own_y + blend.step_y}; }
Pixel receiver(const Blend& blend) { return blend.own_receives ? ownPixel(blend) : otherPixel(blend); }
Pixel giver(const Blend& blend) { return blend.own_receives ? otherPixel(blend) : ownPixel(blend); }

// Clip space around a pixel centre, in pixels times w: `along` toward a neighbour pixel, `across` to its
// side.
struct Relative {
  double along, across, w;
};

class PixelFrame {
 public:
  PixelFrame(const ConstImages& images, Pixel pixel, int step_x, int step_y)
      : half_width_(0.5 * images.width),
        half_height_(0.5 * images.height),
        ndc_x_((pixel.x + 0.5) / half_width_ - 1),
        ndc_y_(1 - (pixel.y + 0.5) / half_height_),
        is_vertical_(step_y != 0),
        direction_(step_x + step_y) {}

  Relative relative(const float* p) const {
    const double w = p[3];
    const double right = (p[0] - ndc_x_ * w) * half_width_, down = (ndc_y_ * w - p[1]) * half_height_;
    return is_vertical_ ? Relative{direction_ * down, right, w} : Relative{direction_ * right, down, w};
  }

  // Adjoint of relative().
  VertexGradient gradient(std::int32_t vertex, const Relative& g) const {
    const double along = direction_ * g.along;
    const double right = half_width_ * (is_vertical_ ? g.across : along);
    const double down = half_height_ * (is_vertical_ ? along : g.across);
    return {vertex, static_cast<float>(right), static_cast<float>(-down), 0,
            static_cast<float>(g.w - ndc_x_ * right + ndc_y_ * down)};
  }

 private:
  double half_width_, half_height_, ndc_x_, ndc_y_;
  bool is_vertical_;
  int direction_;
};

// What the crossing's position is made of; see the top of the file. `denominator` is 0 or NaN for an edge
// that does not reach the line.
double denominator(const Relative& a, const Relative& b) { return a.across * b.w - a.w * b.across; }
double numerator(const Relative& a, const Relative& b) { return a.across * b.along - a.along * b.across; }

// Where one image's colours and ids are.
const float* pixelAt(const ConstImages& images, int image, Pixel pixel) {
  return images.data + image * images.image_stride + pixel.y * images.row_stride +
         std::int64_t{pixel.x} * images.channels;
}
float* pixelAt(const Images& images, int image, Pixel pixel) {
  return images.data + image * images.image_stride + pixel.y * images.row_stride +
         std::int64_t{pixel.x} * images.channels;
}

// The edge through which the line from the own pixel to the other leaves the triangle blends the two if it is
// a silhouette, crosses between them and is closer to perpendicular to the line than parallel.
bool findBlend(const AntialiasParams& params, const float* positions, unsigned silhouettes, Blend* blend) {
  const PixelFrame frame(params.colour, ownPixel(*blend), blend->step_x, blend->step_y);
  const std::int32_t* const corner = params.triangles.data + 3 * blend->triangle;
  Relative v[3];
  for (int i = 0; i < 3; ++i) v[i] = frame.relative(positions + 4 * std::int64_t{corner[i]});
  double crossing = -kSlack;
  int edge = -1;
  bool is_steep = false;
  for (int e = 0; e < 3; ++e) {
    const Relative &a = v[e], &b = v[e == 2 ? 0 : e + 1];
    if ((a.across < 0) == (b.across < 0)) continue;
    const double slope = denominator(a, b);
    if (!(slope * (a.across - b.across) > 0)) continue;  // crosses behind the eye
    const double c = numerator(a, b) / slope;
    if (!(c > crossing)) continue;
    crossing = c;
    edge = e;
    is_steep = std::abs(slope) >= std::abs(a.w * b.along - a.along * b.w);
  }
  if (edge < 0 || !is_steep || crossing >= 1 + kSlack || (silhouettes >> edge & 1) == 0) return false;
  blend->edge = static_cast<std::int8_t>(edge);
  blend->own_receives = crossing < 0.5;
  blend->weight = static_cast<float>(std::abs(0.5 - std::clamp(crossing, 0.0, 1.0)));
  return true;
}

// The blends of the pairs that end in the rows of one band, in the order of forEachPair().
struct BandBlends {
  std::vector<Blend> all;
  std::size_t num_from_above = 0;  // none past the first so many reaches into the band above
};

BandBlends findBlends(const char* op, const AntialiasParams& params, const SilhouetteEdges& silhouettes,
                      int image, int y_begin, int y_end) {
  const float* const positions = params.positions.data + image * params.positions.image_stride;
  BandBlends blends;
  const auto visit = [&](int x, int y, bool is_vertical, std::int32_t first, std::int32_t second) {
    if ((silhouettes.known(first) | silhouettes.known(second)) == 0) return;
    const Pixel there = is_vertical ? Pixel{x, y + 1} : Pixel{x + 1, y};
    const bool is_second = first == 0 || (second != 0 && pixelAt(params.rast, image, there)[2] <
                                                             pixelAt(params.rast, image, {x, y})[2]);
    const std::int32_t own = is_second ? second : first;
    const unsigned bits = silhouettes.of(own);
    if (bits == 0) return;
    Blend blend;
    blend.triangle = std::int64_t{own} - 1;
    blend.own_x = is_second ? there.x : x;
    blend.own_y = is_second ? there.y : y;
    const int direction = is_second ? -1 : 1;
    blend.step_x = static_cast<std::int8_t>(is_vertical ? 0 : direction);
    blend.step_y = static_cast<std::int8_t>(is_vertical ? direction : 0);
    if (!findBlend(params, positions, bits, &blend)) return;
    blends.all.push_back(blend);
    if (is_vertical && y < y_begin) blends.num_from_above = blends.all.size();
  };
  forEachPair(op, params.rast, image, y_begin, y_end, params.triangles.count, visit);
  return blends;
}

void check(const char* op, const AntialiasParams& params) {
  const ConstImages& colour = params.colour;
  checkImages(op, "colour", colour, colour.num_images, colour.height, colour.width, colour.channels);
  checkImages(op, "rast", params.rast, colour.num_images, colour.height, colour.width, 4);
  checkRows(op, "positions", params.positions, params.positions.num_rows, 4);
  checkTriangles(op, params.triangles);
  checkIndices(op, params.triangles.data, params.triangles.count, params.positions.num_rows);
  require(params.opposite != nullptr || params.triangles.count == 0, op,
          ": opposite is missing (null); make it with buildTopology()");
  const std::int64_t num_vertices = params.positions.num_rows;
  std::int64_t outside = 0;  // the sign bit collects what is out of range
  for (std::int64_t i = 0; i < 3 * params.triangles.count; ++i)
    outside |= (std::int64_t{params.opposite[i]} + 1) | (num_vertices - 1 - params.opposite[i]);
  if (outside >= 0) return;
  for (std::int64_t i = 0; i < 3 * params.triangles.count; ++i) {
    require(params.opposite[i] >= -1 && params.opposite[i] < num_vertices, op, ": opposite[", i, "] is ",
            params.opposite[i], ", but there are ", num_vertices,
            " vertices; was it built for another index buffer?");
  }
}

// The bands of all images of a call and their blends.
class Bands {
 public:
  Bands(const char* op, const AntialiasParams& params)
      : op_(op),
        params_(params),
        per_image_((params.colour.height - 1) / kBandRows + 1),
        blends_(static_cast<std::size_t>(params.colour.num_images) * static_cast<std::size_t>(per_image_)) {
    const int num_views = params.positions.image_stride == 0 ? 1 : params.colour.num_images;
    for (int i = 0; i < num_views; ++i) {
      silhouettes_.emplace_back(params.positions.data + i * params.positions.image_stride, params.triangles,
                                params.opposite);
    }
  }

  int count() const { return static_cast<int>(blends_.size()); }
  int perImage() const { return per_image_; }
  int image(int band) const { return band / per_image_; }
  int yBegin(int band) const { return band % per_image_ * kBandRows; }
  int yEnd(int band) const { return std::min(yBegin(band) + kBandRows, params_.colour.height); }

  void find(int band) {
    const std::size_t view = params_.positions.image_stride == 0 ? 0 : static_cast<std::size_t>(image(band));
    blends_[static_cast<std::size_t>(band)] =
        findBlends(op_, params_, silhouettes_[view], image(band), yBegin(band), yEnd(band));
  }

  // Calls visit(blend) for those whose receiver lies in the band, once all bands were found.
  template <typename Visit>
  void forEachReceived(int band, Visit&& visit) const {
    const int y_begin = yBegin(band), y_end = yEnd(band);
    for (const Blend& blend : blends_[static_cast<std::size_t>(band)].all) {
      if (receiver(blend).y >= y_begin) visit(blend);
    }
    if (y_end == params_.colour.height) return;
    const BandBlends& below = blends_[static_cast<std::size_t>(band) + 1];
    for (std::size_t i = 0; i < below.num_from_above; ++i) {
      if (receiver(below.all[i]).y < y_end) visit(below.all[i]);
    }
  }

 private:
  const char* op_;
  const AntialiasParams& params_;
  int per_image_;
  std::vector<BandBlends> blends_;
  std::vector<SilhouetteEdges> silhouettes_;  // per image, or one for all
};

void copyRows(const ConstImages& from, const Images& to, int image, int y_begin, int y_end) {
  const std::size_t row_bytes =
      sizeof(float) * static_cast<std::size_t>(from.width) * static_cast<std::size_t>(from.channels);
  for (int y = y_begin; y < y_end; ++y)
    std::memcpy(pixelAt(to, image, {0, y}), pixelAt(from, image, {0, y}), row_bytes);
}

// Calls visit(pixel) for a pixel and its up to four neighbours.
template <typename Visit>
void forEachAround(const ConstImages& images, Pixel p, Visit&& visit) {
  visit(p);
  if (p.y > 0) visit(Pixel{p.x, p.y - 1});
  if (p.x > 0) visit(Pixel{p.x - 1, p.y});
  if (p.x + 1 < images.width) visit(Pixel{p.x + 1, p.y});
  if (p.y + 1 < images.height) visit(Pixel{p.x, p.y + 1});
}

struct Range {
  float low, high;
};
Range rangeAround(const ConstImages& colour, int image, Pixel pixel, int channel) {
  const float start = pixelAt(colour, image, pixel)[channel];
  Range range = {start, start};
  forEachAround(colour, pixel, [&](Pixel p) {
    const float value = pixelAt(colour, image, p)[channel];
    range = {std::min(range.low, value), std::max(range.high, value)};
  });
  return range;
}

// Calls body with the number of channels as a constant where that is worth its code.
template <typename Body>
void withChannels(int channels, Body&& body) {
  switch (channels) {
    case 1:
      return body(std::integral_constant<int, 1>{});
    case 3:
      return body(std::integral_constant<int, 3>{});
    case 4:
      return body(std::integral_constant<int, 4>{});
    default:
      return body(channels);
  }
}

// The gradient of the loss with respect to where the edge crosses, handed to the edge's two vertices.
void addEdgeGradient(const AntialiasParams& params, int image, const Blend& blend, double loss_by_crossing,
                     std::vector<VertexGradient>* addends) {
  const float* const positions = params.positions.data + image * params.positions.image_stride;
  const std::int32_t* const corner = params.triangles.data + 3 * blend.triangle;
  const std::int32_t vertex_a = corner[blend.edge], vertex_b = corner[blend.edge == 2 ? 0 : blend.edge + 1];
  const PixelFrame frame(params.colour, ownPixel(blend), blend.step_x, blend.step_y);
  const Relative a = frame.relative(positions + 4 * std::int64_t{vertex_a});
  const Relative b = frame.relative(positions + 4 * std::int64_t{vertex_b});
  const double scale = loss_by_crossing / denominator(a, b), c = numerator(a, b) / denominator(a, b);
  if (!(c > 0 && c < 1)) return;  // saturated
  // across b.along - along b.across over the denominator, differentiated by its six inputs.
  const VertexGradient to_a =
      frame.gradient(vertex_a, {-b.across * scale, (b.along - c * b.w) * scale, c * b.across * scale});
  const VertexGradient to_b =
      frame.gradient(vertex_b, {a.across * scale, (c * a.w - a.along) * scale, -c * a.across * scale});
  // An edge that ends at the eye, or a colour that is not finite: no direction to give.
  const float finite = (to_a.x + to_a.y + to_a.w) + (to_b.x + to_b.y + to_b.w);
  if (!std::isfinite(finite)) return;
  addends->push_back(to_a);
  addends->push_back(to_b);
}

// All that the backward pass does for one band: receivers in its rows, givers there or one row beyond.
class BackwardBand {
 public:
  BackwardBand(const AntialiasBackwardParams& params, const Bands& bands, int band,
               std::vector<VertexGradient>* addends)
      : params_(params), image_(bands.image(band)), addends_(addends) {
    bands.forEachReceived(band, [&](const Blend& blend) { blends_.push_back(&blend); });
    if (!params.forward.clamp) return;
    // Blends of one receiver belong together.
    std::stable_sort(blends_.begin(), blends_.end(), [](const Blend* a, const Blend* b) {
      const Pixel p = receiver(*a), q = receiver(*b);
      return p.y != q.y ? p.y < q.y : p.x < q.x;
    });
    grad_.resize(static_cast<std::size_t>(params.forward.colour.channels));
  }

  template <typename Channels>
  void run(Channels channels) {
    for (std::size_t begin = 0; begin < blends_.size();) {
      std::size_t end = begin + 1;
      float weight = blends_[begin]->weight;
      const Pixel pixel = receiver(*blends_[begin]);
      while (params_.forward.clamp && end < blends_.size() && receiver(*blends_[end]).x == pixel.x &&
             receiver(*blends_[end]).y == pixel.y) {
        weight += blends_[end++]->weight;
      }
      const float* grad = pixelAt(params_.grad_out, image_, pixel);
      if (weight > 1) grad = unclamped(pixel, begin, end, grad);  // smaller sums stay in range by themselves
      for (; begin < end; ++begin) backward(channels, *blends_[begin], grad);
    }
  }

 private:
  // Where clamping took hold of a channel, its gradient goes to the pixel that set the limit; the others are
  // left for the blends.
  const float* unclamped(Pixel pixel, std::size_t begin, std::size_t end, const float* grad_out) {
    const ConstImages& colour = params_.forward.colour;
    const float* const own = pixelAt(colour, image_, pixel);
    for (int k = 0; k < colour.channels; ++k) {
      float value = own[k];
      for (std::size_t i = begin; i < end; ++i)
        value += blends_[i]->weight * (pixelAt(colour, image_, giver(*blends_[i]))[k] - own[k]);
      const Range range = rangeAround(colour, image_, pixel, k);
      const bool is_clamped = value < range.low || value > range.high;
      grad_[static_cast<std::size_t>(k)] = is_clamped ? 0 : grad_out[k];
      if (!is_clamped || !params_.grad_colour.present()) continue;
      const float limit = value < range.low ? range.low : range.high;
      bool found = false;
      forEachAround(colour, pixel, [&](Pixel p) {
        if (found || pixelAt(colour, image_, p)[k] != limit) return;
        found = true;
        pixelAt(params_.grad_colour, image_, pixel)[k] -= grad_out[k];
        pixelAt(params_.grad_colour, image_, p)[k] += grad_out[k];
      });
    }
    return grad_.data();
  }

  template <typename Channels>
  void backward(Channels channels, const Blend& blend, const float* grad) {
    if (params_.grad_colour.present()) {
      float* const to_receiver = pixelAt(params_.grad_colour, image_, receiver(blend));
      float* const to_giver = pixelAt(params_.grad_colour, image_, giver(blend));
      for (int k = 0; k < channels; ++k) {
        const float moved = blend.weight * grad[k];
        to_receiver[k] -= moved;
        to_giver[k] += moved;
      }
    }
    if (params_.grad_positions.present()) {
      // As the edge moves toward the other pixel, that one gains the own colour, or the own one loses the
      // other.
      const float* const own = pixelAt(params_.forward.colour, image_, ownPixel(blend));
      const float* const other = pixelAt(params_.forward.colour, image_, otherPixel(blend));
      float loss_by_crossing = 0;
      for (int k = 0; k < channels; ++k) loss_by_crossing += grad[k] * (own[k] - other[k]);
      if (loss_by_crossing != 0) addEdgeGradient(params_.forward, image_, blend, loss_by_crossing, addends_);
    }
  }

  const AntialiasBackwardParams& params_;
  int image_;
  std::vector<VertexGradient>* addends_;
  std::vector<const Blend*> blends_;
  std::vector<float> grad_;  // of one pixel
};

}  // namespace

void antialiasCpu(const AntialiasParams& params) {
  constexpr const char* kOp = "antialias";
  check(kOp, params);
  const ConstImages& colour = params.colour;
  checkOutput(kOp, "out", params.out, colour.num_images, colour.height, colour.width, colour.channels);
  if (colour.numPixels() == 0) return;
  require(params.out.data != colour.data, kOp, ": out is colour; blending needs the original colours");

  Bands bands(kOp, params);
  parallelFor(bands.count(), 1, [&](int begin, int end) {
    for (int band = begin; band < end; ++band) {
      bands.find(band);
      copyRows(colour, params.out, bands.image(band), bands.yBegin(band), bands.yEnd(band));
    }
  });
  parallelFor(bands.count(), 1, [&](int begin, int end) {
    for (int band = begin; band < end; ++band) {
      const int image = bands.image(band);
      withChannels(colour.channels, [&](auto channels) {
        bands.forEachReceived(band, [&](const Blend& blend) {
          if (blend.weight == 0) return;  // an infinite colour must not become a NaN
          const float* const from = pixelAt(colour, image, giver(blend));
          const float* const own = pixelAt(colour, image, receiver(blend));
          float* const out = pixelAt(params.out, image, receiver(blend));
          for (int k = 0; k < channels; ++k) out[k] += blend.weight * (from[k] - own[k]);
        });
      });
      if (!params.clamp) continue;
      bands.forEachReceived(band, [&](const Blend& blend) {
        float* const out = pixelAt(params.out, image, receiver(blend));
        for (int k = 0; k < colour.channels; ++k) {
          const Range range = rangeAround(colour, image, receiver(blend), k);
          out[k] = std::min(std::max(out[k], range.low), range.high);
        }
      });
    }
  });
}

void antialiasBackwardCpu(const AntialiasBackwardParams& params) {
  constexpr const char* kOp = "antialias backward";
  const AntialiasParams& forward = params.forward;
  const ConstImages& colour = forward.colour;
  check(kOp, forward);
  checkImages(kOp, "grad_out", params.grad_out, colour.num_images, colour.height, colour.width,
              colour.channels);
  if (params.grad_colour.present()) {
    checkOutput(kOp, "grad_colour", params.grad_colour, colour.num_images, colour.height, colour.width,
                colour.channels);
    require(params.grad_colour.data != params.grad_out.data || colour.numPixels() == 0, kOp,
            ": grad_colour is grad_out; they need memory of their own");
  }
  if (params.grad_positions.present())
    checkRows(kOp, "grad_positions", params.grad_positions, forward.positions.num_rows, 4);

  std::vector<std::vector<VertexGradient>> addends;
  if (colour.numPixels() > 0) {
    Bands bands(kOp, forward);
    parallelFor(bands.count(), 1, [&](int begin, int end) {
      for (int band = begin; band < end; ++band) {
        bands.find(band);
        if (!params.grad_colour.present()) continue;
        copyRows(params.grad_out, params.grad_colour, bands.image(band), bands.yBegin(band),
                 bands.yEnd(band));
      }
    });
    // A band also writes to the rows next to it: no two neighbours at the same time.
    addends.resize(static_cast<std::size_t>(bands.count()));
    for (const int parity : {0, 1}) {
      parallelFor(bands.count(), 1, [&](int begin, int end) {
        for (int band = begin; band < end; ++band) {
          if (band % bands.perImage() % 2 != parity) continue;
          BackwardBand backward(params, bands, band, &addends[static_cast<std::size_t>(band)]);
          withChannels(colour.channels, [&](auto channels) { backward.run(channels); });
        }
      });
    }
  }
  if (params.grad_positions.present()) sumVertexGradients(addends, colour.num_images, params.grad_positions);
}

}  // namespace facet::ops
