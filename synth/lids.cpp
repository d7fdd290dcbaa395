#include "synth/lids.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>

#include "core/check.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/model_io.h"
#include "synth/random.h"

namespace facet::synth {
namespace {

using Eigen::Vector3f;

// The upper lid's skin follows its margin fully up to the first distance and no more beyond the second.
constexpr float kFollows_mm = 2, kStill_mm = 9;
// The margin itself lies on the lower lid; skin this far from it gives way to the eyeball.
constexpr float kMargin_mm = 3;
// The inside of a lid glides on the eyeball, its outside keeps its distance from it up to this much.
constexpr float kLidGlide_mm = 0.05F, kLidThickness_mm = 1.2F;
constexpr int kOuterCorner[2] = {45, 36}, kInnerCorner[2] = {42, 39};  // iBUG; left, right
constexpr char kDenseFile[] = "data/landmarks/ict_dense.json";
constexpr char kDenseHint[] = "; restore the file from facet's data";

// Point of a polyline (vertices from outer to inner corner) beside `p`, by the place along the corners' line.
Vector3f beside(const std::vector<Vector3f>& line, const Vector3f& p) {
  const Vector3f axis = line.back() - line.front();
  const float at = (p - line.front()).dot(axis);
  for (std::size_t i = 1; i < line.size(); ++i) {
    const float a = (line[i - 1] - line.front()).dot(axis), b = (line[i] - line.front()).dot(axis);
    if (at <= b && b > a)
      return line[i - 1] + (line[i] - line[i - 1]) * std::clamp((at - a) / (b - a), 0.0F, 1.0F);
  }
  return line.back();
}

// What each point of the dense set is.
std::vector<std::string> denseNames() try {
  return nlohmann::json::parse(readText(dataDirectory() / "landmarks" / "ict_dense.json"))
      .at("names")
      .get<std::vector<std::string>>();
} catch (const nlohmann::json::exception& error) {
  fail(ErrorKind::kModel, kDenseFile, ": ", error.what(), kDenseHint);
}

}  // namespace

Lids::Lids(const MorphableModel& model, int num_skin, const Points3& eye_centres,
           const std::vector<std::uint8_t>& is_eye) {
  for (int v = 0; v < model.numVertices(); ++v) {
    if (!is_eye[v]) continue;
    const Vector3f offset = model.mean.row(v) - eye_centres.row(model.mean(v, 0) > 0 ? 0 : 1);
    float& radius = radius_mm_[angleBin(offset.normalized().z())];
    radius = std::max(radius, offset.norm());
  }
  for (std::size_t i = 1; i < radius_mm_.size(); ++i)
    if (radius_mm_[i] == 0) radius_mm_[i] = radius_mm_[i - 1];
  const std::vector<std::string> names = denseNames();
  if (static_cast<int>(names.size()) != model.dense.size()) return;  // not the dense set that names margins
  const auto vertexOf = [&](int dense) {
    Eigen::Index corner;
    model.dense.barycentric.row(dense).maxCoeff(&corner);
    return model.triangles(model.dense.triangle[dense], corner);
  };
  const auto at = [&](int v) -> Vector3f { return model.mean.row(v); };
  for (int side = 0; side < 2; ++side) {
    Eye& eye = eyes_[side];
    int outer = -1, inner = -1;
    std::vector<int> ring;
    for (int i = 0; i < model.dense.size(); ++i) {
      if (!model.dense.has(i)) continue;
      const bool is_ibug = names[i].starts_with("ibug");
      const int number = is_ibug ? std::atoi(names[i].c_str() + 4) : -1;
      if (!(names[i] == "lid_margin" || (number >= 36 && number < 48))) continue;
      const int v = vertexOf(i);
      if ((at(v).x() > 0 ? 0 : 1) != side) continue;
      if (number == kOuterCorner[side]) outer = v;
      if (number == kInnerCorner[side]) inner = v;
      ring.push_back(v);
    }
    const auto failNames = [] {
      fail(ErrorKind::kModel, kDenseFile, ": does not name the model's lid margins", kDenseHint);
    };
    if (outer < 0 || inner < 0 || ring.size() <= 8) failNames();
    const Vector3f axis = at(inner) - at(outer);
    for (const int v : ring) {
      if (v == outer || v == inner) continue;
      const Vector3f chord = at(outer) + axis * ((at(v) - at(outer)).dot(axis) / axis.squaredNorm());
      (at(v).y() > chord.y() ? eye.upper : eye.lower).push_back(v);
    }
    if (eye.upper.empty() || eye.lower.empty()) failNames();
    for (std::vector<int>* margin : {&eye.upper, &eye.lower}) {
      margin->push_back(outer);
      margin->push_back(inner);
      std::sort(margin->begin(), margin->end(),
                [&](int a, int b) { return (at(a) - at(outer)).dot(axis) < (at(b) - at(outer)).dot(axis); });
    }
    const auto blink = model.expressionIndex(side == 0 ? "eyeBlinkLeft" : "eyeBlinkRight");
    require(blink.has_value(), "Lids: the model has no eyeBlink expressions");
    eye.blink = static_cast<int>(*blink);

    for (int v = 0; v < num_skin; ++v) {
      if ((at(v) - Vector3f(eye_centres.row(side))).norm() > 40) continue;
      std::vector<std::pair<float, int>> near;  // distance, index into upper
      for (std::size_t i = 0; i < eye.upper.size(); ++i)
        near.emplace_back((at(v) - at(eye.upper[i])).norm(), static_cast<int>(i));
      std::partial_sort(near.begin(), near.begin() + 3, near.end());
      float to_lower = std::numeric_limits<float>::max();
      for (const int u : eye.lower) to_lower = std::min(to_lower, (at(v) - at(u)).norm());
      const float share = smoothStep(kStill_mm, kFollows_mm, near[0].first);
      // The lower lid keeps still; what lies between the two follows the nearer one.
      if (share <= 0 || to_lower < near[0].first) continue;
      const Vector3f offset = at(v) - Vector3f(eye_centres.row(side));
      const float above_ball = offset.norm() - radiusAt(offset.normalized().z());
      Follower follower{v,
                        share,
                        std::clamp(above_ball, kLidGlide_mm, kLidThickness_mm),
                        smoothStep(0, kMargin_mm, near[0].first),
                        {},
                        {}};
      float sum = 0;
      for (int k = 0; k < 3; ++k) {
        follower.margin[k] = near[k].second;
        follower.weights[k] = 1 / (near[k].first * near[k].first + 1e-4F);
        sum += follower.weights[k];
      }
      for (float& w : follower.weights) w /= sum;
      eye.followers.push_back(follower);
    }
  }
}

std::size_t Lids::angleBin(float cosine) const {
  const float angle_deg = std::acos(std::clamp(cosine, -1.0F, 1.0F)) * 180 / std::numbers::pi_v<float>;
  return std::min(static_cast<std::size_t>(angle_deg / kStep_deg), radius_mm_.size() - 1);
}

void Lids::close(const MorphableModel& model, const Eigen::VectorXf& weights, const Points3& eye_centres,
                 const std::array<Vector3f, 2>& gaze, Points3& vertices) const {
  for (int side = 0; side < 2; ++side) {
    const Eye& eye = eyes_[side];
    if (eye.blink < 0) continue;
    const float blink = weights(eye.blink);
    if (blink <= 0) continue;
    // Where the margins would be at a full blink, and what is missing there.
    const auto shut = [&](int v) -> Vector3f {
      return vertices.row(v).transpose() + (1 - blink) * model.expression.vertex(v).col(eye.blink);
    };
    std::vector<Vector3f> lower, missing;
    for (const int v : eye.lower) lower.push_back(shut(v));
    for (const int v : eye.upper) {
      const Vector3f p = shut(v);
      missing.push_back(beside(lower, p) - p);
    }
    missing.front().setZero();
    missing.back().setZero();
    const Vector3f centre = eye_centres.row(side);
    for (const Follower& f : eye.followers) {
      Vector3f move = Vector3f::Zero();
      for (int k = 0; k < 3; ++k) move += f.weights[k] * missing[f.margin[k]];
      Vector3f p = vertices.row(f.vertex).transpose() + blink * f.share * move;
      const Vector3f outwards = (p - centre).normalized();
      const float lacks = radiusAt(outwards.dot(gaze[side])) + f.clearance_mm - (p - centre).norm();
      if (lacks > 0 && outwards.z() > 0) p += outwards * (lacks * f.yields);
      vertices.row(f.vertex) = p;
    }
  }
}

float Lids::gap_mm(int side, const Points3& vertices) const {
  const Eye& eye = eyes_[side];
  require(!eye.upper.empty(), "Lids::gap_mm: the model has no dense set that names the lid margins");
  std::vector<Vector3f> lower;
  for (const int v : eye.lower) lower.push_back(vertices.row(v));
  float sum = 0;
  int count = 0;
  for (std::size_t i = eye.upper.size() / 3; i < 2 * eye.upper.size() / 3 + 1; ++i, ++count) {
    const Vector3f p = vertices.row(eye.upper[i]);
    sum += (p - beside(lower, p)).norm();
  }
  return sum / static_cast<float>(count);
}

}  // namespace facet::synth
