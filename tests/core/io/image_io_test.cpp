#include "core/io/image_io.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <opencv2/imgcodecs.hpp>

#include "core/error.h"
#include "core/io/files.h"
#include "tests/data.h"

using namespace facet;

namespace {

// Left half red, right half blue, the top row of blocks brighter: every turn and flip shows.
cv::Mat colouredMat(int width, int height, int type = CV_8UC3) {
  cv::Mat image(height, width, type);
  const double full = CV_MAT_DEPTH(type) == CV_16U ? 257 : 1;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double level = (y < height / 2 ? 240 : 120) * full;
      const cv::Scalar bgr =
          x < width / 2 ? cv::Scalar(0, 0, level, 255 * full) : cv::Scalar(level, 0, 0, 255 * full);
      cv::Mat(image, cv::Rect(x, y, 1, 1)).setTo(bgr);
    }
  }
  return image;
}

std::vector<std::uint8_t> encoded(const char* extension, const cv::Mat& image) {
  std::vector<std::uint8_t> bytes;
  cv::imencode(extension, image, bytes);
  return bytes;
}

void write(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
  writeBytes(path, bytes.data(), bytes.size());
}

// Puts an EXIF segment with the orientation behind the first two bytes of a JPEG, as cameras do.
std::vector<std::uint8_t> withOrientation(std::vector<std::uint8_t> jpeg, std::uint8_t orientation,
                                          bool big_endian) {
  std::vector<std::uint8_t> exif = {0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0, 0};
  const std::vector<std::uint8_t> little = {'I', 'I', 42, 0, 8, 0,           0, 0, 1, 0, 0x12, 1, 3,
                                            0,   1,   0,  0, 0, orientation, 0, 0, 0, 0, 0,    0, 0};
  const std::vector<std::uint8_t> big = {'M', 'M', 0, 42, 0, 0, 0,           8, 0, 1, 1, 0x12, 0,
                                         3,   0,   0, 0,  1, 0, orientation, 0, 0, 0, 0, 0,    0};
  const auto& tiff = big_endian ? big : little;
  exif.insert(exif.end(), tiff.begin(), tiff.end());
  jpeg.insert(jpeg.begin() + 2, exif.begin(), exif.end());
  return jpeg;
}

bool isNear(const std::uint8_t* pixel, int r, int g, int b, int tolerance = 12) {
  return std::abs(pixel[0] - r) <= tolerance && std::abs(pixel[1] - g) <= tolerance &&
         std::abs(pixel[2] - b) <= tolerance;
}

void checkInputError(const std::filesystem::path& path, const char* part_of_message,
                     const ReadImageOptions& options = {}) {
  CAPTURE(part_of_message);
  try {
    readPhoto(path, options);
    FAIL("read without complaint");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kInput);
    CHECK_MESSAGE(std::string(error.what()).find(part_of_message) != std::string::npos,
                  std::string(error.what()));
    CHECK(std::string(error.what()).find(path.filename().string()) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("readPhoto: every format gives the same upright RGB picture") {
  const test::TemporaryFolder folder("photo");
  for (const char* extension : {".jpg", ".png", ".bmp", ".ppm", ".tiff", ".webp"}) {
    CAPTURE(extension);
    write(folder / "a", encoded(extension, colouredMat(64, 32)));
    const Image8 image = readPhoto(folder / "a");
    CHECK(image.width() == 64);
    CHECK(image.height() == 32);
    REQUIRE(image.channels() == 3);
    CHECK(isNear(image.at(8, 8), 240, 0, 0));
    CHECK(isNear(image.at(56, 8), 0, 0, 240));
    CHECK(isNear(image.at(8, 24), 120, 0, 0));
  }
}

TEST_CASE("readPhoto: all eight EXIF orientations come out upright, in both byte orders") {
  const test::TemporaryFolder folder("photo");
  const std::vector<std::uint8_t> jpeg = encoded(".jpg", colouredMat(64, 32));
  // Where the file's top left corner (bright red) and top right corner (bright blue) belong, per orientation:
  // 0 = top left, 1 = top right, 2 = bottom right, 3 = bottom left.
  const int red_corner[9] = {0, 0, 1, 2, 3, 0, 1, 2, 3}, blue_corner[9] = {0, 1, 0, 3, 2, 3, 2, 1, 0};
  for (const bool big_endian : {false, true}) {
    for (std::uint8_t orientation = 1; orientation <= 8; ++orientation) {
      CAPTURE(int{orientation});
      write(folder / "a.jpg", withOrientation(jpeg, orientation, big_endian));
      const Image8 image = readPhoto(folder / "a.jpg");
      CHECK(image.width() == (orientation <= 4 ? 64 : 32));
      const auto at = [&](int corner) {
        return image.at(corner == 1 || corner == 2 ? image.width() - 5 : 4,
                        corner >= 2 ? image.height() - 5 : 4);
      };
      CHECK(isNear(at(red_corner[orientation]), 240, 0, 0));
      CHECK(isNear(at(blue_corner[orientation]), 0, 0, 240));
    }
  }
}

TEST_CASE("readPhoto: grey, 16 bit and alpha become 8-bit RGB") {
  const test::TemporaryFolder folder("photo");
  write(folder / "grey.png", encoded(".png", cv::Mat(5, 7, CV_8UC1, cv::Scalar(77))));
  CHECK(isNear(readPhoto(folder / "grey.png").at(3, 2), 77, 77, 77, 0));
  write(folder / "deep.png",
        encoded(".png", cv::Mat(5, 7, CV_16UC3, cv::Scalar(257 * 10, 257 * 20, 257 * 30))));
  CHECK(isNear(readPhoto(folder / "deep.png").at(3, 2), 30, 20, 10, 0));
  write(folder / "deep_grey.png", encoded(".png", cv::Mat(5, 7, CV_16UC1, cv::Scalar(65535))));
  CHECK(isNear(readPhoto(folder / "deep_grey.png").at(3, 2), 255, 255, 255, 0));
  for (const double alpha : {0.0, 127.5, 255.0}) {
    write(folder / "alpha.png", encoded(".png", cv::Mat(5, 7, CV_8UC4, cv::Scalar(0, 0, 255, alpha))));
    const double a = std::round(alpha) / 255;
    const int red = static_cast<int>(255 * a + 128 * (1 - a)), rest = static_cast<int>(128 * (1 - a));
    CHECK(isNear(readPhoto(folder / "alpha.png").at(3, 2), red, rest, rest, 1));
  }
}

TEST_CASE("readPhoto: a 1x1 image loads, a larger one is scaled down on request") {
  const test::TemporaryFolder folder("photo");
  for (const char* extension : {".png", ".jpg"}) {
    write(folder / "one", encoded(extension, cv::Mat(1, 1, CV_8UC3, cv::Scalar(1, 2, 3))));
    CHECK(readPhoto(folder / "one").size() == 3);
  }
  write(folder / "wide.png", encoded(".png", colouredMat(400, 100)));
  const Image8 small = readPhoto(folder / "wide.png", {.max_side_px = 200});
  CHECK(small.width() == 200);
  CHECK(small.height() == 50);
  CHECK(isNear(small.at(20, 10), 240, 0, 0));
}

TEST_CASE("readPhoto: a file cut anywhere is an error, never a picture with a grey rest") {
  const test::TemporaryFolder folder("photo");
  for (const char* extension : {".jpg", ".png", ".bmp", ".ppm", ".tiff", ".webp"}) {
    const std::vector<std::uint8_t> whole = encoded(extension, colouredMat(200, 150));
    for (const double share : {0.3, 0.7, 0.95}) {
      CAPTURE(extension);
      CAPTURE(share);
      const auto size = static_cast<std::ptrdiff_t>(share * static_cast<double>(whole.size()));
      write(folder / "cut", {whole.begin(), whole.begin() + size});
      checkInputError(folder / "cut", "cut");
    }
  }
  // The end marker of a thumbnail in the header is not the picture's.
  std::vector<std::uint8_t> jpeg = encoded(".jpg", colouredMat(200, 150));
  const std::vector<std::uint8_t> thumbnail = encoded(".jpg", colouredMat(16, 16));
  std::vector<std::uint8_t> segment = {0xFF, 0xE1, static_cast<std::uint8_t>((thumbnail.size() + 2) >> 8),
                                       static_cast<std::uint8_t>((thumbnail.size() + 2) & 0xFF)};
  segment.insert(segment.end(), thumbnail.begin(), thumbnail.end());
  jpeg.insert(jpeg.begin() + 2, segment.begin(), segment.end());
  write(folder / "whole.jpg", jpeg);
  CHECK(readPhoto(folder / "whole.jpg").width() == 200);
  jpeg.resize(jpeg.size() - 2);
  write(folder / "cut.jpg", jpeg);
  checkInputError(folder / "cut.jpg", "truncated");
  // Bytes behind the end, as some phones append, are no fault.
  jpeg.insert(jpeg.end(), {0xFF, 0xD9, 'm', 'o', 'r', 'e'});
  write(folder / "more.jpg", jpeg);
  CHECK(readPhoto(folder / "more.jpg").width() == 200);
}

TEST_CASE("readPhoto: a progressive JPEG is whole") {
  const test::TemporaryFolder folder("photo");
  std::vector<std::uint8_t> bytes;
  cv::imencode(".jpg", colouredMat(64, 32), bytes,
               {cv::IMWRITE_JPEG_PROGRESSIVE, 1, cv::IMWRITE_JPEG_RST_INTERVAL, 1});
  write(folder / "a.jpg", bytes);
  CHECK(isNear(readPhoto(folder / "a.jpg").at(8, 8), 240, 0, 0));
}

TEST_CASE("readPhoto: a 20000x20000 image is refused from its header, before it is decoded") {
  const test::TemporaryFolder folder("photo");
  // PNG: the size of a small one rewritten, with its checksum left wrong: the size is what counts.
  std::vector<std::uint8_t> png = encoded(".png", colouredMat(8, 8));
  for (const std::size_t at : {16U, 20U}) png[at + 2] = 20'000 >> 8, png[at + 3] = 20'000 & 0xFF;
  write(folder / "huge.png", png);
  checkInputError(folder / "huge.png", "20000x20000");
  std::vector<std::uint8_t> jpeg = encoded(".jpg", colouredMat(8, 8));
  for (std::size_t i = 0; i + 8 < jpeg.size(); ++i) {
    if (jpeg[i] != 0xFF || jpeg[i + 1] != 0xC0) continue;
    for (const std::size_t at : {i + 5, i + 7}) jpeg[at] = 20'000 >> 8, jpeg[at + 1] = 20'000 & 0xFF;
    break;
  }
  write(folder / "huge.jpg", jpeg);
  checkInputError(folder / "huge.jpg", "20000x20000");
  writeText(folder / "huge.ppm", "P6\n# comment\n20000 20000\n255\n");
  checkInputError(folder / "huge.ppm", "20000x20000");
  write(folder / "small.png", encoded(".png", colouredMat(20, 10)));
  checkInputError(folder / "small.png", "shrink", {.max_pixels = 199});
}

TEST_CASE("readPhoto: a missing file, a directory, an empty file and text are input errors") {
  const test::TemporaryFolder folder("photo");
  checkInputError(folder / "none.jpg", "no such file");
  checkInputError(folder.path(), "directory");
  writeText(folder / "empty.jpg", "");
  checkInputError(folder / "empty.jpg", "empty");
  writeText(folder / "text.jpg", "this is no photo");
  checkInputError(folder / "text.jpg", "not a photo");
  std::vector<std::uint8_t> png = encoded(".png", colouredMat(64, 64));
  png[png.size() / 2] ^= 1;
  write(folder / "flipped.png", png);
  checkInputError(folder / "flipped.png", "damaged");
}

TEST_CASE("PNG and JPEG: an image of 1, 3 and 4 channels comes back") {
  const test::TemporaryFolder folder("photo");
  for (const int channels : {1, 3, 4}) {
    Image8 image(3, 2, channels);
    for (std::size_t i = 0; i < image.size(); ++i) image.data()[i] = static_cast<std::uint8_t>(10 * i + 5);
    writePng(folder / "a.png", image);
    const cv::Mat back = cv::imread((folder / "a.png").string(), cv::IMREAD_UNCHANGED);
    REQUIRE(back.channels() == channels);
    const int red = channels == 1 ? 0 : 2;
    CHECK(back.ptr(1)[channels * 2 + red] == image.at(2, 1)[0]);
    CHECK(back.ptr(1)[channels * 3 - 1] == image.at(2, 1)[channels == 3 ? 0 : channels - 1]);
  }
  CHECK(isNear(readPhoto(folder / "a.png").at(0, 0), 111, 113, 114, 1));  // alpha 35: mostly the grey behind
  const std::vector<std::uint8_t> jpeg = encodeJpeg(Image8(16, 16, 3, 99));
  CHECK(std::memcmp(jpeg.data(), "\xFF\xD8\xFF", 3) == 0);
  CHECK_THROWS_AS(encodePng(Image8(2, 2, 2)), std::invalid_argument);
  CHECK_THROWS_AS(encodePng(Image8()), std::invalid_argument);
}
