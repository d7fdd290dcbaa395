#pragma once

#include <imgui.h>

#include <memory>
#include <string>
#include <vector>

#include "viewer/panels/panel.h"

namespace facet {

// The frames of a clip: play, scrub, curves of its shapes.
class TimelinePanel {
 public:
  void draw(PanelContext& context);
  // At scale 1, for the layout; 0 without a clip.
  float height(const Scene& scene) const;
  std::vector<std::string> curves = {"jawOpen", "eyeBlinkLeft", "mouthSmileLeft"};  // shapes that are plotted
  bool show_curves = true;

 private:
  struct Curve {
    std::string name;
    std::vector<float> values;  // of each frame
  };
  void collect(const std::shared_ptr<Subject>& shown);
  void drawButtons(PanelContext& context);
  void drawCurves(PanelContext& context, const Subject& subject);
  void plotCurves(ImDrawList& list, ImVec2 from, ImVec2 to, int current) const;

  std::vector<Curve> all_;            // of every shape that the clip drives
  std::vector<std::string> names_;    // of all_
  std::weak_ptr<Subject> collected_;  // what all_ is of, with that head and so many frames
  std::weak_ptr<ShapedHead> collected_head_;
  std::size_t collected_frames_ = 0;
  std::string filter_;
};

// A clip is something with frames to play.
bool hasTimeline(const Scene& scene);

}  // namespace facet
