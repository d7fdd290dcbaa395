#include "synth/lids.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/model_io.h"
#include "synth/random.h"
#include "tests/data.h"

using namespace facet;
using namespace facet::synth;

TEST_CASE("Lids: meet at a full blink on every person, and stay half open at half a blink") {
  const MorphableModel model = loadModel("builtin");
  std::vector<std::uint8_t> is_eye(model.numVertices());
  for (int v = 0; v < model.numVertices(); ++v)
    is_eye[v] = model.region_names[model.region[v]].starts_with("eyeball");
  // Middles of the eyeballs' boxes.
  const auto eyeCentres = [&](const Points3& vertices) {
    Eigen::Vector3f low[2], high[2];
    for (int side = 0; side < 2; ++side) low[side].setConstant(1e6F), high[side].setConstant(-1e6F);
    for (int v = 0; v < model.numVertices(); ++v) {
      if (!is_eye[v]) continue;
      const int side = model.mean(v, 0) > 0 ? 0 : 1;
      low[side] = low[side].cwiseMin(vertices.row(v).transpose());
      high[side] = high[side].cwiseMax(vertices.row(v).transpose());
    }
    Points3 centres(2, 3);
    for (int side = 0; side < 2; ++side) centres.row(side) = (low[side] + high[side]) / 2;
    return centres;
  };
  const Lids lids(model, model.numVertices(), eyeCentres(model.mean), is_eye);
  const std::array<Eigen::Vector3f, 2> ahead = {Eigen::Vector3f::UnitZ(), Eigen::Vector3f::UnitZ()};
  const int blink[2] = {static_cast<int>(*model.expressionIndex("eyeBlinkLeft")),
                        static_cast<int>(*model.expressionIndex("eyeBlinkRight"))};
  Random random(7);
  double linear_worst_mm = 0;
  for (int person = 0; person < 20; ++person) {
    Eigen::VectorXf identity = Eigen::VectorXf::Zero(model.numIdentity());
    for (float& c : identity) c = 1.3F * random.normal();
    Eigen::VectorXf weights = Eigen::VectorXf::Zero(model.numExpression());
    weights(*model.expressionIndex("eyeWideLeft")) = random.uniform();
    const Points3 open = model.vertices(identity, weights);
    for (const float amount : {0.5F, 1.0F}) {
      for (const int index : blink) weights(index) = amount;
      Points3 shut = model.vertices(identity, weights);
      if (amount == 1) linear_worst_mm = std::max<double>(linear_worst_mm, lids.gap_mm(0, shut));
      lids.close(model, weights, eyeCentres(shut), ahead, shut);
      for (int side = 0; side < 2; ++side) {
        const float share = lids.gap_mm(side, shut) / lids.gap_mm(side, open);
        CAPTURE(person);
        CAPTURE(amount);
        if (amount == 1) CHECK(lids.gap_mm(side, shut) < 0.3F);
        if (amount == 0.5F) CHECK(share == doctest::Approx(0.5).epsilon(0.25));
      }
    }
  }
  CHECK(linear_worst_mm > 1);  // what the linear shape leaves open: the test would notice its absence
}

TEST_CASE("Lids: a model without the dense set has no gap to measure") {
  const MorphableModel model = makeSyntheticModel(0, 1, 1, 0);
  const Lids lids(model, model.numVertices(), Points3::Zero(2, 3),
                  std::vector<std::uint8_t>(model.numVertices()));
  CHECK_THROWS_WITH_AS(lids.gap_mm(0, model.mean), doctest::Contains("dense set"), std::invalid_argument);
}

TEST_CASE("Lids: names that cannot be read or lack the margins are an error of the model") {
  const MorphableModel model = loadModel("builtin");
  const test::TemporaryFolder folder("lids");
  std::filesystem::create_directory(folder / "landmarks");
  const char* const found = std::getenv("FACET_DATA_DIR");
  const std::optional<std::string> before = found ? std::optional<std::string>(found) : std::nullopt;
  setenv("FACET_DATA_DIR", folder.path().c_str(), 1);
  std::string faces = "\"face\"";
  for (int i = 1; i < model.dense.size(); ++i) faces += ", \"face\"";
  for (const std::string& text : {std::string("{\"names\": ["), std::string("{\"names\": [1, 2]}"),
                                  std::string("{}"), "{\"names\": [" + faces + "]}"}) {
    CAPTURE(text);
    writeText(folder / "landmarks" / "ict_dense.json", text);
    try {
      const Lids lids(model, model.numVertices(), Points3::Zero(2, 3),
                      std::vector<std::uint8_t>(model.numVertices()));
      FAIL_CHECK("was accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kModel);
      CHECK(std::string(error.what()).find("ict_dense.json") != std::string::npos);
    }
  }
  before ? setenv("FACET_DATA_DIR", before->c_str(), 1) : unsetenv("FACET_DATA_DIR");
}
