#include "core/deformation_transfer.h"

#include <Eigen/Geometry>
#include <Eigen/LU>
#include <Eigen/SVD>
#include <Eigen/SparseCholesky>
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "core/check.h"
#include "core/closest_point.h"
#include "core/contacts.h"
#include "core/laplacian.h"
#include "core/mesh_parts.h"
#include "core/parallel.h"

namespace facet {
namespace {

using PointsD = Eigen::Matrix<double, Eigen::Dynamic, 3, Eigen::RowMajor>;
using Solver = Eigen::SimplicialLDLT<Eigen::SparseMatrix<double>>;

// Two edges of a triangle and its normal, scaled as the edges are: the square root of twice the area long.
Eigen::Matrix3f frameOf(const Points3& vertices, const Triangles& triangles, Eigen::Index f) {
  Eigen::Matrix3f frame;
  const Eigen::Vector3f a = vertices.row(triangles(f, 0));
  frame.col(0) = vertices.row(triangles(f, 1)).transpose() - a;
  frame.col(1) = vertices.row(triangles(f, 2)).transpose() - a;
  const Eigen::Vector3f normal = frame.col(0).cross(frame.col(1));
  const float length = normal.norm();
  frame.col(2) = length > 0 ? Eigen::Vector3f(normal / std::sqrt(length)) : Eigen::Vector3f::Zero();
  return frame;
}

// Inverse frames of all triangles; zero for a triangle without area, which thus deforms nothing.
std::vector<Eigen::Matrix3f> inverseFrames(const Points3& vertices, const Triangles& triangles) {
  std::vector<Eigen::Matrix3f> inverse(static_cast<std::size_t>(triangles.rows()));
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    const Eigen::Matrix3f frame = frameOf(vertices, triangles, f);
    Eigen::FullPivLU<Eigen::Matrix3f> lu(frame);
    inverse[f] = lu.isInvertible() ? Eigen::Matrix3f(lu.inverse()) : Eigen::Matrix3f::Zero();
  }
  return inverse;
}

// Derivative of the displacement by the position on a triangle: deformation gradient minus identity.
Eigen::Matrix3f displacementGradient(const Points3& moved, const Points3& still, const Triangles& triangles,
                                     Eigen::Index f, const Eigen::Matrix3f& inverse) {
  return (frameOf(moved, triangles, f) - frameOf(still, triangles, f)) * inverse;
}

Points3 shapeAt(const Eigen::MatrixXf& shapes, Eigen::Index k) {
  return Eigen::Map<const Points3>(shapes.col(k).data(), shapes.rows() / 3, 3);
}

// Two places on a mesh that are to meet, as a triangle's corners and weights each.
struct Meeting {
  std::array<int, 3> from{}, to{};
  Eigen::Vector3f from_weights, to_weights;
  Eigen::Vector3f gap_mm;  // from `to` to `from` when they have met
};

Eigen::Vector3f pointOf(const Points3& values, const std::array<int, 3>& corners,
                        const Eigen::Vector3f& weights) {
  Eigen::Vector3f point(0, 0, 0);
  for (int k = 0; k < 3; ++k) point += weights[k] * values.row(corners[k]).transpose();
  return point;
}

// Adds to a displacement what makes the places meet, spread smoothly over the skin that it moves. `pose` is
// the mesh without the displacement; `triangles` are welded and so are the meetings.
void closeMeetings(const std::vector<Meeting>& meetings, const Points3& pose, const Triangles& triangles,
                   const std::vector<std::uint8_t>& takes_part, Points3& displacement) {
  if (meetings.empty()) return;
  constexpr float kMoves_mm = 0.05F;
  constexpr double kSpread_mm = 10, kWeight = 100;
  std::vector<int> unknown(static_cast<std::size_t>(pose.rows()), -1), members;
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      const int v = triangles(f, k);
      if (unknown[v] >= 0 || !takes_part[v] || displacement.row(v).norm() < kMoves_mm) continue;
      unknown[v] = static_cast<int>(members.size());
      members.push_back(v);
    }
  }
  const int num_unknown = static_cast<int>(members.size());
  Points3 positions(num_unknown, 3);
  for (int i = 0; i < num_unknown; ++i) positions.row(i) = pose.row(members[i]);
  Triangles local(triangles.rows(), 3);
  Eigen::Index kept = 0;
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) local(kept, k) = unknown[triangles(f, k)];
    kept += local.row(kept).minCoeff() >= 0;
  }
  local.conservativeResize(kept, 3);
  const Eigen::VectorXd areas = vertexAreas(positions, local).cwiseMax(1e-3);
  std::vector<Eigen::Triplet<double>> entries;
  PointsD right = PointsD::Zero(num_unknown, 3);
  for (const Meeting& meeting : meetings) {
    const Eigen::Vector3f from_moved = pointOf(displacement, meeting.from, meeting.from_weights);
    const Eigen::Vector3f to_moved = pointOf(displacement, meeting.to, meeting.to_weights);
    const Eigen::Vector3f correction = pointOf(pose, meeting.to, meeting.to_weights) + to_moved +
                                       meeting.gap_mm - pointOf(pose, meeting.from, meeting.from_weights) -
                                       from_moved;
    // The side that moves more gives way more; the other one has meetings of its own.
    const float share = from_moved.norm() / std::max(from_moved.norm() + to_moved.norm(), 1e-6F);
    for (int j = 0; j < 3; ++j) {
      if (unknown[meeting.from[j]] < 0) continue;
      right.row(unknown[meeting.from[j]]) +=
          kWeight * meeting.from_weights[j] * share * correction.transpose().cast<double>();
      for (int k = 0; k < 3; ++k) {
        if (unknown[meeting.from[k]] < 0) continue;
        entries.emplace_back(unknown[meeting.from[j]], unknown[meeting.from[k]],
                             kWeight * meeting.from_weights[j] * meeting.from_weights[k]);
      }
    }
  }
  for (int i = 0; i < num_unknown; ++i)
    entries.emplace_back(i, i, areas[i] / (kSpread_mm * kSpread_mm) + 1e-9);
  Eigen::SparseMatrix<double> matrix(num_unknown, num_unknown);
  matrix.setFromTriplets(entries.begin(), entries.end());
  matrix += laplacian(cotangentWeights(positions, local), local, num_unknown);
  const Solver solver(matrix);
  const PointsD correction = solver.solve(right);
  for (int i = 0; i < num_unknown; ++i) displacement.row(members[i]) += correction.row(i).cast<float>();
}

// Keeps lids that slide over an eyeball in front of it: where a point of the eyeball comes through a
// triangle, or nearer to it than a tear film, the triangle's corners are pushed out. Coarse meshes need this,
// whose flat triangles would cut the cornea. `eye` are the eyeball's vertices; `triangles` are welded.
void clearEyeball(const Points3& mean, const std::vector<int>& eye, const Triangles& triangles,
                  const std::vector<std::uint8_t>& is_skin, Points3& displacement) {
  constexpr float kMoves_mm = 0.5F;
  constexpr double kClearance_mm = 0.15, kReach_mm = 3, kMinCosine = 0.5;
  constexpr int kRounds = 4;
  if (eye.empty()) return;
  Eigen::RowVector3f center(0, 0, 0);
  for (const int v : eye) center += mean.row(v) / static_cast<float>(eye.size());
  float radius_mm = 0;
  for (const int v : eye) radius_mm = std::max(radius_mm, (mean.row(v) - center).norm());
  Mesh lids;
  lids.triangles.resize(triangles.rows(), 3);
  Eigen::Index kept = 0;
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    bool moves = false, is_near = true;
    for (int k = 0; k < 3; ++k) {
      const int v = triangles(f, k);
      moves |= displacement.row(v).norm() > kMoves_mm;
      is_near &= is_skin[v] && (mean.row(v) - center).norm() < 2 * radius_mm;
    }
    if (moves && is_near) lids.triangles.row(kept++) = triangles.row(f);
  }
  if (kept == 0) return;
  lids.triangles.conservativeResize(kept, 3);
  for (int round = 0; round < kRounds; ++round) {
    lids.vertices = mean + displacement;
    const SurfaceIndex surface(lids);
    Points3 push = Points3::Zero(mean.rows(), 3);
    bool clear = true;
    for (const int v : eye) {
      const Eigen::Vector3d point = mean.row(v).transpose().cast<double>();
      const Eigen::Vector3d outwards = (mean.row(v) - center).transpose().cast<double>().normalized();
      // Outsides of the lids only: their insides face the eyeball.
      const SurfaceIndex::Hit hit =
          surface.closest(point, {.max_distance = kReach_mm, .normal = outwards, .min_cosine = kMinCosine});
      if (hit.triangle < 0) continue;
      const Eigen::Vector3d& normal = surface.normal(hit.triangle);
      const double before_lid_mm = (point - hit.point).dot(normal);
      // Straight behind or in front of the triangle; what lies beside it may show between the lids.
      if (std::abs(before_lid_mm) < 0.9 * hit.distance || before_lid_mm < -kClearance_mm) continue;
      clear = false;
      const Eigen::Vector3f weights = surface.barycentric(hit);
      const Eigen::Vector3f step = ((before_lid_mm + kClearance_mm) * normal).cast<float>();
      for (int k = 0; k < 3; ++k) {
        const Eigen::RowVector3f own = weights[k] / weights.squaredNorm() * step.transpose();
        const int corner = lids.triangles(hit.triangle, k);
        if (own.norm() > push.row(corner).norm()) push.row(corner) = own;
      }
    }
    if (clear) break;
    displacement += push;
  }
}

// Best rigid motion x -> R x + t of a part under a shape; nothing for a part that stays.
std::optional<Eigen::Isometry3d> rigidMotion(const Points3& vertices, const Points3& displacement,
                                             const std::vector<int>& members) {
  constexpr float kStays_mm = 0.05F;
  Eigen::Matrix3Xd from(3, members.size()), to = from;
  float largest_mm = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    from.col(static_cast<Eigen::Index>(i)) = vertices.row(members[i]).cast<double>();
    to.col(static_cast<Eigen::Index>(i)) =
        (vertices.row(members[i]) + displacement.row(members[i])).cast<double>();
    largest_mm = std::max(largest_mm, displacement.row(members[i]).norm());
  }
  if (largest_mm < kStays_mm) return std::nullopt;
  Eigen::Isometry3d motion;
  motion.matrix() = Eigen::umeyama(from, to, /*with_scaling=*/false);
  return motion;
}

// Gives the vertices without a counterpart a displacement: near their own guess as far as it is trusted, and
// smooth. One matrix for all shapes.
class Continuation {
 public:
  Continuation(const Mesh& mesh, const std::vector<int>& welded, const std::vector<std::uint8_t>& takes_part,
               const Eigen::VectorXf& confidence) {
    constexpr float kSettled = 0.9F;
    constexpr double kReach_mm = 5, kLeastTrust = 1e-4;
    const int count = static_cast<int>(mesh.vertices.rows());
    unknown_.assign(static_cast<std::size_t>(count), -1);
    for (int v = 0; v < count; ++v) {
      if (!takes_part[v] || confidence[v] >= kSettled) continue;
      if (welded[v] == v) {
        unknown_[v] = num_unknown_++;
        members_.push_back(v);
      } else {
        unknown_[v] = unknown_[welded[v]];
      }
    }
    if (num_unknown_ == 0) return;
    const Triangles triangles = weldedTriangles(mesh.triangles, welded);
    const Points3 weights = cotangentWeights(mesh.vertices, triangles);
    const Eigen::VectorXd areas = vertexAreas(mesh.vertices, triangles);
    trust_.resize(num_unknown_);
    std::vector<Eigen::Triplet<double>> entries;
    for (int i = 0; i < num_unknown_; ++i) {
      const double c = std::min(static_cast<double>(confidence[members_[i]]), 0.99);
      trust_[i] = (areas[members_[i]] / (kReach_mm * kReach_mm)) * (c / (1 - c)) + kLeastTrust * 1e-2;
      entries.emplace_back(i, i, trust_[i]);
    }
    for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
      for (int k = 0; k < 3; ++k) {
        const int i = triangles(f, (k + 1) % 3), j = triangles(f, (k + 2) % 3);
        const double weight = weights(f, k);
        for (const auto& [from, to] : {std::pair(i, j), std::pair(j, i)}) {
          if (unknown_[from] < 0) continue;
          entries.emplace_back(unknown_[from], unknown_[from], weight);
          if (unknown_[to] >= 0)
            entries.emplace_back(unknown_[from], unknown_[to], -weight);
          else
            borders_.push_back({unknown_[from], to, weight});
        }
      }
    }
    Eigen::SparseMatrix<double> matrix(num_unknown_, num_unknown_);
    matrix.setFromTriplets(entries.begin(), entries.end());
    solver_.compute(matrix);
  }

  void apply(Points3& displacement) const {
    if (num_unknown_ == 0) return;
    PointsD right(num_unknown_, 3);
    for (int i = 0; i < num_unknown_; ++i)
      right.row(i) = trust_[i] * displacement.row(members_[i]).cast<double>();
    for (const Border& border : borders_)
      right.row(border.unknown) += border.weight * displacement.row(border.vertex).cast<double>();
    const PointsD solved = solver_.solve(right);
    for (std::size_t v = 0; v < unknown_.size(); ++v) {
      if (unknown_[v] >= 0)
        displacement.row(static_cast<Eigen::Index>(v)) = solved.row(unknown_[v]).cast<float>();
    }
  }

 private:
  struct Border {
    int unknown, vertex;
    double weight;
  };
  int num_unknown_ = 0;
  std::vector<int> unknown_, members_;
  Eigen::VectorXd trust_;
  std::vector<Border> borders_;
  Solver solver_;
};

void setShape(Eigen::Index shape, Points3& displacement, const std::vector<int>& welded,
              Eigen::MatrixXf& shapes) {
  for (Eigen::Index v = 0; v < displacement.rows(); ++v)
    displacement.row(v) = displacement.row(welded[v]).eval();
  shapes.col(shape) = Eigen::Map<const Eigen::VectorXf>(displacement.data(), displacement.size());
}

// Lids and lips that meet on the template meet on the model: corrects its shapes in `result`. `triangles` are
// welded.
void closeLidsAndLips(const MorphableModel& source, const Eigen::MatrixXf& shapes,
                      const Correspondence& correspondence, const MorphableModel& model,
                      const std::vector<int>& welded, const Triangles& triangles,
                      const std::vector<std::uint8_t>& is_skin, Eigen::MatrixXf& result) {
  const Registration& registration = correspondence.registration;
  std::vector<std::uint8_t> shows(static_cast<std::size_t>(source.numVertices()));
  for (int v = 0; v < source.numVertices(); ++v)
    shows[v] = registration.part[v] == registration.skin_part && !registration.hidden[v];
  const TopologyMap& on_model = correspondence.template_on_model;
  const std::optional<int> jaw_open = source.expressionIndex("jawOpen");
  for (const char* name : {"eyeBlinkLeft", "eyeBlinkRight", "mouthClose"}) {
    const std::optional<int> shape = source.expressionIndex(name);
    const bool with_jaw = std::string(name) == "mouthClose";  // it closes what jawOpen has opened
    if (!shape || (with_jaw && !jaw_open)) continue;
    const Points3 open = with_jaw ? Points3(source.mean + shapeAt(shapes, *jaw_open)) : source.mean;
    const Points3 pose = with_jaw ? Points3(model.mean + shapeAt(result, *jaw_open)) : model.mean;
    constexpr double kTouching_mm = 1;
    constexpr float kCertain = 0.3F;
    const Points3 closed = open + shapeAt(shapes, *shape);
    std::vector<Meeting> meetings;
    for (const Contact& contact : contactsOf(open, closed, source.triangles, shows, kTouching_mm)) {
      int nearest = 0;
      contact.barycentric.maxCoeff(&nearest);
      const int to = contact.other[nearest];
      if (on_model.confidence[contact.vertex] < kCertain || on_model.confidence[to] < kCertain) continue;
      Meeting meeting;
      meeting.gap_mm = (closed.row(contact.vertex) - closed.row(to)).transpose();
      for (int k = 0; k < 3; ++k) {
        meeting.from[k] = welded[model.triangles(on_model.points.triangle[contact.vertex], k)];
        meeting.to[k] = welded[model.triangles(on_model.points.triangle[to], k)];
      }
      meeting.from_weights = on_model.points.barycentric.row(contact.vertex);
      meeting.to_weights = on_model.points.barycentric.row(to);
      meetings.push_back(meeting);
    }
    Points3 displacement = shapeAt(result, *shape);
    closeMeetings(meetings, pose, triangles, is_skin, displacement);
    setShape(*shape, displacement, welded, result);
  }
}

// Lids pass in front of the eyeballs: corrects the shapes in `result` that move them.
void clearEyeballs(const MorphableModel& source, const Correspondence& correspondence,
                   const MorphableModel& model, const std::vector<int>& welded, const Triangles& triangles,
                   const std::vector<std::uint8_t>& is_skin, Eigen::MatrixXf& result) {
  const std::vector<int>& part = correspondence.registration.part;
  for (const char* side : {"Left", "Right"}) {
    const std::string region = std::string(side) == "Left" ? "eyeball_left" : "eyeball_right";
    std::vector<std::uint8_t> is_eye(part.size(), 0);  // by part of the template, told by its first vertex
    for (std::size_t v = source.region.size(); v-- > 0;)
      is_eye[part[v]] = source.region_names[source.region[v]] == region;
    std::vector<int> eye;
    for (int v = 0; v < model.numVertices(); ++v) {
      if (is_eye[correspondence.part_in_template[v]]) eye.push_back(v);
    }
    for (const char* name : {"eyeBlink", "eyeSquint", "eyeLookDown"}) {
      const std::optional<int> shape = source.expressionIndex(std::string(name) + side);
      if (!shape) continue;
      Points3 displacement = shapeAt(result, *shape);
      clearEyeball(model.mean, eye, triangles, is_skin, displacement);
      setShape(*shape, displacement, welded, result);
    }
  }
}

}  // namespace

Eigen::MatrixXf deformationTransfer(const Points3& source, const Triangles& triangles,
                                    const Eigen::MatrixXf& shapes, const Points3& target) {
  const int count = static_cast<int>(source.rows());
  require(shapes.rows() == 3 * count, "deformationTransfer: the shapes have ", shapes.rows(), " rows for ",
          count, " vertices");
  require(target.rows() == count, "deformationTransfer: ", target.rows(), " target vertices for ", count,
          " of the source");
  // Vertices that never move are held; without any, a trace of their own displacement fixes the position.
  constexpr float kHeld_mm = 0.02F;
  constexpr double kHold = 1e3, kTrace = 1e-6;
  const Points3 weights = cotangentWeights(target, triangles);
  Eigen::SparseMatrix<double> matrix = laplacian(weights, triangles, count);
  std::vector<std::uint8_t> is_held(static_cast<std::size_t>(count));
  for (int v = 0; v < count; ++v) {
    is_held[v] = shapes.cols() == 0 || shapes.middleRows(3 * v, 3).cwiseAbs().maxCoeff() < kHeld_mm;
    matrix.coeffRef(v, v) += is_held[v] ? kHold : kTrace;
  }
  const Solver solver(matrix);
  const std::vector<Eigen::Matrix3f> inverse = inverseFrames(source, triangles);
  Eigen::MatrixXf result(shapes.rows(), shapes.cols());
  parallelFor(static_cast<int>(shapes.cols()), 1, [&](int begin, int end) {
    for (int shape = begin; shape < end; ++shape) {
      const Points3 displacement = shapeAt(shapes, shape);
      const Points3 moved = source + displacement;
      PointsD right = PointsD::Zero(count, 3);
      for (int v = 0; v < count; ++v)
        right.row(v) = (is_held[v] ? kHold : kTrace) * displacement.row(v).cast<double>();
      for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
        const Eigen::Matrix3f gradient = displacementGradient(moved, source, triangles, f, inverse[f]);
        for (int k = 0; k < 3; ++k) {
          const int i = triangles(f, (k + 1) % 3), j = triangles(f, (k + 2) % 3);
          const Eigen::RowVector3d change =
              (weights(f, k) * (gradient * (target.row(i) - target.row(j)).transpose()))
                  .transpose()
                  .cast<double>();
          right.row(i) += change;
          right.row(j) -= change;
        }
      }
      const Points3 solved = solver.solve(right).cast<float>();
      result.col(shape) = Eigen::Map<const Eigen::VectorXf>(solved.data(), solved.size());
    }
  });
  return result;
}

Eigen::MatrixXf transferShapes(const MorphableModel& source, const Correspondence& correspondence,
                               const MorphableModel& model) {
  const Registration& registration = correspondence.registration;
  const int num_shapes = source.numExpression(), num_source = source.numVertices();
  require(correspondence.model_on_template.size() == model.numVertices() &&
              registration.vertices.rows() == num_source,
          "transferShapes: the correspondence is of other meshes");
  Eigen::MatrixXf shapes(3 * num_source, num_shapes);
  for (int k = 0; k < num_shapes; ++k) shapes.col(k) = source.expression.col(k);

  // On the template as it lies on the model.
  const Points3& laid = registration.vertices;
  const Eigen::MatrixXf laid_shapes = deformationTransfer(source.mean, source.triangles, shapes, laid);
  // Parts.
  const int num_parts = *std::max_element(registration.part.begin(), registration.part.end()) + 1;
  std::vector<std::vector<int>> members(static_cast<std::size_t>(num_parts));
  for (int v = 0; v < num_source; ++v) members[registration.part[v]].push_back(v);
  const Mesh mesh = model.mesh(model.mean);
  const std::vector<int> welded = weldedVertices(model.mean);
  const std::vector<int> model_part = connectedParts(model.triangles, welded);
  // Where a part of the model does not move as one, what is uncertain continues what is certain. Loose pieces
  // that go with the skin (lashes) are stuck to it.
  const int num_model_parts = *std::max_element(model_part.begin(), model_part.end()) + 1;
  std::vector<int> num_skin(static_cast<std::size_t>(num_model_parts), 0), first(num_skin.size(), -1);
  std::vector<std::uint8_t> is_mixed(num_skin.size(), 0);
  for (int v = 0; v < model.numVertices(); ++v) {
    const int part = model_part[v], in_template = correspondence.part_in_template[v];
    if (first[part] < 0) first[part] = v;
    num_skin[part] += in_template == registration.skin_part;
    if (in_template != correspondence.part_in_template[first[part]]) is_mixed[part] = 1;
  }
  const int skin_part =
      static_cast<int>(std::max_element(num_skin.begin(), num_skin.end()) - num_skin.begin());
  std::vector<std::uint8_t> continued(static_cast<std::size_t>(model.numVertices()));
  for (int v = 0; v < model.numVertices(); ++v)
    continued[v] = model_part[v] == skin_part || is_mixed[model_part[v]];
  const Continuation continuation(mesh, welded, continued, correspondence.model_on_template.confidence);

  // How far a vertex lies from its counterpart, no more than the derivative can be trusted.
  constexpr float kMaxOffset_mm = 3;
  const LandmarkEmbedding& counterpart = correspondence.model_on_template.points;
  Points3 place = model.mean;
  const Points3 foot = counterpart.points(laid, source.triangles);
  for (int v = 0; v < model.numVertices(); ++v) {
    const float distance_mm = (place.row(v) - foot.row(v)).norm();
    if (distance_mm > kMaxOffset_mm)
      place.row(v) = foot.row(v) + (kMaxOffset_mm / distance_mm) * (place.row(v) - foot.row(v));
  }
  const std::vector<Eigen::Matrix3f> inverse = inverseFrames(laid, source.triangles);
  const Eigen::VectorXf areas = vertexAreas(laid, source.triangles).cast<float>().cwiseMax(1e-6F);

  Eigen::MatrixXf result(3 * model.numVertices(), num_shapes);
  parallelFor(num_shapes, 1, [&](int begin, int end) {
    std::vector<Eigen::Matrix3f> gradients(static_cast<std::size_t>(num_source));
    for (int shape = begin; shape < end; ++shape) {
      const Points3 laid_displacement = shapeAt(laid_shapes, shape);
      const Points3 moved = laid + laid_displacement;
      std::fill(gradients.begin(), gradients.end(), Eigen::Matrix3f::Zero());
      for (Eigen::Index f = 0; f < source.triangles.rows(); ++f) {
        const Eigen::Matrix3f gradient = displacementGradient(moved, laid, source.triangles, f, inverse[f]);
        const Eigen::Vector3f a = laid.row(source.triangles(f, 0));
        const Eigen::Vector3f ab = laid.row(source.triangles(f, 1)).transpose() - a;
        const float area = ab.cross(laid.row(source.triangles(f, 2)).transpose() - a).norm() / 6;
        for (int k = 0; k < 3; ++k) gradients[source.triangles(f, k)] += area * gradient;
      }
      for (int v = 0; v < num_source; ++v) gradients[v] /= areas[v];

      std::vector<std::optional<Eigen::Isometry3d>> motion(static_cast<std::size_t>(num_parts));
      for (int p = 0; p < num_parts; ++p) {
        if (p != registration.skin_part) motion[p] = rigidMotion(laid, laid_displacement, members[p]);
      }
      Points3 displacement = Points3::Zero(model.numVertices(), 3);
      for (int v = 0; v < model.numVertices(); ++v) {
        const int part = correspondence.part_in_template[v];
        if (part != registration.skin_part) {
          const Eigen::Vector3d point = model.mean.row(v).transpose().cast<double>();
          if (motion[part]) displacement.row(v) = (*motion[part] * point - point).transpose().cast<float>();
          continue;
        }
        for (int k = 0; k < 3; ++k) {
          const int w = source.triangles(counterpart.triangle[v], k);
          const Eigen::Vector3f offset = (place.row(v) - laid.row(w)).transpose();
          displacement.row(v) += counterpart.barycentric(v, k) *
                                 (laid_displacement.row(w) + (gradients[w] * offset).transpose());
        }
      }
      continuation.apply(displacement);
      result.col(shape) = Eigen::Map<const Eigen::VectorXf>(displacement.data(), displacement.size());
    }
  });

  std::vector<std::uint8_t> is_skin(continued.size());
  for (int v = 0; v < model.numVertices(); ++v) {
    is_skin[v] = model_part[v] == skin_part && correspondence.part_in_template[v] == registration.skin_part;
  }
  const Triangles triangles = weldedTriangles(model.triangles, welded);
  closeLidsAndLips(source, shapes, correspondence, model, welded, triangles, is_skin, result);
  clearEyeballs(source, correspondence, model, welded, triangles, is_skin, result);
  // A Poisson equation moves everything a little; shapes that are local must stay so, or files grow.
  constexpr float kStill_mm = 0.02F;
  for (Eigen::Index shape = 0; shape < result.cols(); ++shape) {
    Eigen::Map<Points3> displacement(result.col(shape).data(), model.numVertices(), 3);
    for (Eigen::Index v = 0; v < displacement.rows(); ++v) {
      if (displacement.row(v).squaredNorm() < kStill_mm * kStill_mm) displacement.row(v).setZero();
    }
  }
  return result;
}

}  // namespace facet
