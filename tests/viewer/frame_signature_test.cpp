#include "viewer/frame_signature.h"

#include <doctest/doctest.h>

#include <functional>

namespace facet {
namespace {

Frame sampleFrame() {
  auto layout = std::make_shared<SurfaceLayout>();
  layout->id = 7;
  DrawItem item;
  item.layout = layout;
  item.state = std::make_shared<SurfaceState>();
  item.materials = {DrawMaterial{}};
  DrawView view;
  view.items = {item};
  view.backdrop.emplace();
  view.light.lamp.emplace();
  Frame frame;
  frame.width_px = 64;
  frame.height_px = 48;
  frame.views = {view};
  return frame;
}

TEST_CASE("frame signature: the same picture has the same one") {
  const Frame frame = sampleFrame(), copy = frame;
  CHECK(signature(frame) == signature(copy));
}

TEST_CASE("frame signature: whatever changes the picture changes it") {
  const Frame original = sampleFrame();
  const std::vector<std::function<void(Frame&)>> changes = {
      [](Frame& frame) { frame.samples = 1; },
      [](Frame& frame) { frame.background[1].x() += 0.01F; },
      [](Frame& frame) { frame.views[0].clip.width = 3; },
      [](Frame& frame) { frame.views[0].camera.camera_from_model.translation().z() += 1; },
      [](Frame& frame) { frame.views[0].camera.focal_px = 3; },
      [](Frame& frame) { frame.views[0].backdrop->offset_px.y() = 1; },
      [](Frame& frame) { frame.views[0].backdrop.reset(); },
      [](Frame& frame) { frame.views[0].items[0].shading = SurfaceShading::kDepth; },
      [](Frame& frame) { frame.views[0].items[0].wireframe = true; },
      [](Frame& frame) { frame.views[0].items[0].materials[0].visible = false; },
      [](Frame& frame) {
        frame.views[0].items[0].materials[0].base_colour = std::make_shared<Image8>(1, 1, 3);
      },
      [](Frame& frame) { frame.views[0].light.diffuse.coefficients(4, 1) += 0.5F; },
      [](Frame& frame) { frame.views[0].light.lamp->radiance.x() = 2; },
      [](Frame& frame) { frame.views.push_back(frame.views[0]); }};
  for (const auto& change : changes) {
    Frame changed = original;
    change(changed);
    CHECK(signature(changed) != signature(original));
  }
}

TEST_CASE("frame signature: a head that moves within the same buffers changes it") {
  Frame frame = sampleFrame();
  auto state = std::make_shared<SurfaceState>();
  frame.views[0].items[0].state = state;
  const std::uint64_t before = signature(frame);
  state->revision += 1;
  CHECK(signature(frame) != before);
}

}  // namespace
}  // namespace facet
