#include "fitting/face_parser.h"

#include <doctest/doctest.h>

#include <fstream>

#include "core/error.h"
#include "core/io/image_io.h"
#include "fitting/face_detector.h"
#include "tests/data.h"

namespace facet {

TEST_CASE("FaceParsing: a point of the photo reads the pixel of the turned crop that lies there") {
  FaceParsing parsing;
  parsing.crop = {{100, 50}, 40, 0.5F};
  parsing.probability = ImageF(20, 20, kNumFaceParts, 0.0F);
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 20; ++x)
      parsing.probability.at(x, y)[static_cast<int>(x < 10 ? FacePart::kSkin : FacePart::kHair)] = 1;
  // Half a crop's quarter to the left and right of the centre, in the crop's own axes.
  const Eigen::Vector2f right(std::cos(0.5F), std::sin(0.5F));
  const Eigen::Vector2f centre(100, 50);
  CHECK(parsing.at(centre - 10 * right, {FacePart::kSkin}, 0) == doctest::Approx(1));
  CHECK(parsing.at(centre + 10 * right, {FacePart::kSkin}, 0) == doctest::Approx(0));
  CHECK(parsing.at(centre + 10 * right, {FacePart::kSkin, FacePart::kHair}, 0) == doctest::Approx(1));
  CHECK(parsing.at(centre + 100 * right, {FacePart::kSkin}, -7) == -7);
  CHECK(*parsing.labels().at(2, 3) == static_cast<int>(FacePart::kSkin));
  CHECK(*parsing.labels().at(17, 3) == static_cast<int>(FacePart::kHair));
}

TEST_CASE("FaceParser: a missing or broken network is a model error that names the file") {
  const test::TemporaryFolder folder("parser");
  const auto message = [&](const std::filesystem::path& path) -> std::string {
    try {
      const FaceParser parser(path);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kModel);
      return error.what();
    }
    return "";
  };
  CHECK(message(folder / "absent.onnx").find("absent.onnx") != std::string::npos);
  std::ofstream(folder / "odd.onnx") << "x";
  std::ofstream(folder / "odd.json")
      << R"({"input": {"width": 128}, "crop_over_face": 1.3, "classes": ["cat"]})";
  CHECK(message(folder / "odd.onnx").find("odd.json") != std::string::npos);
}

TEST_CASE("FaceParser: on a real portrait cheeks are skin, eyes eyes, and the sky behind is neither") {
  const auto data = test::realData();
  if (!data) {
    MESSAGE("skipped: no real test data");
    return;
  }
  const Image8 photo = readPhoto(*data / "photos" / "gov" / "astronaut.png");
  const auto faces = FaceDetector().detect(photo, LandmarkRegressor());
  REQUIRE(!faces.empty());
  const FacePrediction& face = faces[0].prediction;
  const FaceParsing parsing = FaceParser().parse(photo, face.crop);
  float sum = 0;
  for (int part = 0; part < kNumFaceParts; ++part) sum += parsing.probability.at(40, 70)[part];
  CHECK(sum == doctest::Approx(1).epsilon(1e-4));
  const auto mean = [&](std::initializer_list<int> landmarks) {
    Eigen::Vector2f point = Eigen::Vector2f::Zero();
    for (const int i : landmarks) point += face.ibug68.positions_px.row(i).transpose() / landmarks.size();
    return point;
  };
  CHECK(parsing.at(mean({31, 48, 2}), {FacePart::kSkin}, 0) > 0.8F);  // cheeks
  CHECK(parsing.at(mean({35, 54, 14}), {FacePart::kSkin}, 0) > 0.8F);
  // Beyond the left of the hair, at the height of the eyes: the flag and the wall.
  const Eigen::Vector2f beside = face.crop.center_px - Eigen::Vector2f(0.62F * face.crop.side_px, 0);
  CHECK(parsing.at(beside, {FacePart::kSkin, FacePart::kEyes, FacePart::kLips}, 1) < 0.2F);
  CHECK(parsing.at(mean({37, 38, 40, 41}), {FacePart::kEyes}, 0) > 0.5F);
  CHECK(parsing.at(mean({61, 62, 63, 65, 66, 67}), {FacePart::kMouth, FacePart::kLips}, 0) > 0.5F);
}

}  // namespace facet
