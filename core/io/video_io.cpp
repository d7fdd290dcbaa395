#include "core/io/video_io.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#include <set>

#include "core/check.h"
#include "core/error.h"
#include "core/io/image_io.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

constexpr double kUsualFps = 25;  // of a container that says none

std::string lowerExtension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

// Compares digits by the number they write and the rest by character.
bool naturallyBefore(const std::string& a, const std::string& b) {
  const auto isDigit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (!isDigit(a[i]) || !isDigit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i, ++j;
      continue;
    }
    const auto number = [&](const std::string& text, std::size_t& at) {
      while (at < text.size() && text[at] == '0') ++at;
      const std::size_t begin = at;
      while (at < text.size() && isDigit(text[at])) ++at;
      return text.substr(begin, at - begin);
    };
    const std::string first = number(a, i), second = number(b, j);
    if (first.size() != second.size()) return first.size() < second.size();
    if (first != second) return first < second;
  }
  if ((i < a.size()) != (j < b.size())) return j < b.size();
  return a < b;  // 01 and 1
}

// What goes wrong is said by Error; FFmpeg's and OpenCV's own lines on stderr would only stand beside it.
// FFmpeg's level can be set from the environment alone, before the first file; a user's setting stays.
void silenceBackend() {
  static const bool done = [] {
    setenv("OPENCV_FFMPEG_LOGLEVEL", "-8", /*overwrite=*/0);
    return true;
  }();
  static_cast<void>(done);
}

class QuietOpenCv {
 public:
  QuietOpenCv() : before_(cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT)) {}
  ~QuietOpenCv() { cv::utils::logging::setLogLevel(before_); }

 private:
  cv::utils::logging::LogLevel before_;
};

// Turn that makes the frames of a video upright: 0, 90, 180 or 270 degrees. From here on OpenCV leaves frames
// as they are coded: 4.6.0, Debian 12's, turns them the wrong way (github.com/opencv/opencv/issues/22088).
int clockwiseTurn(cv::VideoCapture& capture) {
  capture.set(cv::CAP_PROP_ORIENTATION_AUTO, 0);
  const int angle = (static_cast<int>(capture.get(cv::CAP_PROP_ORIENTATION_META)) % 360 + 360) % 360;
  const bool is_reversed = cv::getVersionMajor() == 4 && cv::getVersionMinor() == 6;
  return is_reversed ? (360 - angle) % 360 : angle;
}

}  // namespace

bool isImageName(const fs::path& path) {
  static const std::set<std::string> kExtensions = {".jpg", ".jpeg", ".png", ".tif", ".tiff",
                                                    ".bmp", ".ppm",  ".pgm", ".webp"};
  return kExtensions.count(lowerExtension(path)) > 0;
}

bool isVideoName(const fs::path& path) {
  static const std::set<std::string> kExtensions = {".mp4", ".m4v",  ".mov", ".mkv", ".webm", ".avi",
                                                    ".mpg", ".mpeg", ".wmv", ".flv", ".ogv",  ".3gp",
                                                    ".mts", ".m2ts", ".ts",  ".gif"};
  return kExtensions.count(lowerExtension(path)) > 0;
}

std::vector<fs::path> photosInFolder(const fs::path& folder) {
  std::vector<fs::path> photos;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (isImageName(entry->path())) photos.push_back(entry->path());
  }
  if (error) fail(ErrorKind::kInput, folder.string(), ": the folder cannot be read (", error.message(), ")");
  std::sort(photos.begin(), photos.end(), [](const fs::path& a, const fs::path& b) {
    return naturallyBefore(a.filename().string(), b.filename().string());
  });
  return photos;
}

struct VideoReader::Impl {
  fs::path path;
  int width_px = 0, height_px = 0;
  double fps = kUsualFps;
  int max_pixels = 0;
  std::optional<int> expected_frames;
  int num_read = 0;
  std::vector<fs::path> photos;     // of a folder
  cv::VideoCapture capture;         // of a video
  std::optional<VideoFrame> first;  // read ahead when opening
  double first_time_s = 0;
  int clockwise_deg = 0;  // turn that makes a frame of the video upright

  std::optional<VideoFrame> readPhotoOfFolder() {
    if (num_read == static_cast<int>(photos.size())) return std::nullopt;
    VideoFrame frame{num_read, num_read / fps, readPhoto(photos[num_read], {.max_pixels = max_pixels})};
    checkSize(frame.pixels.width(), frame.pixels.height(), photos[num_read].string());
    return frame;
  }

  std::optional<VideoFrame> readVideo() {
    cv::Mat bgr;
    if (!capture.read(bgr) || bgr.empty()) return std::nullopt;
    if (bgr.type() != CV_8UC3)
      fail(ErrorKind::kInput, path.string(), ": its frames are not 8-bit colour pictures");
    if (clockwise_deg == 90) cv::rotate(bgr, bgr, cv::ROTATE_90_CLOCKWISE);
    if (clockwise_deg == 180) cv::rotate(bgr, bgr, cv::ROTATE_180);
    if (clockwise_deg == 270) cv::rotate(bgr, bgr, cv::ROTATE_90_COUNTERCLOCKWISE);
    checkSize(bgr.cols, bgr.rows, path.string());
    const double time_s = capture.get(cv::CAP_PROP_POS_MSEC) / 1000;
    if (num_read == 0) first_time_s = time_s;
    // A container without time stamps gives none.
    const bool is_timed = num_read == 0 || time_s > first_time_s;
    VideoFrame frame{num_read, is_timed ? time_s - first_time_s : num_read / fps,
                     Image8(bgr.cols, bgr.rows, 3)};
    cv::cvtColor(bgr, cv::Mat(bgr.rows, bgr.cols, CV_8UC3, frame.pixels.data()), cv::COLOR_BGR2RGB);
    return frame;
  }

  std::optional<VideoFrame> read() {
    std::optional<VideoFrame> frame = photos.empty() ? readVideo() : readPhotoOfFolder();
    if (frame) ++num_read;
    return frame;
  }

  void checkSize(int width, int height, const std::string& name) const {
    if (num_read > 0 && (width != width_px || height != height_px))
      fail(ErrorKind::kInput, name, ": frame ", num_read, " is ", width, "x", height,
           " pixels, the first one ", width_px, "x", height_px, "; all frames of a clip need one size");
  }
};

VideoReader::VideoReader(const fs::path& path, const ReadVideoOptions& options)
    : impl_(std::make_unique<Impl>()) {
  require(options.folder_fps > 0, "ReadVideoOptions::folder_fps = ", options.folder_fps, "; must be > 0");
  impl_->path = path;
  impl_->max_pixels = options.max_pixels;
  std::error_code error;
  if (!fs::exists(path, error)) fail(ErrorKind::kInput, path.string(), ": no such file or folder");
  if (fs::is_directory(path, error)) {
    impl_->photos = photosInFolder(path);
    impl_->fps = options.folder_fps;
    impl_->expected_frames = static_cast<int>(impl_->photos.size());
    if (impl_->photos.empty()) fail(ErrorKind::kInput, path.string(), ": the folder holds no image files");
  } else {
    silenceBackend();
    const QuietOpenCv quiet;
    if (!impl_->capture.open(path.string(), cv::CAP_FFMPEG))
      fail(ErrorKind::kInput, path.string(),
           ": not a video that FFmpeg can read, or damaged; convert it, for example to MP4 with H.264");
    impl_->clockwise_deg = clockwiseTurn(impl_->capture);
    const double fps = impl_->capture.get(cv::CAP_PROP_FPS);
    if (std::isfinite(fps) && fps > 0.1 && fps < 1000) impl_->fps = fps;
    const double count = impl_->capture.get(cv::CAP_PROP_FRAME_COUNT);
    if (count >= 1 && count < 1e9) impl_->expected_frames = static_cast<int>(std::lround(count));
    if (impl_->capture.get(cv::CAP_PROP_FRAME_WIDTH) * impl_->capture.get(cv::CAP_PROP_FRAME_HEIGHT) >
        options.max_pixels)
      fail(ErrorKind::kInput, path.string(), ": its frames have more than ", options.max_pixels,
           " pixels; scale the video down");
  }
  impl_->first = impl_->read();
  if (!impl_->first) fail(ErrorKind::kInput, path.string(), ": holds no frame that can be decoded");
  impl_->width_px = impl_->first->pixels.width();
  impl_->height_px = impl_->first->pixels.height();
}

VideoReader::~VideoReader() = default;
VideoReader::VideoReader(VideoReader&&) noexcept = default;

int VideoReader::width() const { return impl_->width_px; }
int VideoReader::height() const { return impl_->height_px; }
double VideoReader::fps() const { return impl_->fps; }
std::optional<int> VideoReader::expectedFrames() const { return impl_->expected_frames; }

std::optional<VideoFrame> VideoReader::next() {
  if (impl_->first) return std::exchange(impl_->first, std::nullopt);
  return impl_->read();
}

std::optional<std::string> VideoReader::cutOffWarning() const {
  const int expected = impl_->expected_frames.value_or(0), read = impl_->num_read;
  // Some containers only estimate their number of frames.
  if (expected <= read + std::max(2, expected / 50)) return std::nullopt;
  return "the file speaks of " + std::to_string(expected) + " frames, only " + std::to_string(read) +
         " of them can be decoded; is it cut off?";
}

struct VideoWriter::Impl {
  fs::path path;
  int width_px, height_px;
  int num_written = 0;
  cv::VideoWriter writer;
};

VideoWriter::VideoWriter(const fs::path& path, int width, int height, double fps)
    : impl_(std::make_unique<Impl>()) {
  require(width > 1 && height > 1 && fps > 0, "VideoWriter: ", width, "x", height, " pixels at ", fps,
          " frames per second");
  impl_->path = path;
  impl_->width_px = width;
  impl_->height_px = height;
  silenceBackend();
  const QuietOpenCv quiet;
  for (const int codec :
       {cv::VideoWriter::fourcc('a', 'v', 'c', '1'), cv::VideoWriter::fourcc('m', 'p', '4', 'v')}) {
    if (impl_->writer.open(path.string(), cv::CAP_FFMPEG, codec, fps, {width, height})) return;
  }
  std::error_code ignored;
  fs::remove(path, ignored);
  fail(ErrorKind::kRuntime, path.string(),
       ": the video cannot be made; its folder cannot be written, or OpenCV's FFmpeg has no H.264 and no "
       "MPEG-4 encoder");
}

VideoWriter::~VideoWriter() = default;
VideoWriter::VideoWriter(VideoWriter&&) noexcept = default;

void VideoWriter::write(const Image8& frame) {
  require(frame.width() == impl_->width_px && frame.height() == impl_->height_px && frame.channels() == 3,
          "VideoWriter::write: a frame of ", frame.width(), "x", frame.height(), "x", frame.channels(),
          ", expected ", impl_->width_px, "x", impl_->height_px, "x3");
  // OpenCV has no const view; the pixels are only read.
  const cv::Mat rgb(frame.height(), frame.width(), CV_8UC3, const_cast<std::uint8_t*>(frame.data()));
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  impl_->writer.write(bgr);
  ++impl_->num_written;
}

void VideoWriter::finish() {
  impl_->writer.release();
  // OpenCV does not report a failed write, but without its last part, the index, an MP4 cannot be opened.
  const QuietOpenCv quiet;
  cv::VideoCapture check(impl_->path.string(), cv::CAP_FFMPEG);
  const double count = check.isOpened() ? check.get(cv::CAP_PROP_FRAME_COUNT) : 0;
  if (std::lround(count) != impl_->num_written)
    fail(ErrorKind::kRuntime, impl_->path.string(), ": could not be written whole; is the disk full?");
}

}  // namespace facet
