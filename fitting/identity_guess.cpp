#include "fitting/identity_guess.h"

#include <Eigen/Cholesky>
#include <cmath>

#include "core/check.h"

namespace facet {
namespace {

// As in tools/train/identity_target.py: one standard deviation of a coefficient costs as much as this
// distance at every point.
constexpr double kPriorMm = 0.3;
// A coefficient less certain than this says nothing beyond the prior, which could not be taken out of it.
constexpr double kLargestSigma = 0.98;

Eigen::VectorXd stacked(const Points3& points) {
  return Eigen::Map<const Eigen::VectorXf>(points.data(), points.size()).cast<double>();
}

// First `count` identity modes at the dense points, 3D×count; rows x0 y0 z0 x1 ... Zero where there is no
// point.
Eigen::MatrixXd denseModes(const MorphableModel& model, Eigen::Index count) {
  Eigen::MatrixXd modes = Eigen::MatrixXd::Zero(3 * model.dense.size(), count);
  for (int i = 0; i < model.dense.size(); ++i) {
    if (!model.dense.has(i)) continue;
    for (int k = 0; k < 3; ++k) {
      const std::int32_t vertex = model.triangles(model.dense.triangle[i], k);
      modes.middleRows<3>(3 * i) +=
          model.dense.barycentric(i, k) * model.identity.vertex(vertex).leftCols(count).cast<double>();
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

}  // namespace

IdentityEvidence identityEvidence(const IdentityGuess& guess, const MorphableModel& builtin,
                                  const MorphableModel& model) {
  const Eigen::Index count = guess.coefficients.size();
  require(guess.sigma.size() == count, "identityEvidence: ", count, " coefficients with ", guess.sigma.size(),
          " sigmas");
  require(count <= builtin.numIdentity(), "identityEvidence: a guess of ", count, " coefficients, but model ",
          builtin.id, " has ", builtin.numIdentity(), "; was the network trained for another model?");
  for (Eigen::Index k = 0; k < count; ++k) {
    require(std::isfinite(guess.coefficients[k]) && std::isfinite(guess.sigma[k]) && guess.sigma[k] > 0,
            "identityEvidence: coefficient ", k, " is ", guess.coefficients[k], " with sigma ",
            guess.sigma[k], "; both must be finite and sigma > 0");
  }
  IdentityEvidence evidence;
  if (count == 0) return evidence;

  Eigen::VectorXd offset = Eigen::VectorXd::Zero(count);  // built-in coefficients of the model's average face
  if (model.id == builtin.id) {
    evidence.matrix = Eigen::MatrixXd::Identity(count, model.numIdentity());
  } else {
    require(model.dense.size() == builtin.dense.size() && model.dense.size() > 0, "identityEvidence: model ",
            model.id, " has ", model.dense.size(), " dense points, the built-in one ", builtin.dense.size());
    const Points3 mean = builtin.dense.points(builtin.mean, builtin.triangles);
    Eigen::MatrixXd system(3 * mean.rows(), count + 7);
    system << denseModes(builtin, count), similarityDirections(mean);
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
    evidence.matrix = builtinCoefficients(denseModes(model, model.numIdentity()));
    offset = builtinCoefficients(stacked(offset_mm));
  }

  // Posterior N(c, s²) = prior N(0, 1) × likelihood N(c / (1 - s²), s² / (1 - s²)).
  const Eigen::ArrayXd variance = guess.sigma.cast<double>().array().min(kLargestSigma).square();
  const Eigen::ArrayXd root_precision = ((1 - variance) / variance).sqrt();
  evidence.target =
      root_precision * (guess.coefficients.cast<double>().array() / (1 - variance) - offset.array());
  evidence.matrix = root_precision.matrix().asDiagonal() * evidence.matrix;
  return evidence;
}

}  // namespace facet
