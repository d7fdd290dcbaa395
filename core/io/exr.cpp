#include <tinyexr.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/image_io.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

// Channel of the image for each channel of the file, which stand in alphabetical order.
struct Layout {
  std::vector<const char*> names;
  std::vector<int> channel;
};

Layout layoutOf(int channels) {
  if (channels == 1) return {{"Y"}, {0}};
  if (channels == 3) return {{"B", "G", "R"}, {2, 1, 0}};
  return {{"A", "B", "G", "R"}, {3, 2, 1, 0}};
}

struct FreeMessage {
  void operator()(const char* message) const { FreeEXRErrorMessage(message); }
};
using Message = std::unique_ptr<const char, FreeMessage>;

std::string textOf(const Message& message) { return message ? message.get() : "unknown error"; }

}  // namespace

void writeExr(const fs::path& path, const ImageF& image) {
  const int channels = image.channels();
  require(channels == 1 || channels == 3 || channels == 4, "writeExr: ", channels,
          " channels; expected 1, 3 or 4");
  require(!image.empty(), "writeExr: the image is empty");
  const Layout layout = layoutOf(channels);
  const std::size_t num_pixels = image.size() / channels;
  std::vector<std::vector<float>> planes(channels, std::vector<float>(num_pixels));
  std::vector<unsigned char*> plane_pointers;
  for (int c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < num_pixels; ++i)
      planes[c][i] = image.data()[i * channels + layout.channel[c]];
    plane_pointers.push_back(reinterpret_cast<unsigned char*>(planes[c].data()));
  }

  EXRHeader header;
  InitEXRHeader(&header);
  std::vector<EXRChannelInfo> infos(channels);
  for (int c = 0; c < channels; ++c) {
    std::memset(&infos[c], 0, sizeof infos[c]);
    std::strncpy(infos[c].name, layout.names[c], sizeof infos[c].name - 1);
  }
  std::vector<int> pixel_types(channels, TINYEXR_PIXELTYPE_FLOAT);
  header.num_channels = channels;
  header.channels = infos.data();
  header.pixel_types = pixel_types.data();
  header.requested_pixel_types = pixel_types.data();
  header.compression_type = TINYEXR_COMPRESSIONTYPE_ZIP;
  EXRImage exr;
  InitEXRImage(&exr);
  exr.num_channels = channels;
  exr.images = plane_pointers.data();
  exr.width = image.width();
  exr.height = image.height();

  unsigned char* memory = nullptr;
  const char* error = nullptr;
  const std::size_t size = SaveEXRImageToMemory(&exr, &header, &memory, &error);
  const Message message(error);
  const std::unique_ptr<unsigned char, void (*)(void*)> guard(memory, &std::free);
  if (size == 0) fail(ErrorKind::kRuntime, path.string(), ": cannot be encoded as EXR: ", textOf(message));
  writeBytes(path, memory, size);
}

ImageF readExr(const fs::path& path) {
  const std::vector<std::uint8_t> bytes = readBytes(path);
  const auto bad = [&path](const auto&... what) { fail(ErrorKind::kInput, path.string(), ": ", what...); };
  EXRVersion version;
  if (ParseEXRVersionFromMemory(&version, bytes.data(), bytes.size()) != TINYEXR_SUCCESS)
    bad("is not an EXR image");
  if (version.multipart || version.non_image) bad("is a multi-part or deep EXR; save it as a plain image");
  const char* error = nullptr;
  EXRHeader header;
  InitEXRHeader(&header);
  const std::unique_ptr<EXRHeader, int (*)(EXRHeader*)> header_guard(&header, &FreeEXRHeader);
  if (ParseEXRHeaderFromMemory(&header, &version, bytes.data(), bytes.size(), &error) != TINYEXR_SUCCESS) {
    bad("has a damaged header: ", textOf(Message(error)));
  }
  for (int c = 0; c < header.num_channels; ++c) header.requested_pixel_types[c] = TINYEXR_PIXELTYPE_FLOAT;
  EXRImage exr;
  InitEXRImage(&exr);
  const std::unique_ptr<EXRImage, int (*)(EXRImage*)> image_guard(&exr, &FreeEXRImage);
  if (LoadEXRImageFromMemory(&exr, &header, bytes.data(), bytes.size(), &error) != TINYEXR_SUCCESS) {
    bad("cannot be decoded: ", textOf(Message(error)));
  }
  if (!exr.images) bad("is tiled; save it with scan lines");

  const int channels = header.num_channels;
  if (channels != 1 && channels != 3 && channels != 4) bad("has ", channels, " channels; expected 1, 3 or 4");
  const Layout layout = layoutOf(channels);
  ImageF image(exr.width, exr.height, channels);
  for (int c = 0; c < channels; ++c) {
    const auto expected = std::find_if(layout.names.begin(), layout.names.end(), [&](const char* name) {
      return std::strcmp(name, header.channels[c].name) == 0;
    });
    if (channels > 1 && expected == layout.names.end()) {
      bad("has a channel ", header.channels[c].name, "; expected Y, RGB or RGBA");
    }
    const int to = channels == 1 ? 0 : layout.channel[expected - layout.names.begin()];
    const auto* plane = reinterpret_cast<const float*>(exr.images[c]);
    for (std::size_t i = 0; i < image.size() / channels; ++i) image.data()[i * channels + to] = plane[i];
  }
  return image;
}

}  // namespace facet
