#include "core/io/array_view.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <numeric>
#include <sstream>
#include <type_traits>

#include "core/check.h"
#include "core/half_float.h"

static_assert(std::endian::native == std::endian::little, "numpy files are read and written in memory order");

namespace facet {
namespace {

constexpr std::size_t kMostAxes = 32;  // numpy's own limit

// A table lookup per value is about as fast as the disk cache delivers the bytes.
const float* halfTable() {
  static const std::vector<float> table = [] {
    std::vector<float> values(1 << 16);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = floatFromHalf(static_cast<std::uint16_t>(i));
    return values;
  }();
  return table.data();
}

struct Half {
  std::uint16_t bits;
};

template <typename Target, typename Source>
Target converted(Source value) {
  if constexpr (std::is_same_v<Source, Half>) {
    return converted<Target>(halfTable()[value.bits]);
  } else if constexpr (std::is_integral_v<Target>) {
    const auto wide = static_cast<double>(value);
    // Written so that NaN fails.
    require(wide >= std::numeric_limits<Target>::lowest() && wide <= std::numeric_limits<Target>::max(),
            "the value ", wide, " does not fit a 32-bit integer");
    return static_cast<Target>(value);
  } else {
    return static_cast<Target>(value);
  }
}

// `count` items, `step` bytes apart.
template <typename Source, typename Target>
void convertRun(const std::uint8_t* from, std::ptrdiff_t step, std::size_t count, bool is_swapped,
                Target* to) {
  if constexpr (std::is_same_v<Source, Target>) {
    if (step == sizeof(Source) && !is_swapped) {
      std::memcpy(to, from, count * sizeof(Source));
      return;
    }
  }
  for (std::size_t i = 0; i < count; ++i, from += step) {
    Source value;
    if (is_swapped) {
      std::uint8_t swapped[sizeof(Source)];
      std::reverse_copy(from, from + sizeof(Source), swapped);
      std::memcpy(&value, swapped, sizeof(Source));
    } else {
      std::memcpy(&value, from, sizeof(Source));
    }
    to[i] = converted<Target>(value);
  }
}

template <typename Target>
using RunConverter = void (*)(const std::uint8_t*, std::ptrdiff_t, std::size_t, bool, Target*);

template <typename Target>
RunConverter<Target> converterFor(const std::string& dtype) {
  const std::string kind = dtype.size() > 1 ? dtype.substr(1) : "";
  if (kind == "f2") return convertRun<Half, Target>;
  if (kind == "f4") return convertRun<float, Target>;
  if (kind == "f8") return convertRun<double, Target>;
  if (kind == "i1") return convertRun<std::int8_t, Target>;
  if (kind == "i2") return convertRun<std::int16_t, Target>;
  if (kind == "i4") return convertRun<std::int32_t, Target>;
  if (kind == "i8") return convertRun<std::int64_t, Target>;
  if (kind == "u1" || kind == "b1") return convertRun<std::uint8_t, Target>;
  if (kind == "u2") return convertRun<std::uint16_t, Target>;
  if (kind == "u4") return convertRun<std::uint32_t, Target>;
  if (kind == "u8") return convertRun<std::uint64_t, Target>;
  return nullptr;
}

bool isCOrder(const ArrayView& array) {
  std::int64_t expected = 1;
  for (std::size_t d = array.shape.size(); d-- > 0;) {
    if (array.shape[d] > 1 && array.strides[d] != expected) return false;
    expected *= array.shape[d];
  }
  return true;
}

// Calls run(first byte, bytes from item to item, number of items, index of the first) for runs of items that
// cover [begin, end) of the array in C order.
template <typename Run>
void forEachRun(const ArrayView& array, std::int64_t begin, std::int64_t end, const Run& run) {
  if (begin >= end) return;
  const auto item = static_cast<std::int64_t>(itemSize(array.dtype));
  if (isCOrder(array)) {
    run(array.bytes.data() + begin * item, item, end - begin, begin);
    return;
  }
  const std::size_t last = array.shape.size() - 1;
  std::vector<std::int64_t> index(array.shape.size());
  for (std::size_t d = array.shape.size(), rest = static_cast<std::size_t>(begin); d-- > 0;) {
    index[d] = static_cast<std::int64_t>(rest % static_cast<std::size_t>(array.shape[d]));
    rest /= static_cast<std::size_t>(array.shape[d]);
  }
  for (std::int64_t at = begin; at < end;) {
    const std::int64_t count = std::min(array.shape[last] - index[last], end - at);
    std::int64_t from = 0;
    for (std::size_t d = 0; d <= last; ++d) from += index[d] * array.strides[d];
    run(array.bytes.data() + from * item, array.strides[last] * item, count, at);
    at += count;
    index[last] = 0;
    for (std::size_t d = last; d-- > 0;) {
      if (++index[d] < array.shape[d]) break;
      index[d] = 0;
    }
  }
}

template <typename Target>
void convertTo(const ArrayView& array, std::int64_t begin, std::int64_t end, Target* to) {
  const RunConverter<Target> convert = converterFor<Target>(array.dtype);
  require(convert != nullptr, "items of type ", array.dtype, " are not numbers");
  const bool is_swapped = array.dtype[0] == '>';
  forEachRun(array, begin, end,
             [&](const std::uint8_t* from, std::int64_t step, std::int64_t count, std::int64_t at) {
               convert(from, step, static_cast<std::size_t>(count), is_swapped, to + (at - begin));
             });
}

template <typename Target>
std::vector<Target> valuesOf(const ArrayView& array) {
  std::vector<Target> values(static_cast<std::size_t>(array.count()));
  convertTo(array, 0, array.count(), values.data());
  return values;
}

}  // namespace

std::size_t itemSize(const std::string& dtype) {
  static const char* const kNumeric[] = {"f2", "f4", "f8", "i1", "i2", "i4",
                                         "i8", "u1", "u2", "u4", "u8", "b1"};
  if (dtype.size() < 3) return 0;
  const std::string kind = dtype.substr(1);
  for (const char* known : kNumeric) {
    if (kind == known) return static_cast<std::size_t>(kind[1] - '0');
  }
  if (kind[0] != 'U' && kind[0] != 'S') return 0;
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(kind.data() + 1, kind.data() + kind.size(), length);
  if (error != std::errc{} || end != kind.data() + kind.size() || length > (1U << 20)) return 0;
  return kind[0] == 'U' ? 4 * length : length;
}

std::string shapeText(const std::vector<std::int64_t>& shape) {
  if (shape.empty()) return "a single value";
  std::ostringstream text;
  for (std::size_t d = 0; d < shape.size(); ++d) text << (d ? " x " : "") << shape[d];
  return text.str();
}

void appendUtf8(char32_t c, std::string& text) {
  const auto add = [&text](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    add(c);
  } else if (c < 0x800) {
    add(0xC0 | c >> 6), add(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    add(0xE0 | c >> 12), add(0x80 | (c >> 6 & 0x3F)), add(0x80 | (c & 0x3F));
  } else {
    add(0xF0 | (c >> 18 & 7)), add(0x80 | (c >> 12 & 0x3F)), add(0x80 | (c >> 6 & 0x3F)),
        add(0x80 | (c & 0x3F));
  }
}

std::string ArrayView::layOut(bool fortran_order) {
  if (shape.size() > kMostAxes) return "has " + std::to_string(shape.size()) + " axes";
  const std::size_t item = std::max<std::size_t>(itemSize(dtype), 1);
  std::size_t expected = item;
  for (const std::int64_t length : shape) {
    if (length < 0) return "has an axis of negative length";
    if (length > 0 &&
        expected > std::numeric_limits<std::size_t>::max() / 2 / static_cast<std::size_t>(length)) {
      return "says it is larger than any memory";
    }
    expected *= static_cast<std::size_t>(length);
  }
  // Text without a single letter has items of no bytes; any number of them would fit.
  constexpr std::size_t kMostEmptyTexts = 1 << 16;
  if (itemSize(dtype) == 0 && isText() && expected > kMostEmptyTexts) return "has too many empty texts";
  if (itemSize(dtype) > 0) {
    if (expected > bytes.size()) {
      std::ostringstream text;
      text << "is cut off: " << bytes.size() << " bytes of data, " << expected << " expected";
      return text.str();
    }
    bytes = bytes.part(0, expected);
  }
  strides.assign(shape.size(), 1);
  if (expected == 0) return {};  // no items; the other lengths may be any
  for (std::size_t i = 1; i < shape.size(); ++i) {
    if (fortran_order) {
      strides[i] = strides[i - 1] * shape[i - 1];
    } else {
      const std::size_t d = shape.size() - 1 - i;
      strides[d] = strides[d + 1] * shape[d + 1];
    }
  }
  return {};
}

std::int64_t ArrayView::count() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

bool ArrayView::isNumeric() const { return converterFor<double>(dtype) != nullptr; }
bool ArrayView::isText() const { return dtype.size() > 2 && (dtype[1] == 'U' || dtype[1] == 'S'); }

std::vector<float> ArrayView::asFloat() const { return valuesOf<float>(*this); }
std::vector<double> ArrayView::asDouble() const { return valuesOf<double>(*this); }
std::vector<std::int32_t> ArrayView::asInt32() const { return valuesOf<std::int32_t>(*this); }

template <typename T>
void ArrayView::copyTo(std::int64_t begin, std::int64_t end, T* values) const {
  require(begin >= 0 && begin <= end && end <= count(), "an array of ", shapeText(shape), " has no values ",
          begin, " to ", end);
  convertTo(*this, begin, end, values);
}

template void ArrayView::copyTo(std::int64_t, std::int64_t, float*) const;
template void ArrayView::copyTo(std::int64_t, std::int64_t, double*) const;

std::vector<std::string> ArrayView::asStrings() const {
  require(isText(), "items of type ", dtype, " are not text");
  const std::size_t item = itemSize(dtype), unit = dtype[1] == 'U' ? 4 : 1;
  std::vector<std::string> texts;
  texts.reserve(static_cast<std::size_t>(count()));
  if (item == 0) {
    texts.resize(static_cast<std::size_t>(count()));
    return texts;
  }
  forEachRun(*this, 0, count(),
             [&](const std::uint8_t* from, std::int64_t step, std::int64_t num_items, std::int64_t) {
               for (std::int64_t i = 0; i < num_items; ++i, from += step) {
                 std::string& text = texts.emplace_back();
                 for (std::size_t at = 0; at < item; at += unit) {
                   std::uint8_t letter[4] = {from[at], 0, 0, 0};
                   if (unit == 4) std::memcpy(letter, from + at, 4);
                   if (unit == 4 && dtype[0] == '>') std::reverse(letter, letter + 4);
                   const auto c = std::bit_cast<char32_t>(letter);
                   if (c == 0) break;
                   if (unit == 4) {
                     appendUtf8(c, text);
                   } else {
                     text.push_back(static_cast<char>(c));
                   }
                 }
               }
             });
  return texts;
}

Eigen::MatrixXf ArrayView::asMatrix(std::int64_t rows) const {
  require(rows > 0 && count() % rows == 0, "an array of ", shapeText(shape), " has no ", rows, " rows");
  const std::int64_t cols = count() / rows;
  Eigen::MatrixXf matrix(rows, cols);
  // Some rows at a time: read along the file's order, written in runs of a cache line.
  constexpr std::int64_t kRows = 32;
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> some(std::min(kRows, rows), cols);
  for (std::int64_t row = 0; row < rows; row += kRows) {
    const std::int64_t num_rows = std::min(kRows, rows - row);
    convertTo(*this, row * cols, (row + num_rows) * cols, some.data());
    matrix.middleRows(row, num_rows) = some.topRows(num_rows);
  }
  return matrix;
}

std::vector<std::uint8_t> ArrayView::contiguousBytes() const {
  const std::size_t item = itemSize(dtype);
  const std::size_t unit = isText() ? dtype[1] == 'U' ? 4 : 1 : item;
  std::vector<std::uint8_t> result(static_cast<std::size_t>(count()) * item);
  if (result.empty()) return result;
  forEachRun(*this, 0, count(),
             [&](const std::uint8_t* from, std::int64_t step, std::int64_t num_items, std::int64_t at) {
               std::uint8_t* to = result.data() + static_cast<std::size_t>(at) * item;
               if (step == static_cast<std::int64_t>(item)) {
                 std::memcpy(to, from, static_cast<std::size_t>(num_items) * item);
                 return;
               }
               for (std::int64_t i = 0; i < num_items; ++i, to += item, from += step)
                 std::memcpy(to, from, item);
             });
  if (dtype[0] == '>') {
    for (auto at = result.begin(); at != result.end(); at += static_cast<std::ptrdiff_t>(unit)) {
      std::reverse(at, at + static_cast<std::ptrdiff_t>(unit));
    }
  }
  return result;
}

}  // namespace facet
