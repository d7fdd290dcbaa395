#pragma once

#include <Eigen/Core>
#include <optional>
#include <vector>

#include "viewer/panels/panel.h"

namespace facet {

// The scene's picture: what the mouse does in it, and the marks over it.
class PicturePanel {
 public:
  void draw(PanelContext& context, void* texture);

 private:
  enum class Drag { kNone, kOrbit, kPan, kPhotoPan, kWipe, kLandmark };
  void beginDrag(PanelContext& context, int button);
  void drag(PanelContext& context);
  void endDrag(PanelContext& context);
  void wheel(PanelContext& context, float clicks);
  void click(PanelContext& context);
  void doubleClick(PanelContext& context);

  Drag drag_ = Drag::kNone;
  int button_ = 0, landmark_ = -1;
  bool moved_ = false;
  Eigen::Vector2f pressed_px_ = Eigen::Vector2f::Zero();
  std::vector<Pick> picks_before_click_;
};

// Pixels of the window of a point in pixels of the scene's picture.
Eigen::Vector2f windowFromPicture(const PanelContext& context, const Eigen::Vector2f& position_px);
// Where the photo lies in the window while it is shown as a whole, behind the head or alone.
std::optional<PhotoPlacement> photoInWindow(const PanelContext& context);
// Brings the photo's face into the picture, by its landmarks; the whole photo when it has none or `whole`.
void framePhoto(PanelContext& context, bool whole = false);
// The whole head into the picture, or the photo's face where the photo is looked at.
void frameSubject(PanelContext& context);
// The orbit camera from there, in place of the photo's.
void lookFrom(Scene& scene, OrbitCamera::Preset preset);
// The landmark under the mouse that can be dragged, or -1.
int landmarkUnderMouse(const PanelContext& context);
// Whether the user dragged that landmark.
bool isMoved(const PhotoLandmarks& landmarks, int landmark);
// To where the detector saw it; false if it was not dragged from there.
bool putLandmarkBack(PanelContext& context, int landmark);

}  // namespace facet
