#include <cstddef>
#include <cstdint>

#include "core/error.h"
#include "core/io/eos_model.h"

// Bytes as an eos model; an Error is the only other outcome than a model.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  facet::isEosModel({bytes, size});
  try {
    facet::eosModelFrom({bytes, size}, "/nowhere/input");
  } catch (const facet::Error&) {
  }
  return 0;
}
