#pragma once

#include <optional>

#include "core/camera.h"
#include "core/image.h"
#include "core/mesh.h"
#include "core/spherical_harmonics.h"
#include "render/rasterize.h"

namespace facet {

struct ShadeOptions {
  SphericalHarmonicsLight light;         // model frame
  std::optional<ImageF> albedo_texture;  // linear RGB in UV space; needs mesh.uv
  Points3 albedo;                        // V×3 linear RGB; used when there is no texture; empty = mid grey
  Eigen::Vector3f background = Eigen::Vector3f::Zero();  // linear RGB
};

// Everything the rasterizer knows about one posed mesh seen by one camera, at the camera's size.
struct FaceImages {
  Fragments fragments;
  ImageF colour;  // H×W×3 linear RGB, albedo × SH shading
  ImageF normal;  // H×W×3 unit normals in the camera frame (OpenCV axes), 0 on the background
  ImageF depth;   // H×W×1 mm along the optical axis, 0 on the background
  Image8 mask;    // H×W×1, 255 = covered
};

FaceImages renderFace(const Mesh& mesh, const Camera& camera, const ShadeOptions& options = {});

// Projected Normalized Coordinate Code (Zhu et al., "Face Alignment Across Large Poses", CVPR 2016): each
// pixel's position on the mean shape, scaled to [0, 1] per axis over the mean's bounding box. H×W×3, 0 on the
// background.
ImageF renderPncc(const Fragments& fragments, const Triangles& triangles, const Points3& mean_vertices);

// Photo with the rendered colour blended over it by `opacity` where the mask is set.
Image8 overlay(const Image8& photo, const ImageF& colour_linear, const Image8& mask, float opacity);

}  // namespace facet
