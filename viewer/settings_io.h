#pragma once

#include <optional>
#include <string>

#include "viewer/orbit_camera.h"
#include "viewer/scene.h"

namespace facet {

// How things are looked at, as JSON: for the state file, and to copy a camera from one window to another.
std::string toJson(const ViewSettings& view);
std::string toJson(const OrbitCamera& camera);
// Unknown keys are ignored, as a newer version may have written them, and missing ones leave their value.
// Error(kInput), led by `source`, for anything that is no such JSON or beyond its limits; the result is
// unchanged then.
void fromJson(const std::string& text, const std::string& source, ViewSettings& view);
void fromJson(const std::string& text, const std::string& source, OrbitCamera& camera);
// Numbers that were typed beyond the limits go to the nearest value within, so that fromJson() takes what
// toJson() wrote.
void keepWithinLimits(ViewSettings& view);

// The names that the command line, the state file and the panels share: "textured", "scan-error", …
const char* nameOf(SurfaceMode mode);
const char* nameOf(LightKind light);
const char* nameOf(CompareMode compare);
// Nothing for any other name.
std::optional<SurfaceMode> surfaceMode(const std::string& name);
std::optional<LightKind> lightKind(const std::string& name);
std::optional<CompareMode> compareMode(const std::string& name);

}  // namespace facet
