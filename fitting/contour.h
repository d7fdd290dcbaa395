#pragma once

#include <Eigen/Core>
#include <array>
#include <vector>

#include "core/camera.h"
#include "core/landmarks.h"
#include "core/morphable_model.h"

namespace facet {

// Jaw landmarks of 2D annotations lie on the visible outline of the face, not on a fixed point of the skin:
// on the side that is turned away they slide forward along the cheek. Given a pose, finds for each such
// landmark the model vertex on the occluding boundary that is nearest to it in the image. Bas, Smith, Bolkart
// and Wuhrer, "Fitting a 3D Morphable Model to Edges", ACCV Workshops 2016.
class JawContour {
 public:
  // Uses the part of the model around its own jaw landmarks, so it works for any topology. The model must
  // outlive it.
  explicit JawContour(const MorphableModel& model);

  // Vertex for each jaw landmark, -1 where the landmark's own point is in plain view (it then stays where it
  // is) or where no boundary vertex is near. `vertices`: V×3 mm, the face as fitted so far.
  std::array<int, kNumJawLandmarks> assign(const Points3& vertices, const Camera& camera,
                                           const LandmarkSet& ibug68) const;

 private:
  const MorphableModel& model_;
  std::vector<int> vertices_;                       // model index of each vertex of the jaw band
  Triangles triangles_;                             // triangles of the band, into vertices_
  std::array<int, kNumJawLandmarks> own_vertex_{};  // band vertex nearest to each jaw landmark's own point
};

}  // namespace facet
