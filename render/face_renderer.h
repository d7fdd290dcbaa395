#pragma once

#include <optional>
#include <vector>

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
  std::optional<ImageF> normal_map;      // UV space, model frame, any length; in place of the mesh's normals
  Eigen::Vector3f background = Eigen::Vector3f::Zero();  // linear RGB
  bool antialias = false;                                // blend the outline
  bool cull_backfaces = false;  // leave out what is seen from inside, as through the empty eyes of a mask
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
// The same mesh seen by several cameras.
std::vector<FaceImages> renderFace(const Mesh& mesh, const std::vector<Camera>& cameras,
                                   const ShadeOptions& options = {});

// Gradients of a loss with respect to what renderFace() was given.
struct FaceGradients {
  Points3 vertices;                                                       // V×3, per mm
  Eigen::Matrix<float, 9, 3> light = Eigen::Matrix<float, 9, 3>::Zero();  // per SH coefficient
  std::optional<ImageF> albedo_texture;                                   // as the texture, if there was one
  Points3 albedo;                                                         // V×3, if the vertices had colours
  std::optional<ImageF> normal_map;  // as the normal map, if there was one
  // Of a small motion of the face in the camera frame, x -> x + rotation × x + translation.
  Eigen::Vector3f rotation_rad = Eigen::Vector3f::Zero();
  Eigen::Vector3f translation_mm = Eigen::Vector3f::Zero();
  // Of the focal length in pixels; for a scaled orthographic camera, of its scale.
  float focal_px = 0;

  FaceGradients& operator+=(const FaceGradients& other);  // throws unless both are of the same inputs
};

// `images` is what renderFace() returned for the same arguments; grad_colour is H×W×3. What covers what has
// gradients too (Pidhorskyi et al., "Rasterized Edge Gradients", ECCV 2024). A channel whose shading is
// negative is black and has none.
FaceGradients renderFaceBackward(const Mesh& mesh, const Camera& camera, const ShadeOptions& options,
                                 const FaceImages& images, const ImageF& grad_colour);
// Sum over the views.
FaceGradients renderFaceBackward(const Mesh& mesh, const std::vector<Camera>& cameras,
                                 const ShadeOptions& options, const std::vector<FaceImages>& images,
                                 const std::vector<ImageF>& grad_colour);

// Projected Normalized Coordinate Code (Zhu et al., "Face Alignment Across Large Poses", CVPR 2016): each
// pixel's position on the mean shape, scaled to [0, 1] per axis over the mean's bounding box. H×W×3, 0 on the
// background.
ImageF renderPncc(const Fragments& fragments, const Triangles& triangles, const Points3& mean_vertices);

// Photo with the rendered colour blended over it by `opacity` where the mask is set.
Image8 overlay(const Image8& photo, const ImageF& colour_linear, const Image8& mask, float opacity);

}  // namespace facet
