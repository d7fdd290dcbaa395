#pragma once

#include <filesystem>
#include <memory>

#include "core/image.h"
#include "fitting/landmark_regressor.h"

namespace facet {

// What a pixel of a face's surroundings shows. Skin is all bare skin of head and neck; the mouth is what lies
// between the lips; an occluder is anything that covers the face: hat, hand, thing.
enum class FacePart : std::uint8_t {
  kBackground,
  kSkin,
  kBrows,
  kEyes,
  kLips,
  kMouth,
  kHair,
  kFacialHair,
  kGlasses,
  kOccluder
};
inline constexpr int kNumFaceParts = 10;

// The parts of one face: probabilities on a square crop of the photo.
struct FaceParsing {
  FaceCrop crop;
  ImageF probability;  // S×S×kNumFaceParts, sums to 1

  // Probability that a point of the photo (pixels) shows one of some parts; outside of the crop nothing is
  // known and `outside` is returned.
  float at(const Eigen::Vector2f& photo_px, std::initializer_list<FacePart> parts, float outside) const;
  // The most probable part of each pixel of the crop.
  Image8 labels() const;
};

// Small network (ONNX through OpenCV DNN) that tells the parts of a face apart, trained on rendered faces
// (tools/train/parsing_network.py).
class FaceParser {
 public:
  // data/networks/parsing.onnx when no path is given. Error(kModel) when it is missing or not readable.
  explicit FaceParser(const std::filesystem::path& onnx_path = {});
  ~FaceParser();
  FaceParser(FaceParser&&) noexcept;

  // `face` is the crop that the face network reads (cropFromLandmarks()); the parser looks at a larger one,
  // with hair and hat. `photo` has 3 channels. Several threads may call it; they take turns in the network.
  FaceParsing parse(const Image8& photo, const FaceCrop& face) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace facet
