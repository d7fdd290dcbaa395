#include <cstddef>
#include <cstdint>

#include "core/error.h"
#include "core/io/obj_parser.h"

// Bytes as an OBJ. An Error is the only other outcome than a mesh.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  try {
    facet::parseObj({reinterpret_cast<const char*>(bytes), size}, "/nowhere/input.obj");
  } catch (const facet::Error&) {
  }
  return 0;
}
