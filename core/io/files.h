#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/io/shared_bytes.h"

namespace facet {

// Whole file. Error(kInput) for a missing file, a directory, or one that cannot be read.
std::vector<std::uint8_t> readBytes(const std::filesystem::path& path);
std::string readText(const std::filesystem::path& path);

// A file's bytes as they lie on disk: pages are read when they are looked at, so that opening a large file
// takes no time. The file must not be changed in place meanwhile (files that facet writes are replaced as a
// whole). A file that cannot be mapped, such as a pipe, is read. Errors as readBytes().
SharedBytes mapBytes(const std::filesystem::path& path);

// Writes to a temporary name in the same folder, then renames: the file is whole or not there.
// Error(kRuntime) when the folder cannot be written or the disk is full; the temporary file is removed.
void writeBytes(const std::filesystem::path& path, const void* bytes, std::size_t count);
void writeText(const std::filesystem::path& path, const std::string& text);

// SHA-256 of a file's bytes, lower-case hexadecimal.
std::string sha256(ByteSpan bytes);

}  // namespace facet
