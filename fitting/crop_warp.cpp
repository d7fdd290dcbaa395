#include "fitting/crop_warp.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

namespace facet {
namespace {

// Finer than this many photo pixels per network pixel, bilinear sampling alone does not alias visibly.
constexpr float kMaxSamplingStep = 1.5F;

}  // namespace

PlaneAffine photoFromCrop(const FaceCrop& crop, int input_px) {
  PlaneAffine affine;
  affine.linear = Eigen::Rotation2Df(crop.roll_rad).toRotationMatrix() * (crop.side_px / input_px);
  affine.offset = crop.center_px - affine.linear * Eigen::Vector2f::Constant(0.5F * input_px);
  return affine;
}

// Samples the crop; pixel centres are at +0.5 on both sides, at 0 for OpenCV.
cv::Mat warpCrop(const cv::Mat& photo, PlaneAffine photo_from_crop, int input_px, int border) {
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
  cv::warpAffine(source, crop, matrix, {input_px, input_px}, cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, border);
  return crop;
}

cv::Mat pixelsOf(const Image8& photo) {
  return {photo.height(), photo.width(), CV_8UC(photo.channels()), const_cast<std::uint8_t*>(photo.data())};
}

}  // namespace facet
