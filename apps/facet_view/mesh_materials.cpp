#include "apps/facet_view/mesh_materials.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/image_io.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

constexpr std::size_t kMaxMaterials = 256;

// What follows a keyword, without blanks at both ends: names of files may hold some.
std::string restOf(std::istringstream& line) {
  std::string rest;
  std::getline(line >> std::ws, rest);
  while (!rest.empty() && (rest.back() == '\r' || rest.back() == ' ' || rest.back() == '\t')) rest.pop_back();
  return rest;
}

// The file of a map_ line, whose options stand before its name.
std::string textureName(std::string rest) {
  while (rest.starts_with("-")) {
    const std::size_t last = rest.rfind(' ');
    if (last == std::string::npos) break;
    rest = rest.substr(last + 1);
  }
  std::replace(rest.begin(), rest.end(), '\\', '/');
  return rest;
}

// Names of material libraries in an OBJ's text.
std::vector<std::string> librariesOf(const std::string& obj) {
  std::vector<std::string> libraries;
  for (std::size_t at = obj.find("mtllib"); at != std::string::npos; at = obj.find("mtllib", at + 1)) {
    if (at > 0 && obj[at - 1] != '\n') continue;
    std::istringstream line(obj.substr(at + 6, obj.find('\n', at) - at - 6));
    libraries.push_back(restOf(line));
  }
  return libraries;
}

class Textures {
 public:
  Textures(fs::path folder, std::vector<std::string>& notes) : folder_(std::move(folder)), notes_(notes) {}

  // Null, with a note, when it cannot be read. Only the folder of the OBJ and what is in it is looked at.
  std::shared_ptr<const Image8> read(const std::string& name) {
    const auto known = images_.find(name);
    if (known != images_.end()) return known->second;
    std::shared_ptr<const Image8> image;
    fs::path path = folder_ / fs::path(name).relative_path();
    if (!fs::exists(path)) path = folder_ / fs::path(name).filename();
    try {
      image = std::make_shared<const Image8>(readPhoto(path, {.is_texture = true}));
    } catch (const Error& error) {
      notes_.push_back("its texture is missing: " + std::string(error.what()));
    }
    return images_[name] = image;
  }

 private:
  fs::path folder_;
  std::vector<std::string>& notes_;
  std::map<std::string, std::shared_ptr<const Image8>> images_;
};

void readLibrary(const fs::path& path, Textures& textures, std::map<std::string, AssetMaterial>& materials) {
  std::istringstream text(readText(path));
  AssetMaterial* material = nullptr;
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string keyword;
    words >> keyword;
    if (keyword == "newmtl") {
      const std::string name = restOf(words);
      material = &materials[name];
      material->name = name;
    } else if (material == nullptr) {
      continue;
    } else if (keyword == "Kd") {
      Eigen::Vector3f colour;
      if (words >> colour.x() >> colour.y() >> colour.z()) material->base_colour_factor = colour;
    } else if (keyword == "map_Kd") {
      material->base_colour = textures.read(textureName(restOf(words)));
    }
  }
  for (auto& [name, each] : materials) {
    // Programs write any grey beside a texture, and few multiply the two.
    if (each.base_colour) each.base_colour_factor.setOnes();
  }
}

}  // namespace

ObjMaterials objMaterials(const fs::path& obj, const std::vector<std::string>& names,
                          const std::vector<std::int32_t>& triangle_material) {
  ObjMaterials result;
  Textures textures(obj.parent_path(), result.notes);
  std::map<std::string, AssetMaterial> known;
  for (const std::string& library : librariesOf(readText(obj))) {
    fs::path path = obj.parent_path() / fs::path(library).relative_path();
    if (!fs::exists(path)) path = obj.parent_path() / fs::path(library).filename();
    if (!fs::exists(path)) path = fs::path(obj).replace_extension(".mtl");
    try {
      readLibrary(path, textures, known);
    } catch (const Error& error) {
      result.notes.push_back("its material library cannot be read: " + std::string(error.what()));
    }
  }
  for (const std::string& name : names) {
    AssetMaterial material;
    const auto found = known.find(name);
    if (found != known.end()) material = found->second;
    material.name = name;
    result.materials.push_back(std::move(material));
  }
  if (names.size() > kMaxMaterials) {
    result.notes.push_back("has more than " + std::to_string(kMaxMaterials) +
                           " materials; it is shown with the first one");
    result.materials.resize(1);
    return result;
  }
  if (names.size() > 1) {
    for (const std::int32_t material : triangle_material)
      result.triangle_material.push_back(static_cast<std::uint8_t>(std::max(material, 0)));
  }
  if (!names.empty()) return result;
  for (const char* extension : {".png", ".jpg", ".jpeg"}) {
    const fs::path photo = fs::path(obj).replace_extension(extension);
    if (!fs::exists(photo)) continue;
    result.materials.emplace_back().base_colour = textures.read(photo.filename().string());
    break;
  }
  return result;
}

}  // namespace facet
