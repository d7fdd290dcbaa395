#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>
#include <imgui.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "core/error.h"
#include "viewer/gl/context.h"
#include "viewer/gl/gl_names.h"

namespace facet {
namespace {

// What GLFW said last on this thread; its calls only return "failed".
std::string lastError() {
  const char* description = nullptr;
  glfwGetError(&description);
  return description ? description : "";
}

void appendUtf8(std::string& text, unsigned codepoint) {
  const auto byte = [&](unsigned value) { text += static_cast<char>(value); };
  if (codepoint < 0x80) {
    byte(codepoint);
  } else if (codepoint < 0x800) {
    byte(0xC0 | codepoint >> 6);
    byte(0x80 | (codepoint & 0x3F));
  } else if (codepoint < 0x10000) {
    byte(0xE0 | codepoint >> 12);
    byte(0x80 | (codepoint >> 6 & 0x3F));
    byte(0x80 | (codepoint & 0x3F));
  } else {
    byte(0xF0 | codepoint >> 18);
    byte(0x80 | (codepoint >> 12 & 0x3F));
    byte(0x80 | (codepoint >> 6 & 0x3F));
    byte(0x80 | (codepoint & 0x3F));
  }
}

// glfwInit() and glfwTerminate() for as many windows as there are.
int num_windows = 0;

void startGlfw() {
  if (num_windows == 0) {
    if (!glfwInit()) {
      const char* display = std::getenv("DISPLAY");
      fail(ErrorKind::kRuntime, "no display (",
           display && *display ? "DISPLAY is " + std::string(display) : "DISPLAY is not set", "; ",
           lastError(), "); use --headless, or xvfb-run facet-view");
    }
  }
  ++num_windows;
}

void stopGlfw() {
  if (--num_windows == 0) glfwTerminate();
}

// GLFW makes windows in units of its own, which the display's scale multiplies.
int screenUnits(int size_px, float scale) {
  return std::max(1, static_cast<int>(std::lround(static_cast<float>(size_px) / std::max(scale, 0.1F))));
}

// The version of any OpenGL that a window can have; empty if there is none.
std::string anyVersion() {
  glfwDefaultWindowHints();
  glfwWindowHint(GLFW_VISIBLE, GLFW_FALSE);
  GLFWwindow* window = glfwCreateWindow(16, 16, "", nullptr, nullptr);
  if (!window) return {};
  glfwMakeContextCurrent(window);
  const std::string version = reinterpret_cast<const char*>(glGetString(GL_VERSION));
  glfwDestroyWindow(window);
  return version;
}

}  // namespace

struct Window::Impl {
  GLFWwindow* window = nullptr;
  std::vector<InputEvent> events;
  std::array<GLFWcursor*, ImGuiMouseCursor_COUNT> cursors{};
  int cursor = ImGuiMouseCursor_Arrow;
  bool ctrl = false, shift = false, alt = false;

  static Impl& of(GLFWwindow* window) { return *static_cast<Impl*>(glfwGetWindowUserPointer(window)); }

  InputEvent event(InputEvent::Kind kind) const {
    InputEvent result;
    result.kind = kind;
    result.ctrl = ctrl;
    result.shift = shift;
    result.alt = alt;
    return result;
  }

  void setModifiers(int mods) {
    ctrl = mods & GLFW_MOD_CONTROL;
    shift = mods & GLFW_MOD_SHIFT;
    alt = mods & GLFW_MOD_ALT;
  }

  // Framebuffer pixels per unit of GLFW's screen coordinates.
  std::array<float, 2> pixelScale() const {
    int window_width = 0, window_height = 0, width = 0, height = 0;
    glfwGetWindowSize(window, &window_width, &window_height);
    glfwGetFramebufferSize(window, &width, &height);
    return {static_cast<float>(width) / static_cast<float>(std::max(window_width, 1)),
            static_cast<float>(height) / static_cast<float>(std::max(window_height, 1))};
  }

  void addMove(double x, double y) {
    const auto scale = pixelScale();
    InputEvent move = event(InputEvent::Kind::kMove);
    move.x = static_cast<float>(x) * scale[0];
    move.y = static_cast<float>(y) * scale[1];
    events.push_back(move);
  }

  void listen();
};

void Window::Impl::listen() {
  glfwSetWindowUserPointer(window, this);
  glfwSetCursorPosCallback(window, [](GLFWwindow* w, double x, double y) { of(w).addMove(x, y); });
  glfwSetMouseButtonCallback(window, [](GLFWwindow* w, int button, int action, int mods) {
    if (button > GLFW_MOUSE_BUTTON_MIDDLE) return;
    Impl& self = of(w);
    self.setModifiers(mods);
    InputEvent event = self.event(InputEvent::Kind::kButton);
    event.button = button;
    event.down = action == GLFW_PRESS;
    self.events.push_back(event);
  });
  glfwSetScrollCallback(window, [](GLFWwindow* w, double x, double y) {
    InputEvent event = of(w).event(InputEvent::Kind::kWheel);
    event.x = static_cast<float>(x);
    event.y = static_cast<float>(y);
    of(w).events.push_back(event);
  });
  glfwSetKeyCallback(window, [](GLFWwindow* w, int key, int, int action, int mods) {
    // A key that is held down is one press: what repeats does so by itself.
    if (key == GLFW_KEY_UNKNOWN || action == GLFW_REPEAT) return;
    Impl& self = of(w);
    // X11 reports the modifiers as they were before this key.
    const auto isKey = [key](int left, int right) { return key == left || key == right; };
    const bool down = action != GLFW_RELEASE;
    self.setModifiers(mods);
    if (isKey(GLFW_KEY_LEFT_CONTROL, GLFW_KEY_RIGHT_CONTROL)) self.ctrl = down;
    if (isKey(GLFW_KEY_LEFT_SHIFT, GLFW_KEY_RIGHT_SHIFT)) self.shift = down;
    if (isKey(GLFW_KEY_LEFT_ALT, GLFW_KEY_RIGHT_ALT)) self.alt = down;
    InputEvent event = self.event(InputEvent::Kind::kKey);
    event.key = key;
    event.down = down;
    self.events.push_back(event);
  });
  glfwSetCharCallback(window, [](GLFWwindow* w, unsigned codepoint) {
    InputEvent event = of(w).event(InputEvent::Kind::kText);
    appendUtf8(event.text, codepoint);
    of(w).events.push_back(event);
  });
  glfwSetDropCallback(window, [](GLFWwindow* w, int count, const char** paths) {
    InputEvent event = of(w).event(InputEvent::Kind::kDrop);
    event.paths.assign(paths, paths + count);
    of(w).events.push_back(event);
  });
  glfwSetFramebufferSizeCallback(window, [](GLFWwindow* w, int width, int height) {
    InputEvent event = of(w).event(InputEvent::Kind::kResize);
    event.x = static_cast<float>(width);
    event.y = static_cast<float>(height);
    of(w).events.push_back(event);
  });
  glfwSetWindowCloseCallback(window, [](GLFWwindow* w) {
    // Whoever reads the events decides: there may be something to save.
    glfwSetWindowShouldClose(w, GLFW_FALSE);
    of(w).events.push_back(of(w).event(InputEvent::Kind::kClose));
  });
  glfwSetWindowFocusCallback(window, [](GLFWwindow* w, int focused) {
    // GLFW releases the keys it saw pressed. A modifier that was down before the window had the focus is none
    // of them: it only came along with other keys and buttons.
    if (focused) return;
    Impl& self = of(w);
    self.setModifiers(0);
    for (const int key : {GLFW_KEY_LEFT_CONTROL, GLFW_KEY_LEFT_SHIFT, GLFW_KEY_LEFT_ALT}) {
      InputEvent event = self.event(InputEvent::Kind::kKey);
      event.key = key;
      self.events.push_back(event);
    }
  });
}

Window::Window(const std::string& title, int width_px, int height_px) : impl_(std::make_unique<Impl>()) {
  startGlfw();
  float scale_x = 1, scale_y = 1;
  if (GLFWmonitor* monitor = glfwGetPrimaryMonitor()) glfwGetMonitorContentScale(monitor, &scale_x, &scale_y);
  const auto create = [&](int robustness) {
    glfwDefaultWindowHints();
    glfwWindowHint(GLFW_CONTEXT_VERSION_MAJOR, 3);
    glfwWindowHint(GLFW_CONTEXT_VERSION_MINOR, 3);
    glfwWindowHint(GLFW_OPENGL_PROFILE, GLFW_OPENGL_CORE_PROFILE);
    glfwWindowHint(GLFW_CONTEXT_ROBUSTNESS, robustness);
    // The picture of the scene is smoothed by its own renderer, and the panels by Dear ImGui.
    glfwWindowHint(GLFW_SAMPLES, 0);
    glfwWindowHint(GLFW_DEPTH_BITS, 0);
    glfwWindowHint(GLFW_STENCIL_BITS, 0);
    glfwWindowHint(GLFW_SCALE_TO_MONITOR, GLFW_TRUE);
    return glfwCreateWindow(screenUnits(width_px, scale_x), screenUnits(height_px, scale_y), title.c_str(),
                            nullptr, nullptr);
  };
  impl_->window = create(GLFW_LOSE_CONTEXT_ON_RESET);
  if (!impl_->window) impl_->window = create(GLFW_NO_ROBUSTNESS);
  if (!impl_->window) {
    const std::string reason = lastError(), version = anyVersion();
    stopGlfw();
    if (!version.empty())
      fail(ErrorKind::kRuntime, "OpenGL ", version, " found, facet-view needs 3.3 (", reason,
           "); update the graphics driver, or set LIBGL_ALWAYS_SOFTWARE=1 to draw on the CPU");
    fail(ErrorKind::kRuntime, "no window with OpenGL 3.3: ", reason,
         "; install libgl1-mesa-dri or the driver of the graphics card, or use --headless");
  }
  glfwMakeContextCurrent(impl_->window);
  glfwSwapInterval(1);
  impl_->listen();
}

Window::~Window() {
  for (GLFWcursor* cursor : impl_->cursors)
    if (cursor) glfwDestroyCursor(cursor);
  glfwDestroyWindow(impl_->window);
  stopGlfw();
}

std::vector<InputEvent> Window::poll(double wait_s) {
  if (wait_s > 0) {
    glfwWaitEventsTimeout(wait_s);
  } else {
    glfwPollEvents();
  }
  return std::exchange(impl_->events, {});
}

void Window::wake() { glfwPostEmptyEvent(); }

void Window::swap() { glfwSwapBuffers(impl_->window); }

int Window::width_px() const {
  int width = 0;
  glfwGetFramebufferSize(impl_->window, &width, nullptr);
  return width;
}

int Window::height_px() const {
  int height = 0;
  glfwGetFramebufferSize(impl_->window, nullptr, &height);
  return height;
}

float Window::scale() const {
  float scale = 1;
  glfwGetWindowContentScale(impl_->window, &scale, nullptr);
  return scale > 0 ? scale : 1;
}

void Window::setCursor(int imgui_cursor) {
  if (imgui_cursor == impl_->cursor) return;
  impl_->cursor = imgui_cursor;
  if (imgui_cursor < 0 || imgui_cursor >= ImGuiMouseCursor_COUNT) {
    glfwSetInputMode(impl_->window, GLFW_CURSOR, GLFW_CURSOR_HIDDEN);
    return;
  }
  // GLFW 3.3 has no cursor for every one that Dear ImGui knows.
  constexpr std::array<int, ImGuiMouseCursor_COUNT> kShapes = {GLFW_ARROW_CURSOR,      // Arrow
                                                               GLFW_IBEAM_CURSOR,      // TextInput
                                                               GLFW_CROSSHAIR_CURSOR,  // ResizeAll
                                                               GLFW_VRESIZE_CURSOR,    // ResizeNS
                                                               GLFW_HRESIZE_CURSOR,    // ResizeEW
                                                               GLFW_CROSSHAIR_CURSOR,  // ResizeNESW
                                                               GLFW_CROSSHAIR_CURSOR,  // ResizeNWSE
                                                               GLFW_HAND_CURSOR,       // Hand
                                                               GLFW_ARROW_CURSOR};     // NotAllowed
  GLFWcursor*& cursor = impl_->cursors[imgui_cursor];
  if (!cursor) cursor = glfwCreateStandardCursor(kShapes[imgui_cursor]);
  glfwSetCursor(impl_->window, cursor);  // null: the arrow
  glfwSetInputMode(impl_->window, GLFW_CURSOR, GLFW_CURSOR_NORMAL);
}

std::string Window::clipboard() const {
  const char* text = glfwGetClipboardString(impl_->window);
  return text ? text : "";
}

void Window::setClipboard(const std::string& text) { glfwSetClipboardString(impl_->window, text.c_str()); }

std::string Window::description() const { return "GLFW window, " + glDescription(); }

}  // namespace facet
