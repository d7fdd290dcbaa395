#include "core/eyeballs.h"

#include <Eigen/QR>
#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace facet {
namespace {

enum class Side : std::int8_t { kNone = -1, kLeft = 0, kRight = 1 };

// |p|² = 2 c·p + (r² - |c|²) in the least squares sense.
Eigen::RowVector3d sphereCentre(const Points3& vertices, const std::vector<int>& members) {
  Eigen::MatrixX4d system(members.size(), 4);
  Eigen::VectorXd right(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    const Eigen::RowVector3d p = vertices.row(members[i]).cast<double>();
    system.row(static_cast<Eigen::Index>(i)) << 2 * p, 1;
    right[static_cast<Eigen::Index>(i)] = p.squaredNorm();
  }
  return Eigen::VectorXd(system.colPivHouseholderQr().solve(right)).head<3>().transpose();
}

// Without the cornea, which bulges out of the sphere.
Eigen::RowVector3f eyeballCentre(const Points3& vertices, const std::vector<int>& members) {
  constexpr double kOnSphere_mm = 0.3;
  Eigen::RowVector3d centre = sphereCentre(vertices, members);
  for (int round = 0; round < 5; ++round) {
    std::vector<double> radius_mm;
    for (const int v : members) radius_mm.push_back((vertices.row(v).cast<double>() - centre).norm());
    std::vector<double> sorted = radius_mm;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<long>(sorted.size() / 2), sorted.end());
    const double middle_mm = sorted[sorted.size() / 2];
    std::vector<int> on_sphere;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (std::abs(radius_mm[i] - middle_mm) < kOnSphere_mm) on_sphere.push_back(members[i]);
    }
    constexpr std::size_t kEnough = 12;
    if (on_sphere.size() < kEnough) break;
    centre = sphereCentre(vertices, on_sphere);
  }
  return centre.cast<float>();
}

}  // namespace

std::array<Eyeball, 2> eyeballs(const MorphableModel& model, const Points3& vertices) {
  require(vertices.rows() == model.numVertices(), "eyeballs: ", vertices.rows(), " vertices, the model has ",
          model.numVertices());
  std::array<Eyeball, 2> result;
  if (model.region.empty()) return result;
  std::vector<Side> side(model.region.size(), Side::kNone);
  for (int v = 0; v < model.numVertices(); ++v) {
    const std::string& region = model.region_names[model.region[v]];
    if (!region.starts_with("eyeball")) continue;
    const bool is_left = region.ends_with("left") || (!region.ends_with("right") && model.mean(v, 0) > 0);
    side[v] = is_left ? Side::kLeft : Side::kRight;
  }
  std::array<bool, 2> is_apart = {true, true};
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      const Side here = side[model.triangles(f, k)], next = side[model.triangles(f, (k + 1) % 3)];
      if (here == next) continue;
      if (here != Side::kNone) is_apart[static_cast<std::size_t>(here)] = false;
      if (next != Side::kNone) is_apart[static_cast<std::size_t>(next)] = false;
    }
  }
  for (int v = 0; v < model.numVertices(); ++v) {
    if (side[v] != Side::kNone) result[static_cast<std::size_t>(side[v])].vertices.push_back(v);
  }
  for (std::size_t s = 0; s < 2; ++s) {
    if (!is_apart[s]) result[s].vertices.clear();
    if (!result[s].vertices.empty()) result[s].centre_mm = eyeballCentre(vertices, result[s].vertices);
  }
  return result;
}

void turnEyeballs(const std::array<Eyeball, 2>& eyeballs, const std::array<Eigen::Matrix3f, 2>& rotation,
                  Points3& vertices) {
  for (std::size_t s = 0; s < 2; ++s) {
    const Eigen::RowVector3f& centre = eyeballs[s].centre_mm;
    for (const int v : eyeballs[s].vertices) {
      vertices.row(v) = (vertices.row(v) - centre) * rotation[s].transpose() + centre;
    }
  }
}

}  // namespace facet
