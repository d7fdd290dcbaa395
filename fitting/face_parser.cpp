#include "fitting/face_parser.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <nlohmann/json.hpp>
#include <opencv2/dnn.hpp>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "fitting/crop_warp.h"
#include "fitting/network_file.h"

namespace facet {
namespace {

// The classes as the network's description names them, in the order of FacePart.
constexpr std::array<const char*, kNumFaceParts> kPartNames = {
    "background", "skin", "brows", "eyes", "lips", "mouth", "hair", "facial_hair", "glasses", "occluder"};

}  // namespace

float FaceParsing::at(const Eigen::Vector2f& photo_px, std::initializer_list<FacePart> parts,
                      float outside) const {
  const float scale = static_cast<float>(probability.width()) / crop.side_px;
  const Eigen::Vector2f p =
      scale * (Eigen::Rotation2Df(-crop.roll_rad) * (photo_px - crop.center_px)) +
      Eigen::Vector2f(0.5F * probability.width() - 0.5F, 0.5F * probability.height() - 0.5F);
  const int x = static_cast<int>(std::floor(p.x())), y = static_cast<int>(std::floor(p.y()));
  if (x < 0 || y < 0 || x + 1 >= probability.width() || y + 1 >= probability.height()) return outside;
  const float a = p.x() - static_cast<float>(x), b = p.y() - static_cast<float>(y);
  float sum = 0;
  for (const FacePart part : parts) {
    const auto value = [&](int i, int j) { return probability.at(x + i, y + j)[static_cast<int>(part)]; };
    sum +=
        (1 - b) * ((1 - a) * value(0, 0) + a * value(1, 0)) + b * ((1 - a) * value(0, 1) + a * value(1, 1));
  }
  return sum;
}

Image8 FaceParsing::labels() const {
  Image8 result(probability.width(), probability.height(), 1);
  for (int y = 0; y < result.height(); ++y)
    for (int x = 0; x < result.width(); ++x) {
      const float* p = probability.at(x, y);
      *result.at(x, y) = static_cast<std::uint8_t>(std::max_element(p, p + kNumFaceParts) - p);
    }
  return result;
}

struct FaceParser::Impl {
  int input_px = 0;
  float crop_over_face = 1;
  cv::dnn::Net net;
  std::mutex turn;  // Net::forward changes the net
};

FaceParser::FaceParser(const std::filesystem::path& onnx_path) : impl_(std::make_unique<Impl>()) {
  const NetworkFile file = findNetwork(onnx_path, "parsing", "the face parsing network");
  const nlohmann::json description = readDescription(file, "a face parsing network");
  std::vector<std::string> classes;
  try {
    impl_->input_px = description.at("input").at("width").get<int>();
    impl_->crop_over_face = description.at("crop_over_face").get<float>();
    classes = description.at("classes").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::kModel, file.description_path.string(),
         ": not the description of a face parsing network: ", error.what());
  }
  if (impl_->input_px < 16 || !(impl_->crop_over_face > 0) ||
      !std::equal(classes.begin(), classes.end(), kPartNames.begin(), kPartNames.end()))
    fail(ErrorKind::kModel, file.description_path.string(),
         ": input.width, crop_over_face or classes are not those of a face parsing network");
  impl_->net = readNetwork(file, impl_->input_px, {kNumFaceParts, impl_->input_px, impl_->input_px});
}

FaceParser::~FaceParser() = default;
FaceParser::FaceParser(FaceParser&&) noexcept = default;

FaceParsing FaceParser::parse(const Image8& photo, const FaceCrop& face) const {
  require(photo.channels() == 3 && !photo.empty(), "FaceParser::parse: the photo has ", photo.channels(),
          " channels; an RGB photo is needed");
  require(face.side_px > 0 && face.center_px.allFinite() && std::isfinite(face.side_px),
          "FaceParser::parse: the crop's side is ", face.side_px, " px");
  FaceParsing result;
  result.crop = face;
  result.crop.side_px *= impl_->crop_over_face;
  const int side = impl_->input_px;
  const cv::Mat crop = warpCrop(pixelsOf(photo), photoFromCrop(result.crop, side), side);
  cv::Mat output;
  {
    const std::lock_guard lock(impl_->turn);
    impl_->net.setInput(cv::dnn::blobFromImage(crop));
    output = impl_->net.forward().clone();
  }
  result.probability = ImageF(side, side, kNumFaceParts);
  const float* logits = output.ptr<float>();
  const int plane = side * side;
  for (int i = 0; i < plane; ++i) {
    float largest = logits[i];
    for (int part = 1; part < kNumFaceParts; ++part) largest = std::max(largest, logits[part * plane + i]);
    float* p = result.probability.data() + static_cast<std::ptrdiff_t>(i) * kNumFaceParts;
    float sum = 0;
    for (int part = 0; part < kNumFaceParts; ++part)
      sum += p[part] = std::exp(logits[part * plane + i] - largest);
    for (int part = 0; part < kNumFaceParts; ++part) p[part] /= sum;
  }
  return result;
}

}  // namespace facet
