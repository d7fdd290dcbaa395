#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace facet {

// Notices when files, or the results in folders, were written anew.
class FileWatch {
 public:
  explicit FileWatch(std::vector<std::string> inputs);
  // Those that changed since the last call and have been quiet since the call before it: a file that is still
  // being written is not opened half. To be called every half second or so.
  std::vector<std::string> changed();

 private:
  struct Watched {
    std::string input;
    std::filesystem::file_time_type seen, opened;
  };
  std::vector<Watched> watched_;
};

}  // namespace facet
