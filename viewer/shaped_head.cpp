#include "viewer/shaped_head.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <utility>

#include "core/arkit.h"
#include "core/check.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/take.h"
#include "viewer/shape_meanings.h"

namespace facet {
namespace {

using nlohmann::json;

constexpr std::array<const char*, kNumShapeGroups> kGroupNames = {"identity", "expression", "shapes",
                                                                  "albedo", "joints"};
constexpr std::array<const char*, 3> kAxisNames = {"x", "y", "z"};
constexpr float kModeRange = 3;  // standard deviations: all but 0.3 % of faces lie within, per mode
constexpr float kDegreesPerRadian = static_cast<float>(180 / M_PI);

std::size_t at(ShapeGroup group) { return static_cast<std::size_t>(group); }

// "1st", "2nd", …
std::string ordinal(int number) {
  const int last = number % 10;
  const bool is_teen = number % 100 / 10 == 1;
  const char* ending = is_teen ? "th" : last == 1 ? "st" : last == 2 ? "nd" : last == 3 ? "rd" : "th";
  return std::to_string(number) + ending;
}

ShapeControl modeControl(const std::string& name, int index, const char* what) {
  ShapeControl control;
  control.name = name;
  control.low = -kModeRange;
  control.high = kModeRange;
  control.unit = "σ";
  control.meaning = "The " + (index == 0 ? std::string() : ordinal(index + 1) + " ") +
                    "most common way in which " + what +
                    ", in standard deviations: 0 is the mean, two thirds of all faces lie between -1 and 1.";
  return control;
}

// jawLeft and jawRight, mouthLeft and mouthRight: two ends of one movement of the whole, not two sides of it.
bool isSideways(const std::string& name) {
  return name == "jawLeft" || name == "jawRight" || name == "mouthLeft" || name == "mouthRight";
}

// The name with its side exchanged, or nothing.
std::optional<std::string> mirroredName(const std::string& name) {
  for (const auto& [side, other] : {std::pair{"Left", "Right"}, std::pair{"Right", "Left"}}) {
    const std::size_t place = name.rfind(side);
    if (place == std::string::npos) continue;
    return name.substr(0, place) + other + name.substr(place + std::string_view(side).size());
  }
  return std::nullopt;
}

void findMirrored(std::vector<ShapeControl>& controls) {
  for (ShapeControl& control : controls) {
    const auto other = mirroredName(control.name);
    if (!other) continue;
    const auto found = std::find_if(controls.begin(), controls.end(),
                                    [&](const ShapeControl& candidate) { return candidate.name == *other; });
    if (found == controls.end()) continue;
    control.mirrored = static_cast<int>(found - controls.begin());
    control.antisymmetric = isSideways(control.name);
  }
}

// What a turn of a joint about an axis of the model frame (+X the subject's left, +Y up, +Z out of the face)
// does to what hangs on it.
std::string turnMeaning(const std::string& joint, int axis) {
  constexpr std::array<const char*, 3> kTurns = {"down (+) or up (-)", "to the face's left (+) or right (-)",
                                                 "sideways: its top to the face's right (+) or left (-)"};
  if (joint == "jaw" && axis == 0) return "Opens (+) the jaw, about the x axis.";
  return "Turns the " + joint + " " + kTurns[static_cast<std::size_t>(axis)] + ".";
}

std::vector<ShapeControl> jointControls(const Skeleton& skeleton) {
  std::vector<ShapeControl> controls;
  for (const std::string& joint : skeleton.names) {
    for (int axis = 0; axis < 3; ++axis) {
      ShapeControl control;
      control.name = joint + " " + kAxisNames[static_cast<std::size_t>(axis)];
      control.unit = "°";
      const bool is_jaw = joint == "jaw", is_eye = joint.find("eye") != std::string::npos;
      control.high = is_eye ? 35 : is_jaw ? (axis == 0 ? 40 : 15) : 60;
      control.low = is_jaw && axis == 0 ? -5 : -control.high;
      control.meaning = turnMeaning(joint, axis);
      control.antisymmetric = axis != 0;
      const int other = joint == "left_eye"    ? skeleton.jointIndex("right_eye")
                        : joint == "right_eye" ? skeleton.jointIndex("left_eye")
                                               : -1;
      if (other >= 0) control.mirrored = 3 * other + axis;
      controls.push_back(control);
    }
  }
  return controls;
}

// The shortest decimal number that is this float: JSON's numbers are doubles, which would show its rounding.
double shortest(float value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  double result = 0;
  std::from_chars(text.data(), end.ptr, result);
  return result;
}

}  // namespace

ShapedHead::ShapedHead(MorphableModel model) : model_(std::move(model)) {
  normal_computer_ = NormalComputer(model_.triangles, model_.numVertices());
  makeControls();
  for (std::size_t g = 0; g < values_.size(); ++g)
    values_[g] = home_[g] = Eigen::VectorXf::Zero(static_cast<Eigen::Index>(controls_[g].size()));
  findLooks();
}

// Eyeballs of their own that neither joints nor the look shapes themselves turn.
void ShapedHead::findLooks() {
  if (model_.skeleton && model_.skeleton->jointIndex("left_eye") >= 0) return;
  eyeballs_ = eyeballs(model_, model_.mean);
  const std::vector<ShapeControl>& shapes = controls_[at(ShapeGroup::kShapes)];
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (!shapes[i].name.starts_with("eyeLook")) continue;
    const std::vector<int>& members = eyeballs_[shapes[i].name.ends_with("Left") ? 0 : 1].vertices;
    const Basis& basis = shape_source_[i].is_beside ? model_.blendshapes : model_.expression;
    const bool is_turned = std::any_of(members.begin(), members.end(), [&](int v) {
      for (int axis = 0; axis < 3; ++axis) {
        if (basis(3 * v + axis, shape_source_[i].column) != 0) return true;
      }
      return false;
    });
    if (!is_turned && !members.empty()) look_.push_back(static_cast<int>(i));
  }
}

void ShapedHead::makeControls() {
  for (int k = 0; k < model_.numIdentity(); ++k) {
    controls_[at(ShapeGroup::kIdentity)].push_back(
        modeControl("identity " + std::to_string(k), k, "the shapes of faces differ"));
  }
  for (int k = 0; k < model_.numAlbedo(); ++k) {
    const bool has_name = k < static_cast<int>(model_.albedo_names.size());
    controls_[at(ShapeGroup::kAlbedo)].push_back(modeControl(
        has_name ? model_.albedo_names[k] : "albedo " + std::to_string(k), k, "the colours of faces differ"));
  }
  std::vector<ShapeControl>& shapes = controls_[at(ShapeGroup::kShapes)];
  const auto add_shape = [&](const std::string& name, ShapeSource source) {
    ShapeControl control;
    control.name = shapeName(name, ShapeNaming::kArkit);
    control.meaning = shapeMeaning(name);
    if (control.meaning.empty()) control.meaning = "A shape of this head.";
    shapes.push_back(control);
    shape_source_.push_back(source);
  };
  for (int e = 0; e < model_.numExpression(); ++e) {
    if (model_.isBlendshape(e)) {
      add_shape(model_.expression_names[e], {false, e});
    } else {
      controls_[at(ShapeGroup::kExpression)].push_back(
          modeControl(model_.expression_names[e], e, "expressions of faces differ"));
      mode_column_.push_back(e);
    }
  }
  for (int n = 0; n < static_cast<int>(model_.blendshapes.cols()); ++n)
    add_shape(model_.blendshape_names[n], {true, n});
  if (model_.skeleton) controls_[at(ShapeGroup::kJoints)] = jointControls(*model_.skeleton);
  findMirrored(shapes);
}

const std::vector<ShapeControl>& ShapedHead::controls(ShapeGroup group) const { return controls_[at(group)]; }

float ShapedHead::value(ShapeGroup group, int index) const {
  const Eigen::VectorXf& values = values_[at(group)];
  require(index >= 0 && index < values.size(), "ShapedHead: control ", index, " of ", values.size());
  return values[index];
}

const Eigen::VectorXf& ShapedHead::values(ShapeGroup group) const { return values_[at(group)]; }

void ShapedHead::change(ShapeGroup group, int index, float value) {
  float& now = values_[at(group)][index];
  if (now == value || !std::isfinite(value)) return;
  now = value;
  ++(group == ShapeGroup::kAlbedo ? albedo_revision_ : shape_revision_);
}

void ShapedHead::set(ShapeGroup group, int index, float value, bool symmetric) {
  const std::vector<ShapeControl>& controls = controls_[at(group)];
  require(index >= 0 && index < static_cast<int>(controls.size()), "ShapedHead: control ", index, " of ",
          controls.size());
  change(group, index, value);
  const ShapeControl& control = controls[index];
  if (!symmetric || control.mirrored < 0) return;
  float other = control.antisymmetric ? -value : value;
  // The two ends of a sideways movement: one of them is at rest.
  if (control.antisymmetric && group == ShapeGroup::kShapes) other = std::max(other, 0.0F);
  change(group, control.mirrored, other);
}

void ShapedHead::setAll(ShapeGroup group, const Eigen::VectorXf& values) {
  const Eigen::Index count = values_[at(group)].size();
  require(values.size() <= count, "ShapedHead: ", values.size(), " values for ", count, " controls");
  for (Eigen::Index i = 0; i < count; ++i)
    change(group, static_cast<int>(i), i < values.size() ? values[i] : 0);
}

void ShapedHead::reset(ShapeGroup group) { setAll(group, {}); }

void ShapedHead::keepAsHome() { home_ = values_; }

void ShapedHead::keepAsHome(ShapeGroup group) { home_[at(group)] = values_[at(group)]; }

const Eigen::VectorXf& ShapedHead::home(ShapeGroup group) const { return home_[at(group)]; }

void ShapedHead::resetToHome(ShapeGroup group) { setAll(group, home_[at(group)]); }

void ShapedHead::randomize(ShapeGroup group, float sigma, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, sigma);
  std::uniform_real_distribution<float> uniform(0, 1);
  const std::vector<ShapeControl>& controls = controls_[at(group)];
  Eigen::VectorXf values = Eigen::VectorXf::Zero(static_cast<Eigen::Index>(controls.size()));
  for (int i = 0; i < static_cast<int>(controls.size()); ++i) {
    const ShapeControl& control = controls[i];
    if (group == ShapeGroup::kShapes) {
      // Faces move few muscles at a time, and mostly both sides together.
      constexpr float kShareMoving = 0.18F, kStrength = 0.45F, kSideDifference = 0.25F;
      if (control.mirrored >= 0 && control.mirrored < i) continue;
      const bool moves = uniform(random) < kShareMoving;
      const float strength = std::min(1.0F, kStrength * std::abs(normal(random)));
      const float difference = kSideDifference * uniform(random), side = uniform(random);
      if (!moves) continue;
      if (control.mirrored < 0) {
        values[i] = strength;
      } else if (control.antisymmetric) {
        values[side < 0.5F ? i : control.mirrored] = strength;
      } else {
        values[i] = strength * (side < 0.5F ? 1 : 1 - difference);
        values[control.mirrored] = strength * (side < 0.5F ? 1 - difference : 1);
      }
    } else if (group == ShapeGroup::kJoints) {
      constexpr float kShareOfRange = 0.2F;
      values[i] = std::clamp(kShareOfRange * control.high * normal(random), control.low, control.high);
    } else {
      values[i] = normal(random);
    }
  }
  if (group == ShapeGroup::kShapes) {
    const auto set_by_name = [&](const std::string& name, float weight) {
      for (std::size_t i = 0; i < controls.size(); ++i) {
        if (controls[i].name == name) values[static_cast<Eigen::Index>(i)] = weight;
      }
    };
    // Both eyes look at one place.
    constexpr float kGaze = 0.3F;
    const float to_left = std::clamp(kGaze * normal(random), -1.0F, 1.0F);
    const float up = std::clamp(kGaze / 2 * normal(random), -1.0F, 1.0F);
    for (const std::string side : {"Left", "Right"}) {
      const float outwards = side == "Left" ? to_left : -to_left;
      set_by_name("eyeLookOut" + side, std::max(outwards, 0.0F));
      set_by_name("eyeLookIn" + side, std::max(-outwards, 0.0F));
      set_by_name("eyeLookUp" + side, std::max(up, 0.0F));
      set_by_name("eyeLookDown" + side, std::max(-up, 0.0F));
    }
    // Lips that close on a jaw that has not opened go through each other.
    float open = 0, close = 0;
    for (std::size_t i = 0; i < controls.size(); ++i) {
      if (controls[i].name == "jawOpen") open = values[static_cast<Eigen::Index>(i)];
      if (controls[i].name == "mouthClose") close = values[static_cast<Eigen::Index>(i)];
    }
    set_by_name("mouthClose", std::min(close, open));
  }
  setAll(group, values);
}

Eigen::VectorXf ShapedHead::identity() const { return values_[at(ShapeGroup::kIdentity)]; }

Eigen::VectorXf ShapedHead::expression() const {
  Eigen::VectorXf result = Eigen::VectorXf::Zero(model_.numExpression());
  for (std::size_t i = 0; i < mode_column_.size(); ++i)
    result[mode_column_[i]] = values_[at(ShapeGroup::kExpression)][static_cast<Eigen::Index>(i)];
  for (std::size_t i = 0; i < shape_source_.size(); ++i) {
    if (!shape_source_[i].is_beside)
      result[shape_source_[i].column] = values_[at(ShapeGroup::kShapes)][static_cast<Eigen::Index>(i)];
  }
  return result;
}

Eigen::VectorXf ShapedHead::besideWeights() const {
  Eigen::VectorXf result = Eigen::VectorXf::Zero(model_.blendshapes.cols());
  for (std::size_t i = 0; i < shape_source_.size(); ++i) {
    if (shape_source_[i].is_beside)
      result[shape_source_[i].column] = values_[at(ShapeGroup::kShapes)][static_cast<Eigen::Index>(i)];
  }
  return result;
}

Points3 ShapedHead::pose() const {
  const Eigen::VectorXf& degrees = values_[at(ShapeGroup::kJoints)];
  return Eigen::Map<const Points3>(degrees.data(), degrees.size() / 3, 3) / kDegreesPerRadian;
}

void ShapedHead::setCoefficients(const Eigen::VectorXf& identity, const Eigen::VectorXf& expression,
                                 const Points3& pose) {
  require(expression.size() <= model_.numExpression(), "ShapedHead: ", expression.size(),
          " expression coefficients for ", model_.numExpression());
  const auto coefficient = [&](int column) { return column < expression.size() ? expression[column] : 0.0F; };
  Eigen::VectorXf modes(static_cast<Eigen::Index>(mode_column_.size()));
  for (Eigen::Index i = 0; i < modes.size(); ++i)
    modes[i] = coefficient(mode_column_[static_cast<std::size_t>(i)]);
  Eigen::VectorXf shapes = Eigen::VectorXf::Zero(static_cast<Eigen::Index>(shape_source_.size()));
  for (Eigen::Index i = 0; i < shapes.size(); ++i) {
    const ShapeSource& source = shape_source_[static_cast<std::size_t>(i)];
    if (!source.is_beside) shapes[i] = coefficient(source.column);
  }
  setAll(ShapeGroup::kIdentity, identity);
  setAll(ShapeGroup::kExpression, modes);
  setAll(ShapeGroup::kShapes, shapes);
  const Points3 degrees = pose * kDegreesPerRadian;
  setAll(ShapeGroup::kJoints, Eigen::Map<const Eigen::VectorXf>(degrees.data(), degrees.size()));
}

const Points3& ShapedHead::neutral() {
  return neutral_.update(model_.mean, model_.identity, values_[at(ShapeGroup::kIdentity)]);
}

// Eyeballs follow the look shapes, as they do in an exported head (assets/head_asset.h).
void ShapedHead::turnEyes(const Points3& neutral_shape, Points3& shaped) {
  Take look;
  look.time_s = {0};
  std::vector<float> weights;
  for (const int i : look_) {
    const float value = values_[at(ShapeGroup::kShapes)][i];
    if (value == 0) continue;
    look.names.push_back(controls_[at(ShapeGroup::kShapes)][i].name);
    weights.push_back(value);
  }
  if (weights.empty()) return;
  look.weights =
      Eigen::Map<const Eigen::MatrixXf>(weights.data(), 1, static_cast<Eigen::Index>(weights.size()));
  if (eyeballs_identity_.size() != model_.numIdentity() || eyeballs_identity_ != identity()) {
    eyeballs_ = eyeballs(model_, neutral_shape);
    eyeballs_identity_ = identity();
  }
  const std::array<Points3, 2> angles = eyeAngles(look);
  turnEyeballs(
      eyeballs_,
      {rotationFromAngles(angles[0].row(0).transpose()), rotationFromAngles(angles[1].row(0).transpose())},
      shaped);
}

void ShapedHead::updateShape() {
  if (vertices_at_ == shape_revision_) return;
  const Points3& neutral_shape = neutral();
  const Eigen::VectorXf modes = expression(), beside = besideWeights();
  vertices_ = neutral_shape;
  const Points3* offsets[2] = {nullptr, nullptr};
  if (modes.size() > 0) offsets[0] = &expression_offset_.update({}, model_.expression, modes);
  if (beside.size() > 0) offsets[1] = &shape_offset_.update({}, model_.blendshapes, beside);
  constexpr int kChunk = 16384;
  parallelFor(static_cast<int>(vertices_.rows()), kChunk, [&](int begin, int end) {
    for (const Points3* offset : offsets) {
      if (offset != nullptr)
        vertices_.middleRows(begin, end - begin) += offset->middleRows(begin, end - begin);
    }
  });
  turnEyes(neutral_shape, vertices_);
  if (model_.skeleton && !values_[at(ShapeGroup::kJoints)].isZero(0))
    vertices_ = model_.skeleton->posed(vertices_, pose());
  vertices_at_ = shape_revision_;
}

const Points3& ShapedHead::vertices() {
  updateShape();
  return vertices_;
}

const Points3& ShapedHead::normals() {
  updateShape();
  if (normals_at_ != shape_revision_) normal_computer_.compute(vertices_, model_.triangles, normals_);
  normals_at_ = shape_revision_;
  return normals_;
}

const Points3& ShapedHead::albedo() {
  if (albedo_at_ == albedo_revision_) return albedo_;
  albedo_at_ = albedo_revision_;
  if (model_.albedo_mean.rows() == 0) return albedo_;
  albedo_ = albedo_sum_.update(model_.albedo_mean, model_.albedo, values_[at(ShapeGroup::kAlbedo)])
                .cwiseMax(0)
                .cwiseMin(1);
  return albedo_;
}

std::string ShapedHead::toJson() const {
  json object = {{"model", model_.id}};
  for (std::size_t g = 0; g < controls_.size(); ++g) {
    for (std::size_t i = 0; i < controls_[g].size(); ++i) {
      const float value = values_[g][static_cast<Eigen::Index>(i)];
      if (value != 0) object[kGroupNames[g]][controls_[g][i].name] = shortest(value);
    }
  }
  return object.dump(1, ' ', false, json::error_handler_t::replace);
}

std::vector<std::string> ShapedHead::fromJson(const std::string& text, const std::string& source) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object())
    fail(ErrorKind::kInput, source,
         ": is no JSON object with a head's parameters, as Save and Copy write them");
  const bool has_group = std::any_of(kGroupNames.begin(), kGroupNames.end(),
                                     [&](const char* name) { return object.contains(name); });
  if (!has_group && !object.contains("model"))
    fail(ErrorKind::kInput, source,
         ": holds none of \"identity\", \"expression\", \"shapes\", \"albedo\", \"joints\"");
  // Modes are numbered: those of another model would be something else.
  const bool is_this_model =
      object.value("model", json()) == json() || object.value("model", json()) == model_.id;
  std::vector<std::string> unknown;
  std::array<Eigen::VectorXf, kNumShapeGroups> read;
  for (std::size_t g = 0; g < controls_.size(); ++g) {
    read[g] = Eigen::VectorXf::Zero(values_[g].size());
    const auto group = object.find(kGroupNames[g]);
    if (group == object.end()) continue;
    if (!group->is_object())
      fail(ErrorKind::kInput, source, ": \"", kGroupNames[g], "\" is no object of names and numbers");
    const bool is_named = g == at(ShapeGroup::kShapes) || g == at(ShapeGroup::kJoints);
    for (const auto& [name, value] : group->items()) {
      if (!value.is_number() || !std::isfinite(value.get<float>()))
        fail(ErrorKind::kInput, source, ": \"", name, "\" is ", value.dump(), "; expected a number");
      const std::string known_as = g == at(ShapeGroup::kShapes) ? shapeName(name, ShapeNaming::kArkit) : name;
      const auto found = std::find_if(controls_[g].begin(), controls_[g].end(),
                                      [&](const ShapeControl& control) { return control.name == known_as; });
      if (found == controls_[g].end() || !(is_this_model || is_named)) {
        unknown.push_back(name);
      } else {
        read[g][found - controls_[g].begin()] = value.get<float>();
      }
    }
  }
  for (std::size_t g = 0; g < controls_.size(); ++g) setAll(static_cast<ShapeGroup>(g), read[g]);
  return unknown;
}

}  // namespace facet
