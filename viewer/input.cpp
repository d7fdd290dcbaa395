#include "viewer/input.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "core/error.h"

namespace facet {
namespace {

using Json = nlohmann::json;

constexpr int kFramesToAppear = 60;
// A drag passes over these places, so that what follows the mouse sees it move.
constexpr int kDragFrames = 6;
// What a step changed shows in the picture of the frame after the next.
constexpr int kSettleFrames = 2;

constexpr std::array<std::pair<const char*, int>, 29> kKeyNames = {
    {{"space", keys::kSpace},   {"slash", keys::kSlash},
     {"escape", keys::kEscape}, {"enter", keys::kEnter},
     {"tab", keys::kTab},       {"backspace", keys::kBackspace},
     {"insert", keys::kInsert}, {"delete", keys::kDelete},
     {"right", keys::kRight},   {"left", keys::kLeft},
     {"down", keys::kDown},     {"up", keys::kUp},
     {"pageup", keys::kPageUp}, {"pagedown", keys::kPageDown},
     {"home", keys::kHome},     {"end", keys::kEnd},
     {"f1", keys::kF1},         {"f2", keys::kF1 + 1},
     {"f3", keys::kF1 + 2},     {"f4", keys::kF1 + 3},
     {"f5", keys::kF1 + 4},     {"f6", keys::kF1 + 5},
     {"f7", keys::kF1 + 6},     {"f8", keys::kF1 + 7},
     {"f9", keys::kF1 + 8},     {"f10", keys::kF1 + 9},
     {"f11", keys::kF1 + 10},   {"f12", keys::kF12},
     {"esc", keys::kEscape}}};

constexpr std::array<std::pair<const char*, InputEvent::Kind>, 8> kEventNames = {
    {{"move", InputEvent::Kind::kMove},
     {"button", InputEvent::Kind::kButton},
     {"wheel", InputEvent::Kind::kWheel},
     {"key", InputEvent::Kind::kKey},
     {"text", InputEvent::Kind::kText},
     {"drop", InputEvent::Kind::kDrop},
     {"resize", InputEvent::Kind::kResize},
     {"close", InputEvent::Kind::kClose}}};

constexpr std::array<const char*, 3> kButtonNames = {"left", "right", "middle"};

std::string lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// "ctrl+shift+q"; false if there is no such key.
bool readKey(const std::string& text, InputEvent& event) {
  event.kind = InputEvent::Kind::kKey;
  std::string rest = lowered(text);
  for (const auto& [prefix, flag] :
       {std::pair{"ctrl+", &InputEvent::ctrl}, std::pair{"shift+", &InputEvent::shift},
        std::pair{"alt+", &InputEvent::alt}}) {
    if (rest.rfind(prefix, 0) == 0) {
      event.*flag = true;
      rest = rest.substr(std::string(prefix).size());
    }
  }
  if (rest.size() == 1 && std::isgraph(static_cast<unsigned char>(rest[0])) != 0) {
    event.key = std::toupper(static_cast<unsigned char>(rest[0]));
    return true;
  }
  for (const auto& [name, key] : kKeyNames) {
    if (rest == name) {
      event.key = key;
      return true;
    }
  }
  return false;
}

int buttonOf(const Json& line, const std::string& where) {
  if (!line.contains("button")) return 0;
  const Json& button = line["button"];
  if (button.is_number_integer() && button >= 0 && button <= 2) return button;
  for (int i = 0; i < 3; ++i) {
    if (button == kButtonNames[static_cast<std::size_t>(i)]) return i;
  }
  fail(ErrorKind::kInput, where, ": \"button\" is ", button.dump(),
       "; it is \"left\", \"right\" or \"middle\"");
}

InputEvent recordedEvent(const Json& line, const std::string& where) {
  InputEvent event;
  const std::string name = line.at("event");
  const auto* const kind = std::find_if(kEventNames.begin(), kEventNames.end(),
                                        [&](const auto& entry) { return name == entry.first; });
  if (kind == kEventNames.end()) {
    fail(ErrorKind::kInput, where, ": there is no event \"", name,
         "\"; there are move, button, wheel, key, text, drop, resize and close");
  }
  event.kind = kind->second;
  event.x = line.value("x", 0.0F);
  event.y = line.value("y", 0.0F);
  event.button = buttonOf(line, where);
  event.down = line.value("down", false);
  event.key = line.value("key", 0);
  event.ctrl = line.value("ctrl", false);
  event.shift = line.value("shift", false);
  event.alt = line.value("alt", false);
  event.text = line.value("text", std::string());
  event.paths = line.value("paths", std::vector<std::string>());
  return event;
}

ScriptStep stepOf(const Json& line, const std::string& where) {
  ScriptStep step;
  step.where = where;
  step.event.ctrl = line.value("ctrl", false);
  step.event.shift = line.value("shift", false);
  if (line.contains("event")) {
    step.event = recordedEvent(line, where);
    step.frame = line.value("frame", 0);
  } else if (line.contains("click")) {
    step.kind = ScriptStep::Kind::kClick;
    step.widget = line["click"];
    step.event.button = buttonOf(line, where);
    step.clicks = line.value("double", false) ? 2 : 1;
  } else if (line.contains("tab")) {
    step.kind = ScriptStep::Kind::kClick;
    step.widget = "tab/" + line["tab"].get<std::string>();
  } else if (line.contains("drag")) {
    step.kind = ScriptStep::Kind::kDrag;
    step.widget = line["drag"];
    step.event.button = buttonOf(line, where);
    step.from = line.value("from", 0.0F);
    step.to = line.at("to");
  } else if (line.contains("type")) {
    step.kind = ScriptStep::Kind::kType;
    step.widget = line["type"];
    step.text = line.at("text");
  } else if (line.contains("key")) {
    step.kind = ScriptStep::Kind::kKey;
    const std::string name = line["key"];
    step.event = {};
    if (!readKey(name, step.event)) {
      fail(ErrorKind::kInput, where, ": there is no key \"", name,
           "\"; keys are letters, digits, f1 to f12, space, enter, escape, tab, left, right, up, down, home, "
           "end, pageup, pagedown, insert, delete, backspace, led by ctrl+, shift+ or alt+");
    }
  } else if (line.contains("wait")) {
    step.kind = ScriptStep::Kind::kWait;
    const Json& wait = line["wait"];
    if (wait.is_number_integer() && wait > 0) {
      step.wait_frames = wait;
    } else if (wait != "job") {
      fail(ErrorKind::kInput, where, ": \"wait\" is ", wait.dump(),
           "; it is a number of frames from 1, or \"job\"");
    }
  } else if (line.contains("screenshot")) {
    step.kind = ScriptStep::Kind::kScreenshot;
    step.path = line["screenshot"].get<std::string>();
  } else if (line.contains("open")) {
    step.kind = ScriptStep::Kind::kOpen;
    step.path = line["open"].get<std::string>();
  } else {
    fail(
        ErrorKind::kInput, where,
        ": says nothing to do; a step has one of event, click, tab, drag, type, key, wait, screenshot, open");
  }
  return step;
}

InputEvent moveTo(float x, float y) {
  InputEvent event;
  event.x = x;
  event.y = y;
  return event;
}

InputEvent buttonEvent(const ScriptStep& step, bool down) {
  InputEvent event;
  event.kind = InputEvent::Kind::kButton;
  event.button = step.event.button;
  event.down = down;
  event.ctrl = step.event.ctrl;
  event.shift = step.event.shift;
  return event;
}

InputEvent keyEvent(int key, bool down, bool ctrl = false) {
  InputEvent event;
  event.kind = InputEvent::Kind::kKey;
  event.key = key;
  event.down = down;
  event.ctrl = ctrl;
  return event;
}

}  // namespace

std::vector<ScriptStep> parseScript(const std::string& text, const std::string& source) {
  std::vector<ScriptStep> steps;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const std::size_t start = line.find_first_not_of(" \t\r");
    if (start == std::string::npos || line[start] == '#') continue;
    const std::string where = source + ":" + std::to_string(number);
    try {
      const Json json = Json::parse(line);
      if (!json.is_object()) fail(ErrorKind::kInput, where, ": a step is a JSON object, {\"click\": …}");
      steps.push_back(stepOf(json, where));
    } catch (const Json::exception& error) {
      fail(ErrorKind::kInput, where, ": is no step of a script: ", error.what());
    }
  }
  return steps;
}

std::vector<ScriptStep> readScript(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) fail(ErrorKind::kInput, path.string(), ": cannot be read as a script");
  return parseScript(text.str(), path.string());
}

ScriptPlayer::ScriptPlayer(std::vector<ScriptStep> steps) : steps_(std::move(steps)) {}

bool ScriptPlayer::finished() const { return step_ >= steps_.size() && next_coming_ >= coming_.size(); }

const WidgetRect* ScriptPlayer::findWidget(const ScriptStep& step, const WidgetRects& widgets,
                                           Output& output) {
  const auto found = widgets.find(step.widget);
  if (found != widgets.end() && found->second.scroll == 0) return &found->second;
  if (++waited_frames_ > kFramesToAppear) {
    fail(ErrorKind::kInput, step.where, ": the widget \"", step.widget, "\" ",
         found == widgets.end() ? "has not appeared" : "cannot be scrolled to", " within ", kFramesToAppear,
         " frames; is its tab, menu or section open?");
  }
  if (found != widgets.end()) {
    output.events.push_back(moveTo(found->second.panel_x, found->second.panel_y));
    InputEvent wheel;
    wheel.kind = InputEvent::Kind::kWheel;
    wheel.y = static_cast<float>(found->second.scroll);
    output.events.push_back(wheel);
  }
  return nullptr;
}

void ScriptPlayer::startStep(const ScriptStep& step, const WidgetRect& widget) {
  const float x = widget.x + widget.width / 2, y = widget.y + widget.height / 2;
  const auto frame = [this](std::vector<InputEvent> events) { coming_.push_back(std::move(events)); };
  switch (step.kind) {
    case ScriptStep::Kind::kClick:
      frame({moveTo(x, y)});
      for (int i = 0; i < step.clicks; ++i) {
        frame({buttonEvent(step, true)});
        frame({buttonEvent(step, false)});
      }
      break;
    case ScriptStep::Kind::kDrag:
      frame({moveTo(widget.x + step.from * widget.width, y)});
      frame({buttonEvent(step, true)});
      for (int i = 1; i <= kDragFrames; ++i) {
        const float share = step.from + (step.to - step.from) * static_cast<float>(i) / kDragFrames;
        frame({moveTo(widget.x + share * widget.width, y)});
      }
      frame({buttonEvent(step, false)});
      break;
    case ScriptStep::Kind::kType: {
      if (!step.widget.empty()) {
        frame({moveTo(x, y)});
        frame({buttonEvent(step, true)});
        frame({buttonEvent(step, false)});
        frame({keyEvent('A', true, true)});
        frame({keyEvent('A', false)});
      }
      InputEvent text;
      text.kind = InputEvent::Kind::kText;
      text.text = step.text.substr(0, step.text.find('\n'));
      if (text.text.empty()) {
        frame({keyEvent(keys::kDelete, true)});
        frame({keyEvent(keys::kDelete, false)});
      } else {
        frame({text});
      }
      if (step.text.find('\n') != std::string::npos) {
        frame({keyEvent(keys::kEnter, true)});
        frame({keyEvent(keys::kEnter, false)});
      }
      break;
    }
    case ScriptStep::Kind::kKey: {
      InputEvent down = step.event;
      down.down = true;
      frame({down});
      frame({keyEvent(step.event.key, false)});  // Ctrl, Shift and Alt are let go, too
      break;
    }
    case ScriptStep::Kind::kOpen: {
      InputEvent drop;
      drop.kind = InputEvent::Kind::kDrop;
      drop.paths = {step.path.string()};
      frame({drop});
      break;
    }
    case ScriptStep::Kind::kEvent:
    case ScriptStep::Kind::kWait:
    case ScriptStep::Kind::kScreenshot:
      break;
  }
  for (int i = 0; i < kSettleFrames; ++i) frame({});
}

ScriptPlayer::Output ScriptPlayer::next(const WidgetRects& widgets, bool job_running) {
  Output output;
  const int frame = frame_++;
  if (next_coming_ < coming_.size()) {
    output.events = coming_[next_coming_++];
    return output;
  }
  coming_.clear();
  next_coming_ = 0;
  while (step_ < steps_.size() && steps_[step_].kind == ScriptStep::Kind::kEvent &&
         steps_[step_].frame <= frame) {
    output.events.push_back(steps_[step_++].event);
  }
  if (!output.events.empty() || step_ >= steps_.size()) return output;

  const ScriptStep& step = steps_[step_];
  switch (step.kind) {
    case ScriptStep::Kind::kEvent:
      return output;
    case ScriptStep::Kind::kWait:
      if (step.wait_frames > 0 ? ++waited_frames_ < step.wait_frames : job_running) return output;
      break;
    case ScriptStep::Kind::kScreenshot:
      output.screenshots.push_back(step.path);
      break;
    case ScriptStep::Kind::kKey:
    case ScriptStep::Kind::kOpen:
      startStep(step, {});
      break;
    case ScriptStep::Kind::kType:
    case ScriptStep::Kind::kClick:
    case ScriptStep::Kind::kDrag: {
      const bool needs_widget = !step.widget.empty();
      const WidgetRect* widget = needs_widget ? findWidget(step, widgets, output) : nullptr;
      if (needs_widget && widget == nullptr) return output;
      startStep(step, widget != nullptr ? *widget : WidgetRect{});
      break;
    }
  }
  ++step_;
  waited_frames_ = 0;
  if (!coming_.empty()) output.events = coming_[next_coming_++];
  return output;
}

ScriptRecorder::ScriptRecorder(const std::filesystem::path& path) : path_(path), file_(path) {
  if (!file_) fail(ErrorKind::kRuntime, path.string(), ": the recording cannot be written there");
}

void ScriptRecorder::add(int frame, const InputEvent& event) {
  using Kind = InputEvent::Kind;
  // Side buttons mean nothing here, and have no name in a script.
  const int num_buttons = static_cast<int>(kButtonNames.size());
  if (event.kind == Kind::kButton && (event.button < 0 || event.button >= num_buttons)) return;
  Json line = {{"frame", frame}};
  for (const auto& [name, kind] : kEventNames) {
    if (kind == event.kind) line["event"] = name;
  }
  if (event.kind == Kind::kMove || event.kind == Kind::kWheel || event.kind == Kind::kResize) {
    line["x"] = event.x;
    line["y"] = event.y;
  }
  if (event.kind == Kind::kButton) line["button"] = kButtonNames.at(static_cast<std::size_t>(event.button));
  if (event.kind == Kind::kButton || event.kind == Kind::kKey) {
    line["down"] = event.down;
    if (event.ctrl) line["ctrl"] = true;
    if (event.shift) line["shift"] = true;
    if (event.alt) line["alt"] = true;
  }
  if (event.kind == Kind::kKey) line["key"] = event.key;
  if (event.kind == Kind::kText) line["text"] = event.text;
  if (event.kind == Kind::kDrop) line["paths"] = event.paths;
  file_ << line.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  if (!file_)
    fail(ErrorKind::kRuntime, path_.string(), ": the recording cannot be written on; is the disk full?");
}

}  // namespace facet
