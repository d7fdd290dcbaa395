#include "synth/scene.h"

#include <algorithm>
#include <numbers>

namespace facet::synth {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;

}  // namespace

void Scene::addTube(const std::vector<Eigen::Vector3f>& points, const std::vector<float>& radii,
                    const Eigen::Vector3f& colour, Surface surface, int sides) {
  const int first = static_cast<int>(vertices.size());
  const int count = static_cast<int>(points.size());
  Eigen::Vector3f side = Eigen::Vector3f::Zero();
  for (int i = 0; i < count; ++i) {
    const Eigen::Vector3f tangent =
        (points[std::min(i + 1, count - 1)] - points[std::max(i - 1, 0)]).normalized();
    side =
        i == 0 ? tangent.unitOrthogonal() : Eigen::Vector3f(side - tangent * tangent.dot(side)).normalized();
    const Eigen::Vector3f up = tangent.cross(side);
    for (int k = 0; k < sides; ++k) {
      const float angle = 2 * kPi * k / sides;
      const Eigen::Vector3f normal = side * std::cos(angle) + up * std::sin(angle);
      vertices.push_back({placement * (points[i] + normal * radii[i]), placement.linear() * normal, colour,
                          points[i], label});
    }
  }
  for (int i = 0; i + 1 < count; ++i) {
    for (int k = 0; k < sides; ++k) {
      const int a = first + i * sides + k, b = first + i * sides + (k + 1) % sides;
      triangles.push_back({{a, b, b + sides}, surface});
      triangles.push_back({{a, b + sides, a + sides}, surface});
    }
  }
}

void Scene::addEllipsoid(const Eigen::Vector3f& centre, const Eigen::Matrix3f& axes,
                         const Eigen::Vector3f& colour, Surface surface, int rings) {
  const int first = static_cast<int>(vertices.size());
  const int columns = 2 * rings;
  const Eigen::Matrix3f normal_axes = axes.inverse().transpose();
  for (int i = 0; i <= rings; ++i) {
    for (int k = 0; k < columns; ++k) {
      const float a = kPi * i / rings, b = 2 * kPi * k / columns;
      const Eigen::Vector3f unit(std::sin(a) * std::cos(b), std::cos(a), std::sin(a) * std::sin(b));
      vertices.push_back({placement * (centre + axes * unit),
                          placement.linear() * (normal_axes * unit).normalized(), colour,
                          centre + axes * unit, label});
    }
  }
  for (int i = 0; i < rings; ++i) {
    for (int k = 0; k < columns; ++k) {
      const int a = first + i * columns + k, b = first + i * columns + (k + 1) % columns;
      triangles.push_back({{a, b, b + columns}, surface});
      triangles.push_back({{a, b + columns, a + columns}, surface});
    }
  }
}

void Scene::addBox(const Eigen::Vector3f& centre, const Eigen::Matrix3f& axes, const Eigen::Vector3f& colour,
                   Surface surface) {
  for (int axis = 0; axis < 3; ++axis) {
    for (const float sign : {-1.0F, 1.0F}) {
      const int first = static_cast<int>(vertices.size());
      const Eigen::Vector3f normal = axes.col(axis) * sign;
      const Eigen::Vector3f u = axes.col((axis + 1) % 3), v = axes.col((axis + 2) % 3);
      for (const auto& [a, b] : {std::pair{-1.0F, -1.0F}, {1.0F, -1.0F}, {1.0F, 1.0F}, {-1.0F, 1.0F}}) {
        vertices.push_back({placement * (centre + normal + u * a + v * b),
                            placement.linear() * normal.normalized(),
                            colour,
                            {a, b, 0},
                            label});
      }
      triangles.push_back({{first, first + 1, first + 2}, surface});
      triangles.push_back({{first, first + 2, first + 3}, surface});
    }
  }
}

void Scene::addGrid(int rows, int columns, const std::function<GridPoint(float u, float v)>& point,
                    Surface surface) {
  const int first = static_cast<int>(vertices.size());
  std::vector<bool> exists;
  for (int i = 0; i <= rows; ++i) {
    for (int k = 0; k <= columns; ++k) {
      const GridPoint p = point(static_cast<float>(i) / rows, static_cast<float>(k) / columns);
      vertices.push_back(
          {placement * p.position, Eigen::Vector3f::Zero(), p.colour, p.local, label, p.over_mm});
      exists.push_back(p.exists);
    }
  }
  const auto at = [&](int i, int k) { return i * (columns + 1) + k; };
  const auto add = [&](int a, int b, int c) {
    if (!exists[a] || !exists[b] || !exists[c]) return;
    triangles.push_back({{first + a, first + b, first + c}, surface});
    const Eigen::Vector3f& origin = vertices[first + a].position;
    const Eigen::Vector3f normal =
        (vertices[first + b].position - origin).cross(vertices[first + c].position - origin);
    for (const int corner : {a, b, c}) vertices[first + corner].normal += normal;
  };
  for (int i = 0; i < rows; ++i) {
    for (int k = 0; k < columns; ++k) {
      add(at(i, k), at(i + 1, k), at(i + 1, k + 1));
      add(at(i, k), at(i + 1, k + 1), at(i, k + 1));
    }
  }
  for (std::size_t v = first; v < vertices.size(); ++v) vertices[v].normal.normalize();
}

void Scene::addLock(std::span<const Eigen::Vector3f> points, float width_mm,
                    const Eigen::Vector3f& root_normal, const Eigen::Vector3f& root_colour,
                    const Eigen::Vector3f& tip_colour) {
  const int first = static_cast<int>(vertices.size());
  const int count = static_cast<int>(points.size());
  Eigen::Vector3f before = placement * points[0];
  Eigen::Vector3f outward = placement.linear() * root_normal;
  for (int i = 0; i < count; ++i) {
    const Eigen::Vector3f here = placement * points[i];
    const Eigen::Vector3f next = i + 1 < count ? Eigen::Vector3f(placement * points[i + 1]) : here;
    const Eigen::Vector3f tangent = (next - before).normalized();
    before = here;
    const Eigen::Vector3f side = tangent.cross(here).normalized();
    outward = (outward - tangent * tangent.dot(outward)).normalized();
    const float t = static_cast<float>(i) / (count - 1);
    const float half = width_mm / 2 * (1 - 0.75F * t * t);
    const Eigen::Vector3f colour = root_colour + (tip_colour - root_colour) * t;
    // The two edges lean apart, so that a lock looks round.
    vertices.push_back({here - side * half, (outward - side * 0.5F).normalized(), colour, tangent, label});
    vertices.push_back({here + side * half, (outward + side * 0.5F).normalized(), colour, tangent, label});
  }
  for (int i = 0; i + 1 < count; ++i) {
    const int a = first + 2 * i;
    triangles.push_back({{a, a + 1, a + 3}, Surface::kHair});
    triangles.push_back({{a, a + 3, a + 2}, Surface::kHair});
  }
}

HeadGrid::HeadGrid(const Points3& vertices, const Points3& mean, int num_skin_vertices,
                   const Eigen::Vector3f& centre)
    : centre_(centre), radius_(kRows * kColumns, 0.0F) {
  for (int v = 0; v < num_skin_vertices; ++v) {
    if (mean(v, 1) < -100) continue;
    const Eigen::Vector3f offset = vertices.row(v).transpose() - centre;
    const float length = offset.norm();
    const float elevation = std::asin(offset.y() / length), azimuth = std::atan2(offset.x(), offset.z());
    const int row = std::clamp(static_cast<int>((elevation / kPi + 0.5F) * kRows), 0, kRows - 1);
    const int column = std::clamp(static_cast<int>((azimuth / (2 * kPi) + 0.5F) * kColumns), 0, kColumns - 1);
    float& cell = radius_[row * kColumns + column];
    cell = std::max(cell, length);
  }
  // Cells without a vertex take the mean of their neighbours that have one.
  for (bool missing = true; missing;) {
    missing = false;
    const std::vector<float> known = radius_;
    for (int row = 0; row < kRows; ++row) {
      for (int column = 0; column < kColumns; ++column) {
        if (known[row * kColumns + column] > 0) continue;
        float sum = 0;
        int count = 0;
        for (int i = -1; i <= 1; ++i) {
          for (int k = -1; k <= 1; ++k) {
            const float r =
                known[std::clamp(row + i, 0, kRows - 1) * kColumns + (column + k + kColumns) % kColumns];
            if (r > 0) sum += r, ++count;
          }
        }
        if (count > 0) radius_[row * kColumns + column] = sum / static_cast<float>(count);
        missing |= count == 0;
      }
    }
  }
}

float HeadGrid::radius(const Eigen::Vector3f& direction) const {
  const float row = (std::asin(std::clamp(direction.y(), -1.0F, 1.0F)) / kPi + 0.5F) * kRows - 0.5F;
  const float column = (std::atan2(direction.x(), direction.z()) / (2 * kPi) + 0.5F) * kColumns - 0.5F;
  const int r0 = static_cast<int>(std::floor(row)), c0 = static_cast<int>(std::floor(column));
  const float a = row - r0, b = column - c0;
  const auto cell = [&](int r, int c) {
    return radius_[std::clamp(r, 0, kRows - 1) * kColumns + (c + kColumns) % kColumns];
  };
  return (1 - a) * ((1 - b) * cell(r0, c0) + b * cell(r0, c0 + 1)) +
         a * ((1 - b) * cell(r0 + 1, c0) + b * cell(r0 + 1, c0 + 1));
}

Eigen::Vector3f HeadGrid::direction(float azimuth, float elevation) {
  return {std::sin(azimuth) * std::cos(elevation), std::sin(elevation),
          std::cos(azimuth) * std::cos(elevation)};
}

Eigen::Vector3f HeadGrid::point(float azimuth, float elevation, float lift_mm) const {
  const Eigen::Vector3f towards = direction(azimuth, elevation);
  return centre_ + towards * (radius(towards) + lift_mm);
}

}  // namespace facet::synth
