#pragma once

#include <imgui.h>

#include <optional>
#include <string>
#include <vector>

#include "viewer/input.h"
#include "viewer/panels/theme.h"

namespace facet {

// Controls of the panels, all alike. Each has a name ("view/wireframe") that is its ImGui id and the name by
// which scripts find it.

// Where markWidget() puts its rectangles, from here on; null = nowhere.
void setWidgetMarks(WidgetRects* marks);
// The last item's rectangle under that name.
void markWidget(const std::string& name);
// Any rectangle of the window, for what is drawn by hand.
void markRect(const std::string& name, ImVec2 min, ImVec2 max);

// Fonts and scale of the window that is being drawn.
struct DrawStyle {
  theme::Fonts fonts;
  float scale = 1;
};
void setDrawStyle(const DrawStyle& style);
const DrawStyle& drawStyle();
// Pixels of a length at scale 1.
float px(float at_scale_1);
// Pixels of the small font's line, for text that is drawn by hand.
float smallSize();

// A sentence that shows when the mouse rests on the last item; disabled items too. Empty = none.
void tip(const std::string& text);
// The sentence of viewer/panels/glossary.h for a term.
void tipTerm(const char* term);

void dimText(const std::string& text);
void dimTextWrapped(const std::string& text);
// Text that ends in … where the width ends; the whole text as its tip then.
void shortenedText(const std::string& text, float width_px);

bool button(const std::string& name, const std::string& label, float width_px = 0, bool primary = false);
bool toggle(const std::string& name, const std::string& label, bool& value);
// A button that stays pressed.
bool pill(const std::string& name, const std::string& label, bool on, float width_px = 0,
          const std::string& key_hint = "");
// Pills beside each other over the whole width, one of them on.
bool segments(const std::string& name, const std::vector<std::string>& ids,
              const std::vector<std::string>& labels, int& value);
// A label in the left column, what comes next in the right one.
void labelled(const std::string& label);
bool combo(const std::string& name, const std::vector<std::string>& items, int& value);
bool textField(const std::string& name, std::string& text, const std::string& hint = "", float width_px = -1);
// A heading that folds what is below it; whether it is open.
bool section(const std::string& name, const std::string& label, bool open_at_first = true);

struct SliderRange {
  float low = 0, high = 1;
  float rest = 0;               // where a double or right click puts it
  const char* format = "%.2f";  // of the value
  std::string unit;
};
// Name at the left, value at the right, filled from 0 where the range has both signs, from `low` otherwise.
// Ctrl+click to type a value, beyond the range too.
bool slider(const std::string& name, const std::string& label, float& value, const SliderRange& range);

// A lamp's direction as a dot on a ball: degrees towards +X and +Y, seen from the front.
bool directionBall(const std::string& name, float size_px, float& yaw_deg, float& pitch_deg);

// Lines of numbers over their index, each by itself in a common range; `log_scale` for what falls by orders.
struct PlotLine {
  const float* values = nullptr;
  int count = 0;
  ImU32 colour = theme::kAccent;
};
void plot(ImDrawList& list, ImVec2 min, ImVec2 max, const std::vector<PlotLine>& lines, float low, float high,
          bool log_scale = false);

enum class Icon { kPlay, kPause, kToStart, kToEnd, kBack, kForward, kLoop, kClose };
bool iconButton(const std::string& name, Icon icon, const std::string& tip_text, bool on = false);

// "-0.00" as "0.00", wherever it stands in the text.
std::string withoutMinusZero(std::string text);
// "1 landmark", "3 landmarks".
std::string counted(int count, const std::string& noun);

}  // namespace facet
