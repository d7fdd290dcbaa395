#include "fitting/shape_solve.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace facet {
namespace {

// Of a shape's own square: keeps two equal shapes apart, where nothing else tells how they share a weight.
constexpr double kRidge = 1e-6;

// The problem of ShapeSolver for shapes that move something. x is N×F.
class BoxProblem {
 public:
  BoxProblem(Eigen::MatrixXd gram, Eigen::MatrixXd linear, Eigen::VectorXd link)
      : gram_(std::move(gram)), linear_(std::move(linear)), link_(std::move(link)) {
    gram_.diagonal() *= 1 + kRidge;
  }

  // Half the gradient: (G x_t - c_t) + μ g (2 x_t - x_{t-1} - x_{t+1}).
  Eigen::MatrixXd gradient(const Eigen::MatrixXd& x) const { return product(x) - linear_; }
  double value(const Eigen::MatrixXd& x) const {
    return 0.5 * x.cwiseProduct(product(x)).sum() - x.cwiseProduct(linear_).sum();
  }

  // The Newton step within the weights that may move: rows of `is_free` that are 0 stay.
  Eigen::MatrixXd step(const Eigen::MatrixXd& gradient, const Eigen::MatrixXi& is_free) const {
    const Eigen::Index num_frames = gradient.cols(), num_shapes = gradient.rows();
    std::vector<std::vector<int>> free(static_cast<std::size_t>(num_frames));
    std::vector<Eigen::MatrixXd> inverse(free.size());
    std::vector<Eigen::VectorXd> partial(free.size());
    Eigen::MatrixXi place = Eigen::MatrixXi::Constant(num_shapes, num_frames, -1);
    for (Eigen::Index t = 0; t < num_frames; ++t) {
      std::vector<int>& shapes = free[t];
      for (int i = 0; i < num_shapes; ++i) {
        if (is_free(i, t) == 0) continue;
        place(i, t) = static_cast<int>(shapes.size());
        shapes.push_back(i);
      }
      const double num_neighbours = (t > 0 ? 1 : 0) + (t + 1 < num_frames ? 1 : 0);
      Eigen::MatrixXd block = gram_(shapes, shapes);
      block.diagonal() += num_neighbours * link_(shapes);
      Eigen::VectorXd right = -gradient(shapes, t);
      if (t > 0) {  // eliminate the frame before
        for (const int i : shapes) {
          const int before = place(i, t - 1);
          if (before < 0) continue;
          right[place(i, t)] += link_[i] * partial[t - 1][before];
          for (const int j : shapes) {
            if (place(j, t - 1) < 0) continue;
            block(place(i, t), place(j, t)) -= link_[i] * link_[j] * inverse[t - 1](before, place(j, t - 1));
          }
        }
      }
      const Eigen::LLT<Eigen::MatrixXd> solver(block);
      inverse[t] = solver.solve(Eigen::MatrixXd::Identity(block.rows(), block.cols()));
      partial[t] = inverse[t] * right;
    }
    Eigen::MatrixXd result = Eigen::MatrixXd::Zero(num_shapes, num_frames);
    for (Eigen::Index t = num_frames - 1; t >= 0; --t) {
      Eigen::VectorXd solution = partial[t];
      if (t + 1 < num_frames) {
        Eigen::VectorXd after(solution.size());
        for (std::size_t k = 0; k < free[t].size(); ++k) {
          after[static_cast<Eigen::Index>(k)] = link_[free[t][k]] * result(free[t][k], t + 1);
        }
        solution += inverse[t] * after;
      }
      for (std::size_t k = 0; k < free[t].size(); ++k) {
        result(free[t][k], t) = solution[static_cast<Eigen::Index>(k)];
      }
    }
    return result;
  }

 private:
  Eigen::MatrixXd product(const Eigen::MatrixXd& x) const {
    Eigen::MatrixXd result = gram_ * x;
    const Eigen::Index last = x.cols() - 1;
    if (last < 1) return result;
    const Eigen::MatrixXd pull = link_.asDiagonal() * (x.rightCols(last) - x.leftCols(last));
    result.leftCols(last) -= pull;
    result.rightCols(last) += pull;
    return result;
  }

  Eigen::MatrixXd gram_;    // N×N
  Eigen::MatrixXd linear_;  // N×F
  Eigen::VectorXd link_;    // N
};

struct BoxSolution {
  Eigen::MatrixXd x;
  int iterations = 0;
  bool converged = false;
};

BoxSolution minimise(const BoxProblem& problem, Eigen::MatrixXd x, const ShapeSolveOptions& options) {
  BoxSolution solution;
  double value = problem.value(x);
  while (solution.iterations < options.max_iterations) {
    ++solution.iterations;
    const Eigen::MatrixXd gradient = problem.gradient(x);
    const Eigen::MatrixXi is_free =
        (!((x.array() <= 0 && gradient.array() > 0) || (x.array() >= 1 && gradient.array() < 0))).cast<int>();
    const Eigen::MatrixXd step = problem.step(gradient, is_free);
    // Back along the projected step until the value falls; the last bits of it cannot fall any more.
    constexpr double kMinLength = 1e-6;
    double length = 1;
    Eigen::MatrixXd moved;
    double moved_value = 0;
    for (;; length /= 2) {
      moved = (x + length * step).cwiseMax(0.0).cwiseMin(1.0);
      moved_value = problem.value(moved);
      if (moved_value <= value || length < kMinLength) break;
    }
    const double change = (moved - x).cwiseAbs().maxCoeff();
    if (moved_value > value) {  // rounding alone
      solution.converged = change < std::sqrt(options.tolerance);
      break;
    }
    x = moved;
    value = moved_value;
    if (change <= options.tolerance) {
      solution.converged = true;
      break;
    }
  }
  solution.x = std::move(x);
  return solution;
}

}  // namespace

void ShapeSolveOptions::check() const {
  const auto isWeight = [](double value) { return std::isfinite(value) && value >= 0; };
  require(isWeight(sparsity), "ShapeSolveOptions: sparsity is ", sparsity, "; expected 0 or more");
  require(isWeight(smoothness), "ShapeSolveOptions: smoothness is ", smoothness, "; expected 0 or more");
  require(isWeight(misfit), "ShapeSolveOptions: misfit is ", misfit, "; expected 0 or more");
  require(max_iterations > 0, "ShapeSolveOptions: max_iterations is ", max_iterations,
          "; expected 1 or more");
  require(tolerance > 0, "ShapeSolveOptions: tolerance is ", tolerance, "; expected more than 0");
}

ShapeSolver::ShapeSolver(const Eigen::MatrixXf& shapes, const Eigen::VectorXd& vertex_weights)
    : num_vertices_(shapes.rows() / 3) {
  require(shapes.rows() % 3 == 0 && shapes.cols() > 0, "ShapeSolver: the shapes are ", shapes.rows(), "×",
          shapes.cols(), ", not 3V×N");
  require(shapes.allFinite(), "ShapeSolver: a displacement of the shapes is not finite");
  require(vertex_weights.size() == 0 || vertex_weights.size() == num_vertices_,
          "ShapeSolver: ", vertex_weights.size(), " weights for ", num_vertices_, " vertices");
  require(vertex_weights.size() == 0 || (vertex_weights.allFinite() && vertex_weights.minCoeff() >= 0),
          "ShapeSolver: vertex weights must be finite and not negative");
  for (Eigen::Index v = 0; v < num_vertices_; ++v) {
    const bool counts = vertex_weights.size() == 0 || vertex_weights[v] > 0;
    if (counts && !shapes.middleRows<3>(3 * v).isZero(0)) moved_.push_back(v);
  }
  const auto num_moved = static_cast<Eigen::Index>(moved_.size());
  weight_.resize(3 * num_moved);
  shapes_.resize(3 * num_moved, shapes.cols());
  for (Eigen::Index k = 0; k < num_moved; ++k) {
    shapes_.middleRows<3>(3 * k) = shapes.middleRows<3>(3 * moved_[k]).cast<double>();
    weight_.segment<3>(3 * k).setConstant(vertex_weights.size() == 0 ? 1 : vertex_weights[moved_[k]]);
  }
  if (num_moved > 0) weight_ *= 3 / weight_.sum();
  gram_ = shapes_.transpose() * weight_.asDiagonal() * shapes_;
}

void ShapeSolver::addFrame(const Points3& displacement) {
  require(displacement.rows() == num_vertices_ && displacement.allFinite(),
          "ShapeSolver: ", displacement.rows(), " displacements for ", num_vertices_,
          " vertices, or one that is not finite");
  Eigen::VectorXd values(3 * static_cast<Eigen::Index>(moved_.size()));
  for (std::size_t k = 0; k < moved_.size(); ++k) {
    values.segment<3>(3 * static_cast<Eigen::Index>(k)) =
        displacement.row(moved_[k]).transpose().cast<double>();
  }
  const Eigen::VectorXd weighted = weight_.cwiseProduct(values);
  product_.emplace_back(shapes_.transpose() * weighted);
  squared_displacement_.push_back(values.dot(weighted));
}

ShapeSolution ShapeSolver::solve(const ShapeSolveOptions& options) const {
  options.check();
  const auto num_frames = static_cast<Eigen::Index>(product_.size());
  ShapeSolution solution;
  solution.weights.setZero(num_frames, shapes_.cols());
  solution.residual_mm.setZero(num_frames);
  std::vector<Eigen::Index> solved;  // shapes that move something
  for (Eigen::Index i = 0; i < gram_.rows(); ++i) {
    if (gram_(i, i) > 0) solved.push_back(i);
  }
  Eigen::MatrixXd x = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(solved.size()), num_frames);
  Eigen::MatrixXd linear = x;
  const Eigen::MatrixXd gram = gram_(solved, solved);
  for (Eigen::Index t = 0; t < num_frames; ++t) linear.col(t) = product_[t](solved);
  const auto squaredResidual = [&](Eigen::Index t) {
    return std::max(
        0.0, x.col(t).dot(gram * x.col(t)) - 2 * x.col(t).dot(linear.col(t)) + squared_displacement_[t]);
  };
  solution.converged = true;
  // The second time knowing how much the shapes leave over.
  double mean_squared_residual = 0;
  for (int round = 0; round < 2 && x.size() > 0; ++round) {
    if (round == 1 && options.misfit == 0) break;
    Eigen::MatrixXd quadratic = gram;
    quadratic.diagonal().array() += options.misfit * mean_squared_residual;
    const Eigen::VectorXd threshold = 0.5 * options.sparsity * gram.diagonal();
    const BoxProblem problem(quadratic, linear.colwise() - threshold, options.smoothness * gram.diagonal());
    BoxSolution box = minimise(problem, x, options);
    x = std::move(box.x);
    solution.iterations += box.iterations;
    solution.converged = box.converged;
    for (Eigen::Index t = 0; t < num_frames; ++t) {
      mean_squared_residual += squaredResidual(t) / static_cast<double>(num_frames);
    }
  }
  for (Eigen::Index t = 0; t < num_frames; ++t) {
    for (std::size_t k = 0; k < solved.size(); ++k) {
      solution.weights(t, solved[k]) = static_cast<float>(x(static_cast<Eigen::Index>(k), t));
    }
    solution.residual_mm[t] = static_cast<float>(std::sqrt(squaredResidual(t)));
  }
  return solution;
}

}  // namespace facet
