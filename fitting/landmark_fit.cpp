#include "fitting/landmark_fit.h"

#include <ceres/ceres.h>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <sstream>

#include "core/check.h"
#include "fitting/contour.h"
#include "fitting/cost/focal_length_cost.h"
#include "fitting/cost/gaussian_prior_cost.h"
#include "fitting/cost/landmark_cost.h"
#include "fitting/cost/linear_gaussian_cost.h"
#include "fitting/cost/soft_bounds_cost.h"
#include "fitting/cost/step_prior_cost.h"

namespace facet {
namespace {

using Clock = std::chrono::steady_clock;

// Sigma of a landmark without one, as a fraction of the face's size in the image: a good detector's error.
constexpr double kDefaultRelativeSigma = 0.015;
// Hand-picked brow points lie on the hair, which sits up to a centimetre below a model's own brow points.
constexpr double kBrowSigmaFactor = 3;
// A known focal length is kept this tightly (relative).
constexpr double kKnownFocalSigma = 1e-3;
// Closer than 0.1 m no camera sees a whole face in focus.
constexpr double kMaxInverseDistance_per_m = 10;
// Expressions of PCA models are standard deviations; beyond this they stop looking like faces.
constexpr double kMaxPcaExpression = 3;
// How far an expression weight may leave its bounds while solving; it is clamped at the end.
constexpr double kExpressionBoundSigma = 0.02;

// The jaw's rotation about the axes of the model: it opens about x, hardly turns about y (sideways) and z.
// Radians.
const Eigen::Vector3d kJawSigma_rad(0.15, 0.05, 0.03), kJawLower_rad(-0.03, -0.2, -0.1),
    kJawUpper_rad(0.6, 0.2, 0.1);
constexpr double kJawBoundSigma_rad = 0.01;

struct Observation {
  LandmarkModel model;
  Eigen::Vector2d position_px;
  double sigma_px;
  bool is_pinned = false;  // neither an outlier nor one of many: its full weight
};

using Modes = Eigen::Matrix<double, 3, Eigen::Dynamic>;

// What the jaw joint of a model does to every landmark alike: where it lies.
std::optional<JawModel> jawModel(const MorphableModel& model) {
  const int joint = model.skeleton ? model.skeleton->jointIndex("jaw") : -1;
  if (joint < 0) return std::nullopt;
  JawModel jaw;
  jaw.place_mean.setZero();
  jaw.place_identity.setZero(3, model.numIdentity());
  jaw.place_expression.setZero(3, model.numExpression());
  for (decltype(model.skeleton->regressor)::InnerIterator at(model.skeleton->regressor, joint); at; ++at) {
    const auto vertex = at.col();
    const double weight = at.value();
    jaw.place_mean += weight * model.mean.row(vertex).transpose().cast<double>();
    jaw.place_identity += weight * model.identity.vertex(vertex).cast<double>();
    jaw.place_expression += weight * model.expression.vertex(vertex).cast<double>();
  }
  jaw.correctives.setZero();
  return jaw;
}

// Mean and bases at one point of the surface; `jaw` as jawModel() gives it.
LandmarkModel landmarkModel(const MorphableModel& model, const std::optional<JawModel>& jaw,
                            const Eigen::Vector3i& vertices, const Eigen::Vector3f& weights) {
  LandmarkModel landmark;
  landmark.mean.setZero();
  landmark.identity.setZero(3, model.numIdentity());
  landmark.expression.setZero(3, model.numExpression());
  for (int k = 0; k < 3; ++k) {
    if (weights[k] == 0) continue;
    landmark.mean += weights[k] * model.mean.row(vertices[k]).transpose().cast<double>();
    landmark.identity += weights[k] * model.identity.vertex(vertices[k]).cast<double>();
    landmark.expression += weights[k] * model.expression.vertex(vertices[k]).cast<double>();
  }
  if (!jaw) return landmark;
  landmark.jaw = jaw;
  const Skeleton& skeleton = *model.skeleton;
  const int joint = skeleton.jointIndex("jaw");
  for (int k = 0; k < 3; ++k) {
    landmark.jaw->weight += weights[k] * skeleton.weights(vertices[k], joint);
    if (skeleton.pose_correctives.cols() == 0) continue;
    const Modes correctives = skeleton.pose_correctives.vertex(vertices[k]).cast<double>();
    landmark.jaw->correctives += weights[k] * correctives.middleCols<9>(9 * (joint - 1));
  }
  return landmark;
}

LandmarkModel landmarkModel(const MorphableModel& model, const std::optional<JawModel>& jaw,
                            const LandmarkEmbedding& embedding, int i) {
  return landmarkModel(model, jaw, model.triangles.row(embedding.triangle[i]).transpose(),
                       embedding.barycentric.row(i).transpose());
}

void addObservations(const MorphableModel& model, const std::optional<JawModel>& jaw,
                     const LandmarkEmbedding& embedding, const LandmarkSet& landmarks,
                     double default_sigma_px, std::vector<Observation>& observations) {
  for (int i = 0; i < landmarks.size(); ++i) {
    if (!embedding.has(i)) continue;
    const double sigma_px = landmarks.sigma_px.size() > 0 ? landmarks.sigma_px[i] : default_sigma_px;
    observations.push_back({landmarkModel(model, jaw, embedding, i),
                            landmarks.positions_px.row(i).transpose().cast<double>(), sigma_px});
  }
}

// The unknowns, in the layout of LandmarkCost.
struct State {
  Eigen::Quaterniond rotation = Eigen::Quaterniond(Eigen::AngleAxisd(M_PI, Eigen::Vector3d::UnitX()));
  Eigen::Vector4d camera = Eigen::Vector4d::Zero();  // log s (px/mm), t_x mm, t_y mm, k (1/m)
  Eigen::VectorXd identity, expression;
  Eigen::Vector3d jaw = Eigen::Vector3d::Zero();  // axis times angle, radians
};

// J×3 for MorphableModel::vertices().
Points3 poseOf(const MorphableModel& model, const State& state) {
  const int joint = model.skeleton ? model.skeleton->jointIndex("jaw") : -1;
  if (joint < 0) return {};
  Points3 pose = Points3::Zero(model.skeleton->numJoints(), 3);
  pose.row(joint) = state.jaw.cast<float>();
  return pose;
}

// The inverse of cameraOf() and poseOf(), for a perspective camera.
State stateOf(const MorphableModel& model, const PreviousFrame& frame) {
  const Eigen::Vector3d translation_mm = frame.camera.camera_from_model.translation().cast<double>();
  State state;
  state.rotation = Eigen::Quaterniond(frame.camera.camera_from_model.linear().cast<double>());
  state.camera << std::log(frame.camera.focal_px / translation_mm.z()), translation_mm.x(),
      translation_mm.y(), 1000 / translation_mm.z();
  state.expression = frame.expression.cast<double>();
  const int joint = model.skeleton ? model.skeleton->jointIndex("jaw") : -1;
  if (joint >= 0) state.jaw = frame.pose.row(joint).transpose().cast<double>();
  return state;
}

// How far the face turns to its own left, degrees.
float headYaw(const State& state) {
  const Eigen::Vector3d forward_in_camera = state.rotation * Eigen::Vector3d::UnitZ();
  return static_cast<float>(std::atan2(forward_in_camera.x(), -forward_in_camera.z()) * 180 / M_PI);
}

Camera cameraOf(const State& state, int width_px, int height_px, bool scaled_orthographic) {
  Camera camera;
  camera.width_px = width_px;
  camera.height_px = height_px;
  camera.principal_px = {width_px / 2.0F, height_px / 2.0F};
  const double scale = std::exp(state.camera[0]);
  // An orthographic camera sees no distance; one metre keeps the depth of its points positive.
  const double distance_mm = 1000 / (scaled_orthographic ? 1.0 : state.camera[3]);
  camera.projection =
      scaled_orthographic ? Camera::Projection::kScaledOrthographic : Camera::Projection::kPerspective;
  camera.scale_px_per_mm = scaled_orthographic ? static_cast<float>(scale) : 0;
  camera.focal_px = scaled_orthographic ? 0 : static_cast<float>(scale * distance_mm);
  camera.camera_from_model.linear() = state.rotation.normalized().toRotationMatrix().cast<float>();
  camera.camera_from_model.translation() =
      Eigen::Vector3d(state.camera[1], state.camera[2], distance_mm).cast<float>();
  return camera;
}

// Scaled orthographic pose of the face of the state's coefficients in closed form: the affine camera by
// weighted least squares, then the nearest rotation. Bruckstein et al., "Optimum Fiducials under Weak
// Perspective Projection", IJCV 1999.
void initializePose(const std::vector<Observation>& observations, const Eigen::Vector2d& principal_px,
                    State& state) {
  Eigen::Matrix4d normal_matrix = Eigen::Matrix4d::Zero();
  Eigen::Matrix<double, 4, 2> right_side = Eigen::Matrix<double, 4, 2>::Zero();
  for (const Observation& o : observations) {
    const Eigen::Vector3d point =
        o.model.mean + o.model.identity * state.identity + o.model.expression * state.expression;
    const Eigen::Vector4d row(point.x(), point.y(), point.z(), 1);
    const double weight = 1 / (o.sigma_px * o.sigma_px);
    normal_matrix += weight * row * row.transpose();
    right_side += weight * row * (o.position_px - principal_px).transpose();
  }
  const Eigen::Matrix<double, 4, 2> affine = normal_matrix.ldlt().solve(right_side);
  Eigen::Matrix3d directions;
  directions.row(0) = affine.col(0).head<3>().transpose();
  directions.row(1) = affine.col(1).head<3>().transpose();
  directions.row(2) = directions.row(0).cross(directions.row(1)).normalized() *
                      std::sqrt(directions.row(0).norm() * directions.row(1).norm());
  const Eigen::JacobiSVD<Eigen::Matrix3d> svd(directions, Eigen::ComputeFullU | Eigen::ComputeFullV);
  state.rotation = Eigen::Quaterniond(Eigen::Matrix3d(svd.matrixU() * svd.matrixV().transpose()));
  const double scale = std::max(1e-6, 0.5 * (svd.singularValues()[0] + svd.singularValues()[1]));
  state.camera.head<3>() << std::log(scale), affine(3, 0) / scale, affine(3, 1) / scale;
}

// Mean of the coefficients given the evidence and a prior N(0, sigma²).
Eigen::VectorXd posteriorMean(const LinearEvidence& evidence, const Eigen::VectorXd& sigma) {
  Eigen::MatrixXd precision = evidence.matrix.transpose() * evidence.matrix;
  precision.diagonal() += sigma.array().square().inverse().matrix();
  return precision.ldlt().solve(evidence.matrix.transpose() * evidence.target);
}

class IterationReporter : public ceres::IterationCallback {
 public:
  IterationReporter(const MorphableModel& model, const FitOptions& options, std::string stage,
                    const State& state, int width_px, int height_px)
      : model_(model),
        options_(options),
        stage_(std::move(stage)),
        state_(state),
        width_px_(width_px),
        height_px_(height_px) {}

  ceres::CallbackReturnType operator()(const ceres::IterationSummary& summary) override {
    const FitIteration iteration{stage_,
                                 summary.iteration,
                                 summary.cost,
                                 state_.identity.cast<float>(),
                                 state_.expression.cast<float>(),
                                 poseOf(model_, state_),
                                 cameraOf(state_, width_px_, height_px_, options_.scaled_orthographic)};
    return options_.on_iteration(iteration) ? ceres::SOLVER_CONTINUE : ceres::SOLVER_ABORT;
  }

 private:
  const MorphableModel& model_;
  const FitOptions& options_;
  std::string stage_;
  const State& state_;
  int width_px_, height_px_;
};

double residualPx(const std::vector<Observation>& observations, const State& state,
                  const Eigen::Vector2d& principal_px) {
  double sum = 0;
  int count = 0;
  for (const Observation& o : observations) {
    const LandmarkCost cost(o.model, o.position_px, principal_px, 1.0);
    const double* parameters[] = {state.rotation.coeffs().data(), state.camera.data(), state.identity.data(),
                                  state.expression.data(), state.jaw.data()};
    Eigen::Vector2d residual;
    if (!cost.Evaluate(parameters, residual.data(), nullptr)) continue;
    sum += residual.squaredNorm();
    ++count;
  }
  return count > 0 ? std::sqrt(sum / count) : 0;
}

// Ties pose and expression to those of the frame before.
void addStepTerms(const MorphableModel& model, const PreviousFrame& frame, State& state,
                  ceres::Problem& problem) {
  constexpr double kRadians = M_PI / 180;
  const State previous = stateOf(model, frame);
  problem.AddResidualBlock(RotationStepCost::create(previous.rotation, frame.rotation_sigma_deg * kRadians),
                           nullptr, state.rotation.coeffs().data());
  const double distance_mm = 1000 / previous.camera[3];
  const Eigen::Vector4d camera_sigma(frame.depth_sigma_mm / distance_mm, frame.translation_sigma_mm,
                                     frame.translation_sigma_mm, std::numeric_limits<double>::infinity());
  problem.AddResidualBlock(StepPriorCost::create(previous.camera, camera_sigma), nullptr,
                           state.camera.data());
  Eigen::VectorXd expression_sigma(state.expression.size());
  for (int e = 0; e < model.numExpression(); ++e)
    expression_sigma[e] = (model.isBlendshape(e) ? 1 : 3) * frame.expression_sigma;
  problem.AddResidualBlock(StepPriorCost::create(previous.expression, expression_sigma), nullptr,
                           state.expression.data());
  if (problem.HasParameterBlock(state.jaw.data())) {
    const Eigen::Vector3d jaw_sigma = Eigen::Vector3d::Constant(frame.jaw_sigma_deg * kRadians);
    problem.AddResidualBlock(StepPriorCost::create(previous.jaw, jaw_sigma), nullptr, state.jaw.data());
  }
}

// The normal equations of all terms but `identity_terms`, with every unknown but the identity eliminated
// (Schur complement), as residuals: H = M^T M, gradient at the identity a0 = M^T (M a0 - target).
LinearEvidence marginalEvidence(ceres::Problem& problem, State& state,
                                const std::vector<ceres::ResidualBlockId>& identity_terms) {
  ceres::Problem::EvaluateOptions options;
  problem.GetResidualBlocks(&options.residual_blocks);
  std::erase_if(options.residual_blocks, [&](ceres::ResidualBlockId term) {
    return std::find(identity_terms.begin(), identity_terms.end(), term) != identity_terms.end();
  });
  options.parameter_blocks = {state.rotation.coeffs().data(), state.camera.data(), state.expression.data()};
  if (problem.HasParameterBlock(state.jaw.data())) options.parameter_blocks.push_back(state.jaw.data());
  options.parameter_blocks.push_back(state.identity.data());
  problem.SetParameterBlockVariable(state.identity.data());
  std::vector<double> residuals;
  ceres::CRSMatrix rows;
  problem.Evaluate(options, nullptr, &residuals, nullptr, &rows);
  Eigen::MatrixXd jacobian = Eigen::MatrixXd::Zero(rows.num_rows, rows.num_cols);
  for (int r = 0; r < rows.num_rows; ++r)
    for (int k = rows.rows[r]; k < rows.rows[r + 1]; ++k) jacobian(r, rows.cols[k]) = rows.values[k];
  const Eigen::VectorXd gradient =
      jacobian.transpose() * Eigen::Map<const Eigen::VectorXd>(residuals.data(), rows.num_rows);
  const Eigen::MatrixXd normal_matrix = jacobian.transpose() * jacobian;

  const Eigen::Index count = state.identity.size(), others = rows.num_cols - count;
  // A tiny ridge keeps what no term sees (the distance of a scaled orthographic camera) from dividing by 0.
  const Eigen::MatrixXd nuisance =
      normal_matrix.topLeftCorner(others, others) + 1e-9 * Eigen::MatrixXd::Identity(others, others);
  const Eigen::LDLT<Eigen::MatrixXd> solver(nuisance);
  const Eigen::MatrixXd cross = normal_matrix.topRightCorner(others, count);
  const Eigen::MatrixXd marginal =
      normal_matrix.bottomRightCorner(count, count) - cross.transpose() * solver.solve(cross);
  const Eigen::VectorXd slope =
      gradient.tail(count) - cross.transpose() * solver.solve(gradient.head(others));

  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(marginal);
  const Eigen::ArrayXd root = eigen.eigenvalues().array().max(1e-12).sqrt();
  LinearEvidence evidence;
  evidence.matrix = root.matrix().asDiagonal() * eigen.eigenvectors().transpose();
  evidence.target = evidence.matrix * state.identity -
                    Eigen::VectorXd((eigen.eigenvectors().transpose() * slope).array() / root);
  return evidence;
}

void checkLandmarks(const MorphableModel& model, const FitLandmarks& landmarks) {
  const auto checkSet = [&](const LandmarkSet& set, const LandmarkEmbedding& embedding, const char* name) {
    if (set.size() == 0) return;
    require(embedding.size() == set.size(), "fitLandmarks: ", set.size(), " ", name,
            " landmarks given, model ", model.id, " has ", embedding.size());
    require(set.sigma_px.size() == 0 || set.sigma_px.size() == set.size(),
            "fitLandmarks: ", set.sigma_px.size(), " sigmas for ", set.size(), " ", name, " landmarks");
    require(set.positions_px.allFinite() && set.sigma_px.allFinite(), "fitLandmarks: a ", name,
            " landmark is not finite; leave unseen points out by giving them a large sigma");
    require(set.sigma_px.size() == 0 || set.sigma_px.minCoeff() > 0, "fitLandmarks: sigmas of the ", name,
            " landmarks must be > 0");
  };
  require(model.numIdentity() > 0 && model.numExpression() > 0, "fitLandmarks: model ", model.id, " has ",
          model.numIdentity(), " identity and ", model.numExpression(),
          " expression modes; a fit needs both");
  checkSet(landmarks.ibug68, model.landmarks68, "iBUG");
  checkSet(landmarks.dense, model.dense, "dense");
  for (const PinnedLandmark& pin : landmarks.pinned) {
    require(pin.index >= 0 && pin.index < model.landmarks68.size() && model.landmarks68.has(pin.index) &&
                pin.position_px.allFinite() && pin.sigma_px > 0,
            "fitLandmarks: the pinned landmark ", pin.index, " of ", model.landmarks68.size(),
            " is none of model ", model.id, "'s, not finite, or its sigma is not > 0");
  }
  const auto checkEvidence = [&](const LinearEvidence& evidence, int num_modes, const char* name) {
    require(evidence.matrix.allFinite() && evidence.target.allFinite(), "fitLandmarks: the ", name,
            " guess is not finite");
    require(evidence.empty() ||
                (evidence.matrix.rows() == evidence.target.size() && evidence.matrix.cols() == num_modes),
            "fitLandmarks: the ", name, " guess is a ", evidence.matrix.rows(), "x", evidence.matrix.cols(),
            " matrix with ", evidence.target.size(), " targets, model ", model.id, " has ", num_modes, " ",
            name, " modes");
  };
  checkEvidence(landmarks.identity_evidence, model.numIdentity(), "identity");
  checkEvidence(landmarks.expression_evidence, model.numExpression(), "expression");
  const Eigen::Index num_known = landmarks.known_identity.size();
  require(num_known == 0 || (num_known == model.numIdentity() && landmarks.known_identity.allFinite()),
          "fitLandmarks: a known identity of ", num_known, " coefficients; model ", model.id, " needs ",
          model.numIdentity(), ", all finite");
  if (landmarks.previous) {
    const PreviousFrame& frame = *landmarks.previous;
    require(frame.camera.projection == Camera::Projection::kPerspective && frame.camera.focal_px > 0 &&
                frame.camera.camera_from_model.translation().z() > 0,
            "fitLandmarks: the frame before needs a perspective camera in front of the face");
    require(frame.expression.size() == model.numExpression() &&
                frame.pose.rows() == poseOf(model, State()).rows(),
            "fitLandmarks: the frame before has ", frame.expression.size(), " expression weights and ",
            frame.pose.rows(), " joints, which model ", model.id, " has not");
    require(frame.rotation_sigma_deg > 0 && frame.translation_sigma_mm > 0 && frame.depth_sigma_mm > 0 &&
                frame.expression_sigma > 0 && frame.jaw_sigma_deg > 0,
            "PreviousFrame: a standard deviation is not > 0");
  }
  if (landmarks.start) {
    const FitStart& start = *landmarks.start;
    require(start.identity.size() == model.numIdentity() && start.expression.size() == model.numExpression(),
            "fitLandmarks: the start has ", start.identity.size(), " identity and ", start.expression.size(),
            " expression coefficients, model ", model.id, " has ", model.numIdentity(), " and ",
            model.numExpression());
    require(start.pose.rows() == 0 || (model.skeleton && start.pose.rows() == model.skeleton->numJoints()),
            "fitLandmarks: the start has a pose of ", start.pose.rows(), " joints, which model ", model.id,
            " does not have");
    require(start.identity.allFinite() && start.expression.allFinite() && start.pose.allFinite(),
            "fitLandmarks: the start is not finite");
    require(start.sigma > 0, "fitLandmarks: the start's sigma is ", start.sigma, "; must be > 0");
  }
  require(landmarks.ibug68.size() + landmarks.dense.size() >= 6,
          "fitLandmarks: ", landmarks.ibug68.size() + landmarks.dense.size(),
          " landmarks given, at least 6 are needed for a pose");
}

}  // namespace

void FitOptions::check() const {
  const auto positive = [](double value, const char* name) {
    require(value > 0, "FitOptions::", name, " = ", value, "; must be > 0");
  };
  require(max_iterations >= 1, "FitOptions::max_iterations = ", max_iterations, "; must be >= 1");
  require(contour_rounds >= 0, "FitOptions::contour_rounds = ", contour_rounds, "; must be >= 0");
  require(identity_weight >= 0, "FitOptions::identity_weight = ", identity_weight, "; must be >= 0");
  require(guess_weight >= 0, "FitOptions::guess_weight = ", guess_weight, "; must be >= 0");
  require(landmark_sigma_px >= 0, "FitOptions::landmark_sigma_px = ", landmark_sigma_px, "; must be >= 0");
  require(focal_px >= 0, "FitOptions::focal_px = ", focal_px, "; must be >= 0 (0 = unknown)");
  positive(landmark_weight, "landmark_weight");
  positive(expression_sigma, "expression_sigma");
  positive(outlier_sigmas, "outlier_sigmas");
  positive(distance_m, "distance_m");
  positive(distance_relative_sigma, "distance_relative_sigma");
}

std::string FitResult::briefReport() const {
  std::ostringstream report;
  report << (termination == Termination::kConverged       ? "converged"
             : termination == Termination::kMaxIterations ? "stopped at the iteration limit"
             : termination == Termination::kStoppedByUser ? "stopped by the user"
                                                          : "failed")
         << ", residual " << residual_px << " px";
  for (const FitStage& stage : stages)
    report << "; " << stage.name << " " << stage.iterations << " iterations";
  return report.str();
}

FitResult fitLandmarks(const MorphableModel& model, const FitLandmarks& landmarks, int image_width_px,
                       int image_height_px, const FitOptions& options) {
  options.check();
  checkLandmarks(model, landmarks);
  require(image_width_px > 0 && image_height_px > 0, "fitLandmarks: image of ", image_width_px, "x",
          image_height_px, " pixels");
  const Eigen::Vector2d principal_px(image_width_px / 2.0, image_height_px / 2.0);

  const LandmarkSet& reference = landmarks.ibug68.size() > 0 ? landmarks.ibug68 : landmarks.dense;
  const double face_px =
      (reference.positions_px.colwise().maxCoeff() - reference.positions_px.colwise().minCoeff()).maxCoeff();
  const double default_sigma_px = options.landmark_sigma_px > 0
                                      ? options.landmark_sigma_px
                                      : std::max(0.5, kDefaultRelativeSigma * face_px);
  std::vector<Observation> observations;
  const std::optional<JawModel> jaw = jawModel(model);
  addObservations(model, jaw, model.landmarks68, landmarks.ibug68, default_sigma_px, observations);
  if (landmarks.ibug68.size() > 0 && landmarks.ibug68.sigma_px.size() == 0) {
    for (int i = 17; i <= 26; ++i) observations[i].sigma_px *= kBrowSigmaFactor;
  }
  addObservations(model, jaw, model.dense, landmarks.dense, default_sigma_px, observations);
  for (const PinnedLandmark& pin : landmarks.pinned) {
    observations.push_back({landmarkModel(model, jaw, model.landmarks68, pin.index),
                            pin.position_px.cast<double>(), pin.sigma_px, /*is_pinned=*/true});
  }

  State state;
  state.identity.setZero(model.numIdentity());
  state.expression.setZero(model.numExpression());
  double prior_sigma = 1;
  if (landmarks.start) {
    state.identity = landmarks.start->identity.cast<double>();
    state.expression = landmarks.start->expression.cast<double>();
    if (jaw && landmarks.start->pose.rows() > 0) {
      state.jaw = landmarks.start->pose.row(model.skeleton->jointIndex("jaw")).transpose().cast<double>();
    }
    prior_sigma = landmarks.start->sigma;
  }
  const Eigen::VectorXd prior_identity = state.identity, prior_expression = state.expression;
  const Eigen::Vector3d prior_jaw = state.jaw;
  const bool knows_expression = !landmarks.expression_evidence.empty() && options.guess_weight > 0;
  Eigen::VectorXd expression_lower(model.numExpression()), expression_upper(model.numExpression()),
      expression_sigma(model.numExpression());
  for (int e = 0; e < model.numExpression(); ++e) {
    const bool is_blendshape = model.isBlendshape(e);
    expression_lower[e] = is_blendshape ? 0 : -kMaxPcaExpression;
    expression_upper[e] = is_blendshape ? 1 : kMaxPcaExpression;
    expression_sigma[e] = is_blendshape && !knows_expression ? options.expression_sigma : 1;
  }
  // A network's guesses are where the solver starts; then a coarse pose in closed form is enough.
  const bool has_guess = !landmarks.start && !landmarks.identity_evidence.empty() && knows_expression;
  if (has_guess) {
    state.identity = posteriorMean(landmarks.identity_evidence, Eigen::VectorXd::Ones(state.identity.size()));
    state.expression = posteriorMean(landmarks.expression_evidence, expression_sigma)
                           .cwiseMax(expression_lower)
                           .cwiseMin(expression_upper);
  }
  state.camera[3] = options.scaled_orthographic ? 0 : 1 / options.distance_m;
  if (landmarks.previous && !options.scaled_orthographic) {
    const Eigen::VectorXd identity = state.identity;
    state = stateOf(model, *landmarks.previous);
    state.identity = identity;
  } else {
    initializePose(observations, principal_px, state);
  }
  const bool identity_is_known = landmarks.known_identity.size() > 0;
  if (identity_is_known) state.identity = landmarks.known_identity.cast<double>();

  FitResult result;
  ceres::Solver::Summary summary;
  const auto solve = [&](const std::string& stage, bool pose_only) {
    const Clock::time_point start = Clock::now();
    ceres::Problem problem;
    problem.AddParameterBlock(state.rotation.coeffs().data(), 4, new ceres::EigenQuaternionManifold);
    problem.AddParameterBlock(state.camera.data(), 4,
                              options.scaled_orthographic ? new ceres::SubsetManifold(4, {3}) : nullptr);
    problem.AddParameterBlock(state.identity.data(), model.numIdentity());
    problem.AddParameterBlock(state.expression.data(), model.numExpression());
    // Huber on |residual|; ScaledLoss carries the weight of the data term.
    auto* huber = new ceres::HuberLoss(options.outlier_sigmas);
    auto* loss = new ceres::LossFunctionWrapper(
        new ceres::ScaledLoss(huber, options.landmark_weight, ceres::TAKE_OWNERSHIP), ceres::TAKE_OWNERSHIP);
    for (const Observation& o : observations) {
      std::vector<double*> parameters = {state.rotation.coeffs().data(), state.camera.data(),
                                         state.identity.data(), state.expression.data()};
      if (jaw) parameters.push_back(state.jaw.data());
      problem.AddResidualBlock(LandmarkCost::create(o.model, o.position_px, principal_px, o.sigma_px),
                               o.is_pinned ? nullptr : loss, parameters);
    }
    if (jaw) {
      problem.AddResidualBlock(GaussianPriorCost::create(prior_jaw, prior_sigma * kJawSigma_rad), nullptr,
                               state.jaw.data());
      problem.AddResidualBlock(SoftBoundsCost::create(kJawLower_rad, kJawUpper_rad, kJawBoundSigma_rad),
                               nullptr, state.jaw.data());
      if (pose_only || !options.fit_expression) problem.SetParameterBlockConstant(state.jaw.data());
    }
    if (!options.scaled_orthographic) {
      const double inverse_distance_per_m = 1 / options.distance_m;
      Eigen::Vector4d mean(0, 0, 0, inverse_distance_per_m);
      Eigen::Vector4d sigma = Eigen::Vector4d::Constant(std::numeric_limits<double>::infinity());
      if (options.focal_px > 0) {
        problem.AddResidualBlock(FocalLengthCost::create(options.focal_px, kKnownFocalSigma), nullptr,
                                 state.camera.data());
      } else {
        sigma[3] = options.distance_relative_sigma * inverse_distance_per_m;
        problem.AddResidualBlock(GaussianPriorCost::create(mean, sigma), nullptr, state.camera.data());
      }
      problem.SetParameterLowerBound(state.camera.data(), 3, 1e-3);
      problem.SetParameterUpperBound(state.camera.data(), 3, kMaxInverseDistance_per_m);
    }
    std::vector<ceres::ResidualBlockId> identity_terms;
    if (options.identity_weight > 0) {
      const Eigen::VectorXd sigma =
          Eigen::VectorXd::Constant(state.identity.size(), prior_sigma / std::sqrt(options.identity_weight));
      identity_terms.push_back(problem.AddResidualBlock(GaussianPriorCost::create(prior_identity, sigma),
                                                        nullptr, state.identity.data()));
    }
    if (!landmarks.identity_evidence.empty() && options.guess_weight > 0) {
      identity_terms.push_back(problem.AddResidualBlock(
          LinearGaussianCost::create(landmarks.identity_evidence.matrix, landmarks.identity_evidence.target,
                                     std::sqrt(options.guess_weight)),
          nullptr, state.identity.data()));
    }
    if (landmarks.previous && !pose_only) addStepTerms(model, *landmarks.previous, state, problem);
    problem.AddResidualBlock(GaussianPriorCost::create(prior_expression, prior_sigma * expression_sigma),
                             nullptr, state.expression.data());
    if (knows_expression) {
      problem.AddResidualBlock(
          LinearGaussianCost::create(landmarks.expression_evidence.matrix,
                                     landmarks.expression_evidence.target, std::sqrt(options.guess_weight)),
          nullptr, state.expression.data());
    }
    if (pose_only || identity_is_known) problem.SetParameterBlockConstant(state.identity.data());
    if (pose_only || !options.fit_expression) {
      problem.SetParameterBlockConstant(state.expression.data());
    } else if (state.expression.size() > 0) {
      problem.AddResidualBlock(
          SoftBoundsCost::create(expression_lower, expression_upper, kExpressionBoundSigma), nullptr,
          state.expression.data());
    }

    ceres::Solver::Options solver_options;
    solver_options.linear_solver_type = ceres::DENSE_NORMAL_CHOLESKY;
    solver_options.max_num_iterations = options.max_iterations;
    solver_options.function_tolerance =
        1e-4;                        // cost is in squared sigmas: further digits are below the noise
    solver_options.num_threads = 1;  // a few milliseconds of work: waking a second thread costs as much
    solver_options.logging_type = ceres::SILENT;
    std::unique_ptr<IterationReporter> reporter;
    if (options.on_iteration) {
      reporter =
          std::make_unique<IterationReporter>(model, options, stage, state, image_width_px, image_height_px);
      solver_options.update_state_every_iteration = true;
      solver_options.callbacks.push_back(reporter.get());
    }
    ceres::Solve(solver_options, &problem, &summary);
    state.expression = state.expression.cwiseMax(expression_lower).cwiseMin(expression_upper);
    state.jaw = state.jaw.cwiseMax(kJawLower_rad).cwiseMin(kJawUpper_rad);
    if (options.give_identity_evidence && !pose_only)
      result.identity_evidence = marginalEvidence(problem, state, identity_terms);
    result.stages.push_back({stage, std::chrono::duration<double>(Clock::now() - start).count(),
                             static_cast<int>(summary.iterations.size()),
                             residualPx(observations, state, principal_px)});
    return summary.termination_type != ceres::USER_FAILURE && summary.termination_type != ceres::FAILURE;
  };

  // A clip's next frame and a guess start close enough to need no coarse pose.
  bool go_on = (landmarks.previous || has_guess || solve("pose", true)) && solve("shape", false);
  if (landmarks.jaw_is_outline && landmarks.ibug68.size() == kNumIbugLandmarks) {
    std::optional<JawContour> contour;
    if (model.contour_by_yaw.empty()) contour.emplace(model);
    for (int round = 0; go_on && round < options.contour_rounds; ++round) {
      if (contour) {
        const Camera camera = cameraOf(state, image_width_px, image_height_px, options.scaled_orthographic);
        const Points3 vertices = model.vertices(state.identity.cast<float>(), state.expression.cast<float>(),
                                                poseOf(model, state));
        const auto assigned = contour->assign(vertices, camera, landmarks.ibug68);
        for (int i = 0; i < kNumJawLandmarks; ++i) {
          observations[i].model = assigned[i] < 0
                                      ? landmarkModel(model, jaw, model.landmarks68, i)
                                      : landmarkModel(model, jaw, Eigen::Vector3i::Constant(assigned[i]),
                                                      Eigen::Vector3f(1, 0, 0));
        }
      } else {
        const LandmarkEmbedding& row = model.contourAt(headYaw(state));
        for (int i = 0; i < kNumJawLandmarks; ++i) observations[i].model = landmarkModel(model, jaw, row, i);
      }
      go_on = solve("contour", false);
    }
  }

  switch (summary.termination_type) {
    case ceres::CONVERGENCE:
    case ceres::USER_SUCCESS:
      result.termination = Termination::kConverged;
      break;
    case ceres::NO_CONVERGENCE:
      result.termination = Termination::kMaxIterations;
      break;
    case ceres::USER_FAILURE:
      result.termination = Termination::kStoppedByUser;
      break;
    case ceres::FAILURE:
      result.termination = Termination::kFailed;
      break;
  }
  result.camera = cameraOf(state, image_width_px, image_height_px, options.scaled_orthographic);
  result.identity = state.identity.cast<float>();
  result.expression = state.expression.cast<float>();
  result.pose = poseOf(model, state);
  result.residual_px = result.stages.back().residual_px;
  if (result.identity.size() > 0 && result.identity.cwiseAbs().maxCoeff() > 4) {
    result.warnings.push_back(
        "an identity coefficient is beyond 4 standard deviations; are the landmarks right?");
  }
  if (result.residual_px > 0.1 * face_px) {
    result.warnings.push_back("landmarks and fitted face differ by more than a tenth of the face's size");
  }
  return result;
}

}  // namespace facet
