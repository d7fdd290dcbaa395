#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/image.h"
#include "core/spherical_harmonics.h"

namespace facet {

// Light from all around, from a panorama. Model frame: the middle of the picture is seen along -Z (behind the
// face's back is what it looks away from), +X is a quarter to its right, +Y is up;
// `environment_yaw` turns it.
struct Environment {
  std::string name;
  SphericalHarmonicsLight diffuse;  // of the whole panorama
  // Latitude-longitude panoramas, linear RGB, each blurred by the GGX lobe of a roughness: i / (n - 1).
  std::vector<ImageF> by_roughness;
};

// Radiance .hdr (RGBE) or .exr, width = 2 × height. Error(kInput) naming file and rule. The light is brought
// to such a strength that the surface which faces its brightest side shows its albedo, as under radiance 1
// from everywhere.
Environment readEnvironment(const std::filesystem::path& path);
Environment environmentFrom(const ImageF& panorama, const std::string& name);

// Two softboxes in a dim room, a strong one above the subject's left and a weak one at its right: what eyes
// mirror under studioLight() of render/studio.h, which lights from about the same side.
std::shared_ptr<const Environment> studioEnvironment();

}  // namespace facet
