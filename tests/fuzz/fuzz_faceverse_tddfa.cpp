#include <cstddef>
#include <cstdint>

#include "core/error.h"
#include "core/io/faceverse_model.h"
#include "core/io/tddfa_model.h"

// Bytes as a FaceVerse model and as one of 3DDFA; an Error is the only other outcome than a model.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  try {
    const facet::PickleValue file = facet::readPython(facet::SharedBytes(nullptr, bytes, size), "input");
    if (facet::isTddfaModel(file)) {
      facet::TddfaCompanions companions;  // version 2 keeps them in other files
      companions.triangles = facet::Triangles{{0, 1, 3}, {0, 3, 2}, {4, 6, 7}};
      facet::tddfaModelFrom(file, companions);
    } else {
      facet::faceVerseModelFrom(file);
    }
  } catch (const facet::Error&) {
  }
  return 0;
}
