#include "core/io/video_io.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/image_io.h"
#include "tests/data.h"

namespace fs = std::filesystem;
using namespace facet;
using facet::test::TemporaryFolder;

namespace {

// A bright square that moves right on a dark ground: its place tells the frame, its corner which way is up.
Image8 frameWithSquare(int number, int width = 96, int height = 64) {
  Image8 frame(width, height, 3, std::uint8_t{30});
  for (int y = 4; y < 20; ++y)
    for (int x = 4 + 6 * number; x < 20 + 6 * number; ++x) {
      frame.at(x, y)[0] = 220;
      frame.at(x, y)[1] = 90;
    }
  return frame;
}

void writeClip(const fs::path& path, int count) {
  VideoWriter writer(path, 96, 64, 12.5);
  for (int i = 0; i < count; ++i) writer.write(frameWithSquare(i));
  writer.finish();
}

ErrorKind errorOf(const std::function<void()>& action, const std::string& said) {
  try {
    action();
  } catch (const Error& error) {
    CHECK_MESSAGE(std::string(error.what()).find(said) != std::string::npos, error.what());
    return error.kind();
  }
  FAIL("no error");
  return ErrorKind::kRuntime;
}

}  // namespace

TEST_CASE("video: frames that are written come back with numbers, time stamps and colours") {
  const TemporaryFolder folder("video");
  writeClip(folder / "clip.mp4", 10);
  VideoReader reader(folder / "clip.mp4");
  CHECK(reader.width() == 96);
  CHECK(reader.height() == 64);
  CHECK(reader.fps() == doctest::Approx(12.5));
  CHECK(reader.expectedFrames() == 10);
  int count = 0;
  while (const auto frame = reader.next()) {
    CHECK(frame->number == count);
    CHECK(frame->time_s == doctest::Approx(count / 12.5));
    const std::uint8_t* square = frame->pixels.at(12 + 6 * count, 12);
    CHECK(std::abs(square[0] - 220) < 25);  // coded with half the colour resolution
    CHECK(std::abs(square[1] - 90) < 25);
    CHECK(std::abs(square[2] - 30) < 25);
    CHECK(std::abs(frame->pixels.at(90, 60)[0] - 30) < 12);
    ++count;
  }
  CHECK(count == 10);
  CHECK_FALSE(reader.next());
}

TEST_CASE("video: a phone's rotation is applied") {
  const TemporaryFolder folder("video");
  writeClip(folder / "clip.mp4", 3);
  // The matrix of the track header: a quarter turn clockwise.
  std::vector<std::uint8_t> bytes = readBytes(folder / "clip.mp4");
  const std::string box = "tkhd";
  const auto found = std::search(bytes.begin(), bytes.end(), box.begin(), box.end());
  REQUIRE(found != bytes.end());
  REQUIRE(found[4] == 0);  // version 0
  const std::uint8_t matrix[20] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0};
  std::copy(std::begin(matrix), std::end(matrix), found + 44);
  writeBytes(folder / "turned.mp4", bytes.data(), bytes.size());
  VideoReader reader(folder / "turned.mp4");
  CHECK(reader.width() == 64);
  CHECK(reader.height() == 96);
  const auto frame = reader.next();
  REQUIRE(frame);
  CHECK(frame->pixels.at(64 - 12, 12)[0] > 180);  // from the upper left to the upper right corner
  CHECK(frame->pixels.at(12, 12)[0] < 60);
}

TEST_CASE("video: a folder is a clip, its photos in the order of the numbers in their names") {
  const TemporaryFolder folder("frames");
  for (const int i : {0, 1, 2, 9, 10, 11})
    writePng(folder / ("frame_" + std::to_string(i) + ".png"), frameWithSquare(i));
  writeText(folder / "notes.txt", "not a frame");
  VideoReader reader(folder.path(), {.folder_fps = 50});
  CHECK(reader.expectedFrames() == 6);
  int count = 0;
  for (const int i : {0, 1, 2, 9, 10, 11}) {
    const auto frame = reader.next();
    REQUIRE(frame);
    CHECK(frame->pixels.at(4 + 6 * i, 10)[0] == 220);
    CHECK(frame->time_s == doctest::Approx(count / 50.0));
    CHECK(frame->number == count++);
  }
  CHECK_FALSE(reader.next());

  writePng(folder / "frame_3.png", Image8(40, 40, 3));
  VideoReader mixed(folder.path());
  CHECK(errorOf(
            [&] {
              while (mixed.next()) {
              }
            },
            "frame_3.png") == ErrorKind::kInput);
}

TEST_CASE("video: frames of more pixels than allowed are refused, of a folder as of a video") {
  const TemporaryFolder folder("video");
  fs::create_directory(folder / "frames");
  writePng(folder / "frames/0.png", frameWithSquare(0));
  writeClip(folder / "clip.mp4", 2);
  for (const char* name : {"frames", "clip.mp4"}) {
    CHECK(errorOf([&] { VideoReader reader(folder / name, {.max_pixels = 96 * 64 - 1}); }, name) ==
          ErrorKind::kInput);
    CHECK(VideoReader(folder / name, {.max_pixels = 96 * 64}).width() == 96);
  }
}

TEST_CASE("video: what cannot be read is an input error that names the file") {
  const TemporaryFolder folder("video");
  fs::create_directory(folder / "empty");
  writeText(folder / "text.mp4", "this is not a video");
  writeText(folder / "nothing.mkv", "");
  writeClip(folder / "clip.mp4", 10);
  std::vector<std::uint8_t> bytes = readBytes(folder / "clip.mp4");
  writeBytes(folder / "cut.mp4", bytes.data(), bytes.size() / 2);  // the index stands at the end
  for (const char* name : {"missing.mp4", "empty", "text.mp4", "nothing.mkv", "cut.mp4"})
    CHECK(errorOf([&] { VideoReader reader(folder / name); }, name) == ErrorKind::kInput);
}

TEST_CASE("video: a file that cannot be made is a runtime error, and a frame of another size misuse") {
  const TemporaryFolder folder("video");
  CHECK(errorOf([&] { VideoWriter writer(folder / "no" / "clip.mp4", 96, 64, 25); }, "clip.mp4") ==
        ErrorKind::kRuntime);
  VideoWriter writer(folder / "clip.mp4", 97, 63, 25);  // odd sizes lose a column and a row
  CHECK_THROWS_AS(writer.write(frameWithSquare(0)), std::invalid_argument);
  writer.write(Image8(97, 63, 3, std::uint8_t{99}));
  writer.finish();
  CHECK(VideoReader(folder / "clip.mp4").width() == 96);
}
