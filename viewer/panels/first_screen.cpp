#include <algorithm>
#include <cmath>

#include "viewer/panels/panel.h"
#include "viewer/panels/widgets.h"

namespace facet {
namespace {

void centred(const std::string& text, float width) {
  ImGui::SetCursorPosX(std::max(0.0F, (width - ImGui::CalcTextSize(text.c_str()).x) / 2));
  ImGui::TextUnformatted(text.c_str());
}

void dashedRect(ImDrawList& list, ImVec2 min, ImVec2 max, ImU32 colour) {
  const float dash = px(7), gap = px(5), width = px(1.5F);
  for (float x = min.x; x < max.x; x += dash + gap) {
    const float end = std::min(x + dash, max.x);
    list.AddLine({x, min.y}, {end, min.y}, colour, width);
    list.AddLine({x, max.y}, {end, max.y}, colour, width);
  }
  for (float y = min.y; y < max.y; y += dash + gap) {
    const float end = std::min(y + dash, max.y);
    list.AddLine({min.x, y}, {min.x, end}, colour, width);
    list.AddLine({max.x, y}, {max.x, end}, colour, width);
  }
}

}  // namespace

void drawFirstScreen(PanelContext& context) {
  if (!context.scene.subjects.empty()) return;
  const PixelRect& picture = context.layout.picture;
  const std::size_t num_recent = std::min<std::size_t>(context.actions.recent.size(), 5);
  const float width = std::min(px(460), static_cast<float>(picture.width) - px(24));
  const float tallest = static_cast<float>(picture.height) - px(16);
  if (width < px(120) || tallest < px(120)) return;
  ImGui::SetNextWindowPos({static_cast<float>(picture.x) + static_cast<float>(picture.width) / 2,
                           static_cast<float>(picture.y) + static_cast<float>(picture.height) / 2},
                          ImGuiCond_Always, {0.5F, 0.5F});
  ImGui::SetNextWindowSizeConstraints({width, 0}, {width, tallest});
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {px(28), px(22)});
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, px(4));
  ImGui::PushStyleColor(ImGuiCol_WindowBg, theme::rgb(0x222426, 240));
  if (ImGui::Begin("##first", nullptr,
                   ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove |
                       ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoFocusOnAppearing |
                       ImGuiWindowFlags_AlwaysAutoResize)) {
    ImGui::PushFont(drawStyle().fonts.title);
    centred("Faces, from photos to 3D", width);
    ImGui::PopFont();
    ImGui::Dummy({0, px(8)});
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float inner = width - 2 * ImGui::GetStyle().WindowPadding.x, box = px(86);
    if (ImGui::InvisibleButton("##first/drop", {inner, box})) askToOpen(context);
    markWidget("first/drop");
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const bool hot = ImGui::IsItemHovered();
    list.AddRectFilled(at, {at.x + inner, at.y + box}, hot ? theme::rgb(0x2C2F32) : theme::rgb(0x26282B),
                       px(4));
    dashedRect(list, at, {at.x + inner, at.y + box}, hot ? theme::kAccent : theme::rgb(0x5A6067));
    const char* drop = "Drop a photo of a face here";
    const char* other = "or a result, clip, GLB, OBJ, PLY; click to choose";
    const ImVec2 size = ImGui::CalcTextSize(drop), other_size = ImGui::CalcTextSize(other);
    list.AddText({at.x + (inner - size.x) / 2, at.y + box / 2 - size.y - px(2)}, theme::kText, drop);
    list.AddText({at.x + (inner - other_size.x) / 2, at.y + box / 2 + px(4)}, theme::kDim, other);
    ImGui::Dummy({0, px(4)});
    if (button("first/demo", "Show the built-in head", inner, true)) context.call(context.actions.open_demo);
    ImGui::Dummy({0, px(6)});
    dimTextWrapped("A photo becomes a head under Fit at the right.");
    dimTextWrapped("Drag to turn it, the wheel goes nearer, H shows all keys.");
    dimTextWrapped("Let the mouse rest on a word that you do not know.");
    if (num_recent > 0) {
      ImGui::Dummy({0, px(6)});
      dimText("Lately open");
      ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {px(8), px(2)});
      ImGui::PushStyleVar(ImGuiStyleVar_ButtonTextAlign, {0, 0.5F});
      for (std::size_t i = 0; i < num_recent; ++i) {
        const std::filesystem::path& path = context.actions.recent[i];
        ImGui::PushStyleColor(ImGuiCol_Button, theme::rgb(0, 0));
        const bool chosen = button("first/recent/" + std::to_string(i + 1), path.filename().string(), inner);
        ImGui::PopStyleColor();
        tip(path.string());
        if (chosen) {
          const std::filesystem::path wanted = path;  // opening may change the list
          context.call(context.actions.open, wanted);
          break;
        }
      }
      ImGui::PopStyleVar(2);
    }
  }
  ImGui::End();
  ImGui::PopStyleColor();
  ImGui::PopStyleVar(2);
}

}  // namespace facet
