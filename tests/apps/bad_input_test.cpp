// Bad input through the real program: the exit code of the contract, one line that names the file and the way
// out, and nothing left behind.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <sstream>

#include "core/io/files.h"
#include "core/io/image_io.h"
#include "tests/apps/program.h"
#include "tests/data.h"

namespace fs = std::filesystem;
using namespace facet;
using namespace facet::test;

namespace {

struct Workplace {
  TemporaryFolder folder{"bad-input"};
  Portrait portrait = writePortrait(folder.path());
  fs::path out = folder / "out";

  std::string path(const std::string& name) const { return (folder / name).string(); }
  // reconstruct with small maps into `out`, with the portrait's landmarks unless told otherwise.
  RunResult reconstruct(const std::string& photo, std::vector<std::string> more = {},
                        bool with_landmarks = true, const RunOptions& options = {}) const {
    std::vector<std::string> arguments = {"reconstruct", photo, "-o", out.string(), "--texture-size", "128"};
    if (with_landmarks) arguments.insert(arguments.end(), {"--landmarks", portrait.landmarks.string()});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return runFacet(arguments, options);
  }
  // Neither a result nor a temporary folder or file is left.
  bool isClean() const {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder.path())) {
      const std::string name = entry.path().filename().string();
      if (name == "out" || name.find(".tmp") != std::string::npos) return false;
    }
    return true;
  }
};

// The last line of stderr: the error; progress lines may stand before it.
std::string lastLine(const std::string& text) {
  std::istringstream lines(text);
  std::string line, last;
  while (std::getline(lines, line)) last = line;
  return last;
}

void checkFailure(const RunResult& result, int exit_code, const std::vector<std::string>& said) {
  CHECK_MESSAGE(result.exit_code == exit_code, result.err);
  CHECK(result.out.empty());
  const std::string message = lastLine(result.err);
  CHECK_MESSAGE(message.rfind("facet: ", 0) == 0, result.err);
  for (const std::string& part : said)
    CHECK_MESSAGE(message.find(part) != std::string::npos, part << " not in: " << message);
}

void putBigEndian(std::string& bytes, std::size_t at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> (24 - 8 * i));
}

std::uint32_t crc32Of(const std::string& bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (unsigned char byte : bytes) {
    crc ^= byte;
    for (int k = 0; k < 8; ++k) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
  }
  return ~crc;
}

// The portrait as JPEG with an EXIF orientation tag.
std::string jpegWithOrientation(const cv::Mat& pixels, char orientation) {
  std::vector<std::uint8_t> jpeg;
  cv::imencode(".jpg", pixels, jpeg);
  const char exif[] = {'\xFF', '\xE1', 0, 34, 'E', 'x',         'i', 'f', 0,    0,    'M', 'M',
                       0,      42,     0, 0,  0,   8,           0,   1,   0x01, 0x12, 0,   3,
                       0,      0,      0, 1,  0,   orientation, 0,   0,   0,    0,    0,   0};
  std::string bytes(jpeg.begin(), jpeg.end());
  return bytes.insert(2, exif, sizeof exif);
}

}  // namespace

TEST_CASE("reconstruct: a photo without a face is exit code 5 and points to --landmarks") {
  const Workplace at;
  cv::Mat plain(300, 400, CV_8UC3, cv::Scalar(90, 120, 60));
  cv::imwrite(at.path("wall.png"), plain);
  checkFailure(at.reconstruct(at.path("wall.png"), {}, false), 5, {"wall.png", "no face", "--landmarks"});
  CHECK(at.isClean());
}

TEST_CASE("reconstruct: a face under 24 pixels is exit code 5 and says the size that is needed") {
  const Workplace at;
  const cv::Mat portrait = cv::imread(at.portrait.photo.string());
  cv::Mat canvas(300, 300, CV_8UC3, portrait.at<cv::Vec3b>(0, 0)), tiny(24, 24, CV_8UC3);
  for (int y = 0; y < 24; ++y) {  // the head fills most of 24 pixels, the face about 14
    for (int x = 0; x < 24; ++x) {
      tiny.at<cv::Vec3b>(y, x) = portrait.at<cv::Vec3b>(y * 20 + 10, x * 20 + 10);
    }
  }
  tiny.copyTo(canvas(cv::Rect(140, 140, 24, 24)));
  cv::imwrite(at.path("tiny.png"), canvas);
  checkFailure(at.reconstruct(at.path("tiny.png"), {}, false), 5, {"tiny.png", "24 pixels", "larger"});
  CHECK(at.isClean());
}

TEST_CASE("reconstruct: a 1×1 image has no face") {
  const Workplace at;
  cv::imwrite(at.path("dot.png"), cv::Mat(1, 1, CV_8UC3, cv::Scalar(1, 2, 3)));
  checkFailure(at.reconstruct(at.path("dot.png"), {}, false), 5, {"dot.png"});
  CHECK(at.isClean());
}

TEST_CASE("reconstruct: a truncated JPEG is exit code 3") {
  const Workplace at;
  std::vector<std::uint8_t> jpeg;
  cv::imencode(".jpg", cv::imread(at.portrait.photo.string()), jpeg);
  writeBytes(at.path("half.jpg"), jpeg.data(), jpeg.size() / 2);
  checkFailure(at.reconstruct(at.path("half.jpg")), 3, {"half.jpg"});
  CHECK(at.isClean());
}

TEST_CASE("reconstruct: an image of 20000×20000 pixels is refused before it is decoded") {
  const Workplace at;
  cv::imwrite(at.path("huge.png"), cv::Mat(8, 8, CV_8UC3, cv::Scalar(1, 2, 3)));
  std::string bytes = readText(at.path("huge.png"));
  putBigEndian(bytes, 16, 20000);  // IHDR: width, height, and its checksum
  putBigEndian(bytes, 20, 20000);
  putBigEndian(bytes, 29, crc32Of(bytes.substr(12, 17)));
  writeText(at.path("huge.png"), bytes);
  checkFailure(at.reconstruct(at.path("huge.png")), 3, {"huge.png", "20000"});
  CHECK(at.isClean());
}

TEST_CASE("reconstruct: grey, 16-bit and transparent images work") {
  const Workplace at;
  const cv::Mat portrait = cv::imread(at.portrait.photo.string());
  cv::Mat grey, sixteen, alpha(portrait.size(), CV_8UC4);
  cv::extractChannel(portrait, grey, 1);
  portrait.convertTo(sixteen, CV_16UC3, 257);
  for (int y = 0; y < alpha.rows; ++y) {
    for (int x = 0; x < alpha.cols; ++x) {
      const cv::Vec3b& p = portrait.at<cv::Vec3b>(y, x);
      alpha.at<cv::Vec4b>(y, x) = {p[0], p[1], p[2], static_cast<std::uint8_t>(x < 20 ? 0 : 255)};
    }
  }
  for (const auto& [name, image] :
       {std::pair{"grey.png", grey}, {"sixteen.png", sixteen}, {"alpha.png", alpha}}) {
    cv::imwrite(at.path(name), image);
    const RunResult result = at.reconstruct(at.path(name), {"--force"});
    CHECK_MESSAGE(result.exit_code == 0, result.err);
    CHECK(fs::exists(at.out / "face.glb"));
  }
}

TEST_CASE("reconstruct and detect: a photo with EXIF rotation is turned upright") {
  const Workplace at;
  const cv::Mat upright = cv::imread(at.portrait.photo.string())(cv::Rect(40, 0, 400, 480));
  cv::Mat lying(upright.cols, upright.rows,
                CV_8UC3);  // a quarter turn to the left; orientation 6 turns it back
  for (int y = 0; y < upright.rows; ++y) {
    for (int x = 0; x < upright.cols; ++x) {
      lying.at<cv::Vec3b>(upright.cols - 1 - x, y) = upright.at<cv::Vec3b>(y, x);
    }
  }
  writeText(at.path("turned.jpg"), jpegWithOrientation(lying, 6));
  const RunResult result = at.reconstruct(at.path("turned.jpg"), {"--stop-after", "detect"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  const cv::Mat drawn = cv::imread((at.out / "image/landmarks.png").string());
  REQUIRE(drawn.cols == 400);
  REQUIRE(drawn.rows == 480);
  // The forehead, which has no landmark, is where it was.
  const cv::Vec3b expected = upright.at<cv::Vec3b>(110, 200), found = drawn.at<cv::Vec3b>(110, 200);
  for (int c = 0; c < 3; ++c) CHECK(std::abs(expected[c] - found[c]) < 12);  // JPEG

  writeText(at.path("upright.jpg"), jpegWithOrientation(upright, 1));
  const RunResult detected = runFacet({"detect", at.path("turned.jpg"), at.path("upright.jpg"), "--json"});
  REQUIRE_MESSAGE(detected.exit_code == 0, detected.err);
  const nlohmann::json faces = nlohmann::json::parse(detected.out);
  const nlohmann::json &turned = faces[at.path("turned.jpg")], &straight = faces[at.path("upright.jpg")];
  CHECK(turned["width"] == 400);
  CHECK(turned["height"] == 480);
  for (int i = 0; i < 68; ++i)
    for (int axis = 0; axis < 2; ++axis)
      CHECK(turned["landmarks68"][i][axis].get<double>() ==
            doctest::Approx(straight["landmarks68"][i][axis].get<double>()).epsilon(0.01));
}

TEST_CASE("reconstruct: a folder or a missing file in place of the photo is exit code 3") {
  const Workplace at;
  fs::create_directory(at.path("album"));
  checkFailure(at.reconstruct(at.path("album")), 3, {"album", "--batch"});
  checkFailure(at.reconstruct(at.path("nothing.jpg")), 3, {"nothing.jpg"});
  CHECK(at.isClean());
}

TEST_CASE("reconstruct: a .pts file with 67 points or NaN is exit code 3") {
  const Workplace at;
  const std::string good = readText(at.portrait.landmarks);
  std::string short_one = good, not_a_number = good;
  short_one.replace(short_one.find("68"), 2, "67");
  short_one.erase(short_one.rfind('\n', short_one.rfind('}') - 2),
                  1 + short_one.rfind('}') - 2 - short_one.rfind('\n', short_one.rfind('}') - 2));
  const std::size_t first_point = good.find('{') + 2;
  not_a_number.replace(first_point, good.find(' ', first_point) - first_point, "nan");
  const std::string photo = at.portrait.photo.string();
  for (const auto& [name, text] :
       {std::pair{"short.pts", short_one}, {"nan.pts", not_a_number}, {"no.pts", std::string("hello")}}) {
    writeText(at.path(name), text);
    checkFailure(at.reconstruct(photo, {"--landmarks", at.path(name)}, false), 3, {name});
  }
  checkFailure(at.reconstruct(photo, {"--landmarks", at.path("missing.pts")}, false), 3, {"missing.pts"});
  CHECK(at.isClean());
}

TEST_CASE("reconstruct: a model file that is not one, or is missing, is exit code 4") {
  const Workplace at;
  writeText(at.path("model.npz"), "this is not a model");
  const std::string photo = at.portrait.photo.string();
  checkFailure(at.reconstruct(photo, {"--model", at.path("model.npz")}), 4, {"model.npz"});
  checkFailure(at.reconstruct(photo, {"--model", at.path("absent.npz")}), 4, {"absent.npz"});
  const TemporaryFolder empty_home("home");
  RunOptions without_models;
  without_models.environment = {{"XDG_DATA_HOME", empty_home.path().string()}};
  checkFailure(at.reconstruct(photo, {"--model", "ict"}, true, without_models), 4,
               {"ict", "facet model import ict"});
  CHECK(at.isClean());
}

TEST_CASE("reconstruct: an output folder that cannot be made is exit code 1") {
  const Workplace at;  // root may write into read-only folders; below a file or in /proc nobody can
  const std::string photo = at.portrait.photo.string(), points = at.portrait.landmarks.string();
  for (const std::string& folder :
       {at.portrait.landmarks.string() + "/out", std::string("/proc/facet/out")}) {
    checkFailure(runFacet({"reconstruct", photo, "--landmarks", points, "-o", folder}), 1, {folder, "-o"});
  }
  CHECK(at.isClean());
}

TEST_CASE("reconstruct: a full disk is exit code 1, and the earlier result stays") {
  const Workplace at;
  RunOptions full;
  full.file_size_limit = 100'000;  // the pictures fit, the meshes do not
  const std::string photo = at.portrait.photo.string();
  checkFailure(at.reconstruct(photo, {}, true, full), 1, {at.out.filename().string()});
  CHECK(at.isClean());

  REQUIRE(at.reconstruct(photo).exit_code == 0);
  const std::string before = readText(at.out / "fit.json");
  checkFailure(at.reconstruct(photo, {"--force"}, true, full), 1, {});
  CHECK(readText(at.out / "fit.json") == before);
  CHECK(fs::exists(at.out / "face.glb"));
}

TEST_CASE("reconstruct: Ctrl-C in the middle is exit code 130 and leaves nothing") {
  const Workplace at;
  RunOptions interrupt;
  interrupt.interrupt_when_working_in = at.folder.path();
  checkFailure(at.reconstruct(at.portrait.photo.string(), {}, true, interrupt), 130, {"interrupted"});
  CHECK(at.isClean());
}

TEST_CASE("reconstruct: a result is not overwritten without --force, and a folder of other things never is") {
  const Workplace at;
  const std::string photo = at.portrait.photo.string();
  REQUIRE(at.reconstruct(photo).exit_code == 0);
  const std::string before = readText(at.out / "fit.json");
  checkFailure(at.reconstruct(photo), 2, {at.out.string(), "--force"});
  CHECK(readText(at.out / "fit.json") == before);
  CHECK(at.reconstruct(photo, {"--force", "--seed", "7"}).exit_code == 0);
  CHECK(readText(at.out / "fit.json") != before);

  writeText(at.out / "thesis.txt", "years of work");
  checkFailure(at.reconstruct(photo, {"--force"}), 2, {"thesis.txt"});
  CHECK(readText(at.out / "thesis.txt") == "years of work");
}

TEST_CASE("facet: wrong usage is exit code 2 with one line") {
  const Workplace at;
  const std::string photo = at.portrait.photo.string();
  checkFailure(runFacet({}), 2, {"--help"});
  checkFailure(runFacet({"reconstruct"}), 2, {"PHOTO"});
  checkFailure(runFacet({"reconstruct", photo}), 2, {"--output"});
  checkFailure(at.reconstruct(photo, {"--no-such-option"}), 2, {"--no-such-option"});
  checkFailure(at.reconstruct(photo, {"--texture-size", "7"}), 2, {"--texture-size"});
  checkFailure(at.reconstruct(photo, {"second.jpg"}), 2, {"--batch"});
  checkFailure(at.reconstruct(photo, {"--all-faces"}), 2, {"--all-faces"});
  CHECK(at.isClean());
}
