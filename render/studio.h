#pragma once

#include "core/camera.h"
#include "core/spherical_harmonics.h"

namespace facet {

// A light and cameras to look at a head with.

// Soft light from above the camera; a little of it comes from the subject's left, so that the nose shows.
SphericalHarmonicsLight studioLight();

struct OrbitOptions {
  int size_px = 768;         // side of the square image
  double yaw_degrees = 0;    // camera to the subject's left
  double pitch_degrees = 0;  // camera up
  double field_of_view_degrees = 20;
};

// Camera in front of the points (V×3 mm, model frame) that shows their front half, turned about their middle.
Camera orbitCamera(const Points3& vertices, const OrbitOptions& options = {});

}  // namespace facet
