#include "viewer/gl/ui_drawing.h"

// clang-format off
#include <imgui.h>
#include <backends/imgui_impl_opengl3.h>
// clang-format on

#include <cstring>

#include "core/check.h"
#include "core/error.h"
#include "viewer/gl/gl_names.h"

namespace facet {

struct Offscreen::Impl {
  GlFramebuffer framebuffer;
  GlRenderbuffer colour;
  int width_px = 0, height_px = 0;
};

Offscreen::Offscreen(int width_px, int height_px) : impl_(std::make_unique<Impl>()) {
  require(width_px > 0 && height_px > 0, "Offscreen: ", width_px, "x", height_px, " is not a size");
  impl_->width_px = width_px;
  impl_->height_px = height_px;
  glBindRenderbuffer(GL_RENDERBUFFER, impl_->colour.get());
  glRenderbufferStorage(GL_RENDERBUFFER, GL_RGBA8, width_px, height_px);
  bind();
  glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_RENDERBUFFER, impl_->colour.get());
  if (glCheckFramebufferStatus(GL_FRAMEBUFFER) != GL_FRAMEBUFFER_COMPLETE)
    fail(ErrorKind::kRuntime, "OpenGL cannot draw into a picture of ", width_px, "x", height_px,
         " pixels; ask for a smaller one");
}

Offscreen::~Offscreen() = default;

void Offscreen::bind() { glBindFramebuffer(GL_FRAMEBUFFER, impl_->framebuffer.get()); }
int Offscreen::width_px() const { return impl_->width_px; }
int Offscreen::height_px() const { return impl_->height_px; }

UiDrawing::UiDrawing() {
  require(ImGui::GetCurrentContext() != nullptr, "UiDrawing: Dear ImGui has no context; make it first");
  if (!ImGui_ImplOpenGL3_Init("#version 330 core"))
    fail(ErrorKind::kRuntime, "Dear ImGui finds no OpenGL; install libgl1");
  ImGui_ImplOpenGL3_NewFrame();  // makes the font texture, which the first frame's layout refers to
}

UiDrawing::~UiDrawing() {
  if (ImGui::GetCurrentContext()) ImGui_ImplOpenGL3_Shutdown();
}

void UiDrawing::draw(void* imgui_draw_data, int width_px, int height_px) {
  // Dear ImGui's colours are sRGB already and are blended as such.
  glDisable(GL_FRAMEBUFFER_SRGB);
  glDisable(GL_SCISSOR_TEST);
  glViewport(0, 0, width_px, height_px);
  glClearColor(0, 0, 0, 1);
  glClear(GL_COLOR_BUFFER_BIT);
  auto* data = static_cast<ImDrawData*>(imgui_draw_data);
  // A frame that was laid out before this object was made does not know the font texture.
  for (int i = 0; i < data->CmdListsCount; ++i)
    for (ImDrawCmd& command : data->CmdLists[i]->CmdBuffer)
      if (!command.TextureId) command.TextureId = ImGui::GetIO().Fonts->TexID;
  ImGui_ImplOpenGL3_RenderDrawData(data);
}

Image8 UiDrawing::readWindow(int width_px, int height_px) const {
  Image8 upside_down(width_px, height_px, 3), image(width_px, height_px, 3);
  glPixelStorei(GL_PACK_ALIGNMENT, 1);
  glReadPixels(0, 0, width_px, height_px, GL_RGB, GL_UNSIGNED_BYTE, upside_down.data());
  for (int y = 0; y < height_px; ++y)
    std::memcpy(image.at(0, y), upside_down.at(0, height_px - 1 - y), 3 * static_cast<std::size_t>(width_px));
  return image;
}

}  // namespace facet
