#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "viewer/actions.h"
#include "viewer/frame_builder.h"
#include "viewer/panels/file_browser.h"
#include "viewer/panels/layout.h"
#include "viewer/panels/undo.h"
#include "viewer/scene.h"

namespace facet {

// What the panels share beside the scene.
struct PanelState {
  bool panels_visible = true;
  bool help_open = false, about_open = false;
  bool asks_to_quit = false;                  // "there is a fit that was not saved"
  std::weak_ptr<Subject> asks_to_close;       // the same question about one of them
  std::string tab = "shape";                  // of the right panel, that is shown
  std::string wanted_tab;                     // the one to show next; empty = stay
  float left_width = 276, right_width = 336;  // pixels at scale 1
  FileBrowser browser;
  EditUndo undo;
  double frame_time_s = 0;  // of the last picture; 0 = not known
  std::string backend;      // "llvmpipe, OpenGL 4.5"
  std::string last_action;  // what the last key did, in the status bar
  double last_action_s = 1e9;
};

// Given to every panel in every frame.
struct PanelContext {
  Scene& scene;
  Actions& actions;
  const FrameBuilder& builder;
  PanelState& state;
  double seconds = 0;  // since the last frame
  Layout layout;

  // Calls an action that may not be there (a test, a viewer without fitting).
  template <typename... Given, typename... Parts>
  void call(const std::function<void(Given...)>& action, const Parts&... parts) const {
    if (action) action(parts...);
  }
  // A dialog that leads to an action.
  void askFor(FileBrowser::Request request) const { state.browser.ask(std::move(request)); }
  // Another frame of the clip is shown: head and picture follow.
  void frameChanged() const;
  void showFrame(int frame) const;
};

// Each draws into the window or child that is begun around it.
class SubjectsPanel {
 public:
  void draw(PanelContext& context);
};
class ViewPanel {
 public:
  void draw(PanelContext& context);

 private:
  void drawModeDetails(PanelContext& context);
};
class LightPanel {
 public:
  void draw(PanelContext& context);
};
class CameraPanel {
 public:
  void draw(PanelContext& context);
};

// The current subject has no head: says what to do about it. Whether there is one.
bool headOrHint(PanelContext& context, const char* what);

// Dialogs that menus, keys and buttons share.
void askToOpen(PanelContext& context);
void askToOpenScan(PanelContext& context);
void askToSaveParameters(PanelContext& context);
void askToLoadParameters(PanelContext& context);
void askToSaveResult(PanelContext& context);
void askToSavePicture(PanelContext& context);
void askToSaveTurntable(PanelContext& context);
// Quits, or asks first when a fit is not saved or runs, or a head was changed.
void quit(PanelContext& context);
// Closes a subject, or asks first when its work would be lost.
void closeSubject(PanelContext& context, int index);
// Why there is nothing to save as a result; empty = there is.
std::string nothingToSave(const Subject* subject);
// Why no landmark has a standard deviation to show; empty = some have.
std::string noUncertainty(const Subject* subject);
// Camera and view as JSON, to and from the clipboard.
void copyCamera(PanelContext& context);
void pasteCamera(PanelContext& context);

void drawMenuBar(PanelContext& context);
void drawStatusBar(PanelContext& context);
void drawInfoPanel(PanelContext& context);
void drawMessages(PanelContext& context);
void drawHelp(PanelContext& context);
void drawAbout(PanelContext& context);
void drawQuitQuestion(PanelContext& context);
void drawCloseQuestion(PanelContext& context);
// For a newcomer, while nothing is open.
void drawFirstScreen(PanelContext& context);
// Marks over the picture: landmarks, picks, legend, axes, names.
void drawOverlays(PanelContext& context);

}  // namespace facet
