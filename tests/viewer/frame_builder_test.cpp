#include "viewer/frame_builder.h"

#include <doctest/doctest.h>

#include "core/io/model_io.h"
#include "core/split_mesh.h"
#include "render/studio.h"
#include "tests/viewer/heads.h"

using namespace facet;
using facet::test::controlIndex;
using facet::test::sceneOf;
using facet::test::shapedModel;
using facet::test::subjectOf;

namespace {

// A fit's photo of 300×400 pixels, the head before it.
std::shared_ptr<Subject> subjectWithPhoto(const std::string& name = "portrait") {
  const auto subject = subjectOf(shapedModel(), name);
  Camera camera = orbitCamera(subject->head->model().mean, {.size_px = 300, .yaw_degrees = 15});
  camera.height_px = 400;
  camera.principal_px = {140, 215};
  SubjectFrame frame;
  frame.camera = camera;
  subject->frames = {frame};
  subject->photo = std::make_shared<const Image8>(300, 400, 3, std::uint8_t{90});
  SphericalHarmonicsLight light;
  light.coefficients.row(3).setConstant(0.7F);
  subject->photo_light = light;
  return subject;
}

const DrawItem& onlyItem(const Frame& frame) {
  REQUIRE(frame.views.size() == 1);
  REQUIRE(frame.views[0].items.size() == 1);
  return frame.views[0].items[0];
}

}  // namespace

TEST_CASE("FrameBuilder: without anything open the picture is its background") {
  Scene scene;
  FrameBuilder builder;
  const Frame frame = builder.build(scene, 640, 480);
  CHECK(frame.width_px == 640);
  CHECK(frame.views.empty());
  CHECK(frame.background[0].x() == doctest::Approx(linearFromSrgb(scene.view.background_top.x())));
}

TEST_CASE("FrameBuilder: a slider changes positions and nothing else; an unchanged scene changes nothing") {
  Scene scene = sceneOf(subjectOf(shapedModel()));
  FrameBuilder builder;
  const DrawItem before = onlyItem(builder.build(scene, 400, 300));
  CHECK(before.state->colours.rows() == before.state->positions.rows());  // no texture: the model's albedo
  const DrawItem again = onlyItem(builder.build(scene, 500, 300));
  CHECK(again.state == before.state);
  ShapedHead& head = *scene.subject()->head;
  head.set(ShapeGroup::kShapes, controlIndex(head, ShapeGroup::kShapes, "jawOpen"), 0.5F);
  const DrawItem after = onlyItem(builder.build(scene, 400, 300));
  CHECK(after.layout == before.layout);
  CHECK(after.state->revision != before.state->revision);
  CHECK(after.state->colour_revision == before.state->colour_revision);
  CHECK(after.state->value_revision == before.state->value_revision);
  CHECK(after.state->positions == gatherRows(head.vertices(), after.layout->vertex));
  CHECK(after.state->normals == gatherRows(head.normals(), after.layout->vertex));
  CHECK(before.state->positions != after.state->positions);  // the earlier picture is as it was
  head.set(ShapeGroup::kAlbedo, 0, 1);
  const DrawItem coloured = onlyItem(builder.build(scene, 400, 300));
  CHECK(coloured.state->revision == after.state->revision);
  CHECK(coloured.state->colour_revision != after.state->colour_revision);
}

TEST_CASE("FrameBuilder: each mode shows what its name says") {
  const auto subject = subjectOf(shapedModel());
  AssetMaterial skin;
  skin.base_colour = skin.normal = skin.occlusion_roughness = std::make_shared<const Image8>(4, 4, 3);
  skin.roughness = 1;  // times the map's
  subject->materials = {skin};
  Scene scene = sceneOf(subject);
  FrameBuilder builder;
  const auto in = [&](SurfaceMode mode) {
    scene.view.mode = mode;
    return onlyItem(builder.build(scene, 200, 200));
  };
  const DrawItem textured = in(SurfaceMode::kTextured);
  CHECK(textured.shading == SurfaceShading::kLit);
  CHECK(textured.materials[0].base_colour == skin.base_colour);
  CHECK(textured.materials[0].normal == skin.normal);
  CHECK(textured.state->colours.rows() == 0);
  scene.view.normal_map = false;
  CHECK(in(SurfaceMode::kTextured).materials[0].normal == nullptr);
  scene.view.normal_map = true;
  // Without its map the skin is not as rough as chalk.
  scene.view.occlusion = false;
  const DrawItem unoccluded = in(SurfaceMode::kTextured);
  CHECK(unoccluded.materials[0].occlusion_roughness == nullptr);
  CHECK(unoccluded.materials[0].roughness == doctest::Approx(AssetMaterial().roughness));
  scene.view.occlusion = true;
  CHECK(in(SurfaceMode::kAlbedo).shading == SurfaceShading::kBase);
  const DrawItem clay = in(SurfaceMode::kClay);
  CHECK(clay.shading == SurfaceShading::kLit);
  CHECK(clay.materials[0].base_colour == nullptr);
  CHECK(clay.materials[0].normal == nullptr);
  CHECK(clay.state->colours.rows() == 0);
  CHECK(in(SurfaceMode::kNormals).materials[0].normal == skin.normal);
  CHECK(in(SurfaceMode::kDepth).shading == SurfaceShading::kDepth);
  CHECK(in(SurfaceMode::kUvChecker).shading == SurfaceShading::kChecker);
  const DrawItem pncc = in(SurfaceMode::kPncc);
  CHECK(pncc.shading == SurfaceShading::kColours);
  CHECK(pncc.state->colours.minCoeff() == 0);
  CHECK(pncc.state->colours.maxCoeff() == doctest::Approx(1));
  CHECK(in(SurfaceMode::kRegions).state->colour_revision != pncc.state->colour_revision);
  CHECK(in(SurfaceMode::kCurvature).state->values.size() == textured.state->positions.rows());
  // What a head lacks is shown as clay.
  CHECK(in(SurfaceMode::kScanError).shading == SurfaceShading::kLit);
  CHECK_FALSE(builder.legend().has_value());
}

TEST_CASE("FrameBuilder: the colour bar has the same range for every head") {
  Scene scene = sceneOf(subjectOf(shapedModel()));
  FrameBuilder builder;
  scene.view.mode = SurfaceMode::kCurvature;
  const DrawItem item = onlyItem(builder.build(scene, 200, 200));
  REQUIRE(builder.legend().has_value());
  CHECK(builder.legend()->unit == "1/mm");
  CHECK(builder.legend()->high == doctest::Approx(0.1));
  CHECK(builder.legend()->low == -builder.legend()->high);
  CHECK(item.value_high == builder.legend()->high);
  CHECK(item.colour_map == ColourMap::kDiverging);
  scene.view.mode = SurfaceMode::kSkinWeights;
  scene.view.joint = 1;
  CHECK(onlyItem(builder.build(scene, 200, 200)).state->values.maxCoeff() == 0.75F);
  CHECK(builder.legend()->title.find("jaw") != std::string::npos);
  scene.view.mode = SurfaceMode::kScanError;
  scene.view.error_range_mm = 2;
  scene.scan_distance = ScanDistance();
  scene.scan_distance->distance_mm.setConstant(scene.subject()->head->model().numVertices(), 1.5F);
  CHECK(onlyItem(builder.build(scene, 200, 200)).state->values[7] == 1.5F);
  CHECK(builder.legend()->low == -2);
  CHECK(builder.legend()->unit == "mm");
  scene.view.mode = SurfaceMode::kClay;
  builder.build(scene, 200, 200);
  CHECK_FALSE(builder.legend().has_value());
}

TEST_CASE("FrameBuilder: the photo and the head over it coincide at any zoom and pan") {
  Scene scene = sceneOf(subjectWithPhoto());
  scene.view.through_photo = true;
  const Camera& fitted = *scene.subject()->frames[0].camera;
  const Points2 in_photo = fitted.imageFromModel(scene.subject()->head->vertices());
  FrameBuilder builder;
  for (const auto& [zoom, pan_x, pan_y] : {std::tuple{1.0F, 0.0F, 0.0F}, {2.5F, 40.0F, -31.0F}}) {
    scene.view.photo_zoom = zoom;
    scene.view.photo_pan_px = {pan_x, pan_y};
    const Frame frame = builder.build(scene, 1000, 640);
    REQUIRE(frame.views.size() == 1);
    const DrawView& view = frame.views[0];
    REQUIRE(view.backdrop.has_value());
    CHECK(view.camera.width_px == 1000);
    const Points2 expected =
        (view.backdrop->scale * in_photo).rowwise() + view.backdrop->offset_px.transpose();
    const Points2 drawn = view.camera.imageFromModel(scene.subject()->head->vertices());
    CHECK((drawn - expected).cwiseAbs().maxCoeff() < 0.01F);
    CHECK(view.backdrop->scale == doctest::Approx(zoom * 640 / 400));
  }
  scene.view.photo_zoom = 1;
  scene.view.photo_pan_px.setZero();
  const Frame frame = builder.build(scene, 1000, 640);  // in the middle
  CHECK((frame.views[0].backdrop->offset_px - Eigen::Vector2f(1000 - 480, 0) / 2).norm() < 0.01F);
  // In the right half of a picture, too.
  scene.subjects.push_back(subjectWithPhoto("second"));
  scene.second = 1;
  scene.view.compare = CompareMode::kSideBySide;
  const Frame halves = builder.build(scene, 1000, 640);
  REQUIRE(halves.views.size() == 2);
  const DrawView& right = halves.views[1];
  const Points2 in_picture = right.camera.imageFromModel(scene.subject()->head->vertices()).rowwise() +
                             Eigen::RowVector2f(right.rect.x, right.rect.y);
  const Points2 expected =
      (right.backdrop->scale * in_photo).rowwise() + right.backdrop->offset_px.transpose();
  CHECK((in_picture - expected).cwiseAbs().maxCoeff() < 0.01F);
  CHECK(builder.rect().width == 500);
}

TEST_CASE("FrameBuilder: wipes share one camera and their clips make up the whole picture") {
  Scene scene = sceneOf(subjectWithPhoto());
  scene.add(subjectWithPhoto("second"));
  scene.show(0);
  scene.second = 1;
  FrameBuilder builder;
  for (const CompareMode mode : {CompareMode::kWipe, CompareMode::kWipePhoto}) {
    scene.view.compare = mode;
    for (const float share : {0.0F, 0.3F, 0.5F, 1.0F}) {
      scene.view.wipe = share;
      const Frame frame = builder.build(scene, 801, 500);
      int covered = 0, x = 0;
      for (const DrawView& view : frame.views) {
        CHECK(view.rect.width == 801);
        CHECK(view.clip.x == x);
        x += view.clip.width;
        covered += view.clip.width * view.clip.height;
        CHECK(view.camera.camera_from_model.isApprox(frame.views[0].camera.camera_from_model));
      }
      CHECK(covered == 801 * 500);
      CHECK(frame.views.front().clip.width == (share == 0 ? 801 : std::lround(share * 801)));
    }
  }
  scene.view.wipe = 0.5F;
  scene.view.compare = CompareMode::kWipePhoto;
  const Frame photo = builder.build(scene, 800, 500);
  CHECK(photo.views[0].items.empty());
  CHECK(photo.views[0].backdrop.has_value());
  CHECK(photo.views[1].items.size() == 1);
  scene.view.compare = CompareMode::kWipe;
  const Frame two = builder.build(scene, 800, 500);
  CHECK(two.views[0].items[0].layout != two.views[1].items[0].layout);
}

TEST_CASE("FrameBuilder: a photo without a fit is shown alone") {
  const auto subject = std::make_shared<Subject>();
  subject->kind = "photo";
  subject->photo = std::make_shared<const Image8>(200, 100, 3);
  Scene scene = sceneOf(subject);
  FrameBuilder builder;
  const Frame frame = builder.build(scene, 800, 800);
  REQUIRE(frame.views.size() == 1);
  CHECK(frame.views[0].items.empty());
  REQUIRE(frame.views[0].backdrop.has_value());
  CHECK(frame.views[0].backdrop->scale == 4);
  CHECK((frame.views[0].backdrop->offset_px - Eigen::Vector2f(0, 200)).norm() == 0);
}

TEST_CASE("FrameBuilder: eyes and teeth of the built-in head can be left out") {
  const auto subject = subjectOf(loadModel("builtin"));
  subject->materials.clear();
  for (const std::string& name : subject->head->model().material_names) {
    subject->materials.emplace_back();
    subject->materials.back().name = name;
  }
  subject->triangle_material = subject->head->model().triangle_material;
  Scene scene = sceneOf(subject);
  FrameBuilder builder;
  const auto visible = [&] {
    const DrawItem item = onlyItem(builder.build(scene, 200, 200));
    int count = 0;
    for (const SurfaceLayout::Part& part : item.layout->parts)
      count += item.materials[part.material].visible ? part.num_triangles : 0;
    return count;
  };
  const int all = visible();
  CHECK(all == subject->head->model().triangles.rows());
  scene.view.show_eyes = false;
  const int without_eyes = visible();
  CHECK(without_eyes < all - 500);
  scene.view.show_teeth = false;
  const int without_teeth = visible();
  CHECK(without_teeth < without_eyes - 500);
  scene.view.show_eyes = scene.view.show_teeth = true;
  // With one material for everything the regions tell.
  subject->materials = {AssetMaterial()};
  subject->triangle_material.clear();
  CHECK(visible() == all);
  scene.view.show_eyes = false;
  CHECK(visible() < all - 500);
}

TEST_CASE("viewLight: the photo's light, a lamp, exposure") {
  Scene scene = sceneOf(subjectWithPhoto());
  const Subject& subject = *scene.subject();
  CHECK(viewLight(scene, subject).diffuse.coefficients == studioLight().coefficients);
  scene.view.light = LightKind::kPhoto;
  CHECK(viewLight(scene, subject).diffuse.coefficients == subject.photo_light->coefficients);
  scene.view.lamp = true;
  scene.view.lamp_yaw_deg = 90;
  scene.view.lamp_pitch_deg = 0;
  scene.view.exposure_stops = 1;
  const ViewLight light = viewLight(scene, subject);
  REQUIRE(light.lamp.has_value());
  CHECK((light.lamp->towards - Eigen::Vector3f(1, 0, 0)).norm() < 1e-6F);  // the subject's left
  CHECK(light.exposure == 2);
}

TEST_CASE("viewLight: of itself it is the photo's while one looks through the photo, but for clay") {
  Scene scene = sceneOf(subjectWithPhoto());
  const Subject& subject = *scene.subject();
  REQUIRE(scene.view.light == LightKind::kAuto);
  scene.view.through_photo = true;
  CHECK(viewLight(scene, subject).diffuse.coefficients == subject.photo_light->coefficients);
  scene.view.mode = SurfaceMode::kClay;
  CHECK(viewLight(scene, subject).diffuse.coefficients != subject.photo_light->coefficients);
}

TEST_CASE("viewLight: an environment that is turned lights the other cheek") {
  ImageF panorama(64, 32, 3, 0.05F);
  for (int y = 12; y < 20; ++y) {
    for (int x = 45; x < 51; ++x)
      std::fill_n(panorama.at(x, y), 3, 20.0F);  // a quarter right of the middle: +X
  }
  Scene scene = sceneOf(subjectOf(shapedModel()));
  scene.environment = std::make_shared<const Environment>(environmentFrom(panorama, "spot"));
  scene.view.light = LightKind::kEnvironment;
  const auto brighter = [&] {
    const SphericalHarmonicsLight light = viewLight(scene, *scene.subject()).diffuse;
    return light.shading({1, 0, 0}).x() - light.shading({-1, 0, 0}).x();
  };
  CHECK(brighter() > 0.5F);
  scene.view.environment_yaw_deg = 180;
  CHECK(brighter() < -0.5F);
  scene.view.environment_yaw_deg = 90;  // about +Y: from +X to -Z
  const SphericalHarmonicsLight behind = viewLight(scene, *scene.subject()).diffuse;
  CHECK(behind.shading({0, 0, -1}).x() > behind.shading({0, 0, 1}).x() + 0.5F);
}

TEST_CASE(
    "FrameBuilder: the floor lies under the head, a line for each centimetre, and stays while it moves") {
  Scene scene = sceneOf(subjectOf(shapedModel()));
  scene.view.grid = scene.view.axes = true;
  FrameBuilder builder;
  const Frame frame = builder.build(scene, 400, 400);
  REQUIRE(frame.views[0].items.size() == 3);
  const Points3& grid = frame.views[0].items[1].state->positions;
  const Points3& head = frame.views[0].items[0].state->positions;
  CHECK(grid.col(1).maxCoeff() <= head.col(1).minCoeff());
  CHECK(grid.col(0).minCoeff() < head.col(0).minCoeff());
  CHECK(grid.col(2).maxCoeff() > head.col(2).maxCoeff());
  // A line is a box of eight corners, two lines for each centimetre.
  const float side_mm = grid.col(0).maxCoeff() - grid.col(0).minCoeff();
  CHECK(grid.rows() / 8 == 2 * (std::lround(side_mm / 10) + 1));
  const auto [near_mm, far_mm] = frame.views[0].camera.depthRange(grid);
  CHECK(frame.views[0].near_mm <= near_mm);
  CHECK(frame.views[0].far_mm >= far_mm);
  ShapedHead& shaped = *scene.subject()->head;
  shaped.set(ShapeGroup::kShapes, controlIndex(shaped, ShapeGroup::kShapes, "jawOpen"), 1);
  CHECK(builder.build(scene, 400, 400).views[0].items[1].state == frame.views[0].items[1].state);
  scene.view.mode = SurfaceMode::kDepth;  // from the head's nearest point to its farthest
  CHECK(builder.build(scene, 400, 400).views[0].items.size() == 1);
}

TEST_CASE("FrameBuilder: a head that moves in the world moves in the picture, under a light that stays") {
  const auto subject = subjectOf(shapedModel());
  SubjectFrame still, moved;
  moved.time_s = 1;
  moved.world_from_model = Eigen::Translation3f(20, 0, 0) * Eigen::AngleAxisf(1, Eigen::Vector3f::UnitY());
  subject->frames = {still, moved};
  Scene scene = sceneOf(subject);
  FrameBuilder builder;
  const Points3 rest = subject->head->vertices();
  const Camera first = builder.build(scene, 300, 300).views[0].camera;
  scene.timeline.seek(1);
  const Frame frame = builder.build(scene, 300, 300);
  const Points3 in_world = (moved.world_from_model * rest.transpose()).transpose();
  CHECK((frame.views[0].camera.imageFromModel(rest) - first.imageFromModel(in_world)).cwiseAbs().maxCoeff() <
        0.02F);
  const Eigen::Vector3f up_left = Eigen::Vector3f(1, 1, 0).normalized();
  CHECK((frame.views[0].light.diffuse.shading(moved.world_from_model.linear().transpose() * up_left) -
         studioLight().shading(up_left))
            .norm() < 1e-4F);
}

TEST_CASE("FrameBuilder: through the photo, a frame without a face shows its picture without the head") {
  const auto subject = subjectWithPhoto();
  subject->frames.push_back({});
  subject->frames[1].time_s = 0.04;
  Scene scene = sceneOf(subject);
  scene.view.through_photo = true;
  FrameBuilder builder;
  const Frame found = builder.build(scene, 600, 400);
  scene.timeline.seek(1);
  const Frame lost = builder.build(scene, 600, 400);
  REQUIRE(lost.views.size() == 1);
  CHECK(lost.views[0].items.empty());
  REQUIRE(lost.views[0].backdrop.has_value());
  CHECK(lost.views[0].backdrop->offset_px == found.views[0].backdrop->offset_px);
  CHECK(lost.views[0].backdrop->scale == found.views[0].backdrop->scale);
  CHECK(throughPhoto(scene));
  CHECK_FALSE(showsHead(scene));
}

TEST_CASE(
    "FrameBuilder: a head without a fitted camera is seen from outside, with its guides, fully opaque") {
  Scene scene = sceneOf(subjectOf(shapedModel()));
  scene.view.through_photo = true;
  scene.view.head_opacity = 0.3F;
  scene.view.grid = true;
  FrameBuilder builder;
  const Frame frame = builder.build(scene, 400, 300);
  REQUIRE(frame.views[0].items.size() == 2);
  CHECK(frame.views[0].items[0].opacity == 1);
  CHECK_FALSE(throughPhoto(scene));
  CHECK(viewLight(scene, *scene.subject()).environment == studioEnvironment());
}

TEST_CASE("viewLight: a panorama that is not there is the studio") {
  Scene scene = sceneOf(subjectOf(shapedModel()));
  const ViewLight studio = viewLight(scene, *scene.subject());
  scene.view.light = LightKind::kEnvironment;
  const ViewLight light = viewLight(scene, *scene.subject());
  CHECK(light.environment == studio.environment);
  CHECK(light.diffuse.coefficients == studio.diffuse.coefficients);
}
