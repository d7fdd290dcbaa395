#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "core/error.h"
#include "core/io/mesh_io.h"

// Bytes as an OBJ, by way of a file, because that is what the parser takes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("facet_fuzz_" + std::to_string(getpid()) + ".obj");
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes), static_cast<std::streamsize>(size));
  try {
    facet::readObj(path);
  } catch (const facet::Error&) {
  }
  return 0;
}
