#include "viewer/panels/panel.h"
#include "viewer/panels/widgets.h"

namespace facet {
namespace {

void fact(const std::string& label, const std::string& value) {
  dimText(label);
  ImGui::SameLine(px(108));
  ImGui::PushTextWrapPos(0);
  ImGui::TextUnformatted(value.c_str());
  ImGui::PopTextWrapPos();
}

std::string numbers(const char* format, double x, double y, double z = 0) {
  char text[80];
  std::snprintf(text, sizeof text, format, x, y, z);
  return withoutMinusZero(text);
}

}  // namespace

void drawInfoPanel(PanelContext& context) {
  Scene& scene = context.scene;
  Subject* subject = scene.subject();
  if (subject == nullptr) {
    dimTextWrapped("Nothing is open.");
    return;
  }
  ImGui::PushTextWrapPos(0);
  ImGui::TextUnformatted(subject->name.c_str());
  ImGui::PopTextWrapPos();
  dimTextWrapped(subject->kind + (subject->source.empty() ? "" : "  " + subject->source.string()));
  ImGui::Dummy({0, px(2)});
  for (const std::string& line : subject->facts) {
    // "licence: MIT" in two columns; warnings stand out.
    const std::size_t colon = line.find(": ");
    if (line.rfind("warning", 0) == 0) {
      ImGui::PushStyleColor(ImGuiCol_Text, theme::kWarning);
      ImGui::PushTextWrapPos(0);
      ImGui::TextUnformatted(line.c_str());
      ImGui::PopTextWrapPos();
      ImGui::PopStyleColor();
    } else if (colon != std::string::npos && colon < 16) {
      fact(line.substr(0, colon), line.substr(colon + 2));
    } else {
      ImGui::PushTextWrapPos(0);
      ImGui::TextUnformatted(line.c_str());
      ImGui::PopTextWrapPos();
    }
  }
  if (subject->head) {
    const MorphableModel& model = subject->head->model();
    ImGui::Dummy({0, px(2)});
    if (section("info/mesh", "Mesh")) {
      fact("vertices", std::to_string(model.numVertices()));
      fact("triangles", std::to_string(model.triangles.rows()));
      if (model.uv.rows() > 0) fact("UV points", std::to_string(model.uv.rows()));
      if (!model.region_names.empty()) fact("regions", std::to_string(model.region_names.size()));
      const Points3& vertices = subject->head->vertices();
      if (vertices.rows() > 0) {
        const Eigen::Vector3f size =
            vertices.colwise().maxCoeff().transpose() - vertices.colwise().minCoeff().transpose();
        fact("size", numbers("%.0f × %.0f × %.0f mm", size.x(), size.y(), size.z()));
      }
      for (std::size_t i = 0; i < subject->materials.size(); ++i) {
        const AssetMaterial& material = subject->materials[i];
        fact(i == 0 ? "materials" : "",
             material.name +
                 (material.base_colour ? ", " + std::to_string(material.base_colour->width()) + " px" : ""));
      }
    }
    ImGui::Dummy({0, 0});
    if (section("info/picks", "Points")) {
      if (scene.picks.empty()) {
        dimTextWrapped("Click on the head to ask for a point; a second click measures the distance.");
      }
      for (std::size_t i = 0; i < scene.picks.size(); ++i) {
        const Pick& pick = scene.picks[i];
        ImGui::TextUnformatted(("Point " + std::string(1, static_cast<char>('A' + i))).c_str());
        const Eigen::Vector3f at = pick.triangle >= 0
                                       ? pick.positionOn(subject->head->vertices(), model.triangles)
                                       : pick.position_mm;
        fact("vertex", std::to_string(pick.vertex));
        fact("triangle", std::to_string(pick.triangle));
        fact("position", numbers("%.1f, %.1f, %.1f mm", at.x(), at.y(), at.z()));
        if (pick.uv) fact("UV", numbers("%.4f, %.4f", pick.uv->x(), pick.uv->y()));
        if (!pick.region.empty()) fact("region", pick.region);
        if (!pick.material.empty()) fact("material", pick.material);
      }
      if (scene.picks.size() == 2) {
        const Points3& vertices = subject->head->vertices();
        const float distance_mm = (scene.picks[0].positionOn(vertices, model.triangles) -
                                   scene.picks[1].positionOn(vertices, model.triangles))
                                      .norm();
        fact("distance", numbers("%.2f mm", distance_mm, 0));
      }
      if (!scene.picks.empty()) {
        if (button("info/copy_picks", "Copy")) {
          std::string text;
          for (const Pick& pick : scene.picks) {
            const Eigen::Vector3f at = pick.positionOn(subject->head->vertices(), model.triangles);
            text += "vertex " + std::to_string(pick.vertex) + "  " +
                    numbers("%.3f %.3f %.3f mm", at.x(), at.y(), at.z()) + "\n";
          }
          ImGui::SetClipboardText(text.c_str());
        }
        ImGui::SameLine();
        if (button("info/clear_picks", "Clear")) scene.picks.clear();
      }
    }
  }
}

}  // namespace facet
