#pragma once

#include <ceres/cost_function.h>

#include <Eigen/Core>
#include <utility>

namespace facet {

// Independent Gaussian prior on one parameter block: N residuals (x_i - mean_i) / sigma_i.
// Parameters: any block (N). A sigma of infinity leaves its entry free.
class GaussianPriorCost : public ceres::CostFunction {
 public:
  GaussianPriorCost(Eigen::VectorXd mean, const Eigen::VectorXd& sigma)
      : mean_(std::move(mean)), inverse_sigma_(sigma.cwiseInverse()) {
    set_num_residuals(static_cast<int>(mean_.size()));
    *mutable_parameter_block_sizes() = {static_cast<int>(mean_.size())};
  }

  bool Evaluate(double const* const* parameters, double* residuals, double** jacobians) const override {
    const Eigen::Index n = mean_.size();
    const Eigen::Map<const Eigen::VectorXd> x(parameters[0], n);
    Eigen::Map<Eigen::VectorXd>(residuals, n) = (x - mean_).cwiseProduct(inverse_sigma_);
    if (jacobians && jacobians[0])
      Eigen::Map<Eigen::MatrixXd>(jacobians[0], n, n) = inverse_sigma_.asDiagonal();
    return true;
  }

  static ceres::CostFunction* create(Eigen::VectorXd mean, const Eigen::VectorXd& sigma) {
    return new GaussianPriorCost(std::move(mean), sigma);
  }

 private:
  Eigen::VectorXd mean_, inverse_sigma_;
};

}  // namespace facet
