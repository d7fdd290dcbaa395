#include "render/cpu/pixel_pairs.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define FACET_HAS_AVX2_PAIRS 1
#endif

namespace facet::ops {
namespace {

constexpr int kLanes = 8;
constexpr std::int32_t kExactIds = 1 << 24;      // see fragmentFromTriangle()
constexpr std::int32_t kExactBits = 0x4B800000;  // 2^24 as a float

std::int32_t idFromFragment(float value) {
  // Negative numbers and NaN become ids that no triangle has; those below -2^31 too.
  if (value <= static_cast<float>(kExactIds)) return value > -2 ? static_cast<std::int32_t>(value) : -2;
  std::int32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(bits) - kExactBits + kExactIds);
}

// Appends the places of the bits set in the masks of 8 pixels from x on.
inline int listPlaces(unsigned right, unsigned above, int x, std::uint32_t* places) {
  int count = 0;
  for (; above != 0; above &= above - 1)
    places[count++] = static_cast<std::uint32_t>(x + __builtin_ctz(above)) << 1 | 1U;
  for (; right != 0; right &= right - 1)
    places[count++] = static_cast<std::uint32_t>(x + __builtin_ctz(right)) << 1;
  return count;
}

// Which of the 8 pixels from x on lie inside of a row, and which of them have a right neighbour.
inline unsigned insideMask(int x, int width) { return x + kLanes <= width ? 0xFFU : (1U << (width - x)) - 1; }
inline unsigned neighbourMask(int x, int width) { return insideMask(x, width - 1); }

int scanPairsPortable(const float* rast_row, int width, const std::int32_t* above, std::int32_t* ids,
                      std::uint32_t* places) {
  for (int x = 0; x < width; ++x) ids[x] = idFromFragment(rast_row[4 * static_cast<std::int64_t>(x) + 3]);
  int count = 0;
  for (int x = 0; x < width; x += kLanes) {
    unsigned right_mask = 0, above_mask = 0;
    for (int k = 0; k < kLanes; ++k) right_mask |= (ids[x + k] != ids[x + k + 1] ? 1U : 0U) << k;
    if (above != nullptr) {
      for (int k = 0; k < kLanes; ++k) above_mask |= (ids[x + k] != above[x + k] ? 1U : 0U) << k;
    }
    count += listPlaces(right_mask & neighbourMask(x, width), above_mask & insideMask(x, width), x,
                        places + count);
  }
  return count;
}

#if defined(FACET_HAS_AVX2_PAIRS)
// positions[mask] holds the places of the bits set in a mask, one byte each.
struct BitTable {
  std::uint64_t positions[256] = {};
  constexpr BitTable() {
    for (unsigned mask = 0; mask < 256; ++mask) {
      int count = 0;
      for (unsigned bit = 0; bit < 8; ++bit) {
        if ((mask >> bit & 1) != 0) positions[mask] |= std::uint64_t{bit} << 8 * count++;
      }
    }
  }
};
constexpr BitTable kBitTable;

#pragma GCC push_options
#pragma GCC target("avx2,popcnt")
// As listPlaces(), for one mask; always stores 8, as a branch per bit would be mispredicted.
inline int storePlaces(unsigned mask, int x, unsigned is_above, std::uint32_t* places) {
  const __m256i lane =
      _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(kBitTable.positions[mask])));
  const __m256i base = _mm256_set1_epi32(static_cast<int>(static_cast<unsigned>(x) << 1 | is_above));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(places),
                      _mm256_add_epi32(base, _mm256_add_epi32(lane, lane)));
  return __builtin_popcount(mask);
}

int scanPairsAvx2(const float* rast_row, int width, const std::int32_t* above, std::int32_t* ids,
                  std::uint32_t* places) {
  const __m256 exact = _mm256_set1_ps(static_cast<float>(kExactIds));
  const __m256i bias = _mm256_set1_epi32(kExactBits - kExactIds);
  const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  int x = 0;
  for (; x + kLanes <= width; x += kLanes) {
    const float* const p = rast_row + 4 * static_cast<std::int64_t>(x);
    const __m256 p02_p13 = _mm256_unpackhi_ps(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8));
    const __m256 p46_p57 = _mm256_unpackhi_ps(_mm256_loadu_ps(p + 16), _mm256_loadu_ps(p + 24));
    const __m256 shuffled = _mm256_shuffle_ps(p02_p13, p46_p57, _MM_SHUFFLE(3, 2, 3, 2));
    const __m256 value = _mm256_permutevar8x32_ps(shuffled, in_order);
    const __m256i low = _mm256_max_epi32(_mm256_cvttps_epi32(value), _mm256_set1_epi32(-2));
    const __m256i high = _mm256_sub_epi32(_mm256_castps_si256(value), bias);
    const __m256 is_low = _mm256_cmp_ps(value, exact, _CMP_LE_OQ);
    const __m256i id =
        _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(high), _mm256_castsi256_ps(low), is_low));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(ids + x), id);
  }
  for (; x < width; ++x) ids[x] = idFromFragment(rast_row[4 * static_cast<std::int64_t>(x) + 3]);

  int count = 0;
  for (x = 0; x < width; x += kLanes) {
    const __m256i here = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ids + x));
    const __m256i next = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ids + x + 1));
    const __m256i same_right = _mm256_cmpeq_epi32(here, next);
    unsigned right_mask = ~static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(same_right)));
    right_mask &= neighbourMask(x, width);
    unsigned above_mask = 0;
    if (above != nullptr) {
      const __m256i over = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(above + x));
      const __m256i same_above = _mm256_cmpeq_epi32(here, over);
      above_mask = ~static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(same_above)));
      above_mask &= insideMask(x, width);
    }
    count += storePlaces(above_mask, x, 1, places + count);
    count += storePlaces(right_mask, x, 0, places + count);
  }
  return count;
}
#pragma GCC pop_options
#endif

}  // namespace

int scanPairs(const float* rast_row, int width, const std::int32_t* above, std::int32_t* ids,
              std::uint32_t* places) {
#if defined(FACET_HAS_AVX2_PAIRS)
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  if (has_avx2) return scanPairsAvx2(rast_row, width, above, ids, places);
#endif
  return scanPairsPortable(rast_row, width, above, ids, places);
}

void sumVertexGradients(const std::vector<std::vector<VertexGradient>>& addends, int num_images,
                        const Rows& grad) {
  const int num_items = grad.image_stride == 0 ? 1 : num_images;
  const std::size_t lists_per_item =
      num_items == 0 ? 0 : addends.size() / static_cast<std::size_t>(num_items);
  std::size_t num_addends = 0;
  for (const std::vector<VertexGradient>& list : addends) num_addends += list.size();

  // Long sums are split by vertex; each part skips what belongs to the others.
  constexpr std::size_t kAddendsWorthSplitting = 1 << 16;
  const int num_parts = num_addends < kAddendsWorthSplitting ? 1 : numThreads();
  parallelFor(num_items * num_parts, 1, [&](int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const int item = i / num_parts, part = i % num_parts;
      const std::int64_t first = grad.num_rows * part / num_parts,
                         last = grad.num_rows * (part + 1) / num_parts;
      float* const rows = grad.data + item * grad.image_stride;
      std::fill(rows + 4 * first, rows + 4 * last, 0.0F);
      for (std::size_t k = 0; k < lists_per_item; ++k) {
        for (const VertexGradient& addend : addends[static_cast<std::size_t>(item) * lists_per_item + k]) {
          if (addend.vertex < first || addend.vertex >= last) continue;
          float* const row = rows + 4 * std::int64_t{addend.vertex};
          row[0] += addend.x;
          row[1] += addend.y;
          row[2] += addend.z;
          row[3] += addend.w;
        }
      }
    }
  });
}

}  // namespace facet::ops
