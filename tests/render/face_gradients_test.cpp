#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <random>

#include "core/parallel.h"
#include "render/face_renderer.h"
#include "tests/render/shapes.h"

namespace facet {
namespace {

constexpr int kSide = 48;

ImageF randomImage(int width, int height, int channels, unsigned seed, float low, float high) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  ImageF image(width, height, channels);
  for (std::size_t i = 0; i < image.size(); ++i) image.data()[i] = uniform(generator);
  return image;
}

// Smooth weights over the image: their product with the rendered colour is the loss.
ImageF lossWeights() {
  ImageF weights(kSide, kSide, 3);
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x)
      for (int c = 0; c < 3; ++c)
        weights.at(x, y)[c] = static_cast<float>(std::sin(0.13 * x + c) * std::cos(0.11 * y - 0.5 * c) + 0.3);
  return weights;
}

double dot(const ImageF& a, const ImageF& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a.data()[i]) * b.data()[i];
  return sum;
}

struct Scene {
  Mesh mesh = test::makeSphere(10, 16, 50);
  Camera camera = test::frontCamera(kSide, kSide, 110, 300);
  ShadeOptions options;

  Scene() {
    std::mt19937 generator(11);
    std::normal_distribution<float> normal;
    for (Eigen::Index i = 0; i < mesh.vertices.size(); ++i) mesh.vertices.data()[i] += normal(generator);
    for (Eigen::Index i = 0; i < options.light.coefficients.size(); ++i)
      options.light.coefficients.data()[i] += 0.3F * normal(generator);
    options.antialias = true;
    options.background = {0.2F, 0.5F, 0.1F};
  }
  // Loss of an image whose pixels are averages over their area: smooth in pose and shape.
  double areaLoss() const {
    constexpr int kOversampling = 8;
    ShadeOptions sharp = options;
    sharp.antialias = false;
    const ImageF fine = renderFace(mesh, camera.scaled(kOversampling), sharp).colour;
    ImageF image(kSide, kSide, 3);
    for (int y = 0; y < fine.height(); ++y)
      for (int x = 0; x < fine.width(); ++x)
        for (int c = 0; c < 3; ++c)
          image.at(x / kOversampling, y / kOversampling)[c] +=
              fine.at(x, y)[c] / static_cast<float>(kOversampling * kOversampling);
    return dot(image, lossWeights());
  }
  double loss() const { return dot(renderFace(mesh, camera, options).colour, lossWeights()); }
  FaceGradients gradients() const {
    return renderFaceBackward(mesh, camera, options, renderFace(mesh, camera, options), lossWeights());
  }
};

// Central difference of the loss when `change` is applied with a step to a copy of the scene.
double slope(const Scene& scene, const std::function<void(Scene&, float)>& change, float step) {
  Scene more = scene, less = scene;
  change(more, step);
  change(less, -step);
  return (more.loss() - less.loss()) / (2 * step);
}

void moveFace(Scene& scene, const Eigen::Vector3f& rotation_rad, const Eigen::Vector3f& translation_mm) {
  Eigen::Isometry3f motion = Eigen::Isometry3f::Identity();
  if (rotation_rad.norm() > 0)
    motion.linear() = Eigen::AngleAxisf(rotation_rad.norm(), rotation_rad.normalized()).toRotationMatrix();
  motion.translation() = translation_mm;
  scene.camera.camera_from_model = motion * scene.camera.camera_from_model;
}

}  // namespace

TEST_CASE("renderFaceBackward: light gradients are exact, because the colour is linear in the light") {
  const Scene scene;
  const FaceGradients gradients = scene.gradients();
  for (int k = 0; k < 9; ++k) {
    for (int c = 0; c < 3; ++c) {
      const double numeric = slope(
          scene, [&](Scene& s, float h) { s.options.light.coefficients(k, c) += h; }, 0.01F);
      CHECK(gradients.light(k, c) == doctest::Approx(numeric).epsilon(2e-3).scale(1));
    }
  }
}

TEST_CASE("renderFaceBackward: texture and normal map gradients agree with finite differences") {
  Scene scene;
  scene.options.albedo_texture = randomImage(8, 8, 3, 1, 0.2F, 0.8F);
  scene.options.normal_map = randomImage(8, 8, 3, 2, -0.3F, 0.3F);
  for (int i = 0; i < 64; ++i) scene.options.normal_map->data()[3 * i + 2] += 1;
  const FaceGradients gradients = scene.gradients();
  REQUIRE(gradients.albedo_texture);
  REQUIRE(gradients.normal_map);
  for (const int i : {3 * 27, 3 * 28 + 1, 3 * 35 + 2, 3 * 36}) {
    const double texel = slope(
        scene, [&](Scene& s, float h) { s.options.albedo_texture->data()[i] += h; }, 0.02F);
    CHECK(gradients.albedo_texture->data()[i] == doctest::Approx(texel).epsilon(2e-3).scale(0.5));
    const double tilt = slope(
        scene, [&](Scene& s, float h) { s.options.normal_map->data()[i] += h; }, 0.005F);
    CHECK(gradients.normal_map->data()[i] == doctest::Approx(tilt).epsilon(1e-2).scale(0.5));
  }
}

TEST_CASE("renderFaceBackward: colours of the vertices have gradients that agree with finite differences") {
  Scene scene;
  scene.options.albedo = Points3::Constant(scene.mesh.vertices.rows(), 3, 0.4F);
  const FaceGradients gradients = scene.gradients();
  REQUIRE(gradients.albedo.rows() == scene.mesh.vertices.rows());
  for (const int v : {60, 71, 90, 101}) {
    const double numeric = slope(
        scene, [&](Scene& s, float h) { s.options.albedo(v, 1) += h; }, 0.02F);
    CHECK(gradients.albedo(v, 1) == doctest::Approx(numeric).epsilon(2e-3).scale(0.5));
  }
}

TEST_CASE("renderFaceBackward: pose and focal length agree with area-sampled finite differences") {
  const Scene scene;
  const FaceGradients gradients = scene.gradients();
  const auto areaSlope = [&](const std::function<void(Scene&, float)>& change, float step) {
    Scene more = scene, less = scene;
    change(more, step);
    change(less, -step);
    return (more.areaLoss() - less.areaLoss()) / (2 * step);
  };
  // Edge gradients take the colour's step between two pixel centres for the step at the edge: right to some
  // 10 %, less where shading itself changes quickly towards the outline. Rotations are about the eye, 300 mm
  // away: mostly sideways motion.
  for (int axis = 0; axis < 3; ++axis) {
    const Eigen::Vector3f unit = Eigen::Vector3f::Unit(axis);
    const double turn =
        areaSlope([&](Scene& s, float h) { moveFace(s, h * unit, Eigen::Vector3f::Zero()); }, 2e-3F);
    const double shift =
        areaSlope([&](Scene& s, float h) { moveFace(s, Eigen::Vector3f::Zero(), h * unit); }, 0.4F);
    MESSAGE("axis ", axis, ": rotation ", gradients.rotation_rad[axis], " vs ", turn, ", translation ",
            gradients.translation_mm[axis], " vs ", shift);
    CHECK(gradients.rotation_rad[axis] == doctest::Approx(turn).epsilon(0.15).scale(100));
    CHECK(gradients.translation_mm[axis] == doctest::Approx(shift).epsilon(0.15).scale(0.5));
  }
  const double zoom = areaSlope([&](Scene& s, float h) { s.camera.focal_px += h; }, 0.4F);
  MESSAGE("focal length ", gradients.focal_px, " vs ", zoom);
  CHECK(gradients.focal_px == doctest::Approx(zoom).epsilon(0.15).scale(0.5));
}

TEST_CASE("renderFaceBackward: where two surfaces cut each other, depth has a gradient too") {
  Scene scene;
  // Two roofs with opposite slopes: they cut each other along a line down the middle of the image.
  Mesh& mesh = scene.mesh;
  mesh = {};
  mesh.vertices.resize(8, 3);
  mesh.vertices << -70, -70, -40, 70, -70, 40, 70, 70, 40, -70, 70, -40,  //
      -70, -70, 44, 70, -70, -36, 70, 70, -34, -70, 70, 46;
  mesh.triangles.resize(4, 3);
  mesh.triangles << 0, 1, 2, 0, 2, 3, 4, 5, 6, 4, 6, 7;
  scene.options.albedo = Points3::Constant(8, 3, 0.15F);
  scene.options.albedo.bottomRows<4>().setConstant(0.9F);
  scene.options.light = SphericalHarmonicsLight{};
  scene.options.antialias = false;

  const auto moveRoof = [&](Scene& s, float step) { s.mesh.vertices.bottomRows<4>().col(2).array() += step; };
  Scene more = scene, less = scene;
  moveRoof(more, 1.5F);
  moveRoof(less, -1.5F);
  const double numeric = (more.areaLoss() - less.areaLoss()) / 3;
  const double analytic = scene.gradients().vertices.bottomRows<4>().col(2).sum();
  MESSAGE("moving one roof towards the camera: ", analytic, " vs ", numeric);
  CHECK(analytic == doctest::Approx(numeric).epsilon(0.15));
}

TEST_CASE("renderFaceBackward: vertex gradients sum up to those of a common translation") {
  const Scene scene;
  const FaceGradients gradients = scene.gradients();
  const Eigen::Vector3f in_camera =
      scene.camera.camera_from_model.linear() * gradients.vertices.colwise().sum().transpose();
  // Shading does not change when the whole face moves, so the paths through the normals cancel.
  for (int axis = 0; axis < 3; ++axis)
    CHECK(in_camera[axis] == doctest::Approx(gradients.translation_mm[axis]).epsilon(1e-3).scale(0.1));
}

TEST_CASE("renderFaceBackward: equal for any number of threads, and views add up") {
  Scene scene;
  scene.options.albedo_texture = randomImage(8, 8, 3, 3, 0.2F, 0.8F);
  const int threads = numThreads();
  setNumThreads(1);
  const FaceGradients one = scene.gradients();
  setNumThreads(3);
  const FaceGradients three = scene.gradients();
  setNumThreads(threads);
  CHECK(one.vertices == three.vertices);
  CHECK(one.light == three.light);
  CHECK(one.rotation_rad == three.rotation_rad);

  const std::vector<Camera> cameras(2, scene.camera);
  const std::vector<FaceImages> images = renderFace(scene.mesh, cameras, scene.options);
  const FaceGradients both =
      renderFaceBackward(scene.mesh, cameras, scene.options, images, {lossWeights(), lossWeights()});
  CHECK((both.vertices - 2 * one.vertices).cwiseAbs().maxCoeff() < 1e-4F);
}

TEST_CASE("renderFaceBackward: images of another size are named") {
  const Scene scene;
  const FaceImages images = renderFace(scene.mesh, scene.camera, scene.options);
  CHECK_THROWS_WITH_AS(renderFaceBackward(scene.mesh, scene.camera, scene.options, images, ImageF(4, 4, 3)),
                       doctest::Contains("grad_colour is 4x4x3"), std::invalid_argument);
}

}  // namespace facet
