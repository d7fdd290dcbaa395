#include <cmath>

#include "viewer/panels/panel.h"
#include "viewer/panels/picture_panel.h"
#include "viewer/panels/shape_panel.h"
#include "viewer/panels/widgets.h"

namespace facet {
namespace {

bool item(const std::string& name, const char* label, const char* key, bool possible = true) {
  const bool chosen = ImGui::MenuItem(label, key, false, possible);
  markWidget("menu/" + name);
  return chosen;
}

void check(const std::string& name, const char* label, const char* key, bool& value, bool possible = true) {
  ImGui::MenuItem(label, key, &value, possible);
  markWidget("menu/" + name);
}

// The title is marked from before the menu opens: within an open one other items follow.
bool menu(const std::string& label) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  markRect("menu/" + label, at,
           {at.x + ImGui::CalcTextSize(label.c_str()).x, at.y + ImGui::GetFrameHeight()});
  return ImGui::BeginMenu(label.c_str());
}

std::string withThousands(long number) {
  std::string digits = std::to_string(number);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

void fileMenu(PanelContext& context) {
  Scene& scene = context.scene;
  const Subject* subject = scene.subject();
  const bool has_head = subject != nullptr && subject->head != nullptr;
  PanelState& state = context.state;
  if (!menu("File")) return;
  if (item("File/Open", "Open…", "Ctrl+O")) askToOpen(context);
  if (ImGui::BeginMenu("Open recent", !context.actions.recent.empty())) {
    const std::vector<std::filesystem::path> recent = context.actions.recent;
    for (std::size_t i = 0; i < recent.size() && i < 12; ++i) {
      if (ImGui::MenuItem((recent[i].string() + "##" + std::to_string(i)).c_str())) {
        context.call(context.actions.open, recent[i]);
      }
      markWidget("menu/File/Recent/" + std::to_string(i + 1));
    }
    ImGui::EndMenu();
  } else {
    markWidget("menu/File/Recent");
  }
  if (item("File/Demo", "Built-in head", "")) context.call(context.actions.open_demo);
  if (item("File/Scan", "Open a scan to compare with…", "")) askToOpenScan(context);
  ImGui::Separator();
  const std::string nothing_to_save = nothingToSave(subject);
  if (item("File/Save", "Save the result…", "Ctrl+S", nothing_to_save.empty())) askToSaveResult(context);
  tip(nothing_to_save);
  if (item("File/Export", "Export…", "Ctrl+E", has_head)) state.wanted_tab = "export";
  if (item("File/Picture", "Save a picture…", "F12")) askToSavePicture(context);
  if (item("File/Turntable", "Save a turntable…", "", has_head)) askToSaveTurntable(context);
  ImGui::Separator();
  if (item("File/SaveParameters", "Save parameters…", "", has_head)) askToSaveParameters(context);
  if (item("File/LoadParameters", "Load parameters…", "", has_head)) askToLoadParameters(context);
  ImGui::Separator();
  if (item("File/Close", "Close", "Ctrl+W", scene.current >= 0)) closeSubject(context, scene.current);
  if (item("File/Quit", "Quit", "Ctrl+Q")) quit(context);
  ImGui::EndMenu();
}

void editMenu(PanelContext& context) {
  const Subject* subject = context.scene.subject();
  const bool has_head = subject != nullptr && subject->head != nullptr;
  PanelState& state = context.state;
  if (!menu("Edit")) return;
  if (item("Edit/Undo", "Undo", "Ctrl+Z", state.undo.canUndo())) state.undo.undo();
  if (item("Edit/Redo", "Redo", "Ctrl+Y", state.undo.canRedo())) state.undo.redo();
  ImGui::Separator();
  if (item("Edit/Copy", "Copy parameters", "Ctrl+C", has_head)) ShapePanel::copy(context);
  if (item("Edit/Paste", "Paste parameters", "Ctrl+V", has_head)) ShapePanel::paste(context);
  ImGui::Separator();
  if (item("Edit/CopyCamera", "Copy camera and look", "")) copyCamera(context);
  if (item("Edit/PasteCamera", "Paste camera and look", "")) pasteCamera(context);
  ImGui::EndMenu();
}

void viewMenu(PanelContext& context) {
  Scene& scene = context.scene;
  const Subject* subject = scene.subject();
  ViewSettings& view = scene.view;
  PanelState& state = context.state;
  if (!menu("View")) return;
  if (item("View/Fit", "Fit into the picture", "F", subject != nullptr)) frameSubject(context);
  check("View/Through", "Through the photo", "0", view.through_photo,
        subject != nullptr && hasPhotoCamera(*subject));
  check("View/Orthographic", "Orthographic", "5", scene.camera.orthographic);
  ImGui::Separator();
  check("View/Wireframe", "Wireframe", "W", view.wireframe);
  check("View/Landmarks", "Landmarks", "X", view.landmarks);
  const std::string no_uncertainty = noUncertainty(subject);
  check("View/Uncertainty", "Uncertainty", "", view.uncertainty, no_uncertainty.empty());
  tip(no_uncertainty);
  check("View/Grid", "Floor grid", "", view.grid);
  check("View/Axes", "Axes", "", view.axes);
  ImGui::Separator();
  check("View/Panels", "Panels", "Tab", state.panels_visible);
  if (item("View/Defaults", "All as at the start", "")) {
    view = {};
    scene.camera = {};
    scene.frameCamera();
  }
  ImGui::EndMenu();
}

}  // namespace

void drawMenuBar(PanelContext& context) {
  Scene& scene = context.scene;
  PanelState& state = context.state;
  if (!ImGui::BeginMenuBar()) return;
  fileMenu(context);
  editMenu(context);
  viewMenu(context);
  if (menu("Help")) {
    check("Help/Keys", "Keys and mouse", "H", state.help_open);
    check("Help/About", "About facet-view", "", state.about_open);
    ImGui::EndMenu();
  }
  if (scene.subject() != nullptr) {
    const std::string title = scene.subject()->name + (hasUnsavedWork(*scene.subject()) ? " *" : "");
    const float width = ImGui::CalcTextSize(title.c_str()).x;
    const float middle = (ImGui::GetWindowWidth() - width) / 2;
    if (middle > ImGui::GetCursorPosX() + px(16)) {
      ImGui::SetCursorPosX(middle);
      dimText(title);
    }
  }
  ImGui::EndMenuBar();
}

void drawStatusBar(PanelContext& context) {
  Scene& scene = context.scene;
  const float gap = px(18);
  const float right = ImGui::GetContentRegionMax().x;
  char text[96];
  if (context.state.frame_time_s > 0) {
    const double ms = context.state.frame_time_s * 1000;
    std::snprintf(text, sizeof text, "%.1f ms", ms);
    dimText(text);
    std::string told = "What the last picture took";
    if (!context.state.backend.empty()) told.append("\n").append(context.state.backend);
    tip(told);
    ImGui::SameLine(0, gap);
  }
  Subject* subject = scene.subject();
  if (subject != nullptr && subject->head) {
    const MorphableModel& model = subject->head->model();
    dimText(withThousands(model.numVertices()) + " vertices   " + withThousands(model.triangles.rows()) +
            " triangles");
    ImGui::SameLine(0, gap);
    if (!scene.picks.empty()) {
      const Pick& pick = scene.picks.back();
      std::string told = "vertex " + std::to_string(pick.vertex);
      if (!pick.region.empty()) told.append("   ").append(pick.region);
      if (pick.uv) {
        std::snprintf(text, sizeof text, "   UV %.3f %.3f", static_cast<double>(pick.uv->x()),
                      static_cast<double>(pick.uv->y()));
        told += text;
      }
      if (scene.picks.size() == 2) {
        const Points3& vertices = subject->head->vertices();
        std::snprintf(text, sizeof text, "   distance %.2f mm",
                      static_cast<double>((scene.picks[0].positionOn(vertices, model.triangles) -
                                           scene.picks[1].positionOn(vertices, model.triangles))
                                              .norm()));
        told += text;
      }
      ImGui::TextUnformatted(told.c_str());
      ImGui::SameLine(0, gap);
    }
  }
  if (context.state.last_action_s < 2.5) {
    ImGui::PushStyleColor(ImGuiCol_Text, theme::kAccent);
    ImGui::TextUnformatted(context.state.last_action.c_str());
    ImGui::PopStyleColor();
    ImGui::SameLine(0, gap);
  }
  const JobState& job = scene.job;
  if (job.running) {
    std::string told = job.title;
    if (!job.stage.empty()) told.append(": ").append(job.stage);
    if (job.done >= 0) told.append("  ").append(std::to_string(std::lround(job.done * 100))).append(" %");
    shortenedText(told, std::max(px(40), right - ImGui::GetCursorPosX() - px(90)));
    ImGui::SameLine();
  }
  const char* help = "H: help";
  ImGui::SameLine(std::max(ImGui::GetCursorPosX(), right - ImGui::CalcTextSize(help).x));
  dimText(help);
  if (ImGui::IsItemClicked()) context.state.help_open = !context.state.help_open;
  markWidget("status/help");
}

}  // namespace facet
