#pragma once

#include <memory>

#include "core/image.h"

namespace facet {

// An RGBA8 picture to draw a user interface into where there is no window. The context that made it must be
// current whenever it is used or destroyed.
class Offscreen {
 public:
  Offscreen(int width_px, int height_px);
  ~Offscreen();
  Offscreen(const Offscreen&) = delete;
  Offscreen& operator=(const Offscreen&) = delete;
  void bind();  // what is drawn next goes here
  int width_px() const;
  int height_px() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Draws what Dear ImGui has laid out into the bound framebuffer: that of the window, or an Offscreen. The
// same code serves both, so that both pictures are equal. Dear ImGui's current context must exist when this
// is made (UserInterface makes one) and must be alive, like the OpenGL context, when this is destroyed: first
// this, then the UserInterface, last the window. Images (ImTextureID) are GL names of textures.
class UiDrawing {
 public:
  UiDrawing();
  ~UiDrawing();
  UiDrawing(const UiDrawing&) = delete;
  UiDrawing& operator=(const UiDrawing&) = delete;

  // ImDrawData of ImGui::GetDrawData(); the framebuffer of that size is cleared to black before.
  void draw(void* imgui_draw_data, int width_px, int height_px);
  // What is in the bound framebuffer, before a swap: RGB, sRGB.
  Image8 readWindow(int width_px, int height_px) const;
};

}  // namespace facet
