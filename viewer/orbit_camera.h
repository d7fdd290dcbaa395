#pragma once

#include <Eigen/Core>
#include <string>

#include "core/camera.h"
#include "core/types.h"

namespace facet {

// The camera that the user moves: it looks at `target_mm` from `distance_mm`.
struct OrbitCamera {
  enum class Preset { kFront, kLeft, kRight, kTop, kBack, kThreeQuarter };  // kLeft: the subject's left side

  Eigen::Vector3f target_mm = Eigen::Vector3f::Zero();  // model frame
  float yaw_deg = 0;                                    // camera towards the subject's left
  float pitch_deg = 0;                                  // camera up, [-90, 90]
  float distance_mm = 1000;
  float field_of_view_deg = 20;  // vertical and horizontal share the smaller side of the picture
  bool orthographic = false;

  // Drags in pixels of a picture of that size.
  void orbit(float right_px, float down_px);
  void pan(float right_px, float down_px, int width_px, int height_px);
  void dolly(float steps);  // a wheel's clicks; + is nearer; never through the target
  void look(Preset preset);
  // All points (mm, model frame) in the picture, from the direction it has; as orbitCamera() of
  // render/studio.h frames a head.
  void fit(const Points3& points);
  // Same size of the target on screen while the field of view changes.
  void setFieldOfView(float degrees);

  Camera camera(int width_px, int height_px) const;
};

}  // namespace facet
