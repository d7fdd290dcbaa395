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
  checkModelError([&] { loadModel(folder / "other.npz"); }, "other.npz");
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
