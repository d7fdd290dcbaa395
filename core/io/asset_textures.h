#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/face_asset.h"

namespace facet {

// Names of a material's images beside a file that refers to them; empty where there is none.
struct TextureFiles {
  std::string base_colour;          // sRGB
  std::string occlusion_roughness;  // data: red = occlusion, green = roughness
  std::string normal;               // data, green up
};

// A name that stands in any file system and as one word in an OBJ: what is not a letter, digit, '-', '.' or
// '_' becomes '_'; never empty.
std::string fileNameFrom(const std::string& name);

// Writes each distinct image of the asset once into `folder`, as PNG: <asset>_<material>_basecolor.png,
// …_orm.png, …_normal.png, called after the first material that has it (without <material> where all
// materials share it). Materials×files.
std::vector<TextureFiles> writeTextures(const std::filesystem::path& folder, const FaceAsset& asset);

}  // namespace facet
