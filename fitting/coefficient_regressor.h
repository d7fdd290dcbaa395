#pragma once

#include <Eigen/Core>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/camera.h"
#include "core/image.h"
#include "core/landmarks.h"
#include "core/morphable_model.h"
#include "core/spherical_harmonics.h"
#include "fitting/regressor_description.h"

namespace facet {

// A face as a network reads it from a photo, in the terms of a model and the whole photo.
struct RegressedFace {
  Eigen::VectorXf identity;    // K, standard deviations
  Eigen::VectorXf expression;  // L, weights
  Points3 pose;  // J×3, axis times angle, radians, without the head's own; empty without joints
  // Of the whole photo, with the head's pose. A network without perspective gives one 100 m away, which
  // differs from it by less than a thousandth of the face's size.
  Camera camera;
  // Light (model frame, linear) and albedo coefficients (A); both, or neither when the network or the model
  // lacks one.
  std::optional<SphericalHarmonicsLight> light;
  Eigen::VectorXf albedo;
  std::vector<std::string> warnings;
};

// Where a network's crop lies in a photo: photo = left_top + step * crop, in pixels.
struct RegressorCrop {
  Eigen::Vector2f left_top_px = Eigen::Vector2f::Zero();
  float step = 1;  // photo pixels per pixel of the crop
};

// The crop around a face's 68 landmarks. Error(kNotConverged) when they lie on one spot.
RegressorCrop regressorCrop(const RegressorDescription& description, const LandmarkSet& ibug68);

// The network's answer (description.numValues() values, as it gives them) as a face of the model.
// `own_albedo`: the model's albedo modes are those of its own file, which is what the network means.
// Error(kNotConverged) when no camera can be made of it.
RegressedFace faceFromValues(const RegressorDescription& description, Eigen::VectorXf values,
                             const RegressorCrop& crop, const MorphableModel& model, bool own_albedo,
                             int photo_width_px, int photo_height_px);

// A network of the user (ONNX through OpenCV DNN) that reads a face model's coefficients and camera from a
// crop of a photo: Deep3DFaceRecon (Deng et al., CVPRW 2019), 3DDFA_V2 (Guo et al., ECCV 2020), DECA (Feng et
// al., SIGGRAPH 2021), SMIRK (Retsinas et al., CVPR 2024), or any that a JSON file beside it describes.
class CoefficientRegressor {
 public:
  // `model` is the one that the coefficients are for, before anything is added to it; `model_path` is where
  // it came from, where a file of whitening statistics may lie, too. Errors: Error(kModel) for a file that is
  // missing, broken, or does not fit its description; Error(kUsage) for a model that the network is not for.
  CoefficientRegressor(const std::filesystem::path& onnx_path, const MorphableModel& model,
                       const std::filesystem::path& model_path = {});
  ~CoefficientRegressor();
  CoefficientRegressor(CoefficientRegressor&&) noexcept;

  const RegressorDescription& description() const;
  const std::string& howDescribed() const;  // "recognized by its shape (…) as preset deep3d"
  const std::filesystem::path& path() const;
  const std::string& sha256() const;  // of the network's file

  // What the network is given for a crop: 3×size×size, channel after channel. Outside of the photo it is
  // black; a large face is shrunk with area averaging.
  Eigen::VectorXf input(const Image8& photo, const RegressorCrop& crop) const;
  // `photo` has 3 channels; `model` is the constructor's, possibly with parts added since.
  // Error(kNotConverged) when the network's answer is not finite.
  RegressedFace predict(const Image8& photo, const LandmarkSet& ibug68, const MorphableModel& model) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace facet
