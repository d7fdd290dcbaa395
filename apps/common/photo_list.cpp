#include "apps/common/photo_list.h"

#include "core/error.h"
#include "core/io/video_io.h"

namespace fs = std::filesystem;

namespace facet {
std::vector<fs::path> listPhotos(const std::vector<std::string>& arguments) {
  std::vector<fs::path> photos;
  for (const std::string& argument : arguments) {
    std::error_code error;
    if (!fs::is_directory(argument, error)) {
      photos.emplace_back(argument);
      continue;
    }
    const std::vector<fs::path> in_folder = photosInFolder(argument);
    if (in_folder.empty()) fail(ErrorKind::kInput, argument, ": the folder holds no image files");
    photos.insert(photos.end(), in_folder.begin(), in_folder.end());
  }
  return photos;
}

}  // namespace facet
