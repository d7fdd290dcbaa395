#include <algorithm>

#include "viewer/panels/panel.h"
#include "viewer/panels/widgets.h"

namespace facet {

void LightPanel::draw(PanelContext& context) {
  Scene& scene = context.scene;
  ViewSettings& view = scene.view;
  int light = static_cast<int>(view.light);
  if (segments("light/kind", {"auto", "studio", "photo", "environment"}, {"Auto", "Studio", "Photo", "HDRI"},
               light))
    view.light = static_cast<LightKind>(light);
  tip(view.light == LightKind::kPhoto
          ? "The light that the fit found in the photo."
          : "Auto: the photo's light while you look through the photo, else the studio's.\n"
            "Studio: the same for every face. Photo: as the fit found it.\n"
            "HDRI: a panorama from an .hdr or .exr file.");
  const Subject* subject = scene.subject();
  if (view.light == LightKind::kPhoto && (subject == nullptr || !subject->photo_light)) {
    dimTextWrapped("No light is known of this head's photo; the studio's is shown.");
  }
  if (view.light == LightKind::kPhoto) {
    dimText("SH light");
    tipTerm("sh light");
  }
  if (view.light == LightKind::kEnvironment) {
    labelled("Panorama");
    if (button("light/open", scene.environment ? scene.environment->name : "Open .hdr…", -FLT_MIN)) {
      FileBrowser::Request request;
      request.title = "Open a panorama";
      request.extensions = {".hdr", ".exr"};
      request.then = [open = context.actions.open](const std::filesystem::path& path) {
        if (open) open(path);
      };
      context.askFor(std::move(request));
    }
    tipTerm("ibl");
    if (!scene.environment) dimTextWrapped("Open a panorama (.hdr); until then the studio's light is shown.");
    slider("light/yaw", "Turned by", view.environment_yaw_deg, {-180, 180, 0, "%.0f", "°"});
  }
  slider("light/exposure", "Exposure", view.exposure_stops, {-3, 3, 0, "%+.1f", "EV"});
  tipTerm("exposure");
  toggle("light/highlights", "Highlights", view.highlights);
  tipTerm("highlights");
  toggle("light/lamp", "Lamp", view.lamp);
  tipTerm("lamp");
  if (view.lamp) {
    const float ball = px(92);
    directionBall("light/ball", ball, view.lamp_yaw_deg, view.lamp_pitch_deg);
    tip("Drag the lamp round the head, seen from the front; with Shift behind it.");
    ImGui::SameLine();
    ImGui::BeginGroup();
    slider("light/lamp_yaw", "Side", view.lamp_yaw_deg, {-180, 180, 40, "%.0f", "°"});
    slider("light/lamp_pitch", "Height", view.lamp_pitch_deg, {-90, 90, 30, "%.0f", "°"});
    slider("light/lamp_strength", "Strength", view.lamp_strength, {0, 4, 1, "%.2f", ""});
    ImGui::EndGroup();
  }
  ImGui::AlignTextToFramePadding();
  dimText("Background");
  ImGui::SameLine();
  const float side = ImGui::GetFrameHeight();
  ImGui::SetCursorPosX(ImGui::GetContentRegionMax().x - 4 * side - 3 * px(4));
  const auto swatch = [&](const char* name, const char* told, Eigen::Vector3f top, Eigen::Vector3f bottom) {
    const ImVec4 colour(bottom.x(), bottom.y(), bottom.z(), 1);
    if (ImGui::ColorButton(("##" + std::string(name)).c_str(), colour,
                           ImGuiColorEditFlags_NoTooltip | ImGuiColorEditFlags_NoDragDrop, {side, side})) {
      view.background_top = top;
      view.background_bottom = bottom;
    }
    markWidget(name);
    tip(told);
    ImGui::SameLine(0, px(4));
  };
  swatch("light/background/dark", "Dark grey", {0.16F, 0.17F, 0.18F}, {0.30F, 0.31F, 0.33F});
  swatch("light/background/middle", "Middle grey, where skin is judged best", {0.46F, 0.46F, 0.46F},
         {0.46F, 0.46F, 0.46F});
  swatch("light/background/white", "White", {1, 1, 1}, {1, 1, 1});
  if (ImGui::ColorButton("##light/background/own",
                         {view.background_top.x(), view.background_top.y(), view.background_top.z(), 1},
                         ImGuiColorEditFlags_NoTooltip | ImGuiColorEditFlags_NoDragDrop, {side, side}))
    ImGui::OpenPopup("background");
  markWidget("light/background/own");
  tip("A colour of your own");
  if (ImGui::BeginPopup("background")) {
    if (ImGui::ColorPicker3("##picker", view.background_top.data(),
                            ImGuiColorEditFlags_NoSidePreview | ImGuiColorEditFlags_NoSmallPreview))
      view.background_bottom = view.background_top;
    ImGui::EndPopup();
  }
  toggle("light/transparent", "Saved pictures without background", view.transparent);
}

}  // namespace facet
