#include "render/cpu/triangle_sums.h"

namespace facet::ops {
namespace {

std::vector<std::int32_t>& threadSlots() {
  static thread_local std::vector<std::int32_t> slots;
  return slots;
}

// kChannels = 0: any number.
template <int kChannels>
void scatterCorners(const std::vector<std::int32_t>& band_triangles, const float* values, std::size_t stride,
                    const TriangleList& triangles, int corner_stride, int num_channels, std::int64_t begin,
                    std::int64_t end, float* out) {
  const int channels = kChannels > 0 ? kChannels : num_channels;
  const std::uint64_t size = static_cast<std::uint64_t>(end - begin);
  for (const std::int32_t triangle : band_triangles) {
    const std::int32_t* const corner = triangles.data + 3 * std::int64_t{triangle};
    for (int i = 0; i < 3; ++i) {
      if (static_cast<std::uint64_t>(corner[i] - begin) >= size) continue;
      float* const row = out + std::int64_t{corner[i]} * channels;
      const float* const value = values + i * corner_stride;
      for (int c = 0; c < channels; ++c) row[c] += value[c];
    }
    values += stride;
  }
}

}  // namespace

void BandSums::start(std::int64_t num_triangles, int stride) {
  slots_ = &threadSlots();
  if (slots_->size() < static_cast<std::size_t>(num_triangles)) {
    slots_->resize(static_cast<std::size_t>(num_triangles), -1);
  }
  stride_ = static_cast<std::size_t>(stride);
  triangles_.clear();
  values_.clear();
}

void BandSums::finish() {
  for (const std::int32_t triangle : triangles_) (*slots_)[static_cast<std::size_t>(triangle)] = -1;
  slots_ = nullptr;
}

void BandSums::scatter(const TriangleList& triangles, int corner_stride, int channels, std::int64_t begin,
                       std::int64_t end, float* out) const {
  const auto run = [&](auto function) {
    function(triangles_, values_.data(), stride_, triangles, corner_stride, channels, begin, end, out);
  };
  switch (channels) {
    case 1:
      return run(scatterCorners<1>);
    case 2:
      return run(scatterCorners<2>);
    case 3:
      return run(scatterCorners<3>);
    case 4:
      return run(scatterCorners<4>);
    default:
      return run(scatterCorners<0>);
  }
}

}  // namespace facet::ops
