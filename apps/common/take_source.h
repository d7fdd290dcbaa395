#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "apps/common/head.h"
#include "apps/common/session.h"
#include "core/eyeballs.h"
#include "core/morphable_model.h"
#include "core/take.h"

namespace facet {

struct TakeSourceOptions {
  double timecode_fps = 0;  // of a CSV, as in readTakeCsv; 0 = find out
  std::string model;        // of a result; empty = the one that its JSON names
};

// A take and what was assumed on the way to it, one sentence each.
struct TakeSource {
  Take take;
  std::vector<std::string> notes;
};

// The take that `input` stands for:
//   take.csv, take.json   as core/io/take_io.h reads them;
//   a folder of facet track: one frame each, the head turned as against the camera; frames without a face are
//   filled from their neighbours, with a note;
//   a folder of facet reconstruct: one frame.
// Expressions that carry ARKit's names are its curves; modes of other models are solved for them
// (fitting/shape_solve.h) on the person's geometry, jaw joint included and head and neck at rest, with shapes
// carried over from the built-in head where the model has none. The rotation of eye joints becomes the
// take's and its look curves. Error(kInput) when it is none of these or damaged, Error(kModel) when the model
// cannot be found.
TakeSource loadTake(const std::filesystem::path& input, const TakeSourceOptions& options, Session& session);

// The same of a result that is open; the head has frames.
TakeSource takeOf(const Head& head, Session& session);

// J×3: the pose of a model's joints with its eyes turned, left and right; empty for a model without joints.
Points3 eyePose(const MorphableModel& model, const std::array<Eigen::Matrix3f, 2>& look);

// A head that a take drives. The person's identity is in the model's mean. Eyes that turn by joints follow
// the take's eye rotations or, where it has none, its look curves.
class TakePlayer {
 public:
  // Error(kInput) when no curve has a shape.
  TakePlayer(MorphableModel model, Take take);

  int numFrames() const { return take_.numFrames(); }
  const MorphableModel& model() const { return model_; }
  // Curves of the take that move, but the model has no such shape.
  const std::vector<std::string>& missing() const { return missing_; }
  // V×3 mm. With `turns`, the whole head turns about its middle as the take says.
  Points3 vertices(int frame, bool turns);

 private:
  MorphableModel model_;
  Points3 neutral_;
  Take take_;
  Eigen::MatrixXf expression_, blendshapes_;  // F×L, F×N
  std::vector<std::string> missing_;
  std::array<Points3, 2> eye_deg_;  // F×3 each
  std::array<Eyeball, 2> eyeballs_;
};

}  // namespace facet
