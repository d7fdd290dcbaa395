#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "viewer/orbit_camera.h"
#include "viewer/scene.h"

namespace CLI {
class App;
}

namespace facet {

// The command line of facet-view.
struct ViewArguments {
  std::vector<std::string> inputs;
  std::string model;                // of results, as in facet render
  std::string scan;                 // reference of mode scan-error
  std::string environment;          // panorama of light environment
  std::string parameters;           // file of slider values
  std::vector<std::string> values;  // NAME=VALUE, sliders by name
  int frame = -1;                   // of a clip; -1 = the first
  int width_px = 0, height_px = 0;  // 0 = as last time, else 1280x800
  float scale = 0;                  // of text and panels; 0 = as the display says

  // How it is looked at; what is not given is as the state file has it, or as ViewSettings.
  std::string mode, light, compare, look;
  std::optional<float> yaw_deg, pitch_deg, field_of_view_deg, wipe, photo_opacity, head_opacity,
      exposure_stops;
  std::optional<int> samples;
  std::vector<float> lamp;  // yaw, pitch in degrees, strength
  std::string background;   // #rrggbb
  bool wireframe = false, flat = false, no_highlights = false, no_normal_map = false, no_occlusion = false;
  bool landmarks = false;
  bool uncertainty = false, transparent = false, through_photo = false, orthographic = false;

  bool headless = false, with_panels = false, force = false;
  std::string output;              // picture.png or, as a turn of the camera, clip.mp4
  double turn_seconds = 4;         // of a turntable
  std::string reference;           // picture that the output must equal
  double reference_threshold = 2;  // mean absolute difference, of 255

  std::string record, replay, widgets;
  bool watch = false, no_state = false;
  std::string state;               // file; empty = the user's
  int lose_context_at_frame = -1;  // for tests: behaves as if the graphics driver had been reset there

  // Sets what was given.
  void apply(ViewSettings& view) const;
  // The same of the camera, after a subject was framed.
  void apply(OrbitCamera& camera) const;
};

void addViewOptions(CLI::App& app, ViewArguments& arguments);
// Error(kUsage) for options that exclude each other.
void checkViewArguments(const ViewArguments& arguments);

}  // namespace facet
