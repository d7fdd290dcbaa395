#include "core/io/topology_map_io.h"

#include <cmath>

#include "core/error.h"
#include "core/io/npz.h"

namespace facet {
namespace fs = std::filesystem;

void writeTopologyMap(const fs::path& path, const TopologyMap& map) {
  const std::int64_t count = map.size();
  Npz arrays;
  arrays["triangle"] = NpyArray::fromInt32(map.points.triangle.data(), {count});
  arrays["barycentric"] = NpyArray::fromFloat(map.points.barycentric.data(), {count, 3});
  arrays["confidence"] = NpyArray::fromFloat(map.confidence.data(), {count});
  writeNpz(path, arrays, /*compress=*/true);
}

TopologyMap readTopologyMap(const fs::path& path, int num_triangles) {
  const Npz arrays = readNpz(path);
  const auto find = [&](const char* key, std::vector<std::int64_t> shape) -> const NpyArray& {
    const auto found = arrays.find(key);
    if (found == arrays.end()) fail(ErrorKind::kModel, path.string(), ": has no array ", key);
    if (found->second.shape != shape)
      fail(ErrorKind::kModel, path.string(), ": array ", key, " has another shape");
    return found->second;
  };
  const auto triangles = arrays.find("triangle");
  if (triangles == arrays.end() || triangles->second.shape.size() != 1)
    fail(ErrorKind::kModel, path.string(), ": is no map between topologies: it has no list \"triangle\"");
  const std::int64_t count = triangles->second.shape[0];
  TopologyMap map;
  map.points.triangle = triangles->second.asInt32();
  const std::vector<float> barycentric = find("barycentric", {count, 3}).asFloat();
  map.points.barycentric = Eigen::Map<const Points3>(barycentric.data(), count, 3);
  const std::vector<float> confidence = find("confidence", {count}).asFloat();
  map.confidence = Eigen::Map<const Eigen::VectorXf>(confidence.data(), count);
  for (std::int64_t v = 0; v < count; ++v) {
    const std::int32_t triangle = map.points.triangle[static_cast<std::size_t>(v)];
    if (triangle < 0 || triangle >= num_triangles) {
      fail(ErrorKind::kModel, path.string(), ": vertex ", v, " lies on triangle ", triangle, " of ",
           num_triangles, "; the map was made for another mesh");
    }
    if (!(std::abs(map.points.barycentric.row(v).sum() - 1) < 1e-3F) ||
        !(map.confidence[v] >= 0 && map.confidence[v] <= 1)) {
      fail(ErrorKind::kModel, path.string(), ": the weights or the confidence of vertex ", v,
           " are out of range");
    }
  }
  return map;
}

}  // namespace facet
