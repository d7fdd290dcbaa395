#include "fitting/regressor_description.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "core/check.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/model_io.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

constexpr const char* kExample =
    R"({"preset": "deep3d"} (or 3ddfa_v2, deca, smirk), or all fields as in docs/regressors.md)";

// An object of the file, its place in it, and which of its fields were asked for.
class Object {
 public:
  Object(const Json& json, std::string place) : json_(json), place_(std::move(place)) {
    require(json.is_object(), place_.empty() ? "the file" : place_, " must be an object {…}");
  }

  bool has(const std::string& key) {
    known_.push_back(key);
    return json_.contains(key);
  }
  const Json& get(const std::string& key) {
    require(has(key), "the field \"", placeOf(key), "\" is missing");
    return json_[key];
  }
  Object object(const std::string& key) { return {get(key), placeOf(key)}; }
  std::string placeOf(const std::string& key) const { return place_.empty() ? key : place_ + "." + key; }

  template <typename... Choices>
  std::string choice(const std::string& key, const Choices&... choices) {
    const Json& value = get(key);
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    std::string all;
    ((all += (all.empty() ? "" : ", ") + std::string(choices)), ...);
    require(((text == choices) || ...), "\"", placeOf(key), "\" is ", text, "; expected one of ", all);
    return text;
  }
  std::string text(const std::string& key) {
    const Json& value = get(key);
    require(value.is_string(), "\"", placeOf(key), "\" must be text in quotes");
    return value.get<std::string>();
  }
  float number(const std::string& key) { return asNumber(get(key), key); }
  float number(const std::string& key, float otherwise) { return has(key) ? number(key) : otherwise; }
  float positive(const std::string& key) {
    const float value = number(key);
    require(value > 0, "\"", placeOf(key), "\" is ", value, "; it must be > 0");
    return value;
  }
  int integer(const std::string& key, int low, int high) {
    const Json& value = get(key);
    require(value.is_number_integer() && value.get<double>() >= low && value.get<double>() <= high, "\"",
            placeOf(key), "\" is ", value.dump(), "; expected a whole number from ", low, " to ", high);
    return value.get<int>();
  }
  bool flag(const std::string& key) {
    if (!has(key)) return false;
    require(json_[key].is_boolean(), "\"", placeOf(key), "\" must be true or false");
    return json_[key].get<bool>();
  }
  // Numbers in a list; `count` of them unless that is 0.
  Eigen::VectorXf numbers(const std::string& key, Eigen::Index count = 0) {
    const Json& list = get(key);
    require(
        list.is_array() && !list.empty() && (count == 0 || static_cast<Eigen::Index>(list.size()) == count),
        "\"", placeOf(key), "\" must be a list of ", count > 0 ? std::to_string(count) : "", " numbers");
    Eigen::VectorXf values(static_cast<Eigen::Index>(list.size()));
    for (std::size_t i = 0; i < list.size(); ++i)
      values[static_cast<Eigen::Index>(i)] = asNumber(list[i], key);
    return values;
  }
  // One number for all three channels, or three.
  Eigen::Vector3f channels(const std::string& key) {
    if (get(key).is_number()) return Eigen::Vector3f::Constant(number(key));
    return numbers(key, 3);
  }

  // Whatever was not asked for is a mistake: a field that is spelt wrong would else be passed over.
  void expectNothingElse() const {
    for (const auto& [key, value] : json_.items()) {
      require(std::find(known_.begin(), known_.end(), key) != known_.end(), "the field \"", placeOf(key),
              "\" is not known here");
    }
  }

 private:
  float asNumber(const Json& value, const std::string& key) const {
    require(value.is_number() && std::isfinite(value.get<float>()), "\"", placeOf(key), "\" holds ",
            value.dump(), "; a number was expected");
    return value.get<float>();
  }

  const Json& json_;
  std::string place_;
  std::vector<std::string> known_;
};

void parseInput(Object input, RegressorDescription& description) {
  description.size_px = input.integer("size_px", 16, 2048);
  description.is_bgr = input.choice("channels", "RGB", "BGR") == "BGR";
  description.mean = input.channels("mean");
  description.std = input.channels("std");
  require(description.std.minCoeff() > 0, "\"input.std\" must be > 0");
  input.expectNothingElse();
}

void parseCrop(Object crop, RegressorDescription& description) {
  if (crop.choice("rule", "five_points", "landmark_box") == "five_points") {
    description.crop_rule = RegressorDescription::CropRule::kFivePoints;
    description.crop_scale_px = crop.positive("scale_px");
    const Json& points = crop.get("points");
    require(points.is_array() && points.size() == 5, "\"crop.points\" must be five points [x, y, z]");
    description.crop_points.resize(5, 3);
    for (std::size_t i = 0; i < 5; ++i) {
      Json row = Json::object();
      row["points"] = points[i];
      description.crop_points.row(static_cast<Eigen::Index>(i)) =
          Object(row, "crop").numbers("points", 3).transpose();
    }
  } else {
    description.crop_rule = RegressorDescription::CropRule::kLandmarkBox;
    description.crop_larger_side = crop.choice("side", "mean", "larger") == "larger";
    description.crop_scale = crop.positive("scale");
    description.crop_extend_up = crop.number("extend_up", 0);
    description.crop_shift_down = crop.number("shift_down", 0);
    description.crop_to_pixel_centres = crop.flag("to_pixel_centres");
  }
  crop.expectNothingElse();
}

void parseCamera(Object camera, RegressorDescription& description) {
  const std::string type = camera.choice("type", "perspective", "weak_perspective", "affine");
  description.unit_mm = camera.positive("unit_mm");
  if (type == "perspective") {
    description.camera = RegressorDescription::CameraType::kPerspective;
    description.focal_px = camera.positive("focal_px");
    description.distance = camera.number("distance", 0);
  } else if (type == "affine") {
    description.camera = RegressorDescription::CameraType::kAffine;
    if (camera.has("shift_px")) description.shift_px = camera.numbers("shift_px", 2);
  } else {
    description.camera = RegressorDescription::CameraType::kWeakPerspective;
  }
  camera.expectNothingElse();
}

void parseCoefficients(Object coefficients, RegressorDescription& description) {
  const auto slice = [&](const char* name, int count) -> std::optional<RegressorDescription::Slice> {
    if (!coefficients.has(name)) return std::nullopt;
    Object object = coefficients.object(name);
    RegressorDescription::Slice result;
    result.offset = object.integer("offset", 0, 100000);
    result.count = object.integer("count", 1, 100000);
    result.per_deviation = object.flag("per_deviation");
    result.scale = object.number("scale", 1);
    require(count == 0 || result.count == count, "\"coefficients.", name, ".count\" is ", result.count,
            "; it must be ", count);
    require(result.offset + result.count <= description.numValues(), "\"coefficients.", name,
            "\" reaches to value ", result.offset + result.count, " of ", description.numValues());
    require(
        !result.per_deviation || !description.whitening_file.empty() || description.whitening_std.size() > 0,
        "\"coefficients.", name, ".per_deviation\" needs \"whitening\"");
    object.expectNothingElse();
    return result;
  };
  description.identity = slice("identity", 0);
  description.expression = slice("expression", 0);
  description.albedo = slice("albedo", 0);
  description.eyelids = slice("eyelids", 2);
  description.angles = slice("angles", 3);
  description.rotation = slice("rotation", 3);
  description.translation = slice("translation", 3);
  description.weak_perspective = slice("weak_perspective", 3);
  description.affine = slice("affine", 12);
  description.jaw = slice("jaw", 3);
  description.neck = slice("neck", 3);
  description.eyes = slice("eyes", 6);
  description.light = slice("light", 27);
  coefficients.expectNothingElse();

  require(description.identity || description.expression,
          "\"coefficients\" must have \"identity\" or \"expression\"");
  require(!(description.angles && description.rotation),
          "\"coefficients\" has both \"angles\" and \"rotation\"; one of them is the head's pose");
  using CameraType = RegressorDescription::CameraType;
  require(description.camera != CameraType::kAffine || description.affine,
          "a camera of type affine needs \"coefficients.affine\"");
  require(description.camera != CameraType::kWeakPerspective || description.weak_perspective,
          "a camera of type weak_perspective needs \"coefficients.weak_perspective\"");
  require(description.camera != CameraType::kPerspective || description.translation,
          "a camera of type perspective needs \"coefficients.translation\"");
  require(
      description.light.has_value() == (description.light_basis != RegressorDescription::LightBasis::kNone),
      "\"light\" and \"coefficients.light\" belong together");
}

fs::path presetFolder() { return dataDirectory() / "regressors"; }

std::vector<fs::path> presetFiles() {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(presetFolder(), ignored))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::string presetNames() {
  std::string names;
  for (const fs::path& file : presetFiles()) names += (names.empty() ? "" : ", ") + file.stem().string();
  return names;
}

Json parseJson(const std::string& text, const fs::path& file) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    fail(ErrorKind::kModel, file.string(), ": is not JSON: ", error.what(), "; write ", kExample);
  }
}

RegressorDescription descriptionFrom(Json json, const fs::path& file) try {
  std::string name = file.stem().string();
  if (json.is_object() && json.contains("preset")) {
    require(json["preset"].is_string(), "\"preset\" must be text in quotes");
    name = json["preset"].get<std::string>();
    const fs::path preset = presetFolder() / (name + ".json");
    require(name.find('/') == std::string::npos && fs::exists(preset), "there is no preset \"", name,
            "\"; there are ", presetNames());
    json.erase("preset");
    // Fields beside "preset" replace those of the preset.
    Json merged = parseJson(readText(preset), preset);
    merged.merge_patch(json);
    json = std::move(merged);
  }

  RegressorDescription description;
  description.name = name;
  Object root(json, "");
  description.title = root.has("title") ? root.text("title") : name;
  if (root.has("models")) {
    const Json& models = root.get("models");
    require(models.is_array() && std::all_of(models.begin(), models.end(),
                                             [](const Json& model) { return model.is_string(); }),
            "\"models\" must be a list of model ids");
    description.models = models.get<std::vector<std::string>>();
  }
  parseInput(root.object("input"), description);
  parseCrop(root.object("crop"), description);
  const Json& outputs = root.get("outputs");
  require(outputs.is_array() && !outputs.empty(),
          "\"outputs\" must be a list of {\"name\": …, \"count\": …}");
  for (const Json& output : outputs) {
    Object object(output, "outputs");
    description.outputs.push_back({object.text("name"), object.integer("count", 1, 100000)});
    object.expectNothingElse();
  }
  if (root.has("whitening")) {
    Object whitening = root.object("whitening");
    if (whitening.has("file")) {
      description.whitening_file = whitening.text("file");
    } else {
      description.whitening_mean = whitening.numbers("mean", description.numValues());
      description.whitening_std = whitening.numbers("std", description.numValues());
      require(description.whitening_std.minCoeff() > 0, "\"whitening.std\" must be > 0");
    }
    whitening.expectNothingElse();
  }
  if (root.has("light")) {
    description.light_basis = root.choice("light", "deep3d", "deca") == "deca"
                                  ? RegressorDescription::LightBasis::kDeca
                                  : RegressorDescription::LightBasis::kDeep3d;
  }
  parseCamera(root.object("camera"), description);
  parseCoefficients(root.object("coefficients"), description);
  root.expectNothingElse();
  return description;
} catch (const std::invalid_argument& error) {
  fail(ErrorKind::kModel, file.string(), ": ", error.what(), "; docs/regressors.md has all fields");
}

// Values that one output holds; 0 when the file does not say. A free or single first axis is the batch.
std::int64_t valueCount(const OnnxTensor& tensor) {
  std::int64_t count = tensor.shape.empty() ? 0 : 1;
  for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
    if (axis == 0 && tensor.shape.size() > 1 && tensor.shape[axis] <= 1) continue;
    count = tensor.shape[axis] > 0 && count < (1 << 24) ? count * tensor.shape[axis] : 0;
  }
  return count;
}

// Height and width of the network's image, 1×3×H×W; 0 where they are free.
std::pair<std::int64_t, std::int64_t> imageSize(const OnnxHeader& header) {
  const std::vector<std::int64_t>& shape = header.inputs.front().shape;
  if (shape.size() != 4) return {0, 0};
  return {std::max<std::int64_t>(shape[2], 0), std::max<std::int64_t>(shape[3], 0)};
}

}  // namespace

int RegressorDescription::numValues() const {
  return std::accumulate(outputs.begin(), outputs.end(), 0,
                         [](int sum, const Output& output) { return sum + output.count; });
}

RegressorDescription parseRegressorDescription(const std::string& text, const fs::path& file) {
  return descriptionFrom(parseJson(text, file), file);
}

std::optional<std::vector<int>> matchOutputs(const RegressorDescription& description,
                                             const OnnxHeader& header) {
  const int num_outputs = static_cast<int>(description.outputs.size());
  const auto fits = [](std::int64_t stored, int expected) { return stored == 0 || stored == expected; };
  std::vector<int> by_name, by_place(description.outputs.size());
  for (const RegressorDescription::Output& output : description.outputs) {
    for (int i = 0; i < static_cast<int>(header.outputs.size()); ++i) {
      const OnnxTensor& tensor = header.outputs[i];
      if (tensor.name == output.name && fits(valueCount(tensor), output.count)) by_name.push_back(i);
    }
  }
  if (static_cast<int>(by_name.size()) == num_outputs) return by_name;
  std::iota(by_place.begin(), by_place.end(), 0);
  const bool fits_by_place = static_cast<int>(header.outputs.size()) == num_outputs &&
                             std::all_of(by_place.begin(), by_place.end(), [&](int i) {
                               return valueCount(header.outputs[i]) == description.outputs[i].count ||
                                      (num_outputs == 1 && valueCount(header.outputs[i]) == 0);
                             });
  if (fits_by_place) return by_place;
  if (header.outputs.size() == 1 && valueCount(header.outputs[0]) == description.numValues())
    return std::vector<int>{0};
  return std::nullopt;
}

std::string shapesText(const OnnxHeader& header) {
  const auto [height, width] = imageSize(header);
  std::ostringstream text;
  if (width > 0 && height > 0) {
    text << width << "x" << height << " pixels in";
  } else {
    text << "an input of unknown size";
  }
  for (const OnnxTensor& output : header.outputs) {
    const std::int64_t count = valueCount(output);
    text << (&output == &header.outputs.front() ? "; " : ", ") << output.name << " ";
    if (count > 0) {
      text << count;
    } else {
      text << "of unknown size";
    }
  }
  text << " out";
  return text.str();
}

RegressorDescription describeRegressor(const fs::path& onnx_path, const OnnxHeader& header,
                                       std::string& how) {
  const auto [height, width] = imageSize(header);
  const auto fits = [&, h = height, w = width](const RegressorDescription& description) {
    const bool size_fits = (h == 0 || h == description.size_px) && (w == 0 || w == description.size_px);
    return size_fits && matchOutputs(description, header).has_value();
  };
  fs::path beside = onnx_path;
  beside.replace_extension(".json");
  if (fs::exists(beside)) {
    RegressorDescription description = parseRegressorDescription(readText(beside), beside);
    if (!fits(description)) {
      std::string expected;
      for (const auto& output : description.outputs)
        expected += (expected.empty() ? "" : ", ") + output.name + " " + std::to_string(output.count);
      fail(ErrorKind::kModel, onnx_path.string(), ": the network has ", shapesText(header), ", but ",
           beside.filename().string(), " describes ", description.size_px, "x", description.size_px,
           " pixels in; ", expected, " out; correct \"input.size_px\" or \"outputs\" there");
    }
    how = "described by " + beside.filename().string();
    if (description.name != beside.stem().string()) how += " (preset " + description.name + ")";
    return description;
  }
  std::vector<RegressorDescription> fitting;
  for (const fs::path& preset : presetFiles()) {
    RegressorDescription description = parseRegressorDescription(readText(preset), preset);
    // A network that gives neither its input's nor its outputs' sizes would fit anything.
    const bool is_known = std::all_of(header.outputs.begin(), header.outputs.end(),
                                      [](const OnnxTensor& output) { return valueCount(output) > 0; });
    if (is_known && fits(description)) fitting.push_back(std::move(description));
  }
  if (fitting.size() != 1) {
    fail(ErrorKind::kModel, onnx_path.string(), ": ", fitting.empty() ? "no preset" : "more than one preset",
         " fits a network with ", shapesText(header), "; write ", beside.filename().string(),
         " beside it: ", kExample);
  }
  how = "recognized by its shape (" + shapesText(header) + ") as preset " + fitting.front().name;
  return fitting.front();
}

}  // namespace facet
