#include "viewer/quantities.h"

#include <doctest/doctest.h>

#include "core/io/mesh_io.h"
#include "core/io/model_io.h"
#include "tests/data.h"
#include "tests/render/shapes.h"
#include "tests/viewer/heads.h"
#include "viewer/colour_map.h"

using namespace facet;

TEST_CASE("meanCurvature: of a sphere it is one by its radius, of a hollow negative") {
  for (const float radius_mm : {20.0F, 80.0F}) {
    const Mesh sphere = test::makeSphere(40, 60, radius_mm);
    const Eigen::VectorXf curvature = meanCurvature(sphere.vertices, sphere.triangles);
    for (Eigen::Index v = 0; v < sphere.vertices.rows(); ++v) {
      if (std::abs(sphere.vertices(v, 1)) > 0.9F * radius_mm) continue;  // slivers at the poles
      CHECK(curvature[v] == doctest::Approx(1 / radius_mm).epsilon(0.02));
    }
    Triangles inside = sphere.triangles;
    inside.col(1).swap(inside.col(2));
    const Eigen::VectorXf hollow = meanCurvature(sphere.vertices, inside);
    CHECK(hollow[20 * 60] == doctest::Approx(-1 / radius_mm).epsilon(0.02));
  }
}

TEST_CASE("meanCurvature: of a flat sheet it is zero, at its border too") {
  Mesh sheet;
  sheet.vertices.resize(25, 3);
  for (int i = 0; i < 25; ++i)
    sheet.vertices.row(i) << static_cast<float>(i % 5), static_cast<float>(i / 5), 0;
  sheet.triangles.resize(32, 3);
  for (int i = 0; i < 16; ++i) {
    const int corner = i / 4 * 5 + i % 4;
    sheet.triangles.row(2 * i) << corner, corner + 1, corner + 6;
    sheet.triangles.row(2 * i + 1) << corner, corner + 6, corner + 5;
  }
  CHECK(meanCurvature(sheet.vertices, sheet.triangles).cwiseAbs().maxCoeff() < 1e-6F);
}

TEST_CASE("quantities: PNCC spans the unit cube, regions have colours, the others are dimmed") {
  const MorphableModel model = test::shapedModel();
  const Points3 pncc = pnccColours(model.mean);
  CHECK(pncc.colwise().minCoeff().isZero(1e-6F));
  CHECK(pncc.colwise().maxCoeff().isOnes(1e-6F));
  const Points3 all = regionColours(model, -1), lower = regionColours(model, 1);
  int upper_vertex = 0, lower_vertex = 0;
  model.mean.col(1).maxCoeff(&upper_vertex);
  model.mean.col(1).minCoeff(&lower_vertex);
  CHECK((all.row(upper_vertex) - all.row(lower_vertex)).norm() > 0.1F);
  CHECK(lower.row(lower_vertex) == all.row(lower_vertex));
  CHECK(lower(upper_vertex, 0) == lower(upper_vertex, 1));
  CHECK(lower(upper_vertex, 0) < 0.1F);
  CHECK(skinWeights(model, 1).maxCoeff() == 0.75F);
  CHECK_THROWS_AS(skinWeights(model, 9), std::invalid_argument);
  for (int i = 0; i < 12; ++i) CHECK((categoryColour(i) - categoryColour(i + 1)).norm() > 0.2F);
}

TEST_CASE("colour maps: begin and end where they should, and the diverging one is grey in its middle") {
  CHECK(colourOf(ColourMap::kViridis, -1) == colourOf(ColourMap::kViridis, 0));
  CHECK(colourOf(ColourMap::kViridis, 1).x() > 0.9F);
  CHECK(colourOf(ColourMap::kInferno, 0).maxCoeff() < 0.02F);
  const Eigen::Vector3f middle = colourOf(ColourMap::kDiverging, 0.5F);
  CHECK(middle.maxCoeff() - middle.minCoeff() < 0.01F);
  CHECK(colourOf(ColourMap::kDiverging, 0).z() > colourOf(ColourMap::kDiverging, 0).x());
  CHECK(colourTable(ColourMap::kInferno)[255][0] == 252);
  // Brighter with every step, so that it can be read without colours.
  for (const ColourMap map : {ColourMap::kViridis, ColourMap::kInferno}) {
    float last = -1;
    for (int i = 0; i <= 20; ++i) {
      const float luma =
          colourOf(map, static_cast<float>(i) / 20).dot(Eigen::Vector3f(0.2126F, 0.7152F, 0.0722F));
      CHECK(luma > last);
      last = luma;
    }
  }
}

TEST_CASE("scanDistance: finds the rigid motion between a head and its scan") {
  const MorphableModel model = loadModel("builtin");
  const Eigen::Isometry3f scan_from_model =
      Eigen::Translation3f(12, -8, 20) * Eigen::AngleAxisf(0.15F, Eigen::Vector3f(1, 2, -1).normalized());
  Mesh scan;
  scan.triangles = model.triangles;
  scan.vertices = (scan_from_model * model.mean.transpose()).transpose();
  const ScanDistance same = scanDistance(model.mean, model.triangles, scan);
  CHECK((same.scan_from_model.inverse() * scan_from_model).linear().isIdentity(1e-3F));
  CHECK((same.scan_from_model.translation() - scan_from_model.translation()).norm() < 0.1F);
  CHECK(same.mean_mm < 0.02);

  const ScanDistance as_they_stand = scanDistance(model.mean, model.triangles, scan, {.align = false});
  CHECK(as_they_stand.scan_from_model.isApprox(Eigen::Isometry3f::Identity()));
  CHECK(as_they_stand.mean_mm > 2);
}

TEST_CASE("scanDistance: a head that grew by a millimetre is a millimetre outside, one that shrank inside") {
  const MorphableModel model = loadModel("builtin");
  const Points3 normals = vertexNormals(model.mean, model.triangles);
  const Mesh scan = model.mesh(model.mean);
  for (const float growth_mm : {1.0F, -1.0F}) {
    const ScanDistance distance =
        scanDistance(model.mean + growth_mm * normals, model.triangles, scan, {.align = false});
    int num_known = 0, num_right = 0;
    for (const float value : distance.distance_mm) {
      num_known += !std::isnan(value);
      num_right += std::abs(value - growth_mm) < 0.15F;
    }
    CHECK(num_known > model.numVertices() * 8 / 10);
    CHECK(num_right > num_known * 8 / 10);
    CHECK(distance.mean_mm == doctest::Approx(1).epsilon(0.1));
    CHECK(distance.p95_mm == doctest::Approx(1).epsilon(0.1));
  }
}

TEST_CASE("scanDistance: a scan far away and larger is found; where it ends there is no distance") {
  const MorphableModel model = loadModel("builtin");
  Mesh scan;
  scan.vertices = (model.mean * 1.05F).rowwise() + Eigen::RowVector3f(400, 100, -300);
  std::vector<int> front;  // a mask, as scanners give it
  for (int f = 0; f < static_cast<int>(model.triangles.rows()); ++f) {
    if (model.mean(model.triangles(f, 0), 2) > 20) front.push_back(f);
  }
  scan.triangles.resize(static_cast<Eigen::Index>(front.size()), 3);
  for (std::size_t i = 0; i < front.size(); ++i)
    scan.triangles.row(static_cast<Eigen::Index>(i)) = model.triangles.row(front[i]);
  const ScanDistance found = scanDistance(model.mean, model.triangles, scan, {.align_scale = true});
  CHECK(found.scale == doctest::Approx(1.05).epsilon(0.003));
  CHECK(found.mean_mm < 0.1);
  Eigen::Index back = 0;
  model.mean.col(2).minCoeff(&back);
  CHECK(std::isnan(found.distance_mm[back]));
}

TEST_CASE("scanDistance: with a face to go by, what grows beyond it changes neither alignment nor figures") {
  const MorphableModel model = loadModel("builtin");
  const std::vector<int> face = faceVertices(model, model.mean);
  REQUIRE(face.size() > 1000);
  REQUIRE(static_cast<int>(face.size()) < model.numVertices() / 2);
  std::vector<bool> in_face(static_cast<std::size_t>(model.numVertices()), false);
  for (const int v : face) in_face[v] = true;
  Points3 swollen = model.mean;
  const Points3 normals = vertexNormals(model.mean, model.triangles);
  const Eigen::RowVector3f nose = model.landmarks68.points(model.mean, model.triangles).row(30);
  for (int v = 0; v < model.numVertices(); ++v) {
    if (!in_face[v] && (swollen.row(v) - nose).norm() > 130) swollen.row(v) += 4 * normals.row(v);
  }
  const Mesh scan = model.mesh(model.mean);
  ScanDistanceOptions options;
  options.face = face;
  CHECK(scanDistance(swollen, model.triangles, scan, options).mean_mm < 0.02);
  CHECK(scanDistance(swollen, model.triangles, scan).mean_mm > 0.5);
}

TEST_CASE("scanDistance: the built-in mean lies some millimetres from a scanned head") {
  const auto data = test::realData();
  if (!data) {
    MESSAGE("skipped: no real test data");
    return;
  }
  const Mesh scan = readObj(*data / "lee_perry_smith/scan_mm.obj");
  const MorphableModel model = loadModel("builtin");
  const ScanDistance distance = scanDistance(model.mean, model.triangles, scan);
  MESSAGE("mean ", distance.mean_mm, " mm, 95 % below ", distance.p95_mm, " mm");
  CHECK(distance.mean_mm > 0.5);
  CHECK(distance.mean_mm < 4);
}
