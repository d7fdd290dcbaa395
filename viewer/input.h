#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace facet {

// Keys as GLFW numbers them (GLFW_KEY_…); letters and digits are their capital's ASCII code.
namespace keys {
inline constexpr int kSpace = 32, kSlash = 47, kEscape = 256, kEnter = 257, kTab = 258, kBackspace = 259,
                     kInsert = 260, kDelete = 261, kRight = 262, kLeft = 263, kDown = 264, kUp = 265,
                     kPageUp = 266, kPageDown = 267, kHome = 268, kEnd = 269, kF1 = 290, kF6 = 295,
                     kF12 = 301, kKeypadEnter = 335, kLeftShift = 340, kLeftControl = 341, kLeftAlt = 342,
                     kRightShift = 344, kRightControl = 345, kRightAlt = 346, kCount = 512;
}  // namespace keys

// What comes from mouse and keyboard, whoever sends it: a window, a test, a recording.
struct InputEvent {
  enum class Kind { kMove, kButton, kWheel, kKey, kText, kDrop, kResize, kClose };
  Kind kind = Kind::kMove;
  float x = 0, y = 0;  // kMove: pixels of the window; kWheel: clicks; kResize: size
  int button = 0;      // kButton: 0 left, 1 right, 2 middle
  bool down = false;   // kButton, kKey
  int key = 0;         // kKey: as GLFW numbers them (GLFW_KEY_…)
  bool ctrl = false, shift = false, alt = false;
  std::string text;                // kText: UTF-8
  std::vector<std::string> paths;  // kDrop
};

// Where the widgets of the last picture lie, by name ("shape/jawOpen", "menu/File"): panels say so as they
// draw (see markWidget() in panels/widgets.h), so that scripts and tests can speak of widgets, not of pixels.
struct WidgetRect {
  float x = 0, y = 0, width = 0, height = 0;
  // A widget that is scrolled out of its panel: the wheel's clicks go the way of `scroll` (+1 or -1) over
  // this point of the panel until it shows; 0 = it can be seen.
  int scroll = 0;
  float panel_x = 0, panel_y = 0;
};
using WidgetRects = std::map<std::string, WidgetRect>;

// One line of a script: at that frame or later, do that.
struct ScriptStep {
  enum class Kind {
    kEvent,       // a recorded InputEvent
    kClick,       // on a widget
    kDrag,        // from one share of a widget's width to another: a slider
    kType,        // text into a widget
    kKey,         // press and release
    kWait,        // frames, or until no job runs
    kScreenshot,  // of the window, into a file
    kOpen         // a file, as if dropped
  };
  Kind kind = Kind::kEvent;
  int frame = 0;     // of kEvent: since the start
  InputEvent event;  // of kEvent; kKey: key, ctrl, shift, alt; kClick and kType: button, ctrl, shift
  std::string widget, text;
  std::filesystem::path path;
  float from = 0, to = 0;
  int clicks = 1;       // of kClick: 2 = a double click
  int wait_frames = 0;  // 0 = until no job runs
  std::string where;    // "session.jsonl:12", for messages
};

// Scripts are JSON lines, one step each; empty lines and lines that start with # are skipped:
//   {"frame": 12, "event": "move", "x": 410, "y": 220}       recorded
//   {"click": "view/wireframe"}   {"click": "shape/jawOpen", "button": "right"}
//       with "double", "ctrl" or "shift": true
//   {"drag": "shape/jawOpen", "from": 0, "to": 0.8}          shares of the widget's width
//   {"key": "h"}   {"key": "ctrl+q"}   {"key": "f12"}         a letter, digit or name: space, left, escape, …
//   {"type": "shape/filter", "text": "jaw"}                  clicks, replaces what stands there
//   {"type": "shape/jawOpen", "text": "0.5\n", "ctrl": true}  a slider's number; \n presses Enter
//   {"tab": "shape"}                                         clicks "tab/shape", a tab of the right panel
//   {"wait": 3}   {"wait": "job"}   {"screenshot": "a.png"}   {"open": "portrait.jpg"}
// A widget that is scrolled out of its panel is scrolled into it first; one in a closed tab, menu or section
// has to be opened by the script, and sliders below those that are shown come by "shape/filter".
// Error(kInput) naming file and line.
std::vector<ScriptStep> readScript(const std::filesystem::path& path);
// Of a script's text; `source` leads messages.
std::vector<ScriptStep> parseScript(const std::string& text, const std::string& source);

// Plays a script: gives the events of each frame.
class ScriptPlayer {
 public:
  explicit ScriptPlayer(std::vector<ScriptStep> steps);

  struct Output {
    std::vector<InputEvent> events;
    std::vector<std::filesystem::path> screenshots;  // to take of the frame that shows these events
  };
  // Of the next frame. Widgets are those of the last picture. Error(kInput) naming the line when a widget
  // does not appear within 60 frames.
  Output next(const WidgetRects& widgets, bool job_running);
  bool finished() const;

 private:
  void startStep(const ScriptStep& step, const WidgetRect& widget);
  // Where the step's widget lies, when it can be seen; nothing while it is awaited or scrolled to.
  const WidgetRect* findWidget(const ScriptStep& step, const WidgetRects& widgets, Output& output);

  std::vector<ScriptStep> steps_;
  std::size_t step_ = 0;
  int frame_ = 0;
  int waited_frames_ = 0;
  // What is left of the step that is being done: the events of each of the coming frames.
  std::vector<std::vector<InputEvent>> coming_;
  std::size_t next_coming_ = 0;
};

// Writes what is played as a script that repeats it, one line per event, as it happens.
class ScriptRecorder {
 public:
  // Error(kRuntime) when the file cannot be written.
  explicit ScriptRecorder(const std::filesystem::path& path);
  void add(int frame, const InputEvent& event);

 private:
  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace facet
