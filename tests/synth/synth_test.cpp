#include "synth/synth.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "core/error.h"
#include "core/half_float.h"
#include "core/io/files.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
#include "core/mesh.h"
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
    std::vector<std::int32_t> ibug;
    for (int i = 0; i < 68; ++i) ibug.push_back(model.triangles(model.landmarks68.triangle[i], 0));
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

TEST_CASE("runSynth: writes the maps asked for at their sizes, the light, the skin and who made the face") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  SynthOptions options = tiny.options(folder / "out");
  options.truth = truthMapsFromText("all");
  runSynth(options);
  for (const TruthMapInfo& map : kTruthMaps) {
    const auto path = options.output / ("shard_00001." + std::string(map.name));
    CAPTURE(path);
    CHECK(std::filesystem::file_size(path) == 8 * 48 * 48 * static_cast<std::uintmax_t>(map.bytes_per_pixel));
  }
  const Npz truth = readNpz(options.output / "shard_00001.npz");
  CHECK(truth.at("light").shape == std::vector<std::int64_t>{8, 27});
  CHECK(truth.at("dense_albedo").shape == std::vector<std::int64_t>{8, 68, 3});
  CHECK(truth.at("model").asStrings() ==
        std::vector<std::string>{synth::loadAssets(options.assets, options.model).model.id});

  options.output = folder / "default";
  options.truth = SynthOptions().truth;
  runSynth(options);
  CHECK(std::filesystem::exists(options.output / "shard_00000.segmentation"));
  CHECK_FALSE(std::filesystem::exists(options.output / "shard_00000.depth"));
  CHECK(truthMapsFromText("none").empty());
  CHECK_THROWS_WITH_AS(truthMapsFromText("depth,colour"), doctest::Contains("colour"), std::invalid_argument);
}

TEST_CASE("runSynth: refuses to add to shards that other options made") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  SynthOptions options = tiny.options(folder / "out");
  runSynth(options);
  options.num_images = 24;  // more of the same is welcome
  CHECK(runSynth(options).shards_written == 1);
  SynthOptions other = options;
  other.seed = 4;
  CHECK_THROWS_WITH_AS(runSynth(other), doctest::Contains("seed 3"), Error);
  other = options;
  other.size_px = 64;
  CHECK_THROWS_WITH_AS(runSynth(other), doctest::Contains("size_px 48"), Error);
  other = options;
  other.truth.insert(TruthMap::kDepth);
  CHECK_THROWS_WITH_AS(runSynth(other), doctest::Contains("segmentation"), Error);
  std::filesystem::remove(options.output / "synth.json");
  CHECK_THROWS_WITH_AS(runSynth(options), doctest::Contains("synth.json"), Error);
}

TEST_CASE(
    "makeFaceImage: the maps belong to the mesh: a pixel's texture coordinate and depth lead back to it") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  const synth::Assets assets = synth::loadAssets(tiny.assets_path, tiny.model_path.string());
  constexpr int kSize = 96;
  const std::set<TruthMap> maps = truthMapsFromText("all");
  int checked = 0;
  for (int i = 0; i < 4; ++i) {
    synth::Random random(21, i, 2);
    const synth::Subject subject = synth::makeSubject(assets, 48, random);
    const synth::FaceImage face = synth::makeFaceImage(assets, subject, kSize, 21, i, 0, maps);
    const Points3 vertices = assets.model.vertices(subject.identity, face.expression);
    const Points3 in_camera = face.camera.cameraFromModel(vertices);
    const Points3 normals = vertexNormals(in_camera, assets.triangles);
    const auto* uv = reinterpret_cast<const std::uint16_t*>(face.maps.at(TruthMap::kUv).data());
    const auto* depth = reinterpret_cast<const std::uint16_t*>(face.maps.at(TruthMap::kDepth).data());
    const auto* normal = reinterpret_cast<const std::int8_t*>(face.maps.at(TruthMap::kNormals).data());
    for (int pixel = 0; pixel < kSize * kSize; ++pixel) {
      const bool nothing = face.maps.at(TruthMap::kSegmentation)[pixel] == 0;
      CHECK(nothing == !isFiniteHalf(depth[pixel]));
      if (uv[2 * pixel] == 0) continue;
      const Eigen::Vector2f at((uv[2 * pixel] - 1) / 65534.0F, (uv[2 * pixel + 1] - 1) / 65534.0F);
      for (int f = 0; f < assets.triangles.rows(); ++f) {
        const auto corner = assets.corner_uv.row(f);
        Eigen::Matrix2f edges;
        edges << corner(2) - corner(0), corner(4) - corner(0), corner(3) - corner(1), corner(5) - corner(1);
        if (std::abs(edges.determinant()) < 1e-9F) continue;
        const Eigen::Vector2f w = edges.inverse() * (at - corner.segment<2>(0).transpose());
        if (w.minCoeff() < 0 || w.sum() > 1) continue;
        const auto t = assets.triangles.row(f);
        // The neck follows the body, not the head's pose.
        if (std::min({assets.model.mean(t(0), 1), assets.model.mean(t(1), 1), assets.model.mean(t(2), 1)}) <
            -55)
          continue;
        const Eigen::Vector3f a = in_camera.row(t(0)), b = in_camera.row(t(1)), c = in_camera.row(t(2));
        const Eigen::Vector3f p = a + (b - a) * w.x() + (c - a) * w.y();
        const Eigen::Vector2f image = *face.camera.imageFromCamera(p);
        const Eigen::Vector2f expected(pixel % kSize + 0.5F, pixel / kSize + 0.5F);
        CHECK((image - expected).norm() < 0.05F);
        const float z = floatFromHalf(depth[pixel]) + face.camera.camera_from_model.translation().z();
        CHECK(z == doctest::Approx(p.z()).epsilon(0.0005));
        const Eigen::Vector3f n =
            Eigen::Map<const Eigen::Matrix<std::int8_t, 3, 1>>(normal + 3 * pixel).cast<float>() / 127;
        const Eigen::Vector3f smooth =
            (normals.row(t(0)) * (1 - w.sum()) + normals.row(t(1)) * w.x() + normals.row(t(2)) * w.y())
                .normalized();
        CHECK(n.dot(smooth) > 0.99F);
        ++checked;
        break;
      }
    }
  }
  CHECK(checked > 1000);
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

TEST_CASE("runSynth: a picture does not depend on how many stand in a shard") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  const auto truthOf = [&](int per_shard) {
    SynthOptions options = tiny.options(folder / std::to_string(per_shard));
    options.num_images = 6;
    options.images_per_shard = per_shard;
    runSynth(options);
    std::vector<std::uint8_t> images;
    std::vector<float> identity;
    for (int shard = 0; shard < 6 / per_shard; ++shard) {
      const std::string name = "shard_0000" + std::to_string(shard);
      const auto bytes = readBytes(options.output / (name + ".images"));
      images.insert(images.end(), bytes.begin(), bytes.end());
      const auto values = readNpz(options.output / (name + ".npz")).at("identity").asFloat();
      identity.insert(identity.end(), values.begin(), values.end());
    }
    return std::pair(images, identity);
  };
  const auto whole = truthOf(6);
  CHECK(truthOf(3) == whole);
  CHECK(truthOf(2) == whole);
  CHECK(truthOf(1) == whole);
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
  for (const auto& entry : std::filesystem::directory_iterator(options.output))
    CHECK(entry.path().filename() == "synth.json");
}

TEST_CASE("runSynth: refuses files that are not assets and options out of range") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  SynthOptions options = tiny.options(folder / "out");
  writeNpz(folder / "empty.npz", {{"nothing", NpyArray::fromFloat(nullptr, {0})}});
  options.assets = folder / "empty.npz";
  CHECK_THROWS_WITH_AS(runSynth(options), doctest::Contains("hairline_mm"), Error);
  options = tiny.options(folder / "out");
  options.negative_fraction = 2;
  CHECK_THROWS_WITH_AS(runSynth(options), doctest::Contains("negative_fraction"), std::invalid_argument);
}

TEST_CASE("loadAssets: names file and array when an array is short, out of range or of another type") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  const Npz good = readNpz(tiny.assets_path);
  const auto check = [&](const std::string& name, const NpyArray& array) {
    CAPTURE(name);
    Npz arrays = good;
    arrays[name] = array;
    const auto path = folder / "bad.npz";
    writeNpz(path, arrays);
    try {
      synth::loadAssets(path, tiny.model_path.string());
      FAIL_CHECK("was accepted");
    } catch (const Error& error) {
      const std::string message = error.what();
      CHECK(error.kind() == ErrorKind::kInput);
      CHECK(message.find("bad.npz") != std::string::npos);
      CHECK(message.find("'" + name + "'") != std::string::npos);
      CHECK(message.find("carry_assets.py") != std::string::npos);
    }
  };
  // One item less along the first axis, and no axis at all.
  for (const auto& [name, array] : good) {
    NpyArray scalar = array;
    scalar.shape.clear();
    scalar.bytes.resize(array.bytes.size() / static_cast<std::size_t>(array.count()));
    check(name, scalar);
    // Fewer of these are allowed, disagree with another array or belong to another model.
    const std::set<std::string> others = {"animal_indices", "background_00", "hairline_mm", "skins",
                                          "triangles"};
    if (others.contains(name)) continue;
    NpyArray shorter = array;
    shorter.bytes.resize(array.bytes.size() / array.shape[0] * (array.shape[0] - 1));
    --shorter.shape[0];
    check(name, shorter);
  }
  for (const char* name : {"background_00", "skins", "features", "brows", "animal_indices", "triangles"}) {
    const std::vector<float> values(good.at(name).count(), 0.0F);
    check(name, NpyArray::fromFloat(values.data(), good.at(name).shape));
  }
  const auto withFirst = [&](const char* name, std::int32_t value) {
    std::vector<std::int32_t> values = good.at(name).asInt32();
    values[0] = value;
    return NpyArray::fromInt32(values.data(), good.at(name).shape);
  };
  for (const char* name : {"triangles", "material", "num_skin_vertices", "ibug_vertices", "animal_indices"}) {
    check(name, withFirst(name, -1));
    check(name, withFirst(name, 1'000'000));
  }
  const std::vector<std::uint8_t> small(31 * 40 * 3);
  check("background_00", NpyArray::fromUint8(small.data(), {31, 40, 3}));
  const std::vector<std::int32_t> triangle(68, static_cast<std::int32_t>(good.at("triangles").shape[0]));
  check("ibug_triangle", NpyArray::fromInt32(triangle.data(), {68}));
  check("ibug_triangle", NpyArray::fromInt32(triangle.data(), {67}));
}

TEST_CASE("makeFaceImage: faces fill the crop, negatives are marked, yaw moves the nose sideways") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  const synth::Assets assets = synth::loadAssets(tiny.assets_path, tiny.model_path.string());
  double correlation = 0;
  for (int i = 0; i < 24; ++i) {
    synth::Random random(8, i, 2);
    const synth::Subject subject = synth::makeSubject(assets, 48, random);
    const synth::FaceImage face = synth::makeFaceImage(assets, subject, 48, 8, i, 0, {});
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
    CHECK_FALSE(synth::makeFaceImage(assets, subject, 48, 8, i, 1, {}).has_face);
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
    synth::Subject subject = synth::makeSubject(assets, 48, random);
    subject.cut = synth::HairCut::kBald;
    subject.hair = {};
    subject.beard_mm = subject.moustache_mm = 0;
    const synth::FaceImage face = synth::makeFaceImage(assets, subject, 48, 9, i, 0, {});
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

TEST_CASE(
    "makeFaceImage: one face in eight or more has both eyes closed or nearly so; some wink, some mouths "
    "stand wide") {
  const test::TemporaryFolder folder("synth");
  const TinyAssets tiny(folder);
  const synth::Assets assets = synth::loadAssets(tiny.assets_path, tiny.model_path.string());
  const auto index = [&](const char* name) { return *assets.model.expressionIndex(name); };
  const int left = index("eyeBlinkLeft"), right = index("eyeBlinkRight"), jaw = index("jawOpen");
  synth::Random random(1, 2, 3);
  const synth::Subject subject = synth::makeSubject(assets, 32, random);
  constexpr int kCount = 600;
  int closed = 0, winks = 0, wide = 0;
  for (int i = 0; i < kCount; ++i) {
    const Eigen::VectorXf w = synth::makeFaceImage(assets, subject, 32, 12, i, 0, {}).expression;
    closed += std::min(w(left), w(right)) > 0.5F;
    winks += std::max(w(left), w(right)) > 0.8F && std::min(w(left), w(right)) < 0.3F;
    wide += w(jaw) > 0.5F;
  }
  CHECK(closed > 0.12 * kCount);
  CHECK(winks > 0.015 * kCount);
  CHECK(wide > 0.04 * kCount);
}

TEST_CASE("makeFaceImage: labels agree with the landmarks on real assets") {
  const char* const path = std::getenv("FACET_SYNTH_ASSETS");
  const auto data = test::realData();
  if (!path || !data) {
    MESSAGE("skipped: give FACET_SYNTH_ASSETS and FACET_TEST_DATA");
    return;
  }
  const synth::Assets assets =
      synth::loadAssets(path, (*data / "ict_facekit" / "ict_facekit_light.npz").string());
  constexpr int kSize = 160;
  const auto blink = *assets.model.expressionIndex("eyeBlinkLeft");
  // Points that lie well inside a part: iBUG landmarks whose mean it is.
  struct Probe {
    std::vector<int> landmarks;
    FaceLabel label;
    int seen = 0, right = 0;
  };
  Probe probes[] = {{{43, 44, 46, 47}, FaceLabel::kEyes},
                    {{51, 62}, FaceLabel::kUpperLip},
                    {{57, 66}, FaceLabel::kLowerLip},
                    {{30}, FaceLabel::kNose},
                    {{24}, FaceLabel::kBrows},
                    {{33, 33, 30}, FaceLabel::kNose}};
  for (int i = 0; i < 60; ++i) {
    synth::Random random(31, i, 2);
    synth::Subject subject = synth::makeSubject(assets, kSize, random);
    subject.hair = {};
    subject.beard_mm = subject.moustache_mm = 0;
    const synth::FaceImage face =
        synth::makeFaceImage(assets, subject, kSize, 31, i, 0, {TruthMap::kSegmentation});
    if (face.pose_deg.cwiseAbs().maxCoeff() > 25 || face.expression(blink) > 0.25F) continue;
    for (Probe& probe : probes) {
      Eigen::RowVector2f at = Eigen::RowVector2f::Zero();
      bool visible = true;
      for (const int k : probe.landmarks) {
        at += face.landmarks_px.row(k) / static_cast<float>(probe.landmarks.size());
        visible = visible && face.visible[k];
      }
      if (!visible) continue;
      const int pixel = static_cast<int>(at.y()) * kSize + static_cast<int>(at.x());
      const auto label = static_cast<FaceLabel>(face.maps.at(TruthMap::kSegmentation)[pixel]);
      if (label >= FaceLabel::kGlasses) continue;  // something thin in front
      ++probe.seen;
      probe.right += label == probe.label;
    }
  }
  for (const Probe& probe : probes) {
    CAPTURE(kFaceLabelNames[static_cast<int>(probe.label)]);
    CHECK(probe.seen >= 10);
    CHECK(probe.right >= 0.85 * probe.seen);
  }
}
