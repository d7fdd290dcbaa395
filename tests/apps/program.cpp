#include "tests/apps/program.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "core/camera.h"
#include "core/io/files.h"
#include "core/io/image_io.h"
#include "core/io/landmark_io.h"
#include "core/io/model_io.h"
#include "render/face_renderer.h"
#include "tests/data.h"

namespace fs = std::filesystem;

namespace facet::test {
namespace {

bool hasTemporaryEntry(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().filename().string().find(".tmp-") != std::string::npos) return true;
  }
  return false;
}

[[noreturn]] void becomeProgram(const std::string& program, const std::vector<std::string>& arguments,
                                const RunOptions& options, const fs::path& out, const fs::path& err) {
  for (const auto& [path, descriptor] : {std::pair{out, 1}, {err, 2}}) {
    dup2(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), descriptor);
  }
  if (options.file_size_limit) {
    const rlim_t bytes = static_cast<rlim_t>(*options.file_size_limit);
    const rlimit limit{bytes, bytes};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  for (const auto& [name, value] : options.environment) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execvp(program.c_str(), argv.data());
  _exit(127);
}

}  // namespace

RunResult runProgram(const std::string& program, const std::vector<std::string>& arguments,
                     const RunOptions& options) {
  const TemporaryFolder streams("streams");
  const pid_t child = fork();
  if (child == 0) becomeProgram(program, arguments, options, streams / "out", streams / "err");
  int status = 0;
  bool signalled = false;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (options.interrupt_when_working_in && !signalled &&
        hasTemporaryEntry(*options.interrupt_when_working_in)) {
      kill(child, SIGINT);
      signalled = true;
    }
    usleep(2000);
  }
  RunResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = readText(streams / "out");
  result.err = readText(streams / "err");
  return result;
}

RunResult runFacet(const std::vector<std::string>& arguments, const RunOptions& options) {
  return runProgram(std::string(FACET_BIN_DIR) + "/facet", arguments, options);
}

Portrait writePortrait(const fs::path& folder) {
  const MorphableModel model = loadModel("builtin");
  Camera camera;
  camera.width_px = camera.height_px = 480;
  camera.focal_px = 1000;
  camera.principal_px.setConstant(240);
  // In front of the face, looking at the middle of the landmarks: model Y up and Z out become camera y down
  // and z in.
  const Points3 landmarks = model.landmarks68.points(model.mean, model.triangles);
  const Eigen::Vector3f center = landmarks.colwise().mean();
  camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation() =
      Eigen::Vector3f(0, 0, 700) - camera.camera_from_model.linear() * center;
  ShadeOptions shade;
  shade.albedo = model.albedo_mean;
  shade.light.coefficients.row(2).setConstant(0.8F);  // from the front
  shade.light.coefficients.row(3).setConstant(0.5F);  // and from the subject's left
  shade.background = Eigen::Vector3f(0.25F, 0.3F, 0.35F);
  const Portrait portrait{folder / "portrait.png", folder / "portrait.pts"};
  writePng(portrait.photo, srgbFromLinear(renderFace(model.mesh(model.mean), camera, shade).colour));
  writePts(portrait.landmarks, {camera.imageFromModel(landmarks), {}});
  return portrait;
}

const fs::path& portraitResult() {
  static const TemporaryFolder folder("portrait");
  static const fs::path result = [] {
    const Portrait portrait = writePortrait(folder.path());
    const RunResult run =
        runFacet({"reconstruct", portrait.photo.string(), "--landmarks", portrait.landmarks.string(), "-o",
                  (folder / "portrait").string(), "--texture-size", "256"});
    REQUIRE_MESSAGE(run.exit_code == 0, run.err);
    return folder / "portrait";
  }();
  return result;
}

std::optional<nlohmann::json> validateGlb(const fs::path& path, const std::string& tolerated) {
  const fs::path module = fs::path(FACET_SOURCE_DIR) / "build/node/node_modules/gltf-validator";
  if (!fs::exists(module) || runProgram("node", {"--version"}).exit_code != 0) {
    MESSAGE(
        "skipped: node or gltf-validator is not installed (scripts/test installs the latter where npm is)");
    return std::nullopt;
  }
  const RunResult result = runProgram(
      "node", {(fs::path(FACET_SOURCE_DIR) / "tools/check_glb.js").string(), "--json", path.string()});
  REQUIRE_MESSAGE(result.exit_code <= 1, result.err);
  const nlohmann::json report = nlohmann::json::parse(result.out)[0];
  for (const nlohmann::json& message : report["validator"]["issues"]["messages"]) {
    const bool is_fault = message["severity"].get<int>() < 2 && message["code"] != tolerated;
    CHECK_MESSAGE(!is_fault, path.string() << ": " << message.dump());
  }
  CHECK_MESSAGE(report["findings"].empty(), path.string() << ": " << report["findings"].dump());
  return report["validator"];
}

std::vector<std::string> filesBelow(const fs::path& folder) {
  std::vector<std::string> files;
  if (!fs::exists(folder)) return files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), folder).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace facet::test
