#include "core/registration.h"

#include <Eigen/Cholesky>
#include <Eigen/Geometry>
#include <Eigen/SparseCholesky>
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "core/check.h"
#include "core/closest_point.h"
#include "core/contacts.h"
#include "core/laplacian.h"
#include "core/mesh_parts.h"
#include "core/parallel.h"
#include "core/surface_border.h"

namespace facet {
namespace {

constexpr int kQueryChunk = 256;
// Every annotator draws the outline of the jaw elsewhere.
constexpr int kFirstInnerLandmark = kNumJawLandmarks;

using PointsD = Eigen::Matrix<double, Eigen::Dynamic, 3, Eigen::RowMajor>;

// The surface that may draw the template: the target's skin with what is needed to reject points on its
// border.
class TargetSurface {
 public:
  explicit TargetSurface(const Mesh& skin)
      : index_(skin), border_(borderEdges(skin.triangles, weldedVertices(skin.vertices))) {
    std::vector<std::uint8_t> is_border(static_cast<std::size_t>(skin.vertices.rows()), 0);
    for (Eigen::Index f = 0; f < border_.rows(); ++f) {
      for (int k = 0; k < 3; ++k) {
        if (border_(f, k))
          is_border[skin.triangles(f, (k + 1) % 3)] = is_border[skin.triangles(f, (k + 2) % 3)] = 1;
      }
    }
    for (Eigen::Index v = 0; v < skin.vertices.rows(); ++v) {
      if (is_border[v]) border_vertices_.emplace_back(skin.vertices.row(v).transpose().cast<double>());
    }
  }

  // Closest acceptable point; nothing when there is none, or when it lies on a border: the surface ends there
  // and what lies beyond it has no counterpart.
  std::optional<SurfaceIndex::Hit> closest(const Eigen::Vector3d& point, const Eigen::Vector3d& normal,
                                           double max_distance_mm, double min_cosine) const {
    const SurfaceIndex::Hit hit =
        index_.closest(point, {.max_distance = max_distance_mm, .normal = normal, .min_cosine = min_cosine});
    if (hit.triangle < 0 || isOnBorder(index_, hit, border_)) return std::nullopt;
    return hit;
  }
  const Eigen::Vector3d& normal(int triangle) const { return index_.normal(triangle); }
  const std::vector<Eigen::Vector3d>& borderVertices() const { return border_vertices_; }

 private:
  SurfaceIndex index_;
  Triangles border_;
  std::vector<Eigen::Vector3d> border_vertices_;
};

Mesh partOf(const Mesh& mesh, const std::vector<int>& part, int number) {
  return subMesh(mesh.vertices, mesh.triangles, [&](int f) { return part[mesh.triangles(f, 0)] == number; })
      .mesh;
}

// Vertices that no scan and no other topology shows alike: the insides of mouth, eye sockets and nostrils. Of
// the nose these are the vertices that face another wall close by.
std::vector<std::uint8_t> hiddenVertices(const MorphableModel& model) {
  constexpr double kNostril_mm = 8, kMinCosine = 0.5;
  std::vector<std::uint8_t> hidden(static_cast<std::size_t>(model.numVertices()), 0);
  if (model.region.empty()) return hidden;
  const SurfaceIndex surface(model.mesh(model.mean));
  const Points3 normals = vertexNormals(model.mean, model.triangles);
  for (int v = 0; v < model.numVertices(); ++v) {
    const std::string& name = model.region_names[model.region[v]];
    hidden[v] = name == "mouth_inside" || name.starts_with("eye_socket");
    if (name != "nose") continue;
    const Eigen::Vector3d point = model.mean.row(v).transpose().cast<double>();
    const Eigen::Vector3d normal = normals.row(v).transpose().cast<double>();
    const SurfaceIndex::Hit wall =
        surface.closest(point, {.max_distance = kNostril_mm, .normal = -normal, .min_cosine = kMinCosine});
    hidden[v] = wall.triangle >= 0 && (wall.point - point).dot(normal) > 0;
  }
  return hidden;
}

// Skin vertices (as unknowns) of the edges of lids and lips: those that meet when the eyes or the mouth
// close, and those where what shows borders on what is hidden.
std::vector<int> rimVertices(const MorphableModel& source, const Registration& registration,
                             const Triangles& skin_triangles, const std::vector<int>& skin_index) {
  constexpr double kTouching_mm = 1;
  std::vector<std::uint8_t> shows(static_cast<std::size_t>(source.numVertices()));
  for (int v = 0; v < source.numVertices(); ++v) shows[v] = skin_index[v] >= 0 && !registration.hidden[v];
  std::vector<std::uint8_t> is_rim(shows.size(), 0);
  for (const char* name : {"eyeBlinkLeft", "eyeBlinkRight", "jawOpen"}) {
    const std::optional<int> shape = source.expressionIndex(name);
    if (!shape) continue;
    const Points3 moved = source.mean + source.expression.points(*shape);
    const bool opens = std::string(name) == "jawOpen";
    for (const Contact& contact : contactsOf(opens ? moved : source.mean, opens ? source.mean : moved,
                                             source.triangles, shows, kTouching_mm)) {
      is_rim[contact.vertex] = 1;
    }
  }
  for (Eigen::Index f = 0; f < skin_triangles.rows(); ++f) {
    int num_hidden = 0;
    for (int k = 0; k < 3; ++k) num_hidden += registration.hidden[skin_triangles(f, k)];
    if (num_hidden == 0 || num_hidden == 3) continue;
    for (int k = 0; k < 3; ++k) is_rim[skin_triangles(f, k)] |= shows[skin_triangles(f, k)];
  }
  std::vector<int> rim;
  for (int v = 0; v < source.numVertices(); ++v) {
    if (is_rim[v]) rim.push_back(skin_index[v]);
  }
  return rim;
}

Eigen::Matrix4d similarity(const PointsD& source, const PointsD& target) {
  return Eigen::umeyama(source.transpose(), target.transpose(), true);
}

PointsD transformed(const Eigen::Matrix4d& transform, const PointsD& points) {
  return (points * transform.topLeftCorner<3, 3>().transpose()).rowwise() +
         transform.topRightCorner<3, 1>().transpose();
}

struct Landmarks {
  std::vector<int> index;  // iBUG index of each known landmark
  PointsD position;        // on the target
};

Landmarks knownLandmarks(const Points3& landmarks) {
  Landmarks known;
  known.position.resize(landmarks.rows(), 3);
  for (Eigen::Index i = 0; i < landmarks.rows(); ++i) {
    if (!landmarks.row(i).allFinite()) continue;
    known.position.row(static_cast<Eigen::Index>(known.index.size())) = landmarks.row(i).cast<double>();
    known.index.push_back(static_cast<int>(i));
  }
  known.position.conservativeResize(static_cast<Eigen::Index>(known.index.size()), 3);
  return known;
}

PointsD pointsOn(const LandmarkEmbedding& embedding, const std::vector<int>& which,
                 const Triangles& triangles, const PointsD& vertices) {
  PointsD points(static_cast<Eigen::Index>(which.size()), 3);
  for (std::size_t i = 0; i < which.size(); ++i) {
    points.row(static_cast<Eigen::Index>(i)).setZero();
    for (int k = 0; k < 3; ++k) {
      points.row(static_cast<Eigen::Index>(i)) +=
          embedding.barycentric(which[i], k) * vertices.row(triangles(embedding.triangle[which[i]], k));
    }
  }
  return points;
}

// The similarity and identity coefficients that lay the model's mean next to the target. Landmarks first,
// then points of the surface as well; each point counts along its normal only.
PointsD coarseFit(const MorphableModel& source, const TargetSurface& surface, const Landmarks& landmarks,
                  const std::vector<int>& candidates, const RegistrationOptions& options) {
  constexpr int kNumPoints = 1500, kIterations = 6;
  constexpr double kLandmarkSigma_mm = 2, kJawSigma_mm = 8, kSurfaceSigma_mm = 2;
  constexpr double kIndependentPoints = 200;  // neighbours on the surface err alike
  const PointsD mean = source.mean.cast<double>();
  const int num_modes = std::min(options.num_identity, source.numIdentity());
  Eigen::MatrixXd modes(mean.size(), num_modes);
  for (int k = 0; k < num_modes; ++k) modes.col(k) = source.identity.col(k).cast<double>();

  std::vector<int> sampled;
  const std::size_t step = std::max<std::size_t>(1, candidates.size() / kNumPoints);
  for (std::size_t i = 0; i < candidates.size(); i += step) sampled.push_back(candidates[i]);

  // Landmarks as linear functions of the coefficients.
  const Eigen::Index num_landmarks = landmarks.position.rows();
  Eigen::MatrixXd landmark_modes(3 * num_landmarks, num_modes);
  for (int k = 0; k < num_modes; ++k) {
    const PointsD mode = Eigen::Map<const PointsD>(modes.col(k).data(), source.numVertices(), 3);
    const PointsD moved = pointsOn(source.landmarks68, landmarks.index, source.triangles, mode);
    landmark_modes.col(k) = Eigen::Map<const Eigen::VectorXd>(moved.data(), moved.size());
  }
  Eigen::VectorXd coefficients = Eigen::VectorXd::Zero(num_modes);
  const auto shape = [&] {
    PointsD result = mean;
    Eigen::Map<Eigen::VectorXd>(result.data(), result.size()) += modes * coefficients;
    return result;
  };

  PointsD vertices_in_model = mean;
  Eigen::Matrix4d target_from_model =
      similarity(pointsOn(source.landmarks68, landmarks.index, source.triangles, mean), landmarks.position);
  for (int iteration = 0; iteration < kIterations && num_modes > 0; ++iteration) {
    const PointsD vertices = transformed(target_from_model, vertices_in_model);
    const Points3 normals = vertexNormals(vertices.cast<float>(), source.triangles);
    const Eigen::Matrix3d linear = target_from_model.topLeftCorner<3, 3>();

    Eigen::MatrixXd normal_matrix = Eigen::MatrixXd::Identity(num_modes, num_modes);  // the prior
    Eigen::VectorXd gradient = Eigen::VectorXd::Zero(num_modes);
    // The residuals are linear in the coefficients, so they are stated for coefficients of zero.
    const auto add = [&](const Eigen::RowVectorXd& row, double value, double sigma_mm, double weight) {
      const double factor = weight / (sigma_mm * sigma_mm);
      normal_matrix.noalias() += factor * row.transpose() * row;
      gradient += factor * value * row.transpose();
    };
    const PointsD mean_landmarks =
        transformed(target_from_model, pointsOn(source.landmarks68, landmarks.index, source.triangles, mean));
    for (Eigen::Index i = 0; i < num_landmarks; ++i) {
      const bool is_jaw = landmarks.index[static_cast<std::size_t>(i)] < kFirstInnerLandmark;
      const Eigen::MatrixXd rows = linear * landmark_modes.middleRows(3 * i, 3);
      for (int k = 0; k < 3; ++k) {
        add(rows.row(k), landmarks.position(i, k) - mean_landmarks(i, k),
            is_jaw ? kJawSigma_mm : kLandmarkSigma_mm, 1);
      }
    }
    PointsD drawn_from(static_cast<Eigen::Index>(sampled.size()) + num_landmarks, 3), drawn_to = drawn_from;
    Eigen::Index num_drawn = 0;
    if (iteration > 0) {
      const double weight = kIndependentPoints / static_cast<double>(sampled.size());
      for (const int v : sampled) {
        const Eigen::Vector3d point = vertices.row(v);
        const auto hit = surface.closest(point, normals.row(v).transpose().cast<double>(),
                                         options.max_distance_mm, options.min_cosine);
        if (!hit) continue;
        const Eigen::Vector3d normal = surface.normal(hit->triangle);
        const Eigen::RowVectorXd row = normal.transpose() * linear * modes.middleRows(3 * v, 3);
        const double offset_mm = normal.dot(hit->point - point);
        add(row, offset_mm + row * coefficients, kSurfaceSigma_mm, weight);
        drawn_from.row(num_drawn) = vertices_in_model.row(v);
        drawn_to.row(num_drawn++) = point + offset_mm * normal;
      }
    }
    coefficients = normal_matrix.ldlt().solve(gradient);

    // The similarity anew, from landmarks and surface points alike.
    vertices_in_model = shape();
    const PointsD fitted_landmarks =
        pointsOn(source.landmarks68, landmarks.index, source.triangles, vertices_in_model);
    for (Eigen::Index i = 0; i < num_landmarks; ++i) {
      drawn_from.row(num_drawn) = fitted_landmarks.row(i);
      drawn_to.row(num_drawn++) = landmarks.position.row(i);
    }
    target_from_model = similarity(drawn_from.topRows(num_drawn), drawn_to.topRows(num_drawn));
  }
  return transformed(target_from_model, vertices_in_model);
}

// Moves a part that hangs apart from the skin as the skin round it went.
void followSkin(const PointsD& skin_before, const std::vector<int>& skin_vertices, const PointsD& mean,
                const std::vector<int>& members, PointsD& vertices) {
  constexpr std::size_t kNeighbours = 300;
  PointsD part(static_cast<Eigen::Index>(members.size()), 3);
  for (std::size_t i = 0; i < members.size(); ++i)
    part.row(static_cast<Eigen::Index>(i)) = mean.row(members[i]);
  const Eigen::RowVector3d center = part.colwise().mean();
  std::vector<std::pair<double, int>> near;
  for (const int v : skin_vertices) near.emplace_back((skin_before.row(v) - center).squaredNorm(), v);
  const std::size_t count = std::min(kNeighbours, near.size());
  std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(count), near.end());
  PointsD from(static_cast<Eigen::Index>(count), 3), to = from;
  for (std::size_t i = 0; i < count; ++i) {
    from.row(static_cast<Eigen::Index>(i)) = skin_before.row(near[i].second);
    to.row(static_cast<Eigen::Index>(i)) = vertices.row(near[i].second);
  }
  const PointsD moved = transformed(similarity(from, to), part);
  for (std::size_t i = 0; i < members.size(); ++i)
    vertices.row(members[i]) = moved.row(static_cast<Eigen::Index>(i));
}

}  // namespace

void RegistrationOptions::check() const {
  require(num_identity >= 0, "RegistrationOptions: num_identity is ", num_identity,
          ", it must not be negative");
  require(!smoothing_mm.empty(), "RegistrationOptions: smoothing_mm is empty, it must name a stage or more");
  for (const double length_mm : smoothing_mm) {
    require(length_mm > 0, "RegistrationOptions: smoothing_mm holds ", length_mm, ", it must be above 0");
  }
  require(iterations_per_stage > 0, "RegistrationOptions: iterations_per_stage is ", iterations_per_stage,
          ", it must be above 0");
  require(max_distance_mm > 0, "RegistrationOptions: max_distance_mm is ", max_distance_mm,
          ", it must be above 0");
  require(min_cosine >= -1 && min_cosine < 1, "RegistrationOptions: min_cosine is ", min_cosine,
          ", it must lie in [-1, 1)");
}

float trustAt(double distance_mm) {
  constexpr double kTrusted_mm = 2;  // standard deviation of the fall with distance
  return static_cast<float>(std::exp(-0.5 * std::pow(distance_mm / kTrusted_mm, 2)));
}

int partUnder(const Points3& points, const Mesh& mesh, const std::vector<int>& part) {
  std::vector<int> votes(static_cast<std::size_t>(*std::max_element(part.begin(), part.end())) + 1, 0);
  const SurfaceIndex surface(mesh);
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    if (!points.row(i).allFinite()) continue;
    ++votes[part[mesh.triangles(surface.closest(points.row(i).transpose().cast<double>()).triangle, 0)]];
  }
  return static_cast<int>(std::max_element(votes.begin(), votes.end()) - votes.begin());
}

Registration registerTemplate(const MorphableModel& source, const Mesh& target,
                              const Points3& target_landmarks, const RegistrationOptions& options) {
  options.check();
  target.check("registerTemplate: target");
  require(target.triangles.rows() > 0, "registerTemplate: the target has no triangles");
  require(source.landmarks68.size() == kNumIbugLandmarks,
          "registerTemplate: the template has no 68 landmarks to begin from");
  require(target_landmarks.rows() == kNumIbugLandmarks, "registerTemplate: ", target_landmarks.rows(),
          " landmarks given, expected ", kNumIbugLandmarks, " (rows of NaN where unknown)");
  const Landmarks landmarks = knownLandmarks(target_landmarks);
  constexpr int kFewestLandmarks = 6;  // eyes, nose and mouth: fewer leave the pose open
  require(landmarks.position.rows() >= kFewestLandmarks, "registerTemplate: ", landmarks.position.rows(),
          " landmarks are known, at least ", kFewestLandmarks, " are needed");

  // Which part of each mesh is the skin.
  const Mesh source_mesh = source.mesh(source.mean);
  Registration result;
  result.part = connectedParts(source.triangles, weldedVertices(source.mean));
  result.skin_part =
      partUnder(source.landmarks68.points(source.mean, source.triangles), source_mesh, result.part);
  result.hidden = hiddenVertices(source);
  const std::vector<int> target_part = connectedParts(target.triangles, weldedVertices(target.vertices));
  const TargetSurface surface(partOf(target, target_part, partUnder(target_landmarks, target, target_part)));
  const Triangles skin_triangles = partOf(source_mesh, result.part, result.skin_part).triangles;
  std::vector<int> skin_vertices, drawn_vertices;
  for (int v = 0; v < source.numVertices(); ++v) {
    if (result.part[v] != result.skin_part) continue;
    skin_vertices.push_back(v);
    if (!result.hidden[v]) drawn_vertices.push_back(v);
  }

  PointsD vertices = coarseFit(source, surface, landmarks, drawn_vertices, options);
  const PointsD before = vertices;

  // Unknowns are the skin's vertices only.
  const int num_skin = static_cast<int>(skin_vertices.size());
  std::vector<int> skin_index(static_cast<std::size_t>(source.numVertices()), -1);
  for (int i = 0; i < num_skin; ++i) skin_index[skin_vertices[i]] = i;
  Triangles triangles = skin_triangles.unaryExpr([&](std::int32_t v) { return skin_index[v]; });
  Points3 skin(num_skin, 3);
  for (int i = 0; i < num_skin; ++i) skin.row(i) = vertices.row(skin_vertices[i]).cast<float>();
  const PointsD start = skin.cast<double>();
  const Eigen::VectorXd areas = vertexAreas(skin, triangles).cwiseMax(1e-3);
  const Eigen::SparseMatrix<double> membrane =
      laplacian(cotangentWeights(skin, triangles), triangles, num_skin);
  const Eigen::SparseMatrix<double> bending = membrane * areas.cwiseInverse().asDiagonal() * membrane;

  // Landmarks as rows of a matrix over the unknowns; those on other parts or on the jaw line take no part.
  std::vector<Eigen::Triplet<double>> landmark_entries;
  PointsD landmark_position(landmarks.position.rows(), 3);
  int num_rows = 0;
  for (std::size_t i = 0; i < landmarks.index.size(); ++i) {
    const int index = landmarks.index[i], triangle = source.landmarks68.triangle[index];
    if (index < kFirstInnerLandmark || skin_index[source.triangles(triangle, 0)] < 0) continue;
    for (int k = 0; k < 3; ++k) {
      landmark_entries.emplace_back(num_rows, skin_index[source.triangles(triangle, k)],
                                    source.landmarks68.barycentric(index, k));
    }
    landmark_position.row(num_rows++) = landmarks.position.row(static_cast<Eigen::Index>(i));
  }
  landmark_position.conservativeResize(num_rows, 3);
  Eigen::SparseMatrix<double> landmark_rows(num_rows, num_skin);
  landmark_rows.setFromTriplets(landmark_entries.begin(), landmark_entries.end());
  const Eigen::SparseMatrix<double> landmark_matrix = landmark_rows.transpose() * landmark_rows;

  // Where the target has a hole in place of an eye or the mouth, its border is an edge of the template's lids
  // or lips. Which one depends on how deep the hole begins, so each border vertex chooses.
  const std::vector<int> rim = rimVertices(source, result, skin_triangles, skin_index);

  // Non-rigid stages.
  constexpr double kFirstLandmarkArea_mm2 = 400,
                   kLastLandmarkArea_mm2 = 25;  // of surface, with which each counts
  constexpr double kRimReach_mm = 5, kRimWeight = 2;
  constexpr int kFirstRimStage = 2;  // lids and lips must lie near the target's before they can choose
  Eigen::SimplicialLDLT<Eigen::SparseMatrix<double>> solver;
  PointsD now = start;
  Eigen::VectorXd distance_mm = Eigen::VectorXd::Constant(num_skin, -1);
  const int num_stages = static_cast<int>(options.smoothing_mm.size());
  for (int stage = 0; stage < num_stages; ++stage) {
    const double progress = num_stages > 1 ? static_cast<double>(stage) / (num_stages - 1) : 1;
    const double stiffness = std::pow(options.smoothing_mm[stage], 4);
    const double reach_mm = options.max_distance_mm * (1 - progress * 2 / 3);
    const double landmark_weight =
        kFirstLandmarkArea_mm2 * std::pow(kLastLandmarkArea_mm2 / kFirstLandmarkArea_mm2, progress);
    for (int iteration = 0; iteration < options.iterations_per_stage; ++iteration) {
      const Points3 normals = vertexNormals(now.cast<float>(), triangles);
      PointsD drawn_to = now;
      Eigen::VectorXd weights = Eigen::VectorXd::Zero(num_skin);
      parallelFor(num_skin, kQueryChunk, [&](int begin, int end) {
        for (int i = begin; i < end; ++i) {
          distance_mm[i] = -1;
          if (result.hidden[skin_vertices[i]]) continue;
          const Eigen::Vector3d point = now.row(i);
          const auto hit =
              surface.closest(point, normals.row(i).transpose().cast<double>(), reach_mm, options.min_cosine);
          if (!hit) continue;
          const Eigen::Vector3d& normal = surface.normal(hit->triangle);
          drawn_to.row(i) = point + normal.dot(hit->point - point) * normal;
          distance_mm[i] = hit->distance;
          weights[i] = areas[i];
        }
      });
      for (const Eigen::Vector3d& border : surface.borderVertices()) {
        if (stage < std::min(kFirstRimStage, num_stages - 1)) break;
        int nearest = -1;
        double best_mm = kRimReach_mm;
        for (const int i : rim) {
          const double to_border_mm = (now.row(i).transpose() - border).norm();
          if (to_border_mm < best_mm) best_mm = to_border_mm, nearest = i;
        }
        if (nearest < 0) continue;
        drawn_to.row(nearest) = border;
        distance_mm[nearest] = best_mm;
        weights[nearest] = kRimWeight * areas[nearest];
      }
      Eigen::SparseMatrix<double> matrix = stiffness * bending + landmark_weight * landmark_matrix;
      // A trace of the present place keeps a vertex that nothing reaches from making the matrix singular.
      for (int i = 0; i < num_skin; ++i) matrix.coeffRef(i, i) += weights[i] + 1e-6 * areas[i];
      const PointsD right =
          weights.asDiagonal() * (drawn_to - start) +
          landmark_weight * (landmark_rows.transpose() * (landmark_position - landmark_rows * start));
      if (stage == 0 && iteration == 0) solver.analyzePattern(matrix);
      solver.factorize(matrix);
      now = start + solver.solve(right);
    }
  }

  // Parts and confidence.
  for (int i = 0; i < num_skin; ++i) vertices.row(skin_vertices[i]) = now.row(i);
  const int num_parts = *std::max_element(result.part.begin(), result.part.end()) + 1;
  for (int part = 0; part < num_parts; ++part) {
    if (part == result.skin_part) continue;
    std::vector<int> members;
    for (int v = 0; v < source.numVertices(); ++v) {
      if (result.part[v] == part) members.push_back(v);
    }
    followSkin(before, skin_vertices, before, members, vertices);
  }
  result.vertices = vertices.cast<float>();
  constexpr float kHiddenConfidence = 0.3F;  // somewhere near: the neighbours that carried it are close
  result.confidence = Eigen::VectorXf::Zero(source.numVertices());
  for (int i = 0; i < num_skin; ++i) {
    if (result.hidden[skin_vertices[i]]) result.confidence[skin_vertices[i]] = kHiddenConfidence;
    if (distance_mm[i] < 0) continue;
    result.confidence[skin_vertices[i]] = trustAt(distance_mm[i]);
  }
  return result;
}

}  // namespace facet
