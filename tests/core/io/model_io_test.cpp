#include "core/io/model_io.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/mesh_io.h"
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

TEST_CASE("loadModel: what is no model is a model error that says what to give instead") {
  const test::TemporaryFolder folder("model");
  checkModelError([&] { loadModel(folder / "none.npz"); }, "facet model list");
  checkModelError([] { loadModel("flame"); }, "https://flame.is.tue.mpg.de");
  checkModelError([] { loadModel("bfm-2019"); }, "model2019_bfm.h5");
  writeText(folder / "generic_model.pkl", "<!DOCTYPE html><html><title>Login</title>");
  checkModelError([&] { loadModel(folder / "generic_model.pkl"); }, "is a web page (HTML)");
  writeText(folder / "model.pkl.gz", "\x1F\x8B\x08 and the rest");
  checkModelError([&] { loadModel(folder / "model.pkl.gz"); }, "gunzip");
  writeText(folder / "model2019_bfm.h5",
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n");
  checkModelError([&] { loadModel(folder / "model2019_bfm.h5"); }, "Git LFS pointer");
  writeText(folder / "text.npz", "not a model");
  checkModelError([&] { loadModel(folder / "text.npz"); }, "text.npz");
  writeText(folder / "photo.jpg", "");
  checkModelError([&] { loadModel(folder / "photo.jpg"); }, "is not a model file");
  const float one = 1;
  writeNpz(folder / "other.npz", {{"x", NpyArray::fromFloat(&one, {1})}});
  checkModelError([&] { loadModel(folder / "other.npz"); }, "other.npz");
}

TEST_CASE("loadModel: a folder stands for the one published model in it") {
  const test::TemporaryFolder folder("model");
  checkModelError([&] { loadModel(folder.path()); }, "no file in this folder");
  writeText(folder / "generic_model.pkl", "x");
  checkModelError([&] { loadModel(folder.path()); }, "generic_model.pkl: is not a model file");
  writeText(folder / "female_model.pkl", "x");
  checkModelError([&] { loadModel(folder.path()); },
                  "holds several models (female_model.pkl, generic_model.pkl)");
}

TEST_CASE("loadModel: an OBJ is a model without modes, its unit told by its size") {
  const test::TemporaryFolder folder("model");
  const MorphableModel head = makeSyntheticModel();
  for (const float unit_mm : {1.0F, 10.0F, 1000.0F}) {
    Mesh mesh = head.mesh(head.mean / unit_mm);
    writeObj(folder / "head.obj", mesh);
    const MorphableModel model = loadModel(folder / "head.obj");
    CHECK((model.mean - head.mean).cwiseAbs().maxCoeff() < 0.1);
    CHECK(model.numIdentity() == 0);
    CHECK(model.uv_triangles == head.uv_triangles);
  }
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
