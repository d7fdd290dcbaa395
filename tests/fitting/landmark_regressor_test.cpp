#include "fitting/landmark_regressor.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <utility>

#include <doctest/doctest.h>
#include "core/error.h"
#include "core/io/image_io.h"
#include "core/io/model_io.h"
#include "tests/data.h"

namespace facet {
namespace {

// A face-like arrangement: 68 points in a 100 px box around (200, 150), symmetric about x = 200.
LandmarkSet uprightFace() {
  LandmarkSet face;
  face.positions_px.resize(kNumIbugLandmarks, 2);
  for (int i = 0; i < kNumIbugLandmarks; ++i) {
    const int partner = mirroredIbugIndex(i);
    const int first = std::min(i, partner);
    const float side =
        i == partner ? 0 : (i < 8 || (i >= 17 && i < 22) || (i >= 36 && i < 42) ? -1.0F : 1.0F);
    face.positions_px.row(i) << 200 + side * (10 + first % 5), 150 + 0.1F * first;
  }
  const auto place = [&](int first, int last, float x, float y) {
    for (int i = first; i < last; ++i) face.positions_px.row(i) << x, y;
  };
  place(36, 42, 180, 120);
  place(42, 48, 220, 120);
  place(48, 68, 200, 165);
  face.positions_px.row(0) << 150, 120;
  face.positions_px.row(16) << 250, 120;
  face.positions_px.row(19) << 180, 100;
  face.positions_px.row(8) << 200, 200;
  return face;
}

// Smooth coloured noise: any picture will do where the network only has to be consistent.
Image8 colouredPicture(int width, int height) {
  Image8 picture(width, height, 3);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) {
        const double u = static_cast<double>(x) / width, v = static_cast<double>(y) / height;
        picture.at(x, y)[c] = static_cast<std::uint8_t>(
            128 + 60 * std::sin(7 * u + 2 * c) * std::cos(5 * v - c) + 50 * std::sin(15 * u * v + c));
      }
  return picture;
}

Image8 mirrored(const Image8& picture) {
  Image8 result(picture.width(), picture.height(), 3);
  for (int y = 0; y < picture.height(); ++y)
    for (int x = 0; x < picture.width(); ++x)
      std::copy_n(picture.at(picture.width() - 1 - x, y), 3, result.at(x, y));
  return result;
}

float largestDifference(const LandmarkSet& a, const Points2& b) {
  return (a.positions_px - b).cwiseAbs().maxCoeff();
}

}  // namespace

TEST_CASE(
    "cropFromLandmarks: an upright face gets an upright square of 1.35 times its box around the box's "
    "centre") {
  const FaceCrop crop = cropFromLandmarks(uprightFace());
  CHECK(crop.center_px.x() == doctest::Approx(200));
  CHECK(crop.center_px.y() == doctest::Approx(150));
  CHECK(crop.side_px == doctest::Approx(135));
  CHECK(crop.roll_rad == doctest::Approx(0));
}

TEST_CASE("cropFromLandmarks: the crop turns, moves and grows with the face") {
  const LandmarkSet face = uprightFace();
  const FaceCrop before = cropFromLandmarks(face);
  for (const float turn_rad : {0.4F, -1.2F, 2.5F}) {
    const Eigen::Matrix2f change = 1.7F * Eigen::Rotation2Df(turn_rad).toRotationMatrix();
    const Eigen::RowVector2f shift(31, -12);
    LandmarkSet changed;
    changed.positions_px = (face.positions_px * change.transpose()).rowwise() + shift;
    const FaceCrop after = cropFromLandmarks(changed);
    CHECK((after.center_px - (change * before.center_px + shift.transpose())).norm() < 1e-2F);
    CHECK(after.side_px == doctest::Approx(1.7 * before.side_px).epsilon(1e-4));
    CHECK(after.roll_rad == doctest::Approx(turn_rad).epsilon(1e-4));
  }
}

TEST_CASE("cropFromLandmarks: 67 points are refused") {
  LandmarkSet face = uprightFace();
  face.positions_px.conservativeResize(67, 2);
  CHECK_THROWS_AS(cropFromLandmarks(face), std::invalid_argument);
}

TEST_CASE("LandmarkRegressor: a missing or broken network is a model error that names the file") {
  const test::TemporaryFolder folder("regressor");
  const auto kindOf = [&](const std::filesystem::path& path) {
    try {
      const LandmarkRegressor regressor(path);
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find(path.parent_path().string()) != std::string::npos);
      return static_cast<int>(error.kind());
    }
    return 0;
  };
  CHECK(kindOf(folder / "absent.onnx") == static_cast<int>(ErrorKind::kModel));

  std::ofstream(folder / "alone.onnx") << "no description beside it";
  CHECK(kindOf(folder / "alone.onnx") == static_cast<int>(ErrorKind::kModel));

  std::ofstream(folder / "odd.onnx") << "x";
  std::ofstream(folder / "odd.json") << R"({"input": {"width": 112}, "num_points": 68, "mirror": [1, 2]})";
  CHECK(kindOf(folder / "odd.onnx") == static_cast<int>(ErrorKind::kModel));

  std::string mirror = "0";
  for (int i = 1; i < 68; ++i) mirror += ", " + std::to_string(i);
  std::ofstream(folder / "broken.onnx") << "this is not an ONNX file";
  std::ofstream(folder / "broken.json")
      << R"({"input": {"width": 112}, "num_points": 68, "mirror": [)" << mirror << "]}";
  CHECK(kindOf(folder / "broken.onnx") == static_cast<int>(ErrorKind::kModel));
}

TEST_CASE("LandmarkRegressor: landmarks move with the crop, whatever the photo around it") {
  const LandmarkRegressor regressor;
  const Image8 picture = colouredPicture(160, 140);
  Image8 padded(260, 200, 3, std::uint8_t{77});
  for (int y = 0; y < 140; ++y) std::copy_n(picture.at(0, y), 3 * 160, padded.at(64, y + 32));
  const FacePrediction direct = regressor.predict(picture, {{80, 70}, 90, 0.2F}, 0);
  const FacePrediction moved = regressor.predict(padded, {{80 + 64, 70 + 32}, 90, 0.2F}, 0);
  const Points2 expected = direct.ibug68.positions_px.rowwise() + Eigen::RowVector2f(64, 32);
  CHECK(largestDifference(moved.ibug68, expected) < 0.01F);  // the same pixels: rounding only
  CHECK(moved.confidence == doctest::Approx(direct.confidence).epsilon(1e-3));
  CHECK(direct.ibug68.size() == kNumIbugLandmarks);
  CHECK(direct.ibug68.sigma_px.size() == kNumIbugLandmarks);
  CHECK(direct.ibug68.sigma_px.minCoeff() > 0);
  CHECK(direct.dense.size() == direct.dense.sigma_px.size());
}

TEST_CASE("LandmarkRegressor: the mirrored photo has the mirrored landmarks") {
  const LandmarkRegressor regressor;
  const Image8 picture = colouredPicture(150, 150);
  const FacePrediction left = regressor.predict(picture, {{70, 80}, 112, 0}, 0);
  const FacePrediction right = regressor.predict(mirrored(picture), {{80, 80}, 112, 0}, 0);
  Points2 expected(kNumIbugLandmarks, 2);
  for (int i = 0; i < kNumIbugLandmarks; ++i) {
    const auto partner = left.ibug68.positions_px.row(mirroredIbugIndex(i));
    expected.row(i) << 150 - partner.x(), partner.y();
  }
  CHECK(largestDifference(right.ibug68, expected) < 0.01F);
}

TEST_CASE("LandmarkRegressor: coefficients are of the built-in model; a mirrored photo has them mirrored") {
  const LandmarkRegressor regressor;
  const MorphableModel model = loadModel("builtin");
  const Image8 picture = colouredPicture(150, 150);
  // What is averaged with the mirror image is exactly what the mirrored photo gives, signs and sides turned.
  const FacePrediction left = regressor.predict(picture, {{70, 80}, 112, 0}, 0);
  const FacePrediction right = regressor.predict(mirrored(picture), {{80, 80}, 112, 0}, 0);
  REQUIRE(left.identity.values.size() > 0);
  REQUIRE(left.identity.values.size() <= model.numIdentity());
  REQUIRE(left.expression.values.size() == model.numExpression());
  CHECK(left.identity.sigma.minCoeff() > 0);
  CHECK(left.identity.sigma.maxCoeff() <= 1);
  // The neutral faces are each other's mirror image, whichever modes are symmetric.
  const Points3 one = model.vertices(left.identity.values), other = model.vertices(right.identity.values);
  float largest = 0;
  for (int v = 0; v < model.numVertices(); ++v) {
    Eigen::RowVector3f turned = other.row(model.symmetry[v]);
    turned.x() *= -1;
    largest = std::max(largest, (one.row(v) - turned).norm());
  }
  CHECK(largest < 0.3F);  // mm; the model's symmetry itself is that good
  const int blink_left = *model.expressionIndex("eyeBlinkLeft"),
            blink_right = *model.expressionIndex("eyeBlinkRight");
  CHECK(left.expression.values[blink_left] ==
        doctest::Approx(right.expression.values[blink_right]).epsilon(1e-3));
  const Eigen::Matrix3f flip = Eigen::Vector3f(-1, 1, 1).asDiagonal();
  CHECK((right.light.turned(flip).coefficients - left.light.coefficients).norm() <
        1e-3F * left.light.coefficients.norm());
  CHECK((flip * right.placement.camera_from_model * flip - left.placement.camera_from_model).norm() < 1e-3F);
}

TEST_CASE("LandmarkRegressor: a photo four times as large gives the landmarks four times as large") {
  const LandmarkRegressor regressor;
  const Image8 picture = colouredPicture(140, 140);
  Image8 large(560, 560, 3);
  for (int y = 0; y < 560; ++y)
    for (int x = 0; x < 560; ++x) std::copy_n(picture.at(x / 4, y / 4), 3, large.at(x, y));
  const FacePrediction small = regressor.predict(picture, {{70, 70}, 112, 0}, 0);
  const FacePrediction big = regressor.predict(large, {{280, 280}, 448, 0}, 0);
  // Area averaging undoes the repetition of pixels almost exactly.
  CHECK(largestDifference(big.ibug68, 4 * small.ibug68.positions_px) < 0.02F * 448);
}

TEST_CASE("LandmarkRegressor: on a real portrait the eyes, nose and mouth lie where a hand put them") {
  const auto data = test::realData();
  if (!data) {
    MESSAGE("skipped: no real test data");
    return;
  }
  const LandmarkRegressor regressor;
  const Image8 photo = readPhoto(*data / "photos" / "gov" / "astronaut.png");
  const FacePrediction face = regressor.predict(photo, {{222, 125}, 170, 0}, 3);
  CHECK(face.confidence > 0.5F);
  // Hand-picked positions of outer eye corners, nose tip, mouth corners; 12 % of the distance of the eye
  // corners.
  const std::pair<int, Eigen::RowVector2f> hand[] = {{36, {192.9F, 101.3F}},
                                                     {45, {258.3F, 104.3F}},
                                                     {30, {224.7F, 127.7F}},
                                                     {48, {202.8F, 139.5F}},
                                                     {54, {244.8F, 140.9F}}};
  for (const auto& [index, position] : hand) {
    CAPTURE(index);
    CHECK((face.ibug68.positions_px.row(index) - position).norm() < 0.12F * 65.5F);
  }
}

}  // namespace facet
