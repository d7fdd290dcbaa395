#include "synth/synth.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/npz.h"
#include "core/parallel.h"
#include "synth/face_image.h"

namespace facet {

void SynthOptions::check() const {
  require(num_images > 0, "SynthOptions: num_images is ", num_images, "; give 1 or more");
  require(images_per_shard > 0, "SynthOptions: images_per_shard is ", images_per_shard, "; give 1 or more");
  require(size_px >= 32 && size_px <= 1024, "SynthOptions: size_px is ", size_px, "; give 32 to 1024");
  require(negative_fraction >= 0 && negative_fraction <= 1, "SynthOptions: negative_fraction is ",
          negative_fraction, "; give 0 to 1");
}

SynthResult runSynth(const SynthOptions& options) {
  options.check();
  const auto start = std::chrono::steady_clock::now();
  std::error_code error;
  std::filesystem::create_directories(options.output, error);
  if (error) {
    fail(ErrorKind::kRuntime, options.output.string(), ": cannot make the folder (", error.message(),
         "); choose another with -o");
  }
  const synth::Assets assets = synth::loadAssets(options.assets, options.model);
  if (assets.model.dense.size() == 0) {
    fail(ErrorKind::kModel, "synth: model '", options.model,
         "' brings no dense landmarks; is data/landmarks complete?");
  }
  if (assets.model.expression_names.empty())
    fail(ErrorKind::kModel, "synth: model '", options.model, "' has no expressions");
  const int num_landmarks = kNumIbugLandmarks + assets.model.dense.size();
  const int num_shards = (options.num_images - 1) / options.images_per_shard + 1;
  const int size = options.size_px, per_shard = options.images_per_shard;
  SynthResult result;
  for (int shard = 0; shard < num_shards; ++shard) {
    char name[32];
    std::snprintf(name, sizeof name, "shard_%05d", shard);
    const std::filesystem::path images_path = options.output / (std::string(name) + ".images");
    const std::filesystem::path truth_path = options.output / (std::string(name) + ".npz");
    const auto image_bytes = static_cast<std::size_t>(per_shard) * size * size * 3;
    std::error_code missing;
    if (std::filesystem::exists(truth_path) &&
        std::filesystem::file_size(images_path, missing) == image_bytes) {
      ++result.shards_kept;
      continue;
    }
    std::vector<std::uint8_t> images(image_bytes);
    std::vector<float> landmarks(static_cast<std::size_t>(per_shard) * num_landmarks * 2);
    std::vector<std::uint8_t> visible(static_cast<std::size_t>(per_shard) * num_landmarks),
        has_face(per_shard);
    std::vector<float> pose(static_cast<std::size_t>(per_shard) * 3);
    const int num_identity = assets.model.numIdentity(), num_expression = assets.model.numExpression();
    std::vector<float> identity(static_cast<std::size_t>(per_shard) * num_identity),
        expression(static_cast<std::size_t>(per_shard) * num_expression);
    std::vector<float> intrinsics(static_cast<std::size_t>(per_shard) * 9),
        camera_from_model(static_cast<std::size_t>(per_shard) * 16);
    std::atomic<int> done = 0;
    std::atomic<bool> stopped = false;
    std::mutex progress_mutex;
    parallelFor(per_shard, synth::kImagesPerSubject, [&](int begin, int end) {
      if (stopped) return;
      const int first = shard * per_shard + begin;
      synth::Random subject_random(options.seed, static_cast<std::uint64_t>(first), 2);
      const synth::Subject subject = synth::makeSubject(assets, subject_random);
      for (int i = begin; i < end; ++i) {
        const synth::FaceImage face =
            synth::makeFaceImage(assets, subject, size, options.seed, shard * per_shard + i,
                                 static_cast<float>(options.negative_fraction));
        std::copy_n(face.image.data(), face.image.size(),
                    images.begin() + static_cast<std::ptrdiff_t>(i * face.image.size()));
        std::copy_n(face.landmarks_px.data(), face.landmarks_px.size(),
                    landmarks.begin() + static_cast<std::ptrdiff_t>(i) * num_landmarks * 2);
        std::copy(face.visible.begin(), face.visible.end(),
                  visible.begin() + static_cast<std::ptrdiff_t>(i) * num_landmarks);
        std::copy_n(face.pose_deg.data(), 3, pose.begin() + static_cast<std::ptrdiff_t>(i) * 3);
        std::copy_n(subject.identity.data(), num_identity,
                    identity.begin() + static_cast<std::ptrdiff_t>(i) * num_identity);
        std::copy_n(face.expression.data(), num_expression,
                    expression.begin() + static_cast<std::ptrdiff_t>(i) * num_expression);
        // Eigen's matrices are column-major, the file's row-major.
        const Eigen::Matrix3f k = face.camera.intrinsics().transpose();
        const Eigen::Matrix4f pose_matrix = face.camera.camera_from_model.matrix().transpose();
        std::copy_n(k.data(), 9, intrinsics.begin() + static_cast<std::ptrdiff_t>(i) * 9);
        std::copy_n(pose_matrix.data(), 16, camera_from_model.begin() + static_cast<std::ptrdiff_t>(i) * 16);
        has_face[i] = face.has_face;
        ++done;
      }
      if (options.on_progress) {
        const std::lock_guard lock(progress_mutex);
        if (!options.on_progress(shard * per_shard + done, num_shards * per_shard)) stopped = true;
      }
    });
    if (stopped)
      fail(ErrorKind::kInterrupted, "synth: stopped; ", shard, " shards are complete, run again to go on");
    writeBytes(images_path, images.data(), images.size());
    writeNpz(truth_path,
             {{"landmarks", NpyArray::fromFloat(landmarks.data(), {per_shard, num_landmarks, 2})},
              {"visible", NpyArray::fromUint8(visible.data(), {per_shard, num_landmarks})},
              {"has_face", NpyArray::fromUint8(has_face.data(), {per_shard})},
              {"pose", NpyArray::fromFloat(pose.data(), {per_shard, 3})},
              {"identity", NpyArray::fromFloat(identity.data(), {per_shard, num_identity})},
              {"expression", NpyArray::fromFloat(expression.data(), {per_shard, num_expression})},
              {"K", NpyArray::fromFloat(intrinsics.data(), {per_shard, 3, 3})},
              {"camera_from_model", NpyArray::fromFloat(camera_from_model.data(), {per_shard, 4, 4})}});
    ++result.shards_written;
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace facet
