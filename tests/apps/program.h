#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace facet::test {

struct RunOptions {
  std::map<std::string, std::string> environment;  // added to the test's own
  std::optional<long> file_size_limit;             // bytes; larger writes fail as on a full disk
  // SIGINT is sent as soon as this folder has an entry whose name contains ".tmp-".
  std::optional<std::filesystem::path> interrupt_when_working_in;
};

struct RunResult {
  int exit_code = -1;  // 128 + signal if a signal ended it
  std::string out, err;
};

// Runs any program and waits for it.
RunResult runProgram(const std::string& program, const std::vector<std::string>& arguments,
                     const RunOptions& options = {});
// Runs facet of this build.
RunResult runFacet(const std::vector<std::string>& arguments, const RunOptions& options = {});

// A portrait of the built-in model on a plain background, and where its 68 landmarks are.
struct Portrait {
  std::filesystem::path photo, landmarks;
};
// Writes portrait.png (480×480) and portrait.pts into the folder.
Portrait writePortrait(const std::filesystem::path& folder);

// The folder of a result of that portrait with a texture of 256 px, made once per program.
const std::filesystem::path& portraitResult();

// What the Khronos validator says of a GLB; nothing, with a message, where node or the validator is not
// installed. Checks that there is no error and no warning, but for those with the code `tolerated`, and
// nothing that tools/check_glb.js finds.
std::optional<nlohmann::json> validateGlb(const std::filesystem::path& path,
                                          const std::string& tolerated = {});

// Sorted paths of all files below a folder, relative to it.
std::vector<std::string> filesBelow(const std::filesystem::path& folder);

}  // namespace facet::test
