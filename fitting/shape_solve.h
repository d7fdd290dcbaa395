#pragma once

#include <Eigen/Core>
#include <string>
#include <vector>

#include "core/types.h"

namespace facet {

struct ShapeSolveOptions {
  // These two weigh against the mean squared displacement of the shape itself at weight 1, so that a small
  // shape is held as strongly as a large one. A shape that overlaps no other loses sparsity/2 of its weight.
  double sparsity = 1e-3;    // times the weight
  double smoothness = 1e-3;  // times the squared change of the weight from frame to frame
  // This one weighs against the mean square of what the shapes leave over, and costs nothing where they fit:
  // shapes that are smaller than the misfit would only follow it. Chosen where the shapes of one artist read
  // the faces of another (docs/takes.md).
  double misfit = 0.05;  // times the squared weight
  int max_iterations = 100;
  double tolerance = 1e-7;  // ends when no weight changes by more

  void check() const;  // throws std::invalid_argument naming field, value and range
};

struct ShapeSolution {
  Eigen::MatrixXf weights;      // F×N in [0, 1]
  Eigen::VectorXf residual_mm;  // F: root of the area-weighted mean square of what the shapes leave over
  int iterations = 0;
  bool converged = false;
};

// Weights of given shapes that come nearest to a sequence of deformed meshes:
//
//   min  Σ_t |S w_t - d_t|² + λ Σ_t Σ_i g_i w_ti + μ Σ_t Σ_i g_i (w_ti - w_{t-1,i})² + κ r² Σ_t |w_t|²
//
// with each weight in [0, 1],
// where |·|² is the mean over the vertices, by their weights, g_i = |S_i|², and r² the mean over the frames
// of |S w_t - d_t|² for the solution without its last term. Frames are added one by one and only their N
// products with the shapes are kept. The problem is convex; it is solved exactly by projected Newton steps
// (Bertsekas, "Projected Newton Methods for Optimization Problems with Simple Constraints", SIAM J. Control
// and Optimization 1982), each of them one block tridiagonal system in time, so that seconds of a take cost
// milliseconds. Vertices that no shape moves are left out.
class ShapeSolver {
 public:
  // `shapes` is 3V×N mm at weight 1, `vertex_weights` (V, not negative; empty = all 1) usually the vertices'
  // areas. A shape that moves nothing keeps weight 0. Throws std::invalid_argument for sizes that do not fit
  // and values that are not finite.
  explicit ShapeSolver(const Eigen::MatrixXf& shapes, const Eigen::VectorXd& vertex_weights = {});

  // The next frame, V×3 mm from the neutral face, without the motion of the head.
  void addFrame(const Points3& displacement);
  ShapeSolution solve(const ShapeSolveOptions& options = {}) const;

 private:
  Eigen::Index num_vertices_ = 0;
  std::vector<Eigen::Index> moved_;           // vertices that a shape moves, M
  Eigen::VectorXd weight_;                    // 3M, sums to 3
  Eigen::MatrixXd shapes_;                    // 3M×N
  Eigen::MatrixXd gram_;                      // N×N mm²
  std::vector<Eigen::VectorXd> product_;      // F of N mm²: the shapes with the displacement
  std::vector<double> squared_displacement_;  // F, mm²
};

}  // namespace facet
