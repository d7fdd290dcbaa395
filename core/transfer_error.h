#pragma once

#include <string>
#include <vector>

#include "core/correspondence.h"
#include "core/morphable_model.h"

namespace facet {

// A transferred shape against the shape of that name that the model has itself, vertex by vertex, on the
// face. What the template has no counterpart of, such as lashes, does not count.
struct ShapeError {
  std::string name;
  double face_mm = 0;    // mean distance over all vertices of the face
  double moving_mm = 0;  // over those that the model's own shape moves by more than 1 mm
  int num_moving = 0;
};

// How well a template lies on a model: from each of its face's vertices to the model and back, and what its
// shapes become there. The face is every region of the template but scalp, neck, ears, and the insides of
// mouth and eyes.
struct TransferError {
  double round_trip_mean_mm = 0, round_trip_p95_mm = 0, round_trip_max_mm = 0;
  int num_covered = 0, num_face = 0;  // vertices of the face that have a counterpart, of all
  std::vector<ShapeError> shapes;     // those that both have
};

// Throws std::invalid_argument when the template has no regions.
TransferError measureTransfer(const MorphableModel& source, const MorphableModel& model,
                              const Correspondence& correspondence);

}  // namespace facet
