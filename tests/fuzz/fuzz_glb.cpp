#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/error.h"
#include "core/io/glb_reader.h"

// Bytes as a .glb or .gltf. An Error is the only other outcome than an asset that fits together.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  try {
    facet::glbFrom(std::vector<std::uint8_t>(bytes, bytes + size), "/nowhere/input.glb");
  } catch (const facet::Error&) {
  }
  return 0;
}
