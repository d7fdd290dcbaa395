#pragma once

#include <ceres/cost_function.h>
#include <ceres/sized_cost_function.h>

#include <Eigen/Core>
#include <Eigen/Geometry>
#include <cmath>
#include <utility>

namespace facet {

// Soft terms that keep an unknown near its value in the frame before. A step u, in standard deviations, costs
// log(1 + u²) / 2 (Cauchy): a Gaussian for the small steps of noise, while a large step, which is motion, is
// hardly held back.

// One parameter block: N residuals. Parameters: any block (N). A sigma of infinity leaves its entry free.
class StepPriorCost : public ceres::CostFunction {
 public:
  StepPriorCost(Eigen::VectorXd previous, const Eigen::VectorXd& sigma)
      : previous_(std::move(previous)), inverse_sigma_(sigma.cwiseInverse()) {
    const int count = static_cast<int>(previous_.size());
    set_num_residuals(count);
    *mutable_parameter_block_sizes() = {count};
  }

  bool Evaluate(double const* const* parameters, double* residuals, double** jacobians) const override {
    const int count = num_residuals();
    Eigen::VectorXd slope(count);
    for (int i = 0; i < count; ++i) {
      const double step = (parameters[0][i] - previous_[i]) * inverse_sigma_[i];
      const double cost = std::log1p(step * step);
      // sign(step) sqrt(cost) and its derivative, whose quotients are 0 / 0 at rest.
      const bool at_rest = std::abs(step) < 1e-6;
      residuals[i] = at_rest ? step : std::copysign(std::sqrt(cost), step);
      slope[i] = (at_rest ? 1 : std::abs(step) / ((1 + step * step) * std::sqrt(cost))) * inverse_sigma_[i];
    }
    if (jacobians && jacobians[0])
      Eigen::Map<Eigen::MatrixXd>(jacobians[0], count, count) = slope.asDiagonal();
    return true;
  }

  static ceres::CostFunction* create(Eigen::VectorXd previous, const Eigen::VectorXd& sigma) {
    return new StepPriorCost(std::move(previous), sigma);
  }

 private:
  Eigen::VectorXd previous_, inverse_sigma_;
};

// A rotation: 3 residuals, the axis times the angle of the turn since the frame before (exact for small
// turns). Parameters: rotation (4, Eigen order x y z w).
class RotationStepCost : public ceres::SizedCostFunction<3, 4> {
 public:
  RotationStepCost(const Eigen::Quaterniond& previous, double sigma_rad) {
    // vec(q p) is linear in q, p being the inverse of the previous rotation.
    const Eigen::Quaterniond p = previous.normalized().conjugate();
    step_from_rotation_.leftCols<3>() << p.w(), p.z(), -p.y(), -p.z(), p.w(), p.x(), p.y(), -p.x(), p.w();
    step_from_rotation_.col(3) = p.vec();
    step_from_rotation_ *= 2 / sigma_rad;
    real_part_ << -p.vec(), p.w();
  }

  bool Evaluate(double const* const* parameters, double* residuals, double** jacobians) const override {
    const Eigen::Map<const Eigen::Vector4d> rotation(parameters[0]);
    const double side = real_part_.dot(rotation) < 0 ? -1 : 1;  // q and -q are one rotation
    const Eigen::Vector3d step = side * step_from_rotation_ * rotation;
    // r = s step with s = sqrt(log(1 + n) / n), n = |step|².
    const double n = step.squaredNorm();
    const bool at_rest = n < 1e-8;
    const double shrink = at_rest ? 1 : std::sqrt(std::log1p(n) / n);
    Eigen::Map<Eigen::Vector3d>{residuals} = shrink * step;
    if (!jacobians || !jacobians[0]) return true;
    const double shrink_by_n = at_rest ? -0.25 : (n / (1 + n) - std::log1p(n)) / (n * n) / (2 * shrink);
    Eigen::Map<Eigen::Matrix<double, 3, 4, Eigen::RowMajor>>{jacobians[0]} =
        side * (shrink * Eigen::Matrix3d::Identity() + 2 * shrink_by_n * step * step.transpose()) *
        step_from_rotation_;
    return true;
  }

  static ceres::CostFunction* create(const Eigen::Quaterniond& previous, double sigma_rad) {
    return new RotationStepCost(previous, sigma_rad);
  }

 private:
  Eigen::Matrix<double, 3, 4> step_from_rotation_;
  Eigen::Vector4d real_part_;  // w of q p, as a linear function of q
};

}  // namespace facet
