#include "core/io/landmark_io.h"

#include <cmath>
#include <sstream>

#include "core/check.h"
#include "core/error.h"
#include "core/io/files.h"

namespace facet {
namespace {

// Centre of the first pixel: (1, 1) in the file, (0.5, 0.5) here.
constexpr float kOffset_px = 0.5F;

float parseCoordinate(const std::string& text) {
  char* end = nullptr;
  const float value = std::strtof(text.c_str(), &end);
  return end == text.c_str() + text.size() ? value : std::numeric_limits<float>::quiet_NaN();
}

}  // namespace

LandmarkSet readPts(const std::filesystem::path& path) {
  std::istringstream text(readText(path));
  const auto bad = [&path](const auto&... what) {
    fail(ErrorKind::kInput, path.string(), ": ", what...,
         "; expected an iBUG .pts file: version, n_points: 68, { 68 lines of x y }");
  };
  int announced = -1;
  std::string word;
  while (text >> word && word != "{") {
    if (word == "n_points:") text >> announced;
  }
  if (word != "{") bad("has no \"{\" before its points");
  if (announced >= 0 && announced != kNumIbugLandmarks) bad("has ", announced, " points, not 68");

  std::vector<float> coordinates;
  while (text >> word && word != "}") {
    const float value = parseCoordinate(word);
    if (!std::isfinite(value))
      bad("point ", coordinates.size() / 2 + 1, ": \"", word, "\" is not a finite number");
    coordinates.push_back(value);
  }
  if (coordinates.size() != 2 * kNumIbugLandmarks) bad("has ", coordinates.size() / 2.0, " points, not 68");
  if (word != "}") bad("has no \"}\" after its points");
  LandmarkSet landmarks;
  landmarks.positions_px =
      Eigen::Map<const Points2>(coordinates.data(), kNumIbugLandmarks, 2).array() - kOffset_px;
  return landmarks;
}

void writePts(const std::filesystem::path& path, const LandmarkSet& landmarks) {
  require(landmarks.size() == kNumIbugLandmarks, "writePts: ", landmarks.size(), " points, not 68");
  std::ostringstream text;
  text.precision(8);
  text << "version: 1\nn_points: " << kNumIbugLandmarks << "\n{\n";
  for (int i = 0; i < landmarks.size(); ++i) {
    text << landmarks.positions_px(i, 0) + kOffset_px << ' ' << landmarks.positions_px(i, 1) + kOffset_px
         << '\n';
  }
  text << "}\n";
  writeText(path, text.str());
}

}  // namespace facet
