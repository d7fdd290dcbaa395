#include "core/io/file_kind.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/io/glb_reader.h"

namespace facet {
namespace {

constexpr std::size_t kHeadBytes = 1024;

std::string_view trimmed(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // byte order mark
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  return start == std::string_view::npos ? std::string_view{} : text.substr(start);
}

bool isHtml(std::string_view head) {
  std::string lower(trimmed(head));
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (lower.starts_with("<!doctype html") || lower.starts_with("<html")) return true;
  return lower.starts_with("<") && lower.find("<html") != std::string::npos;
}

bool isText(std::string_view head) {
  return !head.empty() && std::all_of(head.begin(), head.end(), [](unsigned char c) {
    return c >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
}

// Protocol 2 and later say so; 0 and 1 begin with the opcode of what they hold: a mark, a dictionary, a list,
// a global.
bool isPickle(std::string_view head) {
  if (head.size() < 2) return false;
  if (head[0] == '\x80') return head[1] >= 2 && head[1] <= 5;
  if (head.starts_with("(dp") || head.starts_with("(lp") || head.starts_with("(tp")) return true;
  if (head.starts_with("}q") || head.starts_with("]q")) return true;
  if (head[0] != 'c') return false;
  const std::size_t module_end = head.find('\n');
  return module_end != std::string_view::npos && module_end < 64 && isText(head.substr(0, module_end));
}

}  // namespace

FileKind fileKind(ByteSpan file) {
  using std::string_view_literals::operator""sv;
  const std::string_view head(reinterpret_cast<const char*>(file.data()), std::min(file.size(), kHeadBytes));
  if (head.starts_with("\x89HDF\r\n\x1A\n"sv)) return FileKind::kHdf5;
  if (head.starts_with("MATLAB 5.0 MAT-file"sv)) return FileKind::kMat5;
  // MATLAB 7.3 puts a text of its own in front of HDF5's signature.
  if (head.starts_with("MATLAB 7.3 MAT-file"sv)) return FileKind::kHdf5;
  if (head.starts_with("\x93NUMPY"sv)) return FileKind::kNumpy;
  if (head.starts_with("PK\x03\x04"sv) || head.starts_with("PK\x05\x06"sv)) return FileKind::kZip;
  if (head.starts_with("\x1F\x8B"sv)) return FileKind::kGzip;
  if (head.starts_with("version https://git-lfs"sv)) return FileKind::kGitLfsPointer;
  if (isGltf(file)) return FileKind::kGltf;
  if (isHtml(head)) return FileKind::kHtml;
  if (isPickle(head)) return FileKind::kPickle;
  return isText(head) ? FileKind::kText : FileKind::kUnknown;
}

void refuseLookalikes(ByteSpan file, const std::filesystem::path& path) {
  const FileKind kind = fileKind(file);
  if (kind == FileKind::kHtml) {
    fail(ErrorKind::kModel, path.string(),
         ": is a web page (HTML), not a model: most likely the login page that ",
         "a download without a login gives; log in with a browser and download the file again");
  }
  if (kind == FileKind::kGitLfsPointer) {
    fail(ErrorKind::kModel, path.string(), ": is a Git LFS pointer, not the model itself; ",
         "install git-lfs and run `git lfs pull` where it was cloned");
  }
}

}  // namespace facet
