#include "core/io/model_io.h"

#include <doctest/doctest.h>

#include <cstdlib>

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

TEST_CASE("facet model: what is written is read back, the bases to half precision") {
  const test::TemporaryFolder folder("model");
  const MorphableModel model = makeSyntheticModel();
  writeFacetModel(folder / "m.npz", model);
  const MorphableModel back = loadModel(folder / "m.npz");
  CHECK(back.id == model.id);
  CHECK(back.licence == model.licence);
  CHECK(back.mean == model.mean);
  CHECK(back.triangles == model.triangles);
  CHECK(back.uv == model.uv);
  CHECK(back.uv_triangles == model.uv_triangles);
  REQUIRE(back.identity.rows() == model.identity.rows());
  CHECK((back.identity.dense() - model.identity.dense()).cwiseAbs().maxCoeff() < 5e-3F);  // half of 8 mm / 1024
  CHECK((back.expression.dense() - model.expression.dense()).cwiseAbs().maxCoeff() < 5e-3F);
  CHECK((back.albedo.dense() - model.albedo.dense()).cwiseAbs().maxCoeff() < 1e-4F);
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

TEST_CASE("loadModel: what is no model is a model error that says what to give instead") {
  const test::TemporaryFolder folder("model");
  checkModelError([&] { loadModel(folder / "none.npz"); }, "https://github.com/ICT-VGL");
  checkModelError([&] { loadModel(folder.path()); }, "generic_neutral_mesh.obj");
  writeText(folder / "text.npz", "not a model");
  checkModelError([&] { loadModel(folder / "text.npz"); }, "text.npz");
  writeText(folder / "photo.jpg", "");
  checkModelError([&] { loadModel(folder / "photo.jpg"); }, "is not a model file");
  const float one = 1;
  writeNpz(folder / "other.npz", {{"x", NpyArray::fromFloat(&one, {1})}});
  checkModelError([&] { loadModel(folder / "other.npz"); }, "no meta");
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
  check([](Npz& a) { a.erase("mean"); }, "no mean");
  check([](Npz& a) { a["triangles"] = a["mean"]; }, "triangle index");
  check([](Npz& a) { a["identity"].shape = {2, a["identity"].count() / 4, 2}; }, "coordinates per vertex");
  check([](Npz& a) { a["symmetry"].shape = {a["symmetry"].count(), 1}; }, "axes");
}

TEST_CASE("dataDirectory: FACET_DATA_DIR decides, and a wrong one is an error") {
  const test::TemporaryFolder folder("data");
  setenv("FACET_DATA_DIR", folder.path().c_str(), 1);
  CHECK(dataDirectory() == folder.path());
  checkModelError([] { loadModel("builtin"); }, "built-in model is missing");
  std::filesystem::create_directory(folder / "models");
  writeFacetModel(folder / "models/facet_head.npz", makeSyntheticModel(0, 1, 1, 1));
  CHECK(loadModel("").id == "synthetic");
  setenv("FACET_DATA_DIR", (folder / "none").c_str(), 1);
  checkModelError([] { dataDirectory(); }, "FACET_DATA_DIR");
  unsetenv("FACET_DATA_DIR");
  CHECK(std::filesystem::is_directory(dataDirectory()));
}
