#pragma once

#include <algorithm>

namespace facet {

// 0 up to `low`, 1 from `high` on, and a slope without corners between them.
inline float smoothStep(float low, float high, float x) {
  const float t = std::clamp((x - low) / (high - low), 0.0F, 1.0F);
  return t * t * (3 - 2 * t);
}

}  // namespace facet
