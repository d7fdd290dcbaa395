#include "core/model_report.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace facet;

namespace {

using Verdict = ModelFinding::Verdict;

// The worst verdict on a topic; kGood if it is not mentioned.
Verdict verdictOn(const MorphableModel& model, const std::string& topic) {
  Verdict worst = Verdict::kGood;
  for (const ModelFinding& finding : inspectModel(model)) {
    if (finding.topic == topic) worst = std::max(worst, finding.verdict);
  }
  return worst;
}

}  // namespace

TEST_CASE("inspectModel: a sound model has nothing doubtful") {
  for (const ModelFinding& finding : inspectModel(makeSyntheticModel())) {
    INFO(finding.text);
    CHECK(finding.verdict <= Verdict::kMissing);
  }
}

TEST_CASE("inspectModel: a unit that is not millimetres is doubted") {
  MorphableModel model = makeSyntheticModel();
  model.mean *= 0.001F;
  CHECK(verdictOn(model, "unit") == Verdict::kDoubtful);
}

TEST_CASE("inspectModel: triangles that face inwards are wrong") {
  MorphableModel model = makeSyntheticModel();
  model.triangles.col(1).swap(model.triangles.col(2));
  model.uv_triangles.col(1).swap(model.uv_triangles.col(2));
  CHECK(verdictOn(model, "winding") == Verdict::kWrong);
}

TEST_CASE("inspectModel: modes that were not multiplied by their standard deviations are doubted") {
  MorphableModel model = makeSyntheticModel();
  CHECK(verdictOn(model, "identity") == Verdict::kGood);
  model.identity = Eigen::MatrixXf(model.identity.dense().colwise().normalized());
  CHECK(verdictOn(model, "identity") == Verdict::kDoubtful);
}

TEST_CASE("inspectModel: whether modes are orthogonal is said") {
  MorphableModel model = makeSyntheticModel();
  const auto says = [&](const char* words) {
    const auto findings = inspectModel(model);
    return std::any_of(findings.begin(), findings.end(), [&](const ModelFinding& finding) {
      return finding.text.find(words) != std::string::npos;
    });
  };
  CHECK(says("are orthogonal"));
  Eigen::MatrixXf modes = model.identity.dense();
  modes.col(1) += 0.5F * modes.col(0);
  model.identity = modes;
  CHECK(says("not orthogonal"));
}

TEST_CASE("inspectModel: a mirrored face has its landmarks on the wrong side") {
  MorphableModel model = makeSyntheticModel();
  model.mean.col(0) *= -1;
  CHECK(verdictOn(model, "landmarks") == Verdict::kWrong);
}

TEST_CASE("inspectModel: what is missing is named, and a broken model is one finding") {
  MorphableModel model = makeSyntheticModel(0, 3, 0, 0);
  model.landmarks68 = {};
  model.dense = {};
  CHECK(verdictOn(model, "landmarks") == Verdict::kMissing);
  CHECK(verdictOn(model, "expression") == Verdict::kMissing);
  CHECK(verdictOn(model, "dense landmarks") == Verdict::kMissing);
  model.triangles(0, 0) = -3;
  const auto findings = inspectModel(model);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].verdict == Verdict::kWrong);
}
