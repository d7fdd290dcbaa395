// facet's FLAME against an independent numpy script: on a small file of FLAME's shape, and on the real one
// that FACET_TEST_FLAME names.
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

#include "core/io/files.h"
#include "core/io/flame_model.h"
#include "core/io/npz.h"
#include "tests/core/io/flame_fixture.h"
#include "tests/data.h"

using namespace facet;
using namespace facet::test;

namespace {

// Largest difference of a coordinate, metres, over a few heads with every joint turned.
double differenceFromPaper(const std::filesystem::path& model_path) {
  const MorphableModel model = readFlameModel(model_path);
  REQUIRE(model.skeleton);
  const TemporaryFolder folder("parity");
  std::mt19937 generator(11);
  std::normal_distribution<float> normal;
  double largest_m = 0;
  for (int head = 0; head < 3; ++head) {
    const auto random = [&](int count, float sigma) {
      return Eigen::VectorXf(Eigen::VectorXf::NullaryExpr(count, [&] { return sigma * normal(generator); }));
    };
    const Eigen::VectorXf identity = random(model.numIdentity(), 1);
    // Eyelids that lie beside the model are no part of the paper.
    const Eigen::VectorXf expression = random(model.numExpression() - model.num_blendshapes, 1);
    const Eigen::VectorXf angles = random(3 * model.skeleton->numJoints(), 0.2F);
    const Points3 pose = Eigen::Map<const Points3>(angles.data(), model.skeleton->numJoints(), 3);
    const Points3 vertices = model.vertices(identity, expression, pose);
    Npz arrays;
    arrays["identity"] = NpyArray::fromFloat(identity.data(), {identity.size()});
    arrays["expression"] = NpyArray::fromFloat(expression.data(), {expression.size()});
    arrays["pose"] = NpyArray::fromFloat(pose.data(), {pose.rows(), 3});
    arrays["vertices"] = NpyArray::fromFloat(vertices.data(), {vertices.rows(), 3});
    writeNpz(folder / "facet.npz", arrays);
    const std::string command = std::string("/usr/bin/python3 '") + FACET_SOURCE_DIR +
                                "/tests/core/flame_parity.py' '" + model_path.string() + "' '" +
                                (folder / "facet.npz").string() + "' > '" + (folder / "difference").string() +
                                "'";
    REQUIRE(std::system(command.c_str()) == 0);
    largest_m = std::max(largest_m, std::stod(readText(folder / "difference")));
  }
  return largest_m;
}

bool hasScipy() { return std::system("/usr/bin/python3 -c 'import numpy, scipy' 2>/dev/null") == 0; }

}  // namespace

TEST_CASE("FLAME: shaped, corrected and skinned vertices are the paper's to 10 micrometres") {
  if (!hasScipy()) {
    MESSAGE("skipped: python3 with numpy and scipy is not installed");
    return;
  }
  const TemporaryFolder folder("flame");
  const std::vector<std::uint8_t> bytes = flamePickle(makeFlameArrays());
  writeBytes(folder / "generic_model.pkl", bytes.data(), bytes.size());
  CHECK(differenceFromPaper(folder / "generic_model.pkl") < 1e-5);
}

TEST_CASE("FLAME: the real model that FACET_TEST_FLAME names agrees with the paper's equations") {
  const char* path = std::getenv("FACET_TEST_FLAME");
  if (path == nullptr || !hasScipy()) {
    MESSAGE("skipped: FACET_TEST_FLAME names no FLAME file, or python3 with scipy is not installed");
    return;
  }
  CHECK(differenceFromPaper(path) < 1e-5);
}
