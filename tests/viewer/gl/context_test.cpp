#include "viewer/gl/context.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <imgui.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "core/error.h"
#include "core/spherical_harmonics.h"
#include "tests/render/shapes.h"
#include "tests/viewer/gl/scenes.h"
#include "viewer/gl/ui_drawing.h"

namespace facet {
namespace {

// A display of our own, as long as it lives; nothing where Xvfb is not installed.
class Display {
 public:
  static std::optional<Display> start() {
    int number_pipe[2];
    if (pipe(number_pipe) != 0) return std::nullopt;
    const pid_t pid = fork();
    if (pid == 0) {
      const int null = open("/dev/null", O_WRONLY);
      dup2(null, STDERR_FILENO);
      close(number_pipe[0]);
      const std::string descriptor = std::to_string(number_pipe[1]);
      execlp("Xvfb", "Xvfb", "-displayfd", descriptor.c_str(), "-screen", "0", "800x600x24", "-noreset",
             "-nolisten", "tcp", static_cast<char*>(nullptr));
      _exit(127);
    }
    close(number_pipe[1]);
    std::string number;
    char c = 0;
    while (read(number_pipe[0], &c, 1) == 1 && c != '\n') number += c;
    close(number_pipe[0]);
    if (number.empty()) {
      waitpid(pid, nullptr, 0);
      return std::nullopt;
    }
    setenv("DISPLAY", (":" + number).c_str(), 1);
    return Display(pid);
  }
  Display(Display&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  ~Display() {
    if (pid_ == 0) return;
    unsetenv("DISPLAY");
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }

 private:
  explicit Display(pid_t pid) : pid_(pid) {}
  pid_t pid_ = 0;
};

// What this program prints when it runs one hidden test with these environment variables.
std::string outputOf(const std::string& environment, const std::string& test) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = environment + " '" + self + "' --no-skip --no-intro -tc='" + test + "' 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  std::array<char, 4096> buffer{};
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe))
    output.append(buffer.data(), count);
  pclose(pipe);
  return output;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Run by others with another environment: Mesa reads it once per process.
TEST_CASE("child: open a headless context" * doctest::skip()) {
  try {
    const HeadlessContext context;
    std::puts(("opened: " + context.description()).c_str());
  } catch (const Error& error) {
    std::puts(("kind " + std::to_string(static_cast<int>(error.kind())) + ": " + error.what()).c_str());
  }
}

TEST_CASE("child: open a window" * doctest::skip()) {
  try {
    const Window window("facet", 320, 200);
    std::puts(("opened: " + window.description()).c_str());
  } catch (const Error& error) {
    std::puts(("kind " + std::to_string(static_cast<int>(error.kind())) + ": " + error.what()).c_str());
  }
}

TEST_CASE("HeadlessContext: one after the other and two at a time, and it says what it found") {
  for (int i = 0; i < 2; ++i) {
    const HeadlessContext context;
    CHECK(contains(context.description(), "EGL"));
    CHECK(contains(context.description(), "OpenGL"));
  }
  const HeadlessContext first;
  { const HeadlessContext second; }
  const Frame frame = test::frameOf({test::viewOf(test::plainCamera(8, 8), {})});
  CHECK(test::Stage().draw(frame).at(4, 4)[3] == 255);
}

TEST_CASE("HeadlessContext: an OpenGL that is too old is named in the error") {
  const std::string output =
      outputOf("LIBGL_ALWAYS_SOFTWARE=1 MESA_GL_VERSION_OVERRIDE=2.1", "child: open a headless context");
  CHECK(contains(output, "kind 1: no OpenGL 3.3 without a window"));
  CHECK(contains(output, "OpenGL 2.1"));
  CHECK(contains(output, "facet-view needs 3.3"));
  CHECK(contains(output, "libgl1-mesa-dri"));
}

TEST_CASE("Window: without a display the error names the way out") {
  const std::string output = outputOf("env -u DISPLAY -u WAYLAND_DISPLAY", "child: open a window");
  CHECK(contains(output, "kind 1: no display (DISPLAY is not set"));
  CHECK(contains(output, "use --headless, or xvfb-run"));
  CHECK(contains(outputOf("DISPLAY=:4711", "child: open a window"), "DISPLAY is :4711"));
}

TEST_CASE("Window: an OpenGL that is too old is named in the error") {
  const auto display = Display::start();
  if (!display) {
    MESSAGE("skipped: no Xvfb");
    return;
  }
  CHECK(contains(outputOf("", "child: open a window"), "opened: GLFW window"));
  const std::string output = outputOf("MESA_GL_VERSION_OVERRIDE=2.1", "child: open a window");
  CHECK(contains(output, "kind 1: OpenGL 2.1"));
  CHECK(contains(output, "facet-view needs 3.3"));
}

// A user interface with text, a widget and the scene's picture in it.
class Panels {
 public:
  Panels() {
    ImGui::CreateContext();
    ImGui::GetIO().IniFilename = nullptr;
    unsigned char* pixels = nullptr;
    int width = 0, height = 0;
    ImGui::GetIO().Fonts->GetTexDataAsRGBA32(&pixels, &width, &height);
  }
  ~Panels() { ImGui::DestroyContext(); }
  ImDrawData* layOut(int width_px, int height_px, unsigned picture) {
    ImGui::GetIO().DisplaySize = {static_cast<float>(width_px), static_cast<float>(height_px)};
    ImGui::GetIO().DeltaTime = 1.0F / 60;
    ImGui::NewFrame();
    ImGui::GetBackgroundDrawList()->AddImage(reinterpret_cast<void*>(static_cast<std::uintptr_t>(picture)),
                                             {100, 0}, {300, 200}, {0, 1}, {1, 0});
    ImGui::SetNextWindowPos({5, 5});
    ImGui::SetNextWindowSize({90, 190});
    ImGui::Begin("Shape");
    ImGui::Text("jawOpen");
    ImGui::SliderFloat("##jaw", &jaw_, 0, 1);
    ImGui::End();
    ImGui::Render();
    return ImGui::GetDrawData();
  }

 private:
  float jaw_ = 0.3F;
};

Frame sphereFrame() {
  DrawItem item = test::itemOf(test::makeSphere(40, 80, 80));
  item.materials[0].base_colour_factor = {0.7F, 0.4F, 0.2F};
  Frame frame = test::frameOf({test::viewOf(test::plainCamera(200, 200), {item})}, 4);
  frame.background = {Eigen::Vector3f::Constant(0.1F), Eigen::Vector3f::Constant(0.3F)};
  return frame;
}

struct Pictures {
  Image8 scene, window;
};

// With the context that is current, into the framebuffer that is bound.
Pictures drawBoth(int width_px, int height_px) {
  Panels panels;
  UiDrawing drawing;
  GlRenderer renderer;
  renderer.draw(sphereFrame());
  Pictures pictures;
  pictures.scene = renderer.read();
  for (int frame = 0; frame < 2; ++frame)  // a window finds its layout in the first
    drawing.draw(panels.layOut(width_px, height_px, renderer.texture()), width_px, height_px);
  pictures.window = drawing.readWindow(width_px, height_px);
  return pictures;
}

TEST_CASE("UiDrawing: the scene's picture appears in the user interface byte for byte, text beside it") {
  const HeadlessContext context;
  Offscreen offscreen(300, 200);
  offscreen.bind();
  const Pictures pictures = drawBoth(300, 200);
  int different = 0, bright = 0;
  for (int y = 0; y < 200; ++y) {
    for (int x = 0; x < 200; ++x)
      for (int c = 0; c < 3; ++c)
        different += pictures.window.at(100 + x, y)[c] != pictures.scene.at(x, y)[c] ? 1 : 0;
    for (int x = 0; x < 100; ++x) bright += pictures.window.at(x, y)[1] > 200 ? 1 : 0;
  }
  CHECK(different == 0);
  CHECK(bright > 60);
}

TEST_CASE(
    "Window: on a display of twice the resolution it has the pixels asked for, so its size can be kept") {
  const auto display = Display::start();
  // GLFW takes the scale from this resource, 96 being 1.
  if (!display || std::system("xprop -root -f RESOURCE_MANAGER 8s -set RESOURCE_MANAGER 'Xft.dpi: 192' "
                              "2> /dev/null") != 0) {
    MESSAGE("skipped: no Xvfb or no xprop");
    return;
  }
  const Window window("facet", 300, 200);
  CHECK(window.scale() == 2);
  CHECK(window.width_px() == 300);
  CHECK(window.height_px() == 200);
}

TEST_CASE("Window: its picture is the headless one") {
  const auto display = Display::start();
  if (!display) {
    MESSAGE("skipped: no Xvfb");
    return;
  }
  Pictures in_window, headless;
  {
    Window window("facet", 300, 200);
    CHECK(window.width_px() == 300);
    CHECK(window.height_px() == 200);
    CHECK(window.scale() == 1);
    in_window = drawBoth(300, 200);
    window.swap();
    window.setCursor(ImGuiMouseCursor_Hand);
    window.setClipboard("jawOpen \xCF\x83");
    CHECK(window.clipboard() == "jawOpen \xCF\x83");
    window.wake();
    window.poll(5);  // returns at once
  }
  {
    const HeadlessContext context;
    Offscreen offscreen(300, 200);
    offscreen.bind();
    headless = drawBoth(300, 200);
  }
  // A window's pixels have another order of bytes, and blending may round the other way there.
  const auto differing = [](const Image8& a, const Image8& b, int tolerance) {
    REQUIRE(a.size() == b.size());
    int count = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      count += std::abs(a.data()[i] - b.data()[i]) > tolerance ? 1 : 0;
    return count;
  };
  CHECK(differing(in_window.scene, headless.scene, 0) == 0);
  CHECK(differing(in_window.window, headless.window, 0) < 100);  // of 180,000
  CHECK(differing(in_window.window, headless.window, 1) == 0);
}

}  // namespace
}  // namespace facet
