#include "core/io/transforms_json.h"

#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/files.h"
#include "core/morphable_model.h"
#include "tests/data.h"

using namespace facet;

namespace {

Camera sampleCamera(float turn) {
  Camera camera;
  camera.width_px = 640, camera.height_px = 480;
  camera.focal_px = 900;
  camera.principal_px << 300, 250;
  camera.camera_from_model.linear() = Eigen::AngleAxisf(turn, Eigen::Vector3f::UnitY()).toRotationMatrix() *
                                      Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation() << 40, -25, 800;
  return camera;
}

}  // namespace

TEST_CASE("transforms.json: points projected as NeRF tools do land on the camera's pixels") {
  const test::TemporaryFolder folder("transforms");
  const MorphableModel model = makeSyntheticModel();
  const std::vector<TransformsFrame> frames = {
      {"images/a.png", sampleCamera(0.3F), 0},
      {"images/b.png", sampleCamera(-0.6F), 4, "flame_param/00004.npz"}};
  writeTransformsJson(folder / "transforms.json", frames);
  const auto json = nlohmann::json::parse(readText(folder / "transforms.json"));
  CHECK(json["timestep_indices"] == nlohmann::json({0, 4}));
  CHECK(json["fl_x"] == 900);
  REQUIRE(json["frames"].size() == 2);
  CHECK(json["frames"][1]["file_path"] == "images/b.png");
  CHECK(json["frames"][1]["flame_param_path"] == "flame_param/00004.npz");
  CHECK_FALSE(json["frames"][0].contains("flame_param_path"));
  for (int i = 0; i < 2; ++i) {
    const auto& frame = json["frames"][i];
    CHECK(frame["camera_angle_x"].get<double>() == doctest::Approx(2 * std::atan(320.0 / 900)));
    Eigen::Matrix4d world_from_camera;
    for (int r = 0; r < 4; ++r) {
      for (int c = 0; c < 4; ++c) world_from_camera(r, c) = frame["transform_matrix"][r][c];
    }
    const Eigen::Matrix4d camera_from_world = world_from_camera.inverse();
    const Points2 expected = frames[i].camera.imageFromModel(model.mean);
    double largest_px = 0;
    for (Eigen::Index v = 0; v < model.mean.rows(); ++v) {
      const Eigen::Vector3d point_m = model.mean.row(v).transpose().cast<double>() / 1000;
      const Eigen::Vector4d p = camera_from_world * point_m.homogeneous();
      const double x = frame["cx"].get<double>() - frame["fl_x"].get<double>() * p.x() / p.z();
      const double y = frame["cy"].get<double>() + frame["fl_y"].get<double>() * p.y() / p.z();
      CHECK(p.z() < 0);  // in front of an OpenGL camera
      largest_px = std::max(largest_px, std::hypot(x - expected(v, 0), y - expected(v, 1)));
    }
    CHECK(largest_px < 1e-3);
  }
}

TEST_CASE("transforms.json: a scaled orthographic camera and an empty list are refused") {
  const test::TemporaryFolder folder("transforms");
  Camera camera = sampleCamera(0);
  camera.projection = Camera::Projection::kScaledOrthographic;
  CHECK_THROWS_WITH_AS(writeTransformsJson(folder / "t.json", {{"a.png", camera}}),
                       doctest::Contains("perspective"), Error);
  CHECK_THROWS_AS(writeTransformsJson(folder / "t.json", {}), std::invalid_argument);
  CHECK_FALSE(std::filesystem::exists(folder / "t.json"));
}
