#include "core/closed_mesh.h"

#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <algorithm>
#include <map>
#include <vector>

#include "core/closest_point.h"
#include "core/io/model_io.h"
#include "core/mesh_parts.h"
#include "core/morphable_model.h"

using namespace facet;

namespace {

double volumeOf(const Mesh& mesh) {
  double volume = 0;
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    Eigen::Matrix3d corners;
    for (int c = 0; c < 3; ++c) corners.row(c) = mesh.vertices.row(mesh.triangles(f, c)).cast<double>();
    volume += corners.determinant() / 6;
  }
  return volume;
}

int numParts(const Mesh& mesh) {
  const std::vector<int> parts = connectedParts(mesh.triangles, weldedVertices(mesh.vertices));
  return *std::max_element(parts.begin(), parts.end()) + 1;
}

// One closed oriented 2-manifold, and nothing else.
void checkSolid(const Mesh& mesh) {
  std::map<std::pair<int, int>, int> edges;
  std::map<int, std::map<int, int>> around;  // vertex: the edges opposite to it, from -> to
  int degenerate = 0;
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    Eigen::Matrix3f p;
    for (int c = 0; c < 3; ++c) {
      const int a = mesh.triangles(f, c), b = mesh.triangles(f, (c + 1) % 3);
      ++edges[{a, b}];
      around[a][b] = mesh.triangles(f, (c + 2) % 3);
      p.row(c) = mesh.vertices.row(a);
    }
    const Eigen::Vector3f u = p.row(1) - p.row(0), v = p.row(2) - p.row(0);
    degenerate += u.cross(v).norm() > 0 ? 0 : 1;
  }
  CHECK(degenerate == 0);
  int faulty_edges = 0, faulty_vertices = 0;
  for (const auto& [edge, count] : edges) {
    const auto twin = edges.find({edge.second, edge.first});
    faulty_edges += count == 1 && twin != edges.end() && twin->second == 1 ? 0 : 1;
  }
  CHECK(faulty_edges == 0);
  // The triangles round a vertex form one ring.
  for (const auto& [vertex, ring] : around) {
    int at = ring.begin()->first;
    std::size_t steps = 0;
    do {
      const auto next = ring.find(at);
      if (next == ring.end()) break;
      at = next->second;
      ++steps;
    } while (at != ring.begin()->first && steps <= ring.size());
    faulty_vertices += steps == ring.size() ? 0 : 1;
  }
  CHECK(faulty_vertices == 0);
  CHECK(static_cast<Eigen::Index>(around.size()) == mesh.vertices.rows());
  CHECK(numParts(mesh) == 1);
  CHECK(volumeOf(mesh) > 0);
}

// A box whose faces are split into two triangles each, outwards.
Mesh box(const Eigen::Vector3f& low, const Eigen::Vector3f& high) {
  Mesh mesh;
  mesh.vertices.resize(8, 3);
  for (int c = 0; c < 8; ++c) {
    for (int axis = 0; axis < 3; ++axis)
      mesh.vertices(c, axis) = (c >> axis & 1) != 0 ? high[axis] : low[axis];
  }
  mesh.triangles.resize(12, 3);
  mesh.triangles << 0, 2, 3, 0, 3, 1, 4, 5, 7, 4, 7, 6, 0, 1, 5, 0, 5, 4, 2, 6, 7, 2, 7, 3, 0, 4, 6, 0, 6, 2,
      1, 3, 7, 1, 7, 5;
  return mesh;
}

Mesh joined(const Mesh& a, const Mesh& b) {
  Mesh mesh;
  mesh.vertices.resize(a.vertices.rows() + b.vertices.rows(), 3);
  mesh.vertices << a.vertices, b.vertices;
  mesh.triangles.resize(a.triangles.rows() + b.triangles.rows(), 3);
  mesh.triangles << a.triangles,
      (b.triangles.array() + static_cast<std::int32_t>(a.vertices.rows())).matrix();
  return mesh;
}

// No triangle of the mesh lies before the vertex for a viewer far along +z.
bool isSeenFromFront(const Mesh& mesh, Eigen::Index vertex) {
  const Eigen::RowVector3f point = mesh.vertices.row(vertex);
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    const Eigen::RowVector3f a = mesh.vertices.row(mesh.triangles(f, 0)),
                             b = mesh.vertices.row(mesh.triangles(f, 1)),
                             c = mesh.vertices.row(mesh.triangles(f, 2));
    if (std::max({a.z(), b.z(), c.z()}) < point.z() || std::max({a.x(), b.x(), c.x()}) < point.x() ||
        std::min({a.x(), b.x(), c.x()}) > point.x()) {
      continue;
    }
    const auto area = [&point](const Eigen::RowVector3f& p, const Eigen::RowVector3f& q) {
      return (q.x() - p.x()) * (point.y() - p.y()) - (q.y() - p.y()) * (point.x() - p.x());
    };
    const float at_a = area(b, c), at_b = area(c, a), at_c = area(a, b), sum = at_a + at_b + at_c;
    if (sum == 0 || at_a * sum < 0 || at_b * sum < 0 || at_c * sum < 0) continue;
    if ((at_a * a.z() + at_b * b.z() + at_c * c.z()) / sum > point.z() + 0.05F) return false;
  }
  return true;
}

Mesh turnedInsideOut(Mesh mesh) {
  mesh.triangles.col(1).swap(mesh.triangles.col(2));
  return mesh;
}

}  // namespace

TEST_CASE("closed mesh: boxes that overlap become one solid with the volume of their union") {
  const Mesh one = box({0, 0, 0}, {20, 20, 20}), other = box({10, 10, 10}, {30, 30, 30});
  const Mesh closed = closedForPrinting(joined(one, turnedInsideOut(other))).mesh;
  checkSolid(closed);
  CHECK(volumeOf(closed) == doctest::Approx(2 * 8000 - 1000).epsilon(0.005));
}

TEST_CASE("closed mesh: cavities are filled, and what floats is left out") {
  const Mesh hollow = joined(box({0, 0, 0}, {30, 30, 30}), turnedInsideOut(box({5, 5, 5}, {25, 25, 25})));
  const Mesh closed = closedForPrinting(joined(hollow, box({40, 0, 0}, {45, 5, 5}))).mesh;
  checkSolid(closed);
  CHECK(volumeOf(closed) == doctest::Approx(27'000).epsilon(0.005));
}

TEST_CASE("closed mesh: a large opening ends in a flat base, a small one in a lid") {
  // A box without its lower face, the chimney on top of it open, too.
  Mesh mesh = box({0, 0, 0}, {30, 30, 30});
  mesh.triangles = (Triangles(10, 3) << mesh.triangles.topRows(4), mesh.triangles.bottomRows(6)).finished();
  mesh.vertices(0, 1) = 4;  // the opening is not level
  Mesh chimney = box({10, 25, 10}, {14, 35, 14});
  chimney.triangles =
      (Triangles(10, 3) << chimney.triangles.topRows(6), chimney.triangles.bottomRows(4)).finished();
  Mesh both = joined(mesh, chimney);
  both.vertices.conservativeResize(both.vertices.rows() + 1, 3);
  both.vertices.bottomRows(1) << 0, -500, 0;  // of no triangle: it does not lengthen the base
  const ClosedMesh closed = closedForPrinting(both);
  checkSolid(closed.mesh);
  CHECK(closed.base_direction == Eigen::Vector3f(0, -1, 0));
  CHECK(volumeOf(closed.mesh) == doctest::Approx(27'000 + 80).epsilon(0.005));

  const Mesh standing = standingOnPlate(closed);
  CHECK(standing.vertices.col(2).minCoeff() == doctest::Approx(0));
  CHECK(standing.vertices.col(2).maxCoeff() == doctest::Approx(35).epsilon(0.001));
  CHECK(volumeOf(standing) == doctest::Approx(volumeOf(closed.mesh)).epsilon(1e-4));
  CHECK((standing.vertices.col(2).array() < 1e-3F).count() > 1000);  // it stands on a face
}

TEST_CASE("closed mesh: the built-in head is one solid whose face is the source's") {
  const MorphableModel model = loadModel("builtin");
  const Mesh source = model.mesh(model.mean);
  const ClosedMesh closed = closedForPrinting(source);
  checkSolid(closed.mesh);
  CHECK(closed.base_direction == Eigen::Vector3f(0, -1, 0));

  const SurfaceIndex printed(closed.mesh);
  std::vector<double> distance_mm;
  const Points3 normals = vertexNormals(source.vertices, source.triangles);
  for (Eigen::Index v = 0; v < source.vertices.rows(); ++v) {
    if (normals(v, 2) < 0.2F || source.vertices(v, 2) < 40 || !isSeenFromFront(source, v)) continue;
    distance_mm.push_back(printed.closest(source.vertices.row(v).transpose().cast<double>()).distance);
  }
  REQUIRE(distance_mm.size() > 3000);
  std::sort(distance_mm.begin(), distance_mm.end());
  MESSAGE("face: median " << distance_mm[distance_mm.size() / 2] << " mm, 99.5 % "
                          << distance_mm[distance_mm.size() * 995 / 1000] << ", largest "
                          << distance_mm.back() << ", of " << distance_mm.size() << " vertices; "
                          << closed.mesh.triangles.rows() << " triangles");
  CHECK(distance_mm[distance_mm.size() / 2] < 0.03);
  CHECK(distance_mm[distance_mm.size() * 995 / 1000] < 0.3);
  CHECK(distance_mm.back() < 1);  // in the slits of lids and lips, which voxels cannot resolve
}

TEST_CASE("closed mesh: what cannot be closed is refused") {
  CHECK_THROWS_AS(closedForPrinting(Mesh{}), std::invalid_argument);
  CHECK_THROWS_AS(closedForPrinting(box({0, 0, 0}, {1, 1, 1}), {.resolution_mm = 0}), std::invalid_argument);
  CHECK_THROWS_WITH_AS(closedForPrinting(box({0, 0, 0}, {1e4F, 1e4F, 1e4F})), doctest::Contains("coarser"),
                       std::invalid_argument);
}
