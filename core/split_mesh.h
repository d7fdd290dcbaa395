#pragma once

#include <cstdint>
#include <vector>

#include "core/mesh.h"

namespace facet {

// A mesh as graphics hardware takes it: one index buffer for positions and texture coordinates.
struct SplitMesh {
  std::vector<std::int32_t> source;     // N, vertex of the mesh, ascending
  std::vector<std::int32_t> uv_source;  // N, texture coordinate; empty without them
  Triangles triangles;                  // F×3 into the N
};

// Each distinct pair of vertex and texture coordinate becomes one vertex; where mirrored and unmirrored
// charts meet in one such pair, two, because their tangents differ.
SplitMesh splitAtSeams(const Mesh& mesh);

// Rows of `values` for each vertex of a split mesh.
template <typename Matrix>
Matrix gatherRows(const Matrix& values, const std::vector<std::int32_t>& source) {
  Matrix result(static_cast<Eigen::Index>(source.size()), values.cols());
  for (std::size_t i = 0; i < source.size(); ++i)
    result.row(static_cast<Eigen::Index>(i)) = values.row(source[i]);
  return result;
}

// Tangents of a split mesh, N×4 as glTF stores them: unit xyz along growing u, perpendicular to the normal,
// and w = ±1 with bitangent = w · normal × tangent along growing v (origin at the bottom left: green of the
// normal map is up). `positions` and unit `normals` are N×3, `uv` N×2. As MikkTSpace has them (Mikkelsen,
// "Simulation of Wrinkled Surfaces Revisited", 2008): triangles count by the angle of their corner. A vertex
// whose texture coordinates give no direction gets any tangent.
Points4 vertexTangents(const Points3& positions, const Points3& normals, const Points2& uv,
                       const Triangles& triangles);

}  // namespace facet
