#include "viewer/panels/shape_panel.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "core/error.h"
#include "viewer/panels/glossary.h"
#include "viewer/panels/widgets.h"

namespace facet {
namespace {

struct GroupEntry {
  const char *id, *label, *term;
};
// By ShapeGroup.
constexpr std::array<GroupEntry, kNumShapeGroups> kGroups = {{{"identity", "Identity", "identity"},
                                                              {"expression", "Expression", "expression"},
                                                              {"shapes", "Shapes", "arkit"},
                                                              {"albedo", "Skin colour", "colour"},
                                                              {"joints", "Joints", "joints"}}};

const GroupEntry& entryOf(ShapeGroup group) { return kGroups[static_cast<std::size_t>(group)]; }

bool contains(const std::string& text, const std::string& part) {
  const auto same = [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

// One step to undo; what it changes is not saved.
template <typename Change>
void edit(PanelContext& context, const Change& change) {
  Scene& scene = context.scene;
  const std::shared_ptr<Subject>& subject = scene.subjects[static_cast<std::size_t>(scene.current)];
  ShapedHead& head = *subject->head;
  const auto revisions = [&] { return std::pair(head.shapeRevision(), head.albedoRevision()); };
  const auto before = revisions();
  context.state.undo.beginShape(subject);
  change(head);
  if (revisions() != before) subject->edited = true;
}

// Whether the clip sets the group's values in each frame.
bool isDriven(const Scene& scene, ShapeGroup group) {
  const SubjectFrame* const frame = currentFrame(scene, *scene.subject());
  return frame != nullptr && scene.subject()->frames.size() > 1 && drives(*frame, group);
}

}  // namespace

void ShapePanel::copy(PanelContext& context) {
  const Subject* subject = context.scene.subject();
  if (subject == nullptr || !subject->head) return;
  ImGui::SetClipboardText(subject->head->toJson().c_str());
  context.scene.say(MessageKind::kInfo, "parameters copied to the clipboard");
}

void ShapePanel::paste(PanelContext& context) {
  Subject* subject = context.scene.subject();
  if (subject == nullptr || !subject->head) return;
  const char* text = ImGui::GetClipboardText();
  try {
    std::vector<std::string> unknown;
    edit(context,
         [&](ShapedHead& head) { unknown = head.fromJson(text != nullptr ? text : "", "clipboard"); });
    if (!unknown.empty()) {
      std::string names = unknown[0];
      for (std::size_t i = 1; i < std::min<std::size_t>(unknown.size(), 4); ++i) names += ", " + unknown[i];
      context.scene.say(
          MessageKind::kWarning,
          "pasted, but this head has no " + names +
              (unknown.size() > 4 ? " and " + std::to_string(unknown.size() - 4) + " more" : ""));
    }
  } catch (const Error& error) {
    context.scene.say(MessageKind::kError, error.what());
  }
}

void ShapePanel::findRows(const ShapedHead& head) {
  rows_.clear();
  const auto fits = [&](ShapeGroup in, int index) {
    return contains(head.controls(in)[static_cast<std::size_t>(index)].name, filter_);
  };
  if (filter_.empty()) {
    for (int i = 0; i < static_cast<int>(head.controls(group).size()); ++i) rows_.push_back({group, i});
    return;
  }
  // A search goes through all groups, each under its heading.
  for (int g = 0; g < kNumShapeGroups; ++g) {
    const ShapeGroup in = static_cast<ShapeGroup>(g);
    bool headed = false;
    for (int i = 0; i < static_cast<int>(head.controls(in).size()); ++i) {
      if (!fits(in, i)) continue;
      if (!headed) rows_.push_back({in, -1});
      headed = true;
      rows_.push_back({in, i});
    }
  }
}

template <typename Change>
void ShapePanel::changeListed(ShapedHead& head, const Change& change) const {
  for (int g = 0; g < kNumShapeGroups; ++g) {
    const ShapeGroup in = static_cast<ShapeGroup>(g);
    Eigen::VectorXf kept = head.values(in);
    std::vector<int> listed;
    for (const Row& row : rows_) {
      if (row.group == in && row.index >= 0) listed.push_back(row.index);
    }
    if (listed.empty()) continue;
    change(in);
    for (const int index : listed) kept[index] = head.value(in, index);
    head.setAll(in, kept);
  }
}

void ShapePanel::drawTools(PanelContext& context, ShapedHead& head) {
  const float gap = px(4);
  // Groups with their counts, as many in a row as fit.
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {gap, gap});
  const float right = ImGui::GetContentRegionMax().x;
  bool first = true;
  for (int g = 0; g < kNumShapeGroups; ++g) {
    const int count = static_cast<int>(head.controls(static_cast<ShapeGroup>(g)).size());
    if (count == 0) continue;
    const GroupEntry& entry = entryOf(static_cast<ShapeGroup>(g));
    const std::string label = std::string(entry.label) + " " + std::to_string(count);
    const float width = ImGui::CalcTextSize(label.c_str()).x + px(16);
    if (!first) {
      ImGui::SameLine();
      if (ImGui::GetCursorPosX() + width > right) ImGui::NewLine();
    }
    first = false;
    if (pill(std::string("shape/group/") + entry.id, label,
             group == static_cast<ShapeGroup>(g) && filter_.empty(), width)) {
      group = static_cast<ShapeGroup>(g);
      filter_.clear();
    }
    tipTerm(entry.term);
  }

  const float clear_width = filter_.empty() ? 0 : ImGui::GetFrameHeight() + gap;
  textField("shape/filter", filter_, "Filter by name: jaw, left, 12 …",
            ImGui::GetContentRegionAvail().x - clear_width);
  if (!filter_.empty()) {
    ImGui::SameLine();
    if (iconButton("shape/clear_filter", Icon::kClose, "Show all")) filter_.clear();
  }

  const std::vector<ShapeControl>& controls = head.controls(group);
  const bool in_sigma = !controls.empty() && controls[0].unit == "σ";
  if (in_sigma) {
    slider("shape/range", "Slider range", sigma_range, {1, 10, 3, "± %.0f", "σ"});
    tip(glossary("sigma") + " " + glossary("range"));
  }
  drawButtons(context);
  ImGui::PopStyleVar();
}

void ShapePanel::drawButtons(PanelContext& context) {
  const float third =
      std::floor((ImGui::GetContentRegionAvail().x - 2 * ImGui::GetStyle().ItemSpacing.x) / 3);
  const std::string which = filter_.empty() ? "This group" : "The sliders that are listed";
  if (button("shape/random", "Random", third)) {
    edit(context, [&](ShapedHead& head) {
      changeListed(head, [&](ShapeGroup in) { head.randomize(in, 1, seed_); });
      ++seed_;
    });
  }
  tip(which + " to random values: as faces really differ for modes, a few shapes moderately for weights");
  ImGui::SameLine();
  if (button("shape/reset", "Reset", third)) {
    edit(context,
         [&](ShapedHead& head) { changeListed(head, [&](ShapeGroup in) { head.resetToHome(in); }); });
  }
  tip(which + " back to how the head was opened or fitted");
  ImGui::SameLine();
  const bool is_of_person = group == ShapeGroup::kIdentity || group == ShapeGroup::kAlbedo;
  if (button("shape/neutral", is_of_person && filter_.empty() ? "Mean" : "Neutral", third)) {
    edit(context, [&](ShapedHead& head) { changeListed(head, [&](ShapeGroup in) { head.reset(in); }); });
  }
  tip(which + (is_of_person && filter_.empty() ? " to 0: the mean of all faces" : " to 0"));
  if (button("shape/reset_all", "Reset all", third)) {
    edit(context, [](ShapedHead& head) {
      for (int g = 0; g < kNumShapeGroups; ++g) head.resetToHome(static_cast<ShapeGroup>(g));
    });
  }
  tip("All groups back to how the head was opened or fitted");
  ImGui::SameLine();
  if (pill("shape/symmetric", "Mirror", symmetric, third)) symmetric = !symmetric;
  tipTerm("symmetric");
  ImGui::SameLine();
  if (button("shape/copy", "Copy", third)) copy(context);
  tip("All parameters as JSON text (Ctrl+C)");
  if (button("shape/paste", "Paste", third)) paste(context);
  tip("All parameters from such a text (Ctrl+V)");
  ImGui::SameLine();
  if (button("shape/save", "Save…", third)) askToSaveParameters(context);
  ImGui::SameLine();
  if (button("shape/load", "Load…", third)) askToLoadParameters(context);
}

void ShapePanel::drawRow(PanelContext& context, const Row& row) {
  const std::shared_ptr<ShapedHead>& head = context.scene.subject()->head;
  if (row.index < 0) {
    ImGui::AlignTextToFramePadding();
    dimText(entryOf(row.group).label);
    return;
  }
  const ShapeControl& control = head->controls(row.group)[static_cast<std::size_t>(row.index)];
  const Eigen::VectorXf& home = head->home(row.group);
  SliderRange range{control.low, control.high, home[row.index], "%.2f", control.unit};
  if (control.unit == "σ") {
    range.low = -sigma_range;
    range.high = sigma_range;
    // A unit on each of 200 lines only repeats itself; the range says it once.
    range.format = "%+.2f";
  } else if (control.unit == "°") {
    range.format = "%+.1f";
  }
  float value = head->value(row.group, row.index);
  if (slider("shape/" + control.name, control.name, value, range)) {
    // Where it came from, its other side may have come from elsewhere.
    const bool goes_home = value == range.rest;
    edit(context, [&](ShapedHead& changed) {
      changed.set(row.group, row.index, value, symmetric && !goes_home);
      if (symmetric && goes_home && control.mirrored >= 0)
        changed.set(row.group, control.mirrored, home[control.mirrored]);
    });
  }
  tip(control.meaning + (control.meaning.empty() ? "" : "\n") +
      "Ctrl+click types a value, a right or double click puts it back to how it was opened or fitted.");
}

void ShapePanel::draw(PanelContext& context) {
  if (!headOrHint(context, "shape")) return;
  ShapedHead& head = *context.scene.subject()->head;
  if (head.controls(group).empty()) {
    for (int g = 0; g < kNumShapeGroups; ++g) {
      if (!head.controls(static_cast<ShapeGroup>(g)).empty()) group = static_cast<ShapeGroup>(g);
    }
  }
  bool any = false;
  for (int g = 0; g < kNumShapeGroups; ++g) any = any || !head.controls(static_cast<ShapeGroup>(g)).empty();
  if (!any) {
    dimTextWrapped("This mesh has no parameters: it can be looked at, measured and compared, not shaped.");
    return;
  }
  findRows(head);
  drawTools(context, head);
  const std::vector<AssetMaterial>& materials = context.scene.subject()->materials;
  const bool textured = std::any_of(materials.begin(), materials.end(), [](const AssetMaterial& material) {
    return material.base_colour != nullptr;
  });
  if (group == ShapeGroup::kAlbedo && filter_.empty() && textured)
    dimTextWrapped("This head's texture hides these colours.");
  if (filter_.empty() && isDriven(context.scene, group))
    dimTextWrapped("The clip sets these in each frame: a change lasts until the next one.");
  ImGui::Dummy({0, px(1)});
  findRows(head);
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {px(4), px(3)});
  if (ImGui::BeginChild("##sliders")) {
    // Only the rows in sight are drawn: a model may have hundreds of modes.
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(rows_.size()), ImGui::GetFrameHeightWithSpacing());
    while (clipper.Step()) {
      for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i)
        drawRow(context, rows_[static_cast<std::size_t>(i)]);
    }
    if (rows_.empty()) dimTextWrapped("No parameter has \"" + filter_ + "\" in its name.");
  }
  ImGui::EndChild();
  ImGui::PopStyleVar();
}

}  // namespace facet
