#include "core/io/stl.h"

#include <doctest/doctest.h>

#include <cstring>

#include "core/io/files.h"
#include "tests/data.h"

using namespace facet;

TEST_CASE("STL: binary, with the normal, the corners and nothing else per triangle") {
  const test::TemporaryFolder folder("stl");
  Mesh mesh;
  mesh.vertices = (Points3(4, 3) << 0, 0, 0, 10, 0, 0, 0, 20, 0, 0, 0, 30).finished();
  mesh.triangles = (Triangles(2, 3) << 0, 1, 2, 0, 3, 1).finished();
  writeStl(folder / "a.stl", mesh);
  const std::vector<std::uint8_t> bytes = readBytes(folder / "a.stl");
  REQUIRE(bytes.size() == 80 + 4 + 2 * 50);
  CHECK(std::string(bytes.begin(), bytes.begin() + 5) != "solid");
  std::uint32_t count = 0;
  std::memcpy(&count, &bytes[80], 4);
  CHECK(count == 2);
  float second[12];
  std::memcpy(second, &bytes[84 + 50], sizeof second);
  const float expected[12] = {0, 1, 0, 0, 0, 0, 0, 0, 30, 10, 0, 0};
  for (int i = 0; i < 12; ++i) CHECK(second[i] == expected[i]);

  CHECK_THROWS_AS(writeStl(folder / "b.stl", Mesh{}), std::invalid_argument);
  CHECK_FALSE(std::filesystem::exists(folder / "b.stl"));
}
