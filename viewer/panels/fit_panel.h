#pragma once

#include "viewer/panels/panel.h"

namespace facet {

// From a photo to a head: what to do, and how it goes.
class FitPanel {
 public:
  void draw(PanelContext& context);
  FitRequest request;

 private:
  void drawProgress(PanelContext& context);
};

// Puts dragged landmarks back to where the detector saw them.
void resetMovedLandmarks(PanelContext& context);

}  // namespace facet
