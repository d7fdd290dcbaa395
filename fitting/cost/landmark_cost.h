#pragma once

#include <ceres/cost_function.h>
#include <ceres/jet.h>
#include <ceres/rotation.h>

#include <Eigen/Core>
#include <Eigen/Geometry>
#include <cmath>
#include <optional>
#include <utility>

namespace facet {

// How the jaw joint moves one landmark, p being its position without pose and j the joint's place:
//   q = p + correctives vec(R - I),   position = (1 - weight) q + weight (R (q - j) + j)
// with the rotation R of the jaw alone (core/skeleton.h).
struct JawModel {
  double weight = 0;                                          // of the jaw in the skinning
  Eigen::Vector3d place_mean;                                 // mm, model frame
  Eigen::Matrix<double, 3, Eigen::Dynamic> place_identity;    // 3×K
  Eigen::Matrix<double, 3, Eigen::Dynamic> place_expression;  // 3×L
  Eigen::Matrix<double, 3, 9> correctives;                    // mm per entry of R - I, row by row
};

// The part of a face model that moves one landmark: position = mean + identity a + expression e, mm, model
// frame; then, in a model with joints, the jaw.
struct LandmarkModel {
  Eigen::Vector3d mean;
  Eigen::Matrix<double, 3, Eigen::Dynamic> identity;    // 3×K
  Eigen::Matrix<double, 3, Eigen::Dynamic> expression;  // 3×L
  std::optional<JawModel> jaw = std::nullopt;
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
// 1/m), identity (K), expression (L) and, with a JawModel, the jaw's axis times its angle in radians (3).
// Derivatives are written by hand: a face has hundreds of landmarks and 150 coefficients.
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
    if (model_.jaw) mutable_parameter_block_sizes()->push_back(3);
  }

  bool Evaluate(double const* const* parameters, double* residuals, double** jacobians) const override {
    const Eigen::Map<const Eigen::Quaterniond> rotation(parameters[0]);
    const double scale = std::exp(parameters[1][0]);
    const double inverse_distance = parameters[1][3] / 1000;  // 1/mm
    const Eigen::Map<const Eigen::VectorXd> identity(parameters[2], model_.identity.cols());
    const Eigen::Map<const Eigen::VectorXd> expression(parameters[3], model_.expression.cols());

    const Eigen::Vector3d shaped = model_.mean + model_.identity * identity + model_.expression * expression;
    Posed posed{shaped};
    if (model_.jaw) posed = turnJaw(*model_.jaw, shaped, identity, expression, parameters[4]);
    const Eigen::Vector3d& in_model = posed.position;
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
    const Eigen::Matrix<double, 2, 3> by_shaped = by_model * posed.by_shaped;
    Rows by_identity(jacobians[2], 2, identity.size()), by_expression(jacobians[3], 2, expression.size());
    if (jacobians[2]) by_identity.noalias() = by_shaped * model_.identity;
    if (jacobians[3]) by_expression.noalias() = by_shaped * model_.expression;
    if (model_.jaw) {
      const Eigen::Matrix<double, 2, 3> by_place = by_model * posed.by_place;
      if (jacobians[2]) by_identity.noalias() += by_place * model_.jaw->place_identity;
      if (jacobians[3]) by_expression.noalias() += by_place * model_.jaw->place_expression;
      if (jacobians[4]) Rows(jacobians[4], 2, 3).noalias() = by_model * posed.by_jaw;
    }
    return true;
  }

  static ceres::CostFunction* create(LandmarkModel model, const Eigen::Vector2d& position_px,
                                     const Eigen::Vector2d& principal_px, double sigma_px) {
    return new LandmarkCost(std::move(model), position_px, principal_px, sigma_px);
  }

 private:
  using Rows = Eigen::Map<Eigen::Matrix<double, 2, Eigen::Dynamic, Eigen::RowMajor>>;

  // A landmark in the model frame, and its derivatives.
  struct Posed {
    Eigen::Vector3d position;
    Eigen::Matrix3d by_shaped = Eigen::Matrix3d::Identity();  // its position without pose
    Eigen::Matrix3d by_place = Eigen::Matrix3d::Zero();       // the jaw joint's place
    Eigen::Matrix3d by_jaw = Eigen::Matrix3d::Zero();         // axis times angle
  };

  static Posed turnJaw(const JawModel& jaw, const Eigen::Vector3d& shaped, const Eigen::VectorXd& identity,
                       const Eigen::VectorXd& expression, const double* axis_angle) {
    using Jet = ceres::Jet<double, 3>;
    using Matrix3Jet = Eigen::Matrix<Jet, 3, 3, Eigen::RowMajor>;
    using Vector3Jet = Eigen::Matrix<Jet, 3, 1>;
    const Eigen::Vector3d place =
        jaw.place_mean + jaw.place_identity * identity + jaw.place_expression * expression;
    const Jet turn[3] = {Jet(axis_angle[0], 0), Jet(axis_angle[1], 1), Jet(axis_angle[2], 2)};
    Matrix3Jet rotation;
    ceres::AngleAxisToRotationMatrix(turn, ceres::RowMajorAdapter3x3(rotation.data()));
    const Matrix3Jet difference = rotation - Matrix3Jet::Identity();
    const Vector3Jet corrected =
        shaped.cast<Jet>() +
        jaw.correctives.cast<Jet>() * Eigen::Map<const Eigen::Matrix<Jet, 9, 1>>(difference.data());
    const Vector3Jet turned = rotation * (corrected - place.cast<Jet>()) + place.cast<Jet>();
    const Vector3Jet position = Jet(1 - jaw.weight) * corrected + Jet(jaw.weight) * turned;

    Posed posed;
    for (int axis = 0; axis < 3; ++axis) {
      posed.position[axis] = position[axis].a;
      posed.by_jaw.row(axis) = position[axis].v;
      for (int k = 0; k < 3; ++k) posed.by_place(axis, k) = -jaw.weight * difference(axis, k).a;
    }
    posed.by_shaped -= posed.by_place;  // both move along: x is a weighted mean of p + R p and of j - R j
    return posed;
  }

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
