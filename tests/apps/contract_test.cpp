// What DESIGN promises of the command line, through the real program.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "core/io/files.h"
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

std::vector<std::string> reconstructArguments(const Portrait& portrait, const fs::path& out) {
  return {"reconstruct", portrait.photo.string(), "--landmarks", portrait.landmarks.string(), "-o",
          out.string(),  "--texture-size",        "256"};
}

int textureSide(const fs::path& result) { return cv::imread((result / "maps/texture.png").string()).cols; }

}  // namespace

TEST_CASE("reconstruct: writes the files and the fit.json of the contract") {
  const TemporaryFolder folder("contract");
  const Portrait portrait = writePortrait(folder.path());
  const fs::path out = folder / "out";
  std::vector<std::string> arguments = reconstructArguments(portrait, out);
  arguments.push_back("--json");
  const RunResult result = runFacet(arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);

  CHECK(filesBelow(out) ==
        std::vector<std::string>{"face.glb", "fit.json", "fit.npz", "image/depth.exr", "image/landmarks.png",
                                 "image/mask.png", "image/normal.png", "image/overlay.png", "image/pncc.png",
                                 "maps/albedo.png", "maps/normal.png", "maps/position.exr",
                                 "maps/texture.png", "maps/visibility.png", "mesh/coarse.mtl",
                                 "mesh/coarse.obj", "mesh/neutral.mtl", "mesh/neutral.obj"});
  CHECK(json::parse(result.out)["output"] == out.string());

  const MorphableModel model = loadModel("builtin");
  const json fit = json::parse(readText(out / "fit.json"));
  CHECK(fit["inputs"][0]["sha256"] == sha256(readBytes(portrait.photo)));
  CHECK(fit["inputs"][0]["width"] == 480);
  CHECK(fit["model"]["id"] == model.id);
  CHECK(fit["model"]["licence"] == model.licence);
  CHECK(fit["model"]["vertices"] == model.numVertices());
  CHECK(fit["identity"].size() == static_cast<std::size_t>(model.numIdentity()));
  CHECK(fit["albedo"].size() == static_cast<std::size_t>(model.numAlbedo()));
  CHECK(fit["landmark_embedding68"].size() == 68);
  CHECK(fit["warnings"].is_array());
  CHECK(fit["facet_version"].is_string());
  CHECK(fit["seed"] == 0);
  const json& view = fit["views"][0];
  CHECK(view["landmarks68"].size() == 68);
  CHECK(view["expression"].size() == static_cast<std::size_t>(model.numExpression()));
  CHECK(view["light_sh"].size() == 9);
  CHECK(view["camera"]["width"] == 480);
  CHECK(view["camera"]["camera_from_model"][3] == json({0.0, 0.0, 0.0, 1.0}));
  CHECK(view["camera"]["clip_from_camera"].size() == 4);
  for (const json& stage : fit["stages"]) {
    for (const char* key : {"name", "seconds", "iterations", "residual_px"}) CHECK(stage.contains(key));
  }

  // The embedding on mesh/coarse.obj, through the camera, comes out where the landmarks are: this proves K, R
  // and t.
  const Mesh coarse = readObj(out / "mesh/coarse.obj");
  const json& K = view["camera"]["K"];
  const json& pose = view["camera"]["camera_from_model"];
  double worst_px = 0;
  for (int i = 17; i < 68; ++i) {  // the jaw line slides in the fit
    Eigen::Vector4d point(0, 0, 0, 1);
    const json& entry = fit["landmark_embedding68"][i];
    for (int k = 0; k < 3; ++k) {
      point.head<3>() +=
          entry[k + 1].get<double>() *
          coarse.vertices.row(coarse.triangles(entry[0].get<int>(), k)).transpose().cast<double>();
    }
    Eigen::Vector3d in_camera;
    for (int r = 0; r < 3; ++r) {
      in_camera[r] = pose[r][0].get<double>() * point[0] + pose[r][1].get<double>() * point[1] +
                     pose[r][2].get<double>() * point[2] + pose[r][3].get<double>();
    }
    const Eigen::Vector2d pixel(K[0][0].get<double>() * in_camera[0] / in_camera[2] + K[0][2].get<double>(),
                                K[1][1].get<double>() * in_camera[1] / in_camera[2] + K[1][2].get<double>());
    const Eigen::Vector2d given(view["landmarks68"][i][0].get<double>(),
                                view["landmarks68"][i][1].get<double>());
    worst_px = std::max(worst_px, (pixel - given).norm());
  }
  CHECK(worst_px < 4);  // the face is about 230 px wide and the model's own, so its landmarks are met closely

  const Npz arrays = readNpz(out / "fit.npz");
  CHECK(arrays.at("identity").count() == model.numIdentity());
  CHECK(arrays.at("landmarks68").shape == std::vector<std::int64_t>{68, 2});
  CHECK(arrays.at("neutral_vertices").shape == std::vector<std::int64_t>{model.numVertices(), 3});
}

TEST_CASE("reconstruct: says nothing on stdout without --json and nothing at all with --quiet") {
  const TemporaryFolder folder("quiet");
  const Portrait portrait = writePortrait(folder.path());
  std::vector<std::string> arguments = reconstructArguments(portrait, folder / "out");
  const RunResult loud = runFacet(arguments);
  CHECK(loud.exit_code == 0);
  CHECK(loud.out.empty());
  CHECK(loud.err.find("facet: ") == 0);
  CHECK(loud.err.find('\033') == std::string::npos);  // no terminal: neither colours nor a bar
  arguments.insert(arguments.end(), {"--force", "--quiet"});
  const RunResult quiet = runFacet(arguments);
  CHECK(quiet.exit_code == 0);
  CHECK(quiet.out.empty());
  CHECK(quiet.err.empty());
}

TEST_CASE("reconstruct: equal inputs give equal outputs for 1 and 2 threads") {
  const TemporaryFolder folder("threads");
  const Portrait portrait = writePortrait(folder.path());
  for (const char* threads : {"1", "2"}) {
    std::vector<std::string> arguments = reconstructArguments(portrait, folder / threads);
    arguments.insert(arguments.end(), {"--threads", threads});
    REQUIRE(runFacet(arguments).exit_code == 0);
  }
  for (const std::string& file : filesBelow(folder / "1")) {
    if (file == "fit.json") continue;  // holds timings
    CHECK_MESSAGE(readBytes(folder / "1" / file) == readBytes(folder / "2" / file), file);
  }
}

TEST_CASE("facet: flag goes before environment, environment before config file, config file before default") {
  const TemporaryFolder folder("config");
  const Portrait portrait = writePortrait(folder.path());
  writeText(folder / "facet.toml", "[reconstruct]\ntexture-size = 128\n");
  writeText(folder / "facet.json", R"({"threads": 1, "reconstruct": {"texture-size": 128}})");
  const fs::path out = folder / "out";
  const std::vector<std::string> base = {
      "reconstruct", portrait.photo.string(), "--landmarks", portrait.landmarks.string(), "-o", out.string(),
      "--force"};
  const auto side = [&](std::vector<std::string> more,
                        const std::map<std::string, std::string>& environment) {
    more.insert(more.begin(), base.begin(), base.end());
    RunOptions options;
    options.environment = environment;
    const RunResult result = runFacet(more, options);
    CHECK_MESSAGE(result.exit_code == 0, result.err);
    return textureSide(out);
  };
  const std::string toml = (folder / "facet.toml").string(), as_json = (folder / "facet.json").string();
  CHECK(side({"--config", toml}, {}) == 128);
  CHECK(side({"--config", as_json}, {}) == 128);
  CHECK(side({"--config", toml}, {{"FACET_TEXTURE_SIZE", "192"}}) == 192);
  CHECK(side({"--config", toml, "--texture-size", "64"}, {{"FACET_TEXTURE_SIZE", "192"}}) == 64);
}

TEST_CASE("facet: an unknown key in the config file is exit code 2 and named") {
  const TemporaryFolder folder("config");
  const Portrait portrait = writePortrait(folder.path());
  for (const auto& [name, text] : {std::pair{"bad.toml", "[reconstruct]\ntexture-sise = 128\n"},
                                   {"bad.json", R"({"reconstruct": {"texture-sise": 128}})"}}) {
    writeText(folder / name, text);
    std::vector<std::string> arguments = reconstructArguments(portrait, folder / "out");
    arguments.insert(arguments.end(), {"--config", (folder / name).string()});
    const RunResult result = runFacet(arguments);
    CHECK(result.exit_code == 2);
    CHECK_MESSAGE(result.err.find("texture-sise") != std::string::npos, result.err);
    CHECK(!fs::exists(folder / "out"));
  }
}

TEST_CASE("reconstruct: a batch goes on after a bad photo and ends with the exit code of the first failure") {
  const TemporaryFolder folder("batch");
  const fs::path photos = folder / "photos", out = folder / "out";
  fs::create_directory(photos);
  writeText(photos / "a_broken.jpg", "not a picture");
  cv::imwrite((photos / "b_wall.png").string(), cv::Mat(200, 200, CV_8UC3, cv::Scalar(90, 120, 60)));
  const RunResult result =
      runFacet({"reconstruct", photos.string(), "-o", out.string(), "--batch", "--json"});
  CHECK(result.exit_code == 3);
  CHECK(result.err.find("a_broken.jpg") != std::string::npos);
  CHECK(result.err.find("0 of 2 photos") != std::string::npos);
  const json results = json::parse(result.out);
  REQUIRE(results.size() == 2);
  CHECK(results[0]["exit_code"] == 3);
  CHECK(results[1]["exit_code"] == 5);
  CHECK(!fs::exists(out));
}

TEST_CASE("reconstruct: a batch of photos of equal names is refused, since they would share a folder") {
  const TemporaryFolder folder("batch");
  const RunResult result =
      runFacet({"reconstruct", "a/me.jpg", "b/me.png", "-o", (folder / "out").string(), "--batch"});
  CHECK(result.exit_code == 2);
  CHECK(result.err.find("a/me.jpg") != std::string::npos);
}

TEST_CASE("reconstruct: the largest of two faces is taken and said, --all-faces takes both") {
  const TemporaryFolder folder("two");
  const Portrait portrait = writePortrait(folder.path());
  const cv::Mat large = cv::imread(portrait.photo.string());
  cv::Mat both(480, 800, CV_8UC3, large.at<cv::Vec3b>(0, 0));
  large.copyTo(both(cv::Rect(0, 0, 480, 480)));
  for (int y = 0; y < 240; ++y) {  // the second one at half the size
    for (int x = 0; x < 240; ++x) both.at<cv::Vec3b>(100 + y, 520 + x) = large.at<cv::Vec3b>(2 * y, 2 * x);
  }
  cv::imwrite((folder / "two.png").string(), both);
  const std::string photo = (folder / "two.png").string();
  const auto run = [&](const char* out, std::vector<std::string> more) {
    more.insert(more.begin(), {"reconstruct", photo, "-o", (folder / out).string(), "--texture-size", "64"});
    return runFacet(more);
  };
  const RunResult one = run("one", {});
  REQUIRE_MESSAGE(one.exit_code == 0, one.err);
  CHECK(one.err.find("2 faces found") != std::string::npos);
  CHECK(one.err.find("--all-faces") != std::string::npos);
  const auto nose = [&](const fs::path& result) {
    return json::parse(readText(result / "fit.json"))["views"][0]["landmarks68"][30][0].get<double>();
  };
  CHECK(nose(folder / "one") == doctest::Approx(240).epsilon(0.1));

  REQUIRE(run("all", {"--all-faces"}).exit_code == 0);
  CHECK(nose(folder / "all" / "face0") == doctest::Approx(240).epsilon(0.1));
  CHECK(nose(folder / "all" / "face1") == doctest::Approx(640).epsilon(0.1));
  CHECK(!fs::exists(folder / "all" / "face2"));
}

TEST_CASE("reconstruct: a real photograph goes in and a face comes out") {
  const auto data = realData();
  if (!data) {
    MESSAGE("skipped: no real data");
    return;
  }
  const TemporaryFolder folder("real");
  const RunResult result = runFacet({"reconstruct", (*data / "photos/gov/astronaut.png").string(), "-o",
                                     (folder / "out").string(), "--texture-size", "256"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  // Hand-picked: the tip of her nose is at (224.7, 127.7) px; the face is 90 px wide.
  const json landmarks = json::parse(readText(folder / "out" / "fit.json"))["views"][0]["landmarks68"];
  CHECK(std::abs(landmarks[30][0].get<double>() - 225) < 15);
  CHECK(std::abs(landmarks[30][1].get<double>() - 128) < 15);
}

TEST_CASE(
    "reconstruct --fast: nearly the same face of a real photograph, with the light that the network reads") {
  const auto data = realData();
  if (!data) {
    MESSAGE("skipped: no real test data");
    return;
  }
  const TemporaryFolder folder("fast");
  const std::string photo = (*data / "photos" / "gov" / "astronaut.png").string();
  Points3 neutral[2];
  json fit[2];
  for (const bool fast : {false, true}) {
    const fs::path out = folder / (fast ? "fast" : "usual");
    std::vector<std::string> arguments = {"reconstruct", photo, "-o", out.string(), "--stop-after", "fit"};
    if (fast) arguments.emplace_back("--fast");
    const RunResult result = runFacet(arguments);
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    neutral[fast] = readObj(out / "mesh/neutral.obj").vertices;
    fit[fast] = json::parse(readText(out / "fit.json"));
  }
  CHECK((neutral[0] - neutral[1]).rowwise().norm().mean() < 0.5F);  // mm
  CHECK(fit[0]["views"][0]["light_sh"] != fit[1]["views"][0]["light_sh"]);
  // Both say that the portrait is lit about fully.
  for (const json& one : fit) {
    const double ambient = one["views"][0]["light_sh"][0][1];
    CHECK(ambient / std::sqrt(4 * M_PI) > 0.4);
    CHECK(ambient / std::sqrt(4 * M_PI) < 1.6);
  }
}
