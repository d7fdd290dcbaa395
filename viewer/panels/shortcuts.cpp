#include "viewer/panels/shortcuts.h"

#include "viewer/panels/key_tables.h"
#include "viewer/panels/picture_panel.h"
#include "viewer/panels/shape_panel.h"
#include "viewer/panels/timeline_panel.h"
#include "viewer/settings_io.h"

namespace facet {
namespace {

void tell(PanelContext& context, const std::string& text) {
  context.state.last_action = text;
  context.state.last_action_s = 0;
}

void flip(PanelContext& context, bool& setting, const char* name) {
  setting = !setting;
  tell(context, std::string(name) + (setting ? " on" : " off"));
}

template <typename T>
T next(T value, int count) {
  return static_cast<T>((static_cast<int>(value) + 1) % count);
}

void withCtrl(PanelContext& context, const InputEvent& key, ExportPanel& export_panel) {
  const Subject* subject = context.scene.subject();
  switch (key.key) {
    case 'O':
      askToOpen(context);
      break;
    case 'S':
      if (const std::string nothing = nothingToSave(subject); nothing.empty()) {
        askToSaveResult(context);
      } else {
        tell(context, nothing);
      }
      break;
    case 'E':
      // What would be written is shown before it is.
      if (context.state.panels_visible && context.state.tab == "export") {
        export_panel.run(context);
      } else {
        context.state.panels_visible = true;
        context.state.wanted_tab = "export";
      }
      break;
    case 'Z':
      if (key.shift ? context.state.undo.redo() : context.state.undo.undo())
        tell(context, key.shift ? "redone" : "undone");
      break;
    case 'Y':
      if (context.state.undo.redo()) tell(context, "redone");
      break;
    case 'C':
      ShapePanel::copy(context);
      break;
    case 'V':
      ShapePanel::paste(context);
      break;
    case 'W':
      closeSubject(context, context.scene.current);
      break;
    case 'Q':
      quit(context);
      break;
    default:
      break;
  }
}

void escape(PanelContext& context) {
  PanelState& state = context.state;
  Scene& scene = context.scene;
  if (state.help_open || state.about_open) {
    state.help_open = state.about_open = false;
  } else if (!scene.messages.empty()) {
    scene.messages.pop_back();
  } else if (scene.job.running && !scene.job.cancelling) {
    context.call(context.actions.cancel);
  } else if (!scene.picks.empty()) {
    scene.picks.clear();
  } else if (scene.view.through_photo) {
    scene.view.through_photo = false;
  }
}

// Whether the key belongs to a clip.
bool clipKey(PanelContext& context, int key) {
  Timeline& timeline = context.scene.timeline;
  if (!hasTimeline(context.scene)) return false;
  if (key == keys::kSpace) {
    if (timeline.playing()) {
      timeline.pause();
    } else {
      timeline.play();
    }
  } else if (key == keys::kLeft || key == keys::kRight) {
    timeline.step(key == keys::kLeft ? -1 : 1);
    context.frameChanged();
  } else if (key == keys::kHome || key == keys::kEnd) {
    context.showFrame(key == keys::kHome ? 0 : timeline.numFrames() - 1);
  } else {
    return false;
  }
  return true;
}

}  // namespace

void handleShortcut(PanelContext& context, const InputEvent& key, ExportPanel& export_panel) {
  Scene& scene = context.scene;
  ViewSettings& view = scene.view;
  if (key.key == keys::kF12) {
    askToSavePicture(context);
    return;
  }
  if (key.ctrl) {
    withCtrl(context, key, export_panel);
    return;
  }
  if (key.alt || clipKey(context, key.key)) return;
  for (const ModeEntry& entry : kModes) {
    if (key.key != entry.key) continue;
    view.mode = entry.mode;
    tell(context, nameOf(entry.mode));
    return;
  }
  for (const PresetEntry& entry : kPresets) {
    if (key.key != entry.key) continue;
    lookFrom(scene, entry.preset);
    return;
  }
  switch (key.key) {
    case 'H':
    case keys::kF1:
      context.state.help_open = !context.state.help_open;
      break;
    case 'F':
      frameSubject(context);
      break;
    case 'R':
      scene.camera = {};
      scene.frameCamera();
      framePhoto(context, true);
      break;
    case '0':
      if (scene.subject() != nullptr && hasPhotoCamera(*scene.subject())) {
        flip(context, view.through_photo, "through the photo");
      } else {
        tell(context, "no photo with a fitted camera");
      }
      break;
    case '5':
      flip(context, scene.camera.orthographic, "orthographic");
      break;
    case 'W':
      flip(context, view.wireframe, "wireframe");
      break;
    case 'X':
      flip(context, view.landmarks, "landmarks");
      break;
    case 'M':
      view.mode = next(view.mode, static_cast<int>(kModes.size()));
      tell(context, nameOf(view.mode));
      break;
    case 'L':
      view.light = next(view.light, 3);
      tell(context, std::string("light: ") + nameOf(view.light));
      break;
    case 'V':
      view.compare = next(view.compare, 4);
      tell(context, std::string("compare: ") + nameOf(view.compare));
      break;
    case keys::kTab:
      context.state.panels_visible = !context.state.panels_visible;
      break;
    case keys::kEscape:
      escape(context);
      break;
    default:
      break;
  }
}

}  // namespace facet
