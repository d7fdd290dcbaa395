#pragma once

#include <cmath>
#include <numbers>
#include <random>

#include "core/camera.h"
#include "core/mesh.h"
#include "core/types.h"

// Small scenes for the render tests.
namespace facet::test {

// Clip-space vertices at given pixel positions, w = 1 and z = depth.
inline Points4 clipFromPixels(const Points2& pixels, int width, int height, float depth = 0) {
  Points4 clip(pixels.rows(), 4);
  for (Eigen::Index i = 0; i < pixels.rows(); ++i) {
    clip.row(i) << 2 * pixels(i, 0) / static_cast<float>(width) - 1,
        1 - 2 * pixels(i, 1) / static_cast<float>(height), depth, 1;
  }
  return clip;
}

// Sphere of latitude rings with a UV chart that leaves a margin: u = 0.02 + 0.96 (around), v likewise.
inline Mesh makeSphere(int rings, int segments, float radius_mm) {
  Mesh mesh;
  const int columns = segments + 1;  // the seam's vertices are doubled in UV only
  mesh.vertices.resize((rings + 1) * segments, 3);
  mesh.uv.resize((rings + 1) * columns, 2);
  for (int i = 0; i <= rings; ++i) {
    const double polar = std::numbers::pi * i / rings;
    for (int j = 0; j < columns; ++j) {
      // The seam lies at the back (-Z), u = 0.5 in front (+Z).
      const double around = 2 * std::numbers::pi * j / segments - std::numbers::pi;
      mesh.uv.row(i * columns + j) << static_cast<float>(0.02 + 0.96 * j / segments),
          static_cast<float>(0.98 - 0.96 * i / rings);
      if (j == segments) continue;
      mesh.vertices.row(i * segments + j)
          << static_cast<float>(radius_mm * std::sin(polar) * std::sin(around)),
          static_cast<float>(radius_mm * std::cos(polar)),
          static_cast<float>(radius_mm * std::sin(polar) * std::cos(around));
    }
  }
  mesh.triangles.resize(2 * rings * segments, 3);
  mesh.uv_triangles.resize(2 * rings * segments, 3);
  for (int i = 0; i < rings; ++i) {
    for (int j = 0; j < segments; ++j) {
      const int f = 2 * (i * segments + j), next = (j + 1) % segments;
      const int a = i * segments + j, b = i * segments + next, c = a + segments, d = b + segments;
      mesh.triangles.row(f) << a, c, b;
      mesh.triangles.row(f + 1) << b, c, d;
      const int ta = i * columns + j, tb = ta + 1, tc = ta + columns, td = tc + 1;
      mesh.uv_triangles.row(f) << ta, tc, tb;
      mesh.uv_triangles.row(f + 1) << tb, tc, td;
    }
  }
  return mesh;
}

// Camera in front of the model (+Z) that looks at its origin.
inline Camera frontCamera(int width_px, int height_px, float focal_px, float distance_mm) {
  Camera camera;
  camera.width_px = width_px;
  camera.height_px = height_px;
  camera.focal_px = focal_px;
  camera.principal_px << 0.5F * static_cast<float>(width_px), 0.5F * static_cast<float>(height_px);
  camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation().z() = distance_mm;
  return camera;
}

}  // namespace facet::test
