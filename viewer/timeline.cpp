#include "viewer/timeline.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace facet {
namespace {

// How long the last frame of a clip stays: as long as the one before it.
double endOf(const std::vector<double>& time_s) {
  const std::size_t count = time_s.size();
  return count < 2 ? 0 : time_s[count - 1] + (time_s[count - 1] - time_s[count - 2]);
}

}  // namespace

void Timeline::setFrames(std::vector<double> time_s) {
  time_s_ = std::move(time_s);
  current_ = 0;
  playing_ = false;
  clock_s_ = time_s_.empty() ? 0 : time_s_.front();
}

void Timeline::seek(int frame) {
  if (time_s_.empty()) return;
  current_ = std::clamp(frame, 0, numFrames() - 1);
  clock_s_ = time_s_[current_];
}

void Timeline::step(int frames) {
  playing_ = false;
  seek(current_ + frames);
}

void Timeline::play() {
  if (numFrames() < 2) return;
  if (current_ == numFrames() - 1) seek(0);
  playing_ = true;
}

bool Timeline::advance(double seconds) {
  if (!playing_ || numFrames() < 2) return false;
  const int before = current_;
  clock_s_ += seconds * speed;
  const double start = time_s_.front(), end = endOf(time_s_);
  if (clock_s_ >= end) {
    if (loop) {
      clock_s_ = start + std::fmod(clock_s_ - start, end - start);
    } else {
      clock_s_ = time_s_.back();
      playing_ = false;
    }
  }
  const auto after = std::upper_bound(time_s_.begin(), time_s_.end(), clock_s_);
  current_ = std::max(0, static_cast<int>(after - time_s_.begin()) - 1);
  return current_ != before;
}

}  // namespace facet
