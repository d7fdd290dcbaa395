#include "viewer/settings_io.h"

#include <doctest/doctest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"

using namespace facet;

TEST_CASE("settings: come back from JSON as they were, each of them") {
  ViewSettings view;
  view.mode = SurfaceMode::kScanError;
  view.light = LightKind::kEnvironment;
  view.compare = CompareMode::kSideBySide;
  view.wireframe = view.lamp = view.through_photo = view.transparent = true;
  view.normal_map = view.show_eyes = false;
  view.region = 4;
  view.exposure_stops = -1.25F;
  view.photo_pan_px = {3, -4.5F};
  view.background_top = {0.1F, 0.2F, 0.3F};
  view.samples = 1;
  const std::string text = toJson(view);
  ViewSettings read;
  fromJson(text, "state", read);
  CHECK(toJson(read) == text);
  CHECK(read.mode == SurfaceMode::kScanError);
  CHECK(read.photo_pan_px == view.photo_pan_px);
  // Each key of the JSON reaches its field: a changed value stays changed.
  nlohmann::json object = nlohmann::json::parse(text);
  CHECK(object.size() == 35);
  for (auto& [key, value] : object.items()) {
    if (value.is_boolean()) value = !value.get<bool>();
    if (value.is_number_float()) value = value.get<double>() / 2 + 0.125;
    if (value.is_number_integer()) value = value.get<int>() + 1;
  }
  fromJson(object.dump(), "state", read);
  CHECK(nlohmann::json::parse(toJson(read)) == object);

  OrbitCamera camera;
  camera.target_mm = {1, 2, 3};
  camera.yaw_deg = 33;
  camera.orthographic = true;
  OrbitCamera copied;
  fromJson(toJson(camera), "clipboard", copied);
  CHECK(toJson(copied) == toJson(camera));
  CHECK(copied.target_mm == camera.target_mm);
}

TEST_CASE("settings: what a newer version wrote is left alone, what is missing keeps its value") {
  ViewSettings view;
  view.flat = true;
  fromJson(R"({"hologram": 3, "wipe": 0.25})", "state", view);
  CHECK(view.flat);
  CHECK(view.wipe == 0.25F);
}

TEST_CASE("settings: a wrong value is refused by key and source, and nothing changes") {
  for (const char* text :
       {"", "[]", R"({"flat": true, "mode": "x-ray"})", R"({"flat": true, "wireframe": 2})",
        R"({"flat": true, "wipe": "half"})", R"({"flat": true, "photo_pan_px": [1]})"}) {
    CAPTURE(text);
    ViewSettings view;
    CHECK_THROWS_WITH_AS(fromJson(text, "state.json", view), doctest::Contains("state.json"), Error);
    CHECK_FALSE(view.flat);
  }
  OrbitCamera camera;
  CHECK_THROWS_AS(fromJson(R"({"distance_mm": 0})", "clipboard", camera), Error);
  CHECK(camera.distance_mm == 1000);
}

TEST_CASE("settings: names and kinds go both ways") {
  for (int i = 0; i < 11; ++i) {
    const auto mode = static_cast<SurfaceMode>(i);
    CHECK(surfaceMode(nameOf(mode)) == mode);
  }
  for (int i = 0; i < 3; ++i)
    CHECK(lightKind(nameOf(static_cast<LightKind>(i))) == static_cast<LightKind>(i));
  for (int i = 0; i < 4; ++i)
    CHECK(compareMode(nameOf(static_cast<CompareMode>(i))) == static_cast<CompareMode>(i));
  CHECK(surfaceMode("scan-error") == SurfaceMode::kScanError);
  CHECK_FALSE(surfaceMode("Textured").has_value());
}

TEST_CASE(
    "settings: numbers beyond their limits are refused from a file and moved to the limit in the window") {
  for (const char* text : {R"({"flat": true, "photo_zoom": 0})", R"({"flat": true, "error_range_mm": 0})",
                           R"({"flat": true, "samples": -5})", R"({"flat": true, "wipe": 2})",
                           R"({"flat": true, "photo_pan_px": [1, 1e30]})"}) {
    CAPTURE(text);
    ViewSettings view;
    CHECK_THROWS_WITH_AS(fromJson(text, "state.json", view), doctest::Contains("expected"), Error);
    CHECK_FALSE(view.flat);
  }
  ViewSettings view;
  const std::string before = toJson(view);
  keepWithinLimits(view);
  CHECK(toJson(view) == before);
  view.photo_zoom = 0;
  view.samples = 1000;
  view.error_range_mm = std::numeric_limits<float>::quiet_NaN();
  view.exposure_stops = std::numeric_limits<float>::infinity();
  keepWithinLimits(view);
  CHECK(view.photo_zoom > 0);
  CHECK(view.samples == 64);
  ViewSettings read;
  fromJson(toJson(view), "state.json", read);
  CHECK(toJson(read) == toJson(view));
}
