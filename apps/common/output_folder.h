#pragma once

#include <filesystem>
#include <vector>

namespace facet {

// Lists the files of a folder that facet export wrote, under "files".
inline constexpr const char* kExportManifest = "export.json";

// A result folder that appears whole or not at all: files go into a temporary sibling (DIR.tmp-XXXXXX),
// commit() renames it. Without commit() the temporary folder, and parents made for it, are removed.
//
// An existing folder that is not empty is refused without `force` (Error(kUsage)). With it, the old folder is
// replaced in one step, provided that it is an earlier result: a folder that holds anything else is never
// removed. Error(kRuntime) when the folder cannot be made.
//
// What `force` replaces is of the kind that is to be written: a result of reconstruct or track, or what
// export.json lists.
class OutputFolder {
 public:
  enum class Kind { kResult, kExport };

  OutputFolder(const std::filesystem::path& target, bool force, Kind kind = Kind::kResult);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const std::filesystem::path& temporary() const { return temporary_; }
  const std::filesystem::path& target() const { return target_; }
  void commit();

 private:
  std::filesystem::path target_, temporary_;
  std::vector<std::filesystem::path> made_parents_;  // outermost first
};

// Files that belong together and appear together: they are written into a temporary folder beside their
// place, commit() renames them. Error(kUsage) in commit() when one of their names is taken and `force` is not
// set; nothing is there then.
class OutputFiles {
 public:
  OutputFiles(const std::filesystem::path& folder, bool force);
  ~OutputFiles();
  OutputFiles(const OutputFiles&) = delete;
  OutputFiles& operator=(const OutputFiles&) = delete;

  const std::filesystem::path& temporary() const { return temporary_; }
  void commit();

 private:
  std::filesystem::path folder_, temporary_;
  bool force_;
};

// Folder of a file that is about to be written; makes it. Error(kUsage) when the file exists and `force` is
// not set.
void prepareOutputFile(const std::filesystem::path& path, bool force);

}  // namespace facet
