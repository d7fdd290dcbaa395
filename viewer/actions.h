#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/export_unit.h"
#include "viewer/scene.h"

namespace facet {

// What the panels ask of the program around them: the viewer knows neither fitting nor the writers of files.
// Everything that takes long runs on a thread of its own, one piece of work at a time, and changes the scene
// on the main thread when it is done or has something to show; Scene::job tells.

struct FitRequest {
  std::string stop_after = "texture";  // "detect", "fit", "texture"
  std::string model = "builtin";
  int texture_size_px = 1024;
  double focal_px = 0;  // 0 = estimate
  bool fast = false;
  bool use_moved_landmarks = true;  // those that were dragged; false: detect anew
};

struct ExportFormatInfo {
  std::string name, extension, description;
  bool is_scene = false, has_unit = false, is_asset = false;  // as ExportFormat of apps/common/exporter.h
};

// As the options of facet export.
struct ExportRequest {
  std::string format = "glb";
  std::filesystem::path path;
  bool overwrite = false;
  std::string shapes = "arkit";  // arkit, model, both, none
  std::string naming = "arkit";  // arkit, ict, pascal
  bool empty_tongue = false;
  std::string unit;               // "mm", "cm", "m"; empty = the format's own
  int texture_size_px = 0;        // 0 = as it is
  bool photo_expression = false;  // the shape as it is shown in place of the neutral face
  bool with_camera = false;
  bool quantised = false;
  bool skin_detail = true;
  std::string topology = "native";
  std::string lods;  // "50,25": percent of the triangles
  std::string take;  // a file; empty = the clip's own motion
};

struct Actions {
  std::function<void(const std::filesystem::path&)> open;       // any file or folder that facet knows
  std::function<void()> open_demo;                              // the built-in head
  std::function<void(const std::filesystem::path&)> open_scan;  // reference of SurfaceMode::kScanError
  std::function<void(const FitRequest&)> fit;                   // the current subject's photo
  std::function<void()> detect;                                 // only its landmarks
  std::function<void()> cancel;
  std::function<void(const ExportRequest&)> export_head;
  std::function<void(const std::filesystem::path&)> save_result;  // an unsaved fit as facet reconstruct would
  std::function<void(const std::filesystem::path&)> save_picture;    // of the view, without the panels
  std::function<void(const std::filesystem::path&)> save_turntable;  // MP4
  std::function<void(const std::filesystem::path&)> save_parameters, load_parameters;
  std::function<void()> measure_scan;           // fills Scene::scan_distance
  std::function<void(int)> load_frame_picture;  // of that frame of the current subject
  std::function<void()> quit;
  std::vector<ExportFormatInfo> export_formats;
  std::vector<std::string> models;            // that can be fitted: builtin and imported
  std::vector<std::filesystem::path> recent;  // files, latest first
};

}  // namespace facet
