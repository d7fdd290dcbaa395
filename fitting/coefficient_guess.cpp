#include "fitting/coefficient_guess.h"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <cmath>
#include <string>
#include <vector>

#include "core/check.h"

namespace facet {
namespace {

// As in tools/train/builtin_target.py: one standard deviation of a coefficient costs as much as this
// distance at every point.
constexpr double kPriorMm = 0.3;
// How well another model's expressions can follow the built-in ones at the dense points, root mean square.
constexpr double kModelErrorMm = 0.5;
// A coefficient less certain than this says nothing beyond the prior, which could not be taken out of it.
constexpr double kLargestSigma = 0.98;

Eigen::VectorXd stacked(const Points3& points) {
  return Eigen::Map<const Eigen::VectorXf>(points.data(), points.size()).cast<double>();
}

// First `count` modes of a basis of the model at its dense points, 3D×count; rows x0 y0 z0 x1 ... Zero where
// there is no point.
Eigen::MatrixXd denseModes(const MorphableModel& model, const Basis& basis, Eigen::Index count) {
  Eigen::MatrixXd modes = Eigen::MatrixXd::Zero(3 * model.dense.size(), count);
  for (int i = 0; i < model.dense.size(); ++i) {
    if (!model.dense.has(i)) continue;
    for (int k = 0; k < 3; ++k) {
      const std::int32_t vertex = model.triangles(model.dense.triangle[i], k);
      modes.middleRows<3>(3 * i) +=
          model.dense.barycentric(i, k) * basis.vertex(vertex).leftCols(count).cast<double>();
    }
  }
  return modes;
}

// How points move under small translations, rotations and scale about their centre, 3D×7.
Eigen::MatrixXd similarityDirections(const Points3& points) {
  const Eigen::RowVector3f centre = points.colwise().mean();
  Eigen::MatrixXd directions(3 * points.rows(), 7);
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    const Eigen::Vector3d p = (points.row(i) - centre).transpose().cast<double>();
    auto rows = directions.middleRows<3>(3 * i);
    rows.leftCols<3>().setIdentity();
    for (int axis = 0; axis < 3; ++axis) rows.col(3 + axis) = Eigen::Vector3d::Unit(axis).cross(p);
    rows.col(6) = p;
  }
  return directions;
}

void checkGuess(const CoefficientGuess& guess, Eigen::Index num_modes, const std::string& model_id,
                const char* caller) {
  const Eigen::Index count = guess.values.size();
  require(guess.sigma.size() == count, caller, ": ", count, " coefficients with ", guess.sigma.size(),
          " sigmas");
  require(count <= num_modes, caller, ": a guess of ", count, " coefficients, but model ", model_id, " has ",
          num_modes, "; was the network trained for another model?");
  for (Eigen::Index k = 0; k < count; ++k) {
    require(std::isfinite(guess.values[k]) && std::isfinite(guess.sigma[k]) && guess.sigma[k] > 0, caller,
            ": coefficient ", k, " is ", guess.values[k], " with sigma ", guess.sigma[k],
            "; both must be finite and sigma > 0");
  }
}

// The model's shapes that an ARKit name stands for: itself, or its two halves where the model splits it
// (browInnerUp, cheekPuff in ICT-FaceKit).
std::vector<Eigen::Index> shapesNamed(const MorphableModel& model, const std::string& name) {
  if (const auto index = model.expressionIndex(name)) return {*index};
  const auto left = model.expressionIndex(name + "Left"), right = model.expressionIndex(name + "Right");
  if (left && right) return {*left, *right};
  return {};
}

}  // namespace

LinearEvidence identityEvidence(const CoefficientGuess& guess, const MorphableModel& builtin,
                                const MorphableModel& model) {
  checkGuess(guess, builtin.numIdentity(), builtin.id, "identityEvidence");
  const Eigen::Index count = guess.values.size();
  LinearEvidence evidence;
  if (count == 0) return evidence;

  Eigen::VectorXd offset = Eigen::VectorXd::Zero(count);  // built-in coefficients of the model's average face
  if (model.id == builtin.id) {
    evidence.matrix = Eigen::MatrixXd::Identity(count, model.numIdentity());
  } else {
    require(model.dense.size() == builtin.dense.size() && model.dense.size() > 0, "identityEvidence: model ",
            model.id, " has ", model.dense.size(), " dense points, the built-in one ", builtin.dense.size());
    const Points3 mean = builtin.dense.points(builtin.mean, builtin.triangles);
    Eigen::MatrixXd system(3 * mean.rows(), count + 7);
    system << denseModes(builtin, builtin.identity, count), similarityDirections(mean);
    Points3 offset_mm = model.dense.points(model.mean, model.triangles) - mean;
    for (int i = 0; i < model.dense.size(); ++i) {
      if (model.dense.has(i)) continue;
      system.middleRows<3>(3 * i).setZero();
      offset_mm.row(i).setZero();
    }
    Eigen::MatrixXd normal_matrix = system.transpose() * system;
    normal_matrix.diagonal().head(count).array() += kPriorMm * kPriorMm * static_cast<double>(mean.rows());
    const Eigen::LDLT<Eigen::MatrixXd> solver(normal_matrix);
    const auto builtinCoefficients = [&](const Eigen::MatrixXd& displacements) -> Eigen::MatrixXd {
      return solver.solve(system.transpose() * displacements).topRows(count);
    };
    evidence.matrix = builtinCoefficients(denseModes(model, model.identity, model.numIdentity()));
    offset = builtinCoefficients(stacked(offset_mm));
  }

  // Posterior N(c, s²) = prior N(0, 1) × likelihood N(c / (1 - s²), s² / (1 - s²)).
  const Eigen::ArrayXd variance = guess.sigma.cast<double>().array().min(kLargestSigma).square();
  const Eigen::ArrayXd root_precision = ((1 - variance) / variance).sqrt();
  evidence.target = root_precision * (guess.values.cast<double>().array() / (1 - variance) - offset.array());
  evidence.matrix = root_precision.matrix().asDiagonal() * evidence.matrix;
  return evidence;
}

LinearEvidence expressionEvidence(const CoefficientGuess& guess, const MorphableModel& builtin,
                                  const MorphableModel& model) {
  checkGuess(guess, builtin.numExpression(), builtin.id, "expressionEvidence");
  const Eigen::Index count = guess.values.size();
  LinearEvidence evidence;
  if (count == 0 || (model.skeleton && model.skeleton->jointIndex("jaw") >= 0)) return evidence;
  const Eigen::VectorXd values = guess.values.cast<double>(), sigma = guess.sigma.cast<double>();

  if (model.hasNamedShapes()) {
    std::vector<Eigen::RowVectorXd> rows;
    std::vector<double> target;
    for (Eigen::Index k = 0; k < count; ++k) {
      const std::vector<Eigen::Index> shapes = shapesNamed(model, builtin.expression_names[k]);
      if (shapes.empty()) continue;
      Eigen::RowVectorXd row = Eigen::RowVectorXd::Zero(model.numExpression());
      for (const Eigen::Index shape : shapes)
        row[shape] = 1 / (sigma[k] * static_cast<double>(shapes.size()));
      rows.push_back(row);
      target.push_back(values[k] / sigma[k]);
    }
    evidence.matrix.resize(static_cast<Eigen::Index>(rows.size()), model.numExpression());
    for (std::size_t i = 0; i < rows.size(); ++i) evidence.matrix.row(static_cast<Eigen::Index>(i)) = rows[i];
    evidence.target =
        Eigen::Map<const Eigen::VectorXd>(target.data(), static_cast<Eigen::Index>(target.size()));
    return evidence;
  }

  // Displacements of the dense points: the guess says B g with covariance B S² Bᵀ (B the built-in shapes),
  // which is compared along its own axes.
  if (model.dense.size() != builtin.dense.size() || model.dense.size() == 0) return evidence;
  Eigen::MatrixXd shapes = denseModes(builtin, builtin.expression, count);
  for (int i = 0; i < model.dense.size(); ++i)
    if (!model.dense.has(i)) shapes.middleRows<3>(3 * i).setZero();
  const Eigen::MatrixXd scaled = shapes * sigma.asDiagonal();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> axes(scaled.transpose() * scaled);
  const Eigen::VectorXd variance_mm2 = axes.eigenvalues().cwiseMax(0);
  // One row per axis: the axis, over its length (to be a unit vector) and its standard deviation.
  const Eigen::VectorXd length = variance_mm2.cwiseSqrt().cwiseMax(1e-6);
  const Eigen::VectorXd spread =
      (variance_mm2.array() + kModelErrorMm * kModelErrorMm * static_cast<double>(model.dense.size())).sqrt();
  const Eigen::MatrixXd project = (length.array() * spread.array()).inverse().matrix().asDiagonal() *
                                  (scaled * axes.eigenvectors()).transpose();
  evidence.matrix = project * denseModes(model, model.expression, model.numExpression());
  evidence.target = project * (shapes * values);
  return evidence;
}

}  // namespace facet
