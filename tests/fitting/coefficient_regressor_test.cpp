#include "fitting/coefficient_regressor.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/model_io.h"
#include "fitting/landmark_fit.h"
#include "tests/data.h"
#include "tests/onnx_writer.h"

using namespace facet;
using namespace facet::test;
namespace fs = std::filesystem;

namespace {

RegressorDescription preset(const std::string& name) {
  const fs::path path = dataDirectory() / "regressors" / (name + ".json");
  return parseRegressorDescription(readText(path), path);
}

// What an error says; empty if there was none.
template <typename Work>
std::string messageOf(ErrorKind kind, const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    CHECK(error.kind() == kind);
    return error.what();
  }
  return {};
}

// 68 points of a frontal face whose box is from (100, 200) to (300, 360).
LandmarkSet someLandmarks() {
  LandmarkSet landmarks{Points2(68, 2), {}};
  for (int i = 0; i < 68; ++i)
    landmarks.positions_px.row(i) << 200 + 100 * std::sin(i), 280 + 80 * std::cos(2.3 * i);
  landmarks.positions_px.row(0) << 100, 280;
  landmarks.positions_px.row(16) << 300, 280;
  landmarks.positions_px.row(19) << 160, 200;
  landmarks.positions_px.row(8) << 200, 360;
  return landmarks;
}

// Coefficients of Deep3D's kind for the synthetic model.
MorphableModel deep3dModel() {
  MorphableModel model = makeSyntheticModel(3, 80, 64, 80);
  model.id = "bfm-2009-front";
  return model;
}

OnnxOutput constant(const std::string& name, int count, float value = 0) {
  return {name, std::vector<float>(count, value), {}};
}

// The display shading of Deep3D (three rows of nine) or DECA (nine rows of three), written out term by term.
Eigen::Vector3f publishedShading(bool is_deca, const Eigen::VectorXf& gamma, const Eigen::Vector3f& n) {
  const double pi = std::numbers::pi, x = n.x(), y = n.y(), z = n.z();
  double terms[9];
  if (is_deca) {
    const double a = 1 / std::sqrt(4 * pi), b = 2 * pi / 3 * std::sqrt(3 / (4 * pi)),
                 c = pi / 4 * 3 * std::sqrt(5 / (12 * pi));
    const double values[] = {a,
                             b * x,
                             b * y,
                             b * z,
                             c * x * y,
                             c * x * z,
                             c * y * z,
                             pi / 4 * 1.5 * std::sqrt(5 / (12 * pi)) * (x * x - y * y),
                             pi / 4 * 0.5 * std::sqrt(5 / (4 * pi)) * (3 * z * z - 1)};
    std::copy_n(values, 9, terms);
  } else {
    const double a0 = pi, a1 = 2 * pi / std::sqrt(3.0), a2 = 2 * pi / std::sqrt(8.0);
    const double c0 = 1 / std::sqrt(4 * pi), c1 = std::sqrt(3.0) / std::sqrt(4 * pi),
                 c2 = 3 * std::sqrt(5.0) / std::sqrt(12 * pi);
    const double values[] = {a0 * c0,
                             -a1 * c1 * y,
                             a1 * c1 * z,
                             -a1 * c1 * x,
                             a2 * c2 * x * y,
                             -a2 * c2 * y * z,
                             0.5 * a2 * c2 / std::sqrt(3.0) * (3 * z * z - 1),
                             -a2 * c2 * x * z,
                             0.5 * a2 * c2 * (x * x - y * y)};
    std::copy_n(values, 9, terms);
  }
  Eigen::Vector3f shading = Eigen::Vector3f::Zero();
  for (int channel = 0; channel < 3; ++channel) {
    for (int k = 0; k < 9; ++k) {
      double coefficient = is_deca ? gamma[3 * k + channel] : gamma[9 * channel + k];
      if (!is_deca && k == 0) coefficient += 0.8;
      shading[channel] += static_cast<float>(coefficient * terms[k]);
    }
  }
  return shading;
}

}  // namespace

TEST_CASE("regressorCrop: Deep3D's standard face of 102 pixels per unit is the crop itself") {
  const RegressorDescription deep3d = preset("deep3d");
  LandmarkSet landmarks = someLandmarks();
  // Seen from the front at 250 px per unit with its origin at (400, 300).
  const auto place = [&](int i) {
    return Eigen::RowVector2f(400 + 250 * deep3d.crop_points(i, 0), 300 - 250 * deep3d.crop_points(i, 1));
  };
  for (const int i : {36, 39}) landmarks.positions_px.row(i) = place(0);
  for (const int i : {42, 45}) landmarks.positions_px.row(i) = place(1);
  landmarks.positions_px.row(30) = place(2);
  landmarks.positions_px.row(48) = place(3);
  landmarks.positions_px.row(54) = place(4);
  const RegressorCrop crop = regressorCrop(deep3d, landmarks);
  CHECK(crop.step == doctest::Approx(250.0 / 102));
  CHECK(crop.left_top_px.x() == doctest::Approx(400 - 112 * 250.0 / 102));
  CHECK(crop.left_top_px.y() == doctest::Approx(300 - 112 * 250.0 / 102));
}

TEST_CASE("regressorCrop: landmark boxes of 200 by 160 pixels give the published squares") {
  const LandmarkSet landmarks = someLandmarks();  // centre (200, 280)
  const RegressorCrop tddfa = regressorCrop(preset("3ddfa_v2"), landmarks);
  CHECK(tddfa.step == doctest::Approx(std::sqrt(2.0) * 200 / 120));
  CHECK(tddfa.left_top_px.x() == doctest::Approx(200 - 100 * std::sqrt(2.0)));
  CHECK(tddfa.left_top_px.y() == doctest::Approx(280 - 100 * std::sqrt(2.0)));

  // 3DDFA_V2's rule for a detector's box, of the same box.
  const RegressorDescription detected = parseRegressorDescription(
      R"({"preset": "3ddfa_v2", "crop": {"side": "mean", "scale": 1.58, "shift_down": 0.14}})", "net.json");
  const RegressorCrop first_frame = regressorCrop(detected, landmarks);
  CHECK(first_frame.step == doctest::Approx(1.58 * 180 / 120));
  CHECK(first_frame.left_top_px.x() == doctest::Approx(200 - 1.58 * 90));
  CHECK(first_frame.left_top_px.y() == doctest::Approx(280 + 0.14 * 180 - 1.58 * 90));

  const RegressorCrop deca = regressorCrop(preset("deca"), landmarks);
  const double side = 180 * 1.1 * 1.25;
  CHECK(deca.step == doctest::Approx(side / 223));
  CHECK(deca.left_top_px.x() == doctest::Approx(200 - side / 2));
  CHECK(deca.left_top_px.y() == doctest::Approx(280 - side / 2));

  const RegressorCrop smirk = regressorCrop(preset("smirk"), landmarks);
  const double taller = (200 + 1.21 * 160) / 2 * 1.4;
  CHECK(smirk.step == doctest::Approx(taller / 223));
  CHECK(smirk.left_top_px.y() == doctest::Approx(280 - 0.105 * 160 - taller / 2));
}

TEST_CASE("regressorCrop: landmarks on one spot are refused") {
  LandmarkSet landmarks{Points2::Constant(68, 2, 50.0F), {}};
  for (const char* name : {"deep3d", "3ddfa_v2", "deca"}) {
    CHECK(messageOf(ErrorKind::kNotConverged, [&] {
            regressorCrop(preset(name), landmarks);
          }).find("one spot") != std::string::npos);
  }
}

TEST_CASE(
    "CoefficientRegressor: a network pixel holds the photo's colour at its place, normalized and in its "
    "order") {
  const TemporaryFolder folder("input");
  // Red grows to the right, green downwards.
  Image8 photo(200, 160, 3);
  for (int y = 0; y < photo.height(); ++y) {
    for (int x = 0; x < photo.width(); ++x) {
      photo.at(x, y)[0] = static_cast<std::uint8_t>(x);
      photo.at(x, y)[1] = static_cast<std::uint8_t>(y);
      photo.at(x, y)[2] = 7;
    }
  }
  MorphableModel model = makeSyntheticModel(3, 100, 50, 50);
  model.id = "builtin-like";
  for (const bool to_pixel_centres : {false, true}) {
    for (const float step : {0.5F, 1.0F, 2.0F}) {
      CAPTURE(to_pixel_centres);
      CAPTURE(step);
      writeOnnx(folder / "net.onnx", 32, {constant("out", 6)});
      writeText(folder / "net.json",
                std::string(R"({"input": {"size_px": 32, "channels": "BGR", "mean": [1, 2, 3], "std": 10},
                "crop": {"rule": "landmark_box", "side": "mean", "scale": 1, "to_pixel_centres": )") +
                    (to_pixel_centres ? "true" : "false") + R"(},
                "outputs": [{"name": "out", "count": 6}],
                "coefficients": {"identity": {"offset": 3, "count": 3},
                                 "weak_perspective": {"offset": 0, "count": 3}},
                "camera": {"type": "weak_perspective", "unit_mm": 1000}})");
      const CoefficientRegressor regressor(folder / "net.onnx", model);
      const RegressorCrop crop{{100, 50}, step};
      const Eigen::VectorXf input = regressor.input(photo, crop);
      const auto at = [&](int channel, int x, int y) { return input[(channel * 32 + y) * 32 + x]; };
      for (const auto& [x, y] : {std::pair{3, 4}, {15, 20}, {30, 8}}) {
        // The value of a pixel is its place less half a pixel.
        const float shift = to_pixel_centres ? 0.0F : 0.5F;
        const float red = 100 + step * (static_cast<float>(x) + shift) - 0.5F;
        const float green = 50 + step * (static_cast<float>(y) + shift) - 0.5F;
        CHECK(at(0, x, y) == doctest::Approx((7 - 1) / 10.0F).epsilon(1e-4));
        CHECK(std::abs(at(1, x, y) - (green - 2) / 10) < 0.11F);  // values are whole numbers
        CHECK(std::abs(at(2, x, y) - (red - 3) / 10) < 0.11F);
      }
      const Eigen::VectorXf outside = regressor.input(photo, {{-500, -500}, step});
      CHECK(outside[0] == doctest::Approx(-0.1));  // black
    }
  }
}

TEST_CASE(
    "faceFromValues: Deep3D's and DECA's light shade as published, in linear light and the model's frame") {
  for (const bool is_deca : {false, true}) {
    CAPTURE(is_deca);
    const RegressorDescription description = preset(is_deca ? "deca" : "deep3d");
    MorphableModel model = is_deca ? makeSyntheticModel(3, 100, 50, 50) : deep3dModel();
    std::mt19937 generator(5);
    std::normal_distribution<float> normal(0, 0.05F);
    Eigen::VectorXf gamma(27);
    for (float& value : gamma) value = normal(generator);
    if (is_deca) gamma.head(3).array() += 3.5F;  // about 1 with DECA's factor
    Eigen::VectorXf values = Eigen::VectorXf::Zero(description.numValues());
    values.segment(description.light->offset, 27) = gamma;
    Eigen::Matrix3f rotation;
    if (is_deca) {
      values.segment<3>(200) << 0, 0.6F, 0;
      values[206] = 8;
      rotation = Eigen::AngleAxisf(0.6F, Eigen::Vector3f::UnitY());
    } else {
      values.segment<3>(224) << 0.3F, -0.5F, 0.2F;
      rotation = Eigen::AngleAxisf(0.2F, Eigen::Vector3f::UnitZ()) *
                 Eigen::AngleAxisf(-0.5F, Eigen::Vector3f::UnitY()) *
                 Eigen::AngleAxisf(0.3F, Eigen::Vector3f::UnitX());
    }
    const RegressedFace face = faceFromValues(description, values, {{0, 0}, 1}, model, true, 224, 224);
    REQUIRE(face.light);
    CHECK(face.albedo.size() == model.numAlbedo());
    for (const Eigen::Vector3f& direction :
         {Eigen::Vector3f(0, 0, 1), {1, 0, 0}, {0, 1, 0}, {-0.6F, 0, 0.8F}, {0.5F, -0.5F, 0.7F}}) {
      const Eigen::Vector3f in_viewer = direction.normalized();
      const Eigen::Vector3f expected =
          publishedShading(is_deca, gamma, in_viewer).array().max(0.0F).pow(2.2F);
      const Eigen::Vector3f shading = face.light->shading(rotation.transpose() * in_viewer);
      CHECK((shading - expected).norm() < 0.04F * expected.norm());  // the power has higher harmonics
    }
    // Without modes of the model's own, the albedo's coefficients mean nothing, and so does the light.
    const RegressedFace bare = faceFromValues(description, values, {{0, 0}, 1}, model, false, 224, 224);
    CHECK(!bare.light);
    CHECK(bare.albedo.size() == 0);
  }
}

TEST_CASE("faceFromValues: Deep3D's camera stands ten decimetres before the model's origin") {
  const MorphableModel model = deep3dModel();
  Eigen::VectorXf values = Eigen::VectorXf::Zero(257);
  values.tail<3>() << 0.1F, -0.2F, 0.5F;
  const RegressorCrop crop{{50, 80}, 1.5F};
  const RegressedFace face = faceFromValues(preset("deep3d"), values, crop, model, true, 640, 480);
  const Eigen::Vector3f origin = Eigen::Vector3f::Zero();
  const auto pixel = face.camera.imageFromModel(origin);
  REQUIRE(pixel);
  CHECK(pixel->x() == doctest::Approx(50 + 1.5 * (112 + 1015 * 0.1 / 9.5)).epsilon(1e-4));
  CHECK(pixel->y() == doctest::Approx(80 + 1.5 * (112 + 1015 * 0.2 / 9.5)).epsilon(1e-4));
  CHECK((face.camera.camera_from_model * origin).z() == doctest::Approx(950));
  CHECK(face.camera.width_px == 640);
}

TEST_CASE("faceFromValues: an affine camera that is no rotation is replaced by the nearest, with a warning") {
  RegressorDescription description = preset("3ddfa_v2");
  MorphableModel model = makeSyntheticModel(3, 40, 10);
  description.whitening_mean = Eigen::VectorXf::Zero(62);
  description.whitening_std = Eigen::VectorXf::Ones(62);
  Eigen::VectorXf values = Eigen::VectorXf::Zero(62);
  values.head(12) << 4e-4F, 0, 0, 60, 0, 4e-4F, 0, 60, 0, 0, 4e-4F, 0;
  CHECK(faceFromValues(description, values, {}, model, false, 120, 120).warnings.empty());
  values[5] = 6e-4F;  // twice as tall as wide
  const RegressedFace face = faceFromValues(description, values, {}, model, false, 120, 120);
  REQUIRE(face.warnings.size() == 1);
  CHECK(face.warnings[0].find("not a rotation") != std::string::npos);
  CHECK(face.camera.focal_px / 100000 == doctest::Approx(0.5));  // px per mm, between the two
}

TEST_CASE("faceFromValues: a model without eyelids says which files bring them") {
  const RegressorDescription smirk = preset("smirk");
  const MorphableModel model = makeSyntheticModel(3, 300, 50);
  Eigen::VectorXf values = Eigen::VectorXf::Zero(361);
  values[3] = 8;
  const RegressedFace face = faceFromValues(smirk, values, {}, model, false, 224, 224);
  REQUIRE(face.warnings.size() == 1);
  CHECK(face.warnings[0].find("l_eyelid.npy") != std::string::npos);
  values[3] = -1;
  CHECK(messageOf(ErrorKind::kNotConverged, [&] {
          faceFromValues(smirk, values, {}, model, false, 224, 224);
        }).find("not positive") != std::string::npos);
}

TEST_CASE(
    "describeRegressor: the four published shapes are told apart, by name, place or total of their outputs") {
  const TemporaryFolder folder("describe");
  const fs::path path = folder / "net.onnx";
  const auto presetOf = [&](int size_px, const std::vector<OnnxOutput>& outputs, bool free_batch = false) {
    writeOnnx(path, size_px, outputs, free_batch);
    std::string how;
    const std::string name = describeRegressor(path, readOnnxHeader(path), how).name;
    CHECK(how.find("preset " + name) != std::string::npos);
    return name;
  };
  CHECK(presetOf(224, {constant("512", 257)}) == "deep3d");
  CHECK(presetOf(224, {constant("512", 257)}, true) == "deep3d");
  CHECK(presetOf(120, {constant("fc", 62)}) == "3ddfa_v2");
  CHECK(presetOf(224, {constant("fc", 236)}) == "deca");
  CHECK(presetOf(224, {constant("all", 361)}) == "smirk");
  CHECK(presetOf(224, {constant("a", 3), constant("b", 3), constant("c", 300), constant("d", 50),
                       constant("e", 2), constant("f", 3)}) == "smirk");
  CHECK(presetOf(224, {constant("jaw_params", 3), constant("shape_params", 300), constant("cam", 3),
                       constant("expression_params", 50), constant("pose_params", 3),
                       constant("eyelid_params", 2)}) == "smirk");
  for (const auto& [size_px, count] : {std::pair{120, 257}, {224, 62}, {224, 100}}) {
    writeOnnx(path, size_px, {constant("out", count)});
    std::string how;
    const std::string message =
        messageOf(ErrorKind::kModel, [&] { (void)describeRegressor(path, readOnnxHeader(path), how); });
    CHECK(message.find("no preset fits") != std::string::npos);
    CHECK(message.find("net.json") != std::string::npos);
  }
}

TEST_CASE("matchOutputs: outputs are found by name wherever they stand") {
  const TemporaryFolder folder("outputs");
  writeOnnx(folder / "net.onnx", 224,
            {constant("jaw_params", 3), constant("shape_params", 300), constant("cam", 3),
             constant("expression_params", 50), constant("pose_params", 3), constant("eyelid_params", 2)});
  const auto matched = matchOutputs(preset("smirk"), readOnnxHeader(folder / "net.onnx"));
  REQUIRE(matched);
  CHECK(*matched == std::vector<int>{4, 2, 1, 3, 5, 0});
}

TEST_CASE("parseRegressorDescription: a preset's fields can be replaced, and mistakes are named") {
  const auto parse = [](const std::string& text) { return parseRegressorDescription(text, "net.json"); };
  const RegressorDescription mine =
      parse(R"({"preset": "deca", "crop": {"scale": 1.5}, "input": {"mean": [1, 2, 3]}})");
  CHECK(mine.name == "deca");
  CHECK(mine.crop_scale == 1.5F);
  CHECK(mine.mean == Eigen::Vector3f(1, 2, 3));
  CHECK(mine.numValues() == 236);
  const std::pair<const char*, const char*> mistakes[] = {
      {"[]", "must be an object"},
      {"{}", "\"input\" is missing"},
      {R"({"preset": "../deca"})", "no preset"},
      {R"({"preset": "deca", "models": "flame"})", "list of model ids"},
      {R"({"preset": "deca", "input": {"channels": "GRB"}})", "one of RGB, BGR"},
      {R"({"preset": "deca", "input": {"size_px": 1.5}})", "whole number"},
      {R"({"preset": "deca", "input": {"std": 0}})", "input.std"},
      {R"({"preset": "deca", "crop": {"rule": "box"}})", "five_points, landmark_box"},
      {R"({"preset": "deep3d", "crop": {"points": [[1, 2, 3]]}})", "five points"},
      {R"({"preset": "deca", "camera": {"type": "affine"}})", "coefficients.affine"},
      {R"({"preset": "deca", "coefficients": {"jaw": {"count": 4}}})", "it must be 3"},
      {R"({"preset": "deca", "coefficients": {"identity": {"per_deviation": true}}})", "whitening"},
      {R"({"preset": "deca", "coefficients": {"light": null}})", "belong together"},
      {R"({"preset": "deca", "outputs": []})", "\"outputs\" must be a list"},
      {R"({"preset": "deca", "whitening": {"mean": [1], "std": [1]}})", "236"},
      {R"({"preset": "deca", "colour": 1})", "\"colour\" is not known"}};
  for (const auto& [text, word] : mistakes) {
    CAPTURE(text);
    const std::string message = messageOf(ErrorKind::kModel, [&, t = text] { (void)parse(t); });
    CHECK_MESSAGE(message.find(word) != std::string::npos, message);
    CHECK(message.find("net.json") == 0);
  }
}

TEST_CASE("CoefficientRegressor: a description of one's own carries coefficients, scales and a camera") {
  const TemporaryFolder folder("own");
  MorphableModel model = makeSyntheticModel(3, 10, 6);
  std::vector<float> answer = {2, 0.5F, 0.25F, 1, 2, 3, 4};
  writeOnnx(folder / "net.onnx", 64, {{"camera", {10, 0, 0}, {}}, {"face", answer, {}}});
  writeText(folder / "net.json", R"({
    "input": {"size_px": 64, "channels": "RGB", "mean": 127.5, "std": 127.5},
    "crop": {"rule": "landmark_box", "side": "larger", "scale": 1.6, "shift_down": 0.1},
    "outputs": [{"name": "camera", "count": 3}, {"name": "face", "count": 7}],
    "whitening": {"mean": [0, 0, 0, 0.07, 0.07, 0.07, 0, 0, 0, 0], "std": [1, 1, 1, 0.07, 0.07, 0.07, 1, 1, 1, 1]},
    "coefficients": {"weak_perspective": {"offset": 0, "count": 3},
                     "identity": {"offset": 3, "count": 3, "per_deviation": true},
                     "expression": {"offset": 6, "count": 4, "scale": 0.1}},
    "camera": {"type": "weak_perspective", "unit_mm": 1000}})");
  const CoefficientRegressor regressor(folder / "net.onnx", model);
  CHECK(regressor.description().name == "net");
  const RegressedFace face = regressor.predict(Image8(400, 400, 3), someLandmarks(), model);
  REQUIRE(face.identity.size() == 10);
  REQUIRE(face.expression.size() == 6);
  CHECK(face.identity[0] == doctest::Approx(2 + 1));
  CHECK(face.identity[2] == doctest::Approx(0.25 + 1));
  CHECK(face.identity.tail(7).isZero());
  CHECK(face.expression[3] == doctest::Approx(0.4));
  CHECK(face.expression.tail(2).isZero());
  // Scale 10 per metre over half of a crop of 1.6 × 200 px: 1.6 px per mm.
  CHECK(face.camera.focal_px / 100000 == doctest::Approx(1.6));
  const auto origin_px = face.camera.imageFromModel(Eigen::Vector3f::Zero().eval());
  REQUIRE(origin_px);
  CHECK(origin_px->x() == doctest::Approx(200).epsilon(1e-3));
  CHECK(origin_px->y() == doctest::Approx(280 + 20).epsilon(1e-3));
}

TEST_CASE("readOnnxHeader: a file that is cut off or changed anywhere is refused or read, never worse") {
  const TemporaryFolder folder("header");
  writeOnnx(folder / "net.onnx", 224, {constant("out", 20)}, true);
  const OnnxHeader header = readOnnxHeader(folder / "net.onnx");
  REQUIRE(header.inputs.size() == 1);
  CHECK(header.inputs[0].shape == std::vector<std::int64_t>{-1, 3, 224, 224});
  CHECK(header.outputs[0].shape == std::vector<std::int64_t>{-1, 20});
  const std::string bytes = readText(folder / "net.onnx");
  int refused = 0;
  for (std::size_t size = 0; size < bytes.size(); size += 3) {
    writeText(folder / "cut.onnx", bytes.substr(0, size));
    refused += !messageOf(ErrorKind::kModel, [&] { (void)readOnnxHeader(folder / "cut.onnx"); }).empty();
  }
  // Cut before the graph's end it is no ONNX file; only the few bytes of the opset follow that.
  CHECK(refused >= static_cast<int>(bytes.size() / 3) - 3);
  std::mt19937 generator(1);
  for (int round = 0; round < 500; ++round) {
    std::string changed = bytes;
    changed[generator() % changed.size()] = static_cast<char>(generator());
    writeText(folder / "changed.onnx", changed);
    try {
      (void)readOnnxHeader(folder / "changed.onnx");
    } catch (const Error&) {
    }
  }
}

TEST_CASE("fitLandmarks: a start near the truth ends nearer to it than the model's mean does") {
  const MorphableModel model = makeSyntheticModel(2);
  std::mt19937 generator(9);
  std::normal_distribution<float> normal;
  Eigen::VectorXf identity(model.numIdentity()), expression(model.numExpression());
  for (float& value : identity) value = normal(generator);
  for (float& value : expression) value = 0.5F * normal(generator);
  Camera camera;
  camera.width_px = camera.height_px = 500;
  camera.principal_px.setConstant(250);
  camera.focal_px = 1500;
  camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation() = Eigen::Vector3f(5, 10, 1100);
  const Points3 points = model.landmarks68.points(model.vertices(identity, expression), model.triangles);
  FitLandmarks landmarks;
  landmarks.ibug68 = {camera.imageFromModel(points), Eigen::VectorXf::Constant(68, 3.0F)};
  const FitResult without = fitLandmarks(model, landmarks, 500, 500);
  landmarks.start = FitStart{identity, expression, {}};
  for (float& value : landmarks.start->identity) value += 0.3F * normal(generator);
  const FitResult with = fitLandmarks(model, landmarks, 500, 500);
  CHECK(with.isUsable());
  CHECK((with.identity - identity).norm() < 0.7F * (without.identity - identity).norm());
  CHECK((with.identity - identity).norm() < (landmarks.start->identity - identity).norm());
  CHECK((with.expression - expression).norm() < (without.expression - expression).norm());

  landmarks.start->identity.resize(3);
  landmarks.start->identity.setZero();
  CHECK_THROWS_AS(fitLandmarks(model, landmarks, 500, 500), std::invalid_argument);
}
