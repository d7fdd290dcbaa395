// Networks of the user: what they answer must come out as the face that their own equations make of it. The
// networks are small files that give a constant answer, in the published shapes; published_regressors.py has
// the equations.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/image_io.h"
#include "core/io/landmark_io.h"
#include "core/io/mesh_io.h"
#include "core/io/model_io.h"
#include "tests/apps/program.h"
#include "tests/data.h"
#include "tests/onnx_writer.h"

namespace fs = std::filesystem;
using namespace facet;
using namespace facet::test;
using nlohmann::json;

namespace {

bool hasPython() {
  if (runProgram("/usr/bin/python3", {"-c", "import numpy, scipy, h5py"}).exit_code == 0) return true;
  MESSAGE("skipped: python3 with numpy, scipy and h5py is not installed");
  return false;
}

std::string script(const std::string& name) { return std::string(FACET_SOURCE_DIR) + "/tests/apps/" + name; }

void writeModels(const fs::path& folder) {
  const RunResult result = runProgram(
      "/usr/bin/python3",
      {script("write_models.py"), (dataDirectory() / "models/facet_head.npz").string(), folder.string()});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
}

// A preset's answer to a portrait, its model's file, and what its own equations make of it.
struct Published {
  fs::path model, network;
  Points3 vertices_mm;
  Points2 pixels;
};

std::vector<float> floats(const json& list) { return list.get<std::vector<float>>(); }

Published publish(const std::string& preset, const fs::path& models, const Portrait& portrait,
                  const fs::path& folder) {
  fs::create_directories(folder);
  const LandmarkSet landmarks = readPts(portrait.landmarks);
  json given = {{"height", readPhoto(portrait.photo).height()}, {"points", json::array()}};
  for (int i = 0; i < landmarks.size(); ++i) {
    // Theirs counts from the centre of the first pixel.
    given["points"].push_back({landmarks.positions_px(i, 0) - 0.5, landmarks.positions_px(i, 1) - 0.5});
  }
  writeText(folder / "landmarks.json", given.dump());
  const RunResult result =
      runProgram("/usr/bin/python3", {script("published_regressors.py"), preset, models.string(),
                                      (folder / "landmarks.json").string(), folder.string()});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  const json answer = json::parse(result.out);
  Published published;
  published.model = answer["model"].get<std::string>();
  published.network = folder / "network.onnx";
  std::vector<OnnxOutput> outputs;
  for (const json& output : answer["outputs"])
    outputs.push_back({output[0].get<std::string>(), floats(output[1]), {}});
  writeOnnx(published.network, preset == "3ddfa_v2" ? 120 : 224, outputs);
  const auto num_vertices = static_cast<Eigen::Index>(answer["vertices_mm"].size());
  published.vertices_mm.resize(num_vertices, 3);
  published.pixels.resize(num_vertices, 2);
  for (Eigen::Index v = 0; v < num_vertices; ++v) {
    for (int k = 0; k < 3; ++k) published.vertices_mm(v, k) = answer["vertices_mm"][v][k].get<float>();
    for (int k = 0; k < 2; ++k)
      published.pixels(v, k) = answer["pixels"][v][k].get<float>() + 0.5F;  // facet: the first pixel's corner
  }
  return published;
}

// N×2: where fit.json's camera puts the vertices of coarse.obj.
Points2 projected(const json& fit, const Points3& vertices) {
  const json &K = fit["views"][0]["camera"]["K"], &pose = fit["views"][0]["camera"]["camera_from_model"];
  Points2 pixels(vertices.rows(), 2);
  for (Eigen::Index v = 0; v < vertices.rows(); ++v) {
    Eigen::Vector3d in_camera;
    for (int r = 0; r < 3; ++r) {
      in_camera[r] = pose[r][3].get<double>();
      for (int c = 0; c < 3; ++c) in_camera[r] += pose[r][c].get<double>() * vertices(v, c);
    }
    for (int k = 0; k < 2; ++k) {
      pixels(v, k) =
          static_cast<float>(K[k][k].get<double>() * in_camera[k] / in_camera.z() + K[k][2].get<double>());
    }
  }
  return pixels;
}

constexpr const char* kPresets[] = {"deep3d", "3ddfa_v2", "deca", "smirk"};

}  // namespace

TEST_CASE(
    "reconstruct --regressor-only: the face is what the network's published equations make of its answer") {
  if (!hasPython()) return;
  const TemporaryFolder folder("regressor");
  const Portrait portrait = writePortrait(folder.path());
  fs::create_directories(folder / "models");
  writeModels(folder / "models");
  for (const std::string preset : kPresets) {
    CAPTURE(preset);
    const Published published = publish(preset, folder / "models", portrait, folder / preset);
    const fs::path out = folder / ("face-" + preset);
    const RunResult result =
        runFacet({"reconstruct", portrait.photo.string(), "--landmarks", portrait.landmarks.string(), "-o",
                  out.string(), "--model", published.model.string(), "--regressor",
                  published.network.string(), "--regressor-only", "--texture-size", "256"});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    CHECK(result.err.find("recognized by its shape") != std::string::npos);
    CHECK(result.err.find("preset " + preset) != std::string::npos);

    const json fit = json::parse(readText(out / "fit.json"));
    CHECK(fit["regressor"]["preset"] == preset);
    CHECK(fit["regressor"]["refined"] == false);
    CHECK(fit["regressor"]["sha256"] == sha256(readBytes(published.network)));
    CHECK_MESSAGE(fit["warnings"].empty(), fit["warnings"].dump());
    const Mesh coarse = readObj(out / "mesh/coarse.obj");
    REQUIRE(coarse.vertices.rows() == published.vertices_mm.rows());
    const float off_mm = (coarse.vertices - published.vertices_mm).rowwise().norm().maxCoeff();
    const Points2 pixels = projected(fit, coarse.vertices);
    const float off_px = (pixels - published.pixels).rowwise().norm().maxCoeff();
    MESSAGE(preset, ": vertices differ by up to ", off_mm, " mm, pixels by up to ", off_px);
    CHECK(off_mm < 0.01F);
    CHECK(off_px < 0.25F);  // of 480; a camera without perspective is put 100 m away
    CHECK(fs::exists(out / "face.glb"));
    CHECK(fs::exists(out / "maps/texture.png"));
  }
}

namespace {

// An answer of Deep3DFaceRecon: the mean face, seen from the front.
std::vector<float> frontalAnswer() {
  std::vector<float> values(257, 0.0F);
  values[0] = 1.5F;
  values[81] = 0.5F;
  return values;
}

}  // namespace

TEST_CASE(
    "reconstruct --regressor: the fit starts at the network's answer and comes nearer to the landmarks") {
  if (!hasPython()) return;
  const TemporaryFolder folder("refine");
  const Portrait portrait = writePortrait(folder.path());
  fs::create_directories(folder / "models");
  writeModels(folder / "models");
  const Published published = publish("deep3d", folder / "models", portrait, folder / "deep3d");
  double residual_px[2], distance[2];
  std::vector<float> said;
  for (const bool refined : {false, true}) {
    const fs::path out = folder / (refined ? "refined" : "only");
    std::vector<std::string> arguments = {"reconstruct",  portrait.photo.string(),
                                          "-o",           out.string(),
                                          "--model",      published.model.string(),
                                          "--regressor",  published.network.string(),
                                          "--stop-after", "fit"};
    if (!refined) arguments.push_back("--regressor-only");
    const RunResult result = runFacet(arguments);
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    const json fit = json::parse(readText(out / "fit.json"));
    CHECK(fit["regressor"]["refined"] == refined);
    const std::vector<float> identity = floats(fit["identity"]);
    if (!refined) said = identity;
    residual_px[refined] = 0;
    for (const json& stage : fit["stages"])
      residual_px[refined] = std::max(residual_px[refined], stage["residual_px"].get<double>());
    distance[refined] = 0;
    double size = 0;
    for (std::size_t k = 0; k < identity.size(); ++k) {
      distance[refined] += std::pow(identity[k] - said[k], 2);
      size += said[k] * said[k];
    }
    // Drawn to the network's answer: nearer to it than the mean is.
    CHECK(distance[refined] < size);
  }
  CHECK(residual_px[true] < 0.8 * residual_px[false]);
  CHECK(distance[true] > 0);
}

TEST_CASE(
    "reconstruct --regressor: all faces of a photo and all photos of a folder are read by the network") {
  if (!hasPython()) return;
  const TemporaryFolder folder("many");
  const Portrait portrait = writePortrait(folder.path());
  const Image8 one = readPhoto(portrait.photo);
  Image8 two(2 * one.width(), one.height(), 3);
  for (int y = 0; y < two.height(); ++y) {
    for (int x = 0; x < two.width(); ++x) std::copy_n(one.at(x % one.width(), y), 3, two.at(x, y));
  }
  fs::create_directories(folder / "photos");
  writePng(folder / "photos/pair.png", two);
  fs::copy_file(portrait.photo, folder / "photos/single.png");
  fs::create_directories(folder / "models");
  writeModels(folder / "models");
  const Published published = publish("deca", folder / "models", portrait, folder / "deca");
  const RunResult result =
      runFacet({"reconstruct", (folder / "photos").string(), "-o", (folder / "out").string(), "--model",
                published.model.string(), "--regressor", published.network.string(), "--batch", "--all-faces",
                "--stop-after", "fit", "--regressor-only"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  std::vector<double> principal_px;
  for (const char* face : {"pair/face0", "pair/face1", "single/face0"}) {
    CAPTURE(face);
    const fs::path file = folder / "out" / face / "fit.json";
    REQUIRE(fs::exists(file));
    const json fit = json::parse(readText(file));
    CHECK(fit["regressor"]["preset"] == "deca");
    principal_px.push_back(fit["views"][0]["camera"]["K"][0][2].get<double>());
  }
  // The same answer about a crop each: the two faces are as far apart as the photos.
  CHECK(std::abs(principal_px[0] - principal_px[1]) == doctest::Approx(one.width()).epsilon(0.02));
}

TEST_CASE("reconstruct --regressor: what does not fit is said in one line, and nothing is written") {
  if (!hasPython()) return;
  const TemporaryFolder folder("bad-regressor");
  const Portrait portrait = writePortrait(folder.path());
  fs::create_directories(folder / "models");
  writeModels(folder / "models");
  const Published deep3d = publish("deep3d", folder / "models", portrait, folder / "deep3d");
  const Published tddfa = publish("3ddfa_v2", folder / "models", portrait, folder / "tddfa");
  const std::string bfm = deep3d.model.string();
  const fs::path network = folder / "network.onnx", description = folder / "network.json";
  const fs::path out = folder / "out";
  const auto expectFailure = [&](const char* what, const std::string& model, int exit_code,
                                 const std::vector<std::string>& words,
                                 const std::vector<std::string>& more = {}) {
    CAPTURE(what);
    std::vector<std::string> arguments = {"reconstruct", portrait.photo.string(),
                                          "--landmarks", portrait.landmarks.string(),
                                          "-o",          out.string(),
                                          "--model",     model,
                                          "--regressor", network.string(),
                                          "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const RunResult result = runFacet(arguments);
    CHECK_MESSAGE(result.exit_code == exit_code, result.err);
    CHECK_MESSAGE(std::count(result.err.begin(), result.err.end(), '\n') == 1, result.err);
    for (const std::string& word : words)
      CHECK_MESSAGE(result.err.find(word) != std::string::npos, result.err);
    CHECK(!fs::exists(out));
    std::error_code ignored;
    fs::remove(description, ignored);
  };

  expectFailure("missing", bfm, 4, {"network.onnx", "no such file"});
  writeText(network, "this is no network");
  expectFailure("text", bfm, 4, {"network.onnx", "not an ONNX file", "torch.onnx.export"});
  writeOnnx(network, 224, {{"out", frontalAnswer(), {}}});
  std::string bytes = readText(network);
  writeText(network, bytes.substr(0, bytes.size() / 2));
  expectFailure("cut off", bfm, 4, {"network.onnx", "ends too early"});
  writeOnnx(network, 224, {{"out", std::vector<float>(300), {}}});
  expectFailure("300 values", bfm, 4, {"no preset fits", "224x224", "300", "network.json", "preset"});
  writeText(description, R"({"preset": "deep3d"})");
  expectFailure("300 values against its JSON", bfm, 4, {"300", "257", "network.json"});

  writeOnnx(network, 224, {{"out", frontalAnswer(), {}}});
  writeText(description, "{");
  expectFailure("broken JSON", bfm, 4, {"network.json", "is not JSON"});
  writeText(description, R"({"preset": "deep4d"})");
  expectFailure("unknown preset", bfm, 4, {"no preset \"deep4d\"", "3ddfa_v2, deca, deep3d, smirk"});
  writeText(description, R"({"preset": "deep3d", "input": {"siez_px": 224}})");
  expectFailure("misspelt field", bfm, 4, {"input.siez_px", "not known"});
  writeText(description, R"({"preset": "deep3d", "camera": {"unit_mm": -1}})");
  expectFailure("negative unit", bfm, 4, {"camera.unit_mm", "must be > 0"});
  writeText(description, R"({"preset": "deep3d", "coefficients": {"identity": {"count": 400}}})");
  expectFailure("beyond the output", bfm, 4, {"coefficients.identity", "400"});

  expectFailure("other family", "builtin", 2, {"bfm-2009-front", "facet-head", "--model"});
  expectFailure("too few modes", (folder / "models/deep3d/BFM_model_front.mat").string(), 2,
                {"64 expression", "51 such modes"});
  expectFailure("focal length without a fit", bfm, 2, {"--focal-px"},
                {"--regressor-only", "--focal-px", "900"});

  std::vector<float> answer = frontalAnswer();
  answer[3] = std::numeric_limits<float>::quiet_NaN();
  writeOnnx(network, 224, {{"out", answer, {}}});
  expectFailure("not a number", bfm, 4, {"network.onnx", "not finite"});
  std::vector<float> weights(3 * 257);
  std::fill_n(weights.begin(), 3, 3e38F);
  writeOnnx(network, 224, {{"out", frontalAnswer(), weights}});
  writeText(description, R"({"preset": "deep3d", "input": {"std": 1}})");
  expectFailure("infinite for this photo", bfm, 6, {"portrait.png", "network.onnx", "not finite"});
  answer = frontalAnswer();
  answer[256] = 20;  // twenty decimetres towards a camera that is ten away
  writeOnnx(network, 224, {{"out", answer, {}}});
  expectFailure("behind the camera", bfm, 6, {"portrait.png", "behind the face"});

  fs::copy_file(tddfa.network, network, fs::copy_options::overwrite_existing);
  // The model's reader knows the file by its content, the network's description by its name.
  fs::rename(folder / "tddfa/param_mean_std_62d_120x120.pkl", folder / "tddfa/other.pkl");
  expectFailure("no whitening", tddfa.model.string(), 4,
                {"network.onnx", "param_mean_std_62d_120x120.pkl", "neither beside it nor beside the model"});
}
