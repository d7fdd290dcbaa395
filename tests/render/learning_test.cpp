// What gradients are for: each test starts away from the truth and has to come back to it through rendered
// images.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "core/io/model_io.h"
#include "core/morphable_model.h"
#include "render/face_renderer.h"
#include "render/image_views.h"
#include "render/ops/antialias.h"
#include "render/ops/interpolate.h"
#include "render/ops/rasterize.h"
#include "render/ops/texture.h"
#include "tests/render/adam.h"
#include "tests/render/shapes.h"

namespace facet {
namespace {

Points4 project(const Points3& vertices, const Camera& camera) { return camera.clipFromModel(vertices); }

// Colours of a mesh with coloured vertices, antialiased, and the way back.
struct ColouredView {
  Points4 clip;
  ImageF rast, sharp, colour;

  ColouredView(const Points3& vertices, const Triangles& triangles, const Points3& colours,
               const std::vector<std::int32_t>& opposite, const Camera& camera)
      : clip(project(vertices, camera)),
        rast(camera.width_px, camera.height_px, 4),
        sharp(camera.width_px, camera.height_px, 3),
        colour(camera.width_px, camera.height_px, 3) {
    ops::RasterizeParams rasterize;
    rasterize.positions = view(std::as_const(clip));
    rasterize.triangles = view(triangles);
    rasterize.rast = view(rast);
    ops::rasterizeCpu(rasterize);
    ops::InterpolateParams interpolate;
    interpolate.attributes = view(colours);
    interpolate.triangles = view(triangles);
    interpolate.rast = view(std::as_const(rast));
    interpolate.out = view(sharp);
    ops::interpolateCpu(interpolate);
    ops::AntialiasParams antialias = antialiasParams(triangles, opposite);
    antialias.out = view(colour);
    ops::antialiasCpu(antialias);
  }

  ops::AntialiasParams antialiasParams(const Triangles& triangles,
                                       const std::vector<std::int32_t>& opposite) const {
    ops::AntialiasParams params;
    params.colour = view(sharp);
    params.rast = view(rast);
    params.positions = view(clip);
    params.triangles = view(triangles);
    params.opposite = opposite.data();
    return params;
  }

  // Gradients of vertices (through the camera) and colours for a gradient of the image.
  void backward(const ImageF& grad, const Triangles& triangles, const Points3& colours,
                const std::vector<std::int32_t>& opposite, const Camera& camera, Points3& grad_vertices,
                Points3& grad_colours) const {
    ImageF grad_sharp(grad.width(), grad.height(), 3), grad_rast(grad.width(), grad.height(), 4);
    Points4 grad_outline(clip.rows(), 4), grad_inside(clip.rows(), 4);
    grad_colours.resize(colours.rows(), 3);
    ops::AntialiasBackwardParams antialias;
    antialias.forward = antialiasParams(triangles, opposite);
    antialias.grad_out = view(grad);
    antialias.grad_colour = view(grad_sharp);
    antialias.grad_positions = view(grad_outline);
    ops::antialiasBackwardCpu(antialias);
    ops::InterpolateBackwardParams interpolate;
    interpolate.attributes = view(colours);
    interpolate.triangles = view(triangles);
    interpolate.rast = view(rast);
    interpolate.grad_out = view(std::as_const(grad_sharp));
    interpolate.grad_attributes = view(grad_colours);
    interpolate.grad_rast = view(grad_rast);
    ops::interpolateBackwardCpu(interpolate);
    ops::RasterizeBackwardParams rasterize;
    rasterize.positions = view(clip);
    rasterize.triangles = view(triangles);
    rasterize.rast = view(rast);
    rasterize.grad_rast = view(std::as_const(grad_rast));
    rasterize.grad_positions = view(grad_inside);
    ops::rasterizeBackwardCpu(rasterize);
    const Eigen::Matrix4f clip_from_model = camera.clipFromModel(1, 2);
    Points4 total = grad_outline + grad_inside;
    total.col(2).setZero();
    grad_vertices = total * clip_from_model.leftCols<3>();
  }
};

Camera turned(Camera camera, const Eigen::Quaternionf& rotation) {
  camera.camera_from_model.linear() = camera.camera_from_model.linear() * rotation.toRotationMatrix();
  return camera;
}

Eigen::Quaternionf randomRotation(std::mt19937& generator) {
  std::normal_distribution<float> normal;
  return Eigen::Quaternionf(normal(generator), normal(generator), normal(generator), normal(generator))
      .normalized();
}

struct Cube {
  Points3 vertices{8, 3};
  Points3 colours{8, 3};
  Triangles triangles{12, 3};

  Cube() {
    for (int i = 0; i < 8; ++i) {
      vertices.row(i) << (i & 1 ? 50.0F : -50.0F), (i & 2 ? 50.0F : -50.0F), (i & 4 ? 50.0F : -50.0F);
      colours.row(i) << (i & 1 ? 0.9F : 0.1F), (i & 2 ? 0.8F : 0.2F), (i & 4 ? 1.0F : 0.1F);
    }
    triangles << 0, 2, 1, 1, 2, 3, 4, 5, 6, 5, 7, 6, 0, 1, 4, 1, 5, 4, 2, 6, 3, 3, 6, 7, 0, 4, 2, 2, 4, 6, 1,
        3, 5, 3, 7, 5;
  }
};

std::vector<std::int32_t> topologyOf(const Triangles& triangles, Eigen::Index num_vertices) {
  std::vector<std::int32_t> opposite(static_cast<std::size_t>(triangles.size()));
  ops::buildTopology(view(triangles), num_vertices, opposite.data());
  return opposite;
}

ImageF squaredErrorSlope(const ImageF& image, const ImageF& target, double* error) {
  ImageF grad(image.width(), image.height(), image.channels());
  *error = 0;
  for (std::size_t i = 0; i < image.size(); ++i) {
    const float difference = image.data()[i] - target.data()[i];
    grad.data()[i] = 2 * difference;
    *error += static_cast<double>(difference) * difference;
  }
  return grad;
}

}  // namespace

TEST_CASE("learning: corners and colours of a cube are found from images of 4 to 16 pixels") {
  for (const int side_px : {16, 8, 4}) {
    const Cube truth;
    const auto opposite = topologyOf(truth.triangles, 8);
    std::mt19937 generator(1);
    std::normal_distribution<float> normal;
    Points3 vertices = truth.vertices, colours = truth.colours;
    for (float& v : vertices.reshaped()) v += 15 * normal(generator);
    for (float& c : colours.reshaped()) c = 0.5F;
    const double start_mm = (vertices - truth.vertices).rowwise().norm().mean();
    const Camera front = test::frontCamera(side_px, side_px, 1.2F * static_cast<float>(side_px), 400);
    test::Adam vertex_steps(24), colour_steps(24);
    constexpr int kIterations = 2500;
    for (int i = 0; i < kIterations; ++i) {
      const Camera camera = turned(front, randomRotation(generator));
      const ColouredView wanted(truth.vertices, truth.triangles, truth.colours, opposite, camera);
      const ColouredView got(vertices, truth.triangles, colours, opposite, camera);
      double error = 0;
      const ImageF grad = squaredErrorSlope(got.colour, wanted.colour, &error);
      Points3 grad_vertices, grad_colours;
      got.backward(grad, truth.triangles, colours, opposite, camera, grad_vertices, grad_colours);
      const float rate = std::pow(0.01F, static_cast<float>(i) / kIterations);
      const Eigen::VectorXf dv =
          vertex_steps.step(Eigen::Map<const Eigen::VectorXf>(grad_vertices.data(), 24));
      const Eigen::VectorXf dc =
          colour_steps.step(Eigen::Map<const Eigen::VectorXf>(grad_colours.data(), 24));
      Eigen::Map<Eigen::VectorXf>(vertices.data(), 24) -= rate * 1.0F * dv;
      Eigen::Map<Eigen::VectorXf>(colours.data(), 24) -= rate * 0.02F * dc;
    }
    const double end_mm = (vertices - truth.vertices).rowwise().norm().mean();
    MESSAGE(side_px, " px: corners ", start_mm, " mm off, then ", end_mm);
    // A pixel of the 4 px images is 83 mm wide at the cube.
    CHECK(end_mm < (side_px == 4 ? 0.25 : 0.1) * start_mm);
  }
}

TEST_CASE("learning: a texture is learned better through mip levels than without") {
  // Continents of a sort: smooth coastlines, with detail down to two texels.
  constexpr int kTexture = 256, kView = 48, kOversampling = 8;
  ImageF earth(kTexture, kTexture, 3);
  for (int y = 0; y < kTexture; ++y) {
    for (int x = 0; x < kTexture; ++x) {
      const double a = 2 * M_PI * x / kTexture, b = M_PI * y / kTexture;
      const double height = std::sin(2 * a + 1.5 * std::sin(3 * b)) + 0.7 * std::sin(5 * a - 4 * b) +
                            0.5 * std::sin(17 * a + 9 * b) + 0.6 * std::sin(60 * a) * std::sin(53 * b);
      const bool land = height > 0.3;
      earth.at(x, y)[0] = land ? 0.35F + 0.1F * static_cast<float>(height) : 0.05F;
      earth.at(x, y)[1] = land ? 0.45F : 0.2F;
      earth.at(x, y)[2] = land ? 0.15F : 0.6F;
    }
  }
  const Mesh sphere = test::makeSphere(24, 48, 50);
  const auto lookUp = [&](const Camera& camera, const ImageF& texture, bool mipmaps, const ImageF* grad,
                          ImageF* grad_texture) {
    const Points4 clip = project(sphere.vertices, camera);
    const int width = camera.width_px, height = camera.height_px;
    ImageF rast(width, height, 4), slopes(width, height, 4), uv(width, height, 2),
        uv_slopes(width, height, 4);
    ops::RasterizeParams rasterize;
    rasterize.positions = view(clip);
    rasterize.triangles = view(sphere.triangles);
    rasterize.rast = view(rast);
    rasterize.derivatives = view(slopes);
    ops::rasterizeCpu(rasterize);
    ops::InterpolateParams interpolate;
    interpolate.attributes = view(sphere.uv);
    interpolate.triangles = view(sphere.uv_triangles);
    interpolate.rast = view(std::as_const(rast));
    interpolate.derivatives = view(std::as_const(slopes));
    interpolate.num_differentiated = 2;
    interpolate.out = view(uv);
    interpolate.out_derivatives = view(uv_slopes);
    ops::interpolateCpu(interpolate);

    const int num_levels = mipmaps ? ops::numMipLevels(kTexture, kTexture) : 1;
    std::vector<ImageF> levels = {texture}, grad_levels = {ImageF(kTexture, kTexture, 3)};
    ops::MipStack stack, grad_stack;
    stack.num_levels = grad_stack.num_levels = num_levels;
    for (int l = 1; l < num_levels; ++l) {
      levels.emplace_back(kTexture >> l, kTexture >> l, 3);
      grad_levels.emplace_back(kTexture >> l, kTexture >> l, 3);
    }
    ops::TextureBackwardParams params;
    params.forward.texture.num_levels = num_levels;
    for (int l = 0; l < num_levels; ++l) {
      stack.levels[l] = view(levels[static_cast<std::size_t>(l)]);
      grad_stack.levels[l] = view(grad_levels[static_cast<std::size_t>(l)]);
      params.forward.texture.levels[l] = view(std::as_const(levels[static_cast<std::size_t>(l)]));
    }
    if (mipmaps) ops::buildMipStackCpu(stack);
    params.forward.uv = view(std::as_const(uv));
    if (mipmaps) params.forward.uv_derivatives = view(std::as_const(uv_slopes));
    params.forward.mask = view(std::as_const(rast));
    params.forward.filter = mipmaps ? ops::Filter::kLinearMipmapLinear : ops::Filter::kLinear;
    ImageF colour(width, height, 3);
    params.forward.out = view(colour);
    if (grad) {
      params.grad_out = view(*grad);
      params.grad_texture = grad_stack;
      ops::textureBackwardCpu(params);
      if (mipmaps) ops::buildMipStackBackwardCpu(grad_stack);
      *grad_texture = grad_levels[0];
    } else {
      ops::textureCpu(params.forward);
    }
    return colour;
  };

  const auto areaSampled = [&](const Camera& camera) {
    const ImageF fine = lookUp(camera.scaled(kOversampling), earth, false, nullptr, nullptr);
    ImageF image(kView, kView, 3);
    for (int y = 0; y < fine.height(); ++y)
      for (int x = 0; x < fine.width(); ++x)
        for (int c = 0; c < 3; ++c)
          image.at(x / kOversampling, y / kOversampling)[c] +=
              fine.at(x, y)[c] / static_cast<float>(kOversampling * kOversampling);
    return image;
  };

  const auto learn = [&](bool mipmaps) {
    std::mt19937 generator(2);
    std::uniform_real_distribution<float> uniform(0, 1);
    ImageF texture(kTexture, kTexture, 3, 0.3F);
    test::Adam steps(static_cast<Eigen::Index>(texture.size()));
    constexpr int kIterations = 220;
    for (int i = 0; i < kIterations; ++i) {
      const float distance_mm = 160 * std::pow(8.0F, uniform(generator));  // up to 40 texels per pixel
      const Eigen::Quaternionf rotation = randomRotation(generator);
      const Camera camera = turned(test::frontCamera(kView, kView, 80, distance_mm), rotation);
      const ImageF target = areaSampled(camera);
      const ImageF image = lookUp(camera, texture, mipmaps, nullptr, nullptr);
      double error = 0;
      ImageF grad = squaredErrorSlope(image, target, &error), grad_texture;
      lookUp(camera, texture, mipmaps, &grad, &grad_texture);
      const float rate = 0.05F * std::pow(0.05F, static_cast<float>(i) / kIterations);
      Eigen::Map<Eigen::VectorXf>(texture.data(), static_cast<Eigen::Index>(texture.size())) -=
          rate * steps.step(Eigen::Map<const Eigen::VectorXf>(grad_texture.data(),
                                                              static_cast<Eigen::Index>(texture.size())));
    }
    // The learned texture in pictures from places that were not trained on, against pictures of the true one.
    double square = 0;
    std::size_t count = 0;
    for (int i = 0; i < 8; ++i) {
      const Camera camera =
          turned(test::frontCamera(kView, kView, 80, 160 * std::pow(8.0F, static_cast<float>(i) / 7)),
                 randomRotation(generator));
      const ImageF wanted = areaSampled(camera);
      const ImageF got = lookUp(camera, texture, mipmaps, nullptr, nullptr);
      double error = 0;
      squaredErrorSlope(got, wanted, &error);
      square += error;
      count += got.size();
    }
    return -10 * std::log10(square / static_cast<double>(count));
  };
  const double with = learn(true), without = learn(false);
  MESSAGE("PSNR with mip levels ", with, " dB, without ", without, " dB");
  CHECK(with > without + 0.5);
  CHECK(with > 14);
}

TEST_CASE("learning: the pose of a shape is found from its silhouette") {
  // A cube drawn out to three different edges has no two poses (but its own symmetries) with one silhouette.
  Cube box;
  box.vertices = box.vertices * Eigen::Vector3f(0.5F, 1.0F, 1.5F).asDiagonal();
  box.vertices.row(7) *= 1.4F;
  const auto opposite = topologyOf(box.triangles, 8);
  const Points3 white = Points3::Ones(8, 3);
  const Camera front = test::frontCamera(64, 64, 90, 400);
  const Eigen::Quaternionf truth = Eigen::Quaternionf(0.8F, 0.3F, 0.5F, -0.1F).normalized();
  const ImageF silhouette =
      ColouredView(box.vertices, box.triangles, white, opposite, turned(front, truth)).colour;

  Eigen::Quaternionf rotation =
      truth * Eigen::AngleAxisf(0.35F, Eigen::Vector3f(0.5F, -0.6F, 0.6F).normalized());
  test::Adam steps(3);
  constexpr int kIterations = 300;
  for (int i = 0; i < kIterations; ++i) {
    const Camera camera = turned(front, rotation);
    const ColouredView got(box.vertices, box.triangles, white, opposite, camera);
    double error = 0;
    const ImageF grad = squaredErrorSlope(got.colour, silhouette, &error);
    Points3 grad_vertices, grad_colours;
    got.backward(grad, box.triangles, white, opposite, camera, grad_vertices, grad_colours);
    // x -> R (x + w × x): the gradient of w is the sum of x × g.
    Eigen::Vector3f torque = Eigen::Vector3f::Zero();
    for (int v = 0; v < 8; ++v)
      torque += Eigen::Vector3f(box.vertices.row(v)).cross(Eigen::Vector3f(grad_vertices.row(v)));
    const Eigen::Vector3f step =
        -0.02F * std::pow(0.02F, static_cast<float>(i) / kIterations) * steps.step(torque);
    rotation = (rotation * Eigen::AngleAxisf(step.norm(), step.normalized())).normalized();
  }
  const double degrees = rotation.angularDistance(truth) * 180 / M_PI;
  MESSAGE("20 degrees off, then ", degrees);
  CHECK(degrees < 1);
}

TEST_CASE("learning: pose, distance and light of a face are found from its picture") {
  const MorphableModel model = loadModel("builtin");
  const Mesh mesh = model.mesh(model.mean);
  ShadeOptions truth, guess;
  truth.antialias = guess.antialias = true;
  truth.albedo = guess.albedo = model.albedo_mean;
  std::mt19937 generator(5);
  std::normal_distribution<float> normal;
  for (int k = 1; k < 9; ++k)
    for (int c = 0; c < 3; ++c) truth.light.coefficients(k, c) += 0.5F * normal(generator);
  truth.background = guess.background = {0.05F, 0.08F, 0.2F};
  const Camera start = test::frontCamera(96, 96, 300, 900);
  const auto moved = [](Camera camera, const Eigen::Vector3f& rotation_rad,
                        const Eigen::Vector3f& translation_mm) {
    const Eigen::Vector3f pivot = camera.camera_from_model.translation();
    const float angle = rotation_rad.norm();
    const Eigen::Matrix3f turn = angle > 0 ? Eigen::AngleAxisf(angle, rotation_rad / angle).toRotationMatrix()
                                           : Eigen::Matrix3f::Identity();
    camera.camera_from_model.linear() = turn * camera.camera_from_model.linear();
    camera.camera_from_model.translation() = pivot + translation_mm;
    return camera;
  };
  const Camera true_camera = moved(start, {0.1F, 0.2F, -0.08F}, {12, -8, 60});
  const ImageF photo = renderFace(mesh, true_camera, truth).colour;

  Camera camera = start;
  test::Adam steps(33);
  double first = 0, last = 0;
  constexpr int kIterations = 180;
  for (int i = 0; i < kIterations; ++i) {
    const FaceImages images = renderFace(mesh, camera, guess);
    const ImageF grad = squaredErrorSlope(images.colour, photo, &last);
    if (i == 0) first = last;
    const FaceGradients g = renderFaceBackward(mesh, camera, guess, images, grad);
    // About the model's origin rather than about the camera: the two motions then hardly disturb each other.
    const Eigen::Vector3f torque =
        g.rotation_rad - camera.camera_from_model.translation().cross(g.translation_mm);
    Eigen::VectorXf all(33);
    all.head<3>() = torque;
    all.segment<3>(3) = g.translation_mm;
    all.tail<27>() = Eigen::Map<const Eigen::Matrix<float, 27, 1>>(g.light.data());
    const Eigen::VectorXf step = std::pow(0.03F, static_cast<float>(i) / kIterations) * steps.step(all);
    const Eigen::Vector3f shift = Eigen::Vector3f(1.5F, 1.5F, 6).cwiseProduct(step.segment<3>(3));
    camera = moved(camera, -0.02F * step.head<3>(), -shift);
    guess.light.coefficients -= 0.06F * Eigen::Map<const Eigen::Matrix<float, 9, 3>>(step.data() + 6);
  }
  const Eigen::Matrix3f difference =
      true_camera.camera_from_model.linear().transpose() * camera.camera_from_model.linear();
  const double degrees = Eigen::AngleAxisf(difference).angle() * 180 / M_PI;
  const Eigen::Vector3f offset_mm =
      camera.camera_from_model.translation() - true_camera.camera_from_model.translation();
  MESSAGE("error ", first, " -> ", last, "; rotation off by ", degrees, " degrees, position by ",
          offset_mm.transpose(), " mm");
  CHECK(last < 0.02 * first);
  CHECK(degrees < 1.5);
  CHECK(offset_mm.head<2>().norm() < 2);
  CHECK(std::abs(offset_mm.z()) < 30);  // of 960: distance shows in size only
}

}  // namespace facet
