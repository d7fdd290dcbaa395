#pragma once

#include <ceres/cost_function.h>

#include <Eigen/Core>
#include <Eigen/Geometry>
#include <cmath>
#include <utility>

namespace facet {

// The part of a linear face model that moves one landmark: position = mean + identity a + expression e, mm,
// model frame.
struct LandmarkModel {
  Eigen::Vector3d mean;
  Eigen::Matrix<double, 3, Eigen::Dynamic> identity;    // 3×K
  Eigen::Matrix<double, 3, Eigen::Dynamic> expression;  // 3×L
};

// Reprojection error of one landmark, 2 residuals in standard deviations of its position.
//
// With Y = R (mean + identity a + expression e) the camera sees
//   x = s (Y_x + t_x) / (1 + k Y_z) + c_x,   y = s (Y_y + t_y) / (1 + k Y_z) + c_y
// which is the pinhole camera written with the scale at the model's origin s = focal / distance (px/mm) and k
// = 1 / distance: unlike focal length and distance, the two are nearly independent in what they do to an
// image of a face, and k = 0 is the scaled orthographic camera.
//
// Parameters: rotation camera_from_model (4, Eigen order x y z w), camera (4: log s, t_x mm, t_y mm, k in
// 1/m), identity (K), expression (L). Derivatives are written by hand: a face has hundreds of landmarks and
// 150 coefficients.
class LandmarkCost : public ceres::CostFunction {
 public:
  LandmarkCost(LandmarkModel model, const Eigen::Vector2d& position_px, const Eigen::Vector2d& principal_px,
               double sigma_px)
      : model_(std::move(model)),
        position_px_(position_px),
        principal_px_(principal_px),
        sigma_px_(sigma_px) {
    set_num_residuals(2);
    *mutable_parameter_block_sizes() = {4, 4, static_cast<int>(model_.identity.cols()),
                                        static_cast<int>(model_.expression.cols())};
  }

  bool Evaluate(double const* const* parameters, double* residuals, double** jacobians) const override {
    const Eigen::Map<const Eigen::Quaterniond> rotation(parameters[0]);
    const double scale = std::exp(parameters[1][0]);
    const double inverse_distance = parameters[1][3] / 1000;  // 1/mm
    const Eigen::Map<const Eigen::VectorXd> identity(parameters[2], model_.identity.cols());
    const Eigen::Map<const Eigen::VectorXd> expression(parameters[3], model_.expression.cols());

    const Eigen::Vector3d in_model =
        model_.mean + model_.identity * identity + model_.expression * expression;
    // R p written as a polynomial of the quaternion, so that its derivative below is exact off the unit
    // sphere too.
    const Eigen::Vector3d axis = rotation.vec();
    const Eigen::Vector3d axis_cross = axis.cross(in_model);
    const Eigen::Vector3d rotated = in_model + 2 * rotation.w() * axis_cross + 2 * axis.cross(axis_cross);
    const double depth = 1 + inverse_distance * rotated.z();
    if (depth < 0.05) return false;  // behind, or touching, the camera: the solver shortens its step
    const Eigen::Vector2d translation(parameters[1][1], parameters[1][2]);
    const Eigen::Vector2d offset_px = scale * (rotated.head<2>() + translation) / depth;
    Eigen::Map<Eigen::Vector2d> residual(residuals);
    residual = (offset_px + principal_px_ - position_px_) / sigma_px_;
    if (!jacobians) return true;

    Eigen::Matrix<double, 2, 3> by_rotated;
    by_rotated << scale / depth, 0, -offset_px.x() * inverse_distance / depth,  //
        0, scale / depth, -offset_px.y() * inverse_distance / depth;
    by_rotated /= sigma_px_;

    if (jacobians[0]) {
      Eigen::Matrix<double, 3, 4> rotated_by_quaternion;
      rotated_by_quaternion.leftCols<3>() =
          -2 * rotation.w() * cross(in_model) - 2 * cross(axis_cross) - 2 * cross(axis) * cross(in_model);
      rotated_by_quaternion.col(3) = 2 * axis_cross;
      Rows(jacobians[0], 2, 4).noalias() = by_rotated * rotated_by_quaternion;
    }
    if (jacobians[1]) {
      Rows by_camera(jacobians[1], 2, 4);
      by_camera.col(0) = offset_px / sigma_px_;
      by_camera.col(1) = by_rotated.col(0);
      by_camera.col(2) = by_rotated.col(1);
      by_camera.col(3) = -offset_px * rotated.z() / (1000 * depth * sigma_px_);
    }
    const Eigen::Matrix<double, 2, 3> by_model = by_rotated * rotation.toRotationMatrix();
    if (jacobians[2]) Rows(jacobians[2], 2, identity.size()).noalias() = by_model * model_.identity;
    if (jacobians[3]) Rows(jacobians[3], 2, expression.size()).noalias() = by_model * model_.expression;
    return true;
  }

  static ceres::CostFunction* create(LandmarkModel model, const Eigen::Vector2d& position_px,
                                     const Eigen::Vector2d& principal_px, double sigma_px) {
    return new LandmarkCost(std::move(model), position_px, principal_px, sigma_px);
  }

 private:
  using Rows = Eigen::Map<Eigen::Matrix<double, 2, Eigen::Dynamic, Eigen::RowMajor>>;

  static Eigen::Matrix3d cross(const Eigen::Vector3d& v) {
    Eigen::Matrix3d m;
    m << 0, -v.z(), v.y(), v.z(), 0, -v.x(), -v.y(), v.x(), 0;
    return m;
  }

  LandmarkModel model_;
  Eigen::Vector2d position_px_, principal_px_;
  double sigma_px_;
};

}  // namespace facet
