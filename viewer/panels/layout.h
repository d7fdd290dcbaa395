#pragma once

#include "viewer/renderer.h"

namespace facet {

// Where the parts of the window lie, pixels.
struct Layout {
  PixelRect menu, left, right, timeline, status, picture;
};

struct LayoutOptions {
  float scale = 1;
  bool panels = true;         // false: the picture alone
  float left_width = 276;     // pixels at scale 1
  float right_width = 336;    // the same
  float timeline_height = 0;  // the same; 0 = there is no clip
};

// The panels keep their sizes; in a window that is too narrow they shrink so that the picture keeps 45 %
// of it.
Layout layoutOf(int width_px, int height_px, const LayoutOptions& options);

}  // namespace facet
