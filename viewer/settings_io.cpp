#include "viewer/settings_io.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <type_traits>

#include "core/error.h"

namespace facet {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 11> kModeNames = {"textured",  "albedo",       "clay",      "normals",
                                                    "curvature", "depth",        "pncc",      "uv-checker",
                                                    "regions",   "skin-weights", "scan-error"};
constexpr std::array<const char*, 4> kLightNames = {"auto", "studio", "photo", "environment"};
constexpr std::array<const char*, 4> kCompareNames = {"none", "wipe-photo", "wipe", "side-by-side"};

template <typename Kind, std::size_t count>
std::optional<Kind> byName(const std::array<const char*, count>& names, const std::string& name) {
  for (std::size_t i = 0; i < count; ++i) {
    if (name == names[i]) return static_cast<Kind>(i);
  }
  return std::nullopt;
}

template <typename T>
struct IsEigen : std::is_base_of<Eigen::MatrixBase<T>, T> {};

// Calls visit(key, field) for each setting: one list for both directions.
template <typename View, typename Visit>
void visitFields(View& view, const Visit& visit) {
  visit("mode", view.mode);
  visit("wireframe", view.wireframe);
  visit("flat", view.flat);
  visit("normal_map", view.normal_map);
  visit("occlusion", view.occlusion);
  visit("displacement", view.displacement);
  visit("show_eyes", view.show_eyes);
  visit("show_teeth", view.show_teeth);
  visit("backfaces", view.backfaces);
  visit("landmarks", view.landmarks);
  visit("uncertainty", view.uncertainty);
  visit("grid", view.grid);
  visit("axes", view.axes);
  visit("region", view.region);
  visit("joint", view.joint);
  visit("error_range_mm", view.error_range_mm);
  visit("light", view.light);
  visit("environment_yaw_deg", view.environment_yaw_deg);
  visit("lamp", view.lamp);
  visit("lamp_yaw_deg", view.lamp_yaw_deg);
  visit("lamp_pitch_deg", view.lamp_pitch_deg);
  visit("lamp_strength", view.lamp_strength);
  visit("exposure_stops", view.exposure_stops);
  visit("highlights", view.highlights);
  visit("through_photo", view.through_photo);
  visit("photo_opacity", view.photo_opacity);
  visit("head_opacity", view.head_opacity);
  visit("photo_zoom", view.photo_zoom);
  visit("photo_pan_px", view.photo_pan_px);
  visit("compare", view.compare);
  visit("wipe", view.wipe);
  visit("background_top", view.background_top);
  visit("background_bottom", view.background_bottom);
  visit("transparent", view.transparent);
  visit("samples", view.samples);
}

template <typename View, typename Visit>
void visitCameraFields(View& camera, const Visit& visit) {
  visit("target_mm", camera.target_mm);
  visit("yaw_deg", camera.yaw_deg);
  visit("pitch_deg", camera.pitch_deg);
  visit("distance_mm", camera.distance_mm);
  visit("field_of_view_deg", camera.field_of_view_deg);
  visit("orthographic", camera.orthographic);
}

struct Writer {
  json& object;

  template <typename T>
  void operator()(const char* key, const T& value) const {
    if constexpr (std::is_enum_v<T>) {
      object[key] = nameOf(value);
    } else if constexpr (IsEigen<T>::value) {
      object[key] = std::vector<float>(value.data(), value.data() + value.size());
    } else {
      object[key] = value;
    }
  }
};

template <typename Kind>
std::optional<Kind> kindByName(const std::string& name) {
  if constexpr (std::is_same_v<Kind, SurfaceMode>) return surfaceMode(name);
  if constexpr (std::is_same_v<Kind, LightKind>) return lightKind(name);
  if constexpr (std::is_same_v<Kind, CompareMode>) return compareMode(name);
}

struct Reader {
  const json& object;
  const std::string& source;

  template <typename T>
  void operator()(const char* key, T& value) const {
    const auto found = object.find(key);
    if (found == object.end()) return;
    if constexpr (std::is_enum_v<T>) {
      const auto kind = found->is_string() ? kindByName<T>(found->template get<std::string>()) : std::nullopt;
      if (!kind)
        fail(ErrorKind::kInput, source, ": \"", key, "\" is ", found->dump(), ", which is no such name");
      value = *kind;
    } else if constexpr (IsEigen<T>::value) {
      bool fits = found->is_array() && found->size() == static_cast<std::size_t>(value.size());
      for (std::size_t i = 0; fits && i < found->size(); ++i) fits = (*found)[i].is_number();
      if (!fits) {
        fail(ErrorKind::kInput, source, ": \"", key, "\" is ", found->dump(), "; expected ", value.size(),
             " numbers");
      }
      for (Eigen::Index i = 0; i < value.size(); ++i)
        value[i] = (*found)[static_cast<std::size_t>(i)].template get<float>();
    } else {
      const bool fits = std::is_same_v<T, bool> ? found->is_boolean() : found->is_number();
      if (!fits) {
        fail(ErrorKind::kInput, source, ": \"", key, "\" is ", found->dump(), "; expected ",
             std::is_same_v<T, bool> ? "true or false" : "a number");
      }
      value = found->template get<T>();
    }
  }
};

// Calls visit(key, number, low, high) for each number that has limits: what the panels offer, and a little
// more. A value outside would divide by zero, fill the memory or show nothing.
template <typename View, typename Visit>
void visitLimits(View& view, const Visit& visit) {
  const auto each = [&](const char* key, auto& values, float low, float high) {
    for (Eigen::Index i = 0; i < values.size(); ++i) visit(key, values[i], low, high);
  };
  visit("region", view.region, -1, 1000000);
  visit("joint", view.joint, 0, 1000000);
  visit("error_range_mm", view.error_range_mm, 0.01F, 1000);
  visit("environment_yaw_deg", view.environment_yaw_deg, -3600, 3600);
  visit("lamp_yaw_deg", view.lamp_yaw_deg, -3600, 3600);
  visit("lamp_pitch_deg", view.lamp_pitch_deg, -90, 90);
  visit("lamp_strength", view.lamp_strength, 0, 1000);
  visit("exposure_stops", view.exposure_stops, -20, 20);
  visit("photo_opacity", view.photo_opacity, 0, 1);
  visit("head_opacity", view.head_opacity, 0, 1);
  visit("photo_zoom", view.photo_zoom, 0.01F, 1000);
  each("photo_pan_px", view.photo_pan_px, -1e6F, 1e6F);
  visit("wipe", view.wipe, 0, 1);
  each("background_top", view.background_top, 0, 1);
  each("background_bottom", view.background_bottom, 0, 1);
  visit("samples", view.samples, 1, 64);
}

json parsed(const std::string& text, const std::string& source) {
  json object = json::parse(text, nullptr, false);
  if (!object.is_object()) fail(ErrorKind::kInput, source, ": is no JSON object");
  return object;
}

}  // namespace

std::string toJson(const ViewSettings& view) {
  json object;
  visitFields(view, Writer{object});
  return object.dump(1);
}

std::string toJson(const OrbitCamera& camera) {
  json object;
  visitCameraFields(camera, Writer{object});
  return object.dump(1);
}

void fromJson(const std::string& text, const std::string& source, ViewSettings& view) {
  const json object = parsed(text, source);
  ViewSettings read = view;
  visitFields(read, Reader{object, source});
  visitLimits(read, [&](const char* key, auto value, auto low, auto high) {
    if (!(value >= low && value <= high))
      fail(ErrorKind::kInput, source, ": \"", key, "\" is ", value, "; expected ", low, " to ", high);
  });
  view = read;
}

void keepWithinLimits(ViewSettings& view) {
  visitLimits(view, [](const char*, auto& value, auto low, auto high) {
    using Number = std::remove_reference_t<decltype(value)>;
    const Number least = static_cast<Number>(low), most = static_cast<Number>(high);
    value = value >= least ? std::min(value, most) : least;  // of no number, too
  });
}

void fromJson(const std::string& text, const std::string& source, OrbitCamera& camera) {
  const json object = parsed(text, source);
  OrbitCamera read = camera;
  visitCameraFields(read, Reader{object, source});
  if (!(read.distance_mm > 0) || !(read.field_of_view_deg > 0 && read.field_of_view_deg < 180)) {
    fail(ErrorKind::kInput, source, ": a camera ", read.distance_mm, " mm away with a field of view of ",
         read.field_of_view_deg, "° sees nothing");
  }
  camera = read;
}

const char* nameOf(SurfaceMode mode) { return kModeNames[static_cast<std::size_t>(mode)]; }
const char* nameOf(LightKind light) { return kLightNames[static_cast<std::size_t>(light)]; }
const char* nameOf(CompareMode compare) { return kCompareNames[static_cast<std::size_t>(compare)]; }

std::optional<SurfaceMode> surfaceMode(const std::string& name) {
  return byName<SurfaceMode>(kModeNames, name);
}
std::optional<LightKind> lightKind(const std::string& name) { return byName<LightKind>(kLightNames, name); }
std::optional<CompareMode> compareMode(const std::string& name) {
  return byName<CompareMode>(kCompareNames, name);
}

}  // namespace facet
