// Gradients of a rasterized image with respect to where its discontinuities lie: Pidhorskyi et al.,
// "Rasterized Edge Gradients: Handling Discontinuities Differentiably", ECCV 2024. The boundary between two
// surfaces is taken as made of pixel sides. Moving the side between neighbours A and B by d pixels toward B
// changes the image by d (I_A - I_B) there, so that the loss changes by d times
//   g = (dL/dI_A + dL/dI_B) / 2 · (I_A - I_B).
// What moves the side, in clip space:
//
// Occlusion. The boundary is the front triangle's, and goes where its surface goes. With barycentrics b at
// the front pixel and w there, NDC X = Σ b_k x_k / w changes by b_k / w · (dx_k - X dw_k); Y likewise. A side
// between horizontal neighbours follows X, one between vertical neighbours Y. Together they count a slanted
// boundary's motion once.
//
// Intersection. Both surfaces have an affine NDC depth on screen, z = α X + β Y + γ, hence α x + β y + γ w -
// z is 0 on the whole plane in clip space. Where vertex k moves, depth at a fixed screen position changes by
//   δz = b_k / w · (dz_k - α dx_k - β dy_k - γ dw_k).
// The boundary z_A = z_B has the screen normal D = ∇(z_A - z_B), and moves along it by -(δz_A - δz_B) D /
// |D|². A side between horizontal neighbours takes the X part of that displacement, one between vertical
// neighbours the Y part; again both together count it once, at any slant.

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "render/cpu/pixel_pairs.h"
#include "render/ops/antialias.h"
#include "render/ops/checks.h"

namespace facet::ops {
namespace {

constexpr int kBandRows = 16;
// A pixel centre counts as inside of a triangle when it is that far from its edges. Vertices are rasterized
// up to 1/512 px beside their place, and neighbours on a mesh must not seem to overlap there.
constexpr double kMargin = 1.0 / 256;

// A screen position in NDC with the pixel size, or a gradient there.
struct Vector2 {
  double x, y;
};

// Homogeneous edge functions of a clip-space triangle: at a screen position, barycentric k is values[k] / Σ
// values, and values[k] / determinant is barycentric k over w.
class ScreenTriangle {
 public:
  ScreenTriangle(const float* positions, const std::int32_t* corner) {
    for (int k = 0; k < 3; ++k) {
      const float* const p = positions + 4 * std::int64_t{corner[k]};
      x_[k] = p[0];
      y_[k] = p[1];
      z_[k] = p[2];
      w_[k] = p[3];
    }
    determinant_ = 0;
    for (int k = 0; k < 3; ++k) {
      const int i = k == 2 ? 0 : k + 1, j = i == 2 ? 0 : i + 1;
      slope_x_[k] = y_[i] * w_[j] - w_[i] * y_[j];
      slope_y_[k] = w_[i] * x_[j] - x_[i] * w_[j];
    }
    const double constant = x_[1] * y_[2] - y_[1] * x_[2];
    determinant_ = slope_x_[0] * x_[0] + slope_y_[0] * y_[0] + constant * w_[0];
  }

  double w(int k) const { return w_[k]; }
  double determinant() const { return determinant_; }

  void edgeFunctions(const Vector2& ndc, double* values) const {
    double qx[3], qy[3];
    for (int k = 0; k < 3; ++k) {
      qx[k] = x_[k] - ndc.x * w_[k];
      qy[k] = y_[k] - ndc.y * w_[k];
    }
    for (int k = 0; k < 3; ++k) {
      const int i = k == 2 ? 0 : k + 1, j = i == 2 ? 0 : i + 1;
      values[k] = qx[i] * qy[j] - qy[i] * qx[j];
    }
  }

  // In front of the eye and not too close to an edge. `pixel` is the size of one in NDC.
  bool contains(const Vector2& ndc, const Vector2& pixel) const {
    double values[3];
    edgeFunctions(ndc, values);
    for (int k = 0; k < 3; ++k) {
      const double across_x = slope_x_[k] * pixel.x, across_y = slope_y_[k] * pixel.y;
      const double margin_squared = kMargin * kMargin * (across_x * across_x + across_y * across_y);
      if (!(values[k] * determinant_ > 0 && values[k] * values[k] > margin_squared)) return false;
    }
    return true;
  }

  // α and β of z = α X + β Y + γ.
  Vector2 depthSlope() const {
    return {(z_[0] * slope_x_[0] + z_[1] * slope_x_[1] + z_[2] * slope_x_[2]) / determinant_,
            (z_[0] * slope_y_[0] + z_[1] * slope_y_[1] + z_[2] * slope_y_[2]) / determinant_};
  }
  double depth(const double* values) const {
    return (z_[0] * values[0] + z_[1] * values[1] + z_[2] * values[2]) / determinant_;
  }

 private:
  double x_[3], y_[3], z_[3], w_[3];
  double slope_x_[3], slope_y_[3];  // of the edge functions, per NDC
  double determinant_;
};

struct Pair {
  std::int64_t triangle[2];  // -1 = background
  int x[2], y[2];
  bool is_vertical;
};

class EdgeGradients {
 public:
  EdgeGradients(const EdgeGradientParams& params, int image, std::vector<VertexGradient>* addends)
      : params_(params),
        image_(image),
        positions_(params.positions.data + image * params.positions.image_stride),
        half_width_(0.5 * params.colour.width),
        half_height_(0.5 * params.colour.height),
        addends_(addends) {}

  void run(const char* op, int y_begin, int y_end) {
    forEachPair(op, params_.rast, image_, y_begin, y_end, params_.triangles.count,
                [&](int x, int y, bool is_vertical, std::int32_t first, std::int32_t second) {
                  visit({{std::int64_t{first} - 1, std::int64_t{second} - 1},
                         {x, is_vertical ? x : x + 1},
                         {y, is_vertical ? y + 1 : y},
                         is_vertical});
                });
  }

 private:
  const float* at(const ConstImages& images, const Pair& pair, int side) const {
    return images.data + image_ * images.image_stride + pair.y[side] * images.row_stride +
           std::int64_t{pair.x[side]} * images.channels;
  }
  Vector2 centre(const Pair& pair, int side) const {
    return {(pair.x[side] + 0.5) / half_width_ - 1, 1 - (pair.y[side] + 0.5) / half_height_};
  }
  const std::int32_t* corners(const Pair& pair, int side) const {
    return params_.triangles.data + 3 * pair.triangle[side];
  }

  // g: per pixel that the common side of a pair moves toward the second pixel.
  double lossByShift(const Pair& pair) const {
    const float *const first = at(params_.colour, pair, 0), *const second = at(params_.colour, pair, 1);
    const float *const g0 = at(params_.grad_out, pair, 0), *const g1 = at(params_.grad_out, pair, 1);
    float loss = 0;
    for (int k = 0; k < params_.colour.channels; ++k) loss += (g0[k] + g1[k]) * (first[k] - second[k]);
    return 0.5 * loss;
  }

  void visit(const Pair& pair) {
    if (pair.triangle[0] < 0) return moveSurface(pair, 1);
    if (pair.triangle[1] < 0) return moveSurface(pair, 0);
    const ScreenTriangle a(positions_, corners(pair, 0)), b(positions_, corners(pair, 1));
    const Vector2 pixel = {1 / half_width_, 1 / half_height_};
    const bool a_goes_on = a.contains(centre(pair, 1), pixel), b_goes_on = b.contains(centre(pair, 0), pixel);
    if (a_goes_on && b_goes_on) return moveIntersection(pair, a, b);
    if (a_goes_on) return moveSurface(pair, 1);  // b ends in front of a
    if (b_goes_on) return moveSurface(pair, 0);
    // Neither: neighbours on one surface.
  }

  // The side goes where the surface at one of the pixels goes.
  void moveSurface(const Pair& pair, int side) {
    const double loss_by_shift = lossByShift(pair);
    if (loss_by_shift == 0) return;
    const float* const rast = at(params_.rast, pair, side);
    const std::int32_t* const corner = corners(pair, side);
    const double barycentric[3] = {rast[0], rast[1], 1.0 - rast[0] - rast[1]};
    double w = 0;
    for (int k = 0; k < 3; ++k) w += barycentric[k] * positions_[4 * std::int64_t{corner[k]} + 3];
    const Vector2 ndc = centre(pair, side);
    Gradient gradient[3];
    for (int k = 0; k < 3; ++k) {
      const double share = barycentric[k] / w * loss_by_shift;
      if (pair.is_vertical) {
        gradient[k] = {0, -half_height_ * share, 0, half_height_ * ndc.y * share};
      } else {
        gradient[k] = {half_width_ * share, 0, 0, -half_width_ * ndc.x * share};
      }
    }
    add(corner, gradient);
  }

  void moveIntersection(const Pair& pair, const ScreenTriangle& a, const ScreenTriangle& b) {
    // Where the depths are equal, between the two pixel centres.
    double first_a[3], first_b[3], second_a[3], second_b[3];
    a.edgeFunctions(centre(pair, 0), first_a);
    b.edgeFunctions(centre(pair, 0), first_b);
    a.edgeFunctions(centre(pair, 1), second_a);
    b.edgeFunctions(centre(pair, 1), second_b);
    const double ahead_first = a.depth(first_a) - b.depth(first_b);
    const double ahead_second = a.depth(second_a) - b.depth(second_b);
    double t = ahead_first / (ahead_first - ahead_second);
    if (!(t >= 0 && t <= 1)) t = 0.5;  // equal depths, up to rounding
    const Vector2 from = centre(pair, 0), to = centre(pair, 1);
    const Vector2 ndc = {from.x + t * (to.x - from.x), from.y + t * (to.y - from.y)};

    // Pixels that the side moves per unit of depth difference.
    const Vector2 slope_a = a.depthSlope(), slope_b = b.depthSlope();
    const Vector2 normal = {(slope_a.x - slope_b.x) / half_width_, -(slope_a.y - slope_b.y) / half_height_};
    const double step =
        (pair.is_vertical ? normal.y : normal.x) / (normal.x * normal.x + normal.y * normal.y);
    if (!std::isfinite(step)) return;  // parallel
    const double limit = params_.max_step;
    const double loss_by_depth = -lossByShift(pair) * std::clamp(step, -limit, limit);

    moveDepth(corners(pair, 0), a, slope_a, ndc, loss_by_depth);
    moveDepth(corners(pair, 1), b, slope_b, ndc, -loss_by_depth);
  }

  void moveDepth(const std::int32_t* corner, const ScreenTriangle& triangle, const Vector2& slope,
                 const Vector2& ndc, double loss_by_depth) {
    double values[3];
    triangle.edgeFunctions(ndc, values);
    const double offset = triangle.depth(values) - slope.x * ndc.x - slope.y * ndc.y;
    Gradient gradient[3];
    for (int k = 0; k < 3; ++k) {
      const double share = values[k] / triangle.determinant() * loss_by_depth;
      gradient[k] = {-slope.x * share, -slope.y * share, share, -offset * share};
    }
    add(corner, gradient);
  }

  struct Gradient {
    double x, y, z, w;
  };
  void add(const std::int32_t* corner, const Gradient* gradient) {
    VertexGradient addend[3];
    float sum = 0;
    for (int k = 0; k < 3; ++k) {
      addend[k] = {corner[k], static_cast<float>(gradient[k].x), static_cast<float>(gradient[k].y),
                   static_cast<float>(gradient[k].z), static_cast<float>(gradient[k].w)};
      sum += addend[k].x + addend[k].y + addend[k].z + addend[k].w;
    }
    if (!std::isfinite(sum)) return;  // a vertex at the eye, or a colour that is not finite
    addends_->insert(addends_->end(), addend, addend + 3);
  }

  const EdgeGradientParams& params_;
  int image_;
  const float* positions_;
  double half_width_, half_height_;
  std::vector<VertexGradient>* addends_;
};

}  // namespace

void edgeGradientCpu(const EdgeGradientParams& params) {
  constexpr const char* kOp = "edgeGradient";
  const ConstImages& colour = params.colour;
  checkImages(kOp, "colour", colour, colour.num_images, colour.height, colour.width, colour.channels);
  checkImages(kOp, "rast", params.rast, colour.num_images, colour.height, colour.width, 4);
  checkImages(kOp, "grad_out", params.grad_out, colour.num_images, colour.height, colour.width,
              colour.channels);
  checkRows(kOp, "positions", params.positions, params.positions.num_rows, 4);
  checkRows(kOp, "grad_positions", params.grad_positions, params.positions.num_rows, 4);
  checkTriangles(kOp, params.triangles);
  checkIndices(kOp, params.triangles.data, params.triangles.count, params.positions.num_rows);
  require(params.max_step > 0, kOp, ": max_step is ", params.max_step,
          "; give the pixels that an intersection may move per unit of depth, above 0");

  std::vector<std::vector<VertexGradient>> addends;
  if (colour.numPixels() > 0) {
    const int bands = (colour.height - 1) / kBandRows + 1;
    addends.resize(static_cast<std::size_t>(colour.num_images) * static_cast<std::size_t>(bands));
    parallelFor(static_cast<int>(addends.size()), 1, [&](int begin, int end) {
      for (int i = begin; i < end; ++i) {
        const int y_begin = i % bands * kBandRows;
        EdgeGradients(params, i / bands, &addends[static_cast<std::size_t>(i)])
            .run(kOp, y_begin, std::min(y_begin + kBandRows, colour.height));
      }
    });
  }
  sumVertexGradients(addends, colour.num_images, params.grad_positions);
}

}  // namespace facet::ops
