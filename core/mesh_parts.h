#pragma once

#include <vector>

#include "core/mesh.h"

namespace facet {

// Which vertices are one point of the surface: meshes that were split along UV seams hold a vertex several
// times. V entries, the lowest index at the same position (compared exactly) of each vertex.
std::vector<int> weldedVertices(const Points3& vertices);

// The corners' welded vertices.
Triangles weldedTriangles(const Triangles& triangles, const std::vector<int>& welded);

// Some triangles of a mesh, with the way back to the whole.
struct SubMesh {
  Mesh mesh;                  // all vertices, some triangles; without texture coordinates
  std::vector<int> triangle;  // of the whole mesh
};

// The triangles for whose index keep(index) is true.
template <typename Keep>
SubMesh subMesh(const Points3& vertices, const Triangles& triangles, const Keep& keep) {
  SubMesh result;
  result.mesh.vertices = vertices;
  result.mesh.triangles.resize(triangles.rows(), 3);
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    if (!keep(static_cast<int>(f))) continue;
    result.mesh.triangles.row(static_cast<Eigen::Index>(result.triangle.size())) = triangles.row(f);
    result.triangle.push_back(static_cast<int>(f));
  }
  result.mesh.triangles.conservativeResize(static_cast<Eigen::Index>(result.triangle.size()), 3);
  return result;
}

// Connected parts of a mesh with welded vertices (see above): V entries, 0 = the part of vertex 0, counted in
// order of appearance. A vertex without triangles is a part of its own.
std::vector<int> connectedParts(const Triangles& triangles, const std::vector<int>& welded);

// F×3: 1 where the edge opposite a triangle's corner belongs to no other triangle of the welded mesh.
Triangles borderEdges(const Triangles& triangles, const std::vector<int>& welded);

// V values spread over the mesh by about `length_mm` (one standard deviation), as by heat: repeated means of
// neighbours. Steps between regions become slopes.
Eigen::VectorXf spreadOver(const Points3& vertices, const Triangles& triangles, Eigen::VectorXf values,
                           double length_mm);

// Pairs each vertex with one at its mirrored place (x -> -x, within half a millimetre): V indices. Where
// parts touch, several vertices share a place; those of the same region (V labels, may be empty) belong
// together. Empty when the mesh is not symmetric.
std::vector<std::int32_t> mirroredVertices(const Points3& vertices, const std::vector<std::uint8_t>& region);

}  // namespace facet
