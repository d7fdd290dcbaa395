#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "core/error.h"
#include "core/io/bfm_model.h"
#include "core/io/hdf5_file.h"

// Bytes as an HDF5 file whose arrays are read one by one, then as a Basel model.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const facet::ByteSpan input(bytes, size);
  try {
    const facet::Hdf5File file(input);
    for (const char* path : {"a", "b", "shape/model/pcaBasis"}) {
      if (file.has(path)) file.read(path);
    }
    if (file.has("text")) file.readText("text");
  } catch (const std::invalid_argument&) {
  }
  try {
    facet::bfmModelFrom(input, "/nowhere/input");
  } catch (const facet::Error&) {
  }
  return 0;
}
