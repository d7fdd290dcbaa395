#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/image.h"

namespace facet {

struct VideoFrame {
  int number = 0;     // from 0
  double time_s = 0;  // as the container says, from the first frame on
  Image8 pixels;      // sRGB RGB, upright
};

// Whether a path names a video by its extension (.mp4, .mkv, .mov, .gif, …).
bool isVideoName(const std::filesystem::path& path);

// The same of a photo (JPEG, PNG, TIFF, BMP, PNM, WebP).
bool isImageName(const std::filesystem::path& path);

// The photos of a folder (JPEG, PNG, TIFF, BMP, PNM, WebP) in the order of their names, in which numbers
// count as numbers: frame_9.jpg stands before frame_10.jpg. Error(kInput) for a folder that cannot be read.
std::vector<std::filesystem::path> photosInFolder(const std::filesystem::path& folder);

struct ReadVideoOptions {
  double folder_fps = 25;        // frame rate of a folder of photos, which brings none
  int max_pixels = 100'000'000;  // a larger frame is refused, of a video as of a folder
};

// Frames of a clip, one at a time: a video that OpenCV's FFmpeg can decode, or a folder of photos of equal
// size (photosInFolder). A rotation that the container or the photos ask for is applied.
class VideoReader {
 public:
  // Error(kInput) for a missing or unreadable file, one that holds no frame, a folder without photos.
  explicit VideoReader(const std::filesystem::path& path, const ReadVideoOptions& options = {});
  ~VideoReader();
  VideoReader(VideoReader&&) noexcept;

  int width() const;
  int height() const;
  double fps() const;
  // What the container says, which need not be what can be decoded; nothing when it says nothing.
  std::optional<int> expectedFrames() const;

  // The next frame, or nothing at the end of the clip: after the last frame, or where the data breaks off.
  // Error(kInput) for a frame of another size than the first, and for a photo of a folder that is broken.
  std::optional<VideoFrame> next();

  // After the last frame: a warning for the user if clearly fewer frames came than the container says, as
  // from a file that is cut off; nothing for a clip that seems whole.
  std::optional<std::string> cutOffWarning() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Writes an MP4: H.264 where FFmpeg has an encoder for it (browsers and Blender play it), else MPEG-4 part 2
// (Blender does). An odd width or height loses its last column or row.
class VideoWriter {
 public:
  // Error(kRuntime) when the file cannot be made or FFmpeg has neither encoder.
  VideoWriter(const std::filesystem::path& path, int width, int height, double fps);
  ~VideoWriter();
  VideoWriter(VideoWriter&&) noexcept;

  void write(const Image8& frame);  // RGB of the given size; throws std::invalid_argument for another
  // Closes the file and looks whether all frames are in it; Error(kRuntime) if not (disk full).
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace facet
