#include "core/io/image_header.h"

#include <zlib.h>

#include <cctype>
#include <cstring>
#include <span>

namespace facet {
namespace {

using Bytes = std::span<const std::uint8_t>;

std::uint32_t bigEndian(Bytes bytes, std::size_t at, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[at + i];
  return value;
}

std::uint32_t littleEndian(Bytes bytes, std::size_t at, int count) {
  std::uint32_t value = 0;
  for (int i = count; i-- > 0;) value = value << 8 | bytes[at + i];
  return value;
}

bool startsWith(Bytes bytes, std::size_t at, const char* text) {
  const std::size_t size = std::strlen(text);
  return bytes.size() >= at + size && std::memcmp(bytes.data() + at, text, size) == 0;
}

// One integer entry of the first directory of a TIFF structure, which is also the form of EXIF. TIFF 6.0,
// section 2.
std::optional<std::uint32_t> tiffTag(Bytes tiff, std::uint32_t tag) {
  if (tiff.size() < 8) return std::nullopt;
  const bool is_little = tiff[0] == 'I';
  const auto number = [&](std::size_t at, int count) {
    return is_little ? littleEndian(tiff, at, count) : bigEndian(tiff, at, count);
  };
  const std::size_t directory = number(4, 4);
  if (directory + 2 > tiff.size()) return std::nullopt;
  const std::size_t count = number(directory, 2);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.size()) return std::nullopt;
    if (number(entry, 2) != tag) continue;
    constexpr std::uint32_t kShort = 3;
    return number(entry + 8, number(entry + 2, 2) == kShort ? 2 : 4);
  }
  return std::nullopt;
}

int exifOrientation(Bytes tiff) {
  constexpr std::uint32_t kOrientation = 0x0112;
  const auto value = tiffTag(tiff, kOrientation);
  return value && *value >= 1 && *value <= 8 ? static_cast<int>(*value) : 1;
}

// ITU T.81, annex B. A decoder fills what a truncated file lacks with grey, so the end marker is looked for
// here.
std::optional<ImageHeader> parseJpeg(Bytes bytes) {
  ImageHeader header{.format = "JPEG", .is_whole = false};
  constexpr int kEndOfImage = 0xD9, kStartOfScan = 0xDA, kApp1 = 0xE1;
  std::size_t at = 2;
  bool is_inside_scan = false;
  while (at + 1 < bytes.size()) {
    if (bytes[at] != 0xFF) {
      if (!is_inside_scan) break;
      const void* next = std::memchr(bytes.data() + at, 0xFF, bytes.size() - at);
      if (!next) break;
      at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(next) - bytes.data());
      continue;
    }
    const int marker = bytes[at + 1];
    if (marker == 0xFF) {  // padding
      ++at;
      continue;
    }
    if (marker == 0 || marker == 1 ||
        (marker >= 0xD0 && marker <= 0xD8)) {  // stuffed byte, restart, no length
      at += 2;
      continue;
    }
    if (marker == kEndOfImage) {
      header.is_whole = true;
      break;
    }
    if (at + 4 > bytes.size()) break;
    const std::size_t length = bigEndian(bytes, at + 2, 2);
    if (length < 2 || at + 2 + length > bytes.size()) break;
    const bool is_frame =
        marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (is_frame && length >= 7) {
      header.height_px = bigEndian(bytes, at + 5, 2);
      header.width_px = bigEndian(bytes, at + 7, 2);
    }
    if (marker == kApp1 && length > 8 && std::memcmp(bytes.data() + at + 4, "Exif\0\0", 6) == 0) {
      header.orientation = exifOrientation(bytes.subspan(at + 10, length - 8));
    }
    is_inside_scan = marker == kStartOfScan;
    at += 2 + length;
  }
  if (header.width_px == 0 && header.is_whole) return std::nullopt;
  return header;
}

// PNG specification, section 5: length, type, data, checksum.
std::optional<ImageHeader> parsePng(Bytes bytes) {
  if (bytes.size() < 24) return std::nullopt;
  ImageHeader header{.format = "PNG", .is_whole = false};
  header.width_px = bigEndian(bytes, 16, 4);
  header.height_px = bigEndian(bytes, 20, 4);
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    const std::size_t length = bigEndian(bytes, at, 4);
    if (length > bytes.size() - at - 12) break;
    const auto crc = static_cast<std::uint32_t>(crc32_z(0, bytes.data() + at + 4, length + 4));
    if (crc != bigEndian(bytes, at + 8 + length, 4)) header.is_sound = false;
    if (startsWith(bytes, at + 4, "eXIf"))
      header.orientation = exifOrientation(bytes.subspan(at + 8, length));
    if (startsWith(bytes, at + 4, "IEND")) {
      header.is_whole = true;
      break;
    }
    at += 12 + length;
  }
  return header;
}

std::optional<ImageHeader> parseBmp(Bytes bytes) {
  if (bytes.size() < 34) return std::nullopt;
  ImageHeader header{.format = "BMP"};
  header.width_px = static_cast<std::int32_t>(littleEndian(bytes, 18, 4));
  header.height_px = std::abs(
      std::int64_t{static_cast<std::int32_t>(littleEndian(bytes, 22, 4))});  // negative: top row first
  const std::uint64_t bits = littleEndian(bytes, 28, 2);
  const bool is_compressed = littleEndian(bytes, 30, 4) == 1 || littleEndian(bytes, 30, 4) == 2;
  const std::uint64_t row_bytes = (static_cast<std::uint64_t>(header.width_px) * bits + 31) / 32 * 4;
  if (!is_compressed && header.width_px > 0) {
    header.is_whole =
        littleEndian(bytes, 10, 4) + row_bytes * static_cast<std::uint64_t>(header.height_px) <= bytes.size();
  }
  return header;
}

// Portable any map: "P6", width, height, highest value, separated by white space and # comments.
std::optional<ImageHeader> parsePnm(Bytes bytes) {
  const int kind = bytes[1] - '0';
  std::size_t at = 2;
  const auto nextNumber = [&]() -> std::int64_t {
    while (at < bytes.size() && (std::isspace(bytes[at]) || bytes[at] == '#')) {
      if (bytes[at] == '#') {
        while (at < bytes.size() && bytes[at] != '\n') ++at;
      } else {
        ++at;
      }
    }
    std::int64_t value = 0;
    for (; at < bytes.size() && std::isdigit(bytes[at]) && value < (1LL << 32); ++at)
      value = 10 * value + bytes[at] - '0';
    return value;
  };
  ImageHeader header{.format = "PNM"};
  header.width_px = nextNumber();
  header.height_px = nextNumber();
  const bool is_bitmap = kind == 1 || kind == 4;
  const std::int64_t highest = is_bitmap ? 1 : nextNumber();
  if (kind >= 4 && header.width_px < (1 << 24) && header.height_px < (1 << 24)) {
    const std::int64_t row_bytes = is_bitmap
                                       ? (header.width_px + 7) / 8
                                       : header.width_px * (kind == 6 ? 3 : 1) * (highest > 255 ? 2 : 1);
    header.is_whole = static_cast<std::int64_t>(at) + 1 + row_bytes * header.height_px <=
                      static_cast<std::int64_t>(bytes.size());
  }
  return header;
}

std::optional<ImageHeader> parseTiff(Bytes bytes) {
  constexpr std::uint32_t kWidth = 256, kHeight = 257;
  const auto width = tiffTag(bytes, kWidth), height = tiffTag(bytes, kHeight);
  // The directory often stands at the end of the file, so a cut file has none.
  if (!width || !height) return ImageHeader{.format = "TIFF", .is_whole = false};
  return ImageHeader{.format = "TIFF", .width_px = *width, .height_px = *height};
}

// WebP container specification; VP8: RFC 6386 section 9.1; VP8L: WebP lossless bitstream, section 3.
std::optional<ImageHeader> parseWebp(Bytes bytes) {
  if (bytes.size() < 30) return std::nullopt;
  ImageHeader header{.format = "WebP"};
  header.is_whole = std::uint64_t{littleEndian(bytes, 4, 4)} + 8 <= bytes.size();
  if (startsWith(bytes, 12, "VP8 ")) {
    header.width_px = littleEndian(bytes, 26, 2) & 0x3FFF;
    header.height_px = littleEndian(bytes, 28, 2) & 0x3FFF;
  } else if (startsWith(bytes, 12, "VP8L")) {
    const std::uint32_t packed = littleEndian(bytes, 21, 4);
    header.width_px = (packed & 0x3FFF) + 1;
    header.height_px = (packed >> 14 & 0x3FFF) + 1;
  } else {
    header.width_px = littleEndian(bytes, 24, 3) + 1;
    header.height_px = littleEndian(bytes, 27, 3) + 1;
    for (std::size_t at = 12; at + 8 <= bytes.size();) {
      const std::size_t length = littleEndian(bytes, at + 4, 4);
      if (length > bytes.size() - at - 8) break;
      if (startsWith(bytes, at, "EXIF")) header.orientation = exifOrientation(bytes.subspan(at + 8, length));
      at += 8 + length + length % 2;
    }
  }
  return header;
}

}  // namespace

std::optional<ImageHeader> parseImageHeader(const std::vector<std::uint8_t>& bytes) {
  if (startsWith(bytes, 0, "\xFF\xD8\xFF")) return parseJpeg(bytes);
  if (startsWith(bytes, 0, "\x89PNG\r\n\x1A\n")) return parsePng(bytes);
  if (startsWith(bytes, 0, "BM")) return parseBmp(bytes);
  if (bytes.size() > 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6') return parsePnm(bytes);
  if (bytes.size() > 8 && (startsWith(bytes, 0, "II*") || std::memcmp(bytes.data(), "MM\0*", 4) == 0)) {
    return parseTiff(bytes);
  }
  if (startsWith(bytes, 0, "RIFF") && startsWith(bytes, 8, "WEBP")) return parseWebp(bytes);
  return std::nullopt;
}

}  // namespace facet
