#include <cstddef>
#include <cstdint>

#include "core/error.h"
#include "core/io/flame_model.h"
#include "tests/core/io/flame_fixture.h"

// Bytes as a file beside a FLAME model (landmarks, masks, eyelids, UVs, textures). Broken ones are passed
// over, so that a model always comes out.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const facet::PickleValue model = [] {
    const facet::test::FlameArrays flame =
        facet::test::makeFlameArrays(8, 1, 4, 6);  // 26 vertices, 48 triangles
    return facet::readPython(facet::test::flamePickle(flame, 2, true, false), "model");
  }();
  try {
    const facet::PickleValue file = facet::readPython(facet::SharedBytes(nullptr, bytes, size), "input");
    facet::flameModelFrom(model, {file});
  } catch (const facet::Error&) {
  }
  return 0;
}
