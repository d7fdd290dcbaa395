#include "synth/scene.h"

#include <doctest/doctest.h>

#include "core/spherical_harmonics.h"
#include "synth/lighting.h"
#include "synth/random.h"
#include "synth/shading.h"

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
  const std::vector<Eigen::Vector3f> points = {{0, 0, 0}, {3, 20, 5}, {10, 35, 8}};
  scene.addLock(points, 4, {0, 0, -1}, {1, 1, 1}, {1, 1, 1});
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

TEST_CASE("shade: albedo times the light's spherical harmonics predicts the pixels of a matt thing") {
  Assets assets;  // nobody is there
  assets.paint.resize(1);
  Lighting light;
  light.probe = ImageF(4, 2, 3, 0.5F);
  light.irradiance_coefficients = SphericalHarmonicsLight::ambient(0.5F);
  light.irradiance_coefficients.row(1).array() -= 0.3F;
  light.irradiance_coefficients.row(6).array() += 0.1F;
  light.prepare();
  const Eigen::Vector3f up = Eigen::Vector3f(0.3F, -0.8F, 0.4F).normalized();
  CHECK((light.irradiance(up) - SphericalHarmonicsLight{light.irradiance_coefficients}.shading(up)).norm() <
        1e-5F);
  light.direct_direction = Eigen::Vector3f(0.4F, -0.5F, -1).normalized();
  light.direct_colour = {0.9F, 0.7F, 0.5F};
  Scene scene;
  scene.label = FaceLabel::kClothes;
  scene.addEllipsoid({0, 0, 600}, Eigen::Matrix3f::Identity() * 100, {0.6F, 0.4F, 0.2F}, Surface::kCloth, 40);
  const View view{64, 150, 32, 32};
  const Subject subject{.skin = {Image8(4, 4, 4)}, .brow_opacity = Image8(4, 4, 1)};
  Samples samples;
  const Picture picture = shade(assets, HeadSurface(assets, subject, 0, {0, 0}, true, 1), Points3(0, 3), 0,
                                scene, {}, light, view, Image8(4, 4, 3), ImageF(64, 64, 3), true, samples);
  const SphericalHarmonicsLight all{light.sphericalHarmonics()};
  int covered = 0;
  double error = 0;
  for (int i = 0; i < 64 * 64; ++i) {
    if (picture.label[i] != FaceLabel::kClothes) continue;
    const PixelTruth& truth = picture.truth[i];
    const Eigen::Vector3f predicted = truth.albedo.cwiseProduct(all.shading(truth.normal));
    error += (predicted - Eigen::Map<const Eigen::Vector3f>(picture.colour.data() + 3 * i)).cwiseAbs().mean();
    // On a sphere around (0, 0, 600) the normal and the depth say the same.
    const Eigen::Vector3f p((i % 64 + 0.5F - 32) / 150 * truth.depth_mm,
                            (i / 64 + 0.5F - 32) / 150 * truth.depth_mm, truth.depth_mm);
    CHECK((p - Eigen::Vector3f(0, 0, 600) - 100 * truth.normal).norm() < 3);
    ++covered;
  }
  CHECK(covered > 1500);
  CHECK(error / covered < 0.02);  // second order leaves out a few percent of a clamped cosine
  CHECK(picture.truth[0].depth_mm == 0);
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
