#include "synth/scene.h"

#include <doctest/doctest.h>

#include "synth/lighting.h"
#include "synth/random.h"

using namespace facet;
using namespace facet::synth;

TEST_CASE("Random: a stream depends on its names only, and streams differ") {
  Random a(1, 2, 3), b(1, 2, 3), other(1, 3, 3);
  CHECK(a.bits() == b.bits());
  CHECK(a.bits() != other.bits());
  double sum = 0, squares = 0;
  for (int i = 0; i < 20'000; ++i) {
    const double x = a.normal();
    sum += x;
    squares += x * x;
  }
  CHECK(sum / 20'000 == doctest::Approx(0).epsilon(0.03));  // 4 standard errors
  CHECK(squares / 20'000 == doctest::Approx(1).epsilon(0.04));
}

TEST_CASE("valueNoise: continuous across cell borders and within its range") {
  for (int i = 0; i < 1000; ++i) {
    const Eigen::Vector3f p(0.37F * i, 0.11F * i, 1.0F * (i % 7));
    CHECK(std::abs(valueNoise(p)) <= 1);
    const Eigen::Vector3f q(std::floor(p.x()), p.y(), p.z());
    CHECK(valueNoise(q - Eigen::Vector3f(1e-4F, 0, 0)) == doctest::Approx(valueNoise(q)).epsilon(0.01));
  }
}

TEST_CASE("HeadGrid: of a sphere has the sphere's radius in every direction") {
  Points3 sphere(4000, 3);
  Random random(5);
  const Eigen::Vector3f centre(3, -4, 5);
  for (int i = 0; i < sphere.rows(); ++i) sphere.row(i) = centre + 80 * random.direction();
  const HeadGrid grid(sphere, sphere, static_cast<int>(sphere.rows()), centre);
  for (int i = 0; i < 200; ++i) CHECK(grid.radius(random.direction()) == doctest::Approx(80).epsilon(0.001));
  const Eigen::Vector3f front = grid.point(0, 0, 10);
  CHECK((front - centre - Eigen::Vector3f(0, 0, 90)).norm() < 0.1F);
}

TEST_CASE("Scene: a lock of hair shows its broad side to the camera") {
  Scene scene;
  scene.placement.translation() = Eigen::Vector3f(20, -10, 600);
  scene.addLock({{0, 0, 0}, {3, 20, 5}, {10, 35, 8}}, 4, {0, 0, -1}, {1, 1, 1}, {1, 1, 1});
  REQUIRE(scene.vertices.size() == 6);
  const Eigen::Vector3f across = scene.vertices[1].position - scene.vertices[0].position;
  const Eigen::Vector3f view = scene.vertices[0].position.normalized();
  CHECK(across.norm() == doctest::Approx(4).epsilon(0.01));
  CHECK(std::abs(across.normalized().dot(view)) < 0.01F);  // square to the line of sight
}

TEST_CASE("Scene: the normals of an ellipsoid and a tube point outwards") {
  Scene scene;
  Eigen::Matrix3f axes = Eigen::Vector3f(10, 20, 5).asDiagonal();
  scene.addEllipsoid({1, 2, 3}, axes, {1, 1, 1}, Surface::kGloss);
  for (const Scene::Vertex& v : scene.vertices)
    CHECK(v.normal.dot(v.position - Eigen::Vector3f(1, 2, 3)) > 0);
  Scene tube;
  tube.addTube({{0, 0, 0}, {0, 0, 10}, {0, 5, 20}}, {3, 3, 3}, {1, 1, 1}, Surface::kGloss, 6);
  for (const Scene::Vertex& v : tube.vertices) CHECK(v.normal.dot(v.position - v.local) > 0);
}

TEST_CASE("Lighting: white skin that looks at the camera shades to about 1, whatever the light") {
  Assets assets;  // no environments: studio lights only
  double sum = 0;
  for (int i = 0; i < 60; ++i) {
    Random random(11, i);
    const Lighting light = makeLighting(assets, random);
    Eigen::Vector3f shade = Eigen::Vector3f::Zero();
    for (const float x : {-0.5F, 0.0F, 0.5F}) {
      const Eigen::Vector3f n = Eigen::Vector3f(x, -0.1F, -1).normalized();
      shade +=
          (light.irradiance(n) + light.direct_colour * std::max(0.0F, n.dot(light.direct_direction))) / 3;
    }
    CHECK(shade.mean() > 0.4F);
    CHECK(shade.mean() < 2.2F);
    sum += shade.mean();
  }
  CHECK(sum / 60 == doctest::Approx(1).epsilon(0.15));
}
