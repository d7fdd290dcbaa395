#include <algorithm>
#include <cmath>
#include <string>

#include "viewer/panels/panel.h"
#include "viewer/panels/widgets.h"

namespace facet {
namespace {

// How long a message stays, s; errors stay until they are closed.
double stays_s(MessageKind kind) { return kind == MessageKind::kInfo ? 5 : 12; }
constexpr double kFade_s = 0.6;
constexpr std::size_t kMaxShown = 5;
constexpr float kWidth = 340;      // at most, pixels at scale 1
constexpr float kBelowTop = 46;    // under what stands at the picture's top edge
constexpr float kAboveFoot = 110;  // over the colour bar and axes at its foot
constexpr int kMaxInfoLines = 2;   // of an information; all of it is its tip

// As much of the text as `lines` lines of that width hold, … where some is missing.
std::string shortened(const std::string& text, float width_px, int lines) {
  const ImFont* font = ImGui::GetFont();
  const float scale = ImGui::GetFontSize() / font->FontSize;
  const char* at = text.c_str();
  const char* const end = at + text.size();
  for (int line = 0; line < lines && at < end; ++line) {
    at = font->CalcWordWrapPositionA(scale, at, end, width_px);
    while (at < end && *at == ' ') ++at;
  }
  if (at >= end) return text;
  std::string start(text.c_str(), at);
  while (!start.empty() && (start.back() == ' ' || start.back() == ',')) start.pop_back();
  return start.substr(0, start.find_last_of(' ')) + " …";
}

}  // namespace

void drawMessages(PanelContext& context) {
  std::vector<Message>& messages = context.scene.messages;
  for (Message& message : messages) message.shown_s += context.seconds;
  messages.erase(std::remove_if(messages.begin(), messages.end(),
                                [](const Message& message) {
                                  return message.kind != MessageKind::kError &&
                                         message.shown_s > stays_s(message.kind);
                                }),
                 messages.end());
  if (messages.empty()) return;

  const PixelRect& picture = context.layout.picture;
  const float widest = std::min(px(kWidth), static_cast<float>(picture.width) - px(32));
  if (widest < px(80)) return;
  float y = static_cast<float>(picture.y) + px(kBelowTop);
  const float foot = static_cast<float>(picture.y + picture.height) - px(kAboveFoot);
  std::size_t to_close = messages.size();
  std::size_t shown = 0;
  for (std::size_t i = messages.size(); i-- > 0 && shown < kMaxShown; ++shown) {
    const Message& message = messages[i];
    const bool is_error = message.kind == MessageKind::kError;
    const double left_s = is_error ? kFade_s : stays_s(message.kind) - message.shown_s;
    const float alpha = static_cast<float>(std::clamp(left_s / kFade_s, 0.0, 1.0));
    const ImU32 edge = is_error                                ? theme::kError
                       : message.kind == MessageKind::kWarning ? theme::kWarning
                                                               : theme::kAccent;
    const float side = ImGui::GetFrameHeight();
    const float text_width = widest - px(28) - side;
    const std::string text = message.kind == MessageKind::kInfo
                                 ? shortened(message.text, text_width, kMaxInfoLines)
                                 : message.text;
    const ImVec2 text_size = ImGui::CalcTextSize(text.c_str(), nullptr, false, text_width);
    const float width = std::ceil(text_size.x) + px(28) + side;
    const float height = std::max(side, text_size.y) + px(8);
    // The newest is shown however low the picture is.
    if (shown > 0 && y + height > foot) break;
    ImGui::SetNextWindowPos({static_cast<float>(picture.x + picture.width) - px(16) - width, y});
    ImGui::SetNextWindowSize({width, height});
    ImGui::PushStyleVar(ImGuiStyleVar_Alpha, alpha);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, px(4));
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {px(16), px(4)});
    ImGui::PushStyleColor(ImGuiCol_WindowBg, theme::rgb(0x2A2C2F, 245));
    const std::string name = "##message" + std::to_string(i);
    ImGui::Begin(name.c_str(), nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                     ImGuiWindowFlags_NoFocusOnAppearing | ImGuiWindowFlags_NoNav);
    ImVec4 edge_colour = ImGui::ColorConvertU32ToFloat4(edge);
    edge_colour.w *= alpha;
    const ImVec2 at = ImGui::GetWindowPos();
    markRect("message/" + std::to_string(shown), at, {at.x + width, at.y + height});
    ImDrawList& list = *ImGui::GetWindowDrawList();
    list.PushClipRectFullScreen();
    list.AddRectFilled(at, {at.x + px(4), at.y + height}, ImGui::ColorConvertFloat4ToU32(edge_colour), px(2));
    list.PopClipRect();
    ImGui::SetCursorPosY((height - text_size.y) / 2);
    ImGui::PushTextWrapPos(ImGui::GetCursorPosX() + text_width + 1);
    ImGui::TextUnformatted(text.c_str());
    ImGui::PopTextWrapPos();
    if (text != message.text) tip(message.text);
    ImGui::SetCursorPos({width - side - px(6), (height - side) / 2});
    if (iconButton("message/close/" + std::to_string(messages.size() - 1 - i), Icon::kClose, "Close"))
      to_close = i;
    ImGui::End();
    ImGui::PopStyleColor();
    ImGui::PopStyleVar(3);
    y += height + px(8);
  }
  if (to_close < messages.size()) messages.erase(messages.begin() + static_cast<std::ptrdiff_t>(to_close));
}

}  // namespace facet
