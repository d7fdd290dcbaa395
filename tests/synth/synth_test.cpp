#include "synth/synth.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
#include "core/parallel.h"
#include "synth/face_image.h"
#include "synth/random.h"
#include "tests/data.h"

using namespace facet;

namespace {

// ICT-FaceKit's names, which the expressions are composed of.
const char* const kSided[] = {"browDown",   "browInnerUp", "browOuterUp",  "cheekPuff",    "cheekSquint",
                              "eyeBlink",   "eyeLookDown", "eyeLookIn",    "eyeLookOut",   "eyeLookUp",
                              "eyeSquint",  "eyeWide",     "mouthDimple",  "mouthFrown",   "mouthLowerDown",
                              "mouthPress", "mouthSmile",  "mouthStretch", "mouthUpperUp", "noseSneer"};
const char* const kMiddle[] = {"jawForward",     "jawLeft",        "jawOpen",        "jawRight",
                               "mouthClose",     "mouthFunnel",    "mouthLeft",      "mouthPucker",
                               "mouthRight",     "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
                               "mouthShrugUpper"};

// A model and assets of the right form, tiny: an egg with two skins.
struct TinyAssets {
  explicit TinyAssets(const test::TemporaryFolder& folder)
      : model_path(folder / "egg.npz"), assets_path(folder / "assets.npz") {
    MorphableModel model = makeSyntheticModel(0, 5, 53, 0);
    model.expression_names.clear();
    for (const char* name : kSided) {
      model.expression_names.push_back(std::string(name) + "Left");
      model.expression_names.push_back(std::string(name) + "Right");
    }
    for (const char* name : kMiddle) model.expression_names.emplace_back(name);
    model.dense = model.landmarks68;
    writeFacetModel(model_path, model);
    writeAssets(model);
  }

  void writeAssets(const MorphableModel& model) const {
    const std::int64_t num_vertices = model.numVertices(), num_triangles = model.triangles.rows();
    std::vector<float> corner_uv;
    for (int f = 0; f < num_triangles; ++f) {
      for (int k = 0; k < 3; ++k) {
        const int at = model.uv_triangles.rows() > 0 ? model.uv_triangles(f, k) : 0;
        for (int c = 0; c < 2; ++c) corner_uv.push_back(model.uv.rows() > 0 ? model.uv(at, c) : 0.5F);
      }
    }
    std::vector<float> hairline, beard, zeros(num_vertices * 2, 0.0F);
    for (int v = 0; v < num_vertices; ++v) {
      hairline.push_back(model.mean(v, 1) - 40);
      beard.push_back(model.mean(v, 1) < -50 && model.mean(v, 2) > 0 ? 1.0F : 0.0F);
    }
    constexpr std::int64_t kSize = 16;
    const auto picture = [](std::vector<std::int64_t> shape, std::uint8_t value) {
      std::int64_t count = 1;
      for (const std::int64_t n : shape) count *= n;
      const std::vector<std::uint8_t> bytes(count, value);
      return NpyArray::fromUint8(bytes.data(), shape);
    };
    const std::vector<std::uint8_t> material(num_triangles, 0);
    const std::vector<float> tones(6, 0.3F), radiance(8 * 16 * 3, 1.0F);
    const std::vector<float> eyes = {31, 36, 78, -31, 36, 78};
    std::vector<std::int32_t> ibug, brow_triangle;
    std::vector<float> brow_weights;
    const float shifts[] = {-6, 6};
    for (int i = 0; i < 68; ++i) ibug.push_back(model.triangles(model.landmarks68.triangle[i], 0));
    for (int i = 0; i < 20; ++i) {
      brow_triangle.push_back(model.landmarks68.triangle[17 + i % 10]);
      brow_weights.insert(brow_weights.end(), {i < 10 ? 1.0F : 0.0F, i < 10 ? 0.0F : 1.0F, 0.0F});
    }
    const float mm_per_texel = 0.6F;
    const std::int32_t skin_vertices = static_cast<std::int32_t>(num_vertices), animal = 0;
    const Triangles& t = model.triangles;
    writeNpz(assets_path, {{"triangles", NpyArray::fromInt32(t.data(), {num_triangles, 3})},
                           {"corner_uv", NpyArray::fromFloat(corner_uv.data(), {num_triangles, 3, 2})},
                           {"material", NpyArray::fromUint8(material.data(), {num_triangles})},
                           {"num_skin_vertices", NpyArray::fromInt32(&skin_vertices, {1})},
                           {"hairline_mm", NpyArray::fromFloat(hairline.data(), {num_vertices})},
                           {"beard", NpyArray::fromFloat(beard.data(), {num_vertices})},
                           {"moustache", NpyArray::fromFloat(zeros.data(), {num_vertices})},
                           {"eye_xy", NpyArray::fromFloat(zeros.data(), {num_vertices, 2})},
                           {"eye_centres", NpyArray::fromFloat(eyes.data(), {2, 3})},
                           {"skins", picture({2, kSize, kSize, 3}, 150)},
                           {"skin_tones", NpyArray::fromFloat(tones.data(), {2, 3})},
                           {"features", picture({kSize, kSize, 4}, 0)},
                           {"brows", picture({1, kSize, kSize}, 40)},
                           {"brow_mm_per_texel", NpyArray::fromFloat(&mm_per_texel, {1})},
                           {"brow_shift_mm", NpyArray::fromFloat(shifts, {2})},
                           {"brow_triangle", NpyArray::fromInt32(brow_triangle.data(), {2, 10})},
                           {"brow_weights", NpyArray::fromFloat(brow_weights.data(), {2, 10, 3})},
                           {"ibug_vertices", NpyArray::fromInt32(ibug.data(), {68})},
                           {"environments", NpyArray::fromFloat(radiance.data(), {1, 8, 16, 3})},
                           {"background_00", picture({64, 80, 3}, 90)},
                           {"animal_indices", NpyArray::fromInt32(&animal, {1})}});
  }

  SynthOptions options(const std::filesystem::path& output) const {
    return {.assets = assets_path,
            .model = model_path.string(),
            .output = output,
            .num_images = 16,
            .images_per_shard = 8,
            .size_px = 48,
            .seed = 3};
  }

  std::filesystem::path model_path, assets_path;
};

}  // namespace

TEST_CASE("runSynth: writes whole shards of pictures and their truth") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  const SynthResult result = runSynth(tiny.options(folder / "out"));
  CHECK(result.shards_written == 2);
  CHECK(readBytes(folder / "out" / "shard_00001.images").size() == 8 * 48 * 48 * 3);
  const Npz truth = readNpz(folder / "out" / "shard_00000.npz");
  const std::int64_t points = 68 + 68;
  CHECK(truth.at("landmarks").shape == std::vector<std::int64_t>{8, points, 2});
  CHECK(truth.at("landmarks").dtype == "<f4");
  CHECK(truth.at("visible").shape == std::vector<std::int64_t>{8, points});
  CHECK(truth.at("visible").dtype == "|u1");
  CHECK(truth.at("has_face").shape == std::vector<std::int64_t>{8});
  CHECK(truth.at("pose").shape == std::vector<std::int64_t>{8, 3});
}

TEST_CASE("runSynth: one thread and two write the same bytes; another seed writes others") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  setNumThreads(1);
  runSynth(tiny.options(folder / "one"));
  setNumThreads(2);
  runSynth(tiny.options(folder / "two"));
  setNumThreads(0);
  SynthOptions other = tiny.options(folder / "other");
  other.seed = 4;
  runSynth(other);
  for (const char* name : {"shard_00000.images", "shard_00001.images"}) {
    CHECK(readBytes(folder / "one" / name) == readBytes(folder / "two" / name));
    CHECK(readBytes(folder / "one" / name) != readBytes(folder / "other" / name));
  }
  CHECK(readNpz(folder / "one" / "shard_00000.npz").at("landmarks").bytes ==
        readNpz(folder / "two" / "shard_00000.npz").at("landmarks").bytes);
}

TEST_CASE("runSynth: keeps complete shards and mends a truncated one") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  const SynthOptions options = tiny.options(folder / "out");
  runSynth(options);
  const auto images = readBytes(options.output / "shard_00001.images");
  std::filesystem::resize_file(options.output / "shard_00001.images", 100);
  const SynthResult again = runSynth(options);
  CHECK(again.shards_kept == 1);
  CHECK(again.shards_written == 1);
  CHECK(readBytes(options.output / "shard_00001.images") == images);
}

TEST_CASE("runSynth: stopping leaves no half-written shard") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  SynthOptions options = tiny.options(folder / "out");
  options.on_progress = [](int, int) { return false; };
  CHECK_THROWS_AS(runSynth(options), Error);
  CHECK(std::filesystem::is_empty(options.output));
}

TEST_CASE("runSynth: refuses files that are not assets and options out of range") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  SynthOptions options = tiny.options(folder / "out");
  writeNpz(folder / "empty.npz", {{"nothing", NpyArray::fromFloat(nullptr, {0})}});
  options.assets = folder / "empty.npz";
  CHECK_THROWS_WITH_AS(runSynth(options), doctest::Contains("triangles"), Error);
  options = tiny.options(folder / "out");
  options.negative_fraction = 2;
  CHECK_THROWS_WITH_AS(runSynth(options), doctest::Contains("negative_fraction"), std::invalid_argument);
}

TEST_CASE("makeFaceImage: faces fill the crop, negatives are marked, yaw moves the nose sideways") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  const synth::Assets assets = synth::loadAssets(tiny.assets_path, tiny.model_path.string());
  double correlation = 0;
  for (int i = 0; i < 24; ++i) {
    synth::Random random(8, i, 2);
    const synth::Subject subject = synth::makeSubject(assets, random);
    const synth::FaceImage face = synth::makeFaceImage(assets, subject, 48, 8, i, 0);
    CHECK(face.has_face);
    const auto points = face.landmarks_px.topRows(68);
    const Eigen::RowVector2f low = points.colwise().minCoeff(), high = points.colwise().maxCoeff();
    const float side = (high - low).maxCoeff();
    CHECK(48 / side > 1.9F * 0.84F);  // 1.9 × the bounding box, ± 15 %
    CHECK(48 / side < 1.9F * 1.16F);
    CHECK(((low + high) / 2 - Eigen::RowVector2f(24, 24)).cwiseAbs().maxCoeff() < 0.11F * 48);
    // Nose tip against the eyes' middle: right in the image when the head turns to the subject's left (+).
    if (std::abs(face.pose_deg.z()) < 15) {
      const float nose = points(30, 0) - (points(36, 0) + points(45, 0)) / 2;
      correlation += nose * face.pose_deg.x();
    }
    CHECK_FALSE(synth::makeFaceImage(assets, subject, 48, 8, i, 1).has_face);
  }
  CHECK(correlation > 0);
}

TEST_CASE("makeFaceImage: landmarks on the far side of a turned head are hidden, those in front are seen") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  const synth::Assets assets = synth::loadAssets(tiny.assets_path, tiny.model_path.string());
  int turned = 0, far_hidden = 0, near_seen = 0;
  for (int i = 0; i < 200 && turned < 10; ++i) {
    synth::Random random(9, i, 2);
    synth::Subject subject = synth::makeSubject(assets, random);
    subject.cut = synth::HairCut::kBald;
    subject.beard_mm = subject.moustache_mm = 0;
    const synth::FaceImage face = synth::makeFaceImage(assets, subject, 48, 9, i, 0);
    if (std::abs(face.pose_deg.x()) < 65) continue;
    ++turned;
    const bool left_hidden =
        face.pose_deg.x() > 0;  // turned to the subject's left: the left side is the far one
    far_hidden += !face.visible[left_hidden ? 16 : 0];
    near_seen += face.visible[left_hidden ? 0 : 16];
  }
  REQUIRE(turned == 10);
  CHECK(far_hidden >= 8);
  CHECK(near_seen >= 6);  // an occluder or a scarf may hide a few
}

TEST_CASE("ibugLandmarks: the brow points follow the painted hair, the others stay") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  const synth::Assets assets = synth::loadAssets(tiny.assets_path, tiny.model_path.string());
  const Points3& mean = assets.model.mean;
  // The tiny assets put brow hair that is 6 mm low on the first corner of a triangle, 6 mm high on the
  // second.
  const auto corner = assets.triangles.row(assets.brow_triangle[3]);
  const Points3 usual = assets.ibugLandmarks(mean, 0), low = assets.ibugLandmarks(mean, -6);
  CHECK((low.row(20) - mean.row(corner(0))).norm() < 1e-3F);
  CHECK((usual.row(20) - (mean.row(corner(0)) + mean.row(corner(1))) / 2).norm() < 1e-3F);
  CHECK(usual.row(30) == low.row(30));
}
