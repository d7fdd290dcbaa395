#include "core/mesh_parts.h"

#include <doctest/doctest.h>

using namespace facet;

namespace {

// Two squares that share an edge at x = 1, the second one with copies of the shared vertices, and a triangle
// apart.
struct Squares {
  Points3 vertices = Points3(11, 3);
  Triangles triangles = Triangles(5, 3);
  Squares() {
    vertices << 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0,  //
        1, 0, 0, 2, 0, 0, 2, 1, 0, 1, 1, 0,          //
        5, 0, 0, 6, 0, 0, 5, 1, 0;
    triangles << 0, 1, 2, 0, 2, 3, 4, 5, 6, 4, 6, 7, 8, 9, 10;
  }
};

}  // namespace

TEST_CASE("weldedVertices: copies point at the first of them") {
  CHECK(weldedVertices(Squares().vertices) == std::vector<int>{0, 1, 2, 3, 1, 5, 6, 2, 8, 9, 10});
}

TEST_CASE("connectedParts: welded squares are one part and the triangle is another") {
  const Squares squares;
  CHECK(connectedParts(squares.triangles, weldedVertices(squares.vertices)) ==
        std::vector<int>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1});
  std::vector<int> apart = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  CHECK(connectedParts(squares.triangles, apart) == std::vector<int>{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2});
}

TEST_CASE("borderEdges: the shared edge and the diagonals are inside, all others are border") {
  const Squares squares;
  const Triangles border = borderEdges(squares.triangles, weldedVertices(squares.vertices));
  Triangles expected(5, 3);  // edge opposite each corner
  expected << 0, 0, 1, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1;
  CHECK(border == expected);
}

TEST_CASE(
    "mirroredVertices: pairs mirror images, prefers the same region, and refuses a mesh without symmetry") {
  Points3 vertices(6, 3);
  vertices << -1, 0, 0, 1, 0, 0, 0, 2, 0, 3, 3, 3, -3, 3.1F, 3, -1, 0, 0.2F;
  CHECK(mirroredVertices(vertices, {}).empty());  // vertex 5 has no partner left
  CHECK(mirroredVertices(vertices.topRows<5>(), {}) == std::vector<std::int32_t>{1, 0, 2, 4, 3});
  Points3 touching(4, 3);  // two layers at one place on each side
  touching << 1, 0, 0, 1, 0, 0, -1, 0, 0, -1, 0, 0;
  CHECK(mirroredVertices(touching, {0, 1, 1, 0}) == std::vector<std::int32_t>{3, 2, 1, 0});
}
