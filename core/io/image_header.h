#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace facet {

// What the bytes of an image file say before anything is decoded. Internal to readPhoto().
struct ImageHeader {
  std::string format;  // "JPEG", "PNG", …
  std::int64_t width_px = 0;
  std::int64_t height_px = 0;
  int orientation = 1;   // EXIF: 1 upright, 2..8 the other turns and flips
  bool is_whole = true;  // false: the file ends before its image does
  bool is_sound = true;  // false: a checksum does not fit
};

// Nothing for a file that is none of JPEG, PNG, BMP, PNM, TIFF, WebP, or is too short to tell its size.
std::optional<ImageHeader> parseImageHeader(const std::vector<std::uint8_t>& bytes);

}  // namespace facet
