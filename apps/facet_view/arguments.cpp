#include "apps/facet_view/arguments.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "core/error.h"
#include "viewer/settings_io.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

const std::map<std::string, OrbitCamera::Preset> kPresets = {
    {"front", OrbitCamera::Preset::kFront}, {"left", OrbitCamera::Preset::kLeft},
    {"right", OrbitCamera::Preset::kRight}, {"top", OrbitCamera::Preset::kTop},
    {"back", OrbitCamera::Preset::kBack},   {"three-quarter", OrbitCamera::Preset::kThreeQuarter}};

// The names of an enumeration in its order.
template <typename Enumeration>
std::vector<std::string> namesUpTo(Enumeration last) {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(last); ++i) names.emplace_back(nameOf(static_cast<Enumeration>(i)));
  return names;
}

Eigen::Vector3f colourFrom(const std::string& text) {
  unsigned red = 0, green = 0, blue = 0;
  char rest = 0;
  if (text.size() != 7 || std::sscanf(text.c_str(), "#%2x%2x%2x%c", &red, &green, &blue, &rest) != 3)
    fail(ErrorKind::kUsage, "--background ", text, ": expected a colour like #2a2b2e");
  return Eigen::Vector3f(red, green, blue) / 255;
}

}  // namespace

void addViewOptions(CLI::App& app, ViewArguments& arguments) {
  app.add_option(
      "INPUT", arguments.inputs,
      "photos, clips, folders of reconstruct or track, GLB, OBJ, PLY, takes, panoramas (.hdr), models "
      "(builtin, a name or a file)");
  app.add_option("--model", arguments.model,
                 "of results made with another model than they name: name or file");
  app.add_option("--scan", arguments.scan, "a scan (OBJ, PLY, GLB) that mode scan-error measures against");
  app.add_option("--environment", arguments.environment, "panorama (.hdr, .exr) that lights the head");
  app.add_option("--parameters", arguments.parameters, "slider values saved from the shape panel");
  app.add_option("--set", arguments.values,
                 "NAME=VALUE, a slider by its name, separated by commas or repeated")
      ->delimiter(',');
  app.add_option("--frame", arguments.frame, "of a clip, counted from 0")->check(CLI::NonNegativeNumber);

  const std::string look = "How it is looked at";
  app.add_option("--mode", arguments.mode, "what the surface shows")
      ->check(CLI::IsMember(namesUpTo(SurfaceMode::kScanError)))
      ->group(look);
  app.add_option("--light", arguments.light, "what lights it")
      ->check(CLI::IsMember(namesUpTo(LightKind::kEnvironment)))
      ->group(look);
  app.add_option("--lamp", arguments.lamp, "YAW,PITCH,STRENGTH: a lamp, degrees to the subject's left and up")
      ->delimiter(',')
      ->expected(3)
      ->group(look);
  app.add_option("--exposure", arguments.exposure_stops, "stops")
      ->check(CLI::Range(-10.0, 10.0))
      ->group(look);
  app.add_option("--look", arguments.look, "where from")->check(CLI::IsMember(kPresets))->group(look);
  app.add_option("--yaw", arguments.yaw_deg, "camera to the subject's left, degrees")
      ->check(CLI::Range(-180.0, 180.0))
      ->group(look);
  app.add_option("--pitch", arguments.pitch_deg, "camera up, degrees")
      ->check(CLI::Range(-90.0, 90.0))
      ->group(look);
  app.add_option("--fov", arguments.field_of_view_deg, "field of view, degrees")
      ->check(CLI::Range(5.0, 90.0))
      ->group(look);
  app.add_flag("--orthographic", arguments.orthographic, "without perspective")->group(look);
  app.add_flag("--through-photo", arguments.through_photo, "the camera of the fit, the photo behind")
      ->group(look);
  app.add_option("--photo-opacity", arguments.photo_opacity, "of the photo behind the head")
      ->check(CLI::Range(0.0, 1.0))
      ->group(look);
  app.add_option("--head-opacity", arguments.head_opacity, "of the head over the photo")
      ->check(CLI::Range(0.0, 1.0))
      ->group(look);
  app.add_option("--compare", arguments.compare, "with the photo, or with the second input")
      ->check(CLI::IsMember(namesUpTo(CompareMode::kSideBySide)))
      ->group(look);
  app.add_option("--wipe", arguments.wipe, "share of the width that shows the first")
      ->check(CLI::Range(0.0, 1.0))
      ->group(look);
  app.add_flag("--wireframe", arguments.wireframe, "edges over the surface")->group(look);
  app.add_flag("--flat", arguments.flat, "one normal per triangle")->group(look);
  app.add_flag("--landmarks", arguments.landmarks, "detected and fitted landmarks")->group(look);
  app.add_flag("--uncertainty", arguments.uncertainty, "how sure the network is of each landmark")
      ->group(look);
  app.add_flag("--no-highlights", arguments.no_highlights, "matt surfaces")->group(look);
  app.add_flag("--no-normal-map", arguments.no_normal_map, "without pores and fine lines")->group(look);
  app.add_flag("--no-occlusion", arguments.no_occlusion, "without soft shadows in creases")->group(look);
  app.add_option("--background", arguments.background, "#rrggbb")->group(look);
  app.add_option("--samples", arguments.samples, "per pixel, for smooth edges")
      ->check(CLI::IsMember({1, 2, 4, 8}))
      ->group(look);

  const std::string without = "Without a window";
  app.add_flag("--headless", arguments.headless, "no window: write -o and end")->group(without);
  app.add_option("-o,--output", arguments.output, "picture.png, or clip.mp4 of one turn of the camera")
      ->group(without);
  app.add_flag("--panels", arguments.with_panels, "the whole window with its panels, not the head alone")
      ->group(without);
  app.add_flag("--transparent", arguments.transparent, "no background")->group(without);
  app.add_option("--turn-seconds", arguments.turn_seconds, "length of the clip")
      ->check(CLI::Range(0.5, 60.0))
      ->capture_default_str()
      ->group(without);
  app.add_option("--reference", arguments.reference, "a picture that the output must equal; else exit code 1")
      ->group(without);
  app.add_option("--reference-threshold", arguments.reference_threshold,
                 "mean absolute difference allowed, of 255")
      ->check(CLI::Range(0.0, 255.0))
      ->capture_default_str()
      ->group(without);
  app.add_flag("--force", arguments.force, "overwrite the output")->group(without);

  const std::string window = "Window";
  app.add_option(
         "--size",
         [&arguments](const CLI::results_t& texts) {
           char rest = 0;
           return std::sscanf(texts[0].c_str(), "%dx%d%c", &arguments.width_px, &arguments.height_px,
                              &rest) == 2 &&
                  arguments.width_px >= 16 && arguments.height_px >= 16 && arguments.width_px <= 16384 &&
                  arguments.height_px <= 16384;
         },
         "WIDTHxHEIGHT of the window or picture, pixels: 1280x800")
      ->type_name("WxH")
      ->group(window);
  app.add_option("--scale", arguments.scale, "of text and panels; 0 = as the display says")
      ->check(CLI::Range(0.0, 4.0))
      ->group(window);
  app.add_flag("--watch", arguments.watch, "open the inputs again when their files change")->group(window);
  app.add_option("--state", arguments.state, "file that keeps settings and recent files; else the user's own")
      ->group(window);
  app.add_flag("--no-state", arguments.no_state, "neither read nor write such a file")->group(window);
  app.add_option("--record", arguments.record, "write what mouse and keyboard do as a script")->group(window);
  app.add_option("--replay", arguments.replay, "play such a script, then end; docs/viewer.md")->group(window);
  app.add_option("--widgets", arguments.widgets, "write where the panels' widgets lie at the end, JSON")
      ->group(window);
  app.add_option("--lose-context-at-frame", arguments.lose_context_at_frame)->group("");
}

void checkViewArguments(const ViewArguments& arguments) {
  const bool is_script = !arguments.replay.empty();
  const std::string extension = fs::path(arguments.output).extension().string();
  if (arguments.headless && arguments.output.empty() && !is_script)
    fail(ErrorKind::kUsage,
         "--headless writes a picture or plays a script: add -o picture.png or --replay FILE");
  if (!arguments.headless && !arguments.output.empty())
    fail(ErrorKind::kUsage, "-o writes a picture without a window: add --headless");
  if (!arguments.output.empty() && extension != ".png" && extension != ".mp4")
    fail(ErrorKind::kUsage, arguments.output, ": a picture's name ends in .png, a turntable's in .mp4");
  if (!arguments.output.empty() && is_script)
    fail(ErrorKind::kUsage, "--replay takes its pictures itself, with {\"screenshot\": FILE}; leave -o out");
  if (!arguments.output.empty() && arguments.inputs.empty())
    fail(ErrorKind::kUsage, "-o needs something to show: facet-view --headless builtin -o head.png");
  if (!arguments.reference.empty() && extension != ".png")
    fail(ErrorKind::kUsage, "--reference compares a picture: add -o picture.png");
  if (is_script && !arguments.record.empty())
    fail(ErrorKind::kUsage, "--record and --replay exclude each other");
  if (arguments.headless && !arguments.record.empty())
    fail(ErrorKind::kUsage, "--record needs a window, where someone uses mouse and keyboard");
  if (arguments.headless && arguments.watch)
    fail(ErrorKind::kUsage, "--watch needs a window; without one the program ends with its picture");
  if (!arguments.background.empty()) colourFrom(arguments.background);
}

void ViewArguments::apply(ViewSettings& view) const {
  if (!mode.empty()) view.mode = *surfaceMode(mode);
  if (!scan.empty() && mode.empty()) view.mode = SurfaceMode::kScanError;
  if (!environment.empty()) view.light = LightKind::kEnvironment;
  if (!light.empty()) view.light = *lightKind(light);
  if (!compare.empty()) view.compare = *compareMode(compare);
  if (wipe) view.wipe = *wipe;
  if (photo_opacity) view.photo_opacity = *photo_opacity;
  if (head_opacity) view.head_opacity = *head_opacity;
  if (exposure_stops) view.exposure_stops = *exposure_stops;
  if (samples) view.samples = *samples;
  if (!lamp.empty()) {
    view.lamp = true;
    view.lamp_yaw_deg = lamp[0];
    view.lamp_pitch_deg = lamp[1];
    view.lamp_strength = lamp[2];
  }
  if (!background.empty()) view.background_top = view.background_bottom = colourFrom(background);
  view.wireframe |= wireframe;
  view.flat |= flat;
  view.landmarks |= landmarks || uncertainty;
  view.uncertainty |= uncertainty;
  view.through_photo |= through_photo;
  if (transparent) view.transparent = true;
  if (no_highlights) view.highlights = false;
  if (no_normal_map) view.normal_map = false;
  if (no_occlusion) view.occlusion = false;
}

void ViewArguments::apply(OrbitCamera& camera) const {
  if (!look.empty()) camera.look(kPresets.at(look));
  if (yaw_deg) camera.yaw_deg = *yaw_deg;
  if (pitch_deg) camera.pitch_deg = *pitch_deg;
  if (field_of_view_deg) camera.setFieldOfView(*field_of_view_deg);
  camera.orthographic |= orthographic;
}

}  // namespace facet
