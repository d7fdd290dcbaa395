#pragma once

#include <string>
#include <vector>

#include "core/landmarks.h"
#include "core/mesh.h"
#include "core/morphable_model.h"
#include "core/registration.h"

namespace facet {

// For each vertex of one mesh the point of another that it corresponds to.
struct TopologyMap {
  LandmarkEmbedding points;    // V, on the other mesh's triangles
  Eigen::VectorXf confidence;  // V, in [0, 1]; 0 = the other mesh has no counterpart, the point is a guess

  int size() const { return points.size(); }
};

// How a template and a model lie on each other.
struct Correspondence {
  Registration registration;          // the template laid onto the model
  TopologyMap model_on_template;      // per model vertex, on the template's triangles
  TopologyMap template_on_model;      // per template vertex, on the model's triangles
  std::vector<int> part_in_template;  // per model vertex: connected part of the template that it belongs to
};

// Registers the template (core/registration.h) and reads both maps off it. Parts of the model that hang apart
// from its skin belong to the part of the template that they lie nearest to; what lies nearest to the skin
// (lashes, tear film) or is named so in the model's regions goes with the skin. `landmarks` are 68×3, rows of
// NaN where unknown.
Correspondence correspond(const MorphableModel& source, const MorphableModel& model, const Points3& landmarks,
                          const RegistrationOptions& options = {});

// Points fixed to the template, on the model.
LandmarkEmbedding carryEmbedding(const Correspondence& correspondence, const MorphableModel& source,
                                 const Mesh& model, const LandmarkEmbedding& on_template);

// V, the entry of the nearest corner of each vertex's counterpart.
std::vector<std::uint8_t> carryVertexLabels(const TopologyMap& model_on_template, const Triangles& triangles,
                                            const std::vector<std::uint8_t>& labels);
// F, the label that most corners' counterparts have.
std::vector<std::uint8_t> carryTriangleLabels(const TopologyMap& model_on_template,
                                              const Triangles& model_triangles,
                                              const std::vector<std::uint8_t>& labels);

// Texture coordinates of `source` on the triangles of `target`; the source's vertices are those laid onto the
// target (Registration::vertices, or the model's mean when the template is the target). Charts are never
// mixed: a triangle that spans a seam belongs to the chart that most of it lies on, and its other corners go
// to the nearest points of that side. Returns uv and uv_triangles; the other members stay empty.
Mesh carryUv(const TopologyMap& target_on_source, const Mesh& source, const Mesh& target);

}  // namespace facet
