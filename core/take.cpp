#include "core/take.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <cctype>
#include <cmath>

#include "core/arkit.h"
#include "core/check.h"

namespace facet {
namespace {

constexpr float kRadians = static_cast<float>(M_PI) / 180;
// Measured on Face Cap's example head, whose eyes turn by joints and whose lids follow by the look shapes.
constexpr float kLook_deg = 30;

// Of the left (0) or the right eye.
std::vector<std::string> lookNames(std::size_t side) {
  std::vector<std::string> names;
  for (const char* direction : {"eyeLookOut", "eyeLookIn", "eyeLookDown", "eyeLookUp"}) {
    names.emplace_back(std::string(direction) + (side == 0 ? "Left" : "Right"));
  }
  return names;
}

// Names that are equal stand for the same part of a face: ARKit's name without a half's side, or any other in
// lower case.
std::string key(const std::string& name) {
  if (const auto arkit = arkitName(name)) return std::string(*arkit);
  std::string lower = name;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

ArkitShape::Side sideOf(const std::string& name) {
  const auto shape = arkitShape(name);
  return shape ? shape->side : ArkitShape::Side::kWhole;
}

}  // namespace

void Take::check(const char* caller) const {
  const Eigen::Index num_frames = numFrames();
  require(num_frames > 0, caller, ": the take has no frames");
  require(weights.rows() == num_frames && weights.cols() == numShapes(), caller, ": ", weights.rows(), "×",
          weights.cols(), " weights for ", num_frames, " frames of ", numShapes(), " shapes");
  require(weights.size() == 0 || (weights.allFinite() && weights.minCoeff() >= 0 && weights.maxCoeff() <= 1),
          caller, ": a weight of the take is outside [0, 1]");
  for (const Points3* angles : {&head_deg, &left_eye_deg, &right_eye_deg}) {
    require((angles->rows() == 0 || angles->rows() == num_frames) && angles->allFinite(), caller, ": ",
            angles->rows(), " rotations for ", num_frames, " frames, or one that is not finite");
  }
  require(time_s[0] == 0, caller, ": the take begins at ", time_s[0], " s, not at 0");
  for (Eigen::Index f = 0; f < num_frames; ++f) {
    require(std::isfinite(time_s[f]) && (f == 0 || time_s[f] > time_s[f - 1]), caller, ": frame ", f,
            " of the take is not later than the one before");
  }
  require(std::isfinite(fps) && fps > 0, caller, ": the take has ", fps, " frames per second");
}

Eigen::Matrix3f rotationFromAngles(const Eigen::Vector3f& yaw_pitch_roll_deg) {
  const Eigen::Vector3f angle = kRadians * yaw_pitch_roll_deg;
  return Eigen::Matrix3f(Eigen::AngleAxisf(-angle[2], Eigen::Vector3f::UnitZ()) *
                         Eigen::AngleAxisf(angle[0], Eigen::Vector3f::UnitY()) *
                         Eigen::AngleAxisf(angle[1], Eigen::Vector3f::UnitX()));
}

Eigen::Vector3f anglesFromRotation(const Eigen::Matrix3f& rotation) {
  return Eigen::Vector3f(std::asin(std::clamp(-rotation(2, 0), -1.0F, 1.0F)),
                         std::atan2(rotation(2, 1), rotation(2, 2)),
                         -std::atan2(rotation(1, 0), rotation(0, 0))) /
         kRadians;
}

std::array<Points3, 2> eyeAngles(const Take& take) {
  std::array<Points3, 2> angles;
  bool any_looks = false;
  for (std::size_t s = 0; s < 2; ++s) {
    const Eigen::MatrixXf look = weightsFor(take, lookNames(s)).weights;
    any_looks = any_looks || !look.isZero(0);
    angles[s].setZero(take.numFrames(), 3);
    const float out_sign = s == 0 ? 1 : -1;  // out is to the subject's left for the left eye alone
    angles[s].col(0) = out_sign * kLook_deg * (look.col(0) - look.col(1));
    angles[s].col(1) = kLook_deg * (look.col(2) - look.col(3));
  }
  if (any_looks) return angles;
  if (take.left_eye_deg.rows() > 0) angles[0] = take.left_eye_deg;
  if (take.right_eye_deg.rows() > 0) angles[1] = take.right_eye_deg;
  return angles;
}

void setLookCurves(Take& take) {
  for (std::size_t s = 0; s < 2; ++s) {
    const Points3& angles = s == 0 ? take.left_eye_deg : take.right_eye_deg;
    if (angles.rows() == 0) continue;
    const float out_sign = s == 0 ? 1 : -1;
    const std::array<Eigen::VectorXf, 4> look = {out_sign * angles.col(0), -out_sign * angles.col(0),
                                                 angles.col(1), -angles.col(1)};
    const std::vector<std::string> names = lookNames(s);
    for (std::size_t k = 0; k < names.size(); ++k) {
      const auto found = std::find(take.names.begin(), take.names.end(), names[k]);
      require(found != take.names.end(), "setLookCurves: the take has no curve ", names[k]);
      take.weights.col(found - take.names.begin()) = (look[k] / kLook_deg).cwiseMax(0.0F).cwiseMin(1.0F);
    }
  }
}

void fillGaps(Take& take, const std::vector<bool>& known) {
  const int num_frames = take.numFrames();
  require(known.size() == take.time_s.size(), "fillGaps: ", known.size(), " flags for ", num_frames,
          " frames");
  require(std::find(known.begin(), known.end(), true) != known.end(), "fillGaps: no frame is known");
  int before = -1;
  for (int f = 0; f < num_frames; ++f) {
    if (known[f]) {
      before = f;
      continue;
    }
    int after = f;
    while (after < num_frames && !known[after]) ++after;
    const int first = before >= 0 ? before : after, last = after < num_frames ? after : before;
    for (; f < after; ++f) {
      const double span_s = take.time_s[last] - take.time_s[first];
      const auto share = static_cast<float>(
          span_s > 0 ? std::clamp((take.time_s[f] - take.time_s[first]) / span_s, 0.0, 1.0) : 0.0);
      take.weights.row(f) = (1 - share) * take.weights.row(first) + share * take.weights.row(last);
      for (Points3* angles : {&take.head_deg, &take.left_eye_deg, &take.right_eye_deg}) {
        if (angles->rows() > 0) angles->row(f) = (1 - share) * angles->row(first) + share * angles->row(last);
      }
    }
    --f;
  }
}

MatchedWeights weightsFor(const Take& take, const std::vector<std::string>& shape_names) {
  MatchedWeights result;
  result.weights.setZero(take.numFrames(), static_cast<Eigen::Index>(shape_names.size()));
  std::vector<bool> used(take.names.size(), false);
  for (std::size_t s = 0; s < shape_names.size(); ++s) {
    const std::string shape_key = key(shape_names[s]);
    const ArkitShape::Side side = sideOf(shape_names[s]);
    int count = 0;
    for (std::size_t c = 0; c < take.names.size(); ++c) {
      const ArkitShape::Side curve_side = sideOf(take.names[c]);
      const bool is_other_half =
          side != curve_side && side != ArkitShape::Side::kWhole && curve_side != ArkitShape::Side::kWhole;
      if (is_other_half || key(take.names[c]) != shape_key) continue;
      used[c] = true;
      ++count;
      result.weights.col(static_cast<Eigen::Index>(s)) += take.weights.col(static_cast<Eigen::Index>(c));
    }
    if (count > 1) result.weights.col(static_cast<Eigen::Index>(s)) /= static_cast<float>(count);
  }
  for (std::size_t c = 0; c < take.names.size(); ++c) {
    if (!used[c] && !take.weights.col(static_cast<Eigen::Index>(c)).isZero(0)) {
      result.missing.push_back(take.names[c]);
    }
  }
  return result;
}

}  // namespace facet
