#include "apps/common/drawing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <opencv2/imgproc.hpp>
#include <string>

#include "core/ibug_strokes.h"
#include "render/face_renderer.h"
#include "render/rasterize.h"

namespace facet {
namespace {

constexpr int kShift = 4;  // sub-pixel bits of OpenCV's drawing, whose pixel centres lie at whole numbers

cv::Mat view(Image8& picture) { return {picture.height(), picture.width(), CV_8UC3, picture.data()}; }

cv::Point fixed(const Eigen::Vector2f& point_px) {
  // Far outside it does not matter where, but the fixed-point numbers must not run over.
  const Eigen::Vector2f clamped = point_px.cwiseMax(-1e5F).cwiseMin(1e5F);
  return {cvRound((clamped.x() - 0.5F) * (1 << kShift)), cvRound((clamped.y() - 0.5F) * (1 << kShift))};
}

void disc(cv::Mat& canvas, const Eigen::Vector2f& center_px, float radius_px, const cv::Scalar& colour) {
  if (center_px.allFinite())
    cv::circle(canvas, fixed(center_px), cvRound(radius_px * (1 << kShift)), colour, cv::FILLED, cv::LINE_AA,
               kShift);
}

float sizeOf(const Points2& points_px) {
  return (points_px.colwise().maxCoeff() - points_px.colwise().minCoeff()).maxCoeff();
}

int lineWidth(float face_px) { return std::max(1, cvRound(0.006F * face_px)); }

// Green, yellow, red for 0, 0.5, 1.
cv::Scalar uncertaintyColour(float t) {
  const Eigen::Vector3f green(70, 225, 130), yellow(250, 215, 70), red(240, 60, 45);
  t = std::clamp(t, 0.0F, 1.0F);
  const Eigen::Vector3f colour = t < 0.5F ? Eigen::Vector3f(green + 2 * t * (yellow - green))
                                          : Eigen::Vector3f(yellow + (2 * t - 1) * (red - yellow));
  return {colour.x(), colour.y(), colour.z()};
}

void drawText(cv::Mat& canvas, const std::string& text, const cv::Point& corner, double scale) {
  const int width = std::max(1, cvRound(1.6 * scale));
  cv::putText(canvas, text, corner, cv::FONT_HERSHEY_SIMPLEX, scale, {0, 0, 0}, width + 2, cv::LINE_AA);
  cv::putText(canvas, text, corner, cv::FONT_HERSHEY_SIMPLEX, scale, {255, 255, 255}, width, cv::LINE_AA);
}

}  // namespace

void drawContours(Image8& picture, const Points2& ibug68_px) {
  if (ibug68_px.rows() != kNumIbugLandmarks || !ibug68_px.allFinite()) return;
  cv::Mat canvas = view(picture);
  for (const IbugStroke& line : kIbugStrokes) {
    std::vector<cv::Point> points;
    for (int i = line.first; i <= line.last; ++i) points.push_back(fixed(ibug68_px.row(i).transpose()));
    cv::polylines(canvas, points, line.is_closed, {245, 245, 245}, lineWidth(sizeOf(ibug68_px)), cv::LINE_AA,
                  kShift);
  }
}

void drawReading(Image8& picture, const LandmarkSet& ibug68, const LandmarkSet& dense) {
  const float face_px = sizeOf(ibug68.positions_px);
  constexpr float kSure = 0.01F, kUnsure = 0.04F;
  cv::Mat canvas = view(picture);
  const auto dots = [&](const LandmarkSet& landmarks, float radius_px) {
    for (int i = 0; i < landmarks.size(); ++i) {
      const float sigma = landmarks.sigma_px[i] / face_px;
      disc(canvas, landmarks.positions_px.row(i).transpose(), radius_px,
           uncertaintyColour((sigma - kSure) / (kUnsure - kSure)));
    }
  };
  drawContours(picture, ibug68.positions_px);
  dots(dense, std::max(0.6F, 0.0035F * face_px));
  dots(ibug68, std::max(1.0F, 0.008F * face_px));
}

void drawBox(Image8& picture, const Eigen::Vector2f& low_px, const Eigen::Vector2f& high_px,
             float confidence) {
  cv::Mat canvas = view(picture);
  const float size_px = (high_px - low_px).maxCoeff();
  cv::rectangle(canvas, fixed(low_px), fixed(high_px), {245, 245, 245}, lineWidth(size_px), cv::LINE_AA,
                kShift);
  char text[16];
  std::snprintf(text, sizeof text, "%.2f", confidence);
  const double scale = std::clamp(size_px / 400.0, 0.35, 3.0);
  drawText(canvas, text, {cvRound(low_px.x()), cvRound(low_px.y() - 0.02F * size_px - 2)}, scale);
}

void drawAxes(Image8& picture, const Camera& camera, const Eigen::Vector3f& origin_in_model,
              float length_mm) {
  const auto origin = camera.imageFromModel(origin_in_model);
  if (!origin) return;
  cv::Mat canvas = view(picture);
  const std::array<cv::Scalar, 3> colours = {{{235, 65, 55}, {80, 205, 80}, {70, 130, 250}}};
  // What points away from the camera is drawn first.
  std::array<int, 3> order = {0, 1, 2};
  const Eigen::RowVector3f depth = camera.camera_from_model.linear().row(2);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return depth[a] > depth[b]; });
  for (const int axis : order) {
    const auto tip =
        camera.imageFromModel(Eigen::Vector3f(origin_in_model + length_mm * Eigen::Vector3f::Unit(axis)));
    if (!tip) continue;
    const float scale_px = (*tip - *origin).norm();
    const int width = std::max(1, cvRound(0.0125F * length_mm *
                                          (camera.projection == Camera::Projection::kPerspective
                                               ? camera.focal_px / camera.camera_from_model.translation().z()
                                               : camera.scale_px_per_mm)));
    cv::line(canvas, fixed(*origin), fixed(*tip), {20, 20, 20}, width + 1, cv::LINE_AA, kShift);
    cv::line(canvas, fixed(*origin), fixed(*tip), colours[axis], width, cv::LINE_AA, kShift);
    if (scale_px > 3) disc(canvas, *tip, 1.1F * width, colours[axis]);
  }
}

void drawFace(Image8& picture, const Mesh& face, const Eigen::VectorXf& opacity, const Camera& camera) {
  const Points2 in_image = camera.imageFromModel(face.vertices);
  if (in_image.rows() == 0 || !in_image.allFinite()) return;
  constexpr float kMargin_px = 2;
  const auto bound = [](float value, int size) {
    return static_cast<int>(std::clamp(value, 0.0F, static_cast<float>(size)));
  };
  const Eigen::RowVector2f low = in_image.colwise().minCoeff().array() - kMargin_px;
  const Eigen::RowVector2f high = in_image.colwise().maxCoeff().array() + kMargin_px;
  const int left = bound(low.x(), picture.width()), top = bound(low.y(), picture.height());
  const int right = bound(high.x(), picture.width()), bottom = bound(high.y(), picture.height());
  if (right <= left || bottom <= top) return;

  // Only the part of the picture that the face covers is rendered.
  Camera part = camera;
  part.width_px = right - left;
  part.height_px = bottom - top;
  part.principal_px -= Eigen::Vector2f(left, top);
  ShadeOptions shade;
  // From above and the subject's left, with deep shadows: the shape must show through the photo's own light.
  shade.light.coefficients = SphericalHarmonicsLight::ambient(0.45F);
  shade.light.coefficients.row(1).setConstant(0.5F);
  shade.light.coefficients.row(2).setConstant(0.7F);
  shade.light.coefficients.row(3).setConstant(0.5F);
  shade.albedo = Eigen::RowVector3f(0.3F, 0.42F, 0.55F).replicate(face.vertices.rows(), 1);
  shade.cull_backfaces = true;
  const FaceImages images = renderFace(face, part, shade);
  const ImageF alpha = interpolate(images.fragments, face.triangles, opacity);
  const Image8 colour = srgbFromLinear(images.colour);
  for (int y = 0; y < part.height_px; ++y) {
    for (int x = 0; x < part.width_px; ++x) {
      if (*images.mask.at(x, y) == 0) continue;
      std::uint8_t* pixel = picture.at(left + x, top + y);
      const float a = *alpha.at(x, y);
      for (int c = 0; c < 3; ++c)
        pixel[c] = static_cast<std::uint8_t>(pixel[c] + a * (colour.at(x, y)[c] - pixel[c]) + 0.5F);
    }
  }
}

void drawCaption(Image8& picture, const std::string& text) {
  cv::Mat canvas = view(picture);
  const double scale = std::clamp(picture.height() / 1000.0, 0.4, 3.0);
  drawText(canvas, text, {cvRound(20 * scale), picture.height() - cvRound(20 * scale)}, scale);
}

}  // namespace facet
