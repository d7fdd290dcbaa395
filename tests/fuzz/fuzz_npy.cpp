#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "core/error.h"
#include "core/io/npz.h"

// Bytes as .npz, its index first, and as .npy. An Error is the only other outcome than arrays; converting
// what is not a number throws std::invalid_argument.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const facet::SharedBytes input(nullptr, bytes, size);
  const auto convert = [](const auto& array) {
    try {
      array.asFloat();
    } catch (const std::invalid_argument&) {
    }
    try {
      array.asInt32();
    } catch (const std::invalid_argument&) {
    }
    try {
      array.asStrings();
    } catch (const std::invalid_argument&) {
    }
  };
  try {
    const facet::NpzFile file(input, "input");
    for (std::size_t i = 0; i < file.size(); ++i) file.header(i);
  } catch (const facet::Error&) {
  }
  try {
    for (const auto& [key, array] : facet::readNpz(input, "input")) convert(array);
  } catch (const facet::Error&) {
  }
  try {
    const facet::ArrayView view = facet::viewNpy(input, "input");
    if (!facet::isObjects(view.dtype)) {
      convert(view);
      if (view.count() > 0 && view.isNumeric()) view.asMatrix(view.shape.empty() ? 1 : view.shape[0]);
    }
  } catch (const facet::Error&) {
  }
  return 0;
}
