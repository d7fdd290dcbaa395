#include "apps/facet_view/clip_pictures.h"

#include <cstdlib>

#include "core/io/image_io.h"

namespace facet {
namespace {

constexpr int kReadAhead = 12;
constexpr std::size_t kMaxPictureBytes = std::size_t{192} << 20, kMaxPackedBytes = std::size_t{512} << 20;
constexpr int kPackedQuality = 90;

}  // namespace

std::shared_ptr<const Image8> ClipPictures::picture(int frame, const std::function<bool()>& given_up) {
  while (true) {
    const auto ready = pictures_.find(frame);
    if (ready != pictures_.end()) return ready->second;
    const auto packed = packed_.find(frame);
    if (packed != packed_.end()) {
      const auto unpacked = std::make_shared<const Image8>(decodeImage(packed->second, video_.string()));
      pictures_[frame] = unpacked;
      picture_bytes_ += unpacked->size();
      makeRoom(frame);
      return unpacked;
    }
    if (frame < next_) {
      reader_.reset();
      ended_ = false;
    }
    if (given_up() || !decodeNext()) return nullptr;
    makeRoom(frame);
  }
}

bool ClipPictures::readAhead(int frame) {
  // Frames on the way back were all read before.
  if (ended_ || next_ <= frame || next_ > frame + kReadAhead) return false;
  const bool is_there = decodeNext();
  makeRoom(frame);
  return is_there;
}

bool ClipPictures::decodeNext() {
  if (ended_) return false;
  if (!reader_) {
    reader_.emplace(video_);
    next_ = 0;
  }
  std::optional<VideoFrame> frame = reader_->next();
  ended_ = !frame;
  if (ended_) return false;
  const int number = next_++;
  if (pictures_.count(number) == 0) {
    picture_bytes_ += frame->pixels.size();
    pictures_[number] = std::make_shared<const Image8>(std::move(frame->pixels));
  }
  return true;
}

// Packs the pictures that are farthest from the frame, and forgets the farthest packed ones.
void ClipPictures::makeRoom(int frame) {
  const auto farthest = [frame](const auto& store) {
    const auto first = store.begin(), last = std::prev(store.end());
    return std::abs(first->first - frame) >= std::abs(last->first - frame) ? first : last;
  };
  while (picture_bytes_ > kMaxPictureBytes && pictures_.size() > 1) {
    const auto far = farthest(pictures_);
    if (packed_.count(far->first) == 0) {
      std::vector<std::uint8_t>& bytes = packed_[far->first] = encodeJpeg(*far->second, kPackedQuality);
      packed_bytes_ += bytes.size();
    }
    picture_bytes_ -= far->second->size();
    pictures_.erase(far);
  }
  while (packed_bytes_ > kMaxPackedBytes && !packed_.empty()) {
    const auto far = farthest(packed_);
    packed_bytes_ -= far->second.size();
    packed_.erase(far);
  }
}

}  // namespace facet
