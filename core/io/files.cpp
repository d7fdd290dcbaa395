#include "core/io/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>

#include "core/error.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

// Removes the temporary file unless it was renamed to its final name.
struct TemporaryFile {
  fs::path path;
  bool keep = false;
  ~TemporaryFile() {
    std::error_code ignored;
    if (!keep) fs::remove(path, ignored);
  }
};

fs::path temporaryPath(const fs::path& path) {
  static std::atomic<unsigned> counter = 0;
  std::ostringstream name;
  name << '.' << path.filename().string() << '.' << getpid() << '-' << counter++ << ".tmp";
  return path.parent_path() / name.str();
}

template <typename Container>
Container readWhole(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    fail(ErrorKind::kInput, path.string(), ": no such file; check the path");
  }
  if (fs::is_directory(status)) fail(ErrorKind::kInput, path.string(), ": is a directory, expected a file");
  const File file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) fail(ErrorKind::kInput, path.string(), ": cannot be opened: ", std::strerror(errno));

  Container content;
  const std::uintmax_t size = fs::is_regular_file(status) ? fs::file_size(path, error) : 0;
  if (!error) content.resize(size);
  std::size_t filled = std::fread(content.data(), 1, content.size(), file.get());
  // Pipes and files that grow meanwhile have no size to trust.
  std::array<char, 1 << 14> more;
  content.resize(filled);
  while (const std::size_t count = std::fread(more.data(), 1, more.size(), file.get())) {
    content.insert(content.end(), more.data(), more.data() + count);
  }
  if (std::ferror(file.get()))
    fail(ErrorKind::kInput, path.string(), ": cannot be read: ", std::strerror(errno));
  return content;
}

constexpr std::array<std::uint32_t, 64> kSha256Constants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

void sha256Block(const std::uint8_t* block, std::array<std::uint32_t, 8>& state) {
  std::array<std::uint32_t, 64> w;
  for (int i = 0; i < 16; ++i) {
    const std::uint8_t* b = block + 4 * i;
    w[i] = std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
  }
  for (int i = 16; i < 64; ++i) {
    const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (int i = 0; i < 64; ++i) {
    const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kSha256Constants[i] + w[i];
    const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  const std::array<std::uint32_t, 8> mixed = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; ++i) state[i] += mixed[i];
}

}  // namespace

SharedBytes mapBytes(const fs::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (file < 0 || fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) {
    if (file >= 0) close(file);
    return readBytes(path);
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);  // the mapping stays
  if (mapped == MAP_FAILED) return readBytes(path);
  const std::shared_ptr<const void> owner(mapped,
                                          [size](const void* at) { munmap(const_cast<void*>(at), size); });
  return {owner, static_cast<const std::uint8_t*>(mapped), size};
}

std::vector<std::uint8_t> readBytes(const fs::path& path) {
  return readWhole<std::vector<std::uint8_t>>(path);
}

std::string readText(const fs::path& path) { return readWhole<std::string>(path); }

void writeBytes(const fs::path& path, const void* bytes, std::size_t count) {
  const auto complain = [&path](int error) {
    fail(ErrorKind::kRuntime, path.string(), ": cannot be written: ", std::strerror(error),
         error == ENOSPC ? "; free some space or choose another folder"
                         : "; check that the folder exists and may be written");
  };
  if (fs::is_directory(path)) complain(EISDIR);
  TemporaryFile temporary{temporaryPath(path)};
  File file(std::fopen(temporary.path.c_str(), "wbx"), &std::fclose);
  if (!file) {
    temporary.keep = true;  // not ours
    complain(errno);
  }
  // The disk may turn out to be full as late as on closing.
  if (std::fwrite(bytes, 1, count, file.get()) != count) complain(errno);
  if (std::fclose(file.release()) != 0) complain(errno);
  if (std::rename(temporary.path.c_str(), path.c_str()) != 0) complain(errno);
  temporary.keep = true;
}

void writeText(const fs::path& path, const std::string& text) { writeBytes(path, text.data(), text.size()); }

// FIPS 180-4.
std::string sha256(ByteSpan bytes) {
  std::array<std::uint32_t, 8> state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const std::size_t whole_blocks = bytes.size() / 64;
  for (std::size_t i = 0; i < whole_blocks; ++i) sha256Block(bytes.data() + 64 * i, state);

  // The rest, a single 1 bit, zeros, and the length in bits as the last 8 bytes of a block.
  std::vector<std::uint8_t> tail(bytes.begin() + static_cast<std::ptrdiff_t>(64 * whole_blocks), bytes.end());
  tail.push_back(0x80);
  while (tail.size() % 64 != 56) tail.push_back(0);
  const std::uint64_t bit_count = std::uint64_t{bytes.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) tail.push_back(static_cast<std::uint8_t>(bit_count >> shift));
  for (std::size_t i = 0; i < tail.size(); i += 64) sha256Block(tail.data() + i, state);

  std::string hex;
  for (const std::uint32_t word : state) {
    char digits[9];
    std::snprintf(digits, sizeof digits, "%08x", word);
    hex += digits;
  }
  return hex;
}

}  // namespace facet
