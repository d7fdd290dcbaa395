#include "core/face_asset.h"

#include "core/check.h"

namespace facet {

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
  if (motion) {
    const std::size_t num_frames = motion->time_s.size();
    const auto fits = [num_frames](std::size_t count) { return count == 0 || count == num_frames; };
    require(num_frames > 0 && motion->weights.rows() == static_cast<Eigen::Index>(num_frames) &&
                motion->weights.cols() == static_cast<Eigen::Index>(targets.size()) &&
                fits(motion->world_from_model.size()) && fits(motion->pose.size()),
            writer, ": the sizes of the motion's parts do not fit its ", num_frames, " frames and ",
            targets.size(), " targets");
    require(motion->pose.empty() || skin, writer, ": the motion turns joints, but there is no skin");
    for (std::size_t f = 1; f < num_frames; ++f) {
      require(motion->time_s[f] > motion->time_s[f - 1], writer, ": the motion's frame ", f,
              " is not later than the one before");
    }
  }
}

}  // namespace facet
