#pragma once

#include <vector>

#include "core/camera.h"
#include "core/image.h"
#include "core/morphable_model.h"
#include "core/spherical_harmonics.h"
#include "fitting/face_parser.h"

namespace facet {

// One picture of a fitted face, to take its texture from.
struct TextureView {
  Points3 vertices;  // V×3 mm, posed as in the picture
  Camera camera;
  const Image8* photo = nullptr;         // sRGB RGB
  SphericalHarmonicsLight light;         // model frame
  const FaceParsing* parsing = nullptr;  // what covers the face; null = nothing does
};

// The maps of a face in its model's texture space, size×size.
struct FaceMaps {
  ImageF albedo;      // ×3 linear RGB: the model's albedo
  ImageF texture;     // ×3 linear RGB: the pictures without their light, completed
  ImageF normal;      // ×3 unit normals in the model frame, of the first view's vertices
  ImageF position;    // ×3 mm in the model frame, of the first view's vertices
  ImageF visibility;  // ×1 in [0, 1]: how squarely and certainly the pictures show the texel

  bool empty() const { return texture.empty(); }
};

// Takes the texture from one or several pictures of a person. Where several see a texel, the one that sees it
// most squarely counts most, so that small misfits do not blur it. The estimated light is divided out, what
// covers the face or is background is left out, and what no picture shows is completed from the mirrored side
// and `vertex_albedo` (V×3 linear RGB). The model needs texture coordinates; there is at least one view.
FaceMaps makeFaceMaps(const MorphableModel& model, const Points3& vertex_albedo,
                      const std::vector<TextureView>& views, int size_px);

}  // namespace facet
