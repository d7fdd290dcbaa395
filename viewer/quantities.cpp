#include "viewer/quantities.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "core/check.h"
#include "core/image.h"
#include "core/mesh_parts.h"
#include "core/parallel.h"
#include "core/surface_border.h"
#include "viewer/colour_map.h"

namespace facet {
namespace {

Eigen::RowVector3f linear(const Eigen::Vector3f& srgb) {
  return srgb.unaryExpr([](float value) { return linearFromSrgb(value); }).transpose();
}

// Mean of each vertex and its neighbours, weighted by edges.
Eigen::VectorXf meanOfNeighbours(const Triangles& triangles, const Eigen::VectorXf& values) {
  Eigen::VectorXf sum = values, count = Eigen::VectorXf::Ones(values.size());
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      const int here = triangles(f, k), next = triangles(f, (k + 1) % 3);
      sum[here] += values[next];
      sum[next] += values[here];
      ++count[here];
      ++count[next];
    }
  }
  return sum.cwiseQuotient(count);
}

constexpr int kQueryChunk = 256;

// A scan with what is needed to refuse points on its border.
class ScanSurface {
 public:
  explicit ScanSurface(const Mesh& scan)
      : index_(scan),
        border_(borderEdges(scan.triangles, weldedVertices(scan.vertices))),
        centre_((scan.vertices.colwise().minCoeff() + scan.vertices.colwise().maxCoeff()).cast<double>() / 2),
        nose_(foremost(scan.vertices)) {}

  // Closest point on the side that faces as `normal` (unit length) does; nothing when there is none, or when
  // the scan ends there and what lies beyond has no counterpart.
  std::optional<SurfaceIndex::Hit> closest(const Eigen::Vector3d& point, const Eigen::Vector3d& normal,
                                           double max_mm) const {
    constexpr double kMinCosine = 0.3;
    const SurfaceIndex::Hit hit =
        index_.closest(point, {.max_distance = max_mm, .normal = normal, .min_cosine = kMinCosine});
    if (hit.triangle < 0 || isOnBorder(index_, hit, border_)) return std::nullopt;
    return hit;
  }
  const Eigen::Vector3d& normal(int triangle) const { return index_.normal(triangle); }
  const Eigen::Vector3d& centre() const { return centre_; }
  const Eigen::Vector3d& nose() const { return nose_; }

  // The point farthest along +Z.
  static Eigen::Vector3d foremost(const Points3& points) {
    Eigen::Index nose = 0;
    points.col(2).maxCoeff(&nose);
    return points.row(nose).transpose().cast<double>();
  }

 private:
  SurfaceIndex index_;
  Triangles border_;
  Eigen::Vector3d centre_, nose_;
};

struct Similarity {
  double scale = 1;
  Eigen::Matrix3d rotation = Eigen::Matrix3d::Identity();
  Eigen::Vector3d translation = Eigen::Vector3d::Zero();

  Eigen::Vector3d operator*(const Eigen::Vector3d& point) const {
    return rotation * (scale * point) + translation;
  }
};

// Gauss-Newton on the distances to tangent planes, with weights that forget what does not fit (hair, the
// inside of the mouth). Returns the mean size of the distances of `samples`, those without a counterpart
// counting as `max_mm`.
double improve(const Points3& vertices, const Points3& normals, const std::vector<int>& samples,
               const ScanSurface& surface, double max_mm, bool with_scale, int num_rounds,
               Similarity& motion) {
  const auto count = static_cast<Eigen::Index>(samples.size());
  double mean_mm = max_mm;
  for (int round = 0; round < num_rounds; ++round) {
    Eigen::Matrix<double, Eigen::Dynamic, 7> rows(count, 7);
    Eigen::VectorXd residual = Eigen::VectorXd::Constant(count, std::numeric_limits<double>::quiet_NaN());
    parallelFor(static_cast<int>(count), kQueryChunk, [&](int begin, int end) {
      for (int i = begin; i < end; ++i) {
        const Eigen::Vector3d point = motion * vertices.row(samples[i]).transpose().cast<double>();
        const Eigen::Vector3d turned = motion.rotation * normals.row(samples[i]).transpose().cast<double>();
        const auto hit = surface.closest(point, turned, max_mm);
        if (!hit) continue;
        const Eigen::Vector3d& normal = surface.normal(hit->triangle);
        const Eigen::Vector3d from_origin = point - motion.translation;
        residual[i] = normal.dot(point - hit->point);
        rows.row(i) << from_origin.cross(normal).transpose(), normal.transpose(), normal.dot(from_origin);
      }
    });
    std::vector<double> sizes;
    for (const double value : residual) {
      if (!std::isnan(value)) sizes.push_back(std::abs(value));
    }
    constexpr std::size_t kEnough = 20;
    if (sizes.size() < kEnough) return max_mm;
    mean_mm = max_mm * static_cast<double>(samples.size() - sizes.size());
    for (const double size : sizes) mean_mm += size;
    mean_mm /= static_cast<double>(samples.size());
    std::nth_element(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2),
                     sizes.end());
    const double typical_mm = std::max(2 * sizes[sizes.size() / 2], 0.02);

    Eigen::Matrix<double, 7, 7> matrix = Eigen::Matrix<double, 7, 7>::Zero();
    Eigen::Matrix<double, 7, 1> right = Eigen::Matrix<double, 7, 1>::Zero();
    for (Eigen::Index i = 0; i < count; ++i) {
      if (std::isnan(residual[i])) continue;
      const double share = residual[i] / typical_mm, weight = 1 / ((1 + share * share) * (1 + share * share));
      matrix += weight * rows.row(i).transpose() * rows.row(i);
      right -= weight * rows.row(i).transpose() * residual[i];
    }
    const int unknowns = with_scale ? 7 : 6;
    const Eigen::VectorXd step = matrix.topLeftCorner(unknowns, unknowns).ldlt().solve(right.head(unknowns));
    if (!step.allFinite()) return max_mm;
    const Eigen::Vector3d turn = step.head<3>();
    if (turn.norm() > 0)
      motion.rotation =
          Eigen::AngleAxisd(turn.norm(), turn.normalized()).toRotationMatrix() * motion.rotation;
    motion.translation += step.segment<3>(3);
    if (with_scale) motion.scale *= std::clamp(1 + step[6], 0.8, 1.25);
    if (turn.norm() < 1e-7 && step.segment<3>(3).norm() < 1e-5) break;
  }
  return mean_mm;
}

Similarity aligned(const Points3& vertices, const Points3& normals, const ScanSurface& surface,
                   const ScanDistanceOptions& options) {
  constexpr float kFacesForward = 0.3F;
  constexpr int kCoarseSamples = 800, kFineSamples = 4000;
  std::vector<int> forward;
  for (int v = 0; v < static_cast<int>(vertices.rows()); ++v) {
    if (normals(v, 2) > kFacesForward) forward.push_back(v);
  }
  if (!options.face.empty()) forward = options.face;
  const auto some = [&](int wanted) {
    std::vector<int> chosen;
    const std::size_t step = std::max<std::size_t>(1, forward.size() / static_cast<std::size_t>(wanted));
    for (std::size_t i = 0; i < forward.size(); i += step) chosen.push_back(forward[i]);
    return chosen;
  };
  const std::vector<int> coarse = some(kCoarseSamples), fine = some(kFineSamples);
  const Eigen::Vector3d centre =
      (vertices.colwise().minCoeff() + vertices.colwise().maxCoeff()).transpose().cast<double>() / 2;
  Similarity best;
  double best_mm = std::numeric_limits<double>::max();
  const std::array<Eigen::Vector3d, 3> starts = {Eigen::Vector3d::Zero(), surface.centre() - centre,
                                                 surface.nose() - ScanSurface::foremost(vertices)};
  for (const Eigen::Vector3d& start : starts) {
    constexpr double kFar_mm = 40;
    Similarity motion;
    motion.translation = start;
    improve(vertices, normals, coarse, surface, kFar_mm, false, 25, motion);
    const double mean_mm =
        improve(vertices, normals, coarse, surface, kFar_mm, options.align_scale, 10, motion);
    if (mean_mm >= best_mm) continue;
    best_mm = mean_mm;
    best = motion;
  }
  improve(vertices, normals, fine, surface, options.max_mm, options.align_scale, 40, best);
  return best;
}

}  // namespace

Eigen::VectorXf meanCurvature(const Points3& vertices, const Triangles& triangles) {
  const Eigen::Index num_vertices = vertices.rows();
  // K(x_i) = 1 / (2 A) sum_j (cot α + cot β)(x_i - x_j) = 2 H n, with A the mixed area.
  Points3 normal_sum = Points3::Zero(num_vertices, 3);
  Eigen::VectorXf area = Eigen::VectorXf::Zero(num_vertices);
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    Eigen::Matrix3f corner;  // columns
    for (int k = 0; k < 3; ++k) corner.col(k) = vertices.row(triangles(f, k)).transpose();
    const float twice_area = (corner.col(1) - corner.col(0)).cross(corner.col(2) - corner.col(0)).norm();
    if (twice_area <= 0) continue;
    Eigen::Vector3f cosine, cotangent;
    for (int k = 0; k < 3; ++k) {
      const Eigen::Vector3f to_next = corner.col((k + 1) % 3) - corner.col(k),
                            to_last = corner.col((k + 2) % 3) - corner.col(k);
      cosine[k] = to_next.dot(to_last);
      // A sliver's angles mean nothing; its cotangents would drown everybody else's.
      cotangent[k] = std::clamp(cosine[k] / twice_area, -20.0F, 20.0F);
    }
    const bool is_obtuse = cosine.minCoeff() < 0;
    for (int k = 0; k < 3; ++k) {
      const int i = triangles(f, k), j = triangles(f, (k + 1) % 3);
      const int opposite = (k + 2) % 3;
      const Eigen::RowVector3f edge = vertices.row(i) - vertices.row(j);
      normal_sum.row(i) += cotangent[opposite] * edge;
      normal_sum.row(j) -= cotangent[opposite] * edge;
      if (is_obtuse) {
        area[i] += twice_area / (cosine[k] < 0 ? 4 : 8);
      } else {
        const float share = cotangent[opposite] * edge.squaredNorm() / 8;  // of the Voronoi cell
        area[i] += share;
        area[j] += share;
      }
    }
  }
  const Points3 normals = vertexNormals(vertices, triangles);
  Eigen::VectorXf curvature(num_vertices);
  for (Eigen::Index v = 0; v < num_vertices; ++v) {
    curvature[v] = area[v] > 0 ? normal_sum.row(v).dot(normals.row(v)) / (4 * area[v]) : 0;
  }
  // Where the surface ends there is no closed ring to sum over.
  std::vector<int> as_they_are(static_cast<std::size_t>(num_vertices));
  for (std::size_t v = 0; v < as_they_are.size(); ++v) as_they_are[v] = static_cast<int>(v);
  const Triangles border = borderEdges(triangles, as_they_are);
  for (Eigen::Index f = 0; f < border.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      if (border(f, k)) curvature[triangles(f, (k + 1) % 3)] = curvature[triangles(f, (k + 2) % 3)] = 0;
    }
  }
  return meanOfNeighbours(triangles, curvature);
}

Points3 pnccColours(const Points3& mean) {
  const Eigen::RowVector3f low = mean.colwise().minCoeff(), high = mean.colwise().maxCoeff();
  const Eigen::RowVector3f extent = (high - low).cwiseMax(1e-6F);
  return (mean.rowwise() - low).array().rowwise() / extent.array();
}

Points3 regionColours(const MorphableModel& model, int region) {
  const Eigen::RowVector3f dimmed = linear(Eigen::Vector3f::Constant(0.3F));
  Points3 colours = dimmed.replicate(model.numVertices(), 1);
  if (model.region.empty()) return colours;
  for (int v = 0; v < model.numVertices(); ++v) {
    const int here = model.region[v];
    if (region < 0 || here == region) colours.row(v) = linear(categoryColour(here));
  }
  return colours;
}

Eigen::VectorXf skinWeights(const MorphableModel& model, int joint) {
  require(model.skeleton.has_value(), "skinWeights: ", model.id, " has no joints");
  require(joint >= 0 && joint < model.skeleton->numJoints(), "skinWeights: joint ", joint, " of ",
          model.skeleton->numJoints());
  return model.skeleton->weights.col(joint);
}

std::vector<int> faceVertices(const MorphableModel& model, const Points3& vertices) {
  std::vector<int> face;
  if (model.landmarks68.size() != kNumIbugLandmarks) return face;
  const Points3 landmarks = model.landmarks68.points(vertices, model.triangles);
  const Eigen::RowVector3f right_outer = landmarks.row(36), right_inner = landmarks.row(39),
                           left_inner = landmarks.row(42), left_outer = landmarks.row(45),
                           nose_bottom = landmarks.row(33);
  const Eigen::RowVector3f bridge = (right_inner + left_inner) / 2;
  const Eigen::RowVector3f centre = nose_bottom + 0.3F * (bridge - nose_bottom);
  const float radius_mm = 1.4F * ((right_outer - left_outer).norm() + (bridge - nose_bottom).norm()) / 2;
  // Scans have neither the inside of the mouth nor what lies behind the lids.
  std::vector<bool> is_skin(static_cast<std::size_t>(vertices.rows()), model.triangle_material.empty());
  for (std::size_t f = 0; f < model.triangle_material.size(); ++f) {
    if (model.material_names[model.triangle_material[f]] != "skin") continue;
    for (const int v : model.triangles.row(static_cast<Eigen::Index>(f))) is_skin[v] = true;
  }
  for (int v = 0; v < static_cast<int>(vertices.rows()); ++v) {
    if (is_skin[v] && (vertices.row(v) - centre).norm() <= radius_mm) face.push_back(v);
  }
  return face;
}

ScanDistance scanDistance(const Points3& vertices, const Triangles& triangles, const Mesh& scan,
                          const ScanDistanceOptions& options) {
  require(options.max_mm > 0, "scanDistance: max_mm ", options.max_mm, " must be positive");
  const ScanSurface surface(scan);
  const Points3 normals = vertexNormals(vertices, triangles);
  const Similarity motion = options.align ? aligned(vertices, normals, surface, options) : Similarity();

  ScanDistance result;
  result.scan_from_model.linear() = motion.rotation.cast<float>();
  result.scan_from_model.translation() = motion.translation.cast<float>();
  result.scale = motion.scale;
  result.distance_mm.setConstant(vertices.rows(), std::numeric_limits<float>::quiet_NaN());
  parallelFor(static_cast<int>(vertices.rows()), kQueryChunk, [&](int begin, int end) {
    for (int v = begin; v < end; ++v) {
      const Eigen::Vector3d point = motion * vertices.row(v).transpose().cast<double>();
      const Eigen::Vector3d normal = motion.rotation * normals.row(v).transpose().cast<double>();
      if (const auto hit = surface.closest(point, normal, options.max_mm)) {
        const double side = (point - hit->point).dot(surface.normal(hit->triangle));
        result.distance_mm[v] = static_cast<float>(side < 0 ? -hit->distance : hit->distance);
      }
    }
  });
  std::vector<double> sizes_mm;
  const auto count = [&](float distance_mm) {
    if (!std::isnan(distance_mm)) sizes_mm.push_back(std::abs(distance_mm));
  };
  for (const int v : options.face) count(result.distance_mm[v]);
  if (options.face.empty()) std::for_each(result.distance_mm.begin(), result.distance_mm.end(), count);
  if (sizes_mm.empty()) return result;
  for (const double size : sizes_mm) result.mean_mm += size / static_cast<double>(sizes_mm.size());
  const auto p95 =
      sizes_mm.begin() + static_cast<std::ptrdiff_t>(0.95 * static_cast<double>(sizes_mm.size() - 1));
  std::nth_element(sizes_mm.begin(), p95, sizes_mm.end());
  result.p95_mm = *p95;
  return result;
}

}  // namespace facet
