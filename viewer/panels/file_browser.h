#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace facet {

// A dialog that asks for a file or folder: a path to type, completed by what the folder holds, and the list
// to choose from by mouse or keyboard (up, down, Enter; Backspace in an empty field goes up a folder).
class FileBrowser {
 public:
  struct Request {
    std::string title = "Open";
    std::string confirm = "Open";         // on the button
    std::vector<std::string> extensions;  // lower case, with the dot; those to show; empty = all
    std::string suggested;                // file name that stands there at first
    bool must_exist = true;               // false: to save
    std::function<bool(const std::filesystem::path&)> fits;  // what is listed; null = by extensions
    bool folders = false;                                    // a folder is an answer, too
    bool only_folders = false;                               // and nothing else: files are not listed
    std::string note;                                        // below the list
    std::function<void(const std::filesystem::path&)> then;
  };

  void ask(Request request);
  bool isOpen() const { return open_; }
  // A dropped or typed path while it is open.
  void choose(const std::filesystem::path& path);
  void draw();
  const std::filesystem::path& folder() const { return folder_; }
  void setFolder(const std::filesystem::path& folder);

 private:
  struct Entry {
    std::string name;
    bool is_folder = false;
    std::uintmax_t size = 0;
  };
  // What is typed: whether Enter ended it, and whether it goes on.
  struct Field {
    bool entered = false, typing = false;
  };
  void list();
  bool isWanted(const std::filesystem::path& path) const;
  Field drawField();
  void narrow();                                    // shown_, and the arrow keys in it
  std::optional<std::filesystem::path> drawList();  // what was chosen in it by the mouse
  std::optional<std::filesystem::path> typedAnswer() const;
  void enter(const std::filesystem::path& folder);
  void confirm(const std::filesystem::path& chosen);

  Request request_;
  bool open_ = false, just_opened_ = false, show_all_ = false;
  std::filesystem::path folder_ = std::filesystem::current_path();
  std::string typed_;
  std::string error_;
  std::vector<Entry> entries_;
  std::vector<int> shown_;  // those that fit what is typed
  int selected_ = -1;
  bool scroll_to_selected_ = false, focus_field_ = false;
  std::filesystem::path overwrite_asked_;  // the file that was asked about; empty = none
};

}  // namespace facet
