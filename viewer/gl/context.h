#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "viewer/input.h"

namespace facet {

// OpenGL 3.3 core, current on the thread that made it. Error(kRuntime) when there is no display, no driver or
// only an older OpenGL, with what was found and the way out.

// Without a window: EGL on a device, then on Mesa's surfaceless platform.
class HeadlessContext {
 public:
  HeadlessContext();
  ~HeadlessContext();
  HeadlessContext(const HeadlessContext&) = delete;
  HeadlessContext& operator=(const HeadlessContext&) = delete;
  std::string description() const;  // "EGL surfaceless, llvmpipe …, OpenGL 4.5"

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A window (GLFW) with its input.
class Window {
 public:
  // Of that many framebuffer pixels, whatever the scale of the display: what width_px() and height_px() said
  // before makes the same window again.
  Window(const std::string& title, int width_px, int height_px);
  ~Window();
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  // Events since the last call; waits up to `wait_s` for one.
  std::vector<InputEvent> poll(double wait_s);
  void wake();  // ends a poll(); from any thread
  void swap();
  int width_px() const;  // of the framebuffer; mouse positions are in its pixels, too
  int height_px() const;
  float scale() const;  // of the display: 2 on a HiDPI one
  void setCursor(int imgui_cursor);
  std::string clipboard() const;
  void setClipboard(const std::string& text);
  std::string description() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace facet
