#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "viewer/panels/key_tables.h"
#include "viewer/panels/panel.h"
#include "viewer/panels/widgets.h"

namespace facet {
namespace {

struct Line {
  std::string key, told;
};
const std::array kMouse = {Line{"left drag", "turn the head"},
                           Line{"right drag", "move it; Shift + left, too"}, Line{"wheel", "nearer, farther"},
                           Line{"click", "ask for a point; two measure"},
                           Line{"double click", "look at that point"}};
const std::array kCamera = {Line{"F", "fit the head or face"}, Line{"R", "reset the camera"},
                            Line{"0", "through the photo"}, Line{"5", "without perspective"}};
const std::array kLook = {Line{"M", "the next of these"}, Line{"W", "wireframe"}, Line{"X", "landmarks"},
                          Line{"L", "the next light"}, Line{"V", "the next comparison"}};
const std::array kWork = {Line{"Ctrl O", "open a file"},
                          Line{"Ctrl S", "save the result"},
                          Line{"Ctrl E", "export: show, then do"},
                          Line{"Ctrl Z  Y", "undo, redo"},
                          Line{"Ctrl C  V", "copy, paste sliders"},
                          Line{"F12", "save a picture"},
                          Line{"Tab", "hide the panels"},
                          Line{"F6", "keyboard to the panels"},
                          Line{"Esc", "close, cancel"},
                          Line{"Ctrl W  Q", "close, quit"}};
const std::array kClip = {Line{"Space", "play, pause"}, Line{"Left Right", "one frame"},
                          Line{"Home End", "first, last frame"}};
const std::array kSliders = {Line{"Ctrl + click", "type a value"}, Line{"right click", "reset one"},
                             Line{"filter box", "find by name"}};

// Entries of key_tables.h, so many in each line.
template <typename Entry, std::size_t N>
std::vector<Line> keyLines(const std::array<Entry, N>& entries, std::initializer_list<int> in_line) {
  std::vector<Line> result;
  auto entry = entries.begin();
  for (const int count : in_line) {
    Line line;
    for (int i = 0; i < count && entry != entries.end(); ++i, ++entry) {
      if (i > 0) {
        line.key += "  ";
        line.told += ", ";
      }
      line.key += entry->key;
      line.told += entry->told;
    }
    result.push_back(std::move(line));
  }
  return result;
}

template <std::size_t N>
std::vector<Line> joined(std::vector<Line> first, const std::array<Line, N>& then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

template <typename Lines>
void lines(const char* heading, const Lines& content, float key_width) {
  ImGui::PushStyleColor(ImGuiCol_Text, theme::kAccent);
  ImGui::TextUnformatted(heading);
  ImGui::PopStyleColor();
  const float start = ImGui::GetCursorPosX();
  for (const Line& line : content) {
    ImGui::TextUnformatted(line.key.c_str());
    ImGui::SameLine();
    ImGui::SetCursorPosX(start + key_width);  // within a column, SameLine() counts from the column
    dimText(line.told);
  }
  ImGui::Dummy({0, px(4)});
}

// A window in the middle that closes when anything beside it is clicked.
bool beginSheet(const char* name, float width) {
  const ImVec2 window = ImGui::GetIO().DisplaySize;
  const float width_px = std::min(px(width), window.x - px(24));
  ImGui::SetNextWindowPos({window.x / 2, window.y / 2}, ImGuiCond_Always, {0.5F, 0.5F});
  ImGui::SetNextWindowSizeConstraints({width_px, 0}, {width_px, window.y - px(24)});
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {px(24), px(20)});
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, px(4));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 1);
  ImGui::PushStyleColor(ImGuiCol_WindowBg, theme::rgb(0x26282B));
  return ImGui::Begin(name, nullptr,
                      ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoMove |
                          ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_AlwaysAutoResize);
}

void endSheet() {
  ImGui::End();
  ImGui::PopStyleColor();
  ImGui::PopStyleVar(3);
}

bool clickedBeside() {
  return ImGui::IsMouseClicked(0) &&
         !ImGui::IsWindowHovered(ImGuiHoveredFlags_RootAndChildWindows |
                                 ImGuiHoveredFlags_AllowWhenBlockedByActiveItem) &&
         !ImGui::IsWindowAppearing();
}

void title(const char* text) {
  ImGui::PushFont(drawStyle().fonts.title);
  ImGui::TextUnformatted(text);
  ImGui::PopFont();
}

// A modal question; what was answered, if anything was.
enum class Answer { kNone, kKeep, kSave, kGoOn };
struct Question {
  const char* id;  // leads the names of its buttons
  const char* popup;
  std::string text;
  const char *keep, *go_on, *save_tip;
  bool can_save = false;
};

Answer drawQuestion(const Question& question) {
  if (!ImGui::IsPopupOpen(question.popup)) ImGui::OpenPopup(question.popup);
  const ImVec2 window = ImGui::GetIO().DisplaySize;
  ImGui::SetNextWindowPos({window.x / 2, window.y / 2}, ImGuiCond_Always, {0.5F, 0.5F});
  ImGui::SetNextWindowSize({px(420), 0});
  if (!ImGui::BeginPopupModal(
          question.popup, nullptr,
          ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings))
    return Answer::kNone;
  ImGui::PushTextWrapPos(0);
  ImGui::TextUnformatted(question.text.c_str());
  ImGui::PopTextWrapPos();
  ImGui::Dummy({0, px(6)});
  const std::string id = question.id;
  const int buttons = question.can_save ? 3 : 2;
  const float gaps = static_cast<float>(buttons - 1) * ImGui::GetStyle().ItemSpacing.x;
  const float width = std::floor((ImGui::GetContentRegionAvail().x - gaps) / static_cast<float>(buttons));
  Answer answer = Answer::kNone;
  if (button(id + "/stay", question.keep, width, true) ||
      ImGui::IsKeyPressed(ImGui::GetKeyIndex(ImGuiKey_Escape), false))
    answer = Answer::kKeep;
  if (question.can_save) {
    ImGui::SameLine();
    if (button(id + "/save", "Save…", width)) answer = Answer::kSave;
    tip(question.save_tip);
  }
  ImGui::SameLine();
  if (button(id + "/" + id, question.go_on, width)) answer = Answer::kGoOn;
  if (answer != Answer::kNone) ImGui::CloseCurrentPopup();
  ImGui::EndPopup();
  return answer;
}

// "portrait.jpg has been changed and not exported."
std::string whatIsLost(const Subject& subject) {
  return subject.name +
         (subject.unsaved ? " has not been saved or exported yet." : " has been changed and not exported.");
}

// Shows it and asks for a place for what is new in it.
void saveWork(PanelContext& context, int index) {
  Scene& scene = context.scene;
  if (index != scene.current) scene.show(index);
  if (scene.subject()->unsaved) {
    askToSaveResult(context);
  } else {
    askToSaveParameters(context);
  }
}

}  // namespace

void drawHelp(PanelContext& context) {
  if (!context.state.help_open) return;
  if (beginSheet("##help", 920)) {
    title("Keys and mouse");
    ImGui::SameLine(ImGui::GetContentRegionMax().x - ImGui::GetFrameHeight());
    if (iconButton("help/close", Icon::kClose, "Close (H or Esc)")) context.state.help_open = false;
    ImGui::Dummy({0, px(6)});
    ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {px(8), px(5)});
    if (ImGui::BeginTable("##columns", 3, ImGuiTableFlags_SizingStretchSame)) {
      ImGui::TableNextColumn();
      lines("Mouse in the picture", kMouse, px(100));
      lines("Camera", joined(keyLines(kPresets, {2, 2, 2}), kCamera), px(100));
      ImGui::TableNextColumn();
      lines("Look", joined(keyLines(kModes, {3, 3, 2, 2, 1}), kLook), px(68));
      lines("Clip", kClip, px(92));
      ImGui::TableNextColumn();
      lines("Work", kWork, px(92));
      lines("Sliders", kSliders, px(100));
      ImGui::EndTable();
    }
    ImGui::PopStyleVar();
    dimTextWrapped(
        "Let the mouse rest on a control and its term is explained. "
        "With F6 the arrow keys move from control to control, Enter or Space presses, Esc goes back to the "
        "picture. Left and right sides are the subject's own.");
    if (clickedBeside()) context.state.help_open = false;
  }
  endSheet();
}

void drawAbout(PanelContext& context) {
  if (!context.state.about_open) return;
  if (beginSheet("##about", 520)) {
    title("facet-view");
    ImGui::SameLine(ImGui::GetContentRegionMax().x - ImGui::GetFrameHeight());
    if (iconButton("about/close", Icon::kClose, "Close")) context.state.about_open = false;
    dimTextWrapped("From photographs of a face to a 3D face an animation pipeline can use.");
    ImGui::Dummy({0, px(8)});
    ImGui::PushTextWrapPos(0);
    ImGui::TextUnformatted(
        "The built-in head and networks were made for this project. "
        "Heads of other models are under the licence of their model, which the Info tab shows and every "
        "export carries.");
    ImGui::Dummy({0, px(4)});
    ImGui::TextUnformatted("Drawn with Dear ImGui (MIT) and GLFW (zlib licence).");
    ImGui::PopTextWrapPos();
    if (!context.state.backend.empty()) {
      ImGui::Dummy({0, px(4)});
      dimTextWrapped(context.state.backend);
    }
    if (clickedBeside()) context.state.about_open = false;
  }
  endSheet();
}

void drawQuitQuestion(PanelContext& context) {
  if (!context.state.asks_to_quit) return;
  Scene& scene = context.scene;
  // The head that is shown, or the first that has something to lose.
  auto lost = std::find_if(scene.subjects.begin(), scene.subjects.end(),
                           [](const auto& subject) { return hasUnsavedWork(*subject); });
  if (scene.subject() != nullptr && hasUnsavedWork(*scene.subject()))
    lost = scene.subjects.begin() + scene.current;
  const bool loses = lost != scene.subjects.end();
  Question question{"quit", "Quit?###quit", "", "Stay", "Quit", "", loses};
  question.text = scene.job.running ? "Work is still running; quitting gives it up."
                  : loses           ? whatIsLost(**lost)
                                    : "Everything is saved.";
  question.save_tip = "Shows the head and asks for a place for it; then quit again.";
  const Answer answer = drawQuestion(question);
  if (answer == Answer::kNone) return;
  context.state.asks_to_quit = false;
  if (answer == Answer::kSave) saveWork(context, static_cast<int>(lost - scene.subjects.begin()));
  if (answer == Answer::kGoOn) context.call(context.actions.quit);
}

void drawCloseQuestion(PanelContext& context) {
  const std::shared_ptr<Subject> subject = context.state.asks_to_close.lock();
  if (!subject) return;
  Scene& scene = context.scene;
  const auto found = std::find(scene.subjects.begin(), scene.subjects.end(), subject);
  if (found == scene.subjects.end()) {
    context.state.asks_to_close.reset();
    return;
  }
  const int index = static_cast<int>(found - scene.subjects.begin());
  const Answer answer =
      drawQuestion({"close", "Close?###close", whatIsLost(*subject), "Keep", "Close",
                    "Shows the head and asks for a place for it; then close it again.", true});
  if (answer == Answer::kNone) return;
  context.state.asks_to_close.reset();
  if (answer == Answer::kSave) saveWork(context, index);
  if (answer == Answer::kGoOn) scene.close(index);
}

}  // namespace facet
