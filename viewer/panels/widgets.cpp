#include "viewer/panels/widgets.h"

#include <imgui_internal.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <limits>

#include "viewer/panels/glossary.h"

namespace facet {
namespace {

// ImGui has one context and one thread; these belong to the window that it draws.
WidgetRects* marks = nullptr;
DrawStyle style;

constexpr float kTipDelay_s = 0.45F;
constexpr float kTipWidth = 300, kLabelColumn = 96;
constexpr float kPi = 3.14159265F;

// What is shown of a label: ImGui takes "##" and what follows as an id.
std::string labelWithId(const std::string& label, const std::string& name) { return label + "##" + name; }

}  // namespace

void setWidgetMarks(WidgetRects* destination) { marks = destination; }
void setDrawStyle(const DrawStyle& new_style) { style = new_style; }
const DrawStyle& drawStyle() { return style; }
float px(float at_scale_1) { return std::round(at_scale_1 * style.scale); }
float smallSize() { return style.fonts.small->FontSize * ImGui::GetIO().FontGlobalScale; }

void markRect(const std::string& name, ImVec2 min, ImVec2 max) {
  if (marks == nullptr) return;
  const ImRect clip = ImGui::GetCurrentWindow()->ClipRect;
  WidgetRect rect{min.x, min.y, max.x - min.x, max.y - min.y};
  const float middle = (min.y + max.y) / 2;
  if (middle < clip.Min.y || middle > clip.Max.y) {
    rect.scroll = middle < clip.Min.y ? 1 : -1;
    rect.panel_x = (clip.Min.x + clip.Max.x) / 2;
    rect.panel_y = (clip.Min.y + clip.Max.y) / 2;
  }
  (*marks)[name] = rect;
}

void markWidget(const std::string& name) { markRect(name, ImGui::GetItemRectMin(), ImGui::GetItemRectMax()); }

void tip(const std::string& text) {
  if (text.empty() || !ImGui::IsItemHovered(ImGuiHoveredFlags_AllowWhenDisabled)) return;
  // Only when the mouse rests: a panel whose tips pop up under every movement cannot be read.
  static ImGuiID resting_on = 0;
  static double since_s = 0;
  const ImGuiID id = ImGui::GetItemID() != 0 ? ImGui::GetItemID() : ImHashStr(text.c_str());
  if (resting_on != id || ImGui::IsAnyMouseDown()) {
    resting_on = id;
    since_s = ImGui::GetTime();
  }
  if (ImGui::GetTime() - since_s < kTipDelay_s) return;
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {px(10), px(8)});
  ImGui::BeginTooltip();
  ImGui::PushTextWrapPos(px(kTipWidth));
  ImGui::TextUnformatted(text.c_str());
  ImGui::PopTextWrapPos();
  ImGui::EndTooltip();
  ImGui::PopStyleVar();
}

void tipTerm(const char* term) { tip(glossary(term)); }

void dimText(const std::string& text) {
  ImGui::PushStyleColor(ImGuiCol_Text, theme::kDim);
  ImGui::TextUnformatted(text.c_str());
  ImGui::PopStyleColor();
}

void dimTextWrapped(const std::string& text) {
  ImGui::PushTextWrapPos(0);
  dimText(text);
  ImGui::PopTextWrapPos();
}

void shortenedText(const std::string& text, float width_px) {
  ImVec2 at = ImGui::GetCursorScreenPos();
  at.y += ImGui::GetCurrentWindow()->DC.CurrLineTextBaseOffset;
  const ImVec2 size = ImGui::CalcTextSize(text.c_str());
  const float width = std::max(1.0F, std::min(size.x, width_px));
  ImGui::Dummy({width, size.y});
  // Underscores reach below the line's own height.
  ImGui::RenderTextEllipsis(ImGui::GetWindowDrawList(), at, {at.x + width_px, at.y + size.y + px(3)},
                            at.x + width_px, at.x + width_px, text.c_str(), nullptr, &size);
  if (size.x > width_px) tip(text);
}

bool button(const std::string& name, const std::string& label, float width_px, bool primary) {
  if (primary) {
    ImGui::PushStyleColor(ImGuiCol_Button, theme::kAccentDark);
    ImGui::PushStyleColor(ImGuiCol_ButtonHovered, theme::rgb(0x338F83));
    ImGui::PushStyleColor(ImGuiCol_ButtonActive, theme::kAccent);
  }
  const bool pressed = ImGui::Button(labelWithId(label, name).c_str(), {width_px, 0});
  if (primary) ImGui::PopStyleColor(3);
  markWidget(name);
  return pressed;
}

bool toggle(const std::string& name, const std::string& label, bool& value) {
  ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, {px(2), px(2)});
  const bool changed = ImGui::Checkbox(labelWithId(label, name).c_str(), &value);
  ImGui::PopStyleVar();
  markWidget(name);
  return changed;
}

bool pill(const std::string& name, const std::string& label, bool on, float width_px,
          const std::string& key_hint) {
  ImGui::PushStyleColor(ImGuiCol_Button, on ? theme::kAccentDark : theme::kField);
  ImGui::PushStyleColor(ImGuiCol_ButtonHovered, on ? theme::rgb(0x338F83) : theme::kFieldHovered);
  ImGui::PushStyleVar(ImGuiStyleVar_ButtonTextAlign, ImVec2(key_hint.empty() ? 0.5F : 0.0F, 0.5F));
  const bool pressed = ImGui::Button(labelWithId(label, name).c_str(), {width_px, 0});
  ImGui::PopStyleVar();
  ImGui::PopStyleColor(2);
  if (!key_hint.empty()) {
    const ImVec2 min = ImGui::GetItemRectMin(), max = ImGui::GetItemRectMax();
    ImFont* font = style.fonts.small;
    const ImVec2 size = font->CalcTextSizeA(smallSize(), FLT_MAX, 0, key_hint.c_str());
    ImGui::GetWindowDrawList()->AddText(font, smallSize(),
                                        {max.x - size.x - px(8), std::floor((min.y + max.y - size.y) / 2)},
                                        on ? theme::rgb(0xBFE5DF) : theme::rgb(0x7D838A), key_hint.c_str());
  }
  markWidget(name);
  return pressed;
}

bool segments(const std::string& name, const std::vector<std::string>& ids,
              const std::vector<std::string>& labels, int& value) {
  const float gap = px(2);
  const int count = static_cast<int>(labels.size());
  const float width = ImGui::GetContentRegionAvail().x;
  // Shares of the width by the length of the labels, so that none is cut off before another has room to
  // spare.
  std::vector<float> widths;
  float sum = 0;
  for (const std::string& label : labels) {
    widths.push_back(ImGui::CalcTextSize(label.c_str()).x + px(8));
    sum += widths.back();
  }
  const float spare = (width - gap * static_cast<float>(count - 1) - sum) / static_cast<float>(count);
  bool changed = false;
  ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, {0, ImGui::GetStyle().FramePadding.y});
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {gap, ImGui::GetStyle().ItemSpacing.y});
  for (int i = 0; i < count; ++i) {
    const std::size_t k = static_cast<std::size_t>(i);
    if (i > 0) ImGui::SameLine();
    const float wanted = i == count - 1 ? ImGui::GetContentRegionAvail().x : std::floor(widths[k] + spare);
    if (pill(name + "/" + ids[k], labels[k], value == i, std::max(px(8), wanted))) {
      changed = value != i;
      value = i;
    }
  }
  ImGui::PopStyleVar(2);
  return changed;
}

void labelled(const std::string& label) {
  const float start = ImGui::GetCursorPosX();
  ImGui::AlignTextToFramePadding();
  dimText(label);
  ImGui::SameLine();
  ImGui::SetCursorPosX(start + px(kLabelColumn));
  ImGui::SetNextItemWidth(-FLT_MIN);
}

bool combo(const std::string& name, const std::vector<std::string>& items, int& value) {
  const char* shown = value >= 0 && value < static_cast<int>(items.size())
                          ? items[static_cast<std::size_t>(value)].c_str()
                          : "";
  bool changed = false;
  const ImVec2 at = ImGui::GetCursorScreenPos();
  markRect(name, at, {at.x + ImGui::CalcItemWidth(), at.y + ImGui::GetFrameHeight()});
  if (ImGui::BeginCombo(("##" + name).c_str(), shown, ImGuiComboFlags_HeightLarge)) {
    for (int i = 0; i < static_cast<int>(items.size()); ++i) {
      const std::string& item = items[static_cast<std::size_t>(i)];
      if (ImGui::Selectable(labelWithId(item, std::to_string(i)).c_str(), i == value)) {
        changed = value != i;
        value = i;
      }
      markWidget(name + "/" + item);
      if (i == value) ImGui::SetItemDefaultFocus();
    }
    ImGui::EndCombo();
  }
  return changed;
}

bool textField(const std::string& name, std::string& text, const std::string& hint, float width_px) {
  ImGui::SetNextItemWidth(width_px < 0 ? -FLT_MIN : width_px);
  const bool changed = ImGui::InputTextWithHint(("##" + name).c_str(), hint.c_str(), &text);
  markWidget(name);
  return changed;
}

bool section(const std::string& name, const std::string& label, bool open_at_first) {
  bool& open = *ImGui::GetStateStorage()->GetBoolRef(ImGui::GetID(name.c_str()), open_at_first);
  const float indent = px(20);
  ImGui::PushStyleColor(ImGuiCol_Button, theme::rgb(0x2C2F32));
  ImGui::PushStyleColor(ImGuiCol_ButtonHovered, theme::rgb(0x34373B));
  ImGui::PushStyleVar(ImGuiStyleVar_ButtonTextAlign, {0, 0.5F});
  ImGui::PushStyleVar(ImGuiStyleVar_FramePadding, {indent, ImGui::GetStyle().FramePadding.y});
  if (ImGui::Button(labelWithId(label, name).c_str(), {-FLT_MIN, 0})) open = !open;
  ImGui::PopStyleVar(2);
  ImGui::PopStyleColor(2);
  markWidget(name);
  const float size = ImGui::GetFontSize() * 0.6F;
  const ImVec2 min = ImGui::GetItemRectMin(), max = ImGui::GetItemRectMax();
  ImGui::RenderArrow(ImGui::GetWindowDrawList(), {min.x + px(6), (min.y + max.y - size) / 2 - px(1)},
                     theme::kDim, open ? ImGuiDir_Down : ImGuiDir_Right, 0.6F);
  return open;
}

bool slider(const std::string& name, const std::string& label, float& value, const SliderRange& range) {
  const std::string id_text = "##" + name;
  const ImGuiID id = ImGui::GetID(id_text.c_str());
  const bool typing = ImGui::TempInputIsActive(id);
  // ImGui's own number and grab give way to what is drawn over the field below.
  if (!typing) ImGui::PushStyleColor(ImGuiCol_Text, ImVec4(0, 0, 0, 0));
  ImGui::PushStyleColor(ImGuiCol_SliderGrab, ImVec4(0, 0, 0, 0));
  ImGui::PushStyleColor(ImGuiCol_SliderGrabActive, ImVec4(0, 0, 0, 0));
  ImGui::SetNextItemWidth(-FLT_MIN);
  bool changed = ImGui::SliderFloat(id_text.c_str(), &value, range.low, range.high, range.format,
                                    ImGuiSliderFlags_NoRoundToFormat);
  ImGui::PopStyleColor(typing ? 2 : 3);
  markWidget(name);

  const bool reset = ImGui::IsItemHovered() &&
                     (ImGui::IsMouseClicked(ImGuiMouseButton_Right) ||
                      (ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left) && !ImGui::GetIO().KeyCtrl));
  if (reset) {
    if (ImGui::GetActiveID() == id) ImGui::ClearActiveID();
    changed = true;
    value = range.rest;
  }
  if (ImGui::TempInputIsActive(id)) return changed;

  const ImVec2 min = ImGui::GetItemRectMin(), max = ImGui::GetItemRectMax();
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float alpha = ImGui::GetStyle().Alpha;
  const auto faded = [&](ImU32 colour) {
    ImVec4 c = ImGui::ColorConvertU32ToFloat4(colour);
    c.w *= alpha;
    return ImGui::ColorConvertFloat4ToU32(c);
  };
  const float span = std::max(1e-9F, range.high - range.low);
  const auto placeOf = [&](float v) {
    return min.x + std::clamp((v - range.low) / span, 0.0F, 1.0F) * (max.x - min.x);
  };
  const float from = placeOf(std::max(0.0F, range.low)), to = placeOf(value), rest = placeOf(range.rest);
  const bool active = ImGui::IsItemActive();
  if (std::abs(to - from) >= 0.5F) {
    list.AddRectFilled({std::min(from, to), min.y}, {std::max(from, to), max.y},
                       faded(active ? theme::rgb(0x338F83) : theme::kAccentDark),
                       ImGui::GetStyle().FrameRounding);
  }
  if (range.rest > range.low && range.rest < range.high)
    list.AddLine({rest, max.y - px(4)}, {rest, max.y - px(1)}, faded(theme::rgb(0x7D838A)), px(1));
  if (ImGui::IsItemHovered() || active)
    list.AddRectFilled({to - px(1), min.y + px(2)}, {to + px(1), max.y - px(2)}, faded(theme::kText), 1);

  char number[48];
  std::snprintf(number, sizeof number, range.format, static_cast<double>(value));
  std::string text = withoutMinusZero(number);
  if (!range.unit.empty()) text += (range.unit == "°" ? "" : " ") + range.unit;
  const float pad = px(8);
  const ImVec2 size = ImGui::CalcTextSize(text.c_str());
  const float y = std::floor((min.y + max.y - size.y) / 2);
  list.AddText({max.x - pad - size.x, y}, faded(value == range.rest ? theme::kDim : theme::kText),
               text.c_str());
  const float label_end = max.x - pad - size.x - px(6);
  const ImVec2 label_size = ImGui::CalcTextSize(label.c_str());
  ImGui::PushStyleColor(ImGuiCol_Text, theme::kText);
  ImGui::RenderTextEllipsis(&list, {min.x + pad, y}, {label_end, max.y}, label_end, label_end, label.c_str(),
                            nullptr, &label_size);
  ImGui::PopStyleColor();
  return changed;
}

bool directionBall(const std::string& name, float size_px, float& yaw_deg, float& pitch_deg) {
  ImGui::InvisibleButton(("##" + name).c_str(), {size_px, size_px});
  markWidget(name);
  const ImVec2 min = ImGui::GetItemRectMin(), max = ImGui::GetItemRectMax();
  const ImVec2 centre((min.x + max.x) / 2, (min.y + max.y) / 2);
  const float radius = size_px / 2 - px(2);
  bool changed = false;
  if (ImGui::IsItemActive()) {
    // On the front half of the ball, as the face is seen from the front; its far side with Shift.
    float x = (ImGui::GetMousePos().x - centre.x) / radius, y = (centre.y - ImGui::GetMousePos().y) / radius;
    const float length = std::hypot(x, y);
    if (length > 0.999F) {
      x *= 0.999F / length;
      y *= 0.999F / length;
    }
    const float depth =
        std::sqrt(std::max(0.0F, 1 - x * x - y * y)) * (ImGui::GetIO().KeyShift ? -1.0F : 1.0F);
    yaw_deg = std::atan2(x, depth) * 180 / kPi;
    pitch_deg = std::asin(std::clamp(y, -1.0F, 1.0F)) * 180 / kPi;
    changed = true;
  }
  const float yaw = yaw_deg * kPi / 180, pitch = pitch_deg * kPi / 180;
  const float x = std::cos(pitch) * std::sin(yaw), y = std::sin(pitch), z = std::cos(pitch) * std::cos(yaw);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const bool hot = ImGui::IsItemHovered() || ImGui::IsItemActive();
  list.AddCircleFilled(centre, radius, hot ? theme::kFieldHovered : theme::kField, 48);
  // A soft bright spot where the light falls on the ball.
  for (int ring = 6; ring >= 1; --ring) {
    const float share = static_cast<float>(ring) / 6;
    if (z <= 0) break;
    const float spot = radius * 0.55F * share;
    const float reach = std::min(1.0F, (radius - spot) / radius);
    list.AddCircleFilled({centre.x + x * radius * reach, centre.y - y * radius * reach}, spot,
                         theme::rgb(0xFFFFFF, 14), 32);
  }
  list.AddCircle(centre, radius, theme::rgb(0x54595F), 48, px(1));
  list.AddLine({centre.x - radius, centre.y}, {centre.x + radius, centre.y}, theme::rgb(0x54595F, 120));
  list.AddLine({centre.x, centre.y - radius}, {centre.x, centre.y + radius}, theme::rgb(0x54595F, 120));
  const ImVec2 dot(centre.x + x * radius, centre.y - y * radius);
  if (z >= 0) {
    list.AddCircleFilled(dot, px(5), theme::rgb(0xFFE2A0), 16);
  } else {
    list.AddCircle(dot, px(5), theme::rgb(0xFFE2A0), 16, px(2));
  }
  return changed;
}

void plot(ImDrawList& list, ImVec2 min, ImVec2 max, const std::vector<PlotLine>& lines, float low, float high,
          bool log_scale) {
  const auto scaled = [&](float v) { return log_scale ? std::log10(std::max(v, 1e-12F)) : v; };
  const float bottom = scaled(low), span = std::max(1e-9F, scaled(high) - bottom);
  list.PushClipRect(min, max, true);
  for (const PlotLine& line : lines) {
    if (line.count < 1) continue;
    // No more points than pixels: a long clip is thinned to the largest value of each column.
    const int columns = std::max(2, static_cast<int>(max.x - min.x));
    const int step = std::max(1, line.count / columns);
    std::vector<ImVec2> points;
    for (int i = 0; i < line.count; i += step) {
      float v = line.values[i];
      for (int k = i; k < std::min(line.count, i + step); ++k) v = std::max(v, line.values[k]);
      const float share = std::clamp((scaled(v) - bottom) / span, 0.0F, 1.0F);
      const float along = line.count > 1 ? static_cast<float>(i) / static_cast<float>(line.count - 1) : 0.5F;
      points.emplace_back(min.x + along * (max.x - min.x), max.y - share * (max.y - min.y));
    }
    if (points.size() == 1) {
      list.AddCircleFilled(points[0], px(2), line.colour);
    } else {
      list.AddPolyline(points.data(), static_cast<int>(points.size()), line.colour, 0, px(1.5F));
    }
  }
  list.PopClipRect();
}

bool iconButton(const std::string& name, Icon icon, const std::string& tip_text, bool on) {
  const float side = ImGui::GetFrameHeight();
  ImGui::PushStyleColor(ImGuiCol_Button, on ? theme::kAccentDark : theme::rgb(0, 0));
  const bool pressed = ImGui::Button(("##" + name).c_str(), {side, side});
  ImGui::PopStyleColor();
  markWidget(name);
  const ImVec2 min = ImGui::GetItemRectMin(), max = ImGui::GetItemRectMax();
  const ImVec2 c(std::floor((min.x + max.x) / 2), std::floor((min.y + max.y) / 2));
  const float r = std::round(side * 0.22F);
  const ImU32 colour = ImGui::GetColorU32(ImGuiCol_Text);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const auto triangle = [&](float x, float direction) {
    list.AddTriangleFilled({c.x + x - direction * r * 0.8F, c.y - r}, {c.x + x + direction * r * 0.9F, c.y},
                           {c.x + x - direction * r * 0.8F, c.y + r}, colour);
  };
  const auto bar = [&](float x) {
    list.AddRectFilled({c.x + x - px(1), c.y - r}, {c.x + x + px(1), c.y + r}, colour);
  };
  switch (icon) {
    case Icon::kPlay:
      triangle(0, 1);
      break;
    case Icon::kPause:
      list.AddRectFilled({c.x - r * 0.8F, c.y - r}, {c.x - r * 0.2F, c.y + r}, colour);
      list.AddRectFilled({c.x + r * 0.2F, c.y - r}, {c.x + r * 0.8F, c.y + r}, colour);
      break;
    case Icon::kToStart:
      triangle(px(1), -1);
      bar(-r);
      break;
    case Icon::kToEnd:
      triangle(-px(1), 1);
      bar(r);
      break;
    case Icon::kBack:
      triangle(-px(1), -1);
      bar(r);
      break;
    case Icon::kForward:
      triangle(px(1), 1);
      bar(-r);
      break;
    case Icon::kLoop:
      list.PathArcTo(c, r, -0.2F * kPi, 1.45F * kPi, 20);
      list.PathStroke(colour, 0, px(1.6F));
      list.AddTriangleFilled({c.x - px(1), c.y - r - px(3)}, {c.x - px(1), c.y - r + px(3)},
                             {c.x + px(4), c.y - r}, colour);
      break;
    case Icon::kClose:
      list.AddLine({c.x - r * 0.7F, c.y - r * 0.7F}, {c.x + r * 0.7F, c.y + r * 0.7F}, colour, px(1.6F));
      list.AddLine({c.x - r * 0.7F, c.y + r * 0.7F}, {c.x + r * 0.7F, c.y - r * 0.7F}, colour, px(1.6F));
      break;
  }
  tip(tip_text);
  return pressed;
}

std::string withoutMinusZero(std::string text) {
  for (std::size_t at = text.find('-'); at != std::string::npos; at = text.find('-', at + 1)) {
    const std::size_t end = text.find_first_not_of("0.", at + 1);
    const bool is_zero = end != at + 1 && (end == std::string::npos ||
                                           std::isdigit(static_cast<unsigned char>(text[end])) == 0);
    if (is_zero) text.erase(at, 1);
  }
  return text;
}

std::string counted(int count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace facet
