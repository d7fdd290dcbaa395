#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace facet {

// IEEE 754 binary16.

// For a value that is known to be finite: no branch, so that loops over it vectorize.
inline float floatFromFiniteHalf(std::uint16_t half) {
  const float magnitude = std::bit_cast<float>((half & 0x7FFFU) << 13) * 0x1p112F;  // subnormals included
  return std::bit_cast<float>(std::uint32_t{half & 0x8000U} << 16 | std::bit_cast<std::uint32_t>(magnitude));
}

inline bool isFiniteHalf(std::uint16_t half) { return (half & 0x7C00) != 0x7C00; }

inline float floatFromHalf(std::uint16_t half) {
  if (isFiniteHalf(half)) return floatFromFiniteHalf(half);
  return std::bit_cast<float>(std::uint32_t{half & 0x8000U} << 16 | 0x7F800000U | (half & 0x3FFU) << 13);
}

// Round to nearest, ties to even, as numpy does.
inline std::uint16_t halfFromFloat(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return sign | 0x7E00;   // NaN
  if (magnitude >= 0x477FF000) return sign | 0x7C00;  // rounds to 65536 or more: infinity
  if (magnitude < 0x38800000) {                       // below 2^-14: subnormal, a multiple of 2^-24
    return sign | static_cast<std::uint16_t>(std::nearbyint(std::ldexp(std::abs(value), 24)));
  }
  const std::uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
  return sign | static_cast<std::uint16_t>((rounded - 0x38000000) >> 13);
}

}  // namespace facet
