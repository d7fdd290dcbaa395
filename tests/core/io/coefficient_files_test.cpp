#include "core/io/coefficient_files.h"

#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <cmath>
#include <random>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/flame_model.h"
#include "core/io/mat_file.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
#include "tests/core/io/flame_fixture.h"
#include "tests/data.h"

using namespace facet;

namespace {

Eigen::VectorXf randomVector(Eigen::Index count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  Eigen::VectorXf values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

Camera sampleCamera(float turn = 0.4F) {
  Camera camera;
  camera.width_px = 640, camera.height_px = 480;
  camera.focal_px = 900;
  camera.principal_px << 320, 240;
  camera.camera_from_model.linear() =
      (Eigen::AngleAxisf(0.2F, Eigen::Vector3f::UnitZ()) * Eigen::AngleAxisf(turn, Eigen::Vector3f::UnitY()))
          .toRotationMatrix() *
      Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation() << 40, -25, 800;
  return camera;
}

MorphableModel sampleFlame(const test::TemporaryFolder& folder) {
  const std::vector<std::uint8_t> bytes = test::flamePickle(test::makeFlameArrays());
  writeBytes(folder / "generic_model.pkl", bytes.data(), bytes.size());
  return readFlameModel(folder / "generic_model.pkl");
}

FaceCoefficients sampleFlameFace(const MorphableModel& model, float turn = 0.4F) {
  FaceCoefficients face;
  face.identity = randomVector(20, 1);
  face.expression = randomVector(model.numExpression(), 2);
  face.pose = Points3::Zero(5, 3);
  face.pose.row(1) << 0.1F, -0.2F, 0.05F;
  face.pose.row(2) << 0.3F, 0.02F, 0;
  face.pose.row(3) << 0, 0.2F, 0;
  face.pose.row(4) << 0.1F, 0.15F, 0;
  face.camera = sampleCamera(turn);
  return face;
}

Eigen::VectorXf rowOf(const NpyArray& array, Eigen::Index row) {
  const std::vector<float> values = array.asFloat();
  const Eigen::Index columns = array.shape.back();
  return Eigen::Map<const Eigen::VectorXf>(values.data() + row * columns, columns);
}

// FLAME's own evaluation: joints and the head turn about the root joint, then the translation.
Points3 flameVertices_mm(const MorphableModel& model, const Eigen::VectorXf& shape,
                         const Eigen::VectorXf& expression, const Eigen::VectorXf& pose15,
                         const Eigen::Vector3f& translation_m) {
  const Points3 pose = Eigen::Map<const Points3>(pose15.data(), 5, 3);
  Points3 vertices = model.vertices(shape, expression, pose);
  vertices.rowwise() += 1000 * translation_m.transpose();
  return vertices;
}

Eigen::MatrixXf matrixOf(const std::filesystem::path& path, const std::string& name) {
  const std::vector<std::uint8_t> bytes = readBytes(path);
  const auto found = readMat(bytes, {name});
  REQUIRE_MESSAGE(found.contains(name), name);
  return found.at(name);
}

}  // namespace

TEST_CASE("coefficient files: FLAME's equations with VHAP's arrays give the fit's pixels, frame by frame") {
  const test::TemporaryFolder folder("vhap");
  const MorphableModel model = sampleFlame(folder);
  const std::vector<FaceCoefficients> frames = {sampleFlameFace(model, 0.4F), sampleFlameFace(model, -0.7F)};
  writeVhapNpz(folder / "a.npz", model, frames);
  const Npz npz = readNpz(folder / "a.npz");
  CHECK(npz.at("timestep_id").asStrings() == std::vector<std::string>{"00000", "00001"});
  CHECK(npz.at("image_size").asInt32() == std::vector<std::int32_t>{480, 640});
  CHECK(npz.at("focal_length").asFloat()[0] == doctest::Approx(900.0 / 640));
  CHECK(npz.at("shape").shape == std::vector<std::int64_t>{100});
  CHECK(npz.at("eyes_pose").shape == std::vector<std::int64_t>{2, 6});
  CHECK(npz.at("static_offset").shape == std::vector<std::int64_t>{1, model.numVertices(), 3});
  // Without a light of its own, the fit's is white: every direction is shaded to 1.
  REQUIRE(npz.at("lights").shape == std::vector<std::int64_t>{9, 3});
  const std::vector<float> lights = npz.at("lights").asFloat();
  for (int i = 0; i < 27; ++i)
    CHECK(lights[i] == doctest::Approx(i < 3 ? std::sqrt(4 * M_PI) : 0).epsilon(1e-4));
  for (int t = 0; t < 2; ++t) {
    Eigen::VectorXf pose(15);
    pose << rowOf(npz.at("rotation"), t), rowOf(npz.at("neck_pose"), t), rowOf(npz.at("jaw_pose"), t),
        rowOf(npz.at("eyes_pose"), t);
    const Points3 world_mm = flameVertices_mm(model, rowOf(npz.at("shape"), 0), rowOf(npz.at("expr"), t),
                                              pose, rowOf(npz.at("translation"), t));
    const Points2 expected = frames[t].camera.imageFromModel(
        model.vertices(frames[t].identity, frames[t].expression, frames[t].pose));
    CHECK((vhapCamera(frames[t].camera).imageFromModel(world_mm) - expected).cwiseAbs().maxCoeff() < 0.01F);
    // The camera looks at the head from (0, 0, 1) m along -z.
    CHECK(world_mm.col(2).maxCoeff() < 1000);
  }
}

TEST_CASE("coefficient files: the plain FLAME file gives the fit's pixels with the camera at the origin") {
  const test::TemporaryFolder folder("flame-npz");
  const MorphableModel model = sampleFlame(folder);
  const FaceCoefficients face = sampleFlameFace(model);
  writeFlameNpz(folder / "a.npz", model, face);
  const Npz npz = readNpz(folder / "a.npz");
  const Points3 world_mm = flameVertices_mm(model, rowOf(npz.at("betas"), 0), rowOf(npz.at("expression"), 0),
                                            rowOf(npz.at("pose"), 0), rowOf(npz.at("transl"), 0));
  Camera camera = face.camera;
  camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation().setZero();
  const Points2 expected =
      face.camera.imageFromModel(model.vertices(face.identity, face.expression, face.pose));
  CHECK((camera.imageFromModel(world_mm) - expected).cwiseAbs().maxCoeff() < 0.01F);
}

TEST_CASE("coefficient files: Deep3D's equations with the 257 coefficients give the fit's pixels") {
  const test::TemporaryFolder folder("deep3d");
  MorphableModel model = makeSyntheticModel(3, 80, 64, 80);
  model.id = "bfm-2009-front";
  FaceCoefficients face;
  face.identity = 0.3F * randomVector(80, 4);
  face.expression = 0.1F * randomVector(64, 5);
  face.albedo = randomVector(80, 6);
  face.camera = sampleCamera();
  face.light = SphericalHarmonicsLight();
  writeDeep3dMat(folder / "a.mat", model, face);

  const Eigen::MatrixXf coeff = matrixOf(folder / "a.mat", "coeff"),
                        crop = matrixOf(folder / "a.mat", "crop");
  REQUIRE(coeff.rows() == 1);
  REQUIRE(coeff.cols() == 257);
  const Eigen::VectorXf c = coeff.row(0).transpose();
  CHECK(c.head(80) == face.identity);
  CHECK(c.segment(80, 64) == face.expression);
  CHECK(c.segment(144, 80) == face.albedo);
  CHECK(matrixOf(folder / "a.mat", "gamma") == coeff.middleCols(227, 27));
  const Eigen::Matrix3f rotation = (Eigen::AngleAxisf(c[226], Eigen::Vector3f::UnitZ()) *
                                    Eigen::AngleAxisf(c[225], Eigen::Vector3f::UnitY()) *
                                    Eigen::AngleAxisf(c[224], Eigen::Vector3f::UnitX()))
                                       .toRotationMatrix();
  const Points3 vertices_dm = model.vertices(face.identity, face.expression) / 100;
  const Points2 expected = face.camera.imageFromModel(Points3(100 * vertices_dm));
  float largest_px = 0;
  for (Eigen::Index v = 0; v < vertices_dm.rows(); ++v) {
    const Eigen::Vector3f p = rotation * vertices_dm.row(v).transpose() + c.tail<3>();
    const float depth = 10 - p.z();
    const Eigen::Vector2f in_crop(112 + 1015 * p.x() / depth, 112 - 1015 * p.y() / depth);
    const Eigen::Vector2f in_photo = Eigen::Vector2f(crop(0, 0), crop(0, 1)) + crop(0, 2) * in_crop;
    largest_px = std::max(largest_px, (in_photo - expected.row(v).transpose()).norm());
  }
  CHECK(largest_px < 0.01F);
  // A white light of radiance 1 shades everything to 1: only the constant term differs from Deep3D's 0.8.
  const Eigen::VectorXf gamma = c.segment(227, 27);
  const float constant = deep3dLightTerms({0, 0, 1})[0];
  for (int channel = 0; channel < 3; ++channel) {
    CHECK(gamma[9 * channel] == doctest::Approx(1 / constant - 0.8F).epsilon(1e-3));
    CHECK(gamma.segment(9 * channel + 1, 8).cwiseAbs().maxCoeff() < 1e-3F);
  }
}

TEST_CASE("coefficient files: a Basel file holds coefficients and camera under the model's own names") {
  const test::TemporaryFolder folder("bfm-mat");
  MorphableModel model = makeSyntheticModel(3, 12, 5, 7);
  model.id = "bfm-2017";
  FaceCoefficients face;
  face.identity = randomVector(10, 7);
  face.expression = randomVector(5, 8);
  face.camera = sampleCamera();
  writeBfmMat(folder / "a.mat", model, face);
  const Eigen::MatrixXf alpha = matrixOf(folder / "a.mat", "alpha");
  REQUIRE(alpha.rows() == 12);
  CHECK(alpha.topRows(10) == face.identity);
  CHECK(alpha.bottomRows(2).isZero());
  CHECK(matrixOf(folder / "a.mat", "exp") == face.expression);
  CHECK(matrixOf(folder / "a.mat", "R") == face.camera.camera_from_model.linear());
  CHECK(matrixOf(folder / "a.mat", "t") == face.camera.camera_from_model.translation());
  CHECK(matrixOf(folder / "a.mat", "K") == face.camera.intrinsics());
}

TEST_CASE("coefficient files: a model of another family, or a camera the file cannot hold, is refused") {
  const test::TemporaryFolder folder("refused");
  const MorphableModel flame = sampleFlame(folder), other = makeSyntheticModel();
  FaceCoefficients face = sampleFlameFace(flame);
  const auto path = folder / "a.bin";
  CHECK_THROWS_WITH_AS(writeVhapNpz(path, other, {face}), doctest::Contains("generic_model.pkl"), Error);
  CHECK_THROWS_WITH_AS(writeFlameNpz(path, other, face), doctest::Contains("generic_model.pkl"), Error);
  CHECK_THROWS_WITH_AS(writeBfmMat(path, flame, face), doctest::Contains("01_MorphableModel.mat"), Error);
  CHECK_THROWS_WITH_AS(writeDeep3dMat(path, flame, face), doctest::Contains("BFM_model_front.mat"), Error);
  FaceCoefficients off_centre = face;
  off_centre.camera.principal_px.x() += 5;
  CHECK_THROWS_WITH_AS(writeVhapNpz(path, flame, {off_centre}), doctest::Contains("transforms.json"), Error);
  face.camera.projection = Camera::Projection::kScaledOrthographic;
  CHECK_THROWS_WITH_AS(writeFlameNpz(path, flame, face), doctest::Contains("perspective"), Error);
  CHECK_FALSE(std::filesystem::exists(path));
}
