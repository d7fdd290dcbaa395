#pragma once

#include <Eigen/Core>
#include <cmath>

namespace facet::test {

// Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
class Adam {
 public:
  explicit Adam(Eigen::Index size)
      : mean_(Eigen::VectorXf::Zero(size)), square_(Eigen::VectorXf::Zero(size)) {}

  // The step to subtract, per unit of learning rate.
  Eigen::VectorXf step(const Eigen::VectorXf& gradient) {
    ++iteration_;
    mean_ = 0.9F * mean_ + 0.1F * gradient;
    square_ = 0.99F * square_ + 0.01F * gradient.cwiseAbs2();
    const auto n = static_cast<float>(iteration_);
    return (mean_.array() / (1 - std::pow(0.9F, n))) /
           ((square_.array() / (1 - std::pow(0.99F, n))).sqrt() + 1e-8F);
  }

 private:
  Eigen::VectorXf mean_, square_;
  int iteration_ = 0;
};

}  // namespace facet::test
