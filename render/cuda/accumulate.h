#pragma once

#include "render/cuda/portable.h"

// Sums into memory that many threads share. A scatter kernel is a template over one of three targets:
// FloatTarget adds with float atomics; MagnitudeTarget finds the largest contribution and IntegerTarget adds
// in 64-bit integers of a unit derived from it, which gives the same bits in any order.
namespace facet::ops::cuda {

// Threads of a warp that add to the same place, found by an equal key.
class EqualKeys {
 public:
  FACET_HD explicit EqualKeys(std::int64_t key) {
#if defined(__CUDA_ARCH__)
    const unsigned lane = threadIdx.x & 31U;
    active_ = __activemask();
    const unsigned peers = __match_any_sync(active_, static_cast<unsigned long long>(key));
    rank_ = __popc(peers & ((1U << lane) - 1));
    above_ = lane == 31 ? 0U : peers & (0xFFFFFFFFU << (lane + 1));
#else
    (void)key;
#endif
  }

  // Adds up `count` values over the threads; true on the thread that holds the sums afterwards.
  FACET_HD bool sum(float* values, int count) const {
#if defined(__CUDA_ARCH__)
    // In each round every thread of even rank takes in its next neighbour, and those of odd rank leave.
    unsigned above = above_;
    int rank = rank_;
    while (__any_sync(active_, above != 0)) {
      const int next = __ffs(static_cast<int>(above)) - 1;
      for (int i = 0; i < count; ++i) {
        const float other = __shfl_sync(active_, values[i], next < 0 ? threadIdx.x & 31U : next);
        if (next >= 0) values[i] += other;
      }
      above &= __ballot_sync(active_, (rank & 1) == 0);
      rank >>= 1;
    }
    return rank_ == 0;
#else
    (void)values;
    (void)count;
    return true;
#endif
  }

 private:
#if defined(__CUDA_ARCH__)
  unsigned active_, above_;
  int rank_;
#endif
};

struct FloatTarget {
  float* data;
  static constexpr bool kSumsEqualKeys = true;
  FACET_HD void add(std::int64_t index, float value) const { atomicAddFloat(data + index, value); }
};

struct MagnitudeTarget {
  std::uint32_t* largest;  // bits of the largest finite |value|; they order like the values
  static constexpr bool kSumsEqualKeys = false;
  FACET_HD void add(std::int64_t, float value) const {
    if (isFinite(value)) atomicRaise(largest, bitsOf(value) & 0x7FFFFFFFU);
  }
};

// 2^exponent for exponents of normal doubles.
FACET_HD inline double powerOfTwo(int exponent) {
  const std::uint64_t bits = static_cast<std::uint64_t>(exponent + 1023) << 52;
  double value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

struct IntegerTarget {
  std::int64_t* sums;
  const std::uint32_t* largest;
  float* data;   // receives NaN where a contribution is not finite
  int headroom;  // log2 of the number of contributions, rounded up
  static constexpr bool kSumsEqualKeys = false;

  // Units per 1: all contributions together stay below 2^62.
  FACET_HD double scale() const {
    const int exponent = static_cast<int>(*largest >> 23) - 126;  // |value| < 2^exponent
    return powerOfTwo(62 - headroom - exponent);
  }
  FACET_HD void add(std::int64_t index, float value) const {
    if (!isFinite(value)) {
      data[index] = floatOf(0x7FC00000U);
      return;
    }
    atomicAddInteger(sums + index, static_cast<std::int64_t>(rint(value * scale())));
  }
};

// Memory that receives sums: rows of floats with gaps between them.
struct Region {
  float* data = nullptr;
  std::int64_t num_images = 0, num_rows = 0, row_length = 0;
  std::int64_t row_stride = 0, image_stride = 0;

  FACET_HD std::int64_t count() const { return num_images * num_rows * row_length; }
  FACET_HD bool isDense() const {
    return (num_rows <= 1 || row_stride == row_length) &&
           (num_images <= 1 || image_stride == num_rows * row_length);
  }
  // From the first element to past the last one.
  FACET_HD std::int64_t span() const {
    if (count() == 0) return 0;
    return (num_images - 1) * image_stride + (num_rows - 1) * row_stride + row_length;
  }
  FACET_HD std::int64_t offset(std::int64_t i) const {
    const std::int64_t row = i / row_length, image = row / num_rows;
    return image * image_stride + (row - image * num_rows) * row_stride + (i - row * row_length);
  }
};
inline Region regionOf(const Rows& rows, int num_images) {
  const std::int64_t length = rows.num_rows * rows.channels;
  return Region{rows.data, rows.image_stride == 0 ? 1 : num_images, 1, length, length, rows.image_stride};
}
inline Region regionOf(const Images& images) {
  return Region{images.data,       images.image_stride == 0 ? 1 : images.num_images,
                images.height,     std::int64_t{images.width} * images.channels,
                images.row_stride, images.image_stride};
}

struct ZeroRegion {
  Region region;
  FACET_HD void operator()(std::int64_t i) const { region.data[region.offset(i)] = 0; }
};

struct IntegerToFloat {
  Region region;
  IntegerTarget target;
  FACET_HD void operator()(std::int64_t i) const {
    const std::int64_t at = region.offset(i);
    target.data[at] += static_cast<float>(static_cast<double>(target.sums[at]) / target.scale());
  }
};

template <typename Executor>
void zeroRegion(const Region& region, Executor& executor) {
  if (region.isDense()) {
    executor.zero(region.data, region.count());
  } else {
    executor.forEach(region.count(), ZeroRegion{region});
  }
}

inline int log2RoundedUp(std::int64_t count) {
  int bits = 0;
  while (bits < 61 && (std::int64_t{1} << bits) < count) ++bits;
  return bits;
}

// One target per region.
template <typename Target, int kCount>
struct Targets {
  Target at[kCount];
};

// Runs a scatter kernel. The regions are overwritten with the sums; `make(targets)` returns the kernel,
// `num_items` is its number of indices, `per_item` how often one of them adds to one element at most.
template <int kCount, typename Executor, typename Make>
void scatter(Executor& executor, const Region (&regions)[kCount], std::int64_t num_items,
             std::int64_t per_item, const Make& make) {
  for (const Region& region : regions) {
    if (region.count() > 0) zeroRegion(region, executor);
  }
  if (num_items == 0) return;
  if (!executor.deterministic()) {
    Targets<FloatTarget, kCount> targets = {};
    for (int i = 0; i < kCount; ++i) targets.at[i].data = regions[i].data;
    executor.forEach(num_items, make(targets));
    return;
  }
  std::uint32_t* const largest = executor.template scratch<std::uint32_t>(1);
  executor.zero(largest, 1);
  Targets<MagnitudeTarget, kCount> magnitudes = {};
  Targets<IntegerTarget, kCount> integers = {};
  const int headroom = log2RoundedUp(num_items * per_item);
  for (int i = 0; i < kCount; ++i) {
    magnitudes.at[i].largest = largest;
    const std::int64_t span = regions[i].span();
    std::int64_t* const sums = span > 0 ? executor.template scratch<std::int64_t>(span) : nullptr;
    if (span > 0) executor.zero(sums, span);
    integers.at[i] = IntegerTarget{sums, largest, regions[i].data, headroom};
  }
  executor.forEach(num_items, make(magnitudes));
  executor.forEach(num_items, make(integers));
  for (int i = 0; i < kCount; ++i) {
    if (regions[i].count() > 0)
      executor.forEach(regions[i].count(), IntegerToFloat{regions[i], integers.at[i]});
  }
}

}  // namespace facet::ops::cuda
