#include "synth/synth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/npz.h"
#include "core/parallel.h"
#include "synth/face_image.h"

namespace facet {
namespace {

using nlohmann::json;

// One array of the .npz, a row per image.
class Rows {
 public:
  Rows(int count, std::vector<std::int64_t> row_shape) : shape_(std::move(row_shape)) {
    for (const std::int64_t n : shape_) width_ *= n;
    shape_.insert(shape_.begin(), count);
    values_.resize(static_cast<std::size_t>(count * width_));
  }
  void set(int row, const float* from) { std::copy_n(from, width_, values_.begin() + row * width_); }
  NpyArray array() const { return NpyArray::fromFloat(values_.data(), shape_); }

 private:
  std::vector<std::int64_t> shape_;
  std::int64_t width_ = 1;
  std::vector<float> values_;
};

NpyArray textArray(const std::string& ascii) {
  NpyArray array{"<U" + std::to_string(std::max<std::size_t>(ascii.size(), 1)), {1}, {}};
  for (const char c : ascii) array.bytes.insert(array.bytes.end(), {static_cast<std::uint8_t>(c), 0, 0, 0});
  array.bytes.resize(4 * std::max<std::size_t>(ascii.size(), 1));
  return array;
}

// What makes shards of one folder belong together; see synth.json.
json description(const SynthOptions& options, const MorphableModel& model) {
  json maps = json::array();
  for (const TruthMap map : options.truth) maps.push_back(info(map).name);
  return {{"format", "facet-synth"},
          {"version", 1},
          {"assets_sha256", sha256(readBytes(options.assets))},
          {"model", model.id},
          {"model_vertices", model.numVertices()},
          {"identity_modes", model.numIdentity()},
          {"expression_names", model.expression_names},
          {"dense_points", model.dense.size()},
          {"size_px", options.size_px},
          {"images_per_shard", options.images_per_shard},
          {"seed", options.seed},
          {"negative_fraction", options.negative_fraction},
          {"truth", maps},
          {"labels", kFaceLabelNames}};
}

// Writes synth.json, or checks that the folder's own says the same.
void claimFolder(const std::filesystem::path& folder, const json& wanted) {
  const std::filesystem::path path = folder / "synth.json";
  if (!std::filesystem::exists(path)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().filename().string().starts_with("shard_")) {
        fail(ErrorKind::kInput, folder.string(), ": holds shards but no synth.json that says what they are; ",
             "choose another folder with -o");
      }
    }
    writeText(path, wanted.dump(2) + "\n");
    return;
  }
  const json found = json::parse(readText(path), nullptr, false);
  if (!found.is_object()) {
    fail(ErrorKind::kInput, path.string(), ": is not JSON; remove it with its shards, or choose another ",
         "folder with -o");
  }
  for (const auto& [key, value] : wanted.items()) {
    const json theirs = found.contains(key) ? found[key] : json("nothing");
    if (theirs == value) continue;
    fail(ErrorKind::kInput, path.string(), ": the shards there were written with ", key, " ", theirs.dump(),
         ", this run has ", value.dump(),
         "; give the same options to go on, or choose another folder with -o");
  }
}

// The files of one shard.
struct ShardPaths {
  std::filesystem::path images, truth;
  std::map<TruthMap, std::filesystem::path> maps;

  ShardPaths(const SynthOptions& options, int shard) {
    char name[32];
    std::snprintf(name, sizeof name, "shard_%05d", shard);
    const std::string base = (options.output / name).string();
    images = base + ".images";
    truth = base + ".npz";
    for (const TruthMap map : options.truth) maps[map] = base + "." + std::string(info(map).name);
  }

  bool complete(std::size_t num_pixels) const {
    const auto holds = [&](const std::filesystem::path& path, int bytes_per_pixel) {
      std::error_code missing;
      return std::filesystem::file_size(path, missing) == num_pixels * bytes_per_pixel && !missing;
    };
    bool all = std::filesystem::exists(truth) && holds(images, 3);
    for (const auto& [map, path] : maps) all = all && holds(path, info(map).bytes_per_pixel);
    return all;
  }
};

}  // namespace

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
  const MorphableModel& model = assets.model;
  if (model.dense.size() == 0) {
    fail(ErrorKind::kModel, "synth: model '", options.model,
         "' brings no dense landmarks; is data/landmarks complete?");
  }
  if (model.expression_names.empty())
    fail(ErrorKind::kModel, "synth: model '", options.model, "' has no expressions");
  claimFolder(options.output, description(options, model));

  const int num_landmarks = kNumIbugLandmarks + model.dense.size();
  const int num_shards = (options.num_images - 1) / options.images_per_shard + 1;
  const int per_shard = options.images_per_shard;
  const std::size_t image_pixels = static_cast<std::size_t>(options.size_px) * options.size_px;
  SynthResult result;
  for (int shard = 0; shard < num_shards; ++shard) {
    const ShardPaths paths(options, shard);
    if (paths.complete(per_shard * image_pixels)) {
      ++result.shards_kept;
      continue;
    }
    std::vector<std::uint8_t> images(per_shard * image_pixels * 3);
    std::map<TruthMap, std::vector<std::uint8_t>> maps;
    for (const TruthMap map : options.truth) {
      maps[map].resize(per_shard * image_pixels * info(map).bytes_per_pixel);
    }
    std::vector<std::uint8_t> visible(static_cast<std::size_t>(per_shard) * num_landmarks),
        has_face(per_shard);
    Rows landmarks(per_shard, {num_landmarks, 2}), pose(per_shard, {3}),
        identity(per_shard, {model.numIdentity()}), expression(per_shard, {model.numExpression()}),
        intrinsics(per_shard, {3, 3}), camera_from_model(per_shard, {4, 4}), light(per_shard, {27}),
        dense_albedo(per_shard, {model.dense.size(), 3});
    std::atomic<int> done = 0;
    std::atomic<bool> stopped = false;
    std::mutex progress_mutex;
    // Pictures of the run, not of the shard, share a subject: a border between shards may part them.
    const int first_index = shard * per_shard, end_index = first_index + per_shard;
    const int first_subject = first_index / synth::kImagesPerSubject;
    const int num_subjects = (end_index - 1) / synth::kImagesPerSubject - first_subject + 1;
    parallelFor(num_subjects, 1, [&](int number, int) {
      if (stopped) return;
      const int subject_index = (first_subject + number) * synth::kImagesPerSubject;
      synth::Random subject_random(options.seed, static_cast<std::uint64_t>(subject_index), 2);
      const synth::Subject subject = synth::makeSubject(assets, options.size_px, subject_random);
      const int begin = std::max(subject_index, first_index);
      const int end = std::min(subject_index + synth::kImagesPerSubject, end_index);
      for (int index = begin; index < end; ++index) {
        const int i = index - first_index;
        const synth::FaceImage face =
            synth::makeFaceImage(assets, subject, options.size_px, options.seed, index,
                                 static_cast<float>(options.negative_fraction), options.truth);
        std::copy_n(face.image.data(), 3 * image_pixels, images.data() + i * 3 * image_pixels);
        for (const auto& [map, bytes] : face.maps) {
          std::copy(bytes.begin(), bytes.end(), maps[map].data() + i * bytes.size());
        }
        std::copy(face.visible.begin(), face.visible.end(),
                  visible.data() + static_cast<std::ptrdiff_t>(i) * num_landmarks);
        has_face[i] = face.has_face;
        landmarks.set(i, face.landmarks_px.data());
        pose.set(i, face.pose_deg.data());
        identity.set(i, subject.identity.data());
        expression.set(i, face.expression.data());
        dense_albedo.set(i, face.dense_albedo.data());
        // Eigen's matrices are column-major, the file's row-major.
        const Eigen::Matrix3f k = face.camera.intrinsics().transpose();
        const Eigen::Matrix4f pose_matrix = face.camera.camera_from_model.matrix().transpose();
        const Eigen::Matrix<float, 3, 9> sh = face.light_sh.transpose();
        intrinsics.set(i, k.data());
        camera_from_model.set(i, pose_matrix.data());
        light.set(i, sh.data());
        ++done;
      }
      if (options.on_progress) {
        const std::lock_guard lock(progress_mutex);
        if (!options.on_progress(shard * per_shard + done, num_shards * per_shard)) stopped = true;
      }
    });
    if (stopped)
      fail(ErrorKind::kInterrupted, "synth: stopped; ", shard, " shards are complete, run again to go on");
    writeBytes(paths.images, images.data(), images.size());
    for (const auto& [map, bytes] : maps) writeBytes(paths.maps.at(map), bytes.data(), bytes.size());
    writeNpz(paths.truth, {{"landmarks", landmarks.array()},
                           {"visible", NpyArray::fromUint8(visible.data(), {per_shard, num_landmarks})},
                           {"has_face", NpyArray::fromUint8(has_face.data(), {per_shard})},
                           {"pose", pose.array()},
                           {"identity", identity.array()},
                           {"expression", expression.array()},
                           {"K", intrinsics.array()},
                           {"camera_from_model", camera_from_model.array()},
                           {"light", light.array()},
                           {"dense_albedo", dense_albedo.array()},
                           {"model", textArray(model.id)}});
    ++result.shards_written;
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace facet
