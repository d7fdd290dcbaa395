#include "apps/common/blender.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "apps/common/interrupt.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/model_io.h"

extern char** environ;

namespace facet {
namespace fs = std::filesystem;
namespace {

constexpr const char* kWayOut =
    "install it (Debian: apt-get install --no-install-recommends blender python3-numpy) or set FACET_BLENDER "
    "to its path; .glb and .usda need no Blender";

// A folder beside the output that goes with everything in it: Blender writes there, and beside the output the
// result can be renamed into place.
class WorkFolder {
 public:
  explicit WorkFolder(const fs::path& output) {
    const fs::path parent = output.has_parent_path() ? output.parent_path() : fs::path(".");
    std::string pattern = (parent / (output.filename().string() + ".tmp-XXXXXX")).string();
    if (!mkdtemp(pattern.data())) {
      fail(ErrorKind::kRuntime, output.string(), ": cannot write in ", parent.string());
    }
    path_ = pattern;
  }
  ~WorkFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Runs a program with its output going to `log`. Its exit code, 128 + signal if one ended it, or nothing when
// it cannot be started.
std::optional<int> run(const std::vector<std::string>& command, const fs::path& log) {
  std::vector<char*> argv;
  for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  // Debian's Blender takes its Python modules from where the first python3 on the PATH says: in a virtual
  // environment or under pyenv that is not where numpy lies.
  const char* folders = std::getenv("PATH");
  std::string path =
      std::string("PATH=/usr/bin:/bin") + (folders != nullptr ? std::string(":") + folders : "");
  std::vector<char*> environment = {path.data()};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view entry = *variable;
    if (!entry.starts_with("PATH=") && !entry.starts_with("PYTHON") && !entry.starts_with("VIRTUAL_ENV="))
      environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  pid_t child = 0;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return std::nullopt;
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (interrupted()) {
      kill(child, SIGTERM);
      waitpid(child, &status, 0);
      throwIfInterrupted();
    }
    usleep(10'000);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The line that tells what went wrong: Python's last "SomeError: …", else the last one. Blender's own "Error:
// script failed" says nothing.
std::string complaintIn(const std::string& log) {
  std::istringstream lines(log);
  std::string line, last, error;
  while (std::getline(lines, line)) {
    if (line.find_first_not_of(" \t\r") == std::string::npos || line == "Blender quit") continue;
    last = line;
    const std::size_t at = line.find("Error: ");
    if (at != std::string::npos && at > 0 && line.front() != ' ') error = line.substr(at + 7);
  }
  return error.empty() ? last : error;
}

}  // namespace

std::string blenderProgram() {
  const char* from_environment = std::getenv("FACET_BLENDER");
  if (from_environment != nullptr && *from_environment != '\0') return from_environment;
  const char* folders = std::getenv("PATH");
  std::istringstream path(folders != nullptr ? folders : "");
  for (std::string folder; std::getline(path, folder, ':');) {
    const fs::path candidate = fs::path(folder) / "blender";
    if (access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return "blender";
}

void convertWithBlender(const fs::path& glb, const fs::path& output) {
  const std::string ending = output.extension().string();
  if (ending != ".fbx" && ending != ".blend") {
    fail(ErrorKind::kUsage, output.string(), ": expected a name that ends in .fbx or .blend");
  }
  const std::string blender = blenderProgram();
  const fs::path script = dataDirectory() / "blender" / "convert.py";
  if (!fs::exists(script)) {
    fail(ErrorKind::kRuntime, script.string(),
         ": is missing; reinstall facet or point FACET_DATA_DIR at its data");
  }
  const WorkFolder work(output);
  const fs::path result = work.path() / ("result" + ending), log = work.path() / "log";
  // The prelude and the place of the exit code are explained in the script.
  const std::optional<int> exit_code =
      run({blender, "-b", "--factory-startup", "--python-exit-code", "3", "--python-expr",
           "import numpy; numpy.bool=bool", "--python", script.string(), "--", fs::absolute(glb).string(),
           fs::absolute(result).string()},
          log);
  constexpr int kNotFound = 127;
  if (!exit_code || *exit_code == kNotFound) {
    fail(ErrorKind::kRuntime, output.string(), ": ", ending, " is written by Blender, and ", blender,
         " cannot be started; ", kWayOut);
  }
  if (*exit_code != 0 || !fs::exists(result)) {
    fail(ErrorKind::kRuntime, output.string(), ": ", blender, " failed: ", complaintIn(readText(log)),
         "; Blender 3.4 or later with numpy is needed, and .glb and .usda need no Blender");
  }
  std::error_code error;
  fs::rename(result, output, error);
  if (error) fail(ErrorKind::kRuntime, output.string(), ": ", error.message());
}

}  // namespace facet
