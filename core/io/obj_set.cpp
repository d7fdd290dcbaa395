// Wavefront OBJ and MTL; the statements norm, map_Pr and Pr are the extension for physically based shading
// that Blender, Maya's and Houdini's importers know. map_Bump is read as a normal map by Blender.
#include "core/io/obj_set.h"

#include <set>
#include <sstream>

#include "core/check.h"
#include "core/io/asset_textures.h"
#include "core/io/files.h"
#include "core/io/mesh_io.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

// Name of each material in the .mtl: one word, distinct.
std::vector<std::string> materialNames(const FaceAsset& asset) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const AssetMaterial& material : asset.materials) {
    const std::string plain = fileNameFrom(material.name);
    std::string name = plain;
    for (int i = 2; !taken.insert(name).second; ++i) name = plain + "_" + std::to_string(i);
    names.push_back(name);
  }
  return names;
}

void writeMaterials(const fs::path& path, const FaceAsset& asset, const std::vector<std::string>& names) {
  const std::vector<TextureFiles> textures = writeTextures(path.parent_path(), asset);
  std::ostringstream out;
  for (std::size_t m = 0; m < names.size(); ++m) {
    const AssetMaterial& material = asset.materials[m];
    const Eigen::Vector3f& colour = material.base_colour_factor;
    out << (m > 0 ? "\n" : "") << "newmtl " << names[m] << "\nKd " << colour.x() << " " << colour.y() << " "
        << colour.z() << "\nKs 0.5 0.5 0.5\nNi " << material.ior << "\nPr " << material.roughness
        << "\nillum 2\n";
    if (!textures[m].base_colour.empty()) out << "map_Kd " << textures[m].base_colour << "\n";
    if (!textures[m].occlusion_roughness.empty()) {
      out << "map_Pr -imfchan g " << textures[m].occlusion_roughness << "\n";
    }
    if (!textures[m].normal.empty()) {
      out << "map_Bump -bm 1 " << textures[m].normal << "\nnorm " << textures[m].normal << "\n";
    }
  }
  writeText(path, out.str());
}

ObjOptions objOptions(const FaceAsset& asset, const std::string& library, ExportUnit unit) {
  ObjOptions options;
  options.unit = unit;
  options.material_library = library;
  options.materials = materialNames(asset);
  options.triangle_material = asset.triangle_material;
  return options;
}

}  // namespace

void writeObj(const fs::path& path, const FaceAsset& asset, ExportUnit unit) {
  asset.check("writeObj");
  const std::string library = path.stem().string() + ".mtl";
  const ObjOptions options = objOptions(asset, library, unit);
  writeMaterials(path.parent_path() / library, asset, options.materials);
  writeObj(path, asset.mesh, options);
}

std::vector<std::string> writeObjSet(const fs::path& folder, const FaceAsset& asset, ExportUnit unit) {
  asset.check("writeObjSet");
  std::vector<std::string> files = {"neutral.obj"};
  std::set<std::string> taken(files.begin(), files.end());
  for (const AssetTarget& target : asset.targets) {
    files.push_back(fileNameFrom(target.name) + ".obj");
    require(taken.insert(files.back()).second, "writeObjSet: target ", target.name, " would be written as ",
            files.back(), ", which is there already; give it another name");
  }
  const std::string library = fileNameFrom(asset.name) + ".mtl";
  const ObjOptions options = objOptions(asset, library, unit);
  writeMaterials(folder / library, asset, options.materials);
  writeObj(folder / files[0], asset.mesh, options);
  Mesh shape = asset.mesh;
  for (std::size_t t = 0; t < asset.targets.size(); ++t) {
    shape.vertices = asset.mesh.vertices + asset.targets[t].displacement;
    writeObj(folder / files[t + 1], shape, options);
  }
  return files;
}

}  // namespace facet
