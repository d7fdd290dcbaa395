#include <cstddef>
#include <cstdint>

#include "core/error.h"
#include "core/io/pickle.h"

namespace {

using facet::PickleValue;

// Asks a value for everything it could be. A pickle may hold itself: `left` bounds the walk.
void walk(const PickleValue& value, int depth, int& left) {
  if (depth == 0 || --left < 0) return;
  const auto attempt = [](const auto& body) {
    try {
      body();
    } catch (const facet::Error&) {
    }
  };
  attempt([&] { value.number(); });
  attempt([&] { value.integer(); });
  attempt([&] { value.text(); });
  attempt([&] { value.texts(); });
  attempt([&] { value.indices(1000); });
  attempt([&] { value.points(); });
  attempt([&] { value.matrix(value.count(), {PickleValue::kAny}); });
  attempt([&] { value.modes(2); });
  attempt([&] { value.sparse(5, 8); });
  if (value.kind() == PickleValue::Kind::kDict) {
    for (const std::string& key : value.keys()) attempt([&] { walk(value[key], depth - 1, left); });
  } else if (value.kind() == PickleValue::Kind::kList) {
    for (std::size_t i = 0; i < value.size() && left > 0; ++i) walk(value[i], depth - 1, left);
  }
}

}  // namespace

// Bytes as any file that Python writes; an Error is the only other outcome than a tree of values.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  try {
    int left = 2000;
    walk(facet::readPython(facet::SharedBytes(nullptr, bytes, size), "input"), 8, left);
  } catch (const facet::Error&) {
  }
  return 0;
}
