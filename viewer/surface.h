#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/image.h"
#include "core/mesh.h"
#include "core/types.h"

namespace facet {

// A mesh as a graphics card takes it: vertices split at the seams of the texture, triangles sorted by
// material. The layout stays while a head is shaped; SurfaceState moves.
struct SurfaceLayout {
  struct Part {
    int material = 0;
    int first_triangle = 0, num_triangles = 0;
  };
  std::uint64_t id = 0;                // unique in this process: what a renderer keeps buffers by
  Triangles triangles;                 // F×3 into the split vertices
  std::vector<std::int32_t> triangle;  // F, index of the mesh's triangle
  std::vector<std::int32_t> vertex;    // S, the mesh's vertex of each split one
  Points2 uv;                          // S×2, origin bottom-left; empty without texture coordinates
  std::vector<Part> parts;
};

// `triangle_material` has one for each triangle, or none: all 0. std::invalid_argument for any other number
// of them.
std::shared_ptr<const SurfaceLayout> surfaceLayout(const Mesh& mesh,
                                                   const std::vector<std::uint8_t>& triangle_material);

// Values of the split vertices (gatherRows() of core/split_mesh.h). A renderer uploads what has another
// revision than it saw before.
struct SurfaceState {
  Points3 positions;       // S×3 mm, model frame
  Points3 normals;         // S×3
  unsigned revision = 0;   // of both
  Points3 colours;         // S×3 linear RGB, or empty
  Eigen::VectorXf values;  // S scalars for a colour map, or empty
  unsigned colour_revision = 0, value_revision = 0;
};

}  // namespace facet
