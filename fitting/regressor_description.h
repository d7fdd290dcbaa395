#pragma once

#include <Eigen/Core>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/types.h"
#include "fitting/onnx_header.h"

namespace facet {

// What a network that reads a face model's coefficients from a photo expects and answers. It stands in a JSON
// file beside the network, or is one of the presets of data/regressors; docs/regressors.md has the fields.
struct RegressorDescription {
  enum class CropRule { kFivePoints, kLandmarkBox };
  enum class CameraType { kPerspective, kWeakPerspective, kAffine };
  enum class LightBasis { kNone, kDeep3d, kDeca };

  std::string name;                 // of the preset, or of the JSON file
  std::string title;                // one line
  std::vector<std::string> models;  // ids of the models its coefficients are for; empty = any

  // The network's input is (value - mean) / std of values 0 to 255, 1×3×size×size.
  int size_px = 0;
  bool is_bgr = false;
  Eigen::Vector3f mean = Eigen::Vector3f::Zero(), std = Eigen::Vector3f::Constant(255);  // in its order

  CropRule crop_rule = CropRule::kLandmarkBox;
  // Five points: both eyes, tip of the nose, corners of the mouth (image's left first) of a standard face, x
  // right, y up. The photo is scaled so that one unit of theirs is scale_px pixels of the crop.
  Points3 crop_points;
  float crop_scale_px = 0;
  // Landmark box: of the 68 landmarks, its top first raised by extend_up times its height; the crop is a
  // square of `scale` times the box's larger or mean side, its centre moved down by shift_down times that
  // side.
  bool crop_larger_side = false;
  float crop_scale = 1, crop_extend_up = 0, crop_shift_down = 0;
  bool crop_to_pixel_centres = false;  // the square's edges lie on the centres of the outermost pixels

  struct Output {
    std::string name;
    int count = 0;
  };
  std::vector<Output> outputs;  // laid one after the other
  int numValues() const;        // of all outputs

  // Values of the network are multiplied by these and added to those; empty = taken as they are.
  Eigen::VectorXf whitening_std, whitening_mean;
  std::string whitening_file;  // where they stand, if not here

  struct Slice {
    int offset = 0, count = 0;
    bool per_deviation = false;  // afterwards divided by their whitening_std again
    float scale = 1;             // and times this
  };
  // Coefficients of the model; what the network does not give is zero.
  std::optional<Slice> identity, expression, albedo, eyelids;
  // Head pose: Euler angles x y z in radians, R = Rz Ry Rx, or axis times angle; both right-handed, x to the
  // image's right, y up, z to the viewer.
  std::optional<Slice> angles, rotation, translation;
  std::optional<Slice> weak_perspective;  // scale, tx, ty
  std::optional<Slice> affine;            // 3×4, row by row
  std::optional<Slice> jaw, neck, eyes;   // axis times angle; eyes: left, right
  std::optional<Slice> light;             // 27

  CameraType camera = CameraType::kWeakPerspective;
  float unit_mm = 1;   // of translation, distance and the model as the network knows it
  float focal_px = 0;  // perspective: in pixels of the crop
  float distance = 0;  // perspective: of the camera from the origin
  Eigen::Vector2f shift_px = Eigen::Vector2f::Zero();  // affine: added to its pixels
  LightBasis light_basis = LightBasis::kNone;
};

// The description of a network: FILE.json beside FILE.onnx or, without one, the only preset of its input size
// and outputs. `how` says which it was. Error(kModel) naming file, field and rule; when no preset fits, it
// shows what to write.
RegressorDescription describeRegressor(const std::filesystem::path& onnx_path, const OnnxHeader& header,
                                       std::string& how);

// From the text of a JSON file; `file` leads the messages.
RegressorDescription parseRegressorDescription(const std::string& text, const std::filesystem::path& file);

// For each of the description's outputs, in its order, the index of the network's: by name, else by place
// where the sizes agree, else all of them as the network's only output (then a single index). Nothing when
// they do not fit.
std::optional<std::vector<int>> matchOutputs(const RegressorDescription& description,
                                             const OnnxHeader& header);

// "224×224 in; coefficients 257 out", for messages.
std::string shapesText(const OnnxHeader& header);

}  // namespace facet
