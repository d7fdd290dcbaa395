#pragma once

#include <filesystem>
#include <vector>

#include "core/image.h"
#include "core/morphable_model.h"

namespace facet::synth {

enum class HeadMaterial : std::uint8_t { kFace, kBack, kMouth, kGums, kTeeth, kEye, kSocket };

// A place on the scalp or in the beard where a hair may grow.
struct HairRoot {
  int triangle = 0;          // into Assets::triangles
  Eigen::Vector3f weights;   // barycentric
  Eigen::Vector3f position;  // on the mean head, mm
  float hairline_mm = 0;     // distance inside the hairline
  float beard = 0, moustache = 0;
};

// What tools/synth/prepare_assets.py wrote, checked against the model it belongs to.
struct Assets {
  MorphableModel model;
  Triangles triangles;                                                 // F×3, the drawn part of the model
  Eigen::Matrix<float, Eigen::Dynamic, 6, Eigen::RowMajor> corner_uv;  // F×6: u v of the three corners
  std::vector<HeadMaterial> material;                                  // F
  int num_skin_vertices = 0;                         // the first so many vertices are face, head and neck
  std::vector<float> hairline_mm, beard, moustache;  // V
  std::vector<float> occlusion;  // V, fraction of the sky that the mean face's own shape leaves open
  Points2 eye_xy;                // V×2, offset from the optical axis in eyeball radii
  Points3 eye_centres;           // 2×3 mm on the mean head; left, right
  std::vector<Image8> skins;     // sRGB in the face's UV tile
  Points3 skin_tones;            // S×3 linear
  Image8 features;               // lips, upper lash line, brow region, around the eyes
  std::vector<Image8> brows;     // opacity
  float brow_mm_per_texel = 1;
  std::vector<std::int32_t> ibug_vertices;  // 68, where iBUG's annotators click (brows: see below)
  // Middle of the brow hair (iBUG 17–26) for hair painted shift mm higher, K shifts in equal steps.
  std::vector<float> brow_shift_mm;         // K
  std::vector<std::int32_t> brow_triangle;  // K×10, into triangles
  Points3 brow_weights;                     // (10 K)×3

  // iBUG-68 of a posed head whose brow hair is painted `brow_shift` mm higher than usual.
  Points3 ibugLandmarks(const Points3& vertices, float brow_shift) const;
  std::vector<ImageF> environments;                // equirectangular, linear, mean 1
  std::vector<Image8> backgrounds;                 // sRGB
  std::vector<int> animals;                        // indices into backgrounds
  std::vector<HairRoot> scalp_roots, beard_roots;  // in random order
};

// Error(kInput) when the file is not what prepare_assets.py writes; Error(kModel) when the model is another
// one.
Assets loadAssets(const std::filesystem::path& path, const std::string& model);

}  // namespace facet::synth
