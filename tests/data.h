#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

// Where tests find what is not part of the project, and where they write.
namespace facet::test {

// The folder of real test data: FACET_TEST_DATA, else ../shared/data beside the source. Nothing when absent;
// tests then skip inside their body with a message.
inline std::optional<std::filesystem::path> realData() {
  const char* from_environment = std::getenv("FACET_TEST_DATA");
  const std::filesystem::path path = from_environment
                                         ? std::filesystem::path(from_environment)
                                         : std::filesystem::path(FACET_SOURCE_DIR) / ".." / "shared" / "data";
  if (!std::filesystem::is_directory(path)) return std::nullopt;
  return path;
}

// A fresh empty folder for one test, removed when it goes out of scope.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name) {
    std::string pattern = (std::filesystem::temp_directory_path() / ("facet-" + name + "-XXXXXX")).string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary folder");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace facet::test
