#include "fitting/appearance.h"

#include <doctest/doctest.h>

#include "render/face_renderer.h"

using namespace facet;

namespace {

// A photo of the synthetic head whose light and albedo are known.
struct Scene {
  MorphableModel model = makeSyntheticModel(3);
  Camera camera;
  SphericalHarmonicsLight light;
  Eigen::VectorXf albedo;
  Image8 photo;

  explicit Scene(float exposure = 1) {
    const Eigen::Vector3f center = model.mean.colwise().mean();
    camera.width_px = camera.height_px = 320;
    camera.focal_px = 900;
    camera.principal_px.setConstant(160);
    camera.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
    camera.camera_from_model.translation() =
        Eigen::Vector3f(0, 0, 900) - camera.camera_from_model.linear() * center;
    light.coefficients = SphericalHarmonicsLight::ambient(0.8F);
    light.coefficients.row(3).setConstant(0.9F);   // from the subject's left
    light.coefficients.row(1).setConstant(-0.4F);  // and from below
    light.coefficients *= exposure;
    albedo = Eigen::VectorXf::LinSpaced(model.numAlbedo(), -1.0F, 1.0F);
    ShadeOptions shade;
    shade.light = light;
    shade.albedo = model.albedoColours(albedo);
    photo = srgbFromLinear(renderFace(model.mesh(model.mean), camera, shade).colour);
  }
};

}  // namespace

TEST_CASE("estimateAppearance: explains the photo that a light and an albedo made") {
  const Scene scene;
  const Appearance found = estimateAppearance(scene.model, scene.model.mean, scene.camera, scene.photo);
  CHECK(found.num_pixels > 500);
  CHECK(found.residual < 0.015);  // linear light in [0, 1]; 8-bit rounding alone is about 0.003
  // Brighter on the side and less from above, as the light that made it.
  const auto left = [](const SphericalHarmonicsLight& light) {
    return (light.shading({1, 0, 0}) - light.shading({-1, 0, 0})).mean() / light.shading({0, 0, 1}).mean();
  };
  CHECK(left(found.light) == doctest::Approx(left(scene.light)).epsilon(0.15));
  const auto above = [](const SphericalHarmonicsLight& light) {
    return (light.shading({0, 1, 0}) - light.shading({0, -1, 0})).mean() / light.shading({0, 0, 1}).mean();
  };
  CHECK(std::abs(above(found.light) - above(scene.light)) < 0.15);
}

TEST_CASE("estimateAppearance: an exposure twice as long goes to the light, not to the skin") {
  const Appearance normal =
      estimateAppearance(Scene().model, Scene().model.mean, Scene().camera, Scene().photo);
  const Scene dark_scene(0.5F);
  const Appearance dark =
      estimateAppearance(dark_scene.model, dark_scene.model.mean, dark_scene.camera, dark_scene.photo);
  const float light_ratio = dark.light.shading({0, 0, 1}).mean() / normal.light.shading({0, 0, 1}).mean();
  const float skin_ratio = dark.vertex_albedo.mean() / normal.vertex_albedo.mean();
  CHECK(light_ratio * skin_ratio == doctest::Approx(0.5).epsilon(0.1));
  CHECK(skin_ratio > light_ratio);
}

TEST_CASE("estimateAppearance: a bar over the eyes hardly changes the light") {
  const Scene scene;
  Image8 covered = scene.photo;
  const Points2 landmarks =
      scene.camera.imageFromModel(scene.model.landmarks68.points(scene.model.mean, scene.model.triangles));
  const int eye_row = static_cast<int>(landmarks.middleRows(36, 12).col(1).mean());
  for (int y = eye_row - 6; y < eye_row + 6; ++y) {
    for (int x = 0; x < covered.width(); ++x) std::fill_n(covered.at(x, y), 3, std::uint8_t{10});
  }
  const Appearance open = estimateAppearance(scene.model, scene.model.mean, scene.camera, scene.photo);
  const Appearance barred = estimateAppearance(scene.model, scene.model.mean, scene.camera, covered);
  const Eigen::Vector3f a = open.light.shading({0, 0, 1}), b = barred.light.shading({0, 0, 1});
  CHECK((a - b).cwiseAbs().maxCoeff() < 0.12F * a.maxCoeff());
}

TEST_CASE("estimateAppearance: a black-and-white photo gives a grey albedo") {
  const Scene scene;
  Image8 grey = scene.photo;
  for (int y = 0; y < grey.height(); ++y) {
    for (int x = 0; x < grey.width(); ++x) std::fill_n(grey.at(x, y), 3, scene.photo.at(x, y)[1]);
  }
  const Appearance found = estimateAppearance(scene.model, scene.model.mean, scene.camera, grey);
  CHECK((found.vertex_albedo.col(0) - found.vertex_albedo.col(2)).cwiseAbs().maxCoeff() < 1e-5F);
}

TEST_CASE("estimateAppearance: without any skin in sight the answer is the prior's and says so") {
  const Scene scene;
  Camera away = scene.camera;
  away.camera_from_model.translation().x() += 5000;
  const Appearance found = estimateAppearance(scene.model, scene.model.mean, away, scene.photo);
  CHECK(found.num_pixels == 0);
  CHECK(found.vertex_albedo.rows() == scene.model.numVertices());
  CHECK(found.albedo.isZero());
}

TEST_CASE("estimateAppearance: a model without albedo, or with its mean only, gets a skin tone") {
  for (const bool has_mean : {false, true}) {
    Scene scene;
    if (!has_mean) scene.model.albedo_mean.resize(0, 3);
    scene.model.albedo = {};
    const Appearance found = estimateAppearance(scene.model, scene.model.mean, scene.camera, scene.photo);
    CHECK(found.albedo.size() == 0);
    CHECK(found.vertex_albedo.rows() == scene.model.numVertices());
    CHECK(found.vertex_albedo.allFinite());
  }
}

TEST_CASE("estimateAppearance: the clue of the skin's colour tells dark skin from dim light") {
  const Scene dim(0.6F);  // lighter skin than the average in 60 % of the light
  const Appearance alone = estimateAppearance(dim.model, dim.model.mean, dim.camera, dim.photo);
  AppearanceClues clues;
  clues.albedo = {dim.albedo, Eigen::VectorXf::Constant(dim.albedo.size(), 0.1F)};
  const Appearance told = estimateAppearance(dim.model, dim.model.mean, dim.camera, dim.photo, {}, clues);
  const auto exposure = [](const SphericalHarmonicsLight& light) { return light.shading({0, 0, 1}).mean(); };
  CHECK((told.albedo - dim.albedo).norm() < 0.3F * (alone.albedo - dim.albedo).norm());
  CHECK(exposure(told.light) == doctest::Approx(exposure(dim.light)).epsilon(0.05));
  clues.albedo.sigma.conservativeResize(1);
  CHECK_THROWS_AS(estimateAppearance(dim.model, dim.model.mean, dim.camera, dim.photo, {}, clues),
                  std::invalid_argument);
}

TEST_CASE("estimateAppearance: what the parsing calls an occluder plays no part") {
  Scene scene;
  // A green thing over the left half of the picture, as seen.
  for (int y = 0; y < scene.photo.height(); ++y)
    for (int x = 0; x < scene.photo.width() / 2; ++x) {
      std::uint8_t* pixel = scene.photo.at(x, y);
      pixel[0] = 20, pixel[1] = 200, pixel[2] = 40;
    }
  AppearanceClues clues;
  FaceParsing parsing;
  parsing.crop = {{160, 160}, 320, 0};
  parsing.probability = ImageF(64, 64, kNumFaceParts, 0.0F);
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x)
      parsing.probability.at(x, y)[static_cast<int>(x < 32 ? FacePart::kOccluder : FacePart::kSkin)] = 1;
  clues.parsing = parsing;
  const Appearance blind = estimateAppearance(scene.model, scene.model.mean, scene.camera, scene.photo);
  const Appearance told =
      estimateAppearance(scene.model, scene.model.mean, scene.camera, scene.photo, {}, clues);
  CHECK(told.num_pixels < 0.65 * blind.num_pixels);
  CHECK(told.residual < 0.015);
  CHECK(blind.residual > 5 * told.residual);
}
