#include "core/skeleton.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace facet {
namespace {

Eigen::Matrix3f rotationOf(const Eigen::Vector3f& axis_angle) {
  const float angle = axis_angle.norm();
  if (angle == 0) return Eigen::Matrix3f::Identity();
  return Eigen::AngleAxisf(angle, axis_angle / angle).toRotationMatrix();
}

}  // namespace

int Skeleton::jointIndex(const std::string& joint_name) const {
  const auto found = std::find(names.begin(), names.end(), joint_name);
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

Points3 Skeleton::joints(const Points3& shaped) const { return regressor * shaped; }

Points3 Skeleton::posed(const Points3& shaped, const Points3& pose) const {
  const int num_joints = numJoints();
  require(pose.rows() == num_joints, "Skeleton: ", pose.rows(), " rotations for ", num_joints, " joints");
  require(shaped.rows() == weights.rows(), "Skeleton: ", shaped.rows(), " vertices, the skeleton moves ",
          weights.rows());
  std::vector<Eigen::Matrix3f> rotations;
  for (int j = 0; j < num_joints; ++j) rotations.push_back(rotationOf(pose.row(j).transpose()));

  Points3 result = shaped;
  if (pose_correctives.cols() > 0) {
    Eigen::VectorXf differences(9 * (num_joints - 1));
    for (int j = 1; j < num_joints; ++j) {
      const Eigen::Matrix<float, 3, 3, Eigen::RowMajor> difference =
          rotations[j] - Eigen::Matrix3f::Identity();
      differences.segment<9>(9 * (j - 1)) = Eigen::Map<const Eigen::Matrix<float, 9, 1>>(difference.data());
    }
    pose_correctives.addTo(differences, result.data(), result.size());
  }

  // posed_from_shaped of each joint: about its own place, then along with its parent.
  const Points3 places = joints(shaped);
  std::vector<Eigen::Affine3f> posed_from_shaped;
  for (int j = 0; j < num_joints; ++j) {
    const Eigen::Vector3f place = places.row(j);
    const Eigen::Affine3f about_place =
        Eigen::Translation3f(place) * Eigen::Affine3f(rotations[j]) * Eigen::Translation3f(-place);
    posed_from_shaped.push_back(parent[j] < 0 ? about_place : posed_from_shaped[parent[j]] * about_place);
  }
  for (Eigen::Index v = 0; v < result.rows(); ++v) {
    const Eigen::Vector3f position = result.row(v);
    Eigen::Vector3f sum = Eigen::Vector3f::Zero();
    for (int j = 0; j < num_joints; ++j) {
      if (weights(v, j) != 0) sum += weights(v, j) * (posed_from_shaped[j] * position);
    }
    result.row(v) = sum;
  }
  return result;
}

void Skeleton::check(int num_vertices) const {
  const int num_joints = numJoints();
  require(num_joints > 0, "Skeleton: no joints");
  require(parent.size() == names.size(), "Skeleton: ", parent.size(), " parents for ", num_joints, " joints");
  for (int j = 0; j < num_joints; ++j) {
    require(parent[j] >= -1 && parent[j] < j && (parent[j] == -1) == (j == 0), "Skeleton: joint ", names[j],
            " has the parent ", parent[j], "; the root comes first and parents before their children");
  }
  require(regressor.rows() == num_joints && regressor.cols() == num_vertices,
          "Skeleton: the joint regressor is ", regressor.rows(), "x", regressor.cols(), ", expected ",
          num_joints, "x", num_vertices);
  require(weights.rows() == num_vertices && weights.cols() == num_joints,
          "Skeleton: the skinning weights are ", weights.rows(), "x", weights.cols(), ", expected ",
          num_vertices, "x", num_joints);
  require(weights.allFinite() && std::isfinite(regressor.norm()), "Skeleton: a weight is not finite");
  require((weights.rowwise().sum().array() - 1).abs().maxCoeff() < 1e-3F,
          "Skeleton: the skinning weights of a vertex do not sum to 1");
  require(pose_correctives.cols() == 0 || (pose_correctives.rows() == 3 * num_vertices &&
                                           pose_correctives.cols() == 9 * (num_joints - 1)),
          "Skeleton: the pose correctives are ", pose_correctives.rows(), "x", pose_correctives.cols(),
          ", expected ", 3 * num_vertices, "x", 9 * (num_joints - 1));
}

}  // namespace facet
