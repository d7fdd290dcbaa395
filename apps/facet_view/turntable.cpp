#include "apps/facet_view/turntable.h"

#include <cmath>
#include <optional>

#include "apps/common/output_folder.h"
#include "core/error.h"
#include "core/io/video_io.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

constexpr double kFramesPerSecond = 30;

}  // namespace

struct Turntable::Impl {
  fs::path path;
  OrbitCamera start;
  int num_frames;
  OutputFiles files;
  std::optional<VideoWriter> video;
  int num_written = 0;
};

Turntable::Turntable(const fs::path& path, const OrbitCamera& start, double seconds, bool force) {
  if (path.extension() != ".mp4") fail(ErrorKind::kUsage, path.string(), ": turntables are written as .mp4");
  prepareOutputFile(path, force);
  impl_ =
      std::unique_ptr<Impl>(new Impl{path, start, static_cast<int>(std::lround(seconds * kFramesPerSecond)),
                                     OutputFiles(path.parent_path(), force), std::nullopt});
}

Turntable::~Turntable() = default;

OrbitCamera Turntable::camera() const {
  OrbitCamera camera = impl_->start;
  camera.yaw_deg += 360 * static_cast<float>(done());
  return camera;
}

double Turntable::done() const { return static_cast<double>(impl_->num_written) / impl_->num_frames; }
const OrbitCamera& Turntable::start() const { return impl_->start; }
const fs::path& Turntable::path() const { return impl_->path; }

bool Turntable::add(const Image8& picture) {
  if (!impl_->video) {
    impl_->video.emplace(impl_->files.temporary() / impl_->path.filename(), picture.width(), picture.height(),
                         kFramesPerSecond);
  }
  impl_->video->write(picture);
  if (++impl_->num_written < impl_->num_frames) return false;
  impl_->video->finish();
  impl_->video.reset();
  impl_->files.commit();
  return true;
}

}  // namespace facet
