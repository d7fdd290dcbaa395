#pragma once

#include <vector>

#include "core/mesh.h"
#include "core/morphable_model.h"

namespace facet {

struct RegistrationOptions {
  int num_identity = 60;  // identity modes of the template that the first, coarse fit may use
  // Smoothing length of each stage, mm: features of the displacement finer than this are suppressed.
  std::vector<double> smoothing_mm = {40, 25, 15, 9, 5.5, 3.5};
  int iterations_per_stage = 3;
  // Of a surface point from the vertex that it draws, first stage; a third of it in the last.
  double max_distance_mm = 20;
  double min_cosine = 0.5;  // between the normals of a vertex and of the surface point that draws it

  void check() const;  // throws std::invalid_argument naming field, value and range
};

// A template mesh laid onto another head.
struct Registration {
  Points3 vertices;  // V×3 mm, the template's vertices in the target's frame
  // V, in [0, 1]: 1 = lies on the target's surface, 0 = carried along by neighbours.
  Eigen::VectorXf confidence;
  std::vector<int> part;  // V, connected part of the template; `skin_part` is the one with the landmarks
  int skin_part = 0;
  std::vector<std::uint8_t> hidden;  // V, 1 = inside of the mouth and the eye sockets, which nothing draws
};

// Confidence, in (0, 1], of a point that lies so far from its counterpart.
float trustAt(double distance_mm);

// Connected part that most of the points lie on. Points that are not finite do not count.
int partUnder(const Points3& points, const Mesh& mesh, const std::vector<int>& part);

// Lays the mean of `source` onto a mesh of any topology: non-rigid closest points with a falling stiffness,
// after Amberg, Romdhani and Vetter, "Optimal Step Nonrigid ICP Algorithms for Surface Registration", CVPR
// 2007, with a displacement per vertex and its bending energy in place of an affine map per vertex:
//   E(d) = sum_i A_i w_i |x_i + d_i - c_i|² + l⁴ sum_i A_i |(Δ d)_i|² + landmarks
// where A is the area of a vertex, l the smoothing length of the stage, and c_i the foot of x_i on the
// tangent plane of its closest target point (it slides freely). The start x is the similarity and the
// identity coefficients that fit landmarks and surface best. Points on the target's border, too far away or
// facing another way draw nothing; vertices that nothing draws continue their neighbours smoothly. Parts of
// the template apart from the skin (eyeballs, teeth) follow the skin round them as rigid bodies with a scale.
// `target` is in millimetres, roughly; its landmarks (68×3, iBUG order) may have rows of NaN = unknown.
Registration registerTemplate(const MorphableModel& source, const Mesh& target,
                              const Points3& target_landmarks, const RegistrationOptions& options = {});

}  // namespace facet
