#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

#include "core/check.h"
#include "core/io/shared_bytes.h"

namespace facet {

static_assert(std::endian::native == std::endian::little, "the readers of binary files assume memory order");

// A number at an address that need not be aligned.
template <typename T>
T loadNumber(const std::uint8_t* from, bool big_endian = false) {
  std::array<std::uint8_t, sizeof(T)> bytes;
  std::memcpy(bytes.data(), from, sizeof(T));
  if (big_endian) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<T>(bytes);
}

// Front to back through bytes that are in memory. Whatever would pass their end throws std::invalid_argument
// ("is cut off …") before anything is read or allocated.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes, bool big_endian = false) : bytes_(bytes), big_endian_(big_endian) {}

  std::size_t left() const { return bytes_.size() - position_; }
  std::size_t position() const { return position_; }

  ByteSpan take(std::uint64_t count) {
    require(count <= left(), "is cut off or damaged: ", count, " bytes expected, ", left(), " left");
    position_ += count;
    return bytes_.subspan(position_ - count, count);
  }
  void skip(std::uint64_t count) { take(count); }

  template <typename T>
  T number() {
    return loadNumber<T>(take(sizeof(T)).data(), big_endian_);
  }
  // An unsigned little-endian number of 1 to 8 bytes.
  std::uint64_t unsignedNumber(std::size_t size) {
    const ByteSpan bytes = take(size);
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | bytes[i];
    return value;
  }

 private:
  ByteSpan bytes_;
  std::size_t position_ = 0;
  bool big_endian_;
};

// How a file stores one number: a kind ('f' IEEE float, 'i' signed, 'u' unsigned) and its bytes.
struct NumberType {
  char kind = 0;
  std::size_t size = 0;
  bool big_endian = false;
};

// Calls use(load), where load(address) is the number there as a float; throws std::invalid_argument for a
// type that is none of 8 to 64-bit integers, floats and doubles. Integers beyond 2^24 lose their last bits:
// no face model has that many vertices, so an index that is rounded is out of range before and after.
template <typename Use>
void withNumberType(const NumberType& type, const Use& use) {
  const auto as = [&](auto example) {
    using T = decltype(example);
    if (type.big_endian)
      return use([](const std::uint8_t* p) { return static_cast<float>(loadNumber<T>(p, true)); });
    return use([](const std::uint8_t* p) { return static_cast<float>(loadNumber<T>(p)); });
  };
  const bool is_signed = type.kind == 'i';
  if (type.kind == 'f' && type.size == 4) return as(float{});
  if (type.kind == 'f' && type.size == 8) {
    // A double beyond float's range becomes infinite, which the models refuse; the cast alone is undefined.
    const bool big_endian = type.big_endian;
    return use([big_endian](const std::uint8_t* p) {
      const auto value = loadNumber<double>(p, big_endian);
      constexpr double kMax = std::numeric_limits<float>::max();
      if (value > kMax) return std::numeric_limits<float>::infinity();
      if (value < -kMax) return -std::numeric_limits<float>::infinity();
      return static_cast<float>(value);
    });
  }
  if (type.kind == 'i' || type.kind == 'u') {
    if (type.size == 1) return is_signed ? as(std::int8_t{}) : as(std::uint8_t{});
    if (type.size == 2) return is_signed ? as(std::int16_t{}) : as(std::uint16_t{});
    if (type.size == 4) return is_signed ? as(std::int32_t{}) : as(std::uint32_t{});
    if (type.size == 8) return is_signed ? as(std::int64_t{}) : as(std::uint64_t{});
  }
  require(false, "holds numbers of a kind that cannot be read here");
}

// Deflate turns one byte into at most so many (zlib's documentation: 258 bytes in 2 bits); a claim beyond
// that is damage.
constexpr std::uint64_t kMaxDeflateRatio = 1032;

}  // namespace facet
