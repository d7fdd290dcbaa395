#include <doctest/doctest.h>

#include <filesystem>

#include "tests/apps/program.h"
#include "tests/data.h"

using namespace facet;

TEST_CASE("synth: a map that does not exist is a usage error that names it and the maps there are") {
  const test::TemporaryFolder folder("synth-verb");
  const test::RunResult result =
      test::runFacet({"synth", "-o", (folder / "out").string(), "--assets", "none.npz", "--model", "builtin",
                      "--truth", "depth,colour"});
  CHECK(result.exit_code == 2);
  CHECK(result.err.find("colour") != std::string::npos);
  CHECK(result.err.find("segmentation") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "out"));
}

TEST_CASE("synth: assets that are missing are unreadable input and named") {
  const test::TemporaryFolder folder("synth-verb");
  const test::RunResult result =
      test::runFacet({"synth", "-o", (folder / "out").string(), "--assets", (folder / "none.npz").string(),
                      "--model", "builtin", "--count", "2"});
  CHECK(result.exit_code == 3);
  CHECK(result.err.find("none.npz") != std::string::npos);
}
