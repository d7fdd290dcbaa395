#include "render/face_renderer.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/morphable_model.h"
#include "tests/render/shapes.h"

namespace facet {
namespace {

using test::frontCamera;

TEST_CASE("renderFace: ambient light of 1 shows the albedo itself") {
  const Mesh mesh = test::makeSphere(16, 32, 50);
  const Camera camera = frontCamera(64, 48, 150, 300);
  ShadeOptions options;
  options.albedo = Points3::Constant(mesh.vertices.rows(), 3, 0.0F);
  options.albedo.rowwise() = Eigen::RowVector3f(0.7F, 0.4F, 0.2F);
  options.background = {0.1F, 0.2F, 0.3F};
  const FaceImages images = renderFace(mesh, camera, options);
  int covered = 0;
  for (int y = 0; y < 48; ++y) {
    for (int x = 0; x < 64; ++x) {
      const bool hit = *images.mask.at(x, y) == 255;
      covered += hit ? 1 : 0;
      CHECK(hit == (images.fragments.triangle(x, y) >= 0));
      const Eigen::Vector3f expected = hit ? Eigen::Vector3f(0.7F, 0.4F, 0.2F) : options.background;
      REQUIRE((Eigen::Map<const Eigen::Vector3f>(images.colour.at(x, y)) - expected).norm() < 1e-5F);
    }
  }
  CHECK(covered > 1000);
}

TEST_CASE(
    "renderFace: albedo from a texture lands where the UV says, and light from the left lights the left") {
  const Mesh mesh = test::makeSphere(32, 64, 50);
  const Camera camera = frontCamera(64, 64, 150, 300);
  ShadeOptions options;
  options.albedo_texture = ImageF(2, 2, 3, 0.2F);  // top row first
  for (int c = 0; c < 3; ++c)
    options.albedo_texture->at(1, 0)[c] = 0.8F;  // u > 1/2, v > 1/2: model's +X, top
  const FaceImages flat = renderFace(mesh, camera, options);
  // +X of the model is on the right of the image of a camera in front.
  CHECK(*flat.colour.at(44, 18) > 0.48F);
  CHECK(*flat.colour.at(20, 18) < 0.4F);
  CHECK(*flat.colour.at(44, 46) < 0.4F);

  options.albedo_texture.reset();
  options.light.coefficients.row(3).setConstant(-1);  // x: darker towards +X
  const FaceImages lit = renderFace(mesh, camera, options);
  CHECK(*lit.colour.at(20, 32) > 1.2F * *lit.colour.at(44, 32));
}

TEST_CASE(
    "renderFace: depth is the distance along the optical axis and normals are in the OpenCV camera frame") {
  const Mesh mesh = test::makeSphere(64, 128, 50);
  const Camera camera = frontCamera(65, 65, 150, 300);
  const FaceImages images = renderFace(mesh, camera);
  CHECK(*images.depth.at(32, 32) == doctest::Approx(250).epsilon(1e-4));  // nearest point of the sphere
  const Eigen::Map<const Eigen::Vector3f> centre(images.normal.at(32, 32));
  CHECK((centre - Eigen::Vector3f(0, 0, -1)).norm() < 0.01F);  // towards the camera
  CHECK(images.normal.at(32, 16)[1] < -0.3F);                  // up on the head is -y in the camera frame
  CHECK(images.normal.at(48, 32)[0] > 0.3F);
  for (int y = 0; y < 65; ++y) {
    for (int x = 0; x < 65; ++x) {
      const bool hit = *images.mask.at(x, y) != 0;
      const Eigen::Vector3f normal = Eigen::Map<const Eigen::Vector3f>(images.normal.at(x, y));
      REQUIRE(normal.norm() == doctest::Approx(hit ? 1 : 0).epsilon(1e-5));
      REQUIRE((*images.depth.at(x, y) > 0) == hit);
      if (!hit) continue;
      // The sphere's own normal there: from its centre (0, 0, 300) to the point behind the pixel.
      const float z = *images.depth.at(x, y);
      const Eigen::Vector3f point((static_cast<float>(x) + 0.5F - 32.5F) * z / 150,
                                  (static_cast<float>(y) + 0.5F - 32.5F) * z / 150, z);
      REQUIRE((normal - (point - Eigen::Vector3f(0, 0, 300)).normalized()).norm() < 0.02F);
    }
  }
}

TEST_CASE("renderPncc: rendering the mean gives its own coordinates, scaled to its bounding box") {
  const MorphableModel model = makeSyntheticModel();
  const Points3& mean = model.mean;
  const Camera camera = frontCamera(96, 96, 300, 900);
  const FaceImages images = renderFace(model.mesh(mean), camera);
  const ImageF pncc = renderPncc(images.fragments, model.triangles, mean);
  const ImageF position = interpolate(images.fragments, model.triangles, mean);
  const Eigen::RowVector3f low = mean.colwise().minCoeff(), high = mean.colwise().maxCoeff();
  int covered = 0;
  for (int y = 0; y < 96; ++y) {
    for (int x = 0; x < 96; ++x) {
      if (images.fragments.triangle(x, y) < 0) {
        for (int c = 0; c < 3; ++c) REQUIRE(pncc.at(x, y)[c] == 0);
        continue;
      }
      ++covered;
      for (int c = 0; c < 3; ++c) {
        REQUIRE(pncc.at(x, y)[c] ==
                doctest::Approx((position.at(x, y)[c] - low[c]) / (high[c] - low[c])).epsilon(1e-4));
        REQUIRE(pncc.at(x, y)[c] >= 0);
        REQUIRE(pncc.at(x, y)[c] <= 1);
      }
    }
  }
  CHECK(covered > 500);
}

TEST_CASE("overlay: blends in linear light where the mask is set and leaves the rest alone") {
  Image8 photo(2, 1, 3, 255);
  const ImageF black(2, 1, 3, 0.0F);
  Image8 mask(2, 1, 1);
  *mask.at(1, 0) = 255;
  const Image8 half = overlay(photo, black, mask, 0.5F);
  CHECK(half.at(0, 0)[0] == 255);
  CHECK(half.at(1, 0)[0] == 188);  // half of the light of white is sRGB 188, not 128
  CHECK(overlay(photo, black, mask, 0.0F).at(1, 0)[0] == 255);
  CHECK(overlay(photo, black, mask, 1.0F).at(1, 0)[0] == 0);
  CHECK_THROWS_AS(overlay(photo, ImageF(3, 1, 3), mask, 0.5F), std::invalid_argument);
}

}  // namespace
}  // namespace facet
