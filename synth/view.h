#pragma once

#include "core/types.h"

namespace facet::synth {

// Pinhole of the picture being taken; camera frame as everywhere (x right, y down, z forward).
struct View {
  int size_px = 0;
  float focal_px = 0, cx_px = 0, cy_px = 0;

  Eigen::Vector2f project(const Eigen::Vector3f& p) const {
    return {focal_px * p.x() / p.z() + cx_px, focal_px * p.y() / p.z() + cy_px};
  }
};

}  // namespace facet::synth
