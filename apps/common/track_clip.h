#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/common/session.h"
#include "core/image.h"
#include "core/landmarks.h"
#include "core/morphable_model.h"
#include "fitting/landmark_fit.h"

namespace facet {

// What is known of a frame while a clip is tracked.
struct TrackedFrame {
  int number = 0;
  double time_s = 0;
  const Image8* pixels = nullptr;             // sRGB; null while frames are fitted without the overlay
  const LandmarkSet* ibug68 = nullptr;        // px; null where no face was found
  const LandmarkSet* dense = nullptr;         // the same
  const FitResult* fit = nullptr;             // null before it is fitted, or where that failed
  const Eigen::VectorXf* identity = nullptr;  // of the clip; null before it is known
};

struct TrackOptions {
  std::string model = "builtin";  // builtin, an imported model's name, or a file
  double focal_px = 0;            // > 0: known focal length
  double folder_fps = 25;         // frames per second of a folder
  int texture_size_px = 1024;
  bool overlay = true;  // write overlay.mp4
  bool force = false;   // replace an earlier result
  // The model, complete, before the first frame.
  std::function<void(const MorphableModel&)> on_model = nullptr;
  // Each frame twice, in order: when its landmarks are found and when it is fitted.
  std::function<void(const TrackedFrame&)> on_frame = nullptr;
};

// Follows the largest face through a clip (a video or a folder of frames): one identity, and pose and
// expression of each frame, into a result folder that appears whole or not at all. Returns what
// `facet track --json` prints. Error(kNoFace) when no frame shows a face.
nlohmann::json trackClip(const std::string& clip, const std::filesystem::path& output,
                         const TrackOptions& options, Session& session);

}  // namespace facet
