#include "core/io/zip.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "core/error.h"
#include "core/io/byte_reader.h"

namespace facet {
namespace {

// Signatures and sizes: APPNOTE.TXT of PKWARE, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14 to
// 4.3.16.
constexpr std::uint32_t kLocalHeader = 0x04034b50, kDirectoryEntry = 0x02014b50, kDirectoryEnd = 0x06054b50;
constexpr std::uint32_t kDirectoryEnd64 = 0x06064b50, kDirectoryEnd64Locator = 0x07064b50;
constexpr std::uint16_t kStored = 0, kDeflated = 8;

SharedBytes inflateRaw(const std::uint8_t* data, std::size_t size, std::size_t expected, std::size_t limit,
                       const std::string& name) {
  const std::size_t wanted = std::min(expected, limit);
  std::vector<std::uint8_t> result(std::min(wanted + 1, std::max<std::size_t>(4 * size, 1U << 16)));
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) fail(ErrorKind::kRuntime, name, ": zlib does not start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, &inflateEnd);
  std::size_t consumed = 0, produced = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    if (produced == result.size()) {
      if (produced > wanted) break;  // a byte more than wanted shows data that is too long
      result.resize(std::min(wanted + 1, 2 * result.size()));
    }
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
  const bool has_beginning = wanted < expected && produced >= wanted;
  if (!has_beginning && (status != Z_STREAM_END || produced != expected)) {
    fail(ErrorKind::kInput, name, ": is damaged");
  }
  result.resize(wanted);
  return SharedBytes(std::move(result));
}

}  // namespace

bool isZip(const SharedBytes& bytes) {
  if (bytes.size() < 22) return false;
  const auto signature = loadNumber<std::uint32_t>(bytes.data());
  return signature == kLocalHeader || signature == kDirectoryEnd;
}

std::vector<ZipEntry> zipDirectory(const SharedBytes& zip, const std::string& name) {
  const auto bad = [&name](const auto&... what) { fail(ErrorKind::kInput, name, ": ", what...); };
  if (!isZip(zip)) bad("is not a zip archive");
  const std::uint8_t* bytes = zip.data();
  if (loadNumber<std::uint32_t>(bytes) == kDirectoryEnd) return {};
  // The end record is the last thing in the file, but for a comment of up to 64 KiB.
  std::size_t end = zip.size() - 22;
  const std::size_t lowest = end > 0xFFFF ? end - 0xFFFF : 0;
  while (end > lowest && loadNumber<std::uint32_t>(bytes + end) != kDirectoryEnd) --end;
  if (loadNumber<std::uint32_t>(bytes + end) != kDirectoryEnd)
    bad("is cut off: the archive's directory is missing");
  std::uint64_t count = loadNumber<std::uint16_t>(bytes + end + 10),
                offset = loadNumber<std::uint32_t>(bytes + end + 16);
  if (end >= 20 && loadNumber<std::uint32_t>(bytes + end - 20) == kDirectoryEnd64Locator) {
    const auto end64 = loadNumber<std::uint64_t>(bytes + end - 12);
    if (zip.size() < 56 || end64 > zip.size() - 56 ||
        loadNumber<std::uint32_t>(bytes + end64) != kDirectoryEnd64) {
      bad("has a damaged directory");
    }
    count = loadNumber<std::uint64_t>(bytes + end64 + 32);
    offset = loadNumber<std::uint64_t>(bytes + end64 + 48);
  }

  std::vector<ZipEntry> entries;
  std::uint64_t all_compressed = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (offset > zip.size() || zip.size() - offset < 46 ||
        loadNumber<std::uint32_t>(bytes + offset) != kDirectoryEntry) {
      bad("has a damaged directory");
    }
    const std::uint8_t* head = bytes + offset;
    ZipEntry entry;
    entry.flags = loadNumber<std::uint16_t>(head + 8);
    entry.method = loadNumber<std::uint16_t>(head + 10);
    entry.crc = loadNumber<std::uint32_t>(head + 16);
    entry.compressed = loadNumber<std::uint32_t>(head + 20);
    entry.size = loadNumber<std::uint32_t>(head + 24);
    entry.offset = loadNumber<std::uint32_t>(head + 42);
    const std::size_t name_size = loadNumber<std::uint16_t>(head + 28),
                      extra_size = loadNumber<std::uint16_t>(head + 30);
    const std::size_t comment_size = loadNumber<std::uint16_t>(head + 32);
    if (zip.size() - offset - 46 < name_size + extra_size + comment_size) bad("has a damaged directory");
    entry.name.assign(reinterpret_cast<const char*>(head + 46), name_size);
    // Zip64: sizes that do not fit 32 bits stand in an extra field, in this order, only those that are all
    // ones.
    const std::uint8_t *extra = head + 46 + name_size, *extra_end = extra + extra_size;
    while (extra_end - extra >= 4) {
      const std::uint8_t* field = extra + 4;
      const std::size_t field_size = loadNumber<std::uint16_t>(extra + 2);
      if (field_size > static_cast<std::size_t>(extra_end - field)) break;
      const std::uint8_t* next = field + field_size;
      if (loadNumber<std::uint16_t>(extra) == 1) {
        for (std::uint64_t* value : {&entry.size, &entry.compressed, &entry.offset}) {
          if (*value != 0xFFFFFFFF || next - field < 8) continue;
          *value = loadNumber<std::uint64_t>(field);
          field += 8;
        }
      }
      extra = next;
    }
    offset += 46 + name_size + extra_size + comment_size;
    if (entry.compressed > zip.size() - all_compressed) bad("has a damaged directory");
    all_compressed += entry.compressed;
    if (entry.method == kDeflated && entry.size / kMaxDeflateRatio > entry.compressed + 1) {
      bad("has a damaged directory: ", entry.compressed, " bytes cannot hold ", entry.size);
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

SharedBytes zipContent(const SharedBytes& zip, const ZipEntry& entry, const std::string& name,
                       std::size_t limit, Checksum checksum) {
  const auto bad = [&name](const char* what) { fail(ErrorKind::kInput, name, ": ", what); };
  if (entry.flags & 1) bad("is encrypted");
  if (entry.offset > zip.size() || zip.size() - entry.offset < 30 ||
      loadNumber<std::uint32_t>(zip.data() + entry.offset) != kLocalHeader) {
    bad("is damaged");
  }
  const std::uint8_t* head = zip.data() + entry.offset;
  const std::uint64_t start =
      entry.offset + 30 + loadNumber<std::uint16_t>(head + 26) + loadNumber<std::uint16_t>(head + 28);
  if (start > zip.size() || zip.size() - start < entry.compressed) bad("is cut off");
  const std::uint8_t* data = zip.data() + start;
  if (entry.method == kStored && entry.size != entry.compressed) bad("is damaged");
  if (entry.method != kStored && entry.method != kDeflated) {
    bad("is compressed by a method that is not supported (neither stored nor deflated)");
  }
  const SharedBytes content = entry.method == kStored
                                  ? zip.part(start, std::min<std::size_t>(entry.size, limit))
                                  : inflateRaw(data, entry.compressed, entry.size, limit, name);
  if (checksum == Checksum::kVerify && content.size() == entry.size &&
      crc32_z(0, content.data(), content.size()) != entry.crc)
    bad("is damaged");
  return content;
}

}  // namespace facet
