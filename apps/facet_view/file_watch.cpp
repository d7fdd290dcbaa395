#include "apps/facet_view/file_watch.h"

#include <algorithm>

namespace fs = std::filesystem;

namespace facet {
namespace {

// When an input was written last; the beginning of time for one that is not there (a result that is just
// being replaced).
fs::file_time_type timeOf(const std::string& input) {
  fs::file_time_type latest = fs::file_time_type::min();
  for (const char* part : {"fit.json", "track.json"}) {
    std::error_code missing;
    const fs::file_time_type time = fs::last_write_time(fs::path(input) / part, missing);
    if (!missing) latest = std::max(latest, time);
  }
  std::error_code missing;
  const fs::file_time_type own = fs::last_write_time(input, missing);
  return missing ? latest : std::max(latest, own);
}

}  // namespace

FileWatch::FileWatch(std::vector<std::string> inputs) {
  for (std::string& input : inputs) {
    const fs::file_time_type time = timeOf(input);
    watched_.push_back({std::move(input), time, time});
  }
}

std::vector<std::string> FileWatch::changed() {
  std::vector<std::string> inputs;
  for (Watched& watched : watched_) {
    const fs::file_time_type now = timeOf(watched.input);
    if (now == watched.seen && now > watched.opened) {
      watched.opened = now;
      inputs.push_back(watched.input);
    }
    watched.seen = now;
  }
  return inputs;
}

}  // namespace facet
