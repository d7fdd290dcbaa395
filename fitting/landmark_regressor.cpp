#include "fitting/landmark_regressor.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numbers>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "fitting/crop_warp.h"
#include "fitting/network_file.h"

namespace facet {
namespace {

// Standard deviations outside of these (in crop sides) are the network's wild guesses.
constexpr float kMinLogSigma = -6.5F, kMaxLogSigma = 0.0F;
// The same for coefficients: of identity and albedo in standard deviations of the population, of expressions
// in weights.
constexpr float kMinLogSigmaCoefficient = -4.0F, kMaxLogSigmaCoefficient = 0.0F;
constexpr int kNumLight = 27, kNumPlacement = 9;

Eigen::Vector2f meanOf(const Points2& points, int first, int last) {
  return points.middleRows(first, last - first).colwise().mean().transpose();
}

}  // namespace

float FacePrediction::faceSize() const {
  if (ibug68.size() == 0) return 0;
  return (ibug68.positions_px.colwise().maxCoeff() - ibug68.positions_px.colwise().minCoeff()).maxCoeff();
}

FaceCrop cropFromLandmarks(const LandmarkSet& ibug68) {
  require(ibug68.size() == kNumIbugLandmarks, "cropFromLandmarks: ", ibug68.size(), " landmarks, not 68");
  const Points2& points = ibug68.positions_px;
  const Eigen::Vector2f right_eye = meanOf(points, 36, 42), left_eye = meanOf(points, 42, 48);
  const Eigen::Vector2f down = meanOf(points, 48, 68) - (right_eye + left_eye) / 2;
  const Eigen::Vector2f across = (left_eye - right_eye) + Eigen::Vector2f(down.y(), -down.x());
  FaceCrop crop;
  crop.roll_rad = std::atan2(across.y(), across.x());
  const Eigen::Matrix2f photo_from_level = Eigen::Rotation2Df(crop.roll_rad).toRotationMatrix();
  const Points2 level = points * photo_from_level;
  const Eigen::Vector2f low = level.colwise().minCoeff(), high = level.colwise().maxCoeff();
  crop.center_px = photo_from_level * ((low + high) / 2);
  crop.side_px = kCropOverBox * (high - low).maxCoeff();
  return crop;
}

struct LandmarkRegressor::Impl {
  // Columns of the network's answer.
  struct Part {
    int first = 0, size = 0;
  };
  int input_px = 0;
  int num_points = 0;
  Part points, log_sigma, face;
  // Empty where the network does not have them.
  Part identity, log_identity_sigma, expression, log_expression_sigma, albedo, log_albedo_sigma, light, pose;
  int num_columns = 0;
  std::vector<int> mirror;             // num_points, index of the mirrored point
  std::vector<int> expression_mirror;  // index of the mirrored expression
  // Per coefficient: 1 where a mirrored face has the same, -1 where the opposite one, 0 where mirroring says
  // nothing.
  std::vector<int> identity_mirror, albedo_mirror;
  cv::dnn::Net net;
  cv::dnn::Net identity_net;  // empty when there is none
  std::mutex turn;            // Net::forward changes the net

  // Points in crop pixels, sigmas in crop sides, all frames those of the crop.
  struct Reading {
    Points2 points;
    Eigen::VectorXf log_sigma;
    float logit = 0;
    Eigen::VectorXf identity, log_identity_sigma, expression, log_expression_sigma, albedo, log_albedo_sigma;
    Eigen::VectorXf light, pose;
  };

  cv::Mat forward(cv::dnn::Net& some_net, const std::vector<cv::Mat>& crops) {
    const cv::Mat blob = cv::dnn::blobFromImages(crops);
    const std::lock_guard lock(turn);
    some_net.setInput(blob);
    return some_net.forward().clone();
  }

  // The crop and its mirror image, as the networks see them.
  std::vector<cv::Mat> bothWays(const cv::Mat& photo, const FaceCrop& crop) const {
    std::vector<cv::Mat> crops = {warpCrop(photo, photoFromCrop(crop, input_px), input_px)};
    cv::Mat mirrored;
    cv::flip(crops[0], mirrored, 1);
    crops.push_back(mirrored);
    return crops;
  }

  std::vector<Reading> read(const std::vector<cv::Mat>& crops) {
    const cv::Mat output = forward(net, crops);
    std::vector<Reading> readings(crops.size());
    for (int i = 0; i < static_cast<int>(crops.size()); ++i) {
      const float* row = output.ptr<float>(i);
      const auto values = [&](const Part& part) -> Eigen::VectorXf {
        return Eigen::Map<const Eigen::VectorXf>(row + part.first, part.size);
      };
      Reading& reading = readings[i];
      reading.points =
          Eigen::Map<const Points2>(row + points.first, num_points, 2).array() * input_px + 0.5F * input_px;
      reading.log_sigma = values(log_sigma);
      reading.logit = row[face.first];
      reading.identity = values(identity);
      reading.log_identity_sigma = values(log_identity_sigma);
      reading.expression = values(expression);
      reading.log_expression_sigma = values(log_expression_sigma);
      reading.albedo = values(albedo);
      reading.log_albedo_sigma = values(log_albedo_sigma);
      reading.light = values(light);
      reading.pose = values(pose);
    }
    return readings;
  }

  Reading readCrop(const cv::Mat& photo, const FaceCrop& crop, bool average_mirrored) {
    std::vector<cv::Mat> crops = bothWays(photo, crop);
    if (!average_mirrored) crops.pop_back();
    std::vector<Reading> readings = read(crops);
    Reading result = std::move(readings[0]);
    if (!average_mirrored) return result;
    const Reading& other = readings[1];
    for (int i = 0; i < num_points; ++i) {
      const int partner = mirror[i];
      const Eigen::Vector2f unflipped(input_px - other.points(partner, 0), other.points(partner, 1));
      result.points.row(i) = (result.points.row(i) + unflipped.transpose()) / 2;
      result.log_sigma[i] = (result.log_sigma[i] + other.log_sigma[partner]) / 2;
    }
    result.logit = (result.logit + other.logit) / 2;
    averageCoefficients(identity_mirror, other.identity, other.log_identity_sigma, result.identity,
                        result.log_identity_sigma);
    averageCoefficients(albedo_mirror, other.albedo, other.log_albedo_sigma, result.albedo,
                        result.log_albedo_sigma);
    for (Eigen::Index e = 0; e < result.expression.size(); ++e) {
      const int partner = expression_mirror[e];
      result.expression[e] = (result.expression[e] + other.expression[partner]) / 2;
      result.log_expression_sigma[e] =
          (result.log_expression_sigma[e] + other.log_expression_sigma[partner]) / 2;
    }
    if (result.light.size() > 0) {
      const Eigen::Matrix3f flip = Eigen::Vector3f(-1, 1, 1).asDiagonal();
      const SphericalHarmonicsLight flipped = lightOf(other.light).turned(flip);
      for (int k = 0; k < kNumLight; ++k)
        result.light[k] = (result.light[k] + flipped.coefficients(k / 3, k % 3)) / 2;
    }
    if (result.pose.size() > 0) {
      // Columns of the rotation: mirroring turns the signs of what crosses the middle.
      const Eigen::VectorXf signs =
          (Eigen::VectorXf(kNumPlacement) << 1, -1, -1, -1, 1, 1, -1, 1, 1).finished();
      result.pose = (result.pose + signs.cwiseProduct(other.pose)) / 2;
    }
    return result;
  }

  // Values of a crop become the mean of it and of its mirror image's.
  static void averageCoefficients(const std::vector<int>& signs, const Eigen::VectorXf& mirrored,
                                  const Eigen::VectorXf& mirrored_spread, Eigen::VectorXf& values,
                                  Eigen::VectorXf& spread) {
    for (Eigen::Index k = 0; k < values.size(); ++k) {
      if (signs[k] == 0) continue;
      values[k] = (values[k] + static_cast<float>(signs[k]) * mirrored[k]) / 2;
      spread[k] = (spread[k] + mirrored_spread[k]) / 2;  // logarithms
    }
  }

  // 9×3, row after row.
  static SphericalHarmonicsLight lightOf(const Eigen::VectorXf& values) {
    SphericalHarmonicsLight light;
    light.coefficients = Eigen::Map<const Eigen::Matrix<float, 9, 3, Eigen::RowMajor>>(values.data());
    return light;
  }

  // Into the photo's frame.
  HeadPlacement placementOf(const Eigen::VectorXf& values, const FaceCrop& crop,
                            const PlaneAffine& photo_from_crop) const {
    Eigen::Matrix3f upright;
    upright.col(0) = values.segment<3>(0).normalized();
    upright.col(1) =
        (values.segment<3>(3) - upright.col(0) * upright.col(0).dot(values.segment<3>(3))).normalized();
    upright.col(2) = upright.col(0).cross(upright.col(1));
    const Eigen::Matrix3f frontal = Eigen::Vector3f(1, -1, -1).asDiagonal();  // looks into the camera
    HeadPlacement placement;
    placement.camera_from_model =
        Eigen::AngleAxisf(crop.roll_rad, Eigen::Vector3f::UnitZ()) * upright * frontal;
    placement.face_px = photo_from_crop.linear * ((values.segment<2>(6).array() + 0.5F) * input_px).matrix() +
                        photo_from_crop.offset;
    placement.px_per_mm = std::exp(values[8]) / 1000 * crop.side_px;
    return placement;
  }
};

namespace {

// The guess and its standard deviations, within the limits of what the network can know.
CoefficientGuess guessOf(const Eigen::VectorXf& values, const Eigen::VectorXf& log_sigma) {
  return {values, log_sigma.array().max(kMinLogSigmaCoefficient).min(kMaxLogSigmaCoefficient).exp()};
}

}  // namespace

LandmarkRegressor::LandmarkRegressor(const std::filesystem::path& onnx_path)
    : impl_(std::make_unique<Impl>()) {
  const NetworkFile file = findNetwork(onnx_path, "landmarks", "the face network");
  const nlohmann::json description = readDescription(file, "a face network");
  try {
    impl_->input_px = description.at("input").at("width").get<int>();
    impl_->num_points = description.at("num_points").get<int>();
    impl_->mirror = description.at("mirror").get<std::vector<int>>();
    impl_->expression_mirror = description.value("expression_mirror", std::vector<int>{});
    impl_->identity_mirror = description.value("identity_mirror", std::vector<int>{});
    impl_->albedo_mirror = description.value("albedo_mirror", std::vector<int>{});
    const nlohmann::json& parts = description.at("parts");
    const std::pair<const char*, Impl::Part*> named[] = {
        {"points", &impl_->points},
        {"log_sigma", &impl_->log_sigma},
        {"face", &impl_->face},
        {"identity", &impl_->identity},
        {"log_identity_sigma", &impl_->log_identity_sigma},
        {"expression", &impl_->expression},
        {"log_expression_sigma", &impl_->log_expression_sigma},
        {"albedo", &impl_->albedo},
        {"log_albedo_sigma", &impl_->log_albedo_sigma},
        {"light", &impl_->light},
        {"pose", &impl_->pose}};
    for (const auto& [name, part] : named) {
      if (!parts.contains(name)) continue;
      const auto range = parts.at(name).get<std::array<int, 2>>();
      *part = {range[0], range[1] - range[0]};
      if (range[0] < 0 || part->size < 0)
        fail(ErrorKind::kModel, file.description_path.string(), ": parts.", name,
             " is not a range of columns");
      impl_->num_columns = std::max(impl_->num_columns, range[1]);
    }
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::kModel, file.description_path.string(),
         ": not the description of a face network: ", error.what());
  }
  const int num_points = impl_->num_points;
  const auto permutes = [](const std::vector<int>& mirror, int count) {
    return static_cast<int>(mirror.size()) == count &&
           std::all_of(mirror.begin(), mirror.end(), [&](int i) { return i >= 0 && i < count; });
  };
  const auto signs = [](const std::vector<int>& mirror, int count) {
    return static_cast<int>(mirror.size()) == count &&
           std::all_of(mirror.begin(), mirror.end(), [](int sign) { return sign >= -1 && sign <= 1; });
  };
  const auto optional = [](const Impl::Part& part, int size) { return part.size == 0 || part.size == size; };
  if (impl_->input_px < 16 || num_points < kNumIbugLandmarks || !permutes(impl_->mirror, num_points) ||
      impl_->points.size != 2 * num_points || impl_->log_sigma.size != num_points || impl_->face.size != 1 ||
      impl_->identity.size != impl_->log_identity_sigma.size ||
      impl_->expression.size != impl_->log_expression_sigma.size ||
      !permutes(impl_->expression_mirror, impl_->expression.size) ||
      !signs(impl_->identity_mirror, impl_->identity.size) ||
      !signs(impl_->albedo_mirror, impl_->albedo.size) ||
      impl_->albedo.size != impl_->log_albedo_sigma.size || !optional(impl_->light, kNumLight) ||
      !optional(impl_->pose, kNumPlacement))
    fail(ErrorKind::kModel, file.description_path.string(),
         ": input.width, num_points (at least 68), parts and mirror do not fit together");
  impl_->net = readNetwork(file, impl_->input_px, {impl_->num_columns});
  const std::filesystem::path identity_path = file.path.parent_path() / "identity.onnx";
  if (impl_->identity.size > 0 && std::filesystem::is_regular_file(identity_path))
    impl_->identity_net = readNetwork(findNetwork(identity_path, "identity", "the identity network"),
                                      impl_->input_px, {2 * impl_->identity.size});
}

LandmarkRegressor::~LandmarkRegressor() = default;
LandmarkRegressor::LandmarkRegressor(LandmarkRegressor&&) noexcept = default;

FacePrediction LandmarkRegressor::predict(const Image8& photo, const FaceCrop& crop, int refinements,
                                          bool average_mirrored) const {
  require(photo.channels() == 3 && !photo.empty(), "LandmarkRegressor::predict: the photo has ",
          photo.channels(), " channels and ", photo.width(), "x", photo.height(),
          " pixels; an RGB photo is needed");
  require(crop.side_px > 0 && crop.center_px.allFinite() && std::isfinite(crop.side_px),
          "LandmarkRegressor::predict: the crop's side is ", crop.side_px, " px");
  const cv::Mat pixels = pixelsOf(photo);
  FacePrediction prediction;
  prediction.crop = crop;
  for (int round = 0;; ++round) {
    const bool last = round >= refinements;
    const FaceCrop& current = prediction.crop;
    const Impl::Reading reading = impl_->readCrop(pixels, current, last && average_mirrored);

    const PlaneAffine photo_from_crop = photoFromCrop(current, impl_->input_px);
    const Points2 points =
        (reading.points * photo_from_crop.linear.transpose()).rowwise() + photo_from_crop.offset.transpose();
    const Eigen::VectorXf sigma =
        current.side_px * reading.log_sigma.array().max(kMinLogSigma).min(kMaxLogSigma).exp();
    prediction.ibug68 = {points.topRows(kNumIbugLandmarks), sigma.head(kNumIbugLandmarks)};
    const int num_dense = impl_->num_points - kNumIbugLandmarks;
    prediction.dense = {points.bottomRows(num_dense), sigma.tail(num_dense)};
    prediction.identity = guessOf(reading.identity, reading.log_identity_sigma);
    prediction.expression = guessOf(reading.expression, reading.log_expression_sigma);
    prediction.albedo = guessOf(reading.albedo, reading.log_albedo_sigma);
    if (reading.light.size() > 0) {
      const Eigen::Matrix3f photo_from_upright =
          Eigen::AngleAxisf(current.roll_rad, Eigen::Vector3f::UnitZ()).toRotationMatrix();
      prediction.light = Impl::lightOf(reading.light).turned(photo_from_upright);
    }
    if (reading.pose.size() > 0)
      prediction.placement = impl_->placementOf(reading.pose, current, photo_from_crop);
    prediction.confidence = 1 / (1 + std::exp(-reading.logit));
    if (last) break;

    const FaceCrop next = cropFromLandmarks(prediction.ibug68);
    if (!next.center_px.allFinite() || !(next.side_px > 1)) break;  // collapsed: not a face
    prediction.crop = next;
  }
  return prediction;
}

CoefficientGuess LandmarkRegressor::readIdentity(const Image8& photo, const FaceCrop& crop) const {
  if (impl_->identity_net.empty()) return predict(photo, crop, 0).identity;
  require(photo.channels() == 3 && !photo.empty() && crop.side_px > 0,
          "LandmarkRegressor::readIdentity: an RGB photo and a crop are needed");
  const cv::Mat output = impl_->forward(impl_->identity_net, impl_->bothWays(pixelsOf(photo), crop));
  const int count = impl_->identity.size;
  const auto part = [&](int row, int first) -> Eigen::VectorXf {
    return Eigen::Map<const Eigen::VectorXf>(output.ptr<float>(row) + first, count);
  };
  Eigen::VectorXf values = part(0, 0), log_sigma = part(0, count);
  Impl::averageCoefficients(impl_->identity_mirror, part(1, 0), part(1, count), values, log_sigma);
  return guessOf(values, log_sigma);
}

}  // namespace facet
