#pragma once

#include <Eigen/Core>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "viewer/actions.h"
#include "viewer/frame_builder.h"
#include "viewer/input.h"
#include "viewer/scene.h"

namespace facet {

// What the user interface asks of the window; each may be missing.
struct WindowHooks {
  std::function<std::string()> clipboard;
  std::function<void(const std::string&)> set_clipboard;
  std::function<void(int)> set_cursor;  // ImGuiMouseCursor_…, when it changes; see Window::setCursor()
};

// All of the window but the 3D picture: Dear ImGui without a backend. Events come from a window or a script,
// the picture of the scene comes as a texture, what is to be drawn leaves as ImGui's draw data. One at a
// time: ImGui's current context is its own from the constructor to the destructor.
class UserInterface {
 public:
  explicit UserInterface(float scale = 1);  // of text and spacing: 2 on a HiDPI display
  ~UserInterface();

  void setHooks(WindowHooks hooks);
  void handle(const InputEvent& event);
  // One frame of a window of that size: panels change the scene and call actions. `scene_texture` is the GL
  // name (or null) of the picture that fills viewport(), as ImTextureID, its bottom row first. Playing clips
  // move on by `seconds_since_last` here, messages age.
  void draw(Scene& scene, Actions& actions, const FrameBuilder& builder, void* scene_texture, int width_px,
            int height_px, double seconds_since_last);
  // ImDrawData of the last draw(); null before.
  void* drawData() const;
  // Where the scene's picture lies in the window, from the layout of the last frame (of the first one, when
  // called before it).
  PixelRect viewport(int width_px, int height_px) const;
  const WidgetRects& widgets() const;
  // Whether something moves by itself (a message that fades, a caret), so that the next frame must be drawn.
  bool animates() const;
  void setPanelsVisible(bool visible);  // false: the picture alone, with marks, legend and nothing else
  // For the status bar: what the last picture took (0 = not known), and what draws ("llvmpipe, OpenGL 4.5").
  void setFrameTime(double seconds);
  void setBackend(const std::string& description);
  // State file: which panels are open and so on, as JSON text. Unknown keys and broken text leave all as it
  // is.
  std::string toJson() const;
  void fromJson(const std::string& text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace facet
