#include "viewer/panels/file_browser.h"

#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "core/io/model_parts.h"
#include "viewer/panels/widgets.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

constexpr const char* kPopup = "###file_browser";

std::string readableSize(std::uintmax_t bytes) {
  char text[32];
  const double size = static_cast<double>(bytes);
  if (size < 1e3) {
    std::snprintf(text, sizeof text, "%.0f B", size);
  } else if (size < 1e6) {
    std::snprintf(text, sizeof text, "%.0f kB", size / 1e3);
  } else {
    std::snprintf(text, sizeof text, "%.1f MB", size / 1e6);
  }
  return text;
}

fs::path homeFolder() {
  const char* home = std::getenv("HOME");
  return home != nullptr ? fs::path(home) : fs::path("/");
}

// "~/photos", "../other" or "/tmp", from `folder`.
fs::path resolved(const std::string& typed, const fs::path& folder) {
  fs::path path = typed;
  if (typed == "~" || typed.rfind("~/", 0) == 0) {
    path = homeFolder() / (typed.size() > 2 ? typed.substr(2) : "");
  }
  return (path.is_absolute() ? path : folder / path).lexically_normal();
}

}  // namespace

void FileBrowser::ask(Request request) {
  request_ = std::move(request);
  open_ = just_opened_ = focus_field_ = true;
  typed_ = request_.suggested;
  error_.clear();
  show_all_ = false;
  overwrite_asked_.clear();
  list();
}

void FileBrowser::setFolder(const fs::path& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) folder_ = fs::absolute(folder, error).lexically_normal();
}

bool FileBrowser::isWanted(const fs::path& path) const {
  if (request_.fits) return request_.fits(path);
  const std::vector<std::string>& wanted = request_.extensions;
  return wanted.empty() ||
         std::find(wanted.begin(), wanted.end(), lowerCase(path.extension().string())) != wanted.end();
}

void FileBrowser::list() {
  entries_.clear();
  selected_ = -1;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, fs::directory_options::skip_permission_denied, error), end;
       !error && entry != end; entry.increment(error)) {
    Entry found;
    found.name = entry->path().filename().string();
    if (found.name.empty() || found.name[0] == '.') continue;
    std::error_code ignored;
    found.is_folder = entry->is_directory(ignored);
    if (!found.is_folder && request_.only_folders) continue;
    if (!found.is_folder) {
      if (!show_all_ && !isWanted(entry->path())) continue;
      found.size = entry->file_size(ignored);
      if (ignored) found.size = 0;
    }
    entries_.push_back(std::move(found));
  }
  error_ = error ? folder_.string() + ": " + error.message() : "";
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    if (a.is_folder != b.is_folder) return a.is_folder;
    const std::string left = lowerCase(a.name), right = lowerCase(b.name);
    return left != right ? left < right : a.name < b.name;
  });
}

void FileBrowser::enter(const fs::path& folder) {
  folder_ = folder.lexically_normal();
  if (!folder_.has_filename() && folder_.has_parent_path()) folder_ = folder_.parent_path();
  if (request_.must_exist) typed_.clear();
  overwrite_asked_.clear();
  focus_field_ = true;
  list();
}

void FileBrowser::confirm(const fs::path& chosen) {
  std::error_code error;
  fs::path path = chosen;
  // Completed before the question whether it may be replaced.
  const bool completes = !request_.must_exist && !request_.extensions.empty();
  if (completes && !path.has_extension() && !fs::is_directory(path, error)) path += request_.extensions[0];
  if (request_.must_exist && !fs::exists(path, error)) {
    error_ = path.string() + ": there is no such file";
    return;
  }
  if (!request_.must_exist && fs::exists(path, error) && overwrite_asked_ != path) {
    error_ = path.filename().string() + " exists already; once more replaces it";
    overwrite_asked_ = path;
    return;
  }
  open_ = false;
  if (request_.then) request_.then(path);
}

void FileBrowser::choose(const fs::path& path) { confirm(path); }

FileBrowser::Field FileBrowser::drawField() {
  if (button("browser/up", "Up")) enter(folder_.parent_path());
  tip("The folder above");
  ImGui::SameLine();
  if (button("browser/home", "Home")) enter(homeFolder());
  ImGui::SameLine();
  ImGui::AlignTextToFramePadding();
  shortenedText(folder_.string(), ImGui::GetContentRegionAvail().x);

  if (focus_field_) ImGui::SetKeyboardFocusHere();
  focus_field_ = false;
  ImGui::SetNextItemWidth(-FLT_MIN);
  const bool was_empty = typed_.empty();
  Field field;
  field.entered = ImGui::InputTextWithHint("##browser/path", "type a name or path; it filters the list",
                                           &typed_, ImGuiInputTextFlags_EnterReturnsTrue);
  field.typing = ImGui::IsItemActive();
  if (ImGui::IsItemEdited()) {
    overwrite_asked_.clear();
    error_.clear();
    selected_ = -1;
  }
  markWidget("browser/path");
  if (field.typing && was_empty && ImGui::IsKeyPressed(ImGui::GetKeyIndex(ImGuiKey_Backspace), false))
    enter(folder_.parent_path());
  return field;
}

void FileBrowser::narrow() {
  // What is typed narrows the list by any part of the name, in capitals or not; a new file's name does not.
  shown_.clear();
  const std::string wanted = lowerCase(fs::path(typed_).filename().string());
  for (int i = 0; i < static_cast<int>(entries_.size()); ++i) {
    const bool fits = !request_.must_exist || typed_.find('/') != std::string::npos || wanted.empty() ||
                      lowerCase(entries_[static_cast<std::size_t>(i)].name).find(wanted) != std::string::npos;
    if (fits) shown_.push_back(i);
  }
  const int count = static_cast<int>(shown_.size());
  if (ImGui::IsKeyPressed(ImGui::GetKeyIndex(ImGuiKey_DownArrow))) {
    selected_ = std::min(selected_ + 1, count - 1);
    scroll_to_selected_ = true;
  }
  if (ImGui::IsKeyPressed(ImGui::GetKeyIndex(ImGuiKey_UpArrow))) {
    selected_ = std::max(selected_ - 1, -1);
    scroll_to_selected_ = true;
  }
}

std::optional<fs::path> FileBrowser::drawList() {
  const int count = static_cast<int>(shown_.size());
  const float below = ImGui::GetFrameHeightWithSpacing() * 2 + px(6);
  std::optional<fs::path> answer;
  ImGui::PushStyleColor(ImGuiCol_ChildBg, theme::rgb(0x1E2022));
  if (ImGui::BeginChild("##files", {0, -below}, false, ImGuiWindowFlags_NoNav)) {
    ImGuiListClipper clipper;
    clipper.Begin(count);
    while (clipper.Step()) {
      for (int row = clipper.DisplayStart; row < clipper.DisplayEnd; ++row) {
        const Entry& entry = entries_[static_cast<std::size_t>(shown_[static_cast<std::size_t>(row)])];
        const std::string label = "  " + entry.name + (entry.is_folder ? "/" : "");
        if (entry.is_folder) ImGui::PushStyleColor(ImGuiCol_Text, theme::rgb(0x8FD3C8));
        if (ImGui::Selectable(label.c_str(), row == selected_, ImGuiSelectableFlags_AllowDoubleClick)) {
          selected_ = row;
          overwrite_asked_.clear();
          error_.clear();
          if (!entry.is_folder) typed_ = entry.name;
          if (entry.is_folder ? !request_.folders || ImGui::IsMouseDoubleClicked(0)
                              : ImGui::IsMouseDoubleClicked(0)) {
            answer = folder_ / entry.name;
          }
        }
        if (entry.is_folder) ImGui::PopStyleColor();
        markWidget("browser/file/" + entry.name);
        if (!entry.is_folder) {
          const std::string size = readableSize(entry.size);
          ImGui::SameLine(ImGui::GetContentRegionMax().x - ImGui::CalcTextSize(size.c_str()).x - px(8));
          dimText(size);
        }
        if (row == selected_ && scroll_to_selected_) ImGui::SetScrollHereY();
      }
    }
    scroll_to_selected_ = false;
    if (count == 0) {
      ImGui::SetCursorPos({px(12), px(10)});
      dimText(entries_.empty()
                  ? request_.only_folders ? "No folders here." : "Nothing here that can be opened."
                  : "No name here has what is typed.");
    }
  }
  ImGui::EndChild();
  ImGui::PopStyleColor();
  return answer;
}

std::optional<fs::path> FileBrowser::typedAnswer() const {
  const int count = static_cast<int>(shown_.size());
  const auto shown = [&](int row) {
    return folder_ / entries_[static_cast<std::size_t>(shown_[static_cast<std::size_t>(row)])].name;
  };
  if (selected_ >= 0 && selected_ < count) return shown(selected_);
  if (!typed_.empty()) {
    const fs::path answer = resolved(typed_, folder_);
    std::error_code error;
    // A part of a name that only one entry has stands for it.
    return request_.must_exist && !fs::exists(answer, error) && count == 1 ? shown(0) : answer;
  }
  if (request_.folders) return folder_;
  return std::nullopt;
}

void FileBrowser::draw() {
  if (!open_) return;
  const std::string title = request_.title + kPopup;
  if (just_opened_) {
    ImGui::OpenPopup(title.c_str());
    just_opened_ = false;
  }
  const ImVec2 window = ImGui::GetIO().DisplaySize;
  ImGui::SetNextWindowPos({window.x / 2, window.y / 2}, ImGuiCond_Always, {0.5F, 0.5F});
  ImGui::SetNextWindowSize({std::min(px(640), window.x * 0.9F), std::min(px(480), window.y * 0.9F)});
  bool stays = true;
  if (!ImGui::BeginPopupModal(
          title.c_str(), &stays,
          ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings)) {
    open_ = false;
    return;
  }

  const Field field = drawField();
  narrow();
  std::optional<fs::path> answer = drawList();
  if (!error_.empty()) {
    ImGui::PushStyleColor(ImGuiCol_Text, !overwrite_asked_.empty() ? theme::kWarning : theme::kError);
    shortenedText(error_, ImGui::GetContentRegionAvail().x);
    ImGui::PopStyleColor();
  } else if (request_.fits || !request_.extensions.empty()) {
    if (toggle("browser/all", "Show all files", show_all_)) list();
  } else {
    dimText(!request_.note.empty() ? request_.note : request_.folders ? "A folder is an answer, too." : "");
  }

  const float width = px(110);
  ImGui::SetCursorPosX(ImGui::GetContentRegionMax().x - 2 * width - ImGui::GetStyle().ItemSpacing.x);
  const bool cancelled = button("browser/cancel", "Cancel", width) ||
                         (ImGui::IsKeyPressed(ImGui::GetKeyIndex(ImGuiKey_Escape), false) && !field.typing);
  ImGui::SameLine();
  const bool pressed = button("browser/confirm", request_.confirm, width, true);

  if ((field.entered || pressed) && !answer) {
    answer = typedAnswer();
    focus_field_ = field.entered;
  }
  if (answer) {
    std::error_code error;
    const bool is_folder = fs::is_directory(*answer, error);
    // A folder is entered; the button takes it as the answer where one is asked for.
    if (is_folder && !(request_.folders && pressed)) {
      enter(*answer);
    } else {
      confirm(*answer);
    }
  }
  if (cancelled || !stays) open_ = false;
  if (!open_) ImGui::CloseCurrentPopup();
  ImGui::EndPopup();
}

}  // namespace facet
