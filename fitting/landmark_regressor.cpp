#include "fitting/landmark_regressor.h"

#include <algorithm>
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
#include "core/io/files.h"
#include "core/io/model_io.h"

namespace facet {
namespace {

// The same number and the same warp stand in tools/train/crops.py: the network knows no other crops.
constexpr float kCropOverBox = 1.35F;
// Finer than this many photo pixels per network pixel, bilinear sampling alone does not alias visibly.
constexpr float kMaxSamplingStep = 1.5F;
// Standard deviations outside of these (in crop sides) are the network's wild guesses.
constexpr float kMinLogSigma = -6.5F, kMaxLogSigma = 0.0F;
// The same for identity coefficients, in standard deviations of the population.
constexpr float kMinLogSigmaIdentity = -4.0F;

Eigen::Vector2f meanOf(const Points2& points, int first, int last) {
  return points.middleRows(first, last - first).colwise().mean().transpose();
}

// Affine map of the plane, photo_from_crop or the like.
struct Affine {
  Eigen::Matrix2f linear;
  Eigen::Vector2f offset;
};

Affine photoFromCrop(const FaceCrop& crop, int input_px, bool mirror) {
  Affine affine;
  affine.linear = Eigen::Rotation2Df(crop.roll_rad).toRotationMatrix() * (crop.side_px / input_px);
  if (mirror) affine.linear.col(0) *= -1;
  affine.offset = crop.center_px - affine.linear * Eigen::Vector2f::Constant(0.5F * input_px);
  return affine;
}

// Samples the crop; pixel centres are at +0.5 on both sides, at 0 for OpenCV.
cv::Mat warpCrop(const cv::Mat& photo, Affine photo_from_crop, int input_px) {
  const float step = std::sqrt(std::abs(photo_from_crop.linear.determinant()));
  cv::Mat source = photo;
  if (step > kMaxSamplingStep) {
    // Shrink what the crop covers so that one network pixel is one pixel of the shrunk part.
    const Eigen::Vector2f center =
        photo_from_crop.linear * Eigen::Vector2f::Constant(0.5F * input_px) + photo_from_crop.offset;
    const float reach = 0.5F * input_px * step * std::numbers::sqrt2_v<float> + 2 * step;
    const auto clamped = [](float value, int size) {
      return std::clamp(static_cast<int>(std::lround(value)), 0, size);
    };
    const cv::Rect part(
        cv::Point(clamped(center.x() - reach, photo.cols), clamped(center.y() - reach, photo.rows)),
        cv::Point(clamped(center.x() + reach, photo.cols), clamped(center.y() + reach, photo.rows)));
    if (part.width > step && part.height > step) {
      const cv::Size shrunk(std::max(1, static_cast<int>(std::lround(part.width / step))),
                            std::max(1, static_cast<int>(std::lround(part.height / step))));
      cv::resize(photo(part), source, shrunk, 0, 0, cv::INTER_AREA);
      const Eigen::Vector2f scale(static_cast<float>(shrunk.width) / part.width,
                                  static_cast<float>(shrunk.height) / part.height);
      const Eigen::Vector2f corner(part.x, part.y);
      photo_from_crop.linear = scale.asDiagonal() * photo_from_crop.linear;
      photo_from_crop.offset = scale.cwiseProduct(photo_from_crop.offset - corner);
    }
  }
  const Eigen::Matrix2f& l = photo_from_crop.linear;
  const Eigen::Vector2f o =
      photo_from_crop.offset + l * Eigen::Vector2f::Constant(0.5F) - Eigen::Vector2f::Constant(0.5F);
  const cv::Matx23f matrix(l(0, 0), l(0, 1), o.x(), l(1, 0), l(1, 1), o.y());
  cv::Mat crop;
  cv::warpAffine(source, crop, matrix, {input_px, input_px}, cv::INTER_LINEAR | cv::WARP_INVERSE_MAP,
                 cv::BORDER_REPLICATE);
  return crop;
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
  int input_px = 0;
  int num_points = 0;
  int num_modes = 0;        // identity coefficients, may be 0
  std::vector<int> mirror;  // num_points, index of the mirrored point
  cv::dnn::Net net;
  std::mutex turn;  // Net::forward changes the net

  // Points in crop pixels, log sigma in crop sides, face logit.
  struct Reading {
    Points2 points;
    Eigen::VectorXf log_sigma;
    float logit = 0;
    Eigen::VectorXf identity, log_sigma_identity;
  };

  std::vector<Reading> read(const std::vector<cv::Mat>& crops) {
    const cv::Mat blob = cv::dnn::blobFromImages(crops);
    cv::Mat output;
    {
      const std::lock_guard lock(turn);
      net.setInput(blob);
      output = net.forward().clone();
    }
    std::vector<Reading> readings(crops.size());
    for (int i = 0; i < static_cast<int>(crops.size()); ++i) {
      const float* row = output.ptr<float>(i);
      Reading& reading = readings[i];
      reading.points = Eigen::Map<const Points2>(row, num_points, 2).array() * input_px + 0.5F * input_px;
      reading.log_sigma = Eigen::Map<const Eigen::VectorXf>(row + 2 * num_points, num_points);
      reading.logit = row[3 * num_points];
      const float* const identity = row + 3 * num_points + 1;
      reading.identity = Eigen::Map<const Eigen::VectorXf>(identity, num_modes);
      reading.log_sigma_identity = Eigen::Map<const Eigen::VectorXf>(identity + num_modes, num_modes);
    }
    return readings;
  }

  Reading readCrop(const cv::Mat& photo, const FaceCrop& crop, bool average_mirrored) {
    std::vector<cv::Mat> crops = {warpCrop(photo, photoFromCrop(crop, input_px, false), input_px)};
    if (average_mirrored) {
      cv::Mat mirrored;
      cv::flip(crops[0], mirrored, 1);
      crops.push_back(mirrored);
    }
    std::vector<Reading> readings = read(crops);
    Reading result = std::move(readings[0]);
    if (average_mirrored) {
      const Reading& other = readings[1];
      for (int i = 0; i < num_points; ++i) {
        const int partner = mirror[i];
        const Eigen::Vector2f unflipped(input_px - other.points(partner, 0), other.points(partner, 1));
        result.points.row(i) = (result.points.row(i) + unflipped.transpose()) / 2;
        result.log_sigma[i] = (result.log_sigma[i] + other.log_sigma[partner]) / 2;
      }
      result.logit = (result.logit + other.logit) / 2;
      // The built-in model's modes are symmetric: a mirrored face has the same coefficients.
      result.identity = (result.identity + other.identity) / 2;
      result.log_sigma_identity = (result.log_sigma_identity + other.log_sigma_identity) / 2;
    }
    return result;
  }
};

LandmarkRegressor::LandmarkRegressor(const std::filesystem::path& onnx_path)
    : impl_(std::make_unique<Impl>()) {
  const std::filesystem::path path =
      onnx_path.empty() ? dataDirectory() / "networks" / "landmarks.onnx" : onnx_path;
  std::filesystem::path description_path = path;
  description_path.replace_extension(".json");
  for (const auto& needed : {path, description_path})
    if (!std::filesystem::is_regular_file(needed))
      fail(ErrorKind::kModel, needed.string(),
           ": the landmark network is missing; it comes with facet's data folder ",
           "(set FACET_DATA_DIR), or train one with tools/train/train_landmarks.py");
  try {
    const nlohmann::json description = nlohmann::json::parse(readText(description_path));
    impl_->input_px = description.at("input").at("width").get<int>();
    impl_->num_points = description.at("num_points").get<int>();
    impl_->num_modes = description.value("identity_modes", 0);
    impl_->mirror = description.at("mirror").get<std::vector<int>>();
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::kModel, description_path.string(),
         ": not the description of a landmark network: ", error.what());
  }
  const int num_points = impl_->num_points;
  const bool mirror_fits = static_cast<int>(impl_->mirror.size()) == num_points &&
                           std::all_of(impl_->mirror.begin(), impl_->mirror.end(),
                                       [&](int i) { return i >= 0 && i < num_points; });
  if (impl_->input_px < 16 || impl_->num_modes < 0 || num_points < kNumIbugLandmarks || !mirror_fits)
    fail(ErrorKind::kModel, description_path.string(),
         ": input.width, num_points (at least 68), identity_modes or mirror do not fit together");
  try {
    impl_->net = cv::dnn::readNetFromONNX(path.string());
    const std::vector<cv::Mat> grey = {
        cv::Mat(impl_->input_px, impl_->input_px, CV_8UC3, cv::Scalar::all(128))};
    impl_->net.setInput(cv::dnn::blobFromImages(grey));
    const cv::Mat output = impl_->net.forward();
    if (output.dims != 2 || output.size[1] != 3 * num_points + 1 + 2 * impl_->num_modes)
      fail(ErrorKind::kModel, path.string(), ": the network's output is not 3 x ", num_points, " + 1 + 2 x ",
           impl_->num_modes, " numbers as ", description_path.filename().string(), " says");
  } catch (const cv::Exception& error) {
    fail(ErrorKind::kModel, path.string(),
         ": not a network that OpenCV can read (ONNX, opset 11): ", error.err);
  }
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
  // OpenCV has no const view; the pixels are only read.
  const cv::Mat pixels(photo.height(), photo.width(), CV_8UC3, const_cast<std::uint8_t*>(photo.data()));
  FacePrediction prediction;
  prediction.crop = crop;
  for (int round = 0;; ++round) {
    const bool last = round >= refinements;
    const FaceCrop& current = prediction.crop;
    const Impl::Reading reading = impl_->readCrop(pixels, current, last && average_mirrored);

    const Affine photo_from_crop = photoFromCrop(current, impl_->input_px, false);
    const Points2 points =
        (reading.points * photo_from_crop.linear.transpose()).rowwise() + photo_from_crop.offset.transpose();
    const Eigen::VectorXf sigma =
        current.side_px * reading.log_sigma.array().max(kMinLogSigma).min(kMaxLogSigma).exp();
    prediction.ibug68 = {points.topRows(kNumIbugLandmarks), sigma.head(kNumIbugLandmarks)};
    const int num_dense = impl_->num_points - kNumIbugLandmarks;
    prediction.dense = {points.bottomRows(num_dense), sigma.tail(num_dense)};
    prediction.identity = {reading.identity,
                           reading.log_sigma_identity.array().max(kMinLogSigmaIdentity).min(0.0F).exp()};
    prediction.confidence = 1 / (1 + std::exp(-reading.logit));
    if (last) break;

    const FaceCrop next = cropFromLandmarks(prediction.ibug68);
    if (!next.center_px.allFinite() || !(next.side_px > 1)) break;  // collapsed: not a face
    prediction.crop = next;
  }
  return prediction;
}

}  // namespace facet
