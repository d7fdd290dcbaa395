#pragma once

#include <ceres/cost_function.h>

#include <Eigen/Core>
#include <utility>

namespace facet {

// Soft box constraint on one parameter block: N residuals, (x - upper) / sigma above the box, (x - lower) /
// sigma below it, 0 inside. Parameters: any block (N). Ceres' own bounds clamp each step and then need dozens
// of iterations when several of them are active at once, as they are for blendshape weights; with this
// penalty Gauss-Newton finds the active set in a handful.
class SoftBoundsCost : public ceres::CostFunction {
 public:
  SoftBoundsCost(Eigen::VectorXd lower, Eigen::VectorXd upper, double sigma)
      : lower_(std::move(lower)), upper_(std::move(upper)), sigma_(sigma) {
    const int count = static_cast<int>(lower_.size());
    set_num_residuals(count);
    *mutable_parameter_block_sizes() = {count};
  }

  bool Evaluate(double const* const* parameters, double* residuals, double** jacobians) const override {
    const int count = num_residuals();
    Eigen::VectorXd slope = Eigen::VectorXd::Zero(count);
    for (int i = 0; i < count; ++i) {
      const double x = parameters[0][i];
      const double outside = x < lower_[i] ? x - lower_[i] : x > upper_[i] ? x - upper_[i] : 0;
      residuals[i] = outside / sigma_;
      if (outside != 0) slope[i] = 1 / sigma_;
    }
    if (jacobians && jacobians[0])
      Eigen::Map<Eigen::MatrixXd>(jacobians[0], count, count) = slope.asDiagonal();
    return true;
  }

  static ceres::CostFunction* create(Eigen::VectorXd lower, Eigen::VectorXd upper, double sigma) {
    return new SoftBoundsCost(std::move(lower), std::move(upper), sigma);
  }

 private:
  Eigen::VectorXd lower_, upper_;
  double sigma_;
};

}  // namespace facet
