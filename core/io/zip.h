#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/io/shared_bytes.h"

namespace facet {

// One file of a zip archive (.npz, torch), as the archive's directory describes it.
struct ZipEntry {
  std::string name;
  std::uint16_t flags = 0, method = 0;
  std::uint32_t crc = 0;
  std::uint64_t compressed = 0, size = 0, offset = 0;
};

bool isZip(const SharedBytes& bytes);

// The archive's directory; zip64 is understood. Entries that together are larger than the archive (they would
// overlap: a zip bomb), or that claim more than deflate could have packed, are refused.
// Errors: Error(kInput), led by `name`.
std::vector<ZipEntry> zipDirectory(const SharedBytes& zip, const std::string& name);

enum class Checksum { kVerify, kTrust };  // trust: do not read the whole entry only to verify it

// The content of an entry: a part of `zip` where it is stored, inflated otherwise. With `limit`, only that
// many first bytes, whose checksum is not verified. Memory grows with what is really there, not with what
// the directory claims. Errors: Error(kInput), led by `name`.
SharedBytes zipContent(const SharedBytes& zip, const ZipEntry& entry, const std::string& name,
                       std::size_t limit = SIZE_MAX, Checksum checksum = Checksum::kVerify);

}  // namespace facet
