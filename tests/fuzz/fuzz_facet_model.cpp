#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "core/error.h"
#include "core/io/facet_model.h"
#include "core/io/ict_model.h"
#include "core/io/npz.h"

// Bytes as facet's own model file, whose bases are then looked at, and as the packed ICT-FaceKit. An Error is
// the only other outcome than a model.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const facet::SharedBytes input(nullptr, bytes, size);
  try {
    if (facet::isFacetModel(input, "input")) {
      const facet::MorphableModel model = facet::facetModelFrom(input, "/nowhere/input");
      model.check();
      model.vertices(Eigen::VectorXf::Ones(model.numIdentity()),
                     Eigen::VectorXf::Ones(model.numExpression()));
    }
  } catch (const facet::Error&) {
  } catch (const std::invalid_argument&) {  // check() found a value that is not finite
  }
  try {
    if (facet::isPackedIctModel(input, "input")) facet::ictModelFrom(facet::readNpz(input, "input"), "/nowhere/input");
  } catch (const facet::Error&) {
  }
  return 0;
}
