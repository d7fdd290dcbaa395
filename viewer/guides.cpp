#include "viewer/guides.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace facet {
namespace {

// Boxes in their colours, collected to be drawn at once.
class Boxes {
 public:
  void add(const Eigen::RowVector3f& low, const Eigen::RowVector3f& high, const Eigen::RowVector3f& colour) {
    for (int i = 0; i < 8; ++i) {
      vertices_.emplace_back((i & 1) == 0 ? low.x() : high.x(), (i & 2) == 0 ? low.y() : high.y(),
                             (i & 4) == 0 ? low.z() : high.z());
      colours_.push_back(colour);
    }
  }

  Guides finish() const {
    // Corner i has the upper x, y, z where bits 0, 1, 2 of i are set; each side is two triangles.
    constexpr int kSides[6][4] = {{0, 4, 6, 2}, {1, 3, 7, 5}, {0, 1, 5, 4},
                                  {2, 6, 7, 3}, {0, 2, 3, 1}, {4, 5, 7, 6}};
    const auto num_vertices = static_cast<Eigen::Index>(vertices_.size());
    Mesh mesh;
    mesh.vertices.resize(num_vertices, 3);
    const auto state = std::make_shared<SurfaceState>();
    state->colours.resize(num_vertices, 3);
    for (Eigen::Index v = 0; v < num_vertices; ++v) {
      mesh.vertices.row(v) = vertices_[static_cast<std::size_t>(v)];
      state->colours.row(v) = colours_[static_cast<std::size_t>(v)];
    }
    mesh.triangles.resize(num_vertices / 8 * 12, 3);
    for (int box = 0, f = 0; box < num_vertices / 8; ++box) {
      for (const auto& side : kSides) {
        mesh.triangles.row(f++) << 8 * box + side[0], 8 * box + side[1], 8 * box + side[2];
        mesh.triangles.row(f++) << 8 * box + side[0], 8 * box + side[2], 8 * box + side[3];
      }
    }
    state->positions = mesh.vertices;
    state->normals = vertexNormals(mesh.vertices, mesh.triangles);
    state->revision = state->colour_revision = 1;
    Guides guides;
    guides.item.layout = surfaceLayout(mesh, {});
    guides.item.state = state;
    guides.item.materials = {DrawMaterial()};
    guides.item.shading = SurfaceShading::kColours;
    guides.corners.resize(2, 3);
    guides.corners << mesh.vertices.colwise().minCoeff(), mesh.vertices.colwise().maxCoeff();
    return guides;
  }

 private:
  std::vector<Eigen::RowVector3f> vertices_, colours_;
};

struct Floor {
  Eigen::RowVector3f centre = Eigen::RowVector3f::Zero();
  float half_mm = 0;
};

constexpr float kSquare_mm = 10, kStrongSquare_mm = 50;

Floor floorUnder(const Points3& head) {
  const Eigen::RowVector3f low = head.colwise().minCoeff(), high = head.colwise().maxCoeff();
  Floor floor;
  floor.centre = {(low.x() + high.x()) / 2, low.y() - 1, (low.z() + high.z()) / 2};
  const float reach_mm = std::max(high.x() - low.x(), high.z() - low.z()) / 2 + kStrongSquare_mm / 2;
  constexpr float kMostSquares = 40;  // of a mesh that is no head
  floor.half_mm = kStrongSquare_mm * std::clamp(std::ceil(reach_mm / kStrongSquare_mm), 1.0F, kMostSquares);
  return floor;
}

}  // namespace

Guides floorGrid(const Points3& head) {
  const Eigen::RowVector3f faint = Eigen::RowVector3f::Constant(0.11F),
                           strong = Eigen::RowVector3f::Constant(0.22F);
  constexpr float kFaint_mm = 0.25F, kStrong_mm = 0.5F;  // half the width of a line
  const Floor floor = floorUnder(head);
  Boxes boxes;
  const int num_lines = static_cast<int>(std::lround(floor.half_mm / kSquare_mm));
  const int per_strong = static_cast<int>(std::lround(kStrongSquare_mm / kSquare_mm));
  for (int i = -num_lines; i <= num_lines; ++i) {
    const bool is_strong = i % per_strong == 0;
    const float at = static_cast<float>(i) * kSquare_mm, width = is_strong ? kStrong_mm : kFaint_mm;
    // Strong lines lie a little higher, so that they cross over the faint ones.
    const float top = is_strong ? 0 : -0.1F;
    const Eigen::RowVector3f colour = is_strong ? strong : faint;
    for (const bool along_x : {true, false}) {
      const Eigen::RowVector3f half =
          along_x ? Eigen::RowVector3f(floor.half_mm, 0, width) : Eigen::RowVector3f(width, 0, floor.half_mm);
      const Eigen::RowVector3f middle =
          floor.centre + (along_x ? Eigen::RowVector3f(0, top, at) : Eigen::RowVector3f(at, top, 0));
      boxes.add(middle - half - Eigen::RowVector3f(0, 0.2F, 0), middle + half, colour);
    }
  }
  return boxes.finish();
}

Guides modelAxes(const Points3& head) {
  constexpr float kLength_mm = 50, kHalfWidth_mm = 1;
  const Floor floor = floorUnder(head);
  const Eigen::RowVector3f origin = floor.centre + Eigen::RowVector3f(-floor.half_mm, 0, -floor.half_mm);
  const Eigen::RowVector3f colours[3] = {{0.75F, 0.06F, 0.05F}, {0.10F, 0.50F, 0.08F}, {0.08F, 0.20F, 0.80F}};
  Boxes boxes;
  for (int axis = 0; axis < 3; ++axis) {
    const Eigen::RowVector3f half = Eigen::RowVector3f::Constant(kHalfWidth_mm);
    boxes.add(origin - half, origin + half + kLength_mm * Eigen::RowVector3f::Unit(axis), colours[axis]);
  }
  return boxes.finish();
}

}  // namespace facet
