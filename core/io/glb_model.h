#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/face_asset.h"
#include "core/morphable_model.h"

namespace facet {

// A head from a GLB as a model without identity modes: its morph targets are the expressions, with weights in
// [0, 1] and their names as they are, its joints the skeleton, without pose correctives. A model holds no
// texture: the albedo is read off the base colour at the vertices (the mean where a vertex has several
// texture coordinates). `path` leads messages and names the model. Throws std::invalid_argument for what is
// no head.
MorphableModel modelFromAsset(const FaceAsset& asset, const std::filesystem::path& path);

// A mesh with the triangles of `reference` in the same order, material by material, and with the same texture
// coordinates, but with its vertices in another order: order[i] is the vertex of `mesh` that is vertex i of
// the reference. Blender sorts vertices by position when it welds them. Nothing for a mesh of another
// topology.
std::optional<std::vector<std::int32_t>> orderLike(const Mesh& mesh, const MorphableModel& reference);

// Gives a model the reference's vertex order and all that belongs to a topology and not to a head: triangles,
// texture coordinates, materials, regions, landmarks, symmetry.
void takeTopology(const std::vector<std::int32_t>& order, const MorphableModel& reference,
                  MorphableModel& model);

}  // namespace facet
