#pragma once

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "core/morphable_model.h"

namespace facet::test {

// A head in another topology of which the true correspondence is known: every edge is halved, the vertices
// are shuffled, and all that a model file may lack is left out.
struct Remeshed {
  MorphableModel model;           // mean, triangles and landmarks only
  std::vector<int> vertex;        // of the remeshed head for each vertex of the original
  Eigen::SparseMatrix<float> of;  // remeshed values = of * original values, per vertex
};

inline Remeshed remesh(const MorphableModel& original, const Points3& shape, unsigned seed = 7) {
  std::map<std::pair<int, int>, int> middle;
  const int num_original = original.numVertices();
  const auto middleOf = [&](int a, int b) {
    return middle.try_emplace(std::minmax(a, b), num_original + static_cast<int>(middle.size()))
        .first->second;
  };
  Triangles triangles(4 * original.triangles.rows(), 3);
  for (Eigen::Index f = 0; f < original.triangles.rows(); ++f) {
    const int a = original.triangles(f, 0), b = original.triangles(f, 1), c = original.triangles(f, 2);
    const int ab = middleOf(a, b), bc = middleOf(b, c), ca = middleOf(c, a);
    triangles.middleRows(4 * f, 4) << a, ab, ca, b, bc, ab, c, ca, bc, ab, bc, ca;
  }
  const int count = num_original + static_cast<int>(middle.size());
  std::vector<int> place(static_cast<std::size_t>(count));
  std::iota(place.begin(), place.end(), 0);
  std::mt19937 generator(seed);
  for (int i = count - 1; i > 0; --i) std::swap(place[i], place[generator() % (i + 1)]);

  Remeshed result;
  std::vector<Eigen::Triplet<float>> entries;
  for (int v = 0; v < num_original; ++v) entries.emplace_back(place[v], v, 1.0F);
  for (const auto& [edge, v] : middle) {
    entries.emplace_back(place[v], edge.first, 0.5F);
    entries.emplace_back(place[v], edge.second, 0.5F);
  }
  result.of.resize(count, num_original);
  result.of.setFromTriplets(entries.begin(), entries.end());
  result.vertex.assign(place.begin(), place.begin() + num_original);
  result.model.id = result.model.name = result.model.topology = "remeshed";
  result.model.mean = result.of * shape;
  result.model.triangles = triangles.unaryExpr([&](std::int32_t v) { return place[v]; });
  // Landmarks lie in the same triangles, in one of its four.
  const LandmarkEmbedding& landmarks = original.landmarks68;
  result.model.landmarks68.barycentric.resize(landmarks.size(), 3);
  for (int i = 0; i < landmarks.size(); ++i) {
    const Eigen::RowVector3f weights = landmarks.barycentric.row(i);
    int corner = 0;
    const float largest = weights.maxCoeff(&corner);
    Eigen::RowVector3f inner;
    if (largest >= 0.5F) {  // at a corner: that corner, then the middles of the edges beside it
      inner << 2 * largest - 1, 2 * weights[(corner + 1) % 3], 2 * weights[(corner + 2) % 3];
    } else {  // in the middle: ab, bc, ca
      corner = 3;
      inner << 1 - 2 * weights[2], 1 - 2 * weights[0], 1 - 2 * weights[1];
    }
    result.model.landmarks68.triangle.push_back(4 * landmarks.triangle[i] + corner);
    result.model.landmarks68.barycentric.row(i) = inner;
  }
  return result;
}

}  // namespace facet::test
