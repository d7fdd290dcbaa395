#include "fitting/head_pose.h"

#include <doctest/doctest.h>

using namespace facet;

TEST_CASE("headPose: gives back the angles a rotation was made of") {
  for (const HeadPose& truth : {HeadPose{0, 0, 0}, {35, -20, 10}, {-70, 30, -45}, {5, 80, 170}}) {
    const HeadPose found = headPose(rotationFromHeadPose(truth));
    CHECK(found.yaw_deg == doctest::Approx(truth.yaw_deg).epsilon(1e-4));
    CHECK(found.pitch_deg == doctest::Approx(truth.pitch_deg).epsilon(1e-4));
    CHECK(found.roll_deg == doctest::Approx(truth.roll_deg).epsilon(1e-4));
  }
}

TEST_CASE("headPose: yaw turns the nose to the right of the image, pitch down, roll the crown to the right") {
  const Eigen::Vector3f nose(0, 0, 100), crown(0, 100, 0);  // model frame
  CHECK((rotationFromHeadPose({20, 0, 0}) * nose).x() > 30);
  CHECK((rotationFromHeadPose({0, 20, 0}) * nose).y() > 30);  // the camera's y points down
  CHECK((rotationFromHeadPose({0, 0, 20}) * crown).x() > 30);
  CHECK((rotationFromHeadPose({}) * nose).z() == doctest::Approx(-100));  // towards the camera
}
