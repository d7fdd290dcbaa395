#include <algorithm>
#include <array>

#include "viewer/panels/glossary.h"
#include "viewer/panels/key_tables.h"
#include "viewer/panels/panel.h"
#include "viewer/panels/picture_panel.h"
#include "viewer/panels/widgets.h"

namespace facet {

void CameraPanel::draw(PanelContext& context) {
  Scene& scene = context.scene;
  OrbitCamera& camera = scene.camera;
  ViewSettings& view = scene.view;
  const Subject* subject = scene.subject();

  const float gap = px(4);
  const float third = std::floor((ImGui::GetContentRegionAvail().x - 2 * gap) / 3);
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {gap, gap});
  for (std::size_t i = 0; i < kPresets.size(); ++i) {
    if (i % 3 != 0) ImGui::SameLine();
    if (button(std::string("camera/") + kPresets[i].id, kPresets[i].label, third)) {
      lookFrom(scene, kPresets[i].preset);
    }
    tip("From there: " + std::string(kPresets[i].told) + " (" + kPresets[i].key + ")");
  }
  if (button("camera/fit", "Fit", third)) {
    frameSubject(context);
  }
  tip("The whole head in the picture; of a photo, its face (F)");
  ImGui::SameLine();
  if (button("camera/reset", "Reset", third)) {
    camera = {};
    scene.frameCamera();
    framePhoto(context, true);
  }
  tip("The camera as at the start (R)");
  ImGui::SameLine();
  if (pill("camera/orthographic", "Ortho", camera.orthographic, third))
    camera.orthographic = !camera.orthographic;
  tipTerm("orthographic");
  ImGui::PopStyleVar();

  float degrees = camera.field_of_view_deg;
  ImGui::BeginDisabled(camera.orthographic || throughPhoto(scene));
  if (slider("camera/fov", "Field of view", degrees, {4, 90, 20, "%.0f", "°"}))
    camera.setFieldOfView(degrees);
  tipTerm("field of view");
  ImGui::EndDisabled();

  const bool has_camera = subject != nullptr && hasPhotoCamera(*subject);
  ImGui::BeginDisabled(!has_camera);
  toggle("camera/through_photo", "Through the photo", view.through_photo);
  ImGui::EndDisabled();
  tip(has_camera ? glossary("through the photo") : "This head has no photo with a fitted camera.");
  if (throughPhoto(scene)) {
    float photo = view.photo_opacity * 100, head = view.head_opacity * 100;
    if (slider("camera/photo_opacity", "Photo", photo, {0, 100, 100, "%.0f", "%"}))
      view.photo_opacity = photo / 100;
    if (slider("camera/head_opacity", "Head", head, {0, 100, 100, "%.0f", "%"}))
      view.head_opacity = head / 100;
  }
  const float half = std::floor((ImGui::GetContentRegionAvail().x - gap) / 2);
  if (button("camera/copy", "Copy", half)) copyCamera(context);
  tip("Camera and look as JSON text, for another window or a script");
  ImGui::SameLine(0, gap);
  if (button("camera/paste", "Paste", half)) pasteCamera(context);
  tip("Camera and look from such a text");
}

}  // namespace facet
