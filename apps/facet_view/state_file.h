#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "viewer/scene.h"

namespace facet {

// What the viewer remembers from one time to the next.
struct ViewState {
  ViewSettings view;
  std::string panels;                         // UserInterface::toJson()
  std::vector<std::filesystem::path> recent;  // latest first
  int width_px = 0, height_px = 0;            // of the window; 0 = not known
};

// $XDG_STATE_HOME/facet/view.json or ~/.local/state/facet/view.json.
std::filesystem::path userStateFile();

// The default state if there is no such file. Error(kInput) for one that cannot be understood.
ViewState readState(const std::filesystem::path& path);
// Error(kRuntime) when it cannot be written.
void writeState(const std::filesystem::path& path, const ViewState& state);

}  // namespace facet
