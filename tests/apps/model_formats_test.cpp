// Every family of models from its original file to a finished face. The files are the built-in head, written
// by write_models.py with the libraries that the families' own tools use.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/landmark_io.h"
#include "core/io/mesh_io.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
#include "tests/apps/program.h"
#include "tests/data.h"

namespace fs = std::filesystem;
using namespace facet;
using namespace facet::test;
using nlohmann::json;

namespace {

struct Format {
  const char* file;
  const char* id;
  const char* page;  // part of it
};
constexpr Format kFormats[] = {{"flame/generic_model.pkl", "flame", "flame.is.tue.mpg.de"},
                               {"bfm2009/01_MorphableModel.mat", "bfm-2009", "faces.dmi.unibas.ch"},
                               {"deep3d/BFM_model_front.mat", "bfm-2009-front", "Deep3DFaceRecon"},
                               {"bfm2019/model2019_bfm.h5", "scalismo-8849", "faces.dmi.unibas.ch"},
                               {"eos/model.bin", "eos-8849", "patrikhuber/eos"},
                               {"faceverse/faceverse_simple_v2.npy", "faceverse", "FaceVerse"},
                               {"tddfa/bfm_noneck_v3.pkl", "3ddfa-v2", "3DDFA_V2"}};

// False, with a message, where the libraries that write them are not installed.
bool writeModels(const fs::path& folder) {
  if (runProgram("/usr/bin/python3", {"-c", "import numpy, scipy, h5py"}).exit_code != 0) {
    MESSAGE("skipped: python3 with numpy, scipy and h5py is not installed");
    return false;
  }
  const RunResult result =
      runProgram("/usr/bin/python3", {std::string(FACET_SOURCE_DIR) + "/tests/apps/write_models.py",
                                      (dataDirectory() / "models/facet_head.npz").string(), folder.string()});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  return true;
}

json glbJson(const fs::path& path) {
  const std::vector<std::uint8_t> bytes = readBytes(path);
  std::uint32_t size = 0;
  std::memcpy(&size, &bytes.at(12), 4);
  return json::parse(bytes.begin() + 20, bytes.begin() + 20 + size);
}

// Largest distance, px, between the portrait's landmarks and the fitted ones through the fitted camera. Brows
// are left out: the network looks for their hair.
double worstLandmark(const fs::path& result, const Portrait& portrait) {
  const json fit = json::parse(readText(result / "fit.json"));
  const Mesh coarse = readObj(result / "mesh/coarse.obj");
  const json &K = fit["views"][0]["camera"]["K"], &pose = fit["views"][0]["camera"]["camera_from_model"];
  const LandmarkSet truth = readPts(portrait.landmarks);
  double worst_px = 0;
  for (int i = 0; i < 68; ++i) {
    if (i >= 17 && i <= 26) continue;
    const json& at = fit["landmark_embedding68"][i];
    Eigen::Vector3d in_model = Eigen::Vector3d::Zero(), in_camera;
    for (int k = 0; k < 3; ++k) {
      in_model += at[k + 1].get<double>() *
                  coarse.vertices.row(coarse.triangles(at[0].get<int>(), k)).transpose().cast<double>();
    }
    for (int r = 0; r < 3; ++r) {
      in_camera[r] = pose[r][3].get<double>();
      for (int c = 0; c < 3; ++c) in_camera[r] += pose[r][c].get<double>() * in_model[c];
    }
    const Eigen::Vector2d pixel(
        K[0][0].get<double>() * in_camera.x() / in_camera.z() + K[0][2].get<double>(),
        K[1][1].get<double>() * in_camera.y() / in_camera.z() + K[1][2].get<double>());
    worst_px = std::max(worst_px, (pixel - truth.positions_px.row(i).transpose().cast<double>()).norm());
  }
  return worst_px;
}

}  // namespace

TEST_CASE(
    "reconstruct: every family of models works from its original file, GLB with ARKit shapes included") {
  const TemporaryFolder folder("formats");
  if (!writeModels(folder.path())) return;
  const Portrait portrait = writePortrait(folder.path());
  for (const Format& format : kFormats) {
    CAPTURE(std::string(format.file));
    const fs::path model = folder.path() / format.file;
    const RunResult check = runFacet({"model", "check", model.string(), "--json"});
    CHECK_MESSAGE(check.exit_code == 0, check.err);
    const json report = json::parse(check.out);
    CHECK(report["model"]["id"] == format.id);
    CHECK(report["model"]["source"].get<std::string>().find(format.page) != std::string::npos);
    for (const json& finding : report["findings"])
      CHECK_MESSAGE(finding["verdict"] != "doubtful", finding.dump());

    const fs::path out = folder / ("face-" + std::string(format.id));
    const RunResult result = runFacet({"reconstruct", portrait.photo.string(), "--model", model.string(),
                                       "-o", out.string(), "--texture-size", "256"});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    CHECK(result.err.find("licence") != std::string::npos);
    CHECK(json::parse(readText(out / "fit.json"))["model"]["id"] == format.id);
    CHECK(worstLandmark(out, portrait) < 12);  // the face is about 230 px wide

    const json glb = glbJson(out / "face.glb");
    const auto names = glb["meshes"][0]["extras"]["targetNames"].get<std::vector<std::string>>();
    for (const char* name : {"jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "browInnerUp"}) {
      CHECK(std::count(names.begin(), names.end(), name) == 1);
    }
    CHECK(glb.contains("skins") == (std::string(format.id) == "flame"));
    CHECK(fs::exists(out / "maps/texture.png"));
    validateGlb(out / "face.glb");
  }
}

TEST_CASE("model import: FLAME is known by name afterwards, complete, and opens without its original") {
  const TemporaryFolder folder("import"), home("home");
  if (!writeModels(folder.path())) return;
  RunOptions at_home;
  at_home.environment = {{"XDG_DATA_HOME", home.path().string()}};
  const fs::path file = folder / "flame/generic_model.pkl";
  RunResult result = runFacet({"model", "import", file.string(), "--name", "flame"}, at_home);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  fs::remove_all(folder / "flame");
  result = runFacet({"model", "info", "flame", "--json"}, at_home);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  const json info = json::parse(result.out);
  CHECK(info["joints"] == json({"root", "neck", "jaw", "left_eye", "right_eye"}));
  CHECK(info["blendshape_names"].size() == 51);
  CHECK(info["has_uv"] == true);
  CHECK(info["dense_landmarks"] > 300);
  // Not twice without --force.
  CHECK(runFacet({"model", "import", file.string(), "--name", "flame"}, at_home).exit_code == 2);
  result = runFacet({"render", "flame", "-o", (folder / "open.png").string(), "--expression", "jawOpen=1"},
                    at_home);
  CHECK_MESSAGE(result.exit_code == 0, result.err);
  result =
      runFacet({"render", "flame", "-o", (folder / "turned.png").string(), "--joint", "jaw=15,0,0"}, at_home);
  CHECK_MESSAGE(result.exit_code == 0, result.err);
  CHECK(readBytes(folder / "turned.png") != readBytes(folder / "open.png"));
  result =
      runFacet({"render", "flame", "-o", (folder / "no.png").string(), "--joint", "tail=15,0,0"}, at_home);
  CHECK(result.exit_code == 2);
  CHECK(result.err.find("tail=15,0,0") != std::string::npos);
}

TEST_CASE("model import: what cannot be is said before anything is written") {
  const TemporaryFolder folder("import"), home("home");
  if (!writeModels(folder.path())) return;
  RunOptions at_home;
  at_home.environment = {{"XDG_DATA_HOME", home.path().string()}};
  const std::string bfm = (folder / "bfm2009/01_MorphableModel.mat").string();
  const auto expectFailure = [&](const std::vector<std::string>& arguments, int exit_code, const char* part) {
    const RunResult result = runFacet(arguments, at_home);
    CHECK(result.exit_code == exit_code);
    CHECK_MESSAGE(result.err.find(part) != std::string::npos, result.err);
    CHECK(filesBelow(home.path()).empty());
  };
  expectFailure({"model", "import", bfm, "--name", "builtin"}, 2, "not builtin");
  expectFailure({"model", "import", bfm, "--name", "../evil"}, 2, "--name ../evil");
  expectFailure({"model", "import", "flame", bfm}, 4, "not FLAME");
  expectFailure({"model", "import", "flame", (folder / "absent.pkl").string()}, 4, "flame.is.tue.mpg.de");
  expectFailure({"model", "import", "unknown", bfm}, 2, "no such family");
}

TEST_CASE("model: an imported name is found although a folder of that name lies about") {
  const TemporaryFolder folder("name"), home("home");
  RunOptions at_home;
  at_home.environment = {{"XDG_DATA_HOME", home.path().string()}};
  REQUIRE(runFacet({"model", "import", "builtin", "--name", "mine"}, at_home).exit_code == 0);
  fs::create_directory(folder / "mine");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  const RunResult by_name = runFacet({"model", "info", "mine"}, at_home);
  const RunResult by_path = runFacet({"model", "info", "./mine"}, at_home);
  fs::current_path(before);
  CHECK_MESSAGE(by_name.exit_code == 0, by_name.err);
  CHECK(by_path.exit_code == 4);
}

TEST_CASE("export: a head that got its shapes by transfer leaves as a GLB with them") {
  const TemporaryFolder folder("export");
  const RunResult result =
      runFacet({"export", "builtin", "-o", (folder / "head.glb").string(), "--texture-size", "256"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  const json glb = glbJson(folder / "head.glb");
  CHECK(glb["meshes"][0]["extras"]["targetNames"].size() == 51);
  CHECK(glb.contains("images"));
  validateGlb(folder / "head.glb");
  CHECK(runFacet({"export", "builtin", "-o", (folder / "head.glb").string()}).exit_code == 2);
  CHECK(runFacet({"export", "builtin", "-o", (folder / "head.xyz").string()}).exit_code == 2);
  CHECK(runFacet({"export", "builtin", "-o", (folder / "head.obj").string()}).exit_code == 0);
}

TEST_CASE("model transfer: a bare OBJ gets shapes, and the map leads back to the built-in head") {
  const TemporaryFolder folder("transfer");
  const MorphableModel builtin = loadModel("builtin");
  Mesh mesh = builtin.mesh(builtin.mean / 10);        // centimetres
  mesh.triangles.col(1).swap(mesh.triangles.col(2));  // and wound inwards
  mesh.uv.resize(0, 2);
  mesh.uv_triangles.resize(0, 3);
  writeObj(folder / "head.obj", mesh);
  const RunResult result = runFacet({"model", "transfer", "builtin", (folder / "head.obj").string(), "-o",
                                     (folder / "head.npz").string(), "--map", (folder / "map.npz").string()});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  const MorphableModel head = loadModel(folder / "head.npz");
  CHECK(head.expression_names == builtin.expression_names);
  CHECK(head.uv_triangles.rows() == head.triangles.rows());
  const int jaw_open = *builtin.expressionIndex("jawOpen");
  const Eigen::VectorXf difference = head.expression.col(jaw_open) - builtin.expression.col(jaw_open);
  CHECK(Eigen::Map<const Points3>(difference.data(), head.numVertices(), 3).rowwise().norm().mean() < 0.3F);

  const Npz map = readNpz(folder / "map.npz");
  CHECK(map.at("triangle").count() == head.numVertices());
  CHECK(runFacet({"model", "transfer", "builtin", (folder / "head.obj").string()}).exit_code == 2);
}
