#include "fitting/scan_error.h"

#include <Eigen/Cholesky>
#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "core/check.h"
#include "core/closest_point.h"
#include "core/parallel.h"

namespace facet {
namespace {

constexpr int kQueryChunk = 256;

using Points = std::vector<Eigen::Vector3d>;

struct Similarity {  // target = scale rotation source + translation
  double scale = 1;
  Eigen::Matrix3d rotation = Eigen::Matrix3d::Identity();
  Eigen::Vector3d translation = Eigen::Vector3d::Zero();
};

Similarity alignLandmarks(const ScanLandmarks& source, const ScanLandmarks& target, bool with_scale) {
  const Eigen::Matrix4d transform = Eigen::umeyama(source.transpose(), target.transpose(), with_scale);
  Similarity result;
  result.scale = with_scale ? std::cbrt(transform.topLeftCorner<3, 3>().determinant()) : 1.0;
  result.rotation = transform.topLeftCorner<3, 3>() / result.scale;
  result.translation = transform.topRightCorner<3, 1>();
  return result;
}

// Points spread over the surface by area: the area is cut into equal strips and one point drawn from each, so
// the density is even and equal seeds give equal points.
Points sampleSurface(const Points& vertices, const Triangles& triangles, int num_samples, unsigned seed) {
  std::vector<double> area_up_to(triangles.rows());
  double area = 0;
  for (int f = 0; f < triangles.rows(); ++f) {
    const Eigen::Vector3d& a = vertices[triangles(f, 0)];
    area += (vertices[triangles(f, 1)] - a).cross(vertices[triangles(f, 2)] - a).norm() / 2;
    area_up_to[f] = area;
  }
  std::mt19937_64 generator(seed);
  const auto uniform = [&] { return static_cast<double>(generator() >> 11) * 0x1p-53; };
  Points samples(num_samples);
  std::size_t f = 0;
  for (int i = 0; i < num_samples; ++i) {
    const double at = area * (i + uniform()) / num_samples;
    while (f + 1 < area_up_to.size() && area_up_to[f] < at) ++f;
    double u = uniform(), v = uniform();
    if (u + v > 1) u = 1 - u, v = 1 - v;  // fold the unit square onto the triangle
    const Eigen::Vector3d& a = vertices[triangles(f, 0)];
    samples[i] = a + u * (vertices[triangles(f, 1)] - a) + v * (vertices[triangles(f, 2)] - a);
  }
  return samples;
}

// Which points at least one of nine views of the front of the face sees, by orthographic depth maps that are
// splatted from surface samples: 18 per depth pixel leave no holes, and the tolerance covers the depth range
// that a slope of 50 degrees has within a pixel.
std::vector<bool> seenFromOutside(const Points& points, const Points& vertices, const Triangles& triangles,
                                  const ScanLandmarks& landmarks, unsigned seed) {
  constexpr double kPixelMm = 1.5, kToleranceMm = 2.0, kSamplesPerMm2 = 8;
  const auto landmark = [&](int i) { return Eigen::Vector3d(landmarks.row(i)); };
  const Eigen::Vector3d left = (landmark(3) - landmark(0)).normalized();
  const Eigen::Vector3d eyes_from_mouth = landmark(0) + landmark(3) - landmark(5) - landmark(6);
  const Eigen::Vector3d up = (eyes_from_mouth - left.dot(eyes_from_mouth) * left).normalized();
  Eigen::Matrix3d head_from_scan;
  head_from_scan << left.transpose(), up.transpose(), left.cross(up).transpose();

  // Only triangles near the points can hide them.
  const Eigen::Vector3d center = std::accumulate(points.begin(), points.end(), Eigen::Vector3d(0, 0, 0)) /
                                 static_cast<double>(points.size());
  double radius = 0;
  for (const Eigen::Vector3d& point : points) radius = std::max(radius, (point - center).norm());
  Triangles near(triangles.rows(), 3);
  int num_near = 0;
  double area_mm2 = 0;
  for (int f = 0; f < triangles.rows(); ++f) {
    const auto is_near = [&](int k) { return (vertices[triangles(f, k)] - center).norm() < 2 * radius; };
    if (!is_near(0) && !is_near(1) && !is_near(2)) continue;
    near.row(num_near++) = triangles.row(f);
    const Eigen::Vector3d& a = vertices[triangles(f, 0)];
    area_mm2 += (vertices[triangles(f, 1)] - a).cross(vertices[triangles(f, 2)] - a).norm() / 2;
  }
  near.conservativeResize(num_near, 3);
  const Points surface = sampleSurface(vertices, near, static_cast<int>(area_mm2 * kSamplesPerMm2), seed);

  std::vector<bool> seen(points.size(), false);
  constexpr double kViewsDeg[9][2] = {{0, 0},  {30, 0},  {-30, 0},  {60, 0},   {-60, 0},
                                      {0, 30}, {0, -30}, {30, -30}, {-30, -30}};
  for (const auto& [yaw_deg, pitch_deg] : kViewsDeg) {
    const Eigen::Matrix3d view_from_scan =
        Eigen::AngleAxisd(pitch_deg * M_PI / 180, Eigen::Vector3d::UnitX()) *
        Eigen::AngleAxisd(yaw_deg * M_PI / 180, Eigen::Vector3d::UnitY()) * head_from_scan;
    Eigen::Array2d low = Eigen::Array2d::Constant(std::numeric_limits<double>::max()), high = -low;
    for (const Points* set : {&points, &surface}) {
      for (const Eigen::Vector3d& point : *set) {
        const Eigen::Array2d xy = (view_from_scan * point).head<2>().array();
        low = low.min(xy);
        high = high.max(xy);
      }
    }
    const int width = static_cast<int>((high[0] - low[0]) / kPixelMm) + 1;
    const int height = static_cast<int>((high[1] - low[1]) / kPixelMm) + 1;
    std::vector<double> depth(static_cast<std::size_t>(width) * height,
                              -std::numeric_limits<double>::infinity());
    const auto cell = [&](const Eigen::Vector3d& point_in_view) {
      const int x = static_cast<int>((point_in_view[0] - low[0]) / kPixelMm);
      const int y = static_cast<int>((point_in_view[1] - low[1]) / kPixelMm);
      return static_cast<std::size_t>(std::min(y, height - 1)) * width + std::min(x, width - 1);
    };
    for (const Eigen::Vector3d& point : surface) {
      const Eigen::Vector3d point_in_view = view_from_scan * point;
      double& nearest = depth[cell(point_in_view)];
      nearest = std::max(nearest, point_in_view[2]);
    }
    for (std::size_t i = 0; i < points.size(); ++i) {
      const Eigen::Vector3d point_in_view = view_from_scan * points[i];
      if (point_in_view[2] >= depth[cell(point_in_view)] - kToleranceMm) seen[i] = true;
    }
  }
  return seen;
}

// Distances of scan points to the surface under a similarity, and which of them the alignment counts.
struct Distances {
  Points foot;  // on the surface, scan frame
  std::vector<int> triangle;
  std::vector<double> mm;
  std::vector<int> kept;  // indices of the nearest points
  double cost = 0;        // sum of squared distances of the kept ones
};

Distances measure(const SurfaceIndex& surface, const Points& points, const Similarity& scan_from_mesh,
                  int num_kept) {
  const int count = static_cast<int>(points.size());
  Distances result{Points(count), std::vector<int>(count), std::vector<double>(count),
                   std::vector<int>(count), 0};
  parallelFor(count, kQueryChunk, [&](int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const Eigen::Vector3d point_in_mesh = scan_from_mesh.rotation.transpose() *
                                            (points[i] - scan_from_mesh.translation) / scan_from_mesh.scale;
      const SurfaceIndex::Hit hit = surface.closest(point_in_mesh);
      result.foot[i] =
          scan_from_mesh.scale * (scan_from_mesh.rotation * hit.point) + scan_from_mesh.translation;
      result.triangle[i] = hit.triangle;
      result.mm[i] = scan_from_mesh.scale * hit.distance;
    }
  });
  std::iota(result.kept.begin(), result.kept.end(), 0);
  if (num_kept < count) {
    std::stable_sort(result.kept.begin(), result.kept.end(),
                     [&](int i, int j) { return result.mm[i] < result.mm[j]; });
    result.kept.resize(num_kept);
  }
  for (int i : result.kept) result.cost += result.mm[i] * result.mm[i];
  return result;
}

// Levenberg-Marquardt on the distances |point - closest surface point|. The derivative of a distance is that
// of its foot point along the connecting line; that the foot also slides on the surface does not change it to
// first order.
Distances refine(const SurfaceIndex& surface, const Points& points, Similarity& scan_from_mesh,
                 bool with_scale, int num_kept) {
  using Vector7 = Eigen::Matrix<double, 7, 1>;
  using Matrix7 = Eigen::Matrix<double, 7, 7>;
  constexpr int kMaxIterations = 100;
  constexpr double kMinDamping = 1e-12, kMaxDamping = 1e6, kMinRelativeGain = 1e-8, kOnSurfaceMm = 1e-9;

  const Eigen::Vector3d center = std::accumulate(points.begin(), points.end(), Eigen::Vector3d(0, 0, 0)) /
                                 static_cast<double>(points.size());
  Distances now = measure(surface, points, scan_from_mesh, num_kept);
  double damping = 1e-6;
  for (int iteration = 0; iteration < kMaxIterations; ++iteration) {
    Matrix7 normal_matrix = Matrix7::Zero();
    Vector7 gradient = Vector7::Zero();
    for (int i : now.kept) {
      // A point on the surface has no connecting line; the triangle's normal is its limit.
      Eigen::Vector3d direction = points[i] - now.foot[i];
      if (now.mm[i] < kOnSurfaceMm) direction = scan_from_mesh.rotation * surface.normal(now.triangle[i]);
      direction.normalize();
      const Eigen::Vector3d arm = now.foot[i] - center;
      Vector7 row;
      row << -arm.cross(direction), -direction, -arm.dot(direction);
      normal_matrix += row * row.transpose();
      gradient += row * now.mm[i];
    }
    if (!with_scale) {
      normal_matrix.row(6).setZero();
      normal_matrix.col(6).setZero();
      normal_matrix(6, 6) = 1;
      gradient[6] = 0;
    }
    bool improved = false;
    double gain = 0;
    while (!improved && damping < kMaxDamping) {
      Matrix7 damped = normal_matrix;
      damped.diagonal() += damping * (normal_matrix.diagonal().array() + 1e-12).matrix();
      const Vector7 step = -damped.ldlt().solve(gradient);
      const double growth = std::exp(step[6]);
      const double angle = step.head<3>().norm();
      const Eigen::Matrix3d turn = angle > 0
                                       ? Eigen::AngleAxisd(angle, step.head<3>() / angle).toRotationMatrix()
                                       : Eigen::Matrix3d::Identity();
      const Similarity trial{
          growth * scan_from_mesh.scale, turn * scan_from_mesh.rotation,
          center + growth * (turn * (scan_from_mesh.translation - center)) + step.segment<3>(3)};
      Distances then = measure(surface, points, trial, num_kept);
      improved = then.cost < now.cost;
      damping = improved ? std::max(damping / 10, kMinDamping) : damping * 10;
      if (!improved) continue;
      gain = now.cost - then.cost;
      scan_from_mesh = trial;
      now = std::move(then);
    }
    if (!improved || gain < kMinRelativeGain * now.cost) break;
  }
  return now;
}

// Linear interpolation between the two nearest ranks, as numpy.percentile.
double quantile(const std::vector<double>& sorted, double fraction) {
  const double rank = fraction * static_cast<double>(sorted.size() - 1);
  const std::size_t below = static_cast<std::size_t>(rank);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (rank - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Points toDouble(const Points3& vertices) {
  Points result(vertices.rows());
  for (int v = 0; v < vertices.rows(); ++v) result[v] = vertices.row(v).cast<double>();
  return result;
}

}  // namespace

void ScanErrorOptions::check() const {
  require(num_samples >= 0, "ScanErrorOptions: num_samples is ", num_samples, ", it must not be negative");
  require(trim >= 0 && trim < 1, "ScanErrorOptions: trim is ", trim, ", it must lie in [0, 1)");
}

ScanError scanError(const Mesh& mesh, const ScanLandmarks& mesh_landmarks, const Mesh& scan,
                    const ScanLandmarks& scan_landmarks, const ScanErrorOptions& options) {
  options.check();
  scan.check("scanError: scan");
  require(mesh_landmarks.allFinite() && scan_landmarks.allFinite(), "scanError: a landmark is not finite");

  // The scan points that count.
  const Points vertices = toDouble(scan.vertices);
  require(scan.triangles.rows() > 0 || (options.num_samples == 0 && !options.outer),
          "scanError: the scan has no triangles, so it has no surface to sample or to look at from outside");
  const Points candidates = options.num_samples > 0
                                ? sampleSurface(vertices, scan.triangles, options.num_samples, options.seed)
                                : vertices;
  const Eigen::Vector3d bridge = (scan_landmarks.row(1) + scan_landmarks.row(2)) / 2;
  const Eigen::Vector3d nose_bottom = scan_landmarks.row(4);
  const double outer_eye_mm = (scan_landmarks.row(0) - scan_landmarks.row(3)).norm();
  const Eigen::Vector3d crop_center = nose_bottom + 0.3 * (bridge - nose_bottom);
  ScanError error;
  error.radius_mm = 1.4 * (outer_eye_mm + (bridge - nose_bottom).norm()) / 2;
  Points points;
  for (const Eigen::Vector3d& point : candidates) {
    if ((point - crop_center).norm() <= error.radius_mm) points.push_back(point);
  }
  if (options.outer && !points.empty()) {
    const std::vector<bool> seen =
        seenFromOutside(points, vertices, scan.triangles, scan_landmarks, options.seed);
    Points outside;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (seen[i]) outside.push_back(points[i]);
    }
    points = std::move(outside);
  }
  require(!points.empty(), "scanError: no point of the scan lies within ", error.radius_mm,
          " mm of its nose; are the scan's landmarks in the scan's own frame and in millimetres?");
  error.num_scan_points = static_cast<int>(points.size());

  // Alignment, first by landmarks, then by surface.
  const SurfaceIndex surface(mesh);
  Similarity scan_from_mesh = alignLandmarks(mesh_landmarks, scan_landmarks, !options.metric);
  const auto mean = [](const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  };
  const int count = error.num_scan_points;
  error.mean_after_landmarks_mm = mean(measure(surface, points, scan_from_mesh, count).mm);
  const int num_kept = count - static_cast<int>(options.trim * count);
  std::vector<double> mm = refine(surface, points, scan_from_mesh, !options.metric, num_kept).mm;
  error.scale = scan_from_mesh.scale;
  error.rotation = scan_from_mesh.rotation;
  error.translation = scan_from_mesh.translation;

  std::sort(mm.begin(), mm.end());
  error.mean_mm = mean(mm);
  double squares = 0;
  for (double distance : mm) squares += (distance - error.mean_mm) * (distance - error.mean_mm);
  error.std_mm = std::sqrt(squares / count);
  error.median_mm = quantile(mm, 0.5);
  error.p95_mm = quantile(mm, 0.95);
  error.max_mm = mm.back();
  return error;
}

}  // namespace facet
