#pragma once

#include <Eigen/Core>
#include <opencv2/core.hpp>

#include "core/image.h"
#include "fitting/landmark_regressor.h"

namespace facet {

// Affine map of the plane: linear p + offset.
struct PlaneAffine {
  Eigen::Matrix2f linear;
  Eigen::Vector2f offset;
};

// From pixels of the crop as a network sees it (side input_px; pixel centres at +0.5) to those of the photo.
PlaneAffine photoFromCrop(const FaceCrop& crop, int input_px);

// The crop as an input_px square; large faces are averaged over areas. Crops may reach beyond the photo,
// where its last pixels repeat (cv::BORDER_REPLICATE) or nothing is (cv::BORDER_CONSTANT: black).
cv::Mat warpCrop(const cv::Mat& photo, PlaneAffine photo_from_crop, int input_px,
                 int border = cv::BORDER_REPLICATE);

// The photo's pixels as OpenCV sees them, which has no const view; they must only be read.
cv::Mat pixelsOf(const Image8& photo);

}  // namespace facet
