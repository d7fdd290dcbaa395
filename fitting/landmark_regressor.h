#pragma once

#include <Eigen/Core>
#include <filesystem>
#include <memory>

#include "core/image.h"
#include "core/landmarks.h"
#include "core/spherical_harmonics.h"
#include "fitting/coefficient_guess.h"

namespace facet {

// Square crop of a photo: its centre, side and in-plane rotation (positive turns the face's up axis to the
// image's right, i.e. clockwise on screen).
struct FaceCrop {
  Eigen::Vector2f center_px = Eigen::Vector2f::Zero();
  float side_px = 0;
  float roll_rad = 0;
};

// Where the network sees the head, as a scaled orthographic camera would.
struct HeadPlacement {
  Eigen::Matrix3f camera_from_model = Eigen::Matrix3f::Identity();  // as seen along the ray to the face
  Eigen::Vector2f face_px =
      Eigen::Vector2f::Zero();  // the face's centre (0, 20, 60) mm of the built-in model
  float px_per_mm = 0;          // there; 0 = nothing known
};

// What the face network says of one crop, in pixels of the whole photo and in the built-in model's
// coefficients. Guesses and placement are empty when the network does not give them.
struct FacePrediction {
  LandmarkSet ibug68;  // 68 points with standard deviations, as hand annotation defines them: brows lie on
                       // the hair; but the jaw (0–16) is the fixed 3D line, not the visible outline
  LandmarkSet dense;   // the dense set of the built-in model (data/landmarks), with standard deviations
  CoefficientGuess identity, expression, albedo;
  SphericalHarmonicsLight light;  // camera frame; shades the albedo guess to the photo's linear colours
  HeadPlacement placement;
  float confidence = 0;  // [0, 1], that the crop shows a face
  FaceCrop crop;         // the crop these points were read from

  float faceSize() const;  // side of the landmarks' bounding box, px
};

// Side of the network's crop over the larger side of the landmarks' box. The same number and the same warp
// stand in tools/train/crops.py: the network knows no other crops.
inline constexpr float kCropOverBox = 1.35F;

// The crop the network expects around known landmarks: rolled upright (the eyes' line and the line from the
// eyes to the mouth decide together, so that it holds in profile too), centred on their bounding box in that
// frame, side 1.35 × its larger side.
FaceCrop cropFromLandmarks(const LandmarkSet& ibug68);

// Small convolutional network (ONNX through OpenCV DNN) that maps a crop to landmarks with a per-point
// uncertainty, and to the model's coefficients, light and pose (tools/train/face_network.py). Wood et al.,
// "3D Face Reconstruction with Dense Landmarks", ECCV 2022.
class LandmarkRegressor {
 public:
  // data/networks/landmarks.onnx when no path is given. Error(kModel) when it is missing or not readable.
  explicit LandmarkRegressor(const std::filesystem::path& onnx_path = {});
  ~LandmarkRegressor();
  LandmarkRegressor(LandmarkRegressor&&) noexcept;

  // Reads the crop, then reads again from the crop that the first answer implies, `refinements` times. The
  // last reading is the mean of the crop and of its mirror image when `average_mirrored` (twice the time, a
  // little more accurate). Crops may reach beyond the photo; a large face is shrunk with area averaging.
  // `photo` has 3 channels. Several threads may call it; they take turns in the network.
  FacePrediction predict(const Image8& photo, const FaceCrop& crop, int refinements = 2,
                         bool average_mirrored = true) const;

  // The identity alone, of a crop and its mirror image, by the network trained for it (identity.onnx beside
  // the face network); where there is none, as predict() reads it. For single photos: it takes as long as
  // predict().
  CoefficientGuess readIdentity(const Image8& photo, const FaceCrop& crop) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace facet
