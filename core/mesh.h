#pragma once

#include "core/types.h"

namespace facet {

// Triangle mesh; millimetres in the model frame unless said otherwise. Texture coordinates have their own
// index buffer, so that UV seams do not split vertices. UV origin: bottom-left.
struct Mesh {
  Points3 vertices;        // V×3
  Triangles triangles;     // F×3, into vertices
  Points2 uv;              // T×2 in [0, 1], or empty
  Triangles uv_triangles;  // F×3, into uv, or empty
  Points3 colours;         // V×3 sRGB in [0, 1], or empty

  bool hasUv() const { return uv.rows() > 0; }
  // Throws std::invalid_argument on an index out of range or sizes that do not fit; `name` leads the message.
  void check(const char* name = "Mesh") const;
};

// Share, in [0, 1], of the texture space in use that more than one triangle covers, or that lies outside [0,
// 1]²: such a layout cannot hold one texture. Layouts that give each material an image of its own look like
// that. Measured on a grid of 512²; 0 without texture coordinates.
double uvOverlap(const Mesh& mesh);

// Area-weighted vertex normals, V×3, unit length (zero for a vertex without triangles).
Points3 vertexNormals(const Points3& vertices, const Triangles& triangles);

}  // namespace facet
