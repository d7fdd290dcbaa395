#pragma once

#include <ceres/autodiff_cost_function.h>

#include <cmath>

namespace facet {

// Ties scale and distance to a known focal length: 1 residual, (log s - log k - log focal) / sigma, since
// focal = s / k. Parameters: camera (4: log s in px/mm, t_x mm, t_y mm, k in 1/m).
class FocalLengthCost {
 public:
  FocalLengthCost(double focal_px, double relative_sigma)
      : focal_px_(focal_px), relative_sigma_(relative_sigma) {}

  template <typename T>
  bool operator()(const T* camera, T* residual) const {
    using std::log;
    if (camera[3] <= 0.0) return false;
    residual[0] = (camera[0] - log(camera[3] / 1000.0) - std::log(focal_px_)) / relative_sigma_;
    return true;
  }

  static ceres::CostFunction* create(double focal_px, double relative_sigma) {
    return new ceres::AutoDiffCostFunction<FocalLengthCost, 1, 4>(
        new FocalLengthCost(focal_px, relative_sigma));
  }

 private:
  double focal_px_, relative_sigma_;
};

}  // namespace facet
