#pragma once

#include <filesystem>

#include "core/image.h"

namespace facet {

struct ReadImageOptions {
  int max_pixels = 100'000'000;  // a larger image is refused with a message that says how to shrink it
  int max_side_px = 0;           // > 0: a larger image is scaled down to this side on reading
  // A texture, not a photo: transparency stays as a fourth channel and EXIF orientation is not looked at.
  bool is_texture = false;
};

// Photo as 8-bit sRGB RGB, upright (EXIF orientation applied). Grey becomes RGB, 16 bit becomes 8, alpha is
// blended on mid grey. JPEG, PNG, TIFF, BMP, PPM/PGM, WebP. Errors: Error(kInput) for a missing file, a
// directory, a truncated or undecodable file, an image over max_pixels.
Image8 readPhoto(const std::filesystem::path& path, const ReadImageOptions& options = {});
// The same from the bytes of such a file (an image inside a GLB); `name` leads the messages.
Image8 decodeImage(std::vector<std::uint8_t> bytes, const std::string& name,
                   const ReadImageOptions& options = {});

// PNG of 1, 3 or 4 channels, 8 bits. Written to a temporary name, then renamed.
void writePng(const std::filesystem::path& path, const Image8& image);

// OpenEXR, 32-bit float, 1, 3 or 4 channels (Y, RGB, RGBA), top row first.
void writeExr(const std::filesystem::path& path, const ImageF& image);
ImageF readExr(const std::filesystem::path& path);

// Radiance RGBE (.hdr, .pic) as linear RGB. Error(kInput) for a file that is none, is damaged or has more
// than 100 million pixels.
ImageF readRadiance(const std::filesystem::path& path);

// Bytes of a PNG or JPEG in memory (for embedding in a GLB).
std::vector<std::uint8_t> encodePng(const Image8& image);
std::vector<std::uint8_t> encodeJpeg(const Image8& image, int quality = 92);

}  // namespace facet
