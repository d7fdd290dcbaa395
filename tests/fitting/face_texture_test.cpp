#include "fitting/face_texture.h"

#include <doctest/doctest.h>

#include "core/io/model_io.h"
#include "render/face_renderer.h"
#include "render/studio.h"
#include "render/uv_maps.h"

using namespace facet;

namespace {

constexpr int kSize_px = 128;

const MorphableModel& head() {
  static const MorphableModel model = loadModel("builtin");
  return model;
}

// The built-in head in its own colours from one side, under white light from everywhere.
struct Picture {
  Image8 photo;
  TextureView view;

  explicit Picture(float yaw_degrees) {
    OrbitOptions orbit;
    orbit.size_px = 400;
    orbit.yaw_degrees = yaw_degrees;
    view.vertices = head().mean;
    view.camera = orbitCamera(head().mean, orbit);
    view.light.coefficients = SphericalHarmonicsLight::ambient(0.9F);
    ShadeOptions shade;
    shade.light = view.light;
    shade.albedo = head().albedo_mean;
    photo = srgbFromLinear(renderFace(head().mesh(head().mean), view.camera, shade).colour);
    view.photo = &photo;
  }
};

// Mean colour of a map over the vertices of one region.
Eigen::Vector3f meanOver(const ImageF& map, const std::string& region) {
  const Fragments layout = rasterizeUv(head().mesh(head().mean), kSize_px);
  Eigen::Vector3f sum = Eigen::Vector3f::Zero();
  int count = 0;
  for (int y = 0; y < kSize_px; ++y) {
    for (int x = 0; x < kSize_px; ++x) {
      const int f = layout.triangle(x, y);
      if (f < 0 || head().region_names[head().region[head().triangles(f, 0)]] != region) continue;
      sum += Eigen::Map<const Eigen::Vector3f>(map.at(x, y));
      ++count;
    }
  }
  return sum / static_cast<float>(count);
}

}  // namespace

TEST_CASE(
    "makeFaceMaps: two sides together see what each of them sees, in the colours that made the pictures") {
  const Picture left(50), right(-50);
  const FaceMaps from_left = makeFaceMaps(head(), head().albedo_mean, {left.view}, kSize_px);
  const FaceMaps from_right = makeFaceMaps(head(), head().albedo_mean, {right.view}, kSize_px);
  const FaceMaps both = makeFaceMaps(head(), head().albedo_mean, {left.view, right.view}, kSize_px);
  int only_left = 0, only_right = 0;
  for (std::size_t i = 0; i < both.visibility.size(); ++i) {
    const float l = from_left.visibility.data()[i], r = from_right.visibility.data()[i];
    CHECK(both.visibility.data()[i] == std::max(l, r));
    only_left += l > 0.5F && r == 0;
    only_right += r > 0.5F && l == 0;
  }
  CHECK(only_left > 300);
  CHECK(only_right > 300);
  for (const char* region : {"cheek_left", "cheek_right", "forehead"}) {
    const Eigen::Vector3f wanted = meanOver(both.albedo, region), found = meanOver(both.texture, region);
    CHECK((found - wanted).cwiseAbs().maxCoeff() < 0.03F);  // 8-bit photo, blurred by its pixels
  }
}

TEST_CASE(
    "makeFaceMaps: a head with hair in the picture gets hair where nothing is seen, a bald one does not") {
  Picture picture(0);
  FaceParsing parsing;
  parsing.crop = {{200, 200}, 400, 0};
  // Everything above the middle of the crop shows hair, or skin if the head is bald; below it, skin.
  const auto parsedAs = [&](FacePart above) {
    parsing.probability = ImageF(32, 32, kNumFaceParts, 0.0F);
    for (int y = 0; y < 32; ++y) {
      for (int x = 0; x < 32; ++x)
        parsing.probability.at(x, y)[static_cast<int>(y < 10 ? above : FacePart::kSkin)] = 1;
    }
  };
  // The hair is nearly black.
  for (int y = 0; y < 125; ++y) {
    for (int x = 0; x < 400; ++x) {
      for (int c = 0; c < 3; ++c) picture.photo.at(x, y)[c] = 30;
    }
  }
  picture.view.parsing = &parsing;
  parsedAs(FacePart::kHair);
  const FaceMaps hairy = makeFaceMaps(head(), head().albedo_mean, {picture.view}, kSize_px);
  parsedAs(FacePart::kSkin);
  const FaceMaps bald = makeFaceMaps(head(), head().albedo_mean, {picture.view}, kSize_px);
  const Eigen::Vector3f scalp = meanOver(hairy.texture, "scalp"), skin = meanOver(bald.texture, "scalp");
  CHECK(scalp.x() < 0.5F * skin.x());
  CHECK(meanOver(hairy.texture, "cheek_left").x() > 0.8F * meanOver(bald.texture, "cheek_left").x());
}
