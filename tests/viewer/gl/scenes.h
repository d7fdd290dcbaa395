#pragma once

#include <GL/gl.h>
#include <doctest/doctest.h>

#include <tuple>

#include "core/mesh.h"
#include "core/split_mesh.h"
#include "viewer/gl/context.h"
#include "viewer/gl/gl_renderer.h"
#include "viewer/surface.h"

// Small scenes for the renderer's tests.
namespace facet::test {

inline DrawItem itemOf(const Mesh& mesh) {
  DrawItem item;
  item.layout = surfaceLayout(mesh, {});
  const auto state = std::make_shared<SurfaceState>();
  state->positions = gatherRows(mesh.vertices, item.layout->vertex);
  state->normals = gatherRows(vertexNormals(mesh.vertices, mesh.triangles), item.layout->vertex);
  state->revision = 1;
  item.state = state;
  item.materials.resize(1);
  return item;
}

// The state of an item of a test, to change it.
inline SurfaceState& stateOf(const DrawItem& item) { return const_cast<SurfaceState&>(*item.state); }

// A rectangle that faces +Z, in front of the origin by z_mm; u grows with x, v with y.
inline Mesh rectangle(float left, float bottom, float right, float top, float z_mm = 0) {
  Mesh mesh;
  mesh.vertices.resize(4, 3);
  mesh.vertices << left, bottom, z_mm, right, bottom, z_mm, right, top, z_mm, left, top, z_mm;
  mesh.triangles.resize(2, 3);
  mesh.triangles << 0, 1, 2, 0, 2, 3;
  mesh.uv.resize(4, 2);
  mesh.uv << 0, 0, 1, 0, 1, 1, 0, 1;
  mesh.uv_triangles = mesh.triangles;
  return mesh;
}

// Camera in front (+Z) whose picture shows one mm per pixel, its middle at the origin.
inline Camera plainCamera(int width_px, int height_px) {
  Camera camera;
  camera.projection = Camera::Projection::kScaledOrthographic;
  camera.width_px = width_px;
  camera.height_px = height_px;
  camera.scale_px_per_mm = 1;
  camera.principal_px << 0.5F * static_cast<float>(width_px), 0.5F * static_cast<float>(height_px);
  camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation().z() = 200;
  return camera;
}

inline DrawView viewOf(const Camera& camera, std::vector<DrawItem> items) {
  DrawView view;
  view.rect = view.clip = {0, 0, camera.width_px, camera.height_px};
  view.camera = camera;
  view.near_mm = 100;
  view.far_mm = 300;
  view.items = std::move(items);
  return view;
}

inline Frame frameOf(std::vector<DrawView> views, int samples = 1) {
  Frame frame;
  frame.width_px = views.at(0).rect.width;
  frame.height_px = views.at(0).rect.height;
  frame.samples = samples;
  frame.background = {Eigen::Vector3f::Zero(), Eigen::Vector3f::Zero()};
  frame.views = std::move(views);
  return frame;
}

struct Stage {
  HeadlessContext context;
  GlRenderer renderer;

  Image8 draw(const Frame& frame) {
    renderer.draw(frame);
    Image8 image = renderer.read();
    CHECK(glGetError() == GL_NO_ERROR);
    return image;
  }
};

}  // namespace facet::test
