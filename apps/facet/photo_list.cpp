#include "apps/facet/photo_list.h"

#include <algorithm>
#include <set>

#include "core/error.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

bool isImageName(const fs::path& path) {
  static const std::set<std::string> kExtensions = {".jpg", ".jpeg", ".png", ".tif", ".tiff",
                                                    ".bmp", ".ppm",  ".pgm", ".webp"};
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return kExtensions.count(extension) > 0;
}

}  // namespace

std::vector<fs::path> listPhotos(const std::vector<std::string>& arguments) {
  std::vector<fs::path> photos;
  for (const std::string& argument : arguments) {
    std::error_code error;
    if (!fs::is_directory(argument, error)) {
      photos.emplace_back(argument);
      continue;
    }
    const std::size_t before = photos.size();
    for (const fs::directory_entry& entry : fs::directory_iterator(argument, error)) {
      if (isImageName(entry.path())) photos.push_back(entry.path());
    }
    if (error) fail(ErrorKind::kInput, argument, ": the folder cannot be read (", error.message(), ")");
    if (photos.size() == before) fail(ErrorKind::kInput, argument, ": the folder holds no image files");
    std::sort(photos.begin() + static_cast<std::ptrdiff_t>(before), photos.end());
  }
  return photos;
}

}  // namespace facet
