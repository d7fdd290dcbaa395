#include "core/landmarks.h"

#include <limits>

#include "core/check.h"

namespace facet {

Points3 LandmarkEmbedding::points(const Points3& vertices, const Triangles& triangles) const {
  require(barycentric.rows() == size(), "LandmarkEmbedding: ", size(), " triangles but ", barycentric.rows(),
          " barycentric rows");
  Points3 result(size(), 3);
  for (int i = 0; i < size(); ++i) {
    if (triangle[i] == -1) {
      result.row(i).setConstant(std::numeric_limits<float>::quiet_NaN());
      continue;
    }
    require(triangle[i] >= 0 && triangle[i] < triangles.rows(), "LandmarkEmbedding: landmark ", i,
            " lies on triangle ", triangle[i], " of a mesh with ", triangles.rows(),
            "; was it made for another topology?");
    const auto corners = triangles.row(triangle[i]);
    result.row(i) = barycentric(i, 0) * vertices.row(corners[0]) +
                    barycentric(i, 1) * vertices.row(corners[1]) +
                    barycentric(i, 2) * vertices.row(corners[2]);
  }
  return result;
}

int mirroredIbugIndex(int index) {
  require(index >= 0 && index < kNumIbugLandmarks, "mirroredIbugIndex: ", index, " is not in [0, 67]");
  if (index <= 16) return 16 - index;  // jaw
  if (index <= 26) return 43 - index;  // brows
  if (index <= 30) return index;       // bridge of the nose
  if (index <= 35) return 66 - index;  // nostrils
  if (index <= 47) {                   // eyes
    static constexpr int kMirroredEye[12] = {45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40};
    return kMirroredEye[index - 36];
  }
  if (index <= 54) return 102 - index;  // outer lip, upper
  if (index <= 59) return 114 - index;  // outer lip, lower
  if (index <= 64) return 124 - index;  // inner lip, upper
  return 132 - index;                   // inner lip, lower
}

}  // namespace facet
