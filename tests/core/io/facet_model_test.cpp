#include "core/io/facet_model.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/npz.h"
#include "tests/data.h"

using namespace facet;

namespace {

template <typename Body>
void checkModelError(const Body& body, const char* part_of_message) {
  try {
    body();
    FAIL("no error, expected: ", std::string(part_of_message));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kModel);
    CHECK_MESSAGE(std::string(error.what()).find(part_of_message) != std::string::npos,
                  std::string(error.what()));
  }
}

}  // namespace

TEST_CASE("facet model: what is written is read back") {
  const test::TemporaryFolder folder("model");
  const MorphableModel model = makeSyntheticModel();
  writeFacetModel(folder / "m.npz", model);
  const MorphableModel back = readFacetModel(folder / "m.npz");
  CHECK(back.id == model.id);
  CHECK(back.licence == model.licence);
  CHECK(back.mean == model.mean);
  CHECK(back.triangles == model.triangles);
  CHECK(back.uv == model.uv);
  CHECK(back.uv_triangles == model.uv_triangles);
  CHECK(back.identity.dense() == model.identity.dense());
  CHECK(back.expression.dense() == model.expression.dense());
  CHECK(back.num_blendshapes == model.num_blendshapes);
  CHECK(back.albedo.dense() == model.albedo.dense());
  CHECK(back.albedo_mean == model.albedo_mean);
  CHECK(back.expression_names == model.expression_names);
  CHECK(back.albedo_names == model.albedo_names);
  CHECK(back.landmarks68.triangle == model.landmarks68.triangle);
  CHECK(back.landmarks68.barycentric == model.landmarks68.barycentric);
  CHECK(back.dense.size() == model.dense.size());
  CHECK(back.symmetry == model.symmetry);
  CHECK(back.region == model.region);
  CHECK(back.region_names == model.region_names);
  CHECK(back.triangle_material == model.triangle_material);
  CHECK(back.material_names == model.material_names);
}

TEST_CASE("facet model: optional parts may be missing") {
  const test::TemporaryFolder folder("model");
  MorphableModel model = makeSyntheticModel(0, 3, 0, 0);
  model.albedo_mean.resize(0, 3);
  model.uv.resize(0, 2);
  model.uv_triangles.resize(0, 3);
  model.symmetry.clear();
  model.region.clear();
  model.dense = {};
  writeFacetModel(folder / "m.npz", model);
  const MorphableModel back = readFacetModel(folder / "m.npz");
  CHECK(back.numIdentity() == 3);
  CHECK(back.numExpression() == 0);
  CHECK(back.dense.size() == 0);
  CHECK(back.uv.rows() == 0);
}

TEST_CASE(
    "facet model: joints, contours, named shapes and specular albedo are kept, half floats as they are") {
  const test::TemporaryFolder folder("model");
  MorphableModel model = makeSyntheticModel(0, 2, 3, 1);
  model.num_blendshapes = 1;
  model.identity = Basis::half(model.identity.dense());
  model.blendshapes = model.expression;
  model.blendshape_names = {"jawOpen", "eyeBlinkLeft", "eyeBlinkRight"};
  model.specular_mean = model.albedo_mean;
  model.specular = model.albedo;
  model.reader_notes = {"stored in micrometres"};
  model.contour_by_yaw.assign(79, {std::vector<std::int32_t>(17, 5), Points3::Constant(17, 3, 1 / 3.0F)});
  model.contour_by_yaw[40].triangle[3] = 7;
  model.mediapipe = {{3, 9}, Points3::Constant(2, 3, 1 / 3.0F)};
  model.mediapipe_index = {276, 4};
  Skeleton skeleton;
  skeleton.names = {"root", "jaw"};
  skeleton.parent = {-1, 0};
  skeleton.weights = Eigen::MatrixXf::Constant(model.numVertices(), 2, 0.5F);
  skeleton.regressor.resize(2, model.numVertices());
  skeleton.regressor.insert(0, 4) = 0.25F;
  skeleton.regressor.insert(1, 9) = 1;
  skeleton.pose_correctives = Eigen::MatrixXf(Eigen::MatrixXf::Random(model.mean.size(), 9));
  model.skeleton = skeleton;
  writeFacetModel(folder / "m.npz", model);

  const MorphableModel back = readFacetModel(folder / "m.npz");
  CHECK(back.num_blendshapes == 1);
  CHECK(back.identity.precision() == Basis::Precision::kHalf);
  CHECK(back.identity.dense() == model.identity.dense());
  CHECK(back.expression.precision() == Basis::Precision::kFloat);
  CHECK(back.blendshapes.dense() == model.blendshapes.dense());
  CHECK(back.blendshape_names == model.blendshape_names);
  CHECK(back.specular_mean == model.specular_mean);
  CHECK(back.specular.dense() == model.specular.dense());
  CHECK(back.reader_notes == model.reader_notes);
  REQUIRE(back.contour_by_yaw.size() == 79);
  CHECK(back.contour_by_yaw[40].triangle == model.contour_by_yaw[40].triangle);
  CHECK(back.mediapipe.triangle == model.mediapipe.triangle);
  CHECK(back.mediapipe_index == model.mediapipe_index);
  REQUIRE(back.skeleton);
  CHECK(back.skeleton->names == skeleton.names);
  CHECK(back.skeleton->parent == skeleton.parent);
  CHECK(back.skeleton->weights == skeleton.weights);
  CHECK(back.skeleton->regressor.toDense() == skeleton.regressor.toDense());
  CHECK(back.skeleton->pose_correctives.dense() == skeleton.pose_correctives.dense());
}

TEST_CASE("facet model: bases are used where they lie in the mapped file, and outlive everything else") {
  const test::TemporaryFolder folder("model");
  const MorphableModel model = makeSyntheticModel();
  writeFacetModel(folder / "m.npz", model);
  const SharedBytes file = mapBytes(folder / "m.npz");
  Basis identity;
  {
    const MorphableModel mapped = facetModelFrom(file, folder / "m.npz");
    identity = mapped.identity;
  }
  const auto* first = static_cast<const std::uint8_t*>(identity.data());
  CHECK(first >= file.data());
  CHECK(first + identity.size() * sizeof(float) <= file.data() + file.size());
  CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
  std::filesystem::remove(folder / "m.npz");
  CHECK(identity.dense() == model.identity.dense());
}

TEST_CASE("facet model: one that is not finite is not written, and check finds it in a file") {
  const test::TemporaryFolder folder("model");
  MorphableModel model = makeSyntheticModel(0, 2, 1, 0);
  writeFacetModel(folder / "good.npz", model);
  Npz arrays = readNpz(folder / "good.npz");
  const float not_a_number = std::nanf("");
  std::memcpy(arrays["identity"].bytes.data() + 40, &not_a_number, 4);
  writeNpz(folder / "bad.npz", arrays);
  CHECK_THROWS_AS(readFacetModel(folder / "bad.npz").check(), std::invalid_argument);
  model.identity = readFacetModel(folder / "bad.npz").identity;
  CHECK_THROWS_AS(writeFacetModel(folder / "never.npz", model), std::invalid_argument);
  CHECK_FALSE(std::filesystem::exists(folder / "never.npz"));
}

TEST_CASE("facet model: a file that is cut off anywhere is an error") {
  const test::TemporaryFolder folder("model");
  writeFacetModel(folder / "m.npz", makeSyntheticModel(0, 4, 3, 1));
  const std::vector<std::uint8_t> whole = readBytes(folder / "m.npz");
  REQUIRE_NOTHROW(facetModelFrom(std::vector<std::uint8_t>(whole), "m.npz"));
  for (std::size_t size = 0; size < whole.size(); size += 1024) {
    CAPTURE(size);
    const auto end = whole.begin() + static_cast<std::ptrdiff_t>(size);
    CHECK_THROWS_AS(facetModelFrom(std::vector<std::uint8_t>(whole.begin(), end), "m.npz"), Error);
  }
}

TEST_CASE("facet model: a damaged or newer file is a model error") {
  const test::TemporaryFolder folder("model");
  writeFacetModel(folder / "m.npz", makeSyntheticModel(0, 2, 2, 1));
  const Npz good = readNpz(folder / "m.npz");
  const auto check = [&](auto&& change, const char* part_of_message) {
    Npz arrays = good;
    change(arrays);
    writeNpz(folder / "bad.npz", arrays);
    checkModelError([&] { readFacetModel(folder / "bad.npz"); }, part_of_message);
  };
  const auto withMeta = [](const std::string& text) {
    const std::vector<std::uint8_t> bytes(text.begin(), text.end());
    return NpyArray::fromUint8(bytes.data(), {static_cast<std::int64_t>(bytes.size())});
  };
  check([&](Npz& a) { a["meta"] = withMeta(R"({"format": "facet-model", "version": 99, "id": "x"})"); },
        "update facet");
  check([&](Npz& a) { a["meta"] = withMeta(R"({"format": "facet-mo)"); }, "meta is not as it should be");
  check([&](Npz& a) { a["meta"] = withMeta(R"({"format": "song", "version": 1, "id": "x"})"); },
        "not a facet model");
  check([](Npz& a) { a.erase("mean"); }, "needs both");
  check([](Npz& a) { a["triangles"] = a["mean"]; }, "triangle index");
  check([](Npz& a) { a["identity"].shape = {2, a["identity"].count() / 4, 2}; }, "coordinates per vertex");
  check([](Npz& a) { a["symmetry"].shape = {a["symmetry"].count(), 1}; }, "axes");
}
