// Epic Games, "MetaHuman documentation: Mesh to MetaHuman", which asks for a textured mesh or at least a
// separate material for the whites of the eyes, open eyes and even light.
#include "assets/metahuman.h"

#include <algorithm>
#include <initializer_list>

#include "core/error.h"
#include "core/io/obj_set.h"

namespace facet {
namespace {

bool hasAny(const std::string& name, std::initializer_list<const char*> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&name](const char* part) { return name.find(part) != std::string::npos; });
}

bool isLeftOut(const std::string& material) {
  return hasAny(material, {"teeth", "tooth", "tongue", "gum", "lash", "cornea", "lacrimal", "occlusion"});
}

bool isEye(const std::string& material) {
  return hasAny(material, {"eye"}) && !hasAny(material, {"socket", "lid", "brow"});
}

// Rows that the indices use, which are renumbered.
template <typename Points>
Points keepUsed(const Points& points, Triangles& indices) {
  std::vector<std::int32_t> number(static_cast<std::size_t>(points.rows()), -1);
  for (Eigen::Index i = 0; i < indices.size(); ++i) number[indices.data()[i]] = 0;
  Points kept(points.rows(), points.cols());
  std::int32_t count = 0;
  for (Eigen::Index p = 0; p < points.rows(); ++p) {
    if (number[p] < 0) continue;
    kept.row(count) = points.row(p);
    number[p] = count++;
  }
  kept.conservativeResize(count, points.cols());
  for (Eigen::Index i = 0; i < indices.size(); ++i) indices.data()[i] = number[indices.data()[i]];
  return kept;
}

}  // namespace

FaceAsset metahumanAsset(const FaceAsset& asset) {
  asset.check("metahumanAsset");
  FaceAsset result;
  result.name = asset.name;
  result.mesh = asset.mesh;
  result.mesh.colours.resize(0, 3);
  result.materials.assign(2, AssetMaterial{});
  result.materials[0].name = "skin";
  result.materials[1].name = "eye_white";
  for (AssetMaterial& material : result.materials) material.roughness = 1;

  bool has_eye = false;
  Eigen::Index kept = 0;
  for (Eigen::Index f = 0; f < asset.mesh.triangles.rows(); ++f) {
    const AssetMaterial& source =
        asset.materials[asset.triangle_material.empty() ? 0 : asset.triangle_material[f]];
    if (isLeftOut(source.name)) continue;
    const bool is_eye = isEye(source.name);
    has_eye = has_eye || is_eye;
    AssetMaterial& material = result.materials[is_eye ? 1 : 0];
    material.base_colour = source.base_colour;
    material.base_colour_factor =
        source.base_colour || !is_eye ? source.base_colour_factor : Eigen::Vector3f::Constant(0.8F);
    result.mesh.triangles.row(kept) = asset.mesh.triangles.row(f);
    if (asset.mesh.hasUv()) result.mesh.uv_triangles.row(kept) = asset.mesh.uv_triangles.row(f);
    result.triangle_material.push_back(is_eye ? 1 : 0);
    ++kept;
  }
  if (!has_eye) {
    fail(ErrorKind::kUsage, "the model of ", asset.name,
         " has no eyeballs, and Mesh to MetaHuman tracks empty eyes badly; use the built-in model, FLAME or "
         "ICT-FaceKit");
  }
  result.mesh.triangles.conservativeResize(kept, 3);
  result.mesh.vertices = keepUsed(result.mesh.vertices, result.mesh.triangles);
  if (asset.mesh.hasUv()) {
    result.mesh.uv_triangles.conservativeResize(kept, 3);
    result.mesh.uv = keepUsed(result.mesh.uv, result.mesh.uv_triangles);
  }
  return result;
}

void writeMetahuman(const std::filesystem::path& path, const FaceAsset& asset) {
  writeObj(path, metahumanAsset(asset), ExportUnit::kCentimetre);
}

}  // namespace facet
