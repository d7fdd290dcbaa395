#pragma once

#include <ceres/cost_function.h>

#include <Eigen/Core>
#include <utility>

namespace facet {

// A linear observation of one parameter block: N residuals root_weight (matrix x - target), of unit variance
// when root_weight is 1. Parameters: any block (columns of the matrix).
class LinearGaussianCost : public ceres::CostFunction {
 public:
  LinearGaussianCost(const Eigen::MatrixXd& matrix, const Eigen::VectorXd& target, double root_weight)
      : matrix_(root_weight * matrix), target_(root_weight * target) {
    set_num_residuals(static_cast<int>(matrix.rows()));
    *mutable_parameter_block_sizes() = {static_cast<int>(matrix.cols())};
  }

  bool Evaluate(double const* const* parameters, double* residuals, double** jacobians) const override {
    const Eigen::Map<const Eigen::VectorXd> x(parameters[0], matrix_.cols());
    Eigen::Map<Eigen::VectorXd>(residuals, matrix_.rows()) = matrix_ * x - target_;
    if (jacobians && jacobians[0]) {
      Eigen::Map<Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
          jacobians[0], matrix_.rows(), matrix_.cols()) = matrix_;
    }
    return true;
  }

  static ceres::CostFunction* create(const Eigen::MatrixXd& matrix, const Eigen::VectorXd& target,
                                     double root_weight) {
    return new LinearGaussianCost(matrix, target, root_weight);
  }

 private:
  Eigen::MatrixXd matrix_;
  Eigen::VectorXd target_;
};

}  // namespace facet
