#include "fitting/face_detector.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>

#include "core/io/image_io.h"
#include "tests/data.h"

namespace facet {
namespace {

std::optional<Image8> portrait() {
  const auto data = test::realData();
  if (!data) {
    MESSAGE("skipped: no real test data");
    return std::nullopt;
  }
  return readPhoto(*data / "photos" / "gov" / "astronaut.png");
}

void paste(const Image8& source, Image8& target, int left, int top) {
  for (int y = 0; y < source.height(); ++y)
    std::copy_n(source.at(0, y), 3 * source.width(), target.at(left, top + y));
}

Image8 turnedClockwise(const Image8& picture) {
  Image8 result(picture.height(), picture.width(), 3);
  for (int y = 0; y < picture.height(); ++y)
    for (int x = 0; x < picture.width(); ++x)
      std::copy_n(picture.at(x, y), 3, result.at(picture.height() - 1 - y, x));
  return result;
}

// Every second pixel of every second row, averaged over 2 x 2.
Image8 halved(const Image8& picture) {
  Image8 result(picture.width() / 2, picture.height() / 2, 3);
  for (int y = 0; y < result.height(); ++y)
    for (int x = 0; x < result.width(); ++x)
      for (int c = 0; c < 3; ++c)
        result.at(x, y)[c] = static_cast<std::uint8_t>(
            (picture.at(2 * x, 2 * y)[c] + picture.at(2 * x + 1, 2 * y)[c] + picture.at(2 * x, 2 * y + 1)[c] +
             picture.at(2 * x + 1, 2 * y + 1)[c] + 2) /
            4);
  return result;
}

// Hand-picked box of the portrait's face: x 182..272, y 80..180.
const Eigen::Vector2f kFaceCenter(227, 130);

}  // namespace

TEST_CASE("FaceDetector: a picture of one colour, and one smaller than a face, hold no face") {
  const FaceDetector detector;
  const LandmarkRegressor regressor;
  CHECK(detector.detect(Image8(320, 240, 3, std::uint8_t{128}), regressor).empty());
  CHECK(detector.detect(Image8(1, 1, 3), regressor).empty());
  CHECK(detector.detect(Image8(500, 20, 3), regressor).empty());
}

TEST_CASE("FaceDetector: the portrait's one face is found where it is") {
  const auto photo = portrait();
  if (!photo) return;
  const auto faces = FaceDetector().detect(*photo, LandmarkRegressor());
  REQUIRE(faces.size() >= 1);
  CHECK((faces[0].prediction.crop.center_px - kFaceCenter).norm() < 15);
  CHECK(faces[0].confidence >= DetectOptions().min_confidence);
}

TEST_CASE("FaceDetector: the portrait lying on its side has its face found, with its roll") {
  const auto photo = portrait();
  if (!photo) return;
  const auto faces = FaceDetector().detect(turnedClockwise(*photo), LandmarkRegressor());
  REQUIRE(faces.size() >= 1);
  const Eigen::Vector2f expected(photo->height() - kFaceCenter.y(), kFaceCenter.x());
  CHECK((faces[0].prediction.crop.center_px - expected).norm() < 15);
  CHECK(faces[0].prediction.crop.roll_rad == doctest::Approx(1.57).epsilon(0.15));
}

TEST_CASE("FaceDetector: of two faces the larger one comes first, and each is reported once") {
  const auto photo = portrait();
  if (!photo) return;
  Image8 both(768, 512, 3, std::uint8_t{90});
  paste(halved(*photo), both, 0, 100);
  paste(*photo, both, 256, 0);
  const auto faces = FaceDetector().detect(both, LandmarkRegressor());
  REQUIRE(faces.size() == 2);
  CHECK((faces[0].prediction.crop.center_px - (kFaceCenter + Eigen::Vector2f(256, 0))).norm() < 15);
  CHECK((faces[1].prediction.crop.center_px - (kFaceCenter / 2 + Eigen::Vector2f(0, 100))).norm() < 8);
}

TEST_CASE("FaceDetector: faces under min_face_px are not reported") {
  const auto photo = portrait();
  if (!photo) return;
  CHECK(FaceDetector().detect(*photo, LandmarkRegressor(), {.min_face_px = 200}).empty());
}

}  // namespace facet
