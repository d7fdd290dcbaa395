#include "fitting/coefficient_regressor.h"

#include <Eigen/Geometry>
#include <Eigen/QR>
#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <mutex>
#include <opencv2/dnn.hpp>

#include "core/check.h"
#include "core/error.h"
#include "core/io/coefficient_files.h"
#include "core/io/files.h"
#include "core/io/pickle.h"
#include "fitting/crop_warp.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

using Slice = RegressorDescription::Slice;

// Distance of the camera that stands for one without perspective: relief of 100 mm then moves a pixel by a
// thousandth of its distance from the face's middle.
constexpr float kFar_mm = 100000;
// A camera matrix that is no scaled rotation is worth a warning from this part of the crop on.
constexpr float kMaxAffineMisfit = 0.02F;
// Display values to linear light, as a power so that the product of albedo and light stays a product.
constexpr float kDisplayGamma = 2.2F;

Eigen::VectorXf valuesOf(const Eigen::VectorXf& values, const Slice& slice) {
  return slice.scale * values.segment(slice.offset, slice.count);
}

Eigen::Matrix3f rotationFromAxisAngle(const Eigen::Vector3f& axis_angle) {
  const float angle = axis_angle.norm();
  if (angle == 0) return Eigen::Matrix3f::Identity();
  return Eigen::AngleAxisf(angle, axis_angle / angle).toRotationMatrix();
}

// Turns the model's frame to the viewer's: x to the image's right, y up, z to the viewer.
Eigen::Matrix3f headRotation(const RegressorDescription& description, const Eigen::VectorXf& values) {
  if (description.rotation) return rotationFromAxisAngle(valuesOf(values, *description.rotation));
  if (!description.angles) return Eigen::Matrix3f::Identity();
  const Eigen::Vector3f angles = valuesOf(values, *description.angles);
  return (Eigen::AngleAxisf(angles.z(), Eigen::Vector3f::UnitZ()) *
          Eigen::AngleAxisf(angles.y(), Eigen::Vector3f::UnitY()) *
          Eigen::AngleAxisf(angles.x(), Eigen::Vector3f::UnitX()))
      .toRotationMatrix();
}

// OpenCV's camera frame from the viewer's.
Eigen::Matrix3f cameraFromViewer() { return Eigen::Vector3f(1, -1, -1).asDiagonal(); }

// The camera in which `middle` (model frame) lies straight ahead and projects to `middle_px`.
Camera farCamera(const Eigen::Matrix3f& rotation, float scale_px_per_mm, const Eigen::Vector3f& middle,
                 const Eigen::Vector2f& middle_px) {
  Camera camera;
  camera.focal_px = scale_px_per_mm * kFar_mm;
  camera.principal_px = middle_px;
  camera.camera_from_model.linear() = cameraFromViewer() * rotation;
  camera.camera_from_model.translation() =
      Eigen::Vector3f(0, 0, kFar_mm) - camera.camera_from_model.linear() * middle;
  return camera;
}

[[noreturn]] void failCamera(const char* what) {
  fail(ErrorKind::kNotConverged, "the network's camera ", what,
       ": it does not know this face, or its description is of another network");
}

// The network's light, which it sees from the viewer's frame and in display values, as facet's: its shading
// is sampled over all directions, made linear, turned to the model's frame and fitted.
SphericalHarmonicsLight lightFromValues(RegressorDescription::LightBasis basis, const Eigen::VectorXf& values,
                                        const Eigen::Matrix3f& rotation) {
  const bool is_deca = basis == RegressorDescription::LightBasis::kDeca;
  const Points3 directions = sphereDirections(800);
  Eigen::MatrixXf shapes(directions.rows(), 9), targets(directions.rows(), 3);
  for (Eigen::Index i = 0; i < directions.rows(); ++i) {
    const Eigen::Vector3f normal = directions.row(i).transpose();
    const Eigen::Matrix<float, 9, 1> terms = is_deca ? decaLightTerms(normal) : deep3dLightTerms(normal);
    for (int channel = 0; channel < 3; ++channel) {
      float shading = 0;
      for (int k = 0; k < 9; ++k)
        shading += terms[k] * (is_deca ? values[3 * k + channel] : values[9 * channel + k]);
      if (!is_deca) shading += 0.8F * terms[0];  // Deep3D's coefficients are differences from white light
      targets(i, channel) = std::pow(std::max(shading, 0.0F), kDisplayGamma);
    }
    shapes.row(i) = SphericalHarmonicsLight::basis(rotation.transpose() * normal).transpose();
  }
  SphericalHarmonicsLight light;
  light.coefficients = shapes.colPivHouseholderQr().solve(targets);
  return light;
}

Camera perspectiveCamera(const RegressorDescription& description, const Eigen::VectorXf& values,
                         const RegressorCrop& crop, const Eigen::Matrix3f& rotation) {
  const Eigen::Vector3f translation = valuesOf(values, *description.translation);
  const Eigen::Vector3f in_viewer =
      description.unit_mm * (translation - Eigen::Vector3f(0, 0, description.distance));
  if (!(in_viewer.z() < 0)) failCamera("stands behind the face");
  Camera camera;
  camera.focal_px = description.focal_px * crop.step;
  camera.principal_px = crop.left_top_px +
                        Eigen::Vector2f::Constant(0.5F * crop.step * static_cast<float>(description.size_px));
  camera.camera_from_model.linear() = cameraFromViewer() * rotation;
  camera.camera_from_model.translation() = cameraFromViewer() * in_viewer;
  return camera;
}

// q = size/2 (1 ± s (x + t)), with x turned about `pivot` and in the network's unit.
Camera weakPerspectiveCamera(const RegressorDescription& description, const Eigen::VectorXf& values,
                             const RegressorCrop& crop, const Eigen::Matrix3f& rotation,
                             const Eigen::Vector3f& pivot, const Eigen::Vector3f& middle) {
  const Eigen::Vector3f camera = valuesOf(values, *description.weak_perspective);
  if (!(camera[0] > 0)) failCamera("has a scale that is not positive");
  const float half_px = 0.5F * static_cast<float>(description.size_px);
  const Eigen::Vector3f turned_middle = (rotation * (middle - pivot) + pivot) / description.unit_mm;
  const Eigen::Vector2f in_image = camera[0] * (turned_middle.head<2>() + camera.tail<2>());
  const Eigen::Vector2f middle_in_crop = half_px * Eigen::Vector2f(1 + in_image.x(), 1 - in_image.y());
  return farCamera(rotation, crop.step * half_px * camera[0] / description.unit_mm, middle,
                   crop.left_top_px + crop.step * middle_in_crop);
}

// q = (X + shift, size - Y + shift) with X, Y = the first two rows of 3×4 times the point; the nearest scaled
// rotation.
Camera affineCamera(const RegressorDescription& description, const Eigen::VectorXf& values,
                    const RegressorCrop& crop, const Eigen::Vector3f& middle, const Points3& landmarks,
                    std::vector<std::string>& warnings) {
  const Eigen::VectorXf flat = valuesOf(values, *description.affine);
  const Eigen::Matrix<float, 3, 4, Eigen::RowMajor> matrix =
      Eigen::Map<const Eigen::Matrix<float, 3, 4, Eigen::RowMajor>>(flat.data());
  const Eigen::Matrix<double, 2, 3> rows =
      (crop.step / description.unit_mm * matrix.block<2, 3>(0, 0)).cast<double>();
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(rows, Eigen::ComputeThinU | Eigen::ComputeThinV);
  const double scale = svd.singularValues().mean();
  if (!(svd.singularValues()[1] > 1e-3 * svd.singularValues()[0])) failCamera("flattens the face");
  const Eigen::Matrix<double, 2, 3> unit_rows = svd.matrixU() * svd.matrixV().transpose();
  Eigen::Matrix3f rotation;
  rotation.row(0) = unit_rows.row(0).cast<float>();
  rotation.row(1) = unit_rows.row(1).cast<float>();
  rotation.row(2) = rotation.row(0).cross(rotation.row(1));

  const auto inPhoto = [&](const Eigen::Vector3f& point) -> Eigen::Vector2f {
    const Eigen::Vector2f projected =
        matrix.block<2, 3>(0, 0) * (point / description.unit_mm) + matrix.block<2, 1>(0, 3);
    const Eigen::Vector2f in_crop =
        Eigen::Vector2f(projected.x(), static_cast<float>(description.size_px) - projected.y()) +
        description.shift_px;
    return crop.left_top_px + crop.step * in_crop;
  };
  const Camera camera = farCamera(rotation, static_cast<float>(scale), middle, inPhoto(middle));
  float misfit_px = 0;
  for (Eigen::Index i = 0; i < landmarks.rows(); ++i) {
    const Eigen::Vector3f point = landmarks.row(i).transpose();
    if (!point.allFinite()) continue;
    const auto pixel = camera.imageFromModel(point);
    if (pixel) misfit_px = std::max(misfit_px, (*pixel - inPhoto(point)).norm());
  }
  const float misfit = misfit_px / (crop.step * static_cast<float>(description.size_px));
  if (misfit > kMaxAffineMisfit) {
    warnings.push_back(
        "the network's camera is not a rotation and a scale; the nearest one moves landmarks by up to " +
        std::to_string(std::lround(misfit_px)) + " pixels");
  }
  return camera;
}

// The network's statistics from a file of 3DDFA's kinds (mean, std or param_mean, param_std).
void readWhitening(const fs::path& onnx_path, const fs::path& model_path, RegressorDescription& description) {
  std::vector<fs::path> places = {onnx_path.parent_path() / description.whitening_file};
  if (!model_path.empty()) {
    const fs::path folder = fs::is_directory(model_path) ? model_path : model_path.parent_path();
    places.push_back(folder / description.whitening_file);
  }
  const auto found = std::find_if(places.begin(), places.end(),
                                  [](const fs::path& path) { return fs::is_regular_file(path); });
  if (found == places.end()) {
    fail(ErrorKind::kModel, onnx_path.string(), ": its values are whitened, and ", description.whitening_file,
         " with their means and standard deviations lies neither beside it nor beside the model; it "
         "comes with the network (3DDFA_V2's is in the folder configs of its repository)");
  }
  const PickleValue file = readPython(*found);
  const bool is_first_version = file.has("param_mean") && file.has("param_std");
  if (!is_first_version && !(file.has("mean") && file.has("std")))
    file.complain("has neither mean and std nor param_mean and param_std");
  const auto read = [&](const char* key) -> Eigen::VectorXf {
    const PickleValue value = file[key];
    if (value.count() != description.numValues())
      value.complain("has ", value.count(), " values, the network gives ", description.numValues());
    const Eigen::MatrixXf row = value.matrix(value.count(), {value.count()});
    return Eigen::Map<const Eigen::VectorXf>(row.data(), row.size());
  };
  description.whitening_mean = read(is_first_version ? "param_mean" : "mean");
  description.whitening_std = read(is_first_version ? "param_std" : "std");
  if (!(description.whitening_std.minCoeff() > 0)) file.complain("has a standard deviation that is not > 0");
}

// The description is for this model, and the model has all that the network speaks of.
void checkModel(const RegressorDescription& description, const fs::path& onnx_path,
                const MorphableModel& model) {
  const std::vector<std::string>& ids = description.models;
  const bool is_known = ids.empty() || std::any_of(ids.begin(), ids.end(), [&](const std::string& id) {
                          return model.id == id || model.id.rfind(id + "-", 0) == 0;
                        });
  if (!is_known) {
    std::string expected;
    for (const std::string& id : ids) expected += (expected.empty() ? "" : " or ") + id;
    fail(ErrorKind::kUsage, onnx_path.string(), ": its coefficients (", description.name, ") are for ",
         expected, ", but the model is ", model.id,
         "; give that model's file with --model (facet model list has them)");
  }
  const auto expectModes = [&](const std::optional<Slice>& slice, int num_modes, const char* kind) {
    if (!slice || slice->count <= num_modes) return;
    fail(ErrorKind::kUsage, onnx_path.string(), ": it gives ", slice->count, " ", kind,
         " coefficients, but the model ", model.id, " has ", num_modes,
         " such modes; give a model with all of them");
  };
  expectModes(description.identity, model.numIdentity(), "identity");
  expectModes(description.expression, model.numExpression(), "expression");
  if ((description.jaw || description.neck || description.eyes) &&
      !(model.skeleton && model.skeleton->jointIndex("jaw") >= 0)) {
    fail(ErrorKind::kUsage, onnx_path.string(), ": it turns joints, but the model ", model.id,
         " has none; give FLAME's generic_model.pkl with all its arrays");
  }
  // Modes of unit length times their deviations are what the model must be made of.
  if (description.identity && description.identity->per_deviation && model.numIdentity() > 0) {
    const float deviation_mm = description.unit_mm * description.whitening_std[description.identity->offset];
    const float ratio = model.identity.col(0).norm() / deviation_mm;
    if (!(ratio > 0.1F && ratio < 10)) {
      fail(ErrorKind::kUsage, onnx_path.string(), ": its standard deviations are not those of the model ",
           model.id, " (first mode ", model.identity.col(0).norm(), " mm long, expected about ", deviation_mm,
           "); give the model that comes with the network");
    }
  }
}

}  // namespace

RegressorCrop regressorCrop(const RegressorDescription& description, const LandmarkSet& ibug68) {
  require(ibug68.size() == kNumIbugLandmarks, "regressorCrop: ", ibug68.size(), " landmarks, not 68");
  const Points2& points = ibug68.positions_px;
  const auto size = static_cast<float>(description.size_px);
  RegressorCrop crop;
  if (description.crop_rule == RegressorDescription::CropRule::kFivePoints) {
    Eigen::Matrix<double, 5, 2> seen;
    seen.row(0) = ((points.row(36) + points.row(39)) / 2).cast<double>();
    seen.row(1) = ((points.row(42) + points.row(45)) / 2).cast<double>();
    seen.row(2) = points.row(30).cast<double>();
    seen.row(3) = points.row(48).cast<double>();
    seen.row(4) = points.row(54).cast<double>();
    // An affine camera by least squares: its rows' mean length is the face's scale, its offset the crop's
    // centre.
    Eigen::Matrix<double, 5, 4> standard;
    standard << description.crop_points.cast<double>(), Eigen::VectorXd::Ones(5);
    const Eigen::Matrix<double, 4, 2> camera = standard.colPivHouseholderQr().solve(seen);
    const double scale = (camera.col(0).head<3>().norm() + camera.col(1).head<3>().norm()) / 2;
    crop.step = static_cast<float>(scale) / description.crop_scale_px;
    crop.left_top_px =
        camera.row(3).transpose().cast<float>() - Eigen::Vector2f::Constant(0.5F * size * crop.step);
  } else {
    Eigen::Vector2f low = points.colwise().minCoeff(), high = points.colwise().maxCoeff();
    low.y() -= description.crop_extend_up * (high.y() - low.y());
    const float box_px = description.crop_larger_side ? (high - low).maxCoeff() : (high - low).mean();
    const float side_px = description.crop_scale * box_px;
    crop.step = side_px / (description.crop_to_pixel_centres ? size - 1 : size);
    crop.left_top_px = (low + high) / 2 - Eigen::Vector2f::Constant(side_px / 2);
    crop.left_top_px.y() += description.crop_shift_down * box_px;
  }
  if (!(crop.step > 1e-3F) || !std::isfinite(crop.step) || !crop.left_top_px.allFinite())
    fail(ErrorKind::kNotConverged,
         "the landmarks lie on one spot, so there is no crop to give to the network");
  return crop;
}

RegressedFace faceFromValues(const RegressorDescription& description, Eigen::VectorXf values,
                             const RegressorCrop& crop, const MorphableModel& model, bool own_albedo,
                             int photo_width_px, int photo_height_px) {
  require(values.size() == description.numValues(), "faceFromValues: ", values.size(), " values, not ",
          description.numValues());
  if (description.whitening_std.size() > 0)
    values = values.cwiseProduct(description.whitening_std) + description.whitening_mean;
  const auto coefficients = [&](const std::optional<Slice>& slice, Eigen::Index num_modes) {
    Eigen::VectorXf result = Eigen::VectorXf::Zero(num_modes);
    if (!slice) return result;
    result.head(slice->count) = valuesOf(values, *slice);
    if (slice->per_deviation)
      result.head(slice->count).array() /=
          description.whitening_std.segment(slice->offset, slice->count).array();
    return result;
  };
  RegressedFace face;
  face.identity = coefficients(description.identity, model.numIdentity());
  face.expression = coefficients(description.expression, model.numExpression());
  if (description.eyelids) {
    const Eigen::Vector2f eyelids = valuesOf(values, *description.eyelids);
    const auto left = model.expressionIndex("eyelidLeft"), right = model.expressionIndex("eyelidRight");
    if (left && right) {
      face.expression[*left] = std::clamp(eyelids[0], 0.0F, 1.0F);
      face.expression[*right] = std::clamp(eyelids[1], 0.0F, 1.0F);
    } else {
      face.warnings.push_back(
          "the network closes eyelids, which the model cannot; put l_eyelid.npy and r_eyelid.npy of SMIRK "
          "beside the FLAME file");
    }
  }
  Eigen::Vector3f pivot = Eigen::Vector3f::Zero();
  if (model.skeleton) {
    const Skeleton& skeleton = *model.skeleton;
    face.pose = Points3::Zero(skeleton.numJoints(), 3);
    const auto turn = [&](const std::optional<Slice>& slice, const char* joint_name, int first) {
      const int joint = skeleton.jointIndex(joint_name);
      if (slice && joint >= 0) face.pose.row(joint) = valuesOf(values, *slice).segment<3>(first).transpose();
    };
    turn(description.jaw, "jaw", 0);
    turn(description.neck, "neck", 0);
    turn(description.eyes, "left_eye", 0);
    turn(description.eyes, "right_eye", 3);
    // The head turns about the root joint; here that is the camera's part.
    pivot = skeleton.joints(model.vertices(face.identity, face.expression)).row(0).transpose();
  }

  const Eigen::Matrix3f rotation = headRotation(description, values);
  const Points3 vertices = model.vertices(face.identity, face.expression, face.pose);
  const Eigen::Vector3f middle = vertices.cast<double>().colwise().mean().transpose().cast<float>();
  switch (description.camera) {
    case RegressorDescription::CameraType::kPerspective:
      face.camera = perspectiveCamera(description, values, crop, rotation);
      break;
    case RegressorDescription::CameraType::kWeakPerspective:
      face.camera = weakPerspectiveCamera(description, values, crop, rotation, pivot, middle);
      break;
    case RegressorDescription::CameraType::kAffine:
      face.camera = affineCamera(description, values, crop, middle,
                                 model.landmarks68.points(vertices, model.triangles), face.warnings);
      break;
  }
  face.camera.width_px = photo_width_px;
  face.camera.height_px = photo_height_px;

  if (description.light && description.albedo && own_albedo &&
      description.albedo->count <= model.numAlbedo()) {
    const Eigen::Matrix3f viewer_from_model = cameraFromViewer() * face.camera.camera_from_model.linear();
    face.light =
        lightFromValues(description.light_basis, valuesOf(values, *description.light), viewer_from_model);
    face.albedo = coefficients(description.albedo, model.numAlbedo());
  }
  return face;
}

struct CoefficientRegressor::Impl {
  fs::path path;
  std::string sha256, how;
  RegressorDescription description;
  bool own_albedo = false;
  std::vector<cv::String> output_names;  // in the description's order, or the one that holds all
  cv::dnn::Net net;
  std::mutex turn;  // Net::forward changes the net

  Eigen::VectorXf run(const Eigen::VectorXf& input) {
    const int shape[] = {1, 3, description.size_px, description.size_px};
    // OpenCV has no const view; the values are only read.
    const cv::Mat blob(4, shape, CV_32F, const_cast<float*>(input.data()));
    std::vector<float> values;
    const std::lock_guard lock(turn);
    net.setInput(blob);
    std::vector<cv::Mat> outputs;
    net.forward(outputs, output_names);
    for (const cv::Mat& output : outputs) {
      if (output.type() != CV_32F || !output.isContinuous())
        fail(ErrorKind::kModel, path.string(), ": an output of the network does not hold 32-bit floats");
      values.insert(values.end(), output.ptr<float>(), output.ptr<float>() + output.total());
    }
    if (static_cast<int>(values.size()) != description.numValues()) {
      fail(ErrorKind::kModel, path.string(), ": the network gives ", values.size(), " values for a photo, ",
           description.name, " describes ", description.numValues(), "; export it for a batch of one");
    }
    return Eigen::Map<const Eigen::VectorXf>(values.data(), static_cast<Eigen::Index>(values.size()));
  }
};

CoefficientRegressor::CoefficientRegressor(const fs::path& onnx_path, const MorphableModel& model,
                                           const fs::path& model_path)
    : impl_(std::make_unique<Impl>()) {
  const OnnxHeader header = readOnnxHeader(onnx_path);
  impl_->path = onnx_path;
  impl_->sha256 = facet::sha256(readBytes(onnx_path));
  impl_->description = describeRegressor(onnx_path, header, impl_->how);
  RegressorDescription& description = impl_->description;
  if (!description.whitening_file.empty()) readWhitening(onnx_path, model_path, description);
  checkModel(description, onnx_path, model);
  impl_->own_albedo = model.numAlbedo() > 0;
  const auto matched = matchOutputs(description, header);
  require(matched.has_value(), "CoefficientRegressor: the description's outputs are not the network's");
  for (const int i : *matched) impl_->output_names.push_back(header.outputs[i].name);
  try {
    impl_->net = cv::dnn::readNetFromONNX(onnx_path.string());
    const Eigen::VectorXf grey =
        Eigen::VectorXf::Zero(3 * static_cast<Eigen::Index>(description.size_px) * description.size_px);
    if (!impl_->run(grey).allFinite()) {
      fail(ErrorKind::kModel, onnx_path.string(),
           ": the network's answer to a grey image is not finite; its weights are broken, export it again");
    }
  } catch (const cv::Exception& error) {
    fail(ErrorKind::kModel, onnx_path.string(),
         ": not a network that OpenCV can run (ONNX, opset 11, a batch of one): ", error.err);
  }
}

CoefficientRegressor::~CoefficientRegressor() = default;
CoefficientRegressor::CoefficientRegressor(CoefficientRegressor&&) noexcept = default;

const RegressorDescription& CoefficientRegressor::description() const { return impl_->description; }
const std::string& CoefficientRegressor::howDescribed() const { return impl_->how; }
const fs::path& CoefficientRegressor::path() const { return impl_->path; }
const std::string& CoefficientRegressor::sha256() const { return impl_->sha256; }

Eigen::VectorXf CoefficientRegressor::input(const Image8& photo, const RegressorCrop& crop) const {
  require(photo.channels() == 3 && !photo.empty(), "CoefficientRegressor: the photo has ", photo.channels(),
          " channels and ", photo.width(), "x", photo.height(), " pixels; an RGB photo is needed");
  const RegressorDescription& description = impl_->description;
  const int size = description.size_px;
  PlaneAffine photo_from_crop{Eigen::Matrix2f::Identity() * crop.step, crop.left_top_px};
  if (description.crop_to_pixel_centres) photo_from_crop.offset.array() -= 0.5F * crop.step;
  const cv::Mat sampled = warpCrop(pixelsOf(photo), photo_from_crop, size, cv::BORDER_CONSTANT);
  Eigen::VectorXf values(3 * static_cast<Eigen::Index>(size) * size);
  Eigen::Index at = 0;
  for (int channel = 0; channel < 3; ++channel) {
    const int from = description.is_bgr ? 2 - channel : channel;
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        const float value = sampled.ptr<std::uint8_t>(y)[3 * x + from];
        values[at++] = (value - description.mean[channel]) / description.std[channel];
      }
    }
  }
  return values;
}

RegressedFace CoefficientRegressor::predict(const Image8& photo, const LandmarkSet& ibug68,
                                            const MorphableModel& model) const {
  const RegressorDescription& description = impl_->description;
  const RegressorCrop crop = regressorCrop(description, ibug68);
  Eigen::VectorXf values;
  try {
    values = impl_->run(input(photo, crop));
  } catch (const cv::Exception& error) {
    fail(ErrorKind::kRuntime, impl_->path.string(), ": OpenCV cannot run the network: ", error.err);
  }
  if (!values.allFinite()) {
    fail(ErrorKind::kNotConverged, impl_->path.string(),
         ": the network's answer is not finite; try another photo, or go without --regressor");
  }
  return faceFromValues(description, std::move(values), crop, model, impl_->own_albedo, photo.width(),
                        photo.height());
}

}  // namespace facet
