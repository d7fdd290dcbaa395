#include "fitting/model_landmarks.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/io/model_io.h"
#include "tests/data.h"

using namespace facet;

namespace {

double meanDistance(const Points3& found, const Points3& truth, int first, int last) {
  return (found - truth).middleRows(first, last - first + 1).rowwise().norm().mean();
}

}  // namespace

TEST_CASE("findModelLandmarks: the network finds a model's own landmarks on pictures of its mean") {
  const FaceDetector detector;
  const LandmarkRegressor regressor;
  const auto data = test::realData();
  if (!data) MESSAGE("skipped for ICT-FaceKit: no ../shared/data");
  for (const bool is_builtin : {true, false}) {
    if (!is_builtin && !data) continue;
    const MorphableModel model =
        loadModel(is_builtin ? "builtin" : (*data / "ict_facekit/ict_facekit_light.npz").string());
    const auto found = findModelLandmarks(model, detector, regressor);
    REQUIRE(found.has_value());
    const Points3 truth = model.landmarks68.points(model.mean, model.triangles);
    CHECK(found->spread_mm < 2);
    // Two conventions differ by a millimetre or two; an eye or lip mistaken for its neighbour by ten.
    CHECK(meanDistance(found->ibug68, truth, 0, 16) < 4);
    CHECK(meanDistance(found->ibug68, truth, 27, 35) < 5);
    CHECK(meanDistance(found->ibug68, truth, 36, 47) < 4);
    CHECK(meanDistance(found->ibug68, truth, 48, 67) < 3);
    CHECK_FALSE(std::isfinite(found->ibug68(20, 0)));  // a brow
  }
}

TEST_CASE("findModelLandmarks: nothing is found on a head that is no face") {
  MorphableModel model = makeSyntheticModel();
  CHECK_FALSE(findModelLandmarks(model, FaceDetector(), LandmarkRegressor()).has_value());
}
