#include "core/io/image_io.h"

#include <algorithm>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/image_header.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

using Bytes = std::vector<std::uint8_t>;

// OpenCV reports on stderr what is thrown here with a better message.
void silenceOpenCv() {
  static const auto done = cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  static_cast<void>(done);
}

// The chunks that a PNG decoder needs. libpng warns on stderr about colour profiles that it dislikes, and the
// profile is not used here.
Bytes withoutAncillaryChunks(const Bytes& png) {
  constexpr std::size_t kSignature = 8, kFrame = 12;  // length, type, checksum
  Bytes result(png.begin(), png.begin() + kSignature);
  for (std::size_t at = kSignature; at + kFrame <= png.size();) {
    const std::size_t length =
        std::size_t{png[at]} << 24 | png[at + 1] << 16 | png[at + 2] << 8 | png[at + 3];
    if (length > png.size() - at - kFrame) break;
    const bool is_critical = (png[at + 4] & 0x20) == 0;
    const bool is_transparency = std::equal(&png[at + 4], &png[at + 8], "tRNS");
    if (is_critical || is_transparency) {
      const auto start = png.begin() + static_cast<std::ptrdiff_t>(at);
      result.insert(result.end(), start, start + static_cast<std::ptrdiff_t>(kFrame + length));
    }
    at += kFrame + length;
  }
  return result;
}

// Pixels that are transparent show this grey (sRGB).
constexpr int kBackground = 128;

// B, G, R of 8 bits from any number of channels and depth; with `keep_alpha`, B, G, R, A where there is an A.
cv::Mat toBgr8(const cv::Mat& decoded, const std::string& name, bool keep_alpha) {
  cv::Mat image;
  if (decoded.depth() == CV_8U) {
    image = decoded;
  } else if (decoded.depth() == CV_16U) {
    decoded.convertTo(image, CV_8U, 1.0 / 257);
  } else {
    fail(ErrorKind::kInput, name,
         ": has floating-point or signed pixels; save it as an 8-bit or 16-bit photo");
  }
  if (image.channels() == 1) {
    cv::cvtColor(image, image, cv::COLOR_GRAY2BGR);
  } else if (image.channels() == 4 && !keep_alpha) {
    cv::Mat opaque(image.size(), CV_8UC3);
    for (int y = 0; y < image.rows; ++y) {
      const std::uint8_t* from = image.ptr(y);
      std::uint8_t* to = opaque.ptr(y);
      for (int x = 0; x < image.cols; ++x, from += 4, to += 3) {
        for (int c = 0; c < 3; ++c) {
          to[c] = static_cast<std::uint8_t>((from[c] * from[3] + kBackground * (255 - from[3]) + 127) / 255);
        }
      }
    }
    image = opaque;
  } else if (image.channels() != 3 && image.channels() != 4) {
    fail(ErrorKind::kInput, name, ": has ", image.channels(), " channels; expected grey, RGB or RGBA");
  }
  return image;
}

// EXIF 2.3, tag 0x0112: where row 0 and column 0 of the file lie in the upright picture.
cv::Mat upright(const cv::Mat& image, int orientation) {
  constexpr int kFlipX = 1, kFlipY = 0, kFlipBoth = -1;
  const bool is_transposed = orientation >= 5;
  cv::Mat result = image;
  if (is_transposed) cv::transpose(image, result);
  switch (orientation) {
    case 2:  // right, top
    case 6:  // transposed, then flipped = a quarter turn clockwise
      cv::flip(result, result, kFlipX);
      break;
    case 3:
    case 7:
      cv::flip(result, result, kFlipBoth);
      break;
    case 4:
    case 8:
      cv::flip(result, result, kFlipY);
      break;
    default:
      break;
  }
  return result;
}

// Pixels of a Radiance file by its resolution line ("-Y 512 +X 1024"), or nothing.
std::optional<std::int64_t> radiancePixels(const Bytes& bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 4096));
  if (!text.starts_with("#?")) return std::nullopt;
  const std::size_t header_end = text.find("\n\n");
  if (header_end == std::string_view::npos) return std::nullopt;
  std::istringstream resolution{std::string(text.substr(header_end + 2, 64))};
  std::string first_axis, second_axis;
  std::int64_t first = 0, second = 0;
  resolution >> first_axis >> first >> second_axis >> second;
  constexpr std::int64_t kMaxSide = 1 << 20;
  if (!resolution || first <= 0 || second <= 0 || first > kMaxSide || second > kMaxSide) return std::nullopt;
  return first * second;
}

// OpenCV's order (B, G, R, A) of an image.
cv::Mat bgrFrom(const Image8& image) {
  const int channels = image.channels();
  require(channels == 1 || channels == 3 || channels == 4, "image of ", channels,
          " channels; expected 1, 3 or 4");
  require(!image.empty(), "an empty image cannot be encoded");
  const cv::Mat view(image.height(), image.width(), CV_8UC(channels),
                     const_cast<std::uint8_t*>(image.data()));
  if (channels == 1) return view;
  cv::Mat bgr;
  cv::cvtColor(view, bgr, channels == 3 ? cv::COLOR_RGB2BGR : cv::COLOR_RGBA2BGRA);
  return bgr;
}

}  // namespace

Image8 readPhoto(const fs::path& path, const ReadImageOptions& options) {
  return decodeImage(readBytes(path), path.string(), options);
}

Image8 decodeImage(Bytes bytes, const std::string& name, const ReadImageOptions& options) {
  silenceOpenCv();
  if (bytes.empty()) fail(ErrorKind::kInput, name, ": is empty");
  const auto header = parseImageHeader(bytes);
  if (!header)
    fail(ErrorKind::kInput, name,
         ": is not a photo that can be read; save it as JPEG, PNG, TIFF, BMP, PPM or WebP");
  const std::int64_t max_pixels = options.max_pixels;
  if (header->width_px > 0 && header->height_px > max_pixels / header->width_px) {
    fail(ErrorKind::kInput, name, ": ", header->width_px, "x", header->height_px,
         " pixels are more than the limit of ", max_pixels, "; shrink it first, for example: convert ",
         fs::path(name).filename().string(), " -resize 4096x4096 small.jpg");
  }
  if (!header->is_whole) {
    fail(ErrorKind::kInput, name, ": is truncated (the ", header->format,
         " data ends early); copy or download the file again");
  }
  if (!header->is_sound) {
    fail(ErrorKind::kInput, name, ": is damaged (a ", header->format,
         " checksum is wrong); copy the file again");
  }
  if (header->format == "PNG") bytes = withoutAncillaryChunks(bytes);

  cv::Mat decoded;
  try {
    decoded = cv::imdecode(bytes, cv::IMREAD_UNCHANGED);
  } catch (const cv::Exception&) {
    decoded.release();
  }
  if (decoded.empty())
    fail(ErrorKind::kInput, name, ": the ", header->format, " data cannot be decoded; is the file damaged?");
  cv::Mat image = toBgr8(decoded, name, options.is_texture);
  const int longer_side = std::max(image.cols, image.rows);
  if (options.max_side_px > 0 && longer_side > options.max_side_px) {
    const double factor = static_cast<double>(options.max_side_px) / longer_side;
    const cv::Size size(std::max(1, cvRound(image.cols * factor)), std::max(1, cvRound(image.rows * factor)));
    cv::resize(image, image, size, 0, 0, cv::INTER_AREA);
  }
  if (!options.is_texture) image = upright(image, header->orientation);
  const int channels = image.channels();
  Image8 result(image.cols, image.rows, channels);
  cv::Mat rgb(image.rows, image.cols, CV_8UC(channels), result.data());
  cv::cvtColor(image, rgb, channels == 3 ? cv::COLOR_BGR2RGB : cv::COLOR_BGRA2RGBA);
  return result;
}

ImageF readRadiance(const fs::path& path) {
  silenceOpenCv();
  const Bytes bytes = readBytes(path);
  const auto num_pixels = radiancePixels(bytes);
  if (!num_pixels) fail(ErrorKind::kInput, path.string(), ": is no Radiance picture (.hdr)");
  const std::int64_t max_pixels = ReadImageOptions().max_pixels;
  if (*num_pixels > max_pixels) {
    fail(ErrorKind::kInput, path.string(), ": ", *num_pixels, " pixels are more than the limit of ",
         max_pixels, "; save it smaller");
  }
  cv::Mat decoded;
  try {
    decoded = cv::imdecode(bytes, cv::IMREAD_UNCHANGED);
  } catch (const cv::Exception&) {
    decoded.release();
  }
  if (decoded.empty() || decoded.type() != CV_32FC3)
    fail(ErrorKind::kInput, path.string(), ": the Radiance data cannot be decoded; is the file damaged?");
  ImageF result(decoded.cols, decoded.rows, 3);
  cv::Mat rgb(decoded.rows, decoded.cols, CV_32FC3, result.data());
  cv::cvtColor(decoded, rgb, cv::COLOR_BGR2RGB);
  return result;
}

void writePng(const fs::path& path, const Image8& image) {
  const Bytes bytes = encodePng(image);
  writeBytes(path, bytes.data(), bytes.size());
}

Bytes encodePng(const Image8& image) {
  silenceOpenCv();
  Bytes bytes;
  require(cv::imencode(".png", bgrFrom(image), bytes), "encodePng: OpenCV could not encode the image");
  return bytes;
}

Bytes encodeJpeg(const Image8& image, int quality) {
  silenceOpenCv();
  require(image.channels() != 4, "encodeJpeg: JPEG has no alpha channel; use encodePng()");
  Bytes bytes;
  require(cv::imencode(".jpg", bgrFrom(image), bytes, {cv::IMWRITE_JPEG_QUALITY, quality}),
          "encodeJpeg: OpenCV could not encode the image");
  return bytes;
}

}  // namespace facet
