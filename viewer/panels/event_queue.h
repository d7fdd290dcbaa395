#pragma once

#include <deque>
#include <vector>

#include "viewer/input.h"

namespace facet {

// Hands events to Dear ImGui, frame by frame. ImGui 1.86 looks at the state of mouse and keys once per frame,
// so a button or key that goes down and up between two frames would be lost: its second change, and what
// follows, waits for the next frame.
class EventQueue {
 public:
  void add(const InputEvent& event) { waiting_.push_back(event); }
  bool empty() const { return waiting_.empty(); }
  // Those of the next frame go to ImGui's io; returns them.
  std::vector<InputEvent> deliver();

 private:
  std::deque<InputEvent> waiting_;
};

}  // namespace facet
