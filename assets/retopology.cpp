#include "assets/retopology.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "assets/baked_maps.h"
#include "assets/texel_projection.h"
#include "core/arkit_shapes.h"
#include "core/check.h"
#include "core/closest_point.h"
#include "core/contacts.h"
#include "core/deformation_transfer.h"
#include "core/mesh_parts.h"
#include "core/parallel.h"
#include "render/uv_maps.h"

namespace facet {
namespace {

constexpr int kQueryChunk = 256;

// The topology with its named shapes as expressions, which is where shapes are transferred from.
MorphableModel withShapesAsExpressions(const MorphableModel& topology) {
  MorphableModel result = topology;
  if (topology.blendshapes.cols() == 0) return result;
  result.expression = topology.blendshapes;
  result.expression_names = topology.blendshape_names;
  result.num_blendshapes = result.numExpression();
  result.blendshapes = {};
  result.blendshape_names.clear();
  return result;
}

// A mesh on itself: every vertex its own counterpart.
TopologyMap identityMap(const MorphableModel& model) {
  TopologyMap map;
  map.points.triangle.assign(static_cast<std::size_t>(model.numVertices()), 0);
  map.points.barycentric = Points3::Zero(model.numVertices(), 3);
  map.points.barycentric.col(0).setOnes();
  map.confidence = Eigen::VectorXf::Zero(model.numVertices());
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      const int v = model.triangles(f, k);
      map.points.triangle[v] = static_cast<std::int32_t>(f);
      map.points.barycentric.row(v) = Eigen::RowVector3f::Unit(k);
      map.confidence[v] = 1;
    }
  }
  return map;
}

// What has a counterpart to take colours from: skin that shows (0) and the left (1) and right eyeball (2).
// The insides of nostrils have none, but continue the skin; the rest is the topology's own.
constexpr int kOwn = -1, kNostril = -2;
std::vector<int> vertexLabels(const MorphableModel& topology, const Registration& registration) {
  constexpr float kBuried = 0.3F;  // occlusion inside of a nostril
  const Eigen::VectorXf open = ambientOcclusion(topology.mean, topology.triangles);
  std::vector<int> labels;
  for (int v = 0; v < topology.numVertices(); ++v) {
    const std::string region = topology.region.empty() ? "" : topology.region_names[topology.region[v]];
    if (registration.part[v] != registration.skin_part) {
      const int side = topology.mean(v, 0) > 0 ? 1 : 2;  // an eyeball may have several shells
      labels.push_back(region.starts_with("eyeball") ? side : kOwn);
    } else if (region == "nose" && (registration.hidden[v] || open[v] < kBuried)) {
      labels.push_back(kNostril);
    } else {
      labels.push_back(registration.hidden[v] ? kOwn : 0);
    }
  }
  return labels;
}

ProjectionOptions labelled(const MorphableModel& topology, const Correspondence& correspondence,
                           const MorphableModel& head, const Points3& landmarks) {
  const Registration& registration = correspondence.registration;
  const std::vector<int> labels = vertexLabels(topology, registration);
  ProjectionOptions options;
  for (Eigen::Index f = 0; f < topology.triangles.rows(); ++f) {
    int lowest = std::numeric_limits<int>::max(), highest = kNostril;
    for (int k = 0; k < 3; ++k) {
      const int label = labels[topology.triangles(f, k)];
      lowest = std::min(lowest, label);
      highest = std::max(highest, label);
    }
    options.target_label.push_back(lowest == kNostril ? kNostril : highest);
  }
  // Which parts of the topology are eyeballs, by number.
  std::vector<int> label_of_part(
      static_cast<std::size_t>(*std::max_element(registration.part.begin(), registration.part.end())) + 1,
      kOwn);
  for (int v = 0; v < topology.numVertices(); ++v) {
    int& label = label_of_part[registration.part[v]];
    label = std::max(label, labels[v]);
  }
  // Loose pieces that go with the skin (lashes, tear film) would hide it.
  const std::vector<int> part = connectedParts(head.triangles, weldedVertices(head.mean));
  const int skin_part = partUnder(landmarks, head.mesh(head.mean), part);
  for (Eigen::Index f = 0; f < head.triangles.rows(); ++f) {
    const int v = head.triangles(f, 0), in_topology = correspondence.part_in_template[v];
    const bool is_loose = in_topology == registration.skin_part && part[v] != skin_part;
    options.source_label.push_back(is_loose ? -1 : label_of_part[in_topology]);
  }
  return options;
}

bool isFace(const std::string& region) {
  for (const char* elsewhere : {"scalp", "neck", "ear", "mouth_", "eye_socket", "eyeball", "teeth"}) {
    if (region.starts_with(elsewhere)) return false;
  }
  return true;
}

WrapError measure(const MorphableModel& topology, const Registration& registration, const Mesh& source) {
  constexpr float kCovered = 0.5F;  // confidence of the registration
  const SurfaceIndex surface(source);
  std::vector<double> distance(static_cast<std::size_t>(topology.numVertices()), -1);
  parallelFor(topology.numVertices(), kQueryChunk, [&](int begin, int end) {
    for (int v = begin; v < end; ++v) {
      if (registration.part[v] != registration.skin_part || registration.hidden[v]) continue;
      if (registration.confidence[v] < kCovered) continue;
      if (!topology.region.empty() && !isFace(topology.region_names[topology.region[v]])) continue;
      distance[v] = surface.closest(registration.vertices.row(v).transpose().cast<double>()).distance;
    }
  });
  int num_face = 0;
  for (int v = 0; v < topology.numVertices(); ++v) {
    num_face += registration.part[v] == registration.skin_part && !registration.hidden[v] &&
                (topology.region.empty() || isFace(topology.region_names[topology.region[v]]));
  }
  distance.erase(std::remove(distance.begin(), distance.end(), -1.0), distance.end());
  std::sort(distance.begin(), distance.end());
  WrapError error;
  if (distance.empty()) return error;
  for (const double d : distance) error.mean_mm += d / static_cast<double>(distance.size());
  error.p99_mm = distance[distance.size() * 99 / 100];
  error.max_mm = distance.back();
  error.covered = static_cast<double>(distance.size()) / num_face;
  return error;
}

// Mean direction that leads from a contact's triangle to its vertex, by the normals of both.
Eigen::RowVector3f facing(const Contact& contact, const Points3& normals) {
  Eigen::RowVector3f direction = -normals.row(contact.vertex);
  for (int k = 0; k < 3; ++k) direction += contact.barycentric[k] * normals.row(contact.other[k]);
  return direction.normalized();
}

// Lips of a closed mouth and lids of a closed eye end up a fraction of a millimetre apart or in each other,
// because each found its own way into the crease; teeth and eyeballs would glint through. Pairs that touch on
// the topology (in its closed mouth, in its blink) and are this close lie on each other here as they do
// there.
void sealClosed(const MorphableModel& topology, Registration& registration) {
  constexpr double kTouching_mm = 1;
  constexpr float kSealed_mm = 1.2F;  // a gap from which on mouth or eye is open
  constexpr int kRounds = 6;          // a vertex has several partners, and these have theirs
  std::vector<std::uint8_t> takes_part(static_cast<std::size_t>(topology.numVertices()));
  for (int v = 0; v < topology.numVertices(); ++v)
    takes_part[v] = registration.part[v] == registration.skin_part && !registration.hidden[v];
  std::vector<std::pair<Contact, float>> contacts;  // with the gap that they have on the topology
  for (const char* name : {"jawOpen", "eyeBlinkLeft", "eyeBlinkRight"}) {
    const std::optional<int> shape = arkitExpression(topology, name);
    if (!shape) continue;
    const Points3 moved = topology.mean + topology.expression.points(*shape);
    const bool opens = std::string_view(name) == "jawOpen";
    const Points3& closed = opens ? topology.mean : moved;
    const Points3 normals = vertexNormals(closed, topology.triangles);
    for (const Contact& contact :
         contactsOf(opens ? moved : topology.mean, closed, topology.triangles, takes_part, kTouching_mm))
      contacts.emplace_back(contact, contact.gap_mm.dot(facing(contact, normals).transpose()));
  }
  Points3& vertices = registration.vertices;
  for (int round = 0; round < kRounds; ++round) {
    const Points3 normals = vertexNormals(vertices, topology.triangles);
    Points3 move = Points3::Zero(vertices.rows(), 3);
    Eigen::VectorXf weight = Eigen::VectorXf::Zero(vertices.rows());
    for (const auto& [contact, wanted_mm] : contacts) {
      Eigen::RowVector3f gap = vertices.row(contact.vertex);
      for (int k = 0; k < 3; ++k) gap -= contact.barycentric[k] * vertices.row(contact.other[k]);
      if (gap.norm() > kSealed_mm) continue;
      const Eigen::RowVector3f direction = facing(contact, normals);
      const Eigen::RowVector3f half = 0.5F * (gap.dot(direction) - wanted_mm) * direction;
      move.row(contact.vertex) -= half;
      weight[contact.vertex] += 1;
      for (int k = 0; k < 3; ++k) {
        move.row(contact.other[k]) += contact.barycentric[k] * half;
        weight[contact.other[k]] += contact.barycentric[k];
      }
    }
    for (Eigen::Index v = 0; v < vertices.rows(); ++v) {
      if (weight[v] > 0) vertices.row(v) += move.row(v) / std::max(1.0F, weight[v]);
    }
  }
}

// Insides of nostrils continue what is round them, the darker the deeper they lie: photos show no more, and
// the topology's own albedo would shine in there.
void fillNostrils(const Mesh& mesh, const Fragments& layout, const std::vector<int>& label,
                  ExtractedTexture& extracted) {
  constexpr float kSure = 0.95F;  // of a texel's weight
  constexpr float kDeepest = 0.35F,
                  kOpenAbove = 0.6F;  // gain of a buried texel; occlusion that changes nothing
  Image8 coverage(layout.width, layout.height, 1);
  for (std::size_t i = 0; i < coverage.size(); ++i)
    coverage.data()[i] = extracted.visibility.data()[i] >= kSure ? 255 : 0;
  ImageF filled = extracted.colour;
  padSeams(filled, coverage);
  const Eigen::VectorXf open = ambientOcclusion(mesh.vertices, mesh.triangles);
  const ImageF depth = attributesInUv(mesh, layout, open);
  for (int y = 0; y < layout.height; ++y) {
    for (int x = 0; x < layout.width; ++x) {
      const int triangle = layout.triangle(x, y);
      if (triangle < 0 || label[triangle] != kNostril) continue;
      const float gain = kDeepest + (1 - kDeepest) * std::min(1.0F, *depth.at(x, y) / kOpenAbove);
      for (int c = 0; c < 3; ++c) extracted.colour.at(x, y)[c] = gain * filled.at(x, y)[c];
      *extracted.visibility.at(x, y) = 1;
    }
  }
}

// The topology's own albedo on parts that take no colour from the source (kOwn), as bright against its
// skin as it was: neither the tone of a collar beside them in the layout nor one of the skin's is theirs.
void paintOwnParts(const ImageF& albedo, const ExtractedTexture& extracted, const Fragments& layout,
                   const std::vector<int>& label, ImageF& texture) {
  constexpr float kSure = 0.9F;                      // of a texel's weight
  constexpr float kDarker = 0.6F, kBrighter = 1.5F;  // bounds of the gain
  double seen = 0, own = 0;
  for (std::size_t i = 0; i < extracted.visibility.size(); ++i) {
    if (extracted.visibility.data()[i] < kSure) continue;
    for (int c = 0; c < 3; ++c) {
      seen += extracted.colour.data()[3 * i + c];
      own += albedo.data()[3 * i + c];
    }
  }
  const float gain = own > 0 ? std::clamp(static_cast<float>(seen / own), kDarker, kBrighter) : 1.0F;
  for (int y = 0; y < texture.height(); ++y) {
    for (int x = 0; x < texture.width(); ++x) {
      const int triangle = layout.triangle(x, y);
      if (triangle < 0 || label[triangle] != kOwn) continue;
      for (int c = 0; c < 3; ++c) texture.at(x, y)[c] = std::min(1.0F, gain * albedo.at(x, y)[c]);
    }
  }
}

}  // namespace

RetopologyOptions::RetopologyOptions() { registration.smoothing_mm = {40, 25, 15, 9, 5.5, 3.5, 2.2, 1.4}; }

void RetopologyOptions::check() const {
  registration.check();
  require(texture_size_px > 0, "RetopologyOptions: texture_size_px is ", texture_size_px,
          ", it must be above 0");
  require(normal_map_size_px >= 0, "RetopologyOptions: normal_map_size_px is ", normal_map_size_px,
          ", it must not be negative");
}

WrappedHead wrapHead(const MorphableModel& topology, const MorphableModel& source, const Points3& neutral,
                     const ImageF& texture, const RetopologyOptions& options, const Points3& landmarks) {
  options.check();
  require(neutral.rows() == source.numVertices(), "wrapHead: ", neutral.rows(), " vertices for a source of ",
          source.numVertices());
  require(
      topology.landmarks68.size() == kNumIbugLandmarks && topology.hasUsableUv() && topology.hasNamedShapes(),
      "wrapHead: the topology ", topology.id, " lacks landmarks, texture coordinates or named shapes");
  require(texture.empty() || source.hasUsableUv(), "wrapHead: the source ", source.id,
          " has a texture but no texture coordinates that can hold one");
  WrappedHead result;
  MorphableModel& model = result.model;
  const bool is_same = source.triangles.rows() == topology.triangles.rows() &&
                       source.numVertices() == topology.numVertices() &&
                       source.triangles == topology.triangles;
  if (is_same) {
    result.is_same_topology = true;
    model = source;
    model.mean = neutral;
    model.identity = {};
    result.error.covered = 1;
    result.texture = texture.empty() ? albedoTexture(model, options.texture_size_px)
                                     : resized(texture, options.texture_size_px, options.texture_size_px);
    result.from_source =
        ImageF(options.texture_size_px, options.texture_size_px, 1, texture.empty() ? 0.0F : 1.0F);
    return result;
  }

  const bool has_landmarks = landmarks.rows() == kNumIbugLandmarks;
  require(has_landmarks || source.landmarks68.size() == kNumIbugLandmarks, "wrapHead: the source ", source.id,
          " has no 68 landmarks; give their positions");
  const Points3 on_source = has_landmarks ? landmarks : source.landmarks68.points(neutral, source.triangles);
  MorphableModel head = source;
  head.mean = neutral;
  const Mesh head_mesh = head.mesh(neutral);
  const MorphableModel shapes_of = withShapesAsExpressions(topology);
  Correspondence correspondence = correspond(shapes_of, head, on_source, options.registration);
  sealClosed(shapes_of, correspondence.registration);
  result.error = measure(topology, correspondence.registration, head_mesh);
  const ProjectionOptions projection_options = labelled(topology, correspondence, head, on_source);

  // The head in its new topology, and its shapes.
  model = shapes_of;
  model.mean = correspondence.registration.vertices;
  model.identity = {};
  model.albedo = {};
  model.albedo_names.clear();
  model.name = source.name + " in the topology of " + topology.name;
  model.licence = source.licence + "; topology and shapes: " + topology.licence;
  Correspondence on_itself;
  on_itself.registration = correspondence.registration;
  on_itself.model_on_template = on_itself.template_on_model = identityMap(model);
  on_itself.part_in_template = correspondence.registration.part;
  model.expression = Basis::compact(transferShapes(shapes_of, on_itself, model));

  // Texture and normals.
  const Mesh mesh = model.mesh(model.mean);
  result.texture = albedoTexture(model, options.texture_size_px);
  result.from_source = ImageF(options.texture_size_px, options.texture_size_px, 1);
  TexelProjection projection;
  if (!texture.empty()) {
    projection = projectTexels(mesh, head_mesh, options.texture_size_px, projection_options);
    ExtractedTexture extracted = projectTexture(projection, head_mesh, texture);
    fillNostrils(mesh, projection.layout, projection_options.target_label, extracted);
    const ImageF albedo = std::move(result.texture);
    result.texture = completeTexture(mesh, extracted, model.symmetry, albedo);
    paintOwnParts(albedo, extracted, projection.layout, projection_options.target_label, result.texture);
    result.from_source = extracted.visibility;
  }
  padSeams(result.texture, uvCoverage(rasterizeUv(mesh, options.texture_size_px)));
  if (options.normal_map_size_px > 0) {
    if (projection.layout.width != options.normal_map_size_px)
      projection = projectTexels(mesh, head_mesh, options.normal_map_size_px, projection_options);
    // Eyeballs are round as they are.
    for (int y = 0; y < projection.layout.height; ++y) {
      for (int x = 0; x < projection.layout.width; ++x) {
        const int triangle = projection.layout.triangle(x, y);
        if (triangle >= 0 && projection_options.target_label[triangle] > 0) *projection.weight.at(x, y) = 0;
      }
    }
    const std::vector<int> welded = weldedVertices(neutral);
    Points3 normals = vertexNormals(neutral, weldedTriangles(head.triangles, welded));
    for (Eigen::Index v = 0; v < normals.rows(); ++v) normals.row(v) = normals.row(welded[v]);
    result.normal_map = bakeNormalMap(mesh, head_mesh, normals, projection);
  }
  return result;
}

}  // namespace facet
