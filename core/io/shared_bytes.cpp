#include "core/io/shared_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace facet {

SharedBytes mapFile(const std::filesystem::path& path) {
  const auto bad = [&path](const char* why) { fail(ErrorKind::kInput, path.string(), ": ", why); };
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) bad(errno == ENOENT ? "no such file" : std::strerror(errno));
  // The mapping outlives the descriptor.
  const std::shared_ptr<const void> guard(nullptr, [file](const void*) { close(file); });
  struct stat status {};
  if (fstat(file, &status) != 0) bad(std::strerror(errno));
  if (S_ISDIR(status.st_mode)) bad("is a folder, not a file");
  if (!S_ISREG(status.st_mode)) bad("is not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return {};
  void* mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (mapped == MAP_FAILED) bad(std::strerror(errno));
  const std::shared_ptr<const void> owner(mapped,
                                          [size](const void* p) { munmap(const_cast<void*>(p), size); });
  return {owner, static_cast<const std::uint8_t*>(mapped), size};
}

}  // namespace facet
