#include "core/io/asset_textures.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "core/io/image_io.h"

namespace facet {

std::string fileNameFrom(const std::string& name) {
  std::string result;
  // A leading dot would hide the file.
  if (name.empty() || name.front() == '.') result.push_back('_');
  for (const char c : name) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.';
    result.push_back(is_plain ? c : '_');
  }
  return result;
}

std::vector<TextureFiles> writeTextures(const std::filesystem::path& folder, const FaceAsset& asset) {
  std::map<const Image8*, std::string> written;
  std::set<std::string> names;
  const auto write = [&](const AssetMaterial& material, std::shared_ptr<const Image8> AssetMaterial::*image,
                         const char* kind) -> std::string {
    const std::shared_ptr<const Image8>& pixels = material.*image;
    if (!pixels) return {};
    const auto found = written.find(pixels.get());
    if (found != written.end()) return found->second;
    const bool is_shared = std::all_of(asset.materials.begin(), asset.materials.end(),
                                       [&](const AssetMaterial& other) { return other.*image == pixels; });
    std::string stem = fileNameFrom(asset.name);
    if (!is_shared) stem.append("_").append(fileNameFrom(material.name));
    stem.append("_").append(kind);
    std::string name = stem + ".png";
    for (int i = 2; !names.insert(name).second; ++i) name = stem + "_" + std::to_string(i) + ".png";
    writePng(folder / name, *pixels);
    return written[pixels.get()] = name;
  };
  std::vector<TextureFiles> files;
  for (const AssetMaterial& material : asset.materials) {
    files.push_back({write(material, &AssetMaterial::base_colour, "basecolor"),
                     write(material, &AssetMaterial::occlusion_roughness, "orm"),
                     write(material, &AssetMaterial::normal, "normal")});
  }
  return files;
}

}  // namespace facet
