#include "fitting/face_detector.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <mutex>
#include <numbers>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/error.h"

namespace facet {
namespace {

// Where distributions put OpenCV's cascades (Debian: package opencv-data).
constexpr std::array<const char*, 5> kCascadeFolders = {
    "/usr/share/opencv4/haarcascades", "/usr/share/opencv/haarcascades",
    "/usr/local/share/opencv4/haarcascades", "/opt/homebrew/share/opencv4/haarcascades",
    "/usr/share/OpenCV/haarcascades"};
// The network's crop beside a cascade's box (shares of the box's side), measured on rendered faces: medians
// of 281 frontal and 141 profile finds. The profile cascade knows faces that look to the image's left.
struct CropFromBox {
  float side, right, down;
};
constexpr CropFromBox kFrontal = {1.16F, 0.0F, 0.13F}, kLeftProfile = {1.01F, -0.09F, 0.14F},
                      kRightProfile = {1.01F, 0.09F, 0.14F};
// A face's second reading may move its crop by this share of the side and scale it by this factor, no more:
// where there is no face the network wanders.
constexpr float kMaxDrift = 0.15F, kMaxRescale = 1.3F;
// Mean standard deviation of the 68 landmarks in crop sides up to which a find is certain, and from which it
// is none. On 1000 held-out rendered faces the median is 0.011, the 95th percentile 0.022 and the 99th 0.038
// (faces largely covered); backs of heads and clutter give more than 0.06, patterns that resemble a face
// 0.033 and more.
constexpr float kCertainSigma = 0.026F, kMaxSigma = 0.036F;
// Two finds whose squares overlap by more than this (intersection over union) are one face.
constexpr float kSameFace = 0.3F;
constexpr int kMaxGridCandidates = 6;

cv::CascadeClassifier loadCascade(const std::string& file_name) {
  for (const char* folder : kCascadeFolders) {
    const std::filesystem::path path = std::filesystem::path(folder) / file_name;
    cv::CascadeClassifier cascade;
    if (std::filesystem::is_regular_file(path) && cascade.load(path.string())) return cascade;
  }
  fail(ErrorKind::kModel, file_name, ": OpenCV's face cascade is not in ", kCascadeFolders[0],
       " or the other usual folders; install Debian's package opencv-data");
}

float overlap(const FaceCrop& a, const FaceCrop& b) {
  const Eigen::Vector2f half = Eigen::Vector2f::Constant(0.5F);
  const Eigen::Vector2f low = (a.center_px - a.side_px * half).cwiseMax(b.center_px - b.side_px * half);
  const Eigen::Vector2f high = (a.center_px + a.side_px * half).cwiseMin(b.center_px + b.side_px * half);
  const float shared = (high - low).cwiseMax(0.0F).prod();
  return shared / (a.side_px * a.side_px + b.side_px * b.side_px - shared);
}

float meanSigmaInSides(const FacePrediction& prediction) {
  return prediction.ibug68.sigma_px.mean() / prediction.crop.side_px;
}

// The network's confidence, lowered where it is not sure of its landmarks.
float faceConfidence(const FacePrediction& prediction) {
  const float certainty = (kMaxSigma - meanSigmaInSides(prediction)) / (kMaxSigma - kCertainSigma);
  return prediction.confidence * std::clamp(certainty, 0.0F, 1.0F);
}

// A find is believed when the network is confident and would crop the same face again.
bool isPlausible(const FacePrediction& prediction, const DetectOptions& options) {
  if (!(faceConfidence(prediction) >= options.min_confidence)) return false;
  if (!prediction.ibug68.positions_px.allFinite() || prediction.faceSize() < options.min_face_px)
    return false;
  const FaceCrop again = cropFromLandmarks(prediction.ibug68);
  const float drift = (again.center_px - prediction.crop.center_px).norm() / prediction.crop.side_px;
  const float rescale = again.side_px / prediction.crop.side_px;
  return drift < kMaxDrift && rescale < kMaxRescale && rescale > 1 / kMaxRescale;
}

// Finds of one detection, in pixels of the photo.
class Finds {
 public:
  Finds(const Image8& photo, const LandmarkRegressor& regressor, const DetectOptions& options)
      : photo_(photo), regressor_(regressor), options_(options) {}

  void examine(const FaceCrop& candidate) {
    for (const DetectedFace& face : faces_)  // already found by another cascade
      if (overlap(face.prediction.crop, candidate) > 0.5F) return;
    // One cheap look first; most of the cascades' false alarms end here.
    const FacePrediction glance = regressor_.predict(photo_, candidate, 1, false);
    if (glance.confidence < 0.5F * options_.min_confidence) return;
    const FacePrediction prediction = regressor_.predict(photo_, glance.crop, 1);
    if (!isPlausible(prediction, options_)) return;
    for (DetectedFace& face : faces_) {
      if (overlap(face.prediction.crop, prediction.crop) < kSameFace) continue;
      if (meanSigmaInSides(prediction) < meanSigmaInSides(face.prediction))
        face = {prediction, faceConfidence(prediction)};
      return;
    }
    faces_.push_back({prediction, faceConfidence(prediction)});
  }

  bool empty() const { return faces_.empty(); }

  std::vector<DetectedFace> sorted() && {
    std::sort(faces_.begin(), faces_.end(), [](const DetectedFace& a, const DetectedFace& b) {
      return a.prediction.faceSize() > b.prediction.faceSize();
    });
    return std::move(faces_);
  }

 private:
  const Image8& photo_;
  const LandmarkRegressor& regressor_;
  const DetectOptions& options_;
  std::vector<DetectedFace> faces_;
};

}  // namespace

struct FaceDetector::Impl {
  cv::CascadeClassifier frontal = loadCascade("haarcascade_frontalface_alt2.xml");
  cv::CascadeClassifier profile = loadCascade("haarcascade_profileface.xml");
  std::mutex turn;  // detectMultiScale changes the cascade

  // Crops around what the frontal cascade finds in an upright grey picture, and the profile cascade both
  // ways.
  std::vector<FaceCrop> propose(const cv::Mat& grey, int min_side_px, bool with_profiles) {
    const std::lock_guard lock(turn);
    std::vector<FaceCrop> crops;
    const auto search = [&](cv::CascadeClassifier& cascade, const cv::Mat& picture, double step,
                            bool mirrored, const CropFromBox& rule) {
      std::vector<cv::Rect> boxes;
      cascade.detectMultiScale(picture, boxes, step, 2, 0, {min_side_px, min_side_px});
      for (const cv::Rect& box : boxes) {
        const float side = static_cast<float>(box.width);
        const float x = box.x + 0.5F * side, y = box.y + 0.5F * side;
        crops.push_back({{(mirrored ? picture.cols - x : x) + rule.right * side, y + rule.down * side},
                         rule.side * side,
                         0});
      }
    };
    search(frontal, grey, 1.1, false, kFrontal);
    if (!with_profiles) return crops;
    search(profile, grey, 1.15, false, kLeftProfile);
    cv::Mat mirrored;
    cv::flip(grey, mirrored, 1);
    search(profile, mirrored, 1.15, true, kRightProfile);
    return crops;
  }
};

FaceDetector::FaceDetector() : impl_(std::make_unique<Impl>()) {}
FaceDetector::~FaceDetector() = default;
FaceDetector::FaceDetector(FaceDetector&&) noexcept = default;

std::vector<DetectedFace> FaceDetector::detect(const Image8& photo, const LandmarkRegressor& regressor,
                                               const DetectOptions& options) const {
  require(photo.channels() == 3, "FaceDetector::detect: the photo has ", photo.channels(),
          " channels, not 3 (RGB)");
  require(options.min_face_px > 0 && options.max_side_px > 0,
          "DetectOptions: min_face_px and max_side_px must be positive");
  Finds finds(photo, regressor, options);
  if (std::min(photo.width(), photo.height()) < options.min_face_px) return {};

  // Search in a small grey copy.
  const cv::Mat pixels(photo.height(), photo.width(), CV_8UC3, const_cast<std::uint8_t*>(photo.data()));
  const float shrink =
      std::min(1.0F, static_cast<float>(options.max_side_px) / std::max(photo.width(), photo.height()));
  cv::Mat small = pixels, grey;
  if (shrink < 1) cv::resize(pixels, small, {}, shrink, shrink, cv::INTER_AREA);
  cv::cvtColor(small, grey, cv::COLOR_RGB2GRAY);
  const int min_side_px = std::max(24, static_cast<int>(options.min_face_px * shrink));
  const float photo_from_small = 1 / shrink;

  // Turns the grey picture by `roll` about its centre, so that a face rolled by it stands upright, and
  // examines what the cascades find there.
  const auto searchRolled = [&](float roll_deg, bool with_profiles) {
    const float roll_rad = roll_deg * std::numbers::pi_v<float> / 180;
    const Eigen::Matrix2f small_from_turned = Eigen::Rotation2Df(roll_rad).toRotationMatrix();
    const float c = std::abs(std::cos(roll_rad)), s = std::abs(std::sin(roll_rad));
    const cv::Size turned_size(static_cast<int>(grey.cols * c + grey.rows * s),
                               static_cast<int>(grey.cols * s + grey.rows * c));
    const Eigen::Vector2f small_center(0.5F * grey.cols, 0.5F * grey.rows);
    const Eigen::Vector2f turned_center(0.5F * turned_size.width, 0.5F * turned_size.height);
    cv::Mat turned = grey;
    if (roll_deg != 0) {
      const Eigen::Vector2f half = Eigen::Vector2f::Constant(0.5F);
      const Eigen::Vector2f o = small_center - small_from_turned * (turned_center - half) - half;
      const cv::Matx23f matrix(small_from_turned(0, 0), small_from_turned(0, 1), o.x(),
                               small_from_turned(1, 0), small_from_turned(1, 1), o.y());
      cv::warpAffine(grey, turned, matrix, turned_size, cv::INTER_LINEAR | cv::WARP_INVERSE_MAP,
                     cv::BORDER_CONSTANT, cv::Scalar(128));
    }
    for (const FaceCrop& crop : impl_->propose(turned, min_side_px, with_profiles))
      finds.examine({photo_from_small * (small_from_turned * (crop.center_px - turned_center) + small_center),
                     photo_from_small * crop.side_px, roll_rad});
  };

  searchRolled(0, true);
  for (const float roll_deg : {30.0F, -30.0F, 60.0F, -60.0F, 90.0F, -90.0F, 180.0F}) {
    if (!finds.empty()) break;
    searchRolled(roll_deg, false);
  }

  // The cascades miss bald heads and full profiles: ask the network on a coarse grid of squares.
  if (finds.empty()) {
    Image8 copy(small.cols, small.rows, 3);
    small.copyTo(cv::Mat(small.rows, small.cols, CV_8UC3, copy.data()));
    std::vector<std::pair<float, FaceCrop>> scored;
    const float short_side = static_cast<float>(std::min(small.cols, small.rows));
    for (const float share : {1.1F, 0.8F, 0.56F, 0.4F, 0.28F}) {
      const float side = share * short_side;
      if (side < kFrontal.side * min_side_px) continue;
      const int columns =
          std::max(1, static_cast<int>(std::lround((small.cols - 0.6F * side) / (0.3F * side))));
      const int rows = std::max(1, static_cast<int>(std::lround((small.rows - 0.6F * side) / (0.3F * side))));
      for (int y = 0; y < rows; ++y)
        for (int x = 0; x < columns; ++x) {
          const auto place = [&](int i, int count, int size) {
            const float margin = std::min(0.4F * side, 0.5F * size);
            return count == 1 ? 0.5F * size : margin + (size - 2 * margin) * i / (count - 1);
          };
          const FaceCrop crop{{place(x, columns, small.cols), place(y, rows, small.rows)}, side, 0};
          scored.emplace_back(regressor.predict(copy, crop, 0, false).confidence, crop);
        }
    }
    std::sort(scored.begin(), scored.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (int i = 0; i < std::min<int>(kMaxGridCandidates, scored.size()); ++i) {
      FaceCrop crop = scored[i].second;
      crop.center_px *= photo_from_small;
      crop.side_px *= photo_from_small;
      finds.examine(crop);
    }
  }
  return std::move(finds).sorted();
}

}  // namespace facet
