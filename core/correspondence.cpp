#include "core/correspondence.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <queue>
#include <tuple>

#include "core/check.h"
#include "core/closest_point.h"
#include "core/contacts.h"
#include "core/mesh_parts.h"
#include "core/parallel.h"

namespace facet {
namespace {

constexpr int kQueryChunk = 256;
constexpr double kMinCosine = 0.3;      // between the normals of corresponding points
constexpr double kMaxDistance_mm = 15;  // beyond it the direction of the surface does not help to choose

struct Located {
  int triangle = -1;  // of the sub-mesh
  Eigen::Vector3f barycentric;
  float confidence = 0;
};

// The closest point that faces the same way, else the closest one of all.
Located locate(const SurfaceIndex& index, const Eigen::Vector3d& point, const Eigen::Vector3d& normal) {
  SurfaceIndex::Hit hit =
      index.closest(point, {.max_distance = kMaxDistance_mm, .normal = normal, .min_cosine = kMinCosine});
  const bool faces_the_same_way = hit.triangle >= 0;
  if (!faces_the_same_way) hit = index.closest(point);
  Located result;
  result.triangle = hit.triangle;
  result.barycentric = index.barycentric(hit);
  if (faces_the_same_way) {
    result.confidence = trustAt(hit.distance);
  }
  return result;
}

// Vertex normals that do not see UV seams.
Points3 weldedNormals(const Mesh& mesh, const std::vector<int>& welded) {
  Points3 normals = vertexNormals(mesh.vertices, weldedTriangles(mesh.triangles, welded));
  for (Eigen::Index v = 0; v < normals.rows(); ++v) normals.row(v) = normals.row(welded[v]);
  return normals;
}

bool goesWithTheSkin(const std::string& region) {
  for (const char* name : {"overlay", "lash", "lacrimal", "brow_card"}) {
    if (region.find(name) != std::string::npos) return true;
  }
  return false;
}

// For each vertex of the model, the part of the template that it belongs to. A part of the model goes as one:
// with the skin if it lies much nearer to it than to any other, else with the part it lies nearest to. One
// that lies on several (a piece of gums and tongue for both jaws) is shared out; its vertices beyond the
// centres of the two parts are certain and those in between are not, because a tongue may well touch the
// upper teeth. `certainty` gets 0 or 1 for vertices of such parts and stays as it is for others.
std::vector<int> matchParts(const Registration& registration, const MorphableModel& source,
                            const MorphableModel& model, const std::vector<int>& part, int skin_part,
                            Eigen::VectorXf& certainty) {
  constexpr std::size_t kSamples = 60;
  constexpr double kOnSkin = 0.4;  // of the distance to teeth and eyeballs; front teeth touch the lips
  constexpr double kSharedFraction = 0.2;  // of the samples, from which on a part lies on several
  const int num_parts = *std::max_element(part.begin(), part.end()) + 1;
  const int num_source_parts = *std::max_element(registration.part.begin(), registration.part.end()) + 1;
  std::vector<std::vector<int>> members(static_cast<std::size_t>(num_parts));
  for (int v = 0; v < model.numVertices(); ++v) members[part[v]].push_back(v);
  // Of the skin only what shows, because the insides of the mouth and the sockets lie everywhere round teeth
  // and eyeballs.
  const SubMesh skin = subMesh(registration.vertices, source.triangles, [&](int f) {
    const int v = source.triangles(f, 0);
    return registration.part[v] == registration.skin_part && !registration.hidden[v];
  });
  const SurfaceIndex skin_surface(skin.mesh);
  std::vector<SurfaceIndex> surfaces;
  std::vector<int> surface_part;
  std::vector<Eigen::RowVector3f> center;
  for (int p = 0; p < num_source_parts; ++p) {
    const SubMesh sub = subMesh(registration.vertices, source.triangles, [&](int f) {
      return p != registration.skin_part && registration.part[source.triangles(f, 0)] == p;
    });
    if (sub.triangle.empty()) continue;
    surfaces.emplace_back(sub.mesh);
    surface_part.push_back(p);
    center.push_back(Eigen::RowVector3f::Zero());
    for (Eigen::Index f = 0; f < sub.mesh.triangles.rows(); ++f)
      center.back() += registration.vertices.row(sub.mesh.triangles(f, 0)) / sub.mesh.triangles.rows();
  }
  const auto nearestSurface = [&](int v) {
    std::pair<double, int> best(std::numeric_limits<double>::max(), -1);  // distance and index
    for (std::size_t s = 0; s < surfaces.size(); ++s) {
      const SurfaceIndex::Hit hit =
          surfaces[s].closest(model.mean.row(v).transpose().cast<double>(), {.max_distance = best.first});
      if (hit.triangle >= 0) best = {hit.distance, static_cast<int>(s)};
    }
    return best;
  };
  std::vector<int> result(static_cast<std::size_t>(model.numVertices()), registration.skin_part);
  parallelFor(num_parts, 1, [&](int begin, int end) {
    for (int p = begin; p < end; ++p) {
      if (p == skin_part || surfaces.empty()) continue;
      if (!model.region.empty() && goesWithTheSkin(model.region_names[model.region[members[p].front()]]))
        continue;
      const std::size_t step = std::max<std::size_t>(1, members[p].size() / kSamples);
      std::vector<int> votes(surfaces.size(), 0);
      int num_samples = 0;
      double to_skin_mm = 0, to_parts_mm = 0;  // sums over the samples
      for (std::size_t i = 0; i < members[p].size(); i += step, ++num_samples) {
        to_skin_mm += skin_surface.closest(model.mean.row(members[p][i]).transpose().cast<double>()).distance;
        const auto [distance_mm, nearest] = nearestSurface(members[p][i]);
        to_parts_mm += distance_mm;
        ++votes[nearest];
      }
      if (to_skin_mm < kOnSkin * to_parts_mm) continue;
      const int most = static_cast<int>(std::max_element(votes.begin(), votes.end()) - votes.begin());
      const bool is_shared = votes[most] < (1 - kSharedFraction) * num_samples;
      for (const int v : members[p]) result[v] = surface_part[most];
      if (!is_shared) continue;
      votes[most] = -1;
      const int second = static_cast<int>(std::max_element(votes.begin(), votes.end()) - votes.begin());
      const Eigen::RowVector3f axis = center[second] - center[most];
      for (const int v : members[p]) {
        const float along = (model.mean.row(v) - center[most]).dot(axis) / axis.squaredNorm();
        if (along > 0.5F) result[v] = surface_part[second];
        certainty[v] = along < 0 || along > 1 ? 1 : 0;
      }
    }
  });
  return result;
}

// Inside the lips the closest point may lie on the wrong lip, and nothing but the way along the surface tells
// them apart. From the vertices that are certain the map is followed inwards, each vertex from the neighbour
// nearest to a certain one; where the counterparts of the two would part as the template opens its mouth (or
// lie apart already), the vertex is located anew among the places that stay with its neighbour's.
void followSurface(const MorphableModel& source, const Registration& registration, const Mesh& model,
                   const Points3& model_normals, const std::vector<int>& welded,
                   const std::vector<std::uint8_t>& is_skin, TopologyMap& map) {
  constexpr float kCertain = 0.5F;
  constexpr double kFacing_mm = 3;                       // between lips that may be mistaken
  constexpr float kMaxStretch = 2.5F, kSlack_mm = 1.5F;  // of an edge, as the template lies and when it opens
  constexpr float kZone_mm = 25;                         // round the lips' contact
  constexpr float kTurned_mm = 3;                        // distance that a wrong direction is worth
  const std::optional<int> jaw_open = source.expressionIndex("jawOpen");
  if (!jaw_open) return;
  const Points3 open = source.mean + source.expression.points(*jaw_open);
  std::vector<std::uint8_t> takes_part(static_cast<std::size_t>(source.numVertices()));
  for (int v = 0; v < source.numVertices(); ++v)
    takes_part[v] = registration.part[v] == registration.skin_part;
  std::vector<std::uint8_t> is_ambiguous = registration.hidden;
  Eigen::AlignedBox3f zone;
  for (const Contact& contact : contactsOf(open, source.mean, source.triangles, takes_part, kFacing_mm)) {
    is_ambiguous[contact.vertex] = 1;
    zone.extend(Eigen::Vector3f(source.mean.row(contact.vertex)));
  }
  if (zone.isEmpty()) return;
  zone.min().array() -= kZone_mm;
  zone.max().array() += kZone_mm;
  struct Candidate {
    int triangle;
    Eigen::RowVector3f still, open;  // centroids
  };
  std::vector<Candidate> candidates;
  for (int f = 0; f < source.triangles.rows(); ++f) {
    Candidate candidate{f, Eigen::RowVector3f::Zero(), Eigen::RowVector3f::Zero()};
    for (int k = 0; k < 3; ++k) {
      candidate.still += source.mean.row(source.triangles(f, k)) / 3;
      candidate.open += open.row(source.triangles(f, k)) / 3;
    }
    if (takes_part[source.triangles(f, 0)] && zone.contains(Eigen::Vector3f(candidate.still.transpose())))
      candidates.push_back(candidate);
  }
  const auto pointOn = [&](const Points3& vertices, int v) {
    Eigen::RowVector3f point(0, 0, 0);
    for (int k = 0; k < 3; ++k) {
      point += map.points.barycentric(v, k) * vertices.row(source.triangles(map.points.triangle[v], k));
    }
    return point;
  };

  // Shortest ways along the edges.
  const int count = static_cast<int>(model.vertices.rows());
  std::vector<std::vector<int>> neighbours(static_cast<std::size_t>(count));
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      const int a = welded[model.triangles(f, k)], b = welded[model.triangles(f, (k + 1) % 3)];
      neighbours[a].push_back(b);
      neighbours[b].push_back(a);
    }
  }
  using Step = std::tuple<float, int, int>;  // length of the way, vertex, the one before it
  std::priority_queue<Step, std::vector<Step>, std::greater<>> steps;
  std::vector<std::uint8_t> is_done(static_cast<std::size_t>(count), 0);
  for (int v = 0; v < count; ++v) {
    if (!is_skin[v] || welded[v] != v || map.confidence[v] < kCertain) continue;
    int nearest = 0;
    map.points.barycentric.row(v).maxCoeff(&nearest);
    if (!is_ambiguous[source.triangles(map.points.triangle[v], nearest)]) steps.emplace(0.0F, v, -1);
  }
  while (!steps.empty()) {
    const auto [way_mm, v, before] = steps.top();
    steps.pop();
    if (is_done[v]) continue;
    is_done[v] = 1;
    for (const int next : neighbours[v]) {
      if (!is_done[next] && is_skin[next])
        steps.emplace(way_mm + (model.vertices.row(next) - model.vertices.row(v)).norm(), next, v);
    }
    if (before < 0) continue;
    const float reach_mm =
        kMaxStretch * (model.vertices.row(v) - model.vertices.row(before)).norm() + kSlack_mm;
    const Eigen::RowVector3f still_before = pointOn(source.mean, before), open_before = pointOn(open, before);
    if ((pointOn(source.mean, v) - still_before).norm() <= reach_mm &&
        (pointOn(open, v) - open_before).norm() <= reach_mm) {
      continue;
    }
    map.confidence[v] = 0;
    double best = std::numeric_limits<double>::max();
    const Eigen::Vector3d point = model.vertices.row(v).transpose().cast<double>();
    for (const Candidate& candidate : candidates) {
      if ((candidate.still - still_before).norm() > reach_mm ||
          (candidate.open - open_before).norm() > reach_mm)
        continue;
      std::array<Eigen::Vector3d, 3> corner;
      float trust = 0;
      for (int k = 0; k < 3; ++k) {
        const int w = source.triangles(candidate.triangle, k);
        corner[k] = registration.vertices.row(w).transpose().cast<double>();
        trust += registration.confidence[w] / 3;
      }
      const Eigen::Vector3d foot = closestOnTriangle(point, corner[0], corner[1], corner[2]);
      const Eigen::Vector3d normal = (corner[1] - corner[0]).cross(corner[2] - corner[0]);
      const bool is_turned = normal.dot(model_normals.row(v).transpose().cast<double>()) < 0;
      const double distance_mm = (foot - point).norm(), cost = distance_mm + (is_turned ? kTurned_mm : 0);
      if (cost >= best) continue;
      best = cost;
      map.points.triangle[v] = candidate.triangle;
      map.points.barycentric.row(v) = barycentricOf(foot, corner[0], corner[1], corner[2]);
      map.confidence[v] = is_turned ? 0 : trust * trustAt(distance_mm);
    }
  }
  for (int v = 0; v < count; ++v) {
    if (!is_skin[v]) continue;
    map.points.triangle[v] = map.points.triangle[welded[v]];
    map.points.barycentric.row(v) = map.points.barycentric.row(welded[v]);
    map.confidence[v] = map.confidence[welded[v]];
  }
}

// Scans have skin and eyes in one sheet. Where a model has no eyeball of its own, what lies nearer to the
// template's than to its skin, and faces the same way, belongs to the eyeball: it stays when the lids close.
// Such vertices lose their mark in `is_skin`.
void takeEyes(const MorphableModel& source, const Registration& registration, const Points3& vertices,
              const Points3& normals, std::vector<std::uint8_t>& is_skin, Correspondence& correspondence) {
  constexpr float kOnSkin_mm = 0.7F;  // vertices no farther from the skin than this are skin
  constexpr double kEyeReach_mm = 3;  // eyeballs are laid by the lids round them, no closer than this
  constexpr double kEyeCosine = 0.5;
  TopologyMap& map = correspondence.model_on_template;
  const Points3 on_skin = map.points.points(registration.vertices, source.triangles);
  for (std::size_t region = 0; region < source.region_names.size(); ++region) {
    if (!source.region_names[region].starts_with("eyeball")) continue;
    const SubMesh eye = subMesh(registration.vertices, source.triangles,
                                [&](int f) { return source.region[source.triangles(f, 0)] == region; });
    if (eye.triangle.empty()) continue;
    const int part = registration.part[eye.mesh.triangles(0, 0)];
    const bool has_own_eyeball =
        std::find(correspondence.part_in_template.begin(), correspondence.part_in_template.end(), part) !=
        correspondence.part_in_template.end();
    if (part == registration.skin_part || has_own_eyeball) continue;
    const SurfaceIndex index(eye.mesh);
    for (int v = 0; v < vertices.rows(); ++v) {
      if (!is_skin[v]) continue;
      const float to_skin_mm = (vertices.row(v) - on_skin.row(v)).norm();
      if (to_skin_mm <= kOnSkin_mm) continue;
      const SurfaceIndex::Hit hit = index.closest(vertices.row(v).transpose().cast<double>(),
                                                  {.max_distance = std::min<double>(kEyeReach_mm, to_skin_mm),
                                                   .normal = normals.row(v).transpose().cast<double>(),
                                                   .min_cosine = kEyeCosine});
      if (hit.triangle < 0) continue;
      is_skin[v] = 0;
      correspondence.part_in_template[v] = part;
      map.points.triangle[v] = eye.triangle[hit.triangle];
      map.points.barycentric.row(v) = index.barycentric(hit);
      map.confidence[v] = 1;  // that it is the eye, wherever on it
    }
  }
}

}  // namespace

Correspondence correspond(const MorphableModel& source, const MorphableModel& model, const Points3& landmarks,
                          const RegistrationOptions& options) {
  Correspondence result;
  const Mesh mesh = model.mesh(model.mean);
  result.registration = registerTemplate(source, mesh, landmarks, options);
  const Registration& registration = result.registration;
  const std::vector<int> welded = weldedVertices(model.mean);
  const std::vector<int> part = connectedParts(model.triangles, welded);
  const int skin_part = partUnder(landmarks, mesh, part);
  Eigen::VectorXf certainty = Eigen::VectorXf::Constant(model.numVertices(), -1);  // -1: not shared
  result.part_in_template = matchParts(registration, source, model, part, skin_part, certainty);

  const Points3 model_normals = weldedNormals(mesh, welded);
  const Points3 source_normals = vertexNormals(registration.vertices, source.triangles);
  const auto empty = [](int count) {
    TopologyMap map;
    map.points.triangle.assign(static_cast<std::size_t>(count), 0);
    map.points.barycentric = Points3::Zero(count, 3);
    map.points.barycentric.col(0).setOnes();
    map.confidence = Eigen::VectorXf::Zero(count);
    return map;
  };
  result.model_on_template = empty(model.numVertices());
  result.template_on_model = empty(source.numVertices());

  const int num_source_parts = *std::max_element(registration.part.begin(), registration.part.end()) + 1;
  for (int p = 0; p < num_source_parts; ++p) {
    const SubMesh of_template = subMesh(registration.vertices, source.triangles, [&](int f) {
      return registration.part[source.triangles(f, 0)] == p;
    });
    // Loose pieces that go with the skin are no place for the template to lie on.
    const SubMesh of_model = subMesh(model.mean, model.triangles, [&](int f) {
      const int v = model.triangles(f, 0);
      return result.part_in_template[v] == p && (p != registration.skin_part || part[v] == skin_part);
    });
    if (of_template.triangle.empty()) continue;
    const SurfaceIndex on_template(of_template.mesh);
    parallelFor(model.numVertices(), kQueryChunk, [&](int begin, int end) {
      for (int v = begin; v < end; ++v) {
        if (result.part_in_template[v] != p) continue;
        const Located located = locate(on_template, model.mean.row(v).transpose().cast<double>(),
                                       model_normals.row(v).transpose().cast<double>());
        const int triangle = of_template.triangle[located.triangle];
        result.model_on_template.points.triangle[v] = triangle;
        result.model_on_template.points.barycentric.row(v) = located.barycentric;
        float trust = 1;
        if (p == registration.skin_part) {
          trust = 0;
          for (int k = 0; k < 3; ++k) {
            trust += located.barycentric[k] * registration.confidence[source.triangles(triangle, k)];
          }
        }
        result.model_on_template.confidence[v] = certainty[v] < 0 ? trust * located.confidence : certainty[v];
      }
    });
    if (of_model.triangle.empty()) continue;
    const SurfaceIndex on_model(of_model.mesh);
    parallelFor(source.numVertices(), kQueryChunk, [&](int begin, int end) {
      for (int v = begin; v < end; ++v) {
        if (registration.part[v] != p) continue;
        const Located located = locate(on_model, registration.vertices.row(v).transpose().cast<double>(),
                                       source_normals.row(v).transpose().cast<double>());
        result.template_on_model.points.triangle[v] = of_model.triangle[located.triangle];
        result.template_on_model.points.barycentric.row(v) = located.barycentric;
        const float trust = p == registration.skin_part ? registration.confidence[v] : 1.0F;
        result.template_on_model.confidence[v] = trust * located.confidence;
      }
    });
  }
  std::vector<std::uint8_t> is_skin(static_cast<std::size_t>(model.numVertices()));
  for (int v = 0; v < model.numVertices(); ++v) is_skin[v] = part[v] == skin_part;
  takeEyes(source, registration, model.mean, model_normals, is_skin, result);
  followSurface(source, registration, mesh, model_normals, welded, is_skin, result.model_on_template);
  return result;
}

LandmarkEmbedding carryEmbedding(const Correspondence& correspondence, const MorphableModel& source,
                                 const Mesh& model, const LandmarkEmbedding& on_template) {
  const Registration& registration = correspondence.registration;
  const Points3 points = on_template.points(registration.vertices, source.triangles);
  const Points3 normals =
      on_template.points(vertexNormals(registration.vertices, source.triangles), source.triangles);
  const SubMesh skin = subMesh(model.vertices, model.triangles, [&](int f) {
    return correspondence.part_in_template[model.triangles(f, 0)] == registration.skin_part;
  });
  const SurfaceIndex index(skin.mesh);
  LandmarkEmbedding result;
  result.barycentric.resize(on_template.size(), 3);
  for (int i = 0; i < on_template.size(); ++i) {
    const Located located = locate(index, points.row(i).transpose().cast<double>(),
                                   normals.row(i).transpose().cast<double>().normalized());
    result.triangle.push_back(skin.triangle[located.triangle]);
    result.barycentric.row(i) = located.barycentric;
  }
  return result;
}

std::vector<std::uint8_t> carryVertexLabels(const TopologyMap& model_on_template, const Triangles& triangles,
                                            const std::vector<std::uint8_t>& labels) {
  std::vector<std::uint8_t> result(static_cast<std::size_t>(model_on_template.size()));
  for (int v = 0; v < model_on_template.size(); ++v) {
    int nearest = 0;
    model_on_template.points.barycentric.row(v).maxCoeff(&nearest);
    result[v] = labels[triangles(model_on_template.points.triangle[v], nearest)];
  }
  return result;
}

std::vector<std::uint8_t> carryTriangleLabels(const TopologyMap& model_on_template,
                                              const Triangles& model_triangles,
                                              const std::vector<std::uint8_t>& labels) {
  std::vector<std::uint8_t> result(static_cast<std::size_t>(model_triangles.rows()));
  for (Eigen::Index f = 0; f < model_triangles.rows(); ++f) {
    std::array<std::uint8_t, 3> at{};
    for (int k = 0; k < 3; ++k) at[k] = labels[model_on_template.points.triangle[model_triangles(f, k)]];
    result[f] = at[1] == at[2] ? at[1] : at[0];
  }
  return result;
}

Mesh carryUv(const TopologyMap& target_on_source, const Mesh& source, const Mesh& target) {
  require(source.hasUv(), "carryUv: the source has no texture coordinates");
  require(target_on_source.size() == target.vertices.rows(), "carryUv: a map of ", target_on_source.size(),
          " vertices for a target of ", target.vertices.rows());
  const LandmarkEmbedding& map = target_on_source.points;
  constexpr double kMaxStretch =
      4;  // of a triangle in the texture over the chart's mean, before it spans a seam

  // Charts of the template's layout and their scale, texture units per mm on the target.
  std::vector<int> own(static_cast<std::size_t>(source.uv.rows()));
  std::iota(own.begin(), own.end(), 0);
  const std::vector<int> chart_of_uv = connectedParts(source.uv_triangles, own);
  const auto chartOf = [&](int triangle) { return chart_of_uv[source.uv_triangles(triangle, 0)]; };
  const auto uvAt = [&](int triangle, const Eigen::Vector3f& barycentric) {
    Eigen::RowVector2f uv(0, 0);
    for (int k = 0; k < 3; ++k) uv += barycentric[k] * source.uv.row(source.uv_triangles(triangle, k));
    return uv;
  };
  const int num_charts = *std::max_element(chart_of_uv.begin(), chart_of_uv.end()) + 1;
  std::vector<double> area_uv(static_cast<std::size_t>(num_charts), 0), area_mm2 = area_uv;
  std::vector<std::vector<int>> chart_triangles(static_cast<std::size_t>(num_charts));
  for (int f = 0; f < source.triangles.rows(); ++f) {
    const int chart = chartOf(f);
    chart_triangles[chart].push_back(f);
    const Eigen::RowVector2f a = source.uv.row(source.uv_triangles(f, 0));
    const Eigen::RowVector2f ab = source.uv.row(source.uv_triangles(f, 1)) - a;
    const Eigen::RowVector2f ac = source.uv.row(source.uv_triangles(f, 2)) - a;
    area_uv[chart] += std::abs(ab.x() * ac.y() - ab.y() * ac.x()) / 2;
    const Eigen::Vector3f corner = source.vertices.row(source.triangles(f, 0));
    const Eigen::Vector3f to_b = source.vertices.row(source.triangles(f, 1)).transpose() - corner;
    area_mm2[chart] +=
        to_b.cross(source.vertices.row(source.triangles(f, 2)).transpose() - corner).norm() / 2;
  }

  Mesh result;
  result.uv_triangles.resize(target.triangles.rows(), 3);
  std::vector<Eigen::RowVector2f> uv;
  std::map<std::tuple<int, int, int, int>, int> known;  // vertex, chart, texture coordinates
  const auto indexOf = [&](int vertex, int chart, const Eigen::RowVector2f& at) {
    constexpr float kSteps = 65536;
    const auto key = std::make_tuple(vertex, chart, static_cast<int>(std::lround(at.x() * kSteps)),
                                     static_cast<int>(std::lround(at.y() * kSteps)));
    const auto [found, is_new] = known.try_emplace(key, static_cast<int>(uv.size()));
    if (is_new) uv.push_back(at);
    return found->second;
  };
  for (Eigen::Index f = 0; f < target.triangles.rows(); ++f) {
    std::array<int, 3> chart{};
    std::array<Eigen::RowVector2f, 3> at;
    for (int k = 0; k < 3; ++k) {
      const int v = target.triangles(f, k);
      chart[k] = chartOf(map.triangle[v]);
      at[k] = uvAt(map.triangle[v], map.barycentric.row(v));
    }
    // The corner that the others go with: one of the two that agree best.
    const auto apart = [&](int i, int j) {
      if (chart[i] != chart[j]) return std::numeric_limits<double>::max();
      const double length_mm =
          (target.vertices.row(target.triangles(f, i)) - target.vertices.row(target.triangles(f, j))).norm();
      const double scale = std::sqrt(area_uv[chart[i]] / std::max(area_mm2[chart[i]], 1e-9));
      return (at[i] - at[j]).norm() / (scale * length_mm + 1e-9);
    };
    const std::array<double, 3> opposite = {apart(1, 2), apart(2, 0), apart(0, 1)};
    const int odd = static_cast<int>(std::min_element(opposite.begin(), opposite.end()) - opposite.begin());
    const int reference = (odd + 1) % 3;
    for (int k = 0; k < 3; ++k) {
      if (k == reference || apart(k, reference) <= kMaxStretch) continue;
      // The nearest point of the reference's side of the seam.
      const double scale = std::sqrt(area_uv[chart[reference]] / std::max(area_mm2[chart[reference]], 1e-9));
      const Eigen::Vector3d point = target.vertices.row(target.triangles(f, k)).transpose().cast<double>();
      const double length_mm =
          (point - target.vertices.row(target.triangles(f, reference)).transpose().cast<double>()).norm();
      const double reach = kMaxStretch * scale * length_mm;
      double best = std::numeric_limits<double>::max();
      chart[k] = chart[reference];
      Eigen::RowVector2f nearest = at[reference];
      for (const int triangle : chart_triangles[chart[reference]]) {
        if ((source.uv.row(source.uv_triangles(triangle, 0)) - at[reference]).norm() > reach) continue;
        std::array<Eigen::Vector3d, 3> corner;
        for (int j = 0; j < 3; ++j)
          corner[j] = source.vertices.row(source.triangles(triangle, j)).transpose().cast<double>();
        const Eigen::Vector3d foot = closestOnTriangle(point, corner[0], corner[1], corner[2]);
        const double distance = (foot - point).norm();
        if (distance >= best) continue;
        best = distance;
        nearest = uvAt(triangle, barycentricOf(foot, corner[0], corner[1], corner[2]));
      }
      at[k] = nearest;
    }
    for (int k = 0; k < 3; ++k) result.uv_triangles(f, k) = indexOf(target.triangles(f, k), chart[k], at[k]);
  }
  result.uv.resize(static_cast<Eigen::Index>(uv.size()), 2);
  for (std::size_t i = 0; i < uv.size(); ++i) result.uv.row(static_cast<Eigen::Index>(i)) = uv[i];
  return result;
}

}  // namespace facet
