#include "core/io/npz.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <type_traits>

#include "core/check.h"
#include "core/error.h"
#include "core/half_float.h"
#include "core/io/files.h"

static_assert(std::endian::native == std::endian::little, "npz files are read and written in memory order");

namespace facet {
namespace fs = std::filesystem;
namespace {

using Bytes = std::vector<std::uint8_t>;

// A table lookup per value is about as fast as the disk cache delivers the bytes.
const float* halfTable() {
  static const std::vector<float> table = [] {
    std::vector<float> values(1 << 16);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = floatFromHalf(static_cast<std::uint16_t>(i));
    return values;
  }();
  return table.data();
}

// Bytes per item of a numpy descriptor, or 0 if this reader does not know it.
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

template <typename Source, typename Target>
void convert(const Bytes& bytes, std::vector<Target>& values) {
  values.resize(bytes.size() / sizeof(Source));
  if constexpr (std::is_same_v<Source, Target>) {
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  } else {
    for (std::size_t i = 0; i < values.size(); ++i) {
      Source value;
      std::memcpy(&value, bytes.data() + i * sizeof(Source), sizeof(Source));
      if constexpr (std::is_integral_v<Target>) {
        const auto wide = static_cast<double>(value);
        require(wide >= std::numeric_limits<Target>::lowest() && wide <= std::numeric_limits<Target>::max(),
                "NpyArray: the value ", wide, " does not fit a 32-bit integer");
      }
      values[i] = static_cast<Target>(value);
    }
  }
}

template <typename Target>
std::vector<Target> convertFrom(const std::string& dtype, const Bytes& bytes) {
  std::vector<Target> values;
  const std::string kind = dtype.size() > 1 ? dtype.substr(1) : "";
  if (kind == "f2") {
    std::vector<std::uint16_t> halves;
    convert<std::uint16_t>(bytes, halves);
    const float* table = halfTable();
    values.resize(halves.size());
    std::transform(halves.begin(), halves.end(), values.begin(),
                   [table](std::uint16_t half) { return static_cast<Target>(table[half]); });
  } else if (kind == "f4") {
    convert<float>(bytes, values);
  } else if (kind == "f8") {
    convert<double>(bytes, values);
  } else if (kind == "i1") {
    convert<std::int8_t>(bytes, values);
  } else if (kind == "i2") {
    convert<std::int16_t>(bytes, values);
  } else if (kind == "i4") {
    convert<std::int32_t>(bytes, values);
  } else if (kind == "i8") {
    convert<std::int64_t>(bytes, values);
  } else if (kind == "u1" || kind == "b1") {
    convert<std::uint8_t>(bytes, values);
  } else if (kind == "u2") {
    convert<std::uint16_t>(bytes, values);
  } else if (kind == "u4") {
    convert<std::uint32_t>(bytes, values);
  } else if (kind == "u8") {
    convert<std::uint64_t>(bytes, values);
  } else {
    throw std::invalid_argument("NpyArray: dtype " + dtype + " is not numeric");
  }
  return values;
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

template <typename T>
NpyArray arrayFrom(const char* dtype, const T* values, std::vector<std::int64_t> shape) {
  NpyArray array{dtype, std::move(shape), {}};
  array.bytes.resize(static_cast<std::size_t>(array.count()) * sizeof(T));
  if (!array.bytes.empty()) std::memcpy(array.bytes.data(), values, array.bytes.size());
  return array;
}

// Fortran order to C order: the last index runs fastest afterwards.
Bytes cOrder(const Bytes& bytes, const std::vector<std::int64_t>& shape, std::size_t item) {
  Bytes result(bytes.size());
  std::vector<std::int64_t> index(shape.size(), 0);
  std::vector<std::size_t> stride(shape.size(), item);
  for (std::size_t d = 1; d < shape.size(); ++d)
    stride[d] = stride[d - 1] * static_cast<std::size_t>(shape[d - 1]);
  for (std::size_t to = 0; to < result.size(); to += item) {
    std::size_t from = 0;
    for (std::size_t d = 0; d < shape.size(); ++d) from += stride[d] * static_cast<std::size_t>(index[d]);
    std::memcpy(result.data() + to, bytes.data() + from, item);
    for (std::size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
  return result;
}

// The text after `key` (quoted) and its colon in the header's Python dictionary, which numpy always writes in
// this form.
std::string_view headerValue(std::string_view header, std::string_view key) {
  const std::size_t found = header.find(key);
  if (found == std::string_view::npos) return {};
  const std::size_t colon = header.find(':', found);
  if (colon == std::string_view::npos) return {};
  const std::size_t start = header.find_first_not_of(' ', colon + 1);
  return start == std::string_view::npos ? std::string_view{} : header.substr(start);
}

// `name` leads the messages. NEP 1: "\x93NUMPY", version, header length, header, data.
NpyArray parseNpy(const std::uint8_t* data, std::size_t size, const std::string& name) {
  const auto bad = [&name](const auto&... what) { fail(ErrorKind::kInput, name, ": ", what...); };
  if (size < 12 || std::memcmp(data, "\x93NUMPY", 6) != 0) bad("is not a numpy array (.npy)");
  const bool long_header = data[6] >= 2;
  std::uint32_t header_size = 0;
  std::memcpy(&header_size, data + 8, long_header ? 4 : 2);
  const std::size_t data_start = (long_header ? 12U : 10U) + std::size_t{header_size};
  if (data_start > size) bad("is cut off inside its header");
  const std::string_view header(reinterpret_cast<const char*>(data) + data_start - header_size, header_size);

  NpyArray array;
  const std::string_view descr = headerValue(header, "'descr'");
  if (descr.empty() || descr[0] != '\'') bad("has structured or no items; save a plain numeric array");
  array.dtype = std::string(descr.substr(1, descr.find('\'', 1) - 1));
  const std::size_t item = itemSize(array.dtype);
  if (array.dtype.find('O') != std::string::npos) {
    bad("holds pickled Python objects, which may execute code; save a plain numeric array");
  }
  const bool is_text_of_length_0 = array.dtype.size() == 3 && array.dtype[2] == '0';
  if (item == 0 && !is_text_of_length_0)
    bad("has items of type ", array.dtype, ", which cannot be read here");

  std::string_view shape = headerValue(header, "'shape'");
  if (shape.empty() || shape[0] != '(') bad("has no shape in its header");
  shape = shape.substr(1, shape.find(')') - 1);
  std::size_t expected = item;
  for (const char *p = shape.data(), *end = p + shape.size(); p < end;) {
    std::int64_t length = 0;
    const auto [next, error] = std::from_chars(p, end, length);
    if (error != std::errc{} || length < 0) bad("has a shape that cannot be read");
    if (length > 0 &&
        expected > std::numeric_limits<std::size_t>::max() / 2 / static_cast<std::size_t>(length)) {
      bad("says it is larger than any memory");
    }
    array.shape.push_back(length);
    expected *= static_cast<std::size_t>(length);
    p = next;
    while (p < end && (*p == ',' || *p == ' ')) ++p;
  }
  if (size - data_start < expected) {
    bad("is cut off: ", size - data_start, " bytes of data, ", expected, " expected");
  }
  array.bytes.assign(data + data_start, data + data_start + expected);

  if (array.dtype[0] == '>') {
    const std::size_t unit = array.dtype[1] == 'U' ? 4 : item;
    for (std::size_t i = 0; i + unit <= array.bytes.size(); i += unit) {
      std::reverse(array.bytes.begin() + static_cast<std::ptrdiff_t>(i),
                   array.bytes.begin() + static_cast<std::ptrdiff_t>(i + unit));
    }
    array.dtype[0] = '<';
  }
  if (headerValue(header, "'fortran_order'").starts_with("True") && array.shape.size() > 1) {
    array.bytes = cOrder(array.bytes, array.shape, item);
  }
  return array;
}

Bytes npyBytes(const NpyArray& array) {
  std::ostringstream shape;
  for (std::size_t d = 0; d < array.shape.size(); ++d) {
    shape << array.shape[d] << (array.shape.size() == 1 ? "," : d + 1 < array.shape.size() ? ", " : "");
  }
  std::ostringstream dictionary;
  dictionary << "{'descr': '" << array.dtype << "', 'fortran_order': False, 'shape': (" << shape.str()
             << "), }";
  // numpy aligns the data to 64 bytes; the header ends in a newline.
  std::string header = dictionary.str();
  constexpr std::size_t kPreamble = 10;
  header.append(63 - (kPreamble + header.size()) % 64, ' ');
  header += '\n';

  Bytes bytes(kPreamble + header.size() + array.bytes.size());
  std::memcpy(bytes.data(), "\x93NUMPY\x01\x00", 8);
  bytes[8] = static_cast<std::uint8_t>(header.size() & 0xFF);
  bytes[9] = static_cast<std::uint8_t>(header.size() >> 8);
  std::copy(header.begin(), header.end(), bytes.begin() + kPreamble);
  std::copy(array.bytes.begin(), array.bytes.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(kPreamble + header.size()));
  return bytes;
}

template <typename T>
T readAt(const std::uint8_t* data) {
  T value;
  std::memcpy(&value, data, sizeof(T));
  return value;
}

// Zip signatures and sizes: APPNOTE.TXT of PKWARE, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14
// to 4.3.16.
constexpr std::uint32_t kLocalHeader = 0x04034b50, kDirectoryEntry = 0x02014b50, kDirectoryEnd = 0x06054b50;
constexpr std::uint32_t kDirectoryEnd64 = 0x06064b50, kDirectoryEnd64Locator = 0x07064b50;
constexpr std::uint16_t kStored = 0, kDeflated = 8;

struct ZipEntry {
  std::string name;
  std::uint16_t flags = 0, method = 0;
  std::uint32_t crc = 0;
  std::uint64_t compressed = 0, size = 0, offset = 0;
};

std::vector<ZipEntry> zipDirectory(const Bytes& zip, const std::string& name) {
  const auto bad = [&name](const char* what) { fail(ErrorKind::kInput, name, ": ", what); };
  if (zip.size() < 22 || readAt<std::uint32_t>(zip.data()) != kLocalHeader) {
    if (zip.size() >= 22 && readAt<std::uint32_t>(zip.data()) == kDirectoryEnd) return {};
    bad("is not a numpy archive (.npz)");
  }
  // The end record is the last thing in the file, but for a comment of up to 64 KiB.
  std::size_t end = zip.size() - 22;
  const std::size_t lowest = end > 0xFFFF ? end - 0xFFFF : 0;
  while (end > lowest && readAt<std::uint32_t>(&zip[end]) != kDirectoryEnd) --end;
  if (readAt<std::uint32_t>(&zip[end]) != kDirectoryEnd)
    bad("is cut off: the archive's directory is missing");
  std::uint64_t count = readAt<std::uint16_t>(&zip[end + 10]), offset = readAt<std::uint32_t>(&zip[end + 16]);
  if (end >= 20 && readAt<std::uint32_t>(&zip[end - 20]) == kDirectoryEnd64Locator) {
    const auto end64 = readAt<std::uint64_t>(&zip[end - 12]);
    if (zip.size() < 56 || end64 > zip.size() - 56 || readAt<std::uint32_t>(&zip[end64]) != kDirectoryEnd64) {
      bad("has a damaged directory");
    }
    count = readAt<std::uint64_t>(&zip[end64 + 32]);
    offset = readAt<std::uint64_t>(&zip[end64 + 48]);
  }

  std::vector<ZipEntry> entries;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (offset > zip.size() || zip.size() - offset < 46 ||
        readAt<std::uint32_t>(&zip[offset]) != kDirectoryEntry) {
      bad("has a damaged directory");
    }
    const std::uint8_t* head = &zip[offset];
    ZipEntry entry;
    entry.flags = readAt<std::uint16_t>(head + 8);
    entry.method = readAt<std::uint16_t>(head + 10);
    entry.crc = readAt<std::uint32_t>(head + 16);
    entry.compressed = readAt<std::uint32_t>(head + 20);
    entry.size = readAt<std::uint32_t>(head + 24);
    entry.offset = readAt<std::uint32_t>(head + 42);
    const std::size_t name_size = readAt<std::uint16_t>(head + 28),
                      extra_size = readAt<std::uint16_t>(head + 30);
    const std::size_t comment_size = readAt<std::uint16_t>(head + 32);
    if (zip.size() - offset - 46 < name_size + extra_size + comment_size) bad("has a damaged directory");
    entry.name.assign(reinterpret_cast<const char*>(head + 46), name_size);
    // Zip64: sizes that do not fit 32 bits stand in an extra field, in this order, only those that are all
    // ones.
    const std::uint8_t *extra = head + 46 + name_size, *extra_end = extra + extra_size;
    while (extra_end - extra >= 4) {
      const std::uint8_t* field = extra + 4;
      const std::uint8_t* next = field + readAt<std::uint16_t>(extra + 2);
      if (next > extra_end) break;
      if (readAt<std::uint16_t>(extra) == 1) {
        for (std::uint64_t* value : {&entry.size, &entry.compressed, &entry.offset}) {
          if (*value != 0xFFFFFFFF || next - field < 8) continue;
          *value = readAt<std::uint64_t>(field);
          field += 8;
        }
      }
      extra = next;
    }
    offset += 46 + name_size + extra_size + comment_size;
    entries.push_back(std::move(entry));
  }
  return entries;
}

Bytes inflateRaw(const std::uint8_t* data, std::size_t size, std::size_t expected, const std::string& name) {
  // Deflate cannot shrink more than 1032 times; a larger claim is a damaged or hostile header.
  if (expected / 1032 > size + 1) fail(ErrorKind::kInput, name, ": has a damaged header");
  Bytes result(expected + 1);  // a byte more than expected shows data that is too long
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) fail(ErrorKind::kRuntime, name, ": zlib does not start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, &inflateEnd);
  std::size_t consumed = 0, produced = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    const std::size_t in = std::min<std::size_t>(size - consumed, 1U << 30);
    const std::size_t out = std::min<std::size_t>(result.size() - produced, 1U << 30);
    stream.next_in = const_cast<std::uint8_t*>(data + consumed);
    stream.avail_in = static_cast<uInt>(in);
    stream.next_out = result.data() + produced;
    stream.avail_out = static_cast<uInt>(out);
    status = inflate(&stream, Z_NO_FLUSH);
    consumed += in - stream.avail_in;
    produced += out - stream.avail_out;
  }
  if (status != Z_STREAM_END || produced != expected) fail(ErrorKind::kInput, name, ": is damaged");
  result.resize(expected);
  return result;
}

std::uint32_t crcOf(const std::uint8_t* data, std::size_t size) {
  return static_cast<std::uint32_t>(crc32_z(0, data, size));
}

NpyArray readEntry(const Bytes& zip, const ZipEntry& entry, const std::string& archive) {
  const std::string name = archive + " (" + entry.name + ")";
  const auto bad = [&name](const char* what) { fail(ErrorKind::kInput, name, ": ", what); };
  if (entry.flags & 1) bad("is encrypted");
  if (entry.offset > zip.size() || zip.size() - entry.offset < 30 ||
      readAt<std::uint32_t>(&zip[entry.offset]) != kLocalHeader) {
    bad("is damaged");
  }
  const std::uint8_t* head = &zip[entry.offset];
  const std::uint64_t start =
      entry.offset + 30 + readAt<std::uint16_t>(head + 26) + readAt<std::uint16_t>(head + 28);
  if (start > zip.size() || zip.size() - start < entry.compressed) bad("is cut off");
  const std::uint8_t* data = zip.data() + start;
  if (entry.method == kStored) {
    if (entry.size != entry.compressed || crcOf(data, entry.size) != entry.crc) bad("is damaged");
    return parseNpy(data, entry.size, name);
  }
  if (entry.method != kDeflated) bad("is compressed by a method that numpy does not use");
  const Bytes inflated = inflateRaw(data, entry.compressed, entry.size, name);
  if (crcOf(inflated.data(), inflated.size()) != entry.crc) bad("is damaged");
  return parseNpy(inflated.data(), inflated.size(), name);
}

Bytes deflateRaw(const Bytes& data) {
  z_stream stream{};
  require(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK,
          "writeNpz: zlib does not start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, &deflateEnd);
  Bytes result(deflateBound(&stream, data.size()));
  stream.next_in = const_cast<std::uint8_t*>(data.data());
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = result.data();
  stream.avail_out = static_cast<uInt>(result.size());
  require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "writeNpz: zlib could not compress");
  result.resize(stream.total_out);
  return result;
}

void append16(Bytes& bytes, std::uint64_t value) {
  for (int shift = 0; shift < 16; shift += 8) bytes.push_back(static_cast<std::uint8_t>(value >> shift));
}

void append32(Bytes& bytes, std::uint64_t value) {
  append16(bytes, value & 0xFFFF);
  append16(bytes, value >> 16);
}

void appendText(Bytes& bytes, const std::string& text) {
  bytes.insert(bytes.end(), text.begin(), text.end());
}

}  // namespace

std::int64_t NpyArray::count() const {
  std::int64_t product = 1;
  for (const std::int64_t length : shape) product *= length;
  return product;
}

std::vector<float> NpyArray::asFloat() const { return convertFrom<float>(dtype, bytes); }
std::vector<double> NpyArray::asDouble() const { return convertFrom<double>(dtype, bytes); }
std::vector<std::int32_t> NpyArray::asInt32() const { return convertFrom<std::int32_t>(dtype, bytes); }

std::vector<std::string> NpyArray::asStrings() const {
  require(dtype.size() > 2 && (dtype[1] == 'U' || dtype[1] == 'S'), "NpyArray: dtype ", dtype,
          " is not text");
  const std::size_t item = itemSize(dtype), unit = dtype[1] == 'U' ? 4 : 1;
  std::vector<std::string> texts(static_cast<std::size_t>(count()));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (std::size_t at = i * item; at < (i + 1) * item; at += unit) {
      const char32_t c = unit == 4 ? readAt<char32_t>(&bytes[at]) : bytes[at];
      if (c == 0) break;
      if (unit == 4) {
        appendUtf8(c, texts[i]);
      } else {
        texts[i].push_back(static_cast<char>(c));
      }
    }
  }
  return texts;
}

NpyArray NpyArray::fromFloat(const float* values, std::vector<std::int64_t> shape) {
  return arrayFrom("<f4", values, std::move(shape));
}
NpyArray NpyArray::fromDouble(const double* values, std::vector<std::int64_t> shape) {
  return arrayFrom("<f8", values, std::move(shape));
}
NpyArray NpyArray::fromInt32(const std::int32_t* values, std::vector<std::int64_t> shape) {
  return arrayFrom("<i4", values, std::move(shape));
}
NpyArray NpyArray::fromUint8(const std::uint8_t* values, std::vector<std::int64_t> shape) {
  return arrayFrom("|u1", values, std::move(shape));
}

NpyArray NpyArray::halfFromFloat(const float* values, std::vector<std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t length : shape) count *= length;
  std::vector<std::uint16_t> halves(static_cast<std::size_t>(count));
  std::transform(values, values + count, halves.begin(), facet::halfFromFloat);
  return arrayFrom("<f2", halves.data(), std::move(shape));
}

NpyArray readNpy(const fs::path& path) {
  const Bytes bytes = readBytes(path);
  return parseNpy(bytes.data(), bytes.size(), path.string());
}

Npz readNpz(const fs::path& path) {
  const Bytes zip = readBytes(path);
  Npz arrays;
  for (const ZipEntry& entry : zipDirectory(zip, path.string())) {
    if (!entry.name.ends_with(".npy")) continue;
    arrays[entry.name.substr(0, entry.name.size() - 4)] = readEntry(zip, entry, path.string());
  }
  return arrays;
}

void writeNpz(const fs::path& path, const Npz& arrays, bool compress) {
  constexpr std::uint16_t kVersion = 20, kDosDate1980 = 0x21;  // a fixed date: equal arrays give equal files
  Bytes zip, directory;
  for (const auto& [key, array] : arrays) {
    require(static_cast<std::size_t>(array.count()) * itemSize(array.dtype) == array.bytes.size(),
            "writeNpz: array ", key, " of type ", array.dtype, " has ", array.bytes.size(),
            " bytes, which does not fit its shape");
    const std::string name = key + ".npy";
    const Bytes content = npyBytes(array);
    const Bytes packed = compress ? deflateRaw(content) : Bytes{};
    const Bytes& stored = compress ? packed : content;
    require(zip.size() + content.size() < 0xFFFFFF00U, "writeNpz: ", path.string(), " would pass 4 GB");

    // The fields that the local header and the directory share.
    Bytes common;
    append16(common, kVersion);
    append16(common, 0);  // flags
    append16(common, compress ? kDeflated : kStored);
    append16(common, 0);  // time
    append16(common, kDosDate1980);
    append32(common, crcOf(content.data(), content.size()));
    append32(common, stored.size());
    append32(common, content.size());
    append16(common, name.size());
    append16(common, 0);  // extra field

    append32(directory, kDirectoryEntry);
    append16(directory, kVersion);
    directory.insert(directory.end(), common.begin(), common.end());
    append16(directory, 0);  // comment
    append16(directory, 0);  // disk
    append16(directory, 0);  // internal attributes
    append32(directory, 0);  // external attributes
    append32(directory, zip.size());
    appendText(directory, name);

    append32(zip, kLocalHeader);
    zip.insert(zip.end(), common.begin(), common.end());
    appendText(zip, name);
    zip.insert(zip.end(), stored.begin(), stored.end());
  }
  const std::size_t directory_start = zip.size();
  zip.insert(zip.end(), directory.begin(), directory.end());
  append32(zip, kDirectoryEnd);
  append32(zip, 0);  // disks
  append16(zip, arrays.size());
  append16(zip, arrays.size());
  append32(zip, directory.size());
  append32(zip, directory_start);
  append16(zip, 0);  // comment
  writeBytes(path, zip.data(), zip.size());
}

}  // namespace facet
