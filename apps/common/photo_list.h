#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace facet {

// Photos named on the command line; a folder stands for the image files in it, in the order of their names
// (photosInFolder). Error(kInput) for a folder without images; a file that is missing is listed and reported
// when it is read.
std::vector<std::filesystem::path> listPhotos(const std::vector<std::string>& arguments);

}  // namespace facet
