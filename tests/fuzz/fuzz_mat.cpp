#include <cstddef>
#include <cstdint>

#include "core/error.h"
#include "core/io/bfm_model.h"

// Bytes as a Basel model; an Error is the only other outcome than a model.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  try {
    facet::bfmModelFrom({bytes, size}, "/nowhere/input");
  } catch (const facet::Error&) {
  }
  return 0;
}
