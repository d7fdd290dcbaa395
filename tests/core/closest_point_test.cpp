#include "core/closest_point.h"

#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <limits>
#include <random>

#include "core/morphable_model.h"

using namespace facet;

namespace {

double distance(const Eigen::Vector3d& point, const std::array<Eigen::Vector3d, 3>& corners) {
  return (closestOnTriangle(point, corners[0], corners[1], corners[2]) - point).norm();
}

}  // namespace

TEST_CASE("closestOnTriangle: is right above the inside, beyond an edge, beyond a corner and without area") {
  const std::array<Eigen::Vector3d, 3> corners = {{{0, 0, 0}, {4, 0, 0}, {0, 4, 0}}};
  CHECK(distance({1, 1, 3}, corners) == doctest::Approx(3));
  CHECK(distance({1, -2, 0}, corners) == doctest::Approx(2));
  CHECK(distance({-3, -4, 0}, corners) == doctest::Approx(5));
  CHECK(distance({3, 3, 0}, corners) == doctest::Approx(std::sqrt(2.0)));
  CHECK(distance({1, 3, 4}, {{{0, 0, 0}, {1, 0, 0}, {2, 0, 0}}}) == doctest::Approx(5));
}

TEST_CASE("SurfaceIndex: finds what a search of all triangles finds, with and without a condition") {
  const MorphableModel model = makeSyntheticModel(1);
  const Mesh mesh = model.mesh(model.mean);
  const SurfaceIndex surface(mesh);
  std::mt19937 generator(2);
  std::uniform_real_distribution<double> coordinate(-300, 300);
  constexpr double kMinCosine = 0.7;
  for (int i = 0; i < 200; ++i) {
    const Eigen::Vector3d point(coordinate(generator), coordinate(generator), coordinate(generator));
    const Eigen::Vector3d normal =
        Eigen::Vector3d(coordinate(generator), coordinate(generator), coordinate(generator)).normalized();
    double best = std::numeric_limits<double>::max(), best_with_normal = best;
    for (int f = 0; f < mesh.triangles.rows(); ++f) {
      std::array<Eigen::Vector3d, 3> corners;
      for (int k = 0; k < 3; ++k) corners[k] = mesh.vertices.row(mesh.triangles(f, k)).cast<double>();
      const double here = distance(point, corners);
      best = std::min(best, here);
      const Eigen::Vector3d cross = (corners[1] - corners[0]).cross(corners[2] - corners[0]);
      if (cross.normalized().dot(normal) >= kMinCosine) best_with_normal = std::min(best_with_normal, here);
    }
    CHECK(surface.closest(point).distance == doctest::Approx(best).epsilon(1e-12));
    const SurfaceIndex::Hit hit = surface.closest(point, {.normal = normal, .min_cosine = kMinCosine});
    CHECK(hit.distance == doctest::Approx(best_with_normal).epsilon(1e-12));
    CHECK(surface.normal(hit.triangle).dot(normal) >= kMinCosine);
    CHECK(surface.closest(point, {.max_distance = 0.99 * best}).triangle == -1);
  }
}

TEST_CASE("SurfaceIndex: the barycentric weights of a hit give its point back") {
  const MorphableModel model = makeSyntheticModel(3);
  const SurfaceIndex surface(model.mesh(model.mean));
  std::mt19937 generator(4);
  std::uniform_real_distribution<double> coordinate(-150, 150);
  for (int i = 0; i < 100; ++i) {
    const SurfaceIndex::Hit hit =
        surface.closest({coordinate(generator), coordinate(generator), coordinate(generator)});
    const Eigen::Vector3f weights = surface.barycentric(hit);
    CHECK(weights.minCoeff() >= 0);
    CHECK(weights.sum() == doctest::Approx(1));
    Eigen::Vector3d point(0, 0, 0);
    for (int k = 0; k < 3; ++k)
      point += weights[k] * model.mean.row(model.triangles(hit.triangle, k)).transpose().cast<double>();
    CHECK((point - hit.point).norm() < 1e-3);  // mm; float weights on triangles of some 20 mm
  }
}
