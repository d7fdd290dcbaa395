#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/types.h"

namespace facet {

// How the numbers of an accessor are stored. The integers are those of KHR_mesh_quantization; normalized ones
// stand for [-1, 1] or [0, 1], and values beyond are clamped.
enum class GlbEncoding { kFloat, kShort, kShortNormalized, kByteNormalized, kUnsignedShortNormalized };

// Builds the binary chunk of a GLB and the JSON that describes it: glTF 2.0, sections 3.6 and 4.4.
class GlbBuilder {
 public:
  using Json = nlohmann::ordered_json;
  using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  Json json = {{"asset", {{"version", "2.0"}, {"generator", "facet"}}}};

  // Each returns the index of the new entry in its list of the JSON.
  int append(const char* list, Json item);
  int addView(const void* data, std::size_t size);
  // N×C values, one row per vertex. Positions must say their range (`with_range`).
  int addVertices(const Rows& values, bool with_range = false, GlbEncoding encoding = GlbEncoding::kFloat);
  // The same for displacements, most of which are zero: a sparse accessor where that is smaller.
  int addDisplacements(const Points3& values, bool with_range, GlbEncoding encoding = GlbEncoding::kFloat);
  // N×4 indices of joints.
  int addJoints(const std::vector<std::uint8_t>& joints);
  int addIndices(const std::vector<std::uint32_t>& indices, std::size_t num_vertices);
  // N×C values of an animation or a matrix; `type` is glTF's: SCALAR, VEC3, VEC4, MAT4.
  int addValues(const Rows& values, const char* type, bool with_range = false);

  // The container: a header, a JSON chunk padded with spaces, a binary chunk padded with zeros. Throws
  // std::invalid_argument beyond 4 GB.
  std::vector<std::uint8_t> finish();

 private:
  int addView(const void* data, std::size_t size, int target, int stride = 0);
  std::pair<int, int> addIndexView(const std::vector<std::uint32_t>& indices, std::size_t limit, int target);

  std::vector<std::uint8_t> bytes_;
};

}  // namespace facet
