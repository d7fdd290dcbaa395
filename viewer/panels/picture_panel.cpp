#include "viewer/panels/picture_panel.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>

#include "viewer/panels/widgets.h"
#include "viewer/picking.h"

namespace facet {
namespace {

constexpr float kClickReach = 3;   // pixels at scale 1 that a click may move
constexpr float kHandleReach = 8;  // of what can be grasped
constexpr float kZoomPerClick = 1.15F;
constexpr float kFaceShare = 0.55F;  // of the picture that the landmarks fill
constexpr float kMinZoom = 0.2F, kMaxZoom = 40;

Eigen::Vector2f mouse() { return {ImGui::GetMousePos().x, ImGui::GetMousePos().y}; }

bool hasWipe(const Scene& scene) {
  return wipesPhoto(scene) || (scene.view.compare == CompareMode::kWipe && scene.second >= 0);
}

bool onWipe(const PanelContext& context) {
  if (!hasWipe(context.scene)) return false;
  const PixelRect& picture = context.layout.picture;
  const float x = static_cast<float>(picture.x) + context.scene.view.wipe * static_cast<float>(picture.width);
  return std::abs(mouse().x() - x) < px(kHandleReach);
}

}  // namespace

void lookFrom(Scene& scene, OrbitCamera::Preset preset) {
  scene.view.through_photo = false;
  if (scene.view.compare == CompareMode::kWipePhoto) scene.view.compare = CompareMode::kNone;
  scene.camera.look(preset);
}

void framePhoto(PanelContext& context, bool whole) {
  ViewSettings& view = context.scene.view;
  view.photo_zoom = 1;
  view.photo_pan_px.setZero();
  const Subject* subject = context.scene.subject();
  const std::optional<PhotoPlacement> placed = photoInWindow(context);
  if (whole || !placed || subject->landmarks.ibug68.size() == 0) return;
  const Points2& points = subject->landmarks.ibug68.positions_px;
  const Eigen::Vector2f low = points.colwise().minCoeff().transpose(),
                        high = points.colwise().maxCoeff().transpose();
  const Eigen::Vector2f size = (high - low).cwiseMax(1) * placed->scale;
  const PixelRect& picture = context.layout.picture;
  view.photo_zoom = std::clamp(kFaceShare * std::min(static_cast<float>(picture.width) / size.x(),
                                                     static_cast<float>(picture.height) / size.y()),
                               1.0F, kMaxZoom);
  const std::optional<PhotoPlacement> zoomed = photoInWindow(context);
  const Eigen::Vector2f middle(static_cast<float>(picture.x) + static_cast<float>(picture.width) / 2,
                               static_cast<float>(picture.y) + static_cast<float>(picture.height) / 2);
  view.photo_pan_px = middle - (zoomed->offset_px + zoomed->scale * (low + high) / 2);
}

void frameSubject(PanelContext& context) {
  if (throughPhoto(context.scene)) {
    framePhoto(context);
  } else {
    context.scene.frameCamera();
  }
}

Eigen::Vector2f windowFromPicture(const PanelContext& context, const Eigen::Vector2f& position_px) {
  const PixelRect &picture = context.layout.picture, &rect = context.builder.rect();
  return position_px +
         Eigen::Vector2f(static_cast<float>(picture.x + rect.x), static_cast<float>(picture.y + rect.y));
}

std::optional<PhotoPlacement> photoInWindow(const PanelContext& context) {
  const Subject* subject = context.scene.subject();
  if (subject == nullptr || !subject->photo || !throughPhoto(context.scene)) return std::nullopt;
  const PixelRect &picture = context.layout.picture, &rect = context.builder.rect();
  PhotoPlacement placement =
      placePhoto(subject->photo->width(), subject->photo->height(),
                 rect.width > 0 ? rect : PixelRect{0, 0, picture.width, picture.height},
                 context.scene.view.photo_zoom, context.scene.view.photo_pan_px);
  placement.offset_px += Eigen::Vector2f(static_cast<float>(picture.x), static_cast<float>(picture.y));
  return placement;
}

int landmarkUnderMouse(const PanelContext& context) {
  const Subject* subject = context.scene.subject();
  if (subject == nullptr || !context.scene.view.landmarks) return -1;
  const std::optional<PhotoPlacement> photo = photoInWindow(context);
  if (!photo) return -1;
  int nearest = -1;
  float best = px(kHandleReach);
  const Points2& points = subject->landmarks.ibug68.positions_px;
  for (int i = 0; i < static_cast<int>(points.rows()); ++i) {
    const Eigen::Vector2f at = photo->offset_px + photo->scale * points.row(i).transpose();
    const float distance = (at - mouse()).norm();
    if (distance < best) {
      best = distance;
      nearest = i;
    }
  }
  return nearest;
}

bool isMoved(const PhotoLandmarks& landmarks, int landmark) {
  return landmark >= 0 && landmark < static_cast<int>(landmarks.moved.size()) &&
         landmarks.moved[static_cast<std::size_t>(landmark)];
}

bool putLandmarkBack(PanelContext& context, int landmark) {
  Scene& scene = context.scene;
  if (scene.subject() == nullptr || !isMoved(scene.subject()->landmarks, landmark)) return false;
  PhotoLandmarks& landmarks = scene.subject()->landmarks;
  if (landmarks.detected_px.rows() != landmarks.ibug68.size()) return false;
  context.state.undo.beginLandmarks(scene.subjects[static_cast<std::size_t>(scene.current)]);
  landmarks.ibug68.positions_px.row(landmark) = landmarks.detected_px.row(landmark);
  landmarks.moved[static_cast<std::size_t>(landmark)] = false;
  return true;
}

void PicturePanel::beginDrag(PanelContext& context, int button) {
  button_ = button;
  moved_ = false;
  pressed_px_ = mouse();
  landmark_ = button == 0 ? landmarkUnderMouse(context) : -1;
  if (button == 1 && putLandmarkBack(context, landmarkUnderMouse(context))) return;
  if (landmark_ >= 0) {
    drag_ = Drag::kLandmark;
  } else if (button == 0 && onWipe(context)) {
    drag_ = Drag::kWipe;
  } else if (throughPhoto(context.scene)) {
    drag_ = Drag::kPhotoPan;
  } else {
    drag_ = button == 0 && !ImGui::GetIO().KeyShift ? Drag::kOrbit : Drag::kPan;
  }
}

void PicturePanel::drag(PanelContext& context) {
  Scene& scene = context.scene;
  const PixelRect& picture = context.layout.picture;
  const ImVec2 delta = ImGui::GetIO().MouseDelta;
  if (!moved_) {
    if ((mouse() - pressed_px_).norm() < px(kClickReach)) return;
    moved_ = true;
  }
  switch (drag_) {
    case Drag::kOrbit:
      scene.camera.orbit(delta.x, delta.y);
      break;
    case Drag::kPan:
      scene.camera.pan(delta.x, delta.y, picture.width, picture.height);
      break;
    case Drag::kPhotoPan:
      scene.view.photo_pan_px += Eigen::Vector2f(delta.x, delta.y);
      break;
    case Drag::kWipe:
      scene.view.wipe = std::clamp(
          (mouse().x() - static_cast<float>(picture.x)) / static_cast<float>(std::max(1, picture.width)),
          0.0F, 1.0F);
      break;
    case Drag::kLandmark: {
      Subject* subject = scene.subject();
      const std::optional<PhotoPlacement> photo = photoInWindow(context);
      if (subject == nullptr || !photo || landmark_ >= subject->landmarks.ibug68.size()) break;
      PhotoLandmarks& landmarks = subject->landmarks;
      context.state.undo.beginLandmarks(scene.subjects[static_cast<std::size_t>(scene.current)]);
      if (landmarks.moved.empty()) landmarks.detected_px = landmarks.ibug68.positions_px;
      landmarks.moved.resize(static_cast<std::size_t>(landmarks.ibug68.size()), false);
      landmarks.moved[static_cast<std::size_t>(landmark_)] = true;
      landmarks.ibug68.positions_px.row(landmark_) = (mouse() - photo->offset_px).transpose() / photo->scale;
      break;
    }
    case Drag::kNone:
      break;
  }
}

void PicturePanel::click(PanelContext& context) {
  Scene& scene = context.scene;
  Subject* subject = scene.subject();
  if (subject == nullptr || !showsHead(scene)) return;
  const PixelRect& picture = context.layout.picture;
  const PixelRect& rect = context.builder.rect();
  const Eigen::Vector2f at = mouse() - Eigen::Vector2f(static_cast<float>(picture.x + rect.x),
                                                       static_cast<float>(picture.y + rect.y));
  picks_before_click_ = scene.picks;
  const std::optional<Pick> found = pick(*subject, context.builder.camera(), at);
  if (!found) {
    scene.picks.clear();
    return;
  }
  if (scene.picks.size() >= 2) scene.picks.clear();
  scene.picks.push_back(*found);
}

void PicturePanel::doubleClick(PanelContext& context) {
  Scene& scene = context.scene;
  Subject* subject = scene.subject();
  if (subject == nullptr || !subject->head || throughPhoto(scene)) return;
  scene.picks = picks_before_click_;  // the first of the two clicks was no question
  const PixelRect &picture = context.layout.picture, &rect = context.builder.rect();
  const Eigen::Vector2f at = mouse() - Eigen::Vector2f(static_cast<float>(picture.x + rect.x),
                                                       static_cast<float>(picture.y + rect.y));
  if (const std::optional<Pick> found = pick(*subject, context.builder.camera(), at))
    scene.camera.target_mm = found->position_mm;
}

void PicturePanel::endDrag(PanelContext& context) {
  if (!moved_ && button_ == 0 && drag_ != Drag::kLandmark && drag_ != Drag::kWipe) click(context);
  drag_ = Drag::kNone;
  landmark_ = -1;
}

void PicturePanel::wheel(PanelContext& context, float clicks) {
  Scene& scene = context.scene;
  if (!throughPhoto(scene)) {
    scene.camera.dolly(clicks);
    return;
  }
  // The point of the photo under the mouse stays there.
  ViewSettings& view = scene.view;
  const std::optional<PhotoPlacement> before = photoInWindow(context);
  view.photo_zoom = std::clamp(view.photo_zoom * std::pow(kZoomPerClick, clicks), kMinZoom, kMaxZoom);
  const std::optional<PhotoPlacement> after = photoInWindow(context);
  if (!before || !after) return;
  const Eigen::Vector2f in_photo = (mouse() - before->offset_px) / before->scale;
  view.photo_pan_px += mouse() - (after->offset_px + after->scale * in_photo);
}

void PicturePanel::draw(PanelContext& context, void* texture) {
  const PixelRect& picture = context.layout.picture;
  const ImVec2 min(static_cast<float>(picture.x), static_cast<float>(picture.y));
  const ImVec2 size(static_cast<float>(picture.width), static_cast<float>(picture.height));
  ImGui::SetNextWindowPos(min);
  ImGui::SetNextWindowSize(size);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {0, 0});
  ImGui::Begin("##picture", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                   ImGuiWindowFlags_NoBackground | ImGuiWindowFlags_NoNav |
                   ImGuiWindowFlags_NoScrollWithMouse | ImGuiWindowFlags_NoBringToFrontOnFocus);
  ImGui::PopStyleVar();
  // The texture's rows begin at the bottom.
  if (texture != nullptr)
    ImGui::GetWindowDrawList()->AddImage(texture, min, {min.x + size.x, min.y + size.y}, {0, 1}, {1, 0});
  markRect("picture", min, {min.x + size.x, min.y + size.y});

  const bool hovered = ImGui::IsWindowHovered();
  if (drag_ == Drag::kNone && hovered) {
    for (int button = 0; button < 3; ++button) {
      if (!ImGui::IsMouseClicked(button)) continue;
      if (button == 0 && ImGui::IsMouseDoubleClicked(0)) {
        doubleClick(context);
      } else {
        beginDrag(context, button);
      }
      break;
    }
  }
  if (drag_ != Drag::kNone) {
    if (ImGui::IsMouseDown(button_)) {
      drag(context);
    } else {
      endDrag(context);
    }
  }
  if (hovered && ImGui::GetIO().MouseWheel != 0) wheel(context, ImGui::GetIO().MouseWheel);
  if (hovered || drag_ != Drag::kNone) {
    if (drag_ == Drag::kWipe || (drag_ == Drag::kNone && onWipe(context))) {
      ImGui::SetMouseCursor(ImGuiMouseCursor_ResizeEW);
    } else if (drag_ == Drag::kLandmark || landmarkUnderMouse(context) >= 0) {
      ImGui::SetMouseCursor(ImGuiMouseCursor_Hand);
    } else if (drag_ == Drag::kPan || drag_ == Drag::kPhotoPan) {
      ImGui::SetMouseCursor(ImGuiMouseCursor_ResizeAll);
    }
  }
  drawOverlays(context);
  ImGui::End();
}

}  // namespace facet
