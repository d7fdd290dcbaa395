#pragma once

#include "core/mesh.h"

namespace facet {

struct ClosedMeshOptions {
  float resolution_mm = 0.7F;  // side of a voxel; time and size grow with its inverse square and more
  void check() const;          // throws std::invalid_argument naming field, value and range
};

struct ClosedMesh {
  Mesh mesh;  // mm, the source's frame; positions and triangles only
  // Unit vector out of the flat base, an axis of the frame: down for a head with a neck, back for a mask. A
  // source without a large opening has no base and keeps down.
  Eigen::Vector3f base_direction = -Eigen::Vector3f::UnitY();
};

// A head as one solid for printing: a single closed surface, in which every edge joins exactly two triangles
// that run along it in opposite directions. Eyeballs, teeth and overlapping folds become one with the head;
// there are no inner shells.
//
// Each opening is closed first: the largest one, if it is as long as half the mesh's diagonal (the neck's
// end, the rim of a mask), by walls that go straight on to a flat base, the others by a fan. What has a
// positive winding number on a grid is solid. Cavities that cannot be reached from outside through a gap of
// two voxels (behind the eyeballs, the closed mouth) are filled, and parts that touch nothing (teeth in an
// open mouth) are left out. Marching cubes draw the surface (Lorensen and Cline, SIGGRAPH 1987; ambiguous
// faces keep solid corners apart), with its vertices on the source's triangles wherever no gap was
// closed. The built-in head at 0.7 mm: 893,116 triangles in 1.3 s; vertices seen from the front lie 0.011 mm
// from it in the median, 99.5 % of them within 0.23 mm; more only in the slits of lids and lips.
//
// Throws std::invalid_argument for a mesh without triangles, or one so large that the grid would have more
// than a billion nodes.
ClosedMesh closedForPrinting(const Mesh& mesh, const ClosedMeshOptions& options = {});

// Turned so that the base lies on the plate: +Z up as printers have it, lowest point at z = 0, the middle at
// x = y = 0.
Mesh standingOnPlate(const ClosedMesh& closed);

}  // namespace facet
