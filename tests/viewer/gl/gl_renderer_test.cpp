#include "viewer/gl/gl_renderer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <numbers>

#include "core/io/model_io.h"
#include "core/morphable_model.h"
#include "render/face_renderer.h"
#include "render/studio.h"
#include "tests/render/shapes.h"
#include "tests/viewer/gl/scenes.h"

namespace facet {
namespace {

using test::frameOf;
using test::itemOf;
using test::plainCamera;
using test::rectangle;
using test::Stage;
using test::stateOf;
using test::viewOf;

constexpr float kHalf = 127.5F;

// sRGB bytes of a linear colour.
std::array<int, 3> bytes(const Eigen::Vector3f& linear) {
  std::array<int, 3> result{};
  for (int c = 0; c < 3; ++c)
    result[c] = static_cast<int>(std::lround(255 * srgbFromLinear(std::clamp(linear[c], 0.0F, 1.0F))));
  return result;
}

void checkPixel(const Image8& image, int x, int y, const std::array<int, 3>& expected, int tolerance = 1) {
  for (int c = 0; c < 3; ++c) {
    CAPTURE(x);
    CAPTURE(y);
    CAPTURE(c);
    CHECK(std::abs(image.at(x, y)[c] - expected[c]) <= tolerance);
  }
}

std::shared_ptr<const Image8> plainImage(int red, int green, int blue, int size_px = 4) {
  auto image = std::make_shared<Image8>(size_px, size_px, 3);
  for (int i = 0; i < size_px * size_px; ++i) {
    image->data()[3 * i] = static_cast<std::uint8_t>(red);
    image->data()[3 * i + 1] = static_cast<std::uint8_t>(green);
    image->data()[3 * i + 2] = static_cast<std::uint8_t>(blue);
  }
  return image;
}

// Smooth, with other frequencies along u and v, so that a flip or a swap shows.
std::shared_ptr<const Image8> pattern(int size_px) {
  auto image = std::make_shared<Image8>(size_px, size_px, 3);
  for (int y = 0; y < size_px; ++y) {
    for (int x = 0; x < size_px; ++x) {
      const float u = static_cast<float>(x) / static_cast<float>(size_px);
      const float v = static_cast<float>(y) / static_cast<float>(size_px);
      image->at(x, y)[0] = static_cast<std::uint8_t>(60 + 180 * u);
      image->at(x, y)[1] = static_cast<std::uint8_t>(200 - 150 * v);
      image->at(x, y)[2] = static_cast<std::uint8_t>(128 + 90 * std::sin(20 * u + 9 * v));
    }
  }
  return image;
}

DrawItem shaded(const Mesh& mesh, SurfaceShading shading, const Eigen::Vector3f& colour) {
  DrawItem item = itemOf(mesh);
  item.shading = shading;
  // A material of factor 1 and nothing else says nothing and is grey; this is as good as white.
  item.materials[0].base_colour_factor = 0.9999F * colour;
  return item;
}

struct Difference {
  double mean = 0;       // of the bytes where both cover
  double uncovered = 0;  // share of the pixels that only one covers
  double covered = 0;    // share of the pixels
};

// The same mesh by OpenGL and by renderFace().
Difference differenceFromCpu(const Mesh& mesh, const Camera& camera, const DrawMaterial& material,
                             const Points3& albedo) {
  const SphericalHarmonicsLight light = studioLight();
  ShadeOptions options;
  options.light = light;
  options.cull_backfaces = true;
  if (material.base_colour) options.albedo_texture = linearFromSrgb(*material.base_colour);
  options.albedo = albedo;
  const FaceImages cpu = renderFace(mesh, camera, options);
  const Image8 cpu_srgb = srgbFromLinear(cpu.colour);

  DrawItem item = itemOf(mesh);
  item.materials = {material};
  if (albedo.rows() > 0) {
    stateOf(item).colours = gatherRows(albedo, item.layout->vertex);
    stateOf(item).colour_revision = 1;
  }
  DrawView view = viewOf(camera, {item});
  std::tie(view.near_mm, view.far_mm) = camera.depthRange(mesh.vertices);
  view.light.diffuse = light;
  Frame frame = frameOf({view});
  frame.transparent = true;
  const Image8 gl = Stage().draw(frame);

  Difference difference;
  double sum = 0;
  int both = 0, one = 0;
  for (int y = 0; y < camera.height_px; ++y) {
    for (int x = 0; x < camera.width_px; ++x) {
      const bool in_cpu = *cpu.mask.at(x, y) != 0, in_gl = gl.at(x, y)[3] != 0;
      if (in_cpu != in_gl) ++one;
      if (!in_cpu || !in_gl) continue;
      ++both;
      for (int c = 0; c < 3; ++c) sum += std::abs(gl.at(x, y)[c] - cpu_srgb.at(x, y)[c]) / 3.0;
    }
  }
  const double pixels = static_cast<double>(camera.width_px) * camera.height_px;
  difference.mean = sum / std::max(both, 1);
  difference.uncovered = one / pixels;
  difference.covered = both / pixels;
  MESSAGE("mean difference ", difference.mean, " / 255, coverage differs on ", 100 * difference.uncovered,
          " %");
  return difference;
}

void checkAgrees(const Difference& difference) {
  CHECK(difference.covered > 0.1);
  CHECK(difference.mean < 2);
  CHECK(difference.uncovered < 0.001);
}

TEST_CASE("GlRenderer: a textured sphere looks as renderFace() draws it, seen by either kind of camera") {
  const Mesh mesh = test::makeSphere(40, 80, 90);
  DrawMaterial material;
  material.base_colour = pattern(256);
  Camera camera = test::frontCamera(301, 200, 500, 600);
  camera.camera_from_model.rotate(Eigen::AngleAxisf(0.5F, Eigen::Vector3f(0.3F, 1, 0.2F).normalized()));
  camera.principal_px = {140.3F, 110.7F};
  checkAgrees(differenceFromCpu(mesh, camera, material, {}));
  camera.projection = Camera::Projection::kScaledOrthographic;
  camera.scale_px_per_mm = 0.9F;
  checkAgrees(differenceFromCpu(mesh, camera, material, {}));
}

TEST_CASE("GlRenderer: the built-in head looks as renderFace() draws it: textured, coloured and plain") {
  const MorphableModel model = loadModel("builtin");
  const Mesh mesh = model.mesh(model.vertices({}, {}));
  const Camera camera = orbitCamera(mesh.vertices, {.size_px = 512, .yaw_degrees = 30});
  DrawMaterial material;
  SUBCASE("plain") { checkAgrees(differenceFromCpu(mesh, camera, material, {})); }
  SUBCASE("textured") {
    material.base_colour = pattern(512);
    checkAgrees(differenceFromCpu(mesh, camera, material, {}));
  }
  SUBCASE("coloured") {
    Points3 albedo = (mesh.vertices.array() / 400 + 0.4F).max(0.05F).min(0.95F).matrix();
    checkAgrees(differenceFromCpu(mesh, camera, material, albedo));
  }
}

TEST_CASE("GlRenderer: depth is white at the near plane, black at the far one, linear between") {
  DrawItem item = shaded(rectangle(-20, -20, 20, 20, 50), SurfaceShading::kDepth, {1, 1, 1});
  DrawView view = viewOf(plainCamera(64, 48), {item});
  // The rectangle stands 150 mm from the camera, a quarter of the way from 100 to 300.
  checkPixel(Stage().draw(frameOf({view})), 32, 24, {191, 191, 191});
  view.near_mm = 140;
  view.far_mm = 160;
  checkPixel(Stage().draw(frameOf({view})), 32, 24, {128, 128, 128});
}

TEST_CASE("GlRenderer: normals are red to the right, green up, blue to the viewer, as data") {
  const float radius = 40;
  DrawItem item = shaded(test::makeSphere(160, 320, radius), SurfaceShading::kNormals, {1, 1, 1});
  const Image8 image = Stage().draw(frameOf({viewOf(plainCamera(100, 100), {item})}));
  for (const auto& [x, y] : {std::pair(50, 50), std::pair(70, 50), std::pair(50, 25), std::pair(30, 65)}) {
    const float right = (static_cast<float>(x) + 0.5F - 50) / radius;
    const float up = (50 - static_cast<float>(y) - 0.5F) / radius;
    const float out = std::sqrt(1 - right * right - up * up);
    const auto byte = [](float n) { return static_cast<int>(std::lround(kHalf * (n + 1))); };
    checkPixel(image, x, y, {byte(right), byte(up), byte(out)}, 2);
  }
}

TEST_CASE("GlRenderer: the head's normals turn with the camera") {
  DrawItem item = shaded(rectangle(-30, -30, 30, 30), SurfaceShading::kNormals, {1, 1, 1});
  Camera camera = plainCamera(64, 64);
  // The camera goes to the subject's left (+X): the face then looks to the picture's left.
  camera.camera_from_model.rotate(
      Eigen::AngleAxisf(-std::numbers::pi_v<float> / 6, Eigen::Vector3f::UnitY()));
  const auto byte = [](double n) { return static_cast<int>(std::lround(127.5 * (n + 1))); };
  checkPixel(Stage().draw(frameOf({viewOf(camera, {item})})), 32, 32,
             {byte(-0.5), byte(0), byte(std::sqrt(0.75))}, 1);
}

TEST_CASE("GlRenderer: values go through the colour map and unknown ones are grey") {
  DrawItem item = shaded(rectangle(-32, -24, 32, 24), SurfaceShading::kValues, {1, 1, 1});
  item.value_low = 2;
  item.value_high = 6;
  stateOf(item).values = Eigen::Vector4f(1, 5, 5, 1);  // corners: low on the left
  stateOf(item).value_revision = 1;
  Stage stage;
  Image8 image = stage.draw(frameOf({viewOf(plainCamera(64, 48), {item})}));
  // Linear in x, from 1 at x = 0 to 5 at x = 64: 4 is half way, 1 is clamped to the low end.
  const auto colour = [](int index) {
    const auto& entry = colourTable(ColourMap::kViridis)[index];
    return std::array<int, 3>{entry[0], entry[1], entry[2]};
  };
  checkPixel(image, 48, 20, colour(128), 3);
  checkPixel(image, 3, 20, colour(0), 2);

  stateOf(item).values = Eigen::Vector4f::Constant(std::nanf(""));
  stateOf(item).value_revision = 2;
  image = stage.draw(frameOf({viewOf(plainCamera(64, 48), {item})}));
  checkPixel(image, 32, 20, bytes(Eigen::Vector3f::Constant(0.18F)));
}

TEST_CASE("GlRenderer: the checker has 16 squares a side, red growing with u and green with v") {
  DrawItem item = shaded(rectangle(-128, -128, 128, 128), SurfaceShading::kChecker, {1, 1, 1});
  const Image8 image = Stage().draw(frameOf({viewOf(plainCamera(256, 256), {item})}));
  int changes = 0;
  for (int x = 8; x + 16 < 256; x += 16) changes += image.at(x, 100)[2] != image.at(x + 16, 100)[2] ? 1 : 0;
  CHECK(changes == 15);
  CHECK(image.at(8, 8)[2] != image.at(8, 24)[2]);
  CHECK(image.at(232, 104)[0] > image.at(8, 104)[0] + 100);
  CHECK(image.at(104, 8)[1] > image.at(104, 232)[1] + 100);  // v grows upwards
}

TEST_CASE("GlRenderer: colours of the vertices are linear light and are not lit") {
  DrawItem item = shaded(rectangle(-30, -30, 30, 30), SurfaceShading::kColours, {1, 1, 1});
  stateOf(item).colours = Points3::Constant(4, 3, 0.25F);
  stateOf(item).colour_revision = 1;
  checkPixel(Stage().draw(frameOf({viewOf(plainCamera(64, 64), {item})})), 32, 32,
             bytes(Eigen::Vector3f::Constant(0.25F)));
}

TEST_CASE("GlRenderer: an edge through the middle of a pixel mixes linear light, and alpha is the coverage") {
  // The right border lies in the middle of pixel column 40.
  DrawItem item = shaded(rectangle(-20, -20, 8.5F, 20), SurfaceShading::kBase, {1, 1, 1});
  Frame frame = frameOf({viewOf(plainCamera(64, 64), {item})}, 4);
  Stage stage;
  const Image8 image = stage.draw(frame);
  const auto grey = bytes(Eigen::Vector3f::Constant(0.5F));
  checkPixel(image, 39, 32, {255, 255, 255});
  checkPixel(image, 40, 32, grey, 2);
  checkPixel(image, 41, 32, {0, 0, 0});
  frame.transparent = true;
  const Image8 cut_out = stage.draw(frame);
  CHECK(cut_out.at(39, 32)[3] == 255);
  CHECK(std::abs(cut_out.at(40, 32)[3] - 128) <= 1);
  checkPixel(cut_out, 40, 32, {255, 255, 255}, 2);  // the colour is the surface's, whatever the coverage
  CHECK(cut_out.at(41, 32)[3] == 0);
  frame.samples = 1;
  const Image8 sharp = stage.draw(frame);
  for (int x = 0; x < 64; ++x) CHECK((sharp.at(x, 32)[3] == 0 || sharp.at(x, 32)[3] == 255));
}

TEST_CASE("GlRenderer: more samples than the driver has are fewer, and it says so once") {
  Frame frame = frameOf({viewOf(plainCamera(32, 32), {})}, 64);
  Stage stage;
  stage.draw(frame);
  stage.draw(frame);
  const std::vector<std::string> notes = stage.renderer.takeNotes();
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].find("64 samples per pixel") != std::string::npos);
  CHECK(stage.renderer.takeNotes().empty());
}

TEST_CASE("GlRenderer: a faded item is its nearest surface over what is behind, without its inside") {
  Mesh mesh = rectangle(-20, -20, 20, 20, 20);
  const Mesh behind = rectangle(-20, -20, 20, 20, -20);
  Points3 vertices(8, 3);
  vertices << behind.vertices, mesh.vertices;  // the far one is drawn first
  mesh.vertices = vertices;
  Triangles triangles(4, 3);
  triangles << behind.triangles, behind.triangles.array() + 4;
  mesh.triangles = triangles;
  mesh.uv.resize(0, 2);
  mesh.uv_triangles.resize(0, 3);
  DrawItem item = shaded(mesh, SurfaceShading::kColours, {1, 1, 1});
  Points3 colours(8, 3);
  colours.topRows(4).rowwise() = Eigen::RowVector3f(0, 1, 0);
  colours.bottomRows(4).rowwise() = Eigen::RowVector3f(0.6F, 0, 0);
  stateOf(item).colours = gatherRows(colours, item.layout->vertex);
  stateOf(item).colour_revision = 1;
  item.opacity = 0.25F;
  for (const int samples : {1, 4}) {
    Frame frame = frameOf({viewOf(plainCamera(64, 64), {item})}, samples);
    frame.background = {Eigen::Vector3f(0, 0, 0.4F), Eigen::Vector3f(0, 0, 0.4F)};
    checkPixel(Stage().draw(frame), 32, 32, bytes({0.25F * 0.6F, 0, 0.75F * 0.4F}), 2);
    frame.transparent = true;
    const Image8 image = Stage().draw(frame);
    CHECK(std::abs(image.at(32, 32)[3] - 64) <= 1);
    checkPixel(image, 32, 32, bytes({0.6F, 0, 0}), 3);
  }
}

TEST_CASE("GlRenderer: a wipe shows one view left of the line and the other one right of it") {
  const Mesh mesh = rectangle(-40, -40, 40, 40);
  const Camera camera = plainCamera(64, 64);
  DrawView first = viewOf(camera, {shaded(mesh, SurfaceShading::kBase, {1, 0, 0})});
  DrawView second = viewOf(camera, {shaded(mesh, SurfaceShading::kBase, {0, 1, 0})});
  first.clip = {0, 0, 20, 64};
  second.clip = {20, 0, 44, 64};
  for (const int samples : {1, 4}) {
    const Image8 image = Stage().draw(frameOf({first, second}, samples));
    checkPixel(image, 0, 32, {255, 0, 0});
    checkPixel(image, 19, 32, {255, 0, 0});
    checkPixel(image, 20, 32, {0, 255, 0});
    checkPixel(image, 63, 32, {0, 255, 0});
  }
}

TEST_CASE("GlRenderer: views side by side each have their camera, and rows count from the top") {
  Camera camera = plainCamera(40, 30);
  DrawView left = viewOf(camera, {shaded(rectangle(-5, 5, 5, 15), SurfaceShading::kBase, {1, 0, 0})});
  DrawView right = left;
  right.items[0].materials[0].base_colour_factor = {0, 0, 1};
  right.rect = right.clip = {50, 20, 40, 30};
  Frame frame = frameOf({left, right}, 4);
  frame.width_px = 90;
  frame.height_px = 60;
  const Image8 image = Stage().draw(frame);
  // x from 15 to 25, y from 0 to 10 of each rect.
  checkPixel(image, 20, 4, {255, 0, 0});
  checkPixel(image, 20, 11, {0, 0, 0});
  checkPixel(image, 70, 24, {0, 0, 255});
  checkPixel(image, 70, 18, {0, 0, 0});
  checkPixel(image, 70, 31, {0, 0, 0});
}

TEST_CASE("GlRenderer: a view over another one covers it where its photo and its head are") {
  DrawView below =
      viewOf(plainCamera(64, 64), {shaded(rectangle(-40, -40, 40, 40), SurfaceShading::kBase, {1, 0, 0})});
  // Farther away than the view below: depths of two views have nothing to do with each other.
  DrawView inset =
      viewOf(plainCamera(20, 20), {shaded(rectangle(-5, -5, 5, 5, -50), SurfaceShading::kBase, {0, 1, 0})});
  inset.rect = inset.clip = {40, 40, 20, 20};
  inset.backdrop = Backdrop{plainImage(0, 0, 200), 1, 100, {0, 0}};
  for (const int samples : {1, 4}) {
    const Image8 image = Stage().draw(frameOf({below, inset}, samples));
    checkPixel(image, 10, 10, {255, 0, 0});
    checkPixel(image, 50, 50, {0, 255, 0});
    checkPixel(image, 42, 42, {0, 0, 200});
    checkPixel(image, 62, 62, {255, 0, 0});
  }
}

TEST_CASE("GlRenderer: the photo behind lies pixel on pixel, is limited by the clip and fades") {
  const auto photo = pattern(32);
  DrawView view = viewOf(plainCamera(64, 48), {});
  view.backdrop = Backdrop{photo, 1, 1, {10, 5}};
  Stage stage;
  Image8 image = stage.draw(frameOf({view}, 4));
  for (const auto& [x, y] : {std::pair(0, 0), std::pair(31, 0), std::pair(7, 21), std::pair(31, 31)}) {
    const std::uint8_t* expected = photo->at(x, y);
    checkPixel(image, 10 + x, 5 + y, {expected[0], expected[1], expected[2]});
  }
  checkPixel(image, 9, 5, {0, 0, 0});
  checkPixel(image, 42, 36, {0, 0, 0});

  view.clip = {0, 0, 20, 48};
  view.backdrop->opacity = 0.5F;
  Frame frame = frameOf({view}, 4);
  frame.background = {Eigen::Vector3f::Constant(0.3F), Eigen::Vector3f::Constant(0.3F)};
  image = stage.draw(frame);
  const std::uint8_t* texel = photo->at(5, 9);
  Eigen::Vector3f mixed;
  for (int c = 0; c < 3; ++c) mixed[c] = 0.5F * linearFromSrgb(static_cast<float>(texel[c]) / 255.0F) + 0.15F;
  checkPixel(image, 15, 14, bytes(mixed), 2);
  checkPixel(image, 25, 14, bytes(Eigen::Vector3f::Constant(0.3F)));
}

TEST_CASE("GlRenderer: the background runs from top to bottom") {
  Frame frame = frameOf({viewOf(plainCamera(16, 100), {})});
  frame.background = {Eigen::Vector3f(0.1F, 0, 0), Eigen::Vector3f(0.5F, 0, 1)};
  const Image8 image = Stage().draw(frame);
  for (const int y : {0, 30, 99}) {
    const float share = (static_cast<float>(y) + 0.5F) / 100;
    checkPixel(image, 8, y, bytes({0.1F + 0.4F * share, 0, share}));
    CHECK(image.at(8, y)[3] == 255);
  }
}

TEST_CASE("GlRenderer: what has a new revision is sent anew, and nothing else is") {
  DrawItem item = shaded(rectangle(-10, -10, 10, 10), SurfaceShading::kBase, {1, 1, 1});
  const DrawView view = viewOf(plainCamera(64, 64), {item});
  Stage stage;
  checkPixel(stage.draw(frameOf({view})), 50, 32, {0, 0, 0});
  stateOf(item).positions.col(0).array() += 18;
  checkPixel(stage.draw(frameOf({view})), 50, 32, {0, 0, 0});  // the old revision: kept
  stateOf(item).revision = 2;
  checkPixel(stage.draw(frameOf({view})), 50, 32, {255, 255, 255});
  checkPixel(stage.draw(frameOf({view})), 32, 32, {0, 0, 0});
}

TEST_CASE("GlRenderer: an image that takes another one's place in memory is not mistaken for it") {
  DrawItem item = shaded(rectangle(-30, -30, 30, 30), SurfaceShading::kBase, {1, 1, 1});
  Stage stage;
  for (int i = 0; i < 20; ++i) {
    const int red = 10 * i, green = 250 - 10 * i;
    item.materials[0].base_colour = nullptr;
    item.materials[0].base_colour = plainImage(red, green, 7);
    checkPixel(stage.draw(frameOf({viewOf(plainCamera(64, 64), {item})})), 32, 32, {red, green, 7});
  }
}

TEST_CASE("GlRenderer: a texture that is too large is shown smaller, and it says so once") {
  auto large = std::make_shared<Image8>(40000, 2, 3);
  for (int x = 0; x < 40000; ++x)
    for (int y = 0; y < 2; ++y) large->at(x, y)[x < 20000 ? 0 : 1] = 255;
  DrawItem item = shaded(rectangle(-30, -30, 30, 30), SurfaceShading::kBase, {1, 1, 1});
  item.materials[0].base_colour = large;
  Stage stage;
  const Image8 image = stage.draw(frameOf({viewOf(plainCamera(64, 64), {item})}));
  checkPixel(image, 10, 32, {255, 0, 0});
  checkPixel(image, 54, 32, {0, 255, 0});
  const std::vector<std::string> notes = stage.renderer.takeNotes();
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].find("texture of 40000x2 pixels shown at ") == 0);
  stage.draw(frameOf({viewOf(plainCamera(64, 64), {item})}));
  CHECK(stage.renderer.takeNotes().empty());
}

TEST_CASE("GlRenderer: the first picture, in which all maps are sent, is the second one") {
  DrawItem item = shaded(test::makeSphere(30, 60, 30), SurfaceShading::kLit, {1, 1, 1});
  item.materials[0].base_colour = plainImage(250, 30, 10);
  item.materials[0].normal = plainImage(128, 128, 255);
  item.materials[0].occlusion_roughness = plainImage(200, 90, 0);
  item.displacement = std::make_shared<ImageF>(8, 8, 1, 0.5F);
  auto environment = std::make_shared<Environment>();
  environment->by_roughness.assign(2, ImageF(8, 4, 3, 0.1F));
  DrawView view = viewOf(plainCamera(64, 64), {item});
  view.light.environment = environment;
  view.backdrop = Backdrop{plainImage(10, 40, 200), 1, 16, {0, 0}};
  Stage stage;
  const Image8 first = stage.draw(frameOf({view}));
  const Image8 second = stage.draw(frameOf({view}));
  CHECK(first.at(32, 32)[0] > 3 * first.at(32, 32)[2]);
  CHECK(std::equal(first.data(), first.data() + first.size(), second.data()));
}

TEST_CASE("GlRenderer: texture coordinates beyond 1 repeat the texture, as glTF has it") {
  Mesh mesh = rectangle(-32, -32, 32, 32);
  mesh.uv *= 2;
  auto image = std::make_shared<Image8>(64, 64, 3);
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 32; ++x) image->at(x, y)[0] = 255;
  DrawItem item = shaded(mesh, SurfaceShading::kBase, {1, 1, 1});
  item.materials[0].base_colour = image;
  const Image8 picture = Stage().draw(frameOf({viewOf(plainCamera(64, 64), {item})}));
  checkPixel(picture, 8, 32, {255, 0, 0});
  checkPixel(picture, 24, 32, {0, 0, 0});
  checkPixel(picture, 40, 32, {255, 0, 0});
}

// Byte triple of a unit vector in the view's axes.
std::array<int, 3> asNormal(const Eigen::Vector3f& n) {
  const Eigen::Vector3f unit = n.normalized();
  return {static_cast<int>(std::lround(kHalf * (unit.x() + 1))),
          static_cast<int>(std::lround(kHalf * (unit.y() + 1))),
          static_cast<int>(std::lround(kHalf * (unit.z() + 1)))};
}

TEST_CASE("GlRenderer: a normal map tilts along u and v, on mirrored charts and from behind, too") {
  const auto map = plainImage(128 + 76, 128 - 51, 128 + 89);
  const Eigen::Vector3f m = Eigen::Vector3f(153, -101, 179) / 255;
  Mesh mesh = rectangle(-30, -30, 30, 30);
  Camera camera = plainCamera(64, 64);
  Eigen::Vector3f expected = m;
  SUBCASE("as it is") {}
  SUBCASE("mirrored chart") {
    mesh.uv.col(0) = 1 - mesh.uv.col(0).array();
    expected.x() = -m.x();
  }
  SUBCASE("turned chart") {
    const Points2 uv = mesh.uv;  // u grows with y, v with -x
    mesh.uv.col(0) = uv.col(1);
    mesh.uv.col(1) = 1 - uv.col(0).array();
    expected = {-m.y(), m.x(), m.z()};
  }
  SUBCASE("from behind") {
    camera.camera_from_model.rotate(Eigen::AngleAxisf(std::numbers::pi_v<float>, Eigen::Vector3f::UnitY()));
    // Model normal (m), seen from -Z: x and z change sign; then it is turned to the viewer.
    expected = -Eigen::Vector3f(-m.x(), m.y(), -m.z());
  }
  DrawItem item = shaded(mesh, SurfaceShading::kNormals, {1, 1, 1});
  item.materials[0].normal = map;
  item.materials[0].double_sided = true;
  checkPixel(Stage().draw(frameOf({viewOf(camera, {item})})), 32, 32, asNormal(expected), 2);
}

TEST_CASE("GlRenderer: displacement in mm tilts the shading by its slope, whatever the chart") {
  auto ramp = std::make_shared<ImageF>(64, 64, 1);
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x)  // 30 mm up along u, 12 mm down along v (rows count from the top)
      *ramp->at(x, y) = 30 * static_cast<float>(x) / 64 + 12 * static_cast<float>(y) / 64;
  Mesh mesh = rectangle(-30, -30, 30, 30);  // 60 mm a side: slopes 0.5 and -0.2
  Eigen::Vector3f expected = {-0.5F, 0.2F, 1};
  Camera camera = plainCamera(64, 64);
  SUBCASE("as it is") {}
  SUBCASE("mirrored chart") {
    mesh.uv.col(0) = 1 - mesh.uv.col(0).array();
    expected.x() = 0.5F;
  }
  SUBCASE("from behind") {
    camera.camera_from_model.rotate(Eigen::AngleAxisf(std::numbers::pi_v<float>, Eigen::Vector3f::UnitY()));
    expected = -Eigen::Vector3f(0.5F, 0.2F, -1);
  }
  DrawItem item = shaded(mesh, SurfaceShading::kNormals, {1, 1, 1});
  item.displacement = ramp;
  item.materials[0].double_sided = true;
  checkPixel(Stage().draw(frameOf({viewOf(camera, {item})})), 32, 32, asNormal(expected), 2);
}

TEST_CASE("GlRenderer: a flat triangle has the normal of its plane") {
  DrawItem item = shaded(rectangle(-30, -30, 30, 30), SurfaceShading::kNormals, {1, 1, 1});
  stateOf(item).normals.rowwise() = Eigen::RowVector3f(0.6F, 0, 0.8F);
  checkPixel(Stage().draw(frameOf({viewOf(plainCamera(64, 64), {item})})), 32, 32, asNormal({0.6F, 0, 0.8F}),
             2);
  item.flat = true;
  checkPixel(Stage().draw(frameOf({viewOf(plainCamera(64, 64), {item})})), 32, 32, asNormal({0, 0, 1}), 1);
}

TEST_CASE("GlRenderer: back faces are left out unless the view or the material wants them") {
  DrawItem item = shaded(rectangle(-30, -30, 30, 30), SurfaceShading::kBase, {1, 1, 1});
  Camera camera = plainCamera(64, 64);
  camera.camera_from_model.rotate(Eigen::AngleAxisf(std::numbers::pi_v<float>, Eigen::Vector3f::UnitY()));
  DrawView view = viewOf(camera, {item});
  Stage stage;
  checkPixel(stage.draw(frameOf({view})), 32, 32, {0, 0, 0});
  view.cull_backfaces = false;
  checkPixel(stage.draw(frameOf({view})), 32, 32, {255, 255, 255});
  view.cull_backfaces = true;
  view.items[0].materials[0].double_sided = true;
  checkPixel(stage.draw(frameOf({view})), 32, 32, {255, 255, 255});
  view.items[0].materials[0].visible = false;
  checkPixel(stage.draw(frameOf({view})), 32, 32, {0, 0, 0});
}

TEST_CASE(
    "GlRenderer: a lamp makes a white surface as bright as it says, less when it is tilted, times exposure") {
  DrawItem item = shaded(rectangle(-30, -30, 30, 30), SurfaceShading::kLit, {1, 0.5F, 1});
  DrawView view = viewOf(plainCamera(64, 64), {item});
  view.light.diffuse.coefficients.setZero();
  view.light.highlights = false;
  view.light.lamp = Lamp{{0, 0, 1}, {0.5F, 0.5F, 0.25F}};
  Stage stage;
  checkPixel(stage.draw(frameOf({view})), 32, 32, bytes({0.5F, 0.25F, 0.25F}));
  view.light.lamp->towards = Eigen::Vector3f(std::sqrt(3.0F) / 2, 0, 0.5F);
  checkPixel(stage.draw(frameOf({view})), 32, 32, bytes({0.25F, 0.125F, 0.125F}));
  view.light.exposure = 2;
  checkPixel(stage.draw(frameOf({view})), 32, 32, bytes({0.5F, 0.25F, 0.25F}));
}

TEST_CASE(
    "GlRenderer: a smooth surface mirrors the lamp where the angles are equal, and sharper than a rough "
    "one") {
  // A sphere seen from +Z with the lamp at +X: the mirror image is where the normal halves the angle.
  DrawItem item = shaded(test::makeSphere(90, 180, 45), SurfaceShading::kLit, {0, 0, 0});
  item.materials[0].base_colour_factor = Eigen::Vector3f::Constant(1e-4F);
  DrawView view = viewOf(plainCamera(100, 100), {item});
  view.light.diffuse.coefficients.setZero();
  view.light.lamp = Lamp{{1, 0, 0}, {0.3F, 0.3F, 0.3F}};
  const auto brightest = [](const Image8& image) {
    int best = 0, at = 0;
    for (int x = 0; x < 100; ++x)
      if (image.at(x, 50)[0] > best) best = image.at(at = x, 50)[0];
    return std::pair(at, best);
  };
  const auto litPixels = [](const Image8& image) {
    int count = 0;
    for (int i = 0; i < 100 * 100; ++i) count += image.data()[4 * i] > 15 ? 1 : 0;
    return count;
  };
  Stage stage;
  view.items[0].materials[0].roughness = 0.2F;
  const Image8 smooth = stage.draw(frameOf({view}));
  view.items[0].materials[0].roughness = 0.5F;
  const Image8 rough = stage.draw(frameOf({view}));
  const auto [x, level] = brightest(smooth);
  CHECK(std::abs(x - (50 + 45 * std::sqrt(0.5F))) < 4);
  CHECK(level > 150);
  CHECK(brightest(rough).second < level);
  CHECK(litPixels(rough) > 2 * litPixels(smooth));
  view.light.highlights = false;
  CHECK(brightest(stage.draw(frameOf({view}))).second < 5);
}

TEST_CASE("GlRenderer: a surface mirrors the environment from the side where the panorama has it") {
  // Bright round +X alone: a quarter to the right of the panorama's middle.
  ImageF panorama(64, 32, 3, 0.0F);
  for (int y = 0; y < 32; ++y)
    for (int x = 44; x < 52; ++x)
      for (int c = 0; c < 3; ++c) panorama.at(x, y)[c] = 10;
  auto environment = std::make_shared<Environment>();
  environment->by_roughness.assign(4, panorama);
  DrawItem item = shaded(test::makeSphere(90, 180, 45), SurfaceShading::kLit, {0, 0, 0});
  item.materials[0].base_colour_factor = Eigen::Vector3f::Constant(1e-4F);
  item.materials[0].roughness = 0.1F;
  DrawView view = viewOf(plainCamera(100, 100), {item});
  view.light.diffuse.coefficients.setZero();
  view.light.environment = environment;
  Stage stage;
  const int right = 50 + static_cast<int>(45 * std::sqrt(0.5F)), left = 99 - right;
  Image8 image = stage.draw(frameOf({view}));
  CHECK(image.at(right, 50)[0] > 100);
  CHECK(image.at(left, 50)[0] < 10);
  CHECK(image.at(50, 50)[0] < 10);
  // Half a turn brings the light to -X, a quarter turn about +Y from +X to -Z: behind.
  view.light.environment_yaw_rad = std::numbers::pi_v<float>;
  image = stage.draw(frameOf({view}));
  CHECK(image.at(left, 50)[0] > 100);
  CHECK(image.at(right, 50)[0] < 10);
  view.light.environment_yaw_rad = -std::numbers::pi_v<float> / 2;  // to +Z: mirrored in the middle
  image = stage.draw(frameOf({view}));
  CHECK(image.at(50, 50)[0] > 100);
  CHECK(image.at(right, 50)[0] < 10);
}

TEST_CASE("GlRenderer: occlusion darkens the light from around but not the lamp's") {
  DrawItem item = shaded(rectangle(-30, -30, 30, 30), SurfaceShading::kLit, {1, 1, 1});
  item.materials[0].base_colour_factor = {0.8F, 0.8F, 0.79F};
  item.materials[0].occlusion_roughness = plainImage(51, 255, 0);  // a fifth is open
  DrawView view = viewOf(plainCamera(64, 64), {item});
  view.light.highlights = false;
  Stage stage;
  checkPixel(stage.draw(frameOf({view})), 32, 32, bytes({0.16F, 0.16F, 0.158F}));
  view.light.diffuse.coefficients.setZero();
  view.light.lamp = Lamp{{0, 0, 1}, {0.5F, 0.5F, 0.5F}};
  checkPixel(stage.draw(frameOf({view})), 32, 32, bytes({0.4F, 0.4F, 0.395F}));
}

TEST_CASE("GlRenderer: wires lie on the edges that are seen and on no hidden ones") {
  DrawItem front = shaded(rectangle(-20, -20, 20, 20, 10), SurfaceShading::kBase, {1, 1, 1});
  front.wireframe = true;
  front.wire_colour = {0, 0, 0};
  DrawItem behind = shaded(rectangle(-10.5F, -10.5F, 10.5F, 10.5F, -10), SurfaceShading::kBase, {1, 1, 1});
  behind.wireframe = true;
  behind.wire_colour = {0, 0, 0};
  const Image8 image = Stage().draw(frameOf({viewOf(plainCamera(64, 64), {front, behind})}, 4));
  checkPixel(image, 26, 26 + 20, {255, 255, 255});  // off the diagonal, inside
  CHECK(image.at(44, 19)[0] < 200);                 // the diagonal: x = y, rows count from the top
  CHECK(image.at(21, 30)[0] == 255);                // the hidden one's left edge
  CHECK(image.at(12, 30)[0] < 225);                 // the left edge: half a line
  checkPixel(image, 5, 5, {0, 0, 0});
}

TEST_CASE("GlRenderer: a picture with no size or a surface without a state is a programmer's error") {
  Stage stage;
  CHECK_THROWS_AS(stage.renderer.read(), std::invalid_argument);
  CHECK_THROWS_AS(stage.renderer.draw(Frame{}), std::invalid_argument);
  CHECK_THROWS_AS(stage.renderer.draw(frameOf({viewOf(plainCamera(8, 8), {DrawItem{}})})),
                  std::invalid_argument);
  DrawItem item = shaded(rectangle(-3, -3, 3, 3), SurfaceShading::kBase, {1, 1, 1});
  stateOf(item).colours = Points3::Zero(3, 3);
  CHECK_THROWS_AS(stage.renderer.draw(frameOf({viewOf(plainCamera(8, 8), {item})})), std::invalid_argument);
  stateOf(item).colours.resize(0, 3);
  item.materials[0].base_colour = std::make_shared<Image8>();  // no pixels: no texture
  checkPixel(stage.draw(frameOf({viewOf(plainCamera(8, 8), {item})})), 4, 4, {255, 255, 255});
  CHECK_FALSE(stage.renderer.lost());
}

}  // namespace
}  // namespace facet
