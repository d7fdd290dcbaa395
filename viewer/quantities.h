#pragma once

#include <Eigen/Core>
#include <optional>
#include <string>
#include <vector>

#include "core/camera.h"
#include "core/closest_point.h"
#include "core/mesh.h"
#include "core/morphable_model.h"

namespace facet {

// Quantities per vertex that a surface can be coloured by.

// V, 1/mm: mean curvature, + where the surface bulges outwards. Meyer, Desbrun, Schröder and Barr, "Discrete
// Differential-Geometry Operators for Triangulated 2-Manifolds", 2003; smoothed over the one-ring.
Eigen::VectorXf meanCurvature(const Points3& vertices, const Triangles& triangles);

// V×3 in [0, 1]: place on the model's mean in its bounding box, as renderPncc() has it.
Points3 pnccColours(const Points3& mean);

// V×3 linear RGB: a colour per region; with `region` >= 0 the others are dimmed to 30 % grey.
Points3 regionColours(const MorphableModel& model, int region);

// V in [0, 1]: a joint's share of each vertex.
Eigen::VectorXf skinWeights(const MorphableModel& model, int joint);

// Distance from each vertex to a scan's surface.
struct ScanDistance {
  Eigen::VectorXf distance_mm;  // V; + outside the scan, NaN where it is farther than `max_mm` or has no
                                // counterpart (nearest point on the scan's border)
  // point of the scan = scan_from_model * (scale * point of the model)
  Eigen::Isometry3f scan_from_model = Eigen::Isometry3f::Identity();
  double scale = 1;
  double mean_mm = 0, p95_mm = 0;  // of the absolute values, over the vertices of `face` that have one
};

struct ScanDistanceOptions {
  double max_mm = 10;
  // Rigidly: closest points to tangent planes (Chen and Medioni, "Object Modelling by Registration of
  // Multiple Range Images", 1992) of the vertices that face forward, from where they stand and from where
  // their boxes or their noses meet, whichever ends closest. Both look along +Z, give or take 30°.
  bool align = true;
  bool align_scale = false;
  std::vector<int> face;  // vertices that the alignment and the figures go by; empty = all, of which the
                          // alignment takes those that face forward
};

// The vertices of a face by its 68 landmarks, as the NoW protocol crops scans (fitting/scan_error.h). Empty
// for a model without landmarks.
std::vector<int> faceVertices(const MorphableModel& model, const Points3& vertices);

ScanDistance scanDistance(const Points3& vertices, const Triangles& triangles, const Mesh& scan,
                          const ScanDistanceOptions& options = {});

}  // namespace facet
