#include "core/io/mesh_io.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "core/io/files.h"
#include "core/morphable_model.h"
#include "tests/data.h"

using namespace facet;

namespace {

Mesh syntheticMesh(bool with_colours) {
  const MorphableModel model = makeSyntheticModel();
  Mesh mesh = model.mesh(model.mean);
  if (with_colours) mesh.colours = (Points3::Random(mesh.vertices.rows(), 3).array() + 1) / 2;
  return mesh;
}

}  // namespace

TEST_CASE("OBJ: a mesh with UVs and colours comes back to within a ten-thousandth of a millimetre") {
  const test::TemporaryFolder folder("obj");
  const Mesh mesh = syntheticMesh(true);
  writeObj(folder / "a.obj", mesh);
  const Mesh back = readObj(folder / "a.obj");
  REQUIRE(back.vertices.rows() == mesh.vertices.rows());
  CHECK((back.vertices - mesh.vertices).cwiseAbs().maxCoeff() < 1e-4F);
  CHECK((back.uv - mesh.uv).cwiseAbs().maxCoeff() < 1e-6F);
  CHECK((back.colours - mesh.colours).cwiseAbs().maxCoeff() < 1e-3F);
  CHECK(back.triangles == mesh.triangles);
  CHECK(back.uv_triangles == mesh.uv_triangles);
}

TEST_CASE("OBJ: with a texture an .mtl of the same stem points at it") {
  const test::TemporaryFolder folder("obj");
  writeObj(folder / "head.obj", syntheticMesh(false), "../maps/texture.png");
  CHECK(readText(folder / "head.obj").find("mtllib head.mtl\n") != std::string::npos);
  CHECK(readText(folder / "head.mtl").find("map_Kd ../maps/texture.png\n") != std::string::npos);
}

TEST_CASE("OBJ: polygons become fans; indices may be negative, with normals, with Windows line ends") {
  const test::TemporaryFolder folder("obj");
  writeText(folder / "a.obj",
            "# comment\r\nv 0 0 0\r\nv 1 0 0\r\nv 1 1 0\r\nv 0 1 1e-3\r\nvn 0 0 1\r\n"
            "f 1//1 2//1 3//1 4//1\r\nf -4 -3 -2\r\n");
  const Mesh mesh = readObj(folder / "a.obj");
  CHECK(mesh.triangles == (Triangles(3, 3) << 0, 1, 2, 0, 2, 3, 0, 1, 2).finished());
  CHECK(mesh.vertices(3, 2) == 1e-3F);
  CHECK_FALSE(mesh.hasUv());
}

TEST_CASE("OBJ: a fault is an input error with file and line") {
  const test::TemporaryFolder folder("obj");
  const auto check = [&](const std::string& text, const char* part_of_message) {
    writeText(folder / "bad.obj", text);
    CHECK_THROWS_WITH_AS(readObj(folder / "bad.obj"), doctest::Contains(part_of_message), Error);
  };
  const std::string vertices = "v 0 0 0\nv 1 0 0\nv 0 1 0\n";
  check(vertices + "f 1 2 4\n", "line 4");
  check(vertices + "f 1 2 0\n", "line 4");
  check(vertices + "f 1 2\n", "line 4");
  check("v 0 0 0\nv 1 zero 0\n", "bad.obj: line 2");
  check("v 0 0 0\nv 1 nan 0\n", "line 2");
  check("v 0 0\n", "line 1");
  check("just text\n", "no vertices");
}

TEST_CASE("PLY: a mesh comes back exactly, colours to a byte") {
  const test::TemporaryFolder folder("ply");
  for (const bool with_colours : {false, true}) {
    const Mesh mesh = syntheticMesh(with_colours);
    writePly(folder / "a.ply", mesh);
    const Mesh back = readPly(folder / "a.ply");
    CHECK(back.vertices == mesh.vertices);
    CHECK(back.triangles == mesh.triangles);
    REQUIRE(back.colours.rows() == mesh.colours.rows());
    if (with_colours) CHECK((back.colours - mesh.colours).cwiseAbs().maxCoeff() < 0.5F / 255 + 1e-6F);
  }
}

TEST_CASE("PLY: ASCII with more properties, quads and other elements is read") {
  const test::TemporaryFolder folder("ply");
  writeText(
      folder / "a.ply",
      "ply\nformat ascii 1.0\ncomment made by hand\nelement vertex 4\nproperty double x\nproperty double y\n"
      "property double z\nproperty float quality\nelement edge 1\nproperty int vertex1\nproperty int "
      "vertex2\n"
      "element face 1\nproperty list uchar int vertex_index\nend_header\n"
      "0 0 0 9\n1 0 0 9\n1 1 0 9\n0 1.5 0 9\n0 1\n4 0 1 2 3\n");
  const Mesh mesh = readPly(folder / "a.ply");
  CHECK(mesh.vertices(3, 1) == 1.5F);
  CHECK(mesh.triangles == (Triangles(2, 3) << 0, 1, 2, 0, 2, 3).finished());
}

TEST_CASE("PLY: truncated files, wrong indices and big-endian files are input errors") {
  const test::TemporaryFolder folder("ply");
  writePly(folder / "a.ply", syntheticMesh(false));
  const std::string good = readText(folder / "a.ply");
  writeText(folder / "a.ply", good.substr(0, good.size() - 5));
  CHECK_THROWS_WITH_AS(readPly(folder / "a.ply"), doctest::Contains("truncated"), Error);
  std::string wrong = good;
  wrong[wrong.size() - 1] = 0x7F;  // the last index becomes huge
  writeText(folder / "a.ply", wrong);
  CHECK_THROWS_WITH_AS(readPly(folder / "a.ply"), doctest::Contains("refers to vertex"), Error);
  writeText(folder / "a.ply", "ply\nformat binary_big_endian 1.0\nend_header\n");
  CHECK_THROWS_WITH_AS(readPly(folder / "a.ply"), doctest::Contains("binary_little_endian"), Error);
  writeText(folder / "a.ply", "v 0 0 0\n");
  CHECK_THROWS_WITH_AS(readPly(folder / "a.ply"), doctest::Contains("not a PLY"), Error);
}
