#include <cstddef>
#include <cstdint>

#include "core/error.h"
#include "core/io/flame_model.h"

// Bytes as a FLAME model, .pkl or .npz; an Error is the only other outcome than a model.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  try {
    const facet::PickleValue file = facet::readPython(facet::SharedBytes(nullptr, bytes, size), "input");
    facet::isFlameModel(file);
    facet::flameModelFrom(file);
  } catch (const facet::Error&) {
  }
  return 0;
}
