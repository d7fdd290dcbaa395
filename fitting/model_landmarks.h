#pragma once

#include <optional>

#include "core/morphable_model.h"
#include "fitting/face_detector.h"

namespace facet {

// Landmarks on a model's mean as facet's own network sees them, for models whose files name none.
struct ModelLandmarks {
  Points3 ibug68;  // 68×3 mm, model frame; near the surface of the mean. Brows (17–26) are NaN: the network
                   // finds their hair, wherever it grows
  float spread_mm = 0;  // root mean square distance of the views' lines of sight from them
};

// Renders the mean under soft light from several sides, reads each picture, and takes for each landmark the
// point that its lines of sight pass by most closely. Nothing when the pictures show no face: the model does
// not look along +Z with +Y up, or is no face.
std::optional<ModelLandmarks> findModelLandmarks(const MorphableModel& model, const FaceDetector& detector,
                                                 const LandmarkRegressor& regressor);

}  // namespace facet
