#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>

#include "synth/truth.h"

namespace facet {

// Synthetic training faces for a landmark network. Idea: Wood et al., "3D Face Reconstruction with Dense
// Landmarks", ECCV 2022: landmarks of rendered faces are exact, and diverse rendered faces suffice to train
// on.
struct SynthOptions {
  std::filesystem::path assets;  // synth_assets.npz of tools/synth/prepare_assets.py
  std::string model;             // the model that the assets were prepared for (ICT-FaceKit)
  std::filesystem::path output;  // folder of the shards
  int num_images = 10'000;       // rounded up to whole shards
  int images_per_shard = 1000;
  int size_px = 160;                                     // side of the square images
  std::uint64_t seed = 0;                                // image i depends on (seed, i) only
  double negative_fraction = 0.08;                       // images without a (usable) face, in [0, 1]
  std::set<TruthMap> truth = {TruthMap::kSegmentation};  // maps written beside the images
  std::function<bool(int, int)> on_progress = nullptr;   // images done, images in all; return false to stop

  void check() const;  // throws std::invalid_argument naming field, value and range
};

struct SynthResult {
  int shards_written = 0;
  int shards_kept = 0;  // complete from an earlier run
  double seconds = 0;
};

// Writes shard_00000.images (raw uint8 N×S×S×3, sRGB) and shard_00000.npz, and so on. Arrays of the .npz:
// clang-format off
//   landmarks  float32 N×(68+D)×2  pixels, x right, y down; the centre of the first pixel is (0.5, 0.5)
//   visible    uint8 N×(68+D)      1 = in the image and not hidden by the head itself, hair, glasses or anything else
//   has_face   uint8 N             0: background, animal, back of a head, or a face mostly outside the image
//   pose       float32 N×3         degrees: yaw (+: towards the subject's left, right in the image), pitch (+: down),
//                                  roll (+: clockwise in the image)
//   identity   float32 N×I         coefficients of the model, standard deviations; these last four mean nothing where has_face is 0
//   expression float32 N×E         weights in [0, 1]
//   K          float32 N×3×3       intrinsic matrix of the image, pixels
//   camera_from_model  float32 N×4×4  OpenCV camera frame from the model's frame, mm
//   light      float32 N×27        SphericalHarmonicsLight (9×3, row-major) in the camera frame of all the light, the direct one
//                                  unshadowed, times the exposure: albedo × shading(normal) is about the linear pixel before the
//                                  tone curve
//   dense_albedo  float32 N×D×3    linear RGB of the surface (brows, lips and stubble included) at the dense points; 0 where
//                                  none is drawn
//   model      text 1              id of the model that identity and expression belong to
// Maps of SynthOptions::truth, raw N×S×S, each pixel's value taken at its centre:
//   .segmentation  uint8           FaceLabel
//   .depth         float16         mm along the optical axis beyond the model's origin, whose depth is camera_from_model[2, 3] (half
//                                  floats of the whole distance would be 1 mm coarse); infinite where there is nothing
//   .normals       int8 3          127 × unit normal in the camera frame; 0 0 0 where there is nothing
//   .albedo        uint8 3         sRGB; 0 where there is nothing
//   .uv            uint16 2        1 + 65534 × the model's texture coordinates (origin bottom-left) of the face's skin; 0 0 elsewhere
// clang-format on
// synth.json beside the shards names the model, the maps and the labels.
// The first 68 landmarks lie where iBUG's annotators would click (brows in the middle of the painted hair,
// which sits higher or lower from person to person; 31 and 35 at the ends of the nostril wings), except that
// the jaw line does not slide to the visible outline when the head turns. The model's dense set follows:
// fixed points of the 3D face. A face fills the crop so that its side is about 1.9 × the larger side of the
// landmarks' bounding box. Shards that are complete are kept; each file is written under a temporary name and
// renamed, the .npz last. Equal seeds give equal shards for any number of threads.
SynthResult runSynth(const SynthOptions& options);

}  // namespace facet
