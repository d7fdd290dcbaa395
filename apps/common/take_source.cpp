#include "apps/common/take_source.h"

#include <algorithm>
#include <utility>

#include "apps/common/interrupt.h"
#include "core/arkit.h"
#include "core/arkit_shapes.h"
#include "core/error.h"
#include "core/io/take_io.h"
#include "core/laplacian.h"
#include "fitting/head_pose.h"
#include "fitting/shape_solve.h"

namespace facet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array<const char*, 2> kEyeJoints = {"left_eye", "right_eye"};

// Triangles that an animator's shapes should fit: where the model says what its parts are, not the teeth and
// the inside of the mouth, which nobody photographed.
Triangles seenTriangles(const MorphableModel& model) {
  std::vector<Eigen::Index> seen;
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    if (model.triangle_material.empty()) break;
    const std::string& material = model.material_names[model.triangle_material[f]];
    if (material == "skin" || material.find("eye") != std::string::npos) seen.push_back(f);
  }
  return seen.empty() ? model.triangles : Triangles(model.triangles(seen, Eigen::all));
}

// The pose that belongs to the face: jaw and eyes as they are, the head itself at rest.
Points3 facePose(const MorphableModel& model, Points3 rotations) {
  if (!model.skeleton || rotations.rows() == 0) return {};
  for (const char* name : {"root", "neck"}) {
    const int joint = model.skeleton->jointIndex(name);
    if (joint >= 0) rotations.row(joint).setZero();
  }
  return rotations;
}

// Expressions that are ARKit's shapes: their weights are the curves.
void takeNamedWeights(const Head& head, Take& take) {
  Take as_named;
  as_named.names = head.model.expression_names;
  as_named.time_s = take.time_s;
  as_named.weights.setZero(take.numFrames(), as_named.numShapes());
  for (const HeadFrame& frame : head.frames)
    as_named.weights.row(frame.number) = frame.expression.transpose().cwiseMax(0.0F).cwiseMin(1.0F);
  for (const std::string_view name : kArkitNames) {
    const bool is_there = std::any_of(as_named.names.begin(), as_named.names.end(),
                                      [&](const std::string& own) { return arkitName(own) == name; });
    if (is_there) take.names.emplace_back(name);
  }
  take.weights = weightsFor(as_named, take.names).weights;
}

void solveWeights(const Head& head, TakeSource& source, Session& session) {
  const ArkitShapes shapes = arkitShapes(head.model);
  MorphableModel person = head.model;
  person.mean = head.neutral();
  ShapeSolver solver(shapes.modes, vertexAreas(person.mean, seenTriangles(person)));
  std::vector<int> solved;
  for (const HeadFrame& frame : head.frames) {
    throwIfInterrupted();
    session.console.progress(person.name, "solve the curves",
                             static_cast<double>(solved.size()) / static_cast<double>(head.frames.size()));
    const Points3 vertices = head.shown.rows() > 0
                                 ? head.shown
                                 : person.vertices({}, frame.expression, facePose(person, frame.pose));
    solver.addFrame(vertices - person.mean);
    solved.push_back(frame.number);
  }
  const ShapeSolution solution = solver.solve();
  session.console.endProgress();
  source.take.names = shapes.names;
  source.take.weights.setZero(source.take.numFrames(), source.take.numShapes());
  source.take.weights(solved, Eigen::all) = solution.weights;
  Eigen::Index worst = 0;
  const float largest_mm = solution.residual_mm.maxCoeff(&worst);
  source.notes.push_back("the curves are solved for from the modes of " + person.name +
                         "; root mean square distance " + fixed(solution.residual_mm.mean(), 2) +
                         " mm on average, at most " + fixed(largest_mm, 2) + " mm, in frame " +
                         std::to_string(solved[static_cast<std::size_t>(worst)]));
  if (!solution.converged) source.notes.push_back("the solution of the curves did not converge");
}

// F×3 degrees of a joint; empty for a joint that never turns, which says nothing of the eyes.
Points3 anglesOfJoint(const Head& head, const char* name) {
  if (!head.model.skeleton) return {};
  const int joint = head.model.skeleton->jointIndex(name);
  if (joint < 0) return {};
  Points3 angles = Points3::Zero(static_cast<Eigen::Index>(head.time_s.size()), 3);
  for (const HeadFrame& frame : head.frames) {
    if (frame.pose.rows() == 0) continue;
    const Eigen::Vector3f turn = frame.pose.row(joint);
    const float angle = turn.norm();
    if (angle == 0) continue;
    angles.row(frame.number) = anglesFromRotation(Eigen::AngleAxisf(angle, turn / angle).toRotationMatrix());
  }
  return angles.isZero(0) ? Points3() : angles;
}

}  // namespace

TakeSource takeOf(const Head& head, Session& session) {
  TakeSource source;
  Take& take = source.take;
  take.time_s = head.time_s;
  if (head.frames_per_second > 0) take.fps = head.frames_per_second;
  take.head_deg.setZero(take.numFrames(), 3);
  std::vector<bool> known(head.time_s.size(), false);
  for (const HeadFrame& frame : head.frames) {
    known[static_cast<std::size_t>(frame.number)] = true;
    const HeadPose pose = headPose(frame.camera.camera_from_model.linear());
    take.head_deg.row(frame.number) << pose.yaw_deg, pose.pitch_deg, pose.roll_deg;
  }
  take.left_eye_deg = anglesOfJoint(head, kEyeJoints[0]);
  take.right_eye_deg = anglesOfJoint(head, kEyeJoints[1]);
  if (hasArkitExpressions(head.model.expression_names)) {
    takeNamedWeights(head, take);
  } else {
    solveWeights(head, source, session);
    setLookCurves(take);  // the lids say less of the gaze than joints do
  }
  const std::size_t num_missing = head.time_s.size() - head.frames.size();
  if (num_missing > 0) {
    source.notes.push_back(std::to_string(num_missing) + " of " + std::to_string(head.time_s.size()) +
                           " frames have no face; they are filled from their neighbours");
    fillGaps(take, known);
  }
  return source;
}

TakeSource loadTake(const fs::path& input, const TakeSourceOptions& options, Session& session) {
  if (fs::is_directory(input) || isResult(input)) {
    if (!isResult(input)) {
      fail(ErrorKind::kInput, input.string(),
           ": holds neither track.json nor fit.json; expected a result of facet track or facet reconstruct");
    }
    const Head head = openHead(input.string(), options.model, session);
    return takeOf(head, session);
  }
  if (!isTakeName(input)) {
    fail(ErrorKind::kInput, input.string(),
         ": is no take; expected take.csv, take.json, or a folder of facet track or facet reconstruct");
  }
  ReadTake read = readTake(input, options.timecode_fps);
  return {std::move(read.take), std::move(read.notes)};
}

Points3 eyePose(const MorphableModel& model, const std::array<Eigen::Matrix3f, 2>& look) {
  if (!model.skeleton) return {};
  Points3 pose = Points3::Zero(model.skeleton->numJoints(), 3);
  for (std::size_t s = 0; s < 2; ++s) {
    const int joint = model.skeleton->jointIndex(kEyeJoints[s]);
    if (joint < 0) continue;
    const Eigen::AngleAxisf rotation(look[s]);
    pose.row(joint) = rotation.angle() * rotation.axis();
  }
  return pose;
}

TakePlayer::TakePlayer(MorphableModel model, Take take)
    : model_(std::move(model)), neutral_(model_.mean), take_(std::move(take)) {
  std::vector<std::string> names = model_.expression_names;
  names.insert(names.end(), model_.blendshape_names.begin(), model_.blendshape_names.end());
  MatchedWeights matched = weightsFor(take_, names);
  expression_ = matched.weights.leftCols(model_.numExpression());
  // A mode in standard deviations may share a curve's name by chance only.
  expression_.leftCols(model_.numExpression() - model_.num_blendshapes).setZero();
  blendshapes_ = matched.weights.rightCols(model_.blendshapes.cols());
  missing_ = std::move(matched.missing);
  eye_deg_ = eyeAngles(take_);
  const bool has_joints = model_.skeleton && model_.skeleton->jointIndex(kEyeJoints[0]) >= 0;
  if (!has_joints) eyeballs_ = eyeballs(model_, neutral_);
  if (take_.numShapes() > 0 && static_cast<int>(missing_.size()) == take_.numShapes()) {
    fail(ErrorKind::kInput, "none of the take's ", take_.numShapes(), " curves has a shape in ", model_.name,
         "; the first is ", take_.names[0]);
  }
}

Points3 TakePlayer::vertices(int frame, bool turns) {
  model_.mean = neutral_;
  if (blendshapes_.cols() > 0) {
    model_.blendshapes.addTo(blendshapes_.row(frame).transpose(), model_.mean.data(), model_.mean.size());
  }
  std::array<Eigen::Matrix3f, 2> look;
  for (std::size_t s = 0; s < 2; ++s) look[s] = rotationFromAngles(eye_deg_[s].row(frame));
  Points3 vertices = model_.vertices({}, expression_.row(frame).transpose(), eyePose(model_, look));
  turnEyeballs(eyeballs_, look, vertices);
  if (turns && take_.head_deg.rows() > 0) {
    const Eigen::RowVector3f middle = 0.5F * (neutral_.colwise().minCoeff() + neutral_.colwise().maxCoeff());
    const Eigen::Matrix3f rotation = rotationFromAngles(take_.head_deg.row(frame));
    vertices = ((vertices.rowwise() - middle) * rotation.transpose()).rowwise() + middle;
  }
  return vertices;
}

}  // namespace facet
