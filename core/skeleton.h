#pragma once

#include <Eigen/SparseCore>
#include <cstdint>
#include <string>
#include <vector>

#include "core/basis.h"
#include "core/types.h"

namespace facet {

// Joints that turn parts of a head, with linear blend skinning and pose-dependent correctives, as FLAME has
// them:
//   v' = v + P vec(R_1 - I, …, R_{J-1} - I),   x = sum_j w_j G_j (v')
// where v is the shaped head without pose, R_j the rotation of joint j about its place in v, and G_j the
// rigid motion of joint j along the chain of its parents. The root's rotation turns everything and has no
// correctives. Li, Bolkart, Black, Li and Romero, "Learning a Model of Facial Shape and Expression from 4D
// Scans", SIGGRAPH Asia 2017; Loper et al., "SMPL: A Skinned Multi-Person Linear Model", SIGGRAPH Asia 2015.
struct Skeleton {
  std::vector<std::string> names;  // J: "root", "neck", "jaw", "left_eye", "right_eye"
  std::vector<std::int32_t>
      parent;  // J; -1 for the root, which comes first; parents come before their children
  Eigen::SparseMatrix<float, Eigen::RowMajor> regressor;  // J×V: place of each joint from the shaped vertices
  Eigen::MatrixXf weights;                                // V×J, rows sum to 1
  Basis pose_correctives;  // 3V×9(J-1) mm per difference of a rotation's entry (row by row) from the
                           // identity; or empty

  int numJoints() const { return static_cast<int>(names.size()); }
  // Index of a joint, or -1.
  int jointIndex(const std::string& joint_name) const;
  // J×3 mm: where the joints of a shaped head lie.
  Points3 joints(const Points3& shaped) const;
  // V×3 mm: `shaped` (V×3, without pose) turned by `pose` (J×3, axis times angle in radians, in the parent's
  // frame).
  Points3 posed(const Points3& shaped, const Points3& pose) const;

  // Throws std::invalid_argument naming the part that does not fit `num_vertices`, or a weight that is not
  // finite.
  void check(int num_vertices) const;
};

}  // namespace facet
