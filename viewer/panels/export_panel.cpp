#include "viewer/panels/export_panel.h"

#include <algorithm>
#include <system_error>

#include "core/io/video_io.h"
#include "viewer/panels/glossary.h"
#include "viewer/panels/widgets.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

bool isCurves(const ExportFormatInfo& format) { return format.extension == ".csv" || format.name == "take"; }

// A row that is grey, with the reason as its tip, where the format has no such thing.
class Row {
 public:
  Row(bool possible, std::string reason) : possible_(possible), reason_(std::move(reason)) {
    ImGui::BeginDisabled(!possible_);
  }
  // After the control: its tip.
  void done(const std::string& told) const {
    ImGui::EndDisabled();
    tip(possible_ ? told : reason_);
  }

 private:
  bool possible_;
  std::string reason_;
};

int indexOf(const std::vector<std::string>& items, const std::string& wanted) {
  const auto found = std::find(items.begin(), items.end(), wanted);
  return found == items.end() ? -1 : static_cast<int>(found - items.begin());
}

}  // namespace

const ExportFormatInfo* ExportPanel::format(const Actions& actions) const {
  const auto found = std::find_if(actions.export_formats.begin(), actions.export_formats.end(),
                                  [&](const ExportFormatInfo& info) { return info.name == request.format; });
  return found == actions.export_formats.end() ? nullptr : &*found;
}

void ExportPanel::setExtension(const std::string& extension) {
  if (path_.empty()) return;
  fs::path path = path_;
  path.replace_extension(extension);
  path_ = path.string();
}

void ExportPanel::followSubject(const PanelContext& context) {
  const Scene& scene = context.scene;
  const Subject* subject = scene.subject();
  if (subject == nullptr || (named_of_.lock().get() == subject && named_ == subject->name)) return;
  named_of_ = scene.subjects[static_cast<std::size_t>(scene.current)];
  named_ = subject->name;
  // Beside what it was made of.
  fs::path source = subject->source;
  if (source.empty() && !subject->frames.empty()) source = subject->frames[0].picture;
  std::error_code error;
  fs::path folder = fs::absolute(source, error).parent_path();
  if (source.empty() || !fs::is_directory(folder, error)) folder = context.state.browser.folder();
  fs::path stem = fs::path(subject->name).filename();
  if (stem.empty()) stem = "head";
  const ExportFormatInfo* info = format(context.actions);
  // The extension of a file's name goes, the points in a folder's name stay.
  const bool is_file = isImageName(stem) || isVideoName(stem) || subject->kind == "photo" ||
                       subject->kind == "GLB" || subject->kind == "OBJ" || subject->kind == "PLY";
  if (is_file) stem = stem.stem();
  path_ = (folder / (stem.string() + (info != nullptr ? info->extension : ".glb"))).string();
}

void ExportPanel::followWork(const PanelContext& context) {
  if (exported_ != path_) exported_.clear();
  if (running_.empty() || context.scene.job.running) return;
  std::error_code error;
  const fs::file_time_type written = fs::last_write_time(running_, error);
  if (error || written == written_before_) return;  // not begun yet, or it failed
  if (running_ == path_) exported_ = path_;
  running_.clear();
  request.overwrite = false;
}

std::string ExportPanel::objection(const PanelContext& context) const {
  if (context.actions.export_formats.empty() || !context.actions.export_head)
    return "Nothing here can export.";
  if (path_.empty()) return "Say where to write it.";
  std::error_code error;
  const fs::path folder = fs::absolute(path_, error).parent_path();
  if (!folder.empty() && !fs::is_directory(folder, error))
    return "There is no folder " + folder.string() + ".";
  if (fs::exists(path_, error) && !request.overwrite)
    return fs::path(path_).filename().string() + " exists: choose to overwrite it, or another name.";
  if (!request.take.empty() && request.photo_expression)
    return "A take starts from the neutral face: choose the take or the shape as shown.";
  if (context.scene.job.running) return "Other work runs still.";
  return {};
}

void ExportPanel::forgetOverwrite() {
  if (overwrite_of_ == path_) return;
  overwrite_of_ = path_;
  request.overwrite = false;
}

void ExportPanel::run(PanelContext& context) {
  const Subject* subject = context.scene.subject();
  const ExportFormatInfo* info = format(context.actions);
  if (subject == nullptr || !subject->head || info == nullptr) return;
  followSubject(context);
  followWork(context);
  forgetOverwrite();
  // Once more: the question whether to replace what was just written.
  const bool asks_again = exported_ == path_ && !exported_.empty();
  exported_.clear();
  if (asks_again) return;
  const std::string reason = objection(context);
  if (!reason.empty()) {
    context.scene.say(MessageKind::kWarning, reason);
    return;
  }
  // What the format has no place for stays out; it is remembered for the next one.
  ExportRequest asked = request;
  asked.path = path_;
  if (!info->has_unit) asked.unit.clear();
  if (!info->is_scene) asked.with_camera = false;
  if (!info->is_scene && !isCurves(*info)) asked.take.clear();
  if (info->name != "glb") asked.quantised = false;
  if (!info->is_asset || info->extension.empty()) asked.lods.clear();
  std::error_code error;
  written_before_ = fs::last_write_time(path_, error);
  if (error) written_before_ = fs::file_time_type::min();
  running_ = path_;
  context.actions.export_head(asked);
}

void ExportPanel::drawPlace(PanelContext& context, const ExportFormatInfo& info) {
  textField("export/path", path_, "file or folder", ImGui::GetContentRegionAvail().x - px(34));
  tip(path_);
  ImGui::SameLine(0, px(4));
  if (button("export/browse", "…", px(30))) {
    FileBrowser::Request ask;
    ask.title = "Export to";
    ask.confirm = "Choose";
    ask.must_exist = false;
    ask.folders = info.extension.empty();
    if (!info.extension.empty()) ask.extensions = {info.extension};
    ask.suggested = fs::path(path_).filename().string();
    const std::string extension = info.extension;
    ask.then = [this, extension](const fs::path& path) {
      path_ = overwrite_of_ = path.string();
      std::error_code error;
      request.overwrite = fs::exists(path, error);  // the dialog has asked about this one
      if (!extension.empty() && path.extension() != extension) setExtension(extension);
    };
    context.askFor(std::move(ask));
  }
  tip("Choose a place");
  forgetOverwrite();
  std::error_code error;
  if (!path_.empty() && exported_.empty() && fs::exists(path_, error))
    toggle("export/overwrite", "Overwrite what is there", request.overwrite);
}

void ExportPanel::drawContents(const ExportFormatInfo& info) {
  const std::string not_asset = info.name + " holds the shape alone.";
  {
    const Row row(info.is_asset, not_asset);
    labelled("Shapes");
    const std::vector<std::string> ids = {"arkit", "model", "both", "none"};
    int shapes = indexOf(ids, request.shapes);
    if (combo("export/shapes", ids, shapes)) request.shapes = ids[static_cast<std::size_t>(shapes)];
    row.done(glossary("arkit"));
  }
  {
    const Row row(info.is_asset && request.shapes != "none", not_asset);
    labelled("Naming");
    const std::vector<std::string> ids = {"arkit", "ict", "pascal"};
    int naming = indexOf(ids, request.naming);
    if (combo("export/naming", ids, naming)) request.naming = ids[static_cast<std::size_t>(naming)];
    row.done(glossary("naming"));
  }
  {
    const Row row(info.is_asset && request.shapes != "none" && request.shapes != "model", not_asset);
    toggle("export/tongue", "With an empty tongueOut", request.empty_tongue);
    row.done(glossary("tongue"));
  }
  {
    const Row row(info.has_unit, info.name + " has a unit of its own.");
    labelled("Unit");
    const std::vector<std::string> units = {"mm", "cm", "m"};
    int unit = request.unit.empty() ? 0 : indexOf(units, request.unit);
    if (segments("export/unit", units, units, unit)) request.unit = units[static_cast<std::size_t>(unit)];
    row.done(glossary("unit"));
  }
  {
    const Row row(info.is_asset, info.name + " holds no texture.");
    labelled("Texture");
    const std::vector<std::string> sizes = {"as it is", "512 px", "1024 px", "2048 px", "4096 px"};
    constexpr int kSizes_px[] = {0, 512, 1024, 2048, 4096};
    int size = 0;
    for (int i = 0; i < 5; ++i) {
      if (kSizes_px[i] == request.texture_size_px) size = i;
    }
    if (combo("export/texture_size", sizes, size)) request.texture_size_px = kSizes_px[size];
    row.done(glossary("texture size"));
  }
  toggle("export/as_shown", "The shape as it is shown", request.photo_expression);
  tip("With the expression and everything that the sliders make, in place of the neutral face");
  {
    const Row row(info.is_asset, info.name + " holds no texture.");
    toggle("export/skin_detail", "Pores and fine lines", request.skin_detail);
    row.done(glossary("skin detail"));
  }
  {
    const Row row(info.is_scene, info.name + " holds no camera.");
    toggle("export/camera", "With the photo's camera", request.with_camera);
    row.done("The camera of the fit, so that the head lies over the photo in other programs, too");
  }
  {
    const Row row(info.name == "glb", "Only GLB has such numbers.");
    toggle("export/quantised", "Small numbers (half the size)", request.quantised);
    row.done(glossary("quantised"));
  }
  labelled("Topology");
  textField("export/topology", request.topology, "native");
  tip(glossary("topology") + " native, facet, ict, or any model's name or file.");
  {
    const Row row(info.is_asset && !info.extension.empty(), info.name + " has no levels of detail.");
    labelled("Levels, %");
    textField("export/lods", request.lods, "none; such as 50,25");
    row.done(glossary("lods"));
  }
}

void ExportPanel::drawTake(PanelContext& context, const ExportFormatInfo& info) {
  const Row row(info.is_scene || isCurves(info), info.name + " holds no motion.");
  labelled("Take");
  textField("export/take", request.take, "the clip's own motion", ImGui::GetContentRegionAvail().x - px(34));
  tip(glossary("take"));
  ImGui::SameLine(0, px(4));
  if (button("export/browse_take", "…##take", px(30))) {
    FileBrowser::Request ask;
    ask.title = "What moves the head";
    ask.confirm = "Choose";
    ask.extensions = {".csv", ".json"};
    ask.folders = true;
    ask.then = [this](const fs::path& path) { request.take = path.string(); };
    context.askFor(std::move(ask));
  }
  row.done("Choose what moves the head");
}

void ExportPanel::draw(PanelContext& context) {
  if (!headOrHint(context, "export")) return;
  const std::vector<ExportFormatInfo>& formats = context.actions.export_formats;
  if (formats.empty()) {
    dimTextWrapped("Nothing here can export.");
    return;
  }
  followSubject(context);
  followWork(context);
  std::vector<std::string> names;
  for (const ExportFormatInfo& info : formats) names.push_back(info.name);
  int chosen = std::max(0, indexOf(names, request.format));
  labelled("Format");
  if (combo("export/format", names, chosen))
    setExtension(formats[static_cast<std::size_t>(chosen)].extension);
  const ExportFormatInfo& info = formats[static_cast<std::size_t>(chosen)];
  request.format = info.name;
  dimTextWrapped(info.description);

  drawPlace(context, info);
  ImGui::Dummy({0, px(4)});
  drawContents(info);
  drawTake(context, info);

  ImGui::Dummy({0, px(4)});
  const bool is_done = !exported_.empty() && exported_ == path_;
  const std::string reason = is_done ? std::string() : objection(context);
  ImGui::BeginDisabled(!reason.empty());
  if (button("export/export", "Export", -FLT_MIN, true)) run(context);
  ImGui::EndDisabled();
  tip(reason.empty() ? "As facet export writes it (Ctrl+E)" : reason);
  const std::string told = is_done ? "exported " + fs::path(path_).filename().string() : reason;
  if (!told.empty()) {
    ImGui::PushStyleColor(ImGuiCol_Text, is_done ? theme::kAccent : theme::kWarning);
    ImGui::PushTextWrapPos(0);
    ImGui::TextUnformatted(told.c_str());
    ImGui::PopTextWrapPos();
    ImGui::PopStyleColor();
  }
}

}  // namespace facet
