#include "viewer/orbit_camera.h"

#include <doctest/doctest.h>

#include "core/morphable_model.h"
#include "render/studio.h"

using namespace facet;

TEST_CASE("OrbitCamera: frames a head as the studio's camera does, from any side") {
  const Points3 head = makeSyntheticModel().mean;
  for (const auto& [yaw, pitch] : {std::pair{0.0F, 0.0F}, {35.0F, 0.0F}, {-120.0F, 25.0F}, {10.0F, -60.0F}}) {
    OrbitCamera orbit;
    orbit.yaw_deg = yaw;
    orbit.pitch_deg = pitch;
    orbit.fit(head);
    const Camera camera = orbit.camera(600, 600);
    const Camera studio = orbitCamera(head, {.size_px = 600, .yaw_degrees = yaw, .pitch_degrees = pitch});
    CHECK((camera.imageFromModel(head) - studio.imageFromModel(head)).cwiseAbs().maxCoeff() < 0.01F);
    CHECK(camera.width_px == 600);
  }
}

TEST_CASE("OrbitCamera: a wide picture shows the head as large as its smaller side allows") {
  const Points3 head = makeSyntheticModel().mean;
  OrbitCamera orbit;
  orbit.fit(head);
  const Points2 square = orbit.camera(500, 500).imageFromModel(head);
  const Points2 wide = orbit.camera(900, 500).imageFromModel(head),
                tall = orbit.camera(500, 800).imageFromModel(head);
  CHECK(((wide.rowwise() - Eigen::RowVector2f(200, 0)) - square).cwiseAbs().maxCoeff() < 0.01F);
  CHECK(((tall.rowwise() - Eigen::RowVector2f(0, 150)) - square).cwiseAbs().maxCoeff() < 0.01F);
  CHECK(square.minCoeff() > 0);
  CHECK(square.maxCoeff() < 500);
}

TEST_CASE("OrbitCamera: a point of the target's plane follows the mouse that pans") {
  OrbitCamera orbit;
  orbit.yaw_deg = 50;
  orbit.pitch_deg = 20;
  for (const bool orthographic : {false, true}) {
    orbit.orthographic = orthographic;
    const Eigen::Vector3f point = orbit.target_mm;
    const Eigen::Vector2f before = *orbit.camera(800, 600).imageFromModel(point);
    orbit.pan(37, -12, 800, 600);
    const Eigen::Vector2f after = *orbit.camera(800, 600).imageFromModel(point);
    CHECK((after - before - Eigen::Vector2f(37, -12)).norm() < 0.02F);
  }
}

TEST_CASE("OrbitCamera: what is in front goes the way of the mouse that orbits") {
  OrbitCamera orbit;
  const Eigen::Vector3f nose(0, 0, 100);
  orbit.orbit(30, 0);
  CHECK(orbit.camera(400, 400).imageFromModel(nose)->x() > 205);
  orbit.look(OrbitCamera::Preset::kFront);
  orbit.orbit(0, 30);
  CHECK(orbit.camera(400, 400).imageFromModel(nose)->y() > 205);
  orbit.orbit(0, 10000);
  CHECK(orbit.pitch_deg == 90);
}

TEST_CASE("OrbitCamera: presets look from where their names say") {
  const auto position = [](OrbitCamera::Preset preset) {
    OrbitCamera orbit;
    orbit.look(preset);
    const Camera camera = orbit.camera(100, 100);
    return Eigen::Vector3f(camera.camera_from_model.inverse().translation() / orbit.distance_mm);
  };
  CHECK((position(OrbitCamera::Preset::kFront) - Eigen::Vector3f(0, 0, 1)).norm() < 1e-4F);
  CHECK((position(OrbitCamera::Preset::kLeft) - Eigen::Vector3f(1, 0, 0)).norm() <
        1e-4F);  // +X: subject's left
  CHECK((position(OrbitCamera::Preset::kRight) - Eigen::Vector3f(-1, 0, 0)).norm() < 1e-4F);
  CHECK((position(OrbitCamera::Preset::kTop) - Eigen::Vector3f(0, 1, 0)).norm() < 1e-4F);
  CHECK((position(OrbitCamera::Preset::kBack) - Eigen::Vector3f(0, 0, -1)).norm() < 1e-4F);
}

TEST_CASE("OrbitCamera: another field of view shows the target at the same size; a wheel comes nearer") {
  OrbitCamera orbit;
  const Eigen::Vector3f beside(50, 0, 0);
  const float before = orbit.camera(400, 400).imageFromModel(beside)->x();
  orbit.setFieldOfView(45);
  CHECK(orbit.field_of_view_deg == 45);
  CHECK(orbit.camera(400, 400).imageFromModel(beside)->x() == doctest::Approx(before));
  orbit.orthographic = true;
  CHECK(orbit.camera(400, 400).imageFromModel(beside)->x() == doctest::Approx(before));
  const float distance = orbit.distance_mm;
  orbit.dolly(2);
  CHECK(orbit.distance_mm < distance);
  orbit.dolly(1000);
  CHECK(orbit.distance_mm > 0);
}
