#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/image.h"
#include "core/io/video_io.h"

namespace facet {

// The pictures of a video by number, though videos are only read forwards: those that were passed stay in
// memory, near ones as pixels, far ones as JPEG, so that scrubbing back costs no decoding from the start as
// long as they fit. To be used by one thread at a time.
class ClipPictures {
 public:
  explicit ClipPictures(std::filesystem::path video) : video_(std::move(video)) {}

  // Null when the clip has no such frame, or when `given_up` said so between two frames on the way there.
  // Error(kInput) when the video cannot be read.
  std::shared_ptr<const Image8> picture(int frame, const std::function<bool()>& given_up);
  // Decodes one frame more if fewer than a dozen after `frame` are ready; false when nothing was to be done.
  bool readAhead(int frame);

 private:
  using Picture = std::shared_ptr<const Image8>;

  bool decodeNext();
  void makeRoom(int frame);

  std::filesystem::path video_;
  std::optional<VideoReader> reader_;
  int next_ = 0;        // the frame that the reader gives next
  bool ended_ = false;  // it gave the last one
  std::map<int, Picture> pictures_;
  std::map<int, std::vector<std::uint8_t>> packed_;
  std::size_t picture_bytes_ = 0, packed_bytes_ = 0;
};

}  // namespace facet
