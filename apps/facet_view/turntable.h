#pragma once

#include <filesystem>
#include <memory>

#include "core/image.h"
#include "viewer/orbit_camera.h"

namespace facet {

// A clip of one turn of the camera round the head, frame by frame. Nothing is left of one that is not
// finished.
class Turntable {
 public:
  // Error(kUsage) for a name that does not end in .mp4 or is taken, unless `force`.
  Turntable(const std::filesystem::path& path, const OrbitCamera& start, double seconds, bool force);
  ~Turntable();

  OrbitCamera camera() const;  // of the next frame
  double done() const;         // in [0, 1]
  // Takes the next frame, RGB; whether it was the last one. Error(kRuntime) as VideoWriter.
  bool add(const Image8& picture);
  const OrbitCamera& start() const;
  const std::filesystem::path& path() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace facet
