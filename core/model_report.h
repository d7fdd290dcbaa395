#pragma once

#include <string>
#include <vector>

#include "core/morphable_model.h"

namespace facet {

// One thing that inspectModel() looked at.
struct ModelFinding {
  enum class Verdict { kGood, kMissing, kDoubtful, kWrong };

  Verdict verdict = Verdict::kGood;
  std::string topic;  // "unit", "winding", "landmarks", …
  std::string text;   // one sentence with the figures it rests on
};

// What a model is like, in words: unit, winding, mesh, scale and orthogonality of the bases, landmarks, and
// the parts it lacks. Looks at every value. A model that check() refuses has one finding, kWrong.
std::vector<ModelFinding> inspectModel(const MorphableModel& model);

}  // namespace facet
