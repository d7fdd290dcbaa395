#include "viewer/panels/key_tables.h"
#include "viewer/panels/panel.h"
#include "viewer/panels/widgets.h"
#include "viewer/settings_io.h"

namespace facet {
namespace {

// Two toggles in one row.
void toggleRow(const char* left_name, const char* left_label, bool& left, const char* left_term,
               const char* right_name, const char* right_label, bool& right, const char* right_term) {
  const float start = ImGui::GetCursorPosX(), half = ImGui::GetContentRegionAvail().x / 2;
  toggle(left_name, left_label, left);
  tipTerm(left_term);
  ImGui::SameLine();
  ImGui::SetCursorPosX(start + half);
  toggle(right_name, right_label, right);
  tipTerm(right_term);
}

// An expression, whatever makes it.
bool isAtRest(const ShapedHead& head) {
  for (const ShapeGroup group : {ShapeGroup::kExpression, ShapeGroup::kShapes, ShapeGroup::kJoints}) {
    if (!head.values(group).isZero(0)) return false;
  }
  return true;
}

}  // namespace

void ViewPanel::drawModeDetails(PanelContext& context) {
  ViewSettings& view = context.scene.view;
  Subject* subject = context.scene.subject();
  const MorphableModel* model = subject != nullptr && subject->head ? &subject->head->model() : nullptr;
  if (view.mode == SurfaceMode::kRegions) {
    std::vector<std::string> names = {"all"};
    if (model != nullptr) names.insert(names.end(), model->region_names.begin(), model->region_names.end());
    if (names.size() == 1) {
      dimTextWrapped("This head's model names no regions.");
      return;
    }
    labelled("Region");
    int chosen = view.region + 1;
    if (combo("view/region", names, chosen)) view.region = chosen - 1;
    tip("The others are dimmed.");
  } else if (view.mode == SurfaceMode::kSkinWeights) {
    if (model == nullptr || !model->skeleton) {
      dimTextWrapped("This head's model has no joints.");
      return;
    }
    labelled("Joint");
    combo("view/joint", model->skeleton->names, view.joint);
  } else if (view.mode == SurfaceMode::kScanError) {
    labelled("Scan");
    if (button("view/open_scan", context.scene.scan ? context.scene.scan_name : "Open a scan…", -FLT_MIN))
      askToOpenScan(context);
    tipTerm("scan");
    // A mesh that is open beside the head may be the scan.
    for (std::size_t i = 0; i < context.scene.subjects.size() && !context.scene.scan; ++i) {
      const Subject& other = *context.scene.subjects[i];
      const bool is_mesh = other.kind == "OBJ" || other.kind == "PLY";
      if (!is_mesh || &other == subject || other.source.empty()) continue;
      labelled("");
      if (button("view/use_scan/" + std::to_string(i + 1), "Use " + other.name, -FLT_MIN))
        context.call(context.actions.open_scan, other.source);
    }
    ImGui::BeginDisabled(!context.scene.scan || subject == nullptr || !subject->head ||
                         context.scene.job.running);
    labelled("");
    const bool measured = context.scene.scan_distance.has_value();
    if (button("view/measure", measured ? "Measure again" : "Measure", -FLT_MIN, !measured))
      context.call(context.actions.measure_scan);
    tip("Aligns the head to the scan and measures the distances anew, after the head has been shaped.");
    ImGui::EndDisabled();
    slider("view/error_range", "Colours up to", view.error_range_mm, {0.5F, 10, 3, "± %.1f", "mm"});
    if (context.scene.scan_distance) {
      const ScanDistance& distance = *context.scene.scan_distance;
      char text[96];
      std::snprintf(text, sizeof text, "%smean %.2f mm, 95 %% below %.2f mm",
                    model != nullptr && model->landmarks68.size() > 0 ? "over the face: " : "",
                    distance.mean_mm, distance.p95_mm);
      dimTextWrapped(text);
      if (distance.scale != 1) {
        std::snprintf(text, sizeof text, "head brought to the scan's size (× %.3f)", distance.scale);
        dimTextWrapped(text);
      }
      if (model != nullptr && !isAtRest(*subject->head)) dimTextWrapped("the head's expression counts too");
      const unsigned revision = subject != nullptr && subject->head ? subject->head->shapeRevision() : 0;
      if (revision != context.scene.scan_revision)
        dimTextWrapped("The head has changed since: measure again.");
    }
  }
}

void ViewPanel::draw(PanelContext& context) {
  ViewSettings& view = context.scene.view;
  const float gap = ImGui::GetStyle().ItemSpacing.x / 2;
  const float half = std::floor((ImGui::GetContentRegionAvail().x - gap) / 2);
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {gap, gap});
  for (std::size_t i = 0; i < kModes.size(); ++i) {
    if (i % 2 == 1) ImGui::SameLine();
    const std::string name = std::string("view/mode/") + nameOf(kModes[i].mode);
    if (pill(name, kModes[i].label, view.mode == kModes[i].mode, half, std::string(1, kModes[i].key)))
      view.mode = kModes[i].mode;
    tipTerm(nameOf(kModes[i].mode));
  }
  ImGui::PopStyleVar();
  ImGui::Dummy({0, px(2)});
  drawModeDetails(context);

  toggleRow("view/wireframe", "Wireframe", view.wireframe, "wireframe", "view/flat", "Flat", view.flat,
            "flat");
  toggleRow("view/normal_map", "Normal map", view.normal_map, "normal map", "view/displacement",
            "Displacement", view.displacement, "displacement");
  toggleRow("view/eyes", "Eyes", view.show_eyes, "", "view/teeth", "Teeth", view.show_teeth, "");
  toggleRow("view/occlusion", "Occlusion", view.occlusion, "occlusion", "view/backfaces", "Inside",
            view.backfaces, "backfaces");
  const float start = ImGui::GetCursorPosX(), column = ImGui::GetContentRegionAvail().x / 2;
  toggle("view/landmarks", "Landmarks", view.landmarks);
  tipTerm("landmarks");
  ImGui::SameLine();
  ImGui::SetCursorPosX(start + column);
  const std::string no_uncertainty = noUncertainty(context.scene.subject());
  ImGui::BeginDisabled(!no_uncertainty.empty());
  toggle("view/uncertainty", "Uncertainty", view.uncertainty);
  ImGui::EndDisabled();
  if (no_uncertainty.empty()) {
    tipTerm("uncertainty");
  } else {
    tip(no_uncertainty);
  }
  toggleRow("view/grid", "Floor grid", view.grid, "", "view/axes", "Axes", view.axes, "");

  ImGui::Dummy({0, px(2)});
  int compare = static_cast<int>(view.compare);
  dimText("Compare");
  if (segments("view/compare", {"none", "wipe-photo", "wipe", "side-by-side"},
               {"Off", "Photo", "Wipe", "Beside"}, compare))
    view.compare = static_cast<CompareMode>(compare);
  tip("Photo: the photo at the left of a line, the head over it at the right.\n"
      "Wipe and Beside: with a second head.");
  if (view.compare == CompareMode::kWipePhoto || view.compare == CompareMode::kWipe) {
    float percent = view.wipe * 100;
    if (slider("view/wipe", "Line at", percent, {0, 100, 50, "%.0f", "%"})) view.wipe = percent / 100;
    tipTerm("wipe");
  }
  if (view.compare == CompareMode::kWipe || view.compare == CompareMode::kSideBySide) {
    std::vector<std::string> names = {"choose…"};
    std::vector<int> index = {-1};
    int chosen = 0;
    for (int i = 0; i < static_cast<int>(context.scene.subjects.size()); ++i) {
      if (i == context.scene.current) continue;
      names.push_back(context.scene.subjects[static_cast<std::size_t>(i)]->name);
      index.push_back(i);
      if (i == context.scene.second) chosen = static_cast<int>(index.size()) - 1;
    }
    if (names.size() == 1) {
      dimTextWrapped("Open a second head to compare with.");
    } else {
      labelled("With");
      if (combo("view/second", names, chosen)) context.scene.second = index[static_cast<std::size_t>(chosen)];
    }
  }
}

}  // namespace facet
