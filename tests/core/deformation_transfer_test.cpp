#include "core/deformation_transfer.h"

#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <chrono>
#include <cmath>

#include "core/io/model_io.h"
#include "core/transfer_error.h"
#include "tests/core/remesh.h"
#include "tests/data.h"

using namespace facet;
using facet::test::remesh;
using facet::test::Remeshed;

namespace {

Eigen::MatrixXf flat(const Points3& displacement) {
  return Eigen::Map<const Eigen::VectorXf>(displacement.data(), displacement.size());
}

Points3 shapeOf(const Eigen::MatrixXf& shapes, int k) {
  return Eigen::Map<const Points3>(shapes.col(k).data(), shapes.rows() / 3, 3);
}

// Mean length of the rows of a difference over the vertices for which `counts` is set.
template <typename Counts>
double meanDistance(const Points3& a, const Points3& b, const Counts& counts) {
  double sum = 0;
  int count = 0;
  for (int v = 0; v < a.rows(); ++v) {
    if (counts(v)) sum += (a.row(v) - b.row(v)).norm(), ++count;
  }
  return sum / std::max(count, 1);
}

}  // namespace

TEST_CASE("deformationTransfer: onto the same mesh, shapes come back exactly") {
  const MorphableModel model = makeSyntheticModel(4);
  const Eigen::MatrixXf shapes = model.expression.dense();
  const Eigen::MatrixXf result = deformationTransfer(model.mean, model.triangles, shapes, model.mean);
  CHECK((result - shapes).cwiseAbs().maxCoeff() < 2e-3);  // mm, of displacements of several
}

TEST_CASE("deformationTransfer: a turn of the source turns a target of any shape by the same angle") {
  const MorphableModel model = makeSyntheticModel(4);
  const Eigen::Matrix3f turn = Eigen::AngleAxisf(0.7F, Eigen::Vector3f::UnitY()).toRotationMatrix();
  // Another shape; the poles, which do not move, stay on the axis of the turn.
  Points3 target = model.mean;
  for (Eigen::Index v = 0; v < target.rows(); ++v) {
    target.row(v).array() *= Eigen::RowVector3f(1.3F, 0.8F, 1.1F).array();
    target(v, 0) *= 1 + 0.3F * std::sin(target(v, 1) / 30);
  }
  const Points3 displacement = model.mean * turn.transpose() - model.mean;
  const Eigen::MatrixXf result = deformationTransfer(model.mean, model.triangles, flat(displacement), target);
  const Points3 moved = target + shapeOf(result, 0), expected = target * turn.transpose();
  double largest_mm = 0;
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    const Eigen::RowVector3f edge = moved.row(model.triangles(f, 1)) - moved.row(model.triangles(f, 0));
    const Eigen::RowVector3f truth =
        expected.row(model.triangles(f, 1)) - expected.row(model.triangles(f, 0));
    largest_mm = std::max<double>(largest_mm, (edge - truth).norm());
  }
  CHECK(largest_mm < 0.05);
}

TEST_CASE("deformationTransfer: what grows by a tenth grows by a tenth on a target of twice the size") {
  const MorphableModel model = makeSyntheticModel(5);
  const Points3 displacement = 0.1F * model.mean;
  const Points3 target = 2 * model.mean;
  const Points3 result =
      shapeOf(deformationTransfer(model.mean, model.triangles, flat(displacement), target), 0);
  const Points3 about_center = result.rowwise() - result.colwise().mean();
  const Points3 expected = 0.1F * (target.rowwise() - target.colwise().mean());
  CHECK((about_center - expected).rowwise().norm().maxCoeff() < 0.05);
}

TEST_CASE("transferShapes: a remeshed head moves as the one that it was made of") {
  const MorphableModel source = loadModel("builtin");
  const Remeshed target = remesh(source, source.mean);
  const Correspondence correspondence = correspond(
      source, target.model, target.model.landmarks68.points(target.model.mean, target.model.triangles));
  const Eigen::MatrixXf shapes = transferShapes(source, correspondence, target.model);
  REQUIRE(shapes.cols() == source.numExpression());
  for (int k = 0; k < source.numExpression(); ++k) {
    CAPTURE(source.expression_names[k]);
    const Eigen::VectorXf own = source.expression.col(k);
    const Points3 expected = target.of * Eigen::Map<const Points3>(own.data(), source.numVertices(), 3);
    const Points3 result = shapeOf(shapes, k);
    CHECK(meanDistance(result, expected, [](int) { return true; }) < 0.15);
    for (int v = 0; v < source.numVertices(); ++v) {
      const std::string& region = source.region_names[source.region[v]];
      if (region.starts_with("eyeball")) CHECK(result.row(target.vertex[v]).norm() == 0);
      if (region == "teeth")
        CHECK((result.row(target.vertex[v]) - expected.row(target.vertex[v])).norm() <
              1.5);  // of 44 mm: the axis of the jaw moves a little
    }
  }
}

TEST_CASE("transferShapes: lids that close on the template close on wider and on narrower eyes") {
  const MorphableModel source = loadModel("builtin");
  const int blink = *source.expressionIndex("eyeBlinkLeft");
  const Eigen::VectorXf blink_shape = source.expression.col(blink);
  const Points3 source_closed =
      source.mean + Eigen::Map<const Points3>(blink_shape.data(), source.numVertices(), 3);
  const Points3 source_lids = source.landmarks68.points(source_closed, source.triangles);
  // The eyes of another head: the blink itself, half closed or as far opened.
  for (const float opening : {-0.4F, 0.25F}) {
    const Eigen::VectorXf lids = source.expression.col(blink);
    const Points3 face =
        source.mean - opening * Eigen::Map<const Points3>(lids.data(), source.numVertices(), 3);
    const Remeshed target = remesh(source, face);
    const Correspondence correspondence = correspond(
        source, target.model, target.model.landmarks68.points(target.model.mean, target.model.triangles));
    const Eigen::MatrixXf shapes = transferShapes(source, correspondence, target.model);
    const Points3 closed = target.model.mean + shapeOf(shapes, blink);
    const Points3 open_lids = target.model.landmarks68.points(target.model.mean, target.model.triangles);
    const Points3 closed_lids = target.model.landmarks68.points(closed, target.model.triangles);
    // Upper against lower lid, landmarks 43-47 and 44-46.
    for (const auto& [upper, lower] : {std::pair(43, 47), std::pair(44, 46)}) {
      CAPTURE(opening);
      CHECK(open_lids(upper, 1) - open_lids(lower, 1) > 4);
      CAPTURE(upper);
      const float gap_mm = closed_lids(upper, 1) - closed_lids(lower, 1);
      CHECK(std::abs(gap_mm - (source_lids(upper, 1) - source_lids(lower, 1))) < 1.3);
    }
  }
}

TEST_CASE("correspond and transferShapes: hold on ICT-FaceKit, against its own shapes") {
  const auto data = test::realData();
  if (!data || !std::filesystem::exists(*data / "ict_facekit")) {
    MESSAGE("skipped: no ../shared/data/ict_facekit");
    return;
  }
  const MorphableModel source = loadModel("builtin");
  const MorphableModel ict = loadModel((*data / "ict_facekit" / "ict_facekit_light.npz").string());
  const auto start = std::chrono::steady_clock::now();
  const Correspondence correspondence =
      correspond(source, ict, ict.landmarks68.points(ict.mean, ict.triangles));
  const TransferError error = measureTransfer(source, ict, correspondence);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  MESSAGE("correspondence and shapes of " << ict.numVertices() << " vertices: " << seconds << " s");

  CHECK(error.num_covered == error.num_face);
  CHECK(error.round_trip_mean_mm < 0.3);  // 0.09 when this was written
  CHECK(error.shapes.size() > 45);
  for (const ShapeError& shape : error.shapes) {
    CAPTURE(shape.name);
    CHECK(shape.face_mm < 0.5);
    CHECK(shape.moving_mm < 2);
  }
}
