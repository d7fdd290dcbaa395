#include "viewer/surface.h"

#include <algorithm>
#include <atomic>
#include <numeric>

#include "core/check.h"
#include "core/split_mesh.h"

namespace facet {

std::shared_ptr<const SurfaceLayout> surfaceLayout(const Mesh& mesh,
                                                   const std::vector<std::uint8_t>& triangle_material) {
  require(triangle_material.empty() ||
              triangle_material.size() == static_cast<std::size_t>(mesh.triangles.rows()),
          "surfaceLayout: ", triangle_material.size(), " materials for ", mesh.triangles.rows(),
          " triangles");
  static std::atomic<std::uint64_t> next_id = 1;
  const SplitMesh split = splitAtSeams(mesh);
  const auto layout = std::make_shared<SurfaceLayout>();
  layout->id = next_id++;
  layout->vertex = split.source;
  if (mesh.hasUv()) layout->uv = gatherRows(mesh.uv, split.uv_source);

  const auto material = [&](std::int32_t triangle) {
    return triangle_material.empty() ? 0 : static_cast<int>(triangle_material[triangle]);
  };
  layout->triangle.resize(static_cast<std::size_t>(mesh.triangles.rows()));
  std::iota(layout->triangle.begin(), layout->triangle.end(), 0);
  std::stable_sort(layout->triangle.begin(), layout->triangle.end(),
                   [&](std::int32_t a, std::int32_t b) { return material(a) < material(b); });
  layout->triangles = gatherRows(split.triangles, layout->triangle);
  for (int i = 0; i < static_cast<int>(layout->triangle.size()); ++i) {
    const int here = material(layout->triangle[i]);
    if (layout->parts.empty() || layout->parts.back().material != here) layout->parts.push_back({here, i, 0});
    ++layout->parts.back().num_triangles;
  }
  return layout;
}

}  // namespace facet
