#pragma once

#include <array>

#include "viewer/scene.h"

namespace facet {

// Looks and views with their keys: for the shortcuts, the panels' buttons and the list of keys.

struct ModeEntry {
  SurfaceMode mode;
  const char *label, *told;  // on its button; in the list of keys
  char key;
};
// In the order of SurfaceMode.
inline constexpr std::array<ModeEntry, 11> kModes = {
    {{SurfaceMode::kTextured, "Textured", "textured", 'T'},
     {SurfaceMode::kAlbedo, "Albedo", "albedo", 'A'},
     {SurfaceMode::kClay, "Clay", "clay", 'C'},
     {SurfaceMode::kNormals, "Normals", "normals", 'N'},
     {SurfaceMode::kCurvature, "Curvature", "curvature", 'K'},
     {SurfaceMode::kDepth, "Depth", "depth", 'D'},
     {SurfaceMode::kPncc, "PNCC", "PNCC", 'P'},
     {SurfaceMode::kUvChecker, "UV checker", "UV checker", 'U'},
     {SurfaceMode::kRegions, "Regions", "regions", 'G'},
     {SurfaceMode::kSkinWeights, "Skin weights", "skin weights", 'J'},
     {SurfaceMode::kScanError, "Scan error", "distance to a scan", 'E'}}};

struct PresetEntry {
  OrbitCamera::Preset preset;
  const char *id, *label, *told;
  char key;
};
inline constexpr std::array<PresetEntry, 6> kPresets = {
    {{OrbitCamera::Preset::kFront, "front", "Front", "front", '1'},
     {OrbitCamera::Preset::kThreeQuarter, "three-quarter", "3/4", "three quarters", '2'},
     {OrbitCamera::Preset::kRight, "right", "Right", "the subject's right", '3'},
     {OrbitCamera::Preset::kLeft, "left", "Left", "left", '4'},
     {OrbitCamera::Preset::kTop, "top", "Top", "top", '7'},
     {OrbitCamera::Preset::kBack, "back", "Back", "back", '9'}}};

}  // namespace facet
