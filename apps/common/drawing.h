#pragma once

#include <Eigen/Core>
#include <string>

#include "core/camera.h"
#include "core/image.h"
#include "core/landmarks.h"
#include "core/morphable_model.h"

namespace facet {

// What detect and track draw into a photo or a frame, which has 3 channels. Positions are pixels of the
// picture, the centre of the first one at (0.5, 0.5).

// Landmarks as dots, the 68 joined to the lines of jaw, brows, nose, eyes and lips; the dense ones coloured
// by how sure the network is of them: green for a hundredth of the face's size, over yellow to red for four.
void drawReading(Image8& picture, const LandmarkSet& ibug68, const LandmarkSet& dense);

// Lines of the 68 landmarks alone.
void drawContours(Image8& picture, const Points2& ibug68_px);

// Frame of a face with its confidence.
void drawBox(Image8& picture, const Eigen::Vector2f& low_px, const Eigen::Vector2f& high_px,
             float confidence);

// Arrows of a head's own axes, from `origin_in_model` (mm) on: to its left red, up green, out of the face
// blue.
void drawAxes(Image8& picture, const Camera& camera, const Eigen::Vector3f& origin_in_model, float length_mm);

// A fitted face (V×3 mm, model frame) as lit clay, blended over the picture by an opacity in [0, 1] per
// vertex.
void drawFace(Image8& picture, const Mesh& face, const Eigen::VectorXf& opacity, const Camera& camera);

// One line of text in the lower left corner.
void drawCaption(Image8& picture, const std::string& text);

}  // namespace facet
