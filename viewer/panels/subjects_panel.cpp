#include "viewer/panels/panel.h"
#include "viewer/panels/widgets.h"

namespace facet {

void SubjectsPanel::draw(PanelContext& context) {
  Scene& scene = context.scene;
  int to_close = -1;
  for (int i = 0; i < static_cast<int>(scene.subjects.size()); ++i) {
    const Subject& subject = *scene.subjects[static_cast<std::size_t>(i)];
    ImGui::PushID(i);
    const float width = ImGui::GetContentRegionAvail().x, side = ImGui::GetFrameHeight();
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const bool current = i == scene.current;
    ImGui::PushStyleColor(ImGuiCol_Button, current ? theme::rgb(0x3A3E43) : theme::rgb(0, 0));
    const bool chosen = ImGui::Button("##subject", {width - side - px(2), side});
    ImGui::PopStyleColor();
    const std::string number = std::to_string(i + 1);
    markWidget("subjects/" + number);
    std::string told = subject.kind;
    if (!subject.source.empty()) told.append("\n").append(subject.source.string());
    if (subject.unsaved) told.append("\nnot saved yet");
    if (subject.edited) told.append("\nchanged and not exported");
    tip(told);
    if (current) {
      ImGui::GetWindowDrawList()->AddRectFilled(at, {at.x + px(3), at.y + side}, theme::kAccent, px(1));
    }
    const ImVec2 next = ImGui::GetCursorPos();
    ImGui::SetCursorScreenPos({at.x + px(10), at.y + ImGui::GetStyle().FramePadding.y});
    const std::string kind = i == scene.second ? "second" : subject.kind;
    const float kind_width = drawStyle().fonts.small->CalcTextSizeA(smallSize(), FLT_MAX, 0, kind.c_str()).x;
    shortenedText(subject.name + (hasUnsavedWork(subject) ? " *" : ""), width - side - kind_width - px(28));
    ImGui::GetWindowDrawList()->AddText(
        drawStyle().fonts.small, smallSize(),
        {at.x + width - side - px(10) - kind_width, at.y + (side - smallSize()) / 2}, theme::kDim,
        kind.c_str());
    ImGui::SetCursorScreenPos({at.x + width - side, at.y});
    if (iconButton("subjects/close/" + number, Icon::kClose, "Close")) to_close = i;
    ImGui::SetCursorPos(next);
    ImGui::PopID();
    if (chosen) scene.show(i);
  }
  if (to_close >= 0) closeSubject(context, to_close);
  if (button("subjects/open", "Open…", -FLT_MIN)) askToOpen(context);
  tip("A photo, clip, result folder, model or mesh (Ctrl+O); or drop it onto the window");
}

}  // namespace facet
