#include "core/face_asset.h"

#include "core/check.h"

namespace facet {
namespace {

Points3 unitNormals(const Points3& vertices, const Triangles& triangles) {
  Points3 normals = vertexNormals(vertices, triangles);
  for (Eigen::Index v = 0; v < normals.rows(); ++v) {
    if (!(normals.row(v).squaredNorm() > 0.5F)) normals.row(v) << 0, 0, 1;
  }
  return normals;
}

}  // namespace

Points3 FaceAsset::vertexNormals() const {
  return normals.rows() > 0 ? normals : unitNormals(mesh.vertices, mesh.triangles);
}

Points3 FaceAsset::normalChange(const AssetTarget& target, const Points3& at_rest) const {
  if (normals.rows() > 0) return target.normal_change;
  return unitNormals(mesh.vertices + target.displacement, mesh.triangles) - at_rest;
}

void FaceAsset::check(const char* writer) const {
  mesh.check(writer);
  require(mesh.triangles.rows() > 0, writer, ": the mesh has no triangles");
  require(!materials.empty(), writer, ": there is no material");
  require(triangle_material.empty() ||
              triangle_material.size() == static_cast<std::size_t>(mesh.triangles.rows()),
          writer, ": ", triangle_material.size(), " triangle materials for ", mesh.triangles.rows(),
          " triangles");
  for (const std::uint8_t material : triangle_material) {
    require(material < materials.size(), writer, ": triangle material ", int{material}, " of ",
            materials.size());
  }
  for (const AssetMaterial& material : materials) {
    require(!material.base_colour || mesh.hasUv(), writer, ": material ", material.name,
            " has a texture but the mesh has no texture coordinates");
    require((!material.normal && !material.occlusion_roughness) || mesh.hasUv(), writer, ": material ",
            material.name, " has a data map but the mesh has no texture coordinates");
  }
  if (skin) {
    const auto num_joints = static_cast<Eigen::Index>(skin->names.size());
    require(num_joints > 0 && num_joints < 256, writer, ": ", num_joints, " joints; 1 to 255 can be written");
    require(skin->parent.size() == skin->names.size() && skin->positions.rows() == num_joints &&
                skin->weights.rows() == mesh.vertices.rows() && skin->weights.cols() == num_joints,
            writer, ": the sizes of the skin's parts do not fit its ", num_joints, " joints and the mesh's ",
            mesh.vertices.rows(), " vertices");
    for (Eigen::Index j = 0; j < num_joints; ++j) {
      require(skin->parent[j] < j && (skin->parent[j] < 0) == (j == 0), writer, ": joint ", skin->names[j],
              " has the parent ", skin->parent[j],
              "; the root comes first and parents before their children");
    }
    require(skin->positions.allFinite() && skin->weights.minCoeff() >= 0 &&
                (skin->weights.rowwise().sum().array() - 1).abs().maxCoeff() < 1e-3F,
            writer, ": skinning weights must be positive and sum to 1");
  }
  for (const AssetTarget& target : targets) {
    require(target.displacement.rows() == mesh.vertices.rows() && target.displacement.allFinite(), writer,
            ": target ", target.name, " has ", target.displacement.rows(), " displacements for ",
            mesh.vertices.rows(), " vertices, or one that is not finite");
  }
  require(normals.rows() == 0 || normals.rows() == mesh.vertices.rows(), writer, ": ", normals.rows(),
          " normals for ", mesh.vertices.rows(), " vertices");
  for (const AssetTarget& target : targets) {
    require(target.normal_change.rows() == normals.rows(), writer, ": target ", target.name, " changes ",
            target.normal_change.rows(), " normals of ", normals.rows());
  }
  if (motion) {
    const std::size_t num_frames = motion->time_s.size();
    const auto fits = [num_frames](std::size_t count) { return count == 0 || count == num_frames; };
    require(num_frames > 0 && motion->weights.rows() == static_cast<Eigen::Index>(num_frames) &&
                motion->weights.cols() == static_cast<Eigen::Index>(targets.size()) &&
                fits(motion->world_from_model.size()) && fits(motion->pose.size()),
            writer, ": the sizes of the motion's parts do not fit its ", num_frames, " frames and ",
            targets.size(), " targets");
    require(motion->pose.empty() || skin, writer, ": the motion turns joints, but there is no skin");
    require(motion->weights.allFinite(), writer, ": the motion has weights that are not finite");
    for (std::size_t f = 1; f < num_frames; ++f) {
      require(motion->time_s[f] > motion->time_s[f - 1], writer, ": the motion's frame ", f,
              " is not later than the one before");
    }
  }
}

}  // namespace facet
