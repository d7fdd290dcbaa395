#pragma once

#include <map>
#include <set>
#include <vector>

#include "core/camera.h"
#include "core/image.h"
#include "synth/assets.h"
#include "synth/subject.h"
#include "synth/truth.h"

namespace facet::synth {

// One training picture and its truth; see runSynth() for the conventions.
struct FaceImage {
  Image8 image;                       // S×S×3 sRGB
  Points2 landmarks_px;               // (68+D)×2
  std::vector<std::uint8_t> visible;  // 68+D
  bool has_face = true;
  Eigen::Vector3f pose_deg = Eigen::Vector3f::Zero();  // yaw, pitch, roll
  Eigen::VectorXf expression;                          // E weights in [0, 1]
  Camera camera;                                       // of the S×S image; meaningless without a person
  Eigen::Matrix<float, 9, 3> light_sh = Eigen::Matrix<float, 9, 3>::Zero();  // camera frame, exposed
  Points3 dense_albedo;                                                      // D×3 linear
  std::map<TruthMap, std::vector<std::uint8_t>> maps;  // as they stand in the shard's files
};

// Pictures whose indices give the same whole number when divided by this share a subject, so that picture
// `index` depends on (seed, index) only.
constexpr int kImagesPerSubject = 2;

FaceImage makeFaceImage(const Assets& assets, const Subject& subject, int size_px, std::uint64_t seed,
                        int index, float negative_fraction, const std::set<TruthMap>& maps);

}  // namespace facet::synth
