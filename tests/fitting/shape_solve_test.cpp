#include "fitting/shape_solve.h"
#include "core/arkit_shapes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <random>

#include "core/arkit.h"
#include "core/complete_model.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
#include "core/laplacian.h"
#include "core/take.h"
#include "fitting/model_landmarks.h"
#include "tests/data.h"

using namespace facet;
using facet::test::realData;

namespace {

Points3 displacementOf(const Eigen::MatrixXf& shapes, const Eigen::VectorXf& weights) {
  const Eigen::VectorXf flat = shapes * weights;
  return Eigen::Map<const Points3>(flat.data(), flat.size() / 3, 3);
}

// Smooth weights, most of them 0 most of the time, as a face's are.
Eigen::MatrixXf performance(int num_frames, int num_shapes, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  Eigen::MatrixXf weights = Eigen::MatrixXf::Zero(num_frames, num_shapes);
  for (int i = 0; i < num_shapes; ++i) {
    const float centre = uniform(random) * static_cast<float>(num_frames), height = uniform(random);
    const float width = 4 + 12 * uniform(random);
    for (int f = 0; f < num_frames; ++f) {
      const float u = (static_cast<float>(f) - centre) / width;
      if (std::abs(u) < 1) weights(f, i) = height * 0.5F * (1 + std::cos(3.14159F * u));
    }
  }
  return weights;
}

}  // namespace

TEST_CASE("ShapeSolver: weights of a sequence come back from its geometry") {
  const MorphableModel model = makeSyntheticModel(3, 4, 8);
  const Eigen::MatrixXf shapes = model.expression.dense();
  const Eigen::MatrixXf truth = performance(40, 8, 1);
  ShapeSolver solver(shapes, vertexAreas(model.mean, model.triangles));
  for (int f = 0; f < 40; ++f) solver.addFrame(displacementOf(shapes, truth.row(f).transpose()));
  ShapeSolveOptions exact;
  exact.sparsity = exact.smoothness = exact.misfit = 0;
  const ShapeSolution solution = solver.solve(exact);
  CHECK(solution.converged);
  CHECK((solution.weights - truth).cwiseAbs().maxCoeff() < 1e-4);
  CHECK(solution.residual_mm.maxCoeff() < 1e-3);
  // The terms that help where shapes are alike cost little where they are not.
  CHECK((solver.solve().weights - truth).cwiseAbs().maxCoeff() < 0.02);
}

TEST_CASE("ShapeSolver: the answer is the constrained minimum, seen by its gradient") {
  // Random shapes that overlap much, data that no weights reach, all three terms at work.
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  const int num_vertices = 30, num_shapes = 12, num_frames = 9;
  const auto noise = [&] { return normal(random); };
  const Eigen::VectorXf common = Eigen::VectorXf::NullaryExpr(3 * num_vertices, noise);
  Eigen::MatrixXf shapes = Eigen::MatrixXf::NullaryExpr(3 * num_vertices, num_shapes, noise);
  shapes.colwise() += 2 * common;
  Eigen::MatrixXf data = Eigen::MatrixXf::NullaryExpr(3 * num_vertices, num_frames, noise);
  data.colwise() += 3 * common;
  data.colwise() += 1.5F * shapes.col(0);
  ShapeSolver solver(shapes);
  for (int f = 0; f < num_frames; ++f) {
    const Eigen::VectorXf frame = data.col(f);
    solver.addFrame(Eigen::Map<const Points3>(frame.data(), num_vertices, 3));
  }
  ShapeSolveOptions options;
  options.sparsity = 0.05;
  options.smoothness = 0.2;
  options.misfit = 0;
  const ShapeSolution solution = solver.solve(options);
  REQUIRE(solution.converged);
  const Eigen::MatrixXd x = solution.weights.transpose().cast<double>();
  const Eigen::MatrixXd gram = (shapes.transpose() * shapes).cast<double>() / num_vertices;
  const Eigen::VectorXd own = gram.diagonal();
  const Eigen::MatrixXd product = (shapes.transpose() * data).cast<double>() / num_vertices;
  int num_inside = 0, num_low = 0, num_high = 0;
  for (int f = 0; f < num_frames; ++f) {
    Eigen::VectorXd gradient = gram * x.col(f) - product.col(f) + 0.5 * options.sparsity * own;
    for (const int other : {f - 1, f + 1}) {
      if (other < 0 || other >= num_frames) continue;
      gradient += options.smoothness * own.cwiseProduct(x.col(f) - x.col(other));
    }
    for (int i = 0; i < num_shapes; ++i) {
      const double slope = gradient[i] / own[i];
      if (x(i, f) <= 0) {
        CHECK(slope > -1e-4);
        ++num_low;
      } else if (x(i, f) >= 1) {
        CHECK(slope < 1e-4);
        ++num_high;
      } else {
        CHECK(std::abs(slope) < 1e-4);
        ++num_inside;
      }
    }
  }
  CHECK(num_inside > 10);
  CHECK(num_low > 5);
  CHECK(num_high > 0);
}

TEST_CASE(
    "ShapeSolver: smoothness takes noise out of the weights, sparsity keeps weights that nobody needs at 0") {
  const MorphableModel model = makeSyntheticModel(3, 4, 6);
  const Eigen::MatrixXf shapes = model.expression.dense();
  Eigen::MatrixXf truth = performance(60, 6, 2);
  truth.rightCols(2).setZero();
  std::mt19937 random(3);
  std::normal_distribution<float> noise_mm(0, 2);
  ShapeSolver solver(shapes);
  for (int f = 0; f < 60; ++f) {
    Points3 frame = displacementOf(shapes, truth.row(f).transpose());
    frame += Points3::NullaryExpr(frame.rows(), 3, [&] { return noise_mm(random); });
    solver.addFrame(frame);
  }
  const auto rough = [](const Eigen::MatrixXf& w) {
    return (w.bottomRows(w.rows() - 1) - w.topRows(w.rows() - 1)).squaredNorm();
  };
  ShapeSolveOptions plain, smooth, sparse;
  plain.sparsity = plain.smoothness = smooth.sparsity = sparse.smoothness = 0;
  plain.misfit = smooth.misfit = sparse.misfit = 0;
  smooth.smoothness = 1;
  sparse.sparsity = 0.2;
  const Eigen::MatrixXf plain_weights = solver.solve(plain).weights,
                        smooth_weights = solver.solve(smooth).weights;
  CHECK(rough(smooth_weights) < 0.7 * rough(plain_weights));
  CHECK((smooth_weights - truth).norm() < (plain_weights - truth).norm());
  CHECK(solver.solve(sparse).weights.rightCols(2).sum() < 0.5 * plain_weights.rightCols(2).sum());
}

TEST_CASE(
    "ShapeSolver: a shape that moves nothing stays 0, two equal ones share, and no frames are no weights") {
  Eigen::MatrixXf shapes = Eigen::MatrixXf::Zero(6, 3);
  shapes.col(0) << 1, 0, 0, 0, 2, 0;
  shapes.col(1) = shapes.col(0);
  ShapeSolver solver(shapes);
  CHECK(solver.solve().weights.rows() == 0);
  Points3 frame(2, 3);
  frame << 0.8F, 0, 0, 0, 1.6F, 0;
  solver.addFrame(frame);
  frame << -1, 0, 0, 0, -1, 0;
  solver.addFrame(frame);
  ShapeSolveOptions exact;
  exact.sparsity = exact.smoothness = exact.misfit = 0;
  const ShapeSolution solution = solver.solve(exact);
  CHECK(solution.weights(0, 0) == doctest::Approx(0.4).epsilon(1e-3));
  CHECK(solution.weights(0, 1) == doctest::Approx(0.4).epsilon(1e-3));
  CHECK(solution.weights(0, 2) == 0);
  CHECK(solution.weights.row(1).isZero(0));  // the opposite of the shapes: the nearest is the neutral face
  CHECK(solution.residual_mm[1] == doctest::Approx(1));
  CHECK_THROWS_AS(solver.addFrame(Points3::Zero(3, 3)), std::invalid_argument);
  CHECK_THROWS_AS(ShapeSolver(Eigen::MatrixXf::Zero(5, 2)), std::invalid_argument);
  CHECK_THROWS_AS(ShapeSolver(shapes, Eigen::VectorXd::Constant(2, -1)), std::invalid_argument);
  ShapeSolveOptions wrong;
  wrong.sparsity = -1;
  CHECK_THROWS_AS(solver.solve(wrong), std::invalid_argument);
}

TEST_CASE("ShapeSolver: a shape that is smaller than what nothing explains does not follow it") {
  Eigen::MatrixXf shapes = Eigen::MatrixXf::Zero(9, 2);
  shapes(0, 0) = 10;    // the first vertex, far
  shapes(3, 1) = 0.1F;  // the second, hardly
  const auto solved = [&](float unexplained_mm) {
    ShapeSolver solver(shapes);
    Points3 frame = Points3::Zero(3, 3);
    frame(0, 0) = 5;
    frame(1, 0) = 0.05F;
    frame(1, 1) = unexplained_mm;
    solver.addFrame(frame);
    return Eigen::VectorXf(solver.solve().weights.row(0).transpose());
  };
  CHECK(solved(0)[1] == doctest::Approx(0.5).epsilon(0.01));
  CHECK(solved(2)[1] < 0.1);
  CHECK(solved(2)[0] == doctest::Approx(0.5).epsilon(0.01));
}

TEST_CASE("arkitShapes: halves merge, other names and modes in standard deviations are left out") {
  MorphableModel model = makeSyntheticModel(1, 3, 6);
  model.expression_names = {"mode0", "jawOpen", "browInnerUpLeft", "browInnerUpRight", "wink", "EyeBlink_L"};
  model.num_blendshapes = 5;
  const ArkitShapes shapes = arkitShapes(model);
  CHECK(shapes.names == std::vector<std::string>{"jawOpen", "browInnerUp", "eyeBlinkLeft"});
  CHECK(shapes.modes.col(1).isApprox(model.expression.col(2) + model.expression.col(3)));
  CHECK(shapes.modes.col(2) == model.expression.col(5));
  CHECK_FALSE(hasArkitExpressions(model.expression_names));
  CHECK(hasArkitExpressions(loadModel("builtin").expression_names));
}

// A real performance.

namespace {

struct FaceCap {
  Take take;
  MorphableModel model;        // head, eyes and teeth; its 52 morphs are the expressions, mm
  Eigen::Index head_size = 0;  // the head's vertices come first; the morphs move no others
};

// The three parts as one mesh.
FaceCap readFaceCap(const std::filesystem::path& path) {
  const Npz arrays = readNpz(path);
  const auto points = [&](const std::string& name) {
    const NpyArray& array = arrays.at(name);
    return Points3(Eigen::Map<const Points3>(array.asFloat().data(), array.count() / 3, 3));
  };
  FaceCap result;
  constexpr float kMillimetres = 10;
  const std::vector<std::string> names = arrays.at("morph_names").asStrings();
  int num_vertices = 0, num_triangles = 0;
  std::vector<Points3> parts;
  std::vector<Triangles> triangles;
  for (const std::string part : {"head", "eyeLeft", "eyeRight", "teeth"}) {
    Points3 vertices = points(part + "_positions");
    if (part.starts_with("eye")) {
      vertices.rowwise() += Eigen::RowVector3f(points("grp_" + part + "_translation").row(0));
    }
    const std::vector<std::int32_t> corners = arrays.at(part + "_triangles").asInt32();
    triangles.emplace_back(
        Eigen::Map<const Triangles>(corners.data(), static_cast<long>(corners.size() / 3), 3).array() +
        num_vertices);
    num_vertices += static_cast<int>(vertices.rows());
    num_triangles += static_cast<int>(triangles.back().rows());
    parts.push_back(kMillimetres * vertices);
  }
  MorphableModel& model = result.model;
  model.id = model.name = model.topology = "face-cap";
  model.mean.resize(num_vertices, 3);
  model.triangles.resize(num_triangles, 3);
  Eigen::Index vertex = 0, triangle = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    model.mean.middleRows(vertex, parts[p].rows()) = parts[p];
    model.triangles.middleRows(triangle, triangles[p].rows()) = triangles[p];
    vertex += parts[p].rows();
    triangle += triangles[p].rows();
  }
  result.head_size = parts[0].rows();
  const Eigen::Index head_rows = 3 * result.head_size;
  Eigen::MatrixXf modes = Eigen::MatrixXf::Zero(3 * num_vertices, static_cast<long>(names.size()));
  const std::vector<float> morphs = arrays.at("head_morphs").asFloat();
  modes.topRows(head_rows) =
      kMillimetres * Eigen::Map<const Eigen::MatrixXf>(morphs.data(), head_rows, modes.cols());
  model.expression = Basis(std::move(modes));
  model.expression_names = names;
  model.num_blendshapes = model.numExpression();
  const std::vector<float> weights = arrays.at("weights").asFloat();
  result.take.names = names;
  result.take.time_s = arrays.at("times").asDouble();
  const auto num_frames = static_cast<long>(result.take.time_s.size());
  result.take.weights =
      Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
          weights.data(), num_frames, static_cast<long>(names.size()));
  for (const std::string side : {"Left", "Right"}) {
    const std::vector<float> xyzw = arrays.at("eye" + side + "_rotation_xyzw").asFloat();
    Points3 angles(num_frames, 3);
    for (long f = 0; f < num_frames; ++f) {
      const Eigen::Quaternionf rotation(xyzw[4 * f + 3], xyzw[4 * f], xyzw[4 * f + 1], xyzw[4 * f + 2]);
      angles.row(f) = anglesFromRotation(rotation.toRotationMatrix());
    }
    (side == "Left" ? result.take.left_eye_deg : result.take.right_eye_deg) = angles;
  }
  const double start_s = result.take.time_s[0];
  for (double& time : result.take.time_s) time -= start_s;
  result.take.fps = std::round(static_cast<double>(num_frames - 1) / result.take.time_s.back());
  return result;
}

std::optional<FaceCap> faceCap() {
  const auto data = realData();
  if (!data || !std::filesystem::exists(*data / "facecap/facecap_decoded.npz")) {
    MESSAGE("skipped: no facecap/facecap_decoded.npz; set FACET_TEST_DATA");
    return std::nullopt;
  }
  return readFaceCap(*data / "facecap/facecap_decoded.npz");
}

struct CurveErrors {
  double curve = 0;        // mean absolute, over all frames and curves
  double worst_curve = 0;  // mean absolute of the worst curve
  std::string worst_name;
  double mean_curve = 0;   // of the take
  double correlation = 0;  // mean over the curves that move
  double mean_mm = 0,
         largest_mm = 0;   // distance of vertices that the data moves; mean over them, largest of any
  double residual_mm = 0;  // what the solver says, mean over the frames
  double seconds = 0;      // of the solve, after the products
};

double meanCorrelation(const Eigen::MatrixXf& a, const Eigen::MatrixXf& b) {
  double sum = 0;
  int count = 0;
  for (Eigen::Index i = 0; i < a.cols(); ++i) {
    const Eigen::VectorXf u = a.col(i).array() - a.col(i).mean(), v = b.col(i).array() - b.col(i).mean();
    const float size = std::sqrt(static_cast<float>(v.size()));
    if (v.norm() < 0.02F * size) continue;  // it hardly moves
    sum += u.norm() > 0 ? u.dot(v) / (u.norm() * v.norm()) : 0;
    ++count;
  }
  return sum / std::max(count, 1);
}

// Drives `played`, solves what that gives with `solved` shapes (names in common are compared).
CurveErrors roundTrip(const Take& take, const ArkitShapes& played, const ArkitShapes& solved,
                      const Eigen::VectorXd& areas, const ShapeSolveOptions& options = {}) {
  const Eigen::MatrixXf in = weightsFor(take, played.names).weights;
  const Eigen::MatrixXf truth = weightsFor(take, solved.names).weights;
  ShapeSolver solver(solved.modes, areas);
  for (int f = 0; f < take.numFrames(); ++f)
    solver.addFrame(displacementOf(played.modes, in.row(f).transpose()));
  const auto start = std::chrono::steady_clock::now();
  const ShapeSolution solution = solver.solve(options);
  CurveErrors errors;
  errors.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  CHECK(solution.converged);
  const Eigen::MatrixXf difference = (solution.weights - truth).cwiseAbs();
  errors.curve = difference.mean();
  errors.mean_curve = truth.mean();
  errors.correlation = meanCorrelation(solution.weights, truth);
  Eigen::Index worst = 0;
  errors.worst_curve = difference.colwise().mean().maxCoeff(&worst);
  errors.worst_name = solved.names[static_cast<std::size_t>(worst)];
  errors.residual_mm = solution.residual_mm.mean();
  double sum_mm = 0;
  long count = 0;
  for (int f = 0; f < take.numFrames(); ++f) {
    const Points3 data = displacementOf(played.modes, in.row(f).transpose());
    const Points3 distance = displacementOf(solved.modes, solution.weights.row(f).transpose()) - data;
    for (Eigen::Index v = 0; v < distance.rows(); ++v) {
      if (played.modes.middleRows<3>(3 * v).isZero(1e-3F) &&
          solved.modes.middleRows<3>(3 * v).isZero(1e-3F)) {
        continue;
      }
      const double mm = distance.row(v).norm();
      sum_mm += mm;
      ++count;
      errors.largest_mm = std::max(errors.largest_mm, mm);
    }
  }
  errors.mean_mm = sum_mm / static_cast<double>(count);
  return errors;
}

void report(const std::string& what, const CurveErrors& errors, int num_shapes) {
  MESSAGE(what << ": " << num_shapes << " curves, mean absolute error " << errors.curve << ", worst "
               << errors.worst_name << " " << errors.worst_curve << "; geometry mean " << errors.mean_mm
               << " mm, largest " << errors.largest_mm << " mm, residual " << errors.residual_mm << " mm; "
               << 1000 * errors.seconds << " ms");
}

}  // namespace

TEST_CASE("eyeAngles: a real performance's look curves say how its own eyes turn") {
  const auto capture = faceCap();
  if (!capture) return;
  const auto angles = eyeAngles(capture->take);
  const double left = (angles[0] - capture->take.left_eye_deg).cwiseAbs().maxCoeff(),
               right = (angles[1] - capture->take.right_eye_deg).cwiseAbs().maxCoeff();
  MESSAGE("largest difference of an eye's angles: " << left << " and " << right << " degrees");
  CHECK(std::max(left, right) < 2);
}

TEST_CASE(
    "ShapeSolver: a real performance comes back from the geometry of three models with ARKit's shapes") {
  const auto capture = faceCap();
  if (!capture) return;
  std::vector<MorphableModel> models = {loadModel("builtin"), capture->model};
  const auto ict = *realData() / "ict_facekit/ict_facekit_light.npz";
  if (std::filesystem::exists(ict)) models.push_back(loadModel(ict.string()));
  for (const MorphableModel& model : models) {
    CAPTURE(model.id);
    const ArkitShapes shapes = arkitShapes(model);
    CHECK(shapes.names.size() == (model.id == "face-cap" ? 52 : 51));
    const CurveErrors errors =
        roundTrip(capture->take, shapes, shapes, vertexAreas(model.mean, model.triangles));
    report(model.id, errors, static_cast<int>(shapes.names.size()));
    CHECK(errors.curve <= 0.03);
    CHECK(errors.worst_curve <= 0.03);
    CHECK(errors.largest_mm <= 0.3);
    CHECK(errors.seconds < 3);  // 0.2 on an idle machine
  }
}

TEST_CASE(
    "ShapeSolver: shapes that were carried over read another artist's performance as far as they agree") {
  const auto capture = faceCap();
  if (!capture) return;
  const MorphableModel builtin = loadModel("builtin");
  MorphableModel bare = capture->model;
  bare.expression = Basis();
  bare.expression_names.clear();
  bare.num_blendshapes = 0;
  const auto landmarks = findModelLandmarks(bare, FaceDetector(), LandmarkRegressor());
  REQUIRE(landmarks.has_value());
  completeModel(bare, builtin, landmarks->ibug68);
  const ArkitShapes own = arkitShapes(capture->model), carried = arkitShapes(bare);
  REQUIRE(carried.names.size() == 51);
  // Of the skin that shows: the capture does not move its teeth and eyeballs, and a mouth's inside is each
  // artist's own.
  const std::vector<std::uint8_t>& material = bare.triangle_material;
  std::vector<Eigen::Index> skin;
  for (Eigen::Index f = 0; f < bare.triangles.rows(); ++f) {
    const bool is_head = bare.triangles.row(f).maxCoeff() < capture->head_size;
    if (is_head && bare.material_names[material[static_cast<std::size_t>(f)]] == "skin") skin.push_back(f);
  }
  const Eigen::VectorXd areas = vertexAreas(bare.mean, bare.triangles(skin, Eigen::all));
  const CurveErrors errors = roundTrip(capture->take, own, carried, areas);
  report("Face Cap's head, read with shapes carried over from the built-in head", errors, 51);
  const Eigen::MatrixXf truth = weightsFor(capture->take, carried.names).weights;
  // Two artists mean different shapes by one name: the sizes of mouthPress differ threefold, those of
  // noseSneer more than twofold, so that curves come back larger or smaller, while they still rise and fall
  // together.
  MESSAGE("curves of the capture are " << errors.mean_curve << " on average; correlation "
                                       << errors.correlation);
  CHECK(errors.curve < 0.12);
  CHECK(errors.correlation > 0.6);
  CHECK(errors.mean_mm < 2.5);
}
