#include "apps/facet_view/state_file.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/files.h"
#include "viewer/settings_io.h"

namespace fs = std::filesystem;

namespace facet {

using nlohmann::json;

fs::path userStateFile() {
  const char* state_home = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  const fs::path folder = state_home != nullptr && *state_home != '\0' ? fs::path(state_home)
                          : home != nullptr                            ? fs::path(home) / ".local/state"
                                                                       : fs::temp_directory_path();
  return folder / "facet/view.json";
}

ViewState readState(const fs::path& path) {
  ViewState state;
  if (!fs::exists(path)) return state;
  try {
    const json record = json::parse(readText(path));
    fromJson(record.at("view").dump(), path.string(), state.view);
    state.panels = record.at("panels").dump();
    for (const json& file : record.at("recent")) state.recent.emplace_back(file.get<std::string>());
    state.width_px = record.at("width");
    state.height_px = record.at("height");
  } catch (const json::exception& error) {
    fail(ErrorKind::kInput, path.string(), ": is not a state file of facet-view (", error.what(),
         "); remove it, or use another with --state");
  }
  return state;
}

void writeState(const fs::path& path, const ViewState& state) {
  // What belongs to the heads that were open does not outlast them.
  const ViewSettings defaults;
  ViewSettings view = state.view;
  view.landmarks = view.uncertainty = view.through_photo = false;
  view.compare = CompareMode::kNone;
  view.region = defaults.region;
  view.joint = defaults.joint;
  view.photo_zoom = defaults.photo_zoom;
  view.photo_pan_px = defaults.photo_pan_px;
  view.photo_opacity = view.head_opacity = 1;
  if (view.mode == SurfaceMode::kScanError) view.mode = defaults.mode;
  if (view.light == LightKind::kEnvironment) view.light = defaults.light;
  json record = {{"view", json::parse(toJson(view))},
                 {"panels", state.panels.empty() ? json::object() : json::parse(state.panels)},
                 {"recent", json::array()},
                 {"width", state.width_px},
                 {"height", state.height_px}};
  for (const fs::path& file : state.recent) record["recent"].push_back(file.string());
  if (path.has_parent_path()) fs::create_directories(path.parent_path());
  writeText(path, record.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

}  // namespace facet
