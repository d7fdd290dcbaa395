#pragma once

#include <filesystem>
#include <vector>

#include "core/image.h"
#include "core/morphable_model.h"
#include "synth/brow_points.h"
#include "synth/lids.h"

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

// What the skin is like at a vertex.
struct SkinTraits {
  Eigen::Vector3f mean;            // place on the mean head, mm
  float occlusion = 1;             // fraction of the sky that the mean face's own shape leaves open
  float hairline_mm = 0;           // distance inside (+) or outside (-) an average hairline
  float beard = 0, moustache = 0;  // [0, 1], where they grow
  float shine = 0;                 // [0, 1], where skin is oily: forehead, nose, chin, tops of the cheeks
  float nose_mm = 0, ear_mm = 0, neck_mm = 0;  // about the distance inside these parts, - = outside
};

// What skins are painted with, in the face's UV tile.
struct SkinPaint {
  std::vector<Image8> skins;  // sRGB
  Image8 features;            // lips, upper lash line, brow region, around the eyes
  std::vector<Image8> brows;  // opacity
  float mm_per_texel = 1;     // at the brows
};

// What tools/synth/prepare_assets.py wrote, checked against the model it belongs to.
struct Assets {
  MorphableModel model;
  std::vector<Basis> shapes;                                           // the model's expressions, one by one
  Triangles triangles;                                                 // F×3, the drawn part of the model
  Eigen::Matrix<float, Eigen::Dynamic, 6, Eigen::RowMajor> corner_uv;  // F×6: u v of the three corners
  std::vector<HeadMaterial> material;                                  // F
  int num_skin_vertices = 0;       // the first so many vertices are face, head and neck
  std::vector<SkinTraits> traits;  // V
  Points2 eye_xy;                  // V×2, offset from the optical axis in eyeball radii
  Points3 eye_centres;             // 2×3 mm on the mean head; left, right
  Lids lids;
  Points3 skin_tones;            // S×3 linear
  std::vector<SkinPaint> paint;  // finest first, each level half as large as the one before
  LandmarkEmbedding ibug;        // 68 on `triangles`, where iBUG's annotators click; brows: the bony ridge
  std::vector<std::int32_t> ibug_vertices;  // 68, the nearest vertices
  FaceAtlas atlas;
  LandmarkEmbedding dense;  // the model's dense points on `triangles`
  float mouth_line_mm = 0;  // height of the closed mouth on the mean head

  // iBUG-68 of a posed head whose brows are painted there; brows without hair keep the model's own points.
  Points3 ibugLandmarks(const Points3& vertices, const std::array<SurfacePoint, 10>& brows) const;
  std::vector<ImageF> environments;                // equirectangular, linear, mean 1
  std::vector<Image8> backgrounds;                 // sRGB
  std::vector<int> animals;                        // indices into backgrounds
  std::vector<HairRoot> scalp_roots, beard_roots;  // in random order
};

// Means of 2×2 pixels.
Image8 halved(const Image8& image);

// Error(kInput) when the file is not what prepare_assets.py writes; Error(kModel) when the model is another
// one.
Assets loadAssets(const std::filesystem::path& path, const std::string& model);

}  // namespace facet::synth
