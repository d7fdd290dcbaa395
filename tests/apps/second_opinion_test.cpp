// Results judged by programs that are not ours: the Khronos validator, Blender, and the Python scorers. Each
// test skips with a message where its judge is not installed.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "core/io/files.h"
#include "core/io/mesh_io.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
#include "fitting/scan_error.h"
#include "tests/apps/program.h"
#include "tests/data.h"

namespace fs = std::filesystem;
using namespace facet;
using namespace facet::test;
using nlohmann::json;

namespace {

// face.glb of the portrait.
fs::path makeGlb(const TemporaryFolder& folder) {
  const Portrait portrait = writePortrait(folder.path());
  const RunResult result =
      runFacet({"reconstruct", portrait.photo.string(), "--landmarks", portrait.landmarks.string(), "-o",
                (folder / "out").string(), "--texture-size", "256"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  return folder / "out" / "face.glb";
}

// The folder of the Python scorers, if they and a Python with numpy and scipy are here.
std::optional<fs::path> scorers() {
  const auto data = realData();
  if (!data || !fs::exists(*data / "../tools/scan_error.py")) return std::nullopt;
  if (runProgram("/usr/bin/python3", {"-c", "import numpy, scipy"}).exit_code != 0) return std::nullopt;
  return *data / "../tools";
}

json landmarksJson(const ScanLandmarks& landmarks) {
  json named;
  for (int i = 0; i < 7; ++i) {
    named[kScanLandmarkNames[i]] = {landmarks(i, 0), landmarks(i, 1), landmarks(i, 2)};
  }
  return named;
}

ScanLandmarks landmarksOf(const MorphableModel& model, const Points3& vertices) {
  const Points3 all = model.landmarks68.points(vertices, model.triangles);
  ScanLandmarks landmarks;
  for (int i = 0; i < 7; ++i) landmarks.row(i) = all.row(kScanLandmarksInIbug[i]).cast<double>();
  return landmarks;
}

}  // namespace

TEST_CASE("face.glb: the Khronos validator finds no errors and no warnings") {
  const TemporaryFolder folder("validator");
  const auto report = validateGlb(makeGlb(folder));
  if (!report) return;
  CHECK((*report)["info"]["hasMorphTargets"] == true);
  CHECK((*report)["info"]["hasTextures"] == true);
}

TEST_CASE("face.glb: Blender sees the model's expressions as shape keys, and a texture") {
  if (runProgram("blender", {"--version"}).exit_code != 0) {
    MESSAGE("skipped: blender is not installed");
    return;
  }
  const TemporaryFolder folder("blender");
  const fs::path glb = makeGlb(folder), report = folder / "report.json";
  // Blender 3.4's importer uses numpy.bool, which Debian's numpy no longer has.
  const RunResult result =
      runProgram("blender", {"-b", "--factory-startup", "--python-exit-code", "3", "--python-expr",
                             "import numpy; numpy.bool=bool", "--python",
                             (fs::path(FACET_SOURCE_DIR) / "tests/apps/blender_client.py").string(), "--",
                             glb.string(), (folder / "seen.npz").string(), report.string()});
  REQUIRE_MESSAGE(result.exit_code == 0, result.out << result.err);
  const json seen = json::parse(readText(report));
  const MorphableModel model = loadModel("builtin");
  std::vector<std::string> expected = model.expression_names;
  expected.insert(expected.begin(), "Basis");
  CHECK(seen["keys"].get<std::vector<std::string>>() == expected);
  CHECK(seen["vertices"] == model.numVertices());
  REQUIRE(!seen["images"].empty());
  CHECK(seen["images"][0] == json({256, 256}));
}

TEST_CASE("fit.npz: numpy reads it") {
  if (runProgram("/usr/bin/python3", {"-c", "import numpy"}).exit_code != 0) {
    MESSAGE("skipped: no python3 with numpy");
    return;
  }
  const TemporaryFolder folder("numpy");
  const fs::path result_folder = makeGlb(folder).parent_path();
  const RunResult result = runProgram(
      "/usr/bin/python3",
      {"-c", "import numpy, json, sys; f = numpy.load(sys.argv[1]); print(json.dumps(f['K'].tolist()))",
       (result_folder / "fit.npz").string()});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  const json fit = json::parse(readText(result_folder / "fit.json"));
  CHECK(json::parse(result.out)[0][0].get<double>() ==
        doctest::Approx(fit["views"][0]["camera"]["K"][0][0].get<double>()));
}

TEST_CASE("evaluate scan: agrees with the Python scorer") {
  const auto tools = scorers();
  if (!tools) {
    MESSAGE("skipped: no scan_error.py beside the real data, or no python3 with numpy and scipy");
    return;
  }
  // A "scan": the built-in model with other coefficients; the "prediction": its mean, in metres and moved
  // away.
  const TemporaryFolder folder("scan");
  const MorphableModel model = loadModel("builtin");
  std::mt19937 generator(3);
  std::normal_distribution<float> normal;
  Eigen::VectorXf identity(model.numIdentity());
  for (float& coefficient : identity) coefficient = normal(generator);
  const Points3 scan = model.vertices(identity);
  Points3 predicted = model.mean;
  const Eigen::Matrix3f turn =
      Eigen::AngleAxisf(0.7F, Eigen::Vector3f(1, 2, 3).normalized()).toRotationMatrix();
  predicted =
      ((0.001F * predicted * turn.transpose()).rowwise() + Eigen::RowVector3f(0.1F, -0.2F, 0.3F)).eval();
  writeObj(folder / "scan.obj", model.mesh(scan));
  writeObj(folder / "mesh.obj", model.mesh(predicted));
  writeText(folder / "scan.json", landmarksJson(landmarksOf(model, scan)).dump());
  writeText(folder / "mesh.json", landmarksJson(landmarksOf(model, predicted)).dump());

  const std::vector<std::string> files = {
      "--mesh", (folder / "mesh.obj").string(), "--mesh-landmarks", (folder / "mesh.json").string(),
      "--scan", (folder / "scan.obj").string(), "--scan-landmarks", (folder / "scan.json").string()};
  struct Case {
    std::vector<std::string> options;
    double tolerance_mm;  // both draw their own samples; without samples only rounding in the OBJ remains
  };
  for (const Case& one :
       {Case{{}, 2e-3}, Case{{"--trim", "0.05"}, 2e-3}, Case{{"--outer", "--samples", "60000"}, 0.05}}) {
    std::vector<std::string> ours = {"evaluate", "scan", "--json"},
                             theirs = {(*tools / "scan_error.py").string()};
    for (std::vector<std::string>* arguments : {&ours, &theirs}) {
      arguments->insert(arguments->end(), files.begin(), files.end());
      arguments->insert(arguments->end(), one.options.begin(), one.options.end());
    }
    theirs.insert(theirs.end(), {"--out", (folder / "theirs.json").string()});
    const RunResult our_result = runFacet(ours);
    REQUIRE_MESSAGE(our_result.exit_code == 0, our_result.err);
    REQUIRE(runProgram("/usr/bin/python3", theirs).exit_code == 0);
    const json a = json::parse(our_result.out), b = json::parse(readText(folder / "theirs.json"));
    for (const char* number : {"mean_mm", "median_mm", "std_mm", "mean_after_landmarks_mm", "radius_mm"}) {
      CHECK_MESSAGE(std::abs(a[number].get<double>() - b[number].get<double>()) < one.tolerance_mm,
                    number << ": " << a[number] << " here, " << b[number] << " there");
    }
    CHECK(a["scale"].get<double>() == doctest::Approx(b["scale"].get<double>()).epsilon(1e-3));
    if (one.options.empty()) CHECK(a["num_scan_points"] == b["num_scan_points"]);
  }
}

TEST_CASE("evaluate landmarks: agrees with the Python scorer") {
  const auto tools = scorers();
  if (!tools) {
    MESSAGE("skipped: no nme.py beside the real data, or no python3 with numpy and scipy");
    return;
  }
  const TemporaryFolder folder("nme");
  const fs::path hand = *tools / "../data/photos/hand_landmarks.json";
  std::mt19937 generator(5);
  std::uniform_real_distribution<double> anywhere(50, 300);
  json predicted;
  int index = 0;
  const json photos = json::parse(readText(hand))["photos"];
  for (const auto& [photo, entry] : photos.items()) {
    if (++index == 3) continue;  // a missing photo
    json points = json::array();
    for (int i = 0; i < (index == 5 ? 67 : 68); ++i)
      points.push_back({anywhere(generator), anywhere(generator)});
    predicted[photo] = {{"landmarks68", points}};
  }
  writeText(folder / "pred.json", predicted.dump());
  const RunResult ours =
      runFacet({"evaluate", "landmarks", (folder / "pred.json").string(), hand.string(), "--json"});
  REQUIRE_MESSAGE(ours.exit_code == 0, ours.err);
  REQUIRE(runProgram("/usr/bin/python3", {(*tools / "nme.py").string(), (folder / "pred.json").string(),
                                          hand.string(), "--out", (folder / "theirs.json").string()})
              .exit_code == 0);
  const json a = json::parse(ours.out), b = json::parse(readText(folder / "theirs.json"));
  CHECK(a["failures"] == b["failures"]);
  REQUIRE(a["photos"].size() == b["photos"].size());
  for (const char* statistic : {"mean", "median"}) {
    for (const char* group : {"all", "eyes", "brows", "nose", "mouth", "chin"}) {
      CHECK(a["summary"][statistic][group].get<double>() ==
            doctest::Approx(b["summary"][statistic][group].get<double>()));
    }
  }
}
