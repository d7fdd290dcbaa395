#include "viewer/panels/event_queue.h"

#include <imgui.h>

#include <algorithm>
#include <array>

namespace facet {
namespace {

constexpr int kNumButtons = 3;  // left, right, middle

}  // namespace

std::vector<InputEvent> EventQueue::deliver() {
  using Kind = InputEvent::Kind;
  ImGuiIO& io = ImGui::GetIO();
  std::vector<InputEvent> delivered;
  std::array<bool, kNumButtons> button_changed = {};
  bool any_button = false, wheel = false;
  std::vector<int> keys_changed;
  while (!waiting_.empty()) {
    const InputEvent& event = waiting_.front();
    // Side buttons mean nothing here.
    if (event.kind == Kind::kButton && (event.button < 0 || event.button >= kNumButtons)) {
      waiting_.pop_front();
      continue;
    }
    if (event.kind == Kind::kButton) {
      const std::size_t button = static_cast<std::size_t>(event.button);
      if (button_changed[button] || wheel) break;
      button_changed[button] = any_button = true;
      io.MouseDown[button] = event.down;
    } else if (event.kind == Kind::kMove) {
      // A press belongs to where the mouse was, not to where it went afterwards.
      if (any_button || wheel) break;
      io.MousePos = {event.x, event.y};
    } else if (event.kind == Kind::kWheel) {
      if (any_button) break;
      wheel = true;
      io.MouseWheelH += event.x;
      io.MouseWheel += event.y;
    } else if (event.kind == Kind::kKey) {
      if (std::find(keys_changed.begin(), keys_changed.end(), event.key) != keys_changed.end()) break;
      keys_changed.push_back(event.key);
      if (event.key >= 0 && event.key < keys::kCount) io.KeysDown[event.key] = event.down;
    } else if (event.kind == Kind::kText) {
      io.AddInputCharactersUTF8(event.text.c_str());
    }
    if (event.kind == Kind::kButton || event.kind == Kind::kKey) {
      io.KeyCtrl = event.ctrl;
      io.KeyShift = event.shift;
      io.KeyAlt = event.alt;
    }
    // What comes with a modifier's own press or release is the state before it.
    if (event.kind == Kind::kKey) {
      if (event.key == keys::kLeftControl || event.key == keys::kRightControl) io.KeyCtrl = event.down;
      if (event.key == keys::kLeftShift || event.key == keys::kRightShift) io.KeyShift = event.down;
      if (event.key == keys::kLeftAlt || event.key == keys::kRightAlt) io.KeyAlt = event.down;
    }
    delivered.push_back(event);
    waiting_.pop_front();
  }
  return delivered;
}

}  // namespace facet
