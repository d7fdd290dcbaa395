#include "viewer/panels/timeline_panel.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "viewer/panels/widgets.h"

namespace facet {
namespace {

constexpr float kButtonsHeight = 40, kScrubHeight = 34, kCurvesHeight = 96;
constexpr std::array<double, 5> kSpeeds = {0.1, 0.25, 0.5, 1, 2};
constexpr std::size_t kMaxCurves = 6;
constexpr std::array<ImU32, kMaxCurves> kCurveColours = {theme::rgb(0x41B3A3), theme::rgb(0xE0A84F),
                                                         theme::rgb(0xC58BE0), theme::rgb(0x6FA8E8),
                                                         theme::rgb(0xE8798B), theme::rgb(0xA7C957)};

std::string clock(double seconds) {
  char text[32];
  const int minutes = static_cast<int>(seconds / 60);
  std::snprintf(text, sizeof text, "%d:%05.2f", minutes, seconds - 60 * minutes);
  return text;
}

// Frames between two marks of the ruler, so that marks are at least `gap_px` apart.
int markStep(int frames, float width_px, float gap_px) {
  const float per_frame = width_px / static_cast<float>(std::max(1, frames - 1));
  for (const int step : {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000}) {
    if (static_cast<float>(step) * per_frame >= gap_px) return step;
  }
  return std::max(1, frames);
}

}  // namespace

bool hasTimeline(const Scene& scene) { return scene.subject() != nullptr && scene.timeline.numFrames() > 1; }

float TimelinePanel::height(const Scene& scene) const {
  if (!hasTimeline(scene)) return 0;
  return kButtonsHeight + kScrubHeight + (show_curves ? kCurvesHeight : 0);
}

void TimelinePanel::collect(const std::shared_ptr<Subject>& shown) {
  const Subject& subject = *shown;
  if (collected_.lock() == shown && collected_head_.lock() == subject.head &&
      collected_frames_ == subject.frames.size())
    return;
  collected_ = shown;
  collected_head_ = subject.head;
  collected_frames_ = subject.frames.size();
  all_.clear();
  names_.clear();
  if (!subject.head) return;
  const auto add = [&](ShapeGroup group, const Eigen::VectorXf SubjectFrame::*weights) {
    const std::vector<ShapeControl>& controls = subject.head->controls(group);
    Eigen::Index driven = 0;
    for (const SubjectFrame& frame : subject.frames) driven = std::max(driven, (frame.*weights).size());
    for (Eigen::Index i = 0; i < std::min<Eigen::Index>(driven, static_cast<Eigen::Index>(controls.size()));
         ++i) {
      Curve curve{controls[static_cast<std::size_t>(i)].name, {}};
      for (const SubjectFrame& frame : subject.frames) {
        const Eigen::VectorXf& values = frame.*weights;
        curve.values.push_back(i < values.size() ? values[i] : 0);
      }
      names_.push_back(curve.name);
      all_.push_back(std::move(curve));
    }
  };
  add(ShapeGroup::kShapes, &SubjectFrame::shapes);
  add(ShapeGroup::kExpression, &SubjectFrame::expression);
}

void TimelinePanel::drawButtons(PanelContext& context) {
  Scene& scene = context.scene;
  Timeline& timeline = scene.timeline;
  const int frames = timeline.numFrames();
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {px(4), px(4)});
  if (iconButton("timeline/first", Icon::kToStart, "First frame (Home)")) context.showFrame(0);
  ImGui::SameLine();
  if (iconButton("timeline/back", Icon::kBack, "Frame before (Left)")) {
    timeline.step(-1);
    context.frameChanged();
  }
  ImGui::SameLine();
  if (iconButton("timeline/play", timeline.playing() ? Icon::kPause : Icon::kPlay, "Play or pause (Space)",
                 timeline.playing())) {
    if (timeline.playing()) {
      timeline.pause();
    } else {
      timeline.play();
    }
  }
  ImGui::SameLine();
  if (iconButton("timeline/forward", Icon::kForward, "Next frame (Right)")) {
    timeline.step(1);
    context.frameChanged();
  }
  ImGui::SameLine();
  if (iconButton("timeline/last", Icon::kToEnd, "Last frame (End)")) context.showFrame(frames - 1);
  ImGui::SameLine();
  if (iconButton("timeline/loop", Icon::kLoop, "Again from the start at the end", timeline.loop))
    timeline.loop = !timeline.loop;
  ImGui::SameLine(0, px(12));
  ImGui::AlignTextToFramePadding();
  ImGui::TextUnformatted(clock(timeline.time_s(timeline.current())).c_str());
  const float speed_width = px(72), curves_width = px(84);
  const float right = ImGui::GetContentRegionMax().x - speed_width - curves_width - px(4);
  // What a narrow window has no room for stays out.
  const auto dimIfItFits = [&](const std::string& text, float gap) {
    ImGui::SameLine(0, gap);
    const bool fits = ImGui::GetCursorPosX() + ImGui::CalcTextSize(text.c_str()).x + px(8) < right;
    dimText(fits ? text : "");
  };
  const std::string number = std::to_string(timeline.current() + 1);
  const std::string of_all = "frame " + number + " / " + std::to_string(frames);
  const std::string whole = "/ " + clock(timeline.time_s(frames - 1));
  const float room = right - ImGui::GetItemRectMax().x + ImGui::GetWindowPos().x - px(8);
  const auto width = [](const std::string& text) { return ImGui::CalcTextSize(text.c_str()).x; };
  if (width(whole) + width(of_all) + px(16) < room) {
    dimIfItFits(whole, px(4));
    dimIfItFits(of_all, px(12));
  } else {
    dimIfItFits(width(of_all) + px(12) < room ? of_all : number, px(12));
  }
  ImGui::SameLine(right);
  std::vector<std::string> labels;
  int chosen = -1;
  for (const double speed : kSpeeds) {
    char text[16];
    std::snprintf(text, sizeof text, "%g×", speed);
    if (speed == timeline.speed) chosen = static_cast<int>(labels.size());
    labels.emplace_back(text);
  }
  ImGui::SetNextItemWidth(speed_width);
  if (combo("timeline/speed", labels, chosen)) timeline.speed = kSpeeds[static_cast<std::size_t>(chosen)];
  tip("Speed of playing");
  ImGui::SameLine();
  if (button("timeline/curves", "Curves", curves_width)) ImGui::OpenPopup("curves");
  tip("Which weights are plotted below");
  ImGui::SetNextWindowSizeConstraints({px(240), px(120)}, {px(240), px(340)});
  if (ImGui::BeginPopup("curves")) {
    toggle("timeline/show_curves", "Show curves", show_curves);
    textField("timeline/curve_filter", filter_, "filter");
    ImGui::BeginChild("##names", {0, px(220)});
    for (const Curve& curve : all_) {
      if (!filter_.empty() && curve.name.find(filter_) == std::string::npos) continue;
      const auto at = std::find(curves.begin(), curves.end(), curve.name);
      bool on = at != curves.end();
      if (toggle("timeline/curve/" + curve.name, curve.name, on)) {
        if (!on) {
          curves.erase(at);
        } else {
          curves.push_back(curve.name);
          if (curves.size() > kMaxCurves) curves.erase(curves.begin());
        }
      }
    }
    if (all_.empty()) dimTextWrapped("This clip drives no named weights.");
    ImGui::EndChild();
    ImGui::EndPopup();
  }
  ImGui::PopStyleVar();
}

void TimelinePanel::plotCurves(ImDrawList& list, ImVec2 from, ImVec2 to, int current) const {
  ImFont* font = drawStyle().fonts.small;
  std::vector<PlotLine> lines;
  float low = 0, high = 1;
  struct Shown {
    std::string name;
    float value;
    ImU32 colour;
  };
  std::vector<Shown> shown;
  for (const Curve& curve : all_) {
    const auto at = std::find(curves.begin(), curves.end(), curve.name);
    if (at == curves.end()) continue;
    const ImU32 colour = kCurveColours[static_cast<std::size_t>(at - curves.begin()) % kMaxCurves];
    lines.push_back({curve.values.data(), static_cast<int>(curve.values.size()), colour});
    for (const float v : curve.values) {
      low = std::min(low, v);
      high = std::max(high, v);
    }
    const std::size_t now = static_cast<std::size_t>(current);
    shown.push_back({curve.name, now < curve.values.size() ? curve.values[now] : 0, colour});
  }
  plot(list, from, to, lines, low, high);
  float x = from.x + px(4);
  for (const Shown& one : shown) {
    char text[96];
    std::snprintf(text, sizeof text, "%s %.2f", one.name.c_str(), static_cast<double>(one.value));
    const ImVec2 size = font->CalcTextSizeA(smallSize(), FLT_MAX, 0, text);
    if (x + size.x > to.x) break;
    list.AddRectFilled({x - px(3), from.y}, {x + size.x + px(3), from.y + size.y + px(2)},
                       theme::rgb(0x1B1C1E, 220), px(2));
    list.AddText(font, smallSize(), {x, from.y}, one.colour, text);
    x += size.x + px(16);
  }
  if (lines.empty())
    list.AddText(font, smallSize(), {from.x + px(4), from.y + px(4)}, theme::kDim,
                 all_.empty() ? "This clip drives no named weights." : "Choose curves at the right.");
}

void TimelinePanel::drawCurves(PanelContext& context, const Subject& subject) {
  Timeline& timeline = context.scene.timeline;
  const int frames = timeline.numFrames();
  const float width = ImGui::GetContentRegionAvail().x,
              height = std::max(px(20), ImGui::GetContentRegionAvail().y);
  ImGui::InvisibleButton("##timeline/scrub", {width, height});
  markWidget("timeline/scrub");
  const ImVec2 min = ImGui::GetItemRectMin(), max = ImGui::GetItemRectMax();
  const float pad = px(6);
  const float left = min.x + pad, right = max.x - pad;
  const auto placeOf = [&](int frame) {
    return left + (right - left) * static_cast<float>(frame) / static_cast<float>(std::max(1, frames - 1));
  };
  if (ImGui::IsItemActive()) {
    const float share = (ImGui::GetMousePos().x - left) / std::max(1.0F, right - left);
    const int frame =
        std::clamp(static_cast<int>(std::lround(share * static_cast<float>(frames - 1))), 0, frames - 1);
    if (frame != timeline.current()) context.showFrame(frame);
  }
  ImDrawList& list = *ImGui::GetWindowDrawList();
  ImFont* font = drawStyle().fonts.small;
  list.AddRectFilled(min, max, theme::rgb(0x1B1C1E), px(3));
  const float ruler = px(20);
  const int step = markStep(frames, right - left, px(64));
  for (int frame = 0; frame < frames; frame += step) {
    const float x = placeOf(frame);
    list.AddLine({x, min.y + ruler - px(5)}, {x, max.y}, theme::rgb(0x2C2F32), 1);
    list.AddText(font, smallSize(), {x + px(3), min.y + px(3)}, theme::rgb(0x7D838A),
                 std::to_string(frame + 1).c_str());
  }
  if (show_curves && subject.head && max.y - min.y > ruler + px(30))
    plotCurves(list, {left, min.y + ruler + px(2)}, {right, max.y - px(6)}, timeline.current());
  const float x = placeOf(timeline.current());
  list.AddLine({x, min.y + px(2)}, {x, max.y}, theme::kAccent, px(1.5F));
  list.AddTriangleFilled({x - px(5), min.y}, {x + px(5), min.y}, {x, min.y + px(7)}, theme::kAccent);
}

void TimelinePanel::draw(PanelContext& context) {
  const Subject* subject = context.scene.subject();
  if (!hasTimeline(context.scene) || subject == nullptr) return;
  collect(context.scene.subjects[static_cast<std::size_t>(context.scene.current)]);
  drawButtons(context);
  drawCurves(context, *subject);
}

}  // namespace facet
