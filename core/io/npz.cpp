#include "core/io/npz.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <sstream>
#include <string_view>

#include "core/check.h"
#include "core/error.h"
#include "core/half_float.h"
#include "core/io/files.h"
#include "core/io/zip.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

using Bytes = std::vector<std::uint8_t>;

template <typename T>
NpyArray arrayFrom(const char* dtype, const T* values, std::vector<std::int64_t> shape) {
  NpyArray array{dtype, std::move(shape), {}};
  array.bytes.resize(static_cast<std::size_t>(array.count()) * sizeof(T));
  if (!array.bytes.empty()) std::memcpy(array.bytes.data(), values, array.bytes.size());
  return array;
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

// The beginning of an .npy: what its header says, and where the data starts. `name` leads the messages. NEP
// 1:
// "\x93NUMPY", version, header length, header, data.
struct NpyHeader {
  ArrayView array;  // without bytes
  bool is_fortran_order = false;
  std::size_t data_start = 0;
};

constexpr std::size_t kPreamble = 12;  // at most: magic, version, header length

// Bytes that hold the whole header, from its first bytes.
std::size_t headerEnd(const SharedBytes& npy, const std::string& name) {
  if (!isNpy(npy)) fail(ErrorKind::kInput, name, ": is not a numpy array (.npy)");
  const bool is_long = npy.data()[6] >= 2;
  std::uint32_t size = 0;
  std::memcpy(&size, npy.data() + 8, is_long ? 4 : 2);
  return (is_long ? 12U : 10U) + std::size_t{size};
}

NpyHeader parseHeader(const SharedBytes& npy, const std::string& name) {
  const auto bad = [&name](const auto&... what) { fail(ErrorKind::kInput, name, ": ", what...); };
  NpyHeader result;
  result.data_start = headerEnd(npy, name);
  if (result.data_start > npy.size()) bad("is cut off inside its header");
  const std::size_t start = npy.data()[6] >= 2 ? 12 : 10;
  const std::string_view header(reinterpret_cast<const char*>(npy.data()) + start, result.data_start - start);

  const std::string_view descr = headerValue(header, "'descr'");
  if (descr.empty() || descr[0] != '\'') bad("has structured or no items; save a plain numeric array");
  result.array.dtype = std::string(descr.substr(1, descr.find('\'', 1) - 1));
  const std::string& dtype = result.array.dtype;
  const bool is_text_of_length_0 = dtype.size() == 3 && dtype[2] == '0' && result.array.isText();
  if (itemSize(dtype) == 0 && !is_text_of_length_0 && !isObjects(dtype)) {
    bad("has items of type ", dtype.substr(0, 20), ", which cannot be read here");
  }

  std::string_view shape = headerValue(header, "'shape'");
  if (shape.empty() || shape[0] != '(') bad("has no shape in its header");
  shape = shape.substr(1, shape.find(')') - 1);
  for (const char *p = shape.data(), *end = p + shape.size(); p < end;) {
    std::int64_t length = 0;
    const auto [next, error] = std::from_chars(p, end, length);
    if (error != std::errc{} || length < 0) bad("has a shape that cannot be read");
    result.array.shape.push_back(length);
    p = next;
    while (p < end && (*p == ',' || *p == ' ')) ++p;
  }
  result.is_fortran_order = headerValue(header, "'fortran_order'").starts_with("True");
  return result;
}

NpyArray plainArray(const SharedBytes& npy, const std::string& name) {
  const ArrayView view = viewNpy(npy, name);
  if (isObjects(view.dtype)) {
    fail(ErrorKind::kInput, name, ": holds pickled Python objects; save a plain numeric array");
  }
  NpyArray array{view.dtype, view.shape, view.contiguousBytes()};
  if (array.dtype[0] == '>') array.dtype[0] = '<';
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
  constexpr std::size_t kShortPreamble = 10;
  header.append(63 - (kShortPreamble + header.size()) % 64, ' ');
  header += '\n';

  Bytes bytes(kShortPreamble + header.size() + array.bytes.size());
  std::memcpy(bytes.data(), "\x93NUMPY\x01\x00", 8);
  bytes[8] = static_cast<std::uint8_t>(header.size() & 0xFF);
  bytes[9] = static_cast<std::uint8_t>(header.size() >> 8);
  std::copy(header.begin(), header.end(), bytes.begin() + kShortPreamble);
  std::copy(array.bytes.begin(), array.bytes.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(kShortPreamble + header.size()));
  return bytes;
}

// Zip: APPNOTE.TXT of PKWARE, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.16 (end).
constexpr std::uint32_t kLocalHeader = 0x04034b50, kDirectoryEntry = 0x02014b50, kDirectoryEnd = 0x06054b50;
constexpr std::uint16_t kStored = 0, kDeflated = 8;

std::uint32_t crcOf(const std::uint8_t* data, std::size_t size) {
  return static_cast<std::uint32_t>(crc32_z(0, data, size));
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

namespace {

// The array as a view that does not own its bytes.
ArrayView viewOf(const NpyArray& array) {
  ArrayView view{array.dtype, array.shape, {}, {nullptr, array.bytes.data(), array.bytes.size()}};
  const std::string problem = view.layOut(/*fortran_order=*/false);
  require(problem.empty(), "NpyArray: ", problem);
  return view;
}

}  // namespace

std::vector<float> NpyArray::asFloat() const { return viewOf(*this).asFloat(); }
std::vector<double> NpyArray::asDouble() const { return viewOf(*this).asDouble(); }
std::vector<std::int32_t> NpyArray::asInt32() const { return viewOf(*this).asInt32(); }
std::vector<std::string> NpyArray::asStrings() const { return viewOf(*this).asStrings(); }

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

bool isNpy(const SharedBytes& bytes) {
  return bytes.size() >= kPreamble && std::memcmp(bytes.data(), "\x93NUMPY", 6) == 0;
}

bool isObjects(const std::string& dtype) { return dtype.find('O') != std::string::npos; }

ArrayView viewNpy(const SharedBytes& npy, const std::string& name) {
  NpyHeader header = parseHeader(npy, name);
  header.array.bytes = npy.part(header.data_start, npy.size() - header.data_start);
  const std::string problem = header.array.layOut(header.is_fortran_order);
  if (!problem.empty()) fail(ErrorKind::kInput, name, ": ", problem);
  return std::move(header.array);
}

NpzFile::NpzFile(SharedBytes bytes, std::string name, Checksum checksum)
    : bytes_(std::move(bytes)), name_(std::move(name)), checksum_(checksum) {
  if (!isZip(bytes_)) fail(ErrorKind::kInput, name_, ": is not a numpy archive (.npz)");
  for (ZipEntry& entry : zipDirectory(bytes_, name_)) {
    if (entry.name.ends_with(".npy")) entries_.push_back(std::move(entry));
  }
}

std::string NpzFile::key(std::size_t i) const {
  return entries_.at(i).name.substr(0, entries_.at(i).name.size() - 4);
}

// Header of an entry, from its first bytes only; what it says must agree with the entry's size, so that a
// claim that no data stands behind is refused before memory is asked for.
ArrayView NpzFile::header(std::size_t i) const {
  const ZipEntry& entry = entries_.at(i);
  const std::string name = name_ + " (" + entry.name + ")";
  const SharedBytes beginning = zipContent(bytes_, entry, name, kPreamble);
  const std::size_t header_end = headerEnd(beginning, name);
  if (header_end > entry.size) fail(ErrorKind::kInput, name, ": is cut off inside its header");
  NpyHeader header = parseHeader(zipContent(bytes_, entry, name, header_end), name);
  if (!isObjects(header.array.dtype)) {
    // No bytes yet; only their number matters to the check.
    header.array.bytes = SharedBytes(nullptr, nullptr, entry.size - header_end);
    const std::string problem = header.array.layOut(header.is_fortran_order);
    if (!problem.empty()) fail(ErrorKind::kInput, name, ": ", problem);
  }
  header.array.bytes = {};
  return std::move(header.array);
}

SharedBytes NpzFile::content(std::size_t i) const {
  header(i);
  const ZipEntry& entry = entries_.at(i);
  return zipContent(bytes_, entry, name_ + " (" + entry.name + ")", SIZE_MAX, checksum_);
}

NpyArray readNpy(const fs::path& path) { return plainArray(SharedBytes(readBytes(path)), path.string()); }

Npz readNpz(const SharedBytes& bytes, const std::string& name) {
  const NpzFile file(bytes, name);
  Npz arrays;
  for (std::size_t i = 0; i < file.size(); ++i) {
    arrays[file.key(i)] = plainArray(file.content(i), name + " (" + file.key(i) + ".npy)");
  }
  return arrays;
}

Npz readNpz(const fs::path& path) { return readNpz(SharedBytes(readBytes(path)), path.string()); }

void writeNpz(const fs::path& path, const Npz& arrays, bool compress) {
  constexpr std::uint16_t kVersion = 20, kDosDate1980 = 0x21;  // a fixed date: equal arrays give equal files
  constexpr std::size_t kAlignment = 64;
  constexpr std::uint16_t kPaddingField = 0xFACE;  // any number that the zip format gives no meaning to
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

    append32(directory, kDirectoryEntry);
    append16(directory, kVersion);
    directory.insert(directory.end(), common.begin(), common.end());
    append16(directory, 0);  // extra field
    append16(directory, 0);  // comment
    append16(directory, 0);  // disk
    append16(directory, 0);  // internal attributes
    append32(directory, 0);  // external attributes
    append32(directory, zip.size());
    appendText(directory, name);

    append32(zip, kLocalHeader);
    zip.insert(zip.end(), common.begin(), common.end());
    // numpy's header is a multiple of 64 bytes long; an extra field in front of it brings the data to one,
    // too.
    constexpr std::size_t kFieldHead = 4;
    const std::size_t unpadded = zip.size() + 2 + name.size() + kFieldHead;
    const std::size_t padding = compress ? 0 : kFieldHead + (kAlignment - unpadded % kAlignment) % kAlignment;
    append16(zip, padding);
    appendText(zip, name);
    if (padding > 0) {
      append16(zip, kPaddingField);
      append16(zip, padding - kFieldHead);
      zip.resize(zip.size() + padding - kFieldHead);
    }
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
