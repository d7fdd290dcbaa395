#include "core/correspondence.h"

#include <doctest/doctest.h>

#include <fstream>
#include <limits>
#include <numeric>

#include "core/closest_point.h"
#include "core/error.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
#include "core/io/topology_map_io.h"
#include "core/mesh_parts.h"
#include "tests/core/remesh.h"
#include "tests/data.h"

using namespace facet;
using facet::test::remesh;
using facet::test::Remeshed;

namespace {

struct Pair {
  MorphableModel source = loadModel("builtin");
  Remeshed target = remesh(source, source.vertices(Eigen::VectorXf::Constant(20, 0.5F)));
  Correspondence correspondence = correspond(
      source, target.model, target.model.landmarks68.points(target.model.mean, target.model.triangles));
};

const Pair& pair() {
  static const Pair result;
  return result;
}

bool isFace(const std::string& region) {
  for (const char* other : {"scalp", "neck", "ear", "eyeball", "eye_socket", "mouth_inside", "teeth"}) {
    if (region.starts_with(other)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("correspond: both maps lead to where the vertices came from") {
  const auto& [source, target, correspondence] = pair();
  const Points3 on_model =
      correspondence.template_on_model.points.points(target.model.mean, target.model.triangles);
  const Points3 on_template = correspondence.model_on_template.points.points(source.mean, source.triangles);
  double forth_mm = 0, back_mm = 0;
  int count = 0;
  for (int v = 0; v < source.numVertices(); ++v) {
    if (!isFace(source.region_names[source.region[v]])) continue;
    forth_mm += (on_model.row(v) - target.model.mean.row(target.vertex[v])).norm();
    back_mm += (on_template.row(target.vertex[v]) - source.mean.row(v)).norm();
    ++count;
  }
  CHECK(forth_mm / count < 0.6);
  CHECK(back_mm / count < 0.6);
  // There and back again.
  const Points3 round = correspondence.template_on_model.points.points(on_template, target.model.triangles);
  double round_mm = 0;
  for (int v = 0; v < source.numVertices(); ++v) {
    if (isFace(source.region_names[source.region[v]])) round_mm += (round.row(v) - source.mean.row(v)).norm();
  }
  CHECK(round_mm / count < 0.2);
}

TEST_CASE("correspond: no vertex of a lip lands on the other lip and no part on another part") {
  const auto& [source, target, correspondence] = pair();
  const auto region = carryVertexLabels(correspondence.model_on_template, source.triangles, source.region);
  constexpr float kHalfMouth_mm = 20;  // of 24 to a corner
  int num_lip = 0;
  for (int v = 0; v < source.numVertices(); ++v) {
    const std::string& own = source.region_names[source.region[v]];
    const std::string& carried = source.region_names[region[target.vertex[v]]];
    // At the corners of the mouth the lips are one.
    if (std::abs(source.mean(v, 0)) < kHalfMouth_mm) {
      if (own == "lip_upper") CHECK(carried != "lip_lower");
      if (own == "lip_lower") CHECK(carried != "lip_upper");
    }
    num_lip += own.starts_with("lip");
    for (const char* apart : {"eyeball_left", "eyeball_right", "teeth"})
      CHECK((own == apart) == (carried == apart));
    CHECK(correspondence.part_in_template[target.vertex[v]] == correspondence.registration.part[v]);
  }
  CHECK(num_lip > 100);
}

TEST_CASE("carryEmbedding: landmarks of the template arrive at the model's own") {
  const auto& [source, target, correspondence] = pair();
  const Mesh mesh = target.model.mesh(target.model.mean);
  const LandmarkEmbedding carried = carryEmbedding(correspondence, source, mesh, source.landmarks68);
  const Points3 own = target.model.landmarks68.points(mesh.vertices, mesh.triangles);
  CHECK((carried.points(mesh.vertices, mesh.triangles) - own).bottomRows<51>().rowwise().norm().mean() < 0.4);
}

TEST_CASE("carryUv: no triangle spans two charts or a seam") {
  const auto& [source, target, correspondence] = pair();
  const Mesh mesh = target.model.mesh(target.model.mean);
  const Mesh laid = source.mesh(correspondence.registration.vertices);
  const Mesh carried = carryUv(correspondence.model_on_template, laid, mesh);
  REQUIRE(carried.uv_triangles.rows() == mesh.triangles.rows());
  CHECK(carried.uv.minCoeff() >= 0);
  CHECK(carried.uv.maxCoeff() <= 1);

  // Each chart as a flat mesh.
  std::vector<int> own(static_cast<std::size_t>(source.uv.rows()));
  std::iota(own.begin(), own.end(), 0);
  const std::vector<int> chart = connectedParts(source.uv_triangles, own);
  const int num_charts = *std::max_element(chart.begin(), chart.end()) + 1;
  REQUIRE(num_charts > 3);
  std::vector<SurfaceIndex> charts;
  for (int c = 0; c < num_charts; ++c) {
    Mesh flat;
    flat.vertices = Points3::Zero(source.uv.rows(), 3);
    flat.vertices.leftCols<2>() = source.uv;
    flat.triangles.resize(source.uv_triangles.rows(), 3);
    Eigen::Index kept = 0;
    for (Eigen::Index f = 0; f < source.uv_triangles.rows(); ++f) {
      if (chart[source.uv_triangles(f, 0)] == c) flat.triangles.row(kept++) = source.uv_triangles.row(f);
    }
    flat.triangles.conservativeResize(kept, 3);
    charts.emplace_back(flat);
  }
  double largest = 0, largest_of_template = 0;
  for (Eigen::Index f = 0; f < source.triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      const float length =
          (source.uv.row(source.uv_triangles(f, k)) - source.uv.row(source.uv_triangles(f, (k + 1) % 3)))
              .norm();
      largest_of_template = std::max<double>(largest_of_template, length);
    }
  }
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    bool in_one = false;
    for (int c = 0; c < num_charts && !in_one; ++c) {
      in_one = true;
      for (int k = 0; k < 3 && in_one; ++k) {
        const Eigen::RowVector2f uv = carried.uv.row(carried.uv_triangles(f, k));
        in_one = charts[c].closest({uv.x(), uv.y(), 0}, {.max_distance = 1e-4}).triangle >= 0;
      }
    }
    CHECK(in_one);
    for (int k = 0; k < 3; ++k) {
      const float length =
          (carried.uv.row(carried.uv_triangles(f, k)) - carried.uv.row(carried.uv_triangles(f, (k + 1) % 3)))
              .norm();
      largest = std::max<double>(largest, length);
    }
  }
  // Edges are half as long as the template's; one across the seam at the back of the head would be near 1.
  CHECK(largest < largest_of_template);
}

TEST_CASE("carryUv: the template's own layout comes back on the template") {
  const MorphableModel source = makeSyntheticModel(2);
  TopologyMap map;  // each vertex on itself
  map.points.triangle.assign(static_cast<std::size_t>(source.numVertices()), -1);
  map.points.barycentric = Points3::Zero(source.numVertices(), 3);
  map.confidence = Eigen::VectorXf::Ones(source.numVertices());
  for (int f = 0; f < source.triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      const int v = source.triangles(f, k);
      if (map.points.triangle[v] >= 0) continue;
      map.points.triangle[v] = f;
      map.points.barycentric(v, k) = 1;
    }
  }
  const Mesh mesh = source.mesh(source.mean);
  const Mesh carried = carryUv(map, mesh, mesh);
  int num_equal = 0, num_bad = 0;
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    float largest = 0, difference = 0;
    for (int k = 0; k < 3; ++k) {
      const Eigen::RowVector2f uv = carried.uv.row(carried.uv_triangles(f, k));
      const Eigen::RowVector2f next = carried.uv.row(carried.uv_triangles(f, (k + 1) % 3));
      largest = std::max(largest, (uv - next).norm());
      difference = std::max(difference, (uv - mesh.uv.row(mesh.uv_triangles(f, k))).norm());
    }
    num_equal += difference < 1e-4F;
    num_bad += largest > 0.5F;  // across the seam
  }
  CHECK(num_bad == 0);
  CHECK(num_equal > 0.85 * mesh.triangles.rows());  // all but the columns beside the seam and the poles
}

TEST_CASE("topology maps: are read back equal, and a map of another mesh is refused") {
  const test::TemporaryFolder folder("topology-map");
  TopologyMap map;
  map.points.triangle = {0, 7, 3};
  map.points.barycentric.resize(3, 3);
  map.points.barycentric << 1, 0, 0, 0.25F, 0.5F, 0.25F, 0, 0, 1;
  map.confidence.resize(3);
  map.confidence << 1, 0, 0.5F;
  writeTopologyMap(folder / "map.npz", map);
  const TopologyMap read = readTopologyMap(folder / "map.npz", 8);
  CHECK(read.points.triangle == map.points.triangle);
  CHECK(read.points.barycentric == map.points.barycentric);
  CHECK(read.confidence == map.confidence);
  CHECK_THROWS_WITH_AS(readTopologyMap(folder / "map.npz", 7), doctest::Contains("triangle 7 of 7"), Error);
  map.points.barycentric(2, 2) = std::numeric_limits<float>::quiet_NaN();
  writeTopologyMap(folder / "nan.npz", map);
  CHECK_THROWS_WITH_AS(readTopologyMap(folder / "nan.npz", 8), doctest::Contains("vertex 2"), Error);
  const float value = 0;
  writeNpz(folder / "other.npz", {{"mean", NpyArray::fromFloat(&value, {1})}});
  CHECK_THROWS_WITH_AS(readTopologyMap(folder / "other.npz", 8), doctest::Contains("no map between"), Error);
}
