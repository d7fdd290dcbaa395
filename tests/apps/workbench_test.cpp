// The workbench of facet-view, without a window: what it opens, fits, tracks, exports, and how it gives up.
#include "apps/facet_view/workbench.h"

#include <doctest/doctest.h>

#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/facet_view/subject_files.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/glb_reader.h"
#include "core/io/image_io.h"
#include "core/io/mesh_io.h"
#include "core/io/model_io.h"
#include "core/io/take_io.h"
#include "core/io/video_io.h"
#include "tests/apps/program.h"
#include "tests/data.h"

namespace fs = std::filesystem;
using namespace facet;
using namespace facet::test;
using nlohmann::json;

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A scene with its workbench, as the program has them.
struct Bench {
  Bench() { session.console.setQuiet(true); }

  Scene scene;
  Session session;
  std::unique_ptr<Workbench> workbench = std::make_unique<Workbench>(scene, session, nullptr);

  Actions& actions() { return workbench->actions(); }
  bool said(MessageKind kind, const std::string& part) const {
    return std::any_of(scene.messages.begin(), scene.messages.end(), [&](const Message& message) {
      return message.kind == kind && message.text.find(part) != std::string::npos;
    });
  }
  std::string allSaid() const {
    std::string text;
    for (const Message& message : scene.messages) text += message.text + "\n";
    return text;
  }
  // Until `condition` holds, at most so long.
  template <typename Condition>
  bool wait(const Condition& condition, double seconds = 60) {
    const auto start = Clock::now();
    while (!condition() && secondsSince(start) < seconds) {
      workbench->update();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return condition();
  }
};

std::optional<fs::path> astronaut() {
  const auto data = realData();
  if (!data || !fs::exists(*data / "photos/gov/astronaut.png")) {
    MESSAGE("skipped: no real photos (FACET_TEST_DATA)");
    return std::nullopt;
  }
  return *data / "photos/gov/astronaut.png";
}

// A model on another mesh than the built-in one.
std::optional<std::string> otherModel() {
  const auto data = realData();
  if (!data || !fs::exists(*data / "ict_facekit/ict_facekit_light.npz")) {
    MESSAGE("skipped: no ICT model (FACET_TEST_DATA)");
    return std::nullopt;
  }
  return (*data / "ict_facekit/ict_facekit_light.npz").string();
}

json readJson(const fs::path& path) { return json::parse(readText(path)); }

float largestDifference(const json& expected, const Eigen::VectorXf& values) {
  REQUIRE(expected.size() == static_cast<std::size_t>(values.size()));
  float largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    largest = std::max(largest, std::abs(expected[i].get<float>() - values[static_cast<Eigen::Index>(i)]));
  return largest;
}

}  // namespace

// ---- Opening ----

TEST_CASE("workbench: a result opens with its head in the photo's shape, its camera, light and landmarks") {
  Bench bench;
  bench.workbench->openNow(portraitResult().string());
  Subject* const subject = bench.scene.subject();
  REQUIRE(subject != nullptr);
  CHECK(subject->kind == "reconstruction");
  CHECK(subject->name == "portrait");
  REQUIRE(subject->head);
  const json fit = readJson(portraitResult() / "fit.json");
  CHECK(largestDifference(fit["identity"], subject->head->identity()) < 1e-6F);
  CHECK(largestDifference(fit["views"][0]["expression"], subject->head->expression()) < 1e-6F);
  REQUIRE(subject->frames.size() == 1);
  REQUIRE(subject->frames[0].camera);
  CHECK(subject->frames[0].camera->focal_px == doctest::Approx(fit["views"][0]["camera"]["K"][0][0]));
  CHECK(subject->photo_light);
  CHECK(subject->landmarks.ibug68.size() == 68);
  REQUIRE(subject->materials[0].base_colour);
  CHECK(subject->materials[0].base_colour->width() == 256);
  // At once without, and from the background with, the maps that take long.
  CHECK(subject->materials[0].occlusion_roughness == nullptr);
  bench.workbench->finish();
  CHECK(subject->materials[0].occlusion_roughness != nullptr);
  CHECK(subject->materials[0].normal != nullptr);
  REQUIRE(subject->photo);
  CHECK(subject->photo->width() == 480);
}

TEST_CASE("workbench: a result that was moved together with its photo still shows it") {
  const TemporaryFolder folder("workbench");
  fs::copy(portraitResult(), folder / "portrait", fs::copy_options::recursive);
  json fit = readJson(folder / "portrait/fit.json");
  fit["views"][0]["photo"] = "elsewhere/portrait.png";
  writeText(folder / "portrait/fit.json", fit.dump());
  fs::copy(portraitResult().parent_path() / "portrait.png", folder / "portrait.png");
  Bench bench;
  bench.workbench->openNow((folder / "portrait").string());
  bench.workbench->finish();
  CHECK(bench.scene.subject()->frames[0].picture == folder / "portrait.png");
  CHECK(bench.scene.subject()->photo != nullptr);
}

TEST_CASE("workbench: a folder of results opens each of them and shows the first") {
  const TemporaryFolder folder("workbench");
  for (const char* name : {"anna", "bert", "carl"})
    fs::copy(portraitResult(), folder / name, fs::copy_options::recursive);
  Bench bench;
  bench.actions().open(folder.path());
  bench.workbench->finish();
  REQUIRE(bench.scene.subjects.size() == 3);
  CHECK(bench.scene.subjects[2]->name == "carl");
  CHECK(bench.scene.current == 0);
  CHECK(bench.actions().recent.at(0) == folder.path());
}

TEST_CASE("workbench: a result with an entry of another kind is an error that names its file; others open") {
  const TemporaryFolder folder("workbench");
  const auto copyWith = [&](const char* name, const auto& change) {
    fs::copy(portraitResult(), folder / name, fs::copy_options::recursive);
    json fit = readJson(folder / name / "fit.json");
    change(fit);
    writeText(folder / name / "fit.json", fit.dump());
  };
  copyWith("a", [](json& fit) { fit["stages"] = {{{"seconds", "long"}}}; });
  copyWith("b", [](json& fit) { fit["views"][0]["landmarks68"][7] = json::array(); });
  copyWith("c", [](json& fit) { fit["warnings"] = 3; });
  copyWith("d", [](json& fit) {  // a detection whose photo is not named
    fit.erase("identity");
    fit["inputs"][0].erase("path");
  });
  copyWith("e", [](json& fit) { fit["views"][0]["photo"] = std::string(5000, 'x'); });
  copyWith("f", [](json&) {});
  Bench bench;
  for (const char* name : {"a", "b", "d", "e"}) {
    try {
      bench.workbench->openNow((folder / name).string());
      FAIL_CHECK(name << " was opened");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kInput);
      CHECK_MESSAGE(std::string(error.what()).find((folder / name / "fit.json").string()) == 0, error.what());
    }
  }
  CHECK(bench.scene.subjects.empty());
  bench.actions().open(folder.path());
  bench.workbench->finish();
  CHECK(bench.scene.subjects.size() == 2);
  CHECK(bench.scene.subjects.back()->name == "f");
}

TEST_CASE("workbench: a photo that changed on disk is looked at again") {
  const auto photo = astronaut();
  if (!photo) return;
  const TemporaryFolder folder("workbench");
  const fs::path mine = folder / "mine.png";
  writePng(mine, Image8(300, 200, 3, 128));
  Bench bench;
  bench.workbench->openNow(mine.string());
  bench.workbench->finish();
  CHECK(bench.scene.subject()->landmarks.ibug68.size() == 0);
  fs::copy_file(*photo, mine, fs::copy_options::overwrite_existing);
  bench.workbench->openAgain(mine.string());
  bench.workbench->finish();
  REQUIRE(bench.scene.subjects.size() == 1);
  CHECK(bench.scene.subject()->landmarks.ibug68.size() == 68);
  REQUIRE(bench.scene.subject()->photo);
  CHECK(bench.scene.subject()->photo->width() == 512);
  // What was made of it and is not saved is not thrown away.
  FitRequest request;
  request.stop_after = "fit";
  bench.actions().fit(request);
  bench.workbench->finish();
  const std::shared_ptr<Subject> fitted = bench.scene.subjects[0];
  REQUIRE(fitted->unsaved);
  bench.workbench->openAgain(mine.string());
  bench.workbench->finish();
  REQUIRE(bench.scene.subjects.size() == 2);
  CHECK(bench.scene.subjects[0] == fitted);
  CHECK(fitted->head != nullptr);
}

TEST_CASE("workbench: an exported GLB opens with its materials, and on its own topology with its regions") {
  Bench bench;
  bench.workbench->openNow((portraitResult() / "face.glb").string());
  const Subject& subject = *bench.scene.subject();
  CHECK(subject.kind == "GLB");
  const MorphableModel builtin = loadModel("builtin");
  const FaceAsset asset = readGlb(portraitResult() / "face.glb");
  REQUIRE(subject.materials.size() == asset.materials.size());
  CHECK(subject.materials[0].normal != nullptr);
  CHECK(subject.head->model().region_names == builtin.region_names);
  // Each triangle keeps its material, though the model's order is another than the file's.
  REQUIRE(subject.triangle_material.size() == builtin.triangle_material.size());
  for (std::size_t f = 0; f < builtin.triangle_material.size(); ++f) {
    if (subject.materials[subject.triangle_material[f]].name ==
        builtin.material_names[builtin.triangle_material[f]])
      continue;
    FAIL_CHECK("triangle ", f, " has another material");
    break;
  }
  CHECK(subject.head->controls(ShapeGroup::kShapes).size() == 51);
}

TEST_CASE("workbench: an OBJ wears its texture, a PLY its vertex colours, and a photo waits for its fit") {
  const TemporaryFolder folder("workbench");
  Bench bench;
  bench.workbench->openNow((portraitResult() / "mesh/neutral.obj").string());
  const Subject& obj = *bench.scene.subject();
  CHECK(obj.kind == "OBJ");
  REQUIRE(obj.materials[0].base_colour);
  CHECK(obj.materials[0].base_colour->width() == 256);
  CHECK(obj.head->controls(ShapeGroup::kShapes).empty());

  Mesh mesh = readObj(portraitResult() / "mesh/neutral.obj");
  mesh.colours = Points3::Constant(mesh.vertices.rows(), 3, 128.0F / 255);
  writePly(folder / "grey.ply", mesh);
  bench.workbench->openNow((folder / "grey.ply").string());
  Subject& ply = *bench.scene.subject();
  CHECK(ply.head->albedo()(0, 1) == doctest::Approx(linearFromSrgb(128.0F / 255)).epsilon(1e-3));

  const Portrait portrait = writePortrait(folder.path());
  bench.workbench->openNow(portrait.photo.string());
  const Subject& photo = *bench.scene.subject();
  CHECK(photo.kind == "photo");
  CHECK_FALSE(photo.head);
  CHECK(bench.scene.view.through_photo);
  bench.workbench->finish();
  CHECK(photo.photo->width() == 480);
}

TEST_CASE("workbench: a folder of photos of several sizes opens as photos, of one size as a clip") {
  const TemporaryFolder folder("workbench");
  fs::create_directories(folder / "photos");
  writePng(folder / "photos/1.png", Image8(300, 200, 3, 40));
  writePng(folder / "photos/2.png", Image8(200, 300, 3, 80));
  writePng(folder / "photos/3.png", Image8(320, 240, 3, 120));
  writeText(folder / "photos/4.png", "no picture");
  writePng(folder / "photos/5.png", Image8(64, 64, 3, 160));
  // What is broken behind its first bytes is found out when it is shown.
  const std::string whole = readText(folder / "photos/5.png");
  writeText(folder / "photos/5.png", whole.substr(0, whole.size() / 2));
  Bench bench;
  bench.actions().open(folder / "photos");
  bench.workbench->finish();
  REQUIRE_MESSAGE(bench.scene.subjects.size() == 4, bench.allSaid());
  CHECK(bench.said(MessageKind::kError, "4.png"));
  CHECK(bench.scene.current == 0);
  CHECK(bench.scene.view.through_photo);
  REQUIRE(bench.scene.subject()->photo);
  CHECK(bench.scene.subject()->photo->width() == 300);
  CHECK_FALSE(bench.scene.subjects[1]->photo);

  bench.scene.show(1);
  bench.workbench->finish();
  REQUIRE(bench.scene.subject()->photo);
  CHECK(bench.scene.subject()->photo->height() == 300);
  CHECK(bench.said(MessageKind::kWarning, "2.png: no face found"));
  bench.scene.show(3);
  bench.workbench->finish();
  CHECK(bench.scene.subjects.size() == 3);
  CHECK(bench.said(MessageKind::kError, "5.png"));

  fs::create_directories(folder / "frames");
  writePng(folder / "frames/1.png", Image8(300, 200, 3, 40));
  writePng(folder / "frames/2.png", Image8(300, 200, 3, 80));
  bench.actions().open(folder / "frames");
  bench.workbench->finish();
  CHECK(bench.scene.subject()->is_clip);
  CHECK(bench.scene.timeline.numFrames() == 2);
}

TEST_CASE("workbench: what cannot be opened is a message that says what can") {
  const TemporaryFolder folder("workbench");
  writeText(folder / "notes.txt", "no face");
  writeText(folder / "broken.glb", "glTF, but no more");
  writeText(folder / "broken.jpg", "no picture");
  fs::create_directories(folder / "empty");
  Bench bench;
  bench.actions().open(folder / "notes.txt");
  bench.actions().open(folder / "broken.glb");
  bench.actions().open(folder / "empty");
  bench.actions().open(folder / "missing.jpg");
  bench.actions().open(folder / "broken.jpg");
  bench.workbench->finish();
  CHECK(bench.scene.subjects.empty());
  CHECK(bench.said(MessageKind::kError, "notes.txt: nothing that can be looked at; there are photos"));
  CHECK(bench.said(MessageKind::kError, "broken.glb"));
  CHECK(bench.said(MessageKind::kError, "empty"));
  CHECK(bench.said(MessageKind::kError, "missing.jpg"));
  CHECK(bench.said(MessageKind::kError, "broken.jpg"));
  CHECK(bench.actions().recent.empty());
  CHECK_THROWS_AS(bench.workbench->openNow((folder / "notes.txt").string()), Error);
  // Nothing to work on yet.
  bench.actions().fit({});
  bench.actions().export_head({});
  bench.actions().save_result(folder / "result");
  bench.actions().measure_scan();
  bench.actions().save_parameters(folder / "parameters.json");
  CHECK(bench.said(MessageKind::kError, "no photo to fit"));
  CHECK(bench.said(MessageKind::kError, "no head to export"));
  CHECK(bench.said(MessageKind::kError, "no new fit to save"));
  CHECK(bench.said(MessageKind::kError, "no scan"));
}

TEST_CASE("workbench: a take moves a copy of the head that is shown, and is exported with it") {
  const TemporaryFolder folder("workbench");
  Take take;
  take.names = {"jawOpen", "mouthSmileLeft"};
  take.time_s = {0, 0.5, 1};
  take.fps = 2;
  take.weights = Eigen::MatrixXf::Zero(3, 2);
  take.weights << 0, 0, 0.5F, 0.25F, 1, 0;
  take.head_deg = Points3::Zero(3, 3);
  take.head_deg(1, 0) = 20;
  writeTakeJson(folder / "talk.json", take);
  Bench bench;
  bench.actions().open(folder / "talk.json");
  bench.workbench->finish();
  CHECK(bench.said(MessageKind::kError, "open one first"));
  bench.workbench->openNow(portraitResult().string());
  bench.workbench->openNow((folder / "talk.json").string());
  bench.workbench->finish();
  REQUIRE(bench.scene.subjects.size() == 2);
  Subject& subject = *bench.scene.subject();
  REQUIRE(subject.frames.size() == 3);
  CHECK(bench.scene.timeline.numFrames() == 3);
  CHECK(subject.head->identity() == bench.scene.subjects[0]->head->identity());
  bench.scene.timeline.seek(1);
  bench.scene.applyFrame();
  const auto& controls = subject.head->controls(ShapeGroup::kShapes);
  for (std::size_t i = 0; i < controls.size(); ++i) {
    const float expected = controls[i].name == "jawOpen"          ? 0.5F
                           : controls[i].name == "mouthSmileLeft" ? 0.25F
                                                                  : 0;
    CHECK(subject.head->value(ShapeGroup::kShapes, static_cast<int>(i)) == expected);
  }
  CHECK(subject.frames[1].world_from_model.linear().isApprox(rotationFromAngles({20, 0, 0}), 1e-5F));

  ExportRequest request;
  request.path = folder / "talk.glb";
  bench.actions().export_head(request);
  bench.workbench->finish();
  const FaceAsset asset = readGlb(folder / "talk.glb");
  REQUIRE(asset.motion);
  CHECK(asset.motion->time_s.size() == 3);
}

// ---- Exporting ----

TEST_CASE("workbench: an export is the file that facet export writes, byte for byte") {
  const TemporaryFolder folder("workbench");
  Bench bench;
  bench.workbench->openNow(portraitResult().string());
  ExportRequest request;
  request.path = folder / "ours/head.glb";
  request.naming = "pascal";
  request.with_camera = true;
  request.lods = "50";
  bench.actions().export_head(request);
  bench.workbench->finish();
  const RunResult run =
      runFacet({"export", portraitResult().string(), "-o", (folder / "theirs/head.glb").string(), "--naming",
                "pascal", "--scene", "--lods", "0.5"});
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  for (const char* name : {"head.glb", "head_LOD1.glb"}) {
    REQUIRE_MESSAGE(fs::exists(folder / "ours" / name), bench.allSaid());
    CHECK(readBytes(folder / "ours" / name) == readBytes(folder / "theirs" / name));
  }
  // Not twice, unless asked to.
  bench.actions().export_head(request);
  bench.workbench->finish();
  CHECK(bench.said(MessageKind::kError, "head.glb"));
  request.overwrite = true;
  bench.scene.messages.clear();
  bench.actions().export_head(request);
  bench.workbench->finish();
  CHECK(bench.said(MessageKind::kInfo, "wrote "));
}

TEST_CASE("workbench: the shape as it is shown can be exported, of any head") {
  const TemporaryFolder folder("workbench");
  Bench bench;
  bench.workbench->openNow("builtin");
  ShapedHead& head = *bench.scene.subject()->head;
  const auto& controls = head.controls(ShapeGroup::kShapes);
  for (std::size_t i = 0; i < controls.size(); ++i)
    if (controls[i].name == "jawOpen") head.set(ShapeGroup::kShapes, static_cast<int>(i), 0.8F);
  head.set(ShapeGroup::kIdentity, 0, 1.5F);
  ExportRequest request;
  request.format = "obj";
  request.path = folder / "shown.obj";
  request.photo_expression = true;
  bench.actions().export_head(request);
  bench.workbench->finish();
  REQUIRE_MESSAGE(fs::exists(request.path), bench.allSaid());
  CHECK((readObj(request.path).vertices - head.vertices()).cwiseAbs().maxCoeff() < 1e-3F);
  // Without it, the person at rest.
  request.photo_expression = false;
  request.path = folder / "rest.obj";
  bench.actions().export_head(request);
  bench.workbench->finish();
  CHECK((readObj(request.path).vertices - head.neutral()).cwiseAbs().maxCoeff() < 1e-3F);
  CHECK((head.neutral() - head.vertices()).cwiseAbs().maxCoeff() > 5);
}

TEST_CASE("workbench: a skin colour that was put back to rest is exported at rest") {
  Session session;
  session.console.setQuiet(true);
  const OpenedSubject opened = openSubject(portraitResult().string(), "", session);
  REQUIRE_FALSE(opened.record.albedo.isZero(0));
  CHECK(headOf(opened, false, 0).albedo == opened.record.albedo);
  opened.subject->head->reset(ShapeGroup::kAlbedo);
  CHECK(headOf(opened, false, 0).albedo.isZero(0));
}

TEST_CASE("workbench: cancelling ends what runs; what waits is done") {
  const auto photo = astronaut();
  if (!photo) return;
  const TemporaryFolder folder("workbench");
  Bench bench;
  bench.workbench->openNow(photo->string());
  bench.workbench->finish();
  bench.actions().fit({});
  REQUIRE(bench.wait([&] { return bench.scene.job.iteration > 0; }));
  ExportRequest request;
  request.path = folder / "head.glb";
  bench.actions().export_head(request);
  bench.actions().cancel();
  bench.workbench->finish();
  CHECK(bench.said(MessageKind::kInfo, "stopped: fit astronaut.png"));
  CHECK_MESSAGE(fs::exists(request.path), bench.allSaid());
}

TEST_CASE("workbench: closing during an export leaves nothing half-written") {
  const TemporaryFolder folder("workbench");
  Bench bench;
  bench.workbench->openNow(portraitResult().string());
  for (const char* name : {"a.glb", "b.glb", "c.glb"}) {
    ExportRequest request;
    request.path = folder / name;
    bench.actions().export_head(request);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  const auto start = Clock::now();
  bench.workbench.reset();
  CHECK(secondsSince(start) < 15);  // one or two on an idle machine
  for (const std::string& file : filesBelow(folder.path())) {
    CHECK_MESSAGE(file.find(".tmp") == std::string::npos, file);
    CHECK_NOTHROW(readGlb(folder / file));
  }
}

// ---- Parameters ----

TEST_CASE("workbench: parameters are saved and loaded, also by opening their file") {
  const TemporaryFolder folder("workbench");
  Bench bench;
  bench.workbench->openNow("builtin");
  ShapedHead& head = *bench.scene.subject()->head;
  head.set(ShapeGroup::kIdentity, 3, 1.25F);
  bench.actions().save_parameters(folder / "anna.json");
  head.reset(ShapeGroup::kIdentity);
  bench.actions().load_parameters(folder / "anna.json");
  CHECK(head.value(ShapeGroup::kIdentity, 3) == 1.25F);
  head.reset(ShapeGroup::kIdentity);
  bench.actions().open(folder / "anna.json");
  bench.workbench->finish();
  CHECK(head.value(ShapeGroup::kIdentity, 3) == 1.25F);
}

// ---- Fitting ----

TEST_CASE(
    "workbench: a fit is that of facet reconstruct, seen in every iteration, and saves the same result") {
  const auto photo = astronaut();
  if (!photo) return;
  const TemporaryFolder folder("workbench");
  const RunResult run =
      runFacet({"reconstruct", photo->string(), "-o", (folder / "theirs").string(), "--texture-size", "256"});
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);

  Bench bench;
  bench.actions().open(*photo);
  REQUIRE(bench.wait([&] { return bench.scene.subject() != nullptr; }));
  Subject* const subject = bench.scene.subject();
  // Detected without being asked.
  REQUIRE(bench.wait([&] { return subject->landmarks.ibug68.size() == 68; }));
  CHECK(subject->landmarks.ibug68.sigma_px.size() == 68);
  CHECK_FALSE(subject->head);
  FitRequest request;
  request.texture_size_px = 256;
  bench.actions().fit(request);
  std::vector<int> iterations;
  std::vector<std::string> stages;
  REQUIRE(bench.wait([&] {
    if (bench.scene.job.running && bench.scene.job.iteration > 0 &&
        (iterations.empty() || iterations.back() != bench.scene.job.iteration)) {
      iterations.push_back(bench.scene.job.iteration);
      CHECK(subject->head != nullptr);
      CHECK(subject->frames[0].camera);
    }
    return subject->kind == "reconstruction";
  }));
  bench.workbench->finish();
  CHECK(iterations.size() >= 2);
  CHECK(std::is_sorted(iterations.begin(), iterations.end()));
  CHECK(subject->unsaved);
  CHECK_FALSE(bench.scene.job.running);
  CHECK(static_cast<int>(bench.scene.job.cost.size()) >= iterations.back());  // to look at when it is over
  CHECK(subject->materials[0].base_colour->width() == 256);

  const json fit = readJson(folder / "theirs/fit.json");
  CHECK(largestDifference(fit["identity"], subject->head->identity()) < 1e-5F);
  CHECK(largestDifference(fit["views"][0]["expression"], subject->head->expression()) < 1e-5F);
  // A fit that begins before the save is done has not been saved.
  bench.actions().fit(request);
  bench.actions().save_result(folder / "ours");
  bench.workbench->finish();
  CHECK(subject->unsaved);
  CHECK(fs::exists(folder / "ours/fit.json"));
  // Nothing is replaced.
  bench.actions().save_result(folder / "ours");
  CHECK(bench.said(MessageKind::kError, "ours: is there already and is not replaced"));
  fs::remove_all(folder / "ours");
  bench.actions().save_result(folder / "ours");
  bench.workbench->finish();
  REQUIRE_MESSAGE(fs::exists(folder / "ours/fit.json"), bench.allSaid());
  CHECK_FALSE(subject->unsaved);
  CHECK(filesBelow(folder / "ours") == filesBelow(folder / "theirs"));
  for (const char* file : {"face.glb", "maps/texture.png", "mesh/coarse.obj", "image/overlay.png"})
    CHECK_MESSAGE(readBytes(folder / "ours" / file) == readBytes(folder / "theirs" / file), file);
}

TEST_CASE("workbench: a landmark that is dragged pulls the fit to it") {
  const auto photo = astronaut();
  if (!photo) return;
  Bench bench;
  bench.workbench->openNow(photo->string());
  bench.workbench->finish();
  Subject& subject = *bench.scene.subject();
  FitRequest request;
  request.stop_after = "fit";
  bench.actions().fit(request);
  bench.workbench->finish();
  const auto fitted = [&](int landmark) {
    const MorphableModel& shape = subject.head->model();
    return Eigen::Vector2f(
        subject.frames[0]
            .camera->imageFromModel(shape.landmarks68.points(subject.head->vertices(), shape.triangles))
            .row(landmark)
            .transpose());
  };
  constexpr int kMouthCorner = 54, kNose = 30;
  const Eigen::Vector2f nose = fitted(kNose);
  const Eigen::Vector2f before = fitted(kMouthCorner);
  const Eigen::Vector2f wanted = before + Eigen::Vector2f(4, 3);
  subject.landmarks.ibug68.positions_px.row(kMouthCorner) = wanted.transpose();
  subject.landmarks.moved.assign(68, false);
  subject.landmarks.moved[kMouthCorner] = true;
  bench.actions().fit(request);
  bench.workbench->finish();
  CAPTURE(before.transpose());
  CAPTURE(wanted.transpose());
  CAPTURE(fitted(kMouthCorner).transpose());
  CHECK((fitted(kMouthCorner) - wanted).norm() < 0.3F * (wanted - before).norm());
  CHECK((fitted(kNose) - nose).norm() < 1.5F);
  CHECK(subject.landmarks.moved.at(kMouthCorner));
  // Detected anew when that is asked for.
  request.use_moved_landmarks = false;
  bench.actions().fit(request);
  bench.workbench->finish();
  CHECK((fitted(kMouthCorner) - before).norm() < 0.1F);
}

TEST_CASE("workbench: destroyed during a fit, it ends within about a second, again and again") {
  const auto photo = astronaut();
  if (!photo) return;
  for (const int wait_ms : {0, 5, 60, 200, 400}) {
    Bench bench;
    bench.workbench->openNow(photo->string());
    bench.actions().fit({});
    const auto until = Clock::now() + std::chrono::milliseconds(wait_ms);
    while (Clock::now() < until) bench.workbench->update();
    const auto start = Clock::now();
    bench.workbench.reset();
    CHECK_MESSAGE(secondsSince(start) < 5, wait_ms << " ms into the fit");
  }
}

TEST_CASE("workbench: a cancelled fit leaves its last state, opening goes on, and the next fit runs") {
  const auto photo = astronaut();
  if (!photo) return;
  Bench bench;
  bench.workbench->openNow(photo->string());
  bench.workbench->finish();
  Subject& subject = *bench.scene.subject();
  bench.actions().fit({});
  REQUIRE(bench.wait([&] { return bench.scene.job.iteration > 0; }));
  bench.actions().cancel();
  bench.actions().open(portraitResult());
  bench.workbench->finish();
  CHECK(bench.said(MessageKind::kInfo, "stopped: fit astronaut.png"));
  CHECK_FALSE(bench.scene.job.running);
  REQUIRE(subject.head);
  CHECK(subject.frames[0].camera);
  CHECK(bench.scene.subjects.size() == 2);
  bench.scene.show(0);
  FitRequest request;
  request.stop_after = "fit";
  bench.actions().fit(request);
  bench.workbench->finish();
  CHECK(subject.kind == "reconstruction");
  // A result that was opened is not changed by a fit: there is a third one.
  bench.scene.show(1);
  bench.actions().fit(request);
  bench.workbench->finish();
  CHECK(bench.scene.subjects.size() == 3);
}

TEST_CASE("workbench: a fit that fails leaves the one before it") {
  const auto photo = astronaut();
  if (!photo) return;
  const TemporaryFolder folder("workbench");
  Bench bench;
  bench.workbench->openNow(photo->string());
  bench.workbench->finish();
  FitRequest request;
  request.texture_size_px = 256;
  bench.actions().fit(request);
  bench.workbench->finish();
  Subject& subject = *bench.scene.subject();
  const Eigen::VectorXf identity = subject.head->identity();
  // Points that no face can have.
  subject.landmarks.moved.assign(68, true);
  subject.landmarks.ibug68.positions_px.setConstant(std::numeric_limits<float>::quiet_NaN());
  bench.actions().fit(request);
  bench.workbench->finish();
  CHECK(std::any_of(bench.scene.messages.begin(), bench.scene.messages.end(),
                    [](const Message& message) { return message.kind == MessageKind::kError; }));
  CHECK(subject.kind == "reconstruction");
  CHECK(subject.head->identity() == identity);
  REQUIRE(subject.materials[0].base_colour);
  bench.actions().save_result(folder / "saved");
  bench.workbench->finish();
  CHECK(fs::exists(folder / "saved/fit.json"));
}

TEST_CASE("workbench: a fit with another model forgets points on the old mesh; given up, it costs nothing") {
  const auto photo = astronaut();
  const auto model = otherModel();
  if (!photo || !model) return;
  const TemporaryFolder folder("workbench");
  Bench bench;
  bench.workbench->openNow(photo->string());
  bench.workbench->finish();
  FitRequest request;
  request.texture_size_px = 256;
  bench.actions().fit(request);
  bench.workbench->finish();
  Subject& subject = *bench.scene.subject();
  const std::shared_ptr<ShapedHead> head = subject.head;
  const Eigen::VectorXf identity = head->identity();
  const auto mark = [&] {
    Pick pick;
    pick.triangle = static_cast<int>(subject.head->model().triangles.rows()) - 1;
    bench.scene.picks.assign(1, pick);
    bench.scene.scan_distance.emplace();
  };
  mark();
  FitRequest other = request;
  other.model = *model;
  bench.actions().fit(other);
  REQUIRE(bench.wait([&] { return subject.head != head; }));
  CHECK(bench.scene.picks.empty());
  CHECK_FALSE(bench.scene.scan_distance);
  mark();
  bench.actions().cancel();
  bench.workbench->finish();
  CHECK(bench.said(MessageKind::kInfo, "stopped: fit"));
  CHECK(subject.head == head);
  CHECK(bench.scene.picks.empty());
  CHECK_FALSE(bench.scene.scan_distance);
  CHECK(subject.head->identity() == identity);
  CHECK(subject.materials[0].base_colour != nullptr);
  // Also by one with the same model, which goes on with the same head.
  bench.actions().fit(request);
  REQUIRE(bench.wait([&] { return bench.scene.job.iteration > 0; }));
  bench.actions().cancel();
  bench.workbench->finish();
  CHECK(subject.head->identity() == identity);
  bench.actions().save_result(folder / "saved");
  bench.workbench->finish();
  REQUIRE_MESSAGE(fs::exists(folder / "saved/fit.json"), bench.allSaid());
  CHECK(largestDifference(readJson(folder / "saved/fit.json")["identity"], identity) < 1e-5F);
}

TEST_CASE("workbench: a photo that is opened during a fit shows at once") {
  const auto photo = astronaut();
  if (!photo) return;
  const TemporaryFolder folder("workbench");
  writePng(folder / "wall.png", Image8(300, 200, 3, 128));
  Bench bench;
  bench.actions().open(*photo);
  bench.workbench->finish();
  FitRequest request;
  request.stop_after = "fit";
  bench.actions().fit(request);
  REQUIRE(bench.wait([&] { return bench.scene.job.iteration > 0; }));
  bench.actions().open(folder / "wall.png");
  REQUIRE(bench.wait([&] { return bench.scene.subjects.size() == 2; }));
  CHECK(bench.scene.subject()->photo);
  CHECK(bench.scene.job.title == "fit astronaut.png");
  bench.workbench->finish();
  CHECK(bench.said(MessageKind::kWarning, "wall.png: no face found"));
  CHECK(bench.scene.subjects[0]->unsaved);
}

TEST_CASE("workbench: a photo without a face is told, and nothing is lost") {
  const TemporaryFolder folder("workbench");
  writePng(folder / "wall.png", Image8(300, 200, 3, 128));
  Bench bench;
  bench.actions().open(folder / "wall.png");
  bench.workbench->finish();
  CHECK(bench.said(MessageKind::kWarning, "no face found"));
  bench.actions().fit({});
  bench.workbench->finish();
  CHECK(bench.said(MessageKind::kError, "no face found"));
  CHECK(bench.scene.messages.back().error == ErrorKind::kNoFace);
  const std::string said = bench.allSaid();
  CHECK_MESSAGE(said.find("no face found") == said.rfind("no face found"), said);
  CHECK_MESSAGE(said.find("--") == std::string::npos, said);
  CHECK(said.find("give a photo where the face is larger") != std::string::npos);
  CHECK(bench.scene.subjects.size() == 1);
  CHECK_FALSE(bench.scene.subject()->head);
}

// ---- Clips ----

TEST_CASE("workbench: a video is played, scrubbed, tracked while one watches, and saved") {
  const auto data = realData();
  if (!data || !fs::exists(*data / "sequences/asl_yes/yes.mkv")) {
    MESSAGE("skipped: no real clips (FACET_TEST_DATA)");
    return;
  }
  const TemporaryFolder folder("workbench");
  // A short one.
  const fs::path video = folder / "short.mp4";
  {
    VideoReader reader(*data / "sequences/asl_yes/yes.mkv");
    VideoWriter writer(video, reader.width(), reader.height(), reader.fps());
    for (int f = 0; f < 12; ++f) writer.write(reader.next()->pixels);
    writer.finish();
  }
  Bench bench;
  bench.actions().open(video);
  bench.workbench->finish();
  REQUIRE(bench.scene.subject() != nullptr);
  CHECK(bench.scene.subject()->is_clip);
  REQUIRE(bench.scene.timeline.numFrames() == 12);
  std::vector<Image8> frames;
  VideoReader reader(video);
  while (auto frame = reader.next()) frames.push_back(std::move(frame->pixels));
  for (const int frame : {0, 5, 2, 11, 0}) {
    bench.scene.timeline.seek(frame);
    bench.actions().load_frame_picture(frame);
    bench.workbench->finish();
    REQUIRE(bench.scene.subject()->photo);
    const Image8& shown = *bench.scene.subject()->photo;
    const Image8& expected = frames.at(static_cast<std::size_t>(frame));
    REQUIRE(shown.size() == expected.size());
    CHECK_MESSAGE(std::equal(shown.data(), shown.data() + shown.size(), expected.data()), frame);
  }

  // A picture that comes late does not cover the one that is wanted by then.
  const auto before = bench.scene.subject()->photo;
  bench.actions().load_frame_picture(5);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  bench.actions().load_frame_picture(2);
  bench.workbench->update();
  const Image8& late = *bench.scene.subject()->photo;
  CHECK_FALSE(std::equal(late.data(), late.data() + late.size(), frames[5].data()));
  bench.workbench->finish();
  CHECK(bench.scene.subject()->photo != before);

  FitRequest request;
  request.texture_size_px = 256;
  // Given up, the clip is as it was, and can be tracked.
  bench.actions().fit(request);
  REQUIRE(bench.wait([&] { return bench.scene.subject()->head != nullptr; }));
  bench.actions().cancel();
  bench.workbench->finish();
  CHECK(bench.scene.subjects.size() == 1);
  CHECK_FALSE(bench.scene.subject()->head);
  CHECK_FALSE(bench.scene.subject()->unsaved);
  bench.actions().fit(request);
  bool was_watched = false;
  REQUIRE(bench.wait(
      [&] {
        const Subject& subject = *bench.scene.subject();
        was_watched =
            was_watched || (bench.scene.job.running && subject.head && bench.scene.timeline.current() > 3);
        return subject.unsaved;
      },
      300));
  bench.workbench->finish();
  CHECK(was_watched);
  Subject& tracked = *bench.scene.subject();
  CHECK(bench.scene.subjects.size() == 1);
  CHECK(tracked.frames.size() == 12);
  CHECK(tracked.frames[11].camera);
  CHECK(tracked.photo != nullptr);
  CHECK(tracked.landmarks.dense.size() > 0);
  // With another model, frames do not hold what only the first one has, and given up, all is as before.
  if (const auto model = otherModel()) {
    const std::shared_ptr<ShapedHead> head = tracked.head;
    const Eigen::VectorXf shapes = tracked.frames[11].shapes;
    REQUIRE(shapes.size() > 0);
    request.model = *model;
    bench.actions().fit(request);
    REQUIRE(bench.wait([&] { return tracked.head != head; }));
    CHECK(tracked.frames[11].shapes.size() == 0);
    for (const int frame : {3, 9}) {
      bench.scene.timeline.seek(frame);
      CHECK_NOTHROW(bench.scene.applyFrame());
    }
    bench.actions().cancel();
    bench.workbench->finish();
    CHECK(tracked.head == head);
    CHECK(tracked.frames[11].camera);
    CHECK(tracked.frames[11].shapes == shapes);
    CHECK(tracked.unsaved);
  }
  bench.actions().save_result(folder / "saved");
  bench.workbench->finish();
  CHECK_MESSAGE(fs::exists(folder / "saved/track.json"), bench.allSaid());
  CHECK(fs::exists(folder / "saved/overlay.mp4"));
  CHECK_FALSE(tracked.unsaved);
}
