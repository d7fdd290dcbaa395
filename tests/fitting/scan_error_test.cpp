#include "fitting/scan_error.h"

#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <random>

#include "core/morphable_model.h"

using namespace facet;

namespace {

struct Head {
  MorphableModel model = makeSyntheticModel(1);
  Mesh mesh = model.mesh(model.mean);
  ScanLandmarks landmarks;

  Head() {
    const Points3 all = model.landmarks68.points(mesh.vertices, mesh.triangles);
    for (int i = 0; i < 7; ++i) landmarks.row(i) = all.row(kScanLandmarksInIbug[i]).cast<double>();
  }
};

// The mesh turned, moved and scaled, and its landmarks with it.
void move(Mesh& mesh, ScanLandmarks& landmarks, double scale) {
  const Eigen::Matrix3d turn =
      Eigen::AngleAxisd(1.1, Eigen::Vector3d(1, -2, 0.5).normalized()).toRotationMatrix();
  const Eigen::RowVector3d shift(120, -40, 300);
  mesh.vertices =
      ((scale * mesh.vertices.cast<double>() * turn.transpose()).rowwise() + shift).cast<float>().eval();
  landmarks = ((scale * landmarks * turn.transpose()).rowwise() + shift).eval();
}

}  // namespace

TEST_CASE("scanError: a scan against itself, moved and in other units, leaves nothing") {
  const Head head;
  for (const double scale : {0.01, 1.0, 25.0}) {
    Mesh mesh = head.mesh;
    ScanLandmarks landmarks = head.landmarks;
    // Landmarks 2 mm off: the surface alignment must repair what they spoil.
    landmarks.col(0).array() += Eigen::Array<double, 7, 1>(2, -2, 2, -1, 2, -2, 1);
    move(mesh, landmarks, scale);
    const ScanError error = scanError(mesh, landmarks, head.mesh, head.landmarks);
    CHECK(error.mean_after_landmarks_mm > 0.1);
    CHECK(error.max_mm < 5e-3);  // single-precision vertices
    CHECK(error.scale * scale == doctest::Approx(1).epsilon(1e-4));
  }
}

TEST_CASE("scanError: bumps of 1 mm leave 1 mm") {
  const Head head;
  Mesh bumpy = head.mesh;
  const Points3 normals = vertexNormals(bumpy.vertices, bumpy.triangles);
  std::mt19937 generator(4);
  for (int v = 0; v < bumpy.vertices.rows(); ++v) {
    bumpy.vertices.row(v) += (generator() % 2 == 0 ? 1.0F : -1.0F) * normals.row(v);
  }
  const ScanError error = scanError(head.mesh, head.landmarks, bumpy, head.landmarks);
  CHECK(error.median_mm == doctest::Approx(1).epsilon(0.05));
  CHECK(error.mean_mm == doctest::Approx(1).epsilon(0.1));
}

TEST_CASE("scanError: metric sees a wrong size, the default does not") {
  const Head head;
  Mesh large = head.mesh;
  large.vertices *= 1.05F;
  const ScanLandmarks landmarks = 1.05 * head.landmarks;
  CHECK(scanError(large, landmarks, head.mesh, head.landmarks).mean_mm < 5e-3);
  CHECK(scanError(large, landmarks, head.mesh, head.landmarks, {.metric = true}).mean_mm > 0.3);
}

TEST_CASE("scanError: trim keeps a few far points from pulling the alignment") {
  const Head head;
  Mesh spoiled = head.mesh;
  int nearest = 0;  // one vertex beside the nose jumps out by 40 mm
  (spoiled.vertices.cast<double>().rowwise() - head.landmarks.row(4)).rowwise().norm().minCoeff(&nearest);
  spoiled.vertices(nearest, 2) += 40;
  const double pulled = scanError(head.mesh, head.landmarks, spoiled, head.landmarks).median_mm;
  const double trimmed =
      scanError(head.mesh, head.landmarks, spoiled, head.landmarks, {.trim = 0.05}).median_mm;
  CHECK(trimmed < 5e-3);
  CHECK(pulled > 2 * trimmed);
}

TEST_CASE("scanError: outer drops what lies inside the head") {
  const Head head;
  Mesh scan = head.mesh;  // a shrunken copy inside
  const int count = static_cast<int>(scan.vertices.rows()), faces = static_cast<int>(scan.triangles.rows());
  const Eigen::RowVector3f center = scan.vertices.colwise().mean();
  scan.vertices.conservativeResize(2 * count, 3);
  scan.vertices.bottomRows(count) = (0.8F * (head.mesh.vertices.rowwise() - center)).rowwise() + center;
  scan.triangles.conservativeResize(2 * faces, 3);
  scan.triangles.bottomRows(faces) = head.mesh.triangles.array() + count;
  scan.uv.resize(0, 2);
  scan.uv_triangles.resize(0, 3);
  const ScanError all = scanError(head.mesh, head.landmarks, scan, head.landmarks, {.num_samples = 20000});
  const ScanError outer =
      scanError(head.mesh, head.landmarks, scan, head.landmarks, {.outer = true, .num_samples = 20000});
  CHECK(all.p95_mm > 5);
  CHECK(outer.p95_mm < 0.05);
  CHECK(outer.num_scan_points < all.num_scan_points);
}

TEST_CASE("scanError: equal seeds give equal numbers") {
  const Head head;
  Mesh mesh = head.mesh;
  mesh.vertices = head.model.vertices(Eigen::VectorXf::Constant(head.model.numIdentity(), 0.5F));
  const ScanErrorOptions options{.num_samples = 3000, .seed = 9};
  CHECK(scanError(mesh, head.landmarks, head.mesh, head.landmarks, options).mean_mm ==
        scanError(mesh, head.landmarks, head.mesh, head.landmarks, options).mean_mm);
}

TEST_CASE("scanError: a mesh without triangles and a scan far from its landmarks are refused") {
  const Head head;
  Mesh points_only = head.mesh;
  points_only.triangles.resize(0, 3);
  points_only.uv_triangles.resize(0, 3);
  points_only.uv.resize(0, 2);
  CHECK_THROWS_AS(scanError(points_only, head.landmarks, head.mesh, head.landmarks), std::invalid_argument);
  const ScanLandmarks elsewhere = head.landmarks.array() + 5000;
  CHECK_THROWS_AS(scanError(head.mesh, head.landmarks, head.mesh, elsewhere), std::invalid_argument);
  CHECK_THROWS_AS(scanError(head.mesh, head.landmarks, head.mesh, head.landmarks, {.trim = 1.5}),
                  std::invalid_argument);
}
