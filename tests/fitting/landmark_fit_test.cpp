#include "fitting/landmark_fit.h"

#include <ceres/gradient_checker.h>
#include <ceres/manifold.h>

#include <random>

#include "core/camera.h"
#include "core/morphable_model.h"
#include "fitting/contour.h"
#include "fitting/cost/landmark_cost.h"
#include "fitting/cost/soft_bounds_cost.h"
#include "fitting/cost/step_prior_cost.h"
// doctest's CHECK collides with glog's inside Ceres, so it comes last.
#include <doctest/doctest.h>

using namespace facet;

namespace {

Camera portraitCamera(float yaw_rad, float distance_mm = 1000) {
  Camera camera;
  camera.width_px = 640;
  camera.height_px = 480;
  camera.principal_px = {320, 240};
  camera.focal_px = 1.6F * distance_mm;
  const Eigen::Matrix3f flip = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.linear() =
      flip * Eigen::AngleAxisf(yaw_rad, Eigen::Vector3f::UnitY()).toRotationMatrix();
  camera.camera_from_model.translation() = Eigen::Vector3f(12, -7, distance_mm);
  return camera;
}

Eigen::VectorXf randomCoefficients(int count, float sigma, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, sigma);
  Eigen::VectorXf values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

LandmarkSet project(const LandmarkEmbedding& embedding, const MorphableModel& model, const Points3& vertices,
                    const Camera& camera) {
  return {camera.imageFromModel(embedding.points(vertices, model.triangles)), {}};
}

double angleDegrees(const Camera& a, const Camera& b) {
  const Eigen::Matrix3f difference = a.camera_from_model.linear().transpose() * b.camera_from_model.linear();
  return Eigen::AngleAxisf(difference).angle() * 180 / M_PI;
}

// Root, neck and jaw; the jaw turns the chin, fading out towards the cheeks, about a place between the ears.
MorphableModel modelWithJaw() {
  MorphableModel model = makeSyntheticModel();
  const int num_vertices = model.numVertices();
  Skeleton skeleton;
  skeleton.names = {"root", "neck", "jaw"};
  skeleton.parent = {-1, 0, 1};
  skeleton.weights = Eigen::MatrixXf::Zero(num_vertices, 3);
  skeleton.regressor.resize(3, num_vertices);
  for (int v = 0; v < num_vertices; ++v) {
    skeleton.weights(v, 2) = std::clamp((-40 - model.mean(v, 1)) / 20, 0.0F, 1.0F);
    skeleton.weights(v, 1) = 1 - skeleton.weights(v, 2);
    for (int j = 0; j < 3; ++j) skeleton.regressor.insert(j, v) = 1.0F / static_cast<float>(num_vertices);
  }
  skeleton.pose_correctives = Eigen::MatrixXf(Eigen::MatrixXf::Constant(3 * num_vertices, 18, 0.5F));
  model.skeleton = skeleton;
  model.check();
  return model;
}

}  // namespace

TEST_CASE("landmark cost: hand-written derivatives agree with numeric ones, with and without a jaw") {
  std::mt19937 generator(3);
  std::uniform_real_distribution<double> uniform(-1, 1);
  const auto randomMatrix = [&](int cols, double size) -> Eigen::MatrixXd {
    return Eigen::MatrixXd::NullaryExpr(3, cols, [&] { return size * uniform(generator); });
  };
  LandmarkModel landmark{{30, -20, 80}, randomMatrix(5, 4), randomMatrix(4, 6)};
  for (const bool has_jaw : {false, true}) {
    if (has_jaw) landmark.jaw = {0.7, {2, 15, 4}, randomMatrix(5, 2), randomMatrix(4, 1), randomMatrix(9, 3)};
    const LandmarkCost cost(landmark, {310, 260}, {320, 240}, 1.7);

    Eigen::Quaterniond rotation(0.2, 0.9, -0.3, 0.1);
    rotation.normalize();
    Eigen::Vector4d camera(std::log(1.6), 5, -8, 1.3);
    Eigen::VectorXd identity = Eigen::VectorXd::NullaryExpr(5, [&] { return uniform(generator); });
    Eigen::VectorXd expression = Eigen::VectorXd::NullaryExpr(4, [&] { return uniform(generator); });
    Eigen::Vector3d jaw(0.35, -0.1, 0.05);
    const double* parameters[] = {rotation.coeffs().data(), camera.data(), identity.data(), expression.data(),
                                  jaw.data()};

    const ceres::EigenQuaternionManifold quaternion;
    std::vector<const ceres::Manifold*> manifolds = {&quaternion, nullptr, nullptr, nullptr};
    if (has_jaw) manifolds.push_back(nullptr);
    ceres::GradientChecker checker(&cost, &manifolds, ceres::NumericDiffOptions());
    ceres::GradientChecker::ProbeResults results;
    // Numeric derivatives by Ridders' extrapolation are good to about 1e-9 here; a wrong term shows at 1e-2.
    CHECK_MESSAGE(checker.Probe(parameters, 1e-6, &results), results.error_log);
  }
}

TEST_CASE("fitLandmarks: a model with a jaw joint gives back how far the mouth was opened") {
  const MorphableModel model = modelWithJaw();
  const Camera truth = portraitCamera(0.3F);
  Points3 pose = Points3::Zero(3, 3);
  pose.row(2) << 0.25F, 0.04F, 0;
  const Eigen::VectorXf identity = randomCoefficients(model.numIdentity(), 0.7F, 5);
  const Points3 vertices = model.vertices(identity, {}, pose);
  FitLandmarks landmarks{project(model.landmarks68, model, vertices, truth),
                         project(model.dense, model, vertices, truth)};
  FitOptions options;
  options.focal_px = truth.focal_px;
  options.landmark_sigma_px = 0.05;
  options.max_iterations = 100;
  const FitResult fit = fitLandmarks(model, landmarks, truth.width_px, truth.height_px, options);
  REQUIRE(fit.isUsable());
  REQUIRE(fit.pose.rows() == 3);
  CHECK(fit.pose.topRows(2).isZero(0));  // the head's own turn belongs to the camera
  CHECK(std::abs(fit.pose(2, 0) - 0.25F) < 0.03F);
  CHECK((model.vertices(fit.identity, fit.expression, fit.pose) - vertices).rowwise().norm().mean() < 0.5);
}

TEST_CASE("fitLandmarks: FLAME's contour landmarks are taken from the row of the head's yaw") {
  // Each row's jaw points lie on a triangle of their own, so that a wrong row, or a wrong side, cannot fit.
  MorphableModel model = makeSyntheticModel();
  const auto rowAt = [&](int yaw) {
    LandmarkEmbedding row;
    row.barycentric = Points3::Constant(kNumJawLandmarks, 3, 1 / 3.0F);
    for (int i = 0; i < kNumJawLandmarks; ++i) {
      const bool slides = yaw > 0 ? i > 8 : i < 8;
      row.triangle.push_back(model.landmarks68.triangle[i] + (slides ? 2 * (std::abs(yaw) / 10) : 0));
    }
    return row;
  };
  for (int yaw = 0; yaw <= 39; ++yaw) model.contour_by_yaw.push_back(rowAt(yaw));
  for (int yaw = -1; yaw >= -39; --yaw) model.contour_by_yaw.push_back(rowAt(yaw));
  model.check();
  for (const float yaw_degrees : {25.0F, -35.0F}) {
    Camera truth = portraitCamera(0);
    const Eigen::Matrix3f facing_left =
        Eigen::AngleAxisf(yaw_degrees * static_cast<float>(M_PI) / 180, Eigen::Vector3f::UnitY())
            .toRotationMatrix();
    truth.camera_from_model.linear() = truth.camera_from_model.linear() * facing_left;
    LandmarkSet seen = project(model.landmarks68, model, model.mean, truth);
    const LandmarkSet jaw = project(model.contourAt(yaw_degrees), model, model.mean, truth);
    seen.positions_px.topRows(kNumJawLandmarks) = jaw.positions_px;
    FitOptions options;
    options.focal_px = truth.focal_px;
    options.landmark_sigma_px = 0.05;
    options.max_iterations = 100;
    const FitResult fit = fitLandmarks(model, {seen, {}, true}, truth.width_px, truth.height_px, options);
    CHECK(fit.residual_px < 0.2);
    CHECK(angleDegrees(fit.camera, truth) < 1);
  }
}

TEST_CASE("fitLandmarks: exact landmarks give back pose and shape") {
  const MorphableModel model = makeSyntheticModel();
  for (const float yaw_rad : {0.0F, 0.5F, -0.9F}) {
    const Camera truth = portraitCamera(yaw_rad);
    const Eigen::VectorXf identity = randomCoefficients(model.numIdentity(), 0.7F, 5);
    Eigen::VectorXf expression = Eigen::VectorXf::Zero(model.numExpression());
    expression[1] = 0.6F;
    const Points3 vertices = model.vertices(identity, expression);
    FitLandmarks landmarks{project(model.landmarks68, model, vertices, truth),
                           project(model.dense, model, vertices, truth)};
    FitOptions options;
    options.focal_px = truth.focal_px;
    options.landmark_sigma_px = 0.05;
    options.max_iterations = 100;
    const FitResult fit = fitLandmarks(model, landmarks, truth.width_px, truth.height_px, options);

    REQUIRE(fit.isUsable());
    CHECK(fit.residual_px < 0.1);
    CHECK(angleDegrees(fit.camera, truth) < 0.3);
    // One view leaves size and distance linked through the prior alone, hence millimetres and not
    // micrometres.
    const Points3 found = model.vertices(fit.identity, fit.expression);
    CHECK((found - vertices).rowwise().norm().mean() < 0.5);
  }
}

TEST_CASE("fitLandmarks: a few wild landmarks do not move the fit") {
  const MorphableModel model = makeSyntheticModel();
  const Camera truth = portraitCamera(0.3F);
  const Points3 vertices = model.vertices(randomCoefficients(model.numIdentity(), 0.7F, 8), {});
  FitLandmarks clean{project(model.landmarks68, model, vertices, truth),
                     project(model.dense, model, vertices, truth)};
  FitLandmarks wild = clean;
  for (int i = 0; i < 5; ++i) wild.dense.positions_px.row(11 * i) += Eigen::RowVector2f(60, -45);
  const FitResult without = fitLandmarks(model, clean, truth.width_px, truth.height_px);
  const FitResult with = fitLandmarks(model, wild, truth.width_px, truth.height_px);
  const Points3 difference =
      model.vertices(without.identity, without.expression) - model.vertices(with.identity, with.expression);
  CHECK(difference.rowwise().norm().mean() < 1.0);
  CHECK(angleDegrees(without.camera, with.camera) < 2.0);
}

TEST_CASE("fitLandmarks: blendshape weights stay within [0, 1] and a strong prior keeps the mean face") {
  const MorphableModel model = makeSyntheticModel();
  const Camera truth = portraitCamera(0);
  Eigen::VectorXf expression = Eigen::VectorXf::Constant(model.numExpression(), -0.8F);
  expression[0] = 1.7F;
  const Points3 vertices = model.vertices({}, expression);
  const FitLandmarks landmarks{project(model.landmarks68, model, vertices, truth), {}};
  FitOptions options;
  options.identity_weight = 1e6;
  const FitResult fit = fitLandmarks(model, landmarks, truth.width_px, truth.height_px, options);
  CHECK(fit.expression.minCoeff() >= 0);
  CHECK(fit.expression.maxCoeff() <= 1);
  CHECK(fit.identity.cwiseAbs().maxCoeff() < 0.01);
}

TEST_CASE("fitLandmarks: a known focal length is kept, an orthographic camera has none") {
  const MorphableModel model = makeSyntheticModel();
  const Camera truth = portraitCamera(0.2F);
  const FitLandmarks landmarks{project(model.landmarks68, model, model.mean, truth), {}};
  FitOptions options;
  options.focal_px = 1234;
  const FitResult known = fitLandmarks(model, landmarks, truth.width_px, truth.height_px, options);
  CHECK(known.camera.focal_px == doctest::Approx(1234).epsilon(0.01));
  options = {};
  options.scaled_orthographic = true;
  const FitResult orthographic = fitLandmarks(model, landmarks, truth.width_px, truth.height_px, options);
  CHECK(orthographic.camera.projection == Camera::Projection::kScaledOrthographic);
  CHECK(orthographic.camera.scale_px_per_mm == doctest::Approx(1.6).epsilon(0.05));
}

TEST_CASE("fitLandmarks: the callback sees every stage and can stop the fit") {
  const MorphableModel model = makeSyntheticModel();
  const Camera truth = portraitCamera(0);
  const FitLandmarks landmarks{project(model.landmarks68, model, model.mean, truth), {}};
  std::vector<std::string> stages;
  FitOptions options;
  options.on_iteration = [&](const FitIteration& iteration) {
    if (stages.empty() || stages.back() != iteration.stage) stages.push_back(iteration.stage);
    return iteration.stage != "shape";
  };
  const FitResult fit = fitLandmarks(model, landmarks, truth.width_px, truth.height_px, options);
  CHECK(stages == std::vector<std::string>{"pose", "shape"});
  CHECK(fit.termination == Termination::kStoppedByUser);
  CHECK_FALSE(fit.isUsable());
}

TEST_CASE("fitLandmarks: wrong arguments are named") {
  const MorphableModel model = makeSyntheticModel();
  FitLandmarks landmarks;
  CHECK_THROWS_WITH_AS(fitLandmarks(model, landmarks, 640, 480), doctest::Contains("at least 6"),
                       std::invalid_argument);
  landmarks.ibug68.positions_px = Points2::Zero(67, 2);
  CHECK_THROWS_WITH_AS(fitLandmarks(model, landmarks, 640, 480), doctest::Contains("67"),
                       std::invalid_argument);
  landmarks.ibug68.positions_px = Points2::Constant(68, 2, NAN);
  CHECK_THROWS_WITH_AS(fitLandmarks(model, landmarks, 640, 480), doctest::Contains("not finite"),
                       std::invalid_argument);
  const MorphableModel stiff = makeSyntheticModel(0, 10, 0);
  CHECK_THROWS_WITH_AS(fitLandmarks(stiff, landmarks, 640, 480), doctest::Contains("0 expression modes"),
                       std::invalid_argument);
  FitOptions options;
  options.outlier_sigmas = -1;
  CHECK_THROWS_WITH_AS(options.check(), doctest::Contains("outlier_sigmas = -1"), std::invalid_argument);
}

TEST_CASE("JawContour: only the jaw that is turned away slides, to the outline") {
  const MorphableModel model = makeSyntheticModel();
  const JawContour contour(model);
  // Turning by +yaw takes the subject's left (landmarks 9 to 16) away from the camera.
  const Camera turned = portraitCamera(0.7F);
  const LandmarkSet landmarks = project(model.landmarks68, model, model.mean, turned);
  const auto assigned = contour.assign(model.mean, turned, landmarks);
  int slid_right = 0, slid_left = 0;
  for (int i = 0; i < 8; ++i) slid_right += assigned[i] >= 0, slid_left += assigned[16 - i] >= 0;
  CHECK(slid_left >= slid_right + 3);
  const Camera mirrored = portraitCamera(-0.7F);
  const auto other =
      contour.assign(model.mean, mirrored, project(model.landmarks68, model, model.mean, mirrored));
  slid_right = slid_left = 0;
  for (int i = 0; i < 8; ++i) slid_right += other[i] >= 0, slid_left += other[16 - i] >= 0;
  CHECK(slid_right >= slid_left + 3);
  // A vertex on the outline is seen edge-on.
  const Points3 in_camera = turned.cameraFromModel(model.mean);
  const Points3 normals = vertexNormals(in_camera, model.triangles);
  for (const int vertex : assigned) {
    if (vertex < 0) continue;
    const float cosine = normals.row(vertex).dot(-in_camera.row(vertex).normalized());
    CHECK(std::abs(cosine) < 0.5F);
  }
}

TEST_CASE("soft bounds cost: nothing inside the box, the distance outside it") {
  const SoftBoundsCost cost(Eigen::VectorXd::Constant(3, 0), Eigen::VectorXd::Constant(3, 1), 0.5);
  const double x[] = {0.4, -0.25, 1.5};
  const double* parameters[] = {x};
  double residuals[3];
  REQUIRE(cost.Evaluate(parameters, residuals, nullptr));
  CHECK(residuals[0] == 0);
  CHECK(residuals[1] == doctest::Approx(-0.5));
  CHECK(residuals[2] == doctest::Approx(1.0));
}

TEST_CASE("step prior costs: hand-written derivatives agree with numeric ones, and large steps cost little") {
  const std::unique_ptr<ceres::CostFunction> block(
      StepPriorCost::create(Eigen::Vector3d(0.2, -1, 4), Eigen::Vector3d(0.1, 0.5, INFINITY)));
  const ceres::EigenQuaternionManifold quaternion;
  const Eigen::Quaterniond before = Eigen::Quaterniond(0.9, 0.3, -0.2, 0.1).normalized();
  const std::unique_ptr<ceres::CostFunction> turn(RotationStepCost::create(before, 0.5));
  const auto worstError = [](const ceres::CostFunction& cost, const ceres::Manifold* manifold,
                             const double* x) {
    const std::vector<const ceres::Manifold*> manifolds = {manifold};
    ceres::GradientChecker checker(&cost, &manifolds, ceres::NumericDiffOptions());
    ceres::GradientChecker::ProbeResults results;
    checker.Probe(&x, 1e-6, &results);  // its verdict compares zeros with zeros relatively
    return (results.local_jacobians[0] - results.local_numeric_jacobians[0]).cwiseAbs().maxCoeff();
  };
  for (const double step : {0.0, 0.3, -2.5}) {
    const Eigen::Vector3d x(0.2 + 0.1 * step, -1 + 0.3 * step, 9);
    CHECK(worstError(*block, nullptr, x.data()) < 1e-5);
    const Eigen::Quaterniond now(Eigen::AngleAxisd(0.4 * step, Eigen::Vector3d(1, 2, -1).normalized()) *
                                 before);
    CHECK(worstError(*turn, &quaternion, now.coeffs().data()) < 1e-5);
  }
  const double far[] = {0.2 + 0.1 * 100, -1, 4};
  const double* parameters[] = {far};
  double residuals[3];
  REQUIRE(block->Evaluate(parameters, residuals, nullptr));
  CHECK(residuals[0] == doctest::Approx(std::sqrt(std::log1p(100.0 * 100.0))));  // 3 sigmas for a step of 100
}

TEST_CASE("fitLandmarks: a known identity is kept, and pose and expression are found with it") {
  const MorphableModel model = makeSyntheticModel();
  const Camera truth = portraitCamera(-0.4F);
  const Eigen::VectorXf identity = randomCoefficients(model.numIdentity(), 1, 6);
  Eigen::VectorXf expression = Eigen::VectorXf::Zero(model.numExpression());
  expression[2] = 0.5F;
  const Points3 vertices = model.vertices(identity, expression);
  FitLandmarks landmarks{project(model.landmarks68, model, vertices, truth),
                         project(model.dense, model, vertices, truth)};
  landmarks.known_identity = identity;
  FitOptions options;
  options.focal_px = truth.focal_px;
  options.landmark_sigma_px = 0.05;
  const FitResult fit = fitLandmarks(model, landmarks, truth.width_px, truth.height_px, options);
  CHECK(fit.identity == identity);
  CHECK((fit.expression - expression).cwiseAbs().maxCoeff() < 0.02F);
  CHECK(angleDegrees(fit.camera, truth) < 0.05);
  landmarks.known_identity.conservativeResize(3);
  CHECK_THROWS_WITH_AS(fitLandmarks(model, landmarks, 640, 480),
                       doctest::Contains("known identity of 3 coefficients"), std::invalid_argument);
}

TEST_CASE(
    "fitLandmarks: the identity evidence and the prior alone have their optimum at the fitted identity") {
  const MorphableModel model = makeSyntheticModel();
  const Camera truth = portraitCamera(0.5F);
  const Points3 vertices = model.vertices(randomCoefficients(model.numIdentity(), 1, 7), {});
  const FitLandmarks landmarks{project(model.landmarks68, model, vertices, truth), {}};
  FitOptions options;
  options.max_iterations = 200;
  options.give_identity_evidence = true;
  const FitResult fit = fitLandmarks(model, landmarks, truth.width_px, truth.height_px, options);
  const LinearEvidence& evidence = fit.identity_evidence;
  REQUIRE(evidence.matrix.cols() == model.numIdentity());
  Eigen::MatrixXd normal_matrix = evidence.matrix.transpose() * evidence.matrix;
  normal_matrix.diagonal().array() += 1;
  const Eigen::VectorXd optimum = normal_matrix.ldlt().solve(evidence.matrix.transpose() * evidence.target);
  // The solver stops where a further step would gain less than 1e-4 of the cost.
  CHECK((optimum.cast<float>() - fit.identity).cwiseAbs().maxCoeff() < 0.05F);
  CHECK(evidence.matrix.norm() > 1);  // and it says something
}

TEST_CASE("fitLandmarks: near the frame before, noise is held back and a turn of the head is not") {
  const MorphableModel model = makeSyntheticModel();
  const Camera still = portraitCamera(0.2F), turned = portraitCamera(0.6F);
  const Eigen::VectorXf identity = Eigen::VectorXf::Zero(model.numIdentity());
  const Eigen::VectorXf expression = Eigen::VectorXf::Constant(model.numExpression(), 0.3F);
  const Points3 vertices = model.vertices(identity, expression);
  const auto noisy = [&](const Camera& camera, unsigned seed) {
    FitLandmarks landmarks{project(model.landmarks68, model, vertices, camera), {}};
    const Eigen::VectorXf noise = randomCoefficients(2 * kNumIbugLandmarks, 1, seed);
    landmarks.ibug68.positions_px += Eigen::Map<const Points2>(noise.data(), kNumIbugLandmarks, 2);
    landmarks.ibug68.sigma_px = Eigen::VectorXf::Constant(kNumIbugLandmarks, 2);
    landmarks.known_identity = identity;
    return landmarks;
  };
  FitOptions options;
  options.focal_px = still.focal_px;
  const PreviousFrame previous{still, expression, {}};
  double alone_deg = 0, tied_deg = 0;
  for (unsigned seed = 0; seed < 10; ++seed) {
    FitLandmarks landmarks = noisy(still, seed);
    alone_deg += angleDegrees(fitLandmarks(model, landmarks, 640, 480, options).camera, still);
    landmarks.previous = previous;
    tied_deg += angleDegrees(fitLandmarks(model, landmarks, 640, 480, options).camera, still);
  }
  CHECK(tied_deg < 0.7 * alone_deg);

  FitLandmarks landmarks = noisy(turned, 20);
  const FitResult alone = fitLandmarks(model, landmarks, 640, 480, options);
  landmarks.previous = previous;
  const FitResult tied = fitLandmarks(model, landmarks, 640, 480, options);
  CHECK(angleDegrees(tied.camera, alone.camera) < 0.8);  // of 23 degrees
  landmarks.previous->rotation_sigma_deg = 0;
  CHECK_THROWS_WITH_AS(fitLandmarks(model, landmarks, 640, 480), doctest::Contains("not > 0"),
                       std::invalid_argument);
}

TEST_CASE("fitLandmarks: a pinned landmark counts for more than all that the network says of it") {
  const MorphableModel model = makeSyntheticModel();
  const Camera camera = portraitCamera(0.2F);
  const Points3 vertices = model.vertices(randomCoefficients(model.numIdentity(), 0.5F, 1));
  FitLandmarks landmarks{project(model.landmarks68, model, vertices, camera), {}};
  constexpr int kChin = 8, kNose = 30;
  const auto fitted = [&](const FitResult& fit, int landmark) {
    return Eigen::RowVector2f(
        project(model.landmarks68, model, model.vertices(fit.identity, fit.expression), fit.camera)
            .positions_px.row(landmark));
  };
  const FitResult before = fitLandmarks(model, landmarks, 640, 480);
  const Eigen::RowVector2f wanted = fitted(before, kChin) + Eigen::RowVector2f(3, 8);
  // As an outlier among the others it does next to nothing.
  FitLandmarks outlier = landmarks;
  outlier.ibug68.positions_px.row(kChin) = wanted;
  CHECK((fitted(fitLandmarks(model, outlier, 640, 480), kChin) - wanted).norm() > 6);
  landmarks.pinned = {{kChin, wanted.transpose(), 0.5F}};
  const FitResult pinned = fitLandmarks(model, landmarks, 640, 480);
  CHECK((fitted(pinned, kChin) - wanted).norm() < 2);
  CHECK((fitted(pinned, kNose) - fitted(before, kNose)).norm() < 3);
  landmarks.pinned[0].index = 68;
  CHECK_THROWS_WITH_AS(fitLandmarks(model, landmarks, 640, 480), doctest::Contains("pinned"),
                       std::invalid_argument);
}
