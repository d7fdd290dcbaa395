#include "viewer/panels/user_interface.h"

#include <doctest/doctest.h>
#include <imgui.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <stdexcept>

#include "core/error.h"
#include "core/morphable_model.h"
#include "viewer/panels/file_browser.h"
#include "viewer/panels/glossary.h"
#include "viewer/settings_io.h"

using namespace facet;
namespace fs = std::filesystem;

namespace {

std::shared_ptr<Subject> headSubject(int num_identity = 10, const std::string& name = "someone") {
  MorphableModel model = makeSyntheticModel(1, num_identity);
  // The synthetic expressions as the shapes that a face is animated with.
  model.num_blendshapes = model.numExpression();
  model.expression_names = {"jawOpen",        "eyeBlinkLeft",    "eyeBlinkRight",
                            "mouthSmileLeft", "mouthSmileRight", "browInnerUp"};
  auto subject = std::make_shared<Subject>();
  subject->name = name;
  subject->kind = "model";
  subject->head = std::make_shared<ShapedHead>(model);
  subject->facts = {"licence: none", "warning: a long hair over the left eye"};
  return subject;
}

std::shared_ptr<Subject> photoSubject() {
  auto subject = std::make_shared<Subject>();
  subject->name = "portrait.jpg";
  subject->kind = "photo";
  subject->photo = std::make_shared<Image8>(400, 400, 3, std::uint8_t{90});
  Points2 points(kNumIbugLandmarks, 2);
  for (int i = 0; i < kNumIbugLandmarks; ++i)
    points.row(i) << 60 + 4 * static_cast<float>(i % 17) * 4, 60 + 60 * static_cast<float>(i / 17);
  subject->landmarks.ibug68.positions_px = points;
  subject->landmarks.ibug68.sigma_px = Eigen::VectorXf::Constant(kNumIbugLandmarks, 2);
  subject->frames.resize(1);
  return subject;
}

void makeClip(Scene& scene, int frames) {
  Subject& subject = *scene.subject();
  subject.is_clip = true;
  std::vector<double> times;
  for (int i = 0; i < frames; ++i) {
    SubjectFrame frame;
    frame.number = i;
    frame.time_s = i / 25.0;
    frame.shapes = Eigen::VectorXf::Constant(6, static_cast<float>(i) / static_cast<float>(frames));
    subject.frames.push_back(frame);
    times.push_back(frame.time_s);
  }
  scene.timeline.setFrames(times);
}

// A window without a window: draws frames, plays scripts, notes what was asked for.
struct Desk {
  explicit Desk(float scale = 1, int width_px = 1280, int height_px = 800)
      : ui(scale), width(width_px), height(height_px) {
    actions.open = [this](const fs::path& path) { opened.push_back(path); };
    actions.open_demo = [this] { ++demos; };
    actions.fit = [this](const FitRequest& request) { fits.push_back(request); };
    actions.detect = [this] { ++detections; };
    actions.cancel = [this] { ++cancels; };
    actions.export_head = [this](const ExportRequest& request) { exports.push_back(request); };
    actions.save_picture = [this](const fs::path& path) { pictures.push_back(path); };
    actions.load_frame_picture = [this](int frame) { frames_loaded.push_back(frame); };
    actions.quit = [this] { ++quits; };
    actions.models = {"builtin", "ict"};
    actions.export_formats = {{"glb", ".glb", "glTF", true, false, true},
                              {"obj", ".obj", "one mesh", false, true, true},
                              {"stl", ".stl", "a solid", false, true, false}};
  }

  void frame(double seconds = 1.0 / 30) {
    const PixelRect picture = ui.viewport(width, height);
    builder.build(scene, picture.width, picture.height);
    ui.draw(scene, actions, builder, nullptr, width, height, seconds);
  }

  void play(const std::string& script) {
    ScriptPlayer player(parseScript(script, "test"));
    for (int i = 0; i < 2000 && !player.finished(); ++i) {
      for (const InputEvent& event : player.next(ui.widgets(), scene.job.running).events) give(event);
      frame();
    }
    CHECK(player.finished());
    frame();
  }

  void give(const InputEvent& event) {
    if (recorder) recorder->add(frames_drawn(), event);
    ui.handle(event);
  }
  int frames_drawn() const { return ImGui::GetFrameCount(); }

  float value(const std::string& name) {
    for (int g = 0; g < kNumShapeGroups; ++g) {
      const ShapeGroup group = static_cast<ShapeGroup>(g);
      const auto& controls = scene.subject()->head->controls(group);
      for (std::size_t i = 0; i < controls.size(); ++i) {
        if (controls[i].name == name) return scene.subject()->head->value(group, static_cast<int>(i));
      }
    }
    FAIL("no control ", name);
    return 0;
  }
  bool has(const std::string& widget) const { return ui.widgets().count(widget) > 0; }

  UserInterface ui;
  int width, height;
  Scene scene;
  Actions actions;
  FrameBuilder builder;
  std::optional<ScriptRecorder> recorder;
  std::vector<fs::path> opened, pictures;
  std::vector<FitRequest> fits;
  std::vector<ExportRequest> exports;
  std::vector<int> frames_loaded;
  int demos = 0, detections = 0, cancels = 0, quits = 0;
};

InputEvent button(bool down) {
  InputEvent event;
  event.kind = InputEvent::Kind::kButton;
  event.down = down;
  return event;
}

InputEvent moveTo(float x, float y) {
  InputEvent event;
  event.x = x;
  event.y = y;
  return event;
}

InputEvent middleOf(const WidgetRect& rect) {
  return moveTo(rect.x + rect.width / 2, rect.y + rect.height / 2);
}

fs::path emptyFolder(const std::string& name) {
  const fs::path folder = fs::temp_directory_path() / ("facet_panels_test_" + name);
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

}  // namespace

TEST_CASE(
    "first screen: a newcomer's button opens the built-in head, and the screen goes when something is open") {
  Desk desk;
  desk.frame();
  desk.frame();
  CHECK(desk.has("first/drop"));
  desk.play(R"({"click": "first/demo"})");
  CHECK(desk.demos == 1);
  desk.scene.add(headSubject());
  desk.frame();
  CHECK_FALSE(desk.has("first/demo"));
}

TEST_CASE("first screen: recent files open by a click, dropped ones at once") {
  Desk desk;
  desk.actions.recent = {"/tmp/one.glb", "/tmp/two.glb"};
  desk.frame();
  desk.play("{\"click\": \"first/recent/2\"}\n{\"open\": \"/tmp/three.jpg\"}");
  CHECK(desk.opened == std::vector<fs::path>{"/tmp/two.glb", "/tmp/three.jpg"});
}

TEST_CASE("shape: dragging jawOpen's slider opens the jaw") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  const Points3 before = desk.scene.subject()->head->vertices();
  desk.play(R"({"drag": "shape/jawOpen", "from": 0, "to": 0.8})");
  CHECK(desk.value("jawOpen") == doctest::Approx(0.8).epsilon(0.03));
  CHECK((desk.scene.subject()->head->vertices() - before).cwiseAbs().maxCoeff() > 0.1F);
}

TEST_CASE("shape: mirrored editing moves the other side, and stops when it is switched off") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  desk.play(R"({"drag": "shape/eyeBlinkLeft", "from": 0, "to": 0.5})");
  CHECK(desk.value("eyeBlinkRight") == desk.value("eyeBlinkLeft"));
  desk.play("{\"click\": \"shape/symmetric\"}\n{\"drag\": \"shape/eyeBlinkLeft\", \"from\": 0.5, \"to\": 1}");
  CHECK(desk.value("eyeBlinkLeft") == doctest::Approx(1));
  CHECK(desk.value("eyeBlinkRight") < 0.6F);
}

TEST_CASE("shape: ctrl-click types a value beyond the slider's range") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  desk.play(R"({"type": "shape/jawOpen", "text": "1.75\n", "ctrl": true})");
  CHECK(desk.value("jawOpen") == doctest::Approx(1.75));
}

TEST_CASE("shape: a right click and a double click reset one slider") {
  for (const char* script : {R"({"click": "shape/jawOpen", "button": "right"})",
                             R"({"click": "shape/jawOpen", "double": true})"}) {
    Desk desk;
    desk.scene.add(headSubject());
    desk.frame();
    desk.play("{\"drag\": \"shape/jawOpen\", \"from\": 0, \"to\": 0.9}\n{\"wait\": 30}");
    REQUIRE(desk.value("jawOpen") > 0.8F);
    desk.play(script);
    CHECK(desk.value("jawOpen") == 0);
  }
}

TEST_CASE("shape: the filter finds sliders of every group by a part of the name") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  CHECK(desk.has("shape/browInnerUp"));
  desk.play(R"({"type": "shape/filter", "text": "JAW"})");
  CHECK(desk.has("shape/jawOpen"));
  CHECK_FALSE(desk.has("shape/browInnerUp"));
  desk.play(R"({"type": "shape/filter", "text": "identity 3"})");
  CHECK(desk.has("shape/identity 3"));
  CHECK_FALSE(desk.has("shape/jawOpen"));
  desk.play(R"({"type": "shape/filter", "text": ""})");
  CHECK(desk.has("shape/browInnerUp"));
}

TEST_CASE("shape: random, undo and redo go there and back, and one drag is one step") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  desk.play(R"({"click": "shape/group/identity"})");
  desk.play(R"({"click": "shape/random"})");
  ShapedHead& head = *desk.scene.subject()->head;
  const Eigen::VectorXf random = head.values(ShapeGroup::kIdentity);
  CHECK(random.norm() > 0.5F);
  desk.play("{\"drag\": \"shape/identity 1\", \"from\": 0.2, \"to\": 0.9}");
  const Eigen::VectorXf dragged = head.values(ShapeGroup::kIdentity);
  CHECK(dragged != random);
  desk.play(R"({"key": "ctrl+z"})");
  CHECK(head.values(ShapeGroup::kIdentity) == random);
  desk.play(R"({"key": "ctrl+z"})");
  CHECK(head.values(ShapeGroup::kIdentity).isZero());
  desk.play("{\"key\": \"ctrl+y\"}\n{\"key\": \"ctrl+shift+z\"}");
  CHECK(head.values(ShapeGroup::kIdentity) == dragged);
  desk.play(R"({"click": "shape/reset_all"})");
  CHECK(head.values(ShapeGroup::kIdentity).isZero());
}

TEST_CASE(
    "shape: parameters travel as JSON over the clipboard, and nonsense there is an error in the window") {
  Desk desk;
  std::string clipboard;
  desk.ui.setHooks({[&] { return clipboard; }, [&](const std::string& text) { clipboard = text; }, nullptr});
  desk.scene.add(headSubject());
  desk.frame();
  desk.play("{\"drag\": \"shape/jawOpen\", \"from\": 0, \"to\": 0.6}\n{\"click\": \"shape/copy\"}");
  const float value = desk.value("jawOpen");
  CHECK(clipboard.find("jawOpen") != std::string::npos);
  desk.play("{\"click\": \"shape/reset_all\"}\n{\"key\": \"ctrl+v\"}");
  CHECK(desk.value("jawOpen") == doctest::Approx(value));
  clipboard = "no parameters";
  desk.play(R"({"click": "shape/paste"})");
  REQUIRE_FALSE(desk.scene.messages.empty());
  CHECK(desk.scene.messages.back().kind == MessageKind::kError);
  CHECK(desk.value("jawOpen") == doctest::Approx(value));
}

TEST_CASE("shape: 300 sliders cost no more than those in sight") {
  Desk desk;
  desk.scene.add(headSubject(300));
  desk.frame();
  desk.play(R"({"click": "shape/group/identity"})");
  int sliders = 0;
  for (const auto& [name, rect] : desk.ui.widgets()) sliders += name.rfind("shape/identity", 0) == 0 ? 1 : 0;
  CHECK(sliders > 5);
  CHECK(sliders < 60);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 50; ++i) desk.ui.draw(desk.scene, desk.actions, desk.builder, nullptr, 1280, 800, 0.02);
  const double ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() / 50;
  MESSAGE("a frame of the panels with 300 sliders: ", ms, " ms");
  CHECK(ms < 10);
}

TEST_CASE("view: modes change by click and by key, other settings too") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  desk.play(R"({"click": "view/mode/clay"})");
  CHECK(desk.scene.view.mode == SurfaceMode::kClay);
  desk.play(R"({"key": "n"})");
  CHECK(desk.scene.view.mode == SurfaceMode::kNormals);
  desk.play(R"({"key": "m"})");
  CHECK(desk.scene.view.mode == SurfaceMode::kCurvature);
  desk.play("{\"click\": \"view/wireframe\"}\n{\"click\": \"view/eyes\"}\n{\"key\": \"l\"}");
  CHECK(desk.scene.view.wireframe);
  CHECK_FALSE(desk.scene.view.show_eyes);
  CHECK(desk.scene.view.light == LightKind::kStudio);
}

TEST_CASE("view: every mode is drawn and has a widget of its own name") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  for (int i = 0; i <= static_cast<int>(SurfaceMode::kScanError); ++i) {
    const SurfaceMode mode = static_cast<SurfaceMode>(i);
    desk.play(std::string("{\"click\": \"view/mode/") + nameOf(mode) + "\"}");
    CHECK(desk.scene.view.mode == mode);
  }
}

TEST_CASE("keys do nothing while a text is being typed") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  desk.play(R"({"click": "shape/filter"})");
  desk.play("{\"key\": \"w\"}\n{\"key\": \"c\"}\n{\"key\": \"q\"}");
  CHECK_FALSE(desk.scene.view.wireframe);
  CHECK(desk.scene.view.mode == SurfaceMode::kTextured);
  CHECK(desk.quits == 0);
  desk.play("{\"click\": \"picture\"}\n{\"key\": \"w\"}");
  CHECK(desk.scene.view.wireframe);
}

TEST_CASE("a click that begins and ends between two frames is not lost") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  desk.frame();
  const WidgetRect rect = desk.ui.widgets().at("view/flat");
  desk.ui.handle(middleOf(rect));
  desk.ui.handle(button(true));
  desk.ui.handle(button(false));
  desk.ui.handle(moveTo(5, 5));
  CHECK(desk.ui.animates());
  for (int i = 0; i < 4; ++i) desk.frame();
  CHECK(desk.scene.view.flat);
  // So with keys: down and up at once is one press.
  InputEvent key;
  key.kind = InputEvent::Kind::kKey;
  key.key = 'W';
  key.down = true;
  desk.ui.handle(key);
  key.down = false;
  desk.ui.handle(key);
  for (int i = 0; i < 3; ++i) desk.frame();
  CHECK(desk.scene.view.wireframe);
}

TEST_CASE("picture: drags turn and move the camera, the wheel brings it nearer, panels keep theirs") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  const OrbitCamera start = desk.scene.camera;
  desk.play(R"({"drag": "picture", "from": 0.4, "to": 0.6})");
  CHECK(desk.scene.camera.yaw_deg != start.yaw_deg);
  CHECK(desk.scene.camera.target_mm == start.target_mm);
  desk.play("{\"wait\": 20}\n{\"drag\": \"picture\", \"from\": 0.4, \"to\": 0.6, \"button\": \"right\"}");
  CHECK(desk.scene.camera.target_mm != start.target_mm);
  InputEvent wheel;
  wheel.kind = InputEvent::Kind::kWheel;
  wheel.y = 2;
  desk.ui.handle(wheel);
  desk.frame();
  CHECK(desk.scene.camera.distance_mm < start.distance_mm);
  const float distance = desk.scene.camera.distance_mm;
  desk.ui.handle(middleOf(desk.ui.widgets().at("view/flat")));
  desk.frame();
  desk.ui.handle(wheel);
  desk.frame();
  CHECK(desk.scene.camera.distance_mm == distance);
}

TEST_CASE("picture: two clicks on the head are two points, a click beside it clears them") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  desk.frame();
  const PixelRect picture = desk.ui.viewport(desk.width, desk.height);
  const float x = static_cast<float>(picture.x + picture.width / 2),
              y = static_cast<float>(picture.y + picture.height / 2);
  const auto clickAt = [&](float at_x, float at_y) {
    desk.ui.handle(moveTo(at_x, at_y));
    desk.ui.handle(button(true));
    desk.ui.handle(button(false));
    for (int i = 0; i < 20; ++i) desk.frame(0.1);
  };
  clickAt(x, y);
  REQUIRE(desk.scene.picks.size() == 1);
  // The point that was clicked is the point that the camera has there.
  const std::optional<Eigen::Vector2f> again =
      desk.builder.camera().imageFromModel(desk.scene.picks[0].position_mm);
  REQUIRE(again);
  CHECK(again->x() + static_cast<float>(picture.x) == doctest::Approx(x).epsilon(0.002));
  CHECK(again->y() + static_cast<float>(picture.y) == doctest::Approx(y).epsilon(0.002));
  clickAt(x + 20, y + 30);
  CHECK(desk.scene.picks.size() == 2);
  desk.play(R"({"tab": "info"})");
  CHECK(desk.has("info/clear_picks"));
  clickAt(static_cast<float>(picture.x + 4), static_cast<float>(picture.y + 4));
  CHECK(desk.scene.picks.empty());
}

TEST_CASE("picture: a double click looks at that point and asks for none") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  const Eigen::Vector3f before = desk.scene.camera.target_mm;
  desk.play(R"({"click": "picture", "double": true})");
  CHECK(desk.scene.picks.empty());
  CHECK(desk.scene.camera.target_mm != before);
}

TEST_CASE("picture: a landmark of a photo can be dragged, is marked as moved and put back") {
  Desk desk;
  desk.scene.add(photoSubject());
  desk.scene.view.landmarks = true;
  desk.frame();
  desk.frame();
  PhotoLandmarks& landmarks = desk.scene.subject()->landmarks;
  const Eigen::Vector2f before = landmarks.ibug68.positions_px.row(8).transpose();
  const PixelRect picture = desk.ui.viewport(desk.width, desk.height);
  const PhotoPlacement placed = placePhoto(400, 400, {0, 0, picture.width, picture.height}, 1, {0, 0});
  const Eigen::Vector2f at = placed.offset_px + placed.scale * before +
                             Eigen::Vector2f(static_cast<float>(picture.x), static_cast<float>(picture.y));
  desk.ui.handle(moveTo(at.x(), at.y()));
  desk.frame();
  desk.ui.handle(button(true));
  desk.frame();
  desk.ui.handle(moveTo(at.x() + 10 * placed.scale, at.y() - 6 * placed.scale));
  desk.frame();
  desk.ui.handle(button(false));
  desk.frame();
  REQUIRE(landmarks.moved.size() == kNumIbugLandmarks);
  CHECK(landmarks.moved[8]);
  CHECK_FALSE(landmarks.moved[9]);
  CHECK(landmarks.ibug68.positions_px(8, 0) == doctest::Approx(before.x() + 10).epsilon(0.01));
  CHECK(landmarks.ibug68.positions_px(8, 1) == doctest::Approx(before.y() - 6).epsilon(0.01));
  desk.play("{\"tab\": \"fit\"}\n{\"click\": \"fit/reset_moved\"}");
  CHECK(landmarks.moved.empty());
  CHECK(landmarks.ibug68.positions_px(8, 0) == before.x());
}

TEST_CASE("picture: over a photo the wheel zooms about the mouse, drags move the photo") {
  Desk desk;
  desk.scene.add(photoSubject());
  desk.frame();
  desk.frame();
  const PixelRect picture = desk.ui.viewport(desk.width, desk.height);
  const Eigen::Vector2f mouse(static_cast<float>(picture.x) + 200, static_cast<float>(picture.y) + 150);
  const PixelRect rect{0, 0, picture.width, picture.height};
  const auto underMouse = [&] {
    const PhotoPlacement placed =
        placePhoto(400, 400, rect, desk.scene.view.photo_zoom, desk.scene.view.photo_pan_px);
    const Eigen::Vector2f corner(static_cast<float>(picture.x), static_cast<float>(picture.y));
    return Eigen::Vector2f((mouse - corner - placed.offset_px) / placed.scale);
  };
  const Eigen::Vector2f before = underMouse();
  desk.ui.handle(moveTo(mouse.x(), mouse.y()));
  desk.frame();
  InputEvent wheel;
  wheel.kind = InputEvent::Kind::kWheel;
  wheel.y = 5;
  desk.ui.handle(wheel);
  desk.frame();
  CHECK(desk.scene.view.photo_zoom > 1.5F);
  CHECK((underMouse() - before).norm() < 0.01F);
  const float yaw = desk.scene.camera.yaw_deg;
  desk.play(R"({"drag": "picture", "from": 0.4, "to": 0.6})");
  CHECK(desk.scene.camera.yaw_deg == yaw);
}

TEST_CASE("compare: the wipe's line can be dragged in the picture") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.scene.add(headSubject(10, "other"));
  desk.scene.show(0);
  desk.frame();
  desk.play(R"({"click": "view/compare/wipe"})");
  CHECK(desk.scene.view.compare == CompareMode::kWipe);
  desk.play("{\"click\": \"view/second\"}\n{\"click\": \"view/second/other\"}");
  CHECK(desk.scene.second == 1);
  const float yaw = desk.scene.camera.yaw_deg;
  desk.play(R"({"drag": "picture", "from": 0.5, "to": 0.25})");
  CHECK(desk.scene.view.wipe == doctest::Approx(0.25).epsilon(0.01));
  CHECK(desk.scene.camera.yaw_deg == yaw);
}

TEST_CASE("fit: the panel asks with what was chosen, shows the work and cancels it") {
  Desk desk;
  desk.scene.add(photoSubject());
  desk.frame();
  desk.play(
      "{\"tab\": \"fit\"}\n{\"click\": \"fit/stop_after/fit\"}\n{\"click\": \"fit/fast\"}\n{\"click\": "
      "\"fit/fit\"}");
  REQUIRE(desk.fits.size() == 1);
  CHECK(desk.fits[0].stop_after == "fit");
  CHECK(desk.fits[0].fast);
  CHECK(desk.fits[0].model == "builtin");
  desk.play("{\"click\": \"fit/model\"}\n{\"click\": \"fit/model/ict\"}\n{\"click\": \"fit/fit\"}");
  REQUIRE(desk.fits.size() == 2);
  CHECK(desk.fits[1].model == "ict");
  desk.scene.job = {true, "fit portrait.jpg", "identity", -1, false, {90, 50, 30, 28}, 4};
  desk.frame();
  CHECK(desk.ui.animates());
  CHECK_FALSE(desk.has("fit/fit"));
  desk.play(R"({"click": "fit/cancel"})");
  CHECK(desk.cancels == 1);
  desk.play(R"({"key": "escape"})");
  CHECK(desk.cancels == 2);
}

TEST_CASE("export: the button asks for what the panel says, and never for what the format cannot hold") {
  Desk desk;
  const fs::path folder = emptyFolder("export");
  desk.scene.add(headSubject());
  desk.frame();
  desk.play("{\"tab\": \"export\"}");
  const fs::path target = folder / "head.glb";
  desk.play("{\"type\": \"export/path\", \"text\": \"" + target.string() + "\"}");
  desk.play(
      "{\"click\": \"export/naming\"}\n{\"click\": \"export/naming/pascal\"}\n{\"click\": "
      "\"export/as_shown\"}\n"
      "{\"click\": \"export/quantised\"}\n{\"click\": \"export/camera\"}\n{\"click\": \"export/export\"}");
  REQUIRE(desk.exports.size() == 1);
  const ExportRequest& glb = desk.exports[0];
  CHECK(glb.path == target);
  CHECK(glb.format == "glb");
  CHECK(glb.naming == "pascal");
  CHECK(glb.photo_expression);
  CHECK(glb.quantised);
  CHECK(glb.with_camera);
  desk.play(
      "{\"click\": \"export/format\"}\n{\"click\": \"export/format/obj\"}\n{\"click\": \"export/unit/cm\"}\n"
      "{\"click\": \"export/export\"}");
  REQUIRE(desk.exports.size() == 2);
  const ExportRequest& obj = desk.exports[1];
  CHECK(obj.format == "obj");
  CHECK(obj.path == folder / "head.obj");
  CHECK(obj.unit == "cm");
  CHECK_FALSE(obj.quantised);
  CHECK_FALSE(obj.with_camera);
  fs::remove_all(folder);
}

TEST_CASE("export: what exists is overwritten only when that was asked for") {
  Desk desk;
  const fs::path folder = emptyFolder("overwrite");
  std::ofstream(folder / "head.glb") << "something";
  desk.scene.add(headSubject());
  desk.frame();
  desk.play("{\"tab\": \"export\"}\n{\"type\": \"export/path\", \"text\": \"" +
            (folder / "head.glb").string() + "\"}");
  desk.play(R"({"click": "export/export"})");
  CHECK(desk.exports.empty());
  desk.play("{\"click\": \"export/overwrite\"}\n{\"click\": \"export/export\"}");
  REQUIRE(desk.exports.size() == 1);
  CHECK(desk.exports[0].overwrite);
  fs::remove_all(folder);
}

TEST_CASE("timeline: scrubbing, stepping and playing show frames and load their pictures") {
  Desk desk;
  desk.scene.add(headSubject());
  makeClip(desk.scene, 50);
  desk.frame();
  desk.frame();
  CHECK(desk.has("timeline/scrub"));
  desk.play(R"({"drag": "timeline/scrub", "from": 0.1, "to": 0.5})");
  const int middle = desk.scene.timeline.current();
  CHECK(middle > 20);
  CHECK(middle < 29);
  CHECK(desk.value("jawOpen") == doctest::Approx(middle / 50.0));
  CHECK(desk.frames_loaded.back() == middle);
  desk.play("{\"key\": \"right\"}\n{\"click\": \"timeline/forward\"}");
  CHECK(desk.scene.timeline.current() == middle + 2);
  desk.play("{\"key\": \"home\"}");
  CHECK(desk.scene.timeline.current() == 0);
  desk.play("{\"key\": \"space\"}\n{\"wait\": 10}");
  CHECK(desk.scene.timeline.playing());
  CHECK(desk.scene.timeline.current() > 3);
  CHECK(desk.ui.animates());
  desk.play("{\"click\": \"timeline/play\"}");
  CHECK_FALSE(desk.scene.timeline.playing());
  desk.play("{\"click\": \"timeline/speed\"}\n{\"click\": \"timeline/speed/0.5×\"}");
  CHECK(desk.scene.timeline.speed == 0.5);
}

TEST_CASE("messages: infos fade, errors stay until they are closed") {
  Desk desk;
  desk.scene.say(MessageKind::kInfo, "written");
  desk.scene.say(MessageKind::kError, "broken.glb: is no GLB");
  for (int i = 0; i < 60; ++i) desk.frame(0.25);
  REQUIRE(desk.scene.messages.size() == 1);
  CHECK(desk.scene.messages[0].kind == MessageKind::kError);
  desk.play(R"({"click": "message/close/0"})");
  CHECK(desk.scene.messages.empty());
}

TEST_CASE("quit: at once when all is saved, asks when a fit is not, and closing the window is the same") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  desk.play(R"({"key": "ctrl+q"})");
  CHECK(desk.quits == 1);
  desk.scene.subject()->unsaved = true;
  InputEvent close;
  close.kind = InputEvent::Kind::kClose;
  desk.ui.handle(close);
  desk.frame();
  desk.frame();
  CHECK(desk.quits == 1);
  desk.play(R"({"click": "quit/stay"})");
  CHECK_FALSE(desk.has("quit/quit"));
  desk.play(R"({"key": "q"})");
  CHECK_FALSE(desk.has("quit/quit"));
  desk.play("{\"key\": \"ctrl+q\"}\n{\"click\": \"quit/quit\"}");
  CHECK(desk.quits == 2);
}

TEST_CASE("file dialog: lists a folder, filters by what is typed, and Enter opens the only match") {
  Desk desk;
  const fs::path folder = emptyFolder("browser");
  fs::create_directories(folder / "results");
  for (const char* name : {"alice.jpg", "bob.png", "notes.txt"}) std::ofstream(folder / name) << "x";
  desk.ui.fromJson("{\"folder\": \"" + folder.string() + "\"}");
  desk.frame();
  desk.play(R"({"key": "ctrl+o"})");
  CHECK(desk.has("browser/file/alice.jpg"));
  CHECK(desk.has("browser/file/results"));
  CHECK_FALSE(desk.has("browser/file/notes.txt"));
  desk.play(R"({"type": "", "text": "bo\n"})");
  CHECK(desk.opened == std::vector<fs::path>{folder / "bob.png"});
  CHECK_FALSE(desk.has("browser/path"));
  desk.play("{\"key\": \"ctrl+o\"}\n{\"type\": \"\", \"text\": \"nobody\\n\"}");
  CHECK(desk.opened.size() == 1);
  CHECK(desk.has("browser/path"));
  desk.play("{\"click\": \"browser/cancel\"}");
  desk.play("{\"key\": \"f12\"}\n{\"click\": \"browser/confirm\"}");
  REQUIRE(desk.pictures.size() == 1);
  CHECK(desk.pictures[0] == folder / "view.png");
  fs::remove_all(folder);
}

TEST_CASE("menus: an item is reached by two clicks") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  desk.play("{\"click\": \"menu/View\"}\n{\"click\": \"menu/View/Wireframe\"}");
  CHECK(desk.scene.view.wireframe);
  desk.play("{\"click\": \"menu/File\"}\n{\"click\": \"menu/File/Close\"}");
  CHECK(desk.scene.subjects.empty());
}

TEST_CASE("keyboard: F6 sends the arrows to the panels, Escape brings them back") {
  Desk desk;
  desk.scene.add(headSubject());
  makeClip(desk.scene, 20);
  desk.frame();
  desk.frame();
  desk.play("{\"key\": \"f6\"}\n{\"key\": \"down\"}\n{\"key\": \"down\"}\n{\"key\": \"right\"}");
  CHECK(desk.scene.timeline.current() == 0);
  CHECK(ImGui::GetIO().NavActive);
  desk.play("{\"key\": \"escape\"}\n{\"key\": \"right\"}");
  CHECK(desk.scene.timeline.current() == 1);
}

TEST_CASE("panels: nothing overlaps, whatever the window's size and scale") {
  struct Size {
    int width, height;
    float scale;
  };
  for (const Size size : {Size{1280, 800, 1}, Size{1920, 1080, 1}, Size{2560, 1600, 2}, Size{1280, 800, 2},
                          Size{320, 200, 1}}) {
    Desk desk(size.scale, size.width, size.height);
    desk.scene.add(headSubject());
    makeClip(desk.scene, 20);
    for (int i = 0; i < 3; ++i) desk.frame();
    const PixelRect picture = desk.ui.viewport(size.width, size.height);
    CHECK(picture.width >= 2 * size.width / 5 - 2);
    CHECK(picture.height > size.height / 5);
    for (const auto& [name, rect] : desk.ui.widgets()) {
      if (rect.scroll != 0 || name.rfind("picture", 0) == 0 || name.rfind("splitter", 0) == 0) continue;
      INFO(name, " at ", size.width, "x", size.height, " scale ", size.scale);
      const float x = rect.x + rect.width / 2, y = rect.y + rect.height / 2;
      const bool inside =
          x > static_cast<float>(picture.x) && x < static_cast<float>(picture.x + picture.width) &&
          y > static_cast<float>(picture.y) && y < static_cast<float>(picture.y + picture.height);
      CHECK_FALSE(inside);
    }
  }
}

TEST_CASE("panels: Tab hides them and the picture fills the window") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  desk.play(R"({"key": "tab"})");
  CHECK(desk.ui.viewport(1280, 800).width == 1280);
  CHECK_FALSE(desk.has("view/flat"));
  desk.play(R"({"key": "tab"})");
  CHECK(desk.has("view/flat"));
}

TEST_CASE("panels: nothing crashes without a head, without a photo, without actions") {
  for (int kind = 0; kind < 4; ++kind) {
    Desk desk;
    desk.actions = {};
    if (kind == 1) desk.scene.add(photoSubject());
    if (kind == 2) desk.scene.add(headSubject(0));
    if (kind == 3) {
      desk.scene.add(std::make_shared<Subject>());
      desk.scene.subject()->kind = "photo";
    }
    desk.scene.view.landmarks = desk.scene.view.uncertainty = desk.scene.view.axes = true;
    desk.frame();
    for (const char* tab : {"shape", "fit", "export", "info"})
      desk.play(std::string("{\"tab\": \"") + tab + "\"}");
    for (const char* key :
         {"t",      "a",      "k",      "g",      "j",      "e", "w",      "x", "l",     "v",
          "v",      "v",      "f",      "r",      "1",      "7", "0",      "5", "space", "right",
          "ctrl+e", "ctrl+s", "ctrl+z", "ctrl+c", "ctrl+v", "h", "escape", "q"})
      desk.play(std::string("{\"key\": \"") + key + "\"}");
    CHECK(desk.ui.drawData() != nullptr);
  }
}

TEST_CASE("replay: a recording played into another window of that size leaves the same head and view") {
  const fs::path path = fs::temp_directory_path() / "facet_panels_test_replay.jsonl";
  std::string head, view;
  Eigen::Vector3f target;
  {
    Desk desk;
    desk.scene.add(headSubject());
    desk.recorder.emplace(path);
    desk.play(
        "{\"drag\": \"shape/jawOpen\", \"from\": 0, \"to\": 0.7}\n{\"click\": \"view/mode/clay\"}\n"
        "{\"drag\": \"picture\", \"from\": 0.3, \"to\": 0.6}\n{\"key\": \"w\"}\n"
        "{\"type\": \"shape/filter\", \"text\": \"smile\"}\n"
        "{\"drag\": \"shape/mouthSmileLeft\", \"from\": 0, \"to\": 0.4}");
    head = desk.scene.subject()->head->toJson();
    view = toJson(desk.scene.view) + toJson(desk.scene.camera);
  }
  Desk again;
  again.scene.add(headSubject());
  ScriptPlayer player(readScript(path));
  for (int i = 0; i < 3000 && !player.finished(); ++i) {
    for (const InputEvent& event : player.next(again.ui.widgets(), false).events) again.ui.handle(event);
    again.frame();
  }
  for (int i = 0; i < 5; ++i) again.frame();
  CHECK(again.scene.subject()->head->toJson() == head);
  CHECK(toJson(again.scene.view) + toJson(again.scene.camera) == view);
  CHECK(head.find("mouthSmileRight") != std::string::npos);
  fs::remove(path);
}

TEST_CASE("state: what is open and chosen comes back, and nonsense leaves all as it is") {
  std::string state;
  {
    Desk desk;
    desk.scene.add(headSubject());
    desk.frame();
    desk.play(
        "{\"tab\": \"export\"}\n{\"click\": \"export/naming\"}\n{\"click\": "
        "\"export/naming/ict\"}\n{\"key\": \"tab\"}");
    state = desk.ui.toJson();
  }
  Desk desk;
  desk.scene.add(headSubject());
  desk.ui.fromJson("{\"left_width\": \"wide\", \"shape\": 7, \"tab\": 3");
  desk.ui.fromJson(R"({"left_width": "wide", "shape": 7})");
  desk.ui.fromJson(state);
  CHECK(desk.ui.viewport(1280, 800).width == 1280);
  desk.ui.setPanelsVisible(true);
  for (int i = 0; i < 3; ++i) desk.frame();
  CHECK(desk.has("export/export"));
  desk.play(R"({"key": "tab"})");
  CHECK(desk.ui.toJson() == state);
}

TEST_CASE("script: what is scrolled out of a panel is scrolled to and pressed") {
  Desk desk(1, 1280, 500);
  desk.scene.add(headSubject());
  desk.frame();
  desk.frame();
  REQUIRE(desk.ui.widgets().at("camera/orthographic").scroll == -1);
  desk.play(R"({"click": "camera/orthographic"})");
  CHECK(desk.scene.camera.orthographic);
  desk.play(R"({"click": "view/mode/clay"})");
  CHECK(desk.scene.view.mode == SurfaceMode::kClay);
}

TEST_CASE("picture: F brings a photo's face into the middle, R shows the whole photo again") {
  Desk desk;
  desk.scene.add(photoSubject());
  desk.frame();
  desk.play(R"({"key": "f"})");
  const PixelRect picture = desk.ui.viewport(desk.width, desk.height);
  const ViewSettings& view = desk.scene.view;
  const PhotoPlacement placed =
      placePhoto(400, 400, {0, 0, picture.width, picture.height}, view.photo_zoom, view.photo_pan_px);
  const Points2& points = desk.scene.subject()->landmarks.ibug68.positions_px;
  const Eigen::Vector2f low = points.colwise().minCoeff().transpose(),
                        high = points.colwise().maxCoeff().transpose();
  const Eigen::Vector2f middle = (low + high) / 2;
  const Eigen::Vector2f in_picture = placed.offset_px + placed.scale * middle;
  INFO(view.photo_zoom, " ", placed.scale, " ", middle.x());
  CHECK(view.photo_zoom >= 1);
  CHECK(in_picture.x() == doctest::Approx(picture.width / 2.0).epsilon(0.01));
  CHECK(in_picture.y() == doctest::Approx(picture.height / 2.0).epsilon(0.01));
  desk.play(R"({"key": "r"})");
  CHECK(view.photo_zoom == 1);
  CHECK(view.photo_pan_px.isZero());
}

TEST_CASE("panels: the edge of a panel can be dragged, and the picture follows") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  desk.frame();
  const int before = desk.ui.viewport(1280, 800).x;
  const WidgetRect edge = desk.ui.widgets().at("splitter/left_edge");
  const InputEvent start = middleOf(edge);
  desk.ui.handle(start);
  desk.ui.handle(button(true));
  desk.frame();
  desk.ui.handle(moveTo(start.x + 60, start.y));
  desk.frame();
  desk.ui.handle(button(false));
  desk.frame();
  CHECK(desk.ui.viewport(1280, 800).x == before + 60);
}

TEST_CASE("fit: a photo that is opened brings the panel that fits it") {
  Desk desk;
  desk.scene.add(photoSubject());
  for (int i = 0; i < 3; ++i) desk.frame();
  CHECK(desk.has("fit/fit"));
}

namespace {

// A head behind whose picture the fit's camera is.
std::shared_ptr<Subject> fittedSubject() {
  auto subject = headSubject();
  subject->photo = std::make_shared<Image8>(400, 400, 3, std::uint8_t{90});
  SubjectFrame frame;
  frame.camera = OrbitCamera().camera(400, 400);
  subject->frames = {frame};
  return subject;
}

void write(const fs::path& path) { std::ofstream(path) << "kept"; }

}  // namespace

TEST_CASE("through the photo: a head without a fitted camera is orbited, whatever was chosen for another") {
  Desk desk;
  desk.scene.add(fittedSubject());
  desk.scene.add(headSubject());
  desk.scene.view.through_photo = true;
  desk.frame();
  const OrbitCamera start = desk.scene.camera;
  desk.play(R"({"drag": "picture", "from": 0.4, "to": 0.6})");
  CHECK(desk.scene.camera.yaw_deg != start.yaw_deg);
  CHECK(desk.scene.view.photo_pan_px.isZero());
  CHECK_FALSE(desk.has("camera/photo_opacity"));
  desk.scene.show(0);
  desk.frame();
  const OrbitCamera turned = desk.scene.camera;
  desk.play("{\"wait\": 20}\n{\"drag\": \"picture\", \"from\": 0.4, \"to\": 0.6}");
  CHECK(desk.scene.camera.yaw_deg == turned.yaw_deg);
  CHECK_FALSE(desk.scene.view.photo_pan_px.isZero());
}

TEST_CASE("dialogs: a name without its extension is completed before the question whether to replace") {
  const fs::path folder = emptyFolder("complete");
  write(folder / "head.png");
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  desk.play(R"({"key": "f12"})");
  const std::string type =
      "{\"type\": \"browser/path\", \"text\": \"" + (folder / "head").string() + "\\n\"}";
  desk.play(type);
  CHECK(desk.pictures.empty());
  desk.play(R"({"click": "browser/confirm"})");
  CHECK(desk.pictures == std::vector<fs::path>{folder / "head.png"});
}

TEST_CASE("dialogs: the question whether to replace is about one file, not about the next one") {
  const fs::path folder = emptyFolder("replace");
  write(folder / "one.png");
  write(folder / "two.png");
  std::vector<fs::path> answers;
  FileBrowser browser;
  FileBrowser::Request request;
  request.must_exist = false;
  request.extensions = {".png"};
  request.then = [&](const fs::path& path) { answers.push_back(path); };
  browser.ask(request);
  browser.choose(folder / "one.png");
  browser.choose(folder / "two");
  CHECK(answers.empty());
  browser.choose(folder / "two.png");
  CHECK(answers == std::vector<fs::path>{folder / "two.png"});
}

TEST_CASE("export: what may be overwritten is one file, not the next subject's") {
  const fs::path folder = emptyFolder("overwrite");
  write(folder / "first.glb");
  write(folder / "second.glb");
  Desk desk;
  desk.ui.fromJson("{\"folder\": \"" + folder.string() + "\"}");
  desk.scene.add(headSubject(10, "first"));
  desk.scene.add(headSubject(10, "second"));
  desk.scene.show(0);
  desk.frame();
  desk.play("{\"tab\": \"export\"}\n{\"click\": \"export/overwrite\"}\n{\"click\": \"export/export\"}");
  REQUIRE(desk.exports.size() == 1);
  desk.scene.show(1);
  desk.frame();
  desk.play(R"({"key": "ctrl+e"})");
  CHECK(desk.exports.size() == 1);
  desk.play("{\"click\": \"export/overwrite\"}\n{\"click\": \"export/export\"}");
  CHECK(desk.exports.size() == 2);
}

TEST_CASE("an action that throws is a message in the window, and the next frames are drawn") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.actions.open_demo = [] { throw std::runtime_error("no demo today"); };
  desk.frame();
  desk.play("{\"click\": \"menu/File\"}\n{\"click\": \"menu/File/Demo\"}");
  REQUIRE_FALSE(desk.scene.messages.empty());
  CHECK(desk.scene.messages.back().text == "no demo today");
  desk.play(R"({"click": "view/flat"})");
  CHECK(desk.scene.view.flat);
  // Within disabled controls, children, tabs and popups, too.
  desk.actions.cancel = [] { throw std::runtime_error("no stop today"); };
  desk.scene.job.running = true;
  desk.scene.add(photoSubject());
  desk.frame();
  desk.play("{\"tab\": \"fit\"}\n{\"click\": \"fit/cancel\"}");
  CHECK(desk.scene.messages.back().text == "no stop today");
  CHECK(desk.has("fit/cancel"));
}

TEST_CASE("timeline: curves follow another clip of as many frames, and a head that comes later") {
  Desk desk;
  desk.scene.add(headSubject());
  makeClip(desk.scene, 8);
  const std::shared_ptr<ShapedHead> head = desk.scene.subject()->head;
  desk.scene.subject()->head = nullptr;
  desk.frame();
  desk.play(R"({"click": "timeline/curves"})");
  CHECK_FALSE(desk.has("timeline/curve/jawOpen"));
  desk.scene.subject()->head = head;
  desk.frame();
  CHECK(desk.has("timeline/curve/jawOpen"));
}

TEST_CASE("a mouse's side buttons do nothing") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  const OrbitCamera start = desk.scene.camera;
  const PixelRect picture = desk.ui.viewport(desk.width, desk.height);
  InputEvent side = button(true);
  side.button = 3;
  desk.ui.handle(moveTo(static_cast<float>(picture.x + 200), static_cast<float>(picture.y + 200)));
  desk.ui.handle(side);
  for (int i = 0; i < 3; ++i) desk.frame();
  desk.ui.handle(moveTo(static_cast<float>(picture.x + 300), static_cast<float>(picture.y + 260)));
  for (int i = 0; i < 3; ++i) desk.frame();
  CHECK(desk.scene.camera.target_mm == start.target_mm);
  CHECK(desk.scene.camera.yaw_deg == start.yaw_deg);
}

TEST_CASE("glossary: every term that a control speaks of has its sentence") {
  for (const fs::path& file :
       {fs::path("view_panel.cpp"), fs::path("camera_panel.cpp"), fs::path("light_panel.cpp"),
        fs::path("fit_panel.cpp"), fs::path("export_panel.cpp"), fs::path("shape_panel.cpp")}) {
    std::ifstream stream(fs::path(FACET_SOURCE_DIR) / "viewer/panels" / file);
    const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    REQUIRE_FALSE(text.empty());
    const std::regex term("(?:tipTerm|glossary)\\(\"([^\"]+)\"\\)");
    for (std::sregex_iterator at(text.begin(), text.end(), term), end; at != end; ++at) {
      CAPTURE((*at)[1].str());
      CHECK_FALSE(glossary((*at)[1].str()).empty());
    }
  }
  for (const char* toggled : {"wireframe", "flat", "normal map", "displacement", "occlusion", "backfaces",
                              "landmarks", "uncertainty"}) {
    CAPTURE(toggled);
    CHECK_FALSE(glossary(toggled).empty());
  }
  for (int i = 0; i <= static_cast<int>(SurfaceMode::kScanError); ++i)
    CHECK_FALSE(glossary(nameOf(static_cast<SurfaceMode>(i))).empty());
}

TEST_CASE(
    "messages: they lie at the top right, below each other, and a long notice takes two lines at most") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  std::string licence = "licence:";
  for (int i = 0; i < 60; ++i) licence += " may be used";
  desk.scene.say(MessageKind::kWarning, "the first of them");
  desk.scene.say(MessageKind::kInfo, licence);
  desk.frame();
  desk.frame();
  const PixelRect picture = desk.ui.viewport(desk.width, desk.height);
  const WidgetRect newest = desk.ui.widgets().at("message/0"), older = desk.ui.widgets().at("message/1");
  CHECK(newest.height < 60);
  CHECK(older.y >= newest.y + newest.height);
  CHECK(older.y + older.height < static_cast<float>(picture.y + picture.height / 2));
  CHECK(newest.x > static_cast<float>(picture.x + picture.width / 2));
}

TEST_CASE("quit: what is not saved can be saved from the question") {
  const fs::path folder = emptyFolder("quit");
  std::vector<fs::path> saved;
  Desk desk;
  desk.actions.save_result = [&](const fs::path& path) { saved.push_back(path); };
  desk.scene.add(headSubject(10, "unsaved"));
  desk.scene.subject()->unsaved = true;
  desk.scene.add(headSubject(10, "other"));
  desk.frame();
  desk.play("{\"key\": \"ctrl+q\"}\n{\"click\": \"quit/save\"}");
  CHECK(desk.scene.subject()->name == "unsaved");
  desk.play("{\"type\": \"browser/path\", \"text\": \"" + (folder / "result").string() + "\\n\"}");
  CHECK(saved == std::vector<fs::path>{folder / "result"});
  CHECK(desk.quits == 0);
}

TEST_CASE("fit: the plot of the cost goes when the fit has ended") {
  Desk desk;
  desk.scene.add(photoSubject());
  desk.scene.job.running = true;
  desk.scene.job.cost = {9, 4, 2};
  desk.frame();
  desk.frame();
  CHECK(desk.has("fit/cost"));
  desk.scene.job.running = false;
  desk.frame();
  desk.frame();
  CHECK_FALSE(desk.has("fit/cost"));
}

TEST_CASE("close: a head that was shaped is closed only after a question, an untouched one at once") {
  Desk desk;
  desk.scene.add(headSubject(10, "one"));
  desk.scene.add(headSubject(10, "two"));
  desk.frame();
  desk.play(R"({"drag": "shape/jawOpen", "from": 0, "to": 0.8})");
  CHECK(desk.scene.subjects[1]->edited);
  CHECK_FALSE(desk.scene.subjects[0]->edited);
  desk.play("{\"click\": \"subjects/close/2\"}\n{\"click\": \"close/stay\"}");
  CHECK(desk.scene.subjects.size() == 2);
  desk.play("{\"key\": \"ctrl+w\"}\n{\"click\": \"close/close\"}");
  REQUIRE(desk.scene.subjects.size() == 1);
  desk.play(R"({"click": "subjects/close/1"})");
  CHECK(desk.scene.subjects.empty());
}

TEST_CASE("close: playing a clip is no change, an undone slider is one") {
  Desk desk;
  desk.scene.add(headSubject());
  makeClip(desk.scene, 5);
  desk.play("{\"key\": \"right\"}\n{\"key\": \"right\"}");
  CHECK_FALSE(desk.scene.subject()->edited);
  desk.play(R"({"drag": "shape/jawOpen", "from": 0.1, "to": 0.8})");
  desk.scene.subject()->edited = false;  // exported
  desk.play(R"({"key": "ctrl+z"})");
  CHECK(desk.scene.subject()->edited);
}

TEST_CASE("shape: random and neutral change only the sliders that the filter lists") {
  Desk desk;
  desk.scene.add(headSubject());
  desk.frame();
  desk.play("{\"type\": \"shape/filter\", \"text\": \"identity 1\"}\n{\"click\": \"shape/random\"}");
  CHECK(desk.value("identity 1") != 0);
  CHECK(desk.value("identity 0") == 0);
  CHECK(desk.value("jawOpen") == 0);
  desk.scene.subject()->head->set(ShapeGroup::kIdentity, 0, 2);
  desk.play(R"({"click": "shape/neutral"})");
  CHECK(desk.value("identity 1") == 0);
  CHECK(desk.value("identity 0") == 2);
}

TEST_CASE("shape: reset and a right click go back to the fitted face, neutral to rest") {
  Desk desk;
  auto fitted = headSubject();
  const auto& controls = fitted->head->controls(ShapeGroup::kShapes);
  for (int i = 0; i < static_cast<int>(controls.size()); ++i)
    fitted->head->set(ShapeGroup::kShapes, i, 0.1F * static_cast<float>(i + 1));
  desk.scene.add(fitted);
  desk.frame();
  const float left = desk.value("eyeBlinkLeft"), right = desk.value("eyeBlinkRight");
  REQUIRE(left != right);
  desk.play(
      "{\"drag\": \"shape/eyeBlinkLeft\", \"from\": 0.2, \"to\": 0.9}\n{\"wait\": 30}\n"
      "{\"click\": \"shape/eyeBlinkLeft\", \"button\": \"right\"}");
  CHECK(desk.value("eyeBlinkLeft") == left);
  CHECK(desk.value("eyeBlinkRight") == right);
  desk.play(R"({"click": "shape/neutral"})");
  CHECK(desk.value("eyeBlinkLeft") == 0);
  desk.play(R"({"click": "shape/reset"})");
  CHECK(desk.value("eyeBlinkLeft") == left);
}

TEST_CASE("picture: a dragged landmark goes back by Ctrl+Z and by a right click") {
  Desk desk;
  desk.scene.add(photoSubject());
  desk.scene.view.landmarks = true;
  desk.frame();
  desk.frame();
  Subject& subject = *desk.scene.subject();
  const Points2 detected = subject.landmarks.ibug68.positions_px;
  const PixelRect picture = desk.ui.viewport(desk.width, desk.height);
  const PhotoPlacement placed = placePhoto(400, 400, desk.builder.rect(), 1, {0, 0});
  const auto windowOf = [&](const Eigen::Vector2f& in_photo) {
    const Eigen::Vector2f at = placed.offset_px + placed.scale * in_photo;
    return moveTo(static_cast<float>(picture.x) + at.x(), static_cast<float>(picture.y) + at.y());
  };
  const auto give = [&](const InputEvent& event) {
    desk.give(event);
    desk.frame();
  };
  const Eigen::Vector2f from = detected.row(0).transpose(), to = from + Eigen::Vector2f(0, -30);
  const auto dragIt = [&] {
    give(windowOf(from));
    give(button(true));
    give(windowOf((from + to) / 2));
    give(windowOf(to));
    give(button(false));
    desk.frame();
  };
  dragIt();
  REQUIRE((subject.landmarks.ibug68.positions_px - detected).cwiseAbs().maxCoeff() > 20);
  desk.play(R"({"key": "ctrl+z"})");
  CHECK(subject.landmarks.ibug68.positions_px == detected);
  CHECK(subject.landmarks.moved.empty());
  dragIt();
  InputEvent right = button(true);
  right.button = 1;
  give(windowOf(to));
  give(right);
  right.down = false;
  give(right);
  CHECK(subject.landmarks.ibug68.positions_px == detected);
}

TEST_CASE("compare: with two heads open the second is taken by itself") {
  Desk desk;
  desk.scene.add(headSubject(10, "one"));
  desk.scene.add(headSubject(10, "two"));
  desk.frame();
  desk.play(R"({"click": "view/compare/wipe"})");
  CHECK(desk.scene.second == 0);
}

TEST_CASE("export: Ctrl+E shows the panel first, and what was written is said, not questioned") {
  const fs::path folder = emptyFolder("exported");
  Desk desk;
  desk.actions.export_head = [&](const ExportRequest& request) {
    desk.exports.push_back(request);
    std::ofstream(request.path) << "a head";
  };
  auto subject = headSubject(10, "C000127.jpg");
  subject->source = folder / "C000127.jpg";
  desk.scene.add(subject);
  desk.frame();
  desk.play(R"({"key": "ctrl+e"})");
  CHECK(desk.exports.empty());
  desk.play(R"({"key": "ctrl+e"})");
  REQUIRE(desk.exports.size() == 1);
  CHECK(desk.exports[0].path == folder / "C000127.glb");
  CHECK_FALSE(desk.has("export/overwrite"));
  desk.play(R"({"click": "export/export"})");
  CHECK(desk.exports.size() == 1);
  CHECK(desk.has("export/overwrite"));
  fs::remove_all(folder);
}

TEST_CASE("fit: a click elsewhere ends typing, and the keys are shortcuts again") {
  Desk desk;
  desk.scene.add(photoSubject());
  desk.frame();
  desk.play("{\"tab\": \"fit\"}\n{\"type\": \"fit/focal\", \"text\": \"800\"}");
  const WidgetRect picture = desk.ui.widgets().at("picture");
  desk.give(middleOf(picture));
  desk.frame();
  desk.give(button(true));
  desk.frame();
  desk.give(button(false));
  InputEvent key;
  key.kind = InputEvent::Kind::kKey;
  key.key = 'H';
  key.down = true;
  desk.give(key);
  desk.frame();
  desk.frame();
  desk.frame();
  CHECK(desk.has("help/close"));
}

TEST_CASE("panels: in a small window the picture keeps 45 % of the width") {
  Desk desk(1, 800, 600);
  desk.scene.add(headSubject());
  desk.frame();
  CHECK(desk.ui.viewport(800, 600).width >= 0.445 * 800);
}

TEST_CASE("compare: the wipe between photo and head is zoomed, moved and framed as the photo is") {
  Desk desk;
  desk.scene.add(fittedSubject());
  desk.scene.view.compare = CompareMode::kWipePhoto;
  desk.frame();
  const WidgetRect picture = desk.ui.widgets().at("picture");
  desk.give(moveTo(picture.x + 0.3F * picture.width, picture.y + 0.5F * picture.height));
  InputEvent wheel;
  wheel.kind = InputEvent::Kind::kWheel;
  wheel.y = 3;
  desk.give(wheel);
  desk.frame();
  desk.frame();
  CHECK(desk.scene.view.photo_zoom > 1.2F);
  const Eigen::Vector2f before = desk.scene.view.photo_pan_px;
  desk.play("{\"wait\": 20}\n{\"drag\": \"picture\", \"from\": 0.2, \"to\": 0.3}");
  CHECK(desk.scene.view.photo_pan_px.x() > before.x() + 20);
  desk.play(R"({"key": "f"})");
  CHECK(desk.scene.view.photo_zoom == 1);
  CHECK(desk.scene.view.photo_pan_px.isZero());
}
