#pragma once

#include <memory>
#include <string>
#include <vector>

#include "viewer/renderer.h"

namespace facet {

// Renderer on the current OpenGL 3.3 context. Buffers and textures are kept as long as what they were made of
// lives and are sent anew when its revision changes. With one sample per pixel and neither highlights nor
// maps it draws what renderFace() of render/face_renderer.h draws; a material without texture, colours or
// factor is its mid grey.
class GlRenderer : public Renderer {
 public:
  GlRenderer();
  ~GlRenderer() override;

  // Into a picture of its own: the framebuffer that is bound stays bound. std::invalid_argument for a frame
  // without size or data that do not fit a layout, Error(kRuntime) for a picture larger than the driver
  // takes.
  void draw(const Frame& frame) override;
  Image8 read() const override;
  std::vector<std::string> takeNotes() override;
  // GL name of the picture's texture (sRGB values in an RGBA8 texture, bottom row first), for a user
  // interface. Another one after a frame of another size.
  unsigned texture() const;
  // Whether the context was lost (GL_ARB_robustness), now or at an earlier call; nothing can be drawn any
  // more.
  bool lost() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace facet
