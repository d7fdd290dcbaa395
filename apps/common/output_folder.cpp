#include "apps/common/output_folder.h"

#include <fcntl.h>
#include <stdio.h>  // renameat2
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "core/error.h"
#include "core/io/files.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

// The files that a result consists of; "face3/" and the like are results of their own within one.
bool isPartOfResult(const fs::path& relative) {
  static const std::set<std::string> kFiles = {"fit.json",
                                               "fit.npz",
                                               "face.glb",
                                               "mesh/neutral.obj",
                                               "mesh/neutral.mtl",
                                               "mesh/coarse.obj",
                                               "mesh/coarse.mtl",
                                               "maps/albedo.png",
                                               "maps/texture.png",
                                               "maps/normal.png",
                                               "maps/position.exr",
                                               "image/overlay.png",
                                               "image/pncc.png",
                                               "image/normal.png",
                                               "image/mask.png",
                                               "image/depth.exr",
                                               "maps/visibility.png",
                                               "image/landmarks.png",
                                               "track.json",
                                               "overlay.mp4"};
  const std::string top = relative.begin()->string();
  // track's frames/000123.npz
  const std::string stem = relative.stem().string();
  if (top == "frames" && relative.parent_path() == top && relative.extension() == ".npz" &&
      stem.find_first_not_of("0123456789") == std::string::npos)
    return true;
  const bool is_face = top.size() > 4 && top.rfind("face", 0) == 0 &&
                       top.find_first_not_of("0123456789", 4) == std::string::npos;
  return kFiles.count((is_face ? relative.lexically_relative(top) : relative).generic_string()) > 0;
}

// What an export wrote, as its manifest says; empty when there is no manifest.
std::set<std::string> exportedFiles(const fs::path& folder) {
  const fs::path manifest = folder / kExportManifest;
  if (!fs::exists(manifest)) return {};
  const nlohmann::json content =
      nlohmann::json::parse(readText(manifest), nullptr, /*allow_exceptions=*/false);
  if (!content.is_object() || !content.contains("files") || !content["files"].is_array()) return {};
  std::set<std::string> files = {kExportManifest};
  for (const nlohmann::json& file : content["files"]) {
    if (file.is_string()) files.insert(file.get<std::string>());
  }
  return files;
}

// The first file below the folder that an output of this kind does not have, or nothing.
std::string foreignEntry(const fs::path& folder, OutputFolder::Kind kind) {
  const bool is_export = kind == OutputFolder::Kind::kExport;
  const std::set<std::string> exported = is_export ? exportedFiles(folder) : std::set<std::string>();
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const fs::path relative = entry.path().lexically_relative(folder);
    if (entry.is_directory()) continue;
    const bool is_ours = is_export ? exported.count(relative.generic_string()) > 0 : isPartOfResult(relative);
    if (!is_ours) return relative.generic_string();
  }
  return {};
}

std::vector<fs::path> makeParents(const fs::path& folder) {
  std::vector<fs::path> made;
  for (fs::path missing = folder; !missing.empty() && !fs::exists(missing); missing = missing.parent_path()) {
    made.insert(made.begin(), missing);
  }
  fs::create_directories(folder);
  return made;
}

void removeParents(const std::vector<fs::path>& made) {
  std::error_code ignored;
  for (auto folder = made.rbegin(); folder != made.rend(); ++folder)
    fs::remove(*folder, ignored);  // only if empty
}

}  // namespace

OutputFolder::OutputFolder(const fs::path& target, bool force, Kind kind) {
  try {
    target_ = fs::absolute(target).lexically_normal();
    if (!target_.has_filename()) target_ = target_.parent_path();  // a trailing slash
    const bool exists = fs::exists(target_);
    if (exists && !fs::is_directory(target_)) {
      fail(ErrorKind::kUsage, target.string(), ": is a file, not a folder; choose another -o");
    }
    if (exists && !fs::is_empty(target_)) {
      const std::string foreign = foreignEntry(target_, kind);
      if (!foreign.empty()) {
        fail(ErrorKind::kUsage, target.string(), ": holds \"", foreign, "\", which is not part of ",
             kind == Kind::kExport ? "an export" : "a result", ", so it is not replaced; choose another -o");
      }
      if (!force) {
        fail(ErrorKind::kUsage, target.string(), ": already holds ",
             kind == Kind::kExport ? "an export" : "a result", "; give --force to replace it, or another -o");
      }
    }
    made_parents_ = makeParents(target_.parent_path());
    std::string pattern = target_.string() + ".tmp-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) {
      fail(ErrorKind::kRuntime, target.string(), ": cannot make the output folder (", std::strerror(errno),
           "); choose another -o");
    }
    temporary_ = pattern;
    // mkdtemp makes a private folder; the result gets the ordinary rights.
    const mode_t mask = umask(0);
    umask(mask);
    fs::permissions(temporary_, static_cast<fs::perms>(0777 & ~mask));
  } catch (const fs::filesystem_error& error) {
    removeParents(made_parents_);
    fail(ErrorKind::kRuntime, target.string(), ": cannot make the output folder (", error.code().message(),
         "); choose another -o");
  } catch (...) {
    removeParents(made_parents_);
    throw;
  }
}

OutputFolder::~OutputFolder() {
  if (temporary_.empty()) return;
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
  removeParents(made_parents_);
}

void OutputFolder::commit() {
  const char* from = temporary_.c_str();
  const char* to = target_.c_str();
  if (!fs::exists(target_) || fs::is_empty(target_)) {  // rename(2) replaces an empty folder
    if (rename(from, to) != 0) {
      fail(ErrorKind::kRuntime, target_.string(), ": cannot be written (", std::strerror(errno), ")");
    }
    temporary_.clear();
    return;
  }
  // Swap old and new in one step; the destructor's remove_all then takes the old one.
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0) return;
  // A file system that cannot swap: move the old result aside, and back if the new one cannot take its place.
  const fs::path aside = temporary_.string() + ".old";
  if (rename(to, aside.c_str()) != 0 || rename(from, to) != 0) {
    const int reason = errno;
    std::error_code ignored;
    if (!fs::exists(target_)) fs::rename(aside, target_, ignored);
    fail(ErrorKind::kRuntime, target_.string(), ": the old result cannot be replaced (",
         std::strerror(reason), ")");
  }
  temporary_ = aside;
}

OutputFiles::OutputFiles(const fs::path& folder, bool force)
    : folder_(folder.empty() ? fs::path(".") : folder), force_(force) {
  std::string pattern = (folder_ / ".facet-export.tmp-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    fail(ErrorKind::kRuntime, folder_.string(), ": cannot be written in (", std::strerror(errno),
         "); choose another -o");
  }
  temporary_ = pattern;
}

OutputFiles::~OutputFiles() {
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
}

void OutputFiles::commit() {
  std::vector<fs::path> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(temporary_))
    names.push_back(entry.path().filename());
  for (const fs::path& name : names) {
    if (!force_ && fs::exists(folder_ / name)) {
      fail(ErrorKind::kUsage, (folder_ / name).string(),
           ": exists and would be overwritten; give --force, or another name with -o");
    }
  }
  for (const fs::path& name : names) {
    std::error_code error;
    fs::rename(temporary_ / name, folder_ / name, error);
    if (error)
      fail(ErrorKind::kRuntime, (folder_ / name).string(), ": cannot be written (", error.message(), ")");
  }
}

void prepareOutputFile(const fs::path& path, bool force) {
  std::error_code error;
  if (fs::is_directory(path, error)) fail(ErrorKind::kUsage, path.string(), ": is a folder; name a file");
  if (fs::exists(path, error) && !force) {
    fail(ErrorKind::kUsage, path.string(), ": exists; give --force to overwrite it");
  }
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  if (error) fail(ErrorKind::kRuntime, path.string(), ": cannot make its folder (", error.message(), ")");
}

}  // namespace facet
