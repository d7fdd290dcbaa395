#include <algorithm>
#include <cstddef>
#include <vector>

#include "render/ops/antialias.h"
#include "render/ops/checks.h"

namespace facet::ops {
namespace {

// An edge of one triangle, kept with the lower of its two vertices.
struct HalfEdge {
  std::int32_t upper;  // the higher vertex
  std::int64_t index;  // 3 f + e
};

bool isDegenerate(const std::int32_t* corner) {
  return corner[0] == corner[1] || corner[1] == corner[2] || corner[2] == corner[0];
}

}  // namespace

void buildTopology(const TriangleList& triangles, std::int64_t num_vertices, std::int32_t* opposite) {
  constexpr const char* kOp = "buildTopology";
  checkTriangles(kOp, triangles);
  require(num_vertices >= 0, kOp, ": ", num_vertices, " vertices; the number cannot be negative");
  require(opposite != nullptr || triangles.count == 0, kOp, ": opposite is missing (null)");
  checkIndices(kOp, triangles.data, triangles.count, num_vertices);

  // Counting sort of the half-edges by their lower vertex.
  std::vector<std::int64_t> end(static_cast<std::size_t>(num_vertices) + 1, 0);
  for (std::int64_t f = 0; f < triangles.count; ++f) {
    const std::int32_t* const corner = triangles.data + 3 * f;
    std::fill_n(opposite + 3 * f, 3, -1);
    if (isDegenerate(corner)) continue;
    for (int e = 0; e < 3; ++e)
      ++end[static_cast<std::size_t>(std::min(corner[e], corner[e == 2 ? 0 : e + 1])) + 1];
  }
  for (std::size_t v = 1; v < end.size(); ++v) end[v] += end[v - 1];
  std::vector<HalfEdge> half_edges(static_cast<std::size_t>(end.back()));
  for (std::int64_t f = 0; f < triangles.count; ++f) {
    const std::int32_t* const corner = triangles.data + 3 * f;
    if (isDegenerate(corner)) continue;
    for (int e = 0; e < 3; ++e) {
      const auto [lower, upper] = std::minmax(corner[e], corner[e == 2 ? 0 : e + 1]);
      // Filling moves a vertex's begin to its end, which is the begin of the next one.
      half_edges[static_cast<std::size_t>(end[static_cast<std::size_t>(lower)]++)] = {upper, 3 * f + e};
    }
  }

  // Within one vertex, equal edges become neighbours: exactly two of them join two triangles.
  const auto corner_across = [&](std::int64_t index) {
    const std::int64_t f = index / 3, e = index % 3;
    return triangles.data[3 * f + (e == 0 ? 2 : e - 1)];
  };
  std::int64_t begin = 0;
  for (std::int64_t v = 0; v < num_vertices; ++v) {
    const std::int64_t stop = end[static_cast<std::size_t>(v)];
    std::sort(half_edges.begin() + begin, half_edges.begin() + stop,
              [](const HalfEdge& a, const HalfEdge& b) {
                return a.upper != b.upper ? a.upper < b.upper : a.index < b.index;
              });
    while (begin < stop) {
      const HalfEdge* const first = &half_edges[static_cast<std::size_t>(begin)];
      std::int64_t count = 1;
      while (begin + count < stop && first[count].upper == first->upper) ++count;
      if (count == 2) {
        opposite[first[0].index] = corner_across(first[1].index);
        opposite[first[1].index] = corner_across(first[0].index);
      }
      begin += count;
    }
  }
}

}  // namespace facet::ops
