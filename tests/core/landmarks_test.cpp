#include "core/landmarks.h"

#include <doctest/doctest.h>

using namespace facet;

TEST_CASE("iBUG-68: mirroring twice is the identity, and the pairs are the known ones") {
  for (int i = 0; i < kNumIbugLandmarks; ++i) CHECK(mirroredIbugIndex(mirroredIbugIndex(i)) == i);
  const int pairs[][2] = {{0, 16},  {8, 8},   {17, 26}, {30, 30}, {31, 35}, {36, 45},
                          {37, 44}, {39, 42}, {40, 47}, {41, 46}, {48, 54}, {51, 51},
                          {55, 59}, {57, 57}, {60, 64}, {61, 63}, {66, 66}, {65, 67}};
  for (const auto& pair : pairs) CHECK(mirroredIbugIndex(pair[0]) == pair[1]);
  CHECK_THROWS_AS(mirroredIbugIndex(68), std::invalid_argument);
}

TEST_CASE("LandmarkEmbedding: a weighted corner mean, worked out by hand") {
  const Points3 vertices = (Points3(3, 3) << 0, 0, 0, 4, 0, 0, 0, 8, 2).finished();
  const Triangles triangles = (Triangles(1, 3) << 0, 1, 2).finished();
  LandmarkEmbedding embedding;
  embedding.triangle = {0};
  embedding.barycentric = (Points3(1, 3) << 0.25F, 0.25F, 0.5F).finished();
  const Points3 points = embedding.points(vertices, triangles);
  CHECK(points.row(0).isApprox(Eigen::RowVector3f(1, 4, 1)));
}

TEST_CASE("LandmarkEmbedding: an embedding for another topology is refused") {
  LandmarkEmbedding embedding;
  embedding.triangle = {3};
  embedding.barycentric = (Points3(1, 3) << 1, 0, 0).finished();
  CHECK_THROWS_AS(embedding.points(Points3::Zero(3, 3), (Triangles(1, 3) << 0, 1, 2).finished()),
                  std::invalid_argument);
}
