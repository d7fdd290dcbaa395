#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/io/model_parts.h"
#include "core/io/video_io.h"
#include "viewer/panels/panel.h"
#include "viewer/panels/widgets.h"
#include "viewer/settings_io.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

using Action = std::function<void(const fs::path&)>;

void ask(PanelContext& context, const char* title, const char* confirm, std::vector<std::string> extensions,
         const std::string& suggested, bool must_exist, bool folders, const Action& action) {
  FileBrowser::Request request;
  request.title = title;
  request.confirm = confirm;
  request.extensions = std::move(extensions);
  request.suggested = suggested;
  request.must_exist = must_exist;
  request.folders = folders;
  request.then = [action](const fs::path& path) {
    if (action) action(path);
  };
  context.askFor(std::move(request));
}

std::string nameOfSubject(const PanelContext& context, const std::string& otherwise) {
  const Subject* subject = context.scene.subject();
  if (subject == nullptr || subject->name.empty()) return otherwise;
  return fs::path(subject->name).stem().string();
}

// Photos, clips, takes, meshes, panoramas, and what models come in.
bool isOpenable(const fs::path& path) {
  static const std::set<std::string> kOthers = {".glb", ".gltf", ".obj", ".ply", ".hdr", ".exr",
                                                ".csv", ".json", ".npz", ".npy", ".pkl", ".mat",
                                                ".h5",  ".bin",  ".zip", ".pt"};
  return isImageName(path) || isVideoName(path) || kOthers.count(lowerCase(path.extension().string())) > 0;
}

}  // namespace

void askToOpen(PanelContext& context) {
  FileBrowser::Request request;
  request.title = request.confirm = "Open";
  request.folders = true;
  request.fits = isOpenable;
  request.then = [action = context.actions.open](const fs::path& path) {
    if (action) action(path);
  };
  context.askFor(std::move(request));
}

void askToOpenScan(PanelContext& context) {
  ask(context, "Open a scan", "Open", {".obj", ".ply", ".glb", ".gltf"}, "", true, false,
      context.actions.open_scan);
}

void askToSaveParameters(PanelContext& context) {
  ask(context, "Save the parameters", "Save", {".json"}, nameOfSubject(context, "head") + "_parameters.json",
      false, false, context.actions.save_parameters);
}

void askToLoadParameters(PanelContext& context) {
  ask(context, "Load parameters", "Load", {".json"}, "", true, false, context.actions.load_parameters);
}

void askToSaveResult(PanelContext& context) {
  FileBrowser::Request request;
  request.title = "Save the result as a folder";
  request.confirm = "Save";
  request.suggested = nameOfSubject(context, "face");
  request.must_exist = false;
  request.folders = request.only_folders = true;
  request.note = "The result becomes a folder of this name.";
  request.then = [action = context.actions.save_result](const fs::path& path) {
    if (action) action(path);
  };
  context.askFor(std::move(request));
}

std::string nothingToSave(const Subject* subject) {
  if (subject == nullptr || !subject->head) return "There is no head yet: fit one to a photo.";
  if (subject->unsaved) return {};
  return "There is no new fit to save. Export and Save parameters keep what the sliders made.";
}

std::string noUncertainty(const Subject* subject) {
  if (subject == nullptr || subject->landmarks.ibug68.size() == 0)
    return "No landmarks of a photo are known here.";
  const Eigen::VectorXf& sigma_px = subject->landmarks.ibug68.sigma_px;
  if (sigma_px.size() > 0 && sigma_px.maxCoeff() > 0) return {};
  return "It is not known how sure these landmarks are.";
}

void askToSavePicture(PanelContext& context) {
  ask(context, "Save the picture", "Save", {".png"}, nameOfSubject(context, "view") + ".png", false, false,
      context.actions.save_picture);
}

void askToSaveTurntable(PanelContext& context) {
  ask(context, "Save a turntable", "Save", {".mp4"}, nameOfSubject(context, "turntable") + "_turntable.mp4",
      false, false, context.actions.save_turntable);
}

void quit(PanelContext& context) {
  const bool unsaved = std::any_of(context.scene.subjects.begin(), context.scene.subjects.end(),
                                   [](const auto& subject) { return hasUnsavedWork(*subject); });
  if (unsaved || context.scene.job.running) {
    context.state.asks_to_quit = true;
  } else {
    context.call(context.actions.quit);
  }
}

void closeSubject(PanelContext& context, int index) {
  Scene& scene = context.scene;
  if (index < 0 || index >= static_cast<int>(scene.subjects.size())) return;
  const std::shared_ptr<Subject>& subject = scene.subjects[static_cast<std::size_t>(index)];
  if (hasUnsavedWork(*subject)) {
    context.state.asks_to_close = subject;
  } else {
    scene.close(index);
  }
}

void copyCamera(PanelContext& context) {
  const nlohmann::json json = {{"camera", nlohmann::json::parse(toJson(context.scene.camera))},
                               {"view", nlohmann::json::parse(toJson(context.scene.view))}};
  ImGui::SetClipboardText(json.dump(1).c_str());
  context.scene.say(MessageKind::kInfo, "camera and look copied to the clipboard");
}

void pasteCamera(PanelContext& context) {
  const char* text = ImGui::GetClipboardText();
  const nlohmann::json json = nlohmann::json::parse(text != nullptr ? text : "", nullptr, false);
  if (!json.is_object() || (!json.contains("camera") && !json.contains("view"))) {
    context.scene.say(MessageKind::kError,
                      "the clipboard holds no camera; copy one with Camera, Copy here or in another window");
    return;
  }
  try {
    if (json.contains("camera")) fromJson(json["camera"].dump(), "clipboard", context.scene.camera);
    if (json.contains("view")) fromJson(json["view"].dump(), "clipboard", context.scene.view);
  } catch (const Error& error) {
    context.scene.say(MessageKind::kError, error.what());
  }
}

bool headOrHint(PanelContext& context, const char* what) {
  const Subject* subject = context.scene.subject();
  if (subject != nullptr && subject->head) return true;
  if (subject == nullptr) {
    dimTextWrapped(std::string("Open something to ") + what + ".");
    ImGui::Dummy({0, px(2)});
    if (button(std::string(what) + "/open", "Open…", -FLT_MIN, true)) askToOpen(context);
  } else {
    dimTextWrapped(std::string("There is no head to ") + what +
                   " yet: this is a photo. Fit makes one of it.");
    ImGui::Dummy({0, px(2)});
    if (button(std::string(what) + "/to_fit", "To Fit", -FLT_MIN, true)) context.state.wanted_tab = "fit";
  }
  return false;
}

void PanelContext::frameChanged() const {
  scene.applyFrame();
  if (actions.load_frame_picture) actions.load_frame_picture(scene.timeline.current());
}

void PanelContext::showFrame(int frame) const {
  scene.timeline.seek(frame);
  frameChanged();
}

}  // namespace facet
