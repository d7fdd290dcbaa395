// facet-view through the real program: without a window, and in one on a display in memory.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/glb_reader.h"
#include "core/io/image_io.h"
#include "core/io/take_io.h"
#include "tests/apps/display.h"
#include "tests/apps/program.h"
#include "tests/data.h"

namespace fs = std::filesystem;
using namespace facet;
using namespace facet::test;
using nlohmann::json;

namespace {

RunResult runView(const std::vector<std::string>& arguments, const RunOptions& options = {}) {
  return runProgram(std::string(FACET_BIN_DIR) + "/facet-view", arguments, options);
}

bool hasOpenGl() {
  static const bool has = [] {
    const TemporaryFolder folder("view-gl");
    const RunResult run =
        runView({"--headless", "builtin", "-o", (folder / "a.png").string(), "--size", "64x64"});
    return run.exit_code == 0;
  }();
  if (!has)
    MESSAGE("skipped: no OpenGL 3.3 on this machine (facet-view --headless builtin -o a.png says why)");
  return has;
}

std::optional<VirtualDisplay> display() {
  std::optional<VirtualDisplay> server = VirtualDisplay::start();
  if (!server) MESSAGE("skipped: Xvfb is not installed");
  return server;
}

// Mean absolute difference of two pictures of one size, of 255.
double difference(const Image8& a, const Image8& b) {
  REQUIRE(a.width() == b.width());
  REQUIRE(a.height() == b.height());
  REQUIRE(a.channels() == b.channels());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(a.data()[i] - b.data()[i]);
  return sum / static_cast<double>(a.size());
}

// Share of the pixels where one picture shows the background and the other does not.
double coverageDifference(const Image8& a, const Image8& b) {
  const auto isBackground = [](const Image8& image, int x, int y) {
    const std::uint8_t* const corner = image.at(0, 0);
    const std::uint8_t* const pixel = image.at(x, y);
    return pixel[0] == corner[0] && pixel[1] == corner[1] && pixel[2] == corner[2];
  };
  int differing = 0;
  for (int y = 0; y < a.height(); ++y) {
    for (int x = 0; x < a.width(); ++x) differing += isBackground(a, x, y) != isBackground(b, x, y);
  }
  return static_cast<double>(differing) / (a.width() * a.height());
}

void writeScript(const fs::path& path, const std::vector<json>& steps) {
  std::ofstream file(path);
  for (const json& step : steps) file << step.dump() << '\n';
}

// A take of one second in which the mouth opens and closes.
void writeTalk(const fs::path& path) {
  Take take;
  take.names = {"jawOpen"};
  take.fps = 30;
  take.weights.resize(31, 1);
  for (int f = 0; f <= 30; ++f) {
    take.time_s.push_back(f / 30.0);
    take.weights(f, 0) = static_cast<float>(0.5 - 0.5 * std::cos(2 * M_PI * f / 30));
  }
  writeTake(path, take, {});
}

}  // namespace

TEST_CASE("facet-view: a picture without a window equals facet render's, which rasterizes on its own") {
  if (!hasOpenGl()) return;
  const TemporaryFolder folder("view-parity");
  for (const std::string& input : {std::string("builtin"), portraitResult().string()}) {
    for (const char* yaw : {"0", "35"}) {
      const std::string ours = (folder / "render.png").string(), view = (folder / "view.png").string();
      RunResult run = runFacet({"render", input, "-o", ours, "--size", "512", "--yaw", yaw, "--force"});
      REQUIRE_MESSAGE(run.exit_code == 0, run.err);
      run =
          runView({"--headless", input, "-o", view, "--size", "512x512", "--yaw", yaw, "--force", "--samples",
                   "1", "--no-highlights", "--no-normal-map", "--no-occlusion", "--background", "#f3f3f3"});
      REQUIRE_MESSAGE(run.exit_code == 0, run.err);
      const Image8 a = readPhoto(ours), b = readPhoto(view);
      CHECK(difference(a, b) < 2);
      CHECK(coverageDifference(a, b) < 0.001);
    }
  }
}

TEST_CASE("facet-view: a window and no window show the same, panels and all") {
  if (!hasOpenGl()) return;
  const std::optional<VirtualDisplay> server = display();
  if (!server) return;
  const TemporaryFolder folder("view-window");
  const auto script = [&](const std::string& name) {
    const fs::path path = folder / (name + ".jsonl");
    writeScript(path, {{{"wait", "job"}},
                       {{"click", "tab/shape"}},
                       {{"wait", 2}},
                       {{"type", "shape/filter"}, {"text", "jawOpen"}},
                       {{"drag", "shape/jawOpen"}, {"from", 0.0}, {"to", 0.5}},
                       {{"click", "view/mode/clay"}},
                       {{"frame", 0}, {"event", "move"}, {"x", 640}, {"y", 500}},
                       {{"wait", 40}},
                       {{"screenshot", (folder / (name + ".png")).string()}}});
    return path.string();
  };
  RunResult run = runView({portraitResult().string(), "--replay", script("window"), "--size", "1280x800"},
                          {{{"DISPLAY", server->name()}}});
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  run = runView(
      {portraitResult().string(), "--headless", "--replay", script("headless"), "--size", "1280x800"});
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  const Image8 window = readPhoto(folder / "window.png"), headless = readPhoto(folder / "headless.png");
  CHECK(window.width() == 1280);
  CHECK(difference(window, headless) < 2);
}

TEST_CASE("facet-view: a session in a window opens, shapes, scrubs, exports and ends well") {
  if (!hasOpenGl()) return;
  const std::optional<VirtualDisplay> server = display();
  if (!server) return;
  const TemporaryFolder folder("view-session");
  writeTalk(folder / "talk.json");
  const fs::path script = folder / "session.jsonl", glb = folder / "shaped.glb";
  writeScript(script, {{{"open", portraitResult().string()}},
                       {{"wait", "job"}},
                       {{"click", "tab/shape"}},
                       {{"type", "shape/filter"}, {"text", "jawOpen"}},
                       {{"drag", "shape/jawOpen"}, {"from", 0.0}, {"to", 1.0}},
                       {{"click", "view/mode/normals"}},
                       {{"screenshot", (folder / "normals.png").string()}},
                       {{"open", (folder / "talk.json").string()}},
                       {{"wait", "job"}},
                       {{"drag", "timeline/scrub"}, {"from", 0.0}, {"to", 0.5}},
                       {{"screenshot", (folder / "scrubbed.png").string()}},
                       {{"click", "tab/export"}},
                       {{"type", "export/path"}, {"text", glb.string()}},
                       {{"click", "export/export"}},
                       {{"wait", "job"}},
                       {{"key", "ctrl+q"}}});
  const RunResult run =
      runView({"--replay", script.string(), "--size", "1280x800"}, {{{"DISPLAY", server->name()}}});
  CHECK_MESSAGE(run.exit_code == 0, run.err);
  CHECK(fs::exists(folder / "normals.png"));
  CHECK(fs::exists(folder / "scrubbed.png"));
  REQUIRE(fs::exists(glb));
  const FaceAsset asset = readGlb(glb);
  CHECK(asset.targets.size() == 51);
  CHECK(filesBelow(folder.path()).size() == 5);  // nothing half-written beside them
}

TEST_CASE("facet-view: hands on a keyboard end it") {
  if (!hasOpenGl()) return;
  const std::optional<VirtualDisplay> server = display();
  if (!server) return;
  const RunOptions environment = {{{"DISPLAY", server->name()}}};
  if (runProgram("xdotool", {"version"}, environment).exit_code != 0) {
    MESSAGE("skipped: xdotool is not installed");
    return;
  }
  const TemporaryFolder folder("view-keys");
  const std::string program = std::string(FACET_BIN_DIR) + "/facet-view";
  const std::string script =
      "'" + program + "' builtin --no-state --record '" + (folder / "keys.jsonl").string() +
      "' & viewer=$!\n" +
      "window=$(timeout 20 xdotool search --sync --onlyvisible --name facet | head -1)\n" +
      "sleep 1; xdotool mousemove 640 400; sleep 0.3; xdotool key --window $window h; sleep 0.5\n" +
      "xdotool key --window $window h; sleep 0.5; xdotool key --window $window ctrl+q\n" +
      "for i in $(seq 50); do kill -0 $viewer 2>/dev/null || break; sleep 0.1; done\n" + "wait $viewer";
  const RunResult run = runProgram("bash", {"-c", script}, environment);
  CHECK_MESSAGE(run.exit_code == 0, run.err);
  CHECK(readText(folder / "keys.jsonl").find("\"h\"") != std::string::npos);
}

TEST_CASE("facet-view: what cannot be shown is one clear line and the contract's exit code") {
  const TemporaryFolder folder("view-errors");
  const std::string picture = (folder / "a.png").string();
  SUBCASE("no display") {
    const RunResult run = runView({"builtin", "--no-state"}, {{{"DISPLAY", ""}, {"WAYLAND_DISPLAY", ""}}});
    CHECK(run.exit_code == 1);
    CHECK(run.err.find("--headless") != std::string::npos);
  }
  SUBCASE("no OpenGL at all") {
    const RunResult run = runView({"--headless", "builtin", "-o", picture},
                                  {{{"__EGL_VENDOR_LIBRARY_FILENAMES", "/nowhere.json"}}});
    CHECK(run.exit_code == 1);
    CHECK(run.err.find("EGL") != std::string::npos);
  }
  SUBCASE("an OpenGL that is too old") {
    const RunResult run =
        runView({"--headless", "builtin", "-o", picture},
                {{{"MESA_GL_VERSION_OVERRIDE", "2.1"}, {"MESA_GLSL_VERSION_OVERRIDE", "120"}}});
    CHECK(run.exit_code == 1);
    CHECK(run.err.find("3.3") != std::string::npos);
  }
  SUBCASE("a broken GLB") {
    if (!hasOpenGl()) return;
    writeText(folder / "broken.glb", "glTF but not really");
    const RunResult run = runView({"--headless", (folder / "broken.glb").string(), "-o", picture});
    CHECK(run.exit_code == 3);
    CHECK(run.err.find("broken.glb") != std::string::npos);
  }
  SUBCASE("a file that is not there") {
    if (!hasOpenGl()) return;
    const RunResult run = runView({"--headless", (folder / "none.jpg").string(), "-o", picture});
    CHECK(run.exit_code != 0);
    CHECK(run.err.find("none.jpg") != std::string::npos);
  }
  SUBCASE("options that exclude each other") {
    CHECK(runView({"builtin", "-o", picture}).exit_code == 2);
    CHECK(runView({"--headless", "builtin"}).exit_code == 2);
    CHECK(runView({"--headless", "builtin", "-o", (folder / "a.jpg").string()}).exit_code == 2);
    CHECK(runView({"--headless", "builtin", "-o", picture, "--mode", "shiny"}).exit_code == 2);
    CHECK(runView({"--headless", "builtin", "-o", picture, "--set", "noSuchShape=1"}).exit_code == 2);
  }
  CHECK_FALSE(fs::exists(picture));
}

TEST_CASE("facet-view: a picture is its own test against a reference") {
  if (!hasOpenGl()) return;
  const TemporaryFolder folder("view-reference");
  const std::string reference = (folder / "reference.png").string(), again = (folder / "again.png").string();
  const std::vector<std::string> common = {"--headless", "builtin", "--size", "256x256", "--force"};
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(), common.begin(), common.end());
    return runView(more).exit_code;
  };
  REQUIRE(run({"-o", reference}) == 0);
  CHECK(run({"-o", again, "--reference", reference, "--reference-threshold", "0"}) == 0);
  CHECK(run({"-o", again, "--reference", reference, "--set", "jawOpen=1"}) == 1);
}

TEST_CASE("facet-view: nothing is overwritten without --force") {
  if (!hasOpenGl()) return;
  const TemporaryFolder folder("view-force");
  const fs::path picture = folder / "a.png";
  writeText(picture, "mine");
  CHECK(runView({"--headless", "builtin", "-o", picture.string()}).exit_code == 2);
  CHECK(readText(picture) == "mine");
}

TEST_CASE("facet-view: after a reset of the graphics driver everything is there again") {
  if (!hasOpenGl()) return;
  const std::optional<VirtualDisplay> server = display();
  if (!server) return;
  const TemporaryFolder folder("view-lost");
  const auto picture = [&](const std::string& name, std::vector<std::string> more) {
    const fs::path script = folder / (name + ".jsonl");
    writeScript(script, {{{"wait", "job"}},
                         {{"frame", 0}, {"event", "move"}, {"x", 640}, {"y", 500}},
                         {{"wait", 60}},
                         {{"screenshot", (folder / (name + ".png")).string()}}});
    more.insert(more.end(),
                {"builtin", "--set", "jawOpen=0.7", "--replay", script.string(), "--size", "900x700"});
    const RunResult run = runView(more, {{{"DISPLAY", server->name()}}});
    CHECK_MESSAGE(run.exit_code == 0, run.err);
    CHECK((run.err.find("made anew") != std::string::npos) == (name == "after"));
    return readPhoto(folder / (name + ".png"));
  };
  const Image8 before = picture("before", {});
  // The warning fades before the picture is taken, or lies over a corner of it.
  CHECK(difference(before, picture("after", {"--lose-context-at-frame", "20"})) < 4);
}

TEST_CASE("facet-view: a texture larger than the graphics card takes is shown smaller, with a warning") {
  if (!hasOpenGl()) return;
  const TemporaryFolder folder("view-huge");
  writePng(folder / "huge.png", Image8(40000, 8, 3, 120));
  writeText(folder / "huge.mtl", "newmtl m\nmap_Kd huge.png\n");
  writeText(folder / "huge.obj",
            "mtllib huge.mtl\nv -50 -50 0\nv 50 -50 0\nv 0 50 0\nvt 0 0\nvt 1 0\nvt 0.5 1\nusemtl m\nf 1/1 "
            "2/2 3/3\n");
  const RunResult run = runView(
      {"--headless", (folder / "huge.obj").string(), "-o", (folder / "a.png").string(), "--size", "200x200"});
  CHECK_MESSAGE(run.exit_code == 0, run.err);
  CHECK(run.err.find("40000") != std::string::npos);
}

TEST_CASE("facet-view: closing the window during a fit asks first, then leaves nothing half-written") {
  if (!hasOpenGl()) return;
  const std::optional<VirtualDisplay> server = display();
  if (!server) return;
  const std::optional<fs::path> data = realData();
  if (!data) {
    MESSAGE("skipped: no test data");
    return;
  }
  const TemporaryFolder folder("view-close");
  const fs::path photo = *data / "photos/congress/A000370.jpg", script = folder / "close.jsonl";
  if (!fs::exists(photo)) {
    MESSAGE("skipped: no such photo");
    return;
  }
  writeScript(script, {{{"open", photo.string()}},
                       {{"wait", "job"}},
                       {{"click", "tab/fit"}},
                       {{"click", "fit/fit"}},
                       {{"wait", 5}},
                       {{"frame", 0}, {"event", "close"}},
                       {{"wait", 2}},
                       {{"screenshot", (folder / "asked.png").string()}},
                       {{"click", "quit/quit"}}});
  const RunResult run = runView({"--replay", script.string(), "--size", "1280x800"},
                                {{{"DISPLAY", server->name()}, {"TMPDIR", folder.path().string()}}});
  CHECK_MESSAGE(run.exit_code == 0, run.err);
  CHECK(filesBelow(folder.path()).size() == 2);  // the script and its picture
}

TEST_CASE("facet-view: the state file keeps settings and recent files") {
  if (!hasOpenGl()) return;
  const std::optional<VirtualDisplay> server = display();
  if (!server) return;
  const TemporaryFolder folder("view-state");
  const fs::path script = folder / "s.jsonl", state = folder / "state.json";
  writeScript(script, {{{"wait", "job"}}, {{"click", "view/mode/clay"}}, {{"wait", 3}}, {{"key", "ctrl+q"}}});
  const RunResult run =
      runView({portraitResult().string(), "--replay", script.string(), "--state", state.string()},
              {{{"DISPLAY", server->name()}}});
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  const json kept = json::parse(readText(state));
  CHECK(kept["view"]["mode"] == "clay");
  CHECK(kept["recent"].size() == 1);
}

TEST_CASE("facet-view --watch: a file that is written anew takes the place of the old one") {
  if (!hasOpenGl()) return;
  const std::optional<VirtualDisplay> server = display();
  if (!server) return;
  const TemporaryFolder folder("view-watch");
  const fs::path mesh = folder / "mesh.obj", script = folder / "s.jsonl";
  writeText(mesh, "v -50 -50 0\nv 50 -50 0\nv 0 50 0\nf 1 2 3\n");
  writeText(folder / "new.obj", "v -50 -50 0\nv 50 -50 0\nv 50 50 0\nv -50 50 0\nf 1 2 3 4\n");
  std::vector<json> steps(1, {{"screenshot", (folder / "before.png").string()}});
  for (int i = 0; i < 14; ++i) steps.push_back({{"wait", 60}});  // seven seconds at least
  steps.push_back({{"screenshot", (folder / "after.png").string()}});
  writeScript(script, steps);
  const std::string program = std::string(FACET_BIN_DIR) + "/facet-view";
  const std::string session = "'" + program + "' '" + mesh.string() + "' --watch --size 400x300 --replay '" +
                              script.string() + "' & viewer=$!\nsleep 2\nmv '" +
                              (folder / "new.obj").string() + "' '" + mesh.string() + "'\nwait $viewer";
  const RunResult run = runProgram("bash", {"-c", session}, {{{"DISPLAY", server->name()}}});
  CHECK_MESSAGE(run.exit_code == 0, run.err);
  CHECK(run.err.find("has changed: opened again") != std::string::npos);
  // The square covers what the triangle left free.
  CHECK(difference(readPhoto(folder / "before.png"), readPhoto(folder / "after.png")) > 2);
}
