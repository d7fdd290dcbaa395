#include "fitting/face_detector.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numbers>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "fitting/crop_warp.h"
#include "fitting/network_file.h"

namespace facet {
namespace {

// Score from which a cell of the detector proposes a face: low, as the face network decides.
constexpr float kMinProposal = 0.2F;
// Of all that is proposed, so many best ones are looked at.
constexpr int kMaxProposals = 64;
// Crops smaller than this the detector has not learned, in pixels of its input.
constexpr float kSmallestCrop_px = 16;
// The parts of a large picture overlap by this share of their side, so that no small face is cut.
constexpr float kPartOverlap = 0.25F;
// A small picture is enlarged for the search by this much at most.
constexpr float kMaxEnlargement = 2;
// A face's second reading may move its crop by this share of the side and scale it by this factor, no more:
// where there is no face the network wanders.
constexpr float kMaxDrift = 0.15F, kMaxRescale = 1.3F;
// From this mean standard deviation of the landmarks on (crop sides) a find is none: backs of heads and
// clutter give more, patterns that resemble a face about as much.
constexpr float kMaxSigma = 0.054F;
// Within these a reading's crop and the one that its landmarks imply show a face alike: shift in sides,
// logarithm of the scale, roll.
constexpr float kNearShift = 0.08F, kNearRescale = 0.15F, kNearTurn_rad = 0.2F;
constexpr int kMaxLooks = 3;
// Two finds whose squares overlap by more than this (intersection over union) are one face.
constexpr float kSameFace = 0.3F;

float overlap(const FaceCrop& a, const FaceCrop& b) {
  const Eigen::Vector2f half = Eigen::Vector2f::Constant(0.5F);
  const Eigen::Vector2f low = (a.center_px - a.side_px * half).cwiseMax(b.center_px - b.side_px * half);
  const Eigen::Vector2f high = (a.center_px + a.side_px * half).cwiseMin(b.center_px + b.side_px * half);
  const float shared = (high - low).cwiseMax(0.0F).prod();
  return shared / (a.side_px * a.side_px + b.side_px * b.side_px - shared);
}

bool isNear(const FaceCrop& a, const FaceCrop& b) {
  const float turn_rad = std::remainder(a.roll_rad - b.roll_rad, 2 * std::numbers::pi_v<float>);
  const float rescale = std::abs(std::log(a.side_px / b.side_px));
  return (a.center_px - b.center_px).norm() < kNearShift * a.side_px && rescale < kNearRescale &&
         std::abs(turn_rad) < kNearTurn_rad;
}

// A find is believed when the network is confident and would crop the same face again.
bool isPlausible(const FacePrediction& prediction, const DetectOptions& options) {
  if (!(faceConfidence(prediction, kMaxSigma) >= options.min_confidence)) return false;
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
    for (const DetectedFace& face : faces_)  // already found
      if (overlap(face.prediction.crop, candidate) > 0.5F) return;
    // One cheap look first: most false alarms end here. It says where the face really is; if that is far from
    // where the detector saw it, the network has not seen it as it knows faces, and looks again.
    FaceCrop crop = candidate;
    for (int look = 0; look < kMaxLooks; ++look) {
      const FacePrediction glance = regressor_.predict(photo_, crop, 0, false);
      if (glance.confidence < 0.5F * options_.min_confidence) return;
      const FaceCrop next = cropFromLandmarks(glance.ibug68);
      if (!next.center_px.allFinite() || !(next.side_px > 1)) return;
      const bool is_near = isNear(crop, next);
      crop = next;
      if (is_near) break;
    }
    FacePrediction prediction = regressor_.predict(photo_, crop, 0);
    if (!isPlausible(prediction, options_)) return;
    prediction.identity = regressor_.readIdentity(photo_, crop);
    for (DetectedFace& face : faces_) {
      if (overlap(face.prediction.crop, prediction.crop) < kSameFace) continue;
      if (meanSigmaInSides(prediction) < meanSigmaInSides(face.prediction))
        face = {prediction, faceConfidence(prediction, kMaxSigma)};
      return;
    }
    faces_.push_back({prediction, faceConfidence(prediction, kMaxSigma)});
  }

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

float meanSigmaInSides(const FacePrediction& prediction) {
  return prediction.ibug68.sigma_px.mean() / prediction.crop.side_px;
}

float faceConfidence(const FacePrediction& prediction, float max_sigma) {
  const float certainty = (max_sigma - meanSigmaInSides(prediction)) / (max_sigma - kCertainSigma);
  return prediction.confidence * std::clamp(certainty, 0.0F, 1.0F);
}

struct FaceDetector::Impl {
  int input_px = 0, stride_px = 0;
  float side_unit_px = 0;
  cv::dnn::Net net;
  std::mutex turn;  // Net::forward changes the net

  struct Proposal {
    FaceCrop crop;
    float score;
  };

  // What the network sees in a picture of at most input_px, which is put into the input's top left corner;
  // crops in the picture's pixels.
  std::vector<Proposal> propose(const cv::Mat& picture) {
    cv::Mat padded(input_px, input_px, CV_8UC3, cv::Scalar::all(128));
    picture.copyTo(padded(cv::Rect(0, 0, picture.cols, picture.rows)));
    cv::Mat output;
    {
      const std::lock_guard lock(turn);
      net.setInput(cv::dnn::blobFromImage(padded));
      output = net.forward().clone();
    }
    const int cells = input_px / stride_px;
    const auto at = [&](int channel, int row, int column) {
      return output.ptr<float>()[(channel * cells + row) * cells + column];
    };
    const float least = std::log(kMinProposal / (1 - kMinProposal));
    std::vector<Proposal> proposals;
    for (int row = 0; row < cells; ++row)
      for (int column = 0; column < cells; ++column) {
        const float logit = at(0, row, column);
        if (logit < least) continue;
        bool is_peak = true;
        for (int y = std::max(0, row - 1); y <= std::min(cells - 1, row + 1); ++y)
          for (int x = std::max(0, column - 1); x <= std::min(cells - 1, column + 1); ++x)
            is_peak &= at(0, y, x) <= logit;
        if (!is_peak) continue;
        FaceCrop crop;
        crop.center_px = {(column + 0.5F + at(1, row, column)) * stride_px,
                          (row + 0.5F + at(2, row, column)) * stride_px};
        crop.side_px = side_unit_px * std::exp(std::min(at(3, row, column), 4.0F));
        crop.roll_rad = std::atan2(at(5, row, column), at(4, row, column));
        proposals.push_back({crop, 1 / (1 + std::exp(-logit))});
      }
    return proposals;
  }
};

FaceDetector::FaceDetector(const std::filesystem::path& onnx_path) : impl_(std::make_unique<Impl>()) {
  const NetworkFile file = findNetwork(onnx_path, "detector", "the face detector");
  const nlohmann::json description = readDescription(file, "a face detector");
  try {
    impl_->input_px = description.at("input").at("width").get<int>();
    impl_->stride_px = description.at("stride_px").get<int>();
    impl_->side_unit_px = description.at("side_unit_px").get<float>();
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::kModel, file.description_path.string(),
         ": not the description of a face detector: ", error.what());
  }
  if (impl_->stride_px < 1 || impl_->input_px < impl_->stride_px || impl_->input_px % impl_->stride_px != 0 ||
      !(impl_->side_unit_px > 0))
    fail(ErrorKind::kModel, file.description_path.string(),
         ": input.width, stride_px and side_unit_px do not fit together");
  const int cells = impl_->input_px / impl_->stride_px;
  impl_->net = readNetwork(file, impl_->input_px, {6, cells, cells});
}

FaceDetector::~FaceDetector() = default;
FaceDetector::FaceDetector(FaceDetector&&) noexcept = default;

std::vector<DetectedFace> FaceDetector::detect(const Image8& photo, const LandmarkRegressor& regressor,
                                               const DetectOptions& options) const {
  require(photo.channels() == 3, "FaceDetector::detect: the photo has ", photo.channels(),
          " channels, not 3 (RGB)");
  require(options.min_face_px > 0 && options.max_side_px > 0,
          "DetectOptions: min_face_px and max_side_px must be positive");
  if (std::min(photo.width(), photo.height()) < options.min_face_px) return {};
  const cv::Mat pixels = pixelsOf(photo);
  const int long_side = std::max(photo.width(), photo.height());
  std::vector<Impl::Proposal> proposals;

  // Searches a part of the photo, `scale` times as large as there.
  const auto search = [&](const cv::Rect& part, float scale) {
    cv::Mat picture = pixels(part);
    const cv::Size size(std::clamp(static_cast<int>(std::lround(part.width * scale)), 1, impl_->input_px),
                        std::clamp(static_cast<int>(std::lround(part.height * scale)), 1, impl_->input_px));
    if (size != picture.size())
      cv::resize(picture, picture, size, 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
    for (Impl::Proposal& proposal : impl_->propose(picture)) {
      proposal.crop.center_px = proposal.crop.center_px / scale +
                                Eigen::Vector2f(static_cast<float>(part.x), static_cast<float>(part.y));
      proposal.crop.side_px /= scale;
      proposals.push_back(proposal);
    }
  };
  const float whole_scale = static_cast<float>(impl_->input_px) / static_cast<float>(long_side);
  search({0, 0, photo.width(), photo.height()}, std::min(whole_scale, kMaxEnlargement));
  // Small faces of a large photo: its four parts, as large as max_side_px lets them be.
  const float part_scale =
      std::min(1.0F, static_cast<float>(options.max_side_px) / static_cast<float>(long_side));
  if (kSmallestCrop_px / whole_scale > kCropOverBox * static_cast<float>(options.min_face_px) &&
      part_scale > 1.2F * whole_scale) {
    const int side = static_cast<int>(impl_->input_px / part_scale);
    const auto starts = [&](int size) {
      const int step = static_cast<int>(side * (1 - kPartOverlap));
      std::vector<int> positions = {0};
      while (positions.back() + side < size)
        positions.push_back(std::min(positions.back() + step, size - side));
      return positions;
    };
    for (const int y : starts(photo.height()))
      for (const int x : starts(photo.width()))
        search(cv::Rect(x, y, side, side) & cv::Rect(0, 0, photo.width(), photo.height()), part_scale);
  }

  std::sort(proposals.begin(), proposals.end(),
            [](const Impl::Proposal& a, const Impl::Proposal& b) { return a.score > b.score; });
  if (proposals.size() > kMaxProposals) proposals.resize(kMaxProposals);
  Finds finds(photo, regressor, options);
  for (const Impl::Proposal& proposal : proposals) finds.examine(proposal.crop);
  return std::move(finds).sorted();
}

}  // namespace facet
