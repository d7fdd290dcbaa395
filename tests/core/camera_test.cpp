#include "core/camera.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace facet;

namespace {

Camera portraitCamera() {
  Camera camera;
  camera.width_px = 640;
  camera.height_px = 480;
  camera.focal_px = 1000;
  camera.scale_px_per_mm = 2;
  camera.principal_px = {310, 250};
  // Looking along -Z of the model from 600 mm in front of it.
  camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  camera.camera_from_model.translation() = Eigen::Vector3f(10, -5, 600);
  return camera;
}

// Where the rasterizer would put a clip position.
Eigen::Vector2f imageFromClip(const Eigen::Vector4f& clip, const Camera& camera) {
  return {(clip.x() / clip.w() + 1) / 2 * static_cast<float>(camera.width_px),
          (1 - clip.y() / clip.w()) / 2 * static_cast<float>(camera.height_px)};
}

}  // namespace

TEST_CASE("Camera: a point worked out by hand lands where it should") {
  const Camera camera = portraitCamera();
  // In the camera: (10 + 30, -5 - 20, 600 - 100) = (40, -25, 500); 1000 / 500 = 2 px per mm.
  const auto pixel = camera.imageFromModel(Eigen::Vector3f(30, 20, 100));
  REQUIRE(pixel);
  CHECK(pixel->x() == doctest::Approx(310 + 80));
  CHECK(pixel->y() == doctest::Approx(250 - 50));
}

TEST_CASE("Camera: model up is image up, and the subject's left is on the right of the image") {
  const Camera camera = portraitCamera();
  const Points3 points = (Points3(3, 3) << 0, 0, 0, 0, 50, 0, 50, 0, 0).finished();
  const Points2 pixels = camera.imageFromModel(points);
  CHECK(pixels(1, 1) < pixels(0, 1));
  CHECK(pixels(2, 0) > pixels(0, 0));
}

TEST_CASE("Camera: a point behind a perspective camera has no pixel, alone and among others") {
  const Camera camera = portraitCamera();
  const Eigen::Vector3f behind(0, 0, 700);
  CHECK_FALSE(camera.imageFromModel(behind));
  const Points3 points = (Points3(2, 3) << 0, 0, 700, 0, 0, 0).finished();
  const Points2 pixels = camera.imageFromModel(points);
  CHECK(std::isnan(pixels(0, 0)));
  CHECK(std::isfinite(pixels(1, 0)));
}

TEST_CASE("Camera: clip space agrees with the projection, for both kinds of camera") {
  for (const auto projection : {Camera::Projection::kPerspective, Camera::Projection::kScaledOrthographic}) {
    Camera camera = portraitCamera();
    camera.projection = projection;
    const Points3 points = (Points3(3, 3) << 30, 20, 100, -70, 5, -80, 0, -60, 0).finished();
    const Points4 clip = camera.clipFromModel(points);
    const Points2 pixels = camera.imageFromModel(points);
    for (int i = 0; i < points.rows(); ++i) {
      const Eigen::Vector2f from_clip = imageFromClip(clip.row(i), camera);
      CHECK((from_clip - pixels.row(i).transpose()).norm() < 1e-3F);
      CHECK(std::abs(clip(i, 2)) <= clip(i, 3));  // between the planes
    }
    // z/w grows away from the viewer: the first point is the nearest, the second the farthest.
    CHECK(clip(0, 2) / clip(0, 3) < clip(2, 2) / clip(2, 3));
    CHECK(clip(2, 2) / clip(2, 3) < clip(1, 2) / clip(1, 3));
  }
}

TEST_CASE("Camera: the near plane maps to -1 and the far plane to 1") {
  Camera camera = portraitCamera();
  for (const auto projection : {Camera::Projection::kPerspective, Camera::Projection::kScaledOrthographic}) {
    camera.projection = projection;
    const Eigen::Matrix4f clip_from_camera = camera.clipFromCamera(100, 900);
    const Eigen::Vector4f at_near = clip_from_camera * Eigen::Vector4f(0, 0, 100, 1);
    const Eigen::Vector4f at_far = clip_from_camera * Eigen::Vector4f(0, 0, 900, 1);
    CHECK(at_near.z() / at_near.w() == doctest::Approx(-1));
    CHECK(at_far.z() / at_far.w() == doctest::Approx(1));
  }
}

TEST_CASE("Camera: scaling the camera scales the pixels") {
  const Camera camera = portraitCamera();
  const Camera half = camera.scaled(0.5F);
  const Eigen::Vector3f point(30, 20, 100);
  CHECK((*half.imageFromModel(point) - 0.5F * *camera.imageFromModel(point)).norm() < 1e-4F);
  CHECK(half.width_px == 320);
  CHECK(half.height_px == 240);
}

TEST_CASE("Camera: the intrinsic matrix projects like the camera, and an orthographic camera has none") {
  Camera camera = portraitCamera();
  const Eigen::Vector3f in_camera(40, -25, 500);
  const Eigen::Vector2f by_matrix = (camera.intrinsics() * in_camera).hnormalized();
  CHECK((by_matrix - *camera.imageFromCamera(in_camera)).norm() < 1e-3F);
  camera.projection = Camera::Projection::kScaledOrthographic;
  CHECK_THROWS_AS(camera.intrinsics(), std::invalid_argument);
}

TEST_CASE(
    "clipFromCamera: K, R, t put a point where K (R x + t) puts it, whatever K's skew and focal lengths") {
  Eigen::Matrix3f K;
  K << 810, 3, 322, 0, 790, 251, 0, 0, 1;
  const Eigen::Matrix3f R =
      Eigen::AngleAxisf(0.4F, Eigen::Vector3f(0.2F, 1, -0.3F).normalized()).toRotationMatrix() *
      Eigen::Vector3f(1, -1, -1).asDiagonal();
  const Eigen::Vector3f t(12, -30, 900);
  const Eigen::Matrix4f clip_from_world = clipFromCamera(K, R, t, 100, 2000, 640, 480);
  for (const Eigen::Vector3f& world :
       {Eigen::Vector3f(0, 0, 0), Eigen::Vector3f(80, -40, 60), Eigen::Vector3f(-70, 90, -50)}) {
    const Eigen::Vector3f pixel = K * (R * world + t);
    const Eigen::Vector4f clip = clip_from_world * world.homogeneous();
    CHECK((clip.x() / clip.w() + 1) * 320 == doctest::Approx(pixel.x() / pixel.z()).epsilon(1e-5));
    CHECK((1 - clip.y() / clip.w()) * 240 == doctest::Approx(pixel.y() / pixel.z()).epsilon(1e-5));
    CHECK(clip.w() == doctest::Approx((R * world + t).z()));
  }
  // The planes of the depth range.
  const Eigen::Vector4f nearest =
      clip_from_world * (R.transpose() * (Eigen::Vector3f(0, 0, 100) - t)).homogeneous();
  const Eigen::Vector4f farthest =
      clip_from_world * (R.transpose() * (Eigen::Vector3f(0, 0, 2000) - t)).homogeneous();
  CHECK(nearest.z() / nearest.w() == doctest::Approx(-1).epsilon(1e-4));
  CHECK(farthest.z() / farthest.w() == doctest::Approx(1).epsilon(1e-4));
}

TEST_CASE("clipFromCamera: equal to the Camera's own, and misuse is refused") {
  Camera camera;
  camera.width_px = 300;
  camera.height_px = 200;
  camera.focal_px = 410;
  camera.principal_px = {140, 108};
  camera.camera_from_model.translation() = Eigen::Vector3f(1, 2, 500);
  const Eigen::Matrix3f K = camera.intrinsics(), R = camera.camera_from_model.linear();
  const Eigen::Vector3f t = camera.camera_from_model.translation();
  CHECK((clipFromCamera(K, R, t, 10, 900, 300, 200) - camera.clipFromModel(10, 900)).cwiseAbs().maxCoeff() <
        1e-3F);
  CHECK_THROWS_AS(clipFromCamera(K, R, t, 10, 900, 0, 200), std::invalid_argument);
  CHECK_THROWS_AS(clipFromCamera(K, R, t, -1, 900, 300, 200), std::invalid_argument);
  CHECK_THROWS_AS(clipFromCamera(2 * K, R, t, 10, 900, 300, 200), std::invalid_argument);
}
